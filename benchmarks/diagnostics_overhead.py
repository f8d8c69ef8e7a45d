"""Cost of collecting channel moments over a plain forward pass: `python benchmarks/diagnostics_overhead.py`.

Plain and collecting passes alternate in one process on one thread, so that other load affects both equally. Prints the
ratio of the smallest times and that of the medians. Weights are random, which does not change the work.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from bench.diagnostics.collect import collecting

AIM = 1.3


def plain(model: nn.Module, x: Tensor) -> None:
    """Run a forward pass."""
    with torch.inference_mode():
        model(x)


def collected(model: nn.Module, x: Tensor) -> None:
    """Run a forward pass that collects channel moments."""
    with collecting(model), torch.inference_mode():
        model(x)


def seconds(work: Callable[[nn.Module, Tensor], None], model: nn.Module, x: Tensor) -> float:
    """Return CPU seconds of this process on a CPU, wall seconds on a GPU."""
    clock = time.perf_counter if x.is_cuda else time.process_time
    started = clock()
    work(model, x)
    if x.is_cuda:
        torch.cuda.synchronize()
    return clock() - started


def networks(device: torch.device) -> list[tuple[str, nn.Module, Tensor]]:
    """Return names, networks and inputs, of photographs' and of the tiny images' size."""
    import timm
    import torchvision

    from model_zoo.load import load_model

    photographs, small = torch.rand(8, 3, 224, 224), torch.rand(256, 3, 32, 32)
    made = [
        ("ResNet-50, 8 x 224 px", torchvision.models.resnet50(), photographs),
        ("EfficientNet-Lite0, 8 x 224 px", timm.create_model("efficientnet_lite0", pretrained=False), photographs),
        ("tiny_at, 256 x 32 px", load_model("tiny_at"), small),
    ]
    return [(name, model.eval().to(device), x.to(device)) for name, model, x in made]


def main() -> None:
    """Print one line per network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name, model, x in networks(torch.device(options.device)):
        for work in (plain, collected):
            seconds(work, model, x)
        pairs = [(seconds(plain, model, x), seconds(collected, model, x)) for _ in range(options.repeats)]
        without, beside = (list(column) for column in zip(*pairs, strict=True))
        ratio, typical = min(beside) / min(without), median(beside) / median(without)
        print(
            f"{name}: plain {1e3 * min(without):.1f} ms, collecting {1e3 * min(beside):.1f} ms, "
            f"ratio {ratio:.2f} (medians {typical:.2f}, aim {AIM})",
            flush=True,
        )


if __name__ == "__main__":
    main()
