"""`--keep-adversarial`: the attacked pictures as PNG files, and what their rounding to 8 bits costs.

DIR/MODEL/CONDITION/IMAGE.png          with what a file's name cannot hold written as %XX
DIR/MODEL/CONDITION/0-100.csv          one row a picture of that unit
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import torch
from PIL import Image

from bench.attacks import norms
from bench.attacks.base import AttackResult
from bench.attacks.request import Request
from bench.errors import UsageError
from bench.safe_csv import to_csv
from bench.suites.base import Setup
from model_zoo.filenames import no_device


@dataclass(frozen=True)
class KeptPictures:
    """Where attacked pictures go, and of how many images of each set (None: all)."""

    folder: Path
    images: int | None = None

    @classmethod
    def parse(cls, text: str | None) -> "KeptPictures | None":
        """`DIR` or `DIR:N`. Raises `UsageError` where DIR is a file."""
        if not text:
            return None
        folder, _, number = text.rpartition(":")
        place, images = (folder, int(number)) if folder and number.isdigit() else (text, None)
        if Path(place).is_file():
            raise UsageError(f"--keep-adversarial: {place} is a file; name a folder, or FOLDER:N for N images")
        return cls(Path(place), images)

    def of(self, model: str, condition: str) -> Path:
        """The folder of one model's pictures under a condition."""
        return self.folder / _plain(model) / _plain(condition)


def _plain(name: str) -> str:
    """A file's name of any text, on any system: no separator, no dot at its end, no device."""
    found = quote(name, safe="")
    bare = found.rstrip(".")
    return no_device(bare + "%2E" * (len(found) - len(bare)))


def keep_pictures(
    kept: KeptPictures, request: Request, name: str, setup: Setup, indices: Sequence[int], found: AttackResult
) -> None:
    """Write the attacked pictures of a unit whose places in the set are `indices`, and a table of them.

    The model judges each as the file holds it: rounding to 8 bits moves a value by up to 0.5/255, within and beyond
    the budget.
    """
    chosen = [row for row, index in enumerate(indices) if kept.images is None or index < kept.images]
    if not chosen or found.adversarial is None or setup.attack is None:
        return
    folder = kept.of(name, setup.name)
    folder.mkdir(parents=True, exist_ok=True)
    rows, ids = torch.tensor(chosen), request.ids
    bytes_ = (found.adversarial[rows] * 255).round().clamp(0, 255).to(torch.uint8)
    stored = bytes_.float() / 255
    logits = request.score(stored)
    files = [f"{_plain(ids[row])}.png" for row in chosen]
    for file, picture in zip(files, bytes_, strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / file)
    table = pd.DataFrame(
        {
            "image_id": [ids[row] for row in chosen],
            "file": files,
            "label": request.labels[rows].tolist(),
            "broken_by": [found.broken_by[row] for row in chosen],
            "prediction": found.prediction[rows].tolist(),
            "distance": found.distance[rows].tolist(),
            "png_prediction": logits.argmax(1).tolist(),
            "png_distance": norms.size(stored - request.images[rows], setup.attack.norm).tolist(),
        }
    )
    (folder / f"{indices[0]}-{indices[-1] + 1}.csv").write_text(to_csv(table), encoding="utf-8")


def told(kept: KeptPictures, cells: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What a reader of the pictures must know, a line for each (model, condition)."""
    for model, condition in cells:
        folder = kept.of(model, condition)
        tables = [pd.read_csv(path) for path in sorted(folder.glob("*-*.csv"))]
        if not tables:
            yield f"{folder}: no pictures, for no unit was measured now; another --out measures them again"
            continue
        table = pd.concat(tables)
        wrong, png = table["prediction"] != table["label"], table["png_prediction"] != table["label"]
        before, after = table["distance"].max(), table["png_distance"].max()
        yield (
            f"{folder}: {len(table)} pictures, {int(wrong.sum())} of them misclassified; rounded to 8 bits "
            f"{int((wrong & ~png).sum())} of these are classified rightly again and {int((~wrong & png).sum())} others "
            f"no longer; the largest distance is {after:.5g} ({before:.5g} before)"
        )
