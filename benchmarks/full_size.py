"""Full-size test: random weights in each checkpoint's released format, from the cache to logits.

    python benchmarks/full_size.py ORACLES SCRATCH [--models a,b] [--pictures FOLDER]

For each network, the released files are written with random numbers into a weights cache under SCRATCH, then read,
converted and run on one image in a separate process, twice (TensorFlow files are converted the first time only). Prints
CPU time and peak memory of the process. EfficientNet-L1's names come from ORACLES.

With --pictures, imagecorruptions writes an ImageNet-C folder in the official layout, and `bench run --model
sat_resnet50 --suite imagenet-c` runs with BENCH_DATA and the cache, then without the weights.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/model_zoo"))

from model_zoo import cache, weights
from model_zoo.build import build
from model_zoo.card import ModelCard
from model_zoo.load import load_model
from model_zoo.nets.resnet import ResNetSpec
from model_zoo.registry import find_card

MODELS = (
    "sat_resnet50",
    "sat_resnext152_32x8d_380",
    "sat_efficientnet_l1",
    "nofrost_resnet50",
    "intriguing_resnet638_mbn",
)

Shape = tuple[int, ...]


def batch_norm(name: str, channels: int) -> dict[str, Shape]:
    """Return tensorpack's variables of one batch norm."""
    return {f"{name}/bn/{part}": (channels,) for part in ("gamma", "beta", "mean/EMA", "variance/EMA")}


def tensorpack_variables(spec: ResNetSpec) -> dict[str, Shape]:
    """Return names and shapes of a bottleneck ResNet's variables, as saved by cihangxie/SmoothAdversarialTraining."""
    found: dict[str, Shape] = {"conv0/W": (7, 7, 3, 64), **batch_norm("conv0", 64)}
    before = 64
    for group, (blocks, width) in enumerate(zip(spec.blocks, spec.widths, strict=True)):
        inner, after = width * spec.groups * spec.group_width // 64, 4 * width
        for block in range(blocks):
            place = f"group{group}/block{block}"
            shapes = {
                "conv1": (1, 1, before, inner),
                "conv2": (3, 3, inner // spec.groups, inner),
                "conv3": (1, 1, inner, after),
            }
            if block == 0:
                shapes["convshortcut"] = (1, 1, before, after)
            for layer, shape in shapes.items():
                found |= {f"{place}/{layer}/W": shape, **batch_norm(f"{place}/{layer}", shape[3])}
            before = after
    return found | {"linear/W": (before, 1000), "linear/b": (1000,)}


def random_value(name: str, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Return random numbers that preserve the scale of activations."""
    if name == "global_step":
        return np.array(1, np.int64)
    if name.endswith(("W", "kernel")):
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(max(1, np.prod(shape[:-1])) ** -0.5)
    return rng.uniform(0.3, 0.7, shape).astype(np.float32)


def write_released(card: ModelCard, oracles: Path) -> Path | None:
    """Write the checkpoint's files with random numbers into the cache; returns the file for --weights if unreleased."""
    rng = np.random.default_rng(0)
    if card.weights.format == "tf_checkpoint":
        from tensorflow_writer import write_checkpoint

        names = (
            json.loads((oracles / "sateff_L1_names_only/meta.json").read_text())["variables"]
            if "efficientnet" in card.name
            else tensorpack_variables(ResNetSpec.from_card(card))
        )
        index = weights.where(card)[0].path
        index.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(index.with_suffix(""), {name: random_value(name, tuple(s), rng) for name, s in names.items()})
        return None
    released = bool(card.weights.files)
    path = weights.where(card)[0].path if released else cache.cache_dir() / f"{card.name}.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    state = build(card).state_dict()
    torch.save({f"module.{key}": value for key, value in state.items()} if released else state, path)
    return None if released else path


def measure(name: str, file: Path | None) -> None:
    """Load the network and run one image in this process; print time and memory."""
    torch.set_num_threads(1)
    imports = peak()
    start = time.process_time()
    model = load_model(name, weights_file=file)
    loaded = time.process_time()
    with torch.no_grad():
        logits = model(torch.rand(1, 3, model.input.size, model.input.size))
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M | {model.input.size} px "
        f"| {loaded - start:.1f} s | {time.process_time() - loaded:.2f} s | {peak():.2f} GiB ({imports:.2f} imports) "
        f"| {'finite' if bool(logits.isfinite().all()) else 'NOT FINITE'} |",
        flush=True,
    )


def peak() -> float:
    """Return this process's peak memory in GiB (Linux)."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**20


def write_imagenet_c(pictures: Path, root: Path, count: int) -> None:
    """Write `count` images under all 75 conditions in the layout of the release."""
    from imagecorruptions import corrupt

    from bench.corruptions import NAMES, SEVERITIES
    from bench.datasets.preprocess import crop_224

    files = sorted(pictures.glob("*/*.JPEG"))
    for file in files[:: max(1, len(files) // count)][:count]:
        clean = crop_224(Image.open(file).convert("RGB"))
        for name in NAMES:
            for severity in SEVERITIES:
                place = root / name / str(severity) / file.parent.name
                place.mkdir(parents=True, exist_ok=True)
                buffer = io.BytesIO()
                Image.fromarray(corrupt(clean, severity, name)).save(buffer, "JPEG", quality=85, optimize=True)
                (place / file.name).write_bytes(buffer.getvalue())


def typed(command: str, environment: dict[str, str], folder: Path) -> None:
    """Run a command; print it, its output and its exit code."""
    print(f"$ {command}", flush=True)
    done = subprocess.run(
        command.split(), cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    print(f"{done.stdout}{done.stderr}exit code {done.returncode}", flush=True)


def main() -> None:
    """Measure all networks, then ImageNet-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oracles", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["BENCH_CACHE"] = str(options.scratch / "cache")
    if options.measure:
        return measure(options.measure[0], Path(options.measure[1]) if options.measure[1:] else None)
    print("| network | load | parameters | input | load and convert | one image | peak memory | logits |")
    for name in options.models.split(","):
        card = find_card(name)
        file = write_released(card, options.oracles)
        for again in ("first", "again") if card.weights.format == "tf_checkpoint" else ("first",):
            print(f"| `{name}` | {again} |", end=" ", flush=True)
            arguments = [str(a) for a in (options.oracles, options.scratch, "--measure", name, file) if a]
            subprocess.run([sys.executable, __file__, *arguments], check=True)
    if options.pictures:
        data = options.scratch / "data"
        write_imagenet_c(options.pictures, data / "imagenet-c", 2)
        environment = {"BENCH_DATA": str(data), "BENCH_CACHE": os.environ["BENCH_CACHE"]}
        command = "bench run --model sat_resnet50 --suite imagenet-c"
        typed(command, environment, options.scratch)
        shutil.rmtree(weights.where(find_card("sat_resnet50"))[0].path.parent)
        typed(command, environment, options.scratch)
    return None


if __name__ == "__main__":
    main()
