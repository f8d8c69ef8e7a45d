"""Bad input is refused, with the cure in the message, before an attack spends a pass on it."""

import pytest
import torch
from torch import Tensor, nn

from bench.attacks import checks
from bench.errors import UsageError

IMAGES = torch.linspace(0, 1, 2 * 3 * 4 * 4).view(2, 3, 4, 4)
LABELS = torch.tensor([0, 3])
IDS = ["a", "b"]
LOGITS = torch.tensor([[4.0, 1.0, 0.0, -2.0], [0.0, 1.0, 2.0, 5.0]])


def net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 4), nn.Dropout(0.5)).eval()


def test_good_input_passes() -> None:
    checks.check_call(net(), IMAGES, LABELS, IDS)
    checks.check_logits(LOGITS, LABELS)
    checks.check_classes("apgd-t", 4, 4)
    checks.check_repeatable(LOGITS, LOGITS * (1 + 1e-6))


def test_one_module_left_in_training_mode_is_named() -> None:
    model = net()
    model[2].train()
    with pytest.raises(UsageError, match=r"1 module in training mode \(2\): call model.eval\(\)"):
        checks.check_call(model, IMAGES, LABELS, IDS)


@pytest.mark.parametrize(
    ("images", "cure"),
    [
        (IMAGES * 2 - 1, "normalisation inside the model"),
        (IMAGES + 0.01, "normalisation inside the model"),
        (IMAGES.where(IMAGES > 0, torch.nan), "normalisation inside the model"),
        ((IMAGES * 255).byte(), "divide uint8 images by 255"),
        (IMAGES.permute(0, 2, 3, 1), "float32 [n, 3, h, w]"),
        (IMAGES.double(), "float32 [n, 3, h, w]"),
    ],
)
def test_images_outside_the_unit_cube_are_refused(images: Tensor, cure: str) -> None:
    with pytest.raises(UsageError) as error:
        checks.check_call(net(), images, LABELS, IDS)
    assert cure in str(error.value)


@pytest.mark.parametrize("labels", [LABELS.int(), LABELS[:1], LABELS.view(1, 2)])
def test_labels_of_another_shape_or_type_are_refused(labels: Tensor) -> None:
    with pytest.raises(UsageError, match="labels must be int64"):
        checks.check_call(net(), IMAGES, labels, IDS)


@pytest.mark.parametrize("ids", [["a"], ["a", "a"]])
def test_ids_that_would_share_randomness_are_refused(ids: list[str]) -> None:
    with pytest.raises(UsageError, match="different names"):
        checks.check_call(net(), IMAGES, LABELS, ids)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_logits_that_are_not_finite_are_refused(bad: float) -> None:
    logits = LOGITS.clone()
    logits[1, 2] = bad
    with pytest.raises(UsageError, match="NaN or infinite on 1 of 2"):
        checks.check_logits(logits, LABELS)


@pytest.mark.parametrize("label", [-1, 4])
def test_labels_outside_the_classes_are_refused(label: int) -> None:
    with pytest.raises(UsageError, match=r"labels must lie in 0\.\.3"):
        checks.check_logits(LOGITS, torch.tensor([0, label]))


def test_probabilities_are_refused_and_logits_that_look_a_little_alike_are_not() -> None:
    with pytest.raises(UsageError, match="drop the softmax"):
        checks.check_logits(LOGITS.softmax(1), LABELS)
    checks.check_logits(LOGITS.sigmoid(), LABELS)
    checks.check_logits(LOGITS.softmax(1) * 0.99, LABELS)


def test_too_few_classes_for_targets_are_refused() -> None:
    with pytest.raises(UsageError, match="apgd-t needs a model with at least 10 classes, found 4"):
        checks.check_classes("apgd-t", 10, 4)


def test_a_random_forward_pass_is_refused() -> None:
    with pytest.raises(UsageError, match="the forward pass is random"):
        checks.check_repeatable(LOGITS, LOGITS + torch.tensor([0.0, 0.0, 0.0, 0.01]))
