"""`--until` and `--until-told`: what is known of each cell well enough, so that the rest of its images need not be
measured."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.engine.part import Part
from bench.engine.plan import Plan, PlanEntry, Unit
from bench.engine.work import WorkQueue
from bench.errors import UsageError
from bench.metrics.accuracy import outcomes
from bench.metrics.told import Rule, TellRule, find_rule, in_common
from bench.options import RunOptions
from bench.parts import BadPart, part_names, read_part
from bench.store import Store
from bench.suites.base import Suite

Seen = dict[int, NDArray[np.float64]]
"""Outcomes of a cell's images by the start of their unit: 1 right, 0 wrong, NaN not scored."""


def check_stoppable(suites: Iterable[Suite], plan: Plan, options: RunOptions) -> None:
    """Raise `UsageError` for what a rule cannot stop: diagnostics, and shards, which know nothing of each other."""
    flag = "--until-told" if options.until_told else "--until"
    if options.until is None and not options.until_told:
        return
    if options.shard is not None:
        raise UsageError(f"{flag}: a shard does not know what the others have seen; leave out --shard")
    looked = {entry.suite for entry in plan.entries if entry.setup.probes}
    if named := [suite.name for suite in suites if suite.measures or suite.name in looked]:
        raise UsageError(f"{flag}: {', '.join(named)} measures batches of images, not a mean over images")
    if options.until_told and (alone := next(_alone(plan), None)):
        raise UsageError(
            f"{flag}: {alone.setup.name} of {alone.cell.model} has no partner under the same protocol: both "
            "models must see the same pictures in the same way and be attacked alike"
        )


def _alone(plan: Plan) -> Iterator[PlanEntry]:
    """Cells without a partner, though the other model is not at fault: where it is, the cell is measured whole."""
    begun = {(entry.suite, entry.subject) for entry in plan.entries}
    for cell_id, entry in plan.cells.items():
        other = any(suite == entry.suite and subject != entry.subject for suite, subject in begun)
        if _partner(plan, cell_id) is None and (other or not plan.faults):
            yield entry


def _partner(plan: Plan, cell_id: str) -> str | None:
    """The cell of the plan's other model under the same protocol."""
    wanted = plan.cells[cell_id].cell
    found = (id for id, e in plan.cells.items() if id != cell_id and e.cell.protocol == wanted.protocol)
    return next(found, None)


class Stopping:
    """Cells of a plan under a rule, and the outcome of each image seen so far of them."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.rules = {i: rule for i, e in plan.cells.items() if (rule := find_rule(e.cell.subset))}
        self.partners = {i: _partner(plan, i) for i, rule in self.rules.items() if isinstance(rule, TellRule)}
        self.totals = {cell_id: entry.images for cell_id, entry in plan.cells.items()}
        self.seen: dict[str, Seen] = {cell_id: {} for cell_id in self.rules}
        self.stopped: set[str] = set()
        for cell_id in self.rules:
            for key, name in part_names(store, cell_id).items():
                part = read_part(store, cell_id, name)
                if not isinstance(part, BadPart):
                    self.seen[cell_id][key.start] = hits(part)
        for cell_id in self.rules:
            self._judge(cell_id)

    def note(self, unit: Unit, parts: list[Part], queue: WorkQueue) -> Counter[str]:
        """Take in what a unit gave, and take out of `queue` what need not be done: so many units of each cell."""
        before = len(self.stopped)
        cells = [cell.id for _, cell in unit.cells if cell.id in self.rules]
        for (_, cell), part in zip(unit.cells, parts, strict=True):
            if cell.id in self.rules:
                self.seen[cell.id][unit.key.start] = hits(part.records)
        for cell_id in cells:
            self._judge(cell_id)
        return queue.leave_out(self.stopped) if len(self.stopped) > before else Counter()

    def _judge(self, cell_id: str) -> None:
        """Stop the cell, or both of a pair, if what was seen in order meets the rule."""
        rule, partner = self.rules[cell_id], self.partners.get(cell_id)
        mine = self.seen[cell_id]
        if isinstance(rule, TellRule):
            if partner and told(rule, mine, self.seen[partner], self.totals[cell_id]):
                self.stopped |= {cell_id, partner}
        elif mine and known(rule, mine, self.totals[cell_id]):
            self.stopped.add(cell_id)


def known(rule: Rule, mine: Seen, total: int) -> bool:
    """Whether a cell's own outcomes meet a rule of one model."""
    values = np.concatenate([own for _, own in sorted(mine.items())])
    return not isinstance(rule, TellRule) and rule.met(values[~np.isnan(values)], total)


def told(rule: TellRule, mine: Seen, other: Seen, total: int) -> bool:
    """Whether what was seen of both meets the rule."""
    pairs = list(_pairs(mine, other))
    return bool(pairs) and rule.met(*in_common(*map(np.concatenate, zip(*pairs, strict=True))), total)


def _pairs(mine: Seen, other: Seen) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    for start in sorted(mine.keys() & other.keys()):
        yield mine[start], other[start]


def hits(records: pa.Table) -> NDArray[np.float64]:
    """1 for each image that was classified rightly, 0 for one that was not, NaN for one not scored, in order."""
    return outcomes(records)
