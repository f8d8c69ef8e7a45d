"""`bench weights fetch|verify|where|convert MODEL...`: a checkpoint's released files."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.options.command import add_cards_argument

if TYPE_CHECKING:
    from model_zoo.card import ModelCard
    from model_zoo.weights import FileStatus


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser("weights", help="fetch, verify, find or convert a checkpoint's weights")
    actions = parser.add_subparsers(dest="action", required=True, metavar="fetch|verify|where|convert")
    for name, (help_text, function) in _ACTIONS.items():
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument("models", nargs="+", metavar="MODEL")
        add_cards_argument(action)
        action.set_defaults(func=_each, each=function)
    action.add_argument("--weights", type=Path, metavar="FILE", help="convert this file instead of the cached one")
    action.add_argument("--out", type=Path, metavar="FILE", help="write here (default: MODEL.safetensors)")


def _each(arguments: argparse.Namespace) -> int:
    from model_zoo.registry import find_card

    for card in [find_card(name) for name in arguments.models]:
        arguments.each(card, arguments)
    return 0


def _fetch(card: "ModelCard", _arguments: argparse.Namespace) -> None:
    from model_zoo.load import confirm
    from model_zoo.weights import fetch

    print(f"{card.name}: licence {card.weights.licence}")
    fetch(card, _show_progress if sys.stderr.isatty() else None)
    _print(confirm(card))


def _verify(card: "ModelCard", _arguments: argparse.Namespace) -> None:
    from model_zoo.load import confirm

    _print(confirm(card))


def _where(card: "ModelCard", _arguments: argparse.Namespace) -> None:
    from bench.layout import say
    from model_zoo.weights import where

    for status in where(card):
        found = "present" if status.present else "missing"
        say(f"{status.path}\n  {found}; from {status.file.url or card.weights.note or 'its package'}")


def _convert(card: "ModelCard", arguments: argparse.Namespace) -> None:
    from model_zoo.load import convert

    out = arguments.out or Path(f"{card.name.replace(':', '-')}.safetensors")
    print(convert(card.name, out, weights_file=arguments.weights))


def _print(statuses: "tuple[FileStatus, ...]") -> None:
    for status in statuses:
        print(f"{status.path}  {status.verdict}; SHA-256 {status.digest}")


def _show_progress(done: int, total: int) -> None:
    share = f" of {total / 1e6:.1f}" if total else ""
    print(f"\r{done / 1e6:.1f}{share} MB", end="\n" if done == total else "", file=sys.stderr)


_ACTIONS: dict[str, tuple[str, Callable[["ModelCard", argparse.Namespace], None]]] = {
    "fetch": (
        "download the released files into the cache, and check them against published hashes and the network",
        _fetch,
    ),
    "verify": ("check the files in the cache against their SHA-256, or that of their first use", _verify),
    "where": ("print where the files must be put and where they come from", _where),
    "convert": ("write the weights as safetensors with the network's parameter names", _convert),
}
