"""Two models are one only if they compute the same: whatever holds the difference, and whatever they are called."""

import functools
import itertools
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model_zoo.card import InputSpec, ModelCard, WeightsSpec
from model_zoo.errors import UnknownModelError
from model_zoo.identity import Identity, alike
from model_zoo.identity.code import is_users
from model_zoo.identity.model import hidden_modules, identify
from model_zoo.load import load_model
from model_zoo.model import Model

CARD = ModelCard("small", "standard", "small", InputSpec(16, resize=16), WeightsSpec("none", "user", "-"), classes=4)


def linear(scale: float = 1.0) -> nn.Module:
    """The same on every call, but for `scale`."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4))
    for parameter in net.parameters():
        parameter.data = scale * torch.linspace(-1, 1, parameter.numel()).reshape(parameter.shape)
    return net


class Calls(nn.Module):
    """A network of no members of its own that calls `function`."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.function(x)  # type: ignore[operator]
        return y


class InAList(nn.Module):
    """A network that torch does not know of."""

    def __init__(self, *nets: nn.Module) -> None:
        super().__init__()
        self.nets = list(nets)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([net(x) for net in self.nets]).sum(0)


class Slotted:
    """An object without a dictionary that holds a network."""

    __slots__ = ("net",)

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y


class Bare(nn.Module):
    """Weights that are no parameters: an array, a tensor in a dictionary, a number."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.tables = {"a": torch.full((4,), scale)}
        self.numbers = np.full(4, scale)
        self.net = linear()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x) * self.tables["a"] + torch.from_numpy(self.numbers).float()
        return y


class Unbuffered(nn.Module):
    """A buffer that is not in the state dict."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.net = linear()
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x) * self.scale
        return y


def closed_over(scale: float) -> nn.Module:
    net = linear(scale)

    def answer(x: Tensor) -> Tensor:
        y: Tensor = net(x)
        return y

    return Calls(answer)


def hooked(scale: float) -> nn.Module:
    net = linear()
    net.register_forward_hook(lambda _module, _inputs, output: output * scale)
    return net


def class_body(scale: float) -> nn.Module:
    class Held(nn.Module):
        net = linear(scale)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = type(self).net(x)
            return y

    return Held()


