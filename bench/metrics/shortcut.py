"""How far a model follows a shortcut: what a watermark costs it, and what it gains the class that it stands for."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.metrics.accuracy import correct
from bench.metrics.base import Frames, MissingConditionError
from bench.metrics.estimate import Estimate, mean_estimate

if TYPE_CHECKING:
    import pandas as pd

CARTON = 478
"""ImageNet's class of cartons, on which such watermarks are common (Li et al. 2023, arXiv 2212.04825)."""


def accuracy_gap(marked: str, plain: str, label: int | None = None) -> Callable[[Frames], Estimate]:
    """Accuracy under condition `marked` less that under `plain`, in points, paired over images; of one class if given.

    facebookresearch/Whac-A-Mole, eval_watermark_shortcut.py: `in_w_gap`, and `carton_gap` for `CARTON`.
    """

    def compute(frames: Frames) -> Estimate:
        import pandas as pd

        if missing := [name for name in (marked, plain) if name not in frames]:
            raise MissingConditionError(f"{', '.join(missing)} was not measured")
        chosen = [_of(pd.DataFrame(frames[name]), label) for name in (marked, plain)]
        table = pd.concat([correct(frame) for frame in chosen], axis=1, join="inner").astype(float)
        if table.empty:
            raise MissingConditionError(f"no scored image of class {label}" if label is not None else "no scored image")
        found = mean_estimate((table.iloc[:, 0] - table.iloc[:, 1]).to_numpy(dtype=float))
        lost = len(set().union(*(frame["image_id"] for frame in chosen))) - found.n
        return Estimate(100 * found.value, 100 * found.low, 100 * found.high, found.n, lost)

    return compute


def _of(frame: "pd.DataFrame", label: int | None) -> "pd.DataFrame":
    return frame if label is None else frame[frame["label"] == label]
