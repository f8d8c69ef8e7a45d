"""Generated parts of pages, each between two markers."""

from collections.abc import Iterable

END = "<!-- end -->"


def between(text: str, begin: str, lines: Iterable[str], end: str = END) -> str:
    """Return `text` with the lines between its two markers replaced. Raises `ValueError` if a marker is missing."""
    head, first, rest = text.partition(begin)
    _, last, tail = rest.partition(end)
    if not (first and last):
        raise ValueError(f"the page has no part from {begin!r} to {end!r}")
    return "\n".join([f"{head}{begin}", *lines, f"{end}{tail}"])
