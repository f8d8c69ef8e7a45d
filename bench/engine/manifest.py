"""The `run.json` of a plan, and the environment of its numbers."""

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from bench.engine.plan import Plan
from bench.engine.session import Session, Subject
from bench.manifest import RunEntry, RunManifest, RunModel, files_of
from bench.record import digest
from bench.store import Store
from model_zoo.inspect_network import traits_of
from model_zoo.weights import unverified

PACKAGES = (
    "robust-imagenet-bench",
    "torch",
    "torchvision",
    "numpy",
    "pillow",
    "timm",
    "pyautoattack",
    "imagecorruptions-imaug",
    "pyarrow",
    "scipy",
    "numba",
)


def run_manifest(plan: Plan, session: Session) -> RunManifest:
    """Return the request, its resolved options, and every cell by suite, model and condition."""
    asked = {"models": [s.model.name for s in plan.subjects], "suites": [s.name for s in plan.suites]}
    names = _unlike_names(plan)
    return RunManifest(
        {name: _described(subject) for name, subject in zip(names, plan.subjects, strict=True)},
        tuple(
            RunEntry(e.suite, names[e.subject], e.setup.name, e.cell.id, e.images, e.setup.unit_images)
            for e in plan.entries
        ),
        {suite.name: suite.version for suite in plan.suites},
        {**asked, **plan.options.to_json()},
        plan.options.protocol,
        session.seed,
        session.limit,
        environment=environment(session),
    )


def _described(subject: Subject) -> RunModel:
    card, other = subject.model.card, bool(subject.model.unlike_card)
    return RunModel(
        subject.fingerprint,
        "" if other else card.method,
        card.architecture,
        sum(p.numel() for p in subject.model.parameters()),
        subject.spec.record(),
        subject.model.name,
        traits_of(card.traits.of_network() if other else card.traits, subject.model),
        card.branches,
        "" if other else card.extra_data,
        card.dataset,
        card.weights.availability == "user",
        other,
        not other and unverified(card),
        {} if other else files_of(card),
    )


def _unlike_names(plan: Plan) -> list[str]:
    """Return a name for each subject: its own, followed by its fingerprint if another one has the same name."""
    names = [subject.model.name for subject in plan.subjects]
    return [
        f"{name} [{subject.fingerprint[:12]}]" if names.count(name) > 1 else name
        for name, subject in zip(names, plan.subjects, strict=True)
    ]


def environment(session: Session) -> dict[str, Any]:
    """Return the environment: code revision, packages, device, threads."""
    cuda = session.device.type == "cuda" and torch.cuda.is_available()
    return {
        "revision": _revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": package_versions(),
        "device": torch.cuda.get_device_name(session.device) if cuda else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
    }


def package_versions() -> dict[str, str]:
    """Return installed versions of the packages that affect numbers; empty for a missing one."""
    return {name: _version(name) for name in PACKAGES}


def put_environment(store: Store, run_id: str, where: Mapping[str, Any]) -> None:
    """Write the environments of the run's units, one file for each different one."""
    name = f"environment-{digest(where, 8)}.json"
    if name not in store.names(f"runs/{run_id}"):
        store.put(f"runs/{run_id}/{name}", json.dumps(where, indent=1, sort_keys=True, default=str).encode())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _revision() -> str:
    """Return the Git revision of this checkout, `-dirty` if it has changes; empty for an installed wheel."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
