"""What a results folder holds, as figures ask for it: numbers by model, one condition and one protocol at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench.condition import AttackFields, Condition
from bench.folder.reader import ResultsFolder
from bench.folder.tables import results, suite_protocol
from bench.known_models import name_of
from bench.training.recipes import RECIPES, Recipe
from model_zoo.card import ModelCard
from model_zoo.registry import cards, split_branch


@dataclass(frozen=True)
class Number:
    """A value in percent (what is no share, in its own unit), with its 95 % interval and n."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Facts:
    """What a figure needs to know of a model: its card where it has one, and its recipe where it is tiny."""

    name: str
    branch: str
    card: ModelCard | None

    @classmethod
    def of(cls, name: str) -> "Facts":
        """Look up what is known of a measured model."""
        base, branch = split_branch(name_of(name))
        return cls(name, branch, cards().get(base))

    @property
    def method(self) -> str:
        """`intriguing`, `sat`, ...; empty where unknown."""
        return self.card.method if self.card else ""

    @property
    def recipe(self) -> Recipe | None:
        """How a tiny model was trained."""
        return RECIPES.get(str(self.card.training.get("recipe", ""))) if self.card else None

    @property
    def first_seed(self) -> bool:
        """Whether it is the first of its recipe's seeds, or has none."""
        return not self.card or self.card.training.get("seed", 0) == 0

    @property
    def depth(self) -> int | None:
        """Layers of weights in a tiny network; `[build] depth` of a larger one."""
        build = self.card.build if self.card else {}
        return 2 * sum(build["blocks"]) + 2 if "blocks" in build else build.get("depth")


@dataclass(frozen=True)
class Column:
    """The numbers of one metric under one protocol; `condition` is `all` for a suite's own metric."""

    suite: str
    condition: str
    metric: str
    protocol: str
    numbers: dict[str, Number]

    @property
    def dataset(self) -> str:
        """The data set of a condition; the suite's name for its own metrics."""
        return Condition.parse(self.condition).dataset if self.condition != "all" else self.suite

    @property
    def attack(self) -> AttackFields | None:
        """The attack, where there is one."""
        return None if self.condition == "all" else Condition.parse(self.condition).attack

    @property
    def family(self) -> str:
        """The attack's family; empty where there is none."""
        return self.attack.family if self.attack else ""

    @property
    def steps(self) -> int:
        """Steps of the attack; 0 where it has none."""
        return (self.attack.steps or 0) if self.attack else 0

    @property
    def n(self) -> int:
        """Images, of the model with fewest."""
        return min(number.n for number in self.numbers.values())

    def about(self) -> str:
        """Describe the column for a caption."""
        what = self.condition if self.condition != "all" else f"{self.suite} {self.metric}"
        return f"{what} (n {self.n}, protocol {self.protocol})"


class Numbers:
    """Reads a results folder once."""

    def __init__(self, directory: str | Path) -> None:
        self.address = str(directory)
        self.frame = results(directory)

    @cached_property
    def folder(self) -> ResultsFolder:
        """The same folder, for figures of single images."""
        return ResultsFolder(self.address)

    @cached_property
    def models(self) -> list[Facts]:
        """Every measured model by name, of the first seed."""
        every = (Facts.of(name) for name in sorted(set(self.frame["model"])))
        return [facts for facts in every if facts.first_seed]

    @cached_property
    def columns(self) -> list[Column]:
        """Every metric under every protocol."""
        frame = self.frame[(self.frame["condition"] == "all") | (self.frame["metric"] == "accuracy")]
        keys = ["suite", "condition", "metric", "protocol"]
        return [
            Column(str(suite), str(condition), str(metric), str(protocol), _numbers(rows))
            for (suite, condition, metric, protocol), rows in frame.groupby(keys, sort=False)
        ]

    def best(self, names: Iterable[str], wanted: Callable[[Column], bool]) -> Column | None:
        """Choose, of the wanted columns, the one with most of `names`, then most images, then most steps; cut to
        `names`.

        One column is one protocol: numbers of unlike protocols never meet in a figure.
        """
        asked = set(names)
        found = [c for c in self.columns if wanted(c) and asked & c.numbers.keys()]
        if not found:
            return None
        chosen = max(found, key=lambda c: (len(asked & c.numbers.keys()), c.n, c.steps))
        kept = {name: number for name, number in chosen.numbers.items() if name in asked}
        return Column(chosen.suite, chosen.condition, chosen.metric, chosen.protocol, kept)

    def frames(self, model: str, column: Column) -> dict[str, pd.DataFrame]:
        """The records behind a suite's own metric of one model, by condition."""
        for run in self.folder.suite_runs():
            cells = {name: self.folder.cells[key] for name, key in run.cells.items() if key in self.folder.cells}
            protocol = suite_protocol([cell.protocol for cell in cells.values()])
            if (run.model, run.suite, protocol) == (model, column.suite, column.protocol):
                return {name: self.folder.load(cell.id).records for name, cell in cells.items()}
        return {}

    def records(self, column: Column) -> dict[str, pd.DataFrame]:
        """The records behind a column of one condition, by model."""
        chosen = {
            label: cell_id
            for cell_id, c in self.folder.cells.items()
            if c.protocol.hash == column.protocol and (label := self.folder.label(c)) in column.numbers
        }
        return {model: self.folder.load(chosen[model]).records for model in sorted(chosen)}

    def clean(self, names: Iterable[str]) -> Column | None:
        """Clean accuracy on the models' home data set."""
        return self.best(names, lambda c: c.condition in ("tiny/clean", "imagenet/clean"))

    def robust(self, names: Iterable[str]) -> Column | None:
        """Accuracy under PGD (untargeted or not) of most steps."""
        return self.best(names, lambda c: c.family == "pgd" and c.attack is not None and not c.attack.through)

    def metric(self, names: Iterable[str], suites: Iterable[str], metric: str) -> Column | None:
        """A suite's own metric, of the first of `suites` that was measured."""
        found = (
            self.best(names, lambda c, s=suite: (c.suite, c.metric, c.condition) == (s, metric, "all"))  # type: ignore[misc]
            for suite in suites
        )
        return next((column for column in found if column), None)


def _numbers(rows: pd.DataFrame) -> dict[str, Number]:
    """Numbers by model; shares and their intervals become percent."""
    return {str(row["model"]): _number(row) for row in rows.drop_duplicates("model").to_dict("records")}


def _number(row: dict[Any, Any]) -> Number:
    scale = 100 if row["unit"] == "share" else 1
    value, low, high = (float(row[key]) * scale for key in ("value", "low", "high"))
    return Number(value, low, high, int(row["n"]))
