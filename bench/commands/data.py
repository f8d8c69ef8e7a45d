"""`bench doctor` and `bench data`: is the data what it should be, and where does it come from."""

import argparse
import os
from pathlib import Path
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the commands."""
    parser = subparsers.add_parser("doctor", help="check a data folder before a run")
    parser.add_argument("dir", metavar="DATA_DIR", help="a data set's folder")
    parser.set_defaults(func=_doctor)
    parser = subparsers.add_parser("data", help="list data sets, and fetch those that may be downloaded")
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|fetch")
    listing = actions.add_parser("list", help="list every set with its images, licence, address and expected layout")
    listing.add_argument(
        "--data", metavar="DIR", help="list instead the sets found under DIR, with place and completeness"
    )
    listing.set_defaults(func=_list)
    fetching = actions.add_parser("fetch", help="download, verify and unpack a set; the same command continues")
    fetching.add_argument("set", metavar="SET")
    fetching.add_argument("--data", metavar="DIR", help="data root; default BENCH_DATA")
    fetching.set_defaults(func=_fetch)


def _doctor(arguments: argparse.Namespace) -> int:
    from bench.datasets.doctor import diagnose
    from bench.layout import say

    reports = diagnose(Path(arguments.dir))
    for report in reports:
        for line in report.lines():
            say(line)
    return 5 if any(report.problems for report in reports) else 0


def _list(arguments: argparse.Namespace) -> int:
    if arguments.data:
        return _survey(Path(arguments.data))
    from bench.datasets.known import SETS
    from bench.layout import say

    for info in SETS.values():
        count = f"{info.count} images" if info.count else "any number of images"
        say(f"{info.name}: {info.title}; {count}; licence: {info.licence}")
        if info.source:
            say(f"  read from {info.source}/")
        elif info.layout:
            say(f"  place it as {info.layout}")
        if info.archives:
            size = sum(archive.size for archive in info.archives)
            print(f"  bench data fetch {info.name}" + (f"  ({size / 1e9:.1f} GB)" if size else ""))
        elif info.address:
            say(f"  from {info.address}")
    return 0


def _survey(root: Path) -> int:
    """Print which sets lie under `root`, and what a run will refuse."""
    from bench.datasets.doctor import survey
    from bench.layout import say

    reports = survey(root)
    for report in reports:
        say(report.summary)
        for problem in report.problems:
            say(f"  problem: {problem}")
    return 5 if any(report.standing == "refused" for report in reports) else 0


def _fetch(arguments: argparse.Namespace) -> int:
    from bench.datasets.fetch import fetch
    from bench.datasets.known import SETS
    from bench.errors import UsageError

    if arguments.set not in SETS:
        raise UsageError.unknown("dataset", arguments.set, SETS)
    root = arguments.data or os.environ.get("BENCH_DATA")
    if not root:
        raise UsageError("no data root: add --data DIR, or set BENCH_DATA")
    print(f"{fetch(arguments.set, Path(root))} is ready; `bench doctor` looks at it")
    return 0
