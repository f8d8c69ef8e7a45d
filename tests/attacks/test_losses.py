"""Losses against pyautoattack's, and by hand."""

import pytest
import torch
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted

from bench.attacks.losses import cw, dlr, dlr_targeted, margin, pm

LOGITS = torch.randn(40, 10, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(40) % 10
TARGETS = (LABELS + 1 + torch.arange(40) % 9) % 10


def test_dlr_is_the_reference() -> None:
    theirs = APGDAttack(None, eps=0.1).dlr_loss(LOGITS, LABELS)
    torch.testing.assert_close(dlr(LOGITS, LABELS, LABELS), theirs)


def test_targeted_dlr_is_the_reference() -> None:
    attack = APGDAttack_targeted(None, eps=0.1)
    attack.y_target = TARGETS
    torch.testing.assert_close(dlr_targeted(LOGITS, LABELS, TARGETS), attack.dlr_loss_targeted(LOGITS, LABELS))


def test_the_probability_margin_by_hand() -> None:
    logits = torch.tensor([0.5, 0.2, 0.3]).log()[None]
    for label, expected in ((0, 0.3 - 0.5), (1, 0.5 - 0.2)):
        assert pm(logits, torch.tensor([label]), torch.tensor([label])).item() == pytest.approx(expected)


def test_the_hinge_is_flat_beyond_its_confidence() -> None:
    logits = torch.tensor([[60.0, 0.0], [5.0, 0.0]], requires_grad=True)
    values = cw(logits, torch.tensor([1, 1]), torch.tensor([1, 1]))
    assert values.tolist() == [0.0, -45.0]
    (slope,) = torch.autograd.grad(values.sum(), logits)
    assert slope.tolist() == [[0.0, 0.0], [1.0, -1.0]]


def test_margin_by_hand() -> None:
    logits = torch.tensor([[1.0, 5.0, 3.0], [1.0, 5.0, 3.0]])
    assert margin(logits, torch.tensor([1, 2])).tolist() == [2.0, -2.0]
