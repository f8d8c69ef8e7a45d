"""`bench report`: render the pages and write them."""

import base64
import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bench.board.columns import deciding
from bench.board.leaderboard import make_board
from bench.board.site.charts import HEIGHT, WIDTH, kind_of, scatter, short
from bench.board.site.findings import findings, sentences
from bench.board.site.model_page import ModelPage, model_page
from bench.board.site.pairs import payload
from bench.board.site.thumbnails import worst_pictures
from bench.board.site.view import Head, Row, groups, heads, rows
from bench.datasets.table import DataRoots
from bench.errors import UsageError
from bench.folder.survey import survey
from bench.published.table import Published, published_table
from bench.text import escape_unprintable

HERE = Path(__file__).parent
SCRIPTS = ("site.js", "table.js")
MARK = '<meta name="generator" content="bench report">'
"""What tells a page of ours, which may be removed when its model is gone, from anybody else's file."""


@dataclass(frozen=True)
class SiteOptions:
    """What a report may contain besides the results. `thumbnails` pictures a model, read from `roots`."""

    title: str = "Robust ImageNet leaderboard"
    outside: Sequence[Published] = ()
    thumbnails: int = 0
    roots: DataRoots = field(default_factory=lambda: DataRoots({}))


def write_site(directory: str | Path, out: str | Path, options: SiteOptions | None = None) -> list[Path]:
    """Render the results folder `directory` into `out` and return the files written, the leaderboard first.

    Raises `StoreError` for a folder without results or with a damaged description, `UsageError` where `out` cannot be
    a folder.
    """
    options = options or SiteOptions()
    board = make_board(survey(directory), options.outside)
    columns = heads(board)
    models = rows(board, columns)
    pages = _model_pages(board, columns, models)
    frame = {"title": options.title, "made": datetime.now(UTC), "folder": Path(directory).name}
    site = _Site(Path(out), _environment(), frame | {"version": version("robust-imagenet-bench")})
    first = deciding(board.columns)
    common = {"heads": columns, "groups": groups(columns), "rows": models, "notes": board.notes, "first": first}
    site.write("index.html", "index.html", "", scatter=scatter(columns, models), **common)
    maps = {page.row.model: [s.heat for s in page.sections if s.heat and s.shown] for page in pages}
    data = payload(board.survey, columns, models, maps)
    site.write("compare.html", "compare.html", "", data=data, directory=Path(directory).name, **common)
    others = [*options.outside, *published_table()]
    site.write("published.html", "published.html", "", published=others, **common)
    told = sentences(board.survey.folder)
    for page in pages:
        worst = worst_pictures(board.survey, page.runs, options.roots, options.thumbnails)
        path = f"models/{page.row.page}.html"
        found = {"findings": findings(page.table), "sentences": told.get(page.row.model, [])}
        site.write(path, "model.html", "../", page=page, heads=columns, thumbnails=worst, **found)
    site.remove_stale()
    return site.written


def _model_pages(board: Any, columns: list[Head], models: list[Row]) -> list[ModelPage]:
    tables = dict(iter(board.survey.table.groupby("model")))
    empty = board.survey.table.iloc[:0]
    runs: dict[str, list[Any]] = {}
    for run in board.survey.runs:
        runs.setdefault(run.model, []).append(run)
    return [model_page(board, columns, row, tables.get(row.model, empty), runs.get(row.model, [])) for row in models]


class _Site:
    """Writes pages that share a frame: style, script, and a policy under which nothing else can run or load."""

    def __init__(self, out: Path, templates: jinja2.Environment, frame: dict[str, Any]) -> None:
        self.out, self.templates, self.written = out, templates, list[Path]()
        script = "".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        self.frame = frame | {
            "style": (HERE / "style.css").read_text(encoding="utf-8"),
            "script": script,
            "mark": MARK,
            "digest": digest,
        }

    def write(self, path: str, template: str, root: str, **values: Any) -> None:
        """Render `template` to `path`; `root` leads from there to the site's own."""
        target = self.out / path
        text = self.templates.get_template(template).render(root=root, **self.frame, **values)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", errors="replace")
        except OSError as error:
            raise UsageError(f"--out {self.out}: cannot write {target}: {error.strerror or error}") from error
        self.written.append(target)

    def remove_stale(self) -> None:
        """Pages of an earlier report whose model is no longer there."""
        for page in (self.out / "models").glob("*.html"):
            if page not in self.written and MARK in page.read_text(encoding="utf-8", errors="replace")[:2000]:
                page.unlink()


def _shown(value: object) -> object:
    """What a template prints; markup of its own stays as it is."""
    return escape_unprintable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    templates.filters["quoted"] = shlex.quote
    templates.filters["short"] = short
    templates.globals |= {"kind_of": kind_of, "WIDTH": WIDTH, "HEIGHT": HEIGHT}
    return templates
