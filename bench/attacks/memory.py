"""Whether a model remembers what it was shown, so that its answer to an image hangs on what came before."""

import torch
from torch import Tensor, nn

from bench.attacks.checks import REPEATABLE_RTOL, relative_change
from bench.attacks.forward import answer
from bench.attacks.network import copied
from bench.errors import UsageError

SIZES = (1 / 255, 8 / 255)
"""Of the noise around an image at which a model that has seen the image is held against one that has not."""


def as_it_came(model: nn.Module) -> nn.Module | None:
    """A copy of a model that was not yet shown anything; None of one that cannot be copied."""
    try:
        return copied(model)
    except Exception:  # it holds a lock or an open file, or there is no memory for a second one
        return None


def check_no_memory(fresh: nn.Module | None, model: nn.Module, images: Tensor) -> None:
    """Refuse a `model` that was shown `images` [n, 3, h, w] and whose answers around them are not those of a `fresh`
    copy that was not.

    Such a model answers an attack by what it remembers of the clean image, and a second look at the clean image
    shows nothing of it.
    """
    if fresh is None:
        return
    draw = torch.Generator().manual_seed(0)
    noise = (2 * torch.rand(images.shape, generator=draw) - 1).to(images)
    around = torch.cat([(images + size * noise).clamp(0, 1) for size in SIZES])
    first, second = (_numbers(answer(one, around.clone())) for one in (fresh, model))
    change = relative_change(first, second)
    if change > REPEATABLE_RTOL:
        raise UsageError(
            f"the model remembers what it was shown: once it has seen an image, its answer to one nearby moves by "
            f"{change:.2g} of the largest logit; it is not a function of its input alone: keep no state between calls"
        )


def _numbers(logits: Tensor) -> Tensor:
    """No answer is like no answer: zeros where [n, k] are not finite."""
    return logits.float().nan_to_num(0.0, 0.0, 0.0)
