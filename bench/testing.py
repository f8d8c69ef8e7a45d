"""Public fakes: a model and pictures small enough to run everything in seconds, to test what builds on `bench`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from model_zoo.card import InputSpec, ModelCard, WeightsSpec
from model_zoo.load import Model


def fake_model(name: str = "fake", *, classes: int = 1000, size: int = 32, seed: int = 0) -> Model:
    """A small convolutional network with random weights from `seed`: the same on every call."""
    card = ModelCard(
        name, "standard", "fake", InputSpec(size, resize=size + 4), WeightsSpec("none", "user", "CC0"), classes=classes
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, classes),
        )  # fmt: skip
    return Model(net, card)


def write_pictures(
    root: Path, folders: Sequence[str], each: int = 2, *, size: int = 48, width: int | None = None, seed: int = 0
) -> Path:
    """`each` coloured pictures, as JPEG, in each of `folders` (wnids, say) under `root`; returns `root`.

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
