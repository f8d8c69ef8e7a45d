"""Options on a command line, and in a file of `--config`."""

import argparse
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.options.run import OPTIONS, RunOptions

NAMES = ("models", "suites")
"""What a run is asked for besides its options; on the command line `--model` and `--suite`."""


def add_arguments(parser: argparse.ArgumentParser, names: Iterable[str] = OPTIONS, **helps: str) -> None:
    """Describe options to `parser`, as text; what is not typed is not in the namespace. `helps` replace their own."""
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


def typed(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that were typed."""
    return {name: value for name, value in vars(arguments).items() if name in OPTIONS}


def read_config(path: str | Path, told: Collection[str] = ()) -> dict[str, Any]:
    """What a TOML file or a `run.json` asks for: `models`, `suites` (each at commas or a list) and options by name.

    Raises `UsageError` for a file that cannot be read, and for a name that is no option. A `file:` model of a
    `run.json` is refused unless `models` are `told` otherwise: it would run code that somebody else may have named.
    """
    file = Path(path)
    try:
        content = file.read_text(encoding="utf-8")
        found = json.loads(content).get("given") if file.suffix == ".json" else tomllib.loads(content)
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        raise UsageError(f"--config {path}: cannot be read as TOML or as a run.json ({error})") from None
    if not isinstance(found, Mapping):
        raise UsageError(f"--config {path}: expected the options of a run, found none")
    given = {_name(str(name)): value for name, value in found.items()}
    RunOptions.of({name: value for name, value in given.items() if name not in NAMES}, f"--config {path}: ")
    for name in NAMES:
        given[name] = _listed(given.get(name, []), f"--config {path}: {name}")
    own = [m for m in given["models"] if m.startswith("file:")]
    if file.suffix == ".json" and own and "models" not in told:
        raise UsageError(f"--config {path}: {own[0]} runs a file's code; if you trust it, name it: --model {own[0]}")
    return given


def _name(name: str) -> str:
    plain = name.replace("-", "_")
    return f"{plain}s" if plain in ("model", "suite") else plain


def _listed(value: Any, where: str) -> list[str]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise UsageError(f"{where}: expected a name or a list of names, found {value!r}")
    return items
