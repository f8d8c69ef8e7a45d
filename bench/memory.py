"""`bench.wrap` and `bench.run` for objects in memory: any module or callable, and images in tensors or loaders."""

import contextlib
import dataclasses
import functools
import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ParamSpec, Unpack, cast

import pandas as pd
import torch
from torch import Tensor, nn

from bench.datasets.caller import unlike_labels
from bench.datasets.given import Given, keep
from bench.datasets.labels import label_space
from bench.engine import run as engine
from bench.errors import UnknownOptionError, UsageError, first_line
from bench.folder.tables import results
from bench.options import OPTIONS
from bench.options.run_keywords import RunKeywords
from bench.options.values import listed, model_names, whole
from bench.plain_torch import plain_torch
from bench.suites.registry import SUITES
from bench.text import escape_unprintable
from bench.tracking import carry_out_tracked
from bench.untouched import untouched
from model_zoo.card import InputSpec, ModelCard, WeightsSpec
from model_zoo.errors import suggestion
from model_zoo.identity.model import hidden_modules
from model_zoo.inspect_network import check_normalised_once, class_names_of
from model_zoo.model import Model, logits_of
from model_zoo.registry import use_cards
from model_zoo.transforms import input_of

Triple = tuple[float, float, float]
Network = nn.Module | Callable[[Tensor], Any]

_HOW = (
    "give its preprocessing: mean= and std= (0 and 1 if it normalises its input itself) with size=, or transform= "
    "(a torchvision or timm transform); bench.wrap(net, ...) takes the same"
)


class CalledNetwork(nn.Module):
    """Wraps a callable as a module."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Any:
        return self.function(images)


P = ParamSpec("P")


def _suggesting(function: Callable[P, Model]) -> Callable[P, Model]:
    """Suggest the nearest names for a misspelt keyword of `function`."""
    known = [name for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY]

    @functools.wraps(function)
    def wrapper(*arguments: P.args, **given: P.kwargs) -> Model:
        if arguments:
            _refuse_unknown(function.__name__, given, known)
        return function(*arguments, **given)

    return wrapper


@_suggesting
def wrap(
    network: Network,
    *,
    transform: object | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    size: int | None = None,
    resize: int | None = None,
    interpolation: str | None = None,
    geometry: str | None = None,
    channels: str | None = None,
    classes: int | None = None,
    labels: str | None = None,
    dataset: str | None = None,
    name: str | None = None,
) -> Model:
    """Make a `Model` from a module or callable: RGB images [n, 3, h, w] in [0, 1] -> logits [n, classes], in eval mode.

    The input is given by the keywords, else by `transform` (torchvision's or timm's), else by the module's own
    configuration if it is timm's; `mean` and `std` are in units of [0, 1]. `classes` is counted from the output by
    default. `labels` is the label space (`imagenet1k` for 1000 classes), `dataset` the home set (then `imagenet`, else
    `folder`).

    Raises `UsageError` if nothing defines the input.
    """
    if isinstance(network, Model):
        raise UsageError("bench.wrap: this is a Model already")
    net = network if isinstance(network, nn.Module) else CalledNetwork(network)
    keys = {"mean": mean, "std": std, "size": size, "resize": resize, "interpolation": interpolation}
    keys |= {"geometry": geometry, "channels": channels}
    spec = _input(net, transform, {key: _read(key, value) for key, value in keys.items() if value is not None})
    count = None if classes is None else int(_read("classes", classes))
    title = name or re.sub(r"[\s@,/]+", "-", _title(network))
    none = WeightsSpec("none", "user", "the user's")
    card = ModelCard(title, "standard", type(net).__name__, spec, none, classes=count or 1, room="standard.from_file")
    model = Model(net, card)
    for part in (net, *hidden_modules(net)):
        check_normalised_once(part, spec)
    model.counted = count is None and labels is None
    count = count or _classes(model)
    space = labels or ("imagenet1k" if count == 1000 else f"folder{count}")
    if (found := label_space(space)) and not found.members and found.classes != count:
        raise UsageError(f"labels={space!r} are {found.classes} classes, and {title} has {count}")
    home = dataset or ("imagenet" if space == "imagenet1k" else "folder")
    model.card = dataclasses.replace(card, classes=count, labels=space, dataset=home)
    return model


def _title(network: Network) -> str:
    kind = type(network)
    return getattr(network, "__name__", kind.__name__) if kind.__name__ == "function" else kind.__name__


def _read(key: str, value: Any) -> Any:
    """Return a keyword as its field is typed, also from lists, arrays and NumPy's numbers."""
    if key not in _NUMBERS:
        return value
    try:
        return _NUMBERS[key](value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key}=: {error}") from None


