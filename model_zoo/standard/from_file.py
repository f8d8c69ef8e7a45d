"""``file:PATH.py:FACTORY``: any `nn.Module` returned by a function of the user's file. This runs the user's code.

Options give input and labels: ``?size=224&resize=256&interpolation=bicubic&mean=0.5,0.5,0.5&std=...&classes=1000``
``&labels=imagenet1k&dataset=imagenet&channels=rgb&geometry=resize_crop&format=torch``.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from urllib.parse import quote

from torch import nn

from model_zoo.card import ModelCard, parse_card
from model_zoo.errors import UnknownModelError
from model_zoo.identity.code import is_users
from model_zoo.inspect_network import check_normalised_once
from model_zoo.outside import OutsideName
from model_zoo.standard.local_imports import local_imports, source_hash
from model_zoo.weights import Arrays

_INPUT = ("size", "resize", "crop_padding", "mean", "std", "interpolation", "channels", "geometry")
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def card(asked: OutsideName) -> ModelCard:
    """Make the card from the options. It has the source's hash, so an edited file is another model. Runs no code."""
    asked.check_options(*_INPUT, "classes", "labels", "dataset", "format")
    path, colon, factory = asked.name.rpartition(":")
    if not colon or not factory.isidentifier():
        raise UnknownModelError(f"file:{asked.name}: expected file:PATH.py:FACTORY, FACTORY being a function's name")
    source = _existing(path)
    if source is None:
        raise UnknownModelError(f"file:{asked.name}: no file {path}")
    return parse_card(
        {
            "name": _name(asked, path, factory),
            "method": "standard",
            "room": "standard.from_file",
            "architecture": factory,
            "input": _input(asked),
            "weights": {
                "format": asked.options.get("format", "torch"),
                "availability": "user",
                "licence": "the user's",
            },
            "classes": asked.number("classes", 1000),
            "labels": asked.options.get("labels", "imagenet1k"),
            "dataset": asked.options.get("dataset", "imagenet"),
            "build": {
                "path": str(source),
                "factory": factory,
                "code_sha256": source_hash(source, local_imports(source)),
            },
        }
    )


def _name(asked: OutsideName, path: str, factory: str) -> str:
    """Return the full name, with folder and options, which gives this model again when typed."""
    options = "&".join(f"{k}={quote(v.replace(',', ':'), safe=':')}" for k, v in sorted(asked.options.items()))
    return f"file:{os.path.normpath(path)}:{factory}" + (f"?{options}" if options else "")


def _existing(path: str) -> Path | None:
    try:
        source = Path(path).expanduser().resolve()
        return source if source.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, with NUL, or an unknown user's home
        return None


def _input(asked: OutsideName) -> dict[str, Any]:
    size = asked.number("size", 224)
    return {
        "size": size,
        "resize": asked.number("resize", round(size * 256 / 224)),
        "crop_padding": asked.number("crop_padding", 32),
        "mean": asked.triple("mean", _IMAGENET_MEAN),
        "std": asked.triple("std", _IMAGENET_STD),
        **{key: asked.options[key] for key in ("interpolation", "channels", "geometry") if key in asked.options},
    }


def build(card: ModelCard) -> nn.Module:
    """Import the file, with its folder on the path for its own imports, and call the factory."""
    path, factory = Path(card.build["path"]), card.build["factory"]
    module = _import(path)
    if not callable(getattr(module, factory, None)):
        raise UnknownModelError(f"{path} defines no function {factory!r}")
    try:
        net = getattr(module, factory)()
    except (Exception, SystemExit) as error:
        raise UnknownModelError(f"{path}: {factory}() failed: {type(error).__name__}: {error}") from error
    if not isinstance(net, nn.Module):
        raise UnknownModelError(f"{path}: {factory}() must return an nn.Module, found a {type(net).__name__}")
    check_normalised_once(net, card.input)
    return net


def _import(path: Path) -> Any:
    """Import the current file and its local imports from source, never from older bytecode."""
    name = f"_bench_file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    imports = local_imports(path)
    _forget_others(imports)
    finder = _FromSource(imports)
    sys.modules[name] = module  # for dataclasses and pickles, which look it up
    sys.path.insert(0, str(path.parent))
    sys.meta_path.insert(0, finder)
    importlib.invalidate_caches()
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise UnknownModelError(f"{path} failed on import: {type(error).__name__}: {error}") from error
    finally:
        sys.meta_path.remove(finder)
        sys.path.remove(str(path.parent))
    return module


class _SourceAlone(SourceFileLoader):
    """Loader that ignores bytecode. Python accepts bytecode of another file with equal size and modification second."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = compile(self.get_data(path), path, "exec", dont_inherit=True)
        return code


class _FromSource(MetaPathFinder):
    """Finder that loads the modules in `files` from source, before Python's finders."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        file = self.files.get(fullname)
        if file is None:
            return None
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        loader = _SourceAlone(fullname, str(file))
        return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=inside)


_imported: dict[str, str] = {}
"""SHA-256 of each module at the time when a user's file imported it."""


def _forget_others(imports: Mapping[str, Path]) -> None:
    """Remove loaded modules with a name in `imports` that come from another file or were edited since."""
    for name, file in imports.items():
        known, now = sys.modules.get(name), hashlib.sha256(file.read_bytes()).hexdigest()
        if known is not None and is_users(known):
            other = Path(str(getattr(known, "__file__", ""))).resolve() != file.resolve()
            if other or _imported.get(str(file), now) != now:
                del sys.modules[name]
        _imported[str(file)] = now


def convert(_card: ModelCard, arrays: Arrays) -> Arrays:
    """Return the arrays unchanged: a user's file has the user's names."""
    return arrays
