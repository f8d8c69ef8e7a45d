"""`bench doctor` and `bench data`: is the data what it should be, and where does it come from."""

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the commands."""
    parser = subparsers.add_parser("doctor", help="look at a data folder before any compute")
    parser.add_argument("dir", metavar="DATA_DIR", help="a data set's folder")
    parser.set_defaults(func=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from bench.datasets.doctor import diagnose

    diagnosis = diagnose(Path(arguments.dir))
    for line in diagnosis.lines():
        print(line)
    return 5 if diagnosis.problems else 0
