"""Training on several processes, started by torchrun: each takes a share of the batch; gradients are averaged."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist

from bench.training.data import Share


@dataclass(frozen=True)
class Workers:
    """The processes of this training. A single process averages nothing.

    Gradients are averaged in one message after `backward`. DistributedDataParallel is not used: its hooks on parameters
    are incompatible with an attack that turns the parameters' gradients off and on.
    """

    share: Share

    @classmethod
    def join(cls, device: torch.device) -> "Workers":
        """Join the group given by torchrun's environment (RANK, WORLD_SIZE), or work alone."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(Share())
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(Share(dist.get_rank(), dist.get_world_size()))

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace the floating-point tensors by their mean over all processes."""
        floats = [t for t in tensors if t.is_floating_point()]
        if self.share.world == 1 or not floats:
            return
        flat = torch.cat([t.reshape(-1) for t in floats])
        dist.all_reduce(flat)
        flat /= self.share.world
        for tensor, mean in zip(floats, torch.split(flat, [t.numel() for t in floats]), strict=True):
            tensor.copy_(mean.view_as(tensor))
