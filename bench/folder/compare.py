"""`bench compare`: compare models of a results folder in pairs, image by image, only under equal protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from bench.condition import Condition
from bench.errors import IncompleteError, UsageError
from bench.folder.answers import Answers, AnswersReader
from bench.folder.anytime import anytime_difference
from bench.folder.pairs import Pairs, PairsTable
from bench.folder.reader import ResultsFolder
from bench.folder.suites import suite_protocol
from bench.folder.verdicts import MCE, is_of_mce
from bench.known_models import SHORT
from bench.metrics.accuracy import correct
from bench.metrics.base import MissingConditionError
from bench.metrics.consistency import error_consistency
from bench.metrics.corruption import ALEXNET_ERROR, mce_per_image
from bench.metrics.estimate import Estimate
from bench.metrics.paired import compare, holm, mce_difference
from bench.metrics.ranks import paired_p
from bench.metrics.selection import rule_of
from bench.record import Cell, Protocol
from model_zoo.errors import suggestion

Cells = dict[str, Answers]
"""One model's cells by condition, with correctness of each image."""

Choices = dict[str, list[Answers]]
"""All of a model's cells by condition, those of most images first."""


@dataclass(frozen=True)
class Comparison:
    """Two models: a row per common condition (`p_holm` over all rows), mCE's difference, images."""

    table: pd.DataFrame
    mce: Estimate | None
    images: pd.DataFrame


def compare_models(a: str, b: str, directory: str | Path) -> Comparison:
    """Compare models `a` and `b` in pairs from their records.

    Raises `UsageError` for an unknown model or if the two share no condition under one protocol (with the difference),
    `IncompleteError` for incomplete records.
    """
    found = compare_pairs(directory, [a, b])
    if found.refused:
        raise UsageError(f"{a} and {b} cannot be compared: {next(iter(found.refused.values()))}")
    is_mce = found.table["condition"].map(is_of_mce)
    mce = [
        Estimate(100 * row["difference"], 100 * row["low"], 100 * row["high"], row["n"])
        for row in found.table[is_mce].to_dict("records")
    ]
    return Comparison(found.table[~is_mce].reset_index(drop=True), mce[0] if mce else None, found.images)


def compare_pairs(directory: str | Path, models: Sequence[str] = ()) -> Pairs:
    """Compare every pair of `models` (default: all of the folder). Raises as `compare_models`, but returns refused
    pairs."""
    folder = ResultsFolder(str(directory))
    names = [_which(folder, model) for model in models] or sorted(set(folder.labels.values()))
    if len(set(names)) < 2:
        raise UsageError(f"{directory}: two models are needed to compare, found {', '.join(names) or 'none'}")
    reader = AnswersReader(folder)
    cells = {name: _cells(reader, name) for name in names}
    tables: list[dict[str, object]] = []
    alike: dict[tuple[str, str, str], tuple[str, str]] = {}
    refused: dict[str, str] = {}
    chosen: dict[tuple[object, object], Cells] = {}
    for a, b in combinations(dict.fromkeys(names), 2):
        mine, its = _like(cells[a], cells[b])
        if not mine:
            refused[f"{a}, {b}"] = _why_not(cells[a], cells[b])
            continue
        if gaps := [p for name in mine for cell in (mine[name], its[name]) for p in cell.problems]:
            raise IncompleteError(f"{directory} is incomplete; repeat the command of the run: {gaps[0]}")
        rows = [*_rows(mine, its), *_mce(mine, its)]
        tables += [{"a": a, "b": b, **row} for row in rows]
        chosen |= {(row["condition"], row["protocol"]): mine for row in rows}
        alike |= {(a, b, name): (mine[name].cell.id, its[name].cell.id) for name in mine}
    table = _Family(reader).corrected(pd.DataFrame(tables), chosen) if tables else pd.DataFrame()
    return Pairs(PairsTable(table), refused, folder, alike)


