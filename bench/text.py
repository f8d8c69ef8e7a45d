"""Names from elsewhere, made harmless to show: on a terminal, in a page, in a table."""


def escape_unprintable(text: str) -> str:
    r"""`text` with everything that is not seen but does something written out, as Python writes it.

    Escape sequences (`\x1b`) drive a terminal, bidirectional overrides (`\u202e`) reverse the text that follows, NUL
    ends a string elsewhere. Line breaks and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 image`, `2 images`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def were(count: int, noun: str) -> str:
    """The same with its verb: `1 image was`, `2 images were`."""
    return f"{counted(count, noun)} {'was' if count == 1 else 'were'}"
