"""`bench figures`: a results folder as figures."""

import argparse
from pathlib import Path
from typing import Any

from bench.options.command import add_cards_argument


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "figures", help="draw the papers' figures from a results folder, as PNG, SVG and PDF"
    )
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the figures")
    parser.add_argument("--only", metavar="NAME[,NAME]", help="draw only these figures; `bench list figures` shows all")
    parser.add_argument("--models", metavar="A,B", help="draw only these models, of any zoo (as in `bench run`)")
    parser.add_argument(
        "--traits",
        metavar="FILE",
        help="a TOML file with traits of models without a card: one table per model, fields as in a card's [traits]",
    )
    add_cards_argument(parser)
    parser.set_defaults(func=_figures)


def _figures(arguments: argparse.Namespace) -> int:
    from bench.figures import read_traits, write_figures
    from bench.layout import say
    from bench.options.values import listed, model_names

    written = write_figures(
        arguments.dir,
        Path(arguments.out),
        only=listed(arguments.only),
        models=model_names(arguments.models),
        traits=read_traits(Path(arguments.traits)) if arguments.traits else None,
    )
    for path in written.files:
        print(path)
    for reason in written.missing:
        say(f"not drawn: {reason}")
    for reason in written.left_out:
        say(f"left out of {reason}")
    return 0
