"""`bench reproduce PAPER`: a paper's whole set of tables and figures, on its released networks or on the tiny zoo."""

import argparse
import functools
import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from bench.errors import BenchError, IncompleteError, UsageError
from bench.figures import FIGURES, find_figures, write_figures
from bench.figures.flops import flops_of_card
from bench.options import RunOptions
from bench.options.command import add_arguments, typed
from bench.suites.base import Setup
from bench.suites.registry import find_suite
from model_zoo.build import build
from model_zoo.errors import ZooError
from model_zoo.load import load_model
from model_zoo.model import Model
from model_zoo.registry import cards, find_card

PAPERS = {
    "intriguing": "Intriguing Properties of Adversarial Training at Scale (arXiv 1906.03787)",
    "sat": "Smooth Adversarial Training (arXiv 2006.14536)",
    "advprop": "Adversarial Examples Improve Image Recognition (arXiv 1911.09665)",
    "nofrost": "Removing Batch Normalization Boosts Adversarial Training (arXiv 2207.01156)",
}

SHIFTED = ("imagenet-c", "imagenet-a", "imagenet-r", "imagenet-sketch", "stylized", "cue-conflict")
RELIABILITY = {"reliability": 0}
"""The papers' own attacks are repeated as they are; `bench run` checks how far each can be believed."""

BACKWARD = 2.0
"""A pass to the images costs about this much more than the forward pass."""

SEARCHES = {"autoattack": 6_000, "aa-fast": 1_500, "fab": 900, "square": 5_000}
"""Passes of ensembles and searches on an image that survives them all, about; other attacks say their steps."""

PROBED = 100
"""Passes of a diagnostic on an image, about."""


@dataclass(frozen=True)
class Step:
    """One `bench run` of a paper: a suite on some models."""

    models: tuple[str, ...]
    suite: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in self.options.items())
        return f"bench run --model {','.join(self.models)} --suite {self.suite} {told}".strip()


@dataclass(frozen=True)
class Reproduction:
    """What was done: the figures' files, and what could not be, each with the reason."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]


def steps(paper: str, *, real: bool, models: Sequence[str] = ()) -> list[Step]:
    """Every run of a paper: on its released networks where `real`, else on the tiny zoo; kept to `models` if there are.

    Raises `UsageError` for a paper that there is not.
    """
    if paper not in PAPERS:
        raise UsageError.unknown("paper", paper, PAPERS)
    found = _real(paper, models) if real else list(_tiny(paper))
    kept = [replace(s, models=tuple(m for m in s.models if not models or m in models)) for s in found]
    return _joined(step for step in kept if step.models)


def _real(paper: str, models: Sequence[str]) -> list[Step]:
    """The paper's evaluation of its released networks and their rivals, by the cards' fields."""
    known = [c for c in cards().values() if c.room != "tiny" and c.weights.availability in ("public", "package")]
    own = [c.name for c in known if c.method == paper]
    if paper == "advprop":  # the rivals are EfficientNets trained on clean images alone
        own += [c.name for c in known if c.traits.family == "efficientnet" and c.method == "standard"]
    rivals = ["resnet50"] if paper == "nofrost" else ["resnet152"] if paper == "intriguing" else []
    every = tuple(dict.fromkeys(models or (*own, *rivals)))
    attacked = tuple(name for name in every if "adversarial" in find_card(name).traits.images or paper == "nofrost")
    clean = [Step(every, "imagenet", {"protocol": "published"})]
    budgets: dict[str, list[dict[str, Any]]] = {
        "intriguing": [
            {"eps": "16/255", "steps": k, "step_size": "1.6/255" if k == 10 else "1/255", "targeted": True}
            for k in (10, 100, 1000, 2000)
        ],
        "sat": [{"eps": "4/255", "steps": k, "step_size": "1/255"} for k in (10, 20, 50, 200)],
        "advprop": [],
        "nofrost": [{"eps": f"{e}/255", "steps": 20, "step_size": "0.5/255"} for e in (2, 4, 8, 16)],
    }
    pgd = [Step(attacked, "pgd", {"dataset": "imagenet", **options, **RELIABILITY}) for options in budgets[paper]]
    shifted = [Step(every, suite) for suite in SHIFTED if paper in ("advprop", "nofrost")]
    looks = [Step(attacked, suite, {"limit": 1000}) for suite in ("smoothness", "margin") if paper == "nofrost"]
    return [*clean, *(step for step in pgd if step.models), *shifted, *looks]


def _tiny(paper: str) -> Iterator[Step]:
    """What the paper's figures ask for, each by its own command."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--suite", required=True)
    add_arguments(parser)
    for spec in FIGURES:
        if spec.name.startswith(f"{paper}-"):
            for command in commands(spec.command):
                arguments = parser.parse_args(shlex.split(command))
                names = tuple(name for name in arguments.model.split(",") if _committed(name))
                for suite in arguments.suite.split(",") if names else ():
                    options = {k: v for k, v in typed(arguments).items() if _used(suite, k)}
                    yield Step(names, suite, options)


