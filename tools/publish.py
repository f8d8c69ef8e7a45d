"""Add trained models to the zoo: `python -m tools.publish --trained DIR [--results DIR]`.

Copies each finished model's weights next to the cards and writes its card: recipe, seed, data and log of the training,
and the numbers of the embedded suites from a results folder.
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd

from bench.folder.tables import results
from bench.published.papers import TITLES
from bench.training.recipes import Attacker, Recipe
from model_zoo.card import ModelCard, read_card
from model_zoo.registry import ROOT
from model_zoo.tiny.build import TinySpec, network

ROOM = ROOT / "tiny"

HEADLINES = {
    "tiny-pgd": ("clean_accuracy", "robust_accuracy"),
    "tiny-c": ("mean_error",),
    "tiny-a": ("accuracy",),
    "tiny-stylized": ("accuracy",),
    "tiny-cue-conflict": ("shape_bias",),
}
"""Suite -> the metrics that a card reports."""

DATASETS = {"tiny-pgd": "tiny"}
"""Data sets of suites with another name."""

ATTACK = {
    "attack": "pgd",
    "norm": "linf",
    "eps": "8/255",
    "steps": 20,
    "step_size": "1/255",
    "restarts": 1,
    "targeted": False,
}
"""Attack of `tiny-pgd`."""


@dataclass(frozen=True)
class Trained:
    """A finished model in a training folder: its weights, and its log as written by `bench.training.loop`."""

    weights: Path
    log: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.log["model"])


def finished(folder: Path) -> Iterator[Trained]:
    """Yield every finished model in `folder`, by name."""
    for weights in sorted(folder.glob("*.safetensors")):
        yield Trained(weights, json.loads(weights.with_suffix(".json").read_text()))


def publish(trained: Trained, numbers: pd.DataFrame | None = None) -> ModelCard:
    """Copy the weights, write the card, and read it back; returns the card."""
    for folder in ("weights", "cards"):
        (ROOM / folder).mkdir(exist_ok=True)
    target = ROOM / "weights" / trained.weights.name
    if target.resolve() != trained.weights.resolve():
        shutil.copyfile(trained.weights, target)
    card = ROOM / "cards" / f"{trained.name}.toml"
    card.write_text(card_text(trained, numbers), encoding="utf-8")
    return read_card(card)


def card_text(trained: Trained, numbers: pd.DataFrame | None = None) -> str:
    """Return the card as TOML; `numbers` is a frame of `bench.results`."""
    log, recipe = trained.log, trained.log["recipe"]
    net, content = recipe["net"], trained.weights.read_bytes()
    blocks, norm = "-".join(map(str, net["blocks"])), "no" if net["norm"] == "none" else net["norm"]
    tables: list[tuple[str, dict[str, Any]]] = [
        (
            "",
            {
                "name": trained.name,
                "method": recipe["method"],
                "room": "tiny",
                "paper": ", arXiv ".join(TITLES.get(recipe["method"], ())),
                "architecture": f"resnet {blocks}, {net['activation']}, {norm} norm",
                "parameters": sum(p.numel() for p in network(recipe_of(recipe).net).parameters()),
                "dataset": "tiny",
                "labels": "tiny10",
                "classes": net["classes"],
                "branches": net["branches"],
            },
        ),
        ("[build]", {key: net[key] for key in ("blocks", "widths", "activation", "norm")}),
        ("[input]", {"size": 32, "geometry": "none", "mean": [0.0] * 3, "std": [1.0] * 3}),
        ("[weights]", {"format": "safetensors", "availability": "embedded", "licence": "Apache-2.0"}),
        (
            "[[weights.files]]",
            {"name": trained.weights.name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)},
        ),
        (
            "[training]",
            {
                "recipe": recipe["name"],
                "about": recipe["about"],
                "seed": log["seed"],
                "data": log["data"],
                "epochs": recipe["epochs"],
                "loss": [round(e["loss"], 4) for e in log["epochs"]],
                **_training_accuracy(log["epochs"]),
                "torch": log["torch"],
                "threads": log["threads"],
            },
        ),
        ("[traits]", traits_of(recipe_of(log["recipe"]), log["seed"])),
        *(("[[reported]]", row) for row in _reported(trained.name, numbers)),
    ]
    return "\n".join(f"{head}\n{_lines(table)}" if head else _lines(table) for head, table in tables)


def recipe_of(log: Mapping[str, Any]) -> Recipe:
    """Return the recipe in a log (JSON)."""
    parts = {"net": TinySpec(**_tuples(log["net"])), "attacker": Attacker(**log["attacker"])}
    return Recipe(**{**_tuples(log), **parts})


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}


def traits_of(recipe: Recipe, seed: int) -> dict[str, Any]:
    """Return the card's `[traits]` for a recipe, without empty values."""
    attacked, net = "adversarial" in recipe.domains, recipe.net
    found = {
        "family": "tiny",
        "depth": 2 + 2 * sum(net.blocks),
        "width": 1.0,
        "activation": "relu" if net.activation == "relu_smooth_gradient" else net.activation,
        "normalisation": net.norm,
        "images": recipe.domains,
        "clean_share": recipe.clean_share if recipe.clean_share < 100 else None,
        "attacker": _attacker(recipe.attacker) if attacked else None,
        "smooth_gradient": recipe.smooth,
        "objective": recipe.objective,
        "consistent": recipe.freeze > 0,
        "augmentation": "light, contrast, noise and mirror" if recipe.augment else "none",
        "parent": replace(recipe, name=recipe.start_from).model_name(seed) if recipe.start_from else "",
        "epochs": recipe.epochs,
    }
    return {**{key: value for key, value in found.items() if value}, "seed": seed}


