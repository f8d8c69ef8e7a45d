"""ReaL: ImageNet's validation images under reassessed labels (Beyer et al. 2020, arXiv 2006.07159)."""

import functools
import importlib.util
import json
from pathlib import Path

from bench.metrics.accuracy import only
from bench.metrics.base import Frames, MissingConditionError
from bench.metrics.estimate import Estimate, wilson
from bench.naming import VALIDATION


@functools.cache
def real_labels() -> tuple[frozenset[int], ...]:
    """The classes that are right for each of the 50,000 validation images, in order; timm carries the file."""
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        raise MissingConditionError("ReaL labels: the package timm, which carries them, is not installed")
    file = Path(spec.origin).parent / "data" / "_info" / "imagenet_real_labels.json"
    return tuple(frozenset(labels) for labels in json.loads(file.read_text(encoding="utf-8")))


def real_accuracy(frames: Frames) -> Estimate:
    """Share of the images with at least one ReaL label whose prediction is among theirs, in [0, 1]."""
    frame = only(frames)
    scored = frame[frame["scored"]]
    numbers = [VALIDATION.search(name) for name in scored["image_id"]]
    if not all(numbers):
        raise MissingConditionError("ReaL labels: these images do not have the validation set's original names")
    known = [real_labels()[int(match[1]) - 1] for match in numbers if match]
    hits = [prediction in labels for prediction, labels in zip(scored["prediction"], known, strict=True) if labels]
    low, high = wilson(sum(hits), len(hits))
    value = sum(hits) / len(hits) if hits else float("nan")
    return Estimate(value, low, high, len(hits), int(len(frame) - len(scored)))
