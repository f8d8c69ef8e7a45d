"""Generators of documentation pages and of the embedded zoo, for maintainers; not part of the wheel."""
