"""The budgets of the field, for who types none."""

from fractions import Fraction

from bench.attacks.budget import Norm
from model_zoo.card import ModelCard

SMALL = 64
"""Pixels a side up to which images are taken for CIFAR's, beyond for ImageNet's."""

LINF = Fraction(4, 255)
"""For ImageNet: RobustBench (arXiv 2010.09670), and SAT (arXiv 2006.14536)."""

L2 = {"small": Fraction(1, 2), "large": Fraction(3)}
"""RobustBench for CIFAR-10; Salman et al. (arXiv 2007.08489) for ImageNet."""

L1 = {"small": Fraction(12), "large": Fraction(75)}
"""Croce and Hein for CIFAR-10 (arXiv 2103.01208); Singh et al. for ImageNet (arXiv 2303.01870, `utils_architecture.py`
of its code). Croce and Hein's fine-tuning (arXiv 2105.12508, `eval.py`) takes 255 on ImageNet: type it to compare."""


def usual_eps(norm: Norm, card: ModelCard) -> Fraction:
    """The budget in `norm` on images of the model's size."""
    size = "small" if card.input.size <= SMALL else "large"
    return LINF if norm == "linf" else L2[size] if norm == "l2" else L1[size]
