"""The engine: plan -> units -> executor -> records. This file imports nothing: a worker needs neither plans nor
tables."""
