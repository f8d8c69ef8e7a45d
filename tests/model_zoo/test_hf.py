"""Hugging Face's image classifiers from a folder: the logits, and the input, are their owner's."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from bench.datasets.preprocess import input_spec
from model_zoo.errors import CardError, UnknownModelError, WeightsError
from model_zoo.load import load_model
from model_zoo.nets.with_timm import import_timm
from model_zoo.registry import find_card
from model_zoo.standard.hf_processors import _CLASSES, input_of_processor
from tools.input_parity import _ours


def timm_folder(folder: Path) -> Any:
    torch.manual_seed(3)
    timm = import_timm()
    name = "test_resnet" if timm.is_model("test_resnet") else "resnet10t"  # robustbench's timm has no test models
    net = timm.create_model(name, num_classes=7).eval()
    cfg = {"input_size": [3, 96, 96], "crop_pct": 0.9, "crop_mode": "squash", "interpolation": "bilinear",
           "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "num_classes": 7}  # fmt: skip
    folder.mkdir()
    about = {"architecture": name, "num_classes": 7, "pretrained_cfg": cfg}
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
    size |= {"image_processor_type": "BitImageProcessor"}
    (tmp_path / "ours/preprocessor_config.json").write_text(json.dumps(size))
    model = load_model(f"hf:{tmp_path / 'ours'}")
    images = torch.rand(2, 3, 56, 56)
    with torch.no_grad():
        assert torch.equal(model(images), net((images - model.mean) / model.std).logits)
    assert model.card.classes == 5


def of(kind: str, **about: Any) -> dict[str, Any]:
    return {"image_processor_type": f"{kind}ImageProcessor"} | about


SQUARE, SHORT, CROP = {"height": 240, "width": 240}, {"shortest_edge": 240}, {"do_center_crop": True, "crop_size": 224}
PROCESSORS = {
    "vit by its network": ({}, ("squash", 224, 224, "bilinear")),
    "vit by an int": (of("ViT", size=240, resample=3), ("squash", 240, 240, "bicubic")),
    "vit of the first releases": ({"feature_extractor_type": "ViTFeatureExtractor"}, ("squash", 224, 224, "bilinear")),
    "vit's fast one": ({"image_processor_type": "ViTImageProcessorFast"}, ("squash", 224, 224, "bilinear")),
    "deit": (of("DeiT"), ("squash", 224, 256, "bicubic")),
    "beit": (of("Beit", size=SQUARE, do_center_crop=False), ("squash", 240, 240, "bicubic")),
    "pvt": (of("Pvt", resample=2), ("squash", 224, 224, "bilinear")),
    "siglip": (of("Siglip"), ("squash", 224, 224, "bicubic")),
    "bit": (of("Bit", size=SHORT), ("resize_crop_down", 224, 240, "bicubic")),
    "clip by an int": (of("CLIP", size=240), ("resize_crop_down", 224, 240, "bicubic")),
    "clip, squashed": (of("CLIP", size=SQUARE, **CROP), ("squash", 224, 240, "bicubic")),
    "convnext by an int": (of("ConvNext", size=224, resample=3), ("resize_crop_down", 224, 256, "bicubic")),
    "convnext, its share": (of("ConvNext", size=SHORT, resample=2, crop_pct=0.95),
                            ("resize_crop_down", 240, 252, "bilinear")),
    "convnext, large": (of("ConvNext", resample=3), ("squash", 384, 384, "bicubic")),
    "levit": (of("Levit"), ("resize_crop_down", 224, 256, "bicubic")),
    "mobilenet": (of("MobileNetV2"), ("resize_crop_down", 224, 256, "bilinear")),
    "mobilevit": (of("MobileViT", size={"shortest_edge": 288}, resample=2, do_center_crop=True, crop_size=256,
                     do_flip_channel_order=True), ("resize_crop_down", 256, 288, "bilinear")),
    "poolformer": (of("PoolFormer"), ("resize_crop_down", 224, 248, "bicubic")),
    "no normalising": (of("ViT", do_normalize=False), ("squash", 224, 224, "bilinear")),
}  # fmt: skip
"""Files as checkpoints have them, with all that their classes make of them."""


@pytest.mark.parametrize("what", PROCESSORS)
def test_processors_become_inputs(what: str) -> None:
    about, expected = PROCESSORS[what]
    spec = input_of_processor(about, "vit")
    assert (spec.geometry, spec.size, spec.resize, spec.interpolation) == expected
    assert spec.channels == ("bgr" if what == "mobilevit" else "rgb")
    assert spec.std == (1.0, 1.0, 1.0) or (about.get("do_normalize", True) and what != "mobilevit")


@pytest.mark.parametrize("what", PROCESSORS)
def test_the_input_is_that_of_transformers(what: str) -> None:
    """Bit for bit, on images of many shapes: a crop that is half a pixel off shows on one in four."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    about, _ = PROCESSORS[what]
    said = str(about.get("image_processor_type") or about.get("feature_extractor_type") or "ViTImageProcessor")
    name = said.replace("FeatureExtractor", "ImageProcessor").replace("Fast", "")
    theirs = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    spec = input_spec(input_of_processor(about, "vit"), "published")
    processor = theirs.from_dict(dict(about))
    for shape in ((300, 401), (401, 300), (302, 300), (333, 500), (257, 256), (231, 640), (500, 375)):
        picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8))
        shown = torch.as_tensor(np.ascontiguousarray(processor(picture)["pixel_values"][0]))
        ours = _ours(spec, picture)
        assert torch.equal(ours.flip(0) if spec.channels == "bgr" else ours, shown), shape


