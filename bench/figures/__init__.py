"""The papers' comparison figures, redrawn from a results folder; one room per paper.

To add a figure, write its function under `@figure` in a file of its paper's room, and name a new file in the room's
`FIGURES`.
"""

import contextlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import IncompleteError, UsageError
from bench.figures import advprop, intriguing, nofrost, sat, style
from bench.figures.base import FigureSpec, NotMeasuredError
from bench.figures.corruptions import heat_map
from bench.figures.measured import Numbers
from bench.files import file_names
from bench.suites.diagnostics import SUITES as DIAGNOSTICS
from model_zoo.errors import CardError
from model_zoo.schema import parse
from model_zoo.traits import Traits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: tuple[FigureSpec, ...] = tuple(spec for paper in (intriguing, sat, advprop, nofrost) for spec in paper.FIGURES)


@dataclass(frozen=True)
class Written:
    """The written files; the figures that could not be drawn, each with the command that makes its measurements; and
    the models left out of a figure, because a field it needs is missing or their protocol differs."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]
    left_out: tuple[str, ...]


def write_figures(
    directory: str,
    out: Path,
    *,
    only: Sequence[str] = (),
    models: Sequence[str] = (),
    traits: Mapping[str, Traits] | None = None,
) -> Written:
    """Draw figures of the results folder into `out`, as PNG, SVG and PDF.

    only: names of the figures to draw; empty for all
    models: names of the models to draw; empty for all
    traits: traits of models by name, used before those of their cards

    Raises `StoreError` if the folder has no results, `UsageError` for an unknown name, and `NotMeasuredError` if a
    figure named in `only` cannot be drawn.
    """
    chosen = find_figures(only)
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file; name a folder")
    data = Numbers(directory, models, traits)
    out.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    missing: list[str] = []
    left_out: list[str] = []
    with style.styled():
        for spec in chosen:
            data.passed_over.clear()
            try:
                files += style.save(spec.draw(spec, data), out / spec.name)
                why = dict.fromkeys([*data.silent(spec.needs), *data.passed_over])
                left_out += [f"{spec.name}: {text}" for text in why]
            except NotMeasuredError as error:
                if only:
                    raise
                missing.append(str(error))
        for name, figure in heat_maps(data).items() if not only else ():
            files += style.save(figure, out / name)
    return Written(tuple(files), tuple(missing), tuple(left_out))


def find_figures(names: Sequence[str]) -> tuple[FigureSpec, ...]:
    """Return the figures with these names, or all if `names` is empty. Raises `UsageError` with the nearest names."""
    known = {spec.name: spec for spec in FIGURES}
    for name in names:
        if name not in known:
            raise UsageError.unknown("figure", name, known)
    return tuple(known[name] for name in names) or FIGURES


def read_traits(path: Path) -> dict[str, Traits]:
    """Read a TOML file of traits, one table per model. Raises `UsageError` naming the faulty key."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: parse(Traits, table, name) for name, table in tables.items()}
    except (OSError, ValueError, CardError) as error:
        raise UsageError(
            f'{path}: expected a table of traits for each model, such as ["timm:resnet50.a1_in1k"] with '
            f'images = ["clean"]; {error}'
        ) from None


def heat_maps(data: Numbers) -> dict[str, "Figure"]:
    """Return figures of error by corruption and severity, keyed by file name: one per model and suite with corruptions.

    Diagnostic suites are left out: they use one severity only.
    """
    found = {}
    own = data.frame[~data.frame["suite"].isin([suite.name for suite in DIAGNOSTICS])]
    names = file_names(own["model"].unique())
    for model, suite in own[["model", "suite"]].drop_duplicates().itertuples(index=False):
        with contextlib.suppress(IncompleteError):
            found[f"corruptions-{suite}-{names[model]}"] = heat_map(data.of_one_run(model, suite), model, suite)
    return found


def list_figures() -> list[str]:
    """Return the names of the papers' figures (`bench list figures`)."""
    return [spec.name for spec in FIGURES]
