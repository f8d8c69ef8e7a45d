"""Whether a model's classes are in another order than the labels': one answer for each label, and not the label's."""

import numpy as np
from numpy.typing import NDArray

from bench.arrow import as_numpy
from bench.metrics.base import Records
from bench.rounding import decimal

ENOUGH = 20
"""Number of images, of labels that have several, from which an order is told."""

AGREE, DISTINCT, SHORT = 0.5, 0.7, 0.7
"""Share of pairs of images of one label with the same answer, and share of labels with an answer of their own, from
which answers stand for classes; and share of the accuracy that such answers would give (the root of the first), below
which they are not the labels'. ImageNet's networks are far above."""


def other_order(records: Records) -> str:
    """Return how the answers contradict the order of the labels, or that there is only one; empty if they do not, or
    too few images tell."""
    scored = np.asarray(as_numpy(records["scored"]), dtype=bool)
    prediction, label = (np.asarray(as_numpy(records[name]))[scored] for name in ("prediction", "label"))
    if len(label) < ENOUGH:
        return ""
    right = f"{decimal(100 * np.mean(prediction == label), '.0f')}% of the images have their label, though"
    ends = "the model's classes are probably in another order than the labels"
    if len(np.unique(prediction)) == 1 and len(np.unique(label)) > 2:
        return f"all {len(label)} images get one answer, {prediction[0]}: does the model return its logits unsorted?"
    moves, times = np.unique(prediction - label, return_counts=True)
    if (move := moves[np.argmax(times)]) and times.max() > AGREE * len(label) and len(np.unique(label)) > 2:
        share = decimal(100 * times.max() / len(label), ".0f")
        return f"{right} {share}% have the one at {move:+d} (a background class?): {ends}"
    several = np.isin(label, [one for one, n in zip(*np.unique(label, return_counts=True), strict=True) if n > 1])
    agreement = _agreement(prediction[several], label[several])
    share = decimal(100 * agreement, ".0f")
    return f"{right} {share}% of the pairs of one label get the same answer: {ends}" if agreement else ""


def _agreement(prediction: NDArray[np.int64], label: NDArray[np.int64]) -> float:
    """Return the share of pairs of images of one label with one answer; 0 if it does not tell another order."""
    if len(label) < ENOUGH:
        return 0.0
    labels, answers, agreement = _answers(prediction, label)
    own, right = len(np.unique(answers)) / len(labels), float(np.mean(prediction == label))
    tells = agreement >= AGREE and own >= DISTINCT and right < SHORT * agreement**0.5 and len(labels) > 1
    return agreement if tells else 0.0


def _answers(
    prediction: NDArray[np.int64], label: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """Return the labels, the most frequent answer to each, and the share of pairs of one label with one answer."""
    pairs, counts = np.unique(np.stack([label, prediction]), axis=1, return_counts=True)
    labels, images = np.unique(label, return_counts=True)
    best = [np.flatnonzero(pairs[0] == one) for one in labels]
    answers = np.array([pairs[1, places[np.argmax(counts[places])]] for places in best])
    return labels, answers, float((counts * (counts - 1)).sum() / (images * (images - 1)).sum())
