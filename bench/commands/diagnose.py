"""`bench diagnose`: one page on a model's normalisation, smoothness and margins."""

import argparse
from typing import Any

from bench.options.command import add_arguments, add_cards_argument, typed

_OPTIONS = ("dataset", "data", "limit", "seed", "device", "batch_size", "eps", "norm", "steps", "step_size", "protocol")


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "diagnose", help="write one page on a model: batch norm, smoothness, margins; the same command again continues"
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a model with all its normalisation branches, or one branch (NAME@BRANCH)")
    add("--out", dest="page", required=True, metavar="DIR", help="folder of the page; measurements go to its results/")
    add_arguments(parser, _OPTIONS, limit="images of each set (default 256)")
    add_cards_argument(parser)
    parser.set_defaults(func=_diagnose)


def _diagnose(arguments: argparse.Namespace) -> int:
    from bench.diagnosis.run import diagnose

    print(diagnose(arguments.model, arguments.page, **typed(arguments)))
    return 0
