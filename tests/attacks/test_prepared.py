"""A fast copy is attacked only where it is the model, its gradients included; else the model itself is, and says so."""

import copy
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from bench import wrap
from bench.attacks.autoattack import apgd
from bench.attacks.evaluation import Evaluation
from bench.attacks.network import freeze
from bench.attacks.prepared import prepare
from bench.attacks.presets import make_pgd
from bench.attacks.reference import reference
from bench.attacks.request import Request
from model_zoo.load import load_model
from model_zoo.nets.activations import SmoothGradientReLU
from tests.attacks.conftest import Subject

EPS = Fraction(8, 255)
LEVELS = 7


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: object, x: Tensor) -> Tensor:
        return (x * LEVELS).round() / LEVELS

    @staticmethod
    def backward(_ctx: object, *gradients: Tensor) -> Tensor:
        return gradients[0]


def as_function(x: Tensor) -> Tensor:
    out: Tensor = _StraightThrough.apply(x)
    return out


def with_detach(x: Tensor) -> Tensor:
    return x + ((x * LEVELS).round() / LEVELS - x).detach()


def without_gradients(x: Tensor) -> Tensor:
    with torch.no_grad():
        step = (x * LEVELS).round() / LEVELS - x
    return x + step


class Before(nn.Module):
    """`net` behind `change`."""

    def __init__(self, net: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.change = net, change

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(self.change(x))
        return out


def bare_pgd(model: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int, step: float) -> Tensor:
    """bool [n], which stand: five lines of PGD from the image itself."""
    x = images.clone()
    for _ in range(steps):
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), labels, reduction="sum"), [x])
        x = (images + (x.detach() + step * gradient.sign() - images).clamp(-eps, eps)).clamp(0, 1)
    return model(x).argmax(1) == labels


@pytest.mark.parametrize("quantise", [as_function, with_detach, without_gradients])
def test_a_straight_through_quantiser_is_as_robust_as_a_bare_loop_finds_it(
    subject: Subject, quantise: Callable[[Tensor], Tensor]
) -> None:
    model = Before(subject.net, quantise).eval()
    attack = make_pgd("linf", EPS, 20, EPS / 8, random_start=False)
    found = attack.run(model, subject.images, subject.labels, subject.ids)
    stand = bare_pgd(freeze(model), subject.images, subject.labels, float(EPS), 20, float(EPS / 8))
    assert 0 < stand.sum() < 24
    assert found.robust.equal(stand & (model(subject.images).argmax(1) == subject.labels))
    assert bool(found.notes) == (quantise is not with_detach)


@pytest.mark.parametrize("quantise", [as_function, with_detach])
def test_autoattack_finds_of_it_what_the_reference_finds(
    subject: Subject, quantise: Callable[[Tensor], Tensor]
) -> None:
    model = Before(subject.net, quantise).eval()
    reach = Fraction(12, 255)
    theirs = reference("linf", reach)
    found = apgd("linf", reach).run(model, subject.images, subject.labels, subject.ids).robust
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.attacks.reference.COMPONENTS", ("apgd-ce",))
        expected = theirs.run(model, subject.images, subject.labels, subject.ids).robust
    assert 0 < expected.sum() < 24
    assert (found != expected).sum() <= 1  # of random starts


def test_a_smooth_gradient_of_its_own_is_kept(subject: Subject) -> None:
    model = nn.Sequential(*[SmoothGradientReLU() if isinstance(m, nn.ReLU) else m for m in subject.net]).eval()
    assert prepare(model, subject.images).because == ""
    for unit in model.modules():
        if isinstance(unit, SmoothGradientReLU):
            unit.smooth = True
    ready = prepare(model, subject.images)
    assert "defines its own gradients" in ready.because
    torch.testing.assert_close(gradient(ready.model, subject), gradient(freeze(model), subject), atol=1e-6, rtol=1e-4)


def gradient(model: nn.Module, subject: Subject) -> Tensor:
    leaf = subject.images.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(model(leaf), subject.labels), [leaf])[0]


def hooked(net: nn.Module) -> nn.Module:
    net[2].register_forward_hook(lambda _module, _given, out: out * 1.5)
    return net


def weight_normed(net: nn.Module) -> nn.Module:
    with pytest.warns(FutureWarning):
        net[0] = nn.utils.weight_norm(net[0])
    net(torch.rand(1, 3, 12, 12))
    return net


def spectral_normed(net: nn.Module) -> nn.Module:
    net[3] = nn.utils.spectral_norm(net[3])
    net(torch.rand(1, 3, 12, 12))
    return net.eval()


