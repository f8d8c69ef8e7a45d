"""What every form of export shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.errors import UsageError
from model_zoo.errors import suggestion


@dataclass(frozen=True)
class Exported:
    """The files that were written, and what is missing or damaged in the results folder and so stands in none."""

    files: tuple[Path, ...]
    problems: tuple[str, ...]


def chosen(table: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """`models`, or every model of a `bench.results` table. Raises `UsageError` for one that has no results."""
    known = [str(name) for name in table["model"].unique()]
    for name in models:
        if name not in known:
            raise UsageError(f"no results of {name!r}{suggestion(name, known)}; measured are {', '.join(known)}")
    return list(models) or known
