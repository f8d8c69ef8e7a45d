"""`bench parity ORACLE_DIR...`: compare networks of the zoo with the original code."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from model_zoo.errors import ZooError

if TYPE_CHECKING:
    from model_zoo.parity import ParityReport


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe `bench parity`."""
    parser = subparsers.add_parser(
        "parity",
        help="compare a network's logits with those of the original code",
        description="Build the network that each folder's meta.json describes, load the weights beside it with the "
        "released format's converter, and print the largest logit difference. For a folder with preproc.npz, compare "
        "the published preprocessing. Exit 0: all differences within 1e-4 of the largest |logit|; 4: a difference is "
        "larger; 2 or 5: a folder is not an oracle, or its weights do not load (the others are still compared); 3: a "
        "folder lacks weights or logits (its names and shapes are compared).",
    )
    parser.add_argument("oracles", nargs="+", type=Path, metavar="ORACLE_DIR")
    parser.set_defaults(func=_parity)


_FROM_BEST = (0, 3, 2, 5, 4)


def _parity(args: argparse.Namespace) -> int:
    return max((_check(path) for path in args.oracles), key=_FROM_BEST.index)


def _check(path: Path) -> int:
    """Compare one folder, print what was found, and return its exit code."""
    from bench.datasets.preprocess_parity import ARRAYS, check_preprocessing
    from model_zoo.parity import check

    try:
        if (path / ARRAYS).is_file():
            pictures = check_preprocessing(path)
            print(*pictures, sep="\n")
            return 0 if all(d.ok for d in pictures) else 4
        report = check(path)
    except (BenchError, ZooError) as error:
        print(f"{path.name}  not compared: {error}")
        return error.exit_code
    _print(report)
    if not report.ok:
        return 4
    return 3 if report.missing else 0


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
