"""`bench demo`: everything once, without a download."""

import argparse
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench demo`."""
    parser = subparsers.add_parser("demo", help="run everything once on embedded models, without a download")
    parser.add_argument(
        "--out", default="demo", metavar="DIR", help="folder for results, leaderboard, pages and figures"
    )
    parser.set_defaults(func=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    from bench.board.text import for_terminal, legend, numbers
    from bench.demo import demo
    from bench.layout import paragraph
    from bench.terminal import print_table

    board = demo(arguments.out, lambda line: print(f"\n{paragraph(line)}", flush=True))
    shown = print_table(*for_terminal(board))
    print()
    for line in legend(board, [name for name in numbers(board) if name in shown]):
        print(paragraph(line, 2))
    said = "A demonstration on 20 to 200 images, not a measurement: the intervals say how little it settles."
    print(f"\n{paragraph(said)}")
    print(f"open {arguments.out}/report/index.html; also {arguments.out}/leaderboard.csv, {arguments.out}/figures/")
    return 0
