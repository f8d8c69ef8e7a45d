"""Texture-shape cue conflict: shape bias, with the two accuracies without which it says little."""

from collections.abc import Sequence

from bench.datasets.categories import CATEGORIES
from bench.metrics.base import Metric
from bench.metrics.shape_bias import cue_accuracy, shape_bias
from bench.suites.base import Setup, Suite

SOURCE = "arXiv 1811.12231; bethgelab/model-vs-human plotting/analyses.py"


def cue_metrics(categories: Sequence[str]) -> tuple[Metric, ...]:
    """Shape bias and its accuracies over labels called `categories`, in their order."""
    return (
        Metric("shape_bias", shape_bias(categories), True, "share", SOURCE),
        Metric("shape_accuracy", cue_accuracy("shape", categories), True, "share", SOURCE),
        Metric("texture_accuracy", cue_accuracy("texture", categories), False, "share", SOURCE),
    )


SUITES = (
    Suite(
        "cue-conflict",
        "shape bias on the texture-shape cue conflict stimuli",
        1,
        lambda _card, _options: [Setup("cue-conflict")],
        cue_metrics(tuple(CATEGORIES)),
        "shape_bias",
    ),
)
