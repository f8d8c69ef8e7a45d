"""Figures of AdvProp (arXiv 1911.09665)."""

from bench.figures.advprop import attackers, branches, by_network, distorted, remeasured, scaling, variants
from bench.figures.base import figures_of

FIGURES = figures_of(scaling, by_network, distorted, remeasured, branches, attackers, variants)
