"""What the fresh pass looks at: no number comes of an image outside its budget, or of a model that keeps a memory."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.attacks.autoattack import apgd, square
from bench.attacks.base import Trial
from bench.attacks.evaluation import Evaluation
from bench.attacks.pgd import Pgd
from bench.attacks.presets import make_pgd
from bench.attacks.request import Request
from bench.errors import UsageError
from tests.attacks.conftest import Around, Subject

EPS = Fraction(8, 255)


class Writes(Around):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x.mul_(0.9))
        return out


class WritesInSecret(Around):
    """Past autograd's knowledge."""

    def forward(self, x: Tensor) -> Tensor:
        x.data.mul_(0.9)
        out: Tensor = self.net(x)
        return out


class WritesLater(Around):
    """After some passes."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls > 12 and not torch.is_grad_enabled():
            x.clamp_(0.0, 0.9)
        out: Tensor = self.net(x)
        return out


class Adapts(Around):
    """Statistics of the batch, though in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x - x.mean((0, 2, 3), keepdim=True) + 0.5)
        return out


class Drifts(Around):
    """Each pass moves its scale a little."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(self.scale, Tensor)
        self.scale += 6e-6
        out: Tensor = self.net(x) * self.scale
        return out


class Undefined(Around):
    """Has no answer to an image that is not of whole 255ths."""

    def __init__(self, net: nn.Module, value: float) -> None:
        super().__init__(net)
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        strange = ((x * 255 - (x * 255).round()).abs() > 0.01).flatten(1).any(1)
        out: Tensor = self.net(x)
        logits = out.clone()
        logits[strange] = self.value
        return logits


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Writes, "writes into its input"),
        (WritesInSecret, "writes into its input"),
        (WritesLater, "writes into its input"),
        (Adapts, "depends on the other images of the batch"),
        (Drifts, "the model changed during the attack"),
    ],
)
@pytest.mark.parametrize("attack", [square("linf", EPS, 60), make_pgd("linf", EPS, 12, EPS / 4)], ids=["square", "pgd"])
def test_a_model_that_is_no_function_of_its_picture_is_refused(
    subject: Subject, model: type[Around], reason: str, attack: object
) -> None:
    if model is WritesLater and getattr(attack, "family", "") == "pgd":
        reason = "changed|writes|in-place"
    with pytest.raises((UsageError, RuntimeError), match=reason):
        attack.run(model(subject.net).eval(), subject.images.clone(), subject.labels, subject.ids)  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_no_answer_to_an_attacked_picture_is_no_right_one(subject: Subject, value: float) -> None:
    images = (subject.images * 255).round() / 255
    right = subject.net(images).argmax(1) == subject.labels
    found = make_pgd("linf", EPS / 3, 3, EPS / 7).run(
        Undefined(subject.net, value).eval(), images, subject.labels, subject.ids
    )
    assert right.any()
    assert not found.robust.any()
    assert (found.prediction != subject.labels).all()
    assert found.confidence[right].isnan().all()
    assert found.notes[-1] == f"the logits of {int(right.sum())} attacked images are NaN or infinite: counted as broken"


@pytest.mark.parametrize("fault", ["far", "outside", "nan"])
def test_a_picture_outside_its_budget_gives_no_number(subject: Subject, fault: str) -> None:
    work = Evaluation(square("linf", EPS, 20), Request(subject.net, subject.images, subject.labels, subject.ids))
    work.adversarial[3] = {
        "far": (subject.images[3] + 0.1).clamp(0, 1),
        "outside": subject.images[3] - 2 * float(EPS) - subject.images[3].min(),
        "nan": subject.images[3] * torch.nan,
    }[fault]
    with pytest.raises(UsageError, match="left its budget"):
        work._result()


class Defends(Around):
    """A defence at test time: a step down its own loss before it answers, which needs gradients within the pass."""

    def __init__(self, net: nn.Module, switches: bool) -> None:
        super().__init__(net)
        self.switches = switches

    def forward(self, x: Tensor) -> Tensor:
        if self.switches:
            with torch.enable_grad():
                x = x - 0.01 * self._slope(x)
        else:
            x = x - 0.01 * self._slope(x)
        out: Tensor = self.net(x)
        return out

    def _slope(self, x: Tensor) -> Tensor:
        leaf = x if x.requires_grad else x.detach().clone().requires_grad_()
        logits = self.net(leaf)
        loss = F.cross_entropy(logits, logits.argmax(1), reduction="sum")
        return torch.autograd.grad(loss, [leaf], retain_graph=True)[0].sign()


@pytest.mark.parametrize("switches", [True, False])
def test_a_model_that_differentiates_within_its_pass_is_attacked(subject: Subject, switches: bool) -> None:
    model = Defends(subject.net, switches).eval()
    eps, steps = 8 / 255, 10
    found = make_pgd("linf", EPS, steps, EPS / 4, random_start=False).run(
        model, subject.images, subject.labels, subject.ids
    )
    x = subject.images.clone()
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(model(x), subject.labels, reduction="sum"), [x])
        x = (subject.images + (x.detach() + eps / 4 * slope.sign() - subject.images).clamp(-eps, eps)).clamp(0, 1)
    stand = model(x.detach().requires_grad_()).argmax(1) == subject.labels
    clean = torch.tensor([by == "clean" for by in found.broken_by])
    assert found.robust.equal(stand & ~clean)
    assert 0 < found.robust.sum() < 24


def test_apgd_attacks_it_too(subject: Subject) -> None:
    model = Defends(subject.net, switches=False).eval()
    found = apgd("linf", 2 * EPS, steps=10).run(model, subject.images, subject.labels, subject.ids)
    assert found.robust.sum() < 24


class Fooled(Around):
    """Misjudges every image under autocast: each search claims at once to have broken it, and ends."""

    def forward(self, x: Tensor) -> Tensor:
        assert bool((x <= 1).all())  # what depends on values cannot be traced
        out: Tensor = self.net(x)
        return out.roll(1, 1) if torch.is_autocast_enabled("cpu") else out


def test_claims_of_low_precision_that_are_not_confirmed_cost_no_search(subject: Subject) -> None:
    """Every trial is searched again in float32, not the last alone, which finds nothing here."""
    eps = Fraction(11, 255)
    weak = Trial(Pgd("linf", float(eps), 1, 1e-6, random_start=False, name="weak"))
    strong = apgd("linf", eps, steps=20)
    attack = replace(strong, trials=(*strong.trials, weak))
    net = Fooled(subject.net).eval()
    low, plain = (
        one.run(net, subject.images, subject.labels, subject.ids) for one in (attack.searched_in("bf16"), attack)
    )
    assert 0 < plain.robust.sum() < 20
    assert low.robust.equal(plain.robust)
