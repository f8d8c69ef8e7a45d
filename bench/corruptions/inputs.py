"""Inputs of `bench.corrupt`: arrays, tensors, PIL images, and lists of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.errors import UsageError
from bench.pixels import to_rgb

Batch = NDArray[np.uint8]
"""uint8 [n, h, w, 3]."""

EXPECTED = "corruptions take uint8 [n, h, w, 3] or [h, w, 3], grey [h, w] or [h, w, 1], PIL images, or lists of these"


def as_batch(images: Any) -> tuple[Batch, Callable[[Batch], Any]]:
    """Return the images as a batch, and the function that converts the corrupted batch back to the input's form.

    A single image gives a single image and a tensor gives a tensor; PIL images and lists give arrays. Grey images
    become RGB, as in imagecorruptions. Raises `UsageError` for anything else, saying how to convert it.
    """
    if isinstance(images, Image.Image):
        return np.asarray(to_rgb(images))[None], lambda out: out[0]
    if isinstance(images, Sequence) and not isinstance(images, str):
        return _stacked(images), lambda out: out
    if type(images).__module__.partition(".")[0] == "torch":
        batch, restore = as_batch(images.detach().cpu().numpy())
        return batch, lambda out: _tensor(restore(out), images)
    if not isinstance(images, np.ndarray):
        raise UsageError(f"{EXPECTED}; found {type(images).__name__}")
    if np.ma.isMaskedArray(images):
        raise UsageError(f"{EXPECTED}; found a masked array: fill it first, images.filled()")
    return _array(images)


def _tensor(out: Batch, like: Any) -> Any:
    import torch  # needed for tensors only

    return torch.from_numpy(np.ascontiguousarray(out)).to(like.device)


def _stacked(images: Sequence[Any]) -> Batch:
    pictures = [as_batch(image)[0] for image in images]
    if not pictures:
        return np.empty((0, 32, 32, 3), np.uint8)
    shapes = {picture.shape[1:] for picture in pictures}
    if len(shapes) > 1 or any(len(picture) != 1 for picture in pictures):
        found = ", ".join(sorted(f"{h}x{w}" for h, w, _ in shapes))
        raise UsageError(f"a list of images is one batch, so all have one size, found {found}: corrupt them one by one")
    return np.concatenate(pictures)


def _array(images: NDArray[Any]) -> tuple[Batch, Callable[[Batch], Any]]:
    if images.dtype != np.uint8:
        advice = "(images * 255).round().astype('uint8') of values in [0, 1]" if images.dtype.kind == "f" else "8 bits"
        raise UsageError(f"{EXPECTED}; found {images.dtype} {list(images.shape)}: convert it first, {advice}")
    if images.ndim in (3, 4) and images.shape[-1] not in (1, 3) and images.shape[-3] in (1, 3):
        order = "(1, 2, 0)" if images.ndim == 3 else "(0, 2, 3, 1)"
        raise UsageError(f"{EXPECTED}; found {list(images.shape)}, channels first: transpose{order} it")
    if images.ndim not in (2, 3, 4) or (images.ndim > 2 and images.shape[-1] not in (1, 3)):
        raise UsageError(f"{EXPECTED}; found {list(images.shape)}: convert other images to RGB first")
    whole = images[..., None] if images.ndim == 2 else images
    whole = np.repeat(whole, 3, axis=-1) if whole.shape[-1] == 1 else whole
    return (whole, lambda out: out) if whole.ndim == 4 else (whole[None], lambda out: out[0])
