"""Mixture batch norm: one batch norm for each kind of image."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.base import FigureSpec, figure
from bench.figures.facts import MIXTURE, Facts, groups
from bench.figures.measured import Column, Numbers
from bench.figures.series import Series, bars
from bench.published.papers import points, readings, sources
from model_zoo.registry import split_branch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACES = ("clean", "under attack")
LABELS = ("one batch norm, these images alone", "its branch of the mixture", "its branch of the mixture with ALP")

Networks = tuple[dict[str, Facts], dict[str, Facts], dict[str, Facts]]
"""Three maps keyed by kind of training images: the network trained on them alone, the mixture's branch without logit
pairing, and the branch with it; empty if there is none."""


def _names(data: Numbers) -> list[str]:
    return [facts.name for facts in data.models]


@figure(
    "intriguing-mixture-batch-norm",
    "A batch norm for each kind of image",
    "1906.03787, tables of mixture BN",
    "--model tiny_std,tiny_at,tiny_mbn@clean,tiny_mbn@adv,tiny_mbn_alp@clean,tiny_mbn_alp@adv --suite tiny-pgd",
    ("images", "normalisation"),
)
def mixture_batch_norm(spec: FigureSpec, data: Numbers) -> "Figure":
    """Accuracy of each branch of a mixture and of the network trained on that branch's images alone."""
    columns = {"clean": data.clean(_names(data)), "adversarial": data.robust(_names(data))}
    series, texts = [], [c.about() for c in columns.values() if c]
    for networks in mixtures(spec, data, columns):
        for index, (label, of) in enumerate(zip(LABELS, networks, strict=True)):
            numbers = [column.numbers[of[role].name] for role, column in columns.items() if column and of]
            ends = [(n.low, n.high) for n in numbers]
            series += [Series(label, (), [n.value for n in numbers], ends, index=index)] if of else []
        texts.append(", ".join(f.name for of in networks for f in of.values()))
        break
    figure, axes = style.panels(2, height=2.9)
    if series:
        bars(axes[0], PLACES, series, "accuracy (%)", "measured")
        style.legend(axes[0])
    else:
        style.note(axes[0], f"not measured; {spec.to_measure('DIR')}")
    rows = [row for each in points(spec.name).values() for row in each]
    by_place = {(row.method, row.x): row.number.value for row in rows}
    alone_shown = [by_place["one batch norm, clean images alone", "clean"]]
    alone_shown.append(by_place["one batch norm, adversarial images alone", "under attack"])
    shown = [Series(LABELS[0], (), alone_shown)]
    shown += [
        Series(label, (), [by_place[name, x] for x in PLACES])
        for label, name in zip(LABELS[1:], ("mixture", "mixture with ALP"), strict=True)
    ]
    bars(axes[1], PLACES, shown, "accuracy (%)", "published", hollow=True)
    style.legend(axes[1])
    measured = f"Measured: {'; '.join(texts)}. " if series else ""
    style.caption(
        figure,
        f"{spec.title}. {measured}Published: ResNet-152, ImageNet, PGD-2000 targeted, eps 16/255, {readings(rows)} "
        f"({sources(rows)}).",
    )
    return figure


def mixtures(spec: FigureSpec, data: Numbers, columns: Mapping[str, Column | None]) -> Iterator[Networks]:
    """Yield sets of comparable networks trained on each kind of images alone and on both, measured in all `columns`."""

    def measured(facts: Facts, role: str) -> bool:
        column = columns.get(role)
        return column is not None and facts.name in column.numbers

    free = [field for field in (*MIXTURE, "attacker") if field != "consistent"]
    for group in groups(data.told(spec.needs), *free):
        alone = {f.traits.only: f for f in group if f.traits.only and f.separate == 1 and measured(f, f.traits.only)}
        bases: dict[str, dict[str, Facts]] = {}
        for f in group:
            if f.separate == 2 and f.role and measured(f, f.role):
                bases.setdefault(split_branch(f.name).base, {})[f.role] = f
        whole = [{role: of[role] for role in columns} for of in bases.values() if len(of) == len(columns)]
        if whole and len(alone) == len(columns):
            plain, paired = (_like(alone["adversarial"], whole, objective) for objective in ("", "alp"))
            yield {role: alone[role] for role in columns}, plain, paired


def _like(alone: Facts, mixed: Sequence[dict[str, Facts]], objective: str) -> dict[str, Facts]:
    """Return the mixture trained with `objective`; of several, one with the same attacker as `alone`."""
    found = [of for of in mixed if of["adversarial"].traits.objective == objective]
    return min(found, key=lambda of: of["adversarial"].traits.attacker != alone.traits.attacker, default={})
