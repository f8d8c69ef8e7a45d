"""Normalisation of a mixture, and batch-norm statistics in the last epochs (consistent BN)."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.facts import MIXTURE, groups
from bench.figures.measured import Numbers
from bench.figures.series import clean_and_robust

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "intriguing-consistent-batch-norm",
    "Running statistics in the last epochs of training",
    "1906.03787",
    "--model tiny_at,tiny_at_frozen --suite tiny-pgd",
    ("images", "normalisation"),
)
def consistent_batch_norm(spec: FigureSpec, data: Numbers) -> "Figure":
    """Bars of clean and robust accuracy of pairs that differ only in the statistics of the last epochs."""
    found = groups(data.told(spec.needs), "consistent")
    pairs = [group for group in found if len({f.traits.consistent for f in group}) == 2]
    names = [f.name for group in pairs for f in sorted(group, key=lambda f: f.traits.consistent)]
    return clean_and_robust(spec, data, names)


@figure(
    "intriguing-normalisation",
    "Normalisation of joint training, and adversarial training alone",
    "1906.03787",
    "--model tiny_at,tiny_mix,tiny_mbn@clean,tiny_mbn@adv,tiny_gn --suite tiny-pgd",
    ("images", "normalisation"),
)
def normalisation(spec: FigureSpec, data: Numbers) -> "Figure":
    """Bars of clean and robust accuracy of models that differ only in the mixture and its normalisation."""
    told = [f for f in data.told(spec.needs) if f.adversarial and "augmented" not in f.traits.images]
    found = groups(told, *MIXTURE)
    shown = told if data.asked or not found else found[0]
    data.passed_over += [
        f"{f.name} differs from the models shown in more than mixture and normalisation; --models draws it"
        for f in told
        if f not in shown
    ]
    return clean_and_robust(spec, data, [f.name for f in shown])
