"""What an attack is given: a model, images and whose randomness it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.attacks.checks import check_call
from bench.attacks.forward import answer
from bench.attacks.network import device_of

Progress = Callable[[int, int], None]
"""Told (images with a final verdict, all images)."""


def silent(_final: int, _every: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Request:
    """`images` float32 [n, 3, h, w] in [0, 1], of `labels` int64 [n] and unique `ids`; `model` is in eval mode.

    The images stay in host memory; up to `batch_size` at a time are in a pass on the model's device. Randomness
    belongs to (seed, id). Raises `UsageError` for what no attack can judge.
    """

    model: nn.Module
    images: Tensor
    labels: Tensor
    ids: Sequence[str]
    seed: int = 0
    batch_size: int = 32
    progress: Progress = silent

    def __post_init__(self) -> None:
        check_call(self.model, self.images, self.labels, self.ids)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return device_of(self.model)

    def score(self, images: Tensor) -> Tensor:
        """Logits float32 [m, k] of images [m, 3, h, w], on the CPU, by the model as it came."""
        chunks = torch.split(images, self.batch_size)
        return torch.cat([answer(self.model, chunk.to(self.device)).float().cpu() for chunk in chunks])
