"""`bench card new CHECKPOINT`: write and check a card for your own checkpoint."""

import argparse
import re
from pathlib import Path
from typing import Any

from bench.errors import UsageError


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench card`."""
    parser = subparsers.add_parser("card", help="write a card for your own checkpoint")
    actions = parser.add_subparsers(dest="action", required=True, metavar="new")
    text = "write a card (architecture from names and shapes, hash, the library's input), then load and check it"
    new = actions.add_parser("new", help=text, description=text)
    new.add_argument("checkpoint", metavar="CHECKPOINT", help="a file or folder, as for --weights")
    new.add_argument("--cards", metavar="DIR", default="cards", help="folder of cards (default cards)")
    new.add_argument("--name", metavar="NAME", help="name of the model (default: the file's name)")
    new.add_argument(
        "--architecture",
        metavar="timm:NAME|torchvision:NAME",
        default="",
        help="use this architecture instead of guessing it",
    )
    new.set_defaults(func=_new)


def _new(arguments: argparse.Namespace) -> int:
    from bench.engine.contract import check_model
    from bench.layout import say
    from model_zoo.card import read_card
    from model_zoo.guess import new_card
    from model_zoo.identity.model import probe_images
    from model_zoo.load import load_model
    from model_zoo.registry import cards, use_cards

    file, folder = Path(arguments.checkpoint), Path(arguments.cards)
    name = arguments.name or re.sub(r"[^\w.-]+", "-", file.name.partition(":")[0].partition(".")[0]).strip("-.")
    target = folder / f"{name}.toml"
    if target.exists() or name in cards():
        raise UsageError(f"a model {name!r} already exists; choose another name: --name NAME")
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
    say(f"{target}: {card.architecture}, {seen.classes} classes, input {card.input.geometry} {card.input.size}")
    say(f"  checked: it loads, and outputs for {seen.pictures} images do not depend on the batch; review its [input]")
    say(f"  next: bench run --cards {folder} --model {name} --suite {'imagenet' if seen.classes == 1000 else 'folder'}")
    return 0
