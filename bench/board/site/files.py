"""The site's files: pages in one frame, with style and script once beside them, or within each page."""

import base64
import hashlib
import json
import shlex
import zlib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from bench.board.site.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, kind_of, short
from bench.errors import UsageError
from bench.text import escape_unprintable

LARGE = 500_000
"""Characters of JSON from which on it is packed."""

HERE = Path(__file__).parent
STYLES = ("style.css",)
SCRIPTS = ("site.js", "table.js", "model.js", "compare.js")
STYLE, SCRIPT = "assets/site.css", "assets/site.js"
"""Where style and script stand in a site whose pages share them."""

MARK = '<meta name="generator" content="bench report">'
"""What tells a page of ours, which may be removed when its model is gone, from anybody else's file."""

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:"
"""What every page forbids: all that is not in it or in the site itself. `file:` is the site opened from a disk, where
not every browser takes `'self'` for it."""

SHARED = f"{NOTHING} 'self' file:; style-src 'self' file: 'unsafe-inline'; script-src 'self' file:"

LIVE = f"{SHARED}; connect-src 'self'"
"""The same for pages that a server of this machine makes anew, and that ask it whether it did."""


class SiteFiles:
    """Writes the pages of one site under `out`, and the style and script that they share."""

    def __init__(self, out: Path, frame: dict[str, Any], *, single_file: bool = False, live: bool = False) -> None:
        self.out, self.templates, self.written = out, environment(), list[Path]()
        self.pictures: set[Path] = set()
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
        self._put(path, self.templates.get_template(template).render(root=root, **self.frame, **values))
        self.written.append(self.out / path)

    def picture(self, path: str, data: bytes, *, page: str) -> str:
        """The address, seen from `page`, of a WebP picture: a file of the site, or the picture itself."""
        if not self.shared:
            return "data:image/webp;base64," + base64.b64encode(data).decode()
        self._put(path, data)
        self.pictures.add(self.out / path)
        return "../" * page.count("/") + path

    def finish(self) -> None:
        """Write what pages share, and remove what an earlier report left of models that are no longer there."""
        for path, text in self.shared.items():
            self._put(path, text)
        for page in (self.out / "models").glob("*.html"):
            if page not in self.written and MARK in page.read_text(encoding="utf-8", errors="replace")[:2000]:
                page.unlink()
        for picture in (self.out / "assets" / "figures").glob("*.webp"):
            if picture not in self.pictures:
                picture.unlink()

    def _put(self, path: str, content: str | bytes) -> None:
        target = self.out / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
        except OSError as error:
            raise UsageError(f"--out {self.out}: cannot write {target}: {error.strerror or error}") from error


def packed(data: Any) -> tuple[str, bool]:
    """JSON as it may stand in a page, and whether it is deflated and in base64, as what is large is."""
    text = htmlsafe_json_dumps(data)
    if len(text) < LARGE:
        return text, False
    return Markup(base64.b64encode(zlib.compress(json.dumps(data).encode(), 9)).decode()), True


def _joined(names: tuple[str, ...]) -> str:
    return "".join((HERE / name).read_text(encoding="utf-8") for name in names)


def _shown(value: object) -> object:
    """What a template prints; markup of its own stays as it is."""
    return escape_unprintable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def environment() -> jinja2.Environment:
    """The templates, which print every text with what is not seen written out, and escaped for HTML."""
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
    templates.globals |= {"LEFT": LEFT, "RIGHT": RIGHT, "TOP": TOP, "BOTTOM": BOTTOM}
    return templates
