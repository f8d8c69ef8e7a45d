"""Figures of NoFrost (arXiv 2207.01156)."""

from bench.figures.base import figures_of
from bench.figures.nofrost import along_attack, attacks, histograms, radar, scatter, training

FIGURES = figures_of(scatter, attacks, radar, histograms, along_attack, training)
