"""timm, imported where a network first needs it: that takes seconds, and older releases warn of torch.jit's end."""

import warnings
from importlib import import_module
from typing import Any


def import_timm(module: str = "timm") -> Any:
    """timm, or a module of it, without the warnings that timm 1.0.9 (robustbench's pin) raises under a new torch."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit")
        return import_module(module)
