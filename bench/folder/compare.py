"""`bench compare`: compare models of a results folder in pairs, image by image, only under equal protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
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
from bench.folder.verdicts import MCE
from bench.known_models import SHORT
from bench.metrics.accuracy import correct
from bench.metrics.base import MissingConditionError
from bench.metrics.consistency import error_consistency
from bench.metrics.corruption import mce_per_image
from bench.metrics.estimate import Estimate
from bench.metrics.paired import compare, holm, mce_difference
from bench.metrics.ranks import paired_p
from bench.metrics.selection import rule_of
from bench.record import Cell, Protocol
from model_zoo.errors import suggestion

Cells = dict[str, Answers]
"""One model's cells by condition, with correctness of each image."""


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
    is_mce = found.table["condition"] == MCE
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
    for a, b in combinations(dict.fromkeys(names), 2):
        like = _like(cells[a], cells[b])
        if not like:
            refused[f"{a}, {b}"] = _why_not(cells[a], cells[b])
            continue
        if gaps := [p for name in like for cell in (cells[a][name], cells[b][name]) for p in cell.problems]:
            raise IncompleteError(f"{directory} is incomplete; repeat the command of the run: {gaps[0]}")
        rows = [*_rows(cells[a], cells[b], like), *_mce(cells[a], cells[b], like)]
        tables += [{"a": a, "b": b, **row} for row in rows]
        alike |= {(a, b, name): (cells[a][name].cell.id, cells[b][name].cell.id) for name in like}
    table = _Family(reader).corrected(pd.DataFrame(tables), cells) if tables else pd.DataFrame()
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

    def corrected(self, table: pd.DataFrame, cells: Mapping[str, Cells]) -> pd.DataFrame:
        """Return `table` with `p_holm` and the size of the `family`; `cells` are those of its models."""
        keys = [(row["condition"], row["protocol"], row["a"]) for row in table.to_dict("records")]
        raw: dict[tuple[str, str], pd.DataFrame] = {}
        for condition, protocol, model in keys:
            if (condition, protocol) not in raw:
                raw[condition, protocol] = self._p(condition, cells[model])
        together = [key for key in raw if key[0] != MCE and Condition.parse(key[0]).severity]
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
        alike = {} if condition == MCE else self._alike(mine[condition].cell)
        if any(rule_of(cell.cell.subset) for cell in alike.values()):
            return _anytime_p(alike)
        shares = self._mce(mine) if condition == MCE else self._shares(mine[condition].cell)
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
        """Return each image's share of mCE, by model."""
        wanted = [name for name in mine if Condition.parse(name).severity]
        by_condition = {name: self._alike(mine[name].cell) for name in wanted}
        everywhere = set.intersection(*(set(found) for found in by_condition.values()))
        shares = {
            m: mce_per_image({name: by_condition[name][m].records for name in wanted}) for m in sorted(everywhere)
        }
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


def _cells(reader: AnswersReader, model: str) -> Cells:
    """Return the model's cells by condition; of several, the one with the most images."""
    folder = reader.folder
    label = _which(folder, model)
    ids = [cell_id for cell_id, cell in folder.cells.items() if folder.label(cell) == label]
    ids.sort(key=lambda cell_id: folder.cells[cell_id].protocol.images)
    return {folder.cells[cell_id].protocol.condition: reader.load(cell_id) for cell_id in ids}


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


def _like(a: Cells, b: Cells) -> list[str]:
    return [name for name in a if name in b and a[name].cell.protocol == b[name].cell.protocol]


def _why_not(a: Cells, b: Cells) -> str:
    shared = [name for name in a if name in b]
    if not shared:
        return f"no condition in common ({', '.join(sorted(a)[:3])} against {', '.join(sorted(b)[:3])})"
    return "; ".join(_unlike(a[name].cell, b[name].cell) for name in shared[:3])


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


def _rows(a: Cells, b: Cells, like: Sequence[str]) -> list[dict[str, object]]:
    return [
        {
            "condition": name,
            **asdict(compare(a[name].records, b[name].records)),
            **_whenever(a[name], b[name]),
            "kappa": error_consistency(a[name].records, b[name].records).kappa,
            "protocol": a[name].cell.protocol.hash,
        }
        for name in like
    ]


def _whenever(a: Answers, b: Answers) -> dict[str, float]:
    """Return the interval and p for cells that a rule may have stopped; empty for others."""
    found = anytime_difference(a, b)
    return asdict(found) if found else {}


def _mce(a: Cells, b: Cells, like: Sequence[str]) -> list[dict[str, object]]:
    """Return the difference of mCE if both have all 75 conditions."""
    corrupted = [name for name in like if Condition.parse(name).severity]
    if any(rule_of(cells[name].cell.subset) for cells in (a, b) for name in corrupted):
        return []
    frames = [{name: cells[name].records for name in corrupted} for cells in (a, b)]
    try:
        found = mce_difference(*frames)
        shares = pd.concat([mce_per_image(each) for each in frames], axis=1)
    except MissingConditionError:
        return []
    interval = {key: getattr(found, key) / 100 for key in ("low", "high")}
    p = float(paired_p(shares.to_numpy(dtype=float))[0, 1])
    protocol = suite_protocol([a[name].cell.protocol for name in corrupted])
    return [{"condition": MCE, "difference": found.value / 100, **interval, "n": found.n, "p": p, "protocol": protocol}]
