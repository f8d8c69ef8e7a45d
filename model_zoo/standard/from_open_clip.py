"""``open_clip:NAME?pretrained=TAG``: vision-language models of open_clip as classifiers of ImageNet's 1000 classes.

The head is zero-shot (arXiv 2103.00020, section 3.1): each class is the mean text embedding of OpenAI's 80 prompts, or
of those given by ``&templates=``: `simple` (open_clip's seven) or a prompt of your own with ``{}`` in it. Class names
and prompts are read from open_clip (MIT).

A file of the visual tower alone, as saved by robust fine-tuning (FARE, TeCoA: arXiv 2402.12336), replaces the model's
tower: ``--model open_clip:ViT-L-14?pretrained=openai --weights fare_eps_2.pt``.
"""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import torch
from torch import nn

from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import UnknownModelError, WeightsError, suggestion
from model_zoo.nets.zero_shot import Prompts, ZeroShotClassifier, head_of
from model_zoo.outside import OutsideName
from model_zoo.transforms import input_of
from model_zoo.weights import Arrays

_INSTALL = "open_clip: models need the extra: pip install 'robust-imagenet-bench[open_clip]'"


def open_clip(module: str = "open_clip") -> Any:
    """Import open_clip or one of its modules. Raises `UnknownModelError` without the extra."""
    try:
        return import_module(module)
    except ImportError as error:
        raise UnknownModelError(f"{_INSTALL} ({error})") from None


def card(asked: OutsideName) -> ModelCard:
    """Make the card from open_clip's configurations. Raises `UnknownModelError` for an unknown name, tag or prompt."""
    asked.check_options("pretrained", "templates")
    config = open_clip().get_model_config(asked.name)
    if config is None:
        known = open_clip().list_models()
        raise UnknownModelError(f"open_clip has no model {asked.name!r}{suggestion(asked.name, known)}")
    tag, templates = asked.options.get("pretrained", ""), asked.options.get("templates", "openai")
    pretrained = _pretrained(asked.name, tag)
    _prompts(templates)
    options = "&".join(f"{key}={quote(value)}" for key, value in sorted(asked.options.items()))
    return ModelCard(
        name=f"open_clip:{asked.name}" + (f"?{options}" if options else ""),
        method="standard",
        room="standard.from_open_clip",
        architecture=asked.name,
        input=_input(asked.name, config, pretrained),
        weights=_weights(asked.name, pretrained),
        build={
            "model": asked.name,
            "templates": templates,
            "quick_gelu": bool(pretrained.get("quick_gelu") or config.get("quick_gelu")),
        },
    )


def _pretrained(name: str, tag: str) -> Mapping[str, Any]:
    """Return open_clip's entry of a tag; empty without a tag."""
    found: Mapping[str, Any] = open_clip().get_pretrained_cfg(name, tag) if tag else {}
    if tag and not found:
        known = open_clip().list_pretrained_tags_by_model(name)
        has = ", ".join(known) or "none: name a file of your own with --weights"
        raise UnknownModelError(f"open_clip:{name} has no weights {tag!r}{suggestion(tag, known)}; it has {has}")
    return found


def _input(name: str, config: Mapping[str, Any], pretrained: Mapping[str, Any]) -> InputSpec:
    """Return the input of open_clip's evaluation transform."""
    transform = open_clip("open_clip.transform")
    size = config["vision_cfg"].get("image_size", 224)
    fields = transform.merge_preprocess_dict(transform.PreprocessCfg(), dict(pretrained) | {"size": size})
    made = transform.image_transform_v2(transform.PreprocessCfg(**fields), is_train=False)
    if fields["resize_mode"] == "longest":
        raise UnknownModelError(f"open_clip:{name} pads images with one grey level, which has no equal here")
    return input_of(made)


