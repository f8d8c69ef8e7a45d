"""Interface between diagnostics and engine: a probe is a frozen value that measures a model on one unit's images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn

from bench.attacks.forward import answer
from model_zoo.card import ModelCard
from model_zoo.model import Model


@dataclass(frozen=True)
class Sight:
    """The images of one unit under the condition (corrupted, attacked), in host memory.

    images: float32 [n, 3, h, w] in [0, 1]; labels: int64 [n]; ids: n names; model: in eval mode, on `device`
    answer: logits [n, k] of all classes of the data set's label space
    sample: function that returns the first images (at most that many) in the data set's fixed order, without attack
    keep: function that computes a value shared by units once per session, under a key
    """

    model: Model
    images: Tensor
    labels: Tensor
    ids: Sequence[str]
    device: torch.device
    batch_size: int
    seed: int
    answer: Callable[[Tensor], Tensor]
    sample: Callable[[int], Tensor]
    keep: Callable[[str, Callable[[], Any]], Any]

    def logits(self, model: nn.Module) -> Tensor:
        """Return the logits of `model`, float32 [n, k] on the CPU."""
        shown = (part.to(self.device) for part in torch.split(self.images, self.batch_size))
        return torch.cat([answer(model, part).float().cpu() for part in shown])

    def predict(self, model: nn.Module) -> list[int]:
        """Return the class that `model` predicts for each image."""
        answers: list[int] = self.answer(self.logits(model)).argmax(1).tolist()
        return answers


@dataclass(frozen=True)
class Found:
    """Columns of the images' records by name, [n] each, and a table that merges over units
    (`bench.diagnostics.table`)."""

    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    measurement: pa.Table | None = None


class Probe(ABC):
    """A diagnostic. `name` states every parameter and is part of the condition's name; `version` is raised when a
    number may change.

    unit_images: images in a unit; all_classes: whether labels must be the model's own classes. Columns named
    `prediction...` hold class indices, all others floats.
    """

    version: str = "1"
    unit_images: int = 512
    all_classes: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Canonical name, without `/`, `:` and `+`."""

    @abstractmethod
    def columns(self, card: ModelCard) -> tuple[str, ...]:
        """Return the names of the columns that it adds for a model."""

    @abstractmethod
    def look(self, sight: Sight) -> Found:
        """Measure the model on one unit. Raises `UsageError` for a model that it does not support."""
