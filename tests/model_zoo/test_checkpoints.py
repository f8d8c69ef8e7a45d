"""Checkpoints as people save them: whatever stands around the weights, the network that comes out is the one saved."""

import argparse
import collections
import json
import os
import pathlib
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model_zoo.errors import WeightsError
from model_zoo.formats import read_file
from model_zoo.load import load_model
from model_zoo.model import Model

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
SOURCE = """
import torch
class Net(torch.nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 4, 3)
        self.bn1 = torch.nn.BatchNorm2d(4)
        self.fc = torch.nn.Linear(4, classes)
    def forward(self, x):
        return self.fc(self.bn1(self.conv1(x)).relu().mean((2, 3)))
class Normalise(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.2, 0.25, 0.3]).view(1, 3, 1, 1))
    def forward(self, x):
        return (x - self.mean) / self.std
def parallel(): return torch.nn.DataParallel(Net())
class Compiled(torch.nn.Module):  # torch.compile's names, without its ten seconds
    def __init__(self):
        super().__init__()
        self._orig_mod = Net()
    def forward(self, x):
        return self._orig_mod(x)
compiled = Compiled
def normalised(): return torch.nn.Sequential(Normalise(), Net())
"""
IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
State = dict[str, Tensor]


def classes_of(source: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(source, found)
    return found


CLASSES = classes_of(SOURCE)


def trained(seed: int) -> nn.Module:
    """A network whose every tensor, statistics included, is its own."""
    net: nn.Module = CLASSES["Net"]()
    generator = torch.Generator().manual_seed(seed)
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return net.eval()


NET, OTHER = trained(0), trained(1)


def expected(net: nn.Module = NET) -> Tensor:
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    with torch.no_grad():
        out: Tensor = net((IMAGES - mean) / std)
    return out


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Model]:
    """Load the file `weights`, saved by the test, into the factory named."""
    (tmp_path / "net.py").write_text(SOURCE)

    def loaded(weights: str = "w.pth", factory: str = "Net", size: str = "mean=0.5:0.4:0.3&std=0.2:0.25:0.3") -> Model:
        name = f"file:{tmp_path}/net.py:{factory}?size=16&classes=5&{size}"
        return load_model(name, weights_file=tmp_path / weights)

    return loaded


def state(net: nn.Module = NET, prefix: str = "") -> State:
    return {f"{prefix}{name}": tensor.clone() for name, tensor in net.state_dict().items()}


def madry() -> State:
    """MadryLab's `robustness`: the network twice, with the constants of its normalisation."""
    constants = {
        f"module.{place}_{kind}": torch.tensor(values).view(3, 1, 1)
        for place in ("normalizer.new", "attacker.normalize.new")
        for kind, values in (("mean", MEAN), ("std", STD))
    }
    return state(prefix="module.model.") | constants | state(prefix="module.attacker.model.")


def optimiser() -> torch.optim.Optimizer:
    """One as it is pickled; to make one takes torch's compiler and seconds."""
    made: torch.optim.Optimizer = torch.optim.SGD.__new__(torch.optim.SGD)
    made.defaults, made.state, made.param_groups = {"lr": 0.1}, collections.defaultdict(dict), [{"params": [1]}]
    return made


