"""`bench.attack`: run an attack by name on your own tensors."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import torch
from torch import Tensor, nn

from bench.attacks import ATTACKS
from bench.attacks.autoattack import TARGETS
from bench.attacks.base import Attack, AttackResult, parse_eps
from bench.attacks.budget import Norm, check_budget
from bench.attacks.checks import check_eval, check_images, check_width, spell
from bench.attacks.forward import output
from bench.attacks.network import device_of
from bench.attacks.reliability import StandingPictures, assess, spread
from bench.attacks.request import Request
from bench.condition import SHORT
from bench.datasets.caller import unlike_labels
from bench.errors import UsageError, first_line
from bench.options.values import flag, whole
from bench.pixels import DARKEST
from bench.plain_torch import plain_torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 64


class AttackChoices(TypedDict, total=False):
    """Settings that only some attacks have: `targets`, `queries` of parts of AutoAttack."""

    steps: int
    step_size: str | float | Fraction | None
    restarts: int
    targeted: bool
    random_start: bool
    targets: int
    queries: int
    rescale: bool
    keep: Literal["final", "best"]


@plain_torch()
def attack(
    model: nn.Module,
    images: "Tensor | NDArray[Any]",
    labels: "Tensor | NDArray[Any] | Sequence[int]",
    name: str = "autoattack",
    *,
    eps: str | float | Fraction,
    norm: str = "linf",
    ids: Sequence[str] | None = None,
    seed: int = 0,
    batch_size: int = BATCH,
    reliability: int = 0,
    **choices: Unpack[AttackChoices],
) -> AttackResult:
    """Attack `images` float [n, 3, h, w] in [0, 1], with `labels` [n], within `eps` in `norm`.

    `model` maps such images to logits, is in eval mode, and includes its normalisation. `name` is one of
    `bench.attacks.ATTACKS`; `choices` are its settings (PGD: steps, step_size, restarts and targeted; Auto-PGD and FAB:
    steps and targets). Random draws are keyed by `ids`, or by the images' hashes if none are given, so that neither
    order nor batch size changes the result. `reliability` is the number of images for the verdict that `bench run`
    makes on a robust accuracy (its default is 32); 0 makes none.

    The result has for each image the adversarial image (`adversarial`), whether the image survives (`robust`), the
    attack that broke it (`broken_by`), the distance in `norm`, and the prediction, confidence and margin, all computed
    by the model itself in float32; `verdict` and `notes` say what the number is worth. Raises `UsageError` for input
    that would give a meaningless number.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(f"the model must be an nn.Module, found a {type(model).__name__}: put the call in a forward()")
    pictures = _tensor("images", images).clone()  # a tensor of inference mode knows no gradients
    pictures = pictures.float() if pictures.is_floating_point() else pictures
    check_eval(model)
    check_images(pictures)
    if not len(pictures):
        raise UsageError("no images to attack: expected float [n, 3, h, w] with n of 1 or more")
    if 0 < (most := float(pictures.max())) < DARKEST:
        raise UsageError(f"nothing in the images is brighter than {most:.3g} of [0, 1]: they were divided by 255 twice")
    classes = _classes(model, pictures)
    made = make_attack(name, check_budget(norm, parse_eps(eps)), parse_eps(eps), classes, **choices)
    answers = _whole(_tensor("labels", labels))
    names = picture_ids(pictures) if ids is None else [str(name) for name in ids]
    start, size = _read("seed", whole(0), seed), _read("batch_size", whole(1), batch_size)
    request = Request(model, pictures, answers, names, start, size)
    found = made.carry_out(request)
    if SHORT in made.fields.words:
        found = replace(found, notes=(*found.notes, "its steps together cannot reach the edge of its budget"))
    if 2 * len({*answers.tolist()}) > classes and (why := unlike_labels(answers.tolist(), classes)):
        found = replace(found, notes=(*found.notes, f"the model {why}"))
    sample = _read("reliability", whole(0), reliability)
    return replace(found, verdict=_verdict(made, request, found.robust, sample)) if sample else found


