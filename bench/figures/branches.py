"""Networks whose parts of a batch each have a normalisation of their own."""

from bench.figures.facts import Facts
from bench.figures.measured import Numbers

MOST = 4
"""Networks that share a panel, and channels that have one."""


def branched(data: Numbers) -> list[str]:
    """The networks of two branches or more, without the branch in their names."""
    found: dict[str, Facts] = {f.name.rpartition("@")[0]: f for f in data.models if len(f.branches) > 1}
    return sorted(name for name in found if name)
