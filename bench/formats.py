"""Rows as CSV, TSV, JSON, Markdown and LaTeX, escaped so that no cell is executed or breaks its row."""

import argparse
import csv
import html
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import UsageError
from bench.options.values import listed
from bench.safe_csv import harmless
from bench.text import escape_unprintable
from model_zoo.errors import suggestion

FORMATS = ("table", "csv", "tsv", "json", "markdown", "latex")

Rows = Sequence[Mapping[str, Any]]

GREEK = 0x370
"""The first character that pdfLaTeX does not set in its usual fonts."""

_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for the format of a command's table."""
    add = parser.add_argument
    add("--format", choices=FORMATS, help="default: a table at a terminal, tab-separated rows in a pipe or file")
    add("--columns", metavar="NAME[,NAME]", help="show these columns")
    add("--wide", action="store_true", help="show every column of the table, however wide")


def render(rows: Rows, kind: str, caption: str = "") -> str:
    """Write `rows` as `kind` of `FORMATS` other than `table`; all have the keys of the first. `caption` is for
    LaTeX."""
    names = list(rows[0]) if rows else []
    values = [[_plain(row[name]) for name in names] for row in rows]
    if kind == "json":
        return json.dumps([dict(zip(names, row, strict=True)) for row in values], indent=1, default=str) + "\n"
    cells = [["" if value is None else value for value in row] for row in values]
    if kind in ("csv", "tsv"):
        return _separated([names, *cells], "," if kind == "csv" else "\t")
    texts = [[_one_line(str(value)) for value in row] for row in cells]
    return _markdown(names, texts) if kind == "markdown" else _latex(names, cells, caption)


def choose(names: Sequence[str], asked: str | None) -> list[str]:
    """Return the columns of `--columns`, or all. Raises `UsageError` with the nearest names."""
    chosen = listed(asked) or list(names)
    for name in chosen:
        if name not in names:
            raise UsageError(f"--columns: unknown column {name!r}{suggestion(name, names)}; known: {', '.join(names)}")
    return chosen


def _plain(value: Any) -> Any:
    """Return a value for JSON; None for a number that is not finite."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _one_line(text: str) -> str:
    return escape_unprintable(" ".join(text.split()))


def _separated(rows: Sequence[Sequence[Any]], separator: str) -> str:
    """Prefix text that a spreadsheet would evaluate with a quotation mark; replace tabs and line ends."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
    flat = _one_line if separator == "\t" else escape_unprintable
    writer.writerows([[harmless(flat(v) if isinstance(v, str) else v) for v in row] for row in rows])
    return stream.getvalue()


def _markdown(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(names), ["---"] * len(names), *rows]
    return "".join("| " + " | ".join(map(markdown_cell, line)) + " |\n" for line in lines)


def markdown_cell(text: str) -> str:
    """Escape what would end a Markdown row, or begin HTML or code."""
    escaped = html.escape(_one_line(text), quote=False).replace("&amp;", "&")
    return escaped.replace("|", "\\|").replace("`", "\\`")


def tex(text: str) -> str:
    """Escape text for LaTeX."""
    return "".join(_TEX.get(character, character) for character in _one_line(text))


def _latex(names: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> str:
    """Make a table with booktabs; numeric columns are siunitx's."""
    kinds = [
        "S" if rows and all(isinstance(row[i], int | float) and not isinstance(row[i], bool) for row in rows) else "l"
        for i in range(len(names))
    ]
    return latex_table(kinds, names, [[str(value) for value in row] for row in rows], caption)


def latex_table(kinds: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """Make a LaTeX table of text cells: `kinds` are the columns' letters (`S` for siunitx's numbers)."""
    head = [f"{{{tex(name)}}}" if kind.startswith("S") else tex(name) for kind, name in zip(kinds, names, strict=True)]
    latin = all(ord(letter) < GREEK for row in rows for cell in row for letter in cell)
    lines = [
        "% \\usepackage{booktabs,siunitx}",
        *([] if latin else ["% names in other scripts: LuaLaTeX or XeLaTeX, with a font that has them"]),
        "\\begin{table}",
        "\\centering",
        *([f"\\caption{{{tex(caption)}}}"] if caption else []),
        f"\\begin{{tabular}}{{{''.join(kinds)}}}",
        "\\toprule",
        " & ".join(head) + r" \\",
        "\\midrule",
        *(" & ".join(_tex_cell(k, cell) for k, cell in zip(kinds, row, strict=True)) + r" \\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _tex_cell(kind: str, cell: str) -> str:
    """Return a number as it is in a numeric column; anything else as text, protected from siunitx."""
    if not kind.startswith("S"):
        return tex(cell)
    return cell if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", cell) else f"{{{tex(cell)}}}" if cell else "{}"
