"""The clean pass of an attack: the model's logits on clean images, after checking that it is a function of each
image alone."""

import torch
from torch import Tensor

from bench.attacks.checks import (
    NoGradientsError,
    check_independent,
    check_logits,
    check_repeatable,
    check_same_gradients,
    check_same_with_gradients,
    check_writes,
)
from bench.attacks.memory import FreshModel, check_forgets
from bench.attacks.network import Network
from bench.attacks.prepared import PROBE
from bench.attacks.request import Request
from bench.errors import UsageError, first_line


def clean_logits(request: Request, judge: Network, fresh: FreshModel | None, *, gradients: bool = True) -> Tensor:
    """Return logits [n, k] of the request's images by `judge`, the original model; `fresh` is `as_it_came` of it, and
    `gradients` tells whether the attack uses them.

    Raises `UsageError` for a model that would make verdicts meaningless: its output is random, depends on the batch, on
    earlier inputs or on whether gradients are computed, or it writes into its input.
    """
    images, size = request.images, request.batch_size
    shown = images.clone()  # the caller's own stay what they are, whatever the model writes
    logits = judge.score(shown, size)
    check_writes(images, shown)
    check_logits(logits, request.labels)
    _check_function(images, logits, judge, size)
    if gradients:
        check_same_with_gradients(logits[:PROBE], _with_gradients(images[:PROBE], judge))
    check_forgets(fresh, request.model, images[:PROBE].to(request.device))
    return logits


def _check_function(images: Tensor, logits: Tensor, judge: Network, size: int) -> None:
    """Refuse a model with an output that depends on random draws or on the other images of the batch."""
    first = images[: max(size, 2)]
    check_repeatable(logits[: len(first)], judge.score(first, size))
    company = first if len(first) > 2 else torch.cat([first, first.flip(3)])
    parted = max(min(size, len(company)) // 2 + 1, 2)  # never all of them in one batch again
    others = judge.score(company.flip(0), parted).flip(0)
    check_independent(logits[: len(first)], others[: len(first)])


def _with_gradients(images: Tensor, judge: Network) -> Tensor:
    """Return logits [n, k] of images in host memory, computed as in a search with gradients. Raises
    `NoGradientsError`, also for gradients that are random."""
    shown = torch.split(images.to(judge.device), 1)
    try:
        first, again = ([judge.gradient(one, _lead) for one in shown] for _ in range(2))
    except (UsageError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise NoGradientsError(
            f"the model cannot be differentiated by its input ({first_line(error)[:160]}): give the operation a "
            "gradient (a straight-through estimate, say), or use square or transfer, which need none"
        ) from error
    for one, other in zip(first, again, strict=True):
        check_same_gradients(one.gradient, other.gradient)
    return torch.cat([one.logits.cpu() for one in first])


def _lead(logits: Tensor) -> Tensor:
    """Return [n]: how far the leading class of logits [n, k] is ahead of the next."""
    return logits.topk(2).values.diff(dim=1).squeeze(1)