def commands(text: str) -> list[str]:
    """A figure's command; several where it leaves the steps open (`--steps K (K of 5, 10)`)."""
    several = re.search(r" K \(K of ([\d, ]+)\)", text)
    if several is None:
        return [text] if text else []
    return [text.replace(several[0], f" {steps.strip()}") for steps in several[1].split(",")]


def _used(suite: str, option: str) -> bool:
    from bench.options import OPTIONS

    return option in find_suite(suite).uses or not getattr(OPTIONS[option], "by_suite", False)


def _committed(name: str) -> bool:
    try:
        return find_card(name).weights.availability == "embedded"
    except ZooError:
        return False


def _joined(every: Iterator[Step] | Sequence[Step]) -> list[Step]:
    """Steps of one suite and one choice of options as one, so that pictures are decoded once."""
    found: dict[Any, Step] = {}
    for step in every:
        key = (step.suite, tuple(sorted(step.options.items(), key=lambda item: item[0])))
        before = found.get(key, replace(step, models=()))
        found[key] = replace(step, models=tuple(dict.fromkeys((*before.models, *step.models))))
    return list(found.values())


def reproduce(
    paper: str,
    out: str | Path = "results/reproduce",
    *,
    data: str | None = None,
    models: Sequence[str] = (),
    limit: int | None = None,
    random_weights: bool = False,
    say: Callable[[str], None] = lambda _line: None,
) -> Reproduction:
    """Run every step of a paper that can be, and draw its figures; what is missing costs its own steps alone.

    data: a root of ImageNet sets, for the released networks; without it the tiny zoo stands in
    limit: pictures of each set; random_weights: networks as the cards build them, under names that say so
    """
    from bench.board.site.build import write_site
    from bench.engine.run import carry_out, prepare_run

    folder, missing = Path(out) / paper, list[str]()
    options = {"out": folder / "runs", **({"data": data} if data else {}), **({"limit": limit} if limit else {})}
    for step in steps(paper, real=data is not None, models=models):
        say(str(step))
        there = list(_models(step.models, missing, random_weights))
        if not there:
            continue
        try:
            carry_out(prepare_run(there, [step.suite], RunOptions.of({**step.options, **options})))
        except (BenchError, ZooError) as error:
            missing.append(f"{step.suite}: {error}")
    if not (folder / "runs").is_dir():
        raise IncompleteError(f"{paper}: nothing could be measured; " + "; ".join(dict.fromkeys(missing)))
    write_site(folder / "runs", folder / "report")
    names = [spec.name for spec in FIGURES if spec.name.startswith(f"{paper}-")]
    files: list[Path] = []
    for name in names:
        try:
            files += write_figures(str(folder / "runs"), folder / "figures", only=[name]).files
        except IncompleteError as error:
            missing.append(str(error))
    return Reproduction(tuple(files), tuple(dict.fromkeys(missing)))


