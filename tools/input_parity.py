"""Test of bit-equal preprocessing with other libraries: `make input-parity`.

For every ImageNet model of timm, torchvision and RobustBench (if installed), compare the tensor that the protocol
`published` passes to the network with the library's own, on two images of different shape. Prints counts of equal and
refused models, with reasons.
"""

import argparse
import collections
import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.datasets.preprocess import input_spec, prepare
from bench.engine.batches import to_images
from model_zoo.card import InputSpec
from model_zoo.errors import ZooError
from model_zoo.nets.with_timm import import_timm
from model_zoo.registry import find_card

Transform = Callable[[Image.Image], Tensor]

SHAPES = ((500, 375), (281, 430))
"""Width and height of the two images in pixels: wide, and tall with sides shorter than the largest crops."""


@dataclass(frozen=True)
class Entry:
    """A model of another library, and a function that makes the library's evaluation transform."""

    name: str
    owner: Callable[[], Transform]


@dataclass(frozen=True)
class Finding:
    """Result of a comparison: `equal`, `refused` with the reason, or `different` with the largest difference."""

    entry: str
    verdict: str
    why: str = ""


def timm_entries() -> Iterator[Entry]:
    """Yield all pretrained ImageNet-1k classifiers, with the transform of timm's `validate.py`."""
    timm, data = import_timm(), import_timm("timm.data")
    for name in timm.list_models(pretrained=True):
        cfg: Any = timm.get_pretrained_cfg(name)
        if cfg.num_classes - (cfg.label_offset or 0) == 1000:
            config = data.resolve_data_config(pretrained_cfg=cfg.to_dict(), use_test_size=True)
            yield Entry(f"timm:{name}", functools.partial(data.create_transform, **config))


def torchvision_entries() -> Iterator[Entry]:
    """Yield all weights of all classifiers, with their transform."""
    from torchvision import models

    for name in models.list_models(module=models):
        for choice in models.get_model_weights(name):
            yield Entry(f"torchvision:{name}?weights={choice.name}", choice.transforms)


def robustbench_entries() -> Iterator[Entry]:
    """Yield all entries of all ImageNet threat models, with robustbench's preprocessing."""
    from model_zoo.standard.from_robustbench import zoos

    known = zoos()  # first: makes robustbench importable
    data, enums = import_module("robustbench.data"), import_module("robustbench.model_zoo.enums")
    for threat, entries in known.items():
        for name in entries:
            asked = (enums.BenchmarkDataset.imagenet, enums.ThreatModel(threat), name, None)
            yield Entry(f"robustbench:{name}", functools.partial(data.get_preprocessing, *asked))


OWNERS = {"timm": timm_entries, "torchvision": torchvision_entries, "robustbench": robustbench_entries}


def pictures() -> list[Image.Image]:
    """Return two images of noise, in which every pixel matters."""
    rng = np.random.default_rng(17)
    return [Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)) for width, height in SHAPES]


def compare(entry: Entry, shown: list[Image.Image]) -> Finding:
    """Compare our tensors with those of the library."""
    try:
        spec = input_spec(find_card(entry.name).input, "published")
    except ZooError as error:
        return Finding(entry.name, "refused", str(error).partition("; ")[0])
    theirs = entry.owner()
    largest = max(_difference(_ours(spec, image), theirs(image)) for image in shown)
    return Finding(entry.name, "equal") if largest == 0 else Finding(entry.name, "different", f"by {largest:.3g}")


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return (ours - theirs).abs().max().item() if ours.shape == theirs.shape else float("inf")


def _ours(spec: InputSpec, image: Image.Image) -> Tensor:
    """Return the tensor that `Model` passes to its network, [3, size, size]."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
    made: Tensor = (to_images(np.stack([prepare(image, spec)])) - mean) / std
    return made[0]


def print_findings(owner: str, findings: list[Finding]) -> None:
    """Print a line of counts, and a line for each model that is not equal."""
    count = collections.Counter(finding.verdict for finding in findings)
    told = ", ".join(f"{count[verdict]} {verdict}" for verdict in ("equal", "refused", "different"))
    print(f"{owner:12} {len(findings):5} entries: {told}", flush=True)
    for finding in findings:
        if finding.verdict != "equal":
            print(f"    {finding.verdict}: {finding.entry} {finding.why}", flush=True)


def main() -> int:
    """Print the table; returns exit code 1 if a model differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("owners", nargs="*", default=list(OWNERS), help="timm, torchvision, robustbench")
    shown, different = pictures(), 0
    for owner in parser.parse_args().owners:
        try:
            findings = [compare(entry, shown) for entry in OWNERS[owner]()]
        except (ImportError, ZooError) as error:
            print(f"{owner:12} not installed ({error})")
            continue
        print_findings(owner, findings)
        different += sum(finding.verdict == "different" for finding in findings)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