PLAIN: dict[str, Callable[[], Any]] = {
    "bare": state,
    "module.": lambda: state(prefix="module."),
    "module.module.": lambda: state(prefix="module.module."),
    "_orig_mod.": lambda: state(prefix="_orig_mod."),
    "module._orig_mod.": lambda: state(prefix="module._orig_mod."),
    "a class's own name for it": lambda: {"state_dict": state(prefix="classifier.resnet.")},
    "Lightning's model.": lambda: {
        "state_dict": state(prefix="model."),
        "pytorch-lightning_version": "2.4",
        "loops": {},
    },
    "MadryLab's": lambda: {"model": madry(), "epoch": 3, "optimizer": {"state": {}, "param_groups": []}},
    "MadryLab's attacker alone": lambda: state(prefix="attacker.model."),
    "state_dict": lambda: {"state_dict": state(), "epoch": 4},
    "model": lambda: {"model": state()},
    "net": lambda: {"net": state(prefix="module."), "acc": 93.1},
    "model_state_dict": lambda: {"model_state_dict": state(), "loss": torch.tensor(0.2)},
    "any other key": lambda: {"best": {"weights": state()}},
    "a pair": lambda: (state(), 3),
    "Parameters": lambda: dict(NET.named_parameters()) | dict(NET.named_buffers()),
    "argparse.Namespace": lambda: {"state_dict": state(), "args": argparse.Namespace(lr=0.1, out=pathlib.Path("x"))},
    "NumPy's scalars": lambda: {"state_dict": state(), "best_acc1": np.float64(76.1), "epoch": np.int64(3)},
    "NumPy's arrays": lambda: {"state_dict": state(), "history": np.ones(3), "when": np.array([1, 2])},
    "defaultdict": lambda: {"model": state(), "log": collections.defaultdict(list, {"loss": [1.0]})},
    "an optimiser whole": lambda: {"model": state(), "optimizer": optimiser()},
    "a loss whole": lambda: {"model": state(), "criterion": nn.CrossEntropyLoss()},
    "thop's counts": lambda: state() | {"total_ops": torch.zeros(1), "conv1.total_params": torch.zeros(1)},
    "the average alike": lambda: {"state_dict": state(), "state_dict_ema": state()},
}


