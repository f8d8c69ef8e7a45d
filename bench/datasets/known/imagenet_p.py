"""ImageNet-P: short films in which a validation image changes little by little."""

import functools
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bench.datasets.base import Dataset, Picture
from bench.datasets.classes import wnid_in
from bench.datasets.content import UnreadableError
from bench.datasets.info import Archive, SetInfo, SetPlace
from bench.datasets.labels import imagenet_index
from bench.datasets.listing import LeftOut, Listing
from bench.datasets.proof import BY_WNIDS
from bench.errors import DataError
from bench.naming import film_of, frame_id

PERTURBATIONS = (
    "gaussian_noise",
    "shot_noise",
    "motion_blur",
    "zoom_blur",
    "snow",
    "brightness",
    "translate",
    "rotate",
    "tilt",
    "scale",
)
"""The ten perturbations of the benchmark (arXiv 1903.12261, section 3); four more are held out."""

SIDE = 224

_ZENODO = "https://zenodo.org/records/3565846/files"


class Films(Dataset):
    """The frames of films as images, in order; their ids are `FILM#FRAME`. The last few films stay decoded.

    Every film has as many frames as the first; a frame that a film lacks is unreadable.
    """

    as_stored, ranked, name, labels = True, True, "imagenet-p", "imagenet1k"
    side = SIDE

    def __init__(self, films: Sequence[tuple[Path, int]]) -> None:
        self.films = sorted(films, key=lambda film: film[0].stem)
        self.frames = max(1, frame_count(self.films[0][0]))
        ids = [frame_id(path.stem, frame) for path, _ in self.films for frame in range(self.frames)]
        super().__init__(ids, [label for _, label in self.films for _ in range(self.frames)])
        self.proof, self._lock = BY_WNIDS, threading.Lock()
        self._decoded = functools.lru_cache(8)(decode)

    @property
    def stems(self) -> Sequence[str]:
        return [path.stem for path, _ in self.films for _ in range(self.frames)]

    def taken_with(self, index: int) -> str:
        return film_of(self.ids[index])

    def read(self, index: int) -> Image.Image:
        path, frame = self.films[index // self.frames][0], index % self.frames
        with self._lock:
            film = self._decoded(path)
        if frame >= len(film):
            raise UnreadableError(f"{path.name}: frame {frame} of {len(film)}, where the first film has {self.frames}")
        if film[frame].shape[:2] != (SIDE, SIDE):
            raise UnreadableError(f"{path.name}: {film[frame].shape[1]}x{film[frame].shape[0]} pixels, expected {SIDE}")
        return Image.fromarray(film[frame])

    def content(self) -> list[tuple[object, ...]]:
        return [(path.stem, label, path.stat().st_size, self.frames) for path, label in self.films]

    def content_of(self, indices: Sequence[int]) -> list[tuple[object, ...]]:
        films = self.content()
        return [(*films[index // self.frames], index % self.frames) for index in indices]


def frame_count(path: Path) -> int:
    """Frames that a film can be decoded to; 0 for what is no film."""
    return len(decode(path))


def decode(path: Path) -> list[Picture]:
    """All frames of a film as uint8 [h, w, 3], RGB."""
    from bench.opencv import cv2  # `bench list datasets` answers without it

    capture = cv2.VideoCapture(str(path))
    frames: list[Picture] = []
    while True:
        there, frame = capture.read()
        if not there:
            break
        frames.append(np.ascontiguousarray(frame[..., ::-1], dtype=np.uint8))
    capture.release()
    return frames


def open_imagenet_p(place: SetPlace, part: str) -> Dataset:
    """The films of one perturbation: PERTURBATION/WNID/*.mp4."""
    found = [f for f in place.found if f.part == part]
    if len(found) != 1:
        raise DataError(f"imagenet-p: no {part}/ under {place.root} (WNID/*.mp4 in it), or several ({len(found)})")
    index, left, films = imagenet_index(), LeftOut(), []
    for folder in Listing.at(found[0].folder).folders:
        label = index.get(wnid_in(folder))
        listing = Listing.at(found[0].folder / folder)
        left.take(listing.left_out, folder)
        if label is None:
            left.add("folders whose names are not wnids of ImageNet-1k", folder)
            continue
        films += [(path, label) for path in listing.files(".mp4")]
    if not films:
        raise DataError(f"imagenet-p: no *.mp4 in the folders by wnid under {found[0].folder}")
    dataset = Films(films)
    dataset.notes = left.lines()
    return dataset


SETS = (
    SetInfo(
        "imagenet-p",
        "ImageNet-P, films of small changes",
        23,
        "imagenet1k",
        0,
        "CC BY 4.0",
        "https://zenodo.org/records/3565846",
        open_imagenet_p,
        "imagenet-p/PERTURBATION/WNID/*.mp4",
        archives=tuple(Archive(f"{_ZENODO}/{group}.tar") for group in ("blur", "digital", "noise", "weather")),
        heading="P",
        headline="flip_rate",
        citation="Hendrycks & Dietterich 2019, arXiv 1903.12261",
        parts=f"(?:{'|'.join(PERTURBATIONS)})",
        all_parts=PERTURBATIONS,
    ),
)
