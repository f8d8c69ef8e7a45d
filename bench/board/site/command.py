"""The command that repeats a number, from what `run.json` says was asked for."""

import shlex

from bench.options import RunOptions
from bench.options.run import OPTIONS
from bench.suites.registry import SUITES


def repeat(model: str, suite: str, options: RunOptions | None) -> str:
    """`bench run ...` for one model and one suite; the data's place is the reader's own.

    Device, batch, shard and folders change no number and are left out, and so is what the suite does not use. Empty
    where the options are not told.
    """
    if options is None:
        return ""
    words = ["bench", "run", "--model", model, "--suite", suite]
    known = SUITES.get(suite)
    words += options.words(
        name
        for name, option in OPTIONS.items()
        if option.role != "work" and (known is None or not option.by_suite or name in known.uses)
    )
    return shlex.join(words) + (' --data "$BENCH_DATA"' if options.data else "")
