"""The tiny world's suites, each the namesake of one on ImageNet: they need no data and take seconds."""

from fractions import Fraction
from typing import TYPE_CHECKING

from bench.datasets import tiny
from bench.metrics.base import Metric
from bench.metrics.corruption import CORRUPTIONS, error_per_image, mean_error, plain_error
from bench.suites import pgd
from bench.suites.base import Setup, Suite
from bench.suites.clean import clean_suite
from bench.suites.corruption import live
from bench.suites.cue_conflict import cue_metrics

if TYPE_CHECKING:
    from bench.attacks.base import Attack


def pgd20() -> "Attack":
    """The attack of all tiny models: eps 8/255, 20 steps of eps / 8, one random start."""
    from bench.attacks.presets import make_pgd

    return make_pgd("linf", Fraction(8, 255), 20, Fraction(1, 255))


CORRUPTION_METRICS = (
    Metric(
        "mean_error",
        mean_error,
        False,
        "share",
        "mean over 15 corruptions x 5 severities, as for CIFAR-10-C",
        error_per_image,
    ),
    *(Metric(f"error_{name}", plain_error(name), False, "share", "mean over severities") for name in CORRUPTIONS),
)

SUITES = (
    clean_suite("tiny", "clean accuracy on the tiny images", "tiny"),
    Suite(
        "tiny-pgd",
        "PGD-20 at eps 8/255 on the tiny images",
        1,
        lambda _card, _options: [Setup("tiny"), Setup("tiny", attack=pgd20())],
        pgd.METRICS,
        "robust_accuracy",
        uses=("reliability",),
    ),
    Suite(
        "tiny-c",
        "15 corruptions at CIFAR-10-C's severities, without JPEG, on the tiny images",
        1,
        lambda _card, _options: live("tiny", jpeg_quality=None),
        CORRUPTION_METRICS,
        "mean_error",
    ),
    clean_suite("tiny-a", "hard tiny images that the undefended network misclassifies", "tiny-a"),
    clean_suite("tiny-stylized", "tiny images with another, stronger texture", "tiny-stylized"),
    Suite(
        "tiny-cue-conflict",
        "shape bias on tiny images with the texture of another class",
        1,
        lambda _card, _options: [Setup("tiny-cue-conflict")],
        cue_metrics(tiny.CLASSES),
        "shape_bias",
    ),
)
