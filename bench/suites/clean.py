"""Clean accuracy: of ImageNet, of any folder, of a model's home data set."""

from typing import TYPE_CHECKING

from bench.metrics.accuracy import accuracy, correct, only, only_records
from bench.metrics.base import Frames, Metric
from bench.options import RunOptions
from bench.suites.base import Setup, Suite
from model_zoo.card import ModelCard

if TYPE_CHECKING:
    import pandas as pd


def hits(frames: Frames) -> "pd.Series":
    """Whether each scored image of the only condition is classified rightly."""
    return correct(only(frames))


ACCURACY = Metric(
    "accuracy", lambda frames: accuracy(only_records(frames)), True, "share", "top-1, all scored images", hits
)


def home(card: ModelCard, options: RunOptions) -> str:
    """The data set of suites that run on any: `--dataset`, or the card's own."""
    return options.dataset or card.dataset


def clean_suite(name: str, title: str, dataset: str | None = None) -> Suite:
    """Accuracy on one data set, or on the model's home set."""
    return Suite(
        name,
        title,
        1,
        lambda card, options: [Setup(dataset or home(card, options))],
        (ACCURACY,),
        "accuracy",
        uses=() if dataset else ("dataset",),
    )


SUITES = (
    clean_suite("clean", "clean accuracy on the model's home data set"),
    clean_suite("imagenet", "clean accuracy on the ImageNet validation set", "imagenet"),
    clean_suite("folder", "accuracy on any folder with one subfolder per class", "folder"),
)
