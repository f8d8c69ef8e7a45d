"""The result of an attack, and how outputs on adversarial images become verdicts."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.checks import check_within
from bench.attacks.losses import margin
from bench.attacks.network import Cost
from bench.attacks.request import Request

CLEAN = "clean"
"""`broken_by` of an image that was misclassified before any attack."""


LEVEL = "attacked images have another class tied with the label: counted as broken"
SILENT = "attacked images are NaN or infinite: counted as broken"


@dataclass(frozen=True)
class AttackResult:
    """Verdicts on n images, all [n] in their order, on the CPU.

    prediction: int64, of the adversarial image (of the clean one if that was already misclassified), in a new float32
    forward pass; confidence: its softmax probability; margin: the label's logit minus the largest other logit
    distance: norm of the perturbation, in the attack's norm; steps: points at which the network was evaluated
    broken_by: name of the search that broke it, "clean" if it was already misclassified, None if it survives
    adversarial: float32 [n, 3, h, w] if requested, else None; cost: passes through the network (without the comparison
        of the fast copy with the model)
    notes: remarks for readers of the number, such as that the model has no fast copy
    verdict: reliability of the robust accuracy, if it was asked for
    """

    prediction: Tensor
    confidence: Tensor
    margin: Tensor
    distance: Tensor
    steps: Tensor
    broken_by: list[str | None]
    adversarial: Tensor | None
    cost: Cost
    notes: tuple[str, ...] = ()
    verdict: str = "not assessed"

    @property
    def robust(self) -> Tensor:
        """bool [n]: the image survives."""
        return torch.tensor([verdict is None for verdict in self.broken_by], dtype=torch.bool)


class Budget(Protocol):
    """Norm and size of the allowed distance between an adversarial image and its clean image."""

    @property
    def norm(self) -> Norm: ...
    @property
    def eps(self) -> Fraction: ...


def judged(
    request: Request,
    budget: Budget,
    adversarial: Tensor,
    logits: Tensor,
    broken_by: list[str | None],
    steps: Tensor,
    cost: Cost,
    notes: tuple[str, ...] = (),
) -> AttackResult:
    """Make the result of an attack from the model's `logits` [n, k] on the adversarial images. Raises `UsageError`
    for an image outside the budget."""
    distance = norms.size(adversarial - request.images, budget.norm)
    check_within(adversarial, distance, budget.norm, float(budget.eps))
    finite = logits.isfinite().all(1)
    broken = torch.tensor([by is not None for by in broken_by], dtype=torch.bool)
    tied = broken & finite & (logits.argmax(1) == request.labels)
    prediction = torch.where(finite & ~tied, logits.argmax(1), _some_wrong_class(logits, request.labels))
    counts = ((int(tied.sum()), LEVEL), (int((~finite).sum()), SILENT))
    return AttackResult(
        prediction=prediction,
        confidence=logits.softmax(1).gather(1, prediction[:, None]).squeeze(1),
        margin=torch.where(finite, margin(logits, request.labels), torch.nan),
        distance=distance,
        steps=steps,
        broken_by=broken_by,
        adversarial=adversarial,
        cost=cost,
        notes=(*notes, *(f"the logits of {count} {says}" for count, says in counts if count)),
    )


def _some_wrong_class(logits: Tensor, labels: Tensor) -> Tensor:
    """Return int64 [n]: the likeliest other class with a finite logit."""
    known = torch.where(logits.isfinite(), logits, torch.finfo(logits.dtype).min)
    return known.scatter(1, labels[:, None], -torch.inf).argmax(1)
