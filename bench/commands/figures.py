"""`bench figures`: a results folder as figures."""

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser("figures", help="draw what a results folder holds, as PNG and PDF")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.add_argument("--out", required=True, metavar="DIR", help="the figures' folder")
    parser.set_defaults(func=_figures)


def _figures(arguments: argparse.Namespace) -> int:
    from bench.reports.figures import write_figures

    for path in write_figures(arguments.dir, Path(arguments.out)):
        print(path)
    return 0
