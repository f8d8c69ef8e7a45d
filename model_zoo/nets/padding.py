"""TensorFlow's SAME padding, which is asymmetric if the total padding is odd."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Pad `x` float [n, c, h, w] so that there are ceil(size / stride) windows; odd padding has more at the end."""
    top, bottom = _amounts(x.shape[2], kernel, stride)
    left, right = _amounts(x.shape[3], kernel, stride)
    return F.pad(x, (left, right, top, bottom), value=value) if top + bottom + left + right else x


def _amounts(size: int, kernel: int, stride: int) -> tuple[int, int]:
    places = -(-size // stride)
    total = max((places - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """Convolution without bias, with SAME padding."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad_same(x, self.kernel_size[0], self.stride[0]))


class SameMaxPool2d(nn.Module):
    """3x3 max-pooling with stride 2 and SAME padding."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = F.max_pool2d(pad_same(x, 3, 2, value=-torch.inf), 3, 2)
        return y


def same_conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """Make a convolution with SAME padding (a `ConvFactory`)."""
    return SameConv2d(inputs, outputs, kernel, stride, groups)


def symmetric_conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """Make a convolution with torch's padding, kernel // 2 zeros on every side (a `ConvFactory`)."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
