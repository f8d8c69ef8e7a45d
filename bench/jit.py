"""Loops compiled by Numba, kept on the disk where there is a place for them; slow to import: import this late."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Decorator: compile by `numba.njit` without the interpreter lock.

    An installation that cannot be written to, under a HOME that cannot either, has no place for Numba's cache: there
    each process compiles anew.
    """

    def decorate(function: Function) -> Function:
        try:
            made: Function = numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # no locator available for the file
            made = numba.njit(nogil=True, **options)(function)
        return made

    return decorate
