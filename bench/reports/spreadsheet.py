"""CSV that a spreadsheet opens without running anything."""

import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet compute a cell (OWASP, CSV injection), with the full-width forms it also takes."""


def to_csv(frame: pd.DataFrame) -> str:
    """`frame` as CSV; a text that begins like a formula gets a quotation mark before it, numbers stay as they are."""
    safe = frame.rename(columns=_harmless).map(_harmless)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
