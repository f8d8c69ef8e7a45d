"""Ordered, labelled images: the table of sets, their readers, and what turns an image into an input."""
