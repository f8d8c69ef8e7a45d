"""Compare a network's logits with those of the original code."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model_zoo.build import build, build_outline, room_of
from model_zoo.card import ModelCard
from model_zoo.fill import fill
from model_zoo.fit import shape_problems
from model_zoo.model import Model
from model_zoo.oracles import Oracle, images_of, oracle_card, read_oracle

TOLERANCE = 1e-4
"""Tolerance, relative to the largest |logit|: about a hundred times the float32 difference of two correct
implementations, and a hundredth of the effect of a wrong batch-norm epsilon."""


@dataclass(frozen=True)
class LogitDifference:
    """The largest difference of one output over all images and classes; `relative` to its largest magnitude."""

    output: str
    absolute: float
    relative: float

    @property
    def ok(self) -> bool:
        """Whether it is within the tolerance; NaN is not."""
        return self.relative < TOLERANCE


@dataclass(frozen=True)
class ParityReport:
    """Result of comparing one oracle. `missing` says what the folder lacks for a comparison of numbers."""

    oracle: str
    parameters: int
    differences: tuple[LogitDifference, ...] = ()
    missing: str = ""
    misfits: tuple[str, ...] = ()
    """Names and shapes of meta.json that the network lacks, or has in addition."""

    @property
    def ok(self) -> bool:
        """Whether names and shapes match and every difference is within the tolerance."""
        return not self.misfits and all(d.ok for d in self.differences)


def check(path: Path) -> ParityReport:
    """Build the network of the oracle in `path`, load its weights and compare logits; without weights, compare names
    and shapes. Raises `OracleError` for a folder that is not an oracle and `WeightsError` for weights that do not
    fit."""
    oracle = read_oracle(path)
    io = oracle.io()
    outputs = sorted(key for key in io if key.startswith("logits"))
    weights = oracle.weights()
    if weights is None or not outputs:
        lacking = [what for what, lacks in (("weights", weights is None), ("logits", not outputs)) if lacks]
        return _check_names(oracle, "no " + " and no ".join(lacking))
    images = images_of(io)
    models = {key: _loaded(oracle_card(oracle, average=key == "logits_ema"), weights) for key in outputs}
    differences = tuple(_difference(key, model, images, io[key]) for key, model in models.items())
    return ParityReport(path.name, _size(next(iter(models.values()))), differences)


def load_oracle(path: Path) -> Model:
    """Return the model that the oracle in `path` describes, with the weights beside it."""
    oracle = read_oracle(path)
    return _loaded(oracle_card(oracle), oracle.weights() or {})


def _loaded(card: ModelCard, weights: Mapping[str, Tensor]) -> Model:
    net = build(card)
    fill(net, room_of(card).convert(card, weights), card.name)
    return Model(net, card)


@torch.no_grad()
def _difference(output: str, model: Model, images: Tensor, stored: np.ndarray) -> LogitDifference:
    expected = torch.from_numpy(stored)
    found = torch.cat([model(image[None]) for image in images])
    absolute = (found - expected).abs().max().item()
    return LogitDifference(output, absolute, absolute / expected.abs().max().item())


def _check_names(oracle: Oracle, missing: str) -> ParityReport:
    card = oracle_card(oracle)
    net = build_outline(card)
    problems = shape_problems(net, room_of(card).convert(card, oracle.names()))
    misfits = tuple(f"{what}: {item}" for what, items in problems.items() for item in items)
    return ParityReport(oracle.path.name, _size(net), missing=missing, misfits=misfits)


def _size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())
