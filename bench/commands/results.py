"""`bench results`, `bench leaderboard`, `bench merge`: what a results folder says."""

import argparse
from pathlib import Path
from typing import Any

OUTSIDE = "RobustBench's model_info JSON or timm's results CSV, as columns marked outside; may be repeated"


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the three commands."""
    parser = subparsers.add_parser("results", help="one tidy table of a results folder")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.add_argument("--csv", metavar="FILE", help="write the table here")
    parser.set_defaults(func=_results)
    parser = subparsers.add_parser("leaderboard", help="one row per model")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    for kind in ("csv", "markdown", "latex"):
        parser.add_argument(f"--{kind}", metavar="FILE", help=f"write it as {kind} here")
    parser.add_argument("--outside", action="append", default=[], metavar="FILE|DIR", help=OUTSIDE)
    parser.set_defaults(func=_leaderboard)
    parser = subparsers.add_parser("merge", help="join results folders, such as those of shards")
    parser.add_argument("dirs", nargs="+", metavar="DIR", help="results folders")
    parser.add_argument("--out", required=True, metavar="DIR", help="the results folder that receives all")
    parser.set_defaults(func=_merge)


def _results(arguments: argparse.Namespace) -> int:
    from bench.folder.tables import require_complete, require_headlines, results
    from bench.safe_csv import to_csv
    from bench.terminal import print_results

    frame = results(arguments.dir)
    if arguments.csv:
        Path(arguments.csv).write_text(to_csv(frame), encoding="utf-8")
    print_results(frame)
    require_complete(frame, arguments.dir)
    require_headlines(frame)
    return 0


def _leaderboard(arguments: argparse.Namespace) -> int:
    from bench.board.leaderboard import leaderboard, to_latex, to_markdown
    from bench.published.outside import read_outside
    from bench.safe_csv import to_csv

    outside = [number for path in arguments.outside for number in read_outside(Path(path))]
    frame = leaderboard(arguments.dir, outside=outside)
    for kind, render in (("csv", to_csv), ("markdown", to_markdown), ("latex", to_latex)):
        if path := getattr(arguments, kind):
            Path(path).write_text(render(frame), encoding="utf-8")
    print(to_markdown(frame))
    for note in frame.attrs["notes"]:
        print(f"note: {note}")
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    from bench.folder.merge import merge
    from bench.folder.tables import require_complete, results

    copied = merge(arguments.dirs, arguments.out)
    print(f"{copied} objects copied into {arguments.out}")
    require_complete(results(arguments.out), arguments.out)
    return 0
