"""Identify the architecture of a checkpoint, among timm's and torchvision's, by the names and shapes of its tensors."""

import logging
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from model_zoo.architectures import Index, Outline, outline
from model_zoo.build import build
from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import WeightsError
from model_zoo.fetch import sha256_of
from model_zoo.fill import fill_from
from model_zoo.fit import weights_of, without_wrappers
from model_zoo.formats.checkpoint import Checkpoint, StateDict, is_average, read_checkpoint, split_key
from model_zoo.nets.with_timm import import_timm
from model_zoo.transforms import input_of

Shapes = dict[str, tuple[int, ...]]

_log = logging.getLogger("model_zoo")

LIBRARIES = ("torchvision", "timm")


@dataclass(frozen=True)
class Guess:
    """A matching architecture, such as `torchvision:resnet50`, and the number of classes of its head."""

    library: str
    name: str
    classes: int

    def __str__(self) -> str:
        return f"{self.library}:{self.name}"


def guess(checkpoint: Checkpoint, wanted: str = "") -> list[Guess]:
    """Return the architectures with the checkpoint's names and shapes, likeliest first; only `wanted` if given.
    Raises `WeightsError` if none matches, with the nearest one."""
    tensors = without_wrappers(_plain(checkpoint))
    shapes = {name: tuple(tensor.shape) for name, tensor in weights_of(tensors).items()}
    counts = _heads(shapes)
    named = [wanted] if wanted else list(_by_name(checkpoint.path.stem))
    found = [g for name in named for classes in counts if (g := _tried(name, classes, shapes))]
    if not found and not wanted:
        _log.warning("no architecture by the file's name: looking through all, which takes minutes the first time")
        found = _searched(shapes, counts[0])
    if not found:
        parts = ", ".join(sorted({name.partition(".")[0] for name in shapes})[:6])
        what = f"not {wanted}" if wanted else "of no network of timm's or torchvision's"
        raise WeightsError(
            f"{checkpoint.path}: its {len(shapes)} tensors ({parts}, ...) are {what}; next: name the architecture "
            "(--architecture timm:NAME), or write a factory: --model file:net.py:make --weights FILE"
        )
    return list(dict.fromkeys(found))


def _plain(checkpoint: Checkpoint) -> StateDict:
    plain = {key: found for key, found in checkpoint.largest_sets().items() if not is_average(key)}
    return next(iter(plain.values()), checkpoint.largest())


def _heads(shapes: Shapes) -> list[int]:
    """Return likely numbers of classes: the length of the last biases, and ImageNet's."""
    last = [s[0] for name, s in shapes.items() if len(s) == 1 and re.search(r"(fc|head|classifier|last)", name)]
    return list(dict.fromkeys([*reversed(last[-3:]), 1000]))


def _by_name(stem: str) -> Iterator[str]:
    """Return the architectures in the file's name, longest first."""
    plain = re.sub(r"[^a-z0-9]+", "_", stem.lower())
    for library in LIBRARIES:
        names = [name for name in _names(library) if re.search(rf"(^|_){re.escape(name)}(_|$)", plain)]
        yield from (f"{library}:{name}" for name in sorted(names, key=len, reverse=True)[:5])


def _names(library: str) -> list[str]:
    if library == "timm":
        return list(import_timm().list_models())
    from torchvision import models

    return list(models.list_models(module=models))


def _searched(shapes: Shapes, classes: int) -> list[Guess]:
    """Return the first matching architecture, and its namesake in the other library."""
    first = next((g for name in _by_parts(shapes) if (g := _tried(name, classes, shapes))), None)
    if first is None:
        return []
    other = next(library for library in LIBRARIES if library != first.library)
    namesake = _tried(f"{other}:{first.name}", classes, shapes) if first.name in _names(other) else None
    return [first, *([namesake] if namesake else [])]


def _by_parts(shapes: Shapes) -> Iterator[str]:
    """Return the architectures with the checkpoint's tensor names: of torchvision, then of timm's modules with a
    smallest network that shares an outermost part."""
    wanted, index = outline(shapes), Index(lambda name: _shapes(name, 1000))
    yield from _alike(wanted, index.outlines(f"torchvision:{name}" for name in _names("torchvision")))
    timm = import_timm()
    for module in timm.list_modules():
        known = [f"timm:{name}" for name in timm.list_models(module=module)]
        smallest = min(known, key=lambda name: (len(name), name), default="")
        if smallest and set(index.outlines([smallest])[smallest].parts) & set(wanted.parts):
            yield from _alike(wanted, index.outlines(known))


def _alike(wanted: Outline, outlines: dict[str, Outline]) -> list[str]:
    return [name for name, found in outlines.items() if found.digest == wanted.digest]


def _tried(name: str, classes: int, shapes: Shapes) -> Guess | None:
    library, _, architecture = name.partition(":")
    made = _shapes(name, classes)
    return Guess(library, architecture, classes) if made == shapes else None


