"""Weights, data and time that a paper's runs need (`--dry-run`)."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from bench.errors import BenchError
from bench.figures import FIGURES, find_figures
from bench.figures.flops import flops_of_card
from bench.options import RunOptions
from bench.reproduce.steps import steps
from bench.suites.base import Setup
from bench.suites.registry import find_suite
from model_zoo.build import build
from model_zoo.errors import ZooError
from model_zoo.load import load_model
from model_zoo.registry import find_card

BACKWARD = 2.0
"""Cost of a backward pass to the images, in forward passes (approximate)."""

SEARCHES = {"autoattack": 6_000, "aa-fast": 800, "fab": 900, "square": 5_000}
"""Approximate passes of ensembles and searches on an image that survives them all; other attacks state their steps."""

PROBED = 100
"""Approximate passes of a diagnostic per image."""

PIXELS = 4 * 224**2
"""Number of pixels in the timed batch, which has at most 64 images."""

TIMED = 0.5
"""Minimum time of the measurement, in seconds; it makes at least five passes."""


def missing_and_cost(
    paper: str,
    *,
    data: str | None = None,
    models: Sequence[str] = (),
    limit: int | None = None,
    random_weights: bool = False,
) -> Iterator[str]:
    """Yield lines that state for each step what would run, which weights and data are missing, and the expected time.

    The time is multiply-adds times passes, at the measured rate of the first network; decoding is not included.
    """
    from bench.engine.session import Settings

    session = Settings(data).open()
    every = steps(paper, real=data is not None, models=models, limit=limit)
    rate = _rate(every[0].models[0])
    total = 0.0
    gone: dict[str, str] = {}
    for step in every:
        seconds, problems = 0.0, list[str]()
        given = RunOptions.of(step.options)
        for name in step.models:
            if name not in gone:
                gone[name] = "" if random_weights else _why_not(name)
            for setup in find_suite(step.suite).conditions(find_card(name), given):
                images, problem = _images(session, setup, step.options.get("limit"))
                problems += [problem] if problem else []
                seconds += images * passes(setup) * (flops_of_card(find_card(name)) or 0) / rate
        total += seconds
        yield f"{step}\n  about {_duration(seconds)} for the networks alone"
        yield from (f"  missing: {problem}" for problem in dict.fromkeys(problems))
    yield from (f"missing weights: {why}" for why in gone.values() if why)
    yield f"in all about {_duration(total)} on this machine, of multiply-adds at {rate / 1e9:.1f} G a second"
    drawn = [spec.name for spec in find_figures([s.name for s in FIGURES if s.name.startswith(f"{paper}-")])]
    yield f"figures: {', '.join(drawn)}"


def passes(setup: Setup) -> float:
    """Return the approximate number of forward passes for an image that survives a condition's attack."""
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
        return min(filter(None, (known.count if known else 0, limit)), default=0), str(error)
    return (min(there, int(limit)) if limit else there), ""


def _why_not(name: str) -> str:
    try:
        load_model(name)
    except ZooError as error:
        return str(error)
    except OSError as error:
        return f"{name}: {error}"
    return ""


def _rate(name: str) -> float:
    """Return one network's multiply-adds per second on this machine, from the fastest of several passes: compilation
    and other processes can slow single passes down by any factor.
    """
    card = find_card(name)
    count = max(1, min(64, PIXELS // card.input.size**2))
    net, images = build(card).eval(), torch.zeros(count, 3, card.input.size, card.input.size)
    fastest, finish = float("inf"), time.perf_counter() + TIMED
    with torch.no_grad():
        done = 0
        while done < 5 or time.perf_counter() < finish:
            started = time.perf_counter()
            net(images)
            fastest = min(fastest, time.perf_counter() - started)
            done += 1
    return count * (flops_of_card(card) or 1.0) / max(fastest, 1e-9)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
