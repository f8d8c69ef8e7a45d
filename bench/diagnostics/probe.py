"""What a diagnostic is to the engine: a frozen value that looks at a model on the images of one unit."""

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
    """The images of one unit as the condition shows them (corrupted, attacked), in the host's memory.

    images: float32 [n, 3, h, w] in [0, 1]; labels: int64 [n]; ids: n names; model: in eval mode, on `device`
    answer: logits [n, k] of all classes as the data set's label space counts them
    sample: the first images (at most as many as asked) of the data set's fixed order, without attack
    keep: computes under a key once a session what units share
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
        """float32 [n, k] of `model`, on the CPU."""
        shown = (part.to(self.device) for part in torch.split(self.images, self.batch_size))
        return torch.cat([answer(model, part).float().cpu() for part in shown])

    def predict(self, model: nn.Module) -> list[int]:
        """The class that `model` predicts of each image."""
        answers: list[int] = self.answer(self.logits(model)).argmax(1).tolist()
        return answers


@dataclass(frozen=True)
class Found:
    """Columns of the images' records by name, [n] each, and what merges over units (`bench.diagnostics.table`)."""

    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    measurement: pa.Table | None = None


class Probe(ABC):
    """`name` says every choice and becomes part of the condition's name; `version` is raised when a number may move.

    A unit holds `unit_images`; `all_classes` says that labels must be the model's own classes; columns named
    `prediction...` are class indices, all others floats.
    """

    version: str = "1"
    unit_images: int = 512
    all_classes: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Canonical, without `/`, `:` and `+`."""

    @abstractmethod
    def columns(self, card: ModelCard) -> tuple[str, ...]:
        """Names of the columns that it adds for a model."""

    @abstractmethod
    def look(self, sight: Sight) -> Found:
        """What it finds on one unit. Raises `UsageError` for a model that it cannot look at."""
