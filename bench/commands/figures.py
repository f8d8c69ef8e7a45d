"""`bench figures`: a results folder as figures."""

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser("figures", help="the papers' figures from a results folder, as PNG, SVG and PDF")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.add_argument("--out", required=True, metavar="DIR", help="the figures' folder")
    parser.set_defaults(func=_figures)


def _figures(arguments: argparse.Namespace) -> int:
    from bench.figures import write_figures

    written = write_figures(arguments.dir, Path(arguments.out))
    for path in written.files:
        print(path)
    for reason in written.missing:
        print(f"not drawn: {reason}")
    return 0
