"""Identity of a model: an exact hash of everything that it computes from, and its outputs on a fixed probe.

The hash is equal on all machines. The outputs are not: AVX2, AVX-512 and GPUs sum in different orders, and rounding
does not help for values at a rounding boundary. So outputs are not hashed; they are stored with the records and
compared within a tolerance. They only separate models of equal hash with different outputs (a network in a C extension,
a file read in `forward`).
"""

import contextlib
import hashlib
import random
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model_zoo.identity.code import code_bytes
from model_zoo.identity.reach import Reach
from model_zoo.identity.record import Identity, alike

PROBES = 2
"""Number of images in the probe."""

CLASSES = 64
"""Number of stored logits per image, evenly spaced over the classes."""


def identify(net: nn.Module, answer: nn.Module, size: int, *, source: str = "") -> Identity:
    """Return the identity of `net`, called through `answer` with float32 [n, 3, size, size] in [0, 1], on its device.

    `source` is added to the hash: source code, normalisation. Values that a forward pass changes (a counter, the last
    features) are left out, except parameters and buffers.
    """
    first = _answers(answer, size)
    before = Reach(net)
    again = _answers(answer, size)
    after = Reach(net)
    kept = {path: value for path, value in after.leaves.items() if _outlived(path, before, after)}
    return Identity(_hash(kept, source), first if alike(first, again) else ())


def hidden_modules(net: nn.Module) -> list[nn.Module]:
    """Return the outermost networks that `net` uses without registering them: in lists, closures, globals."""
    known = set(net.modules())
    hidden = [module for module in Reach(net).modules if module not in known]
    within = {inner for module in hidden for inner in module.modules() if inner is not module}
    return [module for module in hidden if module not in within]


def probe_images(size: int) -> Tensor:
    """Return a smooth and a rough image [2, 3, size, size], computed in integers, equal on all machines."""
    y, x, c = np.ogrid[:size, :size, :3]
    smooth = (x * 256 // size + (c + 1) * (y * 128 // size)) % 256
    rough = (x * 73 + y * 151 + c * 59 + x * y * 7 + (x // 8) * (y // 8) * 31) % 256
    pictures = torch.from_numpy(np.stack([smooth, rough])).permute(0, 3, 1, 2)
    return pictures.float().div(255)


def _answers(net: nn.Module, size: int) -> tuple[float, ...]:
    """Return the logits of the probe; empty if the model fails, which its cells will report."""
    place = next((p.device for p in (*net.parameters(), *net.buffers())), torch.device("cpu"))
    try:
        with torch.no_grad(), _seeded(place):
            logits = net(probe_images(size).to(place))
        answers = logits.detach().double().cpu().reshape(PROBES, -1)
    except (Exception, SystemExit):
        return ()
    chosen = torch.linspace(0, answers.shape[1] - 1, min(CLASSES, answers.shape[1])).round().long()
    values = answers[:, chosen].flatten().tolist()
    return tuple(float(f"{v:.6g}") for v in values) if np.isfinite(values).all() else ()


@contextlib.contextmanager
def _seeded(place: torch.device) -> Iterator[None]:
    """Seed all global random generators within the block and restore them afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = [place] if place.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _outlived(path: str, before: Reach, after: Reach) -> bool:
    """Return whether a forward pass left a leaf unchanged: the same tensor, not written to."""
    if path in after.registered:
        return True
    was, is_ = before.leaves.get(path), after.leaves[path]
    if isinstance(is_, (Tensor, np.ndarray)):
        return was is is_ and before.versions.get(path) == after.versions.get(path)
    return was is is_ or (type(was) is type(is_) and bool(was == is_))


def _hash(leaves: dict[str, Any], source: str) -> str:
    digest = hashlib.sha256(source.encode())
    for path in sorted(leaves):
        digest.update(f"\n{path} ".encode("utf-8", "surrogatepass"))
        digest.update(_bytes(leaves[path]))
    return digest.hexdigest()


def _bytes(value: Any) -> Any:
    if isinstance(value, CodeType):
        return code_bytes(value)
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)} ".encode() + _data(value)
    if isinstance(value, np.ma.MaskedArray):
        return b"masked " + _bytes(np.asarray(value)) + _bytes(np.ma.getmaskarray(value))
    if isinstance(value, np.ndarray):
        data = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
        return f"{value.dtype} {value.shape} ".encode() + data
    return f"{type(value).__name__} {value!r}".encode("utf-8", "surrogatepass")


def _data(tensor: Tensor) -> bytes:
    if tensor.is_meta:
        return b""
    plain = tensor.detach().cpu()
    plain = plain.dequantize() if plain.is_quantized else plain
    plain = plain.to_dense() if plain.layout != torch.strided else plain
    return bytes(plain.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
