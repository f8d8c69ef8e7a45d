"""The queue: neither batch, order, shard nor lack of memory changes a verdict; claims are judged anew."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.attacks import autoattack, norms
from bench.attacks.autoattack import aa_fast, apgd, apgd_t, ensemble, fab_t, square
from bench.attacks.base import Attack, AttackResult, Trial
from bench.attacks.network import Network, Precision
from bench.attacks.prepared import PROBE
from bench.attacks.search import ActiveBatch, ModelOutput, NewImages, Search
from bench.errors import UsageError
from tests.attacks.conftest import Subject

EPS = Fraction(11, 255)
ATTACK = ensemble(
    "short",
    apgd("linf", EPS, steps=8),
    apgd_t("linf", EPS, 3, 8),
    fab_t("linf", EPS, 2, 5),
    square("linf", EPS, 30),
    choices="all",
)


def run(subject: Subject, rows: Tensor | None = None, attack: Attack = ATTACK, **options: Any) -> AttackResult:
    rows = torch.arange(len(subject.ids)) if rows is None else rows
    ids = [subject.ids[i] for i in rows.tolist()]
    return attack.run(subject.net, subject.images[rows], subject.labels[rows], ids, keep_adversarial=True, **options)


@pytest.mark.parametrize("batch_size", [3, 200])
def test_batch_size_changes_no_verdict(subject: Subject, batch_size: int) -> None:
    usual, other = run(subject), run(subject, batch_size=batch_size)
    assert usual.broken_by == other.broken_by
    assert torch.equal(usual.steps, other.steps)
    torch.testing.assert_close(usual.margin, other.margin, atol=1e-3, rtol=1e-3)
    assert 4 < usual.robust.sum() < 20


def test_order_and_shards_change_no_verdict(subject: Subject) -> None:
    whole = run(subject)
    backwards = torch.arange(len(subject.ids)).flip(0)
    assert run(subject, backwards).broken_by == whole.broken_by[::-1]
    parts = [run(subject, rows).broken_by for rows in torch.arange(len(subject.ids)).split(7)]
    assert [verdict for part in parts for verdict in part] == whole.broken_by


def test_the_seed_changes_the_draws(subject: Subject) -> None:
    one, other = run(subject), run(subject, seed=1)
    assert one.adversarial is not None
    assert other.adversarial is not None
    assert not torch.equal(one.adversarial, other.adversarial)


def test_out_of_memory_halves_the_batch_and_loses_nothing(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run(subject)
    answer, refused = Network.gradient, []

    def scarce(self: Network, x: Tensor, objective: Any) -> ModelOutput:
        if len(x) > 4:
            refused.append(len(x))
            raise torch.OutOfMemoryError
        return answer(self, x, objective)

    monkeypatch.setattr(Network, "gradient", scarce)
    assert run(subject).broken_by == plain.broken_by
    assert len(refused) >= 3


def test_out_of_memory_with_one_image_is_raised(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Network, x: Tensor, objective: Any) -> ModelOutput:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Network, "gradient", none)
    with pytest.raises(torch.OutOfMemoryError):
        run(subject)


def test_passes_are_full_while_there_is_work(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    for kind in ("gradient", "logits"):
        answer = getattr(Network, kind)

        def noted(self: Network, x: Tensor, *rest: Any, answer: Any = answer) -> ModelOutput:
            sizes.append(len(x))
            return answer(self, x, *rest)

        monkeypatch.setattr(Network, kind, noted)
    run(subject, batch_size=4)
    searching = sizes[12 : 3 * len(sizes) // 4]
    assert sum(searching) / len(searching) > 3.8


def test_clean_errors_are_never_attacked(subject: Subject) -> None:
    wrong = Subject(subject.net, subject.images, (subject.labels + 1) % 10)
    result = run(wrong)
    assert result.broken_by == ["clean"] * 24
    assert result.steps.sum() == 0
    assert result.distance.max() == 0
    assert result.cost.backward == 2 * PROBE  # whether it answers alike under gradients, and these are not random


def test_verdicts_are_those_of_the_pictures_handed_over(subject: Subject) -> None:
    result = run(subject)
    assert result.adversarial is not None
    logits = subject.net(result.adversarial)
    assert torch.equal(logits.argmax(1), result.prediction)
    assert torch.equal(result.prediction == subject.labels, result.robust)
    assert ((result.margin > 0) == result.robust).all()
    assert result.distance.max() <= float(EPS) + 1e-6
    assert result.adversarial.min() >= 0
    assert result.adversarial.max() <= 1


@dataclass(frozen=True)
class Liar(Search[ActiveBatch]):
    """Claims at once to have broken every image."""

    name: str = "liar"

    def start(self, new: NewImages) -> ActiveBatch:
        return ActiveBatch(**new.at(new.image, norms.anywhere(new.image)))

    def objective(self, _lanes: ActiveBatch, logits: Tensor) -> Tensor:
        return logits[:, 0]

    def update(self, batch: ActiveBatch, _reply: ModelOutput) -> Tensor:
        batch.broken = torch.ones_like(batch.broken)
        return batch.broken


def test_a_claim_that_is_not_confirmed_passes_the_image_on(subject: Subject) -> None:
    real = apgd("linf", Fraction(64, 255))
    attack = Attack("both", "linf", real.eps, (Trial(Liar()), *real.trials))
    assert set(run(subject, attack=attack).broken_by) == {"apgd-ce"}
    alone = Attack("liar", "linf", real.eps, (Trial(Liar()),))
    assert run(subject, attack=alone).broken_by == [None] * 24


@pytest.fixture(scope="module")
def edge(subject: Subject) -> tuple[Tensor, Tensor]:
    """Which images stand within nine tenths of the budget, and which within eleven, against a long search."""
    narrow, wide = (run(subject, attack=apgd("linf", share * EPS)) for share in (Fraction(9, 10), Fraction(11, 10)))
    return narrow.robust, wide.robust


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_search_in_low_precision_is_judged_in_float32(
    subject: Subject, edge: tuple[Tensor, Tensor], precision: Precision
) -> None:
    plain, low = run(subject), run(subject, attack=ATTACK.searched_in(precision))
    assert 0 < low.robust.sum() < 24
    narrow, wide = edge
    assert (wide <= low.robust).all(), "searches in other roundings part on the images at the edge alone"
    assert (low.robust <= narrow).all()
    assert (low.steps[low.robust] > plain.steps[low.robust]).all()
    assert low.adversarial is not None
    assert torch.equal(subject.net(low.adversarial).argmax(1), low.prediction)


class Blind(nn.Module):
    """A network without gradient under autocast, of which no folded copy can be made."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        assert bool((x <= 1).all())  # what depends on values cannot be traced
        logits: Tensor = self.net(x.detach() if torch.is_autocast_enabled("cpu") else x)
        return logits


