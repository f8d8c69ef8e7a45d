"""Diagnostics of model variants, read from a results folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bench.condition import Condition
from bench.corruptions import NAMES
from bench.diagnostics.distances import log_variance_ratio, standardised_shift, symmetric_kl, wasserstein2
from bench.diagnostics.table import merged, values
from bench.errors import IncompleteError
from bench.folder.reader import LoadedCell, ResultsFolder
from model_zoo.registry import split_branch

SUITES = ("batchnorm", "smoothness", "margin")
QUANTITIES = {
    "shift": "|standardised mean shift|",
    "ratio": "log variance ratio",
    "kl": "symmetric KL (nats)",
    "w2": "W2 / standard deviation",
}


def label_of(condition: str) -> str:
    """Return a condition's label in figures: `clean`, `adversarial`, `adversarial via adv`, `fog`, `tiny-a`."""
    name = Condition.parse(condition)
    if name.attack:
        return f"adversarial via {name.attack.through}" if name.attack.through else "adversarial"
    elsewhere = name.probes == ("moments",) and not name.corruption  # the home set has more probes
    return name.corruption or (name.dataset if elsewhere else "clean")


@dataclass(frozen=True)
class Diagnosis:
    """Complete cells of one model variant, by suite and condition."""

    model: str
    cells: Mapping[str, Mapping[str, LoadedCell]]

    def records(self, suite: str) -> dict[str, pd.DataFrame]:
        """Return records by label."""
        return {label_of(name): cell.records for name, cell in self.cells.get(suite, {}).items()}

    @cached_property
    def moments(self) -> dict[str, pd.DataFrame]:
        """Channel moments by label, one row per layer and channel; clean first."""
        cells = {label_of(n): c for n, c in self.cells["batchnorm"].items() if c.measurements}
        found = {label: merged(cell.measurements).to_pandas() for label, cell in cells.items()}
        order = ["clean", *sorted(k for k in found if k.startswith("adv")), *NAMES]
        return {k: found[k] for k in sorted(found, key=lambda k: order.index(k) if k in order else len(order))}

    @property
    def stores(self) -> bool:
        """Whether the layers store statistics, with which observed ones are compared."""
        return bool(self.moments["clean"]["stored_variance"].notna().all())

    @property
    def images(self) -> int:
        """Number of images of the clean moments."""
        return int(self.moments["clean"]["images"].iloc[0])

    @property
    def branch(self) -> str:
        """Branch that predicts; empty without branches."""
        return split_branch(self.model).branch

    @cached_property
    def channels(self) -> pd.DataFrame:
        """Distances of each channel under each condition from the stored statistics, or, without any, from the clean
        images: columns label, depth, layer, channel, shift, ratio, kl, w2."""
        clean = self.moments["clean"]
        of = ("stored_mean", "stored_variance") if self.stores else ("mean", "variance")
        reference = (values(clean[of[0]]), values(clean[of[1]]), values(clean["eps"]))
        frames = [_quantities(frame, *reference).assign(label=label) for label, frame in self.moments.items()]
        return pd.concat(frames, ignore_index=True)


def _quantities(frame: pd.DataFrame, mean: np.ndarray, variance: np.ndarray, eps: np.ndarray) -> pd.DataFrame:
    own, spread = values(frame["mean"]), values(frame["variance"])
    return frame[["depth", "layer", "channel"]].assign(
        shift=standardised_shift(own, mean, variance, eps),
        ratio=log_variance_ratio(spread, variance, eps),
        kl=symmetric_kl(own, spread, mean, variance, eps),
        w2=wasserstein2(own, spread, mean, variance) / np.sqrt(variance + eps),
    )


def layer_curves(channels: pd.DataFrame, quantity: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each label's curves over depth: median, 10 % and 90 % quantile over channels (of |shift| for shifts)."""
    for label, rows in channels.groupby("label", sort=False):
        shown = rows[quantity].abs() if quantity == "shift" else rows[quantity]
        grouped = shown.groupby(rows["depth"])
        yield (
            str(label),
            pd.DataFrame({q: grouped.quantile(p) for q, p in (("low", 0.1), ("median", 0.5), ("high", 0.9))}),
        )


def read_diagnoses(folder: ResultsFolder) -> dict[str, Diagnosis]:
    """Return every model variant whose clean moments are complete, by name. Raises `IncompleteError` without any."""
    cells: dict[str, dict[str, dict[str, LoadedCell]]] = {}
    for wanted in folder.suite_runs():
        if wanted.suite in SUITES:
            there = {name: folder.load(key) for name, key in wanted.cells.items() if key in folder.cells}
            complete = {name: loaded for name, loaded in there.items() if loaded.complete}
            suites = cells.setdefault(wanted.model, {})
            suites[wanted.suite] = max(suites.get(wanted.suite, {}), complete, key=_size)
    found = {m: Diagnosis(m, suites) for m, suites in cells.items() if suites.get("batchnorm")}
    found = {m: d for m, d in found.items() if "clean" in d.moments}
    if not found:
        raise IncompleteError(
            f"{folder.store.address}: no diagnostics of any model are complete here; "
            "`bench run --suite batchnorm,smoothness,margin` measures them"
        )
    return found


def _size(cells: Mapping[str, LoadedCell]) -> tuple[int, int]:
    """Return the conditions and images of one run of a suite, which are compared with each other: never those of two
    runs, which may be of other images."""
    return len(cells), max((cell.cell.protocol.images for cell in cells.values()), default=0)