def _verdict(made: Attack, request: Request, robust: Tensor, sample: int) -> str:
    """Return the reliability of a number in words, from at most `sample` images, and of those that are `robust`."""

    def chosen(rows: list[int]) -> StandingPictures:
        kept = [rows[i] for i in spread(len(rows), sample)]
        share = float(robust.float().mean())
        return StandingPictures(request.images[kept], request.labels[kept], [request.ids[i] for i in kept], share)

    every, standing = chosen([*range(len(request))]), chosen(robust.nonzero().flatten().tolist())
    images, labels, ids, budget = every.images, every.labels, every.ids, (made.norm, made.eps)
    asked: dict[str, Any] = {"seed": request.seed, "batch_size": request.batch_size, "attack": made}
    try:
        return str(assess(request.model, images, labels, ids, *budget, **asked, standing=standing))
    except UsageError as error:
        return f"not assessed: {error}"


def make_attack(name: str, norm: Norm, eps: Fraction, classes: int, **asked: Unpack[AttackChoices]) -> Attack:
    """Return the attack called `name` for a model of `classes` classes. Raises `UsageError` for an unknown name or
    setting."""
    listed = ATTACKS.get(name)
    if listed is None or not listed.maker:
        raise UsageError.unknown("attack", name, [other for other, row in ATTACKS.items() if row.maker])
    known = {"classes": classes, "targets": min(TARGETS, classes - 1)}
    usual = dict(listed.usual) | ({listed.told: known[listed.told]} if listed.told else {})
    choices = _choices(name, asked)
    if norm == "linf" and (step := choices.get("step_size")) is not None and step >= 1:
        raise UsageError(f"{name}: step_size {float(step):g} is in units of [0, 1]: write {float(step):g}/255")
    try:
        return listed.make()(norm, eps, **(usual | choices))
    except TypeError as error:
        raise UsageError(f"{name} has no such setting: {error}") from None


def _choices(name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Read the given settings. Raises `UsageError` for an invalid one."""
    choices: dict[str, Any] = {**asked}
    if choices.get("step_size") is not None:
        choices["step_size"] = parse_eps(choices["step_size"], "step_size")
    for choice, found in asked.items():
        if choice in _READERS and found is not None:
            choices[choice] = _read(f"{name}: {choice}", _READERS[choice], found)
    return choices


_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("steps", "restarts", "targets", "queries"), whole(1)),
    **dict.fromkeys(("targeted", "random_start", "rescale"), flag),
}


def _read(what: str, reader: Callable[[Any], Any], value: Any) -> Any:
    try:
        return reader(value)
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from None


def _tensor(what: str, given: Any) -> Tensor:
    """Return `given` on the CPU, also a list of tensors. Raises `UsageError` for what holds no numbers."""
    try:
        rows = isinstance(given, list | tuple) and any(isinstance(one, Tensor) for one in given)
        found = torch.stack([torch.as_tensor(one) for one in given]) if rows else torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(given).__name__
        raise UsageError(f"{what}: expected a tensor or an array of numbers, found a {kind} ({error})") from None
    return found.detach().cpu().to_dense()


def _whole(labels: Tensor) -> Tensor:
    """Return labels as int64. Raises `UsageError` for a number that is not whole."""
    fractions = labels.is_floating_point() and not torch.equal(labels, labels.round())
    if fractions or labels.is_complex() or labels.dtype == torch.bool:
        raise UsageError(f"labels must be class indices, found {labels.dtype} with values that are not whole numbers")
    return labels.long()


def _classes(model: nn.Module, pictures: Tensor) -> int:
    shown = pictures[:1].clone()  # it may write into what it is shown
    try:
        logits = output(model, shown.to(device_of(model)))
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        odd = sorted({str(p.dtype).removeprefix("torch.") for p in model.parameters() if p.dtype != torch.float32})
        cure = f"; its weights are {', '.join(odd)} and images float32: call model.float()" if odd else ""
        raise UsageError(f"the model fails on an image {list(shown.shape)}: {first_line(error)}{cure}") from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or not logits.is_floating_point():
        kind = spell(logits) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise UsageError(f"the model must return floating-point logits [n, classes], found {kind} for one image")
    check_width(logits)
    return logits.shape[1]


def picture_ids(pictures: Tensor) -> list[str]:
    """Return a name for each image [n, 3, h, w]: the hash of its values, and its number among equal images."""
    seen = Counter[str]()
    names = []
    for picture in pictures:
        found = hashlib.blake2b(picture.contiguous().numpy().tobytes(), digest_size=16).hexdigest()
        names.append(f"{found}-{seen[found]}" if seen[found] else found)
        seen[found] += 1
    return names
