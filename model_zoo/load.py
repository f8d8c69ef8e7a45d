"""A name becomes a model: name -> card -> network -> weights -> eval-mode `Model`."""

import contextlib
import hashlib
import logging
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

import torch
import torch.fx
from torch import Tensor, nn

from model_zoo import cache, weights
from model_zoo.card import InputSpec, ModelCard
from model_zoo.errors import OutputError, UnknownModelError, WeightsError
from model_zoo.fetch import sha256_of
from model_zoo.fit import (
    Fit,
    chosen,
    fitting,
    is_weight,
    misfit,
    refuse_other_constants,
    said,
    shape_problems,
    weights_of,
    without_wrappers,
)
from model_zoo.formats import safetensors_file
from model_zoo.formats.checkpoint import Checkpoint, StateDict, read_checkpoint
from model_zoo.identity import Identity
from model_zoo.identity.model import hidden_modules, identify
from model_zoo.nets.normalisation import branch_names, select_branch
from model_zoo.registry import find_card, split_branch
from model_zoo.weights import Arrays, FileStatus


class Room(Protocol):
    """What each method's `build.py` offers."""

    def build(self, card: ModelCard) -> nn.Module:
        """The network of `card`, weights not yet loaded."""

    def convert(self, card: ModelCard, arrays: Arrays) -> Arrays:
        """The released file's arrays under the names, and in the layouts, of the network's `state_dict`."""


class Model(nn.Module):
    """A network with its input normalisation inside, in eval mode and without weight gradients.

    Called on `float32 [n, 3, h, w]` RGB images in [0, 1]; returns logits `[n, classes]`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, card: ModelCard, branch: str = "") -> None:
        super().__init__()
        self.net = net
        self.card = card
        self.branch = branch
        self.remarks: tuple[str, ...] = ()
        """What its loading chose and left out, in words (`model_zoo.fit`)."""
        self.origin: Mapping[str, str] = {}
        """Where it is from, for people: the path and options of its name, its weights file. No part of what it is."""
        self.register_buffer("mean", torch.tensor(card.input.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(card.input.std).view(1, 3, 1, 1), persistent=False)
        if hidden := hidden_modules(net):
            self.hidden = nn.ModuleList(hidden)  # in lists and closures, where neither `eval` nor `to` would find them
        if branch:
            select_branch(net, branch)
        self.eval().requires_grad_(False)

    @property
    def name(self) -> str:
        """Name and branch, as typed: `tiny_mbn@adv`."""
        return f"{self.card.name}@{self.branch}" if self.branch else self.card.name

    @property
    def input(self) -> InputSpec:
        """How its authors prepare a picture."""
        return self.card.input

    @property
    def code_sha256(self) -> str:
        """SHA-256 (hex) of the source of a `file:` model, which no card describes; empty for all others."""
        return str(self.card.build.get("code_sha256", ""))

    def identity(self) -> Identity:
        """What it computes (`model_zoo.identity`), which is what a measured number is a number of; probes it."""
        use = (self.card.input.channels, self.card.input.mean, self.card.input.std, self.branch)
        return identify(self.net, self, self.card.input.size, source=f"{self.code_sha256} {use}")

    def forward(self, images: Tensor) -> Tensor:
        x = (images - self.mean) / self.std
        if self.card.input.channels == "bgr":
            x = x.flip(1)
        return logits_of(self.net(x))


def logits_of(output: object) -> Tensor:
    """The logits that a network returned: a tensor, or what Hugging Face's networks return around one.

    Raises `OutputError` for anything else, with what to return instead.
    """
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
"""A traced copy of a model calls `logits_of` on what its network returns, as the model does."""


def load_model(name: str, *, weights_file: Path | None = None) -> Model:
    """The model called `name`, ready to be evaluated.

    `name` is a card's (`bench list models`), with a normalisation branch where the card has several
    (`tiny_mbn@adv`), or `torchvision:NAME`, `timm:NAME`, `robustbench:NAME`, `file:PATH.py:FACTORY`.
    `random:NAME` is NAME's network with its initial weights, to try a pipeline.
    `weights_file` replaces the card's own weights: a checkpoint as training scripts save it, sharded or not, or
    `FILE:KEY` for the set of weights under that key. `file:` runs the user's code; nothing else executes.

    Raises `UnknownModelError` for a name, `WeightsError` for weights that are absent, unverified or do not fit.
    """
    card = find_card(name)
    branch = split_branch(name).branch
    if branch and card.branches and branch not in card.branches:
        raise UnknownModelError(f"model {card.name!r} has no branch {branch!r}: it has {', '.join(card.branches)}")
    if card.weights.availability == "random":
        if weights_file is not None:
            raise WeightsError(f"{card.name}: its weights are random: leave out --weights, or --random-weights")
        return _model(_drawn(card), card, branch, origin=_origin(card, None))
    if weights_file is None and card.weights.availability == "user":
        return _model(build(card), card, branch, origin=_origin(card, None))  # the user's factory fills its own network
    file = weights_file or weights.converted(card)
    statuses = () if file else weights.verify(card)
    net = build(card)
    remarks = fill_from(net, card, read_checkpoint(file)) if file else _fill_verified(net, card, statuses)
    for remark in remarks:
        _log.warning(remark)
    return _model(net, card, branch, remarks, _origin(card, weights_file))


def _drawn(card: ModelCard) -> nn.Module:
    """The network of `card` with its initial weights, the same on every call; global generators stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(card)


def confirm(card: ModelCard) -> tuple[FileStatus, ...]:
    """Verify the card's files, and hold their tensors against the network before a hash is recorded."""
    statuses = weights.verify(card)
    if any(len(status.expected) < len(status.digest) for status in statuses):
        _fill_verified(build(card), card, statuses)
    return statuses


