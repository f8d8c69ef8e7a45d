"""A name becomes a model: name -> card -> network -> weights -> eval-mode `Model`."""

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from torch import nn

from model_zoo import weights
from model_zoo.build import EnsembleRoom, FinishingRoom, PartialRoom, build, room_of
from model_zoo.card import ModelCard
from model_zoo.errors import UnknownModelError, WeightsError
from model_zoo.fill import fill, fill_from, keep_converted, save_state
from model_zoo.fit import chosen, fitting, without_wrappers
from model_zoo.formats.checkpoint import Checkpoint, read_checkpoint, split_key
from model_zoo.model import Model
from model_zoo.nets.normalisation import branch_names
from model_zoo.registry import find_card, split_branch
from model_zoo.weights import FileStatus


def load_model(name: str, *, weights_file: Path | None = None) -> Model:
    """Return the model called `name`, ready for evaluation.

    `name` is a card's (`bench list models`), with a normalisation branch if the card has several (`tiny_mbn@adv`), or
    `torchvision:NAME`, `timm:NAME`, `robustbench:NAME`, `file:PATH.py:FACTORY`. `random:NAME` is NAME's network with
    its initial weights, to try a pipeline. `weights_file` replaces the card's own weights: a checkpoint as saved by
    training scripts, sharded or not, or `FILE:KEY` for the weights under that key. `file:` runs the user's code;
    nothing else is executed.

    Raises `UnknownModelError` for an unknown name, `WeightsError` for weights that are missing, not verified or do not
    fit.
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
    remarks = _fill_from_file(net, card, read_checkpoint(file)) if file else _fill_verified(net, card, statuses)
    for remark in remarks:
        _log.warning(remark)
    model = _model(_finished(net, card), card, branch, remarks, _origin(card, weights_file))
    model.unlike_card = weights.unlike(card, split_key(weights_file)[0]) if weights_file else ""
    return model


def check_own(model: Model) -> None:
    """Set `unlike_card` of a model whose weights were changed since it was loaded, as by fine-tuning."""
    if model.card.weights.availability in ("user", "random") or model.unlike_card:
        return
    try:
        loaded = load_model(model.name)
    except WeightsError:
        model.unlike_card = f"{model.name}: the weights of its card cannot be read to compare it with"
        return
    if loaded.identity().exact != model.identity().exact:
        model.unlike_card = f"{model.name}: changed since it was loaded"


def _finished(net: nn.Module, card: ModelCard) -> nn.Module:
    """Return the completed model of a filled network (with the head of its text tower), or the network itself."""
    room = room_of(card)
    return room.finish(net, card) if isinstance(room, FinishingRoom) else net


def _fill_from_file(net: nn.Module, card: ModelCard, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Fill `net` from a user's file; a file with one part alone replaces that part of the card's own weights. Raises
    `WeightsError` if the file holds that part and others that are not the network's."""
    room = room_of(card)
    if not isinstance(room, PartialRoom) or fitting(net, checkpoint):
        return fill_from(net, card, checkpoint)
    part = room.part_of(net)
    if not (fits := fitting(part, checkpoint)):
        return fill_from(net, card, checkpoint)
    name = next(name for name, module in net.named_modules() if module is part)
    if left := sorted(chosen(checkpoint, fits).left_out):
        raise WeightsError(
            f"{checkpoint.path}: holds the part {name!r} of {card.name} and {len(left)} tensors that are not its own "
            f"({', '.join(left[:3])}): whole weights fit whole, or save the part alone"
        )
    own = _fill_verified(net, card, weights.verify(card))
    said = fill_from(part, card, checkpoint)
    return (*own, *said, f"{checkpoint.path.name}: took the part {name!r}; the rest is of {card.name}")


def _drawn(card: ModelCard) -> nn.Module:
    """Return the network of `card` with its initial weights, the same on every call; global generators are not
    changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _finished(build(card), card)


def confirm(card: ModelCard) -> tuple[FileStatus, ...]:
    """Verify the card's files, and match their tensors with the network before a hash is recorded."""
    statuses = weights.verify(card)
    if any(len(status.expected) < len(status.digest) for status in statuses):
        _fill_verified(build(card), card, statuses)
    return statuses


def _fill_verified(net: nn.Module, card: ModelCard, statuses: tuple[FileStatus, ...]) -> tuple[str, ...]:
    """Fill `net` from verified files; hashes are recorded only for files that fit."""
    room = room_of(card)
    if len(statuses) == 1 or not isinstance(room, EnsembleRoom):
        remarks = fill_from(net, card, _read(statuses[0]))
    else:
        remarks = ()
        fill(net, room.join(card, [without_wrappers(read_checkpoint(s.path).largest()) for s in statuses]), card.name)
    weights.record(card, statuses)
    keep_converted(net, card, statuses[0].path)
    return remarks


def _read(status: FileStatus) -> Checkpoint:
    """Return the sets of weights that the card means: those under its key, if it has one."""
    found = read_checkpoint(status.path)
    return found.under(status.file.key) if status.file.key else found


_log = logging.getLogger("model_zoo")
"""Reports which of a file's weights were chosen; unless a program handles it, Python prints it on the error stream."""


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


def convert(name: str, out: Path, *, weights_file: Path | None = None) -> Path:
    """Write the model's weights, from the cache or `weights_file`, as safetensors with the network's own names."""
    model = load_model(name, weights_file=weights_file)
    save_state(model.net, model.card, out)
    return out
