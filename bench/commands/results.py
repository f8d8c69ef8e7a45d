"""`bench results`, `bench leaderboard`, `bench merge`: what a results folder says."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.formats import add_table_arguments
from bench.options.command import add_cards_argument
from bench.quick import lasting_imports
from bench.text import counted, escape_unprintable

if TYPE_CHECKING:
    import pandas as pd

    from bench.terminal import HowShown

OUTSIDE = "RobustBench's model_info JSON or timm's results CSV, as columns marked outside; may be repeated"


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the three commands."""
    parser = subparsers.add_parser("results", help="print one tidy table of a results folder")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.add_argument("--csv", metavar="FILE", help="write the table here")
    add_table_arguments(parser)
    parser.set_defaults(func=_results)
    parser = subparsers.add_parser("leaderboard", help="print one row per model")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    for kind in ("csv", "markdown", "latex"):
        parser.add_argument(
            f"--{kind}", metavar="FILE", nargs="?", const="-", help=f"write it as {kind}, to FILE if given"
        )
    add_table_arguments(parser)
    parser.add_argument("--outside", action="append", default=[], metavar="FILE|DIR", help=OUTSIDE)
    add_cards_argument(parser)
    parser.set_defaults(func=_leaderboard)
    parser = subparsers.add_parser("merge", help="join results folders, such as those of shards")
    parser.add_argument("dirs", nargs="+", metavar="DIR", help="results folders")
    parser.add_argument("--out", required=True, metavar="DIR", help="the joined results folder")
    parser.set_defaults(func=_merge)


def _results(arguments: argparse.Namespace) -> int:
    from bench.folder.rows import remarks
    from bench.folder.tables import numbers_of, require_complete, require_headlines
    from bench.terminal import HowShown, print_results

    numbers = numbers_of(arguments.dir)
    if arguments.csv:
        from bench.folder.results_table import as_frame
        from bench.safe_csv import to_csv, write_file

        write_file(arguments.csv, to_csv(as_frame(numbers)))
    rows = numbers.dictionaries()
    print_results(rows, remarks(rows, numbers.remarks), HowShown.of(arguments))
    require_complete(numbers.problems, arguments.dir)
    require_headlines(numbers.unanswered)
    return 0


def _leaderboard(arguments: argparse.Namespace) -> int:
    with lasting_imports():
        from bench.board.leaderboard import leaderboard, to_latex, to_markdown
        from bench.layout import say
        from bench.published.outside import read_outside
        from bench.safe_csv import to_csv, write_file
        from bench.terminal import HowShown

    outside = [number for path in arguments.outside for number in read_outside(Path(path))]
    frame = leaderboard(arguments.dir, outside=outside)
    written = False
    for kind, render in (("csv", to_csv), ("markdown", to_markdown), ("latex", to_latex)):
        if path := getattr(arguments, kind):
            written = True
            sys.stdout.write(render(frame)) if path == "-" else write_file(path, render(frame))
    how = HowShown.of(arguments)
    if not written or how.format:
        _show(frame, how)
    for note in frame.attrs["notes"]:
        said = escape_unprintable(f"note: {note}")
        say(said, sys.stdout if how.is_for_people else sys.stderr)
    return 0


def _show(frame: "pd.DataFrame", how: "HowShown") -> None:
    """A table for people, or the leaderboard in a format."""
    from bench.board.text import for_terminal, legend, numbers, to_latex, to_markdown
    from bench.layout import paragraph
    from bench.terminal import rows, show

    if how.kind in ("markdown", "latex") and not how.columns:
        print(to_markdown(frame) if how.kind == "markdown" else to_latex(frame), end="")
        return
    columns, texts = for_terminal(frame)
    shown = show(columns, texts, how, rows(frame))
    if how.is_for_people and texts:
        print()
        for line in legend(frame, [name for name in numbers(frame) if name in shown]):
            print(paragraph(line, 2))


def _merge(arguments: argparse.Namespace) -> int:
    from bench.folder.merge import merge
    from bench.folder.tables import numbers_of, require_complete

    copied = merge(arguments.dirs, arguments.out)
    print(f"{counted(copied, 'object')} copied into {arguments.out}")
    require_complete(numbers_of(arguments.out).problems, arguments.out)
    return 0
