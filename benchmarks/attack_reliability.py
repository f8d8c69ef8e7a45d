"""Reliability verdicts on undefended and adversarially trained models and on defences that mask gradients.

    python benchmarks/attack_reliability.py --models tiny_std,tiny_at,tiny_std+quantised,tiny_std+scaled --eps 8/255
    python benchmarks/attack_reliability.py --models tiny_std+resized,tiny_std+saturated --eps 8/255

The thresholds were fixed on the first two defences (`+quantised`, `+scaled`); the others were only tested.
"""

import argparse
from pathlib import Path

import torch
from attack_models import open_model, pictures

from bench.attacks.base import parse_eps
from bench.attacks.reliability import assess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True)
    parser.add_argument("--surrogate", help="a model whose adversarial examples are tried on the others")
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("-n", type=int, default=32)
    parser.add_argument("--eps", type=parse_eps, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shown = pictures(options.cifar, options.n)
    other = open_model(options.surrogate) if options.surrogate else None
    for name in options.models.split(","):
        verdict = assess(
            open_model(name),
            shown.images,
            shown.labels,
            shown.ids,
            "linf",
            options.eps,
            surrogate=other if name != options.surrogate else None,
        )
        print(f"{name}: {verdict}")
        for finding in verdict.findings:
            print(f"    {finding.level:10} {finding}")


if __name__ == "__main__":
    main()
