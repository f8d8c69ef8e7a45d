"""Auto-PGD step by step against pyautoattack's, from the same start."""

import copy
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from pyautoattack import autopgd_base
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from torch import Tensor, nn

from bench.attacks.apgd import Apgd, ApgdBatch
from bench.attacks.apgd_l1 import STAGES, ApgdL1
from bench.attacks.autoattack import apgd, apgd_t
from bench.attacks.budget import NORMS, Norm
from bench.attacks.network import Network
from bench.attacks.queue import Queue, Workload
from bench.attacks.search import ModelOutput, NewImages
from bench.errors import UsageError
from tests.attacks.conftest import Subject

EPS = {"linf": 12 / 255, "l2": 0.7, "l1": 6.0}


@pytest.fixture
def exact(subject: Subject) -> Iterator[Subject]:
    """The subject in float64, where no comparison of losses hangs on rounding."""
    torch.set_default_dtype(torch.float64)
    yield Subject(copy.deepcopy(subject.net).double(), subject.images.double(), subject.labels)
    torch.set_default_dtype(torch.float32)


class Listening(nn.Module):
    """A network that never misclassifies `labels`, and remembers what it was asked.

    The true class is lifted far above the others in the prediction, so that both codes run all their steps; a loss on
    the logits still has gradients.
    """

    def __init__(self, net: nn.Module, labels: Tensor, lift: float) -> None:
        super().__init__()
        self.net, self.labels, self.lift, self.asked = net, labels, lift, list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(x.detach().clone())
        logits: Tensor = self.net(x)
        return logits.scatter_add(1, self.labels[:, None], torch.full_like(logits[:, :1], self.lift))


def iterates(search: Apgd | ApgdL1, net: nn.Module, subject: Subject, target: Tensor) -> None:
    """Run `search` on all images side by side, those of L2 and Linf from the images themselves."""
    index = torch.arange(len(target))
    batch = search.start(NewImages(index, index, subject.images, subject.labels, target, [_Zero()] * len(target)))  # type: ignore[list-item]
    if isinstance(batch, ApgdBatch):
        batch.x, batch.previous, batch.best = subject.images, subject.images, subject.images.clone()
    done = torch.zeros_like(batch.broken)
    while not done.any():
        x = batch.x.detach().requires_grad_()
        logits = net(x)
        value = search.objective(batch, logits)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        done = search.update(batch, ModelOutput(x.detach(), logits.detach(), value.detach(), gradient))


class _Zero:
    """Draws ones."""

    def random(self, shape: tuple[int, ...], dtype: type) -> object:
        return np.ones(shape, dtype)

    standard_normal = random


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", ["ce", "dlr"])
def test_every_iterate_is_the_reference_s(exact: Subject, norm: Norm, loss: str) -> None:
    subject = exact
    ours, theirs = (Listening(subject.net, subject.labels, 8.0) for _ in range(2))
    reference = APGDAttack(theirs, n_iter=100, norm=norm.capitalize(), eps=EPS[norm], loss=loss, device="cpu")
    reference.init_hyperparam(subject.images)
    reference.attack_single_run(subject.images, subject.labels, x_init=subject.images)
    iterates(Apgd(norm, EPS[norm], loss), ours, subject, subject.labels)
    _same(ours.asked, theirs.asked)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_targeted_iterate_is_the_reference_s(exact: Subject, norm: Norm) -> None:
    subject = exact
    target = (subject.labels + 3) % 10
    ours, theirs = (Listening(subject.net, subject.labels, 8.0) for _ in range(2))
    reference = APGDAttack_targeted(theirs, n_iter=60, norm=norm.capitalize(), eps=EPS[norm], device="cpu")
    reference.init_hyperparam(subject.images)
    reference.y_target = target
    reference.attack_single_run(subject.images, subject.labels, x_init=subject.images)
    iterates(Apgd(norm, EPS[norm], "dlr-targeted", 60), ours, subject, target)
    _same(ours.asked, theirs.asked)


