"""What normalisation knows, how smooth the loss is, how far decisions are from the edge: on any data set."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.attacks.budget import Norm, check_budget
from bench.corruptions import NAMES, Corruption
from bench.datasets.table import SETS
from bench.diagnostics import metrics
from bench.diagnostics.columns import BATCHES, COLUMNS, PRIORS, SAMPLES, adapted_column
from bench.metrics.base import Measure, Metric
from bench.options import RunOptions
from bench.suites import pgd
from bench.suites.base import Setup, Suite, refuse
from bench.suites.budgets import usual_eps
from bench.suites.clean import home
from model_zoo.card import ModelCard

if TYPE_CHECKING:
    from bench.attacks.base import Attack
    from bench.diagnostics.probe import Probe

SEVERITY = 3
ADAPTED = ("gaussian_noise", "defocus_blur", "fog", "contrast")
"""One corruption of each of ImageNet-C's groups, on which adaptation is measured at `SEVERITY`."""

ELSEWHERE = {
    "imagenet": ("imagenet-a", "imagenet-r", "imagenet-sketch", "stylized"),
    "tiny": ("tiny-a", "tiny-stylized"),
}
"""Other domains of a home data set, looked at where they are at hand."""

TINY_EPS = Fraction(8, 255)
"""Linf radius on the tiny images, at which their networks were trained; elsewhere the field's (`usual_eps`)."""

SHIFT = "arXiv 1906.03787 and 1911.09665 compare the domains' statistics"
CURVE = "arXiv 1705.07263 and later: accuracy against eps from minimum-norm distances"


ATTACK = ("eps", "norm", "steps", "step_size")


def _tiny(dataset: str) -> bool:
    return dataset.startswith("tiny")


def _eps(dataset: str, card: ModelCard, options: RunOptions, norm: Norm = "linf") -> Fraction:
    if len(options.eps) > 1:
        refuse(options, ("eps",), "diagnostics use one radius; run them once for each")
    if options.eps:
        return options.eps[0]
    return TINY_EPS if _tiny(dataset) and norm == "linf" else usual_eps(norm, card)


def attacks(card: ModelCard, options: RunOptions) -> "list[Attack]":
    """PGD through the model's own batch norm, or through each branch where there are several."""
    from bench.attacks.presets import make_pgd

    dataset = home(card, options)
    steps = options.steps or (20 if _tiny(dataset) else pgd.DEFAULT_STEPS)
    attack = make_pgd(options.norm, _eps(dataset, card, options, options.norm), steps, options.step_size)
    return [attack.made_through(branch) for branch in card.branches] or [attack]


def batchnorm(card: ModelCard, options: RunOptions) -> list[Setup]:
    """Clean, adversarial, 15 corruptions, and the other domains that are at hand."""
    from bench.diagnostics.batchnorm import ConsistencyProbe, CrossProbe, MomentsProbe

    dataset = home(card, options)
    moments = Setup(dataset, probes=(MomentsProbe(),))
    cross: tuple[Probe, ...] = (CrossProbe(),) if len(card.branches) > 1 else ()
    deep = replace(moments, probes=(MomentsProbe(), ConsistencyProbe(), *cross))
    whole = not SETS[dataset].labels.endswith("200")  # attacks need all of the model's classes
    if not whole:
        refuse(options, ATTACK, f"{dataset} has only some of a model's classes: batchnorm cannot attack there")
    return [
        deep,
        *(replace(deep, attack=attack) for attack in (attacks(card, options) if whole else ())),
        *_corrupted(moments),
        *(Setup(name, probes=moments.probes, optional=True) for name in ELSEWHERE.get(dataset, ())),
    ]


def _corrupted(moments: Setup) -> Iterator[Setup]:
    from bench.diagnostics.batchnorm import AdaptationProbe

    quality = None if _tiny(moments.dataset) else 85
    for name in NAMES:
        more: tuple[Probe, ...] = (AdaptationProbe(),) if name in ADAPTED else ()
        yield replace(moments, corruption=Corruption(name, SEVERITY, quality), probes=(*moments.probes, *more))


def smoothness(card: ModelCard, options: RunOptions) -> list[Setup]:
    """The clean images; the ball's radius is `--eps`, in Linf."""
    from bench.diagnostics.smoothness import SmoothnessProbe

    dataset = home(card, options)
    if options.norm != "linf":
        refuse(options, ("eps",), "smoothness uses a Linf radius: leave out --norm, or --eps")
    return [Setup(dataset, probes=(SmoothnessProbe(_eps(dataset, card, options)),))]


def margin(card: ModelCard, options: RunOptions) -> list[Setup]:
    """The clean images; `--norm` and `--steps` are the attack's."""
    from bench.diagnostics.margin import STEPS, MarginProbe

    norm = check_budget(options.norm, Fraction(0))
    return [Setup(home(card, options), probes=(MarginProbe(norm, options.steps or STEPS),))]


def _accuracies() -> Iterator[Metric]:
    for which in ("clean", "adversarial"):
        for suffix in ("", *(f"_batch{n}" for n in BATCHES), "_reestimated"):
            compute = metrics.chosen_accuracy(which, f"prediction{suffix}")
            yield Metric(f"{which}_accuracy{suffix}", compute, True, "share", "top-1; arXiv 2006.10963")
    yield Metric("corrupted_accuracy", metrics.chosen_accuracy("corrupted", "prediction"), True, "share", "15, mean")
    for n in (0, *SAMPLES):
        column = adapted_column(n, PRIORS[1]) if n else "prediction"
        compute = metrics.chosen_accuracy("corrupted", column, beside=adapted_column(SAMPLES[0], PRIORS[1]))
        yield Metric(f"adapted_accuracy_n{n}", compute, True, "share", "4 corruptions, mean, N 16; arXiv 2006.16971")


SUITES = (
    Suite(
        "batchnorm",
        "stored against observed batch-norm statistics; batch statistics; branches compared",
        1,
        batchnorm,
        tuple(_accuracies()),
        "adversarial_accuracy_batch64",
        measures=(
            Measure("clean_shift", metrics.measured(metrics.shift_from_stored), False, "sd", "stored against observed"),
            Measure("adversarial_shift", metrics.measured(metrics.shift_between, "adversarial"), False, "sd", SHIFT),
            Measure("corrupted_shift", metrics.measured(metrics.shift_between, "corrupted"), False, "sd", SHIFT),
            Measure("between_domain", metrics.measured(metrics.share_between, "adversarial"), False, "share", SHIFT),
            Measure("dead_channels", metrics.measured(metrics.dead_share), False, "share", "variance below 1e-5"),
        ),
        uses=("dataset", *ATTACK),
    ),
    Suite(
        "smoothness",
        "gradients, local Lipschitz and linearity, curvature around clean images",
        1,
        smoothness,
        tuple(
            Metric(name, metrics.median_of(name), name == "gradient_cosine", "median", "bench.diagnostics.smoothness")
            for name in COLUMNS
        ),
        "gradient_cosine",
        uses=("dataset", "eps"),
    ),
    Suite(
        "margin",
        "smallest perturbations that change the prediction; accuracy against eps",
        1,
        margin,
        (
            Metric("area", metrics.area, True, "share", CURVE, metrics.area_per_image),
            Metric("median_distance", metrics.median_of("distance"), True, "of [0, 1]", "arXiv 2102.12827"),
            Metric("median_margin", metrics.median_of("margin"), True, "logits", "logit margin of correct images"),
        ),
        "area",
        uses=("dataset", "norm", "steps"),
    ),
)