def _triple(value: Any) -> Triple:
    found = tuple(map(float, value)) if isinstance(value, Iterable) else ()
    if len(found) != 3:
        raise ValueError(f"expected three numbers in units of [0, 1], for red, green and blue; found {value!r}")
    return found[0], found[1], found[2]


_NUMBERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("mean", "std"), _triple),
    **dict.fromkeys(("size", "resize", "classes"), whole(1)),
}


def _input(net: nn.Module, transform: object | None, keys: dict[str, Any]) -> InputSpec:
    """Return the fields of the input; `keys` override `transform`, which overrides timm's own configuration."""
    if transform is not None:
        return dataclasses.replace(input_of(transform), **keys)
    if (cfg := getattr(net, "pretrained_cfg", None)) is not None and not {"mean", "std", "size"} <= keys.keys():
        from model_zoo.standard.from_timm import input_spec, timm

        known = timm.models.PretrainedCfg(**cfg) if isinstance(cfg, dict) else cfg
        return dataclasses.replace(input_spec(known), **keys)
    if missing := [f"{key}=" for key in ("mean", "std", "size") if key not in keys]:
        raise UsageError(f"{type(net).__name__} ({', '.join(missing)} missing): {_HOW}")
    keys.setdefault("resize", round(keys["size"] / 0.875))
    return InputSpec(**keys)


def _classes(model: Model) -> int:
    """Return the number of logits for one grey image."""
    side = model.card.input.size
    place = next((p.device for p in model.net.parameters()), torch.device("cpu"))
    with torch.no_grad():
        try:
            found = logits_of(model.to(place)(torch.full((1, 3, side, side), 0.5, device=place)))
        except Exception as error:
            reason = first_line(error)
            dtypes = {str(p.dtype).removeprefix("torch.") for p in model.net.parameters() if p.is_floating_point()}
            unlike = ", ".join(sorted(dtypes - {"float32"}))
            cast_it = f"its weights are {unlike} and images float32: pass net.float(), or " if unlike else ""
            raise UsageError(
                f"{model.name}: fails on an image of {side} x {side} ({type(error).__name__}: {reason}); "
                f"{cast_it}name the right size=, or classes= where it only takes whole batches"
            ) from error
    if found.ndim != 2 or len(found) != 1:
        raise UsageError(f"{model.name}: returns {list(found.shape)} for one image: expected logits [1, classes]")
    return int(found.shape[1])


_WRAP = tuple(list(inspect.signature(wrap).parameters.values())[1:])


class MemoryKeywords(RunKeywords, total=False):
    """Keywords of `bench.run`: those of a run, and those of `bench.wrap` for modules in memory."""

    data: object
    transform: object | None
    mean: Triple | None
    std: Triple | None
    size: int | None
    resize: int | None
    interpolation: str | None
    geometry: str | None
    channels: str | None
    classes: int | None
    labels: str | None
    name: str | None


def run(models: Any, suites: str | Sequence[str], **keywords: Unpack[MemoryKeywords]) -> pd.DataFrame:
    """Measure `models` with `suites` and return the results table of this run (see `bench.results`).

    A model is a name, a `Model`, or any module or callable with the keywords of `bench.wrap` for its input (`mean=`,
    `std=`, `size=`, `transform=` ...); give several in a list. `data` is a data root or a set's folder, or images in
    memory: a torch Dataset, a DataLoader, a pair of tensors (images, labels), used by all suites that run on any data
    set. Inferred settings are printed on the error stream unless `quiet`. Units stored in the results folder `out` are
    not measured again: the same call continues an interrupted run.

    Everything is checked before anything is computed. A module in memory is not changed: mode, gradient switches,
    device and torch's random state are restored. Raises the errors of `bench.errors` and `model_zoo.errors`.
    """
    given: dict[str, Any] = {**keywords}
    _refuse_unknown("run", given, [*OPTIONS, *(p.name for p in _WRAP)])
    asked = [models] if isinstance(models, str | nn.Module) or callable(models) else list(models)
    raw = [m if isinstance(m, nn.Module) else CalledNetwork(m) for m in asked if not isinstance(m, str | Model)]
    with untouched(raw), plain_torch():
        return _run(models, asked, suites, given)


