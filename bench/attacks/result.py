"""What an attack found."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks.network import Cost

CLEAN = "clean"
"""`broken_by` of an image that was misclassified before any attack."""


@dataclass(frozen=True)
class AttackResult:
    """Verdicts on n images, all [n] in their order, on the CPU.

    prediction: int64, of the adversarial image (of the clean one where that was already wrong), in a fresh float32
    forward pass; confidence: its softmax probability; margin: logit of the label less the highest of the others
    distance: norm of the perturbation, in the attack's norm; steps: points at which the network was asked
    broken_by: name of the search that broke it, "clean" where it was already wrong, None where it stands
    adversarial: float32 [n, 3, h, w] when asked for, else None; cost: passes through the network (without
    those that held a fast copy to the model)
    notes: what a reader of the number must know, such as that no fast copy of the model could be attacked
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

    @property
    def robust(self) -> Tensor:
        """bool [n]: the image stands."""
        return torch.tensor([verdict is None for verdict in self.broken_by], dtype=torch.bool)
