"""Independence of verdicts from batch size and sharding: the same attack at several batch sizes, whole and in shards.

python benchmarks/attack_batches.py --model tiny_at -n 200 --eps 8/255
"""

import argparse
from pathlib import Path

import torch
from attack_models import Pictures, open_model, pictures
from torch import Tensor, nn

from bench.attacks.autoattack import aa_fast, autoattack
from bench.attacks.base import Attack, parse_eps

ATTACKS = {"autoattack": autoattack, "aa-fast": aa_fast}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="example")
    parser.add_argument("--attack", choices=sorted(ATTACKS), default="autoattack")
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--eps", type=parse_eps, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shown, model = pictures(options.cifar, options.n), open_model(options.model)
    attack = ATTACKS[options.attack]("linf", options.eps)
    found = {
        "batch 8": stands(attack, model, shown, 8),
        "batch 64": stands(attack, model, shown, 64),
        "batch 200": stands(attack, model, shown, 200),
        "3 shards, batch 64": shards(attack, model, shown, 3),
    }
    first = found["batch 8"]
    print(f"{options.model}, {attack.name}, {len(shown.ids)} images")
    for name, mask in found.items():
        print(f"  {name:20} {float(mask.float().mean()):.1%} left, {int((mask != first).sum())} differ from batch 8")


def stands(attack: Attack, model: nn.Module, shown: Pictures, batch_size: int) -> Tensor:
    """Return which images withstand the attack, bool [n]."""
    return attack.run(model, shown.images, shown.labels, shown.ids, batch_size=batch_size).robust


def shards(attack: Attack, model: nn.Module, shown: Pictures, count: int) -> Tensor:
    """Return the same from `count` independent runs on every count-th image each, bool [n]."""
    mask = torch.zeros(len(shown.ids), dtype=torch.bool)
    for index in range(count):
        part = Pictures(shown.images[index::count], shown.labels[index::count], shown.ids[index::count])
        mask[index::count] = stands(attack, model, part, 64)
    return mask


if __name__ == "__main__":
    main()