def _run(models: Any, asked: list[Any], suites: str | Sequence[str], given: dict[str, Any]) -> pd.DataFrame:
    if given.get("cards"):
        use_cards(given["cards"])
    keys = {p.name: given.pop(p.name) for p in _WRAP if p.name in given and p.name != "dataset"}
    data = given.get("data")
    in_memory = data is not None and not isinstance(data, str) and not hasattr(data, "__fspath__")
    if in_memory and "size" not in keys and "transform" not in keys:
        keys |= _size_of(data)
    raw = [m for m in asked if not isinstance(m, str | Model)]
    if keys and not raw and not (in_memory and keys.keys() == {"size"}):
        raise UsageError(f"{', '.join(f'{key}=' for key in keys)}: for modules in memory; named models have their own")
    loaded = [m if isinstance(m, str | Model) else wrap(m, **keys) for m in asked]
    said = [_described(model) for m, model in zip(asked, loaded, strict=True) if isinstance(model, Model) and m in raw]
    if in_memory:
        _check_used(suites)
        kept = _keep(data, loaded)
        _refuse_unlike(kept, loaded)
        given = {**given, "data": kept.data, "dataset": kept.dataset}
        said += [f"data: {line}" for line in kept.lines]
    quiet = bool(given.get("quiet"))
    _say(said, quiet=quiet)
    prepared = engine.prepare(models if isinstance(models, str) else loaded, suites, **given)
    _say((f"data: {line}" for line in prepared.session.left_out), quiet=quiet or in_memory)
    carry_out_tracked(prepared)
    table = results(prepared.store.address, asked=prepared.plan.asked)
    _say(table.attrs["remarks"], quiet=quiet)
    return table


def _say(lines: Iterable[str], *, quiet: bool) -> None:
    for line in () if quiet else lines:
        print(escape_unprintable(line), file=sys.stderr)


def _check_used(suites: str | Sequence[str]) -> None:
    """Raise `UsageError` if no suite would run on images in memory."""
    named = [SUITES[name] for name in (listed(suites) if isinstance(suites, str) else suites) if name in SUITES]
    if named and not any("dataset" in suite.uses for suite in named):
        able = ", ".join(suite.name for suite in SUITES.values() if "dataset" in suite.uses)
        raise UsageError(
            f"data: {', '.join(suite.name for suite in named)} reads its own data set from a folder; suites that run "
            f"on images in memory: {able}"
        )


def _refuse_unknown(function: str, given: Iterable[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            near = suggestion(name, known)
            raise UnknownOptionError(f"{function}: unknown option {name!r}{near}; help(bench.{function}) shows all")


def _keep(data: object, loaded: list[str | Model]) -> Given:
    from model_zoo.registry import find_card

    cards = [m.card if isinstance(m, Model) else find_card(m) for name in loaded for m in _named(name)]
    counts = sorted({card.classes for card in cards})
    if len(counts) > 1:
        raise UsageError(f"data in memory: the models have {counts} classes; run those of one number at a time")
    named = [card.labels for card in cards if not card.labels.startswith("folder")]
    own = [class_names_of(m.net) for m in loaded if isinstance(m, Model)]
    return keep(data, counts[0], named[0] if named else f"folder{counts[0]}", own)


def _refuse_unlike(kept: Given, loaded: Sequence[str | Model]) -> None:
    """Raise `UsageError` for a model whose classes were counted from its output and are not those of the labels."""
    for model in loaded:
        if isinstance(model, Model) and model.counted and (why := unlike_labels(kept.labels, model.card.classes)):
            raise UsageError(f"{model.name} {why}; if these are its classes, say classes={model.card.classes}")


def _named(model: str | Model) -> list[str | Model]:
    return [model] if isinstance(model, Model) else [*model_names(model)]


def _size_of(data: Any) -> dict[str, int]:
    """Return the side of the first image, if the images are tensors."""
    shape: tuple[int, ...] = ()
    with contextlib.suppress(Exception):  # whatever is wrong with it, `keep` says
        items = getattr(data, "dataset", data)
        first = items[0]
        first = first[0] if isinstance(first, tuple | list) else first
        shape = tuple(first.shape)
    sides = set(map(int, shape[-3:])) - {3}
    return {"size": sides.pop()} if len(sides) == 1 else {}


def _described(model: Model) -> str:
    """Return the inferred settings of a module: classes, label space and input."""
    card, spec = model.card, model.card.input
    means, stds = (", ".join(f"{v:g}" for v in values) for values in (spec.mean, spec.std))
    shown = f"{spec.geometry} {spec.size} ({spec.interpolation}), mean {means}, std {stds}"
    return f"{model.name}: {card.classes} classes, labels {card.labels}, input {shown}"


def _signature() -> inspect.Signature:
    own = inspect.signature(engine.prepare)
    offered = [p.replace(annotation=object) if p.name == "data" else p for p in own.parameters.values()]
    every = [*offered, *(p for p in _WRAP if p.name not in own.parameters)]
    return own.replace(parameters=every, return_annotation=pd.DataFrame)


cast(Any, run).__signature__ = _signature()
run.__doc__ = (
    f"{inspect.cleandoc(run.__doc__ or '')}\n\nKeywords:" + (engine.prepare.__doc__ or "").partition("Keywords:")[2]
)
