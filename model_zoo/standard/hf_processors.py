"""Input defined by a `preprocessor_config.json` of transformers, as applied by its Pillow processors.

Missing fields take the processor class's default, and the class decides whether an `int` for `size` means the short
side or both sides. A table here has both, read from transformers 4.44.2 and 5.24.0 (`models/*/image_processing_*.py`).
A default that differs between the two releases is not guessed; unknown classes and steps are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from model_zoo.card import InputSpec, Interpolation
from model_zoo.errors import CardError

_RESAMPLING: dict[int, Interpolation] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}
"""Interpolation by Pillow's number."""

_HALF, _IMAGENET = ((0.5,) * 3, (0.5,) * 3), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@dataclass(frozen=True)
class ProcessorClass:
    """A processor class of transformers: the meaning of an `int` for `size`, and the defaults common to releases."""

    square: bool
    """Whether an `int` gives both sides; otherwise the short side."""
    defaults: Mapping[str, Any] = field(default_factory=dict)


def _class(square: bool, statistics: tuple[Any, Any] | None, **defaults: Any) -> ProcessorClass:
    mean_std = dict(zip(("image_mean", "image_std"), statistics, strict=True)) if statistics else {}
    return ProcessorClass(square, {"do_normalize": True, "do_flip_channel_order": False, **mean_std, **defaults})


_CROPPED = {"do_center_crop": True, "crop_size": 224}
_CLASSES = {
    "ViT": _class(True, _HALF, size=224, resample=2, do_center_crop=False),
    "DeiT": _class(True, _HALF, size=256, resample=3, **_CROPPED),
    "Beit": _class(True, _HALF, resample=3),
    "Pvt": _class(True, _IMAGENET, size=224, do_center_crop=False),
    "Siglip": _class(True, _HALF, size=224, resample=3, do_center_crop=False),
    "Bit": _class(False, _CLIP, size=224, resample=3, **_CROPPED),
    "CLIP": _class(False, _CLIP, size=224, resample=3, **_CROPPED),
    "ConvNext": _class(False, _HALF, size=384, crop_pct=224 / 256),
    "Levit": _class(False, _IMAGENET, size=224, resample=3, **_CROPPED),
    "MobileNetV1": _class(False, _HALF, size=256, resample=2, **_CROPPED),
    "MobileNetV2": _class(False, _HALF, size=256, resample=2, **_CROPPED),
    "MobileViT": ProcessorClass(False, {"do_normalize": False}),
    "PoolFormer": _class(False, _IMAGENET, size=224, resample=3, crop_pct=0.9, **_CROPPED),
}

_OF_NETWORK = {
    "Beit": "beit data2vec-vision",
    "Bit": "bit dinov2 focalnet hiera",
    "CLIP": "clip",
    "ConvNext": "convnext convnextv2 cvt regnet resnet",
    "DeiT": "deit",
    "Levit": "levit",
    "MobileNetV1": "mobilenet_v1",
    "MobileNetV2": "mobilenet_v2",
    "MobileViT": "mobilevit mobilevitv2",
    "PoolFormer": "poolformer",
    "Pvt": "pvt pvt_v2",
    "Siglip": "siglip",
    "ViT": "dinat ijepa swiftformer swin swinv2 vit vit_msn",
}
"""Processor class by `model_type`, for files that name no class (`image_processing_auto.py`)."""

_STEPS = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb", "do_flip_channel_order",
          "do_reduce_labels"}  # fmt: skip


def input_of_processor(about: Mapping[str, Any], network: str = "") -> InputSpec:
    """Return the input of a processor's file; `network` is the `model_type` of `config.json`.

    Raises `CardError` for an unknown processor, for steps other than resize, crop, scaling by 1/255 and normalisation,
    and for a missing field whose default differs between releases.
    """
    name = _name(about, network)
    kind = _CLASSES[name]
    given = {**kind.defaults, **about}
    _check_steps(given, name)
    resample = _value(given, "resample", name)
    if not isinstance(resample, int) or resample not in _RESAMPLING:
        raise _refused(name, f"resample {resample}")
    normalises = bool(_value(given, "do_normalize", name))
    return InputSpec(
        interpolation=_RESAMPLING[resample],
        channels="bgr" if _value(given, "do_flip_channel_order", name) else "rgb",
        mean=_three(given, "image_mean", name) if normalises else (0.0, 0.0, 0.0),
        std=_three(given, "image_std", name) if normalises else (1.0, 1.0, 1.0),
        **_geometry(given, name, kind),
    )


