"""The data sets: one module per family, each with its records as `SETS`. To add a set, add its record to a module
here."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from bench.datasets.info import SetInfo


def _every() -> Iterator[SetInfo]:
    for module in pkgutil.iter_modules(__path__):
        yield from import_module(f"{__name__}.{module.name}").SETS


SETS: dict[str, SetInfo] = {info.name: info for info in sorted(_every(), key=lambda info: info.order)}
"""Every data set by name, in the order of tables."""


def list_datasets() -> list[str]:
    """Names of all data sets (`bench list datasets`)."""
    return list(SETS)
