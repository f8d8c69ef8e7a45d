"""`open_clip:` names, against open_clip's own zero-shot classifier and transform, on random weights."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from model_zoo.errors import UnknownModelError, WeightsError
from model_zoo.load import load_model
from model_zoo.model import Model
from model_zoo.registry import find_card
from model_zoo.standard.from_open_clip import _weights

NAME = "open_clip:bench-tiny-clip"
PROMPT = "templates=a%20photo%20of%20a%20{}."
CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
NAMES = 50
"""Of the thousand classes, whose texts take most of the time."""
IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_without_the_extra_the_name_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UnknownModelError, match=r"need the extra: pip install 'robust-imagenet-bench\[open_clip\]'"):
        load_model("open_clip:ViT-B-32?pretrained=openai")


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """open_clip with one more configuration, small enough to be drawn and asked in a second."""
    library = pytest.importorskip("open_clip", reason="the extra open_clip is not installed")
    (tmp_path / "bench-tiny-clip.json").write_text(json.dumps(CONFIG))
    library.add_model_config(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(library, "IMAGENET_CLASSNAMES", library.IMAGENET_CLASSNAMES[:NAMES])
    return library


def drawn(clip: Any, path: Path, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    net = clip.create_model("bench-tiny-clip").eval()
    torch.save(net.state_dict(), path)
    return net


def owners_loop(clip: Any, net: Any, templates: list[Any], images: Tensor) -> tuple[Tensor, Tensor]:
    """open_clip's `build_zero_shot_classifier`, then its `get_logits`; cosines are those of its zero-shot loop."""
    tokenizer = clip.get_tokenizer("bench-tiny-clip")
    with torch.no_grad():
        head = clip.build_zero_shot_classifier(net, tokenizer, clip.IMAGENET_CLASSNAMES, templates)
        features = net.encode_image((images - MEAN) / STD, normalize=True)
        return net.logit_scale.exp() * features @ head, 100.0 * features @ head


MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
"""Of OpenAI's images (open_clip/constants.py)."""


@pytest.mark.parametrize("kind", ["simple", "a photo of a {}."])
def test_logits_are_open_clips_own(clip: Any, tmp_path: Path, kind: str) -> None:
    net = drawn(clip, tmp_path / "w.pth")
    model = load_model(f"{NAME}?templates={kind.replace(' ', '%20')}", weights_file=tmp_path / "w.pth")
    templates = list(clip.SIMPLE_IMAGENET_TEMPLATES) if kind == "simple" else [kind]
    logits, loop = owners_loop(clip, net, templates, IMAGES)
    with torch.no_grad():
        ours = model(IMAGES)
    assert torch.equal(ours, logits)
    assert torch.equal(ours.argmax(1), loop.argmax(1))
    assert not hasattr(model.net, "transformer"), "the text tower has done its work"


def test_openais_eighty_prompts_are_the_usual_ones(clip: Any) -> None:
    from model_zoo.standard.from_open_clip import _prompts

    prompts = _prompts("openai")
    assert (len(prompts.names), len(prompts.templates)) == (NAMES, 80)
    assert len(sys.modules["open_clip.zero_shot_metadata"].IMAGENET_CLASSNAMES) == 1000
    assert prompts.texts(("tench",)) == [template("tench") for template in clip.OPENAI_IMAGENET_TEMPLATES]


def test_adversarial_gradients_flow(clip: Any, tmp_path: Path) -> None:
    from bench.attacks.call import attack

    drawn(clip, tmp_path / "w.pth")
    model = load_model(f"{NAME}?{PROMPT}", weights_file=tmp_path / "w.pth")
    labels = model(IMAGES).argmax(1)
    images = IMAGES.clone().requires_grad_()
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    assert images.grad is not None
    assert (images.grad.abs().amax((1, 2, 3)) > 0).all()
    found = attack(model, IMAGES, labels, "pgd", eps=8 / 255)
    assert found.adversarial is not None
    assert (model(found.adversarial).argmax(1) != labels).any()


