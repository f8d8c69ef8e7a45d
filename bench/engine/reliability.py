"""Can the number of a cell under attack be believed? The verdict is stored beside its records.

It is made on a fixed sample of the cell's images, spread over the data set, at the attack's own norm and budget: any
shard can make it. It lies whole as `cells/CELL/reliability.json`; where that stands, nothing is computed again.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from bench.attacks.base import Attack
from bench.engine.execute import read_sample, to_images
from bench.engine.plan import Entry, Plan
from bench.engine.session import Session, Subject
from bench.errors import UsageError
from bench.store import RELIABILITY, Store
from model_zoo.load import Model

SAMPLE = 32
"""Images of a cell that are looked at, unless the user says otherwise."""


def attacked(plan: Plan) -> list[Entry]:
    """The plan's cells under attack whose accuracy is a robust accuracy; diagnostics only look on."""
    return [e for e in plan.cells.values() if e.condition.attack and not e.condition.probes]


def assess_cells(plan: Plan, session: Session, store: Store, cells: Sequence[Entry], sample: int) -> Iterator[str]:
    """Store the verdicts that `cells` lack; yields the name of each condition when it is done."""
    for entry in cells:
        attack = entry.condition.attack
        if attack is None or sample == 0 or RELIABILITY in store.names(f"cells/{entry.cell.id}"):
            continue
        verdict = _assess(plan, session, entry, attack, sample)
        store.put(f"cells/{entry.cell.id}/{RELIABILITY}", json.dumps(verdict, indent=1).encode())
        yield entry.condition.name


def _assess(plan: Plan, session: Session, entry: Entry, attack: Attack, sample: int) -> dict[str, Any]:
    from bench.attacks.reliability import assess

    subject = plan.subjects[entry.subject]
    dataset = session.dataset(entry.condition.dataset, entry.condition.part)
    indices = (
        [i * entry.images // sample for i in range(sample)] if sample < entry.images else list(range(entry.images))
    )
    batch = read_sample(session, dataset, entry.condition, indices, subject.spec)
    other = _surrogate(plan, subject)
    about = {
        "eps": str(attack.eps),
        "norm": attack.norm,
        "sample": len(batch.readable),
        "surrogate": other and other.name,
    }
    if not batch.readable:
        return {"level": "not assessed", "because": ["no image of the sample could be read"], **about}
    try:
        verdict = assess(
            subject.model.to(session.device), to_images(batch.pictures[subject.spec]),
            torch.tensor([dataset.targets[i] for i in batch.readable]), [dataset.ids[i] for i in batch.readable],
            attack.norm, attack.eps, seed=session.seed, batch_size=session.batch_size,
            surrogate=other and other.to(session.device),
        )  # fmt: skip
    except UsageError as error:
        return {"level": "not assessed", "because": [str(error)], **about}
    return {**verdict.to_dict(), **about}


def _surrogate(plan: Plan, subject: Subject) -> Model | None:
    """Another model of the run that sees the same pictures and knows the same classes."""
    for other in plan.subjects:
        if other is not subject and (other.spec, other.model.card.labels) == (subject.spec, subject.model.card.labels):
            return other.model
    return None
