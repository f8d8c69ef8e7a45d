"""`Option`: a field of `RunOptions` that knows its help, its check and how it is typed."""

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, get_args

from bench.errors import UsageError

OptionRole = Literal["number", "file", "work"]
"""`number`: part of what is measured, so that a page's command, and the gate, repeat it. `file`: that too, but it names
a file of this machine. `work`: where and how fast the work is done; it changes no number."""
OPTION_ROLES: tuple[OptionRole, ...] = get_args(OptionRole)

ATTACKS = "attacks"
"""The group of options that only suites with an attack can use."""

Given = TypeVar("Given", contravariant=True)
Kept = TypeVar("Kept", covariant=True)


class Option(Generic[Given, Kept]):
    """A data descriptor: `Given` is what may be passed, `Kept` what is read back.

    `None` always stands for the default. `group` is the heading in `bench run --help`. An option `by_suite` is used
    by the suites that say so, and refused where none of those named does.
    """

    def __init__(
        self,
        default: Kept,
        read: Callable[[Any], Kept],
        help: str,  # as argparse calls it
        *,
        metavar: str | None = None,
        choices: tuple[str, ...] = (),
        group: str = "",
        role: OptionRole = "number",
        by_suite: bool = False,
    ) -> None:
        self.default, self.read, self.help = default, read, help
        self.metavar, self.choices, self.group, self.role = metavar, choices, group, role
        self.by_suite = by_suite or group == ATTACKS

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    def __get__(self, holder: object | None, owner: type | None = None) -> Kept:
        found: Kept = self.default if holder is None else holder.__dict__[self.name]
        return found

    def __set__(self, holder: object, value: Given) -> None:
        try:
            kept = self.default if value is None or value is self.default else self.read(value)
        except ValueError as error:
            raise UsageError(f"{self.flag}: {error}") from None
        holder.__dict__[self.name] = kept

    @property
    def flag(self) -> str:
        """The option on a command line: `--step-size`."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off and takes no value."""
        return self.read.__name__ == "flag"

    @property
    def description(self) -> str:
        """The help with the default, where there is one to tell."""
        told = self.default in (None, ()) or self.default is False or "default" in self.help
        return self.help if told else f"{self.help} (default {self.default})"
