"""Values that a model's code keeps outside the model, which all copies of the model share: in closures, global
variables, class bodies, default arguments and caches."""

import dis
import enum
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from torch import nn

from model_zoo.identity.code import home_of, is_users, names_used
from model_zoo.identity.reach import Reach

GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")
"""Instructions that name a global variable."""


@dataclass(frozen=True)
class OutsideSlot:
    """A place outside the model from which its code takes a value: an item of a dict, or an attribute."""

    holder: Any
    name: str

    def get(self) -> Any:
        """Return the value; a class's as it stands in its body, since descriptors may refuse to be asked there."""
        held = vars(self.holder) if isinstance(self.holder, type) else self.holder
        return held[self.name] if isinstance(held, Mapping) else getattr(held, self.name)

    def put(self, value: Any) -> None:
        """Replace the value."""
        if isinstance(self.holder, dict):
            self.holder[self.name] = value
        else:
            setattr(self.holder, self.name, value)


def slots(model: nn.Module) -> list[OutsideSlot]:
    """Return the places of all values, except code, that the user's functions and classes behind `model` name."""
    found: dict[tuple[int, str], OutsideSlot] = {}
    for part in Reach(model).code:
        if is_users(home_of(part)):
            for slot in _of_class(part) if isinstance(part, type) else _of_function(part):
                found[id(slot.holder), slot.name] = slot
    return [slot for slot in found.values() if _is_value(slot.get())]


def without_cache(value: Any) -> Any:
    """Return a function with an empty cache for one with a cache, and any other value itself."""
    if isinstance(value, functools._lru_cache_wrapper):
        return functools.lru_cache(**value.cache_parameters())(value.__wrapped__)
    return value


def _is_value(value: Any) -> bool:
    if isinstance(value, functools._lru_cache_wrapper):
        return True
    return not isinstance(value, ModuleType | type) and not hasattr(type(value), "__get__")


def _of_class(kind: type) -> Iterator[OutsideSlot]:
    names = [] if issubclass(kind, enum.Enum) else list(vars(kind))
    yield from (OutsideSlot(kind, name) for name in names if not (name.startswith("__") and name.endswith("__")))


def _of_function(function: FunctionType) -> Iterator[OutsideSlot]:
    for cell in function.__closure__ or ():
        try:
            _ = cell.cell_contents
        except ValueError:  # not yet bound
            continue
        yield OutsideSlot(cell, "cell_contents")
    yield OutsideSlot(function, "__defaults__")
    yield OutsideSlot(function, "__kwdefaults__")
    yield from (OutsideSlot(vars(function), name) for name in vars(function))
    names = set(_globals(function.__code__))
    for name in names & function.__globals__.keys():
        yield OutsideSlot(function.__globals__, name)
        module = function.__globals__[name]
        if isinstance(module, ModuleType) and is_users(module):
            yield from (
                OutsideSlot(vars(module), inner) for inner in {*names_used(function.__code__)} & vars(module).keys()
            )


def _globals(code: CodeType) -> Iterator[str]:
    """Yield the names of global variables in the code and in its nested functions."""
    yield from (str(step.argval) for step in dis.get_instructions(code) if step.opname in GLOBAL)
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _globals(value)
