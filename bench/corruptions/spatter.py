"""Spatter: drops of water or mud on the lens."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions import filters
from bench.corruptions.constants import Spatter
from bench.corruptions.method import Draws, Method, Setting
from bench.corruptions.stream import Stream
from bench.opencv import cv2

_WATER = (175.0, 238.0, 238.0)
_MUD = (63.0, 42.0, 20.0)
_EMBOSS = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def draw_spatter(stream: Stream, setting: Setting[Spatter]) -> Draws:
    """Draw one standard normal number per pixel."""
    return {"normal": stream.normal(setting.height, setting.width)}


def spatter(x: Tensor, setting: Setting[Spatter], normal: Tensor) -> Tensor:
    """Spatter where smoothed noise exceeds a threshold: mud covers the image, water brightens its rims."""
    c = setting.c
    liquid = filters.gaussian((normal * c.std).add_(c.mean).unsqueeze(-1), c.sigma)
    liquid.masked_fill_(liquid < c.threshold, 0)
    if c.mud:
        cover = filters.gaussian((liquid > c.threshold).float(), c.strength)
        cover.masked_fill_(cover < 0.8, 0)
        return x * (1 - cover) + cover * cover.new_tensor(_MUD)
    drops = liquid.mul(255).to(torch.uint8).cpu().numpy()[..., 0]
    shine = torch.from_numpy(np.stack([_shine(d) for d in drops])).to(x.device)
    return x + shine.unsqueeze(-1) * c.strength * shine.new_tensor(_WATER)


def _shine(drops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return highlights [h, w] in [0, 1]: the embossed distance from the drops' rims; tracing them is sequential."""
    distance = cv2.distanceTransform(255 - cv2.Canny(drops, 50, 150), cv2.DIST_L2, 5)
    near = cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8)
    relief = cv2.filter2D(cv2.equalizeHist(near), cv2.CV_8U, _EMBOSS)
    shine = drops * cv2.blur(relief, (3, 3)).astype(np.float32)
    return np.asarray(shine / max(float(shine.max()), 1e-6), dtype=np.float32)


METHODS = {"spatter": Method(spatter, draw_spatter)}
