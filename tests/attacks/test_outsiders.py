"""Models and options of people who did not read the docs: the right answer was written down first."""

import copy
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import bench
from bench.attacks.base import Attack
from bench.attacks.call import attack as attack_tensors
from bench.attacks.presets import make_pgd
from bench.attacks.randomised import autoattack_rand
from bench.engine.contract import check_model
from bench.errors import UsageError
from tests.attacks.conftest import Around, Subject

EPS = Fraction(8, 255)
EVERY = ["pgd", "apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square", "aa-fast"]


class Level(Around):
    """Logits cut off where every image reaches: all classes are level, and an argmax names the first."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.clamp(-1e-6, 1e-6).clamp(max=-1e-6) + 0 * out


class Capped(Around):
    """The leading class comes no higher than `cap`: where it is attacked, classes are level with it."""

    cap = 0.5

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.clamp(max=self.cap)


class Remembers(Around):
    """Answers for all that is near to what it has seen, as it answered then, with the network's own gradient."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self._answer(picture) for picture in x])

    def _answer(self, picture: Tensor) -> Tensor:
        own: Tensor = self.net(picture[None])[0]
        for known, answer in self.seen:
            if (picture.detach() - known).abs().max() <= 1.1 * float(EPS):
                return answer + own - own.detach()
        self.seen.append((picture.detach().clone(), own.detach()))
        return own


class AsksForGradients(Around):
    """Another network wherever gradients are recorded: an attack follows what is not judged."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.decoy = copy.deepcopy(net)
        self.decoy[-1].weight.data.neg_()  # type: ignore[index, union-attr]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decoy(x) if torch.is_grad_enabled() else self.net(x)
        return out


class Checkpointed(Around):
    """The older kind of checkpoint, which torch does not differentiate by its input alone."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = checkpoint(self.net, x, use_reentrant=True) if x.requires_grad else self.net(x)
        return out


class BySeed(Around):
    """Noise of a fixed seed: an image's noise is that of its place in the batch."""

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        out: Tensor = self.net(x + 0.05 * noise)
        return out


def run(model: nn.Module, subject: Subject, attack: Attack | None = None, count: int = 24) -> Any:
    made = attack or make_pgd("linf", EPS, 10, random_start=False)
    return made.run(model.eval(), subject.images[:count], subject.labels[:count], subject.ids[:count])


@pytest.mark.parametrize("name", EVERY)
def test_classes_that_are_level_are_no_right_answer(subject: Subject, name: str) -> None:
    """An argmax says class 0 everywhere: 100 % of its images would stand, whatever is done to them."""
    chosen = subject.labels == 0
    model = Level(subject.net).eval()
    assert (model(subject.images[chosen]).argmax(1) == 0).all()
    found = attack_tensors(model, subject.images[chosen], subject.labels[chosen], name, eps=EPS)
    assert not found.robust.any()
    assert (found.prediction != 0).all()
    assert f"{int(chosen.sum())} attacked images have another class tied with the label" in found.notes[-1]


def test_a_cap_on_the_logits_saves_no_picture(subject: Subject) -> None:
    plain, capped = run(subject.net, subject), run(Capped(subject.net), subject)
    assert not (capped.robust & ~plain.robust).any()


