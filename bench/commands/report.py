"""`bench report`: a results folder as a site."""

import argparse
from pathlib import Path
from typing import Any

from bench.commands.results import OUTSIDE


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser("report", help="a self-contained HTML site that opens from disk")
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
    parser.set_defaults(func=_report)


def _report(arguments: argparse.Namespace) -> int:
    import os

    from bench.board.site.build import SiteOptions, write_site
    from bench.datasets.table import parse_roots
    from bench.errors import UsageError
    from bench.published.outside import read_outside

    if arguments.thumbnails < 0:
        raise UsageError(f"--thumbnails: expected a whole number, 0 for none, found {arguments.thumbnails}")
    outside = [number for path in arguments.outside for number in read_outside(Path(path))]
    roots = parse_roots(arguments.data, os.environ.get("BENCH_DATA"))
    written = write_site(
        arguments.dir, arguments.out, SiteOptions(arguments.title, outside, arguments.thumbnails, roots)
    )
    print(f"{written[0]} and {len(written) - 1} more pages; open it in a browser, no server is needed")
    return 0
