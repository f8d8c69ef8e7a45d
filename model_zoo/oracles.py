"""Oracles: a network's random weights, images, and the logits of its original code (`meta.json`, `io.npz`).

`meta.json` is an object with `args`, the arguments of the original code, and `variables`, names with shapes. Three
kinds are known: tensorpack ResNets (`repo` is `sat` or `fb`), TensorFlow EfficientNets (`model`), and timm's
NF-ResNet-50 as used by NoFrost (`timm`). Only numbers and names are read; nothing in the folder is executed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model_zoo.card import InputSpec, Method, ModelCard, WeightsSpec
from model_zoo.errors import ZooError
from model_zoo.formats import read_file
from model_zoo.formats.tensorpack import read_arrays

_HALF = (0.5, 0.5, 0.5)
_WIDTH_DEPTH = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
    "b8": (2.2, 3.6),
    "bL1": (3.9, 3.7),
    "l2": (4.3, 5.3),
}
"""Multipliers of the EfficientNets (arXiv 1905.11946, section 4, and its code); L1 from Smooth Adversarial Training."""


_WIDEST = 1 << 13
"""Channels, blocks or multipliers of a network."""
_LARGEST = 1 << 40
"""Number of elements in one variable."""


class OracleError(ZooError):
    """An oracle's folder lacks a file, or its meta.json describes an unknown network."""


@dataclass(frozen=True)
class Oracle:
    """One folder, as read."""

    path: Path
    args: Mapping[str, Any]
    variables: Mapping[str, tuple[int, ...]]

    def weights(self) -> dict[str, Tensor] | None:
        """Return the arrays beside meta.json, from an npz or a TensorFlow checkpoint; None if there are none."""
        files = [p for p in sorted(self.path.glob("*.npz")) if p.name != "io.npz"] + sorted(self.path.glob("*.index"))
        if not files:
            return None
        return {key.removeprefix("module."): value for key, value in read_file(files[0]).items()}

    def names(self) -> dict[str, Tensor]:
        """Return tensors without storage, with the names and shapes in meta.json."""
        return {
            name.removeprefix("module."): torch.empty(shape, device="meta")
            for name, shape in self.variables.items()
            if name != "global_step"
        }

    def io(self) -> dict[str, np.ndarray]:
        """Images and outputs, arrays only; empty without io.npz."""
        path = self.path / "io.npz"
        if not path.is_file():
            return {}
        return read_arrays(path)


def read_oracle(path: Path) -> Oracle:
    """Read the oracle in the folder `path`. Raises `OracleError` without a meta.json of the form above."""
    meta = path / "meta.json"
    if not meta.is_file():
        raise OracleError(f"{path}: expected a meta.json that describes the network, found none")
    try:
        content = json.loads(meta.read_text(encoding="utf-8"))
        variables = {str(name): tuple(int(n) for n in shape) for name, shape in content["variables"].items()}
        if not all(0 <= math.prod(shape) < _LARGEST and min(shape, default=0) >= 0 for shape in variables.values()):
            raise ValueError("a variable of impossible shape")
        return Oracle(path, dict(content["args"]), variables)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise OracleError(f"{meta}: expected an object with `args` and `variables`: {error!r}") from None


def images_of(io: Mapping[str, np.ndarray]) -> Tensor:
    """Return the stored uint8 [n, h, w, 3] images as float32 [n, 3, h, w], RGB in [0, 1]."""
    for order in ("bgr", "rgb"):
        stored = io.get(f"images_uint8_{order}_nhwc")
        if stored is not None:
            if stored.ndim != 4 or stored.shape[-1] != 3:
                raise OracleError(f"io.npz: expected images [n, h, w, 3], found {list(stored.shape)}")
            rgb = stored[..., ::-1] if order == "bgr" else stored
            return torch.from_numpy(rgb.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    raise OracleError("io.npz holds no images_uint8_bgr_nhwc or images_uint8_rgb_nhwc")


def oracle_card(oracle: Oracle, *, average: bool = False) -> ModelCard:
    """Return the card of the network in meta.json; `average` selects the moving averages of its variables."""
    args = oracle.args
    try:
        if args.get("repo") in ("sat", "fb"):
            return _tensorpack(oracle.path.name, args)
        if str(args.get("model", "")).startswith("efficientnet"):
            return _efficientnet(oracle.path.name, args, average)
        if "timm" in args:
            return _card(
                oracle.path.name, "nofrost", "nf_resnet50", {"timm": "nf_resnet50"}, InputSpec(224, resize=256)
            )
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise OracleError(f"{oracle.path / 'meta.json'}: args lack or misstate {error}") from None
    raise OracleError(
        f"{oracle.path / 'meta.json'}: args describe no known network: expected repo sat or fb, "
        f"model efficientnet-..., or timm; found {', '.join(args) or 'none'}"
    )


_DENOISE = {("Denoise", ""): "stage", ("Denoise", "All"): "block"}


def _tensorpack(name: str, args: Mapping[str, Any]) -> ModelCard:
    denoising = args["repo"] == "fb"
    wide = denoising and "ResNeXt" in args["arch"]  # Feature Denoising's ResNeXt is 32x8d whatever its flags say
    build: dict[str, Any] = {
        "depth": int(args["depth"]),
        "widths": [width // int(args.get("width_div") or 1) for width in (64, 128, 256, 512)],
        "groups": 32 if wide else int(args.get("group") or 1),
        "group_width": 8 if wide else int(args.get("res2_bottleneck") or 64),
        "activation": "relu" if denoising else str(args["act"]),
        "padding": "same" if denoising else "same_pool",
        "denoise": _DENOISE.get(str(args["arch"]).partition("Denoise")[1:], ""),
    }
    if args.get("blocks"):
        build["blocks"] = [int(b) for b in str(args["blocks"]).split(",")]
    size = int(args["size"])
    spec = InputSpec(size, resize=size + 32, interpolation="cv2_cubic", channels="bgr", mean=_HALF, std=_HALF)
    return _card(name, "intriguing" if denoising else "sat", "resnet", build, spec)


def _efficientnet(name: str, args: Mapping[str, Any], average: bool) -> ModelCard:
    width, depth = _WIDTH_DEPTH[args["model"].removeprefix("efficientnet-")]
    build = {
        "width": float(args.get("width") or width),
        "depth": float(args.get("depth") or depth),
        "bn_eps": float(args["eps"]),
        "average": average,
    }
    spec = InputSpec(int(args["size"]), geometry="crop_resize", interpolation="tf1_bicubic")
    if args.get("preproc") != "imagenet":
        spec = InputSpec(int(args["size"]), "crop_resize", interpolation="tf1_bicubic", mean=_HALF, std=_HALF)
    return _card(name, "sat", str(args["model"]), build, spec)


def _card(name: str, method: Method, architecture: str, build: Mapping[str, Any], spec: InputSpec) -> ModelCard:
    sizes = [n for value in build.values() for n in (value if isinstance(value, list) else [value])]
    if not all(0 <= n <= _WIDEST for n in sizes if isinstance(n, int | float)):
        raise ValueError(f"a size beyond {_WIDEST}")
    weights = WeightsSpec("tensorpack", "user", "random numbers")
    return ModelCard(name or "oracle", method, architecture, spec, weights, build=build)
