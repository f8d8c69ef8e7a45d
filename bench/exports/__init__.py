"""`bench export`: a results folder in the forms that other places read."""

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
"""What `to` can be."""


def export(directory: str | Path, to: str, out: str | Path, *, models: Sequence[str] = ()) -> Exported:
    """Write the results folder into `out` as `hf-model-card` or `datasets`; returns the files and what is left out.

    hf-model-card: a Markdown file a model with the `model-index` block that the Hugging Face hub reads.
    datasets: a folder of Parquet files that `datasets.load_dataset(out, "records")` (and `"results"`) reads.
    models: names to which it is kept; all where empty. Raises `UsageError` for an unknown form or model, `StoreError`
    where there are no results, `IncompleteError` where nothing is complete.
    """
    if to not in FORMS:
        raise UsageError(f"--to {to!r}: expected {' or '.join(FORMS)}")
    return FORMS[to](directory, Path(out), models)
