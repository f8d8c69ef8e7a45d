"""`bench card new CHECKPOINT`: write a card for a checkpoint of one's own, and check it."""

import argparse
import re
from pathlib import Path
from typing import Any

from bench.errors import UsageError


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench card`."""
    parser = subparsers.add_parser("card", help="write a card for a checkpoint of your own")
    actions = parser.add_subparsers(dest="action", required=True, metavar="new")
    text = "write a card: architecture by names and shapes, hash, input as its owner has it; then load and check it"
    new = actions.add_parser("new", help=text, description=text)
    new.add_argument("checkpoint", metavar="CHECKPOINT", help="a file or folder as --weights takes it")
    new.add_argument("--cards", metavar="DIR", default="cards", help="the folder of cards (default cards)")
    new.add_argument("--name", metavar="NAME", help="what the model is to be called (default: the file's name)")
    new.add_argument("--architecture", metavar="timm:NAME|torchvision:NAME", default="", help="instead of a guess")
    new.set_defaults(func=_new)


def _new(arguments: argparse.Namespace) -> int:
    from bench.engine.contract import check_model
    from model_zoo.card import read_card
    from model_zoo.guess import new_card
    from model_zoo.identity.model import probe_images
    from model_zoo.load import load_model
    from model_zoo.registry import cards, use_cards

    file, folder = Path(arguments.checkpoint), Path(arguments.cards)
    name = arguments.name or re.sub(r"[^\w.-]+", "-", file.name.partition(":")[0].partition(".")[0]).strip("-.")
    target = folder / f"{name}.toml"
    if target.exists() or name in cards():
        raise UsageError(f"there is a model {name!r} already; choose another name: --name NAME")
    folder.mkdir(parents=True, exist_ok=True)
    text = new_card(file, name, folder, arguments.architecture)
    target.write_text(text, encoding="utf-8")
    try:
        card = read_card(target, own=True)
        use_cards(folder)
        model = load_model(name)
        images = probe_images(card.input.size)
        seen = check_model(model, images, card.classes)
    except Exception:
        target.unlink()
        raise
    print(f"{target}: {card.architecture}, {seen.classes} classes, input {card.input.geometry} {card.input.size}")
    print(f"  checked: loads, and answers {seen.pictures} images each for itself; look at its [input]")
    print(
        f"  next: bench run --cards {folder} --model {name} --suite {'imagenet' if seen.classes == 1000 else 'folder'}"
    )
    return 0
