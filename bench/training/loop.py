"""Training loop for any recipe, on the tiny images or a folder, on a CPU, a GPU, or one GPU per process (torchrun)."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.errors import UsageError
from bench.training.clip import clip_filters
from bench.training.data import TrainingSet
from bench.training.recipes import Recipe
from bench.training.steps import take
from bench.training.workers import Workers
from model_zoo.tiny.build import network

MOMENTUM = 0.9


@dataclass(frozen=True)
class Epoch:
    """A line of the training log: number of the epoch, mean loss, wall time in seconds, and accuracy in [0, 1] on each
    domain's training images during the epoch."""

    epoch: int
    loss: float
    seconds: float
    right: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingJob:
    """A training and its outputs: `out/NAME.safetensors`, the log, and a checkpoint until it is finished."""

    recipe: Recipe
    seed: int
    data: TrainingSet
    out: Path
    device: torch.device

    @property
    def name(self) -> str:
        return self.recipe.model_name(self.seed)

    @property
    def weights(self) -> Path:
        return self.out / f"{self.name}.safetensors"

    @property
    def log(self) -> Path:
        return self.out / f"{self.name}.json"

    @property
    def checkpoint(self) -> Path:
        return self.out / f"{self.name}.checkpoint"


def train(job: TrainingJob, report: Callable[[TrainingJob, Epoch], None] = lambda _job, _epoch: None) -> Path:
    """Train and return the path of the weights. Continues after the last finished epoch; a finished job is a no-op.

    On one machine with one thread, the same job gives bit-identical weights, whether interrupted or not.
    """
    if job.weights.is_file():
        return job.weights
    workers = Workers.join(job.device)
    net, optimizer, epochs = _begin(job)
    for number in range(len(epochs), job.recipe.epochs):
        epochs.append(_epoch(job, net, optimizer, number, workers))
        if workers.share.rank == 0:
            _save_checkpoint(job, net, optimizer, epochs)
            report(job, epochs[-1])
    if workers.share.rank == 0:
        _finish(job, net, epochs)
    return job.weights


def _begin(job: TrainingJob) -> tuple[nn.Module, torch.optim.Optimizer, list[Epoch]]:
    """Return the network, its optimiser and the log so far: new, or from the checkpoint."""
    torch.manual_seed(job.seed)
    net = network(job.recipe.net).to(memory_format=torch.channels_last).to(job.device)
    if job.recipe.start_from:
        net.load_state_dict(_forerunner(job))
    optimizer = _optimizer(net, job.recipe)
    if not job.checkpoint.is_file():
        return net, optimizer, []
    saved = torch.load(job.checkpoint, map_location=job.device, weights_only=True)
    net.load_state_dict(saved["net"])
    optimizer.load_state_dict(saved["optimizer"])
    return net, optimizer, [Epoch(**line) for line in saved["epochs"]]


def _forerunner(job: TrainingJob) -> dict[str, Tensor]:
    """Return the weights that the recipe starts from, of the same seed. Raises `UsageError` if they are missing."""
    stem = "tiny_" + job.recipe.start_from + (f"_s{job.seed}" if job.seed else "")
    path = job.out / f"{stem}.safetensors"
    if not path.is_file():
        raise UsageError(
            f"{job.recipe.name} starts from {path}, which is not there; "
            f"next: bench train {job.recipe.start_from} --seed {job.seed} --out {job.out}"
        )
    return load_file(path, str(job.device))


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimiser, with weight decay only on filters and the classifier's matrix."""
    weights = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=MOMENTUM, nesterov=True)


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Return the learning rate at `progress` in [0, 1]: linear to the peak at `warm_up`, then a cosine to 0."""
    if progress < recipe.warm_up:
        return recipe.learning_rate * progress / recipe.warm_up
    return recipe.learning_rate * (1 + math.cos(math.pi * (progress - recipe.warm_up) / (1 - recipe.warm_up))) / 2


def _epoch(job: TrainingJob, net: nn.Module, optimizer: torch.optim.Optimizer, number: int, workers: Workers) -> Epoch:
    """Train for one epoch; random draws depend only on (seed, epoch, process)."""
    recipe, length = job.recipe, job.data.length(job.recipe.batch_size)
    generator = torch.Generator().manual_seed((job.seed * 1_000 + number) * 1_000 + workers.share.rank + 1)
    net.train()
    if number >= recipe.epochs - recipe.freeze:
        _freeze_statistics(net)
    started, total = time.monotonic(), 0.0
    right: dict[str, float] = dict.fromkeys(recipe.domains, 0.0)
    for index, batch in enumerate(job.data.batches(number, recipe.batch_size, workers.share)):
        progress = (number + index / length) / recipe.epochs
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, progress)
        step = take(net, batch.to(job.device), recipe, progress, generator)
        optimizer.zero_grad()
        torch.autograd.backward(step.loss)
        workers.average([p.grad for p in net.parameters() if p.grad is not None])
        if recipe.clip:
            clip_filters(net, recipe.clip)
        optimizer.step()
        total += float(step.loss.detach())
        for domain, share in step.right.items():
            right[domain] += share / length
    workers.average(list(net.buffers()))
    return Epoch(number + 1, total / length, time.monotonic() - started, dict(right))


def _freeze_statistics(net: nn.Module) -> None:
    """Put batch norms into eval mode, so that training and test use the same statistics."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _save_checkpoint(job: TrainingJob, net: nn.Module, optimizer: torch.optim.Optimizer, epochs: list[Epoch]) -> None:
    job.out.mkdir(parents=True, exist_ok=True)
    state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epochs": [asdict(e) for e in epochs]}
    _put(job.checkpoint, lambda path: torch.save(state, path))


def _finish(job: TrainingJob, net: nn.Module, epochs: list[Epoch]) -> None:
    """Write the log, then the weights, whose presence marks the job as finished, and delete the checkpoint."""
    log = {
        "model": job.name,
        "seed": job.seed,
        "data": job.data.manifest,
        "recipe": asdict(job.recipe),
        "epochs": [asdict(e) for e in epochs],
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": job.device.type,
    }
    state = {key: value.cpu().contiguous() for key, value in net.state_dict().items()}
    _put(job.log, lambda path: path.write_text(json.dumps(log, indent=1)))
    _put(job.weights, lambda path: save_file(state, path))
    job.checkpoint.unlink(missing_ok=True)


def _put(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write(temporary)
    temporary.replace(path)
