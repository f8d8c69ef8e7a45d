"""Cost of hashing models and images in a clean run: CPU seconds of its parts and of the whole.

    python benchmarks/identity_cost.py [IMAGES] [ARCHITECTURE]

Images of 500 x 375 pixels are read from disk and classified by a torchvision network with random weights. Shares refer
to the process's CPU time, so that other processes do not count.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision

import bench
from bench.datasets import content, folder
from bench.engine import execute, reading, session
from bench.testing import write_pictures
from model_zoo.card import InputSpec, ModelCard, WeightsSpec
from model_zoo.model import Model

SPENT: Counter[str] = Counter()


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with its thread's CPU seconds added up."""

    def wrapper(*arguments: Any, **named: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*arguments, **named)
        finally:
            SPENT[name] += time.thread_time() - started

    return wrapper


def main(images: int = 200, architecture: str = "resnet50") -> None:
    """Print each part's share."""
    torch.set_num_threads(1)
    folder.content_hash = timed("content hashes", content.content_hash)
    session.state_of = execute.state_of = reading.state_of = timed("states of files", session.state_of)
    session.take_sample = timed("sample of the set", session.take_sample)  # its hashes are counted twice
    Model.identity = timed("identity: hash and probe", Model.identity)  # type: ignore[method-assign]
    wnids = [f"n0144{n:04d}" for n in (764,)]
    with tempfile.TemporaryDirectory() as place:
        data = write_pictures(Path(place) / "imagenet", wnids, images, size=375, width=500)
        net = getattr(torchvision.models, architecture)()
        spec, weights = InputSpec(224, resize=256), WeightsSpec("none", "user", "-")
        model = Model(net, ModelCard(architecture, "standard", architecture, spec, weights))
        started = time.process_time()
        bench.run(model, "imagenet", data=data, out=Path(place) / "out", quiet=True)
        whole = time.process_time() - started
        records = sum(p.stat().st_size for p in Path(place).glob("out/cells/*/*.parquet"))
    print(f"{architecture}, {images} images: {whole:.1f} s of CPU, {records / images:.0f} bytes a record on the disk")
    for name, seconds in SPENT.items():
        print(f"  {name}: {seconds:.3f} s, {100 * seconds / whole:.2f} %")
    print(f"  together {100 * sum(SPENT.values()) / whole:.2f} %")


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, str), sys.argv[1:], strict=False)))
