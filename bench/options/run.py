"""`RunOptions`: every option of a run, typed, with its help, check and default. An option is added here alone."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast, get_args, get_type_hints

from bench.errors import UnknownOptionError, UsageError
from bench.options import values
from bench.options.option import ATTACKS, Option
from bench.options.values import Number, Scalar, Shard
from model_zoo.errors import suggestion

InputRule = Literal["canonical", "published"]
NormName = Literal["linf", "l2", "l1"]
AttackEngine = Literal["native", "reference"]
TrackerName = Literal["wandb", "mlflow", "tensorboard"]
Precision = Literal["fp32", "tf32", "bf16", "fp16"]


def _one_of(kind: Any) -> Any:
    """Return a reader that accepts the values of a Literal."""
    return values.choice(*get_args(kind))


@dataclass(frozen=True, kw_only=True, repr=False)
class RunOptions:
    """Options of a run, besides its models and suites. Raises `UsageError` for an invalid value."""

    dataset: Option[str | None, str | None] = Option(
        None,
        values.text,
        "data set for suites that run on any; default the model's home set",
        metavar="NAME",
        by_suite=True,
    )
    data: Option[str | Path | None, str | None] = Option(
        None, values.text, "data root like BENCH_DATA, or one set's own folder", metavar="DIR|NAME=DIR,...", role="work"
    )
    out: Option[str | Path, str] = Option(
        "results/runs", values.text, "results folder; runs accumulate in it", metavar="DIR", role="work"
    )
    protocol: Option[InputRule, InputRule] = Option(
        "canonical",
        _one_of(InputRule),
        "canonical: one input rule for all models; published: as the model's authors evaluated it",
        choices=get_args(InputRule),
    )
    limit: Option[int | None, int | None] = Option(
        None, values.whole(1), "N images of each set, spread over it; labelled in every table", metavar="N"
    )
    until: Option[Number | None, Fraction | None] = Option(
        None,
        values.above_zero,
        "stop a condition when its accuracy on the whole set is known to within POINTS percentage points",
        metavar="POINTS",
    )
    until_told: Option[str | Sequence[str] | None, tuple[str, ...]] = Option(
        (),
        values.pair,
        "stop a condition when the two models of the run differ significantly, or by less than --gap",
        metavar="A,B",
    )
    gap: Option[Number, Fraction] = Option(
        Fraction(1), values.above_zero, "difference in percentage points that --until-told excludes", metavar="POINTS"
    )
    seed: Option[int, int] = Option(0, values.whole(0), "seed of all random draws, each keyed by image", metavar="S")
    weights: Option[str | Path | None, str | None] = Option(
        None,
        values.text,
        "the model's weights, instead of its card's; KEY selects one of several sets",
        metavar="FILE[:KEY]",
        role="file",
    )
    random_weights: Option[bool, bool] = Option(
        False,
        values.flag,
        "use initial weights from a fixed seed, to try a pipeline; named random:MODEL and left out of leaderboards",
    )
    cards: Option[str | Path | None, str | None] = Option(
        None,
        values.text,
        "folder of your own cards (also BENCH_CARDS; `bench card new` writes them)",
        metavar="DIR",
        role="file",
    )
    device: Option[str | None, str | None] = Option(
        None, values.device, "any torch device; default cuda where there is one", metavar="DEVICE", role="work"
    )
    batch_size: Option[int | None, int | None] = Option(
        None, values.whole(1), "images in a pass; changes speed and memory, no prediction", metavar="N", role="work"
    )
    threads: Option[int | None, int | None] = Option(
        None,
        values.whole(1),
        "threads of the network on a CPU; default OMP_NUM_THREADS, or all cores (a worker has one)",
        metavar="N",
        role="work",
    )
    keep_adversarial: Option[str | Path | None, str | None] = Option(
        None,
        values.text,
        "write attacked images as PNG, for the first N images of each set or for all, and classify the files again",
        metavar="DIR[:N]",
        role="work",
    )
    workers: Option[int | None, int | None] = Option(
        None,
        values.whole(1),
        "run in N processes of a local Ray, one per GPU if there are GPUs",
        metavar="N",
        role="work",
    )
    ray: Option[str | None, str | None] = Option(
        None,
        values.text,
        "run on this Ray cluster, in one process per GPU (or CPU), at most --workers N",
        metavar="ADDRESS",
        role="work",
    )
    shard: Option[str | Shard | None, Shard | None] = Option(
        None,
        values.shard,
        "run every n-th unit from the i-th; join the folders with `bench merge`",
        metavar="i/n",
        role="work",
    )
    log: Option[TrackerName | None, TrackerName | None] = Option(
        None,
        _one_of(TrackerName),
        "also send progress, tables and figures to this experiment tracker",
        choices=get_args(TrackerName),
        role="work",
    )
    quiet: Option[bool, bool] = Option(False, values.flag, "show no progress", role="work")
    eps: Option[Number | Sequence[Number], tuple[Fraction, ...]] = Option(
        (),
        values.fractions,
        "budgets, in units of [0, 1]; several make a security curve",
        metavar="4/255[,8/255]",
        group=ATTACKS,
    )
    norm: Option[NormName, NormName] = Option(
        "linf", _one_of(NormName), "norm of the budget", choices=get_args(NormName), group=ATTACKS
    )
    steps: Option[int | None, int | None] = Option(None, values.whole(1), "steps of PGD", metavar="K", group=ATTACKS)
    step_size: Option[Number | None, Fraction | None] = Option(
        None, values.above_zero, "step size of PGD, in units of [0, 1]", metavar="1/255", group=ATTACKS
    )
    restarts: Option[int, int] = Option(1, values.whole(1), "random restarts", metavar="R", group=ATTACKS)
    targeted: Option[bool | None, bool | None] = Option(
        None, values.flag, "attack towards a random other class, as in Feature Denoising", group=ATTACKS
    )
    attack_engine: Option[AttackEngine, AttackEngine] = Option(
        "native",
        _one_of(AttackEngine),
        "native: this package's attacks; reference: pyautoattack",
        choices=get_args(AttackEngine),
        group=ATTACKS,
    )
    precision: Option[Precision, Precision] = Option(
        "fp32",
        _one_of(Precision),
        "precision of the model during attacks; results are confirmed in float32",
        choices=get_args(Precision),
    )
    reliability: Option[int, int] = Option(
        32,
        values.whole(0),
        "images used to check the reliability of a robust accuracy; 0 skips the verdict",
        metavar="N",
        group=ATTACKS,
    )

    def __post_init__(self) -> None:
        for option, found in (("eps", self.eps), ("step_size", (self.step_size,))):
            if large := [n for n in found if self.norm == "linf" and n is not None and n >= 1]:
                shown = f"{float(large[0]):g}"
                raise UsageError(
                    f"{OPTIONS[option].flag}: {shown} is outside [0, 1); it is in units of [0, 1]: write {shown}/255"
                )

    def __repr__(self) -> str:
        return f"RunOptions({', '.join(f'{name}={value!r}' for name, value in self.changed().items())})"

    @classmethod
    def of(cls, given: Mapping[str, Any], where: str = "") -> "RunOptions":
        """Make options from a mapping of names to values; `where` is the prefix of error messages.

        Raises `UnknownOptionError` for an unknown name, and suggests the nearest ones.
        """
        for name in given:
            if name not in OPTIONS:
                near = suggestion(name, OPTIONS)
                raise UnknownOptionError(f"{where}unknown option {name!r}{near}; `bench run --help` shows all")
        return cls(**given)

    def to_json(self) -> dict[str, Scalar]:
        """Return every option in the form that `of` reads."""
        return {name: values.write(getattr(self, name)) for name in OPTIONS}

    def changed(self) -> dict[str, Scalar]:
        """Return the options that differ from their default, in the form that `of` reads."""
        return {name: found for name, found in self.to_json().items() if getattr(self, name) != OPTIONS[name].default}

    def words(self, names: Iterable[str] | None = None) -> list[str]:
        """Return the command line of the options (or those in `names`) that differ from their default."""
        wanted, found = set(OPTIONS if names is None else names), list[str]()
        for name, value in self.changed().items():
            if name in wanted:
                found += _words(OPTIONS[name], value)
        return found


OPTIONS: Mapping[str, Option[Any, Any]] = {f.name: vars(RunOptions)[f.name] for f in fields(RunOptions)}
"""Every option by name, in the order of `bench run --help`."""


def _words(option: Option[Any, Any], value: Scalar) -> list[str]:
    if option.is_switch:
        return [option.flag if value else option.flag.replace("--", "--no-", 1)]
    shown = str(value)
    return [f"{option.flag}={shown}"] if shown.startswith("-") else [option.flag, shown]


A = TypeVar("A")
B = TypeVar("B")
P = ParamSpec("P")
R = TypeVar("R")


def _keywords(
    _make: Callable[P, RunOptions],
) -> Callable[[Callable[[A, B, RunOptions], R]], Callable[Concatenate[A, B, P], R]]:
    """Make the decorator `keywords`, typed by the fields of `_make`."""

    def decorate(function: Callable[[A, B, RunOptions], R]) -> Callable[Concatenate[A, B, P], R]:
        *own, _ = inspect.signature(function, eval_str=True).parameters.values()

        @functools.wraps(function)
        def wrapper(*arguments: Any, **given: Any) -> Any:
            named = {p.name: given.pop(p.name) for p in own[len(arguments) :] if p.name in given}
            return function(*arguments, **named, options=RunOptions.of(given, f"{function.__name__}: "))  # type: ignore[call-arg]

        offered = [p for p in _parameters() if p.name not in {q.name for q in own}]
        wrapper.__signature__ = inspect.signature(function, eval_str=True).replace(parameters=[*own, *offered])  # type: ignore[attr-defined]
        wrapper.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{_manual(p.name for p in offered)}"
        return cast("Callable[Concatenate[A, B, P], R]", wrapper)

    return decorate


keywords = _keywords(RunOptions)
"""Decorator for a function of two arguments and `options`: it then takes the fields of `RunOptions` as keywords."""


def _parameters() -> list[inspect.Parameter]:
    hints = get_type_hints(RunOptions)
    return [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=get_args(hints[name])[0]
        )
        for name, option in OPTIONS.items()
    ]


def _manual(names: Iterable[str]) -> str:
    """Return the part of a docstring that lists the keywords."""
    return "\n".join(["Keywords:", *(f"    {name}: {OPTIONS[name].description}." for name in names)])