def test_the_reference_engine_counts_ties_alike(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.attacks import reference

    monkeypatch.setattr(reference, "COMPONENTS", ("apgd-ce",))
    chosen = subject.labels == 0
    made = reference.reference("linf", EPS)
    found = made.run(Level(subject.net).eval(), subject.images[chosen], subject.labels[chosen], subject.ids[:3])
    assert not found.robust.any()
    assert (found.prediction != 0).all()


def test_a_model_that_remembers_pictures_is_refused(subject: Subject) -> None:
    with pytest.raises(UsageError, match="remembers earlier inputs"):
        run(Remembers(subject.net), subject)


def test_a_run_refuses_it_before_it_has_seen_a_picture(subject: Subject) -> None:
    with pytest.raises(UsageError, match="remembers earlier inputs"):
        check_model(Remembers(subject.net).eval(), subject.images[:4], 10)


def test_a_model_that_answers_otherwise_where_gradients_are_taken_is_refused(subject: Subject) -> None:
    with pytest.raises(UsageError, match="output differs when gradients are computed"):
        run(AsksForGradients(subject.net), subject)


def test_checkpoints_of_the_older_kind_are_attacked(subject: Subject) -> None:
    weights = list(subject.net.parameters())
    found = run(Checkpointed(subject.net), subject)
    assert found.robust.equal(run(subject.net, subject).robust)
    assert 0 < int(found.robust.sum()) < 24
    assert all(weight.grad is None for weight in weights)


@pytest.mark.parametrize(("count", "batch_size"), [(1, 32), (24, 1)])
def test_a_picture_alone_is_held_against_its_place_in_a_batch(subject: Subject, count: int, batch_size: int) -> None:
    images, labels = subject.images[:count], subject.labels[:count]
    with pytest.raises(UsageError, match="depends on the other images of the batch"):
        make_pgd("linf", EPS, 3).run(
            BySeed(subject.net).eval(), images, labels, subject.ids[:count], batch_size=batch_size
        )


@pytest.mark.parametrize("name", EVERY)
def test_within_no_budget_every_picture_that_is_right_stands(subject: Subject, name: str) -> None:
    right = subject.net(subject.images).argmax(1) == subject.labels
    choices = {"queries": 20} if name == "square" else {}
    found = attack_tensors(subject.net, subject.images, subject.labels, name, eps=0, **choices)
    assert found.robust.equal(right)
    assert found.distance.abs().max() == 0


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("pgd", {"steps": 0}),
        ("pgd", {"restarts": 0}),
        ("apgd-ce", {"steps": 0}),
        ("apgd-ce", {"restarts": 0}),
        ("apgd-t", {"targets": 0}),
        ("fab-t", {"targets": -1}),
        ("fab-t", {"steps": 0}),
        ("square", {"queries": 0}),
        ("bim", {"steps": 0}),
    ],
)
def test_an_attack_that_does_nothing_is_refused(subject: Subject, name: str, choice: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"at least 1|above 0"):
        attack_tensors(subject.net, subject.images, subject.labels, name, eps=EPS, **choice)


def test_more_targets_than_classes_are_refused(subject: Subject) -> None:
    with pytest.raises(UsageError, match="needs a model with at least 13 classes, found 10"):
        attack_tensors(subject.net, subject.images, subject.labels, "apgd-t", eps=EPS, targets=12)


@pytest.mark.parametrize("labels", [torch.full((24,), 0.5), torch.zeros(24, dtype=torch.bool)])
def test_labels_that_are_no_class_indices_are_refused(subject: Subject, labels: Tensor) -> None:
    with pytest.raises(UsageError, match="labels must be class indices"):
        bench.attack(subject.net, subject.images, labels, "pgd", eps=EPS)


def test_a_step_beyond_the_budget_is_cut_to_it(subject: Subject) -> None:
    found = bench.attack(subject.net, subject.images, subject.labels, "pgd", eps=EPS, step_size="100/255", steps=5)
    assert float(found.distance.max()) <= float(EPS) + 1e-6


@pytest.mark.parametrize("eps", [1, 4, "4"])
def test_a_budget_of_whole_numbers_in_linf_is_refused(subject: Subject, eps: float | str) -> None:
    with pytest.raises(UsageError, match="in units of"):
        bench.attack(subject.net, subject.images, subject.labels, "pgd", eps=eps)


class LessItsBatchsMean(Around):
    """Subtracts the mean of the batch from each image."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x - x.mean(0) + 0.5)
        return out


@pytest.mark.parametrize("count", [1, 2, 3, 17, 24])
def test_a_few_pictures_show_that_a_batch_counts(subject: Subject, count: int) -> None:
    images, labels = subject.images[:count], subject.labels[:count]
    with pytest.raises(UsageError, match="depends on the other images of the batch"):
        make_pgd("linf", EPS, 3, EPS / 4).run(
            LessItsBatchsMean(subject.net).eval(), images, labels, subject.ids[:count]
        )


class AddsInPlace(Around):
    """Moves its images where they lie."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x.add_(0.01 * torch.rand(())))
        return out


@pytest.mark.parametrize("name", ["square", "pgd"])
def test_the_callers_pictures_stay_what_they_are(subject: Subject, name: str) -> None:
    images = subject.images[:4] * 0.9
    before = images.clone()
    with pytest.raises(UsageError, match="writes into its input"):
        bench.attack(AddsInPlace(subject.net).eval(), images, subject.labels[:4], name, eps=EPS)
    assert torch.equal(images, before)


def test_a_random_model_that_writes_into_its_input_is_refused(subject: Subject) -> None:
    images = subject.images[:2] * 0.9
    before = images.clone()
    with pytest.raises(UsageError, match="writes into its input"):
        autoattack_rand("linf", EPS, 10).run(AddsInPlace(subject.net).eval(), images, subject.labels[:2], ["a", "b"])
    assert torch.equal(images, before)
