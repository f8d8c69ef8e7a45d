"""Batch norm with other statistics than the stored ones: hooks on a copy of the model, for any kind of batch norm."""

import copy
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.diagnostics.collect import collecting
from bench.diagnostics.moments import Moments, channel_moments
from bench.diagnostics.points import active, is_batch_norm


class Buffers(NamedTuple):
    """Running mean and variance [c] of a batch norm: its buffers, not copies."""

    mean: Tensor
    variance: Tensor


def buffers(layer: nn.Module) -> Buffers | None:
    """Return the running statistics of `layer` (of its active branch); None if it has none."""
    norm = active(layer)
    mean, variance = getattr(norm, "running_mean", None), getattr(norm, "running_var", None)
    if not is_batch_norm(norm) or not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return None
    return Buffers(mean, variance)


def adaptable(model: nn.Module) -> bool:
    """Return whether any layer stores statistics. A batch norm without always normalises by the batch."""
    return any(buffers(module) for module in model.modules())


def adapted(model: nn.Module, prior: float = 0.0) -> nn.Module:
    """Return a copy of `model` whose batch norms mix the statistics of the current batch into the stored ones.

    mean = N/(N+n) stored + n/(N+n) batch, variances likewise, for `prior` N and n images in the batch (Schneider et
    al., arXiv 2006.16971, section 3). N = 0 uses the batch alone: prediction-time batch norm (Nado et al., arXiv
    2006.10963). Variances are biased, as in training.
    """
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if is_batch_norm(module) and (kept := buffers(module)):
            module.register_forward_pre_hook(_mixing(kept, prior))
    return copied


def _mixing(running: Buffers, prior: float) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    stored = Buffers(*(buffer.double() for buffer in running))

    def mix(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        batch, own = channel_moments(inputs[0]), len(inputs[0]) / (prior + len(inputs[0]))
        running.mean.copy_(torch.lerp(stored.mean, torch.from_numpy(batch.mean).to(stored.mean), own))
        running.variance.copy_(torch.lerp(stored.variance, torch.from_numpy(batch.variance).to(stored.mean), own))

    return mix


def reestimated(model: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Return a copy of `model` with the pooled statistics of all `batches`, each normalised by itself as in training.

    Batches are float [n, 3, h, w] on the model's device; memory is bounded by one batch.
    """
    teacher = adapted(model)
    with collecting(teacher) as found, torch.inference_mode():
        for batch in batches:
            teacher(batch)
    pooled: dict[str, Moments] = {}
    for place, point in found.points.items():  # a layer called twice has one pair of buffers
        seen = found.moments[place]
        pooled[point.name] = pooled[point.name].merge(seen) if point.name in pooled else seen
    copied = copy.deepcopy(model)
    for name, moments in pooled.items():
        if running := buffers(copied.get_submodule(name)):
            running.mean.copy_(torch.from_numpy(moments.mean))
            running.variance.copy_(torch.from_numpy(moments.variance))
    return copied