def _models(names: Sequence[str], missing: list[str], random_weights: bool) -> Iterator[str | Model]:
    """The models that can be loaded; why the others cannot goes to `missing`."""
    for name in names:
        try:
            yield _random(name) if random_weights else _loaded(name)
        except (ZooError, OSError) as error:
            missing.append(f"{name}: {error}")


@functools.lru_cache(maxsize=8)
def _loaded(name: str) -> Model:
    return load_model(name)


@functools.lru_cache(maxsize=8)
def _random(name: str) -> Model:
    """The network of a card as it is built, under a name that nobody takes for the checkpoint's."""
    card = find_card(name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Model(build(card), replace(card, name=f"{card.name}-random-weights", reported=(), also_named=()))


def missing_and_cost(
    paper: str, *, data: str | None = None, models: Sequence[str] = (), limit: int | None = None
) -> Iterator[str]:
    """Lines that say, step by step, what would run, which weights and data are missing, and how long it would take.

    The time is multiply-adds times passes at the rate of one network timed here; decoding comes on top.
    """
    from bench.engine.session import Settings

    session = Settings(data, limit).open()
    every = steps(paper, real=data is not None, models=models)
    rate = _rate(every[0].models[0])
    total = 0.0
    gone: dict[str, str] = {}
    for step in every:
        seconds, problems = 0.0, list[str]()
        given = RunOptions.of({**step.options, **({"limit": limit} if limit and "limit" not in step.options else {})})
        for name in step.models:
            if name not in gone:
                gone[name] = _why_not(name)
            for setup in find_suite(step.suite).conditions(find_card(name), given):
                images, problem = _images(session, setup, step.options.get("limit"))
                problems += [problem] if problem else []
                seconds += images * passes(setup) * (flops_of_card(find_card(name)) or 0) / rate
        total += seconds
        yield f"{step}\n  about {_duration(seconds)} for the networks alone"
        yield from (f"  missing: {problem}" for problem in dict.fromkeys(problems))
    yield from (f"missing weights: {name}: {why}" for name, why in gone.items() if why)
    yield f"in all about {_duration(total)} on this machine, of multiply-adds at {rate / 1e9:.1f} G a second"
    drawn = [spec.name for spec in find_figures([s.name for s in FIGURES if s.name.startswith(f"{paper}-")])]
    yield f"figures: {', '.join(drawn)}"


def passes(setup: Setup) -> float:
    """Forward passes that an image takes under a condition, about; more for an image that survives."""
    if setup.probes:
        return PROBED * (1 + BACKWARD)
    if setup.attack is None:
        return 1.0
    fields = setup.attack.fields
    made = SEARCHES.get(fields.family, (fields.steps or 100) * (fields.restarts or 1))
    return 1.0 + made * (1 + BACKWARD)


def _images(session: Any, setup: Setup, limit: Any) -> tuple[int, str]:
    from bench.datasets.table import SETS

    try:
        there = len(session.dataset_of(setup))
    except (BenchError, OSError) as error:
        known = SETS.get(setup.dataset)
        return min(filter(None, (known.count if known else 0, limit, session.limit)), default=0), str(error)
    return (min(there, int(limit)) if limit else there), ""


def _why_not(name: str) -> str:
    try:
        load_model(name)
    except (ZooError, OSError) as error:
        return str(error)
    return ""


def _rate(name: str) -> float:
    """Multiply-adds a second of one network here, from the second of two passes over four pictures."""
    card = find_card(name)
    net, pictures = build(card).eval(), torch.zeros(4, 3, card.input.size, card.input.size)
    with torch.no_grad():
        net(pictures)
        started = time.perf_counter()
        net(pictures)
    return 4 * (flops_of_card(card) or 1.0) / max(time.perf_counter() - started, 1e-9)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
