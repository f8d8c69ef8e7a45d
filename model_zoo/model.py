"""A network ready for evaluation: normalisation inside, in eval mode, images to logits."""

import hashlib
from collections.abc import Mapping

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from model_zoo.card import InputSpec, ModelCard
from model_zoo.errors import OutputError, WeightsError
from model_zoo.identity import Identity
from model_zoo.identity.model import hidden_modules, identify
from model_zoo.nets.normalisation import select_branch


class Model(nn.Module):
    """A network with its input normalisation inside, in eval mode and without weight gradients.

    Called on `float32 [n, 3, h, w]` RGB images in [0, 1]; returns logits `[n, classes]`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, card: ModelCard, branch: str = "") -> None:
        super().__init__()
        _refuse_empty(net)
        self.net = net
        self.card = card
        self.branch = branch
        self.remarks: tuple[str, ...] = ()
        """What loading chose and left out, in words (`model_zoo.fit`)."""
        self.origin: Mapping[str, str] = {}
        """Origin for display: the path and options of its name, its weights file. Not part of its identity."""
        self.counted = False
        """Whether its classes were counted from its output, so that nobody said what they are."""
        self.unlike_card = ""
        """Why its weights are not those of its card; empty if they are. What was published of the card is not its."""
        self.register_buffer("mean", torch.tensor(card.input.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(card.input.std).view(1, 3, 1, 1), persistent=False)
        if hidden := hidden_modules(net):
            self.hidden = nn.ModuleList(hidden)  # in lists and closures, where neither `eval` nor `to` would find them
        if branch:
            select_branch(net, branch)
        _to_eval(self)
        self.requires_grad_(False)

    @property
    def name(self) -> str:
        """Name and branch, as typed: `tiny_mbn@adv`."""
        return f"{self.card.name}@{self.branch}" if self.branch else self.card.name

    @property
    def input(self) -> InputSpec:
        """Preprocessing by its authors."""
        return self.card.input

    @property
    def code_sha256(self) -> str:
        """SHA-256 (hex) of the source of a `file:` model, which has no card; empty for all others."""
        return str(self.card.build.get("code_sha256", ""))

    def identity(self) -> Identity:
        """Identity by what the model computes (`model_zoo.identity`), which a measured number refers to; runs a
        probe."""
        use = (self.card.input.channels, self.card.input.mean, self.card.input.std, self.branch)
        return identify(self.net, self, self.card.input.size, source=f"{self.code_sha256} {use}")

    def forward(self, images: Tensor) -> Tensor:
        x = (images - self.mean) / self.std
        if self.card.input.channels == "bgr":
            x = x.flip(1)
        return logits_of(self.net(x))


def _to_eval(model: nn.Module) -> None:
    try:
        model.eval()
    except NotImplementedError:  # a module of torch.export, whose mode is that in which it was exported
        for module in model.modules():
            module.training = False


def _refuse_empty(net: nn.Module) -> None:
    """Raise `WeightsError` for uninitialised parameters: the first image would initialise them randomly."""
    named = [*net.named_parameters(), *net.named_buffers()]
    lazy = [name for name, tensor in named if is_lazy(tensor)]
    meta = [name for name, tensor in named if not is_lazy(tensor) and tensor.is_meta]
    for found, what, remedy in (
        (lazy, "parameters are not made yet", "show the lazy network one image, then load its weights"),
        (meta, "tensors are on the device meta, without numbers", "call to_empty(device=...) and load its weights"),
    ):
        if found:
            raise WeightsError(f"{type(net).__name__}: {len(found)} {what} ({', '.join(found[:3])}): {remedy}")


def logits_of(output: object) -> Tensor:
    """Return the logits in a network's output: a tensor, or the output object of Hugging Face's networks. Raises
    `OutputError` for anything else, with what to return instead."""
    if isinstance(output, Tensor):
        return output
    if isinstance(logits := getattr(output, "logits", None), Tensor):
        return logits
    kind = type(output).__name__
    if output is None:
        raise OutputError("returns nothing: let forward end in `return logits`")
    if isinstance(output, Mapping):
        keys = ", ".join(repr(key) for key in list(output)[:4])
        name = "logits" if "logits" in output else next(iter(output), "logits")
        raise OutputError(f"returns a {kind} ({keys}): return out[{name!r}]")
    if isinstance(output, tuple | list):
        raise OutputError(f"returns a {kind} of {len(output)}: return out[0]")
    raise OutputError(f"returns a {kind}: return its logits, a tensor [n, classes]")


torch.fx.wrap("logits_of")
"""Traced copies call `logits_of` on their network's output, as the model does."""


def fingerprint(model: nn.Module) -> str:
    """Return SHA-256 (hex) of all parameters and buffers by name, and of a `file:` model's source: which weights
    were loaded. A measured number refers to `Model.identity`."""
    digest = hashlib.sha256(model.code_sha256.encode() if isinstance(model, Model) else b"")
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
