"""Load weights into a network: read, convert with the method's `build.py`, load strictly or refuse."""

import contextlib
from pathlib import Path
from typing import cast

from torch import nn

from model_zoo import cache, weights
from model_zoo.build import room_of
from model_zoo.card import ModelCard
from model_zoo.errors import WeightsError
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
from model_zoo.formats.checkpoint import Checkpoint, StateDict
from model_zoo.weights import Arrays


def fill_from(net: nn.Module, card: ModelCard, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Fill `net` with the matching weights of `checkpoint`, converted if needed; return a description of the choice.
    Raises `WeightsError` if none fits, if several differ, and if the file's normalisation is not the card's."""
    fits = fitting(net, checkpoint) or _converted(net, card, checkpoint)
    fit = chosen(checkpoint, fits)
    refuse_other_constants(checkpoint.path, fit.left_out, card.input, net)
    fill(net, fit.arrays, card.name)
    return said(net, checkpoint, fit, fits)


def _converted(net: nn.Module, card: ModelCard, checkpoint: Checkpoint) -> list[Fit]:
    """Return the file's largest sets of weights, with their names as they are and without common prefixes."""
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
    """Return `arrays` with the network's own names: unchanged if they have them already, else converted."""
    return arrays if not shape_problems(net, arrays) else room_of(card).convert(card, arrays)


def fill(net: nn.Module, arrays: Arrays, name: str) -> None:
    """Load `arrays` into `net`: every tensor is used and every parameter filled, or `WeightsError` lists both."""
    if shape_problems(net, arrays):
        raise WeightsError(misfit(net, arrays, name))
    state = cast(StateDict, net.state_dict())  # with the versions of its modules, which MNASNet's loader asks for
    state.update(weights_of(arrays))
    net.load_state_dict(state)


def keep_converted(net: nn.Module, card: ModelCard, source: Path) -> None:
    """Cache the state read from a TensorFlow checkpoint as safetensors, if the cache can be written."""
    if card.weights.format != "tf_checkpoint":
        return
    with contextlib.suppress(OSError):
        save_state(net, card, source.with_name(weights.CONVERTED))
        cache.record(source.parent, weights.CONVERTED, sha256_of(source.with_name(weights.CONVERTED)))


def save_state(net: nn.Module, card: ModelCard, path: Path) -> None:
    """Write the network's state as safetensors, with the model's name in its metadata."""
    state = {key: value for key, value in net.state_dict().items() if is_weight(key)}
    safetensors_file.write(path, state, {"model": card.name, "licence": card.weights.licence})
