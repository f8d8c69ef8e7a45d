"""Snow, frost and fog. The frost textures come from the installed package `imagecorruptions`."""

import functools
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.corruptions import filters
from bench.corruptions.constants import Fog, Frost, Snow
from bench.corruptions.method import Draws, Method, Setting
from bench.corruptions.stream import Stream
from bench.errors import DataError
from bench.opencv import cv2

_LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in luma (ITU-R BT.601), as in cv2.COLOR_RGB2GRAY."""

_TEXTURES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg", "frost6.jpg")


def draw_snow(stream: Stream, setting: Setting[Snow]) -> Draws:
    """Draw one standard normal number per pixel of the magnified crop, and the snow's direction in degrees."""
    rows, columns = (filters.crop_side(side, setting.c.zoom) for side in (setting.height, setting.width))
    return {"normal": stream.normal(rows, columns), "angle": stream.uniform() * 90 - 135}


def snow(x: Tensor, setting: Setting[Snow], normal: Tensor, angle: Tensor) -> Tensor:
    """Snow: motion-blurred magnified noise, and the same rotated by 180 degrees, over a whitened image."""
    c, (_, h, w, _) = setting.c, x.shape
    flakes = filters.magnify((normal * c.std).add_(c.mean).unsqueeze(-1), c.zoom)
    flakes = filters.streak(flakes.masked_fill_(flakes < c.threshold, 0).clamp_(0, 1), c.radius, c.sigma, angle)
    top, left = ((flakes.shape[dim] - side) // 2 for dim, side in ((1, h), (2, w)))
    layer = flakes[:, top : top + h, left : left + w].mul_(255).round_()
    image = x.float()
    red, green, blue = (image[..., i : i + 1] * weight for i, weight in enumerate(_LUMA))
    white = red.add_(green).add_(blue).mul_(1.5).add_(127.5).mul_(1 - c.opacity)
    # c * x + (1 - c) * max(x, white) = max(x, c * x + (1 - c) * white)
    whitened = torch.maximum(image, (image * c.opacity).add_(white))
    return whitened.add_(layer + layer.flip(1, 2))


def draw_frost(stream: Stream, setting: Setting[Frost]) -> Draws:
    """Draw the texture's index, and the crop's corner (row, column) as shares of the free range."""
    return {"texture": stream.integers(setting.family.frost_textures), "corner": stream.uniform(2)}


def frost(x: Tensor, setting: Setting[Frost], texture: Tensor, corner: Tensor) -> Tensor:
    """Frost: a weighted sum of the image and a crop of a frost texture."""
    _, h, w, _ = x.shape
    crops = []
    for index, (row, column) in zip(texture.tolist(), corner.tolist(), strict=True):
        ice = _texture(int(index), h, w, setting.family.frost_scale)
        top, left = int(row * (ice.shape[0] - h)), int(column * (ice.shape[1] - w))
        crops.append(ice[top : top + h, left : left + w])
    ice = torch.stack(crops).to(x.device).float()
    return x.float().mul_(setting.c.image).add_(ice, alpha=setting.c.texture)


@functools.lru_cache(maxsize=24)
def _texture(index: int, height: int, width: int, scale: float | None) -> Tensor:
    """Return a texture, RGB uint8 [H, W, 3], at least as large as the image."""
    spec = find_spec("imagecorruptions")
    if spec is None or spec.origin is None:
        raise DataError("frost needs the textures of the package imagecorruptions; pip install imagecorruptions-imaug")
    path = Path(spec.origin).parent / "frost" / _TEXTURES[index]
    ice = cv2.imread(str(path))
    if ice is None:
        raise DataError(f"frost: no readable texture {path}; reinstall imagecorruptions-imaug")
    if scale is not None:
        ice = cv2.resize(ice, (0, 0), fx=scale, fy=scale)
    if scale is None or height > ice.shape[0] or width > ice.shape[1]:  # an elongated image may exceed a texture
        cover = 1.1 * max(1, height / ice.shape[0], width / ice.shape[1])
        size = (math.ceil(ice.shape[1] * cover), math.ceil(ice.shape[0] * cover))
        ice = cv2.resize(ice, size, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(np.ascontiguousarray(ice[..., ::-1]))


def draw_fog(stream: Stream, setting: Setting[Fog]) -> Draws:
    """Draw one uniform number per point of the fractal's grid except its corner, octave by octave."""
    return {"uniform": stream.uniform(_power_of_two(max(setting.height, setting.width)) ** 2 - 1)}


def fog(x: Tensor, setting: Setting[Fog], uniform: Tensor) -> Tensor:
    """Fog: add a plasma fractal, then scale the image so that its brightest value stays."""
    _, h, w, _ = x.shape
    amount, decay = setting.c
    brightest = x.amax(dim=(1, 2, 3), keepdim=True) / 255
    cloud = plasma(uniform, decay)[:, :h, :w, None]
    return (x + cloud.mul(255 * amount)).mul_(brightest / (brightest + amount))


def plasma(uniform: Tensor, decay: float) -> Tensor:
    """Return periodic diamond-square height maps [n, size, size] in [0, 1] from `uniform` [n, size^2 - 1] in [0, 1).

    Random displacements are at most w^2; w starts at 100 and is divided by `decay` at each octave.
    """
    n = uniform.shape[0]
    size = math.isqrt(uniform.shape[1] + 1)
    field = torch.zeros(n, size, size, device=uniform.device)
    used, wobble, step = 0, 100.0, size
    while step >= 2:
        half, count = step // 2, (size // step) ** 2
        noise = ((uniform[:, used : used + 3 * count] * 2 - 1) * wobble**2).view(n, 3, size // step, size // step)
        corners = field[:, ::step, ::step]
        pairs = corners + corners.roll(-1, 1)
        centres = ((pairs + pairs.roll(-1, 2)) / 4).add_(noise[:, 0])
        field[:, half::step, half::step] = centres
        field[:, ::step, half::step] = (centres + centres.roll(1, 1) + corners + corners.roll(-1, 2)) / 4 + noise[:, 1]
        field[:, half::step, ::step] = (centres + centres.roll(1, 2) + corners + corners.roll(-1, 1)) / 4 + noise[:, 2]
        used, wobble, step = used + 3 * count, wobble / decay, half
    field -= field.amin(dim=(1, 2), keepdim=True)
    return field / field.amax(dim=(1, 2), keepdim=True)


def _power_of_two(side: int) -> int:
    return 1 << (side - 1).bit_length()


METHODS = {"snow": Method(snow, draw_snow), "frost": Method(frost, draw_frost), "fog": Method(fog, draw_fog)}
