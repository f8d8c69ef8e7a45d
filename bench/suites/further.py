"""Further sets that users ask for, each by its authors' rule."""

from collections.abc import Callable

from bench.corruptions import SEVERITIES
from bench.datasets.known.imagenet_c import BAR, IN_3D
from bench.datasets.known.imagenet_es import AUTO, MANUAL
from bench.datasets.known.imagenet_p import PERTURBATIONS
from bench.datasets.known.imagenet_w import PLAIN
from bench.datasets.known.objectnet import KINDS, SPACE
from bench.datasets.labels import label_space
from bench.metrics.accuracy import correct
from bench.metrics.anomaly import anomalies, roc_area
from bench.metrics.base import Frames, Metric, MissingConditionError
from bench.metrics.corruption import error_per_image, mean_error, plain_error
from bench.metrics.estimate import Estimate, mean_over, pooled
from bench.metrics.films import flips, mean_stability, stability, top5_distance
from bench.metrics.several import any_label_accuracy
from bench.metrics.shortcut import CARTON, accuracy_gap
from bench.metrics.subset import accuracy_all
from bench.suites.base import Setup, Suite
from bench.suites.clean import ACCURACY

WHAC = "arXiv 2212.04825, eval_watermark_shortcut.py"
MARKED, UNMARKED = "imagenet-w/clean", f"imagenet-w[{PLAIN}]/clean"

ALL_1000 = "arg max among all 1000 classes is one of the object's"


def corrupted_files(dataset: str, title: str, corruptions: tuple[str, ...], source: str) -> Suite:
    """The official files of a set of corruptions at five severities, by their unnormalised mean error."""
    setups = [Setup(dataset, files=f"{name}/{severity}") for name in corruptions for severity in SEVERITIES]
    metrics = (
        Metric(
            "mean_error",
            lambda frames: mean_error(frames, corruptions),
            False,
            "share",
            source,
            lambda frames: error_per_image(frames, corruptions),
        ),
        *(Metric(f"error_{name}", plain_error(name), False, "share", "mean over severities") for name in corruptions),
    )
    return Suite(dataset, title, 1, lambda _card, _options: setups, metrics, "mean_error")


def _everywhere(frames: Frames) -> Estimate:
    """Accuracy by the arg max over all of the model's classes, on the suite's only condition."""
    return accuracy_all(label_space(SPACE).members)(frames)


def _one(condition: str) -> Callable[[Frames], Estimate]:
    """Accuracy by the arg max over all classes, on one condition."""

    def compute(frames: Frames) -> Estimate:
        if condition not in frames:
            raise MissingConditionError(f"{condition} was not measured")
        return _everywhere({condition: frames[condition]})

    return compute


def _pooled(frames: Frames) -> Estimate:
    """Accuracy by the arg max over all classes, on the images of all conditions together."""
    return pooled([_one(name)(frames) for name in frames])


def _setting(part: str) -> str:
    """A condition's name of one setting of ImageNet-ES."""
    return f"imagenet-es[{part.replace('/', '.')}]/clean"


def _mean_over(parts: tuple[str, ...]) -> Callable[[Frames], Estimate]:
    """The mean of the accuracies of some settings, all of which have to be there. They show the same images."""

    def compute(frames: Frames) -> Estimate:
        names = [_setting(part) for part in parts]
        if missing := [name for name in names if name not in frames]:
            raise MissingConditionError(f"{len(missing)} of {len(names)} settings missing: {', '.join(missing[:3])}")
        unscored = sum(int((~frames[name]["scored"]).sum()) for name in names)
        return mean_over([correct(frames[name]).astype(float) for name in names], unscored)

    return compute


def _film(perturbation: str) -> str:
    return f"imagenet-p[{perturbation}]/clean"


P_TEST = "arXiv 1903.12261; ImageNet-P/test.py"
FILMS = {_film(name): "noise" in name for name in PERTURBATIONS}

