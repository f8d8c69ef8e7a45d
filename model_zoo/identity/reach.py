"""Everything that a network computes from, wherever it is stored: attributes, lists, closures, globals, class bodies.

torch does not register a network in a Python list, a closure or a global of the user's file: it is missing from
`state_dict()`, and `eval()` and `to()` skip it. It is found here by following references.
"""

import enum
import functools
import sys
import weakref
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from model_zoo.identity.code import home_of, is_users, names_used, title

PLAIN = (bool, int, float, complex, str, bytes, type(None))
HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_OF_TORCH = frozenset(vars(nn.Module())) - {"training"}
_WORDS = (torch.device, torch.dtype, torch.Size, PurePath, enum.Enum, np.dtype, np.generic, range, slice, type(...))
_STRANGE = (torch.Generator, np.random.Generator, np.random.RandomState)
"""Random generators: their state is not part of a model, since `bench` requires repeatable outputs."""


class DerivedTensors(nn.Module):
    """A network whose tensors named in `derived` are computed from its other attributes. They are not part of its
    identity, since their last bits differ between machines."""

    derived: tuple[str, ...] = ()


class Reach:
    """Everything reachable from `root`.

    leaves: values by the path on which each is first met
    registered: paths of parameters and buffers
    versions: number of writes to each tensor
    modules: all networks, including unregistered ones
    code: all functions and classes
    """

    def __init__(self, root: nn.Module) -> None:
        self.leaves: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self.registered: set[str] = set()
        self.modules: list[nn.Module] = []
        self.code: list[FunctionType | type] = []
        self._first: dict[int, str] = {}
        self._alive: list[Any] = []
        waiting: list[tuple[str, Any, bool]] = [("", root, True)]
        while waiting:
            path, value, counts = waiting.pop()
            waiting += self._visit(path, value, counts)

    def _visit(self, path: str, value: Any, counts: bool) -> list[tuple[str, Any, bool]]:
        """Record `value` and return its references. Plain values within objects of libraries are skipped: their names,
        dates and folders do not affect a network."""
        if type(value) in weakref.ProxyTypes or _is_trainer(value):
            return []
        if isinstance(value, (*PLAIN, *_WORDS)):
            if counts:
                self.leaves[path] = value if isinstance(value, PLAIN) else str(value)
            return []
        if id(value) in self._first:
            if counts:
                self.leaves[path] = f"as {self._first[id(value)]}"
            return []
        self._first[id(value)] = path
        self._alive.append(value)  # keeps its id unique
        if isinstance(value, (Tensor, np.ndarray, CodeType)):
            self.leaves[path] = value
            if isinstance(value, Tensor) and not is_lazy(value) and not value.is_inference():
                self.versions[path] = value._version
            return []
        if isinstance(value, FunctionType | type):
            self.code.append(value)
        if isinstance(value, nn.Module):
            self.modules.append(value)
            named = (*value.named_parameters(recurse=False), *value.named_buffers(recurse=False))
            self.registered |= {f"{path}.{name}" for name, _ in named}
            counts = True
        if counts:
            self.leaves[f"{path}:"] = title(value if _has_a_name(value) else type(value))
        counts = counts and (isinstance(value, _HOLDERS) or is_users(home_of(type(value))))
        return [(f"{path}{name}", inner, counts) for name, inner in _members(value)]


def _is_trainer(value: Any) -> bool:
    """Return whether `value` is a trainer. A network computes nothing from its trainer, which refers to data, loggers
    and clocks."""
    kind = type(value)
    return kind.__name__ in ("Trainer", "Fabric", "Accelerator") and kind.__module__.partition(".")[0] in _TRAINERS


_TRAINERS = ("lightning", "lightning_fabric", "pytorch_lightning", "transformers", "accelerate")

_HOLDERS = (
    nn.Module,
    Mapping,
    list,
    tuple,
    set,
    frozenset,
    FunctionType,
    MethodType,
    functools.partial,
    functools._lru_cache_wrapper,
    type,
)


