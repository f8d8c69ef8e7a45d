"""Figures of Smooth Adversarial Training (arXiv 2006.14536)."""

from bench.figures.base import figures_of
from bench.figures.sat import ablations, attack_iterations, efficientnets, functions, scaling, scatter

FIGURES = figures_of(scatter, functions, scaling, efficientnets, attack_iterations, ablations)
