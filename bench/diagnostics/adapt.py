"""Batch norm under other statistics than the stored ones, on a copy of the model, by hooks: any kind of batch norm."""

import copy
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.diagnostics.collect import collecting
from bench.diagnostics.moments import Moments, channel_moments
from bench.diagnostics.points import active, is_batch_norm


class Buffers(NamedTuple):
    """A batch norm's running mean and variance [c], the buffers themselves."""

    mean: Tensor
    variance: Tensor


def buffers(layer: nn.Module) -> Buffers | None:
    """The running statistics of `layer` (its active branch), None where it keeps none."""
    norm = active(layer)
    mean, variance = getattr(norm, "running_mean", None), getattr(norm, "running_var", None)
    if not is_batch_norm(norm) or not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return None
    return Buffers(mean, variance)


def adaptable(model: nn.Module) -> bool:
    """Whether any layer keeps statistics; a batch norm without always normalises by the batch, whatever is asked."""
    return any(buffers(module) for module in model.modules())


def adapted(model: nn.Module, prior: float = 0.0) -> nn.Module:
    """A copy of `model` whose batch norms mix the statistics of the batch at hand into the stored ones.

    mean = N/(N+n) stored + n/(N+n) batch, variances alike, for `prior` N and n images in the batch (Schneider et al.,
    arXiv 2006.16971, section 3). N = 0 is the batch alone: prediction-time batch norm (Nado et al., arXiv 2006.10963).
    Variances are biased, as training normalises.
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
    """A copy of `model` with the pooled statistics of all `batches`, each normalised by itself as in training.

    Batches are float [n, 3, h, w] on the model's device; memory is bounded by one of them.
    """
    teacher = adapted(model)
    with collecting(teacher) as found, torch.inference_mode():
        for batch in batches:
            teacher(batch)
    pooled: dict[str, Moments] = {}
    for place, point in found.points.items():  # a layer used twice has one memory for both
        seen = found.moments[place]
        pooled[point.name] = pooled[point.name].merge(seen) if point.name in pooled else seen
    copied = copy.deepcopy(model)
    for name, moments in pooled.items():
        if running := buffers(copied.get_submodule(name)):
            running.mean.copy_(torch.from_numpy(moments.mean))
            running.variance.copy_(torch.from_numpy(moments.variance))
    return copied
