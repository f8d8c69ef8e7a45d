"""Cards: what a TOML file may say, and that every card of the zoo describes a network that can be built."""

import contextlib
import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo import card as card_module
from model_zoo import registry
from model_zoo.build import build_outline
from model_zoo.card import ModelCard, parse_card, read_card
from model_zoo.errors import CardError, UnknownModelError
from model_zoo.nets.normalisation import branch_names
from tools import catalogue

CARDS = registry.cards()
RELEASED = {name: card for name, card in CARDS.items() if card.room != "tiny"}
NETWORKS = {f"{card.room}-{card.architecture}-{dict(card.build)}": name for name, card in RELEASED.items()}


def minimal() -> dict[str, Any]:
    return {
        "name": "a",
        "method": "sat",
        "architecture": "resnet50",
        "input": {"size": 224, "resize": 256},
        "weights": {"format": "torch", "availability": "public", "licence": "MIT"},
    }


def test_at_least_sixty_checkpoints_of_all_methods() -> None:
    assert len(RELEASED) >= 60
    assert {card.method for card in RELEASED.values()} == set(card_module.METHODS)


@pytest.mark.parametrize("name", NETWORKS.values())
def test_the_network_of_every_card_can_be_built(name: str) -> None:
    net = build_outline(RELEASED[name])
    assert branch_names(net) == RELEASED[name].branches
    assert sum(p.numel() for p in net.parameters()) == RELEASED[name].parameters


@pytest.mark.parametrize(
    ("name", "millions"),  # of parameters: tables of torchvision, EfficientNet and timm; L1: the original graph
    [
        ("resnet50", 25.557032),
        ("resnet101", 44.549160),
        ("resnet152", 60.192808),
        ("alexnet", 61.100840),
        ("sat_resnet50", 25.557032),
        ("sat_resnet50_smoothrelu", 25.557032 + 49e-6),
        ("sat_resnext50_32x4d", 25.028904),
        ("intriguing_resnet152", 60.192808),
        ("nofrost_resnet50", 25.557032),
        ("advprop_efficientnet_b0", 5.288548),
        ("advprop_efficientnet_b8", 87.413142),
        ("sat_efficientnet_b7", 66.347960),
        ("sat_efficientnet_l1", 272.630564),
    ],
)
def test_parameters_are_as_many_as_published(name: str, millions: float) -> None:
    assert RELEASED[name].parameters == round(millions * 1e6)


@pytest.mark.parametrize("name", RELEASED)
def test_every_card_says_where_its_weights_are(name: str) -> None:
    weights = RELEASED[name].weights
    assert weights.licence
    if weights.availability == "public":
        assert weights.files
        assert all(file.url.startswith("https://") or "https://" in weights.note for file in weights.files)
    if weights.availability == "not released":
        assert not weights.files
        assert weights.note
    assert all(re.fullmatch("[0-9a-f]{8}|[0-9a-f]{64}|", file.sha256) for file in weights.files)


def test_non_commercial_licences_are_on_the_card() -> None:
    denoising = [c for c in RELEASED.values() if any("ImageNet-Adversarial-Training" in f.url for f in c.weights.files)]
    assert len(denoising) == 3
    assert all(card.weights.licence.startswith("CC-BY-NC-4.0") for card in denoising)


def test_nobody_s_recollection_is_on_a_card() -> None:
    for card in CARDS.values():
        for number in card.reported:
            assert not re.search("recollection|derived", number.note + number.source, re.IGNORECASE)


