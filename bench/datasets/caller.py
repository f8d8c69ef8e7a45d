"""Images and labels of whatever a caller gives: a pair of arrays, a torch Dataset, a DataLoader, an iterable."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.datasets.classes import match_names
from bench.datasets.labels import BACKGROUND, WITH_BACKGROUND, check_names, known_names
from bench.errors import UsageError


def check_order(data: object, labels: list[int], space: str, own: Collection[tuple[str, ...]] = ()) -> None:
    """Raise `UsageError` if labels are places in a Dataset's own list of classes, as torchvision's ImageFolder gives
    them, and the label space `space` has these classes in other places, or none of them; `DataError` if the names of
    a network's `own` classes are these in another order."""
    for part in _wrapped(data):
        names = getattr(part, "classes", None)
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            continue
        if getattr(part, "target_transform", None) is not None or max(labels) >= len(names):
            continue  # labels are not places in the list
        for model in own:
            check_names(model, names)
        known = {name: label for label, name in enumerate(known_names(space))}
        places = match_names(names) if space == "imagenet1k" else [known.get(name) for name in names]
        for place, (name, label) in enumerate(zip(names, places, strict=True)):
            if label is not None and label != place:
                raise UsageError(
                    f"data: its {len(names)} classes are counted in their own order, in which {name} is {place}; among "
                    f"the classes of {space} it is {label}: give the folder itself (data=DIR), or a target_transform "
                    "that gives the model's labels"
                )
        foreign = len(names) != len(known) and all(label is None for label in places)
        if known and foreign and not all(name.isdecimal() for name in names):
            raise UsageError(
                f"data: its {len(names)} classes ({', '.join(names[:3])}, ...) are none of {space}, the model's "
                f"{len(known)}: give a model of these classes, or a target_transform that gives the model's labels"
            )


def _wrapped(data: object) -> Iterator[object]:
    """Yield a Dataset, and those within loaders, subsets and concatenations."""
    yield data
    inner = [getattr(data, "dataset", None), *(getattr(data, "datasets", None) or ())]
    for one in inner:
        if one is not None:
            yield from _wrapped(one)


LOOKS = 4
"""Number of images, spread over a Dataset, that are read twice."""


def shuffles(data: object) -> bool:
    """Return whether a DataLoader may give its images in an order of its own, which then says nothing.

    Its `sampler` says nothing where it was given a `batch_sampler`.
    """
    from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

    if not isinstance(data, DataLoader):
        return False
    batches = data.batch_sampler
    sampler = data.sampler if batches is None else batches.sampler if type(batches) is BatchSampler else None
    out_of_order = data.num_workers > 0 and not getattr(data, "in_order", True)
    return type(sampler) is not SequentialSampler or out_of_order


