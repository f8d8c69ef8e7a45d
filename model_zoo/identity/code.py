"""Origin of code (user or library), and the content of a function: bytecode, constants and names in use."""

import functools
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any


@functools.cache
def _library_roots() -> tuple[str, ...]:
    """Return the folders of the standard library, of installed packages, and of this package and `bench`."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    here = Path(__file__).resolve().parents[1]
    places = [*(Path(sysconfig.get_paths()[name]) for name in names), here, here.parent / "bench"]
    return tuple(f"{place.resolve()}/" for place in places)


def is_users(module: ModuleType | None) -> bool:
    """Return whether a module is the user's own code, outside all libraries: a script, a notebook, a checkout."""
    if module is None or module.__name__ in sys.builtin_module_names:
        return False
    file = getattr(module, "__file__", None)
    if not file:
        return module.__name__ == "__main__"
    return _is_outside(file)


@functools.cache
def _is_outside(file: str) -> bool:
    """Return whether a file is in none of the libraries' folders; a network's modules ask a thousand times for one."""
    place = Path(file).resolve()
    return not (_INSTALLED & set(place.parts) or str(place).startswith(_library_roots()))


_INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Names of folders of installed packages, including those of a parent environment."""


def home_of(thing: Any) -> ModuleType | None:
    """Return the module in which a class or function was defined."""
    return sys.modules.get(str(getattr(thing, "__module__", "")))


def title(thing: Any) -> str:
    """Return `module.Class.method`; for a user's file without the module's name, which depends on the import."""
    name = getattr(thing, "__qualname__", type(thing).__qualname__)
    return str(name) if is_users(home_of(thing)) else f"{getattr(thing, '__module__', '')}.{name}"


def code_bytes(code: CodeType) -> bytes:
    """Return the bytecode and its constants and names, without line numbers and file names."""
    constants = [_constant(value) for value in code.co_consts]
    names = (code.co_names, code.co_varnames, code.co_freevars)
    return code.co_code + repr((names, constants)).encode()


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return code_bytes(value)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))  # string hashes differ between processes
    return value


def names_used(code: CodeType) -> Iterator[str]:
    """Yield global names and attributes used in the code and in its nested functions."""
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from names_used(value)
