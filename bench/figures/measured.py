"""A results folder as figures read it: numbers by model, for one metric, condition and protocol at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench.condition import AttackFields, Condition
from bench.errors import UsageError
from bench.figures.facts import Facts
from bench.folder.reader import LoadedCell, ResultsFolder
from bench.folder.suites import suite_protocol
from bench.folder.tables import read_whole
from bench.known_models import name_of
from bench.metrics.selection import rule_of
from model_zoo.errors import suggestion
from model_zoo.registry import split_branch
from model_zoo.traits import Traits

DOUBTED = ("unreliable", "doubtful")
"""Verdicts for which a caption names the models."""


@dataclass(frozen=True)
class Number:
    """A value with its 95 % interval and number of images n; shares are in percent, others in their own unit.

    reliability: the verdict on the value
    subset: the rule by which the images were chosen; empty for all images
    """

    value: float
    low: float
    high: float
    n: int
    reliability: str = ""
    subset: str = ""


@dataclass(frozen=True)
class Column:
    """The numbers of one metric under one protocol, by model; `condition` is `all` for a suite's own metric.

    pictures: hash of the images, their preparation and their labels
    made: the code that made the corruption or the attack, with its version; empty for clean images
    """

    suite: str
    condition: str
    metric: str
    protocol: str
    numbers: dict[str, Number]
    pictures: str = ""
    made: str = ""

    @property
    def dataset(self) -> str:
        """Data set of the condition; the suite's name for the suite's own metrics."""
        return Condition.parse(self.condition).dataset if self.condition != "all" else self.suite

    @property
    def attack(self) -> AttackFields | None:
        """Attack of the condition, or None."""
        return None if self.condition == "all" else Condition.parse(self.condition).attack

    @property
    def family(self) -> str:
        """Family of the attack; empty without attack."""
        return self.attack.family if self.attack else ""

    @property
    def clean(self) -> bool:
        """Whether the column has the predictions on the unchanged images of the whole set."""
        condition = None if self.condition == "all" else Condition.parse(self.condition)
        return condition is not None and condition.clean and not condition.probes and not condition.split

    @property
    def steps(self) -> int:
        """Steps of the attack; 0 if it has none."""
        return (self.attack.steps or 0) if self.attack else 0

    @property
    def n(self) -> int:
        """Smallest number of images of any model."""
        return min(number.n for number in self.numbers.values())

    def about(self) -> str:
        """Return the column's description for a caption."""
        what = self.condition if self.condition != "all" else f"{self.suite} {self.metric}"
        sizes = sorted({number.n for number in self.numbers.values()})
        count = f"n {sizes[0]}" if len(sizes) == 1 else f"n {sizes[0]} to {sizes[-1]}"
        rules = sorted({str(rule) for n in self.numbers.values() if (rule := rule_of(n.subset))})
        told = [count, *rules, f"protocol {self.protocol}", *self.doubts()]
        return f"{what} ({', '.join(told)})"

    def doubts(self) -> list[str]:
        """Return the models of doubtful and unreliable numbers: `unreliable: lab_a, lab_b`."""
        levels = {level: [m for m, n in self.numbers.items() if n.reliability == level] for level in DOUBTED}
        return [f"{level}: {', '.join(sorted(names))}" for level, names in levels.items() if names]


