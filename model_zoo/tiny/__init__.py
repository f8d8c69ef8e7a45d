"""Tiny models: small networks of all four methods, trained in this repository on its own images."""
