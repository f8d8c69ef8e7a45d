"""Figures of corruptions: error by corruption and severity, and one image under all of them."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.condition import Condition
from bench.corruptions import EXTRA, NAMES, SEVERITIES, corrupt
from bench.datasets.base import Picture
from bench.errors import IncompleteError
from bench.rounding import decimal

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def error_table(frame: pd.DataFrame, model: str, suite: str) -> pd.DataFrame:
    """Return one model's error in percent, corruptions x severities, from a `results` frame; NaN where not measured.

    The frame is of one run. Raises `IncompleteError` if the model has no corrupted condition in `suite`.
    """
    rows = frame[(frame["model"] == model) & (frame["suite"] == suite) & (frame["metric"] == "accuracy")]
    rows = rows[rows["condition"] != "all"]
    table = pd.DataFrame(np.nan, index=pd.Index([*NAMES, *EXTRA]), columns=pd.Index(SEVERITIES))
    for condition, accuracy in zip(rows["condition"], rows["value"], strict=True):
        parsed = Condition.parse(condition)
        if parsed.corruption in table.index and not parsed.attack and not parsed.probes:
            table.loc[parsed.corruption, parsed.severity] = 100 * (1 - accuracy)
    table = table.dropna(how="all")
    if table.empty:
        raise IncompleteError(
            f"{model} has no corrupted condition in {suite}; `bench run --suite {suite}` measures them"
        )
    return table


def heat_map(frame: pd.DataFrame, model: str, suite: str = "imagenet-c") -> "Figure":
    """Draw error by corruption and severity from a `results` frame, on a fixed scale of 0..100 %."""
    from matplotlib.figure import Figure

    table = error_table(frame, model, suite)
    figure = Figure(figsize=(6, 0.36 * len(table) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(table.to_numpy(dtype=float), cmap="viridis", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(SEVERITIES)), [str(s) for s in SEVERITIES])
    axes.set_yticks(range(len(table)), [str(name).replace("_", " ") for name in table.index])
    axes.set_xlabel("severity")
    own = frame[(frame["model"] == model) & (frame["suite"] == suite) & (frame["condition"] != "all")]
    counts = sorted({int(n) for n in own["n"]})
    images = " to ".join(f"{n:,}" for n in (counts if len(counts) == 1 else (counts[0], counts[-1])))
    axes.set_title(f"{model}, {suite}: top-1 error in %, n {images}")
    for row, values in enumerate(table.to_numpy(dtype=float)):
        for column, value in enumerate(values):
            if np.isfinite(value):
                colour = "white" if value < 60 else "black"
                axes.text(column, row, f"{decimal(value, '.0f')}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, ax=axes, label="error (%)")
    return figure


def contact_sheet(picture: Picture, seed: int = 0) -> "Figure":
    """Draw `picture`, uint8 [h, w, 3], under all 19 corruptions (rows) at the five severities (columns)."""
    from matplotlib.figure import Figure

    names = (*NAMES, *EXTRA)
    figure = Figure(figsize=(6.4, 1.15 * len(names)), layout="constrained")
    for row, name in enumerate(names):
        for severity in SEVERITIES:
            axes = figure.add_subplot(len(names), len(SEVERITIES), row * len(SEVERITIES) + severity)
            axes.imshow(corrupt(picture, name, severity, seed))
            axes.set_xticks([])
            axes.set_yticks([])
            if severity == 1:
                axes.set_ylabel(name.replace("_", "\n"), fontsize=7)
            if row == 0:
                axes.set_title(str(severity), fontsize=8)
    return figure
