"""The loss on a plane through an image, spanned by the gradient's sign and random signs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bench.attacks.network import Network, frozen_if_copied
from bench.attacks.randomness import generator, signs


@dataclass(frozen=True)
class Plane:
    """Loss and correctness on a plane: loss[i, j] and right[i, j] at image + steps[i] * sign(gradient) + steps[j] *
    random signs, clipped to [0, 1]."""

    image_id: str
    steps: NDArray[np.float64]
    loss: NDArray[np.float64]
    right: NDArray[np.bool_]


def loss_planes(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    ids: Sequence[str],
    *,
    reach: float,
    points: int = 15,
    device: torch.device,
    seed: int = 0,
) -> list[Plane]:
    """Return the plane of each of `images` float32 [n, 3, h, w], `points` x `points`, from -`reach` to `reach` in
    Linf."""
    network = Network(frozen_if_copied(model), device)
    steps = np.linspace(-reach, reach, points)
    planes = []
    for image, label, name in zip(images, labels, ids, strict=True):
        x, y = image[None].to(device), label[None].to(device)
        _, gradient = network.gradient(x, lambda logits, y=y: F.cross_entropy(logits, y, reduction="none")).ascent()  # type: ignore[misc]
        random = signs([generator(seed, name, "plane", 0)], *image.shape).to(device)
        rows = []
        for step in steps:
            along = torch.as_tensor(steps, dtype=torch.float32, device=device).view(-1, 1, 1, 1)
            shown = (x + float(step) * gradient.sign() + along * random).clamp(0.0, 1.0)
            rows.append(network.logits(shown).logits.cpu())
        logits = torch.stack(rows)
        target = label.expand(points * points)
        loss = F.cross_entropy(logits.flatten(0, 1), target, reduction="none").view(points, points)
        planes.append(Plane(name, steps, loss.double().numpy(), (logits.argmax(2) == label).numpy()))
    return planes
