"""EasyRobust's and ARES's checkpoints: their owners' networks, from files as their owners' code saves them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model_zoo.build import build, build_outline
from model_zoo.errors import WeightsError
from model_zoo.fill import fill_from
from model_zoo.formats.checkpoint import read_checkpoint
from model_zoo.model import Model
from model_zoo.nets.with_timm import import_timm
from model_zoo.registry import cards, find_card
from tools.model_parity import save_drawn, without_initial_weights

EASYROBUST = [name for name in cards() if name.startswith("easyrobust_")]
ARES = [name for name in cards() if name.startswith("ares_")]


def drawn(architecture: str, path: Path) -> tuple[nn.Module, dict[str, Tensor]]:
    """A network of timm's with drawn weights, and its state."""
    with without_initial_weights():
        net = import_timm().create_model(architecture).eval()
        save_drawn(net, path)
    state = torch.load(path, weights_only=True)
    net.load_state_dict(state)
    return net, state


def loaded(name: str, architecture: str, path: Path) -> Model:
    """The file at `path` by the card `name`, of a smaller network of the same family."""
    card = replace(find_card(name), build={"timm": architecture})
    net = build(card)
    fill_from(net, card, read_checkpoint(path))
    return Model(net, card)


def test_they_are_all_here_and_say_what_was_not_seen() -> None:
    assert (len(EASYROBUST), len(ARES)) == (24, 12)
    for card in map(find_card, [*EASYROBUST, *ARES]):
        assert "no hash is published; the file was not at hand" in card.weights.note
        assert card.reported
        assert all("README.md" in number.source for number in card.reported)


@pytest.mark.parametrize("name", ["ares_resnet152", "ares_wide_resnet50_2"])
def test_two_of_ares_have_gelu_for_relu(name: str) -> None:
    """ares/model/imagenet_model_zoo.py: `act_gelu`."""
    kinds = {type(module).__name__ for module in build_outline(find_card(name)).modules()}
    assert any("GELU" in kind for kind in kinds)
    assert "ReLU" not in kinds


def test_a_swin_of_an_older_timm_gives_its_logits(tmp_path: Path) -> None:
    """timm before 0.9: the head without `fc`, a stage's downsampling at its end, masks and indices saved beside."""
    net, state = drawn("swin_tiny_patch4_window7_224", tmp_path / "w.pth")

    def older(name: str) -> str:
        name = re.sub(r"^layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", name)
        return name.replace("head.fc.", "head.")

    saved = {older(name): tensor for name, tensor in state.items()}
    saved |= {"layers.0.blocks.1.attn_mask": torch.zeros(64, 49, 49)}
    saved |= {"layers.0.blocks.0.attn.relative_position_index": torch.zeros(49, 49, dtype=torch.int64)}
    torch.save(saved, tmp_path / "old.pth")
    images = torch.rand(1, 3, 224, 224)
    model = loaded("easyrobust_swin_small_v1", "swin_tiny_patch4_window7_224", tmp_path / "old.pth")
    with torch.no_grad():
        assert torch.equal(model(images), net((images - model.mean) / model.std))


def test_easyrobusts_own_training_saves_its_normalisation_too(tmp_path: Path) -> None:
    """examples/.../main.py: nn.Sequential(normalize, model); another normalisation is refused, as DAT's may be."""
    net, state = drawn("resnet18", tmp_path / "w.pth")

    def saved(mean: list[float]) -> Path:
        constants = {"0.mean": torch.tensor(mean), "0.std": torch.tensor([0.229, 0.224, 0.225])}
        whole = {"state_dict": constants | {f"1.{name}": tensor for name, tensor in state.items()}, "epoch": 89}
        torch.save(whole, tmp_path / "model_best.pth.tar")
        return tmp_path / "model_best.pth.tar"

    model = loaded("easyrobust_resnet50_at", "resnet18", saved([0.485, 0.456, 0.406]))
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(images), net((images - model.mean) / model.std))
    with pytest.raises(WeightsError, match="normalises its input by another mean"):
        loaded("easyrobust_resnet50_at", "resnet18", saved([0.0, 0.0, 0.0]))


def test_a_head_of_other_classes_is_never_left_as_it_was_drawn(tmp_path: Path) -> None:
    """timm's own loader would leave it out without a word."""
    _, state = drawn("resnet18", tmp_path / "w.pth")
    state["fc.weight"], state["fc.bias"] = torch.zeros(10, 512), torch.zeros(10)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="a classifier of 10 classes, where the network has 1000"):
        loaded("easyrobust_resnet50_at", "resnet18", tmp_path / "w.pth")
