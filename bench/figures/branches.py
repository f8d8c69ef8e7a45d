"""Networks with several normalisation branches."""

from bench.figures.facts import Facts
from bench.figures.measured import Numbers

MOST = 4
"""Largest number of networks in a panel, and of channels with a panel each."""


def branched(data: Numbers) -> list[str]:
    """Return the networks with at least two branches, by name without the branch."""
    found: dict[str, Facts] = {f.name.rpartition("@")[0]: f for f in data.models if len(f.branches) > 1}
    return sorted(name for name in found if name)
