"""Feature Denoising's non-local blocks (arXiv 1812.03411, section 4; its released code): x + norm(conv(means(x)))."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.nets.normalisation import NormFactory


class GaussianDenoiser(nn.Module):
    """Non-local means with weights softmax((theta x) . (phi x) / sqrt(c / 2)) over all positions and values x."""

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.phi = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn = norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to `x` float [n, c, h, w]; same shape out."""
        query, key, value = (t.flatten(2).transpose(1, 2)[:, None] for t in (self.theta(x), self.phi(x), x))
        y = F.scaled_dot_product_attention(query, key, value)[:, 0]  # its scale is 1 / sqrt(c / 2)
        out: Tensor = x + self.bn(self.conv(y.transpose(1, 2).reshape(x.shape)))
        return out


class DotProductDenoiser(nn.Module):
    """Non-local means with weights (x . x) / (h w) over all positions, without softmax or learned embeddings."""

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn = norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to `x` float [n, c, h, w]; same shape out. The cheaper order of the two products is used."""
        flat = x.flatten(2)  # [n, c, h w]
        channels, places = flat.shape[1:]
        back = flat.transpose(1, 2)
        y = (flat @ back) @ flat if places > channels else flat @ (back @ flat)
        out: Tensor = x + self.bn(self.conv((y / places).reshape(x.shape)))
        return out


DENOISERS: dict[str, Callable[[int, NormFactory], nn.Module]] = {"stage": GaussianDenoiser, "block": DotProductDenoiser}
"""Denoisers by position, as in Feature Denoising: after each stage, or after every block."""