class Numbers:
    """The numbers of a results folder, which is read once.

    models: names of the models to draw; empty for all
    read: the folder and its table (`bench.results`) if they were read already, as for the pages of a site
    measured_only: whether to leave out figures with published numbers only, as on those pages
    passed_over: models that `best` left out since the list was last emptied, each with the reason
    traits: traits of models by name, used before those of their cards
    """

    def __init__(
        self,
        directory: str | Path,
        models: Iterable[str] = (),
        traits: Mapping[str, Traits] | None = None,
        read: tuple[ResultsFolder, pd.DataFrame] | None = None,
    ) -> None:
        self.address = str(directory)
        self.folder, self.frame = read or read_whole(directory)
        self.measured_only = read is not None
        self.asked = tuple(models)
        self.given = traits or {}
        self.passed_over: list[str] = []
        measured = set(self.frame["model"])
        for name in (*self.asked, *self.given):
            if name not in measured and not any(name in _names(m) for m in measured):
                raise UsageError(
                    f"no results of {name!r} in {directory}{suggestion(name, measured)}; "
                    f"measured are {', '.join(sorted(measured))}"
                )

    @cached_property
    def models(self) -> list[Facts]:
        """The requested models, or every measured model with the lowest measured seed of its training; by name."""
        about = {run.model: run.about for run in self.folder.suite_runs()}
        names = sorted(name for name in set(self.frame["model"]) if self._asked(name))
        every = [Facts.of(name, about.get(name), self._given(name)) for name in names]
        return every if self.asked else [facts for facts in every if not _later_seed(facts, every)]

    def _asked(self, name: str) -> bool:
        return not self.asked or bool(_names(name) & set(self.asked))

    def _given(self, name: str) -> Traits | None:
        return next(
            (self.given[told] for told in sorted(_names(name), key=len, reverse=True) if told in self.given), None
        )

    def told(self, needs: Sequence[str]) -> list[Facts]:
        """Return the models for which every field in `needs` is known."""
        return [facts for facts in self.models if not facts.lacks(needs)]

    def silent(self, needs: Sequence[str]) -> list[str]:
        """Return the missing fields of each model: `timm:resnet50.a1_in1k says no images`."""
        found = ((facts.name, facts.lacks(needs)) for facts in self.models)
        return [f"{name} says no {', '.join(fields)}" for name, fields in found if fields]

    @cached_property
    def columns(self) -> list[Column]:
        """One column per metric, condition and protocol."""
        frame = self.frame[(self.frame["condition"] == "all") | (self.frame["metric"] == "accuracy")]
        frame = frame[(frame["n"] > 0) & frame["value"].notna()]
        keys = ["suite", "condition", "metric", "protocol"]
        return [
            Column(suite, condition, metric, protocol, _numbers(rows), *self._shown.get(protocol, ("", "")))
            for key, rows in frame.groupby(keys, sort=False)
            for suite, condition, metric, protocol in [map(str, key)]
        ]

    @cached_property
    def _shown(self) -> dict[str, tuple[str, str]]:
        """Protocol of a condition -> its `pictures`, equal for equal images, and what `made` its attack."""
        protocols = {cell.protocol.hash: cell.protocol for cell in self.folder.cells.values()}
        return {
            key: (replace(one, condition="", implementation="", precision="", content="").hash, one.implementation)
            for key, one in protocols.items()
        }

    def budgets(self, suite: str, models: Iterable[str]) -> pd.DataFrame:
        """Return the frame's rows of a suite's conditions for `models`, on one set of images and by one version of the
        attack: of several, those of most models, then most conditions, then most images."""
        columns = [c for c in self.columns if c.suite == suite and c.condition != "all"]
        asked = set(models)
        sets: dict[tuple[str, str], list[Column]] = {}
        for c in columns:
            if c.attack and asked & c.numbers.keys():
                sets.setdefault((c.pictures, c.made), []).append(c)

        def size(group: list[Column]) -> tuple[int, int, int]:
            return len(asked & set().union(*(c.numbers for c in group))), len(group), max(c.n for c in group)

        chosen = max(sets.values(), key=size, default=[])
        kept = {c.protocol for c in chosen}
        kept |= {c.protocol for c in columns if not c.attack and chosen and c.pictures == chosen[0].pictures}
        frame = self.frame
        return frame[(frame["suite"] == suite) & frame["model"].isin(list(asked)) & frame["protocol"].isin(list(kept))]

    def of_one_run(self, model: str, suite: str) -> pd.DataFrame:
        """Return the frame's rows of one model in a suite from one run: of several, that with most conditions, then
        most images, since a mean or a map over several would be of unlike images."""
        frame = self.frame[(self.frame["model"] == model) & (self.frame["suite"] == suite)]
        runs = [run for run in self.folder.suite_runs() if (run.model, run.suite) == (model, suite)]
        hashes = [
            {self.folder.cells[c].protocol.hash for c in run.cells.values() if c in self.folder.cells} for run in runs
        ]
        found = [frame[(frame["condition"] != "all") & frame["protocol"].isin(list(each))] for each in hashes]
        return max(found, key=lambda rows: (len(rows), rows["n"].max()), default=frame[:0])

    def best(self, names: Iterable[str], wanted: Callable[[Column], bool]) -> Column | None:
        """Return the wanted column with most of `names`, then most images, then most steps; only `names` are kept.

        A column has one protocol, so numbers of different protocols never share a figure.
        """
        asked = set(names)
        found = [c for c in self.columns if wanted(c) and asked & c.numbers.keys()]
        if not found:
            return None
        chosen = max(found, key=lambda c: (len(asked & c.numbers.keys()), c.n, c.steps))
        elsewhere = {name for c in found for name in asked & c.numbers.keys()} - chosen.numbers.keys()
        self.passed_over += [f"{name} has no {chosen.about()}" for name in sorted(elsewhere)]
        return replace(chosen, numbers={name: n for name, n in chosen.numbers.items() if name in asked})

    def shared(self, names: Iterable[str], columns: Sequence[Column]) -> list[str]:
        """Return those of `names` that every column has, in order; the others are added to `passed_over`."""
        every = list(dict.fromkeys(names))
        gaps = [(name, column) for name in every for column in columns if name not in column.numbers]
        self.passed_over += [f"{name} has no {column.about()}" for name, column in gaps]
        return [name for name in every if name not in {name for name, _ in gaps}]

    def frames(self, model: str, column: Column) -> dict[str, pd.DataFrame]:
        """Return the records of a suite's own metric for one model, by condition."""
        return {name: loaded.records for name, loaded in self.cells(model, column).items()}

    def cells(self, model: str, column: Column) -> dict[str, LoadedCell]:
        """Return the cells of a suite's own metric for one model, by condition."""
        for run in self.folder.suite_runs():
            if (run.model, run.suite) != (model, column.suite):
                continue
            cells = {name: self.folder.load(key) for name, key in run.cells.items() if key in self.folder.cells}
            if suite_protocol([loaded.cell.protocol for loaded in cells.values()]) == column.protocol:
                return cells
        return {}

    def records(self, column: Column) -> dict[str, pd.DataFrame]:
        """Return the records of a column of one condition, by model."""
        found: dict[str, pd.DataFrame] = {}
        for cell_id, cell in sorted(self.folder.cells.items(), key=lambda item: self.folder.label(item[1])):
            if cell.protocol.condition == column.condition and (label := self.folder.label(cell)) in column.numbers:
                loaded = self.folder.load(cell_id)
                if loaded.cell.protocol.hash == column.protocol:
                    found[label] = loaded.records
        return found

    def clean(self, names: Iterable[str]) -> Column | None:
        """Return clean accuracy on the models' home data set or on a folder of images."""
        homes = {facts.dataset for facts in self.models} | {"imagenet", "tiny", "folder"}
        return self.best(names, lambda c: c.dataset in homes and c.clean)

    def robust(self, names: Iterable[str]) -> Column | None:
        """Return accuracy under PGD, targeted or not, with the most steps."""
        return self.best(names, lambda c: c.family == "pgd" and c.attack is not None and not c.attack.through)

    def both(self, names: Iterable[str]) -> "CleanAndRobust | None":
        """Return clean and robust accuracy of those of `names` that have both; None if none has."""
        every = list(names)
        clean, robust = self.clean(every), self.robust(every)
        if clean is None or robust is None or not (shared := self.shared(every, [clean, robust])):
            return None
        return CleanAndRobust(clean, robust, shared)

    def metric(self, names: Iterable[str], suites: Iterable[str], metric: str) -> Column | None:
        """Return a suite's own metric from the first of `suites` that was measured."""
        found = (
            self.best(names, lambda c, s=suite: (c.suite, c.metric, c.condition) == (s, metric, "all"))  # type: ignore[misc]
            for suite in suites
        )
        return next((column for column in found if column), None)


