"""Speed at equal verdicts: the native engine and pyautoattack, compared with the network's bare passes.

    python benchmarks/attack_speed.py --cifar CIFAR.zip -n 20 --eps 8/255                # nothing survives
    python benchmarks/attack_speed.py --model efficientnet_lite0 --photographs -n 10 --eps 4/255      # neither here
    python benchmarks/attack_speed.py --model tiny_at -n 40 --eps 8/255                  # much survives

All in one run, on the same images, in CPU time of one thread.
"""

import argparse
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from attack_models import Pictures, open_model, photographs, pictures
from torch import Tensor, nn

from bench.attacks.autoattack import autoattack
from bench.attacks.base import parse_eps
from bench.attacks.losses import ce
from bench.attacks.network import Network, freeze
from bench.attacks.prepared import prepare
from bench.attacks.reference import reference

CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="example")
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--photographs", action="store_true", help="those that foolbox ships")
    parser.add_argument("-n", type=int, default=20)
    parser.add_argument("--eps", type=parse_eps, required=True)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = open_model(options.model)
    shown = photographs(options.model, options.n) if options.photographs else pictures(options.cifar, options.n)
    gain = bare(model, shown, options.batch_size)
    import_module("bench.attacks.compiled")  # takes seconds, once per process
    inside = Stopwatch()
    native = timed(lambda: run(autoattack("linf", options.eps), model, shown, options.batch_size, inside))
    theirs = timed(lambda: run(reference("linf", options.eps), model, shown, options.batch_size, Stopwatch()))
    for name, (seconds, result) in {"native": native, "reference": theirs}.items():
        left = float(result.robust.float().mean())
        print(f"{name:9} {seconds:8.1f} s  {result.cost.passes:8} passes  {left:.1%} left")
    unlike = int((native[1].robust != theirs[1].robust).sum())
    print(f"{theirs[0] / native[0]:.2f}x as fast, {unlike} of {options.n} verdicts differ")
    print(f"{inside.seconds / native[0]:.1%} of the native time inside the network; bare passes gain {gain:.2f}x")


class Stopwatch:
    """CPU seconds spent in wrapped calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return `call` with timing."""

        def timed_call(*arguments: Any) -> Any:
            started = time.process_time()
            try:
                return call(*arguments)
            finally:
                self.seconds += time.process_time() - started

        return timed_call


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and the result."""
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def run(attack: Any, model: nn.Module, shown: Pictures, batch_size: int, inside: Stopwatch) -> Any:
    """Run one attack, timing the native engine's network separately."""
    before = Network.logits, Network.gradient
    Network.logits, Network.gradient = (inside.wrap(method) for method in before)  # type: ignore[method-assign]
    try:
        return attack.run(model, shown.images, shown.labels, shown.ids, batch_size=batch_size)
    finally:
        Network.logits, Network.gradient = before  # type: ignore[method-assign]


def bare(model: nn.Module, shown: Pictures, batch_size: int) -> float:
    """Return the speedup of a forward and backward pass by the prepared copy over the frozen model."""
    batch = shown.head(batch_size)
    seconds = [
        min(timed(lambda ask=ask: ask.gradient(batch.images, away(batch.labels)))[0] for _ in range(7))
        for ask in (Network(freeze(model), CPU), prepare(model, batch.images).network(CPU))
    ]
    print(f"forward and backward of {len(batch.ids)} images: {seconds[0]:.3f} s frozen, {seconds[1]:.3f} s prepared")
    return seconds[0] / seconds[1]


def away(labels: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the cross-entropy for `labels`."""
    return lambda logits: ce(logits, labels, labels)


if __name__ == "__main__":
    main()
