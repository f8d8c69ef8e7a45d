"""Conversion of auxiliary batch norms' names in PyTorch ports of AdvProp to those of `BranchedBatchNorm2d`.

`bn1.weight` is the main branch; `bn1.aux_bn.weight` (tingxueronghua/pytorch-classification-advprop) or
`bn1.bn_adv.weight` (alibaba/easyrobust) the second. A network without branches keeps the main one, as in both ports'
evaluation.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

_NORM = re.compile(r"(?P<layer>(?:.+\.)?(?:bn\d*|downsample\.1))\.(?:(?P<aux>aux_bn|bn_adv)\.)?(?P<vector>\w+)")


def from_mixture(branches: Sequence[str], arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `arrays` with batch norms under their branches' names; without `branches`, auxiliary ones are dropped."""
    return {name: value for key, value in arrays.items() if (name := _name(branches, key))}


def _name(branches: Sequence[str], key: str) -> str | None:
    match = _NORM.fullmatch(key)
    if match is None:
        return key
    if not branches:
        return None if match["aux"] else key
    branch = branches[1] if match["aux"] and len(branches) > 1 else branches[0]
    return f"{match['layer']}.branches.{branch}.{match['vector']}"
