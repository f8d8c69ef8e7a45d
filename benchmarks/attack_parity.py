"""Comparison of the native engine's verdicts with pyautoattack's, by image and attack.

    python benchmarks/attack_parity.py record reference --cifar CIFAR.zip -n 100 --eps 1/255 --out reference.json
    python benchmarks/attack_parity.py record native    --cifar CIFAR.zip -n 100 --eps 1/255 --out native.json
    python benchmarks/attack_parity.py compare reference.json native.json

`record aa-fast` runs the cheaper ensemble and `record aa-fast-v1` its first version, which can be compared with either.
The reference takes minutes per surviving image; its records are kept, so that it runs once.
"""

import argparse
import json
import re
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from attack_models import Pictures, open_model, pictures

from bench.attacks.autoattack import aa_fast, apgd, apgd_t, autoattack, ensemble, square
from bench.attacks.base import Attack, parse_eps
from bench.attacks.budget import Norm
from bench.attacks.reference import reference


def first_version(norm: Norm, eps: Fraction) -> Attack:
    """The cheaper ensemble as it was at first: the same trials on every image."""
    parts = (apgd(norm, eps, steps=50), apgd_t(norm, eps, 6, 50), square(norm, eps, 1000, rescale=True))
    return ensemble("aa-fast", *parts, choices="v1")


ENGINES = {"native": autoattack, "reference": reference, "aa-fast": aa_fast, "aa-fast-v1": first_version}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    record = commands.add_parser("record")
    record.add_argument("engine", choices=sorted(ENGINES))
    record.add_argument("--model", default="example")
    record.add_argument("--cifar", type=Path)
    record.add_argument("-n", type=int, default=100)
    record.add_argument("--image", help="one of them alone: does it stand by its random starts?")
    record.add_argument("--norm", default="linf")
    record.add_argument("--eps", type=parse_eps, required=True)
    record.add_argument("--seed", type=int, default=0)
    record.add_argument("--batch-size", type=int, default=100)
    record.add_argument("--out", type=Path, required=True)
    record.set_defaults(func=record_verdicts)
    compare = commands.add_parser("compare")
    compare.add_argument("files", type=Path, nargs=2)
    compare.set_defaults(func=compare_verdicts)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.func(options)


def record_verdicts(options: argparse.Namespace) -> None:
    """Run one engine and write its result for each image."""
    shown = pictures(options.cifar, options.n)
    if options.image:
        place = shown.ids.index(options.image)
        shown = Pictures(shown.images[place : place + 1], shown.labels[place : place + 1], [options.image])
    attack = ENGINES[options.engine](options.norm, options.eps)
    started, used = time.perf_counter(), time.process_time()
    result = attack.run(
        open_model(options.model),
        shown.images,
        shown.labels,
        shown.ids,
        seed=options.seed,
        batch_size=options.batch_size,
    )
    found = {
        "engine": options.engine,
        "attack": attack.name,
        "implementation": attack.implementation,
        "model": options.model,
        "seed": options.seed,
        "ids": shown.ids,
        "broken_by": result.broken_by,
        "margin": result.margin.tolist(),
        "forward": result.cost.forward,
        "backward": result.cost.backward,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - used,
    }
    options.out.write_text(json.dumps(found, indent=1))
    print(f"{attack.name} {options.engine}: {dict(Counter(map(str, result.broken_by)))}, {found['cpu_seconds']:.0f} s")


def compare_verdicts(options: argparse.Namespace) -> None:
    """Print the agreement, both robust accuracies, and every image on which they differ."""
    first, second = (json.loads(path.read_text()) for path in options.files)
    if any(first[key] != second[key] for key in ("ids", "model")) or budget(first) != budget(second):
        raise SystemExit("the two files are not of the same model, budget and images: record them again")
    pairs = list(zip(first["ids"], first["broken_by"], second["broken_by"], strict=True))
    unlike = [(i, a, b) for i, a, b in pairs if (a is None) != (b is None)]
    print(f"{first['model']}, {first['attack']}, {len(pairs)} images")
    for side in (first, second):
        print(f"  {describe(side)}")
    same = sum(a == b for _, a, b in pairs)
    print(
        f"  verdicts agree on {1 - len(unlike) / len(pairs):.1%}, the attack that broke it on {same / len(pairs):.1%}"
    )
    cost = [side["forward"] + side["backward"] for side in (first, second)]
    print(f"  passes {cost[0] / cost[1]:.2f}x, CPU time {first['cpu_seconds'] / second['cpu_seconds']:.2f}x")
    for image, a, b in unlike:
        print(f"  {image}: {a or 'stands'} | {b or 'stands'}")


def budget(side: dict[str, Any]) -> str:
    """Return norm and eps as in the attack's name: `linf-eps8_255`."""
    found = re.search(r"(linf|l2)-eps[^-]+", side["attack"])
    return found.group() if found else side["attack"]


def describe(side: dict[str, Any]) -> str:
    """Return one engine's line."""
    counts = Counter(verdict or "stands" for verdict in side["broken_by"])
    passes = side["forward"] + side["backward"]
    return f"{side['engine']} (seed {side['seed']}): {dict(counts)}; {passes} passes, {side['cpu_seconds']:.0f} s"


if __name__ == "__main__":
    main()