def _fill_verified(net: nn.Module, card: ModelCard, statuses: tuple[FileStatus, ...]) -> tuple[str, ...]:
    """Fill `net` from verified files; what fits is recorded, so that no wrong file becomes the one held to."""
    join = getattr(room_of(card), "join", None)
    if join is None or len(statuses) == 1:
        remarks = fill_from(net, card, read_checkpoint(statuses[0].path))
    else:  # an ensemble: one file a member
        remarks = ()
        fill(net, join(card, [without_wrappers(read_checkpoint(s.path).largest()) for s in statuses]), card.name)
    weights.record(card, statuses)
    keep_converted(net, card, statuses[0].path)
    return remarks


_log = logging.getLogger("model_zoo")
"""Tells which of a file's weights were taken; unless a program says else, Python prints it on the error stream."""


def _model(
    net: nn.Module,
    card: ModelCard,
    branch: str,
    remarks: tuple[str, ...] = (),
    origin: Mapping[str, str] = MappingProxyType({}),
) -> Model:
    model = Model(net, card, branch or (branch_names(net) or ("",))[0])
    model.remarks, model.origin = remarks, dict(origin)
    return model


def _origin(card: ModelCard, weights_file: Path | None) -> dict[str, str]:
    found = {"weights": str(weights_file)} if weights_file else {}
    return found | ({"path": str(card.build["path"])} if "code_sha256" in card.build else {})


def fill_from(net: nn.Module, card: ModelCard, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Fill `net` with the set of `checkpoint` that is its own, or that its room converts; what was chosen, in words.

    Raises `WeightsError` where none fits, where several do, and where the file's normalisation is not the card's.
    """
    fits = fitting(net, checkpoint) or _converted(net, card, checkpoint)
    fit = chosen(checkpoint, fits)
    refuse_other_constants(checkpoint.path, fit.left_out, card.input, net)
    fill(net, fit.arrays, card.name)
    return said(net, checkpoint, fit, fits)


def _converted(net: nn.Module, card: ModelCard, checkpoint: Checkpoint) -> list[Fit]:
    """The file's largest sets by the room's own rule: of their names as they are, and without common wrappers."""
    tried: list[Arrays] = []
    found: list[Fit] = []
    for key, tensors in checkpoint.largest_sets().items():
        for arrays in (without_wrappers(tensors), tensors):
            converted: Arrays = arrays
            with contextlib.suppress(WeightsError):
                converted = room_of(card).convert(card, arrays)
            if not shape_problems(net, converted):
                found.append(Fit(key, StateDict(converted), {}))
                break
            tried += [arrays, converted]
    if not found:
        best = min(tried, key=lambda arrays: sum(map(len, shape_problems(net, arrays).values())), default={})
        raise WeightsError(misfit(net, best, f"{card.name} ({checkpoint.path})"))
    return found


def network_state(net: nn.Module, card: ModelCard, arrays: Arrays) -> Arrays:
    """`arrays` under the network's own names: as they are if they have them already, else as the room converts them."""
    return arrays if not shape_problems(net, arrays) else room_of(card).convert(card, arrays)


def keep_converted(net: nn.Module, card: ModelCard, source: Path) -> None:
    """Keep the state read from a TensorFlow checkpoint in the cache as safetensors, where the cache can be written."""
    if card.weights.format != "tf_checkpoint":
        return
    with contextlib.suppress(OSError):
        save_state(net, card, source.with_name(weights.CONVERTED))
        cache.record(source.parent, weights.CONVERTED, sha256_of(source.with_name(weights.CONVERTED)))


def save_state(net: nn.Module, card: ModelCard, path: Path) -> None:
    """Write the network's state as safetensors, with the model's name in its metadata."""
    state = {key: value for key, value in net.state_dict().items() if is_weight(key)}
    safetensors_file.write(path, state, {"model": card.name, "licence": card.weights.licence})


def convert(name: str, out: Path, *, weights_file: Path | None = None) -> Path:
    """Write the model's weights, from the cache or `weights_file`, as safetensors under the network's own names."""
    model = load_model(name, weights_file=weights_file)
    save_state(model.net, model.card, out)
    return out


def build(card: ModelCard) -> nn.Module:
    """The network of `card` with its initial weights."""
    return room_of(card).build(card)


def build_outline(card: ModelCard) -> nn.Module:
    """The network of `card` for its names and shapes: without memory, unless its library reads values as it builds
    (timm 1.0.9's NF-ResNets)."""
    try:
        with torch.device("meta"):
            return build(card)
    except NotImplementedError:  # torch's word for a value asked of a meta tensor
        return build(card)


def room_of(card: ModelCard) -> Room:
    """The module that builds the card's networks: `METHOD.build`, or the one that the card names in full."""
    module = card.room if "." in card.room else f"{card.room}.build"
    return cast(Room, import_module(f"model_zoo.{module}"))


def fill(net: nn.Module, arrays: Arrays, name: str) -> None:
    """Load `arrays` into `net`: every tensor is used and every parameter filled, or `WeightsError` lists both."""
    if shape_problems(net, arrays):
        raise WeightsError(misfit(net, arrays, name))
    state = cast(StateDict, net.state_dict())  # with the versions of its modules, which MNASNet's loader asks for
    state.update(weights_of(arrays))
    net.load_state_dict(state)


def fingerprint(model: nn.Module) -> str:
    """SHA-256 (hex) of all parameters and buffers by name, and of a `file:` model's source: which weights were loaded.
    What a measured number is a number of is `Model.identity`."""
    digest = hashlib.sha256(model.code_sha256.encode() if isinstance(model, Model) else b"")
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
