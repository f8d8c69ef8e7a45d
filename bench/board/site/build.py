"""`bench report`: render the pages and write them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.board.columns import deciding
from bench.board.leaderboard import make_board
from bench.board.site.charts import scatter
from bench.board.site.files import SiteFiles
from bench.board.site.findings import findings, sentences
from bench.board.site.model_page import ModelPage, model_page
from bench.board.site.pairs import payload
from bench.board.site.thumbnails import worst_pictures
from bench.board.site.view import Head, Row, groups, heads, rows
from bench.datasets.table import DataRoots
from bench.folder.survey import survey
from bench.published.table import Published, published_table


@dataclass(frozen=True)
class SiteOptions:
    """What a report may contain besides the results. `thumbnails` pictures a model, read from `roots`; `single_file`
    puts style and script into each page, so that one can be sent alone."""

    title: str = "Robust ImageNet leaderboard"
    outside: Sequence[Published] = ()
    thumbnails: int = 0
    roots: DataRoots = field(default_factory=lambda: DataRoots({}))
    single_file: bool = False


def write_site(directory: str | Path, out: str | Path, options: SiteOptions | None = None) -> list[Path]:
    """Render the results folder `directory` into `out` and return its pages, the leaderboard first.

    Raises `StoreError` for a folder without results or with a damaged description, `UsageError` where `out` cannot be
    a folder.
    """
    options = options or SiteOptions()
    board = make_board(survey(directory), options.outside)
    columns = heads(board)
    models = rows(board, columns)
    pages = _model_pages(board, columns, models)
    frame = {"title": options.title, "made": datetime.now(UTC), "folder": Path(directory).name}
    site = SiteFiles(Path(out), frame | {"version": version("robust-imagenet-bench")}, single_file=options.single_file)
    first = deciding(board.columns)
    common = {"heads": columns, "groups": groups(columns), "rows": models, "notes": board.notes, "first": first}
    site.page("index.html", "index.html", scatter=scatter(columns, models), **common)
    maps = {page.row.model: [s.heat for s in page.sections if s.heat and s.shown] for page in pages}
    data = payload(board.survey, columns, models, maps)
    site.page("compare.html", "compare.html", data=data, directory=Path(directory).name, **common)
    others = [*options.outside, *published_table()]
    site.page("published.html", "published.html", published=others, **common)
    told = sentences(board.survey.folder)
    for page in pages:
        worst = worst_pictures(board.survey, page.runs, options.roots, options.thumbnails)
        path = f"models/{page.row.page}.html"
        found = {"findings": findings(page.table), "sentences": told.get(page.row.model, [])}
        site.page(path, "model.html", page=page, heads=columns, thumbnails=worst, **found)
    site.finish()
    return site.written


def _model_pages(board: Any, columns: list[Head], models: list[Row]) -> list[ModelPage]:
    tables = dict(iter(board.survey.table.groupby("model")))
    empty = board.survey.table.iloc[:0]
    runs: dict[str, list[Any]] = {}
    for run in board.survey.runs:
        runs.setdefault(run.model, []).append(run)
    return [model_page(board, columns, row, tables.get(row.model, empty), runs.get(row.model, [])) for row in models]