def _has_a_name(value: Any) -> bool:
    """Return whether `value` has a name, like classes and functions; a foreign `__getattr__` may raise anything."""
    try:
        return hasattr(value, "__qualname__")
    except Exception:
        return False


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the direct references of `value` by name."""
    match value:
        case nn.Module():
            yield from _of_module(value)
        case Mapping():
            yield from ((f"[{key!r}]" if isinstance(key, PLAIN) else f"[#{n}]", v) for n, (key, v) in _items(value))
        case list() | tuple():
            yield from ((f"[{n}]", inner) for n, inner in enumerate(value))
        case set() | frozenset():
            yield from ((f"{{{n}}}", inner) for n, inner in enumerate(sorted(value, key=repr)))
        case FunctionType():
            yield from _of_function(value)
        case MethodType():
            yield from ((".function", value.__func__), (".self", value.__self__))
        case functools.partial():
            yield from ((".function", value.func), (".args", value.args), (".keywords", value.keywords))
        case functools._lru_cache_wrapper():
            yield ".function", value.__wrapped__
        case type():
            yield from _of_class(value)
        case ModuleType():
            return
        case BuiltinFunctionType():
            if not isinstance(value.__self__, (ModuleType, type)):
                yield ".self", value.__self__
        case _ if isinstance(value, _STRANGE) or _of_the_standard_library(value):
            return
        case _:
            yield ".class", type(value)
            yield from _attributes(value)


def _of_the_standard_library(value: Any) -> bool:
    """Return whether `value` is a standard-library object (logger, thread, file), which refers to no network."""
    root = type(value).__module__.partition(".")[0]
    return root in sys.stdlib_module_names - {"argparse", "types", "__main__"}


def _items(value: Mapping[Any, Any]) -> Iterator[tuple[int, tuple[Any, Any]]]:
    return enumerate(list(value.items()))


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    held = getattr(value, "__dict__", None)
    yield from ((f".{name}", inner) for name, inner in list((held or {}).items()) if isinstance(name, str))
    for kind in type(value).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else tuple(names):
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield f".{name}", getattr(value, name)


def _of_module(module: nn.Module) -> Iterator[tuple[str, Any]]:
    yield ".class", type(module)
    derived = module.derived if isinstance(module, DerivedTensors) and not is_users(home_of(type(module))) else ()
    for held in (module._parameters, module._buffers, module._modules):
        yield from ((f".{name}", inner) for name, inner in held.items() if name not in derived)
    for name in HOOKS:
        yield from ((f".{name}[{n}]", hook) for n, hook in enumerate(vars(module).get(name, {}).values()))
    yield from ((f".{name}", inner) for name, inner in list(vars(module).items()) if name not in _OF_TORCH)
    if isinstance(module, (torch.jit.ScriptModule, torch.fx.GraphModule)):
        yield ".code", str(module.code)
    if isinstance(module, torch.jit.ScriptModule):
        yield from _frozen(module)


def _frozen(module: torch.jit.ScriptModule) -> Iterator[tuple[str, Any]]:
    """Yield the weights that `torch.jit.freeze` turned into constants of the graph."""
    try:
        graph: Any = module.inlined_graph
        nodes = graph.findAllNodes("prim::Constant")
    except (RuntimeError, AttributeError):  # a submodule without its own forward pass
        return
    tensors = [node.t("value") for node in nodes if node.hasAttribute("value") and node.kindOf("value") == "t"]
    yield from ((f".constant[{n}]", tensor) for n, tensor in enumerate(tensors))


def _of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield a function's code, closure and defaults, and for the user's functions the globals in use."""
    for n, cell in enumerate(function.__closure__ or ()):
        try:
            yield f".closure[{n}]", cell.cell_contents
        except ValueError:  # not yet bound
            continue
    yield ".defaults", function.__defaults__
    yield ".keywords", function.__kwdefaults__
    if not is_users(home_of(function)):
        return
    yield ".code", function.__code__
    names = list(dict.fromkeys(names_used(function.__code__)))
    for name in names:
        found = function.__globals__.get(name)
        if isinstance(found, ModuleType) and is_users(found):
            yield from ((f".{name}.{inner}", vars(found)[inner]) for inner in names if inner in vars(found))
        elif name in function.__globals__:
            yield f".{name}", found


def _of_class(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the body of a user's class and of its user-defined base classes."""
    for base in kind.__mro__ if is_users(home_of(kind)) else ():
        if is_users(home_of(base)):
            for name, value in vars(base).items():
                inner = getattr(value, "__func__", getattr(value, "fget", value))
                if not (name.startswith("__") and name.endswith("__") and not isinstance(inner, FunctionType)):
                    yield f".{base.__qualname__}.{name}", inner
