"""Public fakes: a model and images small enough to run everything in seconds, to test what builds on `bench`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from bench.condition import Condition
from bench.datasets.labels import LabelSpace, label_space
from bench.manifest import RunEntry, RunManifest, RunModel, put_manifest
from bench.parts import put_cell, put_part
from bench.record import Cell, Protocol, RecordColumns, UnitKey, digest
from bench.store import Store
from model_zoo.card import InputSpec, ModelCard, WeightsSpec
from model_zoo.model import Model


def fake_model(name: str = "fake", *, classes: int = 1000, size: int = 32, seed: int = 0) -> Model:
    """A small convolutional network with random weights from `seed`: the same on every call."""
    card = ModelCard(
        name, "standard", "fake", InputSpec(size, resize=size + 4), WeightsSpec("none", "user", "CC0"), classes=classes
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, 2, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(256, classes),
        )
    return Model(net, card)


def write_pictures(
    root: Path, folders: Sequence[str], each: int = 2, *, size: int = 48, width: int | None = None, seed: int = 0
) -> Path:
    """`each` coloured images, as JPEG, in each of `folders` (wnids, say) under `root`; returns `root`.

    They are `size` high, and `width` wide (None: a third wider than high).
    """
    rng = np.random.default_rng(seed)
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
            picture = coarse.resize((width or size * 4 // 3, size), Image.Resampling.BICUBIC)
            picture.save(root / folder / f"{folder}_{number}.JPEG", quality=90)
    return root


def write_results(
    folder: str | Path,
    model: str,
    suites: Mapping[str, Mapping[str, float]],
    *,
    n: int = 100,
    seed: int = 0,
    images: str = "image",
    version: int = 1,
    labels: str = "imagenet1k",
    subset: str = "",
) -> None:
    """A results folder as a run leaves it, with made-up records: suite -> condition -> accuracy of `model`.

    Exactly round(accuracy x n) of the `n` images are right, chosen by `seed`; NaN means that none could be read.
    `labels` is the images' label space, `subset` what is said of their selection.
    """
    store, rng, entries = Store(folder), np.random.default_rng(seed), []
    for suite, conditions in suites.items():
        for condition, accuracy in conditions.items():
            protocol = Protocol(Condition.parse(condition).dataset, images, n, labels, condition, "made up")
            cell = Cell(model, digest(model), {"size": 224}, protocol, subset=subset)
            put_cell(store, cell)
            put_part(store, cell, UnitKey(0, n), _made_up(accuracy, n, images, rng, label_space(labels)).table())
            entries.append(RunEntry(suite, model, condition, cell.id, n))
    about = RunModel(digest(model), "standard", "fake", 1000, {"size": 224})
    versions = dict.fromkeys(suites, version)
    put_manifest(
        store, RunManifest({model: about}, tuple(entries), versions, {"models": [model], "suites": list(suites)})
    )


def _made_up(accuracy: float, n: int, images: str, rng: np.random.Generator, space: LabelSpace) -> RecordColumns:
    ids, labels = [f"{images}{i}" for i in range(n)], [i % 10 for i in range(n)]
    everywhere: dict[str, Sequence[Any]] = {}
    if math.isnan(accuracy):
        nothing = [None] * n
        everywhere |= {"prediction_all": nothing} if space.members else {}
        return RecordColumns(ids, labels, nothing, nothing, nothing, ["unreadable"] * n, everywhere)
    right = rng.permutation(n) < round(accuracy * n)
    predictions = [labels[i] if right[i] else (labels[i] + 1 + i // 10 % 9) % 10 for i in range(n)]
    confidence = rng.uniform(0.2, 1, n)
    margin = np.where(right, confidence, -confidence)
    everywhere |= {"prediction_all": [space.members[p][0] for p in predictions]} if space.members else {}
    return RecordColumns(ids, labels, predictions, confidence.tolist(), margin.tolist(), [None] * n, everywhere)
