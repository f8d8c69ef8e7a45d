"""Moments merge exactly, and the distances are those of theory."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bench.diagnostics.distances import (
    between_share,
    log_variance_ratio,
    pooled,
    standardised_shift,
    symmetric_kl,
    wasserstein2,
)
from bench.diagnostics.moments import CANCELLATION, Moments, channel_moments, merge_all
from tests.rounding import gamma, variance_error

GAUSSIANS = [(0.3, 1.7, -0.4, 0.6), (5.0, 0.01, 5.0, 0.02), (0.0, 1.0, 0.0, 1.0)]


def arrays(*values: float) -> list[np.ndarray]:
    return [np.array([v]) for v in values]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.floats(-1e4, 1e4), st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_parts_merged_are_the_whole(sizes: list[int], centre: float, scale: float) -> None:
    values = np.random.default_rng(0).normal(centre, scale, (sum(sizes), 3))
    whole = Moments(len(values), values.mean(0), values.var(0) * len(values))
    cuts = np.split(values, np.cumsum(sizes)[:-1])
    merged = merge_all(Moments(len(v), v.mean(0), v.var(0) * len(v)) for v in cuts)
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-9, atol=1e-9)
    # each mean is rounded at the size of the values, and its error enters by twice the distance of the means
    rounding = 16 * np.finfo(float).eps * (abs(centre) + scale) * scale
    np.testing.assert_allclose(merged.variance, whole.variance, rtol=1e-9, atol=rounding)


@pytest.mark.parametrize("centre", [0.0, 3.0, 1e3, -1e4])
@pytest.mark.parametrize("shape", [(5, 4, 6, 7), (9, 4), (3, 4, 8)])
def test_moments_of_a_batch_are_those_of_float64(centre: float, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) + centre
    axes = [a for a in range(len(shape)) if a != 1]
    found = channel_moments(x)
    assert found.count == x.numel() // 4
    exact, mean = x.double().var(axes, correction=0), x.double().mean(axes)
    places = x[0, 0].numel()
    if (exact < CANCELLATION * mean**2).all():  # taken anew in float64: n u kappa, Chan et al. 1983, table 1
        allowed = 4 * gamma(found.count, torch.float64) * ((exact + mean**2) / exact).sqrt().numpy()
    else:
        allowed = variance_error(x, places if x.ndim > 2 else len(x))
    assert (allowed < 1e-4).all(), "a bound that cannot fail is none"
    assert (np.abs(found.variance / exact.numpy() - 1) <= allowed).all()
    size = x.double().abs().mean(axes)
    assert (np.abs(found.mean - mean.numpy()) <= gamma(places * len(x)) * size.numpy()).all()


def test_half_precision_is_summed_in_more() -> None:
    x = torch.full((64, 2, 32, 32), 60_000.0, dtype=torch.float16)
    x[:32] = 59_968.0
    found = channel_moments(x)
    np.testing.assert_allclose(found.mean, x.double().mean((0, 2, 3)), rtol=1e-9)
    np.testing.assert_allclose(found.variance, [256.0, 256.0], rtol=1e-9)


def test_a_constant_channel_and_a_single_value_have_variance_zero() -> None:
    constant = channel_moments(torch.full((4, 1, 3, 3), 0.1))
    assert constant.variance.item() == pytest.approx(0, abs=1e-15)
    assert channel_moments(torch.tensor([[2.5]])).variance.item() == 0.0


def test_the_last_axis_can_be_that_of_channels() -> None:
    x = torch.randn(2, 3, 5)
    allowed = gamma(3) * x.double().abs().mean((0, 1)).numpy()
    assert (np.abs(channel_moments(x, -1).mean - x.double().mean((0, 1)).numpy()) <= allowed).all()


@pytest.mark.parametrize("case", GAUSSIANS)
def test_symmetric_kl_is_the_integral(case: tuple[float, ...]) -> None:
    m, v, n, w = case
    p, q = stats.norm(m, v**0.5), stats.norm(n, w**0.5)
    points = sorted({m, n})

    def integrand(x: float) -> float:
        return float((p.pdf(x) - q.pdf(x)) * (p.logpdf(x) - q.logpdf(x)))

    reach = 12 * max(v, w) ** 0.5
    exact = integrate.quad(integrand, min(points) - reach, max(points) + reach, points=points, limit=400)[0]
    assert symmetric_kl(*arrays(m, v, n, w), eps=0).item() == pytest.approx(exact, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("case", GAUSSIANS)
def test_wasserstein_is_the_integral_over_quantiles(case: tuple[float, ...]) -> None:
    m, v, n, w = case
    levels = (np.arange(200_000) + 0.5) / 200_000
    gaps = stats.norm.ppf(levels, m, v**0.5) - stats.norm.ppf(levels, n, w**0.5)
    assert wasserstein2(*arrays(m, v, n, w)).item() == pytest.approx(np.sqrt((gaps**2).mean()), rel=1e-3, abs=1e-9)


def test_shift_and_ratio_by_hand() -> None:
    assert standardised_shift(*arrays(3.0, 1.0, 4.0), eps=0).item() == 1.0
    assert log_variance_ratio(*arrays(np.e, 1.0), eps=0).item() == pytest.approx(1.0)
    assert np.isfinite(standardised_shift(*arrays(3.0, 1.0, 0.0))).all()
    assert np.isfinite(symmetric_kl(*arrays(1.0, 0.0, 2.0, 0.0))).all()


def test_the_mixture_is_that_of_the_values() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(2, 1, 50_000), rng.normal(-1, 0.5, 50_000)
    both = np.concatenate([a, b])
    mean, variance = pooled(*arrays(a.mean(), a.var(), b.mean(), b.var()))
    assert mean.item() == pytest.approx(both.mean())
    assert variance.item() == pytest.approx(both.var())
    share = between_share(*arrays(2.0, 1.0, -1.0, 0.25), eps=0).item()
    assert share == pytest.approx(2.25 / (2.25 + 0.625))
