"""Cards of trained models: traits follow from the recipe, and what is written is read."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.training.recipes import RECIPES, find_recipe
from model_zoo.card import read_card
from model_zoo.registry import cards
from model_zoo.traits import Traits
from tools.publish import Trained, card_text, recipe_of, traits_of

TINY = {name: card for name, card in cards().items() if card.room == "tiny"}


@pytest.mark.parametrize("name", TINY)
def test_a_committed_card_s_traits_and_network_are_those_of_its_recipe(name: str, tmp_path: Path) -> None:
    card = TINY[name]
    recipe, seed = find_recipe(card.training["recipe"]), card.training["seed"]
    read = read_card(written(recipe.name, seed, tmp_path))
    assert read.traits == card.traits
    assert (read.name, read.build, read.branches, read.method) == (name, card.build, card.branches, card.method)
    assert read.training["about"] == card.training["about"]
    assert seed in recipe.seeds


def written(recipe: str, seed: int, folder: Path, **changes: object) -> Path:
    """The card of a model of two epochs."""
    found = replace(find_recipe(recipe), **changes)
    lines = [
        {"epoch": i, "loss": 2.0 / i, "seconds": 1.0, "right": dict.fromkeys(found.domains, i / 4)} for i in (1, 2)
    ]
    log = {
        "model": found.model_name(seed),
        "seed": seed,
        "data": "embedded",
        "recipe": asdict(found),
        "epochs": lines,
        "torch": "2",
        "threads": 1,
    }
    weights = folder / f"{found.model_name(seed)}.safetensors"
    weights.write_bytes(b"weights")
    path = folder / f"{found.model_name(seed)}.toml"
    path.write_text(card_text(Trained(weights, json.loads(json.dumps(log)))), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_its_log(name: str) -> None:
    assert recipe_of(json.loads(json.dumps(asdict(RECIPES[name])))) == RECIPES[name]


def test_a_card_says_share_objective_attacker_and_training_accuracy(tmp_path: Path) -> None:
    assert read_card(written("mix_40", 0, tmp_path)).traits.share == 40
    assert read_card(written("mix", 0, tmp_path)).traits.share == 100
    assert read_card(written("mbn_alp", 0, tmp_path)).traits.objective == "alp"
    noise = read_card(written("advprop_noise", 1, tmp_path))
    assert (noise.traits.attacker.method, noise.traits.attacker.eps, noise.traits.seed) == ("noise", "4/255", 1)
    assert read_card(written("std_augmented", 0, tmp_path)).traits.augmentation not in ("", "none")
    assert noise.training["accuracy"] == {"clean": [25.0, 50.0], "adversarial": [25.0, 50.0]}
    assert Traits(**traits_of(find_recipe("std"), 0)).only == "clean"
