"""Texture-shape cue conflict: which of the two does a model follow (Geirhos et al. 2019, arXiv 1811.12231)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.arrow import as_numpy
from bench.metrics.accuracy import only_records
from bench.metrics.base import Frames, MissingConditionError, Records
from bench.metrics.estimate import Estimate, wilson

_STIMULUS = re.compile(r"(?:.*_)?([a-z]+)\d+-([a-z]+)\d+")
"""`cat7-elephant1`, or model-vs-human's `0042_cc_dnn_cat_00_cat7-elephant1`: shape, texture."""


@dataclass(frozen=True)
class Decisions:
    """Per conflicting stimulus [n]: whether the model decided for its shape, and for its texture."""

    shape: NDArray[np.bool_]
    texture: NDArray[np.bool_]
    unscored: int

    @classmethod
    def of(cls, records: Records, categories: Sequence[str]) -> "Decisions":
        """Compute from records whose labels count `categories`; stimuli whose shape is their texture are no
        conflict."""
        names, predictions, scored = (as_numpy(records[name]) for name in ("image_id", "prediction", "scored"))
        scored = np.asarray(scored, dtype=bool)
        decision = np.asarray(predictions[scored], dtype=int)
        cues = np.array([cues_of(name, categories) for name in names[scored]]).reshape(-1, 2)
        conflict = cues[:, 0] != cues[:, 1]
        shape, texture = (decision == cues[:, i] for i in (0, 1))
        return cls(shape[conflict], texture[conflict], int((~scored).sum()))


def cues_of(image_id: str, categories: Sequence[str]) -> tuple[int, int]:
    """Labels of a stimulus' shape and texture. Raises `MissingConditionError` where the id does not tell them."""
    match = _STIMULUS.fullmatch(image_id)
    if match is None or not {match[1], match[2]} <= set(categories):
        raise MissingConditionError(f"cue conflict: expected an id like cat7-elephant1, found {image_id!r}")
    return categories.index(match[1]), categories.index(match[2])


def shape_bias(categories: Sequence[str]) -> Callable[[Frames], Estimate]:
    """shape / (shape + texture) among the n stimuli decided for one of the two, with Wilson's interval."""

    def compute(frames: Frames) -> Estimate:
        made = Decisions.of(only_records(frames), categories)
        shape, n = int(made.shape.sum()), int(made.shape.sum() + made.texture.sum())
        low, high = wilson(shape, n)
        return Estimate(shape / n if n else float("nan"), low, high, n, made.unscored)

    return compute


def cue_accuracy(cue: str, categories: Sequence[str]) -> Callable[[Frames], Estimate]:
    """Share of the conflicting stimuli decided for their `cue`, `shape` or `texture`.

    A bias without the two accuracies says little: it is unstable where both are low.
    """

    def compute(frames: Frames) -> Estimate:
        made = Decisions.of(only_records(frames), categories)
        hits = made.shape if cue == "shape" else made.texture
        k, n = int(hits.sum()), len(hits)
        low, high = wilson(k, n)
        return Estimate(k / n if n else float("nan"), low, high, n, made.unscored)

    return compute
