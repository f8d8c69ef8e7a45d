"""Completion scripts that contain the names of models, suites and sets, so that completion runs no Python."""

import argparse

import shtab

from bench.options.run import OPTIONS

PLACES = {"DIR", "DATA_DIR", "ORACLE_DIR"}
FILES = {"FILE", "FILE[:KEY]", "FILE|DIR"}


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script of `shell` (bash, zsh or fish) that completes `parser`, with the current names."""
    _name(parser, _known())
    return str(shtab.complete(parser, shell))


def _known() -> dict[str, list[str]]:
    """Return names by kind of argument."""
    from bench.datasets.known import list_datasets
    from bench.suites.registry import list_suites
    from model_zoo import list_models

    models, sets = list_models(), list_datasets()
    choices = {name: list(option.choices) for name, option in OPTIONS.items() if option.choices}
    return {"model": models, "models": models, "suite": list_suites(), "dataset": sets, "set": sets, **choices}


def _name(parser: argparse.ArgumentParser, known: dict[str, list[str]]) -> None:
    """Attach to every argument of `parser` and of its commands its possible values."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _name(command, known)
        elif action.choices is None and action.dest in known:
            action.choices = known[action.dest]
        elif action.metavar in PLACES:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
