"""`bench list` and `bench show`: what there is."""

import argparse
import json
from collections.abc import Callable
from typing import Any

from bench.formats import add_table_arguments
from bench.options.command import add_cards_argument

Row = dict[str, Any]


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the two commands."""
    parser = subparsers.add_parser("list", help="list models, suites, attacks, datasets or figures")
    parser.add_argument("kind", choices=tuple(_KINDS))
    parser.add_argument("--json", action="store_true", help="as JSON (--format json)")
    add_table_arguments(parser)
    add_cards_argument(parser)
    parser.set_defaults(func=_list)
    parser = subparsers.add_parser("show", help="show one model's card")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_cards_argument(parser)
    parser.set_defaults(func=_show)


def _models() -> list[Row]:
    from model_zoo.registry import cards

    return [
        {
            "name": c.name,
            "method": c.method,
            "architecture": c.architecture,
            "size": c.input.size,
            "data set": c.dataset,
            "weights": c.weights.availability,
        }
        for c in cards().values()
    ]


def _suites() -> list[Row]:
    from bench.suites.registry import SUITES

    return [{"name": s.name, "title": s.title, "headline": s.headline} for s in SUITES.values()]


def _attacks() -> list[Row]:
    from bench.attacks import ATTACKS

    return [{"name": name, "what": listed.about} for name, listed in ATTACKS.items()]


def _datasets() -> list[Row]:
    from bench.datasets.table import SETS

    return [
        {"name": s.name, "title": s.title, "images": s.count or "any", "labels": s.labels, "licence": s.licence}
        for s in SETS.values()
    ]


def _figures() -> list[Row]:
    from bench.figures import FIGURES

    return [{"name": f.name, "title": f.title, "follows": f.follows, "needs": ", ".join(f.needs)} for f in FIGURES]


def _corruptions() -> list[Row]:
    from bench.corruptions import EXTRA, NAMES

    return [{"name": n, "part of": "the 15 of mCE" if n in NAMES else "the 4 held out"} for n in (*NAMES, *EXTRA)]


def _recipes() -> list[Row]:
    from bench.training.recipes import RECIPES

    return [{"name": recipe.name, "what": recipe.about} for recipe in RECIPES.values()]


_KINDS: dict[str, Callable[[], list[Row]]] = {
    "models": _models,
    "suites": _suites,
    "attacks": _attacks,
    "datasets": _datasets,
    "figures": _figures,
    "corruptions": _corruptions,
    "recipes": _recipes,
}


def _list(arguments: argparse.Namespace) -> int:
    from bench.layout import TextColumn
    from bench.terminal import HowShown, show

    rows = _KINDS[arguments.kind]()
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    right = {key for key in rows[0] if all(isinstance(row[key], int) for row in rows)}
    columns = [TextColumn(key, key in right, max(0, i - 1)) for i, key in enumerate(rows[0])]
    show(columns, rows, HowShown.of(arguments))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    import dataclasses

    from model_zoo.card import ModelCard
    from model_zoo.registry import find_card

    card: ModelCard = find_card(arguments.model)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(card), indent=1, default=dict))
        return 0
    spec, weights = card.input, card.weights
    facts = {
        "name": card.name,
        "method": card.method,
        "architecture": card.architecture,
        "paper": card.paper,
        "data set": f"{card.dataset} ({card.classes} classes, labels {card.labels})",
        "extra data": card.extra_data,
        "input": f"{spec.size} px, {spec.geometry}, {spec.interpolation}, {spec.channels}",
        "normalised": f"mean {spec.mean}, std {spec.std}",
        "branches": ", ".join(f"{card.name}@{branch}" for branch in card.branches),
        "build": ", ".join(f"{k} = {v}" for k, v in card.build.items()),
        "training": ", ".join(f"{k} = {v}" for k, v in card.training.items()),
        "traits": card.traits.written(),
        "weights": f"{weights.availability}, {weights.format}, licence {weights.licence}",
        "note": weights.note,
    }
    for key, value in facts.items():
        if value:
            _say(key, value)
    for file in weights.files:
        _say("file", f"{file.name}  sha256 {file.sha256 or 'not known yet'}  {file.url}")
    for number in card.reported:
        _say("reported", f"{number.metric} {number.value:g} {number.unit} by {number.by}: {number.under()}")
        _say("", f"source: {number.source}")
    return 0


def _say(key: str, value: str) -> None:
    """A line of a card; at a terminal its later lines stand below its value."""
    from bench.layout import paragraph

    print(paragraph(f"{key:<13} {value}", 14))
