"""Projections land in the ball and in [0, 1], and leave alone what is there."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyautoattack.autopgd_base import L1_projection

from bench.attacks import norms
from bench.attacks.budget import NORMS, Norm


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0.001, 0.9), st.sampled_from(NORMS), st.floats(0.01, 10))
def test_projection(seed: int, eps: float, norm: Norm, reach: float) -> None:
    random = torch.Generator().manual_seed(seed)
    image = torch.rand(3, 3, 5, 4, generator=random)
    x = image + reach * torch.randn(image.shape, generator=random)
    once = norms.project(x, image, eps, norm)
    assert once.min() >= 0
    assert once.max() <= 1
    assert (norms.size(once - image, norm) <= eps + 1e-6).all()
    torch.testing.assert_close(norms.project(once, image, eps, norm), once)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 30), st.floats(0.01, 3))
def test_the_projection_onto_the_l1_ball_is_the_nearest_point(seed: int, eps: float, reach: float) -> None:
    """Against pyautoattack's, in float64 (in float32 its sums of thousands of terms lose the fourth digit), and in both
    of our forms; images with values at both ends of [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    image = (torch.rand(4, 3, 6, 5, generator=random) * 1.4 - 0.2).clamp(0, 1)
    step = reach * torch.randn(image.shape, generator=random)
    theirs = (image + step + L1_projection(image, step, eps)).double()
    ours = norms.torch_into_l1((image + step).double(), image.double(), eps)
    compiled = norms.into_l1(image + step, image, eps)
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=0)
    torch.testing.assert_close(compiled.double(), ours, atol=1e-5 * max(eps, 1), rtol=0)
    assert (norms.size(compiled - image, "l1") <= eps * (1 + 1e-5)).all()
    assert ((compiled >= 0) & (compiled <= 1)).all()


def test_sizes_by_hand() -> None:
    delta = torch.tensor([3.0, -4.0, 0.0]).view(1, 3, 1, 1)
    assert norms.size(delta, "linf").item() == 4
    assert norms.size(delta, "l2").item() == 5
    assert norms.size(delta, "l1").item() == 7


@pytest.mark.parametrize("norm", NORMS)
def test_no_step_of_norm_one_raises_a_linear_loss_more(norm: Norm) -> None:
    gradient = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    best = (norms.steepest(gradient, norm) * gradient).sum()
    others = norms.unit(torch.randn(500, 3, 4, 4, generator=torch.Generator().manual_seed(1)), norm)
    assert ((others * gradient).flatten(1).sum(1) < best).all()


def test_a_zero_gradient_gives_no_step() -> None:
    for norm in NORMS:
        assert norms.steepest(torch.zeros(1, 3, 2, 2), norm).abs().sum() == 0


@pytest.mark.parametrize("scale", [1e-8, 1e-14, 1e-30])
@pytest.mark.parametrize("norm", NORMS)
def test_a_step_is_as_long_however_small_the_gradient(scale: float, norm: Norm) -> None:
    """As of a model whose logits are divided by a large temperature."""
    gradient = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) - 0.5
    step = norms.steepest(gradient * scale, norm)
    torch.testing.assert_close(step, norms.steepest(gradient, norm), rtol=2e-3, atol=0)
    torch.testing.assert_close(norms.size(step, norm), torch.ones(2), rtol=2e-3, atol=0)