HOLDERS: dict[str, Callable[[float], nn.Module]] = {
    "parameters": linear,
    "list": lambda scale: InAList(linear(), linear(scale)),
    "closure": closed_over,
    "lambda": lambda scale: Calls((lambda net: lambda x: net(x))(linear(scale))),
    "partial": lambda scale: Calls(functools.partial(torch.mul, torch.ones(1)) if scale == 1 else torch.neg),
    "default": lambda scale: Calls(functools.partial(lambda x, net: net(x), net=linear(scale))),
    "bound method": lambda scale: Calls(linear(scale).forward),
    "slots": lambda scale: Calls(Slotted(linear(scale))),
    "array and dictionary": Bare,
    "buffer outside of the state": Unbuffered,
    "hook": hooked,
    "class body": class_body,
    "slope": lambda scale: nn.Sequential(linear(), nn.LeakyReLU(scale)),
    "activation": lambda scale: nn.Sequential(linear(), nn.ReLU() if scale == 1 else nn.SiLU()),
    "code": lambda scale: Calls(torch.sin if scale == 1 else torch.cos),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_difference_is_seen_wherever_it_is_held(holder: str) -> None:
    one, same, other = (Model(HOLDERS[holder](scale), CARD).identity() for scale in (1.0, 1.0, 0.25))
    assert one == same
    assert one.exact != other.exact


@pytest.mark.parametrize("holder", ["list", "closure", "lambda", "slots", "class body", "bound method"])
def test_a_hidden_network_is_put_into_eval_mode_and_moves_along(holder: str) -> None:
    hidden = HOLDERS[holder](1.0)
    model = Model(hidden, CARD)
    found = [m for m in model.modules() if isinstance(m, nn.Linear)]
    assert found
    assert not any(module.training for module in found)
    assert not any(p.requires_grad for p in model.parameters())
    assert next(model.double().parameters()).dtype == torch.float64


def test_a_dropout_in_a_list_drops_nothing() -> None:
    model = Model(InAList(nn.Sequential(linear(), nn.Dropout(0.5))), CARD)
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(model(images), linear()((images - model.mean) / model.std))


class Counts(nn.Module):
    """Keeps what it saw last and how often it was asked: no part of what it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.calls, self.seen = linear(), 0, None

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen = x
        y: Tensor = self.net(x)
        return y


def test_what_a_forward_pass_leaves_behind_is_no_part_of_a_model() -> None:
    model = Model(Counts(), CARD)
    before = model.identity()
    model(torch.rand(5, 3, 16, 16))
    assert model.identity() == before == Model(Counts(), CARD).identity()


def test_normalisation_and_channel_order_are_part_of_a_model() -> None:
    from dataclasses import replace

    inputs = [CARD.input, replace(CARD.input, mean=(0.5, 0.5, 0.5)), replace(CARD.input, channels="bgr")]
    found = {Model(linear(), replace(CARD, input=spec)).identity().exact for spec in inputs}
    assert len(found) == 3


def test_names_are_no_part_of_a_model() -> None:
    from dataclasses import replace

    assert Model(linear(), CARD).identity() == Model(linear(), replace(CARD, name="other")).identity()


def test_branches_of_one_checkpoint_are_two_models() -> None:
    assert load_model("tiny_mbn@clean").identity().exact != load_model("tiny_mbn@adv").identity().exact


def test_what_no_hash_sees_the_probe_does(tmp_path: Path) -> None:
    """A number read from a file at every call."""

    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = linear()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.net(x) * float((tmp_path / "scale").read_text("utf-8"))
            return y

    found = []
    for scale in ("1", "1", "0.9"):
        (tmp_path / "scale").write_text(scale)
        found.append(Model(Reads(), CARD).identity())
    assert len({identity.exact for identity in found}) == 1
    assert found[0] == found[1]
    assert not alike(found[0].probe, found[2].probe)


def test_probe_answers_of_other_arithmetic_are_one_models() -> None:
    """Sums in another order, as other machines add."""
    model = load_model("tiny_std")
    fine = load_model("tiny_std").double()
    fine.forward = lambda x: Model.forward(fine, x.double())  # type: ignore[method-assign]
    assert model.identity().probe != fine.identity().probe
    assert alike(model.identity().probe, fine.identity().probe)
    assert not alike(model.identity().probe, load_model("tiny_at").identity().probe)


def test_a_model_that_draws_at_random_has_a_repeating_probe_or_none() -> None:
    ours = Calls(lambda x: torch.rand(len(x), 4))
    own = np.random.default_rng(0)
    theirs = Calls(lambda x: torch.from_numpy(own.random((len(x), 4))))
    assert len(Model(ours, CARD).identity().probe) == 8
    assert Model(theirs, CARD).identity().probe == ()


def test_the_probe_leaves_random_draws_as_they_were() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    Model(Calls(lambda x: torch.rand(len(x), 4)), CARD).identity()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyError])
def test_a_model_that_fails_on_the_probe_still_is_what_its_hash_says(error: type[BaseException]) -> None:
    def fail(_x: Tensor) -> Tensor:
        raise error

    found = Model(Calls(fail), CARD).identity()
    assert found == Identity(found.exact, ())


FILE = """
from torch import nn
import torch
from helper import SCALE
from pack.deep import shift

class Net(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)) * SCALE + shift()

def make():
    return Net()
