"""No option makes another one idle: every suite x every pair of the options that it uses.

Either the pair is refused, or its cells are unlike those of each option alone. (What a suite does not use is refused by
itself: `test_options_used`.)
"""

import functools
import itertools
from collections.abc import Iterator

import pytest

from bench.engine.asked import asked_rule
from bench.engine.plan import make_plan
from bench.engine.run import prepare
from bench.engine.session import Subject
from bench.errors import UsageError
from bench.options import OPTIONS, RunOptions
from bench.suites.registry import SUITES
from model_zoo.errors import WeightsError
from tests.suites.test_options_used import ELSEWHERE, OTHER, Shelf, subject

HEEDED = {*OTHER} - {*ELSEWHERE} | {"precision"}
"""Options that a suite's cells follow."""


@functools.cache
def fitting(suite: str, protocol: str) -> Subject:
    """A model that the suite fits, as its input is under a protocol."""
    return subject(suite, RunOptions(protocol=protocol))


@functools.cache
def cells(suite: str, *given: str) -> frozenset[str] | None:
    """The ids of all cells under these options; None where they are refused."""
    options = RunOptions.of({name: OTHER[name] for name in given})
    model = fitting(suite, options.protocol)
    try:
        plan = make_plan([model], [SUITES[suite]], options, Shelf(options))  # type: ignore[arg-type]
    except UsageError:
        return None
    return frozenset(plan.cells)


def pairs() -> Iterator[tuple[str, tuple[str, str]]]:
    """Each pair of options that a suite uses and that move its cells; two that every suite has, of one suite alone."""
    for suite, about in SUITES.items():
        own = sorted(name for name in HEEDED if name in about.uses)
        every = sorted(name for name in HEEDED if not OPTIONS[name].by_suite) if own or suite == "imagenet" else []
        used = [name for name in (*own, *every) if cells(suite, name) not in (None, cells(suite))]
        for a, b in itertools.combinations(used, 2):
            if a in own or suite in ("imagenet", "pgd"):
                yield suite, (a, b)


def test_no_option_makes_another_one_idle() -> None:
    tried, idle = 0, []
    for suite, (a, b) in pairs():
        both = cells(suite, a, b)
        tried += 1
        idle += [(suite, a, b) for alone in (a, b) if both is not None and both == cells(suite, alone)]
    assert idle == []
    assert tried > 400


@pytest.mark.parametrize(
    ("given", "message"),
    [({"until": 5, "until_told": "a,b"}, "give one of them"), ({"until": 5, "gap": 2}, "--gap"), ({"gap": 2}, "--gap")],
)
def test_rules_that_exclude_each_other_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        asked_rule(RunOptions.of(given))


def test_weights_of_a_file_and_random_ones_exclude_each_other(tmp_path: object) -> None:
    with pytest.raises(WeightsError, match="leave out --weights, or --random-weights"):
        prepare("tiny_std", "tiny", random_weights=True, weights="other.pth", out=str(tmp_path))