SUITES = (
    corrupted_files(
        "imagenet-c-bar", "ImageNet-C-bar: the official 10 x 5 files", BAR, "arXiv 2102.11273, test_c_bar.py"
    ),
    corrupted_files("imagenet-3dcc", "ImageNet-3DCC: the official 12 x 5 files", IN_3D, "arXiv 2203.01441"),
    Suite(
        "objectnet",
        "ObjectNet: the 113 classes that ImageNet has, without the border",
        1,
        lambda _card, _options: [Setup("objectnet")],
        (
            Metric("accuracy", _everywhere, True, "share", f"{ALL_1000}; objectnet-template-pytorch"),
            Metric("accuracy_113", ACCURACY.compute, True, "share", "largest logit of each of the 113; wise-ft"),
        ),
        "accuracy",
    ),
    Suite(
        "imagenet-d",
        "ImageNet-D: background, texture and material",
        1,
        lambda _card, _options: [Setup("imagenet-d", split=kind) for kind in KINDS],
        (
            Metric("accuracy", _pooled, True, "share", f"{ALL_1000}; all images; imagenet_d"),
            *(Metric(f"accuracy_{k}", _one(f"imagenet-d[{k}]/clean"), True, "share", ALL_1000) for k in KINDS),
        ),
        "accuracy",
    ),
    Suite(
        "imagenet-es",
        "ImageNet-ES: 27 manual and 5 automatic camera settings under two lights",
        1,
        lambda _card, _options: [Setup("imagenet-es", split=part.replace("/", ".")) for part in MANUAL + AUTO],
        (
            Metric("accuracy_manual", _mean_over(MANUAL), True, "share", "mean over settings; ImageNet-ES"),
            Metric("accuracy_auto", _mean_over(AUTO), True, "share", "mean over settings; ImageNet-ES"),
        ),
        "accuracy_manual",
    ),
    Suite(
        "imagenet-o",
        "ImageNet-O: anomalies against the validation images of the same 200 classes",
        1,
        lambda _card, _options: [Setup("imagenet-o"), Setup("imagenet-o-clean")],
        (
            Metric("aupr", anomalies("imagenet-o/clean", "imagenet-o-clean/clean"), True, "share", "arXiv 1907.07174"),
            Metric(
                "auroc",
                anomalies("imagenet-o/clean", "imagenet-o-clean/clean", roc_area),
                True,
                "share",
                "arXiv 1907.07174",
            ),
        ),
        "aupr",
    ),
    Suite(
        "imagenet-hard",
        "ImageNet-Hard: correct if the prediction is one of the image's labels",
        1,
        lambda _card, _options: [Setup("imagenet-hard")],
        (Metric("accuracy_any", any_label_accuracy, True, "share", "Benchmark_ImageNet_Hard.ipynb"),),
        "accuracy_any",
    ),
    Suite(
        "imagenet-w",
        "ImageNet-W: loss of accuracy from a watermark, at 224 px",
        1,
        lambda _card, _options: [Setup("imagenet-w"), Setup("imagenet-w", split=PLAIN)],
        (
            Metric("gap", accuracy_gap(MARKED, UNMARKED), True, "points", WHAC),
            Metric("carton_gap", accuracy_gap(MARKED, UNMARKED, CARTON), False, "points", WHAC),
        ),
        "gap",
    ),
    Suite(
        "imagenet-p",
        "ImageNet-P: how often predictions flip from frame to frame",
        1,
        lambda _card, _options: [Setup("imagenet-p", split=name) for name in PERTURBATIONS],
        (
            Metric("flip_rate", mean_stability(FILMS, flips), False, "share", f"{P_TEST}, unnormalised mean"),
            Metric("top5_distance", mean_stability(FILMS, top5_distance), False, "places", f"{P_TEST}, unnormalised"),
            *(
                Metric(f"flip_rate_{n}", stability(_film(n), flips, noise="noise" in n), False, "share", P_TEST)
                for n in PERTURBATIONS
            ),
        ),
        "flip_rate",
    ),
)
