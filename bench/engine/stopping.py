"""`--until`: what is known of each cell well enough, so that the rest of its images need not be measured."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.engine.part import Part
from bench.engine.plan import Plan, Unit
from bench.engine.work import WorkQueue
from bench.errors import UsageError
from bench.metrics.accuracy import in_order
from bench.metrics.sequential import StopRule
from bench.options import RunOptions
from bench.parts import BadPart, part_names, read_part
from bench.store import Store
from bench.suites.base import Suite


def check_stoppable(suites: Iterable[Suite], plan: Plan, options: RunOptions) -> None:
    """Raise `UsageError` for what `--until` cannot stop: diagnostics, and shards, which know nothing of each other."""
    if options.until is None:
        return
    if options.shard is not None:
        raise UsageError("--until: a shard does not know what the others have seen; leave out --shard")
    looked = {entry.suite for entry in plan.entries if entry.setup.probes}
    if named := [suite.name for suite in suites if suite.measures or suite.name in looked]:
        raise UsageError(f"--until: {', '.join(named)} measures batches of images, not a mean over images")


class Stopping:
    """Cells of a plan under a rule, and whether each image seen so far of them was classified rightly."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.rules = {i: rule for i, e in plan.cells.items() if (rule := StopRule.find(e.cell.subset))}
        self.totals = {cell_id: entry.images for cell_id, entry in plan.cells.items()}
        self.seen: dict[str, dict[int, NDArray[np.float64]]] = {cell_id: {} for cell_id in self.rules}
        self.stopped: set[str] = set()
        for cell_id in self.rules:
            for key, name in part_names(store, cell_id).items():
                part = read_part(store, cell_id, name)
                if not isinstance(part, BadPart):
                    self.seen[cell_id][key.start] = hits(part)
            self._judge(cell_id)

    def note(self, unit: Unit, parts: list[Part], queue: WorkQueue) -> None:
        """Take in what a unit gave, and take out of `queue` what need not be done."""
        before = len(self.stopped)
        for (_, cell), part in zip(unit.cells, parts, strict=True):
            if cell.id in self.rules:
                self.seen[cell.id][unit.key.start] = hits(part.records)
                self._judge(cell.id)
        if len(self.stopped) > before:
            queue.leave_out(self.stopped)

    def _judge(self, cell_id: str) -> None:
        """Stop the cell if what was seen of it, in order, meets its rule."""
        found = [values for _, values in sorted(self.seen[cell_id].items())]
        if found and self.rules[cell_id].met(np.concatenate(found), self.totals[cell_id]):
            self.stopped.add(cell_id)


def hits(records: pa.Table) -> NDArray[np.float64]:
    """1 for each scored image that was classified rightly, else 0, in order."""
    return in_order(records.select(["label", "prediction", "scored"]).to_pandas())
