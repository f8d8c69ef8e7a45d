"""ImageNet's classes by name: a name proves a label only if it is unique to one class."""

import ast
import functools
import importlib.util
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.datasets.labels import imagenet_index, imagenet_wnids, timm_file
from bench.naming import WNID

_WNID = re.compile(rf"(?<![0-9a-z])({WNID})(?!\d)")
_NUMBERED = re.compile(r"^\d+[\s._:-]+(?=\D)")


def wnid_in(name: str) -> str:
    """Return the wnid in a folder's name, alone or with words (`n01440764`, `N01440764_tench`, `0 n01440764 tench`)."""
    found = set(_WNID.findall(name.lower()))
    return found.pop() if len(found) == 1 else ""


def match_names(names: Sequence[str]) -> list[int | None]:
    """The class index of each name, None where it is no class's, or not surely one's.

    Names are wnids, WordNet's words (`tench, Tinca tinca`, or one of them) or torchvision's names, with or without a
    number before them. A word that two classes share (crane) counts where the other class is named by something
    else, or where all 1000 names stand in ImageNet's order.
    """
    options = [_options(name) for name in names]
    taken = {next(iter(classes)) for classes in options if len(classes) == 1}
    in_order = len(names) == 1000 and all(i in classes for i, classes in enumerate(options))
    if in_order:
        return list(range(1000))
    left = [classes if len(classes) == 1 else classes - taken for classes in options]
    found = [next(iter(classes)) if len(classes) == 1 else None for classes in left]
    return [None if label is not None and found.count(label) > 1 else label for label in found]


def _options(name: str) -> frozenset[int]:
    if wnid := wnid_in(name):
        return frozenset({imagenet_index()[wnid]} if wnid in imagenet_index() else ())
    for plain in (_plain(name), _plain(_NUMBERED.sub("", name))):
        for table in _tables():
            if plain in table:
                return table[plain]
    return frozenset()


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.replace("'", "").lower()).strip()


@functools.cache
def _tables() -> tuple[dict[str, frozenset[int]], dict[str, frozenset[int]]]:
    """Return classes by their names, and, less certain, by any one of their WordNet words, as listed by timm."""
    called: dict[str, set[int]] = defaultdict(set)
    words: dict[str, set[int]] = defaultdict(set)
    lines = timm_file("imagenet_synset_to_lemma.txt").read_text("utf-8").splitlines()
    lemmas = dict(line.split("\t", 1) for line in lines)
    for index, wnid in enumerate(imagenet_wnids()):
        called[_plain(lemmas[wnid])].add(index)
        for word in lemmas[wnid].split(", "):
            words[_plain(word)].add(index)
    for index, name in enumerate(torchvision_names()):
        called[_plain(name)].add(index)
    strong, weak = ({name: frozenset(found) for name, found in table.items()} for table in (called, words))
    return strong, weak


@functools.cache
def torchvision_names() -> tuple[str, ...]:
    """Return the 1000 names in torchvision's weights, read without importing it; empty if it is not installed."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return ()
    tree = ast.parse((Path(spec.origin).parent / "models" / "_meta.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "_IMAGENET_CATEGORIES" for t in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ()
