"""Compiled code on bare installations: no place for Numba's cache, none of the libraries that OpenCV asks for."""

import importlib
import sys

import numba
import numpy as np
import pytest

from bench.errors import MissingError
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


def test_without_the_systems_libraries_opencv_says_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slim containers lack what OpenCV's windows need; tables and clean runs go on without it."""
    monkeypatch.delitem(sys.modules, "bench.opencv", raising=False)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingError, match="apt-get install libgl1"):
        importlib.import_module("bench.opencv")
