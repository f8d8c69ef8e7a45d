"""The natural-adversarial split: only images that the network gets wrong, as many of each class, the first ones."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.datasets import tiny
from bench.errors import DataError
from bench.training.choose_a import choose


class AlwaysRing(nn.Module):
    """Calls every image class 1, but dark ones class 0."""

    def forward(self, x: Tensor) -> Tensor:
        dark = x.mean((1, 2, 3)) < 0.4
        return nn.functional.one_hot(torch.where(dark, 0, 1), 10).float()


def test_the_first_wrong_pictures_of_each_class() -> None:
    places = choose(AlwaysRing(), seed=5, candidates=600, each=4)
    batch = tiny.generate("hard", 600, 5)
    dark = batch.images.mean((1, 2, 3)) < 0.4 * 255
    wrong = np.where(dark, batch.labels != 0, batch.labels != 1)
    for label in range(10):
        expected = np.flatnonzero(wrong & (batch.labels == label))[:4]
        assert places[batch.labels[places] == label].tolist() == expected.tolist()
    assert places.tolist() == sorted(places)


def test_too_few_wrong_pictures_are_an_error() -> None:
    with pytest.raises(DataError, match="expected 50 wrong images of each class"):
        choose(AlwaysRing(), seed=5, candidates=100, each=50)


def test_the_committed_places_hold_a_hundred_of_each_class() -> None:
    for seed in (tiny.TUNE_SEED, tiny.REPORT_SEED):
        labels = tiny.describe("a", len(tiny.chosen(seed)), seed).labels
        assert np.bincount(labels).tolist() == [100] * 10
