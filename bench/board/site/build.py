"""`bench report`: render the pages and write them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.board.columns import deciding
from bench.board.leaderboard import Board, make_board
from bench.board.site.charts import scatter
from bench.board.site.differing import differing
from bench.board.site.files import SiteFiles, check_place, packed
from bench.board.site.findings import drawn, findings, read, sentences
from bench.board.site.links import links
from bench.board.site.model_page import ModelPage, model_page
from bench.board.site.pairs import payload
from bench.board.site.papers import paper_figures
from bench.board.site.pictures import attacked_pictures, kept_elsewhere, worst_pictures
from bench.board.site.view import Head, Row, groups, heads, rows
from bench.datasets.table import DataRoots
from bench.diagnosis.read import Diagnosis
from bench.errors import UsageError
from bench.folder.kept import KeptPictures
from bench.folder.survey import survey
from bench.published.table import Published, published_table


@dataclass(frozen=True)
class SiteOptions:
    """Optional contents of a report.

    `thumbnails` images per model, read from `roots`; `single_file` puts style and script into each page, so that one
    can be sent alone; `kept` is the folder of attacked images, None for the one that the runs used; `live` makes pages
    for `bench report --serve`; `figures` adds a page of the papers' figures.
    """

    title: str = "Robust ImageNet leaderboard"
    outside: Sequence[Published] = ()
    thumbnails: int = 0
    roots: DataRoots = field(default_factory=lambda: DataRoots({}))
    single_file: bool = False
    kept: KeptPictures | None = None
    live: bool = False
    figures: bool = False


def write_site(directory: str | Path, out: str | Path, options: SiteOptions | None = None) -> list[Path]:
    """Render the results folder `directory` into `out` and return its pages, the leaderboard first.

    Raises `StoreError` for a folder without results or with a damaged description, `UsageError` if `out` cannot be a
    folder, or contains another file with the name of one of the site's; then nothing is written.
    """
    place = Path(out)
    if place.resolve() == Path(directory).resolve():
        raise UsageError(f"--out {out}: is the results folder itself; name another folder")
    check_place(place, ["index.html"])  # which a long report should not find out at its end
    return render_site(directory, options or SiteOptions()).save(place)


def render_site(directory: str | Path, options: SiteOptions) -> SiteFiles:
    """Build the site in memory. Raises the errors of `write_site`."""
    board = make_board(survey(directory), options.outside)
    columns = heads(board)
    models = rows(board, columns)
    pages = _model_pages(board, columns, models)
    frame = {"title": options.title, "folder": Path(directory).name, "figures_page": options.figures}
    site = SiteFiles(frame, single_file=options.single_file, live=options.live)
    first = deciding(board.columns, board.frame)
    common = {"heads": columns, "groups": groups(columns), "rows": models, "notes": board.notes, "first": first}
    site.page("index.html", "index.html", scatter=scatter(columns, models), **common)
    maps = {page.row.model: [s.heat for s in page.sections if s.heat and s.shown] for page in pages}
    roots = options.roots if options.thumbnails else None
    data = payload(board.survey, columns, models, maps, differing(board.survey, columns, models, roots))
    site.page("compare.html", "compare.html", data=packed(data), directory=Path(directory).name, **common)
    others = [*options.outside, *published_table()]
    site.page("published.html", "published.html", published=others, **common)
    if options.figures:
        papers = paper_figures(board.survey, Path(directory).name)
        pictures = [
            (f, site.picture(f"assets/figures/{f.spec.name}.webp", f.data, page="figures.html")) for f in papers.drawn
        ]
        site.page("figures.html", "figures.html", papers=papers, pictures=pictures)
    diagnoses = read(board.survey.folder)
    for page in pages:
        _write_model(site, page, board, columns, diagnoses.get(page.row.model), options)
    return site


def _write_model(
    site: SiteFiles,
    page: ModelPage,
    board: Board,
    columns: list[Head],
    diagnosis: Diagnosis | None,
    options: SiteOptions,
) -> None:
    path, name = f"models/{page.row.page}.html", page.row.page
    figures = [
        (figure, site.picture(f"assets/figures/{name}-{figure.name}.webp", figure.data, page=path))
        for figure in (drawn(diagnosis) if diagnosis else ())
    ]
    attacked = attacked_pictures(board.survey, page.runs, options.kept, options.thumbnails)
    site.page(
        path,
        "model.html",
        page=page,
        heads=columns,
        links=links(page.card),
        findings=findings(page.table),
        sentences=sentences(diagnosis) if diagnosis else [],
        figures=figures,
        thumbnails=worst_pictures(board.survey, page.runs, options.roots, options.thumbnails),
        attacked=attacked,
        elsewhere="" if attacked or options.kept else kept_elsewhere(board.survey, page.runs),
    )


def _model_pages(board: Board, columns: list[Head], models: list[Row]) -> list[ModelPage]:
    tables = dict(iter(board.survey.table.groupby("model")))
    empty = board.survey.table.iloc[:0]
    runs: dict[str, list[Any]] = {}
    for run in board.survey.runs:
        runs.setdefault(run.model, []).append(run)
    return [model_page(board, columns, row, tables.get(row.model, empty), runs.get(row.model, [])) for row in models]
