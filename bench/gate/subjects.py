"""The models to check, with their accepted numbers and the authors' that can be measured."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bench.errors import BenchError, UsageError
from bench.gate.baseline import Baseline, RunSpec, baseline_files, baseline_name, read_baseline
from bench.gate.judgement import GateFinding, Status
from bench.gate.reported import ReportedClaim, affordable, claims
from bench.options.values import Scalar
from bench.suites.registry import find_suite
from model_zoo.errors import UnknownModelError, ZooError
from model_zoo.load import load_model
from model_zoo.model import Model, fingerprint
from model_zoo.registry import find_card

Options = Mapping[str, Scalar]

SELECTION = (
    "tiny_std",
    "tiny_at",
    "tiny_mbn@clean",
    "tiny_mbn@adv",
    "tiny_sat_silu",
    "tiny_advprop@clean",
    "tiny_nofrost",
)
"""The models of this package's own CI, if nothing is accepted yet: every method, both branches of mixture BN."""

TINY: Mapping[str, Options] = {"tiny": {}, "tiny-stylized": {}, "tiny-pgd": {"limit": 200, "reliability": 0}}
"""Suites for tiny models: 2,000 images show 3 points; 200 attacked ones take a second per model."""

OTHERS: Mapping[str, Options] = {"clean": {"protocol": "published"}}
"""Suites for any other model without `--suite`."""


@dataclass
class CheckedModel:
    """A model to check. `findings` lists what could not be checked at all."""

    name: str
    directory: Path
    model: Model | None = None
    baseline: Baseline | None = None
    claims: list[ReportedClaim] = field(default_factory=list)
    findings: list[GateFinding] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file of its accepted numbers."""
        return self.directory / baseline_name(self.name)

    def unchecked(self, what: str, why: str) -> None:
        """Report why `what` cannot be compared with the baseline."""
        self.findings.append(GateFinding(self.name, what, "baseline", Status.UNCHECKED, why))

    def measures(self) -> list[RunSpec]:
        """Return the measures of its accepted numbers; a suite that is gone or has changed is reported, not run."""
        return [m for m in self.baseline.measures if self._known(m)] if self.baseline else []

    def _known(self, measure: RunSpec) -> bool:
        try:
            version = find_suite(measure.suite).version
        except UsageError as error:
            self.unchecked(f"suite {measure.suite}", f"{error}; {self.next}")
            return False
        if version != measure.version:
            why = f"accepted under version {measure.version}, this is version {version}"
            self.unchecked(f"suite {measure.suite}", f"{why}; {self.next}")
        return version == measure.version

    @property
    def next(self) -> str:
        """The command that accepts the current numbers."""
        return f"next: bench check --update --model {self.name}"

    def marks(self) -> Iterator[GateFinding]:
        """Report weights and input that differ from the accepted ones."""
        if self.baseline is None or self.model is None:
            return
        if self.baseline.weights != (now := fingerprint(self.model)):
            why = f"accepted {self.baseline.weights[:12]}..., found {now[:12]}..."
            yield GateFinding(self.name, "weights", "baseline", Status.ALTERED, why)
        spec = input_of(self.model)
        if unlike := [key for key in spec if spec[key] != self.baseline.input.get(key)]:
            why = ", ".join(f"{key} accepted {self.baseline.input.get(key)}, found {spec[key]}" for key in unlike)
            yield GateFinding(self.name, "input", "baseline", Status.ALTERED, why)


def input_of(model: Model) -> dict[str, Any]:
    """Return the model's own input after a JSON round trip."""
    spec = dataclasses.asdict(model.input)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in spec.items()}


def subject_of(model: str | Model, directory: Path, *, asked: bool = True) -> CheckedModel:
    """Return the model with its baseline and claims; problems with either are reported, so that the others are
    checked. A `file:` model that is not `asked` for, but only named by a baseline file, is not loaded, since that
    runs its code."""
    subject = CheckedModel(model.name if isinstance(model, Model) else model, directory)
    if not asked and subject.name.startswith("file:"):
        subject.unchecked("model", f"to load it runs its file; if you trust it: bench check --model {subject.name}")
        return subject
    try:
        subject.model = model if isinstance(model, Model) else load_model(model)
    except ZooError as error:
        subject.unchecked("model", f"{error}" + (f"; {subject.path} is still there" if subject.path.exists() else ""))
        return subject
    subject.name = subject.model.name  # with the branch that was taken where none was asked for
    found = claims(subject.model.card, subject.model.branch)
    subject.claims = [claim for claim in found if claim.protocol] + affordable(found)
    try:
        subject.baseline = read_baseline(subject.path) if subject.path.exists() else None
    except BenchError as error:
        subject.unchecked("baseline", str(error))
    return subject


def accepted_names(directory: Path) -> list[str]:
    """Return models with a file; for a damaged one, the name in its file name."""
    return [_name_of(path) for path in baseline_files(directory)]


def remaining(directory: Path) -> list[str]:
    """Return accepted models that still exist; files of the others are removed."""
    kept = []
    for path in baseline_files(directory):
        try:
            find_card(_name_of(path))
            kept.append(_name_of(path))
        except UnknownModelError:
            path.unlink()
    return kept


def new_measures(subject: CheckedModel, suites: Sequence[str], limit: int | None) -> list[RunSpec]:
    """Return the measures to accept: the requested ones, else the accepted ones, else the default."""
    if not suites and subject.baseline:
        chosen: Mapping[str, Options] = {m.suite: m.options for m in subject.baseline.measures}
    else:
        embedded = subject.model is not None and subject.model.card.weights.availability == "embedded"
        usual = TINY if embedded else OTHERS
        chosen = {name: usual.get(name, {}) for name in suites or usual}
    cut = {"limit": limit} if limit else {}
    return [RunSpec(name, find_suite(name).version, {**options, **cut}) for name, options in chosen.items()]


def _name_of(path: Path) -> str:
    try:
        return read_baseline(path).model
    except BenchError:
        return unquote(path.stem)