def remarks_on(data: Any) -> Iterator[str]:
    """Yield remarks for readers who assume a set on disk."""
    if shuffles(data):
        yield "the loader shuffles: the images are sorted by their content, so that every call has the same order"
    batch, whole = getattr(data, "batch_size", None), getattr(data, "dataset", data)
    try:
        count = len(whole)
        twice = [[picture_bytes(whole[i * count // LOOKS][0]) for i in range(LOOKS)] for _ in range(2)]
    except Exception:  # whoever has no images by number has nothing to compare
        return
    if getattr(data, "drop_last", False) and batch and count % batch:
        yield f"the loader drops its last batch: {count % batch} of {count} images are left out"
    if twice[0] != twice[1]:
        yield "images differ when they are read twice: a random transform makes another set at every call"


def repeated(hashes: Sequence[str], labels: Sequence[int]) -> Iterator[str]:
    """Yield a remark if images with the same content and label are there more than once."""
    if extra := len(labels) - len({*zip(hashes, labels, strict=True)}):
        yield (
            f"{extra} of {len(labels)} images are there before, with the same label (a loader that draws with "
            "replacement, or workers that each give the whole set?): n and the interval count them again"
        )


def picture_bytes(picture: Any) -> bytes:
    """Return the values of an image."""
    if isinstance(picture, Image.Image):
        return picture.tobytes()
    return as_array(picture).tobytes()


def as_array(picture: Any) -> NDArray[Any]:
    """Return a tensor or array on the CPU; bfloat16, which NumPy does not have, as float32. Raises `UsageError` for
    values that are not all there: masked or sparse."""
    kind = ""
    if hasattr(picture, "detach"):
        kind = "sparse" if str(picture.layout) != "torch.strided" else ""
        if not kind:
            picture = picture.detach().cpu().resolve_conj().resolve_neg()
            picture = picture.float() if picture.is_floating_point() else picture
    elif np.ma.isMaskedArray(picture) and np.ma.getmaskarray(picture).any():
        kind = "masked"
    if kind:
        raise UsageError(f"data: {kind} values are neither images nor labels: convert them to a dense array first")
    return np.asarray(picture)


def pairs(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (image, label), one at a time, from any accepted input."""
    if isinstance(data, Mapping) or hasattr(data, "columns"):
        names = ", ".join(map(str, list(data.columns if hasattr(data, "columns") else data)[:5]))
        raise UsageError(f"data: a {type(data).__name__} of {names}: pass a pair (images, labels)")
    if isinstance(data, tuple | list) and len(data) == 2 and _all_pictures(data[0]):
        if len(data[0]) != len(data[1]):
            raise UsageError(f"data: {len(data[0])} images and {len(data[1])} labels")
        yield from zip(data[0], data[1], strict=True)
        return
    from torch.utils.data import IterableDataset  # tables of data sets do not wait for torch

    walked = isinstance(data, Iterable) and (isinstance(data, IterableDataset) or not hasattr(data, "__getitem__"))
    items = data if walked else _by_index(data)
    second: list[Any] = []
    third: list[Any] = []
    for item in items:
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise UsageError(f"data: expected (image, label), found a {type(item).__name__}")
        picture, label = item[0], item[1]
        whole = getattr(picture, "ndim", 0) == 4
        if len(item) > 2:
            second.extend(label if whole else [label])
            third.extend(item[2] if whole else [item[2]])
        if whole:
            yield from zip(picture, label, strict=True)
        else:
            yield picture, label
    _refuse_places(second, third)


def _refuse_places(second: Sequence[Any], third: Sequence[Any]) -> None:
    """Raise `UsageError` for items (image, place, label), whose places would be taken for labels."""
    try:
        places, labels = ([int(one) for one in values] for values in (second, third))
    except (TypeError, ValueError):  # names, masks or nothing
        return
    distinct = len(set(places)) == len(places) > 1
    if distinct and (len(set(labels)) < len(labels) or (places != labels and places == [*range(len(places))])):
        raise UsageError(
            f"data: items of three, whose second numbers are all different ({places[:3]}, ...) and third are not "
            f"({labels[:3]}, ...): (image, place, label)? Give (image, label)"
        )


def _all_pictures(given: Any) -> bool:
    """Return whether `given` is a batch or a list of images: the first half of a pair of images and labels."""
    if not isinstance(given, tuple | list):
        return bool(getattr(given, "ndim", 0) == 4)
    return bool(given) and all(isinstance(p, Image.Image) or getattr(p, "ndim", 0) in (2, 3) for p in given)


def _by_index(data: Any) -> Iterator[Any]:
    try:
        count = len(data)
    except TypeError:
        kind = type(data).__name__
        raise UsageError(
            f"data: a folder, a torch Dataset, a DataLoader or a pair of tensors, found a {kind}"
        ) from None
    return (data[i] for i in range(count))


def as_label(label: Any, classes: int) -> int:
    """Return a class index below `classes`. Raises `UsageError` for anything else."""
    value = as_array(label).reshape(-1).tolist()
    value = value[0] if len(value) == 1 else value
    if isinstance(value, bool) or not isinstance(value, int):
        found = repr(value) if len(repr(value)) < 60 else f"{type(label).__name__} of {np.shape(value)}"
        raise UsageError(f"data: a label must be a class index, found {found} (one-hot? pass labels.argmax(1))")
    if not 0 <= value < classes:
        raise UsageError(f"data: label {value}, but the model has the classes 0..{classes - 1}")
    return value


ENOUGH = 10
"""Minimum number of images of which labels are believed to show all classes."""

UNLIKELY = 1e-3
"""Chance at which labels drawn at random would leave out as many classes at either end."""


def unlike_labels(labels: Sequence[int], classes: int) -> str:
    """Return why the outputs of a model with `classes` are probably not the classes of `labels`; empty if they may be.

    Labels of more than half of the classes that fill a range, or that end early by more than chance, have fewer classes
    than the model: it has a class of its own (background, unknown) first or last, of which nobody knows whether it
    shifts the others by one. Labels that reach less than half of them are those of a network that returns features.
    """
    low, high, count, shown = min(labels), max(labels), len(labels), len(set(labels))
    if classes == WITH_BACKGROUND and high < 1000:
        return f"returns 1001 logits, and the labels reach {high}: {BACKGROUND}"
    if classes == 1000 or count < ENOUGH or shown == classes:
        return ""
    found = f"returns {classes} numbers an image, and the labels of {count} images reach from {low} to {high}"
    if classes >= 2 * (high + 1):
        return f"{found}: features of a network without its head? Give it the head"
    if 2 * shown <= classes or (shown <= high - low and ((high - low + 1) / classes) ** count >= UNLIKELY):
        return ""
    return (
        f"{found}: a background or unknown class, first or last among its logits, shifts labels by one or not; return "
        "the logits of the labels' classes alone"
    )
