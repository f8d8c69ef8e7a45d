"""RobustBench's ImageNet protocol: its 5,000 images, clean and under AutoAttack."""

import dataclasses

from bench.options import RunOptions
from bench.suites import attacks
from bench.suites.base import Setup, Suite
from model_zoo.card import ModelCard

DATASET = "robustbench-5k"

_AUTOATTACK = next(suite for suite in attacks.SUITES if suite.name == "autoattack")


def _conditions(card: ModelCard, options: RunOptions) -> list[Setup]:
    return _AUTOATTACK.conditions(card, dataclasses.replace(options, dataset=DATASET))


SUITES = (
    Suite(
        DATASET,
        "RobustBench's 5,000 images, clean and under AutoAttack (Linf 4/255)",
        1,
        _conditions,
        _AUTOATTACK.metrics,
        _AUTOATTACK.headline,
        uses=tuple(name for name in _AUTOATTACK.uses if name != "dataset"),
    ),
)