class Autocast(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            out: Tensor = super().forward(x)
        return out.float()


class Viewed(nn.Sequential):
    """Works in the usual layout of memory alone."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = super().forward(x.view(len(x), -1).view(x.shape))
        return out


class Counting(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        self.calls = getattr(self, "calls", 0) + 1
        out: Tensor = super().forward(x)
        return out


class Branching(nn.Sequential):
    """Has other logits where gradients are taken."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = super().forward(x)
        return out if torch.is_grad_enabled() else out * 1.01


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (hooked, "hooks (2)"),
        (weight_normed, "hooks (0)"),
        (spectral_normed, "hooks (3)"),
        (lambda net: Autocast(*net), "autocast"),
        (lambda net: Viewed(*net), ""),
        (lambda net: Counting(*net), "state"),
        (lambda net: Branching(*net), "differ"),
    ],
)
def test_what_a_copy_cannot_be_trusted_with_is_attacked_itself(
    subject: Subject, change: Callable[[nn.Module], nn.Module], because: str
) -> None:
    model = change(copy.deepcopy(subject.net)).eval()
    ready = prepare(model, subject.images)
    assert because in ready.because
    assert bool(ready.note) == bool(ready.because)
    network = ready.network(torch.device("cpu"))
    asked = network.gradient(subject.images, lambda logits: -F.cross_entropy(logits, subject.labels, reduction="none"))
    leaf = subject.images.clone().requires_grad_()
    expected = -torch.autograd.grad(F.cross_entropy(model(leaf), subject.labels, reduction="sum"), [leaf])[0]
    assert asked.gradient is not None
    tolerance = 1e-6 if because else 1e-4
    if because == "autocast":  # a bfloat16 sum may end one step apart in another layout of memory
        tolerance = torch.finfo(torch.bfloat16).eps * expected.abs().max().item()
    torch.testing.assert_close(asked.gradient, expected, atol=tolerance, rtol=1e-3)


def test_a_copy_that_differs_only_where_attacks_end_is_given_up(subject: Subject) -> None:
    attack = make_pgd("linf", EPS, 10, EPS / 4, random_start=False)
    work = Evaluation(attack, Request(subject.net, subject.images, subject.labels, subject.ids))
    expected = attack.run(subject.net, subject.images, subject.labels, subject.ids)
    whole = work._queues

    def blinded() -> list[object]:  # as a copy would be that no probe at the start gives away
        if not work.prepared.because:
            work.prepared.model = nn.Sequential(Blind(), work.prepared.model)
        return list(whole())

    work._queues = blinded  # type: ignore[method-assign, assignment]
    found = work.run()
    assert found.robust.equal(expected.robust)
    assert "where the attack ended its copy's gradients differ" in found.notes[0]


class Blind(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach() + 0 * x


@pytest.mark.parametrize("name", ["tiny_at", "tiny_mbn@adv", "tiny_sat_silu", "tiny_nofrost", "torchvision"])
def test_models_as_they_are_loaded_are_folded(name: str) -> None:
    model = (
        load_model(name)
        if name != "torchvision"
        else wrap(resnet18(num_classes=10).eval(), mean=(0.5,) * 3, std=(0.2,) * 3, size=64)
    )
    prepared = prepare(model, torch.rand(2, 3, model.input.size, model.input.size))
    assert prepared.note == ""
    assert prepared.channels_last
    assert not any(isinstance(module, nn.BatchNorm2d) for module in prepared.model.modules())


class Folded(nn.Module):
    """A network beside a table of five dimensions, for which torch has no channels last."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("gain", torch.ones(1, 1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        gained = (x[:, None] * self.get_buffer("gain")).squeeze(1)
        out: Tensor = self.net(gained)
        return out


def test_tensors_of_five_dimensions_hinder_no_copy(subject: Subject) -> None:
    prepared = prepare(Folded(subject.net).eval(), subject.images[:2])
    assert prepared.channels_last
    assert not prepared.because
    assert prepared.model.get_buffer("gain").shape == (1, 1, 3, 1, 1)


RAMPS: dict[Any, Tensor] = {}
SEEN: list[Any] = []


class Caching(nn.Module):
    """A network that keeps what it makes for a shape outside itself, and a feature for its user to look at."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        key = (x.shape[2], x.shape[3])
        if key not in RAMPS:
            RAMPS[key] = torch.linspace(0, 1, x.shape[3], device=x.device)
        SEEN[:] = [self.conv(x * RAMPS[key]).relu().mean((2, 3))]
        logits: Tensor = self.head(SEEN[0])
        return logits


def test_tracing_leaves_no_stand_ins_in_a_models_caches() -> None:
    prepared = prepare(Caching().eval(), torch.rand(4, 3, 8, 8))
    assert isinstance(prepared.model, torch.fx.GraphModule)
    assert {type(part) for key in RAMPS for part in key} == {int}
    assert [type(value) for value in (*RAMPS.values(), *SEEN)] == [Tensor, Tensor]


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_a_traced_module_is_attacked_itself(subject: Subject) -> None:
    """torch refuses to switch off gradients of a ScriptModule."""
    traced = torch.jit.trace(subject.net, subject.images[:2])
    prepared = prepare(traced, subject.images)
    assert prepared.model is traced
    assert "cannot be traced" in prepared.note
