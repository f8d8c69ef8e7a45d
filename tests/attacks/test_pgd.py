"""PGD: its iterates by foolbox's rule written out, cycles skipped exactly, one verdict at the end or any on the way."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.attacks.base import Attack
from bench.attacks.pgd import Pgd
from bench.attacks.presets import make_pgd
from bench.attacks.randomness import generator
from bench.attacks.search import NewImages
from bench.errors import UsageError
from tests.attacks.conftest import Subject

EPS, STEP = Fraction(12, 255), Fraction(3, 255)


def adversarial(attack: Attack, subject: Subject, **options: int) -> Tensor:
    result = attack.run(subject.net, subject.images, subject.labels, subject.ids, keep_adversarial=True, **options)
    assert result.adversarial is not None
    return result.adversarial


def by_hand(subject: Subject, x: Tensor, steps: int) -> Tensor:
    """The textbook loop, from `x`."""
    eps, step = float(EPS), float(STEP)
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(subject.net(x), subject.labels, reduction="sum"), x)
        x = x.detach() + step * gradient.sign()
        x = torch.min(torch.max(x, subject.images - eps), subject.images + eps).clamp(0, 1)
    return x.detach()


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_final_iterates_are_those_of_the_textbook_loop(subject: Subject, steps: int) -> None:
    ours = adversarial(make_pgd("linf", EPS, steps, STEP, random_start=False), subject)
    right = subject.net(subject.images).argmax(1) == subject.labels
    theirs = by_hand(subject, subject.images, steps)
    torch.testing.assert_close(ours[right], theirs[right], atol=1e-6, rtol=0)
    assert right.sum() > 15


def test_cycles_end_early_where_the_last_step_would_end(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = make_pgd("linf", EPS, 500, STEP)
    quick = attack.run(subject.net, subject.images, subject.labels, subject.ids, keep_adversarial=True)
    monkeypatch.setattr(Pgd, "_skip_cycles", lambda *_: None)
    slow = attack.run(subject.net, subject.images, subject.labels, subject.ids, keep_adversarial=True)
    assert quick.adversarial is not None
    assert slow.adversarial is not None
    assert torch.equal(quick.adversarial, slow.adversarial)
    assert quick.cost.backward < 0.8 * slow.cost.backward


def test_a_cycle_is_noticed_whatever_its_length() -> None:
    """Iterates that go round in rounds of three, four and five after a tail, on a line."""
    search = Pgd("linf", 1.0, 1000, 0.1)
    for period in (1, 2, 3, 4, 5):
        image = torch.zeros(1, 3, 1, 1)
        index = torch.zeros(1, dtype=torch.int64)
        batch = search.start(NewImages(index, index, image, index, index, [np.random.default_rng(0)]))
        asked = 0
        while int(batch.step) < int(batch.last):
            position = int(batch.step) + 1
            batch.x = torch.full_like(image, 0.01 * (position if position < 9 else 9 + (position - 9) % period))
            batch.step = batch.step + 1
            search._skip_cycles(batch)
            asked += 1
        assert batch.x[0, 0, 0, 0].item() == pytest.approx(0.01 * (9 + (1000 - 9) % period))
        assert asked < 60


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_fill_the_ball_and_belong_to_the_image(subject: Subject, norm: str) -> None:
    eps = Fraction(1, 10)
    attack = make_pgd(norm, eps, 1, Fraction(1, 10**9))
    first = adversarial(attack, subject)
    again = adversarial(attack, subject, batch_size=5)
    # the step of 1e-9 follows a gradient that other batches round otherwise: two roundings of pixels in [0, 1]
    torch.testing.assert_close(first, again, rtol=0, atol=2 * 2**-24)
    assert not torch.equal(first, adversarial(attack, subject, seed=1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_random_start_is_uniform_in_the_ball(norm: str) -> None:
    """In Linf every pixel moves by a uniform draw of [-eps, eps]; in L2 the distance over eps, to the power of the
    number of pixels, is uniform in [0, 1]. Four standard errors are allowed."""
    eps, n = 0.1, 40
    images = torch.full((n, 3, 8, 8), 0.5)
    generators = [generator(0, str(i), "pgd", 0) for i in range(n)]
    zeros = torch.zeros(n, dtype=torch.int64)
    new = NewImages(zeros, zeros, images, zeros, zeros, generators)
    moved = Pgd(norm, eps, 1, 1e-9).start(new).x - images
    if norm == "linf":
        drawn = (moved / eps).flatten().double()
        assert drawn.abs().max() <= 1 + 1e-6
        assert abs(drawn.mean()) < 4 * (1 / 3 / len(drawn)) ** 0.5
        assert abs(drawn.abs().mean() - 0.5) < 4 * (1 / 12 / len(drawn)) ** 0.5
    else:
        share = (moved.flatten(1).double().norm(dim=1) / eps) ** images[0].numel()
        assert share.max() <= 1 + 1e-3
        assert abs(share.mean() - 0.5) < 4 * (1 / 12 / n) ** 0.5


def test_each_restart_is_a_trial_with_a_start_of_its_own(subject: Subject) -> None:
    attack = make_pgd("linf", Fraction(1, 10**6), 1, Fraction(1, 10**6), restarts=4)
    assert [trial.restart for trial in attack.trials] == [0, 1, 2, 3]
    one = make_pgd("linf", Fraction(1, 10**6), 1, Fraction(1, 10**6))
    found, single = (a.run(subject.net, subject.images, subject.labels, subject.ids) for a in (attack, one))
    assert single.robust.any()
    assert found.steps[found.robust].tolist() == (4 * single.steps[found.robust]).tolist()


def test_a_restart_can_only_lower_robust_accuracy(subject: Subject) -> None:
    one = make_pgd("linf", EPS, 3, STEP).run(subject.net, subject.images, subject.labels, subject.ids)
    many = make_pgd("linf", EPS, 3, STEP, restarts=4).run(subject.net, subject.images, subject.labels, subject.ids)
    assert (many.robust <= one.robust).all()
    assert many.robust.sum() > 0


def test_the_best_iterate_is_at_least_as_strong_as_the_last(subject: Subject) -> None:
    final, best = (
        make_pgd("linf", EPS, 9, EPS, keep=keep).run(subject.net, subject.images, subject.labels, subject.ids)
        for keep in ("final", "best")
    )
    assert (best.robust <= final.robust).all()
    assert 0 < best.robust.sum() < 20
    assert best.cost.backward < final.cost.backward - 9


def test_targeted_pgd_raises_the_probability_of_wrong_classes_uniformly_drawn(subject: Subject) -> None:
    attack = make_pgd("linf", Fraction(64, 255), 20, STEP, targeted=True)
    result = attack.run(subject.net, subject.images, subject.labels, subject.ids)
    hit = {int(p) for p, by in zip(result.prediction, result.broken_by, strict=True) if by == "pgd"}
    assert len(hit) >= 5
    assert result.robust.sum() <= 2


def test_names_say_every_choice() -> None:
    assert make_pgd("linf", Fraction(4, 255), 50, Fraction(1, 255)).name == "pgd-linf-eps4_255-k50-a1_255-r1-untargeted"
    name = make_pgd("l2", Fraction(1, 2), 10, Fraction(1, 8), 3, True, "best", False).name
    assert name == "pgdbest-l2-eps0.5-k10-a0.125-r3-targeted-cleanstart"
    through = replace(make_pgd("linf", EPS, 1, STEP), through="adv")
    assert through.name.endswith("-through-adv")


def test_impossible_choices_are_refused() -> None:
    with pytest.raises(UsageError, match="write 4/255"):
        make_pgd("linf", Fraction(4), 10, Fraction(1))
    with pytest.raises(UsageError, match="above 0"):
        make_pgd("linf", EPS, 0, STEP)


def test_eps_zero_is_clean(subject: Subject) -> None:
    result = make_pgd("linf", Fraction(0), 5, STEP).run(subject.net, subject.images, subject.labels, subject.ids)
    clean = subject.net(subject.images).argmax(1)
    assert torch.equal(result.prediction, clean)
    assert result.distance.max() == 0
