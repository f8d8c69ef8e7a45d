"""Measure the numbers of docs/diagnostics.md, draw its figures, and write results/diagnostics.json. `make docs` then
makes the page::

    python -m tools.diagnostics_measure --out results/diagnostics --imagenet DIR

Measurements accumulate in OUT; the same command continues. Without --imagenet, the part on EfficientNet-Lite0 uses the
measurements in OUT.
"""

import argparse
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import torch

from bench.diagnosis.claims import claims, training_table
from bench.diagnosis.figures import adaptation_figure, consistency_figure, layer_figure, propagation_figure
from bench.diagnosis.page import Section, edge_section, save_figures, section
from bench.diagnosis.read import SUITES, Diagnosis, read_diagnoses
from bench.diagnosis.run import planes_for
from bench.diagnostics.branches import branch_differences, branch_parameters
from bench.engine.plan import Unit
from bench.engine.run import Prepared, carry_out, prepare
from bench.folder.reader import ResultsFolder
from model_zoo.load import load_model
from model_zoo.model import Model, fingerprint
from tools.diagnostics_page import Block, Table, write

IMAGES = Path("docs/images")

TINY = ("tiny_mix", "tiny_nofrost", "tiny_mbn@clean", "tiny_mbn@adv", "tiny_advprop@clean", "tiny_advprop@adv")
"""Trained on the mixture: with one batch norm, without any, and with one per domain at two attack budgets."""

LITE = "efficientnet_lite0"
LITE_CORRUPTIONS = ("gaussian_noise", "fog", "contrast")
LITE_EPS, LITE_STEPS = "4/255", 5


def measure_tiny(out: Path, limit: int) -> Prepared:
    """Run the three suites on the tiny models."""
    prepared = prepare(",".join(TINY), SUITES, out=out, limit=limit)
    carry_out(prepared)
    return prepared


def measure_lite(out: Path, data: Path, limit: int) -> None:
    """Measure EfficientNet-Lite0 clean, under three corruptions and under PGD-5; a quarter of an hour on a laptop."""
    prepared = prepare(LITE, "batchnorm", out=out, data=data, limit=limit, eps=LITE_EPS, steps=LITE_STEPS)
    carry_out(dataclasses.replace(prepared, todo=sorted(filter(_wanted, prepared.todo), key=_order)))


def _wanted(unit: Unit) -> bool:
    corruption = unit.setup.condition.corruption
    return not corruption or corruption in LITE_CORRUPTIONS


def _order(unit: Unit) -> bool:
    return unit.setup.attack is not None


def _table(table: pd.DataFrame) -> Table:
    rows = [[x.item() if hasattr(x, "item") else x for x in row] for row in table.itertuples(index=False)]
    return {"columns": [str(name) for name in table.columns], "rows": rows}


def tiny_part(every: Mapping[str, Diagnosis], prepared: Prepared) -> Iterator[Block]:
    """Yield claims, tables and figures of the tiny zoo."""
    found = {name: every[name] for name in TINY}
    models = {subject.model.name: subject.model for subject in prepared.plan.subjects}
    images = next(iter(found.values())).images
    yield f"Tiny models, {images} images of each set, intervals of 95 %.\n"
    yield _table(claims(found, models))
    yield "\n### Statistics re-estimated from training images against those stored\n"
    yield _table(training_table({name: models[name] for name in ("tiny_mbn@clean", "tiny_mix")}))
    sections = [section(found[name], models[name]) for name in TINY]
    yield from branch_part(sections, models)
    planes = {n: planes_for(prepared, models[n]) for n in ("tiny_mix", "tiny_nofrost", "tiny_mbn@adv")}
    chosen = [
        _only(s, "layers", "cross", "scatter-adv", "difference-adv", "consistency", "adaptation") for s in sections
    ]
    together = edge_section(found, {n: p for n, p in planes.items() if p})
    together.figures.append(("propagation", propagation_figure(found)))
    yield from _pictures([*chosen, together])
    for one in sections:
        yield f"\n### Findings: `{one.title}`\n"
        yield from (f"- {finding.text}" for finding in one.findings)


def branch_part(sections: list[Section], models: Mapping[str, Model]) -> Iterator[Block]:
    """Yield the distances between branches and the effect of each half of a branch."""
    for name in ("tiny_mbn@clean", "tiny_advprop@clean"):
        table = branch_differences(branch_parameters(models[name]), "clean", "adv")
        wide = table.pivot(index=["depth", "layer"], columns="part", values="distance").reset_index()
        yield f"\n### `{name}`: relative L2 distance of its branches\n"
        yield _table(wide.drop(columns="depth")[["layer", "mean", "sigma", "gamma", "beta"]])
        (cross,) = (s.tables["cross table"] for s in sections if s.title == name)
        yield f"\n### `{name}`: accuracy by input, statistics and affine parameters\n"
        yield _table(cross)


def lite_part(diagnosis: Diagnosis) -> Iterator[Block]:
    """Yield the part on EfficientNet-Lite0 and photographs."""
    made = section(diagnosis, load_model(LITE))
    drawn = {
        "layers": layer_figure(diagnosis),
        "consistency": consistency_figure(diagnosis),
        "adaptation": adaptation_figure(diagnosis),
    }
    made.figures = [(name, figure) for name, figure in drawn.items() if figure is not None]
    yield f"\n## EfficientNet-Lite0, {diagnosis.images} photographs\n"
    yield "Attack: PGD-5, eps 4/255, step 1/255, on the same images.\n"
    yield from (f"- {finding.text}" for finding in made.findings)
    if "adaptation" in made.tables:
        yield ""
        yield _table(made.tables["adaptation"])
    yield from _pictures([made])


def _only(one: Section, *names: str) -> Section:
    return dataclasses.replace(one, figures=[(n, f) for n, f in one.figures if n in names])


def _pictures(sections: list[Section]) -> Iterator[str]:
    for path in save_figures(sections, IMAGES, prefix="diagnostics-", dpi=75):
        yield f"\n![{path.stem.removeprefix('diagnostics-')}](images/{path.name})"


def main() -> None:
    """Measure, draw and write."""
    parser = argparse.ArgumentParser(prog="python -m tools.diagnostics_measure", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/diagnostics"), help="results folder")
    parser.add_argument("--limit", type=int, default=256, help="tiny images of each set; 0 leaves that part out")
    parser.add_argument("--imagenet", type=Path, help="ImageNet's validation set or a sample of it")
    parser.add_argument("--imagenet-limit", type=int, default=64, help="photographs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepared = measure_tiny(options.out, options.limit) if options.limit else None
    if options.imagenet:
        measure_lite(options.out, options.imagenet, options.imagenet_limit)
    found = read_diagnoses(ResultsFolder(str(options.out)))
    blocks = [*tiny_part(found, prepared)] if prepared else []
    blocks += [*lite_part(found[LITE])] if LITE in found else []
    names = (*(TINY if prepared else ()), *((LITE,) if LITE in found else ()))
    write({name: fingerprint(load_model(name)) for name in names}, blocks)


if __name__ == "__main__":
    main()
