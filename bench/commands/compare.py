"""`bench compare`: models in pairs, from per-image records."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.folder.compare import Pairs

LEVEL = 0.05


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench compare`."""
    parser = subparsers.add_parser("compare", help="models in pairs, from per-image records")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="two models, or more: then every pair of them")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.add_argument("--all", action="store_true", help="every pair of all models of the folder")
    parser.add_argument("--csv", metavar="FILE", help="write the table here")
    parser.add_argument("--images", metavar="FILE", help="write the images on which exactly one is right, as CSV")
    parser.set_defaults(func=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from bench.errors import UsageError
    from bench.folder.compare import compare_pairs
    from bench.safe_csv import to_csv

    if bool(arguments.models) == arguments.all:
        raise UsageError("name the models to compare, or give --all: bench compare MODEL_A MODEL_B DIR")
    found = compare_pairs(arguments.dir, arguments.models)
    if found.table.empty:
        pair, why = next(iter(found.refused.items()))
        raise UsageError(f"{pair} cannot be compared: {why}")
    _show(found)
    for file, frame in ((arguments.csv, found.table), (arguments.images, found.images)):
        if file:
            Path(file).write_text(to_csv(frame), encoding="utf-8")
    return 0


def _show(found: "Pairs") -> None:
    """A block a pair, then what was refused."""
    print("A less B in points; exact McNemar (mCE: paired t-test, bootstrap interval)")
    print("p, as the ranks have it: Holm over all pairs of the folder's models measured alike (`of` so many; the")
    print("conditions of corruptions together)")
    for (a, b), rows in found.table.groupby(["a", "b"], sort=False):
        print(f"{a} (A) against {b} (B)")
        for row in rows.to_dict("records"):
            print(_line(row))
    for pair, why in found.refused.items():
        print(f"not compared: {pair}: {why}")


def _line(row: dict[Any, Any]) -> str:
    verdict = "apart" if row["p_holm"] < LEVEL else "not told apart"
    value, low, high = (100 * row[name] for name in ("difference", "low", "high"))
    alone = ""
    if row["condition"] != "mCE":
        alone = f"  only A {row['only_a']:.0f}, only B {row['only_b']:.0f}, error consistency {row['kappa']:.3f}"
    points = f"{value:+7.2f} [{low:+.2f}, {high:+.2f}]"
    told = f"p={row['p_holm']:.3g} of {row['family']}"
    return f"  {row['condition']:<60} {points}  n={row['n']}{alone}  {told}  {verdict}"
