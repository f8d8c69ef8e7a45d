"""Names of the columns that probes add to records, and the choices in them."""

COLUMNS = ("gradient_l1", "gradient_l2", "lipschitz", "linearity_error", "gradient_cosine", "curvature")
"""Of `bench.diagnostics.smoothness`."""

BATCHES = (256, 64, 16)
"""Batch sizes of the train/test consistency (Nado et al., arXiv 2006.10963, vary the same)."""

SAMPLES = (1, 4, 16, 64, 256, 512)
PRIORS = (0, 16)
"""n and N of the adaptation curves: the range of Schneider et al., arXiv 2006.16971, Figures 2 and 3."""

BATCH = "batch"
"""Statistics of the batch at hand, in the cross table."""


def adapted_column(n: int, prior: int) -> str:
    """Where the prediction under n adaptation images and prior N stands."""
    return f"prediction_n{n}_prior{prior}"


def cross_column(statistics: str, affine: str) -> str:
    """Where the prediction of a cell of the cross table stands."""
    return f"prediction_statistics-{statistics}_affine-{affine}"
