"""`Option`: a field of `RunOptions` with its help text, check and command-line form."""

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, get_args

from bench.errors import UsageError

OptionRole = Literal["number", "file", "work"]
"""`number`: affects the measured numbers, so the gate and a page's command repeat it. `file`: the same, and the value
names a file on this machine. `work`: affects where and how fast a run executes, but no number."""
OPTION_ROLES: tuple[OptionRole, ...] = get_args(OptionRole)

ATTACKS = "attacks"
"""The group of options that only suites with an attack can use."""

Given = TypeVar("Given", contravariant=True)
Kept = TypeVar("Kept", covariant=True)


class Option(Generic[Given, Kept]):
    """A data descriptor that accepts values of type `Given` and stores the type `Kept`.

    `None` always means the default. `group` is the heading in `bench run --help`. An option `by_suite` is refused if
    none of the suites of the run declares it.
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
        """The option's command-line form: `--step-size`."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_switch(self) -> bool:
        """Whether the option is a switch without a value."""
        return self.read.__name__ == "flag"

    @property
    def description(self) -> str:
        """The help text with the default, if there is one."""
        told = self.default in (None, ()) or self.default is False or "default" in self.help
        return self.help if told else f"{self.help} (default {self.default})"
