"""`bench report`: a results folder as a site."""

import argparse
from typing import Any

from bench.commands.results import OUTSIDE
from bench.errors import UsageError
from bench.options.command import add_cards_argument
from bench.text import counted

USUAL = ""
"""Stands for `--serve` without a port."""


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser("report", help="write an HTML site that opens from disk")
    add = parser.add_argument
    add("dir", metavar="DIR", help="a results folder")
    add("--out", default="reports", metavar="DIR", help="folder of the site (default reports)")
    add("--title", default="Robust ImageNet leaderboard", metavar="TEXT", help="title of the leaderboard")
    add("--outside", action="append", default=[], metavar="FILE|DIR", help=OUTSIDE)
    add(
        "--thumbnails",
        type=int,
        default=0,
        metavar="N",
        help="show each model's N worst images on its page (default 0)",
    )
    add("--data", metavar="DIR|NAME=DIR,...", help="read thumbnails from here, as for `bench run`")
    add(
        "--adversarial",
        metavar="DIR",
        help="attacked images written by `bench run --keep-adversarial` (default: the folder that the runs used)",
    )
    add(
        "--figures",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="add a page of the papers' figures with their data (default; takes some seconds)",
    )
    add(
        "--single-file",
        action="store_true",
        help="put style and script into each page, so that a page can be sent alone",
    )
    add(
        "--serve",
        nargs="?",
        const=USUAL,
        metavar="PORT",
        help="serve the site on this machine during runs, with their progress, until Ctrl-C; does not write --out",
    )
    add_cards_argument(parser)
    parser.set_defaults(func=_report)


def _report(arguments: argparse.Namespace) -> int:
    from bench.board.report import report
    from bench.layout import say

    told = {
        name: getattr(arguments, name)
        for name in ("title", "outside", "thumbnails", "data", "single_file", "adversarial", "figures")
    }
    if arguments.serve is not None:
        report(arguments.dir, serve=True, port=_port(arguments.serve), **told)
        return 0
    written = report(arguments.dir, arguments.out, **told)
    say(f"{written[0]} and {counted(len(written) - 1, 'more page')}; open it in a browser, no server is needed")
    return 0


def _port(text: str) -> int | None:
    """The port that was typed; None for none."""
    if text == USUAL:
        return None
    if not text.isdecimal() or int(text) > 65535:
        raise UsageError(f"--serve {text}: expected a port of 0 to 65535, 0 for any that is free")
    return int(text)
