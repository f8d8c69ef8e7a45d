"""Tests and measurements on a GPU, as one Markdown page: `make gpu`; about ten minutes on one card.

Covers agreement of every attack and corruption with the CPU, the ensemble's speed compared with pyautoattack and a
plain loop, precisions, channels-last and compile, live corruptions compared with decoding, memory, and running out of
memory. `--tiny` runs the same code in seconds on any device, as the tests do. It has not been run on a GPU yet.
"""

import argparse
import copy
import io
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bench.attacks.autoattack import aa_fast, apgd, fab_t, square
from bench.attacks.base import Attack
from bench.attacks.presets import make_pgd
from bench.corruptions import EXTRA, NAMES, Corruption, image_keys
from bench.datasets import tiny
from model_zoo.load import load_model
from model_zoo.nets.with_timm import import_timm

EPS, PIXEL = Fraction(8, 255), Fraction(1, 255)


@dataclass(frozen=True)
class Size:
    """Size of the work: images, attack steps, timed passes, networks by timm's name and image side in pixels."""

    images: int = 64
    steps: int = 20
    repeats: int = 10
    networks: tuple[str, ...] = ("resnet50", "vit_small_patch16_224")
    side: int = 224
    batch: int = 128


TINY = Size(images=4, steps=2, repeats=1, networks=("test_efficientnet",), side=64, batch=4)


def page(device: torch.device, size: Size) -> Iterator[str]:
    """Yield the page's lines; a failing part yields its error, and the others run."""
    yield f"# {card_name(device)}"
    yield f"\nPython {platform.python_version()}, torch {torch.__version__}, {driver(device)}\n"
    for part in (agreement, corruptions, speed, precision, live, out_of_memory):
        yield f"\n## {part.__name__.replace('_', ' ')}\n"
        try:
            yield from part(device, size)
        except Exception as error:  # the other parts still run
            yield f"FAILED: {type(error).__name__}: {error}"


def card_name(device: torch.device) -> str:
    """Return the card's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def driver(device: torch.device) -> str:
    """Return CUDA's and the driver's versions, if any."""
    if device.type != "cuda":
        return "no CUDA device: this is a trial of the page, not a measurement"
    asked = ["nvidia-smi", "--query-gpu=driver_version,memory.total", "--format=csv,noheader"]
    return f"CUDA {torch.version.cuda}, driver {subprocess.run(asked, capture_output=True, text=True).stdout.strip()}"


def attacks(steps: int) -> tuple[Attack, ...]:
    """Return one attack of every kind."""
    return (
        make_pgd("linf", EPS, steps, 2 * PIXEL), make_pgd("l2", Fraction(1, 2), steps, Fraction(1, 10)),
        make_pgd("linf", EPS, steps, 2 * PIXEL, targeted=True), apgd("linf", EPS, steps=steps),
        apgd("l2", Fraction(1, 2), "dlr", steps), fab_t("linf", EPS, 2, steps), square("linf", EPS, 10 * steps),
    )  # fmt: skip


def pictures(n: int) -> tuple[Tensor, Tensor, list[str]]:
    """Return tiny images, labels and ids."""
    drawn = tiny.generate("val", n)
    images = torch.from_numpy(np.ascontiguousarray(drawn.images)).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(drawn.labels).long(), [str(i) for i in range(n)]


def agreement(device: torch.device, size: Size) -> Iterator[str]:
    """Yield counts of verdicts that differ from the CPU's: rounding may flip a borderline image; more is a fault."""
    here = load_model("tiny_at")
    there = copy.deepcopy(here).to(device)
    images, labels, ids = pictures(size.images)
    yield "| attack | verdicts that differ | largest difference of margins |\n|---|---|---|"
    for attack in attacks(size.steps):
        one, other = (attack.run(net, images, labels, ids, batch_size=size.batch) for net in (here, there))
        differ = int((one.robust != other.robust).sum())
        yield f"| {attack.name} | {differ} of {len(ids)} | {(one.margin - other.margin).abs().max():.2g} |"


def corruptions(device: torch.device, size: Size) -> Iterator[str]:
    """Yield counts of bytes that differ from the CPU's by more than one grey level."""
    drawn = np.ascontiguousarray(tiny.generate("val", size.images).images)
    yield "| corruption | bytes off by more than 1 |\n|---|---|"
    for name in (*NAMES, *EXTRA):
        corruption = Corruption(name, 3, jpeg_quality=None)
        keys = image_keys(0, [str(i) for i in range(len(drawn))], str(corruption))
        found = corruption.on(torch.from_numpy(drawn).to(device), keys).cpu().numpy()
        yield f"| {name} | {(np.abs(found.astype(int) - corruption(drawn, keys)) > 1).mean():.2%} |"


def network(name: str, device: torch.device) -> nn.Module:
    """Return an untrained network of timm with batch norms fitted to its activations, for gradients of usual size."""
    torch.manual_seed(0)
    net: nn.Module = import_timm().create_model(name, num_classes=1000)
    net.train()
    with torch.no_grad():
        net(torch.rand(4, 3, 64 if "test" in name else 224, 64 if "test" in name else 224))
    return net.eval().requires_grad_(False).to(device)


def seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the minimum of `repeats` synchronised runs after a warm-up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        torch.get_device_module(device).synchronize() if device.type != "cpu" else None
        times.append(time.perf_counter() - start)
    return min(times[1:])


