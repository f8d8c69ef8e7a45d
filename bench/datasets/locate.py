"""Find the sets under a folder by their contents, for `run`, `doctor` and `data list`."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from bench.datasets.classes import match_names, wnid_in
from bench.datasets.info import ANY_PART, EMPTY, FoundPictures, SetInfo, SetPlace
from bench.datasets.known import SETS
from bench.datasets.layouts import COMPRESSED, LIVE
from bench.datasets.listing import Listing
from bench.errors import DataError
from bench.naming import TEST, TRAINING, picture_id, split_in, split_of

DEEP = 7
"""Maximum depth below the root: Kaggle's images are four levels below, ImageNet-C's at most seven."""

MOST_FOLDERS = 50_000
"""Maximum number of folders under one root, without class folders: a root with more is not a data root."""

SAMPLE_FOLDERS, SAMPLE_NAMES = 12, 5
"""Numbers of class folders, and of names in each, from which the kind of images is determined."""

BY_WNID, BY_NUMBER, BY_NAME = "folders by wnid", "folders by number", "folders by class name"
OBJECTS = "folders by the set's own classes"
FLAT, TARS, PARQUET, PACKED = "flat folder", "tar shards", "Parquet", "compressed archive"
UNREADABLE = "folder that cannot be read"

_SPLIT_WORDS = frozenset({"train", "training", "val", "valid", "validation", "test", "dev", "images"})
_GENERIC = frozenset({"imagenet", "stylized", "folder"})
"""Sets that may be under a common root with uninformative names."""


def find_sets(root: Path) -> list[FoundPictures]:
    """Return every place under `root` with images, and their set. Opens only the first headers of tars. Follows
    links to folders once."""
    return list(_walk(root, root, DEEP, set()))


def _walk(root: Path, folder: Path, deep: int, seen: set[Path]) -> Iterator[FoundPictures]:
    real = folder.resolve()
    if real in seen or not deep:
        return
    seen.add(real)
    if len(seen) > MOST_FOLDERS:
        raise DataError(f"more than {MOST_FOLDERS} folders under {root}: name the set's own folder, --data NAME=DIR")
    try:
        look = Listing.at(folder)
        classes = _class_folders(look)
        found = _here(root, look, classes)
    except OSError:
        yield FoundPictures(folder, UNREADABLE)
        return
    if found:
        yield found
    for name in look.folders:
        if name not in classes:
            yield from _walk(root, folder / name, deep - 1, seen)


def _class_folders(look: Listing) -> set[str]:
    """Return the names of the folders that are classes: by wnid, by number or by ImageNet's class names."""
    wnids = {name for name in look.folders if wnid_in(name)}
    if wnids:
        return wnids
    if look.folders and all(n.isdecimal() and n.isascii() for n in look.folders):
        return (
            set(look.folders) if any(Listing.at(look.folder / n).pictures for n in _spread(look.folders, 3)) else set()
        )
    if _SPLIT_WORDS & {name.lower() for name in look.folders}:
        return set()
    if _by_folders(look.folders):
        return set(look.folders)
    named = [n for n, label in zip(look.folders, match_names(look.folders), strict=True) if label is not None]
    return set(look.folders) if 2 * len(named) > len(look.folders) else set()


def _by_folders(folders: Iterable[str]) -> str:
    """Return the set whose own names more of the class folders have than ImageNet's; empty if there is none."""
    named = list(folders)
    for info in SETS.values():
        own = len(set(info.classes) & set(named))
        if own and 4 * own >= len(named) and own > sum(label is not None for label in match_names(named)):
            return info.name
    return ""


