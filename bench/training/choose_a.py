"""Choose the tiny split `a`: `python -m bench.training.choose_a WEIGHTS`.

The split is made like ImageNet-A (arXiv 1907.07174): hard images that an undefended network misclassifies, a fixed
number per class. Their indices in the stream `hard` are committed, so that the split needs no network.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from bench.datasets import tiny
from bench.errors import DataError
from bench.training.recipes import find_recipe
from model_zoo.tiny.build import network

CANDIDATES = 4_000
EACH = 100
"""Number of images kept per class: the first misclassified ones."""


def choose(net: nn.Module, seed: int, candidates: int = CANDIDATES, each: int = EACH) -> NDArray[np.int64]:
    """Return indices in the stream `hard` of `seed`, ascending, `each` per class. Raises `DataError` if too few."""
    batch = tiny.generate("hard", candidates, seed)
    wrong = _predictions(net, batch.images) != batch.labels
    chosen = [np.flatnonzero(wrong & (batch.labels == label))[:each] for label in range(len(tiny.CLASSES))]
    if (fewest := min(map(len, chosen))) < each:
        raise DataError(f"split a: expected {each} wrong images of each class, found {fewest} of {candidates}")
    return np.sort(np.concatenate(chosen))


@torch.inference_mode()
def _predictions(net: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    return torch.cat([net(part.float() / 255).argmax(1) for part in torch.split(x, 200)]).numpy()


def main() -> None:
    """Write `a-SEED.txt` next to the generator, for tuning and for reporting."""
    parser = argparse.ArgumentParser(prog="python -m bench.training.choose_a", description=__doc__)
    parser.add_argument("weights", type=Path, help="the undefended network's, `tiny_std.safetensors`")
    net = network(find_recipe("std").net).eval()
    net.load_state_dict(load_file(parser.parse_args().weights))
    for seed in (tiny.TUNE_SEED, tiny.REPORT_SEED):
        path = Path(tiny.__file__).parent / f"a-{seed}.txt"
        np.savetxt(path, choose(net, seed), fmt="%d")
        print(path)


if __name__ == "__main__":
    main()
