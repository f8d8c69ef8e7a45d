"""Ordered, labelled images: the table of sets, their readers, and preprocessing."""