def _spread(names: Sequence[str], most: int) -> list[str]:
    """Pick at most so many of `names`, from their whole range."""
    return list(dict.fromkeys(names[i * (len(names) - 1) // max(1, most - 1)] for i in range(min(most, len(names)))))


def _here(root: Path, look: Listing, classes: set[str]) -> FoundPictures | None:
    """Return the images directly in a folder, if there are any."""
    path = look.folder
    if classes:
        stems = [PurePath(n).stem for c in _spread(sorted(classes), SAMPLE_FOLDERS) for n in _sample(path / c)]
        if own := _by_folders(classes):
            part = _part(path, SETS[own].classes)
            return FoundPictures(path, OBJECTS, *(part or (own, "")), kind=own)
        layout = BY_WNID if any(map(wnid_in, classes)) else BY_NUMBER if next(iter(classes)).isdecimal() else BY_NAME
        return _named(root, path, layout, stems) if stems or _part(path) else _empty(path)
    if look.pictures:
        return _named(root, path, FLAT, [PurePath(n).stem for n in _spread(look.pictures, 200)])
    if shards := look.files(".parquet"):
        return _named(root, path, PARQUET, [], [f.name for f in shards])
    if tars := look.files(".tar"):
        from bench.datasets.tar import first_paths

        peeked = {tar.name: first_paths(tar, 20) for tar in _spread_paths(tars, 12)}
        stems = [p.stem for paths in peeked.values() for p in paths]
        found = _named(root, path, TARS, stems, [t.name for t in tars])
        parents = {path.parent.parent for paths in peeked.values() for path in paths}
        parts = [part for parent in parents if (part := _part(parent))]
        return FoundPictures(path, TARS, parts[0][0], ANY_PART) if parts else found
    if packed := look.files(*COMPRESSED):
        return FoundPictures(path, PACKED, _hint(root, path / packed[0].name.split(".")[0]))
    return _empty(path) if not look.folders else None


def _spread_paths(paths: Sequence[Path], most: int) -> list[Path]:
    by_name = {p.name: p for p in paths}
    return [by_name[n] for n in _spread(sorted(by_name), most)]


def _sample(folder: Path) -> list[str]:
    look = Listing.at(folder)
    inner = (
        [name for sub in look.folders[:1] for name in Listing.at(folder / sub).pictures] if not look.pictures else []
    )
    return _spread(look.pictures or inner, SAMPLE_NAMES)


def _empty(path: Path) -> FoundPictures | None:
    """Count an empty folder if it has the name of a part of a set."""
    part = _part(path)
    return FoundPictures(path, EMPTY, part[0], part[1]) if part else None


def _part(path: PurePath, classes: tuple[str, ...] = ()) -> tuple[str, str] | None:
    """Return the set, and its part, from the last names of a folder's path."""
    for info in SETS.values():
        if info.parts and info.classes == classes and (match := re.search(f"(?:^|/)({info.parts})$", path.as_posix())):
            return info.name, match[1]
    return None


def _named(root: Path, path: Path, layout: str, stems: Sequence[str], shards: Sequence[str] = ()) -> FoundPictures:
    """Return the set of images with such names at such a place: first from a part's folder, then from the images'
    names, then from the name of a folder above."""
    if part := _part(path):
        return FoundPictures(path, layout, *part)
    kind = kind_of(stems) or _split_kind(root, path, shards)
    hint = _hint(root, path)
    if hint and (not kind or kind in (hint, *SETS[hint].accepts, TRAINING, TEST)):
        return FoundPictures(path, layout, hint, kind=kind)
    if kind in (TRAINING, TEST):
        return FoundPictures(path, layout, "imagenet" if split_of(stems[0] if stems else "") else "", kind=kind)
    return FoundPictures(path, layout, kind, kind=kind)


def kind_of(stems: Sequence[str]) -> str:
    """Return the set, or the other split of ImageNet, of most of the images' names; empty if unknown."""
    counts = Counter(split for stem in stems if (split := split_of(stem)))
    for info in reversed(SETS.values()):  # ImageNet-R has images that are called as ImageNet-Sketch's all are
        if info.pictures:
            counts[info.name] = sum(bool(re.fullmatch(info.pictures, picture_id(stem))) for stem in stems)
    best, count = max(counts.items(), key=lambda item: item[1], default=("", 0))
    return best if 2 * count > len(stems) else ""


def _split_kind(root: Path, path: Path, shards: Sequence[str]) -> str:
    """Return the split from the names of shards, or of the folders below the root; empty for validation."""
    names = [split_in(PurePath(n).stem) for n in shards] or [
        split_in(part) if part.lower() in _SPLIT_WORDS else "" for part in path.relative_to(root).parts
    ]
    told = {name for name in names if name}
    return told.pop() if len(told) == 1 and told <= {TRAINING, TEST} else ""


def _hint(root: Path, path: Path) -> str:
    """Return the set with the name of the nearest folder, the root last (`ImageNet-C`, `imagenet_a`)."""
    inside = path.relative_to(root).parts if path.is_relative_to(root) else ()
    for name in (*reversed(inside), root.absolute().name):
        if found := _CALLED.get(re.sub(r"[^a-z0-9]", "", name.lower())):
            return found
    return ""


_CALLED = {re.sub(r"[^a-z0-9]", "", n): info.folder for n, info in SETS.items() if info.layout and n != "folder"}


def place_of(name: str, root: Path, finds: Sequence[FoundPictures], *, own: bool) -> SetPlace:
    """Return the place of set `name` under `root`; `own`: the user named the folder as this set's. Raises
    `DataError` with the doctor's message if it is missing, or in two places."""
    info = SETS[name]
    if name == "folder":
        return SetPlace(root, _any_classes(root, finds))
    if not info.layout:
        return SetPlace(root)  # the set is whatever the named folder holds
    mine = [f for f in finds if f.name == name and f.layout != PACKED]
    if info.parts:
        mine = mine or [f for f in finds if own and not f.name and f.layout in (TARS, PARQUET)]
        if mine:
            return SetPlace(root, tuple(mine), tuple(f for f in finds if f not in mine))
    else:
        mine = _best([f for f in mine if f.layout != EMPTY], root, name)
        if not mine:
            mine = _best([f for f in finds if _may_be(f, info, root, own=own)], root, name)
    if len(mine) > 1 and not info.scattered:
        raise DataError(
            f"{name}: found in several places: {'; '.join(str(f.folder) for f in mine[:5])}; "
            f"name one: --data {name}=DIR"
        )
    if not mine:
        raise DataError(not_there(name, root, finds))
    return SetPlace(root, tuple(mine), tuple(f for f in finds if f not in mine))


def _may_be(found: FoundPictures, info: SetInfo, root: Path, *, own: bool) -> bool:
    """Return whether unrecognised images may be the set's: the user says so, or no other set is possible."""
    if found.layout in (PACKED, EMPTY, UNREADABLE) or found.kind == TEST or found.part:
        return False
    if own and found.kind in ("", TRAINING):
        return True
    if found.name and found.kind not in (*info.accepts, TRAINING):
        return False
    return own or (info.name in _GENERIC and _hint(root, found.folder) in ("", info.name))


def _best(finds: Sequence[FoundPictures], root: Path, name: str) -> list[FoundPictures]:
    """Prefer images that are certainly the set's to unknown ones, and these to other splits, in the folder with the
    set's name if there is one."""
    for chosen in (
        [f for f in finds if f.kind not in (TRAINING, TEST, "")],
        [f for f in finds if not f.kind],
        [f for f in finds if f.kind == TRAINING],
    ):
        named = [f for f in chosen if f.folder.is_relative_to(root / name)]
        if named or chosen:
            return named or chosen
    return []


def _any_classes(root: Path, finds: Sequence[FoundPictures]) -> tuple[FoundPictures, ...]:
    """Return the class folders of any ImageFolder: the root's own, or those of its only inner folder, validation
    first."""
    if any(Listing.at(root / name).pictures for name in Listing.at(root).folders):
        return (FoundPictures(root, BY_NAME),)
    inner = [f for f in finds if f.layout in (BY_WNID, BY_NUMBER, BY_NAME)]
    if not inner:
        look = Listing.at(root)
        inner = [
            FoundPictures(root / name, BY_NAME, kind=split_in(name) if split_in(name) != "validation" else "")
            for name in look.folders
            if any(Listing.at(root / name / sub).pictures for sub in Listing.at(root / name).folders)
        ]
    inner = _best(inner, root, "folder")
    if len(inner) > 1:
        raise DataError(
            f"folder: {root} holds several: {', '.join(str(f.folder) for f in inner[:5])}; name one of them"
        )
    return tuple(inner) or (FoundPictures(root, BY_NAME),)


def not_there(name: str, root: Path, finds: Sequence[FoundPictures]) -> str:
    """Return the error that set `name` is not under `root`, with what is, and how to place it."""
    info = SETS[name]
    held = Counter((f.name, f.layout) for f in finds if f.name)
    others = [f for f in finds if not f.name]
    found = [f"{name} ({layout}{f', {count} parts' if count > 1 else ''})" for (name, layout), count in held.items()]
    found += [str(f) for f in others[:3]]
    place = f"place it as {info.layout or name} under your data root, or name it: --data {name}=DIR"
    live = f"; or {LIVE}" if name == "imagenet-c" else ""
    return f"{name}: not under {root}, which holds {', '.join(found) or 'no known sets'}; {place}{live}"
