"""`bench reproduce PAPER`: all tables and figures of a paper."""

from bench.reproduce.cost import missing_and_cost as missing_and_cost
from bench.reproduce.paper import Reproduction as Reproduction
from bench.reproduce.paper import reproduce as reproduce
from bench.reproduce.steps import PAPERS as PAPERS
