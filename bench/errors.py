"""The tree of expected errors.

::

    BenchError                exit  what
    ├── UsageError               2  an unknown model, suite or option; a value in the wrong unit
    ├── IncompleteError          3  units or conditions are missing from a results folder
    ├── RegressionError          4  a released checkpoint got worse
    └── MissingError             5  data or weights are absent or did not verify
        ├── DataError            5  a data set: wrong root, wrong layout, wrong count
        └── StoreError           5  a results folder that cannot be read or written
            └── NoResultsError   5  nothing is measured in it yet

``model_zoo`` has its own small tree (`model_zoo.errors`), which `bench.cli` maps onto the same exit codes.
Every message names the thing, what was expected, what was found and the next command to type.
"""

from collections.abc import Iterable

from model_zoo.errors import suggestion


class BenchError(Exception):
    """Base of all expected errors; `exit_code` is the exit code of `bench`."""

    exit_code = 1


class UsageError(BenchError):
    """The request is wrong: an unknown name or an impossible option."""

    exit_code = 2

    @classmethod
    def unknown(cls, kind: str, name: str, known: Iterable[str]) -> "UsageError":
        """An unknown `name`; the message has the nearest known ones and the command that lists all."""
        return cls(f"unknown {kind} {name!r}{suggestion(name, known)}; `bench list {kind}s` shows all")


class UnknownOptionError(UsageError, TypeError):
    """A keyword that is not an option; also a `TypeError`, as for any unknown keyword in Python."""


class IncompleteError(BenchError):
    """A results folder lacks units or conditions that the request needs."""

    exit_code = 3


class RegressionError(BenchError):
    """The regression gate found a model that got worse."""

    exit_code = 4


class MissingError(BenchError):
    """Data or weights are missing, or not verified."""

    exit_code = 5


class DataError(MissingError):
    """A data set is missing, or has another layout or content than expected."""


class StoreError(MissingError):
    """A results folder cannot be read or written."""


class NoResultsError(StoreError):
    """A results folder without any measurement."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that is not blank, or its class if it has no message."""
    return next((line for line in map(str.strip, str(error).splitlines()) if line), type(error).__name__)
