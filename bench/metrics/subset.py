"""Accuracy of a model that may answer with any of its classes, on a set that has only some of them."""

from collections.abc import Callable, Sequence

from bench.metrics.accuracy import only
from bench.metrics.base import Frames, require_columns
from bench.metrics.estimate import Estimate, wilson


def accuracy_all(members: Sequence[Sequence[int]]) -> Callable[[Frames], Estimate]:
    """Share of images whose arg max over all of the model's classes is one of the label's `members`.

    Lower than the accuracy among the set's own classes, which is the published one on ImageNet-A and -R.
    """

    def compute(frames: Frames) -> Estimate:
        frame = only(frames)
        require_columns(frame, "prediction_all")
        scored = frame[frame["scored"]]
        k = sum(p in members[t] for p, t in zip(scored["prediction_all"], scored["label"], strict=True))
        n = len(scored)
        low, high = wilson(k, n)
        return Estimate(k / n if n else float("nan"), low, high, n, len(frame) - n)

    return compute
