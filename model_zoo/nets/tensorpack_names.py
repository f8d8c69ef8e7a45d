"""Conversion of a ResNet's variables from tensorpack's names and layouts to torchvision's (`nets.resnet`)."""

import re
from collections.abc import Mapping

from torch import Tensor

from model_zoo.nets.resnet import ResNetSpec

_BN = {"gamma": "weight", "beta": "bias", "mean/EMA": "running_mean", "variance/EMA": "running_var"}
_BLOCK = re.compile(r"group(\d+)/block(\d+)/(.+)")
_STAGE_DENOISE = re.compile(r"group(\d+)_denoise/(.+)")


def from_tensorpack(spec: ResNetSpec, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `arrays` with the state dict's names and layouts. Unknown names are kept, for `fill` to report."""
    return {_name(spec, key): _layout(key, value) for key, value in arrays.items()}


def _layout(key: str, value: Tensor) -> Tensor:
    """Transpose kernels [kh, kw, in / groups, out] to [out, in / groups, kh, kw], and the classifier to [out, in]."""
    if key.endswith("/W"):
        return value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value.t().contiguous()
    return value


def _name(spec: ResNetSpec, key: str) -> str:
    if key in ("linear/W", "linear/b"):
        return "fc.weight" if key.endswith("W") else "fc.bias"
    if key.startswith("conv0/"):
        return _layer("", "1", key.removeprefix("conv0/")) or key
    if match := _STAGE_DENOISE.fullmatch(key):
        group = int(match[1])
        last = spec.blocks[group] - 1 if group < len(spec.blocks) else 0
        return _denoiser(f"layer{group + 1}.{last}.denoise.", match[2]) or key
    if match := _BLOCK.fullmatch(key):
        return _in_block(f"layer{int(match[1]) + 1}.{match[2]}.", match[3]) or key
    return key


def _in_block(prefix: str, rest: str) -> str | None:
    layer, _, leaf = rest.partition("/")
    if layer == "smoothrelu_beta":  # after the addition
        return f"{prefix}act3.raw"
    if layer == "non_local":
        return _denoiser(f"{prefix}denoise.", leaf)
    if layer == "convshortcut":
        return _pair(leaf, f"{prefix}downsample.0", f"{prefix}downsample.1")
    return _layer(prefix, layer.removeprefix("conv"), leaf)


def _layer(prefix: str, number: str, leaf: str) -> str | None:
    if leaf == "smoothrelu_beta":
        return f"{prefix}act{number}.raw"
    return _pair(leaf, f"{prefix}conv{number}", f"{prefix}bn{number}")


def _denoiser(prefix: str, rest: str) -> str | None:
    layer, _, leaf = rest.partition("/")
    name = {"embedding_theta": "theta", "embedding_phi": "phi", "conv": "conv"}.get(layer)
    return _pair(leaf, f"{prefix}{name}", f"{prefix}bn") if name else None


def _pair(leaf: str, conv: str, bn: str) -> str | None:
    """Return the new name of a convolution's kernel or of a vector of the batch norm after it; None for others."""
    if leaf == "W":
        return f"{conv}.weight"
    stem, _, vector = leaf.partition("/")
    return f"{bn}.{_BN[vector]}" if stem == "bn" and vector in _BN else None
