"""Restore what measuring changes: the user's modules, and torch's settings in their process."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from model_zoo.identity.model import hidden_modules


@contextlib.contextmanager
def untouched(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Restore the mode, gradient switches and device of `modules`, and torch's random state, threads and TF32
    settings: a network may be in the middle of its training."""
    found = [m for each in modules for top in (each, *hidden_modules(each)) for m in top.modules()]
    modes = [(module, module.training) for module in found if hasattr(module, "training")]  # frozen graphs have none
    switches = [(p, p.requires_grad) for module in found for p in module._parameters.values() if p is not None]
    # `Module.to` puts other buffers, and for some devices other parameters, in these tensors' place.
    plain = [module for module in found if not isinstance(module, torch.jit.ScriptModule)]
    held = [(module, dict(module._parameters), dict(module._buffers)) for module in plain]
    weights = [p for p, _ in switches]
    places = [(t, t.device) for t in (*weights, *(p.grad for p in weights if p.grad is not None))]
    cuda: Any = torch.cuda
    matmul, cudnn, threads = torch.backends.cuda.matmul, torch.backends.cudnn, torch.get_num_threads()
    tf32 = matmul.allow_tf32, cudnn.allow_tf32
    try:
        with torch.random.fork_rng(range(cuda.device_count()) if cuda.is_initialized() else []):
            yield
    finally:
        for tensor, place in places:
            if tensor.device != place:
                tensor.data = tensor.data.to(place)
        for module, parameters, buffers in held:
            module._parameters.update(parameters)
            module._buffers.update(buffers)
        for module, mode in modes:
            if module.training is not mode:
                module.training = mode
        for parameter, switch in switches:
            if parameter.requires_grad is not switch:
                parameter.requires_grad_(switch)
        matmul.allow_tf32, cudnn.allow_tf32 = tf32
        torch.set_num_threads(threads)
