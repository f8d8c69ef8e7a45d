"""Adversarial images for statistics: every image of a unit is attacked with all steps, whatever its prediction.

An evaluation skips misclassified images and stops early on broken ones. Statistics of its images would be those of a
mixture of clean and adversarial images.
"""

import torch
from torch import Tensor

from bench.attacks.base import Attack
from bench.attacks.network import Network, frozen_if_copied
from bench.attacks.queue import Queue, Workload
from bench.attacks.request import Request


def perturb(attack: Attack, request: Request) -> Tensor:
    """Return the images [n, 3, h, w] after the first search of `attack`, through the attack's branch."""
    network = Network(frozen_if_copied(request.model, attack.through), request.device)
    parts = torch.split(request.images, request.batch_size)
    logits = torch.cat([network.logits(part.to(request.device)).logits.cpu() for part in parts])
    load = Workload(request.images, request.labels, request.ids, logits)
    queue = Queue(network, attack.trials[:1], load, request.seed, request.batch_size)
    for index in range(len(request)):
        queue.add(index)
    queue.drain()
    return torch.stack([queue.findings[index].image for index in range(len(request))])
