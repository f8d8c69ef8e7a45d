"""Clean images per second: `bench run` against a bare loop, and against the model alone, in turn in one process.

    python benchmarks/throughput.py DIR [ROUNDS]

The bare loop decodes, resizes and runs the same model, batch by batch, without plan, threads or records. The model
alone runs on tensors in memory. Rounds alternate, and ratios are of medians.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode

from bench.engine.run import carry_out, prepare
from model_zoo import load_model

BATCH = 32


def main(data: Path, rounds: int) -> None:
    torch.set_num_threads(1)
    model = load_model("efficientnet_lite0")
    files = sorted(data.glob("*/*.JPEG"))
    show = T.Compose([T.Resize(256, InterpolationMode.BICUBIC), T.CenterCrop(224), T.ToTensor()])
    tensors = torch.stack([show(Image.open(f).convert("RGB")) for f in files])

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, len(files), BATCH):
                pictures = [show(Image.open(f).convert("RGB")) for f in files[start : start + BATCH]]
                model(torch.stack(pictures)).argmax(1)

    def alone() -> None:
        with torch.inference_mode():
            for start in range(0, len(files), BATCH):
                model(tensors[start : start + BATCH]).argmax(1)

    def ours() -> None:
        with tempfile.TemporaryDirectory() as out:
            carry_out(prepare(model, "imagenet", data=data, out=out, batch_size=BATCH, device="cpu"), quiet=True)

    tasks: dict[str, Callable[[], None]] = {"bench run": ours, "bare loop": bare, "model alone": alone}
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(rounds):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - started)
    rate = {name: len(files) / statistics.median(times) for name, times in seconds.items()}
    for name, images in rate.items():
        print(f"{name}: {images:.1f} images/s (seconds {', '.join(f'{s:.2f}' for s in seconds[name])})")
    print(f"bench run / bare loop: {rate['bench run'] / rate['bare loop']:.2f}")
    print(f"bench run / model alone: {rate['bench run'] / rate['model alone']:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
