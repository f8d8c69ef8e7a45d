"""The images on which the models of a column differ, for the comparison page."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.board.columns import shares_of
from bench.board.site.pictures import class_name, small_pictures
from bench.board.site.view import Head, Row, is_mean
from bench.datasets.table import DataRoots
from bench.folder.survey import Survey
from bench.metrics.ranks import is_binary
from bench.text import escape_unprintable

BITS = 2_000_000
"""Maximum number of predictions in the page."""

MOST = 5_000
"""Maximum number of images of a column."""

HALF = 0.5
"""A right image's share is above it."""

SEEN = 48
"""Maximum number of images of a column that are shown; others are listed by name."""


def differing(found: Survey, heads: Sequence[Head], rows: Sequence[Row], roots: DataRoots | None) -> dict[str, Any]:
    """Return by column the images on which its models differ, most disputed first, with the class of each, and by model
    which of them it classifies correctly, and which it scored if not all (bits, base64).

    roots: where images are read; None for names only.
    """
    room = min(MOST, BITS // max(1, len(rows) * len(heads)))
    made = {head.id: _column(found, head, rows, room, roots) for head in heads if is_mean(head)}
    return {name: column for name, column in made.items() if column}


def _column(found: Survey, head: Head, rows: Sequence[Row], room: int, roots: DataRoots | None) -> dict[str, Any]:
    shares = shares_of(found, head.column)
    if len(shares.columns) < 2 or not is_binary(shares.to_numpy()):
        return {}
    share = shares.mean(axis=1)
    apart = (share * (1 - share)).sort_values(ascending=False, kind="stable")
    chosen = shares.loc[apart.index[apart > 0][:room]]
    known = chosen.notna()
    gaps = known.columns[~known.all()]
    cell_id = found.cells[head.column.protocol][0]
    records, protocol = found.folder.load(cell_id).records, found.cell(cell_id).protocol
    labels = records.drop_duplicates("image_id").set_index("image_id")["label"].reindex(chosen.index)
    names = [str(name) for name in chosen.index]
    pictures = small_pictures(protocol.dataset, names[:SEEN], roots) if roots is not None else []
    return {
        "of": int((apart > 0).sum()),
        "ids": [escape_unprintable(name) for name in names],
        "classes": [escape_unprintable(class_name(protocol.labels, v)) if pd.notna(v) else "" for v in labels],
        "right": [_bits(chosen[row.model] > HALF) if row.model in chosen else None for row in rows],
        "scored": {i: _bits(known[row.model]) for i, row in enumerate(rows) if row.model in gaps},
        "pictures": pictures,
    }


def _bits(said: "pd.Series[bool]") -> str:
    return base64.b64encode(np.packbits(said.to_numpy()).tobytes()).decode()
