"""`bench verify`: whether every planned image has exactly one record."""

import argparse
from typing import Any

from bench.errors import IncompleteError
from bench.text import counted


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "verify", help="check that every planned image of a results folder has exactly one record"
    )
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.set_defaults(func=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from bench.folder.verify import verify
    from bench.layout import say

    recount = verify(arguments.dir)
    for problem in recount.problems:
        say(str(problem))
    spare = f"; of no run: {counted(recount.spare, 'cell')}" if recount.spare else ""
    whole = f"{recount.whole} of {counted(recount.planned, 'cell')} whole"
    said = f"{whole}, {counted(recount.records, 'record')}, each image once{spare}"
    if recount.problems:
        raise IncompleteError(f"{said}; next: repeat the run's command; only missing units run")
    say(said)
    return 0
