"""`bench run`: measure models by suites."""

import argparse
from typing import TYPE_CHECKING, Any

from bench.errors import IncompleteError, StoreError, UsageError
from bench.options import RunOptions
from bench.options.command import add_arguments, typed
from bench.quick import lasting_imports
from bench.text import counted, escape_unprintable

if TYPE_CHECKING:
    from bench.engine.run import Prepared


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench run`."""
    parser = subparsers.add_parser("run", help="measure models with suites; the same command again continues")
    add = parser.add_argument
    add("--model", metavar="NAME[,NAME]", help="models; several share each decoded image")
    add("--suite", metavar="SUITE[,SUITE]", help="suites (`bench list suites`)")
    add(
        "--config",
        metavar="FILE",
        help="a TOML file of options, or the run.json of a run to repeat; options on the command line override it",
    )
    add_arguments(parser)
    add("--dry-run", action="store_true", help="print the plan with an estimate of time and disk; measure nothing")
    parser.set_defaults(func=_run)


def _run(arguments: argparse.Namespace) -> int:
    with lasting_imports():
        from bench.engine.run import prepare_run
        from bench.folder.tables import require_headlines
        from bench.layout import say
        from bench.tracking import carry_out_tracked

    models, suites, options = _asked(arguments)
    prepared = prepare_run(models, suites, options)
    _announce(prepared)
    if arguments.dry_run:
        _estimate(prepared)
        return 0
    try:
        carry_out_tracked(prepared)
    except IncompleteError as error:
        _show_measured(prepared)
        raise error
    unanswered = _show_measured(prepared)
    if prepared.session.kept:
        from bench.engine.keeping import told
        from bench.engine.reliability import attacked

        cells = [(entry.cell.model, entry.setup.name) for entry in attacked(prepared.plan)]
        for line in told(prepared.session.kept, cells):
            say(line)
    if options.shard:
        say(f"shard {options.shard} is complete; join the shards with `bench merge DIR DIR... --out DIR`")
    else:
        require_headlines(unanswered)
    return 0


def _show_measured(prepared: "Prepared") -> list[str]:
    """Print the table of what is there, and what of it no number counts; of nothing, nothing. Return the measured
    suites without a headline."""
    from bench.folder.rows import remarks
    from bench.folder.tables import numbers_of
    from bench.folder.unscored import unscored
    from bench.layout import say
    from bench.terminal import print_results

    address = prepared.store.address
    try:
        numbers = numbers_of(address, asked=prepared.plan.asked)
    except StoreError:
        return []
    rows = numbers.dictionaries()
    incomplete = [escape_unprintable(f"incomplete: {problem}") for problem in numbers.problems]
    print_results(rows, [*remarks(rows, numbers.remarks), *incomplete])
    if any(row.unscored for row in numbers.rows):
        for line in unscored(address, set(prepared.plan.cells)):
            say(escape_unprintable(line))
    return numbers.unanswered


def _asked(arguments: argparse.Namespace) -> tuple[Any, Any, RunOptions]:
    """Models, suites and options: those typed, before those of `--config`."""
    from bench.manifest import read_config

    typed_names = {"models": arguments.model, "suites": arguments.suite}
    told = {name: value for name, value in typed_names.items() if value}
    given = (read_config(arguments.config, told) if arguments.config else {}) | told | typed(arguments)
    for name, flag in (("models", "--model"), ("suites", "--suite")):
        if not given.get(name):
            raise UsageError(f"{flag} is needed: bench run --model NAME --suite SUITE")
    return given.pop("models"), given.pop("suites"), RunOptions.of(given)


def _announce(prepared: "Prepared") -> None:
    from bench.layout import say

    plan = prepared.plan
    conditions = len({entry.setup.name for entry in plan.entries})
    images = {entry.cell.protocol.dataset: entry.images for entry in plan.entries}
    sets = ", ".join(f"{name} ({counted(count, 'image')})" for name, count in images.items())
    models = ", ".join(subject.model.name for subject in plan.subjects)
    say(f"{models}: {counted(conditions, 'condition')} on {sets}")
    for subset in sorted({f"{e.cell.protocol.dataset}: {e.cell.subset}" for e in plan.entries if e.cell.subset}):
        say(f"  subset of {subset}")
    for line in prepared.session.left_out:
        say(f"  left out of {line}")
    for subject in plan.subjects:
        if subject.model.unlike_card:
            say(f"  other weights: {subject.model.unlike_card}")
    todo = f"{counted(len(prepared.todo), 'unit')} to do ({counted(prepared.images, 'image')})"
    say(f"  {todo}, results in {prepared.store.address}")


def _estimate(prepared: "Prepared") -> None:
    from bench.engine.estimate import estimate
    from bench.layout import say

    for line in estimate(prepared):
        say(f"  {line}")
