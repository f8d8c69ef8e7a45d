"""Reader and writer of results/published.csv: published numbers, one per row.

Rows with a `card` are that card's reported numbers, written by `make docs`; the others are edited by hand.
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
_ELSEWHERE = ("suite", "protocol", "low", "high", "n", "size")  # of numbers measured here, and of timm's files
FIELDS = tuple(f.name for f in dataclasses.fields(ReportedNumber) if f.name not in _ELSEWHERE)
"""Fields of a published number."""

COLUMNS = (*NAMES, *FIELDS)
_ORDER = ("metric", "value", "unit")  # first columns, for readers
HEADER = (*NAMES, *_ORDER, *(name for name in FIELDS if name not in (*_ORDER, "source")), "source")

NOT_EVIDENCE = ("recollection", "derived")
"""Words that mark a row as not published by anyone."""


@dataclass(frozen=True)
class Published:
    """One published number of `model`, named as for `bench run` if possible.

    paper, method: names used by the source; card: the model card that reports it, if any
    figure, x: our figure that shows it, and its position on the figure's x axis
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
        """Whether the number was published, not recollected or derived from others."""
        number = self.number
        text = f"{number.note} {number.source} {number.by}".casefold()
        return not any(word in text for word in NOT_EVIDENCE)


def read_rows(rows: Iterable[Mapping[str, str]]) -> Iterator[Published]:
    """Read rows from `csv.DictReader`. Raises `SchemaError` or `CardError` naming the field."""
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
    """Return the numbers as CSV with a header, readable by `read_rows`."""
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
    """Return the published numbers of a card's model: those reported, without those measured by this package."""
    found = [Published(card.name, n, card.paper, card.method, card.name) for n in card.reported if not n.suite]
    return [published for published in found if published.is_evidence]


@functools.cache
def published_table(*, of_zoos: bool = False) -> tuple[Published, ...]:
    """Return every row of results/published.csv, or those of other zoos' models alone (`timm:resnet50`); none if the
    installation lacks the file."""
    file = shipped("published.csv")
    rows = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8") if file.is_file() else ""))
    return tuple(read_rows(row for row in rows if ":" in row["model"] or not of_zoos))
