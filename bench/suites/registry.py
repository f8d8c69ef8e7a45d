"""All suites by name. Adding one: write it in a file of this room and name it here."""

from collections.abc import Sequence

from bench.errors import UsageError
from bench.options import OPTIONS, RunOptions
from bench.suites import (
    attacks,
    branches,
    clean,
    corruption,
    cue_conflict,
    diagnostics,
    further,
    pgd,
    robustbench,
    shift,
    tiny,
    transfer,
    union,
)
from bench.suites.base import Suite

SUITES: dict[str, Suite] = {
    suite.name: suite
    for room in (
        clean,
        corruption,
        shift,
        further,
        cue_conflict,
        pgd,
        branches,
        attacks,
        union,
        transfer,
        robustbench,
        diagnostics,
        tiny,
    )
    for suite in room.SUITES
}


def check_used(suites: Sequence[Suite], options: RunOptions) -> None:
    """Raise `UsageError` for an option that none of `suites` uses: it would be ignored, and look heeded."""
    for name in options.changed():
        if OPTIONS[name].by_suite and not any(name in suite.uses for suite in suites):
            users = ", ".join(suite.name for suite in SUITES.values() if name in suite.uses)
            asked = ", ".join(suite.name for suite in suites)
            raise UsageError(f"{OPTIONS[name].flag}: not used by {asked}; suites that use it: {users}")


def find_suite(name: str) -> Suite:
    """The suite called `name`. Raises `UsageError` with the nearest names."""
    if name not in SUITES:
        raise UsageError.unknown("suite", name, SUITES)
    return SUITES[name]


def list_suites() -> list[str]:
    """Names of all suites (`bench list suites`)."""
    return list(SUITES)
