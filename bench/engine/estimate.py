"""Estimate the cost of a run from a few images timed on this machine: `bench run --dry-run`."""

import time
from collections.abc import Iterator, Sequence

from bench.engine.cost import ScalingCost
from bench.engine.execute import execute
from bench.engine.plan import Unit
from bench.engine.run import Prepared
from bench.record import UnitKey
from bench.suites.base import Setup
from bench.text import counted

SAMPLE = 4
"""Number of images timed for each kind of condition."""

WORKERS = (1, 8, 64, 512)
"""Numbers of workers for the extrapolation if the user gives none."""

RECORD_BYTES = 40
"""Bytes of one record on disk, compressed; measured on ImageNet runs."""


def estimate(prepared: Prepared) -> Iterator[str]:
    """Return lines with the time and the disk space of the missing units."""
    total = longest = 0.0
    for kind, todo in _kinds(prepared).items():
        seconds = _time(prepared, todo[0])
        images = sum(unit.images for unit in todo)
        total += seconds * images
        longest = max(longest, seconds * max(unit.images for unit in todo))
        yield f"{kind}: {counted(images, 'image')} at {1 / seconds:.1f} images/s, {_duration(seconds * images)}"
    yield f"in all about {_duration(total)} on this machine, {prepared.images * RECORD_BYTES / 1e6:.1f} MB of records"
    cost = ScalingCost(total, len(prepared.todo), longest)
    on_many = ", ".join(f"{_duration(cost.wall(workers))} on {workers}" for workers in _workers(prepared))
    yield f"extrapolated to Ray workers like this process (docs/scaling.md): {on_many}"


def _workers(prepared: Prepared) -> Sequence[int]:
    asked = prepared.cluster.workers if prepared.cluster else None
    return [asked] if asked else WORKERS


def _kinds(prepared: Prepared) -> dict[str, list[Unit]]:
    kinds: dict[str, list[Unit]] = {}
    for unit in prepared.todo:
        kinds.setdefault(_kind(unit.setup), []).append(unit)
    return kinds


def _kind(setup: Setup) -> str:
    """Return the kind of a condition; conditions of one kind cost about the same."""
    if setup.probes:
        return setup.name.partition(":")[2] + (f" under {setup.attack.name}" if setup.attack else "")
    if setup.attack:
        return setup.attack.name
    return f"corruption {setup.corruption.name}" if setup.corruption else "clean"


def _time(prepared: Prepared, unit: Unit) -> float:
    """Return seconds per image and model, from the second of two runs over a few images."""
    small = Unit(unit.setup, UnitKey(unit.key.start, min(unit.key.start + SAMPLE, unit.key.stop)), unit.cells)
    execute(prepared.session, prepared.plan.subjects, small)
    started = time.perf_counter()
    execute(prepared.session, prepared.plan.subjects, small)
    return (time.perf_counter() - started) / small.images


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
