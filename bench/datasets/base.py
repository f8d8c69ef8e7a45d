"""The interface of data sets: images in a fixed order, with ids and labels, read one at a time."""

import functools
import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.datasets.content import FileState, Loaded, content_hash
from bench.datasets.content import UnreadableError as UnreadableError
from bench.metrics.selection import WHOLE, Selection
from bench.metrics.told import Rule
from bench.naming import picture_id
from bench.record import digest

Picture = NDArray[np.uint8 | np.float32]
"""uint8 [h, w, 3], RGB; float32 in [0, 1] where images in memory have more than eight bits."""


@dataclass(frozen=True)
class Item:
    """One image of a set. `size` is that of its file in bytes (0 where there is no file)."""

    image_id: str
    label: int
    path: Path
    size: int = 0

    @classmethod
    def at(cls, image_id: str, label: int, path: Path) -> "Item":
        """The image in a file, unscaled; an image without a file has no bytes."""
        state = FileState.at(path)
        return cls(image_id, label, path, state.size if state else 0)


class Dataset(ABC):
    """Ordered `(image_id, label)` with a reader.

    `labels` names the label space; `as_stored` says that images are already at the size at which they are to be
    shown (ImageNet-C's 224 px files), so that no second resize and crop may be applied; `side` is then their width and
    height in pixels, 0 where it is not known or not one. An `exact` set is shown pixel for pixel, and to networks of
    its own size alone. `proof` says what labels them (`bench.datasets.proof`), `notes` what was left out, a line each
    kind, `selection` which images of the complete set these are, and `part` which part of it was opened (`fog/3`). Of a
    `ranked` set the records keep the five likeliest classes. `folders` are the names of a user's own classes, by label.
    """

    name: str
    labels: str
    as_stored: bool = False
    side: int = 0
    exact: bool = False
    selection: Selection = WHOLE
    notes: tuple[str, ...] = ()
    proof: str = ""
    ranked: bool = False
    part: str = ""
    folders: tuple[str, ...] = ()

    def __init__(self, ids: Sequence[str], targets: Sequence[int]) -> None:
        self.ids = [_utf8(image_id) for image_id in ids]
        self.targets = [int(t) for t in targets]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def subset(self) -> str:
        """Text of the selection in results; empty for a complete set in its own order."""
        return str(self.selection)

    @property
    def stems(self) -> Sequence[str]:
        """The images' own names, which may contain more than their ids."""
        return self.ids

    def taken_with(self, index: int) -> str:
        """Return the name of what a limit takes whole: the image itself, or the film of a frame."""
        return self.ids[index]

    @abstractmethod
    def read(self, index: int) -> Image.Image:
        """Return the image at `index` as RGB. Raises `UnreadableError` with the reason. Thread-safe."""

    def load(self, index: int) -> Loaded:
        """Return the image at `index` with the hash of its content. Raises as `read`, and `PassingError`,
        `ChangedError`."""
        image = self.read(index)
        return Loaded(image, content_hash(image.tobytes()))

    def hash_of(self, index: int) -> str:
        """Return the hash of the source of the image at `index`, or of its pixels if it is not a file, without
        decoding if possible. Raises as `load`."""
        loaded = self.load(index)
        return loaded.content or content_hash(loaded.image.tobytes())

    def state(self, index: int) -> object:  # noqa: ARG002
        """Return a value that changes when anybody writes to the image at `index`; None if nobody can."""
        return None

    @abstractmethod
    def content(self) -> list[tuple[object, ...]]:
        """The entries of the manifest of the whole set."""

    def content_of(self, indices: Sequence[int]) -> list[tuple[object, ...]]:
        """Return the entries of some images: one of `content` each, where that has one per image."""
        content = self.content()
        return [content[i] for i in indices]

    @functools.cached_property
    def manifest(self) -> str:
        """Hash of names, labels and sizes in order: two folders with the same hash hold the same set."""
        return digest([self.labels, self.content()])

    @property
    def shelf(self) -> str:
        """Key of prepared images in caches: two sets may prepare the images of one folder differently, and parts of
        one set may have one listing (uncompressed images of one size)."""
        return digest([self.name, self.manifest, self.as_stored, *filter(None, [self.part])])


