"""A file whose reads allocate no more memory than it has bytes."""

import io
from pathlib import Path


class BoundedFile(io.BufferedReader):
    """File that limits `read` to the bytes that exist. Python's files allocate the requested size first, which a
    hostile header can choose."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None or size < 0 else min(size, self._size))
