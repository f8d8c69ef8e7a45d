"""A corruption as a torchvision transform."""

import hashlib

import numpy as np
from PIL import Image

from bench.corruptions import Corruption, image_keys
from bench.pixels import to_rgb


class Corrupt:
    """Transform of a PIL image of any mode to RGB of the same size, for `torchvision.transforms.Compose`.

    Random draws depend only on the image's content and `seed`, not on the order of calls or the worker.
    """

    def __init__(self, name: str, severity: int, seed: int = 0, jpeg_quality: int | None = None) -> None:
        self.corruption = Corruption(name, severity, jpeg_quality)
        self.seed = seed

    def __call__(self, image: Image.Image) -> Image.Image:
        pixels = np.asarray(to_rgb(image))
        content = hashlib.sha256(pixels.tobytes()).hexdigest()
        keys = image_keys(self.seed, [content], str(self.corruption))
        return Image.fromarray(self.corruption(pixels[None], keys)[0])

    def __repr__(self) -> str:
        return f"Corrupt({self.corruption}, seed={self.seed})"
