"""Requirements of every suite on a model, checked on its first images before anything is measured.

The model must return finite logits [n, classes] that are repeatable and do not depend on the rest of the batch. A model
that fails is refused with what to change; the results of one that passes are stored in the run's record.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.attacks.checks import REPEATABLE_RTOL, check_width, in_training, looks_like_probabilities, relative_change
from bench.attacks.forward import answer
from bench.attacks.memory import as_it_came, check_forgets
from bench.datasets.labels import BACKGROUND, WITH_BACKGROUND
from bench.engine.batches import read_sample
from bench.engine.session import Session, Subject
from bench.errors import UsageError, first_line
from bench.store import Store
from bench.suites.base import Setup
from bench.text import counted
from model_zoo.errors import OutputError
from model_zoo.identity.model import probe_images

PICTURES = 4
"""Number of images in the check; each alone, with others, and with different others."""

LOOKS = 2
"""Maximum number of attempts before a model is refused: a device error may be temporary."""

HALF_RTOL = 3e-2
"""Tolerance of a logit, relative to the largest, for half-precision models when only the batch size differs, since
kernels depend on it. For batches of equal size `REPEATABLE_RTOL` always holds."""


@dataclass(frozen=True)
class Contract:
    """Result of the check: changes relative to the largest logit, `alone` against a batch, `beside` other images."""

    pictures: int
    classes: int
    dtype: str
    again: float
    beside: float
    alone: float
    constant: bool
    """Whether all images got the same output, as from a network without weights."""
    bounded: bool
    """Whether all outputs lie in [0, 1]."""
    new_statistics: int = 0
    """Number of batch norms with trained scales and the statistics of a new layer."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What readers of its numbers should know."""
        constant = f"its output is the same for {self.pictures} images: a network without weights?"
        bounded = (
            "all outputs lie in [0, 1]: of a sigmoid, or similarities? They are taken for logits, so that confidence, "
            "calibration and attacks on the cross-entropy are those of their softmax"
        )
        new = (
            f"{counted(self.new_statistics, 'batch norm')} with trained scales and the statistics of a new layer (mean "
            "0, variance 1): were its buffers averaged or loaded? (torch.optim.swa_utils.update_bn computes them)"
        )
        found = ((constant, self.constant), (bounded, self.bounded), (new, self.new_statistics))
        return tuple(text for text, holds in found if holds)


def check_model(model: nn.Module, images: Tensor, classes: int, *, randomised: bool = False) -> Contract:
    """Check `model` on `images` float32 [n, 3, h, w] in [0, 1].

    Raises `UsageError` with what to change. A model attacked as `randomised` need not be repeatable.
    """
    _refuse_training(model)
    kept = images.clone()
    fresh = None if randomised else as_it_came(model)
    first = _logits(model, images, classes)
    if not torch.equal(images, kept):
        raise UsageError(
            "writes into its input: begin its forward pass with x = x.clone(), or avoid in-place operations"
        )
    again = relative_change(first, _logits(model, kept, classes))
    if again > REPEATABLE_RTOL and not randomised:
        raise UsageError(
            f"its output for the same images differs on a second pass (a logit changed by {again:.2g} of the largest): "
            "dropout left on (F.dropout without training=self.training), noise, or state kept between calls"
        )
    beside, alone = _neighbours(model, kept, first, classes)
    dtypes = {p.dtype for p in (*model.parameters(), *model.buffers()) if p.is_floating_point()}
    half = bool(dtypes & {torch.float16, torch.bfloat16}) or first.dtype in (torch.float16, torch.bfloat16)
    if not randomised and (beside > REPEATABLE_RTOL or alone > (HALF_RTOL if half else REPEATABLE_RTOL)):
        raise UsageError(
            "its output for an image depends on the other images of the batch, or on its place among them (a logit "
            f"changed by {max(beside, alone):.2g} of the largest): batch norm without running statistics "
            "(track_running_stats=False), normalisation over the batch, int8 scales taken from it, or noise from a "
            "seed set in the forward pass; a number would depend on the batch size"
        )
    if not randomised:
        check_forgets(fresh, model, kept[:1])
    dtype = str(first.dtype).removeprefix("torch.")
    constant = len(first) > 1 and relative_change(first[:1].expand_as(first), first) == 0
    bounded = bool(((first >= 0) & (first <= 1)).all())
    new = sum(map(_has_new_statistics, model.modules()))
    return Contract(len(images), first.shape[1], dtype, again, beside, alone, constant, bounded, new)


def _has_new_statistics(module: nn.Module) -> bool:
    mean, variance, scale = (getattr(module, name, None) for name in ("running_mean", "running_var", "weight"))
    if not (isinstance(mean, Tensor) and isinstance(variance, Tensor) and isinstance(scale, Tensor)):
        return False
    return bool((mean == 0).all() and (variance == 1).all() and (scale != 1).any())


