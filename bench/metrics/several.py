"""Accuracy where an image has several right labels, which its id ends with."""

from bench.metrics.accuracy import only
from bench.metrics.base import Frames, MissingConditionError
from bench.metrics.estimate import Estimate, wilson
from bench.naming import labels_in


def any_label_accuracy(frames: Frames) -> Estimate:
    """Share of images whose prediction is one of their labels, in [0, 1], with Wilson's interval.

    taesiri/ZoomIsAllYouNeed, Benchmark_ImageNet_Hard.ipynb. Raises `MissingConditionError` for ids without labels.
    """
    frame = only(frames)
    scored = frame[frame["scored"]]
    labels = [labels_in(image_id) for image_id in scored["image_id"]]
    if not all(labels):
        raise MissingConditionError("these images' ids do not end with their labels (-207+208)")
    k = sum(int(p) in right for p, right in zip(scored["prediction"], labels, strict=True))
    low, high = wilson(k, len(labels))
    return Estimate(k / len(labels) if labels else float("nan"), low, high, len(labels), len(frame) - len(scored))
