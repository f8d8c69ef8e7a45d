"""Plan -> units -> executor -> records. Imports nothing: a worker needs neither plans nor tables."""
