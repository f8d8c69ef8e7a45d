"""A file's content as the sets of named tensors that it holds, each under the key by which `FILE:KEY` names it."""

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model_zoo.errors import WeightsError
from model_zoo.formats import safetensors_file, tensorpack, tf_checkpoint, torch_pickle
from model_zoo.formats.sniff import Kind, sniff

_MAX_DEPTH = 5


class StateDict(OrderedDict[str, Tensor]):
    """Tensors by name, with the versions of their modules that torch keeps beside them (MNASNet's loader asks)."""

    _metadata: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Checkpoint:
    """What a weights file holds: state dicts by key, empty for tensors that lie at the top; the largest plain one
    first, averages (EMA, SWA) last."""

    path: Path
    sets: Mapping[str, StateDict]

    def largest(self) -> StateDict:
        """The first set; an empty one where the file holds no tensor by name."""
        return next(iter(self.sets.values()), StateDict())

    def largest_sets(self) -> Mapping[str, StateDict]:
        """Those with as many tensors as the first."""
        return {key: found for key, found in self.sets.items() if len(found) == len(self.largest())}

    def under(self, key: str) -> "Checkpoint":
        """Only what `FILE:KEY` names. Raises `WeightsError` listing the keys that there are."""
        chosen = {name: found for name, found in self.sets.items() if name == key or name.startswith(f"{key}.")}
        chosen |= _by_prefix(self.sets, key)
        if not chosen:
            there = ", ".join(
                f"{name or '(top)'} ({len(found)} tensors)" for name, found in list(self.sets.items())[:8]
            )
            raise WeightsError(f"{self.path}: no tensors under the key {key!r}; it has {there or 'none'}")
        return Checkpoint(self.path, chosen)


def _by_prefix(sets: Mapping[str, StateDict], key: str) -> dict[str, StateDict]:
    """Tensors whose names begin with what `key` says beyond their set's own key: `state_dict.ema_model`."""
    within = [(key.removeprefix(f"{name}.") if name else key, tensors) for name, tensors in sets.items()
              if not name or key.startswith(f"{name}.")]  # fmt: skip
    found = [under_prefix(tensors, f"{rest}.") for rest, tensors in within]
    return {key: next(filter(None, found))} if any(found) else {}


def split_key(path: Path) -> tuple[Path, str]:
    """`FILE:KEY` taken apart; a file that has a colon in its name stays whole."""
    if path.exists():
        return path, ""
    name, colon, key = path.name.rpartition(":")
    return (path.with_name(name), key) if colon and name and path.with_name(name).exists() else (path, "")


def read_checkpoint(path: Path) -> Checkpoint:
    """All sets of named tensors of a file, of sharded files (by their index, or by their folder), or of `FILE:KEY`.

    A file's content, not its name, says which format it is. A TensorFlow checkpoint is named by its `.index`, its
    `.data-...` or, as TensorFlow does, by what they share. Raises `WeightsError` for anything but whole weights.
    """
    file, key = split_key(path)
    file = _of_folder(file) if file.is_dir() else file
    if file.name.endswith(_SHARDS):
        found: Any = _sharded(file)
    else:
        file = _index_of(file)
        found = READERS[sniff(file)](file)
    sets = dict(sorted(_state_dicts(found), key=lambda item: (is_average(item[0]), -len(item[1]))))
    whole = Checkpoint(file, sets)
    return whole.under(key) if key else whole


READERS: dict[Kind, Callable[[Path], Any]] = {
    "safetensors": safetensors_file.read,
    "torch": torch_pickle.read,
    "tensorpack": tensorpack.read,
    "tf_checkpoint": tf_checkpoint.read,
}

_AVERAGE = re.compile(r"(^|[._])(ema|swa|avg|averaged?|shadow|polyak)\d*([._]|$)", re.IGNORECASE)


def is_average(key: str) -> bool:
    """Whether `key` names weights averaged over the course of training."""
    return _AVERAGE.search(key) is not None


