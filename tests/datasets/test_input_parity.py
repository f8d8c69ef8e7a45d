"""`published` inputs against their owners' own transforms, bit for bit: a sample here, all by `make input-parity`."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode as Mode
from torchvision.transforms import v2

from bench.datasets.preprocess import fit, input_spec, prepare, rule, stored_rule
from model_zoo.card import InputSpec
from model_zoo.errors import CardError, UnknownModelError
from model_zoo.nets.with_timm import import_timm
from model_zoo.registry import find_card
from model_zoo.standard import from_timm
from model_zoo.transforms import input_of
from tools.input_parity import Entry, _ours, compare, pictures, robustbench_entries, timm_entries, torchvision_entries

SHOWN = pictures()


def of_each_kind(entries: Iterator[Entry], every: int) -> list[Entry]:
    """One entry of every geometry, interpolation and kind of crop, and every so many of all."""
    kinds: dict[Any, Entry] = {}
    chosen = []
    for index, entry in enumerate(entries):
        spec = find_card(entry.name).input
        kinds.setdefault(
            (spec.geometry, spec.interpolation, (spec.resize > spec.size) - (spec.resize < spec.size)), entry
        )
        chosen += [entry] if index % every == 0 else []
    return list(dict.fromkeys([*kinds.values(), *chosen]))


def test_a_sample_of_timms_inputs_is_timms() -> None:
    sample = of_each_kind(timm_entries(), every=80)
    findings = [compare(entry, SHOWN) for entry in sample]
    assert [f for f in findings if f.verdict != "equal"] == []
    specs = [find_card(entry.name).input for entry in sample]
    assert {"resize_crop", "squash"} <= {spec.geometry for spec in specs}
    assert any(spec.resize < spec.size for spec in specs), "a crop percentage above 1"


def test_a_sample_of_torchvisions_inputs_is_torchvisions() -> None:
    assert [f for e in itertools.islice(torchvision_entries(), 0, None, 8) if (f := compare(e, SHOWN)).why] == []


def test_robustbenchs_inputs_are_robustbenchs() -> None:
    pytest.importorskip("robustbench", reason="the extra robustbench is not installed")
    own = [
        entry
        for entry in robustbench_entries()
        if entry.name.endswith(("Fast", "When_ViT-B", "R50", "Hendrycks2020Many"))
    ]
    assert len(own) >= 4
    assert [f for entry in own if (f := compare(entry, SHOWN)).verdict != "equal"] == []


@pytest.mark.parametrize("change", [
    {}, {"crop_mode": "squash"}, {"crop_mode": "border"}, {"crop_mode": "border", "crop_pct": 0.9},
    {"crop_pct": 1.15}, {"crop_mode": "squash", "crop_pct": 1.15}, {"crop_pct": 1.0}, {"interpolation": "lanczos"},
    {"interpolation": "nearest"}, {"crop_mode": "squash", "interpolation": "bilinear", "crop_pct": 0.8},
    {"test_input_size": (3, 96, 96), "test_crop_pct": 0.95}, {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)},
])  # fmt: skip
def test_any_configuration_of_timms_is_timms(change: dict[str, Any]) -> None:
    """Modes that its present weights do not use are served as well."""
    data, timm = import_timm("timm.data"), import_timm()
    cfg = replace(timm.get_pretrained_cfg("resnet18"), input_size=(3, 64, 64), **change)
    config = data.resolve_data_config(pretrained_cfg=cfg.to_dict(), use_test_size=True)
    theirs, spec = data.create_transform(**config), from_timm.input_spec(cfg)
    for image in SHOWN:
        assert torch.equal(_ours(spec, image), theirs(image))
    assert torch.equal(_ours(input_of(theirs), SHOWN[0]), theirs(SHOWN[0])), "the transform itself says the same"


@pytest.mark.parametrize(
    "change", [{"interpolation": "random"}, {"input_size": (3, 64, 96)}, {"input_size": (1, 64, 64)}]
)
def test_what_cannot_be_equal_is_refused_by_name(change: dict[str, Any]) -> None:
    cfg = replace(import_timm().get_pretrained_cfg("resnet18"), **{"test_input_size": None, **change})
    with pytest.raises(UnknownModelError, match="timm:resnet18"):
        from_timm.input_spec(cfg)


@pytest.mark.parametrize("transform", [
    T.Compose([T.Resize(72), T.CenterCrop(64), T.ToTensor()]),
    T.Compose([T.Resize(72, Mode.BICUBIC), T.CenterCrop((64, 64)), T.ToTensor(), T.Normalize((0.5,) * 3, (0.2,) * 3)]),
    T.Compose([T.Resize([64, 64]), T.ToTensor()]),
    T.Compose([T.Resize((80, 80)), T.CenterCrop(64), T.ToTensor()]),
    T.Compose([T.CenterCrop(288), T.ToTensor()]),
    T.Compose([T.Resize(40), T.CenterCrop(64), T.PILToTensor(), T.ConvertImageDtype(torch.float32)]),
])  # fmt: skip
def test_a_transform_of_torchvisions_is_read_as_it_computes(transform: Any) -> None:
    spec = input_of(transform)
    for image in SHOWN:
        assert torch.equal(_ours(spec, image), transform(image))


def test_torchvision_s_second_version_differs_in_the_last_bit_at_most() -> None:
    transform = v2.Compose([v2.Resize(72), v2.CenterCrop(64), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    torch.testing.assert_close(
        _ours(input_of(transform), SHOWN[0]), transform(SHOWN[0]).as_subclass(torch.Tensor), rtol=0, atol=1e-7
    )


@pytest.mark.parametrize(("transform", "says"), [
    (T.Compose([T.Resize(72), T.CenterCrop(64), T.PILToTensor()]), "leaves levels of 0..255"),
    (v2.Compose([v2.Resize(72), v2.CenterCrop(64), v2.ToImage(), v2.ToDtype(torch.float32)]), "float32 in"),
    (T.Compose([T.Resize(72), T.ToTensor()]), "without a CenterCrop"),
    (T.Compose([T.RandomResizedCrop(64), T.ToTensor()]), "RandomResizedCrop has no equal"),
    (T.Compose([T.ToTensor(), T.Resize(64), T.CenterCrop(64)]), "after the conversion to a tensor"),
    (T.Compose([T.CenterCrop(64), T.Resize(32), T.ToTensor()]), "before the crop"),
    (T.Compose([T.Resize((64, 32)), T.ToTensor()]), "no square"),
    (T.ToTensor(), "neither resizes nor crops"),
    (T.Compose([T.Resize(64), T.CenterCrop(64), T.Normalize((0.5,) * 3, (0.5,) * 3)]), "after the conversion"),
    (T.Lambda(lambda image: image), "Lambda has no equal"),
    (T.Compose([T.Resize(64, max_size=80), T.CenterCrop(64), T.ToTensor()]), "max_size"),
])  # fmt: skip
def test_a_transform_without_an_equal_is_refused(transform: Any, says: str) -> None:
    with pytest.raises(CardError, match=says):
        input_of(transform)


@pytest.mark.parametrize(("name", "mode"), [
    ("nofrost_resnet50", Mode.BILINEAR), ("nofrost_resnet50_star", Mode.BILINEAR),
    ("advprop_resnet50_easyrobust", Mode.BILINEAR), ("easyrobust_resnet50_augmix", Mode.BILINEAR),
])  # fmt: skip
def test_authors_who_prepared_imagenet_c_twice_are_followed_under_published_only(name: str, mode: Mode) -> None:
    """dataloaders/imagenet.py (NoFrost); EasyRobust's benchmark.py, by
    non_adv_robust_bench.sh with `--interpolation 2`."""
    spec = find_card(name).input
    stored = np.random.default_rng(3).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    theirs = np.asarray(T.Compose([T.Resize(256, mode), T.CenterCrop(224)])(Image.fromarray(stored)))
    assert np.array_equal(fit(stored, input_spec(spec, "published")), theirs)
    assert np.array_equal(fit(stored, input_spec(spec, "canonical")), stored)
    assert stored_rule(spec, "published") == f"as stored, then published: resize_crop 224 256 {mode.value}"
    assert stored_rule(spec, "canonical") == "as stored"
    once = stored_rule(find_card("resnet50").input, "published")
    assert once == "as stored, brought to the input's size by bilinear"


def test_what_differs_has_another_rule_and_what_does_not_the_old_one() -> None:
    spec = InputSpec(64, resize=72)
    assert rule(spec, "published") == "published: resize_crop 64 72 bicubic"
    kinds = [replace(spec, geometry=kind) for kind in ("squash", "border", "centre_crop")]
    kinds.append(replace(spec, geometry="border", mean=(0.5, 0.5, 0.5)))
    assert len({rule(kind, "published") for kind in [spec, *kinds]}) == 5
    assert "stored" not in spec.record(), "records of before keep their identity"
    assert replace(spec, stored="again").record()["stored"] == "again"


def test_every_geometry_gives_the_size_for_any_shape() -> None:
    for geometry in ("resize_crop", "resize_crop_down", "squash", "border", "centre_crop", "crop_resize", "none"):
        for shape in ((7, 300), (300, 7), (64, 64), (63, 65)):
            picture = Image.new("RGB", shape, (9, 8, 7))
            assert prepare(picture, InputSpec(64, geometry=geometry, resize=60)).shape == (64, 64, 3)
