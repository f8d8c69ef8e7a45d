"""Networks with several normalisation branches."""

from bench.figures.facts import Facts
from bench.figures.measured import Numbers
from model_zoo.registry import split_branch

MOST = 4
"""Largest number of networks in a panel, and of channels with a panel each."""


def branched(data: Numbers) -> list[str]:
    """Return the networks with at least two branches, by name without the branch."""
    found: dict[str, Facts] = {split_branch(f.name).base: f for f in data.models if len(f.branches) > 1}
    return sorted(name for name in found if name)
