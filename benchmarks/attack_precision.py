"""Comparison of verdicts of searches in lower precision with those in float32, by image.

    python benchmarks/attack_precision.py --precision bf16 --models tiny_at,tiny_sat_silu,tiny_nofrost -n 60
    python benchmarks/attack_precision.py --models example --cifar CIFAR.zip --eps 1/255 -n 16
    python benchmarks/attack_precision.py --passes random:torchvision:resnet18     forward, and with its gradient

Each attack runs twice on the same images of one model; "equal" counts the images with equal verdicts. Times are CPU
time of one thread; processors without instructions for the precision are slower in it.
"""

import argparse
import statistics
import time
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import torch
from attack_models import open_model, pictures

from bench.attacks.autoattack import aa_fast, apgd
from bench.attacks.network import Network, Precision, freeze
from bench.attacks.presets import make_pgd
from model_zoo import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="tiny_at,tiny_sat_silu,tiny_nofrost")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--passes", metavar="MODEL", help="time this model's passes alone, on 8 random images")
    parser.add_argument("--cifar", type=Path, help="a zip of CLASS/NAME.jpg (default: the tiny set)")
    parser.add_argument("--eps", type=Fraction, default=Fraction(8, 255))
    parser.add_argument("-n", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    import_module("bench.attacks.compiled")  # takes seconds, once per process
    if options.passes:
        passes(options.passes, options.precision)
        return
    eps = options.eps
    attacks = (make_pgd("linf", eps, 20), apgd("linf", eps), aa_fast("linf", eps))
    print("| model | attack | float32 | lower | equal | CPU time, lower over float32 |\n|---|---|---:|---:|---:|---:|")
    for name in options.models.split(","):
        model, shown = open_model(name), pictures(options.cifar, options.n)
        for attack in attacks:
            found, spent = [], []
            for each in (attack, attack.searched_in(options.precision)):
                started = time.process_time()
                found.append(each.run(model, shown.images, shown.labels, shown.ids, batch_size=64).robust)
                spent.append(time.process_time() - started)
            left = " | ".join(f"{float(robust.double().mean()):.1%}" for robust in found)
            equal = int((found[0] == found[1]).sum())
            print(
                f"| {name} | {attack.family} | {left} | {equal} of {options.n} | {spent[1] / spent[0]:.1f}x |",
                flush=True,
            )


def passes(name: str, precision: Precision, rounds: int = 5) -> None:
    """Print CPU time in `precision` over that in float32, forward and with the gradient, median over rounds."""
    loaded = load_model(name)
    model, side = freeze(loaded), loaded.card.input.size
    x = torch.rand(8, 3, side, side, generator=torch.Generator().manual_seed(0))
    networks = [Network(model, torch.device("cpu"), each, channels_last=True) for each in ("fp32", precision)]
    for what in ("logits", "gradient"):
        ratios = []
        for _ in range(rounds + 1):
            spent = []
            for network in networks:
                started = time.process_time()
                network.logits(x) if what == "logits" else network.gradient(x, lambda logits: logits.logsumexp(1))
                spent.append(time.process_time() - started)
            ratios.append(spent[1] / spent[0])
        print(f"{name}, {what}: {statistics.median(ratios[1:]):.2f} of the CPU time in float32")


if __name__ == "__main__":
    main()