class _Family:
    """All comparable pairs of a folder's models, over which verdicts are corrected.

    Each condition, and mCE, is a family, as a leaderboard column is; the conditions of corruptions together are one
    family.
    """

    def __init__(self, reader: AnswersReader) -> None:
        self.reader = reader
        self._cells: dict[str, list[str]] = {}
        for cell_id, cell in reader.folder.cells.items():
            self._cells.setdefault(cell.protocol.condition, []).append(cell_id)

    def corrected(self, table: pd.DataFrame, cells: Mapping[tuple[object, object], Cells]) -> pd.DataFrame:
        """Return `table` with `p_holm` and the size of the `family`; `cells` are one model's for each condition and
        protocol."""
        raw = {(str(name), str(protocol)): self._p(str(name), mine) for (name, protocol), mine in cells.items()}
        together = [key for key in raw if not is_of_mce(key[0]) and Condition.parse(key[0]).severity]
        adjusted = _holm_together([raw[key] for key in together])
        found = dict(zip(together, adjusted, strict=True))
        found |= {key: _holm_together([p])[0] for key, p in raw.items() if key not in found}
        sizes = {key: _pairs([raw[k] for k in together] if key in together else [raw[key]]) for key in raw}
        rows = table.to_dict("records")
        return table.assign(
            p_holm=[_p_of(found[r["condition"], r["protocol"]], r["a"], r["b"]) for r in rows],
            family=[sizes[r["condition"], r["protocol"]] for r in rows],
        )

    def _p(self, condition: str, mine: Cells) -> pd.DataFrame:
        """Return p of all pairs of models under a condition, or of their mCE."""
        alike = {} if is_of_mce(condition) else self._alike(mine[condition].cell)
        if any(rule_of(cell.cell.subset) for cell in alike.values()):
            return _anytime_p(alike)
        shares = self._mce(_sources(mine)[condition]) if is_of_mce(condition) else self._shares(mine[condition].cell)
        names = list(shares.columns)
        return pd.DataFrame(paired_p(shares.to_numpy(dtype=float)), names, names)

    def _alike(self, cell: Cell) -> dict[str, Answers]:
        """Return every model's complete cell under the protocol of `cell`."""
        found = {}
        for cell_id in self._cells[cell.protocol.condition]:
            loaded = self.reader.load(cell_id)
            if loaded.complete and loaded.cell.protocol == cell.protocol:
                found[self.reader.folder.label(loaded.cell)] = loaded
        return found

    def _shares(self, cell: Cell) -> pd.DataFrame:
        """Return whether each image is correct, by model; NaN where it was not scored."""
        shares = pd.DataFrame({name: correct(one.records) for name, one in self._alike(cell).items()}).astype(float)
        return shares.dropna(axis="columns", how="all")

    def _mce(self, mine: Cells) -> pd.DataFrame:
        """Return each image's share of mCE under the conditions of `mine`, by model."""
        by_condition = {name: self._alike(one.cell) for name, one in mine.items()}
        everywhere = set.intersection(*(set(found) for found in by_condition.values()))
        shares = {m: mce_per_image({name: by_condition[name][m].records for name in mine}) for m in sorted(everywhere)}
        return pd.DataFrame(shares).dropna(axis="columns", how="all")


def _p_of(table: pd.DataFrame, a: str, b: str) -> float:
    """Return a pair's p; 1 if one of the two scored no image."""
    return cast(float, table.at[a, b]) if a in table.index and b in table.index else 1.0


def _anytime_p(alike: Cells) -> pd.DataFrame:
    """Return p of all pairs of models if a rule may have stopped some: each pair on its own images."""
    p = pd.DataFrame(1.0, list(alike), list(alike))
    for a, b in combinations(alike, 2):
        row = _whenever(alike[a], alike[b]) or {"p": compare(alike[a].records, alike[b].records).p}
        p.loc[a, b] = p.loc[b, a] = row["p"]
    return p


