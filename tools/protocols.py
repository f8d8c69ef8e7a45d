"""Generator of the table of further sets in docs/protocols.md: `python -m tools.protocols`."""

from collections.abc import Iterator
from pathlib import Path

from bench.datasets.known import SETS
from bench.suites.further import SUITES
from tools.pages import between

PAGE = Path("docs/protocols.md")
BEGIN, END = "<!-- further sets: python -m tools.protocols -->", "<!-- end of further sets -->"


def rows() -> Iterator[str]:
    """Yield one row per suite: its set's size and label space, its headline with source, file layout, and paper."""
    yield "| suite | images, labels | headline | rule | lies as | paper |"
    yield "|---|---|---|---|---|---|"
    for suite in SUITES:
        info = SETS[suite.name]
        headline = next(metric for metric in suite.metrics if metric.name == suite.headline)
        pictures = f"{info.count:,}, {info.labels}" if info.count else info.labels
        lies = info.layout or f"{info.source}/"
        cells = (f"`{suite.name}`", pictures, f"`{suite.headline}`", headline.source, f"`{lies}`", info.citation)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page(text: str) -> str:
    """Return `text` with the table between its markers renewed."""
    return between(text, BEGIN, rows(), END)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
