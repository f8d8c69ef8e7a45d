"""FAB: its projection against pyautoattack's, its steps on a linear model, where the answer is known."""

import inspect
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyautoattack.fab_base import FABAttack
from pyautoattack.fab_projections import projection_l1, projection_l2, projection_linf
from torch import nn

from bench.attacks.autoattack import fab_t
from bench.attacks.budget import NORMS, Norm
from bench.attacks.fab import Fab
from bench.attacks.plane import fab_step, onto_plane, torch_step
from tests.attacks.conftest import Subject


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.floats(0.001, 2.0), st.sampled_from(NORMS))
def test_the_projection_is_the_reference_s(seed: int, scale: float, norm: Norm) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.rand(5, 3, 6, 6, generator=random)
    normal = torch.randn(x.shape, generator=random)
    gap = scale * torch.randn(5, generator=random)
    ours = onto_plane(x, normal, gap, norm)
    offset = (normal * x).flatten(1).sum(1) - gap
    project = {"linf": projection_linf, "l2": projection_l2, "l1": projection_l1}[norm]
    torch.testing.assert_close(ours, project(x.flatten(1), normal.flatten(1), offset).view_as(x), atol=2e-5, rtol=0)
    torch.testing.assert_close((normal * ours).flatten(1).sum(1), -gap, atol=1e-4, rtol=0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.floats(0.001, 30.0), st.booleans())
def test_the_compiled_step_is_that_in_torch(seed: int, scale: float, some_zero: bool) -> None:
    random = torch.Generator().manual_seed(seed)
    image = torch.rand(5, 3, 6, 6, generator=random)
    x = (image + 0.1 * torch.randn(image.shape, generator=random)).clamp(0, 1)
    gradient = torch.randn(image.shape, generator=random)
    if some_zero:
        gradient *= torch.rand(image.shape, generator=random) < 0.5
        gradient[0] = 0
    gap = scale * torch.randn(5, generator=random)
    torch.testing.assert_close(
        fab_step(x, image, gradient, gap, "linf"), torch_step(x, image, gradient, gap, "linf"), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("norm", NORMS)
def test_a_plane_out_of_reach_is_approached_to_the_corner(norm: Norm) -> None:
    x = torch.full((1, 3, 1, 1), 0.5)
    normal = torch.tensor([1.0, -2.0, 0.0]).view(1, 3, 1, 1)
    move = onto_plane(x, normal, torch.tensor([-100.0]), norm)
    assert move.flatten().tolist() == [0.5, -0.5, 0.0]


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_moves_nothing(norm: Norm) -> None:
    x = torch.full((1, 3, 1, 1), 0.5)
    assert onto_plane(x, torch.zeros_like(x), torch.tensor([1.0]), norm).abs().sum() == 0


def linear_distance(net: nn.Linear, images: torch.Tensor, labels: torch.Tensor, norm: Norm) -> torch.Tensor:
    """[n], distance to the nearest decision boundary of a linear model."""
    logits, weight = net(images.flatten(1)), net.weight
    gaps = logits.gather(1, labels[:, None]) - logits
    normals = weight[labels][:, None] - weight[None]
    sizes = {"linf": normals.abs().sum(2), "l2": normals.norm(dim=2), "l1": normals.abs().amax(2)}[norm]
    return (gaps / sizes.clamp(min=1e-9)).scatter(1, labels[:, None], torch.inf).amin(1)


@pytest.mark.parametrize("norm", NORMS)
def test_on_a_linear_model_verdicts_are_exact(norm: Norm) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(75, 10)
    images = 0.3 + 0.4 * torch.rand(16, 3, 5, 5)
    labels = linear(images.flatten(1)).argmax(1)
    net = nn.Sequential(nn.Flatten(), linear).eval()
    distance = linear_distance(linear, images, labels, norm).detach()
    eps = Fraction(float(distance.median())).limit_denominator(10_000)
    result = fab_t(norm, eps).run(net, images, labels, [str(i) for i in range(16)])
    clear = (distance - float(eps)).abs() > 0.06 * float(eps)
    assert torch.equal(result.robust[clear], (distance > float(eps))[clear])
    assert clear.sum() >= 12


class Levelling(nn.Module):
    """Class 0 up to a plane at a distance of 0.5; the lead over class 1 falls ever more slowly towards it."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(0))
        self.register_buffer("normal", random / random.norm())

    def along(self, x: torch.Tensor) -> torch.Tensor:
        return ((x - 0.5) * self.normal).flatten(1).sum(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lead = torch.exp(-6 * self.along(x)) - torch.exp(torch.tensor(-3.0))
        return torch.stack([lead, torch.zeros_like(lead)], 1)


@pytest.mark.parametrize(("eps", "stands"), [(Fraction(49, 100), True), (Fraction(51, 100), False)])
def test_a_boundary_that_linear_steps_fall_short_of_is_reached(eps: Fraction, stands: bool) -> None:
    """The first step covers a third of the way."""
    net = Levelling().eval()
    images = 0.5 + 0.1 * torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    images -= net.along(images).view(4, 1, 1, 1) * net.normal
    result = fab_t("l2", eps, targets=1).run(net, images, torch.zeros(4, dtype=torch.int64), list("abcd"))
    assert result.robust.tolist() == [stands] * 4


def test_the_number_of_steps_is_autoattacks() -> None:
    assert Fab.steps == inspect.signature(FABAttack.__init__).parameters["n_iter"].default


def test_one_question_answers_for_candidate_and_next_step(subject: Subject) -> None:
    """At most the original's two forwards and one backward a step, and fewer where candidates are not adversarial."""
    attack = fab_t("linf", Fraction(2, 255), targets=2, steps=30)
    result = attack.run(subject.net, subject.images, subject.labels, subject.ids)
    standing = int(result.robust.sum())
    assert result.cost.backward < 1.35 * standing * 60
    assert result.cost.forward < 2.35 * standing * 60
