"""Names from elsewhere, made safe to show on a terminal, in a page or in a table."""

from collections.abc import Sequence


def escape_unprintable(text: str) -> str:
    r"""Return `text` with invisible active characters escaped as in Python.

    Escape sequences (`\x1b`) control a terminal, bidirectional overrides (`\u202e`) reverse the following text, NUL
    ends a string elsewhere. Line breaks and tabs are unchanged.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 image`, `2 images`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def were(count: int, noun: str) -> str:
    """Return the same with its verb: `1 image was`, `2 images were`."""
    return f"{counted(count, noun)} {'was' if count == 1 else 'were'}"


def first_of(lines: Sequence[str], most: int = 10) -> list[str]:
    """Return the first lines of a long list, and how many more there are."""
    return [*lines[:most], *([f"... and {len(lines) - most} more"] if len(lines) > most else [])]
