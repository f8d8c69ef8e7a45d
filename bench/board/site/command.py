"""The command that repeats a number, from the request in `run.json`."""

import shlex

from bench.options import RunOptions
from bench.options.run import OPTIONS
from bench.suites.registry import SUITES


def repeat(model: str, suite: str, options: RunOptions | None) -> str:
    """Return `bench run ...` for one model and one suite; the reader adds the data folder.

    Device, batch size, shard and folders change no number and are left out, as are options that the suite does not use.
    Empty if the options are unknown.
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