def _holm_together(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return symmetric tables of p, Holm-corrected over all pairs together."""
    corners = [np.triu_indices(len(table), 1) for table in tables]
    pairs = zip(tables, corners, strict=True)
    adjusted = holm(np.concatenate([np.empty(0), *(table.to_numpy()[corner] for table, corner in pairs)]))
    found, start = [], 0
    for table, corner in zip(tables, corners, strict=True):
        matrix = np.ones(table.shape)
        matrix[corner] = adjusted[start : start + len(corner[0])]
        start += len(corner[0])
        found.append(pd.DataFrame(np.minimum(matrix, matrix.T), table.index, table.columns))
    return found


def _pairs(tables: Sequence[pd.DataFrame]) -> int:
    return sum(len(table) * (len(table) - 1) // 2 for table in tables)


def _cells(reader: AnswersReader, model: str) -> Choices:
    """Return the model's cells by condition."""
    folder = reader.folder
    label = _which(folder, model)
    loaded = [reader.load(cell_id) for cell_id, cell in folder.cells.items() if folder.label(cell) == label]
    found: Choices = {}
    for one in sorted(loaded, key=lambda one: (-one.cell.protocol.images, one.cell.protocol.preprocessing)):
        found.setdefault(one.cell.protocol.condition, []).append(one)
    return found


def _which(folder: ResultsFolder, asked: str) -> str:
    """Return the model with this label, name, or hash. Raises `UsageError` if there is none or several."""
    held = sorted(set(folder.labels.values()))
    named = {label for key, label in folder.labels.items() if asked in (key.name, key.name.partition("?")[0])}
    hashed = {
        label for key, label in folder.labels.items() if len(asked) >= SHORT and key.fingerprint.startswith(asked)
    }
    found = sorted({asked} & set(held) or named or hashed)
    if not found:
        near = suggestion(asked, held)
        raise UsageError(f"no results of {asked!r} here{near}; the folder holds {', '.join(held) or 'no model'}")
    if len(found) > 1:
        raise UsageError(
            f"which {asked}? The folder holds {len(found)} models of that name: {', '.join(map(repr, found))}; "
            "name one in full"
        )
    return found[0]


def _like(a: Choices, b: Choices) -> tuple[Cells, Cells]:
    """Return the cells of each condition under one protocol, of several those of most images."""
    mine, its = Cells(), Cells()
    for name in a:
        pairs = [(x, y) for x in a[name] for y in b.get(name, ()) if x.cell.protocol == y.cell.protocol]
        if pairs:
            mine[name], its[name] = pairs[0]
    return mine, its


def _why_not(a: Choices, b: Choices) -> str:
    shared = [name for name in a if name in b]
    if not shared:
        return f"no condition in common ({', '.join(sorted(a)[:3])} against {', '.join(sorted(b)[:3])})"
    return "; ".join(_unlike(a[name][0].cell, b[name][0].cell) for name in shared[:3])


def _unlike(a: Cell, b: Cell) -> str:
    """Return how two cells of one condition differ: by their subset of one set, or by their protocols."""
    if a.subset == b.subset or a.protocol.dataset != b.protocol.dataset:
        return differing(a.protocol, b.protocol)
    told = [f"{cell.protocol.images} ({str(cell.subset) or 'the whole set'})" for cell in (a, b)]
    return f"under {a.protocol.condition} they were measured on other images: {told[0]} against {told[1]}"


def differing(a: Protocol, b: Protocol) -> str:
    """Return the fields in which two protocols of the same condition differ."""
    unlike = [f.name for f in fields(Protocol) if getattr(a, f.name) != getattr(b, f.name)]
    values = ", ".join(f"{name} {getattr(a, name)!r} against {getattr(b, name)!r}" for name in unlike)
    return f"under {a.condition} their protocols differ: {values}"


def _rows(a: Cells, b: Cells) -> list[dict[str, object]]:
    return [
        {
            "condition": name,
            **asdict(compare(a[name].records, b[name].records)),
            **_whenever(a[name], b[name]),
            "kappa": error_consistency(a[name].records, b[name].records).kappa,
            "protocol": a[name].cell.protocol.hash,
        }
        for name in a
    ]


def _whenever(a: Answers, b: Answers) -> dict[str, float]:
    """Return the interval and p for cells that a rule may have stopped; empty for others."""
    found = anytime_difference(a, b)
    return asdict(found) if found else {}


def _sources(cells: Cells) -> dict[str, Cells]:
    """Return the conditions of each mCE by its name: of the official files, or of corruptions computed from ImageNet's
    images, with or without JPEG. AlexNet's errors, which mCE divides by, are of ImageNet's classes and no attack."""
    found: dict[str, Cells] = {}
    for name, one in cells.items():
        of = Condition.parse(name)
        if of.corruption in ALEXNET_ERROR and not of.attack and one.cell.protocol.labels == "imagenet1k":
            source = str(replace(of, corruption="", severity=0, jpeg=None)).removesuffix("/clean")
            found.setdefault(f"{MCE} {source}" + (f" jpeg{of.jpeg}" if of.jpeg else ""), {})[name] = one
    return found


def _mce(a: Cells, b: Cells) -> list[dict[str, object]]:
    """Return the difference of each mCE of which both have all 75 conditions."""
    theirs = _sources(b)
    rows = [_mce_of(name, mine, theirs[name]) for name, mine in _sources(a).items()]
    return [row for row in rows if row]


def _mce_of(name: str, a: Cells, b: Cells) -> dict[str, object]:
    if any(rule_of(one.cell.subset) for cells in (a, b) for one in cells.values()):
        return {}
    frames = [{condition: one.records for condition, one in cells.items()} for cells in (a, b)]
    try:
        found = mce_difference(*frames)
        shares = pd.concat([mce_per_image(each) for each in frames], axis=1).dropna()
    except MissingConditionError:
        return {}
    interval = {key: getattr(found, key) / 100 for key in ("low", "high")}
    p = float(paired_p(shares.to_numpy(dtype=float))[0, 1])
    protocol = suite_protocol([one.cell.protocol for one in a.values()])
    return {"condition": name, "difference": found.value / 100, **interval, "n": found.n, "p": p, "protocol": protocol}
