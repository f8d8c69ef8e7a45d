"""The per-image record, the cell it belongs to, and the protocol that makes two numbers comparable.

A *cell* is one model variant under one condition on one data set with one seed: the smallest unit with an accuracy.
Its records are stored in *parts*, one object per unit of work (`bench.parts`). The hash of the `Cell` value names its
folder: whatever would change a record changes the name.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

import pyarrow as pa

from bench.condition import Condition
from model_zoo.schema import SchemaError, loads, parse

RECORD_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("label", pa.int32(), nullable=False),
        pa.field("prediction", pa.int32()),
        pa.field("scored", pa.bool_(), nullable=False),
        pa.field("confidence", pa.float32()),
        pa.field("margin", pa.float32()),
        pa.field("reason", pa.string()),
    ]
)
"""Columns of every record.

`label` and `prediction` are class indices of the data set's label space; `confidence` is the softmax probability of the
prediction; `margin` is the label's logit minus the largest other logit (negative when misclassified). An image that
could not be read has `scored` false, nulls, and the `reason`; it is counted in `unscored`, but in no n.
"""

ATTACK_FIELDS = (pa.field("broken_by", pa.string()), pa.field("steps", pa.int32()), pa.field("distance", pa.float32()))
"""Columns of an attack: the component that broke the image (`clean` if it was already misclassified, null if it
survives), the steps until then, and the norm of the perturbation in the attack's norm, on images in [0, 1]."""


SPACE_FIELDS = (pa.field("prediction_all", pa.int32()),)
"""Column of a label space with some of a model's classes: the prediction among all of the model's classes."""


RANK_FIELDS = tuple(pa.field(f"prediction_{place}", pa.int32()) for place in (2, 3, 4, 5))
"""Column of a ranked set: the classes after the prediction, by decreasing logit."""


CONTENT_FIELD = pa.field("content", pa.string())
"""Column with the hash of the bytes that the image was read from (`bench.datasets.content`); null for a generated
set, whose manifest fixes every byte. Records of older versions do not have it."""

STATE = "state"
"""Metadata key of a part: the state of its images' files when they were read."""


SAMPLE, SAMPLE_STATE = "sample", "sample_state"
"""Metadata keys of a part: the content of a few images of its set (`bench.sample`), and their files' state."""


_KNOWN = {field.name: field for field in (CONTENT_FIELD, *ATTACK_FIELDS, *SPACE_FIELDS, *RANK_FIELDS)}


def added_field(name: str) -> pa.Field:
    """Return the type of a column beyond `RECORD_SCHEMA`. A diagnostic's columns are classes (`prediction...`) or
    numbers."""
    return _KNOWN.get(name) or pa.field(name, pa.int32() if name.startswith("prediction") else pa.float32())


def record_fields(table: pa.Table) -> tuple[pa.Field, ...]:
    """Return the required fields of the columns of `table`, if they are records."""
    return _record_fields(tuple(table.column_names[len(RECORD_SCHEMA) :]))


@functools.lru_cache(maxsize=64)
def _record_fields(added: tuple[str, ...]) -> tuple[pa.Field, ...]:
    return (*RECORD_SCHEMA, *map(added_field, added))


def misfit(table: pa.Table, fields: Iterable[pa.Field]) -> str:
    """Return how the columns of `table` differ from `fields`; empty if they do not."""
    place = {name: i for i, name in enumerate(table.column_names)}
    if len(place) < table.num_columns:
        return "a column stands there twice"
    for expected in fields:
        if expected.name not in place:
            return f"no column {expected.name}"
        column = table.column(place[expected.name])
        if column.type != expected.type or (not expected.nullable and column.null_count):
            return f"column {expected.name} is {column.type}, {column.null_count} of it null, expected {expected}"
    try:
        table.validate(full=True)
    except pa.ArrowException as error:
        return str(error)
    return ""


def digest(value: Any, length: int = 16) -> str:
    """Return the first `length` hex digits of the SHA-256 of `value` as canonical JSON."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()[:length]


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


@dataclass(frozen=True)
class Protocol:
    """Everything that makes two numbers comparable; numbers of different protocols never share a column.

    `preprocessing` names the rule (`canonical`, or the card's own with its resolved values), not a model's size.
    `implementation` names the code that made the images or the attack, with its version. `content` is the hash of all
    images' content, known when all are measured (`with_content`); empty before, and for generated sets.
    """

    dataset: str
    manifest: str
    images: int
    labels: str
    condition: str
    preprocessing: str
    implementation: str = ""
    statistics: str = "running"
    precision: str = "float32"
    content: str = ""

    def __post_init__(self) -> None:
        if self.images < 0:
            raise SchemaError(f"a protocol has 0 images or more, found {self.images}")

    @functools.cached_property
    def hash(self) -> str:
        """Twelve hex digits, as shown in tables."""
        return digest(_told(self), 12)

    @functools.cached_property
    def listing(self) -> tuple[str, str]:
        """The manifest and the part of the set: two parts with one manifest, such as two severities in uncompressed
        files, are other images."""
        of = Condition.parse(self.condition)
        official = f"{of.corruption}/{of.severity}" if of.severity and not self.implementation else ""
        return self.manifest, official or of.split

    def with_content(self, contents: Sequence[str | None]) -> "Protocol":
        """Return the protocol with the content of its images, in the order of the data set."""
        content = digest(list(contents)) if any(contents) else ""
        return self if content == self.content else replace(self, content=content)


def _told(protocol: Protocol, *, content: bool = True) -> dict[str, Any]:
    """Return its fields, without `content` if that is empty, as in older versions, or not requested."""
    told = {name: getattr(protocol, name) for name in _PROTOCOL_FIELDS}
    if not (content and protocol.content):
        del told["content"]
    return told


_PROTOCOL_FIELDS = tuple(each.name for each in fields(Protocol))


@dataclass(frozen=True)
class Cell:
    """One model variant under one protocol with one seed; `fingerprint` identifies the model (`bench.known_models`)."""

    model: str
    fingerprint: str
    input: Mapping[str, Any]
    protocol: Protocol
    seed: int = 0
    subset: str = ""

    @property
    def id(self) -> str:
        """Name of the cell's folder in a results folder."""
        return digest({**vars(self), "protocol": _told(self.protocol, content=False)})

    def to_json(self) -> str:
        """Return the description stored beside the parts."""
        return json.dumps({**vars(self), "protocol": _told(self.protocol)}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Cell":
        """The inverse of `to_json`. Raises `ValueError` for any other text."""
        return cast(Cell, parse(cls, loads(text), "cell"))


@dataclass(frozen=True)
class UnitKey:
    """The images [start, stop) of a data set's order: the unit in which work is done, stored and repeated."""

    start: int
    stop: int


@dataclass
class RecordColumns:
    """Columns of one part in progress; `extra` holds the columns of the condition."""

    image_id: Sequence[str]
    label: Sequence[int]
    prediction: Sequence[int | None]
    confidence: Sequence[float | None]
    margin: Sequence[float | None]
    reason: Sequence[str | None]
    extra: dict[str, Sequence[Any]] = field(default_factory=dict)

    def table(self) -> pa.Table:
        """Convert to Arrow; an image with a `reason` is not scored."""
        columns = {
            "image_id": self.image_id,
            "label": self.label,
            "prediction": self.prediction,
            "scored": [reason is None for reason in self.reason],
            "confidence": self.confidence,
            "margin": self.margin,
            "reason": self.reason,
            **self.extra,
        }
        return pa.table(columns, schema=pa.schema([*RECORD_SCHEMA, *map(added_field, self.extra)]))
