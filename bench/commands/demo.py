"""`bench demo`: everything once, without a download."""

import argparse
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench demo`."""
    parser = subparsers.add_parser("demo", help="the main job once through, on pictures that come with a package")
    parser.add_argument("--out", default="demo", metavar="DIR", help="folder for results and leaderboard")
    parser.set_defaults(func=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    from bench.demo import demo
    from bench.reports.leaderboard import to_markdown
    from bench.reports.show import print_results
    from bench.reports.tables import results

    print("EfficientNet-Lite0 on twenty ImageNet photographs: clean, 75 corruptions, PGD-10 at eps 4/255")
    board = demo(arguments.out)
    print_results(results(f"{arguments.out}/runs"))
    print(to_markdown(board))
    print(f"n is 20 pictures: a demonstration, not a measurement. Leaderboard: {arguments.out}/leaderboard.csv")
    return 0