def _weights(name: str, pretrained: Mapping[str, Any]) -> WeightsSpec:
    if not pretrained:
        tags = ", ".join(open_clip().list_pretrained_tags_by_model(name)) or "none"
        return WeightsSpec("torch", "public", "see open_clip", note=f"say which: ?pretrained=TAG; it has {tags}")
    if pretrained.get("hf_hub"):
        hub = PurePosixPath(pretrained["hf_hub"])
        repository, file = ("/".join(hub.parts[:2]), "/".join(hub.parts[2:]))
        file = file or "open_clip_model.safetensors"
        url = f"https://huggingface.co/{repository}/resolve/main/{file}"
        return WeightsSpec("torch", "public", "see open_clip", (WeightFile(PurePosixPath(file).name, url),))
    url = pretrained["url"]
    file = PurePosixPath(url).name
    published = PurePosixPath(url).parts[-2] if "openaipublic" in url else PurePosixPath(file).stem.rpartition("-")[2]
    sha256 = published if set(published) <= set("0123456789abcdef") and len(published) in (8, 64) else ""
    return WeightsSpec("torch", "public", "see open_clip", (WeightFile(file, url, sha256),))


def build(card: ModelCard) -> nn.Module:
    """Build both towers, without weights. The network uses QuickGELU if the weights were trained with it; open_clip
    itself only warns and computes another function."""
    create = open_clip().create_model
    text = "pretrained_text" if "pretrained_text" in inspect.signature(create).parameters else "pretrained_hf"
    try:
        net: nn.Module = create(
            card.build["model"], pretrained=None, force_quick_gelu=card.build["quick_gelu"], **{text: False}
        )
    except Exception as error:  # towers of other libraries download configurations
        raise UnknownModelError(f"{card.name} cannot be built: {type(error).__name__}: {error}") from error
    return net


def part_of(net: nn.Module) -> nn.Module:
    """Return the part that a file may contain alone: the visual tower."""
    tower = net.visual
    assert isinstance(tower, nn.Module)
    return tower


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Rename like open_clip: towers of other libraries, and text towers saved before they had a prefix."""
    net = build(card)
    found: dict[str, torch.Tensor] = dict(arrays)
    found = open_clip("open_clip.convert").convert_state_dict(net, found)
    if "positional_embedding" in found and not hasattr(net, "positional_embedding"):
        found = open_clip("open_clip.model").convert_to_custom_text_state_dict(found)
    for name in ("logit_scale", "logit_bias"):
        if name in found and isinstance(own := getattr(net, name, None), torch.Tensor):
            found[name] = found[name].reshape(own.shape)
    if found.keys() == arrays.keys():
        raise WeightsError(f"the weights do not fit {card.name}")
    return found


def finish(net: nn.Module, card: ModelCard) -> nn.Module:
    """Make the classifier: the visual tower, and the head that the text tower computes from the prompts.

    Random weights use the first prompt only: their head has no meaning, and 80,000 texts take hours on a CPU.
    """
    prompts = _prompts(card.build["templates"])
    if card.weights.availability == "random":
        prompts = Prompts(prompts.names, prompts.templates[:1])
    try:
        tokenizer = open_clip().get_tokenizer(card.build["model"])
    except Exception as error:  # some tokenizers are downloaded
        raise UnknownModelError(f"{card.name}: its tokenizer is not here: {type(error).__name__}: {error}") from error
    return ZeroShotClassifier(net, *head_of(net.eval(), tokenizer, prompts))


def _prompts(templates: str) -> Prompts:
    """Return the class names and the templates, with `{}` for the name."""
    library = open_clip()
    kinds = {"openai": library.OPENAI_IMAGENET_TEMPLATES, "simple": library.SIMPLE_IMAGENET_TEMPLATES}
    if templates not in kinds and templates.count("{}") != 1:
        raise UnknownModelError(
            f"open_clip: templates must be openai, simple, or a prompt like 'a photo of a {{}}.', found {templates!r}"
        )
    found = [template("{}") for template in kinds[templates]] if templates in kinds else [templates]
    return Prompts(tuple(library.IMAGENET_CLASSNAMES), tuple(found))
