"""Where `--keep-adversarial` leaves images, for who writes and who shows them.

DIR/MODEL/CONDITION/IMAGE.png          with what a file's name cannot hold written as %XX
DIR/MODEL/CONDITION/0-100.csv          one row an image of that unit
DIR/MODEL/CLEAN CONDITION/IMAGE.png    the same image before the attack, as the model saw it
"""

import re
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from bench.condition import Condition
from bench.errors import UsageError
from bench.files import file_name
from bench.store import Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class KeptPictures:
    """Folder of attacked images, and the number of images of each set to keep (None: all)."""

    folder: Path
    images: int | None = None

    @classmethod
    def parse(cls, text: str | None) -> "KeptPictures | None":
        """Read `DIR` or `DIR:N`. Raises `UsageError` if DIR is a file."""
        if not text:
            return None
        found = cls.split(text)
        if found.folder.is_file():
            raise UsageError(f"--keep-adversarial: {found.folder} is a file; name a folder, or FOLDER:N for N images")
        return found

    @classmethod
    def split(cls, text: str) -> "KeptPictures":
        """Read `DIR` or `DIR:N` without looking at the disk."""
        folder, _, number = text.rpartition(":")
        return cls(Path(folder), int(number)) if folder and number.isdecimal() else cls(Path(text))

    def of(self, model: str, condition: str) -> Path:
        """The folder of one model's images under a condition."""
        return self.folder / file_name(model) / file_name(condition)

    def before(self, model: str, condition: str) -> Path:
        """Return the folder of the clean images of an attacked condition."""
        return self.of(model, str(replace(Condition.parse(condition), attack=None, probes=())))

    @classmethod
    def told_by_a_run(cls, text: str | None, results: str | Path) -> "KeptPictures | None":
        """Return the folder named in a `run.json` if it is within the results folder or the working directory,
        without links, since its author may have named any folder of this machine; else None."""
        found = cls.parse(text)
        for base in (Path(results), Path()) if found else ():
            inside = (base / found.folder).absolute()  # type: ignore[union-attr]
            try:
                place = inside.relative_to(base.absolute())
                plain = ".." not in place.parts and inside.resolve() == base.resolve() / place
            except (ValueError, OSError):
                continue
            if plain and place.parts and inside.is_dir():
                return replace(found, folder=inside)  # type: ignore[type-var]
        return None

    def table(self, model: str, condition: str) -> "pd.DataFrame":
        """Return one row per image, in the set's order; empty if none was kept. If several runs attacked an image,
        its latest row counts, as its file is the latest. Raises `StoreError` for a link."""
        import pandas as pd

        store, key = Store(self.folder), self.of(model, condition).relative_to(self.folder).as_posix()
        names = [name for name in store.names(key) if _TABLE.fullmatch(name)]
        names.sort(key=lambda name: ((self.folder / key / name).lstat().st_mtime_ns, name))
        read = {name: pd.read_csv(BytesIO(store.get(f"{key}/{name}")), dtype={"image_id": str}) for name in names}
        tables = [table.assign(start=_start(name)) for name, table in read.items()]
        if not tables:
            return pd.DataFrame()
        latest = pd.concat(tables, ignore_index=True).drop_duplicates("image_id", keep="last")
        return latest.sort_values("start", kind="stable", ignore_index=True).drop(columns="start")

    def picture(self, folder: Path, image_id: str) -> bytes:
        """Return the PNG file of an image in `of` or `before` a condition. Raises `StoreError` as `table` does."""
        return Store(self.folder).get((folder.relative_to(self.folder) / f"{file_name(image_id)}.png").as_posix())


_TABLE = re.compile(r"\d+-\d+\.csv")


def _start(table: str) -> int:
    """Return the first place in the set of a unit's table, from its name."""
    return int(table.partition("-")[0])
