"""Linear filters on float images [n, h, w, c], with the borders and grids of SciPy, scikit-image and OpenCV."""

import functools
import math
import warnings
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.nn import functional as F

from bench.opencv import cv2

Border = Literal["edge", "symmetric", "reflect"]
"""Border rule by NumPy's name: `edge` aa|ab, `symmetric` ba|ab (SciPy's reflect), `reflect` cb|ab (OpenCV's 101)."""

Places = NDArray[np.int64]


def pad(x: Tensor, dim: int, before: int, after: int, border: Border) -> Tensor:
    """Pad `x` with `before` and `after` positions along `dim`."""
    index = torch.from_numpy(np.pad(np.arange(x.shape[dim]), (before, after), mode=border)).to(x.device)
    first, last = (x.index_select(dim, part) for part in (index[:before], index[len(index) - after :]))
    return torch.cat([first, x, last], dim)


def gaussian_taps(sigma: float, truncate: float) -> list[float]:
    """Return normalised taps over +-int(truncate * sigma + 0.5), as in scipy.ndimage.gaussian_filter1d."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return [1.0]
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return [float(t) for t in taps / taps.sum()]


def gaussian(x: Tensor, sigma: float | tuple[float, float], border: Border = "edge", truncate: float = 4.0) -> Tensor:
    """Blur over height and width with a Gaussian of `sigma` pixels; the defaults are skimage.filters.gaussian's."""
    rows, columns = (gaussian_taps(s, truncate) for s in (sigma if isinstance(sigma, tuple) else (sigma, sigma)))
    if x.device.type != "cpu":
        return _correlate1d(_correlate1d(x, rows, 1, border), columns, 2, border)
    return _correlate_compiled(x, rows, columns, border)


_OPENCV: dict[Border, int] = {
    "edge": cv2.BORDER_REPLICATE,
    "symmetric": cv2.BORDER_REFLECT,
    "reflect": cv2.BORDER_REFLECT_101,
}


def _correlate_compiled(x: Tensor, rows: list[float], columns: list[float], border: Border) -> Tensor:
    """Correlate image by image with OpenCV: the image stays in the cache, five times as fast as array operations."""
    out = np.empty(x.shape, np.float32)
    for image, place in zip(x.contiguous().numpy(), out, strict=True):
        cv2.sepFilter2D(image, cv2.CV_32F, np.array(columns), np.array(rows), dst=place, borderType=_OPENCV[border])
    return torch.from_numpy(out)


def _correlate1d(x: Tensor, taps: list[float], dim: int, border: Border) -> Tensor:
    radius, size = len(taps) // 2, x.shape[dim]
    if radius == 0:
        return x
    padded = pad(x, dim, radius, radius, border)
    out = padded.narrow(dim, 0, size) * taps[0]
    for offset, tap in enumerate(taps[1:], 1):
        out.add_(padded.narrow(dim, offset, size), alpha=tap)
    return out