def _neighbours(model: nn.Module, images: Tensor, first: Tensor, classes: int) -> tuple[float, float]:
    """Return how far the first image's logits change with its neighbours (negatives instead of images), and the last
    one's alone, where it also has another place."""
    others = torch.cat([images[:1], 1 - images[1:]])
    beside = relative_change(first[:1], _logits(model, others, classes)[:1]) if len(images) > 1 else 0.0
    return beside, relative_change(first[-1:], _logits(model, images[-1:], classes))


def _refuse_training(model: nn.Module) -> None:
    if training := in_training(model):
        modules = counted(len(training), "module")
        raise UsageError(f"has {modules} in training mode ({', '.join(training[:3])}): call model.eval()")


def _logits(model: nn.Module, images: Tensor, classes: int) -> Tensor:
    """Return finite logits [n, classes] of `images`, or raise `UsageError` that describes the output."""
    try:
        found = answer(model, images)
    except torch.OutOfMemoryError:
        raise
    except OutputError as error:
        raise UsageError(str(error)) from None
    except (Exception, SystemExit) as error:
        raise UsageError(_failure(model, images, error)) from error
    n = len(images)
    if not found.is_floating_point():
        raise UsageError(f"returns {_spell(found)}: logits are floating point; return them before argmax or rounding")
    if found.ndim != 2 or len(found) != n:
        raise UsageError(f"returns {_spell(found)} for {n} images: expected [{n}, {classes}]; return logits.flatten(1)")
    if found.shape[1] == WITH_BACKGROUND and classes == 1000:
        raise UsageError(f"returns {WITH_BACKGROUND} logits, {classes} declared: {BACKGROUND}")
    if found.shape[1] != classes:
        raise UsageError(
            f"returns {found.shape[1]} logits, {classes} declared: name the classes that it has (file:...?classes="
            f"{found.shape[1]}, or `classes` of its card) or give the network the right head"
        )
    check_width(found)
    strange = int((~found.isfinite().all(1)).sum())
    if strange:
        raise UsageError(f"returns NaN or infinite logits on {strange} of {n} images: repair the model or its weights")
    if looks_like_probabilities(found):
        raise UsageError(
            "returns probabilities (each row lies in [0, 1] and sums to 1, or a little less): confidence would be "
            "their softmax; drop the softmax at the model's end, or return its logarithm, p.clamp(min=1e-30).log()"
        )
    return found


def _failure(model: nn.Module, images: Tensor, error: BaseException) -> str:
    """Return the cause of a failed forward pass, if it is known."""
    odd = sorted({str(p.dtype).removeprefix("torch.") for p in model.parameters() if p.dtype != torch.float32})
    reason = f"{type(error).__name__}: {first_line(error) if str(error).strip() else ''}"
    if odd:
        return f"has weights of {', '.join(odd)} and fails on float32 images: call model.float() ({reason})"
    if len(images) > 1:
        try:
            answer(model, images[:1])
        except (Exception, SystemExit):
            return f"fails on images {list(images.shape)}: {reason}"
        return f"answers one image and fails on {len(images)}: export it with a batch size that may vary ({reason})"
    return f"fails on images {list(images.shape)}: {reason}"


def _spell(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def check_subjects(
    session: Session, subjects: Sequence[Subject], setups: Mapping[int, Setup], randomised: Collection[int] = ()
) -> tuple[dict[int, Contract], dict[int, str]]:
    """Check models, by index, on the first images of their conditions; return the results, or why they are refused.
    `randomised` models are used only by attacks for randomised models."""
    seen: dict[int, Contract] = {}
    refused: dict[int, str] = {}
    for index, setup in setups.items():
        model = subjects[index].model.to(session.device)
        images = _pictures(session, subjects[index], setup)
        for _ in range(LOOKS):
            try:
                seen[index] = check_model(model, images, model.card.classes, randomised=index in randomised)
                refused.pop(index, None)
                break
            except UsageError as error:
                refused[index] = f"{model.name}: {error}"
    return seen, refused


def _pictures(session: Session, subject: Subject, setup: Setup) -> Tensor:
    """Return the first images of the condition as the model sees them, or synthetic ones if none can be read."""
    dataset, first = session.dataset_of(setup), list(range(PICTURES))
    batch = read_sample(session, dataset, setup, first[: len(dataset)], subject.spec)
    shown = batch.images(subject.spec) if batch.readable else probe_images(subject.spec.size)
    shown = shown if len(shown) > 1 else torch.cat([shown, 1 - shown])
    return shown.to(session.device)


def put_contracts(store: Store, run_id: str, subjects: Sequence[Subject], seen: dict[int, Contract]) -> None:
    """Write the results of each model's check beside `run.json`, by fingerprint."""
    found: dict[str, Any] = {
        subjects[i].fingerprint: {"model": subjects[i].model.name, **asdict(c)} for i, c in seen.items()
    }
    name = f"runs/{run_id}/contracts.json"
    if found and "contracts.json" not in store.names(f"runs/{run_id}"):
        store.put(name, json.dumps(found, indent=1, sort_keys=True).encode())
