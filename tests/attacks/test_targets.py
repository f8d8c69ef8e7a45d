"""The wrong classes in the order in which targeted searches aim at them."""

import pytest
import torch

from bench.attacks.budget import NORMS, Norm
from bench.attacks.network import Network
from bench.attacks.targets import CANDIDATES, Targets, alternating, likeliest
from bench.testing import AffineHead

CLASSES = 13


def affine() -> AffineHead:
    """A head of thirteen classes with weights of unlike size."""
    draw = torch.Generator().manual_seed(3)
    weight = torch.randn(CLASSES, 3, 6, 6, generator=draw)
    return AffineHead(weight * torch.linspace(0.2, 2, CLASSES)[:, None, None, None], torch.zeros(CLASSES)).eval()


@pytest.mark.parametrize("norm", NORMS)
def test_the_nearest_of_an_affine_head_are_known(norm: Norm) -> None:
    head, images = affine(), torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(4))
    logits = head(images)
    labels = logits.argmax(1)
    likely = likeliest(logits, labels)
    found = alternating(Network(head, torch.device("cpu")), images, labels, likely, norm)
    order = {"linf": 1, "l2": 2, "l1": torch.inf}[norm]
    weight = head.weight.flatten(1)
    for row, label in enumerate(labels.tolist()):
        length = torch.linalg.vector_norm(weight[label] - weight, ord=order, dim=1)
        way = (logits[row, label] - logits[row]) / length
        first = likely[row, :CANDIDATES].tolist()
        near = sorted(first, key=lambda c, way=way: float(way[c]))
        expected = list(dict.fromkeys(c for pair in zip(first, near, strict=True) for c in pair))
        assert found[row, :CANDIDATES].tolist() == expected
    assert torch.equal(found[:, CANDIDATES:], likely[:, CANDIDATES:])
    assert not torch.equal(found, likely)


def test_without_gradients_the_likeliest_come_first() -> None:
    head, images = affine(), torch.rand(4, 3, 6, 6)
    net = torch.nn.Sequential(torch.nn.Threshold(2.0, 0.5), head).eval()  # 0.5 everywhere, with a gradient of zero
    logits = net(images)
    labels = logits.argmax(1)
    likely = likeliest(logits, labels)
    assert torch.equal(alternating(Network(net, torch.device("cpu")), images, labels, likely, "linf"), likely)


def test_an_order_is_found_once() -> None:
    head, images = affine(), torch.rand(4, 3, 6, 6)
    logits = head(images)
    network = Network(head, torch.device("cpu"))
    targets = Targets(network, images, logits.argmax(1), logits)
    assert targets.find([(2, "linf"), (0, None), (1, "linf"), (2, "linf")], batch_size=1) == [1, 2]
    assert network.cost.backward == 2 * CANDIDATES
    assert targets.find([(1, "linf")], batch_size=1) == []
    assert torch.equal(targets.of([(0, None)]), likeliest(logits, logits.argmax(1))[:1])
