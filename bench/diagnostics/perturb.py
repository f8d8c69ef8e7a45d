"""Adversarial images for statistics: every image of a unit is attacked to the end, right or wrong.

An evaluation leaves images alone that are already wrong, or broken before the last step: their activations would stay
those of clean images, and the statistics would be of a mixture.
"""

import torch
from torch import Tensor

from bench.attacks.base import Attack
from bench.attacks.network import Network, frozen_if_copied
from bench.attacks.queue import Queue, Workload
from bench.attacks.request import Request


def perturb(attack: Attack, request: Request) -> Tensor:
    """What the first search of `attack` makes of the images [n, 3, h, w], through the attack's branch."""
    network = Network(frozen_if_copied(request.model, attack.through), request.device)
    parts = torch.split(request.images, request.batch_size)
    logits = torch.cat([network.logits(part.to(request.device)).logits.cpu() for part in parts])
    load = Workload(request.images, request.labels, request.ids, logits)
    queue = Queue(network, attack.trials[:1], load, request.seed, request.batch_size)
    for index in range(len(request)):
        queue.add(index)
    queue.drain()
    return torch.stack([queue.findings[index].image for index in range(len(request))])
