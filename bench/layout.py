"""Text tables that fit a width: columns are left out before names are wrapped, and names wrap at their parts."""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.cells import cell_len, chop_cells

GAP = "  "
NARROWEST = 8
"""Minimum width of a name's column."""

_PARTS = re.compile(r"[^/@:,+_\- ]*[/@:,+_\- ]?")


@dataclass(frozen=True)
class TextColumn:
    """A column: numbers are right-aligned and never cut. If there is no room the columns with the highest `spare`
    are left out first; with 0 never. A `heading` column then becomes a separate line above its rows, put together."""

    name: str
    right: bool = False
    spare: int = 0
    heading: bool = False


@dataclass(frozen=True)
class TextTable:
    """The lines of a table, and the names of the columns left out."""

    lines: tuple[str, ...]
    left_out: tuple[str, ...]


def lay_out(columns: Sequence[TextColumn], rows: Sequence[Sequence[str]], width: int | None = None) -> TextTable:
    """Lay out `rows`, a text for each of `columns`, in `width` columns of a terminal; None is no limit.

    Columns without any text are not shown. Lines are longer than `width` only if the numbers alone do not fit.
    """
    filled = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    widths = {i: _natural(columns[i], [row[i] for row in rows]) for i in filled}
    if width is not None:
        widths = _fitting(widths, columns, width)
    left_out = tuple(columns[i].name for i in filled if i not in widths)
    above = next((i for i in widths if columns[i].heading), None)
    if width is None or _total(widths.values()) <= width or len(widths) == 1:
        above = None
    elif above is not None:
        del widths[above]
        places: dict[str, int] = {}
        rows = sorted(rows, key=lambda row: places.setdefault(row[above], len(places)))
    if width is not None and _total(widths.values()) > width:
        _narrow(widths, columns, width)
    shown = list(widths)
    head = _row([wrap(columns[i].name, widths[i]) for i in shown], [False] * len(shown), list(widths.values()))
    rule = GAP.join("-" * widths[i] for i in shown)
    body: list[str] = []
    last = None
    for row in rows:
        if above is not None and row[above] != last:
            last = row[above]
            body += wrap(last, width or cell_len(last))
        cells, right = [_cell(row[i], widths[i]) for i in shown], [columns[i].right for i in shown]
        body += _row(cells, right, list(widths.values()))
    return TextTable((*head, rule, *body), left_out)


def _natural(column: TextColumn, cells: Sequence[str]) -> int:
    """Return the width without wrapping; the heading of a numeric column wraps at its parts."""
    head = max(map(cell_len, _PARTS.findall(column.name))) if column.right else cell_len(column.name)
    return max(head, *(cell_len(line) for cell in cells for line in cell.split("\n")))


def _fitting(widths: dict[int, int], columns: Sequence[TextColumn], width: int) -> dict[int, int]:
    """Return the widths of the columns to show: all that are never left out, and others that fit."""
    kept = {i for i in widths if not columns[i].spare}
    for i in sorted(widths.keys() - kept, key=lambda i: (columns[i].spare, i)):
        if _total(widths[k] for k in kept | {i}) <= width:
            kept.add(i)
    return {i: widths[i] for i in widths if i in kept}


def _total(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + len(GAP) * (len(found) - 1)


def _narrow(widths: dict[int, int], columns: Sequence[TextColumn], width: int) -> None:
    """Distribute the available width among the names: short ones keep theirs."""
    names = [i for i in widths if not columns[i].right]
    room = width - _total(w for i, w in widths.items() if i not in names) - len(GAP) * len(names)
    for done, i in enumerate(sorted(names, key=lambda i: widths[i])):
        widths[i] = min(widths[i], max(NARROWEST, room // (len(names) - done)))
        room -= widths[i]


def wrap(text: str, width: int) -> list[str]:
    """Return lines of at most `width`, broken after the parts of a name, and within a part only if it is too long."""
    lines = [""]
    for part in filter(None, _PARTS.findall(text)):
        if cell_len(lines[-1]) + cell_len(part.rstrip()) > width:
            lines.append("")
        pieces = chop_cells(part, width) if cell_len(part.rstrip()) > width else [part]
        lines[-1] += pieces[0]
        lines += pieces[1:]
    return [line.rstrip() for line in lines if line.strip()] or [""]


def _cell(text: str, width: int) -> list[str]:
    return [line for piece in text.split("\n") for line in wrap(piece, width)]


def _row(cells: Sequence[Sequence[str]], right: Sequence[bool], widths: Sequence[int]) -> list[str]:
    """Return one row of the table, with as many lines as its tallest cell."""
    lines = []
    for number in range(max(map(len, cells), default=0)):
        texts = [cell[number] if number < len(cell) else "" for cell in cells]
        padded = [
            " " * (width - cell_len(text)) + text if flush else text + " " * (width - cell_len(text))
            for text, flush, width in zip(texts, right, widths, strict=True)
        ]
        lines.append(GAP.join(padded).rstrip())
    return lines


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Return the width of the terminal that `stream` (default: the standard output) is; None if it is none."""
    return shutil.get_terminal_size().columns if (stream or sys.stdout).isatty() else None


def paragraph(text: str, indent: int = 0, stream: TextIO | None = None) -> str:
    """Wrap a sentence to the terminal's width between words, with later lines indented; unchanged in a pipe or file."""
    limit = terminal_width(stream)
    if limit is None:
        return text
    hanging = " " * indent
    lines = textwrap.wrap(
        text, limit, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False, expand_tabs=False
    )
    return "\n".join(lines)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print lines, each as a paragraph with its later lines two columns further in."""
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip()) + 2
        print(paragraph(line, indent, stream), file=stream or sys.stdout, flush=True)
