"""Objects that training scripts save next to tensors: read under `weights_only` as empty placeholders.

Names on this list are never imported: a file that refers to one gets a placeholder. Other names are refused, as by
torch, so that a file that refers to `os.system` is not read at all.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


class Bystander:
    """Placeholder of an object next to the tensors; its content is dropped."""

    def __init__(self, *_args: object) -> None:
        """Accept and drop the real class's arguments."""

    def __setstate__(self, _state: object) -> None:
        """Drop the state."""


def _an_empty_table(*_args: object) -> OrderedDict[str, object]:
    """Return the replacement of a `defaultdict`: its factory is dropped, its items follow."""
    return OrderedDict()


_ARGUMENTS = ["argparse.Namespace", "types.SimpleNamespace"]
_TABLES = [
    "easydict.EasyDict", "addict.addict.Dict", "addict.Dict", "munch.Munch", "box.box.Box", "yacs.config.CfgNode",
    "fvcore.common.config.CfgNode", "mmengine.config.config.ConfigDict", "mmcv.utils.config.ConfigDict",
    "ml_collections.config_dict.config_dict.ConfigDict", "pytorch_lightning.utilities.parsing.AttributeDict",
    "lightning.fabric.utilities.data.AttributeDict", "lightning_fabric.utilities.data.AttributeDict",
]  # fmt: skip
_CONFIGS = [
    "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig", "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata", "omegaconf.base.Container", "omegaconf.nodes.AnyNode", "omegaconf.nodes.StringNode",
    "omegaconf.nodes.IntegerNode", "omegaconf.nodes.FloatNode", "omegaconf.nodes.BooleanNode", "typing.Any",
]  # fmt: skip
_PATHS = [f"pathlib{room}.{kind}" for room in ("", "._local") for kind in ("Path", "PosixPath", "WindowsPath",
          "PurePath", "PurePosixPath", "PureWindowsPath")]  # fmt: skip
_TIMES = ["datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta", "datetime.timezone"]
_PLAIN = [f"{room}.{name}" for room in ("builtins", "__builtin__") for name in ("set", "frozenset", "slice", "range",
          "complex", "bytearray", "list", "dict", "int", "float", "str", "bool", "tuple", "object")]  # fmt: skip
_NUMPY = [
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")), "numpy.dtype", "numpy.ndarray",
    *(f"numpy.dtypes.{name}" for name in vars(np.dtypes) if name.endswith("DType")),
    *(f"numpy.{kind.__name__}" for kind in set(np.sctypeDict.values())),
]  # fmt: skip


def _of(module: Any) -> list[str]:
    """Return the pickle names of the classes that a module of torch defines, without imported ones."""
    classes = [c for c in vars(module).values() if isinstance(c, type) and c.__module__.startswith(module.__name__)]
    return [f"{c.__module__}.{c.__qualname__}" for c in classes]


def allowed() -> list[tuple[Callable[..., object] | type, str]]:
    """Return placeholders with the names they replace, for `torch.serialization.safe_globals`."""
    inert = [*_ARGUMENTS, *_CONFIGS, *_PATHS, *_TIMES, *_PLAIN, *_NUMPY]
    inert += [*_of(torch.optim), *_of(torch.optim.lr_scheduler), *_of(torch.nn.modules.loss)]
    return [
        *((Bystander, name) for name in inert),
        *((OrderedDict, name) for name in _TABLES),
        (_an_empty_table, "collections.defaultdict"),
    ]
