"""Types and functions shared by all export forms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.errors import UsageError
from bench.folder.reader import ResultsFolder
from model_zoo.errors import suggestion


@dataclass(frozen=True)
class Exported:
    """The written files, and the missing or damaged parts of the results folder, which were left out."""

    files: tuple[Path, ...]
    problems: tuple[str, ...]


def chosen(table: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """Return `models`, or every model of a `bench.results` table. Raises `UsageError` for a model without results."""
    known = [str(name) for name in table["model"].unique()]
    for name in models:
        if name not in known:
            raise UsageError(f"no results of {name!r}{suggestion(name, known)}; measured are {', '.join(known)}")
    return list(models) or known


def not_exported(folder: ResultsFolder, table: pd.DataFrame) -> tuple[str, ...]:
    """What is missing or damaged, and which measured suites have no headline."""
    return (*folder.problems, *table.attrs["problems"], *table.attrs["unanswered"])
