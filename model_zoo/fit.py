"""Match a file's tensors with a network: remove or add wrappers' prefixes, choose among several sets of weights, and
report it.

A prefix is removed, or added, only if then all names and shapes match the network's. Other tensors are left out by
name: copies of attackers and averages, counters, and constants of an input's normalisation, which must equal the
card's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from model_zoo.card import InputSpec
from model_zoo.errors import WeightsError
from model_zoo.formats.checkpoint import Checkpoint, StateDict, is_average, refuse_odd, under_prefix, versions_of

Arrays = Mapping[str, Tensor]

WRAPPERS = frozenset({
    "module", "_orig_mod", "model", "net", "network", "attacker", "_model", "wrapped", "model_without_ddp",
    "_forward_module", "_fsdp_wrapped_module", "backbone", "student", "teacher", "0", "1",
})  # fmt: skip
"""Prefixes that `DataParallel`, `torch.compile`, Lightning, DeepSpeed, FSDP, MadryLab's robustness and users give a
network."""

_COUNTERS = ("num_batches_tracked", "n_averaged", "total_ops", "total_params", "num_updates")
"""Counters of batch norms and averages during training, and of thop, which counts operations: none is a weight."""
_CONSTANTS = frozenset({"mean", "std", "mu", "sigma", "new_mean", "new_std", "pixel_mean", "pixel_std"})


@dataclass(frozen=True)
class Fit:
    """Tensors of a file that match the network, under its names; `key` is that of `FILE:KEY`."""

    key: str
    arrays: StateDict
    left_out: Mapping[str, Tensor]
    prefix: str = ""


def is_weight(name: str) -> bool:
    """Return whether `name` is not one of the counters, which are neither required nor refused."""
    return name.rpartition(".")[2] not in _COUNTERS


def weights_of(arrays: Arrays) -> dict[str, Tensor]:
    """Return `arrays` without counters."""
    return {name: tensor for name, tensor in arrays.items() if is_weight(name)}


def shape_problems(net: nn.Module, arrays: Arrays) -> dict[str, list[str]]:
    """Return the names of `arrays` and of `net` that do not match, by kind of mismatch; empty if all do."""
    return _problems(weights_of(net.state_dict()), weights_of(arrays))


def _problems(state: Arrays, given: Arrays) -> dict[str, list[str]]:
    both = sorted(state.keys() & given.keys())
    problems = {
        "not in the file": sorted(state.keys() - given.keys()),
        "not in the network": sorted(given.keys() - state.keys()),
        "of another shape": [
            f"{key} (network {tuple(state[key].shape)}, file {tuple(given[key].shape)})"
            for key in both
            if state[key].shape != given[key].shape
        ],
        "of another kind": [
            f"{key} (network {state[key].dtype}, file {given[key].dtype})"
            for key in both
            if state[key].is_floating_point() and not given[key].is_floating_point()
        ],
    }
    return {what: items for what, items in problems.items() if items}


def fitting(net: nn.Module, checkpoint: Checkpoint) -> list[Fit]:
    """Return the sets of `checkpoint` that fill `net` completely."""
    return [fit for key, tensors in checkpoint.sets.items() for fit in _fits(net, key, tensors)]


def chosen(checkpoint: Checkpoint, fits: list[Fit]) -> Fit:
    """Choose among `fits`: of weights and their average, the weights; raises `WeightsError` for two that differ."""
    distinct = _distinct(fits)
    candidates = [fit for fit in distinct if not _is_second(fit.key)] or distinct
    if len(candidates) > 1:
        raise WeightsError(
            f"{checkpoint.path}: holds several sets of weights that fit and differ: "
            f"{', '.join(fit.key or '(top)' for fit in candidates)}; "
            f"next: say which, as in --weights {checkpoint.path.name}:{candidates[0].key}"
        )
    refuse_odd(checkpoint.path, candidates[0].arrays)
    return candidates[0]


def said(net: nn.Module, checkpoint: Checkpoint, taken: Fit, fits: list[Fit]) -> tuple[str, ...]:
    """Return notes on the choice for readers of the numbers: other sets, an average, another precision, tensors left
    out."""
    file = checkpoint.path.name
    further = [fit.key for fit in _distinct([taken, *fits]) if fit.key != taken.key]
    lines = []
    if further or is_average(taken.key):
        kind = "an average of the weights" if is_average(taken.key) else "weights"
        there = f"; it also holds {', '.join(f'{file}:{key}' for key in further)}" if further else ""
        lines.append(f"{file}: took {taken.key or 'the tensors at the top'} ({kind}){there}")
    state = net.state_dict()
    types = {str(t.dtype).removeprefix("torch.") for n, t in taken.arrays.items() if t.dtype != state[n].dtype}
    if types:
        lines.append(f"{file}: holds {' and '.join(sorted(types))} numbers, computed in float32 here")
    left = [n for n, t in taken.left_out.items() if not (_is_constant(n, t) or _is_second(n) or _within(n, fits))]
    if left:
        lines.append(f"{file}: left out {len(left)} tensors that the network does not have: {_some(left)}")
    return tuple(lines)


def _within(name: str, fits: list[Fit]) -> bool:
    return any(fit.prefix and name.startswith(fit.prefix) for fit in fits)


def without_wrappers(tensors: StateDict) -> StateDict:
    """Return `tensors` without the prefixes common to all names; the same object if there are none."""
    found, names = tensors, list(weights_of(tensors))
    while names:
        head = names[0].partition(".")[0]
        if head not in WRAPPERS or head.isdecimal() or not all(name.startswith(f"{head}.") for name in names):
            break
        found = under_prefix(found, f"{head}.")
        names = [name.removeprefix(f"{head}.") for name in names]
    return found


def _distinct(fits: list[Fit]) -> list[Fit]:
    """Drop those with the same numbers as an earlier one; unwrapped ones go first."""
    kept: list[Fit] = []
    for fit in sorted(fits, key=lambda fit: _is_second(fit.key)):
        if not any(_equal(fit.arrays, other.arrays) for other in kept):
            kept.append(fit)
    return kept


def _equal(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one if is_weight(name))


def _fits(net: nn.Module, key: str, tensors: StateDict) -> list[Fit]:
    """Yield every way in which `tensors`, the set called `key`, fill `net`: with a prefix removed or added."""
    state = weights_of(net.state_dict())
    for root in _roots(state):
        inner = {name.removeprefix(root): tensor for name, tensor in state.items() if name.startswith(root)}
        own = {name: tensor for name, tensor in state.items() if not name.startswith(root)}
        if all(_is_constant(name, tensor) for name, tensor in own.items()):
            found = [_fit(key, tensors, inner, prefix, root) for prefix in _prefixes(inner, tensors)]
            if fits := [_with(fit, own) for fit in found if fit is not None]:
                return fits
    return []


def _roots(state: Arrays) -> Iterator[str]:
    """Return the empty prefix, then the prefixes common to all weights of the network, outermost first."""
    yield ""
    root, names = "", [name for name, tensor in state.items() if not _is_constant(name, tensor)]
    while names:
        head = names[0].removeprefix(root).partition(".")[0]
        root = f"{root}{head}."
        if head not in WRAPPERS or not all(name.startswith(root) for name in names):
            return
        yield root


def _prefixes(inner: Arrays, tensors: Arrays) -> list[str]:
    """Return the prefixes of the network's longest name in the file."""
    anchor = max(inner, key=len, default="")
    places = [name.removesuffix(anchor) for name in tensors if anchor and name.endswith(anchor)]
    return [prefix for prefix in places if not prefix or prefix.endswith(".")]


