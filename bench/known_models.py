"""`models/*.json` of a results folder: the identity of each of its models, so that one name can stand for several.

A cell's `fingerprint` is the exact hash of its model (`model_zoo.identity`). If two models of a folder have the same
hash but different outputs for a fixed probe, the second one gets a fingerprint of its own.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import NamedTuple, cast

from bench.record import digest
from bench.store import Store
from model_zoo.identity import Identity, alike
from model_zoo.schema import loads, parse

SHORT = 8
"""Hex digits of a fingerprint that are shown."""


@dataclass(frozen=True)
class KnownModel:
    """A model with records in a folder: its name, its identity, and its origin for display."""

    name: str
    fingerprint: str
    exact: str
    probe: tuple[float, ...] = ()
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Key of its object."""
        return f"models/{digest([self.name, self.fingerprint])}.json"


def recognise(name: str, found: Identity, origin: Mapping[str, str], known: Iterable[KnownModel]) -> KnownModel:
    """Return the model called `name`, with the fingerprint that it has in `known`, if any."""
    same = [model for model in known if model.exact == found.exact]
    for model in same:
        if not model.probe or not found.probe or alike(model.probe, found.probe):
            return KnownModel(name, model.fingerprint, found.exact, found.probe, origin)
    unlike = hashlib.sha256(f"{found.exact} {found.probe}".encode()).hexdigest()
    return KnownModel(name, unlike if same else found.exact, found.exact, found.probe, origin)


def put_known_model(store: Store, model: KnownModel) -> None:
    """Write the model's identity, unless it is stored already."""
    if model.key.rpartition("/")[2] not in store.names("models"):
        store.put(model.key, json.dumps(asdict(model), indent=1, sort_keys=True).encode())


def read_known_models(store: Store) -> list[KnownModel]:
    """Return all models of the folder; one with a damaged description is left out, as in folders of older versions."""
    found = []
    for name in store.names("models"):
        try:
            found.append(cast(KnownModel, parse(KnownModel, loads(store.get(f"models/{name}")), "model")))
        except ValueError:
            continue
    return found


class ModelKey(NamedTuple):
    """A model of a folder: its name, its identity, and its seed if there are several."""

    name: str
    fingerprint: str
    seed: int | None = None


def labels(models: Iterable[ModelKey], known: Iterable[KnownModel]) -> dict[ModelKey, str]:
    """Return the label of each: its name, and in brackets what distinguishes several models or seeds of one name."""
    by_name: dict[str, dict[str, list[ModelKey]]] = {}
    for key in dict.fromkeys(models):
        by_name.setdefault(key.name, {}).setdefault(key.fingerprint, []).append(key)
    origins = {(model.name, model.fingerprint): model.origin for model in known}
    found: dict[ModelKey, str] = {}
    for name, prints in by_name.items():
        told = _told([origins.get((name, each), {}) for each in prints])
        length = next(n for n in range(SHORT, 65) if n == 64 or len({p[:n] for p in prints}) == len(prints))
        for (each, keys), words in zip(prints.items(), told, strict=True):
            mark = [" ".join([*words, each[:length]])] if len(prints) > 1 else []
            for key in keys:
                marks = [*mark, *([f"seed {key.seed}"] if key.seed is not None else [])]
                found[key] = f"{name} [{', '.join(marks)}]" if marks else name
    return found


_MARK = re.compile(r" \[(?:[^\[\]]*[0-9a-f]{8,64}|seed [0-9]+)(?:, seed [0-9]+)?\]")


def name_of(label: str) -> str:
    """Return the model's name in a label, as used by its card and by published numbers."""
    found = None
    for found in _MARK.finditer(label):  # noqa: B007
        pass
    return label[: found.start()] if found and found.end() == len(label) else label


def _told(origins: list[Mapping[str, str]]) -> list[list[str]]:
    """Return what distinguishes the origins of models with one name: the file's name if that suffices, else its
    path."""
    words: list[list[str]] = [[] for _ in origins]
    for key in sorted({key for origin in origins for key in origin}):
        values = [origin.get(key, "") for origin in origins]
        if len(set(values)) == 1:
            continue
        names = [PurePath(value).name for value in values]
        shown = names if len(set(names)) == len(set(values)) else values
        for mine, value in zip(words, shown, strict=True):
            mine += [re.sub(r"[\[\]]", "_", value)] if value else []
    return words
