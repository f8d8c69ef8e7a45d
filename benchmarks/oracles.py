"""All comparisons with oracles of the original code: the numbers of docs/parity.md.

    python benchmarks/oracles.py ORACLES SCRATCH

Runs `bench parity` on every folder, completed in SCRATCH: weights by genweights.py for the folder without any, and the
images and logits of the TensorFlow form. Then follow controls that must fail, and the original attack from the clean
image, in float32 and float64.
"""

import importlib.util
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.attacks.network import Network
from bench.attacks.pgd import Pgd
from bench.attacks.queue import Queue, Trial, Workload
from bench.cli import main as bench
from model_zoo.build import build, room_of
from model_zoo.fill import fill
from model_zoo.model import Model
from model_zoo.oracles import images_of, oracle_card, read_oracle
from model_zoo.parity import load_oracle

NOFROST, TENSORFLOW = "nofrost_nf_resnet50_full_224_noweights", "sat_tiny_silu_224_tfckpt"

CONTROLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("torch's padding", "sat_tiny_silu_224", {"padding": "torch"}),
    ("SAME padding everywhere", "sat_tiny_silu_224", {"padding": "same"}),
    ("torch's padding", "fb_tiny_denoise_224", {"padding": "torch"}),
    ("SiLU for GELU", "sat_tiny_gelu_224", {"activation": "silu"}),
    ("BN epsilon 1e-3 for 1e-5", "sateff_tiny_224", {"bn_eps": 1e-3}),
    ("averaged variables for raw", "sateff_tiny_224", {"average": True}),
    ("BN epsilon 1e-5 for 1e-3", "tfeff_tiny_eps1e-3_imagenet_224", {"bn_eps": 1e-5}),
    ("RGB for BGR", "sat_tiny_silu_224", {}),
    ("RGB for BGR", "fb_tiny_resnet_224", {}),
    ("BGR for RGB", "sateff_tiny_224", {}),
)
"""Planted error, oracle, and changed entries of its `[build]` table (none for the order of colours)."""

ATTACKED = ("sat_tiny_silu_224", "sat_tiny_smoothrelu_224", "fb_tiny_denoise_224")


def completed(source: Path, target: Path) -> None:
    """Copy all oracles and add the parts that can be generated."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for name in ("meta.json", "io.npz"):
        shutil.copyfile(source / "sat_tiny_silu_224" / name, target / TENSORFLOW / name)
    spec = importlib.util.spec_from_file_location("genweights", source / "genweights.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    variables = json.loads((source / NOFROST / "meta.json").read_text())["variables"]
    weights = {name: made.value_torch(name.removeprefix("module."), shape) for name, shape in variables.items()}
    np.savez(target / NOFROST / "weights.npz", **weights)


def control(path: Path, change: dict[str, Any]) -> tuple[float, bool]:
    """Return the relative logit difference of a deliberately wrong network, and whether any prediction changes."""
    oracle = read_oracle(path)
    card = oracle_card(oracle)
    card = replace(card, build={**card.build, **change})
    net = build(card)
    fill(net, room_of(card).convert(card, oracle.weights() or {}), card.name)
    if not change:
        other = "rgb" if card.input.channels == "bgr" else "bgr"
        card = replace(card, input=replace(card.input, channels=other))
    io = oracle.io()
    expected = torch.from_numpy(io["logits_raw" if "logits_raw" in io else "logits"])
    with torch.no_grad():
        found = Model(net, card)(images_of(io))
    moved = bool((found.argmax(1) != expected.argmax(1)).any())
    return float((found - expected).abs().max() / expected.abs().max()), moved


def same_pixels(path: Path, steps: int, dtype: torch.dtype) -> float:
    """Return the share of values that are equal after our PGD and after the original attack, from the clean image."""
    io = read_oracle(path).io()
    eps, step = (float(v) / 2 for v in io[f"pgd{steps}_eps_step"])  # stored on the [-1, 1] scale
    label, target = (torch.from_numpy(io[key]).long() for key in ("pgd_label", f"pgd{steps}_target"))
    targeted = bool((label != target).any())
    model, images = load_oracle(path).to(dtype), images_of(io)[: len(label)].to(dtype)
    search = Pgd("linf", eps, steps, step, targeted=targeted, random_start=False)
    aimed = nn.functional.one_hot(target, 1000).float()
    load = Workload(images, label, [str(i) for i in range(len(label))], aimed)
    trials = [Trial(search, rank=1 if targeted else 0)]
    queue = Queue(Network(model, torch.device("cpu")), trials, load, seed=0, batch_size=len(label))
    for index in range(len(label)):
        queue.add(index)
    queue.drain()
    found = torch.stack([queue.findings[i].image for i in range(len(label))]) * 2 - 1
    expected = torch.from_numpy(io[f"pgd{steps}_adv_nchw_bgr_minus1_1"]).flip(1)
    return float(((found - expected).abs() < 2e-6).float().mean())


def main(oracles: Path, scratch: Path) -> None:
    """Print all three parts."""
    torch.set_num_threads(1)
    completed(oracles, scratch)
    folders = sorted(str(p) for p in scratch.iterdir() if p.is_dir())
    print(f"exit code of bench parity: {bench(['parity', *folders])}")
    for what, name, change in CONTROLS:
        error, moved = control(scratch / name, change)
        print(f"| {what} | {name} | {error:.2g} | {'yes' if moved else 'no'} |", flush=True)
    for name in ATTACKED:
        for steps in (1, 5):
            shares = [same_pixels(scratch / name, steps, dtype) for dtype in (torch.float32, torch.float64)]
            print(f"| {name} | {steps} | {100 * shares[0]:.3f} % | {100 * shares[1]:.3f} % |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
