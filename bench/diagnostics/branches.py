"""Networks with one batch norm per domain: differences between the branches, and the effect of each part."""

import copy

import numpy as np
import pandas as pd
from torch import nn

from bench.diagnostics.adapt import buffers
from bench.diagnostics.distances import Channels
from bench.diagnostics.points import stored
from model_zoo.nets.normalisation import BranchedBatchNorm2d, select_branch

PARTS = ("mean", "sigma", "gamma", "beta")
"""Statistics (the first two) and affine parameters (the last two)."""


def hybrid(model: nn.Module, statistics: str, affine: str) -> nn.Module:
    """Return a copy of `model` with the statistics of one branch and the affine parameters of another."""
    copied = copy.deepcopy(model)
    select_branch(copied, affine)
    for layer in copied.modules():
        if isinstance(layer, BranchedBatchNorm2d):
            own, other = buffers(layer.branches[affine]), buffers(layer.branches[statistics])
            if own and other:
                own.mean.copy_(other.mean)
                own.variance.copy_(other.variance)
    return copied


def branch_parameters(model: nn.Module) -> pd.DataFrame:
    """Return mean, sigma, gamma and beta, one row per layer, branch and channel, in the network's order."""
    frames = []
    for depth, (name, layer) in enumerate(_branched(model)):
        for branch in layer.names:
            kept = stored(layer.branches[branch])
            if kept.mean is None or kept.variance is None:
                continue
            ones = np.ones_like(kept.mean)
            frame = pd.DataFrame(
                {
                    "mean": kept.mean,
                    "sigma": np.sqrt(kept.variance),
                    "gamma": _or(kept.gamma, ones),
                    "beta": _or(kept.beta, 0 * ones),
                }
            )
            frames.append(frame.assign(layer=name, depth=depth, branch=branch, channel=range(len(ones))))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def branch_differences(parameters: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Return relative L2 distance |a - b| / ((|a| + |b|) / 2) and Pearson's r over channels, a row per layer and part.

    The distance tests the claim of arXiv 2403.19150 that affine parameters differ and statistics do not.
    """
    rows = []
    for (depth, layer), group in parameters.groupby(["depth", "layer"]):
        one, other = group[group["branch"] == a], group[group["branch"] == b]
        for part in PARTS:
            x, y = (np.asarray(g[part], dtype=np.float64) for g in (one, other))
            rows.append({"depth": depth, "layer": layer, "part": part, "distance": relative_l2(x, y), "r": _r(x, y)})
    return pd.DataFrame(rows)


def relative_l2(x: Channels, y: Channels) -> float:
    """Return |x - y| / ((|x| + |y|) / 2), in [0, 2]; 0 if both are zero."""
    size = (np.linalg.norm(x) + np.linalg.norm(y)) / 2
    return float(np.linalg.norm(x - y) / size) if size else 0.0


def _r(x: Channels, y: Channels) -> float:
    constant = len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0
    return float("nan") if constant else float(np.corrcoef(x, y)[0, 1])


def _branched(model: nn.Module) -> list[tuple[str, BranchedBatchNorm2d]]:
    return [(name, m) for name, m in model.named_modules() if isinstance(m, BranchedBatchNorm2d)]


def _or(values: Channels | None, default: Channels) -> Channels:
    return default if values is None else values