def correlate(x: Tensor, kernel: NDArray[np.float64], border: Border = "reflect") -> Tensor:
    """Correlate with an odd square `kernel` by FFT; the default border is cv2.filter2D's."""
    if len(x) == 1:  # an FFT of one image rounds differently from that of several
        return correlate(x.expand(2, -1, -1, -1), kernel, border)[:1]
    _, h, w, _ = x.shape
    r = kernel.shape[0] // 2
    shape = [-(-(side + 2 * r) // 32) * 32 for side in (h, w)]  # lengths with fast transforms
    planes = pad(pad(x, 1, r, shape[0] - h - r, border), 2, r, shape[1] - w - r, border).permute(0, 3, 1, 2)
    spectrum = torch.fft.rfft2(torch.from_numpy(kernel), s=shape).conj().to(torch.complex64).to(x.device)
    filtered: Tensor = torch.fft.irfft2(torch.fft.rfft2(planes) * spectrum, s=shape)
    return filtered[..., :h, :w].permute(0, 2, 3, 1)


def streak(x: Tensor, radius: int, sigma: float, angle: Tensor) -> Tensor:
    """Blur along `angle` [n], in degrees, with ImageMagick's one-sided Gaussian line and replicated edges.

    Tap i shifts the image by i steps along the line, rounded to whole pixels.
    """
    weights = np.exp(-0.5 * (np.arange(2 * radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    return torch.cat([_streak_one(x[i : i + 1], weights, float(a)) for i, a in enumerate(angle)])


def _streak_one(x: Tensor, weights: NDArray[np.float64], degrees: float) -> Tensor:
    steps = np.arange(len(weights))
    down = np.ceil(steps * math.sin(math.radians(degrees)) - 0.5).astype(int)
    right = np.ceil(steps * math.cos(math.radians(degrees)) - 0.5).astype(int)
    top, left = -int(down.min()), -int(right.min())
    padded = pad(pad(x, 1, top, int(down.max()), "edge"), 2, left, int(right.max()), "edge")
    kept = weights > 1e-6  # the rest adds less than 0.01 grey levels
    add = _add_shifted if x.device.type != "cpu" else _add_shifted_compiled
    return add(torch.zeros(x.shape, device=x.device), padded, down[kept] + top, right[kept] + left, weights[kept])


def _add_shifted(out: Tensor, source: Tensor, down: Places, right: Places, weights: NDArray[np.float64]) -> Tensor:
    """Add `weights[i]` times `source` shifted by (down[i], right[i]) to `out`, both [1, h, w, c]."""
    _, h, w, _ = out.shape
    for weight, dy, dx in zip(weights, down, right, strict=True):
        out.add_(source[:, dy : dy + h, dx : dx + w], alpha=float(weight))
    return out


def _add_shifted_compiled(
    out: Tensor, source: Tensor, down: Places, right: Places, weights: NDArray[np.float64]
) -> Tensor:
    """Do the same row by row, so that a row stays in the cache for all shifts."""
    from bench.corruptions.compiled import add_shifted

    (rows, lines), channels = (t[0].flatten(1).numpy() for t in (out, source)), out.shape[3]
    add_shifted(rows, lines, down, channels * right, weights.astype(np.float32))
    return out


def crop_side(side: int, factor: float) -> int:
    """Return how many pixels of a side fill it again when magnified by `factor`."""
    return math.ceil(side / factor)


def magnify(x: Tensor, factor: float) -> Tensor:
    """Resize [n, h, w, c] to [n, round(h * factor), round(w * factor), c], bilinear, on scipy.ndimage.zoom's grid."""
    size = (round(x.shape[1] * factor), round(x.shape[2] * factor))
    planes = F.interpolate(x.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=True)
    return planes.permute(0, 2, 3, 1)


@functools.lru_cache(maxsize=8)
def zoom_blur_operator(height: int, width: int, stop: float, step: float, device: torch.device) -> Tensor:
    """Return the sparse matrix [h * w, h * w] that averages the image and its centre magnified by 1, 1 + step, ... <
    stop.

    Zoom blur is one linear map, shared by a batch.
    """
    factors = np.arange(1, stop, step)
    total = sparse.eye_array(height * width, format="csr")
    for factor in factors:
        total = total + sparse.kron(_magnifier(height, factor), _magnifier(width, factor), format="csr")
    total = total / (len(factors) + 1)
    arrays = (total.indptr.astype(np.int32), total.indices.astype(np.int32), total.data.astype(np.float32))
    rows, columns, values = (torch.from_numpy(array).to(device) for array in arrays)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support")
        return torch.sparse_csr_tensor(rows, columns, values, size=total.shape, check_invariants=True)


def _magnifier(side: int, factor: float) -> sparse.csr_array:
    """Return the matrix [side, side] that magnifies the centre of a line by `factor`, bilinear, trimmed to `side`."""
    crop = crop_side(side, factor)
    size = round(crop * factor)
    position = (np.arange(side) + (size - side) // 2) * ((crop - 1) / (size - 1))
    lower = np.minimum(position.astype(int), crop - 2)
    fraction = position - lower
    rows = np.arange(side)
    columns = (side - crop) // 2 + np.concatenate([lower, lower + 1])
    return sparse.csr_array((np.concatenate([1 - fraction, fraction]), (np.tile(rows, 2), columns)), (side, side))
