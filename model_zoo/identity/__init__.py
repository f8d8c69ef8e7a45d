"""What a model is: everything that it computes from, and what it answers; names are for people only."""

from model_zoo.identity.record import Identity, alike

__all__ = ["Identity", "alike"]
