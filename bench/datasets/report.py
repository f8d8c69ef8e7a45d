"""What the doctor says of one set in a data folder."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.text import counted

SHOWN = 10
"""Names listed of each kind of problem."""


@dataclass
class DataReport:
    """What was found of one set. `problems` would lose images or labels; `notes` are worth knowing.

    `standing` is `complete`, how it is incomplete, or `refused`.
    """

    name: str
    title: str
    folder: Path
    layout: str
    standing: str = "complete"
    images: int = 0
    classes: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """What lies where, in one line."""
        return f"{self._found}, {self.standing}"

    @property
    def _found(self) -> str:
        held = f"{self.images} images in {self.classes} classes"
        return f"{self.folder}: {self.name} ({self.title}), {self.layout}, {held}"

    def lines(self) -> Iterator[str]:
        """The report, a line each; problems and notes say what is incomplete."""
        yield f"{self._found}, {self.standing if self.standing in ('complete', 'refused') else 'incomplete'}"
        if self.sizes:
            common = ", ".join(f"{w}x{h} ({n})" for (w, h), n in self.sizes.most_common(3))
            yield f"  sizes (width x height): {len(self.sizes)} different, most common {common}"
        yield from (f"  problem: {p}" for p in self.problems)
        yield from (f"  note: {n}" for n in self.notes)
        yield "  healthy" if not self.problems else f"  {counted(len(self.problems), 'problem')}"


def some(names: list[str]) -> str:
    """The first few of a list."""
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
