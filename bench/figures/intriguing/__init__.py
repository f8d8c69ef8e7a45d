"""Figures of Intriguing Properties of Adversarial Training at Scale (arXiv 1906.03787)."""

from bench.figures.base import figures_of
from bench.figures.intriguing import attack_iterations, branch_statistics, clean_share, depth, mixture, normalisation

FIGURES = figures_of(clean_share, attack_iterations, mixture, normalisation, depth, branch_statistics)
