"""The run's entry in the results folder: `run.json`, environments, models and cells."""

from collections.abc import Mapping
from typing import Any

from bench.engine.contract import Contract, put_contracts
from bench.engine.manifest import put_environment, run_manifest
from bench.engine.plan import Plan
from bench.engine.session import Session
from bench.known_models import put_known_model
from bench.manifest import put_manifest
from bench.parts import put_cell
from bench.store import Store


class RunBook:
    """The run's entry in the results folder, written when the first work is done: a failed start leaves none."""

    def __init__(self, store: Store, plan: Plan, session: Session, *, works_here: bool) -> None:
        self.store, self.plan, self.opened = store, plan, False
        self.manifest = run_manifest(plan, session)
        self.run_id = self.manifest.id
        self.seen: dict[int, Contract] = {}
        self.places = [self.manifest.environment] if works_here else []

    def open(self) -> None:
        """Write the run, its models and its cells, unless they are stored already."""
        if self.opened:
            return
        self.opened = True
        store, plan = self.store, self.plan
        put_manifest(store, self.manifest)
        put_contracts(store, self.run_id, plan.subjects, self.seen)
        for subject in plan.subjects:
            put_known_model(store, subject.known)
        for entry in plan.cells.values():
            put_cell(store, entry.cell)
        for where in self.places:
            put_environment(store, self.run_id, where)

    def worked_at(self, where: Mapping[str, Any]) -> None:
        """Store the environments of the work."""
        self.places.append(where)
        if self.opened:
            put_environment(self.store, self.run_id, where)
