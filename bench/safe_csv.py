"""CSV that a spreadsheet can open safely: no cell is evaluated."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.text import escape_unprintable

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters that make a spreadsheet evaluate a cell (OWASP, CSV injection), with their full-width forms."""


_SPLIT = re.compile(r"([;|\t\r\n])(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Separators other than the comma at which a spreadsheet may split a cell and evaluate the rest."""


def to_csv(frame: "pd.DataFrame") -> str:
    """Return `frame` as CSV. A text that begins like a formula, or would after a split by a spreadsheet, gets a
    quotation mark in front; invisible characters are escaped; numbers are unchanged."""
    safe = frame.rename(columns=harmless).map(harmless)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def write_file(path: str | Path, text: str) -> None:
    """Write a file that a user named, and its folder if needed; an earlier table is replaced.

    Raises `UsageError` if that fails, or if the file exists and is not such a table.
    """
    target = Path(path)
    try:
        if target.is_file() and not text.encode().startswith(_beginning(target)):
            raise UsageError(f"{target} exists, is not a table of this command and is not replaced; name another file")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}; name another file") from error


def _beginning(file: Path, length: int = 5) -> bytes:
    """Return the first bytes of a file, which identify our tables: the first column's name, LaTeX's or Markdown's."""
    with file.open("rb") as stream:
        return stream.read(length)


def harmless(value: object) -> object:
    """Return `value`, protected from evaluation by a spreadsheet if it is text."""
    if not isinstance(value, str):
        return value
    text = _SPLIT.sub(r"\1'", escape_unprintable(value))
    return f"'{text}" if text.startswith(FORMULA) else text
