"""Loops compiled by Numba, cached on disk if possible; slow to import: import this late."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Decorator: compile with `numba.njit` without the interpreter lock.

    If neither the installation nor HOME is writable, Numba has no place for its cache and each process compiles again.
    """

    def decorate(function: Function) -> Function:
        try:
            made: Function = numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # no locator available for the file
            made = numba.njit(nogil=True, **options)(function)
        return made

    return decorate
