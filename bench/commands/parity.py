"""`bench parity ORACLE_DIR...`: is a network of the zoo the one that its authors trained?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_zoo.parity import ParityReport


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "parity",
        help="compare a network's logits with those that the original code gave",
        description="Build the network that each folder's meta.json describes, load the weights beside it through the "
        "released formats' converter, and print the largest logit difference. Exit 0: all within 1e-4 of the largest "
        "|logit|; 3: a folder lacks weights or logits (its names and shapes are compared); 4: a difference is larger.",
    )
    parser.add_argument("oracles", nargs="+", type=Path, metavar="ORACLE_DIR")
    parser.set_defaults(func=_parity)


def _parity(args: argparse.Namespace) -> int:
    from model_zoo.parity import check

    reports = []
    for path in args.oracles:
        reports.append(check(path))
        _print(reports[-1])
    if not all(report.ok for report in reports):
        return 4
    return 3 if any(report.missing for report in reports) else 0


def _print(report: "ParityReport") -> None:
    for difference in report.differences:
        verdict = "ok" if difference.ok else "DIFFERENT"
        print(
            f"{report.oracle}  {difference.output}  largest difference {difference.absolute:.3g}, "
            f"relative {difference.relative:.3g}  {verdict}"
        )
    if report.missing:
        names = f"{len(report.misfits)} names or shapes do not fit" if report.misfits else "all names and shapes fit"
        print(f"{report.oracle}  not compared: {report.missing}; {names} ({report.parameters:,} parameters)")
        for misfit in report.misfits[:20]:
            print(f"  {misfit}")
