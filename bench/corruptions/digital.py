"""Brightness, contrast, saturation, elastic transform, pixelation and JPEG."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from bench.corruptions import filters
from bench.corruptions.constants import Elastic, Saturation
from bench.corruptions.method import Draws, Method, Setting
from bench.corruptions.stream import Stream
from bench.opencv import cv2


def contrast(x: Tensor, setting: Setting[float]) -> Tensor:
    """Contrast: scale distances from each channel's mean by c."""
    image = x.float()
    mean = image.mean(dim=(1, 2), keepdim=True)
    return (image * setting.c).add_(mean * (1 - setting.c))


def brightness(x: Tensor, setting: Setting[float]) -> Tensor:
    """Brightness: add c to the HSV value. Hue and saturation stay, so all three channels scale by one factor."""
    image = x.float()
    value = torch.maximum(torch.maximum(image[..., :1], image[..., 1:2]), image[..., 2:])
    raised = (value + 255 * setting.c).clamp_(max=255)
    return torch.where(value > 0, image * (raised / value), raised)


def saturate(x: Tensor, setting: Setting[Saturation]) -> Tensor:
    """Saturate: HSV saturation * scale + shift. Grey pixels have hue 0, so a shift turns them red, as originally."""
    image = x.float()
    value = torch.maximum(torch.maximum(image[..., :1], image[..., 1:2]), image[..., 2:])
    depth = value - image
    range_ = torch.maximum(torch.maximum(depth[..., :1], depth[..., 1:2]), depth[..., 2:])
    saturation = (range_ / value).nan_to_num_(0).mul_(setting.c.scale).add_(setting.c.shift).clamp_(0, 1)
    red = depth.new_tensor([0.0, 1.0, 1.0])
    share = torch.where(range_ > 0, depth / range_, red)
    return value * (1 - saturation * share)


def draw_elastic(stream: Stream, setting: Setting[Elastic]) -> Draws:
    """Draw a displacement (dx, dy) in [-1, 1) for each pixel, and one for each of three points."""
    affine = stream.uniform(3, 2) if setting.c.affine else stream.uniform(0, 2)
    return {"field": stream.uniform(setting.height, setting.width, 2) * 2 - 1, "affine": affine * 2 - 1}


def elastic_transform(x: Tensor, setting: Setting[Elastic], field: Tensor, affine: Tensor) -> Tensor:
    """Elastic transform: displacement by smoothed noise; for small images an affine map by three points comes first."""
    (displacement, sigma, jitter), (_, h, w, _) = setting.c, x.shape
    planes = x.permute(0, 3, 1, 2).float()
    if jitter:
        planes = F.grid_sample(
            planes, _affine_grid(affine * jitter * h, h, w), padding_mode="reflection", align_corners=True
        )
    shift = filters.gaussian(field, (sigma * h, sigma * w), border="symmetric", truncate=3).mul_(displacement * h)
    y, x_ = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    centres = torch.stack([x_, y], dim=-1).to(x.device) + 0.5
    grid = shift.add_(centres).mul_(2 / torch.tensor([w, h], device=x.device)).sub_(1)
    moved: Tensor = F.grid_sample(planes, grid, padding_mode="reflection", align_corners=False)
    return moved.permute(0, 2, 3, 1)


def _affine_grid(jitter: Tensor, h: int, w: int) -> Tensor:
    """Return the grid [n, h, w, 2] of the affine map that moves three points (x, y) near the centre by `jitter`
    [n, 3, 2].

    The points are those of make_cifar_c.py: corners of a centred square whose half side is a third of the image's.
    """
    centre, reach = torch.tensor([h // 2, w // 2]), min(h, w) // 3
    signs = torch.tensor([[1, 1], [1, -1], [-1, -1]])
    source = (centre + reach * signs).double()
    target = source + jitter.double().cpu()
    ones = torch.ones(*target.shape[:2], 1, dtype=torch.double)
    inverse = torch.linalg.solve(torch.cat([target, ones], dim=2), source.expand_as(target))  # [n, 3, 2]
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], dim=-1).double().view(1, h * w, 3)
    places = (pixels @ inverse).view(-1, h, w, 2)
    normalised: Tensor = 2 * places / torch.tensor([w - 1, h - 1]) - 1
    return normalised.float().to(jitter.device)


def pixelate(x: Tensor, setting: Setting[float]) -> Tensor:
    """Pixelate: shrink by area to a share c of the side, then enlarge, both like Pillow."""
    h, w = x.shape[1:3]
    size, box = (int(w * setting.c), int(h * setting.c)), Image.Resampling.BOX
    small = [Image.fromarray(image).resize(size, box) for image in x.cpu().numpy()]
    if setting.family.blocky:
        return torch.from_numpy(np.stack([np.asarray(image.resize((w, h), box)) for image in small])).to(x.device)
    coarse = torch.from_numpy(np.stack([np.asarray(image) for image in small])).to(x.device)
    columns, rows = (_nearest(part, full).to(x.device) for part, full in zip(size, (w, h), strict=True))
    return coarse.index_select(2, columns).index_select(1, rows)


def _nearest(part: int, full: int) -> Tensor:
    """Return which of `part` pixels each of `full` pixels shows; sums positions like Pillow, to match at ties."""
    steps = np.full(full, part / full)
    steps[0] /= 2
    return torch.from_numpy(np.cumsum(steps).astype(np.int64))


def jpeg_compression(x: Tensor, setting: Setting[int]) -> Tensor:
    """JPEG at quality c."""
    return jpeg(x, setting.c)


def jpeg(x: Tensor, quality: int) -> Tensor:
    """Compress uint8 images [n, h, w, 3] as JPEG and decode them; the bytes equal Pillow's, but OpenCV is faster."""
    out = np.empty(x.shape, np.uint8)
    for place, image in zip(out, x.cpu().contiguous().numpy(), strict=True):
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        cv2.cvtColor(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB, dst=place)
    return torch.from_numpy(out).to(x.device)


METHODS = {
    "brightness": Method(brightness),
    "contrast": Method(contrast),
    "elastic_transform": Method(elastic_transform, draw_elastic),
    "pixelate": Method(pixelate),
    "jpeg_compression": Method(jpeg_compression),
    "saturate": Method(saturate),
}