def test_the_example_of_the_docstring_is_a_card() -> None:
    text = card_module.__doc__ or ""
    example = "\n".join(line for line in text.split("::\n", 1)[1].splitlines() if line.startswith("    ") or not line)
    (number,) = parse_card(tomllib.loads(example)).reported
    assert (number.attack, number.eps, number.steps, number.step_size, number.targeted) == (
        "pgd",
        "4/255",
        200,
        "1/255",
        False,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "robust acc"}, "reported.0..metric must be one of accuracy"),
        ({"eps": "4"}, None),
        ({"eps": "0.5/255"}, None),
        ({"eps": "4/0"}, 'eps must be a positive fraction such as "4/255"'),
        ({"eps": "a few"}, "positive fraction"),
        ({"eps": ""}, "says attack, norm and eps"),
        ({"attack": ""}, "says attack, norm and eps"),
        ({"metric": "accuracy", "attack": ""}, "are an attack's"),
        ({"targeted": "no"}, "targeted must be a bool"),
        ({"steps": -1}, "are counts"),
        ({"value": float("nan")}, "finite"),
        ({"branch": "adv"}, "reported.branch must be one of"),
        ({"suite": "pgd"}, "come together"),
        ({"protocol": "PGD-10"}, "come together"),
        ({"stepsize": "1/255"}, "unknown key card.reported.0..stepsize .did you mean step_size"),
    ],
)
def test_a_reported_number_is_refused_by_its_field(change: dict[str, Any], message: str | None) -> None:
    number = {"metric": "robust_accuracy", "value": 42.3, "source": "README", "attack": "pgd", "norm": "linf"}
    data = minimal() | {"reported": [number | {"eps": "4/255", "steps": 10} | change]}
    if message is None:
        assert parse_card(data).reported[0].eps == change["eps"]
        return
    with pytest.raises(CardError, match=message):
        parse_card(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nane": "b"}, "unknown key card.nane .did you mean name"),
        ({"input": {"size": 224, "resize": 256, "crop": 1}}, "unknown key card.input.crop"),
        ({"name": None}, "missing field card.name"),
        ({"method": "vat"}, "card.method must be one of intriguing, sat"),
        ({"name": "a b"}, "without spaces"),
        ({"classes": "many"}, "card.classes must be a int"),
        ({"classes": True}, "card.classes must be a int"),
        ({"branches": "adv"}, "card.branches must be an array"),
        ({"input": {"size": 4, "resize": 256}}, "8..4096"),
        ({"input": {"size": 224, "resize": 100}}, "at least half of that"),
        ({"input": {"size": 224, "resize": 256, "std": [1.0, 0.0, 1.0]}}, "positive"),
        ({"input": {"size": 224, "resize": 256, "mean": [1.0, 0.0]}}, "3 values"),
        ({"weights": {"format": "torch", "availability": "soon", "licence": "-"}}, "availability must be one of"),
    ],
)
def test_a_wrong_card_is_refused_by_the_place(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    data = {key: value for key, value in (minimal() | change).items() if value is not None}
    with pytest.raises(CardError, match=message):
        parse_card(data)


@pytest.mark.parametrize("text", ["name = ", "\x00", "name = 1\nname = 2", "[input]\nsize = 224", "=", "\udcff"])
def test_a_damaged_file_is_refused_by_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "card.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CardError, match=r"card\.toml"):
        read_card(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*sorted(minimal()), "branches", "build", "reported", "surprise"]), values)
def test_any_value_anywhere_is_read_or_refused(key: str, value: Any) -> None:
    with contextlib.suppress(CardError):
        assert isinstance(parse_card(minimal() | {key: value}), ModelCard)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "card.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(CardError):
        read_card(path)


def test_a_second_card_of_one_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = registry.ROOT / "sat/cards/sat_resnet50.toml"
    for room in ("sat", "advprop"):
        folder = tmp_path / room / "cards"
        folder.mkdir(parents=True)
        (folder / "sat_resnet50.toml").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    with pytest.raises(CardError, match="second card is named 'sat_resnet50'"):
        registry.cards()


def test_a_card_has_the_name_of_its_file(tmp_path: Path) -> None:
    assert all(card.name == name for name, card in registry.cards().items())
    (tmp_path / "other.toml").write_bytes((registry.ROOT / "sat/cards/sat_resnet50.toml").read_bytes())
    with pytest.raises(CardError, match=r"other\.toml: named 'sat_resnet50'"):
        registry.Cards([tmp_path / "other.toml"], [])["other"]


def test_only_the_cards_that_are_asked_for_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(registry, "read_card", lambda path: read.append(path.stem) or read_card(path))
    known = registry.Cards(sorted(registry.ROOT.glob("*/cards/*.toml")), [])
    assert known["tiny_at"] is known["tiny_at"]
    assert "sat_resnet50" in known
    assert read == ["tiny_at"]


def test_an_unknown_model_has_the_nearest_names_suggested() -> None:
    with pytest.raises(UnknownModelError, match=r"did you mean sat_resnet50.*bench list models"):
        registry.find_card("sat_resnet5")


def test_rooms_are_furnished_alike() -> None:
    for room in {card.room for card in RELEASED.values()}:
        module = importlib.import_module(f"model_zoo.{room}.build")
        assert callable(module.build)
        assert callable(module.convert)
        assert (registry.ROOT / room / "README.md").is_file()


def test_the_page_of_models_is_the_cards() -> None:
    page = Path(__file__).parents[2] / "docs/models.md"
    again = "the cards changed; next: python -m tools.catalogue > docs/models.md"
    assert page.read_text(encoding="utf-8") == catalogue.markdown(), again
