"""Attacks: searches within a budget, and one queue that runs them all."""

from bench.attacks.table import ATTACKS, list_attacks

__all__ = ["ATTACKS", "list_attacks"]
