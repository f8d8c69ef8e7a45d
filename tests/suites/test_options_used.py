"""What is asked for is heeded or refused: every suite x every option.

Either the call is refused, or the cells are others (so that no number stands under the wrong name), or the option can
move no number.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest

from bench.datasets.table import SETS
from bench.engine.plan import make_plan
from bench.engine.run import prepare
from bench.engine.session import Subject
from bench.errors import UsageError
from bench.options import OPTIONS, RunOptions
from bench.suites.registry import SUITES, check_used
from bench.testing import fake_model
from model_zoo.model import Model

OTHER: dict[str, Any] = {
    "dataset": "sample",
    "protocol": "published",
    "limit": 7,
    "until": 5,
    "until_told": "a,b",
    "gap": 2,
    "seed": 1,
    "weights": "other.pth",
    "random_weights": True,
    "cards": "cards",
    "eps": "3/255",
    "norm": "l2",
    "steps": 7,
    "step_size": "0.7/255",
    "restarts": 2,
    "targeted": True,
    "attack_engine": "reference",
    "precision": "bf16",
    "reliability": 5,
}
"""A value of each option that may change a number, unlike what any suite does of itself."""

ELSEWHERE = {
    "weights": "another fingerprint, hence another cell",
    "random_weights": "another model, by its name and its fingerprint",
    "cards": "names of models, each with its own fingerprint",
    "reliability": "a verdict, not a number",
    "precision": "refused where nothing is attacked",
    "until_told": "the rule stands in the label of its cells",
    "gap": "the rule stands in the label of its cells",
    "until": "another order of the data set, hence another cell",
}
"""Options that conditions do not follow, and why they cannot put a number under the wrong name."""


@dataclass(frozen=True)
class Pictures:
    """A data set without images, as far as a plan asks."""

    name: str
    manifest: str
    labels: str
    as_stored: bool
    subset: str = ""
    side: int = 0
    exact: bool = False
    folders: tuple[str, ...] = ()

    def __len__(self) -> int:
        return 50


class Shelf:
    """A session that has every data set."""

    def __init__(self, options: RunOptions) -> None:
        self.limit, self.seed, self.roots = options.limit, options.seed, self

    def holds(self, _name: str) -> bool:
        return True

    def dataset_of(self, setup: Any) -> Pictures:
        stored = setup.dataset in ("imagenet-c", "cue-conflict") or setup.dataset.startswith("tiny")
        labels = "folder10" if setup.dataset == "folder" else SETS[setup.dataset].labels
        return Pictures(setup.dataset, f"{setup.dataset} {setup.part} {self.limit}", labels, stored)


def subject(suite: str, options: RunOptions) -> Subject:
    """A model that the suite fits, whose card tells of two branches."""
    model = fake_model(
        classes=10 if suite.startswith(("tiny", "folder")) else 1000,
        size=224 if suite == "transfer" else 32,  # its surrogates fit no other size
    )
    card = replace(model.card, branches=("clean", "adv"), method="intriguing")
    return Subject.of(Model(model.net, card), options.protocol)


def cells(suite: str, options: RunOptions) -> set[str]:
    """The ids of all cells that the suite asks for. Raises `UsageError` where it refuses the options."""
    check_used([SUITES[suite]], options)
    plan = make_plan([subject(suite, options)], [SUITES[suite]], options, Shelf(options))  # type: ignore[arg-type]
    return set(plan.cells)


def test_every_option_that_may_change_a_number_is_tried() -> None:
    assert set(OTHER) == {name for name, option in OPTIONS.items() if option.role != "work"}


@pytest.mark.parametrize("option", OTHER)
@pytest.mark.parametrize("suite", SUITES)
def test_an_option_is_heeded_or_refused(suite: str, option: str) -> None:
    asked = RunOptions.of({option: OTHER[option]})
    if OPTIONS[option].by_suite and option not in SUITES[suite].uses:
        with pytest.raises(UsageError, match=OPTIONS[option].flag):
            cells(suite, asked)
        return
    if (suite, option) == ("transfer", "precision"):
        with pytest.raises(UsageError, match="--precision bf16: transfer has none"):
            cells(suite, asked)
        return
    assert cells(suite, asked) != cells(suite, RunOptions()) or option in ELSEWHERE


@pytest.mark.parametrize("option", [name for name, option in OPTIONS.items() if option.by_suite])
def test_a_refusal_names_suites_that_use_the_option(option: str) -> None:
    users = [suite.name for suite in SUITES.values() if option in suite.uses]
    with pytest.raises(UsageError) as caught:
        check_used([SUITES["imagenet"], SUITES["tiny-a"]], RunOptions.of({option: OTHER[option]}))
    assert str(caught.value) == (
        f"{OPTIONS[option].flag}: not used by imagenet, tiny-a; suites that use it: {', '.join(users)}"
    )
    assert users
    check_used([SUITES["imagenet"], SUITES[users[0]]], RunOptions.of({option: OTHER[option]}))


@pytest.mark.parametrize(
    ("suite", "given", "message"),
    [
        ("tiny-pgd", {"eps": "2/255,4/255"}, "--eps: not used by tiny-pgd"),
        ("clean", {"targeted": False}, "--targeted: not used by clean"),
        ("robustbench-5k", {"dataset": "imagenet"}, "--dataset: not used by robustbench-5k"),
        ("pgd", {"protocol": "published", "steps": 50}, "--steps: --protocol published uses the attack"),
        ("pgd-branches", {"protocol": "published", "restarts": 5, "norm": "l2"}, "--norm, --restarts: --protocol"),
        ("autoattack", {"steps": 50}, "--steps: not used by autoattack"),
        ("smoothness", {"eps": "2/255,4/255"}, "one radius"),
        ("batchnorm", {"eps": [1 / 255, 2 / 255]}, "one radius"),
        ("batchnorm", {"dataset": "imagenet-a", "eps": "4/255"}, "batchnorm cannot attack there"),
    ],
)
def test_what_would_be_ignored_is_refused(suite: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cells(suite, RunOptions.of(given))


def test_one_radius_serves_two_diagnostics_only_in_one_norm() -> None:
    card, both = fake_model().card, RunOptions(norm="l2", eps=3)
    assert SUITES["batchnorm"].conditions(card, both)
    with pytest.raises(UsageError, match="--eps: smoothness uses a Linf radius"):
        SUITES["smoothness"].conditions(card, both)


def test_an_ensemble_refuses_even_what_another_suite_uses() -> None:
    options = RunOptions(steps=5)
    check_used([SUITES["autoattack"], SUITES["pgd"]], options)
    with pytest.raises(UsageError, match="--steps: fixed by the ensemble"):
        SUITES["autoattack"].conditions(fake_model().card, options)


def test_the_paper_s_attack_may_be_named_with_a_budget() -> None:
    options = RunOptions(protocol="published", eps="4/255", steps=50)
    (_, attacked) = SUITES["pgd"].conditions(fake_model().card, options)
    assert attacked.condition.attack is not None
    assert (attacked.condition.attack.steps, attacked.condition.attack.eps) == (50, Fraction(4, 255))


def test_a_run_refuses_before_models_are_loaded() -> None:
    with pytest.raises(UsageError, match="--eps: not used by tiny-pgd"):
        prepare("no_such_model", "tiny-pgd", eps=2 / 255)


class Watched:
    """Options that note which of them are asked for."""

    def __init__(self, options: RunOptions) -> None:
        self.options, self.asked = options, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        return getattr(self.options, name)


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_uses_what_its_conditions_ask_for(suite: str) -> None:
    """The declaration against the code: what conditions read and do not only refuse."""
    if suite == "robustbench-5k":
        pytest.skip("replaces the data set in a copy of the options")
    watched = Watched(RunOptions())
    SUITES[suite].conditions(subject(suite, RunOptions()).model.card, watched)  # type: ignore[arg-type]
    read = {name for name in watched.asked if name in OPTIONS and OPTIONS[name].by_suite}
    refused = {"aa-fast": {"attack_engine"}, "smoothness": {"norm"}}.get(suite, set())
    assert read - refused == set(SUITES[suite].uses) - {"reliability"}
