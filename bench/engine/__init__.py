"""Plan -> units -> executor -> records."""

from bench.engine.run import run

__all__ = ["run"]
