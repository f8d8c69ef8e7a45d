"""What an attack's search is to the queue: it proposes points, is told the logits and gradients, and says when to stop.

A search holds no images. Those that are being worked on are rows of a `ActiveBatch`, each at a step of its own, so that
one may leave and another enter at any time.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import misclassified
from bench.attacks.randomness import Generators


@dataclass
class ActiveBatch:
    """Images in work, one a row; every field is a tensor whose first axis is the row.

    index: int64 [b], place of the image in the unit; trial: int64 [b], which of the attack's trials this is
    image: float32 [b, 3, h, w], clean, as all images here channels last in memory; low, high: between what the
    search lets each pixel be; label, target: int64 [b] (target is the label where none is aimed at)
    x: float32 [b, 3, h, w], the point whose logits are asked next
    step: int64 [b], steps made; passes: int64 [b], points asked, without those asked in vain
    broken: bool [b], the search holds that its result is misclassified
    """

    index: Tensor
    trial: Tensor
    image: Tensor
    low: Tensor
    high: Tensor
    label: Tensor
    target: Tensor
    x: Tensor
    step: Tensor
    passes: Tensor
    broken: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def within(self, x: Tensor, eps: float, norm: Norm) -> Tensor:
        """`x` [b, 3, h, w] moved into the budget."""
        return norms.into(x, self.image, norms.Box(self.low, self.high), eps, norm)

    def select(self, rows: Tensor) -> Self:
        """The rows of a bool mask [b] or of indices."""
        if rows.dtype == torch.bool:  # a mask would let a GPU wait once a field, to learn how many rows there are
            rows = rows.nonzero().squeeze(1)
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """All rows of `parts`, in order."""
        if len(parts) == 1:
            return parts[0]
        return cls(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(cls)})


@dataclass(frozen=True)
class NewImages:
    """Images that enter a search: the fields of `ActiveBatch`, and a generator of random numbers for each."""

    index: Tensor
    trial: Tensor
    image: Tensor
    label: Tensor
    target: Tensor
    generators: Generators

    def at(self, x: Tensor, limits: norms.Box) -> dict[str, Tensor]:
        """The fields that all batch share, at the start point `x` [b, 3, h, w] (brought into [0, 1])."""
        low, high = limits
        start = x.to(self.image).clamp(0.0, 1.0).contiguous(memory_format=torch.channels_last)
        return {
            "index": self.index,
            "trial": self.trial,
            "image": self.image,
            "low": low,
            "high": high,
            "label": self.label,
            "target": self.target,
            "x": start,
            "step": torch.zeros_like(self.index),
            "passes": torch.zeros_like(self.index),
            "broken": torch.zeros_like(self.index, dtype=torch.bool),
        }

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the images."""
        c, h, w = self.image.shape[1:]
        return c, h, w


@dataclass(frozen=True)
class ModelOutput:
    """The network's answer: the points asked [b, 3, h, w], logits [b, k], and where they were wanted the search's
    objective [b] and its gradient [b, 3, h, w] with respect to the points."""

    points: Tensor
    logits: Tensor
    objective: Tensor | None = None
    gradient: Tensor | None = None

    def ascent(self) -> tuple[Tensor, Tensor]:
        """(objective, gradient) of a output that was asked with gradients."""
        if self.objective is None or self.gradient is None:
            raise RuntimeError("the network was asked for logits alone, where the search needs a gradient")
        return self.objective, self.gradient

    def split(self, sizes: list[int]) -> "list[ModelOutput]":
        """A output for each of the consecutive groups of points."""
        given = [part for part in (self.points, self.logits, self.objective, self.gradient) if part is not None]
        return [ModelOutput(*own) for own in zip(*(torch.split(part, sizes) for part in given), strict=True)]

    def wrong(self, label: Tensor) -> Tensor:
        """bool [b]: the label does not lead, or there is no answer."""
        return misclassified(self.logits, label)


L = TypeVar("L", bound=ActiveBatch)


class Search(ABC, Generic[L]):
    """One run over an image from one start: a frozen value that holds every choice and no state."""

    name: str

    @property
    def stream(self) -> str:
        """What its random numbers belong to: searches of one stream start from the same points."""
        return self.name

    @property
    def classes(self) -> int:
        """The fewest classes that its objective is defined for."""
        return 2

    @abstractmethod
    def start(self, new: NewImages) -> L:
        """The batch of images that enter."""

    def wants_gradient(self, batch: L) -> Tensor:
        """bool [b]: the next step needs the gradient at `batch.x`, not the logits alone."""
        return torch.ones_like(batch.broken)

    def points(self, batch: L, _most: int) -> Tensor:
        """[b k, 3, h, w], the points asked next, k <= `_most` of them for each image, one image after the other."""
        return batch.x

    @abstractmethod
    def objective(self, batch: L, logits: Tensor) -> Tensor:
        """[b], what the gradient is taken of; searches ascend it."""

    @abstractmethod
    def update(self, batch: L, output: ModelOutput) -> Tensor:
        """Take the output at `points`, move on in place; bool [b]: the image is done, `batch.broken` says how."""

    def result(self, batch: L) -> Tensor:
        """[b, 3, h, w] within the budget: the adversarial images of batch that are done."""
        return batch.x