def test_the_head_is_kept_and_made_anew_for_other_weights(clip: Any, tmp_path: Path, caplog: Any) -> None:
    drawn(clip, tmp_path / "w.pth"), drawn(clip, tmp_path / "other.pth", seed=1)

    def heads_made(weights: str, prompt: str = PROMPT) -> int:
        caplog.clear()
        load_model(f"{NAME}?{prompt}", weights_file=tmp_path / weights)
        return sum("making a zero-shot head" in record.getMessage() for record in caplog.records)

    assert [heads_made("w.pth"), heads_made("w.pth"), heads_made("other.pth")] == [1, 0, 1]
    assert heads_made("w.pth", "templates=a%20drawing%20of%20a%20{}.") == 1
    for kept in (tmp_path / "cache" / "heads").iterdir():
        kept.write_bytes(b"damaged")
    assert heads_made("w.pth") == 1, "a damaged one is made anew"


def test_the_identity_covers_the_head_but_not_its_last_bits(clip: Any, tmp_path: Path) -> None:
    """The text tower is gone, and two machines' kernels round its embeddings unlike."""
    drawn(clip, tmp_path / "w.pth")
    one = load_model(f"{NAME}?{PROMPT}", weights_file=tmp_path / "w.pth")
    same = load_model(f"{NAME}?{PROMPT}", weights_file=tmp_path / "w.pth")
    same.net.head.mul_(1 + 1e-7)
    other = load_model(f"{NAME}?templates=a%20sketch%20of%20a%20{{}}.", weights_file=tmp_path / "w.pth")
    assert one.identity().exact == same.identity().exact != other.identity().exact
    state = torch.load(tmp_path / "w.pth")
    state["text_projection"] = state["text_projection"] + 0.1
    torch.save(state, tmp_path / "text.pth")
    text = load_model(f"{NAME}?{PROMPT}", weights_file=tmp_path / "text.pth")
    assert text.identity().exact != one.identity().exact


@pytest.mark.parametrize("form", [
    lambda tower: tower, lambda tower: {"vision_encoder_state_dict": tower},
    lambda tower: {f"module.model.{name}": tensor for name, tensor in tower.items()},
], ids=["bare (FARE)", "TeCoA", "wrapped"])  # fmt: skip
def test_a_visual_tower_alone_takes_its_place(clip: Any, tmp_path: Path, monkeypatch: Any, form: Any) -> None:
    """RobustVLM: `model.visual.load_state_dict(checkpoint)`, of `checkpoint['vision_encoder_state_dict']` for TeCoA."""
    net, robust = drawn(clip, tmp_path / "own.pth"), drawn(clip, tmp_path / "other.pth", seed=1)
    torch.save(form(robust.visual.state_dict()), tmp_path / "fare.pth")
    with pytest.raises(WeightsError, match=r"no weights of its own \(say which: \?pretrained=TAG"):
        load_model(f"{NAME}?{PROMPT}", weights_file=tmp_path / "fare.pth")
    released(clip, monkeypatch, tmp_path / "own.pth", tmp_path)
    model = load_model(f"{NAME}?pretrained=ours&{PROMPT}", weights_file=tmp_path / "fare.pth")
    net.visual.load_state_dict(robust.visual.state_dict())
    with torch.no_grad():
        assert torch.equal(model(IMAGES), owners_loop(clip, net, ["a photo of a {}."], IMAGES)[0])
    assert any("took the part 'visual'" in remark for remark in model.remarks)


def released(clip: Any, monkeypatch: Any, file: Path, tmp_path: Path, **entry: Any) -> None:
    """Let open_clip know a tag `ours`, whose file lies in the cache."""
    about = {"hf_hub": "lab/tiny/open_clip_model.safetensors", "quick_gelu": False, **entry}
    monkeypatch.setattr(clip, "get_pretrained_cfg", lambda _name, tag: about if tag == "ours" else {})
    from model_zoo.weights import where

    place = where(find_card(f"{NAME}?pretrained=ours&{PROMPT}"))[0].path
    place.parent.mkdir(parents=True)
    place.write_bytes(file.read_bytes())


