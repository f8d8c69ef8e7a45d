"""ImageNet's natural and rendered variants, each by its own label space and rules."""

from bench.datasets.known.imagenet_v2 import V2_VARIANTS
from bench.datasets.labels import label_space
from bench.metrics.accuracy import accuracy, correct
from bench.metrics.base import Frames, Metric
from bench.metrics.calibration import aurra, ece, nll, rms_calibration
from bench.metrics.effective import LINES, beyond_line, effective_robustness, gap
from bench.metrics.estimate import Estimate
from bench.metrics.real import real_accuracy
from bench.metrics.subset import accuracy_all
from bench.options import RunOptions
from bench.suites.base import Setup, Suite
from bench.suites.clean import ACCURACY, clean_suite, home
from model_zoo.card import ModelCard

TAORI = "Taori et al. 2020, arXiv 2007.00644"

AUTHORS = "hendrycks/natural-adv-examples, calibration_tools.py"

CALIBRATION = (
    Metric("ece", ece, False, "share", "Guo et al. 2017, arXiv 1706.04599, 15 bins"),
    Metric("nll", nll, False, "nats", "mean negative log-likelihood"),
)


def _of_200(name: str, title: str, source: str) -> Suite:
    """A set of 200 classes: accuracy among them (the published one), and among all 1000."""

    def everywhere(frames: Frames) -> Estimate:
        return accuracy_all(label_space(f"{source}-200").members)(frames)

    metrics = (
        Metric(
            "accuracy_200", ACCURACY.compute, True, "share", "arg max among the set's 200 classes", ACCURACY.per_image
        ),
        Metric("accuracy_1000", everywhere, True, "share", "arg max among all 1000 classes"),
        *CALIBRATION,
        Metric("rms_calibration", rms_calibration, False, "share", f"{AUTHORS}, calib_err: its last bin left out"),
        Metric("aurra", aurra, True, "share", f"{AUTHORS}, aurra"),
    )
    return Suite(name, title, 1, lambda _card, _options: [Setup(name)], metrics, "accuracy_200")


def _accuracy_on(dataset: str) -> Metric:
    name = dataset.removeprefix("imagenet-v2").lstrip("-") or V2_VARIANTS[dataset]
    return Metric(
        f"accuracy_{name.replace('-', '_')}",
        lambda frames: accuracy(frames[f"{dataset}/clean"]),
        True,
        "share",
        "arXiv 1902.10811",
        lambda frames: correct(frames[f"{dataset}/clean"]),
    )


def _pair(shifted: str) -> str:
    """The clean condition on the same classes."""
    return f"{shifted}-clean/clean" if shifted in ("imagenet-a", "imagenet-r") else "imagenet/clean"


def _effective(_card: ModelCard, _options: RunOptions) -> list[Setup]:
    names = ("imagenet", "imagenet-a", "imagenet-a-clean", "imagenet-r", "imagenet-r-clean", *V2_VARIANTS)
    return [Setup(name) for name in (*names, "imagenet-sketch")]


EFFECTIVE = (
    *(
        Metric(
            f"effective_{name}",
            effective_robustness(f"{name}/clean", _pair(name)),
            True,
            "points",
            TAORI,
            remark=beyond_line(f"{name}/clean", _pair(name)),
        )
        for name in LINES
    ),
    *(
        Metric(f"gap_{name}", gap(f"{name}/clean", _pair(name)), False, "points", "clean minus shifted, same classes")
        for name in ("imagenet-a", "imagenet-r")
    ),
)

SUITES = (
    _of_200("imagenet-a", "ImageNet-A: natural adversarial examples, 200 classes", "imagenet-a"),
    _of_200("imagenet-a-clean", "clean accuracy on ImageNet-A's 200 classes", "imagenet-a"),
    _of_200("imagenet-r", "ImageNet-R: renditions, 200 classes", "imagenet-r"),
    _of_200("imagenet-r-clean", "clean accuracy on ImageNet-R's 200 classes", "imagenet-r"),
    Suite(
        "imagenet-v2",
        "ImageNet-V2: its three variants",
        1,
        lambda _card, _options: [Setup(name) for name in V2_VARIANTS],
        tuple(_accuracy_on(name) for name in V2_VARIANTS),
        "accuracy_matched_frequency",
    ),
    clean_suite("imagenet-sketch", "ImageNet-Sketch", "imagenet-sketch"),
    clean_suite("stylized", "Stylized-ImageNet, the user's own rendering", "stylized"),
    Suite(
        "imagenet-real",
        "ImageNet under the ReaL labels",
        1,
        lambda _card, _options: [Setup("imagenet")],
        (Metric("real_accuracy", real_accuracy, True, "share", "arXiv 2006.07159"), ACCURACY),
        "real_accuracy",
    ),
    Suite(
        "calibration",
        "calibration on the model's home data set",
        1,
        lambda card, options: [Setup(home(card, options))],
        CALIBRATION,
        "ece",
        uses=("dataset",),
    ),
    Suite(
        "effective-robustness",
        "natural shifts against the line of standard models",
        1,
        _effective,
        EFFECTIVE,
        "effective_imagenet-v2",
    ),
)
