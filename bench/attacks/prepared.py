"""The network that is attacked: a fast copy equivalent to the model, or the model itself.

A copy is used only if its logits and its input gradients for two losses equal the model's, at the images, around them,
and (checked again by the evaluation) where attacks ended.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from bench.attacks import norms
from bench.attacks.checks import relative_change
from bench.attacks.folding import NotFoldedError, fold
from bench.attacks.losses import take
from bench.attacks.memory import as_it_came
from bench.attacks.network import Network, Precision, device_of, freeze
from bench.errors import first_line

LOGITS_RTOL = 1e-4
"""Largest difference of a logit between copy and model (`relative_change`)."""

COSINE, WORST_COSINE = 0.9999, 0.95
SIGNS, WORST_SIGNS = 0.995, 0.9
"""Minimum cosine between a copy's input gradients and the model's, and minimum share of equal signs where the
gradient is not small: at three points of four, and at the worst point. On the embedded networks rounding gave no
less than 0.999999 and 0.9999, except at a kink of a ReLU (0.9988 and 0.9945 at one of 208 points)."""

MOST = 0.75

SMALL = 0.01
"""Threshold relative to a gradient's root mean square; smaller values have no reliable sign."""

PROBE = 2
NOISE = 8 / 255
"""Number of images checked, each without and with noise of this size."""


@dataclass
class PreparedModel:
    """`model` replaces `original`; `because` is the reason why it is not a folded copy, empty if it is one."""

    original: nn.Module
    model: nn.Module
    channels_last: bool
    because: str

    @property
    def note(self) -> str:
        """Message of the run; empty for an equivalent copy."""
        return f"the model itself was attacked, not a folded copy: {self.because}" if self.because else ""

    def network(self, device: torch.device, precision: Precision = "fp32") -> Network:
        """The network that searches use."""
        return Network(self.model, device, precision, channels_last=self.channels_last)

    def differs(self, points: Tensor) -> str:
        """Return how the copy differs from the model at `points` [n, 3, h, w]; empty if it does not, or is the
        model."""
        if self.model is self.original:
            return ""
        device = device_of(self.original)
        try:
            return difference(Network(self.original, device), self.network(device), points.to(device))
        except torch.OutOfMemoryError:
            if len(points) == 1:
                raise
            return next(filter(None, map(self.differs, torch.split(points, 1))), "")

    def give_up(self, because: str) -> None:
        """Use the model itself from now on."""
        self.model, self.channels_last, self.because = self.original, False, because


def prepare(model: nn.Module, images: Tensor, branch: str = "") -> PreparedModel:
    """Return the fastest of a folded copy and two plain ones that equals the model at and around `images` [n, 3, h,
    w], or the model itself; through `branch` if given."""
    original = freeze(model, branch) if branch else model
    reasons: list[str] = []
    prepared = PreparedModel(original, original, False, "")
    points = probe_points(images[:PROBE])
    for make, channels_last in _candidates(original):
        try:
            candidate = make()
        except NotFoldedError as error:
            reasons.append(str(error))
            continue
        prepared.model, prepared.channels_last = candidate, channels_last
        why = prepared.differs(points)
        if not why:
            prepared.because = "; ".join(dict.fromkeys(reasons))
            return prepared
        reasons.append(why)
    prepared.give_up("; ".join(dict.fromkeys(reasons)))
    return prepared


def _candidates(model: nn.Module) -> Iterator[tuple[Callable[[], nn.Module], bool]]:
    def folded() -> nn.Module:
        fresh = as_it_came(model)  # what tracing leaves in a user's caches are stand-ins, no numbers
        if fresh is None:
            raise NotFoldedError("it cannot be copied")
        with fresh.in_place():
            return _channels_last(fold(fresh.model)).requires_grad_(False)

    yield folded, True
    yield lambda: _channels_last(_frozen(model)), True
    yield lambda: _frozen(model), False


def _channels_last(copy: nn.Module) -> nn.Module:
    """Return the same with filters in channels-last layout; `nn.Module.to` would refuse tensors of five dimensions."""
    for tensor in (*copy.parameters(), *copy.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return copy


def _frozen(model: nn.Module) -> nn.Module:
    try:
        return freeze(model)
    except Exception as error:  # a model may hold what cannot be copied: a lock, an open file
        raise NotFoldedError(f"it cannot be copied ({error})") from error


def probe_points(images: Tensor) -> Tensor:
    """Return [2 n, 3, h, w]: the images, and the images with noise."""
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0)).to(images)
    return torch.cat([images, (images + NOISE * (2 * noise - 1)).clamp(0, 1)])


def difference(model: Network, copy: Network, points: Tensor) -> str:
    """Return how `copy` differs from `model` at `points`: in logits without and with gradients, or in either
    gradient."""
    state = _state(model.model)
    expected = model.logits(points).logits
    if _state(model.model) != state:
        return "its own state changes as it runs"
    top = expected.topk(2, dim=1).indices
    try:
        found = copy.logits(points).logits
        if _apart(expected, found):
            return "its copy's logits differ"
        for loss in (_margin, _runner_up):
            objective = partial(loss, top)
            own, other = model.gradient(points, objective), copy.gradient(points, objective)
            if _apart(own.logits, other.logits) or _apart(expected, own.logits):
                return "its logits differ when gradients are computed"
            if own.gradient is None or other.gradient is None or not _agree(own.gradient, other.gradient):
                return "its copy's gradients differ"
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a copy in another layout may fail where the model does not
        return f"its copy does not run ({first_line(error)[:80]})"
    return ""


def _margin(top: Tensor, logits: Tensor) -> Tensor:
    """Return the lead of the likeliest class, which has a gradient even if the model is certain."""
    return take(logits, top[:, 0]) - take(logits, top[:, 1])


def _runner_up(top: Tensor, logits: Tensor) -> Tensor:
    """Return the log-probability of the second class, which depends on all classes."""
    return take(logits.log_softmax(1), top[:, 1])


def _apart(expected: Tensor, found: Tensor) -> bool:
    if expected.shape != found.shape:
        return True
    return relative_change(expected, found) > LOGITS_RTOL


def _agree(expected: Tensor, found: Tensor) -> bool:
    a, b = norms.flat(expected).double(), norms.flat(found).double()
    length, other = torch.linalg.vector_norm(a, dim=1), torch.linalg.vector_norm(b, dim=1)
    if ((length == 0) != (other == 0)).any():
        return False
    cosine = torch.where(length == 0, 1.0, (a * b).sum(1) / (length * other).clamp(min=1e-300))
    large = a.abs() > SMALL * (length / a.shape[1] ** 0.5)[:, None]
    signs = torch.where(length == 0, 1.0, ((a.sign() == b.sign()) & large).sum(1) / large.sum(1).clamp(min=1))
    mostly = ((cosine >= COSINE) & (signs >= SIGNS)).double().mean()
    return bool(mostly >= MOST and (cosine >= WORST_COSINE).all() and (signs >= WORST_SIGNS).all())


def _state(model: nn.Module) -> list[object]:
    """Return what a forward pass may change: tensors by version, and plain values."""
    return [
        (id(value), value._version) if isinstance(value, Tensor) else value
        for module in model.modules()
        for values in (vars(module), module._buffers, module._parameters)
        for value in values.values()
        if isinstance(value, Tensor | int | float | str)
    ]
