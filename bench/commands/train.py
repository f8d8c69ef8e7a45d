"""`bench train`: train a model from its recipe."""

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench train`."""
    parser = subparsers.add_parser("train", help="train a model; the same command again continues")
    add = parser.add_argument
    add("recipe", metavar="RECIPE", help="such as at, mbn, sat_silu, advprop or nofrost; `list` shows all")
    add("--data", type=Path, metavar="DIR", help="training images, one folder per class (default: the tiny images)")
    add("--size", type=int, default=32, metavar="PIXELS", help="crop the images of --data to this side length")
    add("--out", type=Path, default=Path("results/zoo"), metavar="DIR", help="folder of weights, log and checkpoint")
    add("--seed", type=int, default=0, metavar="S", help="seed of initial weights, order and noise")
    add("--device", metavar="cpu|cuda", help="default cuda where there is one")
    add("--epochs", type=int, metavar="N", help="epochs, instead of the recipe's number")
    parser.set_defaults(func=_train)


def _train(arguments: argparse.Namespace) -> int:
    from bench.training.recipes import RECIPES
    from bench.training.zoo import train_recipe

    if arguments.recipe == "list":
        for recipe in RECIPES.values():
            print(f"{recipe.name:20} {recipe.about}")
        return 0
    weights = train_recipe(
        arguments.recipe,
        seed=arguments.seed,
        out=arguments.out,
        epochs=arguments.epochs,
        data=arguments.data,
        size=arguments.size,
        device=arguments.device,
    )
    print(f"{weights} is trained; its log is beside it")
    return 0
