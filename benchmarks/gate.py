"""Regressions that the gate detects and misses without checking the weights' hash.

Plants regressions in tiny models (weight noise that costs about 3 points, reset batch-norm statistics, a wrong mean in
the card) and runs `bench check` on each; then checks the unchanged models with 20 seeds and batch sizes.

    python benchmarks/gate.py [--model tiny_at,tiny_mbn@adv] [--runs 20] [--page docs/check.md]
"""

import argparse
import copy
import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from bench.datasets.tiny_set import open_tiny
from bench.gate.check import Report, accept, check
from model_zoo.load import load_model
from model_zoo.model import Model
from tools.pages import between

COST = 0.03
BATCHES = (5, 7, 16, 32, 50, 64, 100, 128, 200, 256)
BEGIN = "<!-- generated: gate -->"
IMAGENET_MEAN = (0.485, 0.456, 0.406)


def accuracy(model: Model, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return top-1 accuracy on `images` [n, 3, h, w], in [0, 1]."""
    with torch.inference_mode():
        return float((torch.cat([model(part) for part in images.split(256)]).argmax(1) == labels).float().mean())


def noisy(model: Model, scale: float) -> Model:
    """Add normal noise of `scale` times each tensor's standard deviation to the weights; equal draws at any scale."""
    changed = copy.deepcopy(model)
    draws = torch.Generator().manual_seed(0)
    for weight in changed.net.parameters():
        spread = weight.std() if weight.numel() > 1 else weight.abs()
        weight.add_(torch.randn(weight.shape, generator=draws) * spread * scale)
    return changed


def noise_that_costs(model: Model, cost: float) -> Model:
    """Bisect the noise scale until clean accuracy falls by `cost`."""
    dataset = open_tiny("tiny")
    images = (
        torch.stack(
            [torch.frombuffer(bytearray(dataset.read(i).tobytes()), dtype=torch.uint8) for i in range(len(dataset))]
        )
        .view(-1, 32, 32, 3)
        .permute(0, 3, 1, 2)
        / 255
    )
    labels = torch.tensor(dataset.targets)
    whole = accuracy(model, images, labels)
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if whole - accuracy(noisy(model, middle), images, labels) > cost else (middle, high)
    return noisy(model, high)


def reset_statistics(model: Model) -> Model:
    """Set running mean 0 and variance 1 in every batch norm."""
    changed = copy.deepcopy(model)
    for layer in changed.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    return changed


def wrong_mean(model: Model, mean: tuple[float, float, float]) -> Model:
    """Return the model with `mean` on its card."""
    card = dataclasses.replace(model.card, input=dataclasses.replace(model.card.input, mean=mean))
    return Model(copy.deepcopy(model.net), card, model.branch)


PLANTED: dict[str, Callable[[Model], Model]] = {
    "weight noise costing about 3 points": lambda model: noise_that_costs(model, COST),
    "batch norm statistics reset": reset_statistics,
    "mean 0.05 in place of 0 in the card": lambda model: wrong_mean(model, (0.05,) * 3),
    "ImageNet's mean in place of 0 in the card": lambda model: wrong_mean(model, IMAGENET_MEAN),
}


class Page:
    """Printed lines, collected for insertion between the two markers of a page."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Print and store a line."""
        print(line, flush=True)
        self.lines.append(line)

    def row(self, title: str, report: Report) -> None:
        """Print the verdict, with the evidence of the first regression or, without one, of the attacked images."""
        verdict = "**caught**" if report.regressed else "passes"
        attacked = tuple(finding for finding in report.findings if "pgd-linf" in finding.what)
        told = (*report.regressed, *attacked, *report.findings)[0]
        self.say(f"| {title} | {verdict} | {told.what}: {told.evidence} |")

    def write(self, path: Path) -> None:
        """Replace the part between the markers."""
        path.write_text(between(path.read_text(encoding="utf-8"), BEGIN, self.lines), encoding="utf-8")


def main() -> None:
    """Print both tables and insert them into the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="tiny_at,tiny_mbn@adv")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--page", type=Path, help="such as docs/check.md")
    options = parser.parse_args()
    models, page = [load_model(name) for name in options.model.split(",")], Page()
    with tempfile.TemporaryDirectory() as folder:
        baseline = Path(folder)
        accept(models, baseline=baseline)
        page.say("| planted | gate | evidence |\n|---|---|---|")
        for model in models:
            for title, plant in PLANTED.items():
                page.row(f"`{model.name}`: {title}", check([plant(model)], baseline=baseline, hashes=False))
        names = ", ".join(f"`{model.name}`" for model in models)
        page.say(f"\n| untouched {names} | gate | evidence |\n|---|---|---|")
        passed = 0
        for run in range(options.runs):
            seed, batch = run + 1, BATCHES[run % len(BATCHES)]
            report = check(models, baseline=baseline, hashes=False, seed=seed, batch_size=batch)
            passed += not report.regressed
            page.row(f"seed {seed}, batch size {batch}", report)
        page.say(f"\n{passed} of {options.runs} pass")
    if options.page:
        page.write(options.page)


if __name__ == "__main__":
    main()