"""


def write(folder: Path, scale: float, shift: float) -> str:
    (folder / "pack").mkdir(parents=True, exist_ok=True)
    (folder / "net.py").write_text(FILE)
    (folder / "helper.py").write_text(f"SCALE = {scale}\n")
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "deep.py").write_text("from .deeper import value\ndef shift():\n    return value\n")
    (folder / "pack" / "deeper.py").write_text(f"value = {shift}\n")
    return f"file:{folder}/net.py:make?size=16&classes=3&labels=folder3&mean=0:0:0&std=1:1:1"


def test_a_file_is_what_it_imports_from_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folders with modules of the same names in one process, and one of them edited: each answers as it says."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # stale bytecode is what must not count
    ones = torch.ones(1, 3, 16, 16)
    x, y = write(tmp_path / "x", 2, 0), write(tmp_path / "y", 3, 0)
    models = [load_model(x), load_model(y)]
    assert [float(m(ones)[0, 0]) for m in models] == [2, 3]
    models += [load_model(write(tmp_path / "x", 2, 5)), load_model(write(tmp_path / "x", 4, 5))]
    assert [float(m(ones)[0, 0]) for m in models] == [2, 3, 7, 9]
    assert len({m.identity().exact for m in models}) == 4
    assert len({m.code_sha256 for m in models}) == 4


def test_a_file_edited_to_the_same_length_in_the_same_second_is_another(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    name = f"file:{path}:make?size=16&classes=3"
    answers = []
    for scale in ("2.0", "3.0"):
        path.write_text(
            "from torch import nn\nclass N(nn.Module):\n"
            f"    def forward(self, x): return x.mean((2, 3)) * {scale}\ndef make(): return N()\n"
        )
        answers.append(load_model(name)(torch.ones(1, 3, 16, 16)))
    torch.testing.assert_close(answers[1], answers[0] * 1.5)
    assert not list(tmp_path.glob("__pycache__"))


def test_a_files_name_keeps_its_directory_and_options_and_names_it_again(tmp_path: Path) -> None:
    typed = write(tmp_path / "x", 2, 0).replace("mean=0:0:0", "mean=0,0,0")
    model = load_model(typed)
    assert model.name.startswith(f"file:{tmp_path}/x/net.py:make?")
    assert "size=16" in model.name
    again = load_model(model.name)
    assert again.name == model.name
    assert again.card.input == model.card.input
    assert again.identity() == model.identity()


def test_a_file_that_ends_the_process_on_import_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(UnknownModelError, match="failed on import: SystemExit"):
        load_model(f"file:{tmp_path}/net.py:make")


def test_identities_of_the_embedded_models_are_all_unlike() -> None:
    names = ("tiny_std", "tiny_at", "tiny_sat_silu", "tiny_nofrost")
    found = [load_model(name).identity() for name in names]
    for one, other in itertools.combinations(found, 2):
        assert one.exact != other.exact
        assert not alike(one.probe, other.probe)


@pytest.mark.parametrize(("folder", "own"), [
    ("lib/python3/dist-packages/theirs", False), ("other/lib/python3.11/site-packages/theirs", False), ("mine", True),
])  # fmt: skip
def test_packages_of_an_environment_below_this_one_are_nobodys_own(tmp_path: Path, folder: str, own: bool) -> None:
    """In a venv upon the system's packages torch lies in another folder: as the user's code it was followed whole."""

    module = ModuleType("net")
    module.__file__ = str(tmp_path / folder / "net.py")
    assert is_users(module) is own


def test_a_proxy_and_a_masked_array_are_no_obstacle() -> None:
    """As a LightningModule has them during its training."""

    def made(mask: bool) -> nn.Module:
        net = linear()
        net.owner = weakref.proxy(net)  # type: ignore[assignment]
        net.table = np.ma.MaskedArray([1.0, 2.0], [False, mask])  # type: ignore[assignment]
        return net

    assert hidden_modules(made(True)) == []
    first, again, other = (identify(made(mask), made(mask), 16).exact for mask in (True, True, False))
    assert first == again != other


def test_no_librarys_layer_leaves_a_tensor_out_by_the_name_of_an_attribute() -> None:
    """Only what says that its tensors are made from its other attributes does (`DerivedTensors`)."""

    class Layer(nn.Linear):
        derived = "weight"

    Layer.__module__ = "torch.nn.modules.linear"

    def made(weight: float) -> nn.Module:
        layer = Layer(3 * 16 * 16, 4)
        layer.weight.data.fill_(weight)
        layer.bias.data.zero_()
        return nn.Sequential(nn.Flatten(), layer)

    assert len({identify(made(weight), made(weight), 16).exact for weight in (1.0, 2.0)}) == 2
