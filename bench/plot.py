"""Figures of a results folder as matplotlib objects, for notebooks and scripts.

Every figure of `bench list figures` is a function here, with underscores for hyphens:
``bench.plot.sat_activation_scatter("results/runs", models=["tiny_at", "tiny_sat_silu"])``. `scatter`, `curves` and
`heat_map` draw the charts of `bench report`. Nothing is written; use ``figure.savefig("one.pdf")``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.board.columns import CLEAN, DECIDING
from bench.board.leaderboard import leaderboard
from bench.board.site.charts import Curve
from bench.board.site.charts import curves as curves_of
from bench.board.text import doubt
from bench.errors import IncompleteError, UsageError
from bench.figures import corruptions, find_figures, list_figures, style
from bench.figures.measured import Numbers
from model_zoo.errors import suggestion
from model_zoo.traits import Traits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves", "figure", "heat_map", "scatter"]


def figure(
    name: str, directory: str | Path, *, models: Sequence[str] = (), traits: Mapping[str, Traits] | None = None
) -> "Figure":
    """Draw the figure `name` of `bench list figures`: measured numbers of the results folder beside published ones.

    models: draw only these; traits: traits of models without a card. Raises `UsageError` for an unknown name,
    `StoreError` for a folder without results, and `NotMeasuredError` with the command that measures.
    """
    (spec,) = find_figures([name])
    with style.styled():
        return _for_notebooks(spec.draw(spec, Numbers(directory, models, traits)))


def _mark(axes: "Axes", row: Mapping[Any, Any], x: str, y: str, index: int) -> None:
    """Draw one model's mark, with the intervals of both columns; its name says where a number is not reliable."""
    spread = [style.errors([row[name]], [(row[f"{name}_low"], row[f"{name}_high"])]) for name in (x, y)]
    axes.errorbar(
        [row[x]],
        [row[y]],
        xerr=spread[0],
        yerr=spread[1],
        label=style.plain(_doubted(str(row["model"]), [doubt(row, name) for name in (x, y)])),
        color=style.colour(index),
        marker=style.marker(index),
        linestyle="none",
        elinewidth=0.7,
    )


def _doubted(model: str, verdicts: Sequence[str]) -> str:
    """Return a model's name with the verdicts on its numbers that are not simply reliable."""
    told = dict.fromkeys(verdict for verdict in verdicts if verdict not in ("", "reliable"))
    return f"{model} ({', '.join(told)})" if told else model


def _for_notebooks(drawn: "Figure | None") -> "Figure":
    """Return the same figure in a form that a notebook displays as the value of a cell without pyplot."""

    assert drawn is not None, "axes that are drawn on belong to a figure"
    style.end_at_100(drawn)

    def picture() -> bytes:
        with BytesIO() as file, style.styled():
            drawn.savefig(file, format="png", dpi=120)
            return file.getvalue()

    setattr(drawn, "_repr_png_", picture)  # noqa: B010
    return drawn


def scatter(
    directory: str | Path,
    x: str | None = None,
    y: str | None = None,
    *,
    models: Sequence[str] = (),
    axes: "Axes | None" = None,
) -> "Axes":
    """Draw two columns of `bench.leaderboard` against each other, with 95 % intervals of both, one mark per model.

    x, y: numeric columns (`tiny_accuracy`, `pgd_robust_accuracy`, ...), by default the clean and the robust accuracy
    that most models have. axes: where to draw (default: a new figure). Raises `UsageError` for an unknown column or
    model, `IncompleteError` if no model has both.
    """
    board = leaderboard(directory)
    columns = [str(name) for name in board.columns if f"{name}_low" in board.columns]
    chosen = _shared(board, columns) if x is None or y is None else (x, y)
    x, y = x or chosen[0], y or chosen[1]
    for name in (x, y):
        if name not in columns:
            raise UsageError.unknown("column", name, columns)
    rows = _only(board, models).dropna(subset=[x, y])
    if rows.empty:
        raise IncompleteError(f"no model in {directory} has both {x} and {y}")
    with style.styled():
        axes = axes or style.panels(1, height=2.9, width=style.ONE_COLUMN * 1.3)[1][0]
        for index, row in enumerate(rows.to_dict("records")):
            _mark(axes, row, x, y, index)
        axes.set_xlabel(_titled(x))
        axes.set_ylabel(_titled(y))
        told = [_told(rows, name) for name in (x, y)]
        axes.set_title(told[0] if told[0] == told[1] else f"across: {told[0]}\nup: {told[1]}")
        style.legend(axes, columns=2)
    _for_notebooks(axes.get_figure(root=True))
    return axes


