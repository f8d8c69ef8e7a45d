"""The pixel functions by name, and their application to batches."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions import blur, digital, noise, spatter, weather
from bench.corruptions.digital import jpeg
from bench.corruptions.keys import Keys
from bench.corruptions.method import Draws, Method
from bench.corruptions.stream import Stream

if TYPE_CHECKING:
    from bench.corruptions import Corruption

METHODS: dict[str, Method] = {**noise.METHODS, **blur.METHODS, **weather.METHODS, **digital.METHODS, **spatter.METHODS}

_CHUNK = 8
"""Images at a time on a CPU: they share one linear map and stay in the cache."""


def corrupt_array(corruption: "Corruption", images: NDArray[np.uint8], keys: Keys) -> NDArray[np.uint8]:
    """Corrupt uint8 images [n, h, w, 3] on the CPU; `keys` is uint64 [n]."""
    batch = torch.from_numpy(np.require(images, requirements=["C", "W"]))
    starts = range(0, len(batch), _CHUNK)
    parts = [corrupt_tensor(corruption, batch[i : i + _CHUNK], keys[i : i + _CHUNK]) for i in starts]
    whole = parts[0] if len(parts) == 1 else torch.cat([batch[:0], *parts])
    return np.asarray(whole.numpy(), dtype=np.uint8)


@torch.no_grad()
def corrupt_tensor(corruption: "Corruption", images: Tensor, keys: Keys) -> Tensor:
    """Corrupt a uint8 tensor [n, h, w, 3] as one batch, on its device."""
    setting = corruption.setting(images.shape[1], images.shape[2])
    out = apply_draws(corruption, images, METHODS[corruption.name].draw(Stream(keys, images.device), setting))
    return out if corruption.jpeg_quality is None else jpeg(out, corruption.jpeg_quality)


@torch.no_grad()
def apply_draws(corruption: "Corruption", images: Tensor, draws: Draws) -> Tensor:
    """Apply the pixel function alone, with given draws and without JPEG; uint8 [n, h, w, 3] in and out."""
    setting = corruption.setting(images.shape[1], images.shape[2])
    out = METHODS[corruption.name].apply(images, setting, **draws)
    return out if out.dtype == torch.uint8 else out.clamp_(0, 255).to(torch.uint8)