def test_what_stands_in_low_precision_is_attacked_by_the_last_trial_in_float32(subject: Subject) -> None:
    """A network that low precision blinds: gradients are lost to it, and the last trial breaks what it can."""
    attack = ensemble("short", apgd("linf", EPS, steps=2), apgd("linf", EPS, steps=8), choices="two")
    blind, last = Blind(subject.net).eval(), replace(attack, trials=attack.trials[-1:])
    found, expected = (
        own.run(blind, subject.images, subject.labels, subject.ids) for own in (attack.searched_in("bf16"), last)
    )
    assert (found.robust <= expected.robust).all()
    assert (found.robust != expected.robust).sum() <= 1
    assert found.cost.zero > 0


def test_tf32_is_refused_on_a_cpu(subject: Subject) -> None:
    with pytest.raises(UsageError, match="tf32"):
        run(subject, attack=ATTACK.searched_in("tf32"))


def test_progress_ends_with_all(subject: Subject) -> None:
    told: list[tuple[int, int]] = []
    run(subject, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (24, 24)


class HalfBlind(nn.Module):
    """A network without gradient on images whose first pixel is bright."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        dark = x[:, :1, :1, :1] < 0.5
        logits: Tensor = self.net(torch.where(dark, x, x.detach()))
        return logits


@pytest.fixture(scope="module")
def half_blind(subject: Subject) -> Subject:
    images = subject.images.clone()
    images[:, 0, 0, 0] = (torch.arange(len(images)) % 2).float()
    return Subject(HalfBlind(subject.net).eval(), images, subject.labels)


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"FAST_STEPS": 8, "LED": (2, 20), "MISLED": (3, 50)}.items():
        monkeypatch.setattr(autoattack, name, few)


@pytest.mark.parametrize(("precision", "again"), [("fp32", 0), ("bf16", 1)])
def test_the_fast_ensemble_tries_more_where_gradients_mislead(
    half_blind: Subject, precision: Precision, again: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a surviving image: the points of runs of Auto-PGD, the gradients of nine classes, and Square's queries; and
    the last trial again in float32."""
    shorten(monkeypatch)
    found = run(half_blind, attack=aa_fast("linf", Fraction(1, 2550)).searched_in(precision))
    bright = half_blind.images[:, 0, 0, 0] > 0.5
    assert set(found.steps[found.robust & ~bright].tolist()) == {9 + 9 + 2 * 9 + 21 + again * 21}
    assert set(found.steps[found.robust & bright].tolist()) == {9 + 9 + 3 * 9 + 51 + again * 51}


@pytest.mark.parametrize(("trials", "share"), [("led", 10), ("misled", 5)])
def test_the_fast_ensemble_costs_a_share_of_the_standard_one(trials: str, share: int) -> None:
    """Of an image that stands: 2 x 100 + 1 passes a run of APGD, at least 2 a step of FAB, one a query of Square."""
    standard = 201 + 9 * 201 + 9 * 2 * 100 + 5001
    fast = sum(
        2 * t.search.steps + 1 if hasattr(t.search, "steps") else t.search.queries + 1
        for t in aa_fast("linf", EPS).trials
        if t.when in ("always", trials)
    )  # type: ignore[attr-defined]
    assert fast + 2 * 9 <= standard / share


def test_batches_change_no_trial_that_depends_on_the_first(
    half_blind: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    attack = aa_fast("linf", EPS)
    usual, other = run(half_blind, attack=attack), run(half_blind, attack=attack, batch_size=5)
    assert usual.broken_by == other.broken_by
    assert torch.equal(usual.steps, other.steps)
    assert 4 < usual.robust.sum() < 20


def test_a_random_model_is_refused(subject: Subject) -> None:
    from bench.errors import UsageError

    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = subject.net(x + 0.05 * torch.randn_like(x))
            return out

    with pytest.raises(UsageError, match="random"):
        ATTACK.run(Noisy().eval(), subject.images, subject.labels, subject.ids)
