"""The input of an attack: model, images, labels and random keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.attacks.checks import check_call
from bench.attacks.forward import answer
from bench.attacks.network import device_of

Progress = Callable[[int, int], None]
"""Called with (images with a final verdict, all images)."""


def silent(_final: int, _every: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Request:
    """`images` float32 [n, 3, h, w] in [0, 1], with `labels` int64 [n] and unique `ids`; `model` is in eval mode.

    The images stay in host memory; up to `batch_size` at a time are in a pass on the model's device. Random draws are
    keyed by (seed, id). Raises `UsageError` for input that no attack can judge.
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
        """The model's device."""
        return device_of(self.model)

    def score(self, images: Tensor) -> Tensor:
        """Return logits float32 [m, k] of images [m, 3, h, w], on the CPU, by the original model."""
        chunks = torch.split(images, self.batch_size)
        return torch.cat([answer(self.model, chunk.to(self.device)).float().cpu() for chunk in chunks])
