"""The wrong classes that targeted searches aim at: likeliest first, or in turn with those of the nearest boundary."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import margin_targeted
from bench.attacks.network import Network

CANDIDATES = 9
"""Number of likeliest wrong classes among which the nearest are found."""

DUAL: dict[Norm, Norm] = {"linf": "l1", "l2": "l2", "l1": "linf"}


class Targets:
    """The wrong classes of images [n, 3, h, w] with `labels` [n] and clean `logits` [n, k], all in host memory."""

    def __init__(self, network: Network, images: Tensor, labels: Tensor, logits: Tensor) -> None:
        self.network, self.images, self.labels, self.logits = network, images, labels, logits
        self._near: dict[tuple[int, Norm], Tensor] = {}

    def find(self, wanted: Sequence[tuple[int, Norm | None]], batch_size: int) -> list[int]:
        """Find the order with the nearest for images and norms not asked for before; return these images."""
        new = sorted({(i, norm) for i, norm in wanted if norm is not None} - self._near.keys())
        for norm in {norm for _, norm in new}:
            index = torch.tensor([i for i, own in new if own == norm])
            for part in torch.split(index, batch_size):
                rows = zip(part.tolist(), self._nearest(part, norm), strict=True)
                self._near |= {(i, norm): found for i, found in rows}
        return [i for i, _ in new]

    def of(self, wanted: Sequence[tuple[int, Norm | None]]) -> Tensor:
        """Return int64 [b, k - 1]: the wrong classes of each image, in turn with the nearest if a norm is given."""
        likely = self._likeliest(torch.tensor([i for i, _ in wanted]))
        rows = zip(wanted, likely, strict=True)
        return torch.stack([own if norm is None else self._near[i, norm] for (i, norm), own in rows])

    def _likeliest(self, index: Tensor) -> Tensor:
        return likeliest(self.logits[index], self.labels[index])

    def _nearest(self, index: Tensor, norm: Norm) -> Tensor:
        parts = (self.images[index], self.labels[index], self._likeliest(index))
        images, labels, classes = (part.to(self.network.device) for part in parts)
        return alternating(self.network, images, labels, classes, norm).cpu()


def likeliest(logits: Tensor, labels: Tensor) -> Tensor:
    """Return int64 [n, k - 1]: the wrong classes of images with `logits` [n, k] and `labels` [n], most likely first."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.argsort(dim=1, descending=True, stable=True)[:, :-1]


def alternating(network: Network, images: Tensor, labels: Tensor, classes: Tensor, norm: Norm) -> Tensor:
    """Return `classes` [n, k - 1], likeliest first, with the first `CANDIDATES` in another order: the likeliest, the
    nearest, the second likeliest, the second nearest and so on, each once.

    The distance of a class's boundary is to first order: the label's lead over the dual norm of its gradient (MALT,
    arXiv 2407.02240, section 3), exact for an affine model without clipping. Classes without gradient stay in order.
    All tensors are on the network's device.
    """
    ways = []
    for target in classes[:, :CANDIDATES].T:

        def objective(logits: Tensor, target: Tensor = target) -> Tensor:
            return margin_targeted(logits, labels, target)

        lead, gradient = network.gradient(images, objective).ascent()
        ways.append(-lead / norms.size(gradient, DUAL[norm]))
    near = torch.stack(ways, 1).argsort(dim=1, stable=True).argsort(dim=1)
    likely = torch.arange(near.shape[1], device=near.device)
    order = torch.minimum(2 * likely, 2 * near + 1).argsort(dim=1)
    return torch.cat([classes[:, :CANDIDATES].gather(1, order), classes[:, CANDIDATES:]], 1)
