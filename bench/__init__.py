"""Evaluate robust ImageNet models. Every command of `bench` has a function in this module: `dir(bench)` shows all.

Heavy imports are delayed until they are used, so that ``bench list`` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench import callbacks as callbacks
    from bench import plot as plot
    from bench.attacks import list_attacks as list_attacks
    from bench.attacks.call import attack as attack
    from bench.board.leaderboard import leaderboard as leaderboard
    from bench.board.report import report as report
    from bench.corruptions import corrupt as corrupt
    from bench.datasets.doctor import diagnose as doctor
    from bench.datasets.fetch import fetch as fetch_dataset
    from bench.datasets.known import list_datasets as list_datasets
    from bench.demo import demo as run_demo
    from bench.diagnosis.run import diagnose as diagnose
    from bench.exports import export as export
    from bench.figures import list_figures as list_figures
    from bench.figures import write_figures as write_figures
    from bench.folder.compare import compare_pairs as compare
    from bench.folder.merge import merge as merge
    from bench.folder.records import records as records
    from bench.folder.tables import results as results
    from bench.folder.verify import verify as verify
    from bench.gate.check import accept as accept
    from bench.gate.check import check as check
    from bench.memory import run as run
    from bench.memory import wrap as wrap
    from bench.options import RunOptions as RunOptions
    from bench.reproduce import reproduce as reproduce_paper
    from bench.suites.registry import list_suites as list_suites
    from bench.training.zoo import train_recipe as train

    __version__: str

_PUBLIC = {
    "RunOptions": "bench.options",
    "accept": "bench.gate.check",
    "attack": "bench.attacks.call",
    "check": "bench.gate.check",
    "compare": "bench.folder.compare:compare_pairs",
    "corrupt": "bench.corruptions",
    "diagnose": "bench.diagnosis.run",
    "doctor": "bench.datasets.doctor:diagnose",
    "export": "bench.exports",
    "fetch_dataset": "bench.datasets.fetch:fetch",
    "leaderboard": "bench.board.leaderboard",
    "list_attacks": "bench.attacks",
    "list_datasets": "bench.datasets.known",
    "list_figures": "bench.figures",
    "list_suites": "bench.suites.registry",
    "merge": "bench.folder.merge",
    "records": "bench.folder.records",
    "report": "bench.board.report",
    "reproduce_paper": "bench.reproduce:reproduce",
    "results": "bench.folder.tables",
    "run": "bench.memory",
    "run_demo": "bench.demo:demo",
    "train": "bench.training.zoo:train_recipe",
    "verify": "bench.folder.verify",
    "wrap": "bench.memory",
    "write_figures": "bench.figures",
}
"""Module of each public name: `module`, or `module:name` if it has another name there."""

_ROOMS = ("callbacks", "plot")
"""Public modules."""

__all__ = [
    "RunOptions",
    "accept",
    "attack",
    "check",
    "compare",
    "corrupt",
    "diagnose",
    "doctor",
    "export",
    "fetch_dataset",
    "leaderboard",
    "list_attacks",
    "list_datasets",
    "list_figures",
    "list_suites",
    "merge",
    "records",
    "report",
    "reproduce_paper",
    "results",
    "run",
    "run_demo",
    "train",
    "verify",
    "wrap",
    "write_figures",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("robust-imagenet-bench")
    if name in _ROOMS:
        return import_module(f"bench.{name}")
    if name not in _PUBLIC:
        from model_zoo.errors import suggestion

        raise AttributeError(f"module 'bench' has no attribute {name!r}{suggestion(name, _PUBLIC)}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute or name)


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS, "__version__"]
