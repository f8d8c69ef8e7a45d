"""`bench reproduce PAPER`: a paper's whole set of tables and figures."""

from bench.reproduce.cost import missing_and_cost as missing_and_cost
from bench.reproduce.paper import Reproduction as Reproduction
from bench.reproduce.paper import reproduce as reproduce
from bench.reproduce.steps import PAPERS as PAPERS
