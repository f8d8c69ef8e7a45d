"""Diagnostics: batch-norm statistics, smoothness, and distances to the decision boundary."""
