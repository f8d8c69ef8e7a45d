"""Generators of documentation pages and of the tiny zoo, for maintainers; not part of the wheel."""
