"""Checks that refuse meaningless verdicts before they cost anything; every message says what to change."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.text import counted

GRADIENT_RTOL = 3e-2
"""Largest change of a logit when gradients are computed, since other kernels may then be used, also in half
precision."""

REPEATABLE_RTOL = 1e-4
"""Largest change of a logit between two passes over the same images, relative to the largest logit."""

BUDGET_RTOL, BUDGET_ATOL = 1e-5, 1e-6
"""Rounding error of a distance in float32: image + perturbation - image loses the last bits."""

WRITES = (
    "the model writes into its input, which could move images out of their budget: begin its forward pass with a "
    "copy (x = x.clone()), or avoid in-place operations"
)


GRADIENT_COSINE = 0.9
"""Smallest cosine between two input gradients of one image; sums in another order change far less."""


class NoGradientsError(UsageError):
    """The model cannot be differentiated by its input, or its gradients are random."""


PROBABILITY_ATOL = 1e-5
"""Tolerance, for each class, for the sum of an image's logits in [0, 1] to be 1, so that they are probabilities."""

PART, MANY = 0.5, 10
"""Sum from which `MANY` of them or more are those of some of the classes (a softmax without its background)."""


def check_call(model: nn.Module, images: Tensor, labels: Tensor, ids: Sequence[str]) -> None:
    """Refuse, without a forward pass, what `Attack.run` cannot judge. Raises `UsageError`."""
    check_eval(model)
    check_images(images)
    if labels.dtype != torch.int64 or labels.shape != (len(images),):
        raise UsageError(f"labels must be int64 [{len(images)}], found {spell(labels)}: pass one class index per image")
    if len(ids) != len(images) or len(set(ids)) != len(ids):
        raise UsageError(
            f"ids must be {len(images)} different names, found {len(ids)} with {len(set(ids))} different ones: "
            "random draws are keyed by id, so ids must be unique"
        )


def in_training(model: nn.Module) -> list[str]:
    """Return the names of the modules in training mode; a frozen graph has no mode."""
    return [name or "the model itself" for name, m in model.named_modules() if getattr(m, "training", False)]


def check_eval(model: nn.Module) -> None:
    """Refuse a model with any module in training mode: batch statistics or dropout would affect its output."""
    training = in_training(model)
    if training:
        raise UsageError(
            f"the model must be in eval mode, found {counted(len(training), 'module')} in training mode "
            f"({', '.join(training[:3])}): call model.eval()"
        )


def check_images(images: Tensor) -> None:
    """Refuse images that are not float32 [n, 3, h, w] in [0, 1]: budgets have no meaning for others."""
    if images.dtype != torch.float32 or images.ndim != 4 or images.shape[1] != 3:
        last = images.ndim == 4 and images.shape[1] != 3 and images.shape[3] == 3
        turned = "; channels are last: permute(0, 3, 1, 2) them" if last else ""
        found = f"images must be float32 [n, 3, h, w], found {spell(images)}: divide uint8 images by 255"
        raise UsageError(found + turned)
    if not len(images):
        return
    low, high = images.aminmax()
    if not (low >= 0 and high <= 1):
        raise UsageError(
            f"images must lie in [0, 1], found {low:.9g} to {high:.9g}: pass images in [0, 1] and put the "
            "normalisation inside the model"
        )


def check_logits(logits: Tensor, labels: Tensor) -> None:
    """Refuse a model by its `logits` on clean images with `labels` int64 [n]: wrong shape, NaN or infinity,
    probabilities."""
    if logits.ndim != 2 or len(logits) != len(labels):
        raise UsageError(f"the model must return logits [{len(labels)}, classes], found {spell(logits)}")
    check_width(logits)
    strange = int((~logits.isfinite().all(1)).sum())
    if strange:
        raise UsageError(
            f"the model's logits are NaN or infinite on {strange} of {len(logits)} clean images: "
            "their argmax is meaningless; repair the model or its weights"
        )
    check_labels(labels, logits.shape[1])
    if looks_like_probabilities(logits):
        raise UsageError(
            "the model returns probabilities where attacks need logits (each row lies in [0, 1] and "
            "sums to 1, or a little less), which masks its gradients: drop the softmax at its end"
        )


def check_width(logits: Tensor) -> None:
    """Refuse logits [n, 1], by which every image is of class 0."""
    if logits.shape[1] == 1:
        raise UsageError(
            "the model returns one logit an image: return one for each class, torch.cat([torch.zeros_like(z), z], 1) "
            "for a sigmoid's z"
        )


def check_labels(labels: Tensor, classes: int) -> None:
    """Refuse labels outside 0 .. classes - 1."""
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        raise UsageError(
            f"labels must lie in 0..{classes - 1}, found {int(labels.min())}..{int(labels.max())}: "
            "the data set's label space is not the model's"
        )


