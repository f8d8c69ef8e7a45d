"""results/published.csv: what others published, a number a row, with one reader and one writer.

Rows with a `card` are that card's reported numbers, written by `make docs`; the others are kept by hand.
"""

import csv
import dataclasses
import functools
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.published.shipped import shipped
from model_zoo.card import ModelCard
from model_zoo.reported import ReportedNumber
from model_zoo.schema import parse

NAMES = ("paper", "method", "model", "card", "figure", "x")
_MEASURED = ("suite", "protocol", "low", "high", "n")  # of numbers measured here, which are nobody else's
FIELDS = tuple(f.name for f in dataclasses.fields(ReportedNumber) if f.name not in _MEASURED)
"""Of a number that others published."""

COLUMNS = (*NAMES, *FIELDS)
_ORDER = ("metric", "value", "unit")  # the columns that people look for first
HEADER = (*NAMES, *_ORDER, *(name for name in FIELDS if name not in (*_ORDER, "source")), "source")

NOT_EVIDENCE = ("recollection", "derived")
"""Words by which a row says that it is nobody's published number."""


@dataclass(frozen=True)
class Published:
    """One number of somebody else's, of `model` as it is typed to `bench run` where it can be.

    paper, method: what the source calls them; card: the model card that reports it, where one does
    figure, x: the figure here that it is a point of, and where along the figure's axis it stands
    """

    model: str
    number: ReportedNumber
    paper: str = ""
    method: str = ""
    card: str = ""
    figure: str = ""
    x: str = ""

    @property
    def is_evidence(self) -> bool:
        """Whether nobody says that it is remembered, or derived from other numbers."""
        number = self.number
        text = f"{number.note} {number.source} {number.by}".casefold()
        return not any(word in text for word in NOT_EVIDENCE)


def read_rows(rows: Iterable[Mapping[str, str]]) -> Iterator[Published]:
    """Read rows as `csv.DictReader` gives them. Raises `SchemaError` or `CardError` naming the field."""
    for row in rows:
        cells = {name: text for name, text in row.items() if name in FIELDS and text}
        number = parse(ReportedNumber, {name: _typed(name, text) for name, text in cells.items()}, "row")
        found = Published(number=number, **{name: row.get(name) or "" for name in NAMES})
        if found.is_evidence:
            yield found


def _typed(name: str, text: str) -> Any:
    if name == "value":
        return float(text)
    if name in ("steps", "restarts"):
        return int(text)
    return {"true": True, "false": False}.get(text, text) if name == "targeted" else text


def write_rows(numbers: Iterable[Published]) -> str:
    """Write what `read_rows` reads, as CSV with a header."""
    file = io.StringIO()
    writer = csv.DictWriter(file, HEADER, lineterminator="\n")
    writer.writeheader()
    for published in numbers:
        values = dataclasses.asdict(published.number) | {name: getattr(published, name) for name in NAMES}
        writer.writerow({name: _shown(values[name]) for name in HEADER})
    return file.getvalue()


def _shown(value: Any) -> str:
    if value is None or (value in (0, "") and not isinstance(value, (bool, float))):
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def of_card(card: ModelCard) -> list[Published]:
    """What others published of a card's model: its reported numbers without those measured by this package."""
    found = [Published(card.name, n, card.paper, card.method, card.name) for n in card.reported if not n.suite]
    return [published for published in found if published.is_evidence]


@functools.cache
def published_table() -> tuple[Published, ...]:
    """Every row of results/published.csv; none where an installation lacks the file."""
    file = shipped("published.csv")
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return tuple(read_rows(csv.DictReader(io.StringIO(text))))
