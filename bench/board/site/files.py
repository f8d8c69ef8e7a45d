"""The site's files: pages with one frame, with style and script beside them, or within each page."""

import base64
import hashlib
import io
import json
import os
import secrets
import shlex
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from PIL import Image
from PIL.ExifTags import Base

from bench.board.site.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, kind_of, short
from bench.errors import UsageError
from bench.rounding import decimal
from bench.text import counted, escape_unprintable

LARGE = 500_000
"""Minimum number of characters of JSON that is compressed."""

HERE = Path(__file__).parent
STYLES = ("style.css",)
SCRIPTS = ("site.js", "table.js", "model.js", "compare.js")
STYLE, SCRIPT = "assets/site.css", "assets/site.js"
"""Path of style and script in a site with shared files."""

MARK = '<meta name="generator" content="bench report">'
"""Mark of the site's own pages, which may be removed when their model is gone."""

SHARED_MARK = "/* Made by bench report. */"
"""The mark in style and script."""

PICTURE_MARK = "Made by bench report."
"""The mark in an image, as its software."""

MARKS = tuple(mark.encode() for mark in (MARK, SHARED_MARK, PICTURE_MARK))

REMOVED = ("figures.html", "models/*.html", "assets/figures/*.webp", "assets/site.*")
"""Files that are removed if the site no longer has them, if they are the site's own."""

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:"
"""Content security policy of every page: only the page and the site itself. `file:` is a site opened from disk,
where not every browser accepts `'self'`."""

SHARED = f"{NOTHING} 'self' file:; style-src 'self' file: 'unsafe-inline'; script-src 'self' file:"

LIVE = f"{SHARED}; connect-src 'self'"
"""The policy of pages that a server on this machine rebuilds, and that ask it for changes."""


class SiteFiles:
    """The pages of one site, and their shared style, script and images, in memory until they are saved."""

    def __init__(self, frame: dict[str, Any], *, single_file: bool = False, live: bool = False) -> None:
        self.templates, self.pages, self.contents = environment(), list[str](), dict[str, bytes]()
        style, script = _joined(STYLES), _joined(SCRIPTS)
        self.frame: dict[str, Any] = frame | {
            "mark": MARK,
            "style": "",
            "script": "",
            "policy": LIVE if live else SHARED,
        }
        self.frame |= {"live": live, "version": version("robust-imagenet-bench"), "made": datetime.now(UTC)}
        self.shared = {} if single_file else {STYLE: style, SCRIPT: script + (_joined(("live.js",)) if live else "")}
        if single_file:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            policy = f"{NOTHING}; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
            self.frame |= {"style": style, "script": script, "policy": policy}

    def page(self, path: str, template: str, **values: Any) -> None:
        """Render `template` to `path`."""
        root = "../" * path.count("/")
        text = self.templates.get_template(template).render(root=root, **self.frame, **values)
        self.contents[path] = text.encode("utf-8", "replace")
        self.pages.append(path)

    def picture(self, path: str, data: bytes, *, page: str) -> str:
        """Return the address, seen from `page`, of a WebP image: a file of the site, or the image itself."""
        if not self.shared:
            return "data:image/webp;base64," + base64.b64encode(data).decode()
        self.contents[path] = data
        return "../" * page.count("/") + path

    def finished(self) -> dict[str, bytes]:
        """Every file of the site by its path."""
        return self.contents | {path: f"{SHARED_MARK}\n{text}".encode() for path, text in self.shared.items()}

    def save(self, out: Path) -> list[Path]:
        """Write the files under `out`, and remove an earlier report's files of models that are gone; return the
        pages. Raises `UsageError` if another file has the name of one of them."""
        files = self.finished()
        check_place(out, files)
        for path, content in files.items():
            _put(out, path, content)
        for old in (old for pattern in REMOVED for old in out.glob(pattern)):
            if old.relative_to(out).as_posix() not in files and old.is_file() and _may_be_replaced(old):
                old.unlink()
        return [out / path for path in self.pages]


def check_place(out: Path, files: Iterable[str]) -> None:
    """Raise `UsageError` if `out` is a file, or has another file with the name of one of `files`."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file; name a folder")
    if foreign := [path for path in files if not _may_be_replaced(out / path)]:
        more = f" and {counted(len(foreign) - 1, 'more file')}" if len(foreign) > 1 else ""
        raise UsageError(
            f"--out {out}: {foreign[0]}{more} was not made by `bench report` and is not replaced; move it away, or "
            "name another folder"
        )


def _may_be_replaced(path: Path) -> bool:
    """Return whether the path is free, or has a file with the site's mark."""
    if not os.path.lexists(path):
        return True
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        ends = [file.read(2000)]
        file.seek(max(0, path.stat().st_size - 2000))
        ends.append(file.read())
    return any(mark in end for mark in MARKS for end in ends)


def _put(out: Path, path: str, content: bytes) -> None:
    """Write a file atomically."""
    target = out / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
        try:
            part.write_bytes(content)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot write {target}: {error.strerror or error}") from error


def webp(picture: Image.Image) -> bytes:
    """Return an image as WebP with the site's mark."""
    told, buffer = Image.Exif(), io.BytesIO()
    told[Base.Software] = PICTURE_MARK
    picture.save(buffer, "WEBP", quality=80, exif=told.tobytes())
    return buffer.getvalue()


def packed(data: Any) -> tuple[str, bool]:
    """Return JSON that is safe in a page, and whether it is compressed (deflate, base64), as large data are."""
    text = htmlsafe_json_dumps(data)
    if len(text) < LARGE:
        return text, False
    return Markup(base64.b64encode(zlib.compress(json.dumps(data).encode(), 9)).decode()), True


def _joined(names: tuple[str, ...]) -> str:
    return "".join((HERE / name).read_text(encoding="utf-8") for name in names)


def _shown(value: object) -> object:
    """Return a value for a template; its own markup is unchanged."""
    return escape_unprintable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _command(text: str) -> Markup:
    """Return a command whose lines break between its words, not after a hyphen within one."""
    words = [Markup('<span class="w">{}</span>').format(escape_unprintable(word)) for word in text.split(" ")]
    return Markup(" ").join(words)


def environment() -> jinja2.Environment:
    """Return the templates, which escape invisible characters and HTML in every text."""
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
    templates.filters["command"] = _command
    templates.globals |= {"decimal": decimal, "kind_of": kind_of, "WIDTH": WIDTH, "HEIGHT": HEIGHT}
    templates.globals |= {"LEFT": LEFT, "RIGHT": RIGHT, "TOP": TOP, "BOTTOM": BOTTOM}
    return templates
