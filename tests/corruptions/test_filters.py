"""Filters against SciPy, scikit-image and OpenCV, and the random stream against its distributions."""

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from skimage.filters import gaussian as skimage_gaussian

from bench.corruptions import filters
from bench.corruptions.digital import _affine_grid
from bench.corruptions.noise import _poisson_table
from bench.corruptions.stream import Stream
from bench.corruptions.weather import plasma

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(0, 255, (1, 40, 50, 3)).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.05, 0.7, 1.5, 3])
def test_gaussian_is_skimages(sigma: float) -> None:
    expected = skimage_gaussian(IMAGE[0].astype(np.float64), sigma=sigma, channel_axis=-1)
    np.testing.assert_allclose(filters.gaussian(torch.from_numpy(IMAGE), sigma)[0], expected, atol=1e-3)


@pytest.mark.parametrize("border", ["edge", "symmetric", "reflect"])
def test_array_operations_and_opencv_blur_alike(border: filters.Border) -> None:
    """The one serves a GPU, the other a CPU."""
    image, rows, columns = torch.from_numpy(IMAGE), filters.gaussian_taps(0.9, 4), filters.gaussian_taps(2.3, 3)
    expected = filters._correlate1d(filters._correlate1d(image, rows, 1, border), columns, 2, border)
    torch.testing.assert_close(filters._correlate_compiled(image, rows, columns, border), expected, atol=1e-3, rtol=0)


def test_array_operations_and_the_compiled_loop_shift_alike() -> None:
    source, shape = torch.from_numpy(IMAGE), (1, 30, 41, 3)
    shifts = np.array([0, 3, 9]), np.array([8, 0, 5]), np.array([0.5, 0.3, 0.2])
    expected = filters._add_shifted(torch.zeros(shape), source, *shifts)
    found = filters._add_shifted_compiled(torch.zeros(shape), source, *shifts)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [3, 17])
def test_correlation_is_opencvs(size: int) -> None:
    kernel = RNG.uniform(0, 1, (size, size)) / size**2
    expected = cv2.filter2D(IMAGE[0].astype(np.float64), -1, kernel)
    np.testing.assert_allclose(filters.correlate(torch.from_numpy(IMAGE), kernel)[0], expected, atol=1e-3)


@pytest.mark.parametrize("factor", [1.25, 2.25, 4.0])
def test_magnification_is_scipys(factor: float) -> None:
    expected = ndimage.zoom(IMAGE[0].astype(np.float64), (factor, factor, 1), order=1)
    np.testing.assert_allclose(filters.magnify(torch.from_numpy(IMAGE), factor)[0], expected, atol=1e-2)


def test_a_streak_to_the_right_reads_to_the_right() -> None:
    impulse = torch.zeros(1, 5, 30, 1)
    impulse[0, 2, 20] = 1
    row = filters.streak(impulse, radius=3, sigma=2, angle=torch.zeros(1))[0, 2, :, 0].numpy()
    weights = np.exp(-0.5 * (np.arange(7) / 2) ** 2)
    np.testing.assert_allclose(row[14:21][::-1], weights / weights.sum(), atol=1e-6)
    assert row[:14].sum() + row[21:].sum() == 0


def test_fractal_has_the_originals_first_octaves() -> None:
    """Two by two, by hand: the corner is 0; centre and edges are means of four neighbours plus wobble."""
    uniform = torch.tensor([[0.75, 0.5, 0.25]])
    centre = 0.5 * 100**2
    right, below = (2 * centre) / 4, (2 * centre) / 4 - 0.5 * 100**2
    field = np.array([[0, right], [below, centre]])
    expected = (field - field.min()) / (field - field.min()).max()
    np.testing.assert_allclose(plasma(uniform, decay=2)[0], expected, atol=1e-6)


def test_affine_grid_sends_the_three_points_where_the_jitter_says() -> None:
    h = w = 33
    jitter = torch.tensor([[[2.0, -1.0], [0.5, 3.0], [-2.0, 1.0]]])
    grid = (_affine_grid(jitter, h, w)[0].double() + 1) / 2 * torch.tensor([w - 1, h - 1])
    source = np.float32([[27, 27], [27, 5], [5, 5]])
    inverse = cv2.invertAffineTransform(cv2.getAffineTransform(source, source + jitter[0].numpy()))
    np.testing.assert_allclose(grid[10, 20], inverse @ [20, 10, 1], atol=1e-4)


def test_draws_are_uniform_normal_and_even() -> None:
    """Kolmogorov-Smirnov and chi-square at 1e-4 on a hundred thousand draws of each of two images."""
    stream = Stream(np.array([1, 2], dtype=np.uint64))
    for sample in stream.uniform(100_000).numpy():
        assert 0 <= sample.min() <= sample.max() < 1
        assert stats.kstest(sample, "uniform").pvalue > 1e-4
    first, second = stream.normal(100_000).numpy()
    assert stats.kstest(first, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.015
    counts = np.bincount(stream.integers(6, 100_000).numpy()[0], minlength=6)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_poisson_table_is_the_distribution_function() -> None:
    table = _poisson_table(5)
    assert table.cdf[255, 0] == pytest.approx(np.exp(-5), rel=1e-5)
    assert table.start[0].max() == 0  # black never has a count: every threshold is 1
    assert table.start[255].max() == 5
