"""`run.json`: everything from which a run can be repeated and understood."""

import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from bench.engine.plan import Plan
from bench.engine.session import Session
from bench.record import digest
from bench.store import Store

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


def run_manifest(plan: Plan, session: Session) -> dict[str, Any]:
    """What was asked, what it came to, and every cell by suite, model and condition."""
    asked = {"models": [s.model.name for s in plan.subjects], "suites": [s.name for s in plan.suites]}
    names = _unlike_names(plan)
    return {
        "format": 1,
        "given": {**asked, **plan.options.to_json()},
        "protocol": plan.options.protocol,
        "seed": session.seed,
        "limit": session.limit,
        "precision": "float32",
        "suites": {suite.name: suite.version for suite in plan.suites},
        "models": {
            names[i]: {
                "name": s.model.name,
                "fingerprint": s.fingerprint,
                "method": s.model.card.method,
                "architecture": s.model.card.architecture,
                "parameters": sum(p.numel() for p in s.model.parameters()),
                "input": s.spec.record(),
            }
            for i, s in enumerate(plan.subjects)
        },
        "entries": [
            {
                "suite": e.suite,
                "model": names[e.subject],
                "condition": e.condition.name,
                "cell": e.cell.id,
                "images": e.images,
                "unit_images": e.condition.unit_images,
            }
            for e in plan.entries
        ],
    }


def _unlike_names(plan: Plan) -> list[str]:
    """A name for each subject: its own, with its fingerprint behind it where another is called so too."""
    names = [subject.model.name for subject in plan.subjects]
    return [
        f"{name} [{subject.fingerprint[:12]}]" if names.count(name) > 1 else name
        for name, subject in zip(names, plan.subjects, strict=True)
    ]


def environment(session: Session) -> dict[str, Any]:
    """Where the numbers were made: code revision, packages, device, threads."""
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
    """Installed versions of the packages that make numbers; empty where one is absent."""
    return {name: _version(name) for name in PACKAGES}


def put_manifest(store: Store, manifest: dict[str, Any], where: dict[str, Any]) -> str:
    """Write `run.json` under the run's id, which is the same for the same plan, unless it is there; returns the id."""
    planned = {key: value for key, value in manifest.items() if key != "given"}
    run_id = digest(planned)
    if "run.json" not in store.names(f"runs/{run_id}"):
        store.put(f"runs/{run_id}/run.json", _json({**manifest, "environment": where}))
    return run_id


def put_environment(store: Store, run_id: str, where: dict[str, Any]) -> None:
    """Write where units of the run were done, one file for each unlike place."""
    name = f"environment-{digest(where, 8)}.json"
    if name not in store.names(f"runs/{run_id}"):
        store.put(f"runs/{run_id}/{name}", _json(where))


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, default=str).encode()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _revision() -> str:
    """Git revision of this checkout, `-dirty` if it has changes; empty for an installed wheel."""
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
