"""`bench compare`: compare models in pairs, from per-image records."""

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.formats import add_table_arguments
from bench.rounding import decimal

if TYPE_CHECKING:
    from bench.folder.pairs import Pairs
    from bench.terminal import HowShown

HOW = (
    "A-B in points, 95 % intervals; exact McNemar test (mCE: paired t-test and bootstrap); p is Holm-corrected, as for "
    "ranks, over all pairs of comparable models in the folder (column `pairs`), with corruptions together"
)


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench compare`."""
    parser = subparsers.add_parser("compare", help="compare models in pairs, image by image")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="two models, or more to compare every pair")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.add_argument("--all", action="store_true", help="compare every pair of models in the folder")
    parser.add_argument("--csv", metavar="FILE", help="write the table here")
    parser.add_argument(
        "--images", metavar="FILE", help="write the images that exactly one model classifies correctly, as CSV"
    )
    add_table_arguments(parser)
    parser.set_defaults(func=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from bench.errors import UsageError
    from bench.folder.compare import compare_pairs
    from bench.safe_csv import to_csv, write_file
    from bench.terminal import HowShown

    if bool(arguments.models) == arguments.all:
        raise UsageError("name the models to compare, or give --all: bench compare MODEL_A MODEL_B DIR")
    found = compare_pairs(arguments.dir, arguments.models)
    if found.table.empty:
        pair, why = next(iter(found.refused.items()))
        raise UsageError(f"{pair} cannot be compared: {why}")
    _show(found, HowShown.of(arguments))
    if arguments.csv:
        write_file(arguments.csv, to_csv(found.table))
    if arguments.images:
        write_file(arguments.images, to_csv(found.images))
    return 0


def _show(found: "Pairs", how: "HowShown") -> None:
    """Print one sentence per pair, then one row per condition, then the refused pairs."""
    from bench.folder.verdicts import in_order, summary
    from bench.layout import TextColumn, paragraph, say
    from bench.terminal import rows, show

    ordered = in_order(rows(found.table))
    if how.is_for_people:
        print("\n".join([*map(paragraph, summary(ordered)), paragraph(HOW), ""]))
    columns = [
        TextColumn("pair", heading=True),
        TextColumn("condition"),
        TextColumn("A-B", right=True),
        TextColumn("interval", right=True),
        TextColumn("n", right=True),
        TextColumn("only A", right=True, spare=1),
        TextColumn("only B", right=True, spare=1),
        TextColumn("error consistency", right=True, spare=4),
        TextColumn("p", right=True, spare=2),
        TextColumn("pairs", right=True, spare=3),
        TextColumn("verdict"),
    ]
    show(columns, [_texts(row) for row in ordered], how, ordered)
    for pair, why in found.refused.items():
        say(f"not compared: {pair}: {why}", sys.stdout if how.is_for_people else sys.stderr)


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    from bench.folder.verdicts import better_of, is_of_mce

    value, low, high = (100 * row[name] for name in ("difference", "low", "high"))
    alone: dict[str, str] = {}
    if not is_of_mce(row["condition"]):
        alone = {"only A": f"{row['only_a']:.0f}", "only B": f"{row['only_b']:.0f}"}
        alone["error consistency"] = f"{decimal(row['kappa'], '.3f')}"
    return {
        "pair": f"{row['a']} (A) against {row['b']} (B)",
        "condition": row["condition"],
        "A-B": f"{decimal(value, '+.2f')}",
        "interval": f"{decimal(low, '+.2f')} .. {decimal(high, '+.2f')}",
        "n": str(row["n"]),
        **dict.fromkeys(("only A", "only B", "error consistency"), ""),
        **alone,
        "p": decimal(row["p_holm"], ".3g"),
        "pairs": str(row["family"]),
        "verdict": f"{better} better" if (better := better_of(row)) else "not told apart",
    }
