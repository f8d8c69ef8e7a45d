"""Check whether a model's output depends on earlier inputs."""

import torch
from torch import Tensor, nn

from bench.attacks.checks import REPEATABLE_RTOL, relative_change
from bench.attacks.forward import answer
from bench.attacks.network import copied
from bench.errors import UsageError

SIZES = (1 / 255, 8 / 255)
"""Size of the noise around an image at which a model that has seen the image is compared with one that has not."""


def as_it_came(model: nn.Module) -> nn.Module | None:
    """Return a copy of a model that has not been run yet, or None if the model cannot be copied."""
    try:
        return copied(model)
    except Exception:  # it refuses to be copied, or there is no memory for a second one
        return None


def around(images: Tensor) -> Tensor:
    """Return [2 n, 3, h, w]: images [n, 3, h, w] with noise of two sizes."""
    draw = torch.Generator().manual_seed(0)
    noise = (2 * torch.rand(images.shape, generator=draw) - 1).to(images)
    return torch.cat([(images + size * noise).clamp(0, 1) for size in SIZES])


def check_no_memory(fresh: nn.Module | None, model: nn.Module, points: Tensor) -> None:
    """Refuse a `model` whose outputs at `points` [n, 3, h, w], near images that it was run on, change from one pass to
    the next, or differ from those of a `fresh` copy.

    Such a model uses what it remembers of the clean image under attack, or is random away from clean images. A second
    pass over the clean image would not reveal it.
    """
    first, again = (_numbers(answer(model, points.clone())) for _ in range(2))
    change = relative_change(first, again)
    if change > REPEATABLE_RTOL:
        raise UsageError(
            f"the model is random, or keeps state, near an image that it has seen: from one pass to the next a logit "
            f"changed by {change:.2g} of the largest: fix its randomness and keep no state between calls"
        )
    change = 0.0 if fresh is None else relative_change(_numbers(answer(fresh, points.clone())), again)
    if change > REPEATABLE_RTOL:
        raise UsageError(
            f"the model remembers earlier inputs: once it has seen an image, its output for one nearby changes by "
            f"{change:.2g} of the largest logit; its output depends on more than its input: keep no state between calls"
        )


def _numbers(logits: Tensor) -> Tensor:
    """Return [n, k] with zeros for values that are not finite, so that NaN equals NaN."""
    return logits.float().nan_to_num(0.0, 0.0, 0.0)
