"""The variants for 32 and 64 px against images that the authors' own scripts made.

`oracles/small.npz`: make_cifar_c.py and make_tinyimagenet_c.py (hendrycks/robustness), run once with NumPy's generator
seeded by the severity on one drawn image a size. ImageMagick's two, motion blur and snow, are not in it.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from corruption_reference import reference_draws
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions import EXTRA, NAMES, SEVERITIES, Corruption
from bench.corruptions.constants import Family, family
from bench.corruptions.weather import _texture

HELD = [name for name in (*NAMES, *EXTRA) if name not in ("motion_blur", "snow")]


@pytest.fixture(scope="module")
def oracle() -> dict[str, NDArray[np.uint8]]:
    with np.load(Path(__file__).parent / "oracles" / "small.npz", allow_pickle=False) as stored:
        return dict(stored)


def batch(value: NDArray[np.generic]) -> Tensor:
    tensor = torch.from_numpy(np.asarray(value)[None])
    return tensor.float() if tensor.is_floating_point() else tensor


def draws_of(image: NDArray[np.uint8], name: str, severity: int, constants: Family) -> dict[str, Tensor]:
    """What the scripts drew: as the reference's draws, but for these three."""
    np.random.seed(severity)
    side, c = image.shape[0], constants.strengths[name][severity - 1]
    match name:
        case "glass_blur":
            pixels = c.rounds * (side - 2 * c.reach) ** 2
            dx, dy = np.array([np.random.randint(-c.reach, c.reach, size=2) for _ in range(pixels)]).T + c.reach
            return {"source": batch((dy * 2 * c.reach + dx).astype(np.int8).reshape(c.rounds, -1))}
        case "frost":
            texture = np.random.randint(constants.frost_textures)
            room = np.array(_texture(texture, side, side, constants.frost_scale).shape[:2]) - side
            corner = np.array([np.random.randint(0, r) for r in room])
            return {"texture": torch.tensor([texture]), "corner": batch((corner + 0.5) / room)}
        case "elastic_transform":
            affine, dx, dy = (np.random.uniform(-1, 1, size) for size in ((3, 2), (side, side), (side, side)))
            return {"affine": batch(affine), "field": batch(np.stack([dx, dy], axis=-1))}
    return reference_draws(image, name, severity, severity, constants)


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", HELD)
def test_the_small_variants_are_the_authors_own(oracle: dict[str, NDArray[np.uint8]], name: str, side: int) -> None:
    image = oracle[f"{side}/picture"]
    for severity in SEVERITIES:
        draws = draws_of(image, name, severity, family(side, side))
        corruption = Corruption(name, severity, None)
        found = corruption.apply(torch.from_numpy(image[None]), draws)[0].numpy().astype(int)
        distance = np.abs(found - oracle[f"{side}/{name}/{severity}"])
        if name == "elastic_transform":  # OpenCV moves the three points on a grid of 1/32 pixel
            assert distance.mean() < 1, severity
            assert distance.max() < 16, severity
        else:
            assert (distance <= 1).mean() >= 0.999, (severity, (distance <= 1).mean(), distance.max())
