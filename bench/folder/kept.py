"""Where `--keep-adversarial` leaves pictures, for who writes and who shows them.

DIR/MODEL/CONDITION/IMAGE.png          with what a file's name cannot hold written as %XX
DIR/MODEL/CONDITION/0-100.csv          one row a picture of that unit
DIR/MODEL/CLEAN CONDITION/IMAGE.png    the same picture before the attack, as the model saw it
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench.condition import Condition
from bench.errors import UsageError
from bench.files import file_name


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
        return self.folder / file_name(model) / file_name(condition)

    def before(self, model: str, condition: str) -> Path:
        """The folder of the pictures with which an attacked condition began."""
        return self.of(model, str(replace(Condition.parse(condition), attack=None, probes=())))

    def table(self, model: str, condition: str) -> pd.DataFrame:
        """One row a picture, in the set's order; empty where none was kept. Of a picture that several runs attacked
        the latest row, as its file is the latest's."""
        paths = sorted(self.of(model, condition).glob("*-*.csv"), key=lambda p: (p.stat().st_mtime_ns, p.name))
        tables = [pd.read_csv(path, dtype={"image_id": str}).assign(start=_start(path)) for path in paths]
        if not tables:
            return pd.DataFrame()
        latest = pd.concat(tables, ignore_index=True).drop_duplicates("image_id", keep="last")
        return latest.sort_values("start", kind="stable", ignore_index=True).drop(columns="start")


def _start(table: Path) -> int:
    """The first place in the set of a unit's table, which its name begins with."""
    return int(table.name.partition("-")[0])
