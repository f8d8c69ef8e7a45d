"""The verdict on a robust accuracy: a linear model hides nothing; each way of hiding is found by its own criterion."""

from collections.abc import Iterator
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.attacks import masking
from bench.attacks.autoattack import square
from bench.attacks.reliability import CRITERIA, Criterion, Reliability, assess
from bench.errors import UsageError
from tests.conftest import ShortChecks

EPS = Fraction(16, 255)
IDS = [f"image{i}" for i in range(12)]


@pytest.fixture(autouse=True)
def short_attacks(short_checks: ShortChecks) -> Iterator[None]:
    with short_checks(queries=600):
        yield


@pytest.fixture(scope="module")
def linear() -> nn.Module:
    """Of an image less its mean grey, so that the classes vary."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 10))
    with torch.no_grad():
        net[1].weight.mul_(4)
        net[1].bias.copy_(-net[1].weight.sum(1) / 2)
    return net.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(12, 3, 6, 6, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1


@pytest.fixture(scope="module")
def labels(linear: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return linear(images).argmax(1)


class Wrapped(nn.Module):
    """`inner`, with something done to its input or output."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner


class Numpy(Wrapped):
    """Cannot be differentiated."""

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(torch.from_numpy((x.numpy() * 31).round() / 31))


class Checkpointed(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = checkpoint(self.inner, x, use_reentrant=True) if x.requires_grad else self.inner(x)
        return out


class Quantised(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner((x * 31).round() / 31)


class Scaled(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) * 1e6


class Noisy(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x + 0.01 * torch.randn_like(x))


class Misled(Wrapped):
    """Right logits, and a gradient that points the wrong way: attacks walk away from the boundary."""

    def forward(self, x: Tensor) -> Tensor:
        logits = self.inner(x)
        return 2 * logits.detach() - logits


def of(verdict: Reliability, name: str) -> float:
    return next(finding.value for finding in verdict.findings if finding.name == name)


def test_a_linear_model_is_reliable(linear: nn.Module, images: Tensor, labels: Tensor) -> None:
    verdict = assess(linear, images, labels, IDS, "linf", EPS)
    assert verdict.level == "reliable"
    assert [finding.name for finding in verdict.findings] == [c.name for c in CRITERIA if c.name != "transfer"]
    assert verdict.skipped == {"transfer": "no other model was given"}
    assert str(verdict) == "reliable: 10 checks on 12 images found no problem"


def test_quantised_input_is_unreliable(linear: nn.Module, images: Tensor, labels: Tensor) -> None:
    model = Quantised(linear).eval()
    labels = model(images).argmax(1)
    verdict = assess(model, images, labels, IDS, "linf", EPS, surrogate=linear)
    assert verdict.level == "unreliable"
    assert of(verdict, "blind_gradients") == of(verdict, "unbounded_survivors") == 1
    assert of(verdict, "transfer") > 0
    assert str(verdict).startswith("unreliable, because 100.0% of the gradients are zero or not finite; ")


def test_a_model_without_gradients_is_unreliable(linear: nn.Module, images: Tensor, labels: Tensor) -> None:
    verdict = assess(Numpy(linear).eval(), images, labels, IDS, "linf", EPS, attack=square("linf", EPS, 20))
    assert verdict.level == "unreliable"
    assert of(verdict, "blind_gradients") == 1
    assert "cannot be differentiated" in verdict.skipped["flat_loss"]
    assert verdict.overstatement is not None


def test_a_checkpoint_of_the_older_kind_is_as_reliable_as_its_network(
    linear: nn.Module, images: Tensor, labels: Tensor
) -> None:
    model = Checkpointed(linear).eval()
    assert of(assess(model, images[:4], labels[:4], IDS[:4], "linf", EPS), "float64_disagreement") == 0


def test_scaled_logits_are_unreliable(linear: nn.Module, images: Tensor, labels: Tensor) -> None:
    verdict = assess(Scaled(linear).eval(), images, labels, IDS, "linf", EPS)
    assert verdict.level == "unreliable"
    assert of(verdict, "blind_gradients") > 0.5
    assert of(verdict, "flat_loss") > 0.5
    assert of(verdict, "adaptive_steps") > 0


def test_gradients_that_point_the_wrong_way_are_found_by_square_and_by_transfer(
    linear: nn.Module, images: Tensor, labels: Tensor
) -> None:
    verdict = assess(Misled(linear).eval(), images, labels, IDS, "linf", EPS / 2, surrogate=linear)
    assert verdict.level == "unreliable"
    assert of(verdict, "blind_gradients") == of(verdict, "float64_disagreement") == 0
    assert of(verdict, "flat_loss") > 0.5
    assert of(verdict, "gradient_free") > 0
    assert of(verdict, "transfer") > 0


def test_a_random_forward_pass_is_unreliable_without_any_attack(
    linear: nn.Module, images: Tensor, labels: Tensor
) -> None:
    verdict = assess(Noisy(linear).eval(), images, labels, IDS, "linf", EPS)
    assert verdict.level == "unreliable"
    assert [finding.name for finding in verdict.findings] == ["training_modules", "random_forward"]
    assert set(verdict.skipped.values()) == {"an attack on such a forward pass has no verdict"}


def test_batch_norm_in_training_mode_is_unreliable_and_left_untouched(images: Tensor) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 10)).eval()
    labels = model(images).argmax(1)
    model[1].train()
    before = model[1].running_mean.clone()
    verdict = assess(model, images, labels, IDS, "linf", EPS)
    assert verdict.level == "unreliable"
    assert of(verdict, "training_modules") == pytest.approx(1 / 5)
    assert model[1].running_mean.equal(before)


