"""A vision-language model as a classifier: a visual tower, and a head of one text embedding per class.

A text tower takes minutes to hours to make a head, so heads are cached under a key of everything they depend on: the
text tower's weights and code, the tokens of its prompts and the rule of averaging.
"""

import hashlib
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo import cache
from model_zoo.errors import WeightsError
from model_zoo.formats import safetensors_file
from model_zoo.identity.reach import DerivedTensors

Tokenizer = Callable[[list[str]], Tensor]

CLASSES_A_PASS = 10
"""Classes per pass, as in open_clip's `build_zero_shot_classifier`; another number would change the last bits."""

_log = logging.getLogger("model_zoo")


@dataclass(frozen=True)
class Prompts:
    """Class names in the order of labels, and templates with `{}` for the name."""

    names: tuple[str, ...]
    templates: tuple[str, ...]

    def texts(self, names: tuple[str, ...]) -> list[str]:
        """Return all prompts of `names`, class by class."""
        return [template.replace("{}", name) for name in names for template in self.templates]


class ZeroShotClassifier(DerivedTensors):
    """Classifier of normalised images [n, 3, h, w]; logits [n, classes] are scaled cosines of image and class vectors.

    They equal open_clip's `get_logits`: `exp(logit_scale) * image @ head`, plus the model's bias if it has one.
    """

    derived = ("head",)
    """`head` is determined by `made_from`."""

    head: Tensor

    def __init__(self, towers: Any, head: Tensor, made_from: str) -> None:
        """Store `head`, float [width, classes] with unit columns, and its key `made_from` (see `head_of`)."""
        super().__init__()
        self.visual = towers.visual
        self.logit_scale = towers.logit_scale
        self.logit_bias = getattr(towers, "logit_bias", None)
        self.register_buffer("head", head)
        self.made_from = made_from

    def forward(self, images: Tensor) -> Tensor:
        features = self.visual(images)
        features = features[0] if isinstance(features, tuple) else features  # CoCa returns tokens too
        logits: Tensor = self.logit_scale.exp() * F.normalize(features, dim=-1) @ self.head
        return logits if self.logit_bias is None else logits + self.logit_bias


def head_of(towers: nn.Module, tokenizer: Tokenizer, prompts: Prompts) -> tuple[Tensor, str]:
    """Return the head of `prompts`, [width, classes], and its cache key; the head is cached."""
    key = _key(towers, tokenizer, prompts)
    place = cache.cache_dir() / "heads" / f"{key}.safetensors"
    if (kept := _kept(place)) is not None:
        return kept, key
    count = len(prompts.names) * len(prompts.templates)
    _log.warning("making a zero-shot head of %d texts; it is kept in %s", count, place.parent)
    head = _made(towers, tokenizer, prompts)
    _keep(place, head)
    return head, key


def _made(towers: nn.Module, tokenizer: Tokenizer, prompts: Prompts) -> Tensor:
    """Compute each class's normalised mean of normalised embeddings, on a GPU if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    towers.to(device)
    groups = (prompts.names[i : i + CLASSES_A_PASS] for i in range(0, len(prompts.names), CLASSES_A_PASS))
    with torch.no_grad():
        columns = [_columns(towers, tokenizer(prompts.texts(names)).to(device), len(names)) for names in groups]
    towers.to("cpu")
    return torch.cat(columns, dim=1).cpu().contiguous()


def _columns(towers: Any, tokens: Tensor, classes: int) -> Tensor:
    embeddings = towers.encode_text(tokens, normalize=True)
    means = embeddings.reshape(classes, len(tokens) // classes, -1).mean(dim=1)
    columns: Tensor = (means / means.norm(dim=1, keepdim=True)).T
    return columns


def _key(towers: nn.Module, tokenizer: Tokenizer, prompts: Prompts) -> str:
    """Return the SHA-256 (hex) of the text tower, its code, the tokens and the averaging rule."""
    package = type(towers).__module__.partition(".")[0]
    code = (inspect.getsource(_columns), CLASSES_A_PASS, type(towers).__qualname__, package, _version(package))
    digest = hashlib.sha256(repr(code).encode())
    for part in _described(towers):
        digest.update(part)
    tokens = tokenizer(prompts.texts(prompts.names))
    digest.update(f"{tuple(tokens.shape)} {len(prompts.templates)}".encode())
    digest.update(tokens.numpy().tobytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    """Return the version of the package that defines a tower; empty if unknown."""
    return str(getattr(sys.modules.get(package), "__version__", ""))


def _described(towers: nn.Module) -> Iterator[bytes]:
    """Yield everything but the visual tower: plain attributes (such as the pooled token), printed layers, parameters
    and buffers."""
    plain = {name: value for name, value in vars(towers).items() if isinstance(value, (str, int, float, type(None)))}
    yield repr(sorted((plain | {"training": False}).items(), key=str)).encode()
    for name, module in towers.named_modules():
        if not _is_visual(name) and name:
            yield f"{name} {type(module).__module__}.{type(module).__qualname__} {module.extra_repr()}\n".encode()
    for name, tensor in sorted([*towers.named_parameters(), *towers.named_buffers()]):
        if not _is_visual(name):
            yield f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode()
            yield tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _is_visual(name: str) -> bool:
    return name.partition(".")[0] in ("visual", "logit_scale", "logit_bias")


def _kept(place: Path) -> Tensor | None:
    """Return the cached head; None if it is missing or damaged."""
    try:
        return safetensors_file.read(place)["head"] if place.is_file() else None
    except (WeightsError, KeyError):
        return None


def _keep(place: Path, head: Tensor) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        safetensors_file.write(place, {"head": head}, {})
    except OSError as error:
        _log.warning("the zero-shot head is not kept: %s", error)
