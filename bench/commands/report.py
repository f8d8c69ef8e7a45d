"""`bench report`: a results folder as a site."""

import argparse
from typing import Any

from bench.commands.results import OUTSIDE


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser("report", help="write an HTML site that opens from disk")
    add = parser.add_argument
    add("dir", metavar="DIR", help="a results folder")
    add("--out", default="reports", metavar="DIR", help="the site's folder (default reports)")
    add("--title", default="Robust ImageNet leaderboard", metavar="TEXT", help="the leaderboard's title")
    add("--outside", action="append", default=[], metavar="FILE|DIR", help=OUTSIDE)
    add(
        "--thumbnails",
        type=int,
        default=0,
        metavar="N",
        help="N of each model's worst pictures on its page (default 0)",
    )
    add("--data", metavar="DIR|NAME=DIR,...", help="where thumbnails are read from, as for `bench run`")
    add("--single-file", action="store_true", help="style and script in each page, to send one alone")
    parser.set_defaults(func=_report)


def _report(arguments: argparse.Namespace) -> int:
    from bench.board.report import report

    written = report(
        arguments.dir,
        arguments.out,
        title=arguments.title,
        outside=arguments.outside,
        thumbnails=arguments.thumbnails,
        data=arguments.data,
        single_file=arguments.single_file,
    )
    print(f"{written[0]} and {len(written) - 1} more pages; open it in a browser, no server is needed")
    return 0
