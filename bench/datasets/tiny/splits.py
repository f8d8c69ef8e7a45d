"""The splits: which classes and textures the images of each have, and how hard they look."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.datasets.tiny.draws import Draws
from bench.datasets.tiny.render import Look
from bench.datasets.tiny.shapes import SILHOUETTES

CLASSES: tuple[str, ...] = tuple(SILHOUETTES)
TEXTURE_MATCHES = 0.93
"""Probability in train and val that the texture is the class's own; otherwise it is drawn from all ten."""

TextureRule = Literal["own", "any", "other"]


@dataclass(frozen=True)
class Split:
    """`textures`: mostly the class's own, any of the ten, or always another class's."""

    textures: TextureRule
    look: Look


_PLAIN = Look()
TABLE: dict[str, Split] = {
    "train": Split("own", _PLAIN),
    "val": Split("own", _PLAIN),
    "hard": Split("any", replace(_PLAIN, contrast=(0.06, 0.25), occlusion=0.7)),
    "stylised": Split("any", replace(_PLAIN, amplitude=(14.0, 24.0))),
    "cue-conflict": Split("other", _PLAIN),
}
"""`hard` is what the split `a` is chosen from: as ImageNet-A (arXiv 1907.07174), what an undefended network gets
wrong."""


def texture_labels(draws: Draws, labels: NDArray[np.int64], rule: TextureRule) -> NDArray[np.int64]:
    """int64 [n], the texture of each image of `labels` [n]."""
    count = len(CLASSES)
    if rule == "other":
        return (labels + 1 + draws.integer("other texture", count - 1)) % count
    anyone = draws.integer("any texture", count)
    if rule == "any":
        return anyone
    return np.where(draws.chance("texture matches", TEXTURE_MATCHES), labels, anyone)
