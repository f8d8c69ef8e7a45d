"""``hf:FOLDER`` or ``hf:OWNER/NAME``: image classifiers of Hugging Face, in timm's or transformers' format.

Reads a local folder or the hub's cache; nothing is downloaded, and no code of a repository is run. The input is defined
by the repository: timm's `pretrained_cfg`, or `preprocessor_config.json` as applied by transformers' Pillow processors.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import UnknownModelError
from model_zoo.nets.with_timm import import_timm
from model_zoo.outside import OutsideName
from model_zoo.schema import SchemaError, loads
from model_zoo.standard.hf_processors import input_of_processor
from model_zoo.weights import Arrays

_FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


def card(asked: OutsideName) -> ModelCard:
    """Make the card from the repository's files. Raises `UnknownModelError` if these are not on this machine."""
    asked.check_options()
    folder = _folder(asked.name)
    config = _json(folder, "config.json")
    of_timm = "pretrained_cfg" in config or "architecture" in config
    classes = _classes(config)
    is_imagenet = classes == 1000 and str(_first_label(config)).startswith("tench")
    return ModelCard(
        name=f"hf:{asked.name.strip('/').replace('/', '--')}",
        method="standard",
        room="standard.from_hf",
        architecture=str(config.get("architecture") or (config.get("architectures") or [""])[0]),
        input=_timm_input(config) if of_timm else _of_transformers(folder, config),
        weights=WeightsSpec("torch", "local", "the repository's", (_weights(folder),)),
        classes=classes,
        labels="imagenet1k" if is_imagenet or (of_timm and classes == 1000) else f"folder{classes}",
        dataset="imagenet" if classes == 1000 else "folder",
        build={"kind": "timm" if of_timm else "transformers", "folder": str(folder)},
        place=str(folder),
    )


def _folder(name: str) -> Path:
    if (place := Path(name).expanduser()).is_dir():
        return place.resolve()
    try:
        hub: Any = import_module("huggingface_hub")
        return Path(hub.snapshot_download(name, local_files_only=True))
    except Exception as error:  # the hub raises many kinds of errors
        raise UnknownModelError(
            f"hf:{name}: neither a folder nor in the hub's cache ({type(error).__name__}); "
            f"next: hf download {name}, or name the folder: hf:DIR"
        ) from None


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = loads((folder / name).read_bytes())
    except (OSError, SchemaError) as error:
        raise UnknownModelError(f"hf: {folder / name} cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise UnknownModelError(f"hf: {folder / name} is no table")
    return found


def _classes(config: dict[str, Any]) -> int:
    labels = config.get("id2label")
    count = config.get("num_classes") or (len(labels) if isinstance(labels, dict) else config.get("num_labels", 2))
    return int(count)


def _first_label(config: dict[str, Any]) -> Any:
    labels = config.get("id2label")
    return labels.get("0", "") if isinstance(labels, dict) else ""


def _weights(folder: Path) -> WeightFile:
    for name in _FILES:
        if (folder / name).is_file():
            return WeightFile(name, path=str(folder / name))
    raise UnknownModelError(f"hf: {folder} has no weights ({', '.join(_FILES)})")


def _timm_input(config: dict[str, Any]) -> InputSpec:
    from model_zoo.standard.from_timm import input_spec

    given = {**config.get("pretrained_cfg", {}), "architecture": config.get("architecture")}
    known = import_timm("timm.models").PretrainedCfg
    return input_spec(known(**{key: value for key, value in given.items() if key in known.__dataclass_fields__}))


def _of_transformers(folder: Path, config: dict[str, Any]) -> InputSpec:
    return input_of_processor(_json(folder, "preprocessor_config.json"), str(config.get("model_type", "")))


def build(card: ModelCard) -> nn.Module:
    """Build timm's network, or transformers' class for the configuration; no code of the repository is run."""
    folder = Path(card.build["folder"])
    if card.build["kind"] == "timm":
        config = _json(folder, "config.json")
        extra = config.get("model_args", {})
        net: nn.Module = import_timm().create_model(card.architecture, num_classes=card.classes, **extra)
        return net
    try:
        transformers: Any = import_module("transformers")
    except ImportError:
        raise UnknownModelError(f"{card.name}: needs the extra: pip install 'robust-imagenet-bench[hf]'") from None
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    made: nn.Module = transformers.AutoModelForImageClassification.from_config(config)
    return made


def convert(_card: ModelCard, arrays: Arrays) -> Arrays:
    """Return the arrays unchanged: both formats use the network's names."""
    return arrays
