"""Ordered, labelled pictures: the table of sets, their readers, and what turns a picture into an input."""
