"""Label spaces: the meaning of class indices, and the selection of a model's logits."""

import functools
import importlib
import importlib.util
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.datasets.categories import CATEGORIES
from bench.errors import DataError, UsageError
from model_zoo.card import ModelCard

if TYPE_CHECKING:
    from torch import Tensor


@functools.cache
def imagenet_wnids() -> tuple[str, ...]:
    """The 1000 WordNet ids in sorted order: class index of every torchvision, timm and released model here."""
    return _timm_list("imagenet_synsets.txt")


@functools.cache
def imagenet_index() -> dict[str, int]:
    """Class index of each wnid."""
    return {wnid: index for index, wnid in enumerate(imagenet_wnids())}


def _timm_list(file: str) -> tuple[str, ...]:
    return tuple(timm_file(file).read_text(encoding="utf-8").split())


def timm_file(file: str) -> Path:
    """One of the lists that timm ships, found without importing timm, which takes seconds."""
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        raise DataError(f"the package timm, which carries {file}, is not installed; pip install timm")
    return Path(spec.origin).parent / "data" / "_info" / file


@functools.cache
def imagenet_names() -> tuple[str, ...]:
    """The first WordNet name of each of the 1000 classes (`tench`), by class index."""
    pairs = (
        line.split("\t", 1)
        for line in timm_file("imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    )
    names = {wnid: names.split(",")[0].strip() for wnid, names in pairs}
    return tuple(names[wnid] for wnid in imagenet_wnids())


@functools.cache
def class_names(space: str) -> tuple[str, ...]:
    """Return display names of the classes of a label space, by index; empty for a folder's own classes."""
    if space == "tiny10":
        from bench.datasets.tiny import CLASSES

        return tuple(CLASSES)
    if space == "categories16":
        return tuple(CATEGORIES)
    if space == "imagenet1k":
        return imagenet_names()
    if names := label_space(space).names:
        return names
    members = label_space(space).members
    return tuple(imagenet_names()[member[0]] for member in members)


def known_names(space: str) -> tuple[str, ...]:
    """Return the same for any text; empty for a label space that is not known here."""
    return class_names(space) if space in _SPACES else ()


@dataclass(frozen=True)
class LabelSpace:
    """The classes that a data set's labels count.

    `members` are the classes of a 1000-way model behind each label: one each for the 200 of ImageNet-A and -R, several
    for the 16 of cue conflict; empty where labels are the model's own classes. Of several, `decide` says which number
    stands for the label; `names` are what its classes are called, where ImageNet's names are not.
    """

    name: str
    classes: int
    members: tuple[tuple[int, ...], ...] = ()
    decide: Literal["mean", "max"] = "mean"
    names: tuple[str, ...] = ()

    def answer(self, logits: "Tensor") -> "Tensor":
        """Logits [n, classes] of this space from a model's [n, k].

        Of single members, their own logits, so that the arg max is among them alone. Of several, the logarithm of
        their mean softmax probability over all k classes, as bethgelab/model-vs-human decides, or (`max`) their largest
        logit, as mlfoundations/wise-ft projects ObjectNet's.
        """
        if not self.members:
            return logits
        if all(len(m) == 1 for m in self.members):
            return logits[:, [m[0] for m in self.members]]
        if self.decide == "max":
            return _columns([logits[:, list(m)].amax(dim=1) for m in self.members])
        log_probability = logits.log_softmax(dim=1)
        columns = [log_probability[:, list(m)].logsumexp(dim=1) - math.log(len(m)) for m in self.members]
        return _columns(columns)


def _columns(values: "list[Tensor]") -> "Tensor":
    import torch  # only where there are logits: `bench list datasets` answers without it

    return torch.stack(values, dim=1)


@functools.cache
def label_space(name: str) -> LabelSpace:
    """The label space called `name`; `folderN` is that of a folder with N classes."""
    if name.startswith("folder") and name.removeprefix("folder").isdigit():
        return LabelSpace(name, int(name.removeprefix("folder")))
    if name not in _SPACES:
        importlib.import_module("bench.datasets.known")  # each set brings its own
    if name not in _SPACES:
        raise UsageError(
            f"labels: unknown label space {name!r}: {', '.join(sorted(_SPACES))}, or folderN for N classes"
        )
    return _SPACES[name]()


def add_space(name: str, make: Callable[[], LabelSpace]) -> None:
    """Register a label space; its set's module calls this."""
    _SPACES[name] = make


WITH_BACKGROUND = 1001
BACKGROUND = (
    "ImageNet's classes and a background, which is the first of TensorFlow's networks and shifts labels by one: return "
    "the 1000 logits of ImageNet's classes in their order, logits[:, 1:] where the background is first"
)
"""Said of networks with `WITH_BACKGROUND` logits."""


def check_fit(space: LabelSpace, card: ModelCard, folders: Sequence[str] = ()) -> None:
    """Check that a model's logits match `space`, and that `folders`, a user's own classes by label, are not taken for
    the classes of a known label space in their order. Raises `DataError`."""
    needed = 1000 if space.members else space.classes
    if card.classes != needed:
        own = (
            "folders by wnid or by ImageNet's class names count ImageNet's 1000 classes; for a network of other "
            "classes number the folders 0..n-1 in its order, or give bench.run torchvision's ImageFolder as data"
        )
        advice = (
            own if space.name == "imagenet1k" else "choose a suite of the model's own data set (`bench show MODEL`)"
        )
        advice = BACKGROUND if card.classes == WITH_BACKGROUND and needed == 1000 else advice
        raise DataError(
            f"{card.name} has {card.classes} classes, but label space {space.name!r} needs {needed}; {advice}"
        )
    if space.name == "folder1000" and card.labels == "imagenet1k":
        raise DataError(
            f"{card.name} has ImageNet's classes, but the folders' names are not ImageNet's (wnids or class names): "
            "labels by the order of folders would be wrong; name the folders by wnid"
        )
    theirs = known_names(card.labels)
    if folders and len(theirs) == card.classes and not _numbered(folders):
        raise DataError(
            f"{card.name} has the classes of {card.labels} ({', '.join(theirs[:3])}, ...), and the folders are counted "
            f"in the order of their names ({', '.join(folders[:3])}, ...): labels would be wrong; number the folders "
            f"0..{len(folders) - 1} in the model's order"
        )


def check_names(own: Sequence[str], theirs: Sequence[str]) -> None:
    """Check that `theirs`, the names of the classes that labels count, are not those of a network's `own` classes in
    another order. Raises `DataError`."""
    ours, other = ([re.sub(r"[\s_-]+", " ", name).casefold() for name in names] for names in (own, theirs))
    if ours != other and sorted(ours) == sorted(other) and len(set(ours)) == len(ours):
        place = next(i for i, (a, b) in enumerate(zip(ours, other, strict=True)) if a != b)
        raise DataError(
            f"the network has the same classes in another order: its class {place} is {own[place]}, that of the labels "
            f"{theirs[place]}; give labels in the network's order ({', '.join(own[:3])}, ...)"
        )


def _numbered(folders: Sequence[str]) -> bool:
    """Return whether folders' names end with their label (`3`, `class00003`)."""
    return all(re.fullmatch(rf"\D*0*{label}", name) for label, name in enumerate(folders))


def _subspace(name: str, file: str) -> LabelSpace:
    """Some of ImageNet's classes, in sorted-wnid order, as ImageFolder gives them."""
    index = imagenet_index()
    members = tuple((index[wnid],) for wnid in sorted(_timm_list(file)))
    return LabelSpace(name, len(members), members)


_SPACES: dict[str, Callable[[], LabelSpace]] = {
    "imagenet1k": lambda: LabelSpace("imagenet1k", 1000),
    "tiny10": lambda: LabelSpace("tiny10", 10),
    "imagenet-a-200": lambda: _subspace("imagenet-a-200", "imagenet_a_synsets.txt"),
    "imagenet-r-200": lambda: _subspace("imagenet-r-200", "imagenet_r_synsets.txt"),
    "categories16": lambda: LabelSpace("categories16", len(CATEGORIES), tuple(CATEGORIES.values())),
}
