"""Compiled loops on an installation that has no place for Numba's cache."""

import numba
import numpy as np
import pytest

from bench.jit import compiled


def test_without_a_place_for_the_cache_each_process_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def nowhere(cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function 'total': no locator available for file 'compiled.py'")
        return njit(**options)

    def total(values: np.ndarray) -> float:
        found = 0.0
        for value in values:
            found += value
        return found

    with monkeypatch.context() as patch:  # while it is decorated: Numba compiles with njit itself
        patch.setattr(numba, "njit", nowhere)
        made = compiled()(total)
    assert made(np.arange(5.0)) == 10.0
