"""Rows as CSV, TSV, JSON, Markdown and LaTeX; nothing in a cell is run, or breaks the row, wherever it is opened."""

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
from bench.safe_csv import harmless
from bench.text import escape_unprintable
from model_zoo.errors import suggestion

FORMATS = ("table", "csv", "tsv", "json", "markdown", "latex")

Rows = Sequence[Mapping[str, Any]]

_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe how a command's table is shown."""
    add = parser.add_argument
    add("--format", choices=FORMATS, help="default: a table at a terminal, tab-separated rows in a pipe or file")
    add("--columns", metavar="NAME[,NAME]", help="show these columns")
    add("--wide", action="store_true", help="show every column of the table, however wide")


def render(rows: Rows, kind: str, caption: str = "") -> str:
    """Write `rows` as `kind` of `FORMATS` other than `table`; all have the keys of the first. `caption` is LaTeX's."""
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
    """The columns called in `--columns`, all where nothing is asked. Raises `UsageError` with the nearest names."""
    chosen = [name.strip() for name in asked.split(",")] if asked else list(names)
    for name in chosen:
        if name not in names:
            raise UsageError(f"--columns: unknown column {name!r}{suggestion(name, names)}; known: {', '.join(names)}")
    return chosen


def _plain(value: Any) -> Any:
    """A value as JSON has it; nothing for what is not a number."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _one_line(text: str) -> str:
    return escape_unprintable(" ".join(text.split()))


def _separated(rows: Sequence[Sequence[Any]], separator: str) -> str:
    """Text with a quotation mark before what a spreadsheet would compute; no cell holds a tab or a line's end."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
    flat = _one_line if separator == "\t" else escape_unprintable
    writer.writerows([[harmless(flat(v) if isinstance(v, str) else v) for v in row] for row in rows])
    return stream.getvalue()


def _markdown(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(names), ["---"] * len(names), *rows]
    return "".join("| " + " | ".join(map(markdown_cell, line)) + " |\n" for line in lines)


def markdown_cell(text: str) -> str:
    """Keep a cell from ending its row, and from beginning HTML or code."""
    escaped = html.escape(_one_line(text), quote=False).replace("&amp;", "&")
    return escaped.replace("|", "\\|").replace("`", "\\`")


def tex(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(_TEX.get(character, character) for character in _one_line(text))


def _latex(names: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> str:
    """A table with booktabs; columns of numbers are siunitx's."""
    kinds = [
        "S" if rows and all(isinstance(row[i], int | float) and not isinstance(row[i], bool) for row in rows) else "l"
        for i in range(len(names))
    ]
    return latex_table(kinds, names, [[str(value) for value in row] for row in rows], caption)


def latex_table(kinds: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A LaTeX table of text cells: `kinds` are the columns' letters (`S` for siunitx's numbers)."""
    head = [f"{{{tex(name)}}}" if kind.startswith("S") else tex(name) for kind, name in zip(kinds, names, strict=True)]
    lines = [
        "% \\usepackage{booktabs,siunitx}",
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
    """A number as it is where the column is one of numbers; anything else as text, hidden from siunitx."""
    if not kind.startswith("S"):
        return tex(cell)
    return cell if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", cell) else f"{{{tex(cell)}}}" if cell else "{}"
