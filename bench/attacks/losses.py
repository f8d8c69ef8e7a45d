"""Objectives that attacks maximise, each a function of logits [n, k], labels [n] and targets [n] -> [n]."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

CW_CONFIDENCE = 50.0
"""Lead of another class at which Carlini and Wagner's loss becomes flat, as in NoFrost's `test.py`."""


def take(logits: Tensor, classes: Tensor) -> Tensor:
    """Return [n], the logit of one class in each row."""
    return logits.gather(1, classes[:, None]).squeeze(1)


def margin(logits: Tensor, label: Tensor) -> Tensor:
    """Return [n], the label's logit minus the largest other logit: negative when misclassified."""
    others = logits.scatter(1, label[:, None], -torch.inf)
    return take(logits, label) - others.amax(1)


def misclassified(logits: Tensor, labels: Tensor) -> Tensor:
    """Return bool [n]: the label does not lead all other classes of the logits [n, k].

    A tie counts as misclassified for an attacked image, since argmax would decide it by the order of classes. So do NaN
    and infinite logits.
    """
    return ~(margin(logits, labels) > 0) | ~logits.isfinite().all(1)


def ce(logits: Tensor, label: Tensor, _target: Tensor) -> Tensor:
    """Return the cross-entropy."""
    return F.cross_entropy(logits, label, reduction="none")


def ce_targeted(logits: Tensor, _label: Tensor, target: Tensor) -> Tensor:
    """Return the log-probability of the target."""
    return -F.cross_entropy(logits, target, reduction="none")


def dlr(logits: Tensor, label: Tensor, _target: Tensor) -> Tensor:
    """Return the difference of logits ratio, invariant to shift and scale (arXiv 2003.01690, eq. 6). Needs three
    classes."""
    top = logits.topk(3, dim=1).values
    return -margin(logits, label) / (top[:, 0] - top[:, 2] + 1e-12)


def dlr_targeted(logits: Tensor, label: Tensor, target: Tensor) -> Tensor:
    """Return the targeted difference of logits ratio (arXiv 2003.01690, eq. 7). Needs four classes."""
    top = logits.topk(4, dim=1).values
    scale = top[:, 0] - (top[:, 2] + top[:, 3]) / 2
    return -(take(logits, label) - take(logits, target)) / (scale + 1e-12)


def pm(logits: Tensor, label: Tensor, _target: Tensor) -> Tensor:
    """Return the probability margin: the largest other probability minus the label's (arXiv 2411.15210, eq. 3)."""
    return -margin(logits.softmax(1), label)


def cw(logits: Tensor, label: Tensor, _target: Tensor) -> Tensor:
    """Return Carlini and Wagner's hinge (arXiv 1608.04644, f6), flat once another class leads by `CW_CONFIDENCE`."""
    return -(margin(logits, label) + CW_CONFIDENCE).clamp(min=0)


def margin_targeted(logits: Tensor, label: Tensor, target: Tensor) -> Tensor:
    """Return the logit of the target minus that of the label, used instead of targeted DLR with fewer than four
    classes. Auto-PGD's steps do not depend on a loss's scale."""
    return take(logits, target) - take(logits, label)


LOSSES: dict[str, Loss] = {
    "ce": ce,
    "ce-targeted": ce_targeted,
    "dlr": dlr,
    "dlr-targeted": dlr_targeted,
    "margin-targeted": margin_targeted,
    "pm": pm,
    "cw": cw,
}
CLASSES_NEEDED = {"ce": 2, "ce-targeted": 2, "dlr": 3, "dlr-targeted": 4, "margin-targeted": 2, "pm": 2, "cw": 2}
