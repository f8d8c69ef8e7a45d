"""All suites by name. Adding one: write it in a file of this room and name it here."""

from bench.errors import UsageError
from bench.suites import attacks, clean, corruption, pgd
from bench.suites.base import Suite

SUITES: dict[str, Suite] = {
    suite.name: suite for suite in (*clean.SUITES, *corruption.SUITES, *pgd.SUITES, *attacks.SUITES)
}


def find_suite(name: str) -> Suite:
    """The suite called `name`. Raises `UsageError` with the nearest names."""
    if name not in SUITES:
        raise UsageError.unknown("suite", name, SUITES)
    return SUITES[name]
