"""All suites by name. Adding one: write it in a file of this room and name it here."""

from bench.errors import UsageError
from bench.suites import attacks, branches, clean, corruption, cue_conflict, diagnostics, pgd, robustbench, shift, tiny
from bench.suites.base import Suite

SUITES: dict[str, Suite] = {
    suite.name: suite
    for room in (clean, corruption, shift, cue_conflict, pgd, branches, attacks, robustbench, diagnostics, tiny)
    for suite in room.SUITES
}


def find_suite(name: str) -> Suite:
    """The suite called `name`. Raises `UsageError` with the nearest names."""
    if name not in SUITES:
        raise UsageError.unknown("suite", name, SUITES)
    return SUITES[name]
