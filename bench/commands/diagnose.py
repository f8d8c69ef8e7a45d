"""`bench diagnose`: one page on a model's normalisation, smoothness and margins."""

import argparse
from typing import Any

_OPTIONS = ("dataset", "data", "limit", "seed", "device", "batch_size", "eps", "norm", "steps", "step_size", "protocol")


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "diagnose", help="one page on a model: batch norm, smoothness, margins; the same command again continues"
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a model; all its normalisation branches unless one is named (NAME@BRANCH)")
    add("--out", required=True, metavar="DIR", help="the page's folder; measurements go to its results/")
    add("--dataset", metavar="NAME", help="data set; default the model's home set")
    add("--data", metavar="DIR|NAME=DIR,...", help="data root like BENCH_DATA, or one set's own folder")
    add("--protocol", default="canonical", choices=("canonical", "published"), help="input rule, as in `bench run`")
    add("--limit", type=int, metavar="N", help="images of each set (default 256)")
    add("--seed", type=int, default=0, metavar="S", help="seed of all random draws")
    add("--device", metavar="cpu|cuda", help="default cuda where there is one")
    add("--batch-size", type=int, metavar="N", help="changes speed and memory, no prediction")
    add("--eps", default=(), metavar="4/255", help="radius of attacks and of the neighbourhood looked at")
    add("--norm", default="linf", choices=("linf", "l2"), help="norm of attacks and of distances")
    add("--steps", type=int, metavar="K", help="steps of the attacks")
    add("--step-size", metavar="1/255", help="step size of PGD")
    parser.set_defaults(func=_diagnose)


def _diagnose(arguments: argparse.Namespace) -> int:
    from bench.diagnosis.run import diagnose

    print(diagnose(arguments.model, arguments.out, **{name: getattr(arguments, name) for name in _OPTIONS}))
    return 0
