"""Hugging Face's image classifiers from a folder: the logits, and the input, are their owner's."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from model_zoo.errors import CardError, UnknownModelError, WeightsError
from model_zoo.load import load_model
from model_zoo.registry import find_card
from model_zoo.standard.from_hf import _transformers_input


def timm_folder(folder: Path) -> Any:
    import timm

    torch.manual_seed(3)
    net = timm.create_model("test_resnet", num_classes=7).eval()
    cfg = {"input_size": [3, 96, 96], "crop_pct": 0.9, "crop_mode": "squash", "interpolation": "bilinear",
           "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "num_classes": 7}  # fmt: skip
    folder.mkdir()
    about = {"architecture": "test_resnet", "num_classes": 7, "pretrained_cfg": cfg}
    (folder / "config.json").write_text(json.dumps(about))
    save_file(net.state_dict(), folder / "model.safetensors")
    return net


def test_timms_format_gives_its_logits_and_input(tmp_path: Path) -> None:
    net = timm_folder(tmp_path / "ours")
    model = load_model(f"hf:{tmp_path / 'ours'}")
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(model(images), net((images - model.mean) / model.std))
    assert (model.input.geometry, model.input.size, model.input.resize) == ("squash", 96, 106)
    assert (model.card.classes, model.card.labels) == (7, "folder7")


def test_transformers_format_gives_its_logits(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], num_labels=5)
    net = transformers.AutoModelForImageClassification.from_config(config).eval()
    net.save_pretrained(tmp_path / "ours")
    size = {"size": {"shortest_edge": 64}, "do_center_crop": True, "crop_size": {"height": 56, "width": 56}}
    (tmp_path / "ours/preprocessor_config.json").write_text(json.dumps(size))
    model = load_model(f"hf:{tmp_path / 'ours'}")
    images = torch.rand(2, 3, 56, 56)
    with torch.no_grad():
        assert torch.equal(model(images), net((images - model.mean) / model.std).logits)
    assert model.card.classes == 5


CONVNEXT = {"image_processor_type": "ConvNextImageProcessor"}


@pytest.mark.parametrize(("about", "expected"), [
    ({"size": 224}, ("squash", 224, 224, "bilinear")),
    ({"size": {"height": 384, "width": 384}, "resample": 3}, ("squash", 384, 384, "bicubic")),
    ({"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224}, ("resize_crop", 224, 256, "bilinear")),
    (CONVNEXT | {"size": {"shortest_edge": 224}}, ("resize_crop", 224, 256, "bilinear")),
    (CONVNEXT | {"size": {"shortest_edge": 384}}, ("squash", 384, 384, "bilinear")),
])  # fmt: skip
def test_processors_become_inputs(about: dict[str, Any], expected: tuple[Any, ...]) -> None:
    spec = _transformers_input(about)
    assert (spec.geometry, spec.size, spec.resize, spec.interpolation) == expected
    assert spec.mean == (0.5, 0.5, 0.5)
    assert _transformers_input(about | {"do_normalize": False}).std == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("about", [
    {"do_rescale": False}, {"rescale_factor": 1 / 127.5}, {"do_resize": False}, {"size": {"shortest_edge": 224}},
    {"size": {"height": 224, "width": 192}},
])  # fmt: skip
def test_a_processor_without_an_equal_is_refused(about: dict[str, Any]) -> None:
    with pytest.raises(CardError, match="hf: the processor"):
        _transformers_input(about)


def test_what_is_not_here_says_how_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnknownModelError, match="neither a folder nor in the hub's cache"):
        find_card("hf:nobody/nothing")
    with pytest.raises(UnknownModelError, match=r"config.json cannot be read"):
        find_card(f"hf:{tmp_path}")
    timm_folder(tmp_path / "ours")
    (tmp_path / "ours/model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(WeightsError):
        load_model(f"hf:{tmp_path / 'ours'}")


def test_a_thousand_classes_in_another_order_are_not_imagenet_s(tmp_path: Path) -> None:
    timm_folder(tmp_path / "ours")
    about = {"architectures": ["ViTForImageClassification"], "id2label": {str(i): f"c{i}" for i in range(1000)}}
    (tmp_path / "ours/config.json").write_text(json.dumps(about))
    (tmp_path / "ours/preprocessor_config.json").write_text("{}")
    assert find_card(f"hf:{tmp_path / 'ours'}").labels == "folder1000"
