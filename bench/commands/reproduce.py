"""`bench reproduce`: a paper's tables and figures in one command."""

import argparse
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "reproduce", help="make a paper's whole set of tables and figures; the same command again continues"
    )
    parser.add_argument("paper", metavar="PAPER", help="intriguing, sat, advprop or nofrost")
    parser.add_argument(
        "--data", metavar="DIR", help="root of ImageNet sets, to use the released networks (default: the tiny models)"
    )
    parser.add_argument("--out", default="results/reproduce", metavar="DIR", help="runs, report and figures, by paper")
    parser.add_argument("--models", metavar="A,B", help="use these models instead of all that the paper released")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N images of each set")
    parser.add_argument("--random-weights", action="store_true", help="use initial weights, to try the pipeline")
    parser.add_argument("--dry-run", action="store_true", help="print what is missing and its cost; measure nothing")
    parser.set_defaults(func=_reproduce)


def _reproduce(arguments: argparse.Namespace) -> int:
    from bench.errors import IncompleteError
    from bench.layout import say
    from bench.options.values import model_names
    from bench.reproduce import missing_and_cost, reproduce

    given = {"data": arguments.data, "models": model_names(arguments.models), "limit": arguments.limit}
    if arguments.dry_run:
        for line in missing_and_cost(arguments.paper, **given, random_weights=arguments.random_weights):
            say(line)
        return 0
    done = reproduce(arguments.paper, arguments.out, **given, random_weights=arguments.random_weights, say=say)
    for path in done.files:
        print(path)
    for reason in done.missing:
        say(f"missing: {reason}")
    print(f"report: {arguments.out}/{arguments.paper}/report/index.html")
    return IncompleteError.exit_code if done.missing else 0
