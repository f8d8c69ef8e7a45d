"""Options of a run. `RunOptions` defines each option's name, values, meaning and default.

The arguments of `bench run`, the keywords of `bench.run`, what `run.json` keeps, what the gate repeats and the command
that a page prints come from it. Adding an option: one field in `bench/options/run.py`.
"""

from bench.options.option import OPTION_ROLES, Option, OptionRole
from bench.options.run import OPTIONS, Precision, RunOptions, keywords
from bench.options.values import Shard

__all__ = ["OPTIONS", "OPTION_ROLES", "Option", "OptionRole", "Precision", "RunOptions", "Shard", "keywords"]
