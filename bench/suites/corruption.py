"""ImageNet-C from its official files, and the same corruptions made on the fly."""

from bench.datasets.corruptions import Corruption
from bench.metrics.base import Metric
from bench.metrics.corruption import CORRUPTIONS, SEVERITIES, corruption_error, mce, mean_error
from bench.suites.base import Condition, Options, Suite
from model_zoo.card import ModelCard

SOURCE = "arXiv 1903.12261, section 4"

METRICS = (
    Metric("mce", mce, False, "%", f"{SOURCE}; AlexNet's errors from google-research/augmix"),
    Metric("mean_error", mean_error, False, "share", "hendrycks/robustness test.py, unnormalised"),
    *(Metric(f"ce_{name}", corruption_error(name), False, "%", SOURCE) for name in CORRUPTIONS),
)


def _official(_card: ModelCard, _options: Options) -> list[Condition]:
    return [Condition("imagenet-c", part=f"{name}/{severity}") for name in CORRUPTIONS for severity in SEVERITIES]


def live(dataset: str) -> list[Condition]:
    """The 75 conditions made on the fly from `dataset`'s clean pictures, saved as JPEG 85 as the files were."""
    return [Condition(dataset, corruption=Corruption(n, s)) for n in CORRUPTIONS for s in SEVERITIES]


SUITES = (
    Suite("imagenet-c", "ImageNet-C: the official 15 x 5 files", 1, _official, METRICS, "mce"),
    Suite("imagenet-c-live", "ImageNet-C's corruptions made on the fly, JPEG 85", 1,
          lambda _card, options: live(options.dataset or "imagenet"), METRICS, "mce"),
)  # fmt: skip
