"""Effect of choices in making and preprocessing ImageNet-C on a model's error: the table of docs/protocols.md.

Run: `python benchmarks/corruption_choices.py FOLDER [--images 50] [--severities 3,5] [--model efficientnet_lite0]`,
where FOLDER has ImageNet images in folders by wnid. Prints per-image paired differences from `live`.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from imagecorruptions import corrupt as original
from numpy.typing import NDArray
from PIL import Image

from bench.corruptions import NAMES, Corruption, image_keys
from bench.datasets.base import Subset
from bench.datasets.folder import read_folder
from bench.datasets.preprocess import crop_224
from model_zoo import load_model

Pictures = NDArray[np.uint8]


def as_files(pictures: Pictures, name: str, severity: int, seed: int) -> Pictures:
    """Corrupt like the released files: the original functions, then Pillow's JPEG at quality 85."""
    np.random.seed(seed)
    return np.stack([_jpeg(original(picture, severity, name)) for picture in pictures])


def live(jpeg_quality: int | None, seed: int = 0) -> Callable[[Pictures, str, int], Pictures]:
    """Return this package's functions, with draws keyed by position."""

    def make(pictures: Pictures, name: str, severity: int) -> Pictures:
        keys = image_keys(seed, [str(i) for i in range(len(pictures))], f"{name}/{severity}")
        return Corruption(name, severity, jpeg_quality)(pictures, keys)

    return make


def resized_again(pictures: Pictures) -> Pictures:
    """Apply a common mistake: resize to 256 and centre crop 224 for images of 224 pixels."""
    return np.stack([crop_224(Image.fromarray(picture)) for picture in pictures])


def _jpeg(picture: Pictures) -> Pictures:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85)
    return np.asarray(Image.open(buffer))


WAYS: dict[str, Callable[[Pictures, str, int], Pictures]] = {
    "live, JPEG 85": live(85),
    "live, JPEG 85, other draws": live(85, seed=1),
    "files: the reference, JPEG 85": lambda x, name, severity: as_files(x, name, severity, 0),
    "live without JPEG": live(None),
    "live, JPEG 85, resized again": lambda x, name, severity: resized_again(live(85)(x, name, severity)),
}


def main() -> None:
    """Print one row per choice: mean error, and its difference from the first with a 95 % interval over images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--severities", default="3,5")
    parser.add_argument("--model", default="efficientnet_lite0")
    options = parser.parse_args()
    dataset = Subset(read_folder(options.folder, "imagenet", "imagenet1k"), options.images)
    pictures = np.stack([crop_224(dataset.read(i)) for i in range(len(dataset))])
    model = load_model(options.model)
    wrong = {way: np.zeros(len(dataset)) for way in WAYS}
    severities = [int(s) for s in options.severities.split(",")]
    for name in NAMES:
        for severity in severities:
            for way, make in WAYS.items():
                prediction = _predict(model, make(pictures, name, severity))
                missed = prediction != np.array(dataset.targets)
                wrong[way] += missed / (len(NAMES) * len(severities))
                print(f"  {name}/{severity} {way}: error {100 * missed.mean():.1f} %", flush=True)
    print(f"{options.model}, {len(dataset)} images, {len(NAMES)} corruptions, severities {options.severities}")
    first = wrong[next(iter(WAYS))]
    for way, errors in wrong.items():
        difference = errors - first
        half = 196 * difference.std(ddof=1) / len(difference) ** 0.5
        print(f"{way:32} error {100 * errors.mean():6.2f} %   {100 * difference.mean():+6.2f} +- {half:.2f} points")


def _predict(model: torch.nn.Module, pictures: Pictures) -> NDArray[np.int64]:
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        return np.concatenate([model(part).argmax(dim=1).numpy() for part in torch.split(images, 25)])


if __name__ == "__main__":
    main()
