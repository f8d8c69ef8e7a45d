"""Suites: which conditions are measured, by which metrics, and which of those is the headline."""
