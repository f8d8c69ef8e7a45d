"""Images that no number counts, with their reason: for the last lines of a run."""

import re
from collections.abc import Collection
from pathlib import Path

from bench.folder.reader import ResultsFolder
from bench.text import counted

_PLACE = re.compile(r"(?:: |^)\S*[/\\]\S*(?:: )?")
"""The file's path in a reason, which differs from image to image."""


def unscored(directory: str | Path, cells: Collection[str]) -> list[str]:
    """A line for each reason and data set: how many images are not scored, in how many cells, and the first of them."""
    folder = ResultsFolder(directory)
    images: dict[tuple[str, str], dict[str, str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for cell_id in sorted(set(cells) & folder.cells.keys()):
        loaded = folder.load(cell_id)
        if loaded.records.empty or loaded.records["scored"].all():
            continue
        lost = loaded.records[~loaded.records["scored"]]
        for kind, rows in lost.groupby(lost["reason"].fillna("").map(_kind)):
            key = (loaded.cell.protocol.dataset, str(kind))
            counts[key] = counts.get(key, 0) + 1
            images.setdefault(key, {}).update(zip(rows["image_id"], rows["reason"].fillna(""), strict=True))
    return [_line(*key, images[key], counts[key]) for key in sorted(images)]


def _kind(reason: str) -> str:
    return _PLACE.sub("", reason).strip() or reason


def _line(dataset: str, kind: str, images: dict[str, str], cells: int) -> str:
    first, reason = next(iter(images.items()))
    told = kind if kind == reason else f"{kind} ({reason})"
    where = f"{counted(len(images), 'image')} of {dataset}, in {counted(cells, 'cell')}"
    return f"not scored: {where}, {first} the first: {told}"