def test_a_tower_beside_anothers_text_is_refused(clip: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """To take the one and leave the other would mix two models without a word."""
    net = drawn(clip, tmp_path / "own.pth")
    state = {f"visual.{name}": tensor for name, tensor in net.visual.state_dict().items()}
    torch.save(state | {"text.other": torch.zeros(3)}, tmp_path / "mixed.pth")
    released(clip, monkeypatch, tmp_path / "own.pth", tmp_path)
    with pytest.raises(WeightsError, match=r"holds the part 'visual' .* 1 tensors that are not its own \(text.other\)"):
        load_model(f"{NAME}?pretrained=ours&{PROMPT}", weights_file=tmp_path / "mixed.pth")


def test_weights_trained_with_quick_gelu_get_it(clip: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """open_clip 3 only warns of a mismatch, and computes with GELU."""
    drawn(clip, tmp_path / "own.pth")
    released(clip, monkeypatch, tmp_path / "own.pth", tmp_path, quick_gelu=True)
    model = load_model(f"{NAME}?pretrained=ours&{PROMPT}")
    kinds = {type(module).__name__ for module in model.net.modules()}
    assert "QuickGELU" in kinds
    assert "GELU" not in kinds


def test_random_weights_serve_to_try_a_pipeline(clip: Any) -> None:
    model = load_model(f"random:{NAME}")
    assert isinstance(model, Model)
    assert model(IMAGES).shape == (3, NAMES)
    assert torch.equal(model(IMAGES), load_model(f"random:{NAME}")(IMAGES))


@pytest.mark.parametrize(("name", "says"), [
    ("open_clip:ViT-B-3", "open_clip has no model 'ViT-B-3' .did you mean .*ViT-B-32"),
    ("open_clip:ViT-B-32?pretrained=opena", "has no weights 'opena' .did you mean openai"),
    ("open_clip:ViT-B-32?templates=few", "templates must be openai, simple, or a prompt"),
    ("open_clip:ViT-B-32?template=simple", "did you mean templates"),
])  # fmt: skip
def test_a_name_that_is_none_is_refused(clip: Any, name: str, says: str) -> None:
    with pytest.raises(UnknownModelError, match=says):
        find_card(name)


@pytest.mark.parametrize("name", ["ViT-B-32?pretrained=openai", "ViT-L-14-336?pretrained=openai",
                                  "ViT-B-16-SigLIP?pretrained=webli", "convnext_base_w?pretrained=laion2b_s13b_b82k",
                                  "RN50?pretrained=openai", "MobileCLIP-S1?pretrained=datacompdr"])  # fmt: skip
def test_the_input_is_open_clips_own(clip: Any, name: str) -> None:
    """The tensor that reaches the network, bit for bit, on two images of different shape."""
    from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

    from bench.datasets.preprocess import input_spec
    from tools.input_parity import _ours, pictures

    model, _, tag = name.partition("?pretrained=")
    size = clip.get_model_config(model)["vision_cfg"].get("image_size", 224)
    fields = merge_preprocess_dict(PreprocessCfg(size=size), clip.get_pretrained_cfg(model, tag))
    theirs = image_transform_v2(PreprocessCfg(**fields), is_train=False)
    spec = input_spec(find_card(f"open_clip:{name}").input, "published")
    for picture in pictures():
        assert torch.equal(_ours(spec, picture), theirs(picture))
    assert _ours(spec, Image.fromarray(np.zeros((40, 50, 3), np.uint8))).shape[1] == spec.size


def test_addresses_are_those_that_open_clip_asks_the_hub_for(clip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry that has one: its own downloader, with a hub that has nothing, names what it tries."""
    from open_clip import pretrained

    tried: list[tuple[str, str]] = []

    def hub(repo_id: str, filename: str, **_: Any) -> str:
        tried.append((repo_id, filename))
        raise OSError("nothing here")

    monkeypatch.setattr(pretrained, "hf_hub_download", hub)
    for model, tag in clip.list_pretrained():
        found = clip.get_pretrained_cfg(model, tag)
        if not found.get("hf_hub"):
            continue
        tried.clear()
        with pytest.raises(FileNotFoundError):
            pretrained.download_pretrained(found)
        url = _weights(model, found).files[0].url
        assert url in [f"https://huggingface.co/{repository}/resolve/main/{file}" for repository, file in tried]


@pytest.mark.parametrize(("model", "tag"), [("RN50", "yfcc15m"), ("ViT-B-32", "openai")])
def test_older_addresses_carry_their_hash(clip: Any, model: str, tag: str) -> None:
    """open_clip's `download_pretrained_from_url`: the folder's name (OpenAI's), the name's last word (its own)."""
    stated = clip.get_pretrained_cfg(model, tag)
    url = PurePosixPath(stated["url"])
    file = _weights(model, {"url": stated["url"]}).files[0]
    assert file.url == stated["url"]
    assert file.sha256 == (url.parts[-2] if tag == "openai" else url.stem.rpartition("-")[2]) != ""