def looks_like_probabilities(logits: Tensor) -> bool:
    """Return whether every row of [n, k] is in [0, 1] and sums to 1, or, of some of the classes, to a little less."""
    inside = (logits >= -PROBABILITY_ATOL) & (logits <= 1 + PROBABILITY_ATOL)
    total = logits.sum(1)
    room = PROBABILITY_ATOL * logits.shape[1]
    least = PART if logits.shape[1] >= MANY else 1 - room
    return bool(inside.all() and ((total >= least) & (total <= 1 + room)).all())


def check_classes(attack: str, needed: int, classes: int) -> None:
    """Refuse an attack with more targets than the model has classes."""
    if classes < needed:
        raise UsageError(
            f"{attack} needs a model with at least {needed} classes, found {classes}: "
            "use apgd-ce, square or an untargeted pgd"
        )


def check_repeatable(first: Tensor, second: Tensor) -> None:
    """Refuse a random forward pass, from the logits [n, k] of the same batch passed twice."""
    change = relative_change(first, second)
    if change > REPEATABLE_RTOL:
        raise UsageError(
            f"the forward pass is random: the same images changed a logit by {change:.2g} of the largest; "
            "a verdict must not depend on one random draw: fix the model's randomness, or average it inside the model"
        )


def check_independent(alone: Tensor, otherwise: Tensor) -> None:
    """Refuse an output that depends on the batch, from the logits [n, k] of images in two compositions of batches."""
    change = relative_change(alone, otherwise)
    if change > REPEATABLE_RTOL:
        raise UsageError(
            f"the model's output for an image depends on the other images of the batch, or on earlier inputs: a "
            f"logit changed by {change:.2g} of the largest; use running statistics (model.eval()) and keep no state "
            "between calls"
        )


def check_same_with_gradients(without: Tensor, found: Tensor) -> None:
    """Refuse a model with other logits when gradients are computed, from its logits [n, k] in both cases: the attack
    would follow another function than the one that is judged."""
    change = relative_change(without, found)
    if change > GRADIENT_RTOL:
        raise UsageError(
            f"the model's output differs when gradients are computed: a logit changed by {change:.2g} of the largest; "
            "an attack would follow another function than the one that is judged: do not use "
            "torch.is_grad_enabled() or requires_grad in the forward pass"
        )


def check_same_gradients(first: Tensor | None, second: Tensor | None) -> None:
    """Refuse random gradients, from two of one image. Raises `NoGradientsError`."""
    if first is None or second is None or torch.equal(first, second):
        return
    cosine = float(
        torch.nn.functional.cosine_similarity(first.flatten().double(), second.flatten().double(), dim=0, eps=1e-300)
    )
    if cosine < GRADIENT_COSINE:
        raise NoGradientsError(
            f"the model's input gradients are random: two of the same image have a cosine of {cosine:.2g}; an attack "
            "would follow noise: make its backward pass repeatable, or use square or transfer, which need no gradients"
        )


def check_unchanged(before: Tensor, after: Tensor) -> None:
    """Refuse a model that changed during the attack, from its logits [n, k] on clean images before and after."""
    change = relative_change(before, after)
    if change > REPEATABLE_RTOL:
        raise UsageError(
            f"the model changed during the attack: a logit of a clean image changed by {change:.2g} of the largest; "
            "its output depends on more than its input: keep no state between calls"
        )


def check_writes(before: Tensor, after: Tensor) -> None:
    """Refuse a model that wrote into its input [n, 3, h, w]."""
    if not torch.equal(before, after):
        raise UsageError(WRITES)


def check_within(adversarial: Tensor, distance: Tensor, norm: str, eps: float) -> None:
    """Refuse adversarial images [n, 3, h, w] outside [0, 1], or at a `distance` [n] beyond eps."""
    if not len(adversarial):
        return
    low, high = (float(value) for value in adversarial.aminmax())
    farthest = float(distance.max())
    if not (low >= 0 and high <= 1 and farthest <= eps * (1 + BUDGET_RTOL) + BUDGET_ATOL):
        raise UsageError(
            f"the attack left its budget: images in [{low:g}, {high:g}] at a distance of up to {farthest:g} "
            f"({norm}), expected [0, 1] and at most {eps:g}: does the model write into its input, or keep it?"
        )


LEADING = 2
"""Number of largest logits in each row that set the scale of a change: those of a class that is masked with -1e9 would
hide any."""


def relative_change(first: Tensor, second: Tensor) -> float:
    """Return the largest difference between logits [n, k], relative to the largest absolute value of the leading logits
    of all rows, or to the logit itself if that is larger."""
    if not first.numel():
        return 0.0
    own, other = (logits if logits.dtype == torch.float64 else logits.float() for logits in (first, second))
    scale = own.topk(min(LEADING, own.shape[-1]), dim=-1).values.abs().max().clamp(min=1e-12)
    change = float(((own - other).abs() / own.abs().clamp(min=scale)).max())
    return change if change == change else float("inf")  # NaN where an answer is


def spell(tensor: Tensor) -> str:
    """Return dtype and shape in words."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