def _fit(key: str, tensors: StateDict, inner: Arrays, prefix: str, root: str) -> Fit | None:
    given = under_prefix(tensors, prefix)
    surplus = {name: tensor for name, tensor in weights_of(given).items() if name not in inner}
    if any(not (_is_constant(name, tensor) or _is_second(name)) for name, tensor in surplus.items()):
        return None
    taken = StateDict((name, tensor) for name, tensor in given.items() if name not in surplus and is_weight(name))
    if _problems(inner, taken):
        return None
    taken._metadata = versions_of(given)
    rest = {name: tensor for name, tensor in weights_of(tensors).items() if not name.startswith(prefix)}
    left_out = {f"{prefix}{name}": tensor for name, tensor in surplus.items()} | rest
    return Fit(".".join(filter(None, (key, prefix[:-1]))), under_prefix(taken, "", root), left_out, prefix)


def _with(fit: Fit, own: Arrays) -> Fit:
    """Return the state with the constants that only the network's wrapper has."""
    fit.arrays.update(own)
    return fit


def _is_second(name: str) -> bool:
    """Return whether `name` is of an average, or of the copy that MadryLab's attacker keeps."""
    return is_average(name) or "attacker" in name.split(".")


def _is_constant(name: str, tensor: Tensor) -> bool:
    return name.rpartition(".")[2] in _CONSTANTS and tensor.numel() == 3


