"""Comparison of verdicts of searches in lower precision with those in float32, by image.

    python benchmarks/attack_precision.py --precision bf16 --models tiny_at,tiny_sat_silu,tiny_nofrost -n 60
    python benchmarks/attack_precision.py --models example --cifar CIFAR.zip --eps 1/255 -n 24

Each attack runs twice on the same images of one model; "equal" counts the images with equal verdicts. Times are CPU
time of one thread; processors without instructions for the precision are slower in it.
"""

import argparse
import time
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import torch
from attack_models import open_model, pictures

from bench.attacks.autoattack import aa_fast, apgd
from bench.attacks.presets import make_pgd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="tiny_at,tiny_sat_silu,tiny_nofrost")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--cifar", type=Path, help="a zip of CLASS/NAME.jpg (default: the tiny set)")
    parser.add_argument("--eps", type=Fraction, default=Fraction(8, 255))
    parser.add_argument("-n", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    import_module("bench.attacks.compiled")  # takes seconds, once per process
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


if __name__ == "__main__":
    main()
