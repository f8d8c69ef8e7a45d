"""The network as attacks use it: counts passes, checks gradients, and protects its input."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bench.attacks import norms
from bench.attacks.checks import WRITES, NoGradientsError
from bench.attacks.forward import answer, without_offset
from bench.attacks.search import ModelOutput
from bench.errors import UsageError
from model_zoo.nets.normalisation import select_branch

Objective = Callable[[Tensor], Tensor]


Precision = Literal["fp32", "tf32", "bf16", "fp16"]
"""Precision of the model during a search; fp32 is the model's own."""

CHECKPOINTED = "incompatible with .grad()"
"""Error of torch for a checkpoint with `use_reentrant=True` when only the input's gradient is requested."""

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Cost:
    """Cost of an attack, summed over images.

    forward, backward: images that went through the network in either direction (one forward or backward of one image is
    one pass); zero, nonfinite: gradients that were exactly zero, or not finite (these were set to zero).
    """

    forward: int = 0
    backward: int = 0
    zero: int = 0
    nonfinite: int = 0

    @property
    def passes(self) -> int:
        """Forward and backward passes together."""
        return self.forward + self.backward

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class Network:
    """Computes `model`'s logits and input gradients for a search, in a precision.

    The model's input has the usual layout, or channels last if that was found to give the same result.
    """

    def __init__(
        self, model: nn.Module, device: torch.device, precision: Precision = "fp32", *, channels_last: bool = False
    ) -> None:
        check_precision(precision, device)
        self.model, self.device, self.precision = model, device, precision
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.cost = Cost()
        self.checkpointed = False

    def logits(self, x: Tensor) -> ModelOutput:
        """Return the logits of x [b, 3, h, w]. Raises `UsageError` if the model writes into x."""
        self.cost.forward += len(x)
        shown = x.contiguous(memory_format=self.layout)
        version = shown._version
        with self._precision():
            logits = answer(self.model, shown).float()
        if shown._version != version:
            raise UsageError(WRITES)
        return ModelOutput(x, logits)

    def score(self, images: Tensor, batch_size: int) -> Tensor:
        """Return logits [n, k] on the CPU of images [n, 3, h, w] in host memory, `batch_size` at a time."""
        chunks = torch.split(images, batch_size)
        return torch.cat([self.logits(chunk.to(self.device)).logits.cpu() for chunk in chunks])

    def gradient(self, x: Tensor, objective: Objective) -> ModelOutput:
        """Return logits, their `objective` [b], and its gradient with respect to x [b, 3, h, w]."""
        self.cost.forward += len(x)
        self.cost.backward += len(x)
        try:
            logits, value, gradient = self._differentiated(x, objective)
        except RuntimeError as error:
            if self.checkpointed or CHECKPOINTED not in str(error):
                raise
            self.checkpointed = True
            logits, value, gradient = self._differentiated(x, objective)
        return ModelOutput(x, logits, value, *self._healthy(gradient))

    def _differentiated(self, x: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, objective and gradient, from one pass."""
        leaf = x.detach().contiguous(memory_format=self.layout).requires_grad_()
        with torch.enable_grad():
            with self._precision():
                logits = self.model(leaf)
            logits = without_offset(logits).float()
            value = objective(logits)
            gradient = _by_backward(value, leaf, self.model) if self.checkpointed else _derivative(value, leaf)
        return logits.detach(), value.detach(), gradient

    def _healthy(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient [b, 3, h, w] with zeros for NaN and infinity, and bool [b]: it was zero or not finite."""
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        length = norms.flat(gradient).abs().sum(1)
        strange, still = ~length.isfinite(), length == 0
        nonfinite, zero = torch.stack([strange.sum(), still.sum()]).tolist()  # one wait for both
        self.cost.nonfinite += nonfinite
        self.cost.zero += zero
        healthy = gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0) if nonfinite else gradient
        return healthy, strange | still

    @contextmanager
    def _precision(self) -> Iterator[None]:
        if self.precision == "fp32":
            yield  # and a model that chooses its own precision keeps it
        elif self.precision == "tf32":
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=True), _tf32_products():
                yield
        else:
            with torch.autocast(self.device.type, _AUTOCAST[self.precision]):
                yield


