"""Whether a set holds images twice: n and the intervals count them again."""

import pyarrow as pa

from bench.arrow import as_numpy
from bench.metrics.base import Records

FEW = 0.01
"""Share of images up to which a set is believed to hold some twice."""


def repeated(records: Records) -> int:
    """Return the number of images with the content and the label of another, if they are more than `FEW`; else 0.
    Frames of films may be still."""
    names = records.column_names if isinstance(records, pa.Table) else list(records.columns)
    if "content" not in names or not len(records) or "#" in str(as_numpy(records["image_id"])[0]):
        return 0
    known = [pair for pair in zip(as_numpy(records["content"]), as_numpy(records["label"]), strict=True) if pair[0]]
    extra = len(known) - len(set(known))
    return extra if extra > FEW * len(known) else 0
