"""Fuzzed readers of cards, weights, oracles and model names."""

import io
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import mutate
import numpy as np
import torch
from mutate import damage
from reader import REPOSITORY
from torch import nn

from model_zoo import cache, oracles
from model_zoo.build import build
from model_zoo.card import read_card
from model_zoo.fill import fill
from model_zoo.formats import read_file
from model_zoo.registry import ROOT, find_card

sys.path.insert(0, str(REPOSITORY / "tests" / "model_zoo"))
import tensorflow_writer


def card_samples() -> list[bytes]:
    names = ("sat/cards/sat_resnet50", "tiny/cards/tiny_mbn", "advprop/cards/advprop_efficientnet_b0")
    return [(ROOT / f"{name}.toml").read_bytes() for name in names]


def card(place: Path, content: bytes) -> None:
    """Read a card, and build its network without storage if it names a room of ours."""
    (place / "card.toml").write_bytes(content)
    found = read_card(place / "card.toml")
    cache.weights_dir(found.name).relative_to(cache.cache_dir() / "weights")
    for file in found.weights.files:
        inside = (place / "cache" / file.name).resolve()
        if not inside.is_relative_to(place.resolve()) or not file.url.startswith(("https://", "")):
            raise RuntimeError(f"the card leads out of its folder: {file.name!r}")


ARRAYS = {
    "conv.weight": np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32),
    "conv.bias": np.zeros(4, np.float32),
    "fc.weight": np.ones((2, 4), np.float32),
}
TENSORS = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}


class Net(nn.Module):
    """Network of the sample weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2, bias=False)


def torch_samples(*, legacy: bool) -> list[bytes]:
    found = []
    for content in (TENSORS, {"state_dict": TENSORS, "epoch": 3}, {"model": Net().state_dict(), "x": [None, 1.5]}):
        buffer = io.BytesIO()
        torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
        found.append(buffer.getvalue())
    return found


def npz_samples() -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **ARRAYS)
        found.append(buffer.getvalue())
    return found


def weights(place: Path, content: bytes) -> None:
    """Read weights and load them into a network."""
    (place / "weights").write_bytes(content)
    fill(Net(), read_file(place / "weights"), "net")


def index_samples() -> list[bytes]:
    scratch = Path("sample")
    tensorflow_writer.write_checkpoint(scratch, ARRAYS)
    return [scratch.with_suffix(".index").read_bytes()]


def index_entries(rng: random.Random, _samples: Sequence[bytes]) -> bytes:
    """Return an index of damaged entries with correct checksums."""
    offset, entries = 0, {b"": b"\x08\x01"}
    for name, array in sorted(ARRAYS.items()):
        entries[name.encode()] = tensorflow_writer.entry(array, offset, array.tobytes())
        offset += array.nbytes
    key = rng.choice(list(entries))
    entries[key] = damage(rng, [entries[key] or b"\0"])
    if rng.random() < 0.2:
        entries[rng.randbytes(3)] = entries.pop(key)
    return tensorflow_writer.table(entries)


def index(place: Path, content: bytes) -> None:
    (place / "a.index").write_bytes(content)
    (place / "a.data-00000-of-00001").write_bytes(b"".join(a.tobytes() for _, a in sorted(ARRAYS.items())))
    fill(Net(), read_file(place / "a.index"), "net")


def meta_samples() -> list[bytes]:
    variables = {"conv0/W": [3, 3, 3, 4], "fc/b": [2]}
    return [
        json.dumps({"args": args, "variables": variables}).encode()
        for args in (
            {
                "repo": "sat",
                "depth": 50,
                "act": "silu",
                "arch": "resnet",
                "size": 224,
                "width_div": 8,
                "blocks": "1,1,1,1",
            },
            {"repo": "fb", "depth": 101, "arch": "ResNeXtDenoiseAll", "size": 224, "width_div": 8},
            {"model": "efficientnet-b0", "eps": 0.001, "size": 64, "width": 0.2},
            {"timm": "nf_resnet50"},
        )
    ]


def meta(place: Path, content: bytes) -> None:
    """Read an oracle's meta.json and build the network it describes."""
    (place / "meta.json").write_bytes(content)
    oracle = oracles.read_oracle(place)
    oracle.names()
    with torch.device("meta"):
        build(oracles.oracle_card(oracle))


def io_samples() -> list[bytes]:
    buffer = io.BytesIO()
    np.savez(buffer, images_uint8_bgr_nhwc=np.zeros((2, 4, 4, 3), np.uint8), logits=np.zeros((2, 5), np.float32))
    return [buffer.getvalue()]


def oracle_io(place: Path, content: bytes) -> None:
    (place / "io.npz").write_bytes(content)
    arrays = oracles.Oracle(place, {}, {}).io()
    oracles.images_of(arrays)


def sums(place: Path, content: bytes) -> None:
    (place / cache.SUMS).write_bytes(content)
    cache.recorded(place)


NAMES = (
    "tiny_mbn@adv",
    "timm:resnet50.a1_in1k",
    "torchvision:resnet50?weights=IMAGENET1K_V1",
    "robustbench:Salman2020Do_R50",
    "file:net.py:make?size=32&mean=0.5,0.5,0.5",
    "sat_resnet50",
)


def name_(rng: random.Random, _samples: Sequence[bytes]) -> bytes:
    """Return a model name with a hostile part."""
    name = rng.choice(NAMES)
    at = rng.randrange(len(name) + 1)
    text = name[:at] + rng.choice(mutate.TEXTS) + name[at + rng.randrange(3) :]
    return text.encode("utf-8", "surrogatepass")


def model_name(_place: Path, content: bytes) -> None:
    find_card(content.decode("utf-8", "surrogatepass"))