def under_prefix(tensors: StateDict, prefix: str, root: str = "") -> StateDict:
    """The tensors whose names begin with `prefix`, with `root` in its place; the versions of their modules too."""
    found = StateDict((root + n.removeprefix(prefix), t) for n, t in tensors.items() if n.startswith(prefix))
    versions = {f"{name}." if name else "": version for name, version in versions_of(tensors).items()}
    found._metadata = {
        (root + name.removeprefix(prefix)).removesuffix("."): version
        for name, version in versions.items()
        if name.startswith(prefix)
    }
    return found


def versions_of(tensors: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Any]]:
    """The versions of modules beside `tensors`; none where the format keeps none."""
    found: Mapping[str, Mapping[str, Any]] = getattr(tensors, "_metadata", {})
    return found


def _state_dicts(content: Any, key: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, StateDict]]:
    """Every mapping, at any depth, that has tensors by name; a list's items are named by their numbers."""
    seen = set() if seen is None else seen  # a file may hold one mapping many times, and within itself
    if not isinstance(content, dict | list | tuple) or id(content) in seen or key.count(".") > _MAX_DEPTH:
        return
    seen.add(id(content))
    if not isinstance(content, dict):
        content = {str(i): item for i, item in enumerate(content) if isinstance(item, dict)}
    items = [(str(name), value) for name, value in dict.items(content)]
    tensors = StateDict((name, value.detach()) for name, value in items if isinstance(value, Tensor))
    tensors._metadata = _versions(content)
    if tensors:
        yield key, tensors
    for name, value in items:
        inner = f"{key}.{name}" if key else name
        yield from _state_dicts(value, inner, seen)


def _versions(content: object) -> dict[str, dict[str, Any]]:
    """torch's `_metadata`, of which only whole numbers named `version` are of use."""
    given = getattr(content, "__dict__", {}).get("_metadata", {})
    if not isinstance(given, dict):
        return {}
    pairs = [(name, entry.get("version")) for name, entry in dict.items(given) if isinstance(entry, dict)]
    return {str(name): {"version": version} for name, version in pairs if isinstance(version, int)}


def refuse_odd(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise `WeightsError` for sparse and quantised tensors, which are no weights of these networks."""
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise WeightsError(f"{path}: expected plain tensors, {name} is {tensor.type()}")


_SHARDS = (".safetensors.index.json", ".bin.index.json")
_WHOLE = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def _of_folder(folder: Path) -> Path:
    """The weights of a folder as Hugging Face's libraries write it. Raises `WeightsError` where there are none."""
    if (folder / ".metadata").is_file():
        command = f"python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} weights.pth"
        raise WeightsError(f"{folder}: a distributed checkpoint; next: {command}")
    found = [p for p in sorted(folder.iterdir()) if p.name.endswith(_SHARDS) or p.name in _WHOLE]
    found = found or sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        there = ", ".join(p.name for p in found[:4]) or "none"
        raise WeightsError(f"{folder}: expected one weights file or index of shards, found {there}; name the file")
    return found[0]


def _sharded(index: Path) -> StateDict:
    """All tensors of the shards that `index` lists, each held to be in the shard where the index has it."""
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        items = [(str(name), str(shard)) for name, shard in places.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{index}: not an index of shards ({type(error).__name__}: {error})") from None
    shards = {shard: _shard(index, shard) for shard in sorted({shard for _, shard in items})}
    missing = [f"{name} ({shard})" for name, shard in items if name not in shards[shard]]
    listed = {name for name, _ in items}
    unlisted = [name for tensors in shards.values() for name in tensors if name not in listed]
    if missing or unlisted:
        raise WeightsError(
            f"{index}: not in its shard: {missing[:3] or '-'}; in a shard but not listed: {unlisted[:3]}"
        )
    return StateDict((name, shards[shard][name]) for name, shard in items)


def _shard(index: Path, shard: str) -> StateDict:
    if Path(shard).name != shard or not (index.parent / shard).is_file():
        raise WeightsError(f"{index}: names the shard {shard!r}, which is not in its folder")
    path = index.parent / shard
    return dict(_state_dicts(READERS[sniff(path)](path))).get("", StateDict())


def _index_of(path: Path) -> Path:
    stem = path.name.partition(".data-")[0]
    index = path.with_name(f"{stem}.index")
    return index if index.is_file() and (stem != path.name or not path.is_file()) else path
