"""Randomised models: the share of right answers at the worst point has a closed form, and no draw hangs on a batch."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import bench
from bench.attacks import randomised
from bench.attacks.autoattack import apgd
from bench.attacks.randomised import RandomisedAttack, autoattack_rand
from bench.errors import UsageError
from bench.testing import AffineHead, truth_model
from model_zoo.model import Model

EPS = Fraction(8, 255)
NOISE = 0.5


class Noisy(nn.Module):
    """A head that sees its image through Gaussian noise, drawn anew for each row and pass."""

    def __init__(self, head: AffineHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x + NOISE * torch.randn_like(x))
        return out


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randomised, "EOT", 8)


def drawn(count: int) -> tuple[AffineHead, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 3, 5, 5, generator=draw)
    head = AffineHead(weight, -weight.flatten(1).sum(1) / 2)
    images = torch.rand(count, 3, 5, 5, generator=draw) * 0.6 + 0.2
    return head.eval(), images, head(images).argmax(1)


def short(eps: Fraction, steps: int = 10) -> RandomisedAttack:
    return RandomisedAttack("autoattack-rand", "linf", eps, apgd("linf", eps, steps=steps).trials, "eot4")


@pytest.mark.usefixtures("few_draws")
def test_the_share_right_at_the_worst_point_is_the_normal_distributions() -> None:
    head, images, labels = drawn(12)
    found = short(EPS, 16).run(Noisy(head).eval(), images, labels, [str(i) for i in range(12)], keep_adversarial=True)
    spread = NOISE * float((head.weight[0] - head.weight[1]).norm())
    truth = torch.special.ndtr(head.worst_lead(images, labels, "linf", float(EPS)) / spread)
    clean = torch.special.ndtr(head.worst_lead(images, labels, "linf", 0.0) / spread)
    (note,) = found.notes
    share = float(note.split(" random numbers ")[1].split(" %")[0]) / 100
    assert clean.mean() > truth.mean() + 0.1
    assert share == pytest.approx(float(truth.mean()), abs=4 * 0.5 / (12 * 20) ** 0.5)
    assert found.adversarial is not None
    reached = torch.special.ndtr(head.worst_lead(found.adversarial, labels, "linf", 0.0) / spread)
    assert float(reached.mean()) == pytest.approx(float(truth.mean()), abs=0.02)


@pytest.mark.usefixtures("few_draws")
def test_neither_order_nor_batch_changes_a_picture() -> None:
    head, images, labels = drawn(6)
    ids = [str(i) for i in range(6)]
    whole = short(EPS, 3).run(Noisy(head).eval(), images, labels, ids, keep_adversarial=True, batch_size=6)
    torch.manual_seed(99)
    rows = [4, 1]
    part = short(EPS, 3).run(
        Noisy(head).eval(), images[rows], labels[rows], ["4", "1"], keep_adversarial=True, batch_size=1
    )
    assert whole.adversarial is not None
    assert part.adversarial is not None
    assert part.adversarial.equal(whole.adversarial[rows])
    assert part.prediction.equal(whole.prediction[rows])
    assert part.broken_by == [whole.broken_by[row] for row in rows]


def test_a_model_that_draws_nothing_is_sent_to_the_standard_ensemble() -> None:
    head, images, labels = drawn(2)
    with pytest.raises(UsageError, match="not random: use --suite autoattack"):
        autoattack_rand("linf", EPS, 2).run(head, images, labels, ["a", "b"])


def test_its_name_and_trials() -> None:
    attack = autoattack_rand("linf", EPS, 10)
    assert attack.name == "autoattack-rand-linf-eps8_255-eot20"
    assert [trial.search.name for trial in attack.trials] == ["apgd-ce", "apgd-dlr"]
    assert [trial.search.name for trial in autoattack_rand("l2", EPS, 2).trials] == ["apgd-ce"]


@pytest.mark.usefixtures("few_draws")
def test_a_run_measures_a_random_model_and_says_how_its_draws_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(randomised, "autoattack_rand", lambda _norm, eps, **_classes: short(eps, 2))
    weight = torch.randn(10, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model: Model = truth_model(Noisy(AffineHead(weight, -weight.flatten(1).sum(1) / 2)))
    first = bench.run(model, "autoattack-rand", limit=4, out=tmp_path / "a")
    assert "a randomised model: over 20 draws of its random numbers" in capsys.readouterr().err
    torch.manual_seed(5)
    again = bench.run(model, "autoattack-rand", limit=4, out=tmp_path / "b", quiet=True)
    assert first["value"].tolist() == again["value"].tolist()
    assert set(first["metric"]) == {"accuracy", "robust_accuracy"}
    with pytest.raises(UsageError, match="differs on a second pass"):
        bench.run(model, "pgd,autoattack-rand", limit=4, out=tmp_path / "c", quiet=True)


class OwnNoise(Noisy):
    """The same with a generator of its own, which no seed of torch's reaches."""

    def __init__(self, head: AffineHead) -> None:
        super().__init__(head)
        self.draw = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x + NOISE * torch.randn(x.shape, generator=self.draw))
        return out


def test_random_numbers_that_no_seed_reaches_are_refused() -> None:
    head, images, labels = drawn(2)
    with pytest.raises(UsageError, match="random numbers of its own"):
        short(EPS, 2).run(OwnNoise(head).eval(), images, labels, ["a", "b"])
