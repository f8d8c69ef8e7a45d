"""Maintainers' generators of documentation pages and of the tiny zoo; not part of the wheel."""
