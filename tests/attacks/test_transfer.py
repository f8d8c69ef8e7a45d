"""Transfer: made on other models, judged by the model, the same in any batch; what does not fit is refused."""

from fractions import Fraction

import pytest
import torch
from torch import nn

from bench.attacks.randomness import generator
from bench.attacks.transfer import craft, diverse, smooth, transfer
from bench.datasets.tiny import generate
from bench.errors import UsageError
from model_zoo import load_model

EPS = Fraction(8, 255)

Shown = tuple[torch.Tensor, torch.Tensor, list[str]]


@pytest.fixture(scope="module")
def pictures() -> Shown:
    batch = generate("val", 24)
    images = torch.from_numpy(batch.images).permute(0, 3, 1, 2).contiguous().float() / 255
    return images, torch.as_tensor(batch.labels).long(), list(batch.ids)


def test_pictures_of_one_undefended_network_break_another(pictures: Shown) -> None:
    images, labels, ids = pictures
    victim, defended = load_model("tiny_std_s1"), load_model("tiny_at")
    large = transfer(Fraction(16, 255), ["tiny_std"])
    found = large.run(victim, images, labels, ids, keep_adversarial=True)
    assert found.robust.float().mean() < 0.5
    assert found.adversarial is not None
    assert torch.equal(victim(found.adversarial).argmax(1) == labels, found.robust)
    assert (found.adversarial - images).abs().max() <= 16 / 255 + 1e-6
    assert large.run(defended, images, labels, ids).robust.sum() > found.robust.sum()


def test_batches_change_nothing(pictures: Shown) -> None:
    images, labels, ids = pictures
    attack, victim = transfer(EPS, ["tiny_std", "tiny_at"]), load_model("tiny_std_s1")
    one, other = (attack.run(victim, images, labels, ids, batch_size=n, keep_adversarial=True) for n in (24, 9))
    assert one.broken_by == other.broken_by
    assert one.adversarial is not None
    assert other.adversarial is not None
    assert ((one.adversarial - other.adversarial).abs() < 1e-5).float().mean() > 0.999


def test_the_name_and_the_code_say_on_which_models_it_was_made() -> None:
    attack = transfer(EPS, ["tiny_std"])
    assert attack.name == "transfer-linf-eps8_255-k10-a2_255-mi-di-ti-from-tiny_std"
    assert attack.implementation.startswith("bench.attacks.transfer 1 from tiny_std ")


def test_a_shown_picture_is_smaller_on_black_or_as_it_was() -> None:
    x = torch.ones(64, 3, 32, 32)
    shown = diverse(x, [generator(0, str(i), "transfer", 0) for i in range(64)])
    covered = shown.mean((1, 2, 3))
    assert 16 <= int((covered < 1).sum()) <= 48
    assert (covered >= 0.85**2).all()
    lit = shown[:, 0] > 0
    assert torch.equal(lit.any(1).sum(1), lit.any(2).sum(1)), "a square picture stays square"


def test_a_surrogate_without_gradient_moves_nothing(pictures: Shown) -> None:
    images, labels, ids = pictures
    constant = nn.Sequential(nn.AvgPool2d(32), nn.Flatten(), nn.Linear(3, 10))
    nn.init.zeros_(constant[2].weight)
    draws = [generator(0, name, "transfer", 0) for name in ids]
    assert torch.equal(craft(constant, images, labels, draws, float(EPS)), images)


def test_smoothing_keeps_the_mean_and_spreads_a_point() -> None:
    point = torch.zeros(1, 3, 32, 32)
    point[:, :, 16, 16] = 1
    spread = smooth(point)
    assert spread.sum((2, 3)).flatten().tolist() == pytest.approx([1, 1, 1])
    assert 0 < float(spread.max()) < 1


@pytest.mark.parametrize(("side", "width"), [(32, 3), (224, 15)])
def test_images_of_224_pixels_are_smoothed_over_fifteen_as_in_the_paper(side: int, width: int) -> None:
    point = torch.zeros(1, 3, side, side)
    point[:, :, side // 2, side // 2] = 1
    assert int((smooth(point)[0, 0] > 0).any(0).sum()) == width


def test_surrogates_of_other_classes_are_refused() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5)).eval()
    images = torch.rand(2, 3, 32, 32)
    labels = net(images).argmax(1)
    with pytest.raises(UsageError, match="same images and classes"):
        transfer(EPS, ["tiny_std"]).run(net, images, labels, ["a", "b"])


def test_no_surrogate_is_no_attack() -> None:
    with pytest.raises(UsageError, match="needs the name of a surrogate"):
        transfer(EPS, [])


def test_a_surrogate_that_is_the_model_is_named(pictures: Shown) -> None:
    images, labels, ids = (part[:6] for part in pictures)
    renamed = nn.Sequential(load_model("tiny_std")).eval()
    others = transfer(EPS, ["tiny_at", "tiny_std_s1"]).run(renamed, images, labels, ids)
    assert len(others.notes) == 1
    itself = transfer(EPS, ["tiny_at", "tiny_std"]).run(renamed, images, labels, ids)
    assert itself.notes[1].startswith("surrogate tiny_std gives the model's own logits")
    assert len(itself.notes) == 2


class Drawing(nn.Module):
    """A network that sees its images through noise."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.net(x + 0.05 * torch.randn_like(x))
        return out


class BatchsMean(Drawing):
    """A network that sees how its images differ from their batch's mean."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.net(x - x.mean(0) + 0.5)
        return out


@pytest.mark.parametrize(("wrapper", "why"), [(Drawing, "is random"), (BatchsMean, "the other images of the batch")])
def test_a_model_that_is_no_function_of_a_picture_is_refused(pictures: Shown, wrapper: type[Drawing], why: str) -> None:
    images, labels, ids = (part[:6] for part in pictures)
    with pytest.raises(UsageError, match=why):
        transfer(EPS, ["tiny_std"]).run(wrapper(load_model("tiny_std_s1")).eval(), images, labels, ids)
