"""``file:PATH.py:FACTORY``: any `nn.Module` that a function of the user's file returns. This runs the user's code.

Its input and labels are options: ``?size=224&resize=256&interpolation=bicubic&mean=0.5,0.5,0.5&std=...&classes=1000``
``&labels=imagenet1k&dataset=imagenet&channels=rgb&geometry=resize_crop&format=torch``.
"""

import hashlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from torch import nn

from model_zoo.card import ModelCard, parse_card
from model_zoo.errors import UnknownModelError
from model_zoo.standard.outside import OutsideName
from model_zoo.weights import Arrays

_INPUT = ("size", "resize", "crop_padding", "mean", "std", "interpolation", "channels", "geometry")
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def card(asked: OutsideName) -> ModelCard:
    """Made from the options; the source's hash goes in, so that an edited file is another model. Runs nothing."""
    asked.check_options(*_INPUT, "classes", "labels", "dataset", "format")
    path, colon, factory = asked.name.rpartition(":")
    if not colon or not factory.isidentifier():
        raise UnknownModelError(f"file:{asked.name}: expected file:PATH.py:FACTORY, FACTORY being a function's name")
    source = _existing(path)
    if source is None:
        raise UnknownModelError(f"file:{asked.name}: no file {path}")
    return parse_card(
        {
            "name": f"file:{source.name}:{factory}",
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
                "code_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            },
        }
    )


def _existing(path: str) -> Path | None:
    try:
        source = Path(path).expanduser().resolve()
        return source if source.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, with NUL, or of an unknown user
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
    """Import the file (its folder on the path, for its own imports) and call the factory."""
    path, factory = Path(card.build["path"]), card.build["factory"]
    module = _import(path)
    if not callable(getattr(module, factory, None)):
        raise UnknownModelError(f"{path} defines no function {factory!r}")
    net = getattr(module, factory)()
    if not isinstance(net, nn.Module):
        raise UnknownModelError(f"{path}: {factory}() must return an nn.Module, found a {type(net).__name__}")
    return net


def _import(path: Path) -> Any:
    name = f"_bench_file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise UnknownModelError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up by name
    sys.path.insert(0, str(path.parent))
    try:
        loader.exec_module(module)
    except Exception as error:
        raise UnknownModelError(f"{path} failed on import: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def convert(_card: ModelCard, arrays: Arrays) -> Arrays:
    """The user's file carries the user's names."""
    return arrays
