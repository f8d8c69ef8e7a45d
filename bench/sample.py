"""A few images of a set, the same whoever measures which share of it: two shares are thus known to be of one set."""

import json
from collections.abc import Mapping

import pyarrow as pa

from bench.record import SAMPLE
from model_zoo.schema import loads

Sample = Mapping[str, str]
"""Content hashes by image id."""


def write_sample(sample: Sample) -> str:
    """Text that `sample_of` reads back."""
    return json.dumps(sample, sort_keys=True)


def sample_of(part: pa.Schema) -> Sample:
    """What records tell of the set that they are a share of; nothing in those of older versions."""
    try:
        found = loads((part.metadata or {}).get(SAMPLE.encode(), b"{}"))
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def unlike(a: Sample, b: Sample) -> str:
    """The first image whose content two samples tell otherwise; empty where there is none."""
    return next((image for image in sorted(a.keys() & b.keys()) if a[image] != b[image]), "")
