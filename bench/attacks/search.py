"""The interface between a search and the queue: a search proposes points, gets logits and gradients, and says when to
stop.

A search holds no images. The images in work are rows of an `ActiveBatch`, each at its own step, so that rows can leave
and enter at any time.
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
    """The images in work, one per row; every field is a tensor with rows on its first axis.

    index: int64 [b], index of the image in the unit; trial: int64 [b], index of the attack's trial
    image: float32 [b, 3, h, w], clean, as all images here channels last in memory; low, high: bounds of each pixel
    label, target: int64 [b] (target is the label if there is none)
    x: float32 [b, 3, h, w], the point to evaluate next
    step: int64 [b], steps made; passes: int64 [b], points evaluated, without wasted ones
    broken: bool [b], the search claims that its result is misclassified
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
        """Project `x` [b, 3, h, w] into the budget."""
        return norms.into(x, self.image, norms.Box(self.low, self.high), eps, norm)

    def select(self, rows: Tensor) -> Self:
        """Select the rows of a bool mask [b] or of indices."""
        if rows.dtype == torch.bool:  # a mask would let a GPU wait once a field, to learn how many rows there are
            rows = rows.nonzero().squeeze(1)
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Concatenate the rows of `parts`, in order."""
        if len(parts) == 1:
            return parts[0]
        return cls(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(cls)})


@dataclass(frozen=True)
class NewImages:
    """Images that enter a search: the fields of `ActiveBatch`, and one random generator per image."""

    index: Tensor
    trial: Tensor
    image: Tensor
    label: Tensor
    target: Tensor
    generators: Generators

    def at(self, x: Tensor, limits: norms.Box) -> dict[str, Tensor]:
        """Return the fields common to all batches, at the start point `x` [b, 3, h, w] (clipped to [0, 1])."""
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
    """Output of the network: the points [b, 3, h, w], logits [b, k], and if requested the search's objective [b] and
    its gradient [b, 3, h, w] with respect to the points, with `blind` bool [b]: it was zero or not finite."""

    points: Tensor
    logits: Tensor
    objective: Tensor | None = None
    gradient: Tensor | None = None
    blind: Tensor | None = None

    def ascent(self) -> tuple[Tensor, Tensor]:
        """Return (objective, gradient) of an output that was computed with gradients."""
        if self.objective is None or self.gradient is None:
            raise RuntimeError("only logits were requested, but the search needs a gradient")
        return self.objective, self.gradient

    def split(self, sizes: list[int]) -> "list[ModelOutput]":
        """Split into one output for each of the consecutive groups of points."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        given = {name: torch.split(part, sizes) for name, part in parts.items() if part is not None}
        return [ModelOutput(**{name: own[i] for name, own in given.items()}) for i in range(len(sizes))]

    def wrong(self, label: Tensor) -> Tensor:
        """bool [b]: the label does not lead, or logits are not finite."""
        return misclassified(self.logits, label)


L = TypeVar("L", bound=ActiveBatch)


class Search(ABC, Generic[L]):
    """One run on an image from one start: a frozen value with every setting and no state."""

    name: str

    @property
    def stream(self) -> str:
        """Key of its random numbers: searches with the same stream start from the same points."""
        return self.name

    @property
    def gradients(self) -> bool:
        """Whether it ever needs a gradient."""
        return True

    @property
    def classes(self) -> int:
        """The minimum number of classes of its objective."""
        return 2

    @abstractmethod
    def start(self, new: NewImages) -> L:
        """Return the batch of new images."""

    def wants_gradient(self, batch: L) -> Tensor:
        """Return bool [b]: the next step needs the gradient at `batch.x`, not only the logits."""
        return torch.ones_like(batch.broken)

    def points(self, batch: L, _most: int) -> Tensor:
        """Return [b k, 3, h, w], the next points to evaluate, k <= `_most` for each image, one image after the
        other."""
        return batch.x

    @abstractmethod
    def objective(self, batch: L, logits: Tensor) -> Tensor:
        """Return [b], the objective to differentiate; searches maximise it."""

    @abstractmethod
    def update(self, batch: L, output: ModelOutput) -> Tensor:
        """Process the output at `points` and advance in place; return bool [b]: the image is done (`batch.broken`
        has the result)."""

    def misled(self, batch: L) -> Tensor:
        """Return bool [b]: finished rows on which gradients did not lead to a higher objective."""
        return torch.zeros_like(batch.broken)

    def result(self, batch: L) -> Tensor:
        """Return [b, 3, h, w] within the budget: the adversarial images of finished rows."""
        return batch.x
