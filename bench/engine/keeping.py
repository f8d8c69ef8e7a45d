"""`--keep-adversarial`: write attacked images as PNG files, and measure the effect of rounding to 8 bits."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from bench.attacks import norms
from bench.attacks.base import AttackResult
from bench.attacks.request import Request
from bench.files import file_name
from bench.folder.kept import KeptPictures
from bench.safe_csv import to_csv
from bench.suites.base import Setup
from bench.text import counted


def keep_pictures(
    kept: KeptPictures, request: Request, name: str, setup: Setup, indices: Sequence[int], found: AttackResult
) -> None:
    """Write the attacked images of a unit with places `indices` in the set, and a table of them.

    The model classifies each file: rounding to 8 bits changes a value by up to 0.5/255, within and beyond the budget.
    """
    import pandas as pd

    chosen = [row for row, index in enumerate(indices) if kept.images is None or index < kept.images]
    if not chosen or found.adversarial is None or setup.attack is None:
        return
    folder = kept.of(name, setup.name)
    folder.mkdir(parents=True, exist_ok=True)
    rows, ids = torch.tensor(chosen), request.ids
    bytes_ = (found.adversarial[rows] * 255).round().clamp(0, 255).to(torch.uint8)
    stored = bytes_.float() / 255
    logits = request.score(stored)
    files = [f"{file_name(ids[row])}.png" for row in chosen]
    _save(folder, files, bytes_)
    before = (request.images[rows].cpu() * 255).round().clamp(0, 255).to(torch.uint8)
    _save(kept.before(name, setup.name), files, before)
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


def _save(folder: Path, files: Sequence[str], pictures: Tensor) -> None:
    """Write `uint8 [n, 3, h, w]` as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, picture in zip(files, pictures, strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / file)


def told(kept: KeptPictures, cells: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Return one line per (model, condition) with what a reader of the images must know."""
    for model, condition in cells:
        folder, table = kept.of(model, condition), kept.table(model, condition)
        if table.empty:
            yield f"{folder}: no images, since this run measured no unit; use another --out to measure again"
            continue
        wrong, png = table["prediction"] != table["label"], table["png_prediction"] != table["label"]
        before, after = table["distance"].max(), table["png_distance"].max()
        yield (
            f"{folder}: {counted(len(table), 'image')}, {int(wrong.sum())} of them misclassified; rounded to 8 bits "
            f"{int((wrong & ~png).sum())} of these are correct again and {int((~wrong & png).sum())} others "
            f"no longer; the largest distance is {after:.5g} ({before:.5g} before)"
        )
