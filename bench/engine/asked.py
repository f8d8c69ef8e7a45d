"""Models, suites and rules that a run asks for, checked before any data are opened."""

from collections.abc import Sequence
from pathlib import Path

from bench.datasets.table import SETS
from bench.errors import UsageError
from bench.folder.kept import KeptPictures
from bench.metrics.sequential import StopRule
from bench.metrics.told import Rule, TellRule
from bench.options import OPTIONS, RunOptions
from bench.options.values import listed, model_names
from bench.suites.base import Suite
from bench.suites.registry import check_used, find_suite
from model_zoo.errors import ZooError
from model_zoo.load import check_own, load_model
from model_zoo.model import Model
from model_zoo.registry import RANDOM, find_card, is_random

Models = str | Model | Sequence[str | Model]
"""Names separated by commas, a model, or several of either."""


def asked_suites(suites: str | Sequence[str], options: RunOptions) -> list[Suite]:
    """Return the suites, each once. Raises `UsageError` for an unknown suite or data set, and for an option that none
    of the suites uses."""
    if options.dataset is not None and options.dataset not in SETS:
        raise UsageError.unknown("dataset", options.dataset, SETS)
    names = listed(suites) if isinstance(suites, str) else [name for name in suites if name]
    if not names:
        raise UsageError("--suite: no suite is named; `bench list suites` shows all")
    wanted = [find_suite(name) for name in dict.fromkeys(names)]
    check_used(wanted, options)
    return wanted


def asked_models(models: Models, options: RunOptions) -> list[str | Model]:
    """Return the models by name or as given. Raises `UsageError` if there is none, or not the two of `until_told`."""
    asked = _listed(models)
    if not asked:
        raise UsageError("--model: no model is named; `bench list models` shows all")
    if options.random_weights:
        asked = _drawn(asked)
    _check_told(asked, options.until_told)
    return asked


def asked_folder(options: RunOptions) -> KeptPictures | None:
    """Return the folder of adversarial images to keep, if any. Raises `UsageError` for a run on a cluster."""
    kept = KeptPictures.parse(options.keep_adversarial)
    if kept and options.ray:
        raise UsageError("--keep-adversarial: the images would be written on the cluster's machines; leave out --ray")
    return kept


def asked_rule(options: RunOptions) -> Rule | None:
    """Return the rule that may stop a condition early. Raises `UsageError` for two rules at once."""
    if options.until is not None and options.until_told:
        raise UsageError("--until and --until-told: only one rule can stop a condition; give one of them")
    if options.gap != OPTIONS["gap"].default and not options.until_told:
        raise UsageError("--gap belongs to --until-told A,B; name the two models, or leave it out")
    if options.until_told:
        return TellRule(" and ".join(options.until_told), options.gap, options.seed)
    return None if options.until is None else StopRule(options.until, options.seed)


def load_models(asked: Sequence[str | Model], weights: str | None) -> tuple[dict[str | Model, Model], list[str]]:
    """Load each model; return its given and loaded form, and why others failed. If all fail, raise the first error."""
    if weights and len(asked) > 1:
        raise UsageError("--weights names one file: run one model at a time with it")
    file = Path(weights) if weights else None
    for name in asked:
        if not isinstance(name, Model):
            find_card(name)  # a name that there is not is a slip of the pen: before anything is loaded
    loaded: dict[str | Model, Model] = {}
    failed: list[tuple[str | Model, Exception]] = []
    for model in asked:
        try:
            if isinstance(model, Model):
                check_own(model)
            loaded[model] = model if isinstance(model, Model) else load_model(model, weights_file=file)
        except ZooError as error:
            failed.append((model, error))
    if failed and not loaded:
        raise failed[0][1]
    return loaded, [f"{model}: not measured: {error}" for model, error in failed]


def _listed(models: Models) -> list[str | Model]:
    if isinstance(models, str):
        return [*model_names(models)]
    return [models] if isinstance(models, Model) else list(models)


def _drawn(names: Sequence[str | Model]) -> list[str | Model]:
    """Return the names of models with random weights. Raises `UsageError` for one that has weights."""
    if given := [model.name for model in names if isinstance(model, Model)]:
        raise UsageError(f"--random-weights is for models by name; {given[0]} has its weights already")
    return [name if is_random(str(name)) else f"{RANDOM}{name}" for name in names]


def _check_told(asked: Sequence[str | Model], told: Sequence[str]) -> None:
    """Raise `UsageError` unless the models are the two to compare."""
    names = [model if isinstance(model, str) else model.name for model in asked]
    if told and sorted(told) != sorted(names):
        raise UsageError(
            f"--until-told {','.join(told)}: the models of the run must be these two, found {', '.join(names)}"
        )
