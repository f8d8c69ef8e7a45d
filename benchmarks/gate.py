"""What the regression gate catches and what it lets pass, with the weights' hash left aside.

Plants regressions in embedded models (weight noise that costs about 3 points, batch norm's statistics reset, a wrong
mean in the card) and lets each through `bench check`; then checks the untouched models at 20 seeds and batch sizes.

    python benchmarks/gate.py [--model tiny_at,tiny_mbn@adv] [--runs 20]
"""

import argparse
import copy
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from bench.datasets.embedded_set import open_embedded
from bench.reports.check import Report, accept, check
from model_zoo.load import Model, load_model

COST = 0.03
BATCHES = (1, 7, 16, 32, 50, 64, 100, 128, 200, 256)
IMAGENET_MEAN = (0.485, 0.456, 0.406)


def accuracy(model: Model, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Top-1 on `images` [n, 3, h, w]."""
    with torch.inference_mode():
        return float((torch.cat([model(part) for part in images.split(256)]).argmax(1) == labels).float().mean())


def noisy(model: Model, scale: float) -> Model:
    """Every weight plus normal noise of `scale` times its tensor's standard deviation, the same draws at any scale."""
    changed = copy.deepcopy(model)
    draws = torch.Generator().manual_seed(0)
    for weight in changed.net.parameters():
        spread = weight.std() if weight.numel() > 1 else weight.abs()
        weight.add_(torch.randn(weight.shape, generator=draws) * spread * scale)
    return changed


def noise_that_costs(model: Model, cost: float) -> Model:
    """Bisection of the noise until the model loses `cost` of its clean accuracy."""
    dataset = open_embedded("tiny")
    images = torch.stack([torch.frombuffer(bytearray(dataset.read(i).tobytes()), dtype=torch.uint8)
                          for i in range(len(dataset))]).view(-1, 32, 32, 3).permute(0, 3, 1, 2) / 255  # fmt: skip
    labels = torch.tensor(dataset.targets)
    whole = accuracy(model, images, labels)
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if whole - accuracy(noisy(model, middle), images, labels) > cost else (middle, high)
    return noisy(model, high)


def reset_statistics(model: Model) -> Model:
    """Running mean 0 and variance 1 in every batch norm."""
    changed = copy.deepcopy(model)
    for layer in changed.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    return changed


def wrong_mean(model: Model, mean: tuple[float, float, float]) -> Model:
    """The card says `mean`."""
    card = dataclasses.replace(model.card, input=dataclasses.replace(model.card.input, mean=mean))
    return Model(copy.deepcopy(model.net), card, model.branch)


PLANTED: dict[str, Callable[[Model], Model]] = {
    "weight noise costing about 3 points": lambda model: noise_that_costs(model, COST),
    "batch norm statistics reset": reset_statistics,
    "mean 0.05 in place of 0 in the card": lambda model: wrong_mean(model, (0.05,) * 3),
    "ImageNet's mean in place of 0 in the card": lambda model: wrong_mean(model, IMAGENET_MEAN),
}


def tell(title: str, report: Report, seconds: float) -> None:
    """One row of the table: the verdict, and the first evidence."""
    verdict = "**caught**" if report.regressed else "passes"
    worst = (report.regressed or report.findings)[0]
    print(f"| {title} | {verdict} | {worst.what}: {worst.evidence} | {seconds:.0f} s |", flush=True)


def timed(models: list[Model], baseline: Path, **options: int) -> tuple[Report, float]:
    """A check without hashes, and its wall time."""
    start = time.perf_counter()
    report = check(models, baseline=baseline, hashes=False, **options)
    return report, time.perf_counter() - start


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="tiny_at,tiny_mbn@adv")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    models = [load_model(name) for name in options.model.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        baseline = Path(folder)
        accept(models, baseline=baseline)
        print("| planted | gate | evidence | time |\n|---|---|---|---:|")
        for model in models:
            for title, plant in PLANTED.items():
                tell(f"`{model.name}`: {title}", *timed([plant(model)], baseline))
        print(
            f"\n| untouched {', '.join(f'`{m.name}`' for m in models)} | gate | evidence | time |\n|---|---|---|---:|"
        )
        passed = 0
        for run in range(options.runs):
            seed, batch = run + 1, BATCHES[run % len(BATCHES)]
            report, seconds = timed(models, baseline, seed=seed, batch_size=batch)
            passed += not report.regressed
            attacked = [finding for finding in report.findings if "pgd-linf" in finding.what]
            tell(f"seed {seed}, batch size {batch}", Report((*report.regressed, *attacked)), seconds)
        print(f"\n{passed} of {options.runs} pass")


if __name__ == "__main__":
    main()
