"""Options of a run on a command line."""

import argparse
from collections.abc import Iterable
from typing import Any

from bench.options.run import OPTIONS


def add_arguments(parser: argparse.ArgumentParser, names: Iterable[str] = OPTIONS, **helps: str) -> None:
    """Add options to `parser`, read as text and absent from the namespace if not given. `helps` replace help texts."""
    groups: dict[str, Any] = {"": parser}
    for name in names:
        option = OPTIONS[name]
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        how: dict[str, Any] = {"metavar": option.metavar or f"{{{','.join(option.choices)}}}"}
        if option.is_switch:
            how = {"action": argparse.BooleanOptionalAction}
        groups[option.group].add_argument(
            option.flag, default=argparse.SUPPRESS, help=helps.get(name, option.description), **how
        )


def add_cards_argument(parser: argparse.ArgumentParser) -> None:
    """Describe `--cards` of a command that is no run; `bench.cli.main` heeds it before the command begins."""
    option = OPTIONS["cards"]
    parser.add_argument(option.flag, dest="own_cards", metavar=option.metavar, help=option.description)


def typed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options given on the command line."""
    return {name: value for name, value in vars(arguments).items() if name in OPTIONS}
