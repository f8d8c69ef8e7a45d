"""`bench compare`: two models, paired, from per-image records."""

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench compare`."""
    parser = subparsers.add_parser("compare", help="two models, paired, from per-image records")
    parser.add_argument("a", metavar="MODEL_A")
    parser.add_argument("b", metavar="MODEL_B")
    parser.add_argument("dir", metavar="DIR", help="a results folder")
    parser.add_argument("--images", metavar="FILE", help="write the images on which exactly one is right, as CSV")
    parser.set_defaults(func=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from bench.reports.compare import compare_models
    from bench.reports.spreadsheet import to_csv

    found = compare_models(arguments.a, arguments.b, arguments.dir)
    print(f"accuracy of {arguments.a} less that of {arguments.b}, in points; p of McNemar's exact test, Holm-adjusted")
    for row in found.table.to_dict("records"):
        verdict = "apart" if row["p_holm"] < 0.05 else "not told apart"
        points = (100 * row[name] for name in ("difference", "low", "high"))
        print(
            "  {:<60} {:+7.2f} [{:+.2f}, {:+.2f}]".format(row["condition"], *points)
            + f"  n={row['n']}  only A {row['only_a']}, only B {row['only_b']}  p={row['p_holm']:.3g}  {verdict}"
        )
    if found.mce:
        print(f"  mCE: {found.mce.value:+.2f} [{found.mce.low:+.2f}, {found.mce.high:+.2f}], paired bootstrap")
    if arguments.images:
        Path(arguments.images).write_text(to_csv(found.images), encoding="utf-8")
    return 0
