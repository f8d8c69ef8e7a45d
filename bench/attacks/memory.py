"""Check whether a model's output depends on earlier inputs."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bench.attacks.checks import REPEATABLE_RTOL, relative_change
from bench.attacks.forward import answer
from bench.attacks.network import copied_with
from bench.attacks.outside import OutsideSlot, slots, without_cache
from bench.errors import UsageError

SIZES = (1 / 255, 8 / 255)
"""Size of the noise around an image at which a model that has seen the image is compared with one that has not."""

NOISE = 32 / 255
"""Size of the noise that makes an image which no model has seen."""

ENDS = 4
"""Number of images at which the model is compared again, after the attack, with the copy that was attacked and with one
that has seen no image."""

SameDraws = Callable[[], AbstractContextManager[None]]
"""Makes a block in which a random model draws the same numbers each time."""


@dataclass(frozen=True)
class FreshModel:
    """A copy of a model that has not been run, with copies of the values that its code keeps outside it."""

    model: nn.Module
    outside: Sequence[tuple[OutsideSlot, Any]] = ()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the copied values in their places within the block."""
        with ExitStack() as stack:
            for slot, value in self.outside:
                stack.callback(slot.put, slot.get())
                slot.put(value)
            yield

    def answer(self, points: Tensor) -> Tensor:
        """Return logits [n, k] of `points` [n, 3, h, w]."""
        with self.in_place():
            return answer(self.model, points)


def as_it_came(model: nn.Module) -> FreshModel | None:
    """Return a copy of a model that has not been run yet, or None if the model cannot be copied."""
    outside = [(slot, slot.get()) for slot in slots(model)]
    for kept in (outside, []):
        try:
            fresh, values = copied_with(model, [without_cache(value) for _, value in kept])
        except Exception:  # it refuses to be copied, or there is no memory for a second one
            continue
        parted = zip(kept, values, strict=True)
        return FreshModel(fresh, [(slot, value) for (slot, shared), value in parted if value is not shared])
    return None


def around(images: Tensor) -> Tensor:
    """Return [2 n, 3, h, w]: images [n, 3, h, w] with noise of two sizes."""
    draw = torch.Generator().manual_seed(0)
    noise = (2 * torch.rand(images.shape, generator=draw) - 1).to(images)
    return torch.cat([(images + size * noise).clamp(0, 1) for size in SIZES])


def check_forgets(
    fresh: FreshModel | None, model: nn.Module, images: Tensor, same_draws: SameDraws = nullcontext
) -> None:
    """Check `model` around images that it has seen once, made from `images` [n, 3, h, w] by shifts and noise drawn anew
    in each call: the images themselves may have been shown to it before `fresh` was copied from it."""
    shifts = [secrets.randbelow(side) for side in images.shape[2:]]
    draw = torch.Generator().manual_seed(secrets.randbits(63))
    noise = NOISE * (2 * torch.rand(images.shape, generator=draw) - 1)
    unseen = (images.flip(2).roll(shifts, (2, 3)) + noise.to(images)).clamp(0, 1)
    answer(model, unseen.clone())
    check_no_memory(fresh, model, around(unseen), same_draws)


def check_no_memory(
    fresh: FreshModel | None, model: nn.Module, points: Tensor, same_draws: SameDraws = nullcontext
) -> None:
    """Refuse a `model` whose outputs at `points` [n, 3, h, w], near images that it was run on, change from one pass to
    the next, or differ from those of a `fresh` copy.

    Such a model uses what it remembers of the clean image under attack, or is random away from clean images. A second
    pass over the clean image would not reveal it. Each pass runs within `same_draws`, which seeds a random model.
    """

    def pass_over(ask: Callable[[Tensor], Tensor]) -> Tensor:
        with same_draws():
            return _numbers(ask(points.clone()))

    first, again = (pass_over(partial(answer, model)) for _ in range(2))
    change = relative_change(first, again)
    if change > REPEATABLE_RTOL:
        raise UsageError(
            f"the model is random, or keeps state, near an image that it has seen: from one pass to the next a logit "
            f"changed by {change:.2g} of the largest: fix its randomness and keep no state between calls"
        )
    change = 0.0 if fresh is None else relative_change(pass_over(fresh.answer), again)
    if change > REPEATABLE_RTOL:
        raise UsageError(
            f"the model remembers earlier inputs: once it has seen an image, its output for one nearby changes by "
            f"{change:.2g} of the largest logit; its output depends on more than its input: keep no state between calls"
        )


def _numbers(logits: Tensor) -> Tensor:
    """Return [n, k] with zeros for values that are not finite, so that NaN equals NaN."""
    return logits.float().nan_to_num(0.0, 0.0, 0.0)
