"""ImageNet-C from its official files, and the same corruptions made on the fly."""

from collections.abc import Callable

from bench.corruptions import EXTRA, SEVERITIES, Corruption
from bench.metrics.base import Metric
from bench.metrics.corruption import (
    CORRUPTIONS,
    corruption_error,
    error_per_image,
    mce,
    mce_per_image,
    mean_error,
    plain_error,
    relative_mce,
    relative_mce_per_image,
    severity_accuracy,
)
from bench.options import RunOptions
from bench.suites.base import Setup, Suite
from model_zoo.card import ModelCard

IMAGENET = "imagenet1k"

SOURCE = "arXiv 1903.12261, section 4"

METRICS = (
    Metric("mce", mce, False, "%", f"{SOURCE}; AlexNet's errors from google-research/augmix", mce_per_image, IMAGENET),
    Metric("mean_error", mean_error, False, "share", "hendrycks/robustness test.py, unnormalised", error_per_image),
    *(Metric(f"ce_{name}", corruption_error(name), False, "%", SOURCE, labels=IMAGENET) for name in CORRUPTIONS),
    *(
        Metric(f"accuracy_severity{s}", severity_accuracy(s), True, "share", "mean over corruptions")
        for s in SEVERITIES
    ),
)

RELATIVE = Metric(
    "relative_mce", relative_mce, False, "%", f"{SOURCE}; AlexNet's errors as for mCE", relative_mce_per_image, IMAGENET
)

EXTRA_METRICS = (
    Metric(
        "mean_error_extra",
        lambda frames: mean_error(frames, EXTRA),
        False,
        "share",
        "the four held-out corruptions; never part of mCE",
        lambda frames: error_per_image(frames, EXTRA),
    ),
    *(Metric(f"error_{name}", plain_error(name), False, "share", "mean over severities") for name in EXTRA),
)

Conditions = Callable[[ModelCard, RunOptions], list[Setup]]


def official(*names: str) -> list[Setup]:
    """The official files of some corruptions, all severities."""
    return [Setup("imagenet-c", files=f"{name}/{severity}") for name in names for severity in SEVERITIES]


def live(dataset: str, jpeg_quality: int | None = 85) -> list[Setup]:
    """The 75 conditions made on the fly from `dataset`'s clean images, saved as JPEG as the files were, or not."""
    return [Setup(dataset, corruption=Corruption(n, s, jpeg_quality)) for n in CORRUPTIONS for s in SEVERITIES]


def _live(jpeg_quality: int | None) -> Conditions:
    """Ask for the live conditions with the clean one, which relative mCE needs; its cell is shared with every other
    suite that wants it."""

    def conditions(_card: ModelCard, options: RunOptions) -> list[Setup]:
        dataset = options.dataset or "imagenet"
        return [Setup(dataset), *live(dataset, jpeg_quality)]

    return conditions


SUITES = (
    Suite(
        "imagenet-c",
        "ImageNet-C: the official 15 x 5 files",
        1,
        lambda _card, _options: official(*CORRUPTIONS),
        METRICS,
        "mce",
    ),
    Suite(
        "imagenet-c-relative",
        "relative mCE: the official files and ImageNet's clean images",
        1,
        lambda _card, _options: [Setup("imagenet"), *official(*CORRUPTIONS)],
        (RELATIVE,),
        "relative_mce",
    ),
    Suite(
        "imagenet-c-extra",
        "ImageNet-C: the official files of the 4 held-out corruptions",
        1,
        lambda _card, _options: official(*EXTRA),
        EXTRA_METRICS,
        "mean_error_extra",
    ),
    Suite(
        "imagenet-c-live",
        "ImageNet-C's corruptions computed during the run, JPEG 85",
        1,
        _live(85),
        (*METRICS, RELATIVE),
        "mce",
        uses=("dataset",),
    ),
    Suite(
        "imagenet-c-live-nojpeg",
        "ImageNet-C's corruptions computed during the run, without JPEG: not the benchmark",
        1,
        _live(None),
        (*METRICS, RELATIVE),
        "mce",
        uses=("dataset",),
    ),
)
