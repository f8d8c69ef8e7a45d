"""Links to a model's papers and code, from its card."""

import re
from dataclasses import dataclass

from model_zoo.card import ModelCard

CODE = (
    "cihangxie/SmoothAdversarialTraining",
    "facebookresearch/ImageNet-Adversarial-Training",
    "amazon-science/normalizer-free-robust-training",
    "amazon-research/normalizer-free-robust-training",
    "tingxueronghua/pytorch-classification-advprop",
    "alibaba/easyrobust",
    "tensorflow/tpu",
)
"""Repositories that cards give as the source of a checkpoint or number."""

_ARXIV = re.compile(r"\b\d{4}\.\d{5}\b")


@dataclass(frozen=True)
class Link:
    """An outside address, with its text."""

    text: str
    address: str


def links(card: ModelCard | None) -> list[Link]:
    """Papers first, then code; empty for a model without a card."""
    if card is None:
        return []
    said = " ".join([card.paper, *(str(number.source) for number in card.reported)])
    papers = [
        Link(f"arXiv {name}", f"https://arxiv.org/abs/{name}") for name in dict.fromkeys(_ARXIV.findall(card.paper))
    ]
    return papers + [Link(name, f"https://github.com/{name}") for name in CODE if name in said]
