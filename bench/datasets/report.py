"""What the doctor says of a data folder."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SHOWN = 10
"""Names listed of each kind of problem."""


@dataclass
class DataReport:
    """What the doctor found. `problems` would lose images or labels; `notes` are worth knowing."""

    root: Path
    layout: str
    images: int = 0
    classes: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The report, a line each."""
        yield f"{self.root}: {self.layout}, {self.images} images in {self.classes} classes"
        if self.sizes:
            common = ", ".join(f"{w}x{h} ({n})" for (w, h), n in self.sizes.most_common(3))
            yield f"  sizes (width x height): {len(self.sizes)} different, most common {common}"
        yield from (f"  problem: {p}" for p in self.problems)
        yield from (f"  note: {n}" for n in self.notes)
        yield "  healthy" if not self.problems else f"  {len(self.problems)} problems"
