"""Default torch settings around a computation, so that it matches the recorded protocol."""

import contextlib
from collections.abc import Iterator

import torch

AUTOCAST = ("cpu", "cuda", "xpu", "mps")
"""Devices whose autocast is switched off."""


@contextlib.contextmanager
def plain_torch() -> Iterator[None]:
    """Compute in float32 with gradients available, as recorded, whatever autocast, inference mode or default dtype
    surrounds the call."""
    dtype = torch.get_default_dtype()
    with contextlib.ExitStack() as entered:
        for kind in AUTOCAST:
            if torch.is_autocast_enabled(kind):
                entered.enter_context(torch.autocast(kind, enabled=False))
        entered.enter_context(torch.inference_mode(False))
        torch.set_default_dtype(torch.float32)
        entered.callback(torch.set_default_dtype, dtype)
        yield
