"""`--until` and `--until-told`: stop a cell when its result is known well enough."""

from collections import Counter
from collections.abc import Iterable, Iterator

from bench.engine.part import Part
from bench.engine.plan import Plan, PlanEntry, Unit
from bench.engine.work import WorkQueue
from bench.errors import UsageError
from bench.metrics.accuracy import outcomes
from bench.metrics.selection import rule_of
from bench.metrics.sequential import Values
from bench.metrics.told import TellRule, is_enough
from bench.options import RunOptions
from bench.parts import BadPart, part_names, read_part
from bench.store import Store
from bench.suites.base import Suite


def check_stoppable(suites: Iterable[Suite], plan: Plan, options: RunOptions) -> None:
    """Raise `UsageError` for what a rule cannot stop: diagnostics, and shards, which do not know each other's
    results."""
    flag = "--until-told" if options.until_told else "--until"
    if options.until is None and not options.until_told:
        return
    if options.shard is not None:
        raise UsageError(f"{flag}: a shard does not know the others' results; leave out --shard")
    looked = {entry.suite for entry in plan.entries if entry.setup.probes}
    if named := [suite.name for suite in suites if suite.measures or suite.name in looked]:
        raise UsageError(f"{flag}: {', '.join(named)} measures batches of images, not a mean over images")
    if options.until_told and (alone := next(_alone(plan), None)):
        raise UsageError(
            f"{flag}: {alone.setup.name} of {alone.cell.model} has no partner under the same protocol: both "
            "models must have the same images, preprocessing and attack"
        )


def _alone(plan: Plan) -> Iterator[PlanEntry]:
    """Return cells without a partner although the other model has no fault; if it has one, the cell is measured
    whole."""
    begun = {(entry.suite, entry.subject) for entry in plan.entries}
    for cell_id, entry in plan.cells.items():
        other = any(suite == entry.suite and subject != entry.subject for suite, subject in begun)
        if _partner(plan, cell_id) is None and (other or not plan.faults):
            yield entry


def _partner(plan: Plan, cell_id: str) -> str | None:
    """Return the cell of the plan's other model under the same protocol."""
    wanted = plan.cells[cell_id].cell
    found = (id for id, e in plan.cells.items() if id != cell_id and e.cell.protocol == wanted.protocol)
    return next(found, None)


class Stopping:
    """Cells of a plan under a rule, with the outcomes of their images so far."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.rules = {i: rule for i, e in plan.cells.items() if (rule := rule_of(e.cell.subset))}
        self.partners = {i: _partner(plan, i) for i, rule in self.rules.items() if isinstance(rule, TellRule)}
        self.totals = {cell_id: entry.images for cell_id, entry in plan.cells.items()}
        self.seen: dict[str, dict[int, Values]] = {cell_id: {} for cell_id in self.rules}
        self.stopped: set[str] = set()
        for cell_id in self.rules:
            for key, name in part_names(store, cell_id).items():
                part = read_part(store, cell_id, name)
                if not isinstance(part, BadPart):
                    self.seen[cell_id][key.start] = outcomes(part)
        for cell_id in self.rules:
            self._judge(cell_id)

    def note(self, unit: Unit, parts: list[Part], queue: WorkQueue) -> Counter[str]:
        """Add the results of a unit, and remove from `queue` what is no longer needed; return the number of units of
        each cell."""
        before = len(self.stopped)
        cells = [cell.id for _, cell in unit.cells if cell.id in self.rules]
        for (_, cell), part in zip(unit.cells, parts, strict=True):
            if cell.id in self.rules:
                self.seen[cell.id][unit.key.start] = outcomes(part.records)
        for cell_id in cells:
            self._judge(cell_id)
        return queue.leave_out(self.stopped) if len(self.stopped) > before else Counter()

    def _judge(self, cell_id: str) -> None:
        """Stop the cell, or both of a pair, if the results meet the rule."""
        partner = self.partners.get(cell_id)
        other = self.seen[partner] if partner else {}
        if is_enough(self.rules[cell_id], self.seen[cell_id], other, self.totals[cell_id]):
            self.stopped |= {cell_id} | ({partner} if partner else set())