def _attacker(attacker: Attacker) -> dict[str, Any]:
    """Return the attacker's traits; a ramp is stated if unusual, so that the network is not taken for a usual one."""
    told: dict[str, Any] = {"eps": str(Fraction(attacker.eps).limit_denominator(255 * 16))}
    if attacker.method != "pgd":
        told["method"] = attacker.method
    if attacker.ramp != Attacker().ramp:
        told["ramp"] = attacker.ramp
    return told if attacker.method == "noise" else {**told, "steps": attacker.steps}


def _training_accuracy(epochs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return training accuracy by epoch for each kind of images, in percent."""
    if not epochs or not epochs[0].get("right"):
        return {}
    return {"accuracy": {kind: [round(100 * e["right"][kind], 1) for e in epochs] for kind in epochs[0]["right"]}}


def _reported(name: str, numbers: pd.DataFrame | None) -> Iterator[dict[str, Any]]:
    """Yield the headline numbers of the model and of each of its branches, in percent."""
    if numbers is None:
        return
    mine = numbers[(numbers["model"].str.partition("@")[0] == name) & (numbers["condition"] == "all")]
    for row in mine.to_dict("records"):
        if row["metric"] in HEADLINES.get(row["suite"], ()):
            _, _, branch = row["model"].partition("@")
            yield {
                "metric": row["metric"],
                "value": round(100 * row["value"], 2),
                "dataset": DATASETS.get(row["suite"], row["suite"]),
                **(ATTACK if row["metric"] == "robust_accuracy" else {}),
                **({"branch": branch} if branch else {}),
                "suite": row["suite"],
                "protocol": row["protocol"],
                "low": round(100 * row["low"], 1),
                "high": round(100 * row["high"], 1),
                "n": row["n"],
                "source": "docs/tiny.md",
            }


def _lines(table: Mapping[str, Any]) -> str:
    """Return lines `key = value`."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    """Return a value as TOML: strings, numbers and arrays are written like JSON's, tables inline."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def main() -> None:
    """Publish every finished model in a folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.publish", description=__doc__)
    parser.add_argument("--trained", type=Path, required=True, help="folder of `bench train` or `bench.training.zoo`")
    parser.add_argument("--results", type=Path, help="results folder with the numbers to report")
    options = parser.parse_args()
    numbers = results(options.results) if options.results else None
    for trained in finished(options.trained):
        print(publish(trained, numbers).name)


if __name__ == "__main__":
    main()
