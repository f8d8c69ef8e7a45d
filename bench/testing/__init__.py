"""Public fakes: what is small enough to run everything in seconds, and models whose robust accuracy is known."""

from bench.testing.fakes import fake_model, write_pictures, write_results
from bench.testing.truth import AffineHead, HiddenGradients, PiecewiseConstant, affine_heads, nearest_mean, truth_model

__all__ = [
    "AffineHead",
    "HiddenGradients",
    "PiecewiseConstant",
    "affine_heads",
    "fake_model",
    "nearest_mean",
    "truth_model",
    "write_pictures",
    "write_results",
]
