"""`bench run`: measure models by suites."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.engine.run import Prepared

_OPTIONS = (
    "dataset",
    "data",
    "out",
    "protocol",
    "limit",
    "seed",
    "weights",
    "device",
    "batch_size",
    "eps",
    "norm",
    "steps",
    "step_size",
    "restarts",
    "targeted",
    "attack_engine",
    "reliability",
    "shard",
    "workers",
    "ray",
)


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench run`."""
    parser = subparsers.add_parser("run", help="measure models by suites; the same command again continues")
    add = parser.add_argument
    add("--model", required=True, metavar="NAME[,NAME]", help="models; several share each decoded picture")
    add("--suite", required=True, metavar="SUITE[,SUITE]", help="suites (`bench list suites`)")
    add("--dataset", metavar="NAME", help="data set of the suites that run on any; default the model's home set")
    add("--data", metavar="DIR|NAME=DIR,...", help="data root like BENCH_DATA, or one set's own folder")
    add("--out", default="results/runs", metavar="DIR", help="results folder; runs accumulate in it")
    add(
        "--protocol",
        default="canonical",
        choices=("canonical", "published"),
        help="canonical: one input rule for all models; published: as the model's authors evaluated it",
    )
    add("--limit", type=int, metavar="N", help="N images of each set, spread over it; labelled in every table")
    add("--seed", type=int, default=0, metavar="S", help="seed of all random draws, each keyed by image")
    add(
        "--weights",
        metavar="FILE[:KEY]",
        help="the model's weights, in place of its card's; KEY chooses among several sets",
    )
    add("--device", metavar="cpu|cuda", help="default cuda where there is one")
    add("--batch-size", type=int, metavar="N", help="changes speed and memory, no prediction")
    add("--workers", type=int, metavar="N", help="do the work in N processes of a local Ray, one a GPU where there are")
    add("--ray", metavar="ADDRESS", help="do the work on this Ray cluster, in a process a GPU (or CPU), at most N")
    add("--shard", metavar="i/n", help="every n-th unit from the i-th; join the folders with `bench merge`")
    add("--dry-run", action="store_true", help="print the plan with an estimate of time and disk, measure nothing")
    attack = parser.add_argument_group("attacks")
    add = attack.add_argument
    add("--eps", default=(), metavar="4/255[,8/255]", help="budgets, in units of [0, 1]; several make a security curve")
    add("--norm", default="linf", choices=("linf", "l2"), help="norm of the budget")
    add("--steps", type=int, metavar="K", help="steps of PGD")
    add("--step-size", metavar="1/255", help="step size of PGD")
    add("--restarts", type=int, default=1, metavar="R", help="random restarts")
    add("--targeted", action="store_true", help="towards a random other class, as in Feature Denoising")
    add("--attack-engine", default="native", choices=("native", "reference"), help="reference: pyautoattack itself")
    add(
        "--reliability",
        type=int,
        default=32,
        metavar="N",
        help="images on which a robust accuracy is put in doubt (default 32); 0 leaves the verdict out",
    )
    parser.set_defaults(func=_run)


def _run(arguments: argparse.Namespace) -> int:
    from bench.engine.run import carry_out, prepare
    from bench.folder.tables import results
    from bench.terminal import print_results

    options = {name: getattr(arguments, name) for name in _OPTIONS}
    prepared = prepare(arguments.model, arguments.suite, **options)
    _announce(prepared)
    if arguments.dry_run:
        _estimate(prepared)
        return 0
    carry_out(prepared)
    frame = results(arguments.out, cells=set(prepared.plan.cells))
    print_results(frame)
    if arguments.shard:
        print(f"shard {arguments.shard} is complete; join the shards with `bench merge DIR DIR... --out DIR`")
    return 0


def _announce(prepared: "Prepared") -> None:
    plan = prepared.plan
    conditions = len({entry.condition.name for entry in plan.entries})
    images = {entry.cell.protocol.dataset: entry.images for entry in plan.entries}
    sets = ", ".join(f"{name} ({count} images)" for name, count in images.items())
    models = ", ".join(subject.model.name for subject in plan.subjects)
    print(f"{models}: {conditions} conditions on {sets}")
    for subset in sorted({f"{e.cell.protocol.dataset}: {e.cell.subset}" for e in plan.entries if e.cell.subset}):
        print(f"  subset of {subset}")
    print(f"  {len(prepared.todo)} units to do ({prepared.images} images), results in {prepared.store.address}")


def _estimate(prepared: "Prepared") -> None:
    from bench.engine.estimate import estimate

    for line in estimate(prepared):
        print(f"  {line}")
