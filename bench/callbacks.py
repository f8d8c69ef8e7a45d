"""Evaluation during training: callbacks for Lightning and for Hugging Face's Trainer.

::

    trainer = lightning.Trainer(callbacks=[bench.callbacks.for_lightning(data="/data/imagenet", suites="pgd",
        every=5, eps="4/255", limit=500, size=224, mean=MEAN, std=STD)])
    trainer = transformers.Trainer(..., callbacks=[bench.callbacks.for_trainer(data=pairs, suites="aa-fast", ...)])

Each evaluation is a `bench.run` of the network, and does not change its mode, device, gradients or random state. Its
records are stored in `out`, with every epoch as a separate model, `NAME-epoch5`.
"""

import contextlib
import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pandas as pd
from torch import Tensor, nn

from bench.errors import UsageError
from bench.memory import run

__all__ = ["EpochEvaluation", "for_lightning", "for_trainer"]


class EpochEvaluation:
    """What to measure, and when: after every `every` epochs, with the keywords of `bench.run` and `bench.wrap`.

    `suites` and `data` are as in `bench.run`; `limit=`, `until=`, or the suites `aa-fast` and `pgd` (ten steps) keep an
    evaluation short. `name` is the prefix of the models' names. Raises `UsageError` for an `every` below 1.
    """

    def __init__(self, suites: str | Sequence[str], *, every: int = 1, name: str = "network", **given: Any) -> None:
        if every < 1:
            raise UsageError(f"every={every}: expected 1 or more epochs between evaluations")
        self.suites, self.every, self.name, self.given = suites, every, name, given

    def due(self, epoch: int) -> bool:
        """Return whether to evaluate after the `epoch`-th epoch, counted from 1."""
        return epoch % self.every == 0

    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Evaluate `network` after `epoch` epochs; return each suite's metrics as `SUITE/METRIC` with `_low`,
        `_high` and `_n`. Shares are from 0 to 1. Metrics without a value are left out."""
        table = run(network, self.suites, **{"quiet": True, **self.given, "name": f"{self.name}-epoch{epoch}"})
        return numbers(table)


def numbers(table: pd.DataFrame) -> dict[str, float]:
    """Return the suites' metrics in a `bench.results` table with their intervals and n, by `SUITE/METRIC`."""
    found: dict[str, float] = {}
    for row in table[table["condition"] == "all"].to_dict("records"):
        key = f"{row['suite']}/{row['metric']}"
        parts = {"": row["value"], "_low": row["low"], "_high": row["high"], "_n": row["n"]}
        if math.isfinite(row["value"]):
            found |= {f"{key}{part}": float(value) for part, value in parts.items() if math.isfinite(value)}
    return found


def for_lightning(suites: str | Sequence[str], *, every: int = 1, name: str = "network", **given: Any) -> Any:
    """Make a `lightning.pytorch.Callback` that evaluates at the end of every `every`-th training epoch and logs the
    result.

    It evaluates the LightningModule itself; its `forward` must take normalised images. Only the first process
    evaluates. Raises `UsageError` if Lightning is not installed.
    """
    base = _class_of("Callback", "lightning.pytorch", "pytorch_lightning")
    if base is None:
        raise UsageError("bench.callbacks.for_lightning needs Lightning: pip install lightning")
    evaluation = EpochEvaluation(suites, every=every, name=name, **given)

    class RobustnessCallback(base):  # type: ignore[misc, valid-type]
        """Evaluates after an epoch of training."""

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            epoch = trainer.current_epoch + 1
            if evaluation.due(epoch) and trainer.is_global_zero:
                pl_module.log_dict(evaluation.measure(_Forward(pl_module), epoch), rank_zero_only=True)

    return RobustnessCallback()


def _class_of(name: str, *modules: str) -> Any:
    """Return the class from the first installed module of `modules`; None if none is installed."""
    for module in modules:
        with contextlib.suppress(ImportError):
            return getattr(import_module(module), name)
    return None


class _Forward(nn.Module):
    """A LightningModule as a plain network: its forward and its state, without its trainer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:
        return self.network(images)


def for_trainer(suites: str | Sequence[str], *, every: int = 1, name: str = "network", **given: Any) -> Any:
    """Make a `transformers.TrainerCallback` that evaluates at the end of every `every`-th epoch.

    The numbers are added to the log history (`trainer.state.log_history`), which checkpoints store; the trackers of
    `report_to` do not get them. Only the first process evaluates. Raises `UsageError` if transformers is not installed.
    """
    base = _class_of("TrainerCallback", "transformers")
    if base is None:
        raise UsageError("bench.callbacks.for_trainer needs transformers: pip install transformers")
    evaluation = EpochEvaluation(suites, every=every, name=name, **given)

    class RobustnessCallback(base):  # type: ignore[misc, valid-type]
        """Evaluates after an epoch of training."""

        def on_epoch_end(self, _args: Any, state: Any, _control: Any, model: Any = None, **_rest: Any) -> None:
            epoch = round(state.epoch)
            if evaluation.due(epoch) and state.is_world_process_zero:
                found = evaluation.measure(_Pixels(model), epoch)
                state.log_history.append({**found, "epoch": state.epoch, "step": state.global_step})

    return RobustnessCallback()


class _Pixels(nn.Module):
    """A Hugging Face image classifier, called with its images by keyword."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:
        return self.network(pixel_values=images)
