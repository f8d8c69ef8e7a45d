"""Attacks: what is searched, by which steps, within which budget; and one queue that runs them all."""

from bench.attacks.table import ATTACKS, list_attacks

__all__ = ["ATTACKS", "list_attacks"]
