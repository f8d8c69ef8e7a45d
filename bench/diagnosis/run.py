"""`bench diagnose`: run a model's missing diagnostics and write the page."""

from dataclasses import replace
from pathlib import Path

from bench.datasets.table import SETS
from bench.diagnosis.page import Section, edge_section, planes_of, render, section
from bench.diagnosis.read import SUITES, Diagnosis, read_diagnoses
from bench.diagnostics.plane import Plane
from bench.engine.batches import read_sample
from bench.engine.run import Prepared, carry_out, prepare_run
from bench.folder.reader import ResultsFolder
from bench.options import RunOptions, keywords
from bench.plain_torch import plain_torch
from bench.suites.base import Setup
from model_zoo.filenames import harmless
from model_zoo.load import load_model
from model_zoo.model import Model
from model_zoo.registry import find_card, split_branch

LIMIT = 256
"""Default number of images: the largest batch of the batch statistics."""

PLANES_FROM = 16
"""Number of images from which those of the loss planes are chosen."""

REACH = 16 / 255


@keywords
@plain_torch()
def diagnose(model: str, out: str | Path, options: RunOptions) -> Path:
    """Run the three suites on all branches of `model`, or on a named one (`tiny_mbn@adv`), and write OUT/MODEL.html.

    Results are kept in OUT/results; the same call continues. `limit` defaults to `LIMIT`. Returns the page's path.
    """
    folder = Path(out)
    models = [load_model(name) for name in variants(model)]
    chosen = replace(options, out=folder / "results", limit=options.limit or LIMIT)
    prepared = prepare_run(models, SUITES, chosen)
    carry_out(prepared)
    found = read_diagnoses(ResultsFolder(str(folder / "results")))
    shown = {m.name: found[m.name] for m in models}
    page = folder / f"{harmless(model)}.html"
    page.write_text(
        render(sections(prepared, models, shown), f"Diagnostics of {model}", notes(prepared)), encoding="utf-8"
    )
    return page


def variants(name: str) -> list[str]:
    """Return `name` if it names a branch or the model has none, else the name with each branch."""
    branches = find_card(name).branches
    return [name] if split_branch(name).branch or not branches else [f"{name}@{branch}" for branch in branches]


def sections(prepared: Prepared, models: list[Model], found: dict[str, Diagnosis]) -> list[Section]:
    """Return one section per variant, then the section on smoothness and margins."""
    planes = {model.name: planes_for(prepared, model) for model in models}
    own = [section(found[model.name], model) for model in models]
    return [*own, edge_section(found, {name: drawn for name, drawn in planes.items() if drawn})]


def planes_for(prepared: Prepared, model: Model) -> list[Plane]:
    """Return loss planes of a few of the measured images."""
    session = prepared.session
    entry = next(e for e in prepared.plan.entries if prepared.plan.subjects[e.subject].model is model)
    subject, dataset = prepared.plan.subjects[entry.subject], session.dataset_of(entry.setup)
    plain = Setup(entry.setup.dataset, entry.setup.split, entry.setup.files)
    batch = read_sample(session, dataset, plain, list(range(min(PLANES_FROM, len(dataset)))), subject.spec)
    labels = batch.labels
    ids = batch.ids
    return planes_of(model, batch.images(subject.spec), labels, ids, REACH) if batch.readable else []


def notes(prepared: Prepared) -> list[str]:
    """Return notes on how the numbers were measured."""
    cells = [e.cell for e in prepared.plan.entries]
    subsets = sorted({f"{c.protocol.dataset}: {c.subset}" for c in cells if c.subset})
    attacks = sorted({e.setup.attack.name for e in prepared.plan.entries if e.setup.attack})
    dataset = cells[0].protocol.dataset
    made = (
        f"Data set: {SETS[dataset].title}. Eval mode; every image of a unit is attacked to the end, right or wrong. "
        f"Attacks: {', '.join(attacks)} (through the branch in the name; each is judged by the section's model)."
    )
    transductive = (
        "Batch statistics and adaptation are transductive: they see the test images together, so their accuracies "
        "under attack are not robust accuracies. Batches are fixed lists in the order of a hash of the image ids."
    )
    return [made, transductive, *([f"Subset of {'; '.join(subsets)}"] if subsets else [])]