def refuse_other_constants(path: Path, left_out: Arrays, spec: InputSpec, net: nn.Module) -> None:
    """Raise `WeightsError` if normalisation constants that were left out are neither the card's, on 0..1 or 0..255,
    nor the network's own."""
    own = [tensor.double().flatten() for name, tensor in net.state_dict().items() if _is_constant(name, tensor)]
    for name, tensor in left_out.items():
        if not _is_constant(name, tensor):
            continue
        leaf = name.rpartition(".")[2]
        what = "std" if leaf.endswith(("std", "sigma")) else "mean"
        found, wanted = tensor.double().flatten(), torch.tensor(getattr(spec, what), dtype=torch.float64)
        if not any(torch.allclose(found, one, rtol=1e-3, atol=1e-3) for one in (wanted, wanted * 255, *own)):
            raise WeightsError(
                f"{path}: {name} is {[round(v, 4) for v in found.tolist()]}, so its network normalises its input by "
                f"another {what} than {list(wanted.tolist())} of the card; next: name the right input (file:...?mean="
                f"...&std=..., or a card of your own)"
            )


def misfit(net: nn.Module, arrays: Arrays, name: str) -> str:
    """Explain why `arrays` do not fill `net`: the likely cause, and for each kind of mismatch the count and three
    examples."""
    problems = shape_problems(net, arrays)
    lines = [f"  {what} ({len(items)}): {_some(items)}" for what, items in problems.items()]
    likely = _likely(weights_of(net.state_dict()), weights_of(arrays), problems)
    return "\n".join([f"the weights do not fit {name}", *lines, *([f"  likely: {likely}"] if likely else [])])


def _some(items: list[str], most: int = 3) -> str:
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def _likely(state: Arrays, given: Arrays, problems: Mapping[str, list[str]]) -> str:
    if not given:
        return "the file holds no tensors by name"
    if problems.keys() <= {"of another kind"}:
        return "a quantised checkpoint: save it in floating point"
    if classes := _other_classes(state, given, problems):
        return classes
    if sorted(tuple(t.shape) for t in state.values()) == sorted(tuple(t.shape) for t in given.values()):
        return "the same network by the names of another library: all shapes are there"
    if not state.keys() & given.keys():
        return _other_names(state, given)
    extra, lacking = problems.get("not in the network", []), problems.get("not in the file", [])
    if extra and not lacking:
        return f"a deeper network, or one with parts that this one lacks ({extra[0].partition('.')[0]})"
    if lacking and not extra:
        return f"a part of the network ({lacking[0].partition('.')[0]} is not in the file), or one shard of several"
    return "another architecture, or another width or depth of it"


def _other_classes(state: Arrays, given: Arrays, problems: Mapping[str, list[str]]) -> str:
    """Return the explanation for a classifier of another size: only the last layers' first dimension differs."""
    if problems.keys() != {"of another shape"} or len(problems["of another shape"]) > 4:
        return ""
    names = [item.partition(" ")[0] for item in problems["of another shape"]]
    if any(state[name].shape[1:] != given[name].shape[1:] for name in names):
        return ""
    return f"a classifier of {len(given[names[0]])} classes, where the network has {len(state[names[0]])}"


def _other_names(state: Arrays, given: Arrays) -> str:
    """Return the explanation if no name matches the network."""
    prefixes = _prefixes(state, given)
    if prefixes:
        inner = {n.removeprefix(prefixes[0]) for n in given if n.startswith(prefixes[0])}
        both = len(inner & state.keys())
        return (
            f"{both} of {len(state)} names fit once {prefixes[0]!r} is taken off; the others belong to another network"
        )
    return "another architecture: no name is shared"