def _shared(board: pd.DataFrame, columns: Sequence[str]) -> tuple[str, str]:
    """Return the clean and the robust column that most models have both of."""
    clean = [c for suite in (*CLEAN, *DECIDING) for m in ("accuracy", "clean_accuracy") if (c := f"{suite}_{m}")]
    robust = [f"{suite}_robust_accuracy" for suite in DECIDING]
    pairs = [(a, b) for a in clean for b in robust if a in columns and b in columns]
    if not pairs:
        raise IncompleteError("no clean and robust accuracy was measured; choose x and y from " + ", ".join(columns))
    return max(pairs, key=lambda pair: len(board.dropna(subset=list(pair))))


def _titled(column: str) -> str:
    """Return a column's name with its unit, for an axis."""
    return f"{column.replace('_', ' ')}{' (%)' if 'accuracy' in column else ''}"


def _told(rows: pd.DataFrame, column: str) -> str:
    """Return a column's n and protocol."""
    n = sorted({int(value) for value in rows[f"{column}_n"]})
    images = f"n {n[0]}" if len(n) == 1 else f"n {n[0]} to {n[-1]}"
    return f"{images}, protocol {rows[f'{column}_protocol'].iloc[0]}"


def _only(frame: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Return the rows of `models`, or all rows."""
    known = [str(name) for name in frame["model"].unique()]
    for name in models:
        if name not in known:
            raise UsageError(f"no results of {name!r}{suggestion(name, known)}; measured are {', '.join(known)}")
    return frame[frame["model"].isin(list(models))] if models else frame


def curves(
    directory: str | Path,
    models: Sequence[str] = (),
    *,
    suite: str = "pgd",
    attack: str | None = None,
    axes: "Axes | None" = None,
) -> "Axes":
    """Draw accuracy against the attack's budget (`bench run --eps 2/255,4/255,8/255`), one line per model.

    suite: the suite with several budgets; attack: which one, if the suite has several. All points are of the same
    images: those that most models saw, then the most. Raises `UsageError` for an unknown model or attack,
    `IncompleteError` if no model was attacked with two budgets.
    """
    data = Numbers(directory)
    rows = data.budgets(suite, _only(data.frame, models)["model"])
    rows = rows[(rows["metric"] == "accuracy") & (rows["condition"] != "all")]
    found = {str(model): curves_of(part) for model, part in rows.groupby("model", sort=False)}
    attacks = list(dict.fromkeys(curve.attack for of_model in found.values() for curve in of_model))
    if not attacks:
        raise IncompleteError(f"{suite}: no attack at two budgets or more; next: bench run --suite {suite} --eps A,B,C")
    if attack is not None and attack not in attacks:
        raise UsageError.unknown("attack", attack, attacks)
    wanted = attack or attacks[0]
    with style.styled():
        axes = axes or style.panels(1, height=2.6)[1][0]
        drawn = [(model, curve) for model, of_model in found.items() for curve in of_model if curve.attack == wanted]
        for index, (model, curve) in enumerate(drawn):
            _draw_curve(axes, _doubted(model, list(rows[rows["model"] == model]["reliability"])), curve, index)
        axes.set_xlabel(f"eps ({drawn[0][1].unit}), {wanted}")
        axes.set_ylabel("accuracy (%)")
        axes.set_title(f"n {'; '.join(dict.fromkeys(curve.count for _, curve in drawn))}")
        style.legend(axes, columns=2)
    _for_notebooks(axes.get_figure(root=True))
    return axes


def _draw_curve(axes: "Axes", model: str, curve: Curve, index: int) -> None:
    points = [point for point in curve.points if math.isfinite(point.value)]
    ends = [(point.low, point.high) for point in points]
    style.measured(axes, [p.eps for p in points], [p.value for p in points], ends, label=model, index=index, line=True)


def heat_map(directory: str | Path, model: str, suite: str = "imagenet-c") -> "Figure":
    """Draw a model's top-1 error by corruption and severity, on one scale of 0..100 % so that figures can be compared.

    All errors are of one run: the one with most conditions, then most images. Raises `UsageError` for a model that was
    not measured, `IncompleteError` if it has no corrupted condition.
    """
    data = Numbers(directory)
    _only(data.frame, [model])
    return _for_notebooks(corruptions.heat_map(data.of_one_run(model, suite), model, suite))


def __getattr__(name: str) -> "Callable[..., Figure]":
    known = {found.replace("-", "_"): found for found in list_figures()}
    if name not in known:
        raise AttributeError(f"bench.plot has no figure {name!r}{suggestion(name, [*known, *__all__])}")

    def draw(
        directory: str | Path, *, models: Sequence[str] = (), traits: Mapping[str, Traits] | None = None
    ) -> "Figure":
        return figure(known[name], directory, models=models, traits=traits)

    (spec,) = find_figures([known[name]])
    draw.__name__ = draw.__qualname__ = name
    draw.__doc__ = f"{spec.title} (follows {spec.follows}). Measured by: bench run {spec.command}. See `figure`."
    return draw


def __dir__() -> list[str]:
    return [*__all__, *(name.replace("-", "_") for name in list_figures())]
