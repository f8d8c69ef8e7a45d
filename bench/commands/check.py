"""`bench check`: the regression gate."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.options import RunOptions
from bench.options.command import add_arguments, add_cards_argument, typed

if TYPE_CHECKING:
    from bench.gate.check import Report


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench check`."""
    parser = subparsers.add_parser("check", help="compare models with accepted results; exit 4 on a regression")
    add = parser.add_argument
    add("--model", metavar="NAME[,NAME]", help="models to check (default: all with accepted numbers)")
    add("--baseline", metavar="DIR", help="accepted numbers (default: results/baseline of this package)")
    add("--update", action="store_true", help="measure, and accept the new numbers")
    add("--suite", metavar="SUITE[,SUITE]", help="with --update: suites to accept")
    add("--no-hashes", action="store_true", help="skip weight and input hashes; judge predictions only")
    add("--junit", metavar="FILE", help="write the findings as JUnit XML")
    add("--out", dest="keep", metavar="DIR", help="keep the measured records in this results folder")
    add_arguments(parser, ("limit", "data", "seed", "device", "batch_size"), limit="with --update: images of each set")
    add_cards_argument(parser)
    parser.set_defaults(func=_check)


def _check(arguments: argparse.Namespace) -> int:
    from bench.errors import UsageError
    from bench.gate.check import accept, check
    from bench.options.values import listed, model_names

    models = model_names(arguments.model)
    options: dict[str, Any] = RunOptions.of(typed(arguments)).changed()
    options |= {"baseline": arguments.baseline, "out": arguments.keep}
    if arguments.update:
        suites = listed(arguments.suite)
        for path in accept(models, suites=suites, **options):
            print(f"accepted: {path}")
        return 0
    if arguments.suite or "limit" in options:
        raise UsageError("--suite and --limit choose what to accept: use them with --update")
    return _tell(check(models, hashes=not arguments.no_hashes, **options), arguments.junit)


def _tell(report: "Report", junit: str | None) -> int:
    """Print the findings, write them, and answer for them with the exit code."""
    from bench.errors import MissingError, RegressionError
    from bench.gate.judgement import Status
    from bench.gate.junit import to_junit
    from bench.layout import say

    for finding in report.findings:
        say(f"{finding.status:<10} {finding.model:<20} {finding.what} against {finding.against}: {finding.evidence}")
    if junit:
        Path(junit).parent.mkdir(parents=True, exist_ok=True)
        Path(junit).write_bytes(to_junit(report.findings))
    counts = ", ".join(f"{len(report.of(status))} {status}" for status in Status if report.of(status))
    if report.regressed:
        raise RegressionError(f"{counts}; if this is intended: bench check --update accepts the new numbers")
    if report.of(Status.UNCHECKED):
        raise MissingError(f"{counts}: some checks could not be made")
    say(counts)
    return 0
