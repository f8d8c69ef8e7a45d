"""PGD presets against foolbox's from the same random start: the same final iterates."""

import warnings
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from bench.attacks import presets
from bench.attacks.base import Attack
from bench.attacks.network import Network
from bench.attacks.pgd import Pgd
from bench.attacks.queue import Queue, Workload
from tests.attacks.conftest import Subject

foolbox = pytest.importorskip("foolbox", reason="the extra demo is not installed")

PRESETS: dict[str, Callable[[], Attack]] = {
    "sat-10": lambda: presets.sat(10),
    "nofrost-20": lambda: presets.nofrost(20),
    "intriguing-30": lambda: presets.intriguing(30),
    "advprop-eps4": lambda: presets.advprop(4),
    "l2": lambda: presets.make_pgd("l2", Fraction(1, 2), 20, Fraction(1, 10)),
}


@pytest.mark.parametrize("name", PRESETS)
def test_final_iterates_are_foolbox_s(subject: Subject, name: str) -> None:
    attack = PRESETS[name]()
    right = subject.net(subject.images).argmax(1) == subject.labels
    ours = attack.run(subject.net, subject.images, subject.labels, subject.ids, seed=3, keep_adversarial=True)
    theirs = foolbox_s(attack, subject)
    assert ours.adversarial is not None
    gap = (ours.adversarial - theirs)[right].abs()
    assert (gap < 1e-5).float().mean() > 0.999  # signs of gradients that vanish are float noise
    assert (theirs - subject.images)[right].abs().max() > 0.01


def foolbox_s(attack: Attack, subject: Subject) -> Tensor:
    """Foolbox's iterates of the attack's only trial, from the points from which ours starts, to the same targets."""
    search = attack.trials[0].search
    assert isinstance(search, Pgd)
    load = Workload(subject.images, subject.labels, subject.ids, subject.net(subject.images))
    queue = Queue(Network(subject.net, torch.device("cpu")), attack.trials, load, seed=3, batch_size=64)
    new = queue._new_images([(i, 0) for i in range(len(subject.ids))])
    start = search.start(new).x
    kind = foolbox.attacks.LinfPGD if search.norm == "linf" else foolbox.attacks.L2PGD
    loop = kind(abs_stepsize=search.step_size, steps=search.steps, random_start=True)
    loop.get_random_start = lambda *_: wrapped(start)
    goal = foolbox.criteria.TargetedMisclassification if search.targeted else foolbox.criteria.Misclassification
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # eagerpy's use of torch
        model = foolbox.PyTorchModel(subject.net, bounds=(0, 1), device="cpu")
        found = loop.run(model, subject.images, criterion=goal(new.target), epsilon=search.eps)
    assert isinstance(found, Tensor)
    return found


def wrapped(start: Tensor) -> object:
    """`start` as foolbox's loop wants it."""
    from eagerpy import astensor

    return astensor(start)
