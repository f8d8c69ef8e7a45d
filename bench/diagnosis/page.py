"""A self-contained page: figures, findings, and tables of the numbers."""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure

from bench.attacks.forward import answer
from bench.diagnosis import branch_figures, edge_figures, figures
from bench.diagnosis.findings import DiagnosticFinding, findings, mixture_shares
from bench.diagnosis.read import Diagnosis, layer_curves
from bench.diagnostics.branches import branch_parameters
from bench.diagnostics.plane import Plane, loss_planes
from bench.figures import style
from model_zoo.model import Model
from model_zoo.nets.normalisation import branch_names

_STYLE = """:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;max-width:1150px;margin:2em auto;padding:0 1em;
color:light-dark(#222,#e8ebf0);background:light-dark(#fff,#0f1216)}
img{max-width:100%;background:#fff;border-radius:6px}details{overflow-x:auto}
table{border-collapse:collapse;font-size:12px}td,th{padding:1px 8px;text-align:right;border-bottom:1px solid
light-dark(#ddd,#2b323c)}th:first-child,td:first-child{text-align:left}li{margin:.35em 0}
small{color:light-dark(#666,#a3adbb)}"""


@dataclass
class Section:
    """Figures, findings and tables of one model variant."""

    title: str
    figures: list[tuple[str, Figure]] = field(default_factory=list)
    findings: list[DiagnosticFinding] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def section(diagnosis: Diagnosis, model: Model) -> Section:
    """Make the section of one variant; stored statistics are read from `model`."""
    branches = branch_names(model)
    parameters = branch_parameters(model) if len(branches) > 1 else pd.DataFrame()
    cross = branch_figures.cross_table(diagnosis, branches) if len(branches) > 1 else pd.DataFrame()
    made = Section(diagnosis.model, findings=findings(diagnosis, cross, parameters))
    made.figures.append(("layers", figures.layer_figure(diagnosis)))
    made.figures.append(("propagation", figures.propagation_figure({diagnosis.model: diagnosis})))
    optional = {"consistency": figures.consistency_figure, "adaptation": figures.adaptation_figure}
    made.figures += [(name, drawn) for name, draw in optional.items() if (drawn := draw(diagnosis)) is not None]
    if len(cross):
        made.figures.append(("cross", branch_figures.cross_figure(cross, diagnosis.model)))
    for other in branches[1:] if len(parameters) else ():
        made.figures += [
            (f"scatter-{other}", branch_figures.scatter_figure(parameters, branches[0], other)),
            (f"difference-{other}", branch_figures.difference_figure(parameters, branches[0], other)),
        ]
    if len(parameters):
        made.figures.append(("bars", branch_figures.bars_figure(parameters, branches)))
    made.tables = _tables(diagnosis, cross)
    return made


def _tables(diagnosis: Diagnosis, cross: pd.DataFrame) -> dict[str, pd.DataFrame]:
    shifts = {label: curve["median"] for label, curve in layer_curves(diagnosis.channels, "shift")}
    names = diagnosis.moments["clean"].drop_duplicates("depth").set_index("depth")["layer"]
    layers = pd.DataFrame(shifts).round(4)
    layers.insert(0, "layer", names)
    mixture = {x: mixture_shares(diagnosis, x).round(5) for x in diagnosis.moments if x.startswith("adv")}
    tables = {
        "|standardised mean shift|, median over channels": layers,
        "mixture test: between-domain share of variance": pd.DataFrame(mixture).reset_index(),
        "cross table": cross.round(4),
        "adaptation": figures.adaptation_table(diagnosis).round(4),
        "dead channels": figures.dead_channels(diagnosis).head(200),
    }
    return {title: table for title, table in tables.items() if len(table)}


def edge_section(diagnoses: Mapping[str, Diagnosis], planes: Mapping[str, Sequence[Plane]]) -> Section:
    """Make the section on smoothness, margins and loss planes, with all variants in each figure."""
    made = Section("smoothness and margins")
    if any(d.cells.get("smoothness") for d in diagnoses.values()):
        made.figures.append(("smoothness", edge_figures.smoothness_figure(diagnoses)))
    if any(d.cells.get("margin") for d in diagnoses.values()):
        made.figures.append(("margin", edge_figures.margin_figure(diagnoses)))
    if planes:
        made.figures.append(("planes", edge_figures.plane_figure(planes)))
    return made


def planes_of(
    model: Model, images: torch.Tensor, labels: torch.Tensor, ids: Sequence[str], reach: float
) -> list[Plane]:
    """Return loss planes of the first three images that the model classifies correctly."""
    device = model.mean.device
    right = (answer(model, images.to(device)).argmax(1).cpu() == labels).nonzero().flatten()[:3]
    chosen = right.tolist()
    return loss_planes(model, images[right], labels[right], [ids[i] for i in chosen], reach=reach, device=device)


def render(sections: Iterable[Section], title: str, notes: Sequence[str]) -> str:
    """Return the HTML page, images embedded."""
    made = list(sections)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{html.escape(title)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>",
        *(f"<p><small>{html.escape(note)}</small></p>" for note in notes),
    ]
    for one in made:
        parts.append(f"<h2>{html.escape(one.title)}</h2>")
        parts += [
            f"<p><img alt='{html.escape(name)}' src='data:image/png;base64,{_png(f)}'></p>" for name, f in one.figures
        ]
    parts.append("<h2>Findings</h2>")
    for one in (s for s in made if s.findings):
        said = "".join(f"<li>{html.escape(f.text)} <small>({html.escape(f.source)})</small></li>" for f in one.findings)
        parts.append(f"<h3>{html.escape(one.title)}</h3><ul>{said}</ul>")
    parts.append("<h2>Tables</h2>")
    for one in made:
        for name, table in one.tables.items():
            shown = table.to_html(index=False, border=0, na_rep="")
            parts.append(f"<details><summary>{html.escape(one.title)}: {html.escape(name)}</summary>{shown}</details>")
    return "\n".join(parts)


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    style.end_at_100(figure).savefig(buffer, format="png", dpi=90)
    return base64.b64encode(buffer.getvalue()).decode()


def save_figures(sections: Iterable[Section], folder: Path, prefix: str = "", dpi: int = 110) -> list[Path]:
    """Save every figure as PREFIXSECTION-FIGURE.png; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for one in sections:
        for name, figure in one.figures:
            written.append(folder / f"{prefix}{one.title.replace('@', '-').replace(' ', '-')}-{name}.png")
            style.end_at_100(figure).savefig(written[-1], dpi=dpi)
    return written
