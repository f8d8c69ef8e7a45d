"""Content of a weights file: sets of named tensors, each under the key used in `FILE:KEY`."""

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
    """Tensors by name, with torch's versions of their modules (used by MNASNet's loader)."""

    _metadata: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Checkpoint:
    """Content of a weights file: state dicts by key (empty for tensors at the top level), the largest first, averages
    (EMA, SWA) last."""

    path: Path
    sets: Mapping[str, StateDict]

    def largest(self) -> StateDict:
        """First set; empty if the file has no named tensor."""
        return next(iter(self.sets.values()), StateDict())

    def largest_sets(self) -> Mapping[str, StateDict]:
        """Return the sets with as many tensors as the first."""
        return {key: found for key, found in self.sets.items() if len(found) == len(self.largest())}

    def under(self, key: str) -> "Checkpoint":
        """Return the sets under `key` of `FILE:KEY`. Raises `WeightsError` listing the existing keys."""
        chosen = {name: found for name, found in self.sets.items() if name == key or name.startswith(f"{key}.")}
        chosen |= _by_prefix(self.sets, key)
        if not chosen:
            there = ", ".join(
                f"{name or '(top)'} ({len(found)} tensors)" for name, found in list(self.sets.items())[:8]
            )
            raise WeightsError(f"{self.path}: no tensors under the key {key!r}; it has {there or 'none'}")
        return Checkpoint(self.path, chosen)


def _by_prefix(sets: Mapping[str, StateDict], key: str) -> dict[str, StateDict]:
    """Return the tensors whose names begin with the rest of `key` after their set's key: `state_dict.ema_model`."""
    within = [(key.removeprefix(f"{name}.") if name else key, tensors) for name, tensors in sets.items()
              if not name or key.startswith(f"{name}.")]  # fmt: skip
    found = [under_prefix(tensors, f"{rest}.") for rest, tensors in within]
    return {key: next(filter(None, found))} if any(found) else {}


def split_key(path: Path) -> tuple[Path, str]:
    """Split `FILE:KEY`; an existing file with a colon in its name is not split."""
    if path.exists():
        return path, ""
    name, colon, key = path.name.rpartition(":")
    return (path.with_name(name), key) if colon and name and path.with_name(name).exists() else (path, "")


def read_checkpoint(path: Path) -> Checkpoint:
    """Read all sets of named tensors from a file, from sharded files (given by index or folder), or from `FILE:KEY`.

    The format is detected by content, not by name. A TensorFlow checkpoint is given by its `.index`, its `.data-...` or
    their common prefix, as in TensorFlow. Raises `WeightsError` for anything but complete weights.
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
    """Return whether `key` names averaged weights (EMA, SWA)."""
    return _AVERAGE.search(key) is not None


def under_prefix(tensors: StateDict, prefix: str, root: str = "") -> StateDict:
    """Return the tensors whose names begin with `prefix`, replaced by `root`, with the versions of their modules."""
    found = StateDict((root + n.removeprefix(prefix), t) for n, t in tensors.items() if n.startswith(prefix))
    versions = {f"{name}." if name else "": version for name, version in versions_of(tensors).items()}
    found._metadata = {
        (root + name.removeprefix(prefix)).removesuffix("."): version
        for name, version in versions.items()
        if name.startswith(prefix)
    }
    return found


def versions_of(tensors: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Any]]:
    """Return the versions of the modules of `tensors`; empty if the format stores none."""
    found: Mapping[str, Mapping[str, Any]] = getattr(tensors, "_metadata", {})
    return found


def _state_dicts(content: Any, key: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, StateDict]]:
    """Yield every mapping with named tensors, at any depth, with its key; items of lists are named by index."""
    seen = set() if seen is None else seen  # a mapping may occur repeatedly, even within itself
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
    """Return the integers named `version` in torch's `_metadata`, the only part used."""
    given = getattr(content, "__dict__", {}).get("_metadata", {})
    if not isinstance(given, dict):
        return {}
    pairs = [(name, entry.get("version")) for name, entry in dict.items(given) if isinstance(entry, dict)]
    return {str(name): {"version": version} for name, version in pairs if isinstance(version, int)}


def refuse_odd(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise `WeightsError` for sparse and quantised tensors, which no network here uses."""
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise WeightsError(f"{path}: expected plain tensors, {name} is {tensor.type()}")


_SHARDS = (".safetensors.index.json", ".bin.index.json")
_WHOLE = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def _of_folder(folder: Path) -> Path:
    """Return the weights file of a folder written by Hugging Face's libraries. Raises `WeightsError` without one."""
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
    """Read all tensors of the shards that `index` lists; each must be in the shard given by the index."""
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