@pytest.mark.parametrize("loss", ["ce", "dlr", "dlr-targeted"])
def test_every_l1_iterate_is_the_reference_s(exact: Subject, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All three stages. The reference's projection leaves values moved by a rounding error, which its count of moved
    values takes for real ones: here it counts those moved by 1e-9 and more."""
    subject = exact
    monkeypatch.setattr(autopgd_base, "L0_norm", lambda delta: (delta.abs() > 1e-9).flatten(1).sum(1))
    monkeypatch.setattr(autopgd_base.torch.Tensor, "float", lambda tensor: tensor.double())
    target = (subject.labels + 3) % 10
    ours, theirs = (Listening(subject.net, subject.labels, 8.0) for _ in range(2))
    search = ApgdL1(EPS["l1"], loss, 50)
    kind = APGDAttack_targeted if loss == "dlr-targeted" else APGDAttack
    losses = {} if loss == "dlr-targeted" else {"loss": loss}
    reference = kind(theirs, n_iter=50, norm="L1", eps=EPS["l1"], device="cpu", use_largereps=True, **losses)
    reference.init_hyperparam(subject.images)
    reference.y_target = target
    monkeypatch.setattr(torch, "randn_like", lambda x: x.new_ones(x.shape))
    radii = [radius * EPS["l1"] for radius, _ in STAGES]
    reference.decr_eps_pgd(subject.images, subject.labels, radii, list(search.lengths))
    iterates(search, ours, subject, target)
    _same(ours.asked, theirs.asked)


def _same(ours: list[Tensor], theirs: list[Tensor]) -> None:
    assert len(ours) == len(theirs) > 50
    for step, (own, other) in enumerate(zip(ours, theirs, strict=True)):
        assert (own - other).abs().max() < 1e-9, f"step {step}"
    assert (theirs[-1] - theirs[0]).abs().max() > 0.01


class Led(nn.Module):
    """An affine network of two classes that leads gradients astray in one `way`; its logits stay the same."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        shrunk = x.detach() + 1e-6 * (x - x.detach())
        seen = {
            "right": x,
            "away": 2 * x.detach() - x,
            "nowhere": x.detach() + 0 * x,
            "up": x.detach() + _edge(x),
            "narrow": torch.where(torch.arange(x.shape[3]) < 7, shrunk, x),
        }
        mean = seen[self.way].flatten(1).mean(1)
        return torch.stack([mean, 2 - mean], 1)


def _edge(x: Tensor) -> Tensor:
    """Zero, with an infinite gradient."""
    return (x - x.detach()).sqrt()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("way", ["right", "away", "nowhere", "up", "narrow"])
def test_it_tells_where_gradients_mislead_it(norm: Norm, way: str) -> None:
    images = torch.full((1, 3, 8, 8), 0.5)
    trials = apgd(norm, Fraction(EPS[norm]).limit_denominator(255), steps=12).trials
    load = Workload(images, torch.tensor([1]), ["grey"], torch.tensor([[0.0, 1.0]]))
    queue = Queue(Network(Led(way).eval(), torch.device("cpu")), trials, load, seed=0, batch_size=4)
    queue.add(0)
    queue.drain()
    assert queue.findings[0].misled == (way != "right")


@pytest.mark.parametrize("norm", NORMS)
def test_more_targets_break_no_less(subject: Subject, norm: Norm) -> None:
    eps = Fraction(EPS[norm]).limit_denominator(255)
    one, nine = (
        apgd_t(norm, eps, targets, 20).run(subject.net, subject.images, subject.labels, subject.ids)
        for targets in (1, 9)
    )
    assert (nine.robust <= one.robust).all()
    assert 0 < nine.robust.sum() < one.robust.sum() < 24 or norm != "linf"


def test_in_l1_a_linear_model_s_verdicts_are_exact() -> None:
    """Two classes: the distance to the plane is the gap over the largest weight, since [0, 1] is out of reach."""
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(1, 48, generator=random)
    linear = nn.Linear(48, 2)
    linear.weight.data, linear.bias.data = torch.cat([weight, -weight]), torch.zeros(2)
    net = nn.Sequential(nn.Flatten(), linear).eval()
    images = 0.5 + 0.01 * torch.randn(40, 3, 4, 4, generator=random)
    linear.bias.data[0] -= 2 * (images.flatten(1) @ weight.T).median()
    logits = net(images).detach()
    distance = (logits[:, 0] - logits[:, 1]).abs() / (2 * weight.abs().max())
    eps = Fraction(float(distance.median())).limit_denominator(10_000)
    result = apgd("l1", eps).run(net, images, logits.argmax(1), [str(i) for i in range(40)])
    clear = (distance - float(eps)).abs() > 0.01 * float(eps)
    assert torch.equal(result.robust[clear], (distance > float(eps))[clear])
    assert clear.sum() > 35
    assert float(result.distance.max()) <= float(eps) * (1 + 1e-5)


def test_the_image_leaves_at_its_first_misclassified_iterate(subject: Subject) -> None:
    result = apgd("linf", Fraction(64, 255)).run(subject.net, subject.images, subject.labels, subject.ids)
    assert set(result.broken_by) == {"apgd-ce"}
    assert result.steps.max() < 10


def test_losses_that_the_classes_do_not_suffice_for_are_refused() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    images, labels = torch.rand(2, 3, 2, 2), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(UsageError, match="at least 10 classes"):
        apgd_t("linf", Fraction(1, 255)).run(net, images, labels, ["a", "b"])
    with pytest.raises(UsageError, match="at least 4 classes"):
        apgd_t("linf", Fraction(1, 255), targets=1).run(net, images, labels, ["a", "b"])
