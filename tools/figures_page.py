"""`python -m tools.figures_page`: the list of figures in docs/figures.md, made from the registry."""

from pathlib import Path

from bench.figures import FIGURES

PAGE = Path(__file__).parents[1] / "docs" / "figures.md"
BEGIN, END = "<!-- generated: figures -->", "<!-- end -->"


def table() -> str:
    """One line a figure: file, what it shows, the paper's figure it follows, and the run that measures it."""
    lines = ["| figure | shows | follows | measured by |", "|---|---|---|---|"]
    for spec in FIGURES:
        command = f"`bench run {spec.command}`" if spec.command else "needs no data"
        lines.append(f"| `{spec.name}` | {spec.title} | {spec.follows} | {command} |")
    return "\n".join(lines)


def with_table(text: str) -> str:
    """`text` with what stands between its two marks replaced."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
