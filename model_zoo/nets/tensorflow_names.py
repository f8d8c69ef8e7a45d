"""Conversion of an EfficientNet's variables from TensorFlow's names and layouts to timm's (`nets.efficientnet`)."""

import re
from collections.abc import Mapping

from torch import Tensor

from model_zoo.nets.efficientnet import EfficientNetSpec

_AVERAGE = "/ExponentialMovingAverage"
_LEAF = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_OUTER = {
    "stem/conv2d": "conv_stem",
    "stem/tpu_batch_normalization": "bn1",
    "head/conv2d": "conv_head",
    "head/tpu_batch_normalization": "bn2",
    "head/dense": "classifier",
}
_SQUEEZE = {"se/conv2d": "se.conv_reduce", "se/conv2d_1": "se.conv_expand"}
_FIRST_STAGE = _SQUEEZE | {
    "depthwise_conv2d": "conv_dw",
    "tpu_batch_normalization": "bn1",
    "conv2d": "conv_pw",
    "tpu_batch_normalization_1": "bn2",
}
"""Names in blocks without expansion. TensorFlow numbers layers of one kind in order of use."""
_EXPANDING = _SQUEEZE | {
    "conv2d": "conv_pw",
    "tpu_batch_normalization": "bn1",
    "depthwise_conv2d": "conv_dw",
    "tpu_batch_normalization_1": "bn2",
    "conv2d_1": "conv_pwl",
    "tpu_batch_normalization_2": "bn3",
}
_BLOCK = re.compile(r"blocks_(\d+)/(.+)")


def from_tensorflow(spec: EfficientNetSpec, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `arrays` with the state dict's names and layouts. Unknown names are kept, for `fill` to report.

    If the file has moving averages, `spec.average` chooses between them and the variables.
    """
    places = [(stage, index) for stage, count in enumerate(spec.repeats) for index in range(count)]
    chosen = {k.removesuffix(_AVERAGE): v for k, v in arrays.items() if k.endswith(_AVERAGE) == spec.average}
    return {_name(places, key): _layout(key, value) for key, value in chosen.items()}


def _layout(key: str, value: Tensor) -> Tensor:
    """Transpose kernels [k, k, in, out] to [out, in, k, k], depthwise [k, k, c, 1] to [c, 1, k, k]; flatten others."""
    if key.endswith("/depthwise_kernel"):
        return value.permute(2, 3, 0, 1).contiguous()
    if key.endswith("/kernel"):
        return value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value.t().contiguous()
    return value.flatten()


def _name(places: list[tuple[int, int]], key: str) -> str:
    layer, _, leaf = key.partition("/")[2].rpartition("/")  # the first part is the network's name
    if leaf not in _LEAF:
        return key
    if layer in _OUTER:
        return f"{_OUTER[layer]}.{_LEAF[leaf]}"
    block = _BLOCK.fullmatch(layer)
    if block is None or int(block[1]) >= len(places):
        return key
    stage, index = places[int(block[1])]
    names = _FIRST_STAGE if stage == 0 else _EXPANDING
    return f"blocks.{stage}.{index}.{names[block[2]]}.{_LEAF[leaf]}" if block[2] in names else key