def test_wrong_images_take_no_part(linear: nn.Module, images: Tensor, labels: Tensor) -> None:
    mostly_wrong = (labels + torch.tensor([0, 0, 0, *[1] * 9])) % 10
    assert assess(linear, images, mostly_wrong, IDS, "linf", EPS).images == 3
    with pytest.raises(UsageError, match="wrong on all 12 images"):
        assess(linear, images, (labels + 1) % 10, IDS, "linf", EPS)


def test_l2_has_its_own_unbounded_budget(linear: nn.Module, images: Tensor, labels: Tensor) -> None:
    verdict = assess(linear, images, labels, IDS, "l2", Fraction(1, 10))
    assert of(verdict, "unbounded_survivors") == 0
    assert verdict.level == "reliable"


def test_a_number_at_eps_0_is_not_assessed(linear: nn.Module, images: Tensor, labels: Tensor) -> None:
    with pytest.raises(UsageError, match="at eps 0 the number is the clean accuracy"):
        assess(linear, images, labels, IDS, "linf", Fraction(0))


def test_limits_are_held_against_the_lower_end_of_the_interval() -> None:
    """Of 100 images the lower end is, by statsmodels, 0.093 for 15, 0.101 for 16, 0.193 for 27 and 0.201 for 28."""
    criterion = Criterion(masking.flat_loss, 0.1, 0.2, "")
    assert [criterion.level(count / 100, 100) for count in (10, 15, 16, 20, 21, 27, 28)] == [
        "reliable",
        "reliable",
        "doubtful",
        "doubtful",
        "doubtful",
        "doubtful",
        "unreliable",
    ]


def test_few_images_make_a_number_doubtful_where_their_share_is_beyond_the_second_limit() -> None:
    criterion = Criterion(masking.flat_loss, 0.1, 0.2, "")
    assert [criterion.level(1 / images, images) for images in (1, 3, 9)] == ["doubtful", "doubtful", "reliable"]
    assert criterion.level(2 / 2, 2) == "unreliable"


class Single(Wrapped):
    """Refuses to be copied."""

    def __deepcopy__(self, _memo: object) -> "Single":
        raise TypeError("there is one")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)
        return out


def test_a_model_that_cannot_be_copied_has_a_verdict(linear: nn.Module, images: Tensor, labels: Tensor) -> None:
    found = assess(Single(linear).eval(), images, labels, IDS, "linf", EPS)
    assert "cannot be copied" in found.skipped.pop("float64_disagreement")
    assert found.skipped.keys() == {"transfer"}
    assert found.level == assess(linear, images, labels, IDS, "linf", EPS).level