def names_of(paths: Sequence[PurePath]) -> list[str]:
    """Return an id for each image, the same in every layout: its stem, without a wnid at its end. If stems clash,
    the ids contain the folder (ImageNet-R's `art_0`), and the extension if those clash too."""
    names = [picture_id(path.stem) for path in paths]
    for qualified in (_under_its_folder, _with_extension):
        counts = Counter(names)
        names = [qualified(path) if counts[n] > 1 else n for n, path in zip(names, paths, strict=True)]
    return names


def _under_its_folder(path: PurePath) -> str:
    return f"{path.parent.name}/{path.stem}"


def _with_extension(path: PurePath) -> str:
    return f"{path.parent.name}/{path.name}"


def _utf8(image_id: str) -> str:
    r"""Return the id as records can store it: bytes of a file's name that are not UTF-8 become `\udcff`."""
    return image_id.encode("utf-8", "backslashreplace").decode()


class View(Dataset):
    """Images `indices` of a set, in its order; with other `targets` and `labels` if they use another label space."""

    def __init__(
        self, whole: Dataset, indices: Sequence[int], targets: Sequence[int] | None = None, labels: str = ""
    ) -> None:
        self.whole, self.indices = whole, list(indices)
        super().__init__([whole.ids[i] for i in indices], targets or [whole.targets[i] for i in indices])
        self.name, self.labels = whole.name, labels or whole.labels
        self.as_stored, self.notes, self.selection = whole.as_stored, whole.notes, whole.selection
        self.proof, self.ranked, self.side, self.exact = whole.proof, whole.ranked, whole.side, whole.exact
        self.part, self.folders = whole.part, whole.folders

    @property
    def stems(self) -> Sequence[str]:
        stems = self.whole.stems
        return [stems[i] for i in self.indices]

    def taken_with(self, index: int) -> str:
        return self.whole.taken_with(self.indices[index])

    def read(self, index: int) -> Image.Image:
        return self.load(index).image

    def load(self, index: int) -> Loaded:
        return self.whole.load(self.indices[index])

    def hash_of(self, index: int) -> str:
        return self.whole.hash_of(self.indices[index])

    def state(self, index: int) -> object:
        return self.whole.state(self.indices[index])

    def content(self) -> list[tuple[object, ...]]:
        return self.content_of(range(len(self)))

    def content_of(self, indices: Sequence[int]) -> list[tuple[object, ...]]:
        return self.whole.content_of([self.indices[i] for i in indices])


class Subset(View):
    """`limit` images of a set, spread over it by a hash of their ids, in the set's order; labelled as a subset. Films
    are taken whole, and one at least."""

    def __init__(self, whole: Dataset, limit: int) -> None:
        found: dict[str, list[int]] = {}
        for index in range(len(whole)):
            found.setdefault(whole.taken_with(index), []).append(index)
        chosen: list[int] = []
        for name in sorted(found, key=lambda name: hashlib.sha256(name.encode()).digest()):
            if chosen and len(chosen) + len(found[name]) > limit:
                break
            chosen += found[name]
        super().__init__(whole, sorted(chosen))
        if len(chosen) < len(whole):
            self.selection = whole.selection.limited(len(chosen), len(whole))


class Shuffled(View):
    """The same images in the order of a hash of their ids, so that any range mixes classes, as batch statistics
    need. The manifest is of this order, so the lists of images are part of the protocol."""

    def __init__(self, whole: Dataset) -> None:
        super().__init__(whole, sorted(range(len(whole)), key=lambda i: hashlib.sha256(whole.ids[i].encode()).digest()))


class RandomOrder(View):
    """The same images in a random order of the seed of `rule`, which may stop their measurement."""

    def __init__(self, whole: Dataset, rule: Rule) -> None:
        def key(index: int) -> bytes:
            return hashlib.sha256(f"{rule.seed}\0{whole.ids[index]}".encode()).digest()

        super().__init__(whole, sorted(range(len(whole)), key=key))
        self.selection = replace(whole.selection, rule=rule)


class FixedSize(View):
    """A set that requires every image to be `side` x `side`; resizing others would make it another set."""

    def __init__(self, whole: Dataset, side: int) -> None:
        super().__init__(whole, range(len(whole)))
        self.side = side

    def load(self, index: int) -> Loaded:
        loaded = super().load(index)
        width, height = loaded.image.size
        if (width, height) != (self.side, self.side):
            raise UnreadableError(f"{width}x{height} pixels where {self.name} has {self.side}x{self.side}")
        return loaded
