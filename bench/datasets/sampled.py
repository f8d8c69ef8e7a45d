"""The sample of a set (`bench.sample`), taken."""

import hashlib
from collections.abc import Iterable

from bench.datasets.base import Dataset
from bench.datasets.content import UnreadableError

PICTURES = 16
"""Images of a sample: those of the least hashes of their ids, in whatever order a set shows them."""


def sampled(dataset: Dataset) -> list[int]:
    """The indices of a set's sample."""
    by_hash = sorted(range(len(dataset)), key=lambda i: hashlib.sha256(dataset.ids[i].encode()).digest())
    return sorted(by_hash[:PICTURES])


def take_sample(dataset: Dataset, indices: Iterable[int]) -> dict[str, str]:
    """The sample of a set, without the images that cannot be read. Raises `ChangedError`."""
    found = {}
    for index in indices:
        try:
            found[dataset.ids[index]] = dataset.hash_of(index)
        except UnreadableError:
            continue
    return found