@pytest.mark.parametrize("form", PLAIN)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_form_in_which_people_save(
    tmp_path: Path, load: Callable[..., Model], caplog: pytest.LogCaptureFixture, form: str, zipped: bool
) -> None:
    if form == "a loss whole" and not zipped:
        pytest.skip("the old format stores a module's source, which is refused")
    torch.save(PLAIN[form](), tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert torch.equal(load()(IMAGES), expected())
    assert not caplog.records, "nothing was chosen, so there is no note"


@pytest.mark.parametrize("factory", ["parallel", "compiled", "normalised"])
@pytest.mark.parametrize("prefix", ["", "module.", "1."])
def test_a_wrapped_network_is_filled_from_a_bare_or_wrapped_file(
    tmp_path: Path, load: Callable[..., Model], factory: str, prefix: str
) -> None:
    torch.save(state(prefix=prefix), tmp_path / "w.pth")
    model = load(
        factory=factory, size="mean=0:0:0&std=1:1:1" if factory == "normalised" else "mean=0.5:0.4:0.3&std=0.2:0.25:0.3"
    )
    inner = {name.replace("_orig_mod.", "").replace("module.", ""): t for name, t in model.net.state_dict().items()}
    wanted = {f"1.{name}" if factory == "normalised" else name: t for name, t in NET.state_dict().items()}
    assert all(torch.equal(inner[name], tensor) for name, tensor in wanted.items())


AVERAGES: dict[str, tuple[Callable[[], Any], str]] = {
    "timm": (lambda: {"state_dict": state(), "state_dict_ema": state(OTHER)}, "state_dict_ema"),
    "torchvision": (
        lambda: {"model": state(), "model_ema": {"n_averaged": torch.tensor(3)} | state(OTHER, "module.")}, "model_ema"
    ),
    "Lightning": (lambda: {"state_dict": state(prefix="model.") | state(OTHER, "ema_model.")}, "state_dict.ema_model"),
    "SWA": (lambda: {"net": state(), "swa_state_dict": state(OTHER)}, "swa_state_dict"),
    "first": (lambda: {"ema": state(OTHER), "model": state()}, "ema"),
    "nested": (lambda: {"ema": {"decay": 0.99, "shadow": state(OTHER)}, "params": state()}, "ema"),
    "beside bare names": (lambda: state() | state(OTHER, "ema."), "ema"),
}  # fmt: skip


@pytest.mark.parametrize("form", AVERAGES)
def test_weights_are_taken_before_their_average_which_is_said_and_can_be_chosen(
    tmp_path: Path, load: Callable[..., Model], caplog: pytest.LogCaptureFixture, form: str
) -> None:
    make, key = AVERAGES[form]
    torch.save(make(), tmp_path / "w.pth")
    model = load()
    assert torch.equal(model(IMAGES), expected())
    assert f"it also holds w.pth:{key}" in caplog.text
    assert caplog.messages == list(model.remarks)
    chosen = load(f"w.pth:{key}")
    assert torch.equal(chosen(IMAGES), expected(OTHER))
    assert "an average of the weights" in chosen.remarks[0]


def test_an_average_alone_is_taken_and_said(tmp_path: Path, load: Callable[..., Model]) -> None:
    torch.save({"model_ema": state(OTHER), "epoch": 1}, tmp_path / "w.pth")
    model = load()
    assert torch.equal(model(IMAGES), expected(OTHER))
    assert model.remarks == ("w.pth: took model_ema (an average of the weights)",)


@pytest.mark.parametrize("form", [
    lambda: {"student": state(), "teacher": state(OTHER)},
    lambda: {"state_dict": state(prefix="student.") | state(OTHER, "teacher.")},
    lambda: [state(), state(OTHER)],
])  # fmt: skip
def test_two_that_fit_and_differ_are_not_chosen_between(
    tmp_path: Path, load: Callable[..., Model], form: Callable[[], Any]
) -> None:
    torch.save(form(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"several sets of weights that fit and differ.*--weights w\.pth:") as caught:
        load()
    key = str(caught.value).rpartition("w.pth:")[2]
    assert torch.equal(load(f"w.pth:{key}")(IMAGES), expected())


def test_a_key_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path, load: Callable[..., Model]) -> None:
    torch.save({"state_dict": state(), "epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"no tensors under the key 'ema'; it has state_dict \(9 tensors\)"):
        load("w.pth:ema")


@pytest.mark.parametrize(
    ("dtype", "name"), [(torch.float16, "float16"), (torch.bfloat16, "bfloat16"), (torch.float64, "float64")]
)
def test_another_precision_is_read_and_said(
    tmp_path: Path, load: Callable[..., Model], dtype: torch.dtype, name: str
) -> None:
    halved = {k: t.to(dtype) if t.is_floating_point() else t for k, t in state().items()}
    torch.save(halved, tmp_path / "w.pth")
    model = load()
    assert model.remarks == (f"w.pth: holds {name} numbers, computed in float32 here",)
    assert torch.equal(model.net.fc.weight, halved["fc.weight"].float())
    assert model(IMAGES).dtype == torch.float32


def test_whole_numbers_are_no_weights(tmp_path: Path, load: Callable[..., Model]) -> None:
    """torch would copy a quantised layer's integers into the network without its scale."""
    torch.save(state() | {"fc.weight": torch.ones(5, 4, dtype=torch.int8)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"(?s)of another kind \(1\): fc.weight .*likely: a quantised checkpoint"):
        load()


def test_a_file_that_normalises_otherwise_is_refused(tmp_path: Path, load: Callable[..., Model]) -> None:
    torch.save(madry(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"new_mean is \[0.5, 0.4, 0.3\].*another mean than \[0.485, 0.456, 0.406\]"):
        load(size="resize=16")


def test_what_the_network_lacks_is_said_or_refused(tmp_path: Path, load: Callable[..., Model]) -> None:
    torch.save(state(prefix="model.") | {"criterion.weight": torch.ones(5)}, tmp_path / "w.pth")
    model = load()
    assert torch.equal(model(IMAGES), expected())
    assert model.remarks == ("w.pth: left out 1 tensors that the network does not have: criterion.weight",)
    torch.save(state(prefix="model.") | {"model.head.weight": torch.ones(5)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"not in the network"):
        load()


def sharded(folder: Path, suffix: str, write: Callable[[State, Path], None]) -> Path:
    items = list(state().items())
    parts = {f"model-0000{i + 1}-of-00002.{suffix}": dict(items[i::2]) for i in range(2)}
    for name, part in parts.items():
        write(part, folder / name)
    stem = "model.safetensors" if suffix == "safetensors" else "pytorch_model.bin"
    index = folder / f"{stem}.index.json"
    index.write_text(json.dumps({"weight_map": {key: name for name, part in parts.items() for key in part}}))
    return index


@pytest.mark.parametrize(("suffix", "write"), [("safetensors", save_file), ("bin", torch.save)])
def test_shards_are_read_by_their_index_or_folder(
    tmp_path: Path, load: Callable[..., Model], suffix: str, write: Callable[[State, Path], None]
) -> None:
    (tmp_path / "hub").mkdir()
    index = sharded(tmp_path / "hub", suffix, write)
    assert torch.equal(load(f"hub/{index.name}")(IMAGES), expected())
    assert torch.equal(load("hub")(IMAGES), expected())
    with pytest.raises(WeightsError, match=r"likely: a part of the network .*one shard of several"):
        load(f"hub/model-00001-of-00002.{suffix}")
    (tmp_path / "hub" / f"model-00002-of-00002.{suffix}").unlink()
    with pytest.raises(WeightsError, match="names the shard 'model-00002-of-00002"):
        load("hub")


@pytest.mark.parametrize(
    ("content", "says"),
    [("[]", "not an index of shards"), ("{", "not an index"),
     ('{"weight_map": {"a": "../w.pth"}}', "not in its folder"),
     ('{"weight_map": {"a": "/etc/passwd"}}', "not in its folder"), ('{"weight_map": 3}', "not an index")],
)  # fmt: skip
def test_a_hostile_index_reads_nothing_outside(tmp_path: Path, content: str, says: str) -> None:
    torch.save(state(), tmp_path.parent / "w.pth")
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(WeightsError, match=says):
        read_file(tmp_path)


def test_a_whole_pickled_module_is_refused_with_the_lines_that_save_its_state(tmp_path: Path) -> None:
    for content in (nn.Sequential(nn.Conv2d(3, 4, 3)), {"model": nn.Linear(2, 2)}):
        for zipped in (True, False):
            torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
            with pytest.raises(WeightsError, match="a whole pickled module") as caught:
                read_file(tmp_path / "w.pth")
            message = str(caught.value)
            assert 'torch.load("w.pth", map_location="cpu", weights_only=False)' in message
            assert 'torch.save(content.state_dict(), "w-state.pth")' in message
            assert "\x1b" not in message


def test_the_two_lines_do_what_they_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(nn.Linear(2, 2), tmp_path / "w.pth")
    with pytest.raises(WeightsError) as caught:
        read_file(tmp_path / "w.pth")
    exec("\n".join(line.strip() for line in str(caught.value).splitlines()[1:]), {"torch": torch})
    assert read_file(tmp_path / "w-state.pth").keys() == {"weight", "bias"}


def test_torchscript_is_refused_with_the_line_that_saves_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out; its files stay
        torch.jit.script(nn.Linear(2, 2)).save("script.pt")
        with pytest.raises(WeightsError, match="a TorchScript archive") as caught:
            read_file(tmp_path / "script.pt")
        exec(str(caught.value).rpartition("Where you trust it: ")[2], {"torch": torch})
    assert read_file(tmp_path / "script-state.pth").keys() == {"weight", "bias"}


def test_an_exported_program_is_refused(tmp_path: Path) -> None:
    """By a member that torch.export writes; to export one takes torch's compiler and seconds."""
    with zipfile.ZipFile(tmp_path / "program.pt2", "w") as archive:
        archive.writestr("program/archive_format", "pt2")
        archive.writestr("program/models/model.json", "{}")
    with pytest.raises(WeightsError, match=r"an exported program.*torch.export.load\(\"program.pt2\"\).state_dict"):
        read_file(tmp_path / "program.pt2")


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("sprung",)


class Meter:
    """A class of the user's own, which no list knows."""


@pytest.mark.parametrize("beside", [Trap(), Meter()])
def test_objects_beside_the_tensors_that_no_list_knows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: object
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": state(), "args": argparse.Namespace(), "x": beside}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"(?s)an object beside the tensors .*content\['state_dict'\]"):
        read_file(tmp_path / "w.pth")
    assert not (tmp_path / "sprung").exists()


def test_stand_ins_stand_for_the_names_only(tmp_path: Path) -> None:
    """What a Namespace holds is left aside, not built: a trap within it is refused like one beside it."""
    torch.save({"state_dict": state(), "args": argparse.Namespace(x=Trap())}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="an object beside the tensors"):
        read_file(tmp_path / "w.pth")


def test_a_file_within_itself_ends(tmp_path: Path) -> None:
    content: dict[str, Any] = {"state_dict": state()}
    content["self"] = content
    content["many"] = [content] * 1000
    torch.save(content, tmp_path / "w.pth")
    assert read_file(tmp_path / "w.pth").keys() == state().keys()


STRANGE = {f"features.{i}.weight": torch.ones(1) for i in range(9)}


@pytest.mark.parametrize(
    ("arrays", "likely"),
    [
        (state(CLASSES["Net"](7)), r"shape \(2\): fc.bias .*: a classifier of 7 classes, where the network has 5"),
        (STRANGE, r"features.0.weight, features.1.weight, features.2.weight and 6 more"),
        (STRANGE, "another architecture: no name is shared"),
        ({k: t for k, t in state(prefix="body.").items() if "fc" not in k}, r"6 of 8 names fit once 'body.'"),
        ({k.replace("n1", "n9").replace("fc", "f"): t for k, t in state().items()}, "names of another library"),
        ({k: t for k, t in state().items() if "fc" not in k}, r"a part of the network \(fc is not in the file\)"),
        (state() | {"layer2.weight": torch.ones(2)}, r"a deeper network, .*\(layer2\)"),
        ({}, "holds no tensors by name"),
    ],
)  # fmt: skip
def test_a_misfit_names_the_likely_rule(tmp_path: Path, load: Callable[..., Model], arrays: State, likely: str) -> None:
    torch.save(arrays, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=f"(?s){likely}"):
        load()


def test_a_colon_in_a_file_s_name_is_a_name(tmp_path: Path, load: Callable[..., Model]) -> None:
    torch.save({"ema": state(OTHER), "model": state()}, tmp_path / "run:3.pth")
    assert torch.equal(load("run:3.pth")(IMAGES), expected())
    assert torch.equal(load("run:3.pth:ema")(IMAGES), expected(OTHER))


@pytest.mark.parametrize("name", ["mnasnet0_5", "densenet121", "shufflenet_v2_x0_5", "inception_v3"])
def test_torchvision_s_released_files_give_its_logits(tmp_path: Path, name: str) -> None:
    """MNASNet asks for the version beside its tensors; DenseNet's files have an older naming."""
    import re

    from torchvision import models

    kept = {"transform_input": True, "init_weights": False} if name == "inception_v3" else {}
    net = models.get_model(name, weights=None, **kept).eval()
    released = net.state_dict()
    if name == "densenet121":
        for key in list(released):
            if match := re.fullmatch(r"(.*denselayer\d+\.(?:norm|conv))([12]\..*)", key):
                released[f"{match[1]}.{match[2]}"] = released.pop(key)
    torch.save(released, tmp_path / "w.pth")
    model = load_model(f"torchvision:{name}", weights_file=tmp_path / "w.pth")
    images = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(model(images), net((images - model.mean) / model.std))
