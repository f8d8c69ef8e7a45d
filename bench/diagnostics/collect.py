"""Channel moments at every normalisation point of a network, by hooks, in one pass over any number of batches."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from bench.attacks.checks import check_eval
from bench.diagnostics.moments import Moments, channel_moments
from bench.diagnostics.points import NormalisationPoint, find_points


@dataclass
class Collected:
    """Moments by layer, in the order of execution. A layer called k times in one forward pass has k entries: `NAME`,
    `NAME#2`, ...; `images` counts the images seen."""

    points: dict[str, NormalisationPoint] = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    images: int = 0

    def add(self, name: str, point: NormalisationPoint, moments: Moments) -> None:
        """Merge the moments of one call of the layer."""
        known = self.moments.get(name)
        self.points[name] = point
        self.moments[name] = known.merge(moments) if known else moments


@contextmanager
def collecting(model: nn.Module) -> Iterator[Collected]:
    """Collect moments from every forward pass of `model` within the block; three numbers per channel are kept.

    The model is not changed. Raises `UsageError` for a model in training mode, in which forward passes change its
    statistics, and for one without normalisation, convolution or linear layers.
    """
    check_eval(model)
    found, calls = Collected(), Counter[str]()
    points = find_points(model)

    def begin(_model: nn.Module, inputs: tuple[Any, ...]) -> None:
        calls.clear()
        found.images += len(inputs[0])

    handles = [model.register_forward_pre_hook(begin), *(_hook(p, found, calls) for p in points)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _hook(point: NormalisationPoint, found: Collected, calls: "Counter[str]") -> Any:
    def see(x: Any) -> None:
        calls[point.name] += 1
        times = calls[point.name]
        if isinstance(x, Tensor) and x.numel():
            found.add(point.name + (f"#{times}" if times > 1 else ""), point, channel_moments(x, point.channels_of(x)))

    if point.behind:
        return point.module.register_forward_hook(lambda _module, _inputs, output: see(output))
    return point.module.register_forward_pre_hook(lambda _module, inputs: see(inputs[0]))
