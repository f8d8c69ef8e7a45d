"""Shards that lie in one folder: which of them are the set, and whether any is missing."""

import re
from collections.abc import Sequence
from pathlib import Path

from bench.datasets.listing import LeftOut
from bench.naming import TEST, split_in

_OF = re.compile(r"(\d+)-of-(\d+)")


def of_validation(files: Sequence[Path], left: LeftOut) -> list[Path]:
    """The shards of the validation set: those that their names say are, or all where no name tells a split.

    Where training or test shards alone are there, those are taken, and `split_in` of any tells so. Others count as
    left out.
    """
    splits = [split_in(file.stem) for file in files]
    for wanted in ("validation", "", "training", TEST):
        if wanted in splits:
            chosen = [file for file, split in zip(files, splits, strict=True) if split == wanted]
            if others := [file.name for file in files if file not in chosen]:
                left.add("shards of another split", others[0], len(others))
            return chosen
    return []


def missing_shards(files: Sequence[Path]) -> str:
    """How many shards are missing by the numbers in their names (`-00000-of-00014`); empty where none is."""
    found = [(int(match[1]), int(match[2])) for file in files if (match := _OF.search(file.stem))]
    total = max((count for _, count in found), default=0)
    there = len({number for number, _ in found})
    return f"{there} of {total} shards" if found and there < total else ""
