"""Diagnostics: what normalisation knows, how smooth a model is, how far its decisions are from the edge."""
