"""`run.json`: a run's request, its resolved options and its origin; one record, one writer, one reader."""

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from bench.condition import Condition
from bench.errors import StoreError, UsageError
from bench.known_models import name_of
from bench.options import RunOptions
from bench.record import digest
from bench.store import Store
from model_zoo.card import ModelCard
from model_zoo.errors import CardError
from model_zoo.registry import cards, split_branch
from model_zoo.schema import SchemaError, loads, parse
from model_zoo.traits import NO_TRAITS, Traits

FORMAT = 1
"""Version of `run.json`."""

NAMES = ("models", "suites")
"""The request of a run besides its options; on the command line `--model` and `--suite`."""


SAID = ("traits", "branches", "extra_data", "dataset", "from_memory", "other_weights", "unverified", "files")
"""Fields that describe a model and change no number; they are not part of a run's id."""


@dataclass(frozen=True)
class RunModel:
    """A model of a run, with everything that a report shows without its card.

    traits: from the card, and from the network itself. `branches`, `extra_data` and `dataset` (the home data set) are
    the card's, which a reader of the folder may not have
    from_memory: a network of the caller's; other_weights: a card's network with weights that are not the card's. A card
    of its name then describes another network, and its method is not told
    unverified: whether no published hash tells the card's weights from others that fit the network
    files: name -> SHA-256, or empty, of the card's weights; a card of its name with other files is another lab's
    """

    fingerprint: str = ""
    method: str = ""
    architecture: str = ""
    parameters: int = 0
    input: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    traits: Traits = NO_TRAITS
    branches: tuple[str, ...] = ()
    extra_data: str = ""
    dataset: str = ""
    from_memory: bool = False
    other_weights: bool = False
    unverified: bool = False
    files: Mapping[str, str] = field(default_factory=dict)

    def card(self, label: str) -> ModelCard | None:
        """Return the card of the model that a report shows as `label`, if there is one."""
        return None if self.is_unlike_card(label) else cards().get(split_branch(name_of(label)).base)

    def is_unlike_card(self, label: str) -> bool:
        """Return whether a card of its name describes another network."""
        card = cards().get(split_branch(name_of(label)).base)
        other_files = bool(card and self.files) and not _same(self.files, files_of(card))
        return self.from_memory or self.other_weights or other_files

    def __post_init__(self) -> None:
        if not isinstance(self.input.get("size", 0), int):
            raise SchemaError(f"an input's size is a whole number, found {self.input['size']!r}")


def files_of(card: ModelCard | None) -> dict[str, str]:
    """Return the SHA-256 of a card's weights by name, empty where none is published."""
    return {file.name: file.sha256 for file in card.weights.files} if card else {}


def _same(some: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Return whether two cards' files may be the same: one name each, and hashes that agree as far as they go."""
    if some.keys() != others.keys():
        return False
    pairs = [(some[name], others[name]) for name in some]
    return all(a.startswith(b) or b.startswith(a) for a, b in pairs)


@dataclass(frozen=True, slots=True)  # a folder has one a cell
class RunEntry:
    """A line of a run's plan: a suite needs this condition of this model, which is this cell."""

    suite: str
    model: str
    condition: str
    cell: str
    images: int = 0
    unit_images: int = 0

    def __post_init__(self) -> None:
        Condition.parse(self.condition)


@dataclass(frozen=True)
class RunManifest:
    """A run: `given` is the request, `models` and `entries` its resolution, `suites` their versions. Besides the
    entries, numbers depend only on `protocol`, `seed`, `limit` and `precision`."""

    models: Mapping[str, RunModel]
    entries: tuple[RunEntry, ...]
    suites: Mapping[str, int] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    protocol: str = "canonical"
    seed: int = 0
    limit: int | None = None
    precision: str = "float32"
    environment: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if strangers := {entry.model for entry in self.entries} - self.models.keys():
            raise SchemaError(f"the model {min(strangers)!r} is not described")

    @property
    def id(self) -> str:
        """Identifier of the run, equal for equal plans, whatever the form of the request or the machine."""
        content = self._content()
        for model in content["models"].values():
            for told in SAID:
                del model[told]
        return digest({key: value for key, value in content.items() if key not in ("given", "environment")})

    @property
    def options(self) -> RunOptions | None:
        """The requested options; None if this version has other ones."""
        try:
            return RunOptions.of({name: value for name, value in self.given.items() if name not in NAMES})
        except UsageError:
            return None

    def to_json(self) -> str:
        """Text of `run.json`."""
        return json.dumps(self._content(), indent=1, sort_keys=True, default=str)

    @classmethod
    def from_json(cls, text: str | bytes) -> "RunManifest":
        """Read the output of `to_json`, ignoring additions of later versions. Raises `ValueError` for any other
        text."""
        data = loads(text)
        if isinstance(data, dict) and (found := data.get("format", FORMAT)) != FORMAT:
            raise OtherFormatError(
                f"written by another version of bench (format {found}; this one reads {FORMAT}); "
                "read it with the version that wrote it"
            )
        try:
            return cast(RunManifest, parse(cls, data, "run", strict=False))
        except CardError as error:
            raise ValueError(str(error)) from None

    def _content(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}


class OtherFormatError(ValueError):
    """A `run.json` of another format, not damaged."""


def put_manifest(store: Store, manifest: RunManifest) -> str:
    """Write `run.json` under the run's id, unless it exists; return the id."""
    if "run.json" not in store.names(f"runs/{manifest.id}"):
        store.put(f"runs/{manifest.id}/run.json", manifest.to_json().encode())
    return manifest.id


def read_manifest(store: Store, run: str) -> RunManifest:
    """Return the run called `run`. Raises `StoreError` if it is damaged or of another format."""
    key = f"runs/{run}/run.json"
    try:
        return RunManifest.from_json(store.get(key))
    except OtherFormatError as error:
        raise StoreError(f"{store.address}/{key}: {error}") from None
    except ValueError as error:
        raise StoreError(f"{store.address}/{key}: damaged ({error}); delete it and repeat the run's command") from None


def read_config(path: str | Path, told: Collection[str] = ()) -> dict[str, Any]:
    """Read the request in a TOML file or a `run.json`: `models`, `suites` (comma-separated or a list) and options by
    name.

    Raises `UsageError` for a file that cannot be read, and for an unknown option. A `file:` model in a `run.json` is
    refused unless `models` are `told` otherwise, since it would run code that somebody else may have named.
    """
    file = Path(path)
    try:
        content = file.read_text(encoding="utf-8")
        found = RunManifest.from_json(content).given if file.suffix == ".json" else tomllib.loads(content)
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {path}: cannot be read as TOML or as a run.json ({error})") from None
    given = {_name(name): value for name, value in found.items()}
    RunOptions.of({name: value for name, value in given.items() if name not in NAMES}, f"--config {path}: ")
    for name in NAMES:
        given[name] = _listed(given.get(name, []), f"--config {path}: {name}")
    own = [m for m in given["models"] if m.startswith("file:")]
    if file.suffix == ".json" and own and "models" not in told:
        raise UsageError(f"--config {path}: {own[0]} runs a file's code; if you trust it, name it: --model {own[0]}")
    return given


def _name(name: str) -> str:
    plain = name.replace("-", "_")
    return f"{plain}s" if plain in ("model", "suite") else plain


def _listed(value: Any, where: str) -> list[str]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise UsageError(f"{where}: expected a name or a list of names, found {value!r}")
    return list(items)