def speed(device: torch.device, size: Size) -> Iterator[str]:
    """Yield images per second of our APGD, of pyautoattack's, and of a plain loop with as many gradients."""
    yield "| network | here, APGD-CE | pyautoattack, APGD-CE | bare loop of gradients | memory |\n|---|---|---|---|---|"
    for name in size.networks:
        net = network(name, device)
        images = torch.rand(size.images, 3, size.side, size.side)
        labels = net(images.to(device)).argmax(1).cpu()
        ids = [str(i) for i in range(len(images))]
        eps = Fraction(1, 25500)  # so small that most images survive and need all steps
        own = apgd("linf", eps, steps=size.steps)
        one = seconds(lambda: own.run(net, images, labels, ids, batch_size=size.batch), device, 1)  # noqa: B023
        bare = seconds(lambda: _gradients(net, images, labels, device, size), device, 1)  # noqa: B023
        peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else float("nan")
        theirs = _theirs(net, images, labels, float(eps), device, size)
        rates = " | ".join(f"{len(images) / t:.1f}" for t in (one, theirs, bare))
        yield f"| {name} | {rates} | {peak:.1f} GiB |"


def _gradients(net: nn.Module, images: Tensor, labels: Tensor, device: torch.device, size: Size) -> None:
    for x, y in zip(images.split(size.batch), labels.split(size.batch), strict=True):
        leaf, y = x.to(device).requires_grad_(), y.to(device)
        for _ in range(size.steps):
            torch.autograd.grad(nn.functional.cross_entropy(net(leaf), y, reduction="sum"), [leaf])


def _theirs(net: nn.Module, images: Tensor, labels: Tensor, eps: float, device: torch.device, size: Size) -> float:
    if device.type not in ("cpu", "cuda"):
        return float("nan")  # it draws random numbers on the device
    from pyautoattack import AutoAttack

    attack = AutoAttack(net, norm="Linf", eps=eps, version="custom", attacks=["apgd-ce"], device=device)
    attack.apgd.n_iter, attack.apgd.n_restarts, attack.verbose = size.steps, 1, False
    run = attack.run_standard_evaluation
    return seconds(lambda: run(images.to(device), labels.to(device), batch_size=size.batch), device, 1)


def precision(device: torch.device, size: Size) -> Iterator[str]:
    """Yield images per second of a forward pass, and the logits' distance from float32 relative to their spread."""
    yield "| network | precision | images/s | logits off by |\n|---|---|---|---|"
    for name in size.networks:
        net, x = network(name, device), torch.rand(size.batch, 3, size.side, size.side).to(device)
        with torch.inference_mode():
            exact = net(x).float().cpu()
            for label, changed, given in _variants(net, x, device):
                found = changed(given).float().cpu()
                off = (found - exact).abs().max() / exact.std()
                rate = len(x) / seconds(lambda: changed(given), device, size.repeats)  # noqa: B023
                torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
                yield f"| {name} | {label} | {rate:.0f} | {off:.2g} |"


def _variants(net: nn.Module, x: Tensor, device: torch.device) -> Iterator[tuple[str, nn.Module, Tensor]]:
    yield "fp32", net, x
    yield "fp32, channels last", net, x.contiguous(memory_format=torch.channels_last)
    for dtype in (torch.bfloat16, torch.float16) if device.type in ("cpu", "cuda") else ():
        yield str(dtype).removeprefix("torch."), copy.deepcopy(net).to(dtype), x.to(dtype)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        yield "tf32", net, x
        compiled: nn.Module = torch.compile(net, mode="reduce-overhead")  # CUDA graphs
        yield "fp32, compiled with CUDA graphs", compiled, x


def live(device: torch.device, size: Size) -> Iterator[str]:
    """Yield images per second corrupted on the device, and JPEGs per second decoded by one host core."""
    drawn = (np.random.default_rng(0).random((min(size.images, 32), size.side, size.side, 3)) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(drawn[0]).save(buffer, "JPEG", quality=85)
    decode = seconds(lambda: [np.asarray(Image.open(buffer).convert("RGB")) for _ in drawn], torch.device("cpu"), 1)
    yield f"decoding, one core: {len(drawn) / decode:.0f}/s\n\n| corruption | pictures/s |\n|---|---|"
    there = torch.from_numpy(drawn).to(device)
    for name in (*NAMES, *EXTRA):
        corruption = Corruption(name, 3)
        keys = image_keys(0, [str(i) for i in range(len(drawn))], str(corruption))
        yield f"| {name} | {len(drawn) / seconds(lambda: corruption.on(there, keys), device, 1):.0f} |"  # noqa: B023


def out_of_memory(device: torch.device, size: Size) -> Iterator[str]:
    """Yield whether verdicts are unchanged if memory runs out and the batch is halved."""
    net = load_model("tiny_at").to(device)
    images, labels, ids = pictures(size.images)
    attack = make_pgd("linf", EPS, size.steps, 2 * PIXEL)
    whole = attack.run(net, images, labels, ids, batch_size=2)
    halved = attack.run(net, images, labels, ids, batch_size=size.batch)
    differ = int((whole.robust != halved.robust).sum())
    yield f"verdicts that differ between batches of 2 and of {size.batch}: {differ}"
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        taken = torch.empty(int(free * 0.97), dtype=torch.uint8, device=device)
        found = aa_fast("linf", EPS).run(net, images, labels, ids, batch_size=size.images)
        yield f"with 3 % of the memory: {int(found.robust.sum())} of {len(ids)} stand; no error"
        del taken


def main() -> int:
    """Write and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="seconds, on any device")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(
            "no CUDA device here: on a machine that has one, `make gpu`; a trial: benchmarks/gpu.py --device cpu --tiny"
        )
        return 5
    lines = []
    for line in page(device, TINY if arguments.tiny else Size()):
        print(line, flush=True)
        lines.append(line)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if any(line.startswith("FAILED") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