@dataclass(frozen=True)
class CleanAndRobust:
    """A clean and a robust column, and the names of the models in both."""

    clean: Column
    robust: Column
    names: list[str]

    @property
    def about(self) -> str:
        """Return the columns' description for a caption."""
        return f"Measured: {self.clean.about()} and {self.robust.about()}. "


def _later_seed(facts: Facts, every: Sequence[Facts]) -> bool:
    """Return whether `every` has a model of the same training with an earlier seed."""
    if not facts.traits.seed:
        return False

    def training(one: Facts) -> object:
        return one.method, one.branch, one.branches, replace(one.traits, seed=None, parent="")

    return any(
        one.traits.seed is not None and one.traits.seed < facts.traits.seed and training(one) == training(facts)
        for one in every
    )


def _names(label: str) -> set[str]:
    """Return the names of a model: its label in results, its name, and its name without the branch."""
    name = name_of(label)
    return {label, name, split_branch(name).base}


def _numbers(rows: pd.DataFrame) -> dict[str, Number]:
    """Return numbers by model; shares and their intervals become percent."""
    return {str(row["model"]): _number(row) for row in rows.drop_duplicates("model").to_dict("records")}


def _number(row: dict[Any, Any]) -> Number:
    scale = 100 if row["unit"] == "share" else 1
    value, low, high = (float(row[key]) * scale for key in ("value", "low", "high"))
    return Number(value, low, high, int(row["n"]), str(row["reliability"]), str(row["subset"]))