@pytest.mark.parametrize(("about", "says"), [
    (of("ViT", do_rescale=False), "not scaled"), (of("ViT", rescale_factor=1 / 127.5), "not scaled"),
    (of("ViT", do_resize=False), "no resizing"), (of("ViT", size=SHORT), "size"),
    (of("ViT", size={"height": 224, "width": 192}), "size"), (of("ViT", do_pad=True), "do_pad"),
    (of("EfficientNet"), "not known here"), (of("Perceiver"), "not known here"), (of("ImageGPT"), "not known here"),
    ({"image_processor_type": "TheirOwn"}, "not known here"), (of("CLIP", do_center_crop=False), "size"),
    (of("MobileViT", size=224, resample=2, do_flip_channel_order=True) | CROP | {"crop_size": 256}, "a crop of 256"),
    (of("DeiT", crop_size=223), "a crop of 223"), (of("ViT", resample=9), "resample 9"),
])  # fmt: skip
def test_a_processor_without_an_equal_is_refused(about: dict[str, Any], says: str) -> None:
    with pytest.raises(CardError, match=f"hf: the processor.*{says}"):
        input_of_processor(about, "vit")


WORDS = st.none() | st.booleans() | st.integers(-5, 5000) | st.floats() | st.text(max_size=3)
VALUES = (
    WORDS | st.lists(WORDS, max_size=4) | st.dictionaries(st.sampled_from(["height", "width", "shortest_edge"]), WORDS)
)
KEYS = ["size", "crop_size", "crop_pct", "resample", "image_mean", "image_std", "rescale_factor", "do_center_crop",
        "do_normalize", "do_flip_channel_order"]  # fmt: skip


@given(st.sampled_from(sorted(_CLASSES)), st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_file_is_an_input_or_refused(kind: str, about: dict[str, Any]) -> None:
    with contextlib.suppress(CardError):
        spec = input_of_processor(of(kind, **about))
        assert 8 <= spec.size <= spec.resize


@pytest.mark.parametrize(("about", "key"), [
    (of("ConvNext", size=224), "resample"), (of("Beit", size=224), "do_center_crop"), (of("Pvt"), "resample"),
    (of("MobileViT"), "resample"),
])  # fmt: skip
def test_a_default_that_releases_differ_in_is_not_guessed(about: dict[str, Any], key: str) -> None:
    with pytest.raises(CardError, match=f"leaves out '{key}'"):
        input_of_processor(about)


def test_no_class_is_guessed_for_a_network_that_is_not_known() -> None:
    with pytest.raises(CardError, match="the processor of perceiver is not known here"):
        input_of_processor({}, "perceiver")


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
    about = {
        "architectures": ["ViTForImageClassification"],
        "model_type": "vit",
        "id2label": {str(i): f"c{i}" for i in range(1000)},
    }
    (tmp_path / "ours/config.json").write_text(json.dumps(about))
    (tmp_path / "ours/preprocessor_config.json").write_text("{}")
    assert find_card(f"hf:{tmp_path / 'ours'}").labels == "folder1000"
