"""Runs of a paper: its evaluation of released networks, or the runs of its figures on the tiny zoo."""

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.errors import UsageError
from bench.figures import FIGURES
from bench.options import RunOptions
from bench.options.command import add_arguments, typed
from bench.options.values import listed, model_names
from bench.published.papers import TITLES
from bench.suites.registry import find_suite
from model_zoo.errors import ZooError, suggestion
from model_zoo.registry import cards, find_card

PAPERS = {name: f"{title} (arXiv {number})" for name, (title, number) in TITLES.items()}

SHIFTED = ("imagenet-c", "imagenet-a", "imagenet-r", "imagenet-sketch", "stylized", "cue-conflict")
RELIABILITY = {"reliability": 0}
"""Options that turn the reliability check off: the papers' attacks are repeated as published."""


@dataclass(frozen=True)
class Step:
    """One `bench run` of a paper: a suite, its models and options."""

    models: tuple[str, ...]
    suite: str
    options: dict[str, Any] = field(default_factory=dict)

    def limited(self, limit: int | None) -> "Step":
        """Return the step with at most `limit` images."""
        if limit is None:
            return self
        own = RunOptions.of(self.options).limit
        return replace(self, options={**self.options, "limit": limit if own is None else min(limit, own)})

    def __str__(self) -> str:
        told = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in self.options.items())
        return f"bench run --model {','.join(self.models)} --suite {self.suite} {told}".strip()


def steps(paper: str, *, real: bool, models: Sequence[str] = (), limit: int | None = None) -> list[Step]:
    """Return every run of a paper.

    real: use the paper's released networks, else the tiny zoo
    models: names of the models to run; empty for all
    limit: largest number of images per set; steps with a smaller limit keep it

    Raises `UsageError` for an unknown paper and if no run is left.
    """
    if paper not in PAPERS:
        raise UsageError(f"unknown paper {paper!r}{suggestion(paper, PAPERS)}; known: {', '.join(PAPERS)}")
    found = _real(paper, models) if real else list(_tiny(paper))
    kept = [replace(s, models=tuple(m for m in s.models if not models or m in models)) for s in found]
    joined = _joined(step.limited(limit) for step in kept if step.models)
    if not joined:
        asked = sorted({name for step in found for name in step.models})
        raise UsageError(
            f"{paper}: no run of it is of {', '.join(models)}; it has runs of {', '.join(asked) or 'no network'}; "
            "next: name some of these with --models, or leave it out"
        )
    return joined


def _real(paper: str, models: Sequence[str]) -> list[Step]:
    """Return the paper's evaluation of its released networks and their rivals, chosen by the cards' fields."""
    known = [c for c in cards().values() if c.room != "tiny" and c.weights.availability in ("public", "package")]
    own = [c.name for c in known if c.method == paper]
    if paper == "advprop":  # rivals: EfficientNets trained on clean images alone
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
    """Yield the runs of the paper's figures, from their commands."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--suite", required=True)
    add_arguments(parser)
    for spec in FIGURES:
        if spec.name.startswith(f"{paper}-"):
            for command in spec.commands:
                arguments = parser.parse_args(shlex.split(command))
                names = tuple(name for name in model_names(arguments.model) if _committed(name))
                for suite in listed(arguments.suite) if names else ():
                    options = {k: v for k, v in typed(arguments).items() if _used(suite, k)}
                    yield Step(names, suite, options)


def _used(suite: str, option: str) -> bool:
    from bench.options import OPTIONS

    return option in find_suite(suite).uses or not getattr(OPTIONS[option], "by_suite", False)


def _committed(name: str) -> bool:
    try:
        return find_card(name).weights.availability == "embedded"
    except ZooError:
        return False


def _joined(every: Iterator[Step] | Sequence[Step]) -> list[Step]:
    """Merge steps with the same suite and options, so that images are decoded once."""
    found: dict[Any, Step] = {}
    for step in every:
        key = (step.suite, tuple(sorted(step.options.items(), key=lambda item: item[0])))
        before = found.get(key, replace(step, models=()))
        found[key] = replace(step, models=tuple(dict.fromkeys((*before.models, *step.models))))
    return list(found.values())
