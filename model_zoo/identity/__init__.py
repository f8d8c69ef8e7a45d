"""Identity of a model: a hash of everything that it computes from, and its outputs on a probe. Names are not part."""

from model_zoo.identity.record import Identity, alike

__all__ = ["Identity", "alike"]
