"""A torchvision or timm transform for evaluation, as the input of a card: only what gives the same bytes is taken.

(torchvision's v2 multiplies by 1/255 where all others divide: its floats may differ from ours in the last bit.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch

from model_zoo.card import InputSpec, Interpolation
from model_zoo.errors import CardError

_UNIT: dict[str, tuple[float, float, float]] = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def input_of(transform: object) -> InputSpec:
    """Return the preprocessing of `transform`: a resize, a centre crop, a tensor of [0, 1], a normalisation, in this
    order.

    Accepts torchvision's `Compose` (v1 and v2), its presets of weights, and the result of timm's `create_transform`.
    Without a normalisation mean and std are 0 and 1. Raises `CardError` naming a step that is not supported.
    """
    if type(transform).__name__ == "ImageClassification":
        return _of_preset(transform)
    steps = getattr(transform, "transforms", [transform])
    read = _Reader()
    for step in steps:
        read.take(step)
    return read.spec()


def _of_preset(preset: Any) -> InputSpec:
    """torchvision's `ImageClassification`, as `weights.transforms()` makes it."""
    return InputSpec(
        size=preset.crop_size[0],
        resize=preset.resize_size[0],
        interpolation=_interpolation(preset.interpolation),
        mean=_triple(preset.mean),
        std=_triple(preset.std),
    )


@dataclass
class _Reader:
    """The result of the steps so far; each kind of step may occur once, and in order."""

    resize: Any = None
    crop: Any = None
    tensor: bool = False
    scaled: bool = False
    normal: Any = None

    def take(self, step: object) -> None:
        name = type(step).__name__
        if getattr(step, "__name__", name) in _TO_RGB:
            return  # all images are RGB here
        if name not in _STEPS:
            raise CardError(
                f"transform: the step {name} has no equal here; give the input by keywords (size=, resize=)"
            )
        if name in ("Resize", "ResizeKeepRatio", "CenterCrop", "CenterCropOrPad") and self.tensor:
            raise CardError(f"transform: {name} comes after the conversion to a tensor, which resizes other bytes")
        _STEPS[name](self, step)

    def spec(self) -> InputSpec:
        """Return the input of the steps."""
        if self.tensor and not self.scaled:
            raise CardError("transform: it leaves levels of 0..255; add ConvertImageDtype or ToDtype(scale=True)")
        values: dict[str, Any] = dict(_UNIT)
        if self.normal is not None:
            values = {"mean": _triple(self.normal.mean), "std": _triple(self.normal.std)}
        crop = _side(self.crop.size) if self.crop is not None else 0
        if self.resize is None:
            if not crop:
                raise CardError("transform: it neither resizes nor crops; give size= beside it")
            return InputSpec(crop, geometry="centre_crop", **values)
        values["interpolation"] = _interpolation(self.resize.interpolation)
        return self._resized(crop, values)

    def _resized(self, crop: int, values: dict[str, Any]) -> InputSpec:
        if type(self.resize).__name__ == "ResizeKeepRatio":
            if self.resize.longest != 1.0 or type(self.crop).__name__ != "CenterCropOrPad":
                raise CardError("transform: ResizeKeepRatio has an equal here only as timm's border mode makes it")
            spec = InputSpec(crop, geometry="border", resize=_side(self.resize.size), **values)
            if tuple(self.crop.fill) != tuple(round(255 * level) for level in spec.mean):
                raise CardError(f"transform: CenterCropOrPad fills with {self.crop.fill}, not with the mean's colour")
            return spec
        size = self.resize.size
        if isinstance(size, Sequence) and len(size) == 2:
            return InputSpec(crop or _side(size), geometry="squash", resize=_side(size), **values)
        if not crop:
            raise CardError("transform: Resize of the short side without a CenterCrop leaves images of many shapes")
        return InputSpec(crop, resize=_side(size), **values)


def _resize(read: _Reader, step: Any) -> None:
    if read.resize is not None or read.crop is not None or getattr(step, "max_size", None) is not None:
        raise CardError("transform: one Resize, before the crop and without max_size, has an equal here")
    read.resize = step


def _crop(read: _Reader, step: Any) -> None:
    if read.crop is not None:
        raise CardError("transform: a second crop has no equal here")
    read.crop = step


def _to_levels(read: _Reader, _step: Any) -> None:
    read.tensor = True


def _to_unit(read: _Reader, step: Any) -> None:
    if getattr(step, "dtype", torch.float32) != torch.float32 or not getattr(step, "scale", True):
        raise CardError(f"transform: {step} does not give float32 in [0, 1]")
    read.tensor = read.scaled = True


def _normalise(read: _Reader, step: Any) -> None:
    if not read.scaled or read.normal is not None:
        raise CardError("transform: one Normalize, after the conversion to a tensor, has an equal here")
    read.normal = step


_STEPS: dict[str, Callable[[_Reader, Any], None]] = {
    "Resize": _resize,
    "ResizeKeepRatio": _resize,
    "CenterCrop": _crop,
    "CenterCropOrPad": _crop,
    "Normalize": _normalise,
    **dict.fromkeys(("PILToTensor", "MaybePILToTensor", "ToImage"), _to_levels),
    **dict.fromkeys(("ToTensor", "MaybeToTensor", "ToDtype", "ConvertImageDtype"), _to_unit),
}


_TO_RGB = frozenset({"MaybeConvertMode", "_convert_to_rgb", "_convert_image_to_rgb"})
"""Names of the functions that convert to RGB in timm, open_clip and OpenAI's CLIP."""


def _side(size: Any) -> int:
    """Return a square's side from 224, (224,) or (224, 224)."""
    sides = set(size) if isinstance(size, Sequence) else {size}
    if len(sides) != 1:
        raise CardError(f"transform: the size {tuple(size)} is no square")
    return int(sides.pop())


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in (values.tolist() if hasattr(values, "tolist") else values))
    return red, green, blue


def _interpolation(mode: Any) -> Interpolation:
    name = str(getattr(mode, "value", mode))
    for known in get_args(Interpolation):
        if name == known:
            found: Interpolation = known
            return found
    raise CardError(f"transform: the interpolation {name!r} has no equal here")
