"""CSV that a spreadsheet opens without running anything."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.text import escape_unprintable

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet compute a cell (OWASP, CSV injection), with the full-width forms it also takes."""


_SPLIT = re.compile(r"([;|\t\r\n])(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""A spreadsheet that takes another separator than the comma splits a cell here, and computes what follows."""


def to_csv(frame: "pd.DataFrame") -> str:
    """`frame` as CSV; a text that begins like a formula, or would where a spreadsheet splits it, gets a quotation mark
    before it; what is not seen is written out; numbers stay as they are."""
    safe = frame.rename(columns=harmless).map(harmless)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def write_file(path: str | Path, text: str) -> None:
    """Write a file that a user named, and its folder where there is none. Raises `UsageError` if that fails."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}; name another file") from error


def harmless(value: object) -> object:
    """`value`, kept from being computed by a spreadsheet if it is text."""
    if not isinstance(value, str):
        return value
    text = _SPLIT.sub(r"\1'", escape_unprintable(value))
    return f"'{text}" if text.startswith(FORMULA) else text