def _name(about: Mapping[str, Any], network: str) -> str:
    said = str(about.get("image_processor_type") or about.get("feature_extractor_type") or "")
    name = re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", said)
    if not said:
        name = next((kind for kind, networks in _OF_NETWORK.items() if network in networks.split()), "")
    if name not in _CLASSES:
        raise CardError(
            f"hf: the processor of {said or network or 'this checkpoint'} is not known here "
            f"({', '.join(sorted(_CLASSES))} are); write a factory: file:net.py:make"
        )
    return name


def _check_steps(given: Mapping[str, Any], name: str) -> None:
    if other := sorted(key for key, value in given.items() if key.startswith("do_") and value and key not in _STEPS):
        raise _refused(name, f"{', '.join(other)}")
    factor = given.get("rescale_factor", 1 / 255)
    if not given.get("do_rescale", True) or not _is_number(factor) or abs(factor * 255 - 1) > 1e-3:
        raise _refused(name, "images that are not scaled to [0, 1]")
    if given.get("rescale_offset", False):
        raise _refused(name, "rescale_offset")
    if not given.get("do_resize", True):
        raise _refused(name, "no resizing")


def _geometry(given: Mapping[str, Any], name: str, kind: ProcessorClass) -> dict[str, Any]:
    """Return `size`, `resize` and `geometry` of an `InputSpec`."""
    sides = _sides(given, name, kind)
    short, both = sides.get("shortest_edge", 0), sides.get("height", 0)
    if name == "ConvNext" and short:
        if short >= 384:
            return {"size": short, "resize": short, "geometry": "squash"}
        return {"size": short, "resize": int(short / _share(given, name)), "geometry": "resize_crop_down"}
    crop = _crop(given, name)
    if short and crop:
        if name == "Levit":
            short = int(256 / 224 * short)
        if name == "PoolFormer" and given["crop_pct"] is not None:
            short = int(short / _share(given, name))
        if crop > short:
            raise _refused(name, f"a crop of {crop} from a short side of {short}")
        return {"size": crop, "resize": short, "geometry": "resize_crop_down"}
    if both and both == sides.get("width") and name not in ("ConvNext", "PoolFormer"):
        side = crop or both
        if side > both or (both - side) % 2:
            raise _refused(name, f"a crop of {side} from {both}")
        return {"size": side, "resize": both, "geometry": "squash"}
    raise _refused(name, f"size {given['size']}, crop {crop or 'none'}")


def _sides(given: Mapping[str, Any], name: str, kind: ProcessorClass) -> Mapping[str, int]:
    size = _value(given, "size", name)
    if isinstance(size, Mapping):
        sides = dict(size)
    else:
        sides = {"height": size, "width": size} if kind.square else {"shortest_edge": size}
    if not sides.keys() <= {"height", "width", "shortest_edge"} or not all(map(_is_side, sides.values())):
        raise _refused(name, f"size {size}")
    return sides


def _crop(given: Mapping[str, Any], name: str) -> int:
    """Return the side of the crop in pixels; 0 without a crop."""
    if not _value(given, "do_center_crop", name):
        return 0
    crop = _value(given, "crop_size", name)
    height, width = (crop.get("height"), crop.get("width")) if isinstance(crop, Mapping) else (crop, crop)
    if not _is_side(height) or height != width:
        raise _refused(name, f"crop {crop}")
    return int(height)


def _share(given: Mapping[str, Any], name: str) -> float:
    """Return the crop's share of the resized side."""
    share = given["crop_pct"]
    if not _is_number(share) or not 0.1 <= share <= 1:
        raise _refused(name, f"crop_pct {share}")
    return float(share)


def _three(given: Mapping[str, Any], key: str, name: str) -> tuple[float, float, float]:
    values = _value(given, key, name)
    if not isinstance(values, list | tuple) or len(values) != 3 or not all(map(_is_number, values)):
        raise _refused(name, f"{key} {values}")
    red, green, blue = map(float, values)
    return red, green, blue


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_side(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 8 <= value <= 4096


def _value(given: Mapping[str, Any], key: str, name: str) -> Any:
    if key not in given:
        raise CardError(
            f"hf: preprocessor_config.json leaves out {key!r}, whose default in {name}ImageProcessor differs between "
            "releases of transformers; write it there as the checkpoint was trained"
        )
    return given[key]


def _refused(name: str, what: str) -> CardError:
    return CardError(f"hf: the processor {name} has no equal here: {what}; write a factory: file:net.py:make")
