"""Adversarial pictures for statistics: every image of a unit is attacked to the end, right or wrong.

An evaluation leaves images alone that are already wrong, or broken before the last step: their activations would stay
those of clean images, and the statistics would be of a mixture.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.attacks.base import Attack
from bench.attacks.checks import check_call
from bench.attacks.network import Network, freeze
from bench.attacks.queue import Queue, Workload


def perturb(
    attack: Attack,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    ids: Sequence[str],
    *,
    device: torch.device,
    seed: int = 0,
    batch_size: int = 32,
) -> Tensor:
    """What the first search of `attack` makes of `images` float32 [n, 3, h, w], through the attack's branch."""
    check_call(model, images, labels, ids)
    network = Network(freeze(model, attack.through), device)
    logits = torch.cat([network.logits(part.to(device)).logits.cpu() for part in torch.split(images, batch_size)])
    queue = Queue(network, attack.trials[:1], Workload(images, labels, ids, logits), seed, batch_size)
    for index in range(len(images)):
        queue.add(index)
    queue.drain()
    return torch.stack([queue.findings[index].image for index in range(len(images))])
