"""Pixel values: images of any mode as 8-bit RGB, and images that are black by a slip of the units."""

import numpy as np
from PIL import Image

from bench.errors import UsageError

DARKEST = 1.5 / 255
"""Brightness up to which all images together are black to the eye: a slip of the units, not a set."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image to 8-bit RGB: grey, palette and CMYK as Pillow does, 16-bit grey scaled to 8 bits (Pillow's own
    conversion clips at 255, which is white). Raises `UsageError` for 32-bit grey, of which nothing tells how bright
    white is, and for 8 bits in a file of 16, which would be black."""
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):  # 16-bit PNGs come as I from older Pillows
        raise UsageError(f"32-bit grey (mode {image.mode}) does not tell its white: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image, dtype=np.int64)
        if 0 < (most := values.max(initial=0)) < 256:
            raise UsageError(f"16-bit grey of values up to {most}, which would be black: save these 8 bits as 8 bits")
        return Image.fromarray(np.clip(values // 257, 0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
