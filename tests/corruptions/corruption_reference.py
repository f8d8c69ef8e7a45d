"""The reference's images with the draws that made them: imagecorruptions-imaug, seeded, and its calls replayed.

`python tests/corruptions/corruption_reference.py FOLDER` prints the parity table over the photographs there.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import imagecorruptions
import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from PIL import Image
from scipy.special import pdtr
from torch import Tensor

from bench.corruptions import EXTRA, NAMES, SEVERITIES, Corruption
from bench.corruptions.constants import IMAGENET, Family
from bench.corruptions.filters import crop_side
from bench.corruptions.weather import _texture
from bench.datasets.preprocess import crop_224


@dataclass(frozen=True)
class Difference:
    """Shares of values that are equal, and that are at most one grey level apart; and the largest distance."""

    equal: float
    within_one: float
    largest: int


def reference(image: NDArray[np.uint8], name: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """The original's output for one image [h, w, 3], reproducible."""
    np.random.seed(seed)
    seeded = {"seed": seed} if name in ("glass_blur", "impulse_noise") else {}
    return np.asarray(imagecorruptions.corrupt(image, severity=severity, corruption_name=name, **seeded))


def reference_draws(
    image: NDArray[np.uint8], name: str, severity: int, seed: int, constants: Family = IMAGENET
) -> dict[str, Tensor]:
    """What `reference` drew, as our pixel function wants it: its calls to NumPy, in its order, from the same seed."""
    np.random.seed(seed)
    h, w, _ = shape = image.shape
    c = constants.strengths[name][severity - 1]
    match name:
        case "gaussian_noise" | "speckle_noise":
            return _batch(normal=np.random.normal(size=shape))
        case "shot_noise":
            counts, rate = np.random.poisson(image / 255 * c), image / 255 * c
            return _batch(uniform=(pdtr(np.maximum(counts - 1, 0), rate) * (counts > 0) + pdtr(counts, rate)) / 2)
        case "impulse_noise":
            rng = np.random.default_rng(seed)
            flipped, salted = rng.random(shape) <= c, rng.random(shape) <= 0.5
            return _batch(uniform=np.where(flipped, np.where(salted, 0.0, 0.75 * c), 1.0))
        case "glass_blur":
            return _batch(source=_glass_sources(h, w, c.reach, c.rounds, seed))
        case "motion_blur":
            return _batch(angle=np.random.uniform(-45, 45))
        case "snow":
            normal, (rows, columns) = np.random.normal(size=(h, w)), (crop_side(side, c.zoom) for side in (h, w))
            top, left = (h - rows) // 2, (w - columns) // 2
            return _batch(normal=normal[top : top + rows, left : left + columns], angle=np.random.uniform(-135, -45))
        case "frost":
            texture = np.random.randint(6)
            room = np.array(_texture(texture, h, w, None).shape[:2]) - (h, w)
            return _batch(texture=texture, corner=(np.array([np.random.randint(0, r) for r in room]) + 0.5) / room)
        case "fog":
            return _batch(uniform=np.random.random_sample(4 ** int(np.ceil(np.log2(max(h, w)))) - 1))
        case "elastic_transform":
            dx, dy = (np.random.uniform(-1, 1, size=(h, w)) for _ in range(2))
            return _batch(field=np.stack([dx, dy], axis=-1), affine=np.zeros((0, 2)))
        case "spatter":
            return _batch(normal=np.random.normal(size=(h, w)))
    return {}


def _batch(**draws: object) -> dict[str, Tensor]:
    tensors = {name: torch.from_numpy(np.array(value)[None]) for name, value in draws.items()}
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


@njit
def _glass_sources(h, w, reach, rounds, seed):
    """The draws of `_shuffle_pixels_njit_glass_blur`: Numba has a generator of its own."""
    np.random.seed(seed)
    out = np.empty((rounds, (h - 2 * reach) * (w - 2 * reach)), np.int8)
    for i in range(rounds):
        for j in range(out.shape[1]):
            dx, dy = np.random.randint(-reach, reach, size=(2,))
            out[i, j] = (dy + reach) * 2 * reach + dx + reach
    return out


def difference(image: NDArray[np.uint8], name: str, severity: int, seed: int) -> Difference:
    """Ours against the original on one image [h, w, 3] and the same draws."""
    expected = reference(image, name, severity, seed).astype(int)
    draws = reference_draws(image, name, severity, seed)
    found = Corruption(name, severity, None).apply(torch.from_numpy(image[None].copy()), draws)[0].numpy().astype(int)
    distance = np.abs(found - expected)
    return Difference(float((distance == 0).mean()), float((distance <= 1).mean()), int(distance.max()))


def main(folder: Path, images: int = 8) -> None:
    """Print the worst photograph's figures for each corruption and severity."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    chosen = [crop_224(Image.open(p).convert("RGB")) for p in files[:: len(files) // images][:images]]
    print("| corruption | severity | equal % | within 1 level % | largest |\n|---|---|---|---|---|")
    for name in (*NAMES, *EXTRA):
        for severity in SEVERITIES:
            rows = [difference(image, name, severity, seed) for seed, image in enumerate(chosen)]
            equal, within = min(r.equal for r in rows), min(r.within_one for r in rows)
            largest = max(r.largest for r in rows)
            print(f"| {name} | {severity} | {100 * equal:.2f} | {100 * within:.3f} | {largest} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
