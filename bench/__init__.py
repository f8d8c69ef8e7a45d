"""Evaluate robust ImageNet models: ``run``, ``attack``, ``results``, ``records``, ``corrupt``.

Nothing heavy is imported until it is used, so that ``bench list`` answers at once.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "attack": "bench.attacks.call",
    "run": "bench.engine.run",
    "results": "bench.folder.tables",
    "records": "bench.folder.tables",
    "leaderboard": "bench.board.leaderboard",
    "check": "bench.gate.check",
    "corrupt": "bench.corruptions",
}

__all__ = ["attack", "check", "corrupt", "leaderboard", "records", "results", "run"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
