"""`bench.attack` on tensors: what it returns, in whatever order, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bench
from bench.attacks import ATTACKS
from bench.attacks.autoattack import apgd
from bench.attacks.call import picture_ids
from bench.errors import UsageError
from tests.attacks.conftest import Subject


def test_two_lines_give_pictures_verdicts_and_distances(subject: Subject) -> None:
    found = bench.attack(subject.net, subject.images, subject.labels, "apgd-ce", eps="12/255")
    assert found.adversarial is not None
    predicted = subject.net(found.adversarial).argmax(1)
    assert torch.equal(predicted == subject.labels, found.robust)
    assert 0 < int(found.robust.sum()) < 24
    moved = (found.adversarial - subject.images).flatten(1).abs().amax(1)
    torch.testing.assert_close(found.distance, moved)
    assert (moved <= 12 / 255 + 1e-6).all()


def test_order_and_batch_size_change_nothing(subject: Subject) -> None:
    """Without ids: the images themselves are what randomness belongs to."""
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    one = bench.attack(subject.net, subject.images, subject.labels, "pgd", eps="8/255", steps=3)
    other = bench.attack(
        subject.net,
        subject.images[order].numpy(),
        subject.labels[order].tolist(),
        "pgd",
        eps=8 / 255,
        steps=3,
        batch_size=5,
    )
    assert one.adversarial is not None
    assert other.adversarial is not None
    torch.testing.assert_close(one.adversarial[order], other.adversarial, atol=1e-6, rtol=0)


def test_equal_pictures_have_ids_of_their_own() -> None:
    names = picture_ids(torch.zeros(3, 3, 2, 2))
    assert len(set(names)) == 3


def test_ids_make_it_the_attack_of_a_run(subject: Subject) -> None:
    from bench.attacks.budget import parse_eps

    run = apgd("l2", parse_eps("0.5")).run(
        subject.net, subject.images, subject.labels, subject.ids, keep_adversarial=True
    )
    call = bench.attack(
        subject.net, subject.images, subject.labels, "apgd-ce", eps=0.5, norm="l2", ids=subject.ids, batch_size=32
    )
    assert run.adversarial is not None
    assert call.adversarial is not None
    assert torch.equal(run.adversarial, call.adversarial)


def test_the_attacks_are_those_of_the_contract() -> None:
    """An empty table would leave the tests below without a case."""
    known = "pgd pgdbest apgd-ce apgd-dlr apgd-pm apgd-t fab-t square bim mi-fgsm mi-pgd cw-pgd transfer"
    assert {*known.split(), "autoattack", "aa-fast"} <= set(bench.list_attacks()) == set(ATTACKS)


@pytest.mark.parametrize(
    "name", sorted(set(ATTACKS) - {"autoattack", "fab-t", "square", "aa-fast", "apgd-t", "transfer"})
)
def test_every_attack_has_its_name(subject: Subject, name: str) -> None:
    found = bench.attack(subject.net, subject.images[:3], subject.labels[:3], name, eps="64/255", steps=3)
    assert set(found.broken_by) <= {None, "clean", name}


def test_a_model_of_two_classes_is_attacked_by_all_parts() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2)).eval()
    images = torch.rand(6, 3, 4, 4)
    found = bench.attack(net, images, net(images).argmax(1), eps="64/255")
    assert not found.robust.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "agpd-ce"}, "apgd-ce"),
        ({"eps": "4"}, "write 4/255"),
        ({"norm": "l3"}, "norm"),
        ({"stepz": 3}, "no such setting"),
        ({"name": "bim", "norm": "l2", "eps": "0.5"}, "in Linf"),
        ({"images": np.zeros((2, 3, 4, 4), np.uint8)}, "divide uint8"),
        ({"images": torch.zeros(0, 3, 4, 4)}, "no images"),
        ({"labels": [0, 11]}, "labels must lie in"),
        ({"labels": ["cat", "dog"]}, "labels: expected a tensor or an array of numbers, found a list"),
        ({"labels": None}, "found a NoneType"),
        ({"images": "picture.png"}, "images: expected a tensor or an array of numbers, found a str"),
        ({"images": torch.full((2, 3, 4, 4), 1 + 2**-20)}, r"found 1.00000095 to 1.00000095"),
        ({"batch_size": 0}, "batch_size: expected a whole number of at least 1, found 0"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"steps": True}, "steps: expected a whole number"),
        ({"seed": 1.5}, "seed: expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"name": "pgd", "random_start": "no"}, "random_start: expected true or false, found 'no'"),
        ({"name": "pgd", "step_size": 2}, "step_size 2 is in units of .*write 2/255"),
        ({"norm": 2}, "norm must be linf, l2 or l1, found 2"),
        ({"loss": "mse"}, "must be ce, dlr, pm, found 'mse'"),
        ({"name": "pgd", "keep": "Best"}, "keep must be final or best, found 'Best'"),
        ({"name": "pgd", "step_size": "small"}, "step_size: 'small' is not a number"),
    ],
)
def test_what_means_nothing_is_refused(change: dict[str, object], message: str) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 10)).eval()
    given = {"images": torch.rand(2, 3, 4, 4), "labels": [0, 1], "name": "apgd-ce", "eps": "4/255"} | change
    with pytest.raises(UsageError, match=message):
        bench.attack(net, given.pop("images"), given.pop("labels"), **given)  # type: ignore[arg-type]


def test_lists_of_tensors_and_numbered_ids_are_taken(subject: Subject) -> None:
    images, labels = subject.images[:4], subject.labels[:4]
    as_lists = bench.attack(subject.net, list(images), list(labels), "pgd", eps="8/255", ids=[7, 8, 9, 10])  # type: ignore[arg-type]
    plain = bench.attack(subject.net, images, labels, "pgd", eps="8/255", ids=["7", "8", "9", "10"])
    assert as_lists.adversarial is not None
    assert plain.adversarial is not None
    assert as_lists.adversarial.equal(plain.adversarial)


def test_numbers_may_be_numpys(subject: Subject) -> None:
    images, labels = subject.images[:4], subject.labels[:4]
    theirs = bench.attack(subject.net, images, labels, "pgd", eps=np.float64(8 / 255), steps=np.int64(3))  # type: ignore[arg-type]
    ours = bench.attack(subject.net, images, labels, "pgd", eps="8/255", steps=3)
    assert theirs.adversarial is not None
    assert ours.adversarial is not None
    assert theirs.adversarial.equal(ours.adversarial)


class Complex(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x.flatten(1))[:, :10]


class Penalised(nn.Module):
    """Differentiates by its input, which it takes to be a leaf."""

    def forward(self, x: Tensor) -> Tensor:
        logits = x.flatten(1)[:, :10] * 10
        (slope,) = torch.autograd.grad(logits.square().sum(), x, create_graph=True)
        return logits - slope.flatten(1)[:, :10]


def test_a_model_that_needs_gradients_of_its_input_is_attacked() -> None:
    images = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = Penalised()(images.clone().requires_grad_()).argmax(1)
    assert not bench.attack(Penalised().eval(), images, labels, "pgd", eps="200/255").robust.any()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda x: x.flatten(1), "must be an nn.Module, found a function"),
        (nn.Flatten(0).eval(), r"found float32 \[48\] for one image"),
        (nn.Sequential(nn.Flatten(), nn.Linear(48, 10)).half().eval(), r"fails on an image .* call model.float\(\)"),
        (Complex().eval(), r"found complex64 \[1, 10\] for one image"),
        (nn.Sequential(nn.Flatten(), nn.Linear(48, 1)).eval(), "returns one logit an image"),
    ],
)
def test_what_gives_no_logits_is_refused(model: nn.Module, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bench.attack(model, torch.rand(2, 3, 4, 4), [0, 0], "pgd", eps="4/255")


def test_a_model_in_training_mode_is_refused() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(48, 10))
    with pytest.raises(UsageError, match="eval mode"):
        bench.attack(net, torch.rand(2, 3, 4, 4), [0, 1], eps="4/255")


class Scaled(nn.Module):
    """A network with its logits times `factor`: the same classes, of another temperature."""

    def __init__(self, inner: nn.Module, factor: float) -> None:
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.inner(images) * self.factor
        return found


@pytest.mark.parametrize(("factor", "name", "said"), [
    (1e-3, "pgd", True), (1e-3, "apgd-ce", True), (1e-3, "apgd-dlr", False), (1.0, "pgd", False),
])  # fmt: skip
def test_a_number_at_an_extreme_temperature_is_marked(subject: Subject, factor: float, name: str, said: bool) -> None:
    """Small logits turn the cross-entropy into another loss: PGD then breaks fewer images of the same network."""
    found = bench.attack(Scaled(subject.net, factor).eval(), subject.images, subject.labels, name, eps="8/255", steps=5)
    assert (
        any("at so small a scale of logits the cross-entropy follows the mean" in note for note in found.notes) is said
    )
    assert found.verdict == "not assessed"


def test_two_classes_have_no_mean_to_follow(subject: Subject) -> None:
    two = nn.Sequential(subject.net, nn.Linear(10, 2)).eval()
    with torch.no_grad():
        two[1].weight.mul_(1e-3)
    assert bench.attack(two, subject.images, two(subject.images).argmax(1), "pgd", eps="8/255", steps=5).notes == ()


def test_settings_that_do_nothing_or_too_little_are_told(subject: Subject) -> None:
    short = bench.attack(subject.net, subject.images, subject.labels, "pgd", eps="8/255", steps=2, step_size="1/2550")
    assert "its steps together cannot reach the edge of its budget" in short.notes
    with pytest.raises(UsageError, match="3 restarts from the clean image are the same search"):
        bench.attack(
            subject.net, subject.images, subject.labels, "pgd", eps="8/255", restarts=3, random_start=False
        )  # fmt: skip


def test_the_verdict_of_a_run_stands_beside_the_number_if_asked(subject: Subject) -> None:
    images, labels = subject.images[:12], subject.labels[:12]
    found = bench.attack(Scaled(subject.net, 1e6).eval(), images, labels, "pgd", eps="8/255", steps=5, reliability=8)
    assert found.verdict.startswith("unreliable, because ")
    assert "of the gradients are zero or not finite" in found.verdict
    nothing = bench.attack(subject.net, images[:1], 9 - labels[:1], "pgd", eps="8/255", steps=2, reliability=8)
    assert nothing.verdict.startswith("not assessed: the model is wrong on all 1 images")


def test_a_class_more_than_the_labels_have_is_noted(subject: Subject) -> None:
    eleven = nn.Sequential(subject.net, nn.ConstantPad1d((1, 0), -9.0)).eval()
    labels = torch.arange(24) % 10
    (note,) = bench.attack(eleven, subject.images, labels, "square", eps="1/255", queries=1).notes
    assert "returns 11 numbers an image, and the labels of 24 images reach from 0 to 9: a background" in note