@contextmanager
def _tf32_products() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raise `UsageError` for a precision that the device does not have."""
    if precision == "tf32" and device.type != "cuda":
        raise UsageError(f"precision tf32 needs a CUDA device, found {device}: use bf16, or leave it out")


def _derivative(value: Tensor, leaf: Tensor) -> Tensor:
    """Return d value / d leaf; zero if the model's operations cut the graph."""
    if not value.requires_grad:
        return torch.zeros_like(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), [leaf], allow_unused=True)
    return torch.zeros_like(leaf) if gradient is None else gradient


def input_gradient(model: nn.Module, x: Tensor, objective: Objective) -> Tensor:
    """Return the gradient of the sum of `objective` of the model's logits with respect to x, in the dtype of x."""
    return value_and_gradient(model, x, lambda _leaf, logits: objective(logits))[1]


def value_and_gradient(
    model: nn.Module, x: Tensor, objective: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return `objective` [b] of x and the model's logits, and the gradient of its sum with respect to x."""
    leaf = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        try:
            value = objective(leaf, model(leaf))
            return value.detach(), _derivative(value, leaf)
        except RuntimeError as error:
            if CHECKPOINTED not in str(error):
                raise
        value = objective(leaf, model(leaf))
        return value.detach(), _by_backward(value, leaf, model)


def check_differentiable(model: nn.Module, x: Tensor) -> None:
    """Raise `NoGradientsError` for a model with logits that autograd does not follow back to x [n, 3, h, w]."""
    with torch.enable_grad():
        logits = model(x.detach().clone().requires_grad_())
    if not logits.requires_grad:
        raise NoGradientsError(
            "the model cannot be differentiated by its input (its forward pass cuts the graph: no_grad, detach, NumPy, "
            "or operations on whole numbers): give the operation a gradient, a straight-through estimate, say"
        )


def _by_backward(value: Tensor, leaf: Tensor, model: nn.Module) -> Tensor:
    """Compute the same with `backward`, and remove the gradients that it leaves on the weights."""
    if not value.requires_grad:
        return torch.zeros_like(leaf)
    kept = [(weight, weight.grad) for weight in model.parameters()]
    for weight, _ in kept:
        weight.grad = None
    value.sum().backward()  # type: ignore[no-untyped-call]
    for weight, gradient in kept:
        weight.grad = gradient
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def freeze(model: nn.Module, branch: str = "") -> nn.Module:
    """Return a copy of `model` in which no weight requires a gradient, and every batch norm uses `branch`."""
    frozen = copied(model).requires_grad_(False)
    if branch:
        select_branch(frozen, branch)
    return frozen


def frozen_if_copied(model: nn.Module, branch: str = "") -> nn.Module:
    """Return `freeze`, or the model itself if it cannot be copied (it holds a lock or an open file) and no `branch`
    is requested."""
    try:
        return freeze(model, branch)
    except Exception:
        if branch:
            raise
        return model


def copied(model: nn.Module) -> nn.Module:
    """Return a deep copy, including tensors that a forward pass stored (the weight of `weight_norm`). Locks, open files
    and the like, which cannot be copied, are shared."""
    return copied_with(model, [])[0]


def copied_with(model: nn.Module, values: list[Any]) -> tuple[nn.Module, list[Any]]:
    """Return `copied`, and copies of `values` that refer to the copy where they refer to the model."""
    left = [t for m in model.modules() for t in vars(m).values() if isinstance(t, Tensor) and not t.is_leaf]
    known: dict[int, Any] = {id(t): t.detach().clone() for t in left}
    both = (model, values)
    try:
        return copy.deepcopy(both, dict(known))
    except torch.OutOfMemoryError:
        raise
    except Exception:
        return copy.deepcopy(both, {id(part): part for part in _indivisible(both, set())} | known)


def _indivisible(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the parts of `value` that cannot be copied and have no parts of their own."""
    if id(value) in seen:
        return
    seen.add(id(value))
    with suppress(Exception):
        copy.deepcopy(value)
        return
    parts = [*value, *value.values()] if isinstance(value, Mapping) else getattr(value, "__dict__", {}).values()
    parts = value if isinstance(value, list | tuple | set | frozenset) else parts
    for part in (found := list(parts)):
        yield from _indivisible(part, seen)
    if not found and not isinstance(value, Tensor):
        yield value


def device_of(model: nn.Module) -> torch.device:
    """Return the model's device."""
    return next((t.device for t in [*model.parameters(), *model.buffers()]), torch.device("cpu"))
