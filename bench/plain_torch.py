"""Torch as it is by default, whatever surrounds a call: what records say was computed."""

import contextlib
from collections.abc import Iterator

import torch

AUTOCAST = ("cpu", "cuda", "xpu", "mps")
"""Devices whose autocast may surround a call."""


@contextlib.contextmanager
def plain_torch() -> Iterator[None]:
    """Compute within in what records are said to be, float32 with gradients where they are asked for, whatever
    autocast, inference mode or default dtype surrounds the call."""
    dtype = torch.get_default_dtype()
    with contextlib.ExitStack() as entered:
        for kind in AUTOCAST:
            if torch.is_autocast_enabled(kind):
                entered.enter_context(torch.autocast(kind, enabled=False))
        entered.enter_context(torch.inference_mode(False))
        torch.set_default_dtype(torch.float32)
        entered.callback(torch.set_default_dtype, dtype)
        yield
