"""Names of the columns that probes add to records, and the parameters in these names."""

COLUMNS = ("gradient_l1", "gradient_l2", "lipschitz", "linearity_error", "gradient_cosine", "curvature")
"""Columns of `bench.diagnostics.smoothness`."""

BATCHES = (256, 64, 16)
"""Batch sizes of the consistency probe (varied likewise by Nado et al., arXiv 2006.10963)."""

SAMPLES = (1, 4, 16, 64, 256, 512)
PRIORS = (0, 16)
"""Images n (`SAMPLES`) and priors N of adaptation curves; range of Schneider et al., arXiv 2006.16971, Figures 2, 3."""

BATCH = "batch"
"""Name of the current batch's statistics in the cross table."""


def adapted_column(n: int, prior: int) -> str:
    """Return the column of predictions with n adaptation images and prior N."""
    return f"prediction_n{n}_prior{prior}"


def cross_column(statistics: str, affine: str) -> str:
    """Return the column of predictions for a cell of the cross table."""
    return f"prediction_statistics-{statistics}_affine-{affine}"