def _shapes(name: str, classes: int) -> Shapes | None:
    """Return names and shapes of an architecture, built without memory; None for one that cannot be built so."""
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some announce changes of their initial weights
            net = build(bare_card(name, classes))
    except Exception:  # other people's constructors fail in every way on the meta device
        return None
    return {key: tuple(tensor.shape) for key, tensor in weights_of(net.state_dict()).items()}


def bare_card(name: str, classes: int) -> ModelCard:
    """Return a card of an architecture without weights."""
    library, _, architecture = name.partition(":")
    none = WeightsSpec("torch", "user", "-")
    return ModelCard("bare", "standard", architecture, InputSpec(224, resize=256), none, classes=classes,
                     build={library: architecture})  # fmt: skip


def owner_input(found: Guess) -> InputSpec:
    """Return the input that the library has for the architecture: timm's configuration, torchvision's default
    weights'."""
    if found.library == "timm":
        from model_zoo.standard.from_timm import input_spec

        return input_spec(import_timm().get_pretrained_cfg(found.name))
    from torchvision import models

    return input_of(models.get_model_weights(found.name).DEFAULT.transforms())


def same_network(checkpoint: Checkpoint, guesses: list[Guess]) -> bool:
    """Return whether all `guesses` compute the same: two libraries' ResNet-50 do, two kinds of activation do not.
    All get one image, of the first one's size; their own input sizes are not considered."""
    side = owner_input(guesses[0]).size
    answers = [_answer(checkpoint, found, side) for found in guesses]
    return all(torch.allclose(answers[0], other, rtol=1e-4, atol=1e-5) for other in answers[1:])


def _answer(checkpoint: Checkpoint, found: Guess, side: int) -> Tensor:
    card = bare_card(str(found), found.classes)
    net: nn.Module = build(card).eval()
    fill_from(net, card, checkpoint)
    with torch.no_grad():
        images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
        answer: Tensor = net(images)
    return answer


def new_card(file: Path, name: str, folder: Path, architecture: str = "") -> str:
    """Return the text of a card for the checkpoint `file` (or `FILE:KEY`), to be written into `folder`. Raises
    `WeightsError` if the architecture is unknown or ambiguous."""
    _, key = split_key(file)
    checkpoint = read_checkpoint(file)
    guesses = guess(checkpoint, architecture)
    if len(guesses) > 1 and not same_network(checkpoint, guesses[:6]):
        several = ", ".join(map(str, guesses[:6]))
        raise WeightsError(f"{file}: fits several networks that compute unlike: {several}; next: --architecture NAME")
    chosen, spec = guesses[0], owner_input(guesses[0])
    place = checkpoint.path.resolve()  # the file within a folder
    if place.name.endswith(".index.json"):
        raise WeightsError(
            f"{file}: in shards, of which a card could hold none to its hash; next: save them as one file"
        )
    within = place.relative_to(folder.resolve()) if place.is_relative_to(folder.resolve()) else place
    title = place.name.replace(":", "-")
    weights = WeightFile(title, "", sha256_of(place), place.stat().st_size, path=str(within), key=key)
    return _toml(name, chosen, spec, weights)


def _toml(name: str, found: Guess, spec: InputSpec, file: WeightFile) -> str:
    labels = "imagenet1k" if found.classes == 1000 else f"folder{found.classes}"
    lines = [
        f"name = {_quoted(name)}",
        'method = "standard"  # or intriguing, sat, advprop, nofrost: where figures show it',
        f"architecture = {_quoted(found.name)}",
        f'dataset = "{"imagenet" if found.classes == 1000 else "folder"}"',
        f'labels = "{labels}"',
        f"classes = {found.classes}",
        "",
        "[build]",
        f"{found.library} = {_quoted(found.name)}",
        "",
        f"# {found.library}'s own input for this architecture: say here what differed in your training.",
        "[input]",
        f"size = {spec.size}",
        f'geometry = "{spec.geometry}"',
        f"resize = {spec.resize}",
        f'interpolation = "{spec.interpolation}"',
        f"mean = {list(spec.mean)}",
        f"std = {list(spec.std)}",
        "",
        "# What figures compare (docs/figures.md): say it, without the #.",
        "# [traits]",
        '# images = ["adversarial"]  # of a training batch: clean, adversarial, or both',
        '# attacker = { eps = "4/255", steps = 1 }',
        "",
        "[weights]",
        'format = "torch"',
        'availability = "local"',
        'licence = "the user\'s"',
        "",
        "[[weights.files]]",
        f"name = {_quoted(file.name)}",
        f"path = {_quoted(file.path)}",
        f'sha256 = "{file.sha256}"',
        f"size = {file.size}",
        *([f"key = {_quoted(file.key)}  # of several sets of weights, as in FILE:KEY"] if file.key else []),
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)
