"""`bench export`: a results folder in other tools' formats."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.exports.base import Exported
from bench.exports.datasets import export_dataset
from bench.exports.model_card import export_model_cards

__all__ = ["FORMS", "Exported", "export"]

FORMS: dict[str, Callable[[str | Path, Path, Sequence[str]], Exported]] = {
    "hf-model-card": export_model_cards,
    "datasets": export_dataset,
}
"""Values of `to`, with the function of each."""


def export(directory: str | Path, to: str, out: str | Path, *, models: Sequence[str] = ()) -> Exported:
    """Write the results folder into `out` as `hf-model-card` or `datasets`; returns the files and what was left out.

    hf-model-card: one Markdown file per model with the `model-index` block that the Hugging Face hub reads.
    datasets: a folder of Parquet files for `datasets.load_dataset(out, "records")` (or `"results"`).
    models: names of the models to export; empty for all.

    Raises `UsageError` for an unknown form or model, `StoreError` if there are no results, `IncompleteError` if no cell
    is complete.
    """
    if to not in FORMS:
        raise UsageError(f"--to {to!r}: expected {' or '.join(FORMS)}")
    return FORMS[to](directory, Path(out), models)
