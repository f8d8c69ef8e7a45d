"""A fixed sample of a set's images, which shows whether two shares are of one set."""

import functools
import json
from collections.abc import Mapping

import pyarrow as pa

from bench.record import SAMPLE
from model_zoo.schema import loads

Sample = Mapping[str, str]
"""Content hashes by image id."""


def write_sample(sample: Sample) -> str:
    """Return text that `sample_of` reads."""
    return json.dumps(sample, sort_keys=True)


def sample_of(part: pa.Schema) -> Sample:
    """Return the sample in the records' metadata; empty in those of older versions."""
    return _read((part.metadata or {}).get(SAMPLE.encode(), b"{}"))


@functools.lru_cache(maxsize=64)
def _read(text: bytes) -> Sample:
    """Read the text once for all parts of one set, which share it."""
    try:
        found = loads(text)
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def unlike(a: Sample, b: Sample) -> str:
    """Return the first image with different content in two samples; empty if there is none."""
    return next((image for image in sorted(a.keys() & b.keys()) if a[image] != b[image]), "")
