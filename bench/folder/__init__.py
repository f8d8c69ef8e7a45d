"""A results folder read back: reader, tables, comparison, verification, merging."""
