"""What a module may be: each oddity works as it should or is refused on the first images with what to change."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import bench
from bench.attacks.checks import relative_change
from bench.engine.contract import Contract, check_model
from bench.errors import IncompleteError, UsageError
from bench.testing import fake_model
from model_zoo.model import Model

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Wrapped(nn.Module):
    """A small network of 10 classes whose output `change` makes odd."""

    def __init__(self, change: Callable[[Tensor], Any] = lambda out: out, *, seed: int = 0) -> None:
        super().__init__()
        self.inner = fake_model(classes=10, seed=seed).net
        self.change = change

    def forward(self, x: Tensor) -> Any:
        return self.change(self.inner(x))


class BatchNormed(nn.Module):
    """Batch norm of the batch's own statistics, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, track_running_stats=False)
        self.inner = Wrapped()

    def forward(self, x: Tensor) -> Any:
        return self.inner(self.norm(x))


class DroppedOut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Wrapped()

    def forward(self, x: Tensor) -> Any:
        return self.inner(F.dropout(x))


class Counting(nn.Module):
    """Keeps a running mean of what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.mean = Wrapped(), torch.zeros(())

    def forward(self, x: Tensor) -> Any:
        self.mean = 0.5 * self.mean + x.mean()
        return self.inner(x - self.mean)


class Writing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Wrapped()

    def forward(self, x: Tensor) -> Any:
        return self.inner(x.mul_(0.5))


class QuantisedRange(nn.Module):
    """Eight bits with one scale for the whole batch, as dynamic int8 takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Wrapped()

    def forward(self, x: Tensor) -> Any:
        scale = x.abs().amax() / 127
        return self.inner((x / scale).round() * scale)


@dataclass
class Output:
    """As Hugging Face's networks return their logits."""

    logits: Tensor
    hidden_states: None = None


def model_of(net: nn.Module, classes: int = 10) -> Model:
    return Model(net, fake_model(classes=classes).card)


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "more logits than classes": (lambda: fake_model(classes=11).net, "returns 11 logits, 10 declared"),
    "one logit": (lambda: fake_model(classes=1).net, "returns 1 logits, 10 declared"),
    "a tuple": (lambda: Wrapped(lambda out: (out, out)), r"returns a tuple of 2: return out\[0\]"),
    "a list": (lambda: Wrapped(lambda out: [out]), r"returns a list of 1: return out\[0\]"),
    "a dict": (lambda: Wrapped(lambda out: {"aux": out, "out": out}), r"dict \('aux', 'out'\): return out\['aux'\]"),
    "a dict of logits": (lambda: Wrapped(lambda out: {"loss": 0, "logits": out}), r"return out\['logits'\]"),
    "nothing": (lambda: Wrapped(lambda _: None), "returns nothing"),
    "a number": (lambda: Wrapped(lambda _: 3), "returns a int"),
    "predictions": (lambda: Wrapped(lambda out: out.argmax(1)), "before argmax"),
    "a map": (lambda: Wrapped(lambda out: out[:, :, None, None]), r"\[4, 10, 1, 1\] for 4 images"),
    "a mean over the batch": (lambda: Wrapped(lambda out: out.mean(0)), r"\[10\] for 4 images"),
    "NaN": (lambda: Wrapped(lambda out: out * float("nan")), "NaN or infinite logits on 4 of 4"),
    "infinity": (lambda: Wrapped(lambda out: out / 0), "NaN or infinite"),
    "dropout left on": (DroppedOut, "output for the same images differs on a second pass"),
    "noise": (lambda: Wrapped(lambda out: out + torch.rand(())), "differs on a second pass"),
    "state": (Counting, "state kept between calls"),
    "batch norm without statistics": (BatchNormed, "batch norm without running statistics"),
    "a softmax over the batch": (lambda: Wrapped(lambda out: out.softmax(0)), "the other images of the batch"),
    "a scale of the batch": (QuantisedRange, "int8 scales taken from it"),
    "half precision": (lambda: Wrapped().half(), r"has weights of float16 .*call model.float\(\)"),
    "bfloat16": (lambda: Wrapped().bfloat16(), r"has weights of bfloat16"),
    "float64": (lambda: Wrapped().double(), r"has weights of float64"),
    "a fixed batch": (lambda: Wrapped(lambda out: out.reshape(1, 10)), "answers one image and fails on 4"),
    "another size": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(7, 10)), r"fails on images \[4, 3, 32, 32\]"),
}  # fmt: skip


@pytest.mark.parametrize("oddity", REFUSED)
def test_an_oddity_is_refused_with_what_to_change(oddity: str) -> None:
    make, says = REFUSED[oddity]
    with pytest.raises(UsageError, match=says):
        check_model(model_of(make()), IMAGES.clone(), 10)


def test_one_declared_logit_is_no_number() -> None:
    """Its argmax is class 0 for every image."""
    with pytest.raises(UsageError, match="returns one logit an image: return one for each class"):
        check_model(model_of(fake_model(classes=1).net, 1), IMAGES.clone(), 1)


def test_a_module_that_writes_into_its_pictures_is_refused() -> None:
    with pytest.raises(UsageError, match="writes into its input"):
        check_model(Writing().eval(), IMAGES.clone(), 10)
    assert check_model(model_of(Writing()), IMAGES.clone(), 10), "behind a normalisation it writes into its own copy"


def in_training() -> nn.Module:
    model = model_of(Wrapped())
    model.net.train()
    return model


def test_a_module_left_in_training_mode_is_refused() -> None:
    with pytest.raises(UsageError, match=r"modules? in training mode \(net, .*call model.eval\(\)"):
        check_model(in_training(), IMAGES, 10)


SERVED: dict[str, Callable[[], nn.Module]] = {
    "plain": Wrapped,
    "Hugging Face": lambda: Wrapped(Output),
    "autocast": lambda: Wrapped(lambda out: out.bfloat16()),
    "TorchScript": lambda: traced(),
    "frozen": lambda: torch.jit.freeze(traced()),
    "batch norm with statistics": lambda: nn.Sequential(nn.BatchNorm2d(3), Wrapped()),
    "group norm": lambda: nn.Sequential(nn.GroupNorm(3, 3), Wrapped()),
    "dropout": lambda: nn.Sequential(nn.Dropout(), Wrapped()),
}


def traced() -> Any:
    return torch.jit.trace(fake_model(classes=10).net.eval(), IMAGES)


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize("kind", SERVED)
def test_what_answers_each_picture_for_itself_works(kind: str) -> None:
    seen = check_model(model_of(SERVED[kind]()), IMAGES, 10)
    assert isinstance(seen, Contract)
    assert (seen.pictures, seen.classes, seen.again, seen.beside) == (4, 10, 0, 0)
    assert not seen.constant
    assert not seen.remarks


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_frozen_graphs_of_unlike_weights_are_unlike_models() -> None:
    """Frozen, weights are constants of the graph and no parameters."""
    frozen = [torch.jit.freeze(torch.jit.trace(Wrapped(seed=seed).eval(), IMAGES)) for seed in (0, 0, 1)]
    one, same, other = (model_of(net).identity().exact for net in frozen)
    assert one == same != other


@pytest.mark.parametrize("squash", [
    lambda out: out.softmax(1),
    lambda out: out.softmax(1) * 0.97,  # as with a background cut off
    lambda out: F.one_hot(out.argmax(1), 10).float(),
])  # fmt: skip
def test_probabilities_are_refused(squash: Callable[[Tensor], Tensor]) -> None:
    """Their softmax was taken for the confidence: an expected calibration error of 0.76 in place of 0.02."""
    with pytest.raises(UsageError, match=r"returns probabilities .* p\.clamp\(min=1e-30\)\.log\(\)"):
        check_model(model_of(Wrapped(squash)), IMAGES, 10)
    logarithm = check_model(model_of(Wrapped(lambda out: squash(out).clamp(min=1e-30).log())), IMAGES, 10)
    assert not logarithm.remarks


def test_statistics_of_a_new_layer_under_trained_scales_are_remarked() -> None:
    """As of averaged weights whose batch norms nobody updated."""
    net = nn.Sequential(nn.BatchNorm2d(3), Wrapped()).eval()
    assert not check_model(model_of(net), IMAGES, 10).remarks
    nn.init.uniform_(net[0].weight)
    (said,) = check_model(model_of(net), IMAGES, 10).remarks
    assert said.startswith("1 batch norm with trained scales and the statistics of a new layer")
    net[0].running_mean.fill_(0.5)
    assert not check_model(model_of(net), IMAGES, 10).remarks


def test_noise_of_a_seed_belongs_to_places_in_the_batch() -> None:
    """The same twice, and beside other images; another image in the same place has the same noise."""

    def seeded(out: Tensor) -> Tensor:
        draw = torch.Generator().manual_seed(0)
        return out + 0.1 * torch.randn(out.shape, generator=draw)

    with pytest.raises(UsageError, match="or on its place among them"):
        check_model(model_of(Wrapped(seeded)), IMAGES, 10)


@pytest.mark.parametrize(("squash", "says"), [
    (lambda out: out * 0 + 2, "its output is the same for 4 images"), (torch.sigmoid, r"all outputs lie in \[0, 1\]"),
])  # fmt: skip
def test_outputs_of_an_odd_kind_are_remarked(
    tmp_path: Path, squash: Callable[[Tensor], Tensor], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (remark,) = check_model(model_of(Wrapped(squash)), IMAGES, 10).remarks
    assert re.match(says, remark)
    net = Wrapped(squash).eval()
    bench.run(net, "clean", data=(IMAGES, torch.arange(4)), out=tmp_path, mean=(0, 0, 0), std=(1, 1, 1))
    assert remark in capsys.readouterr().err


@pytest.mark.parametrize("suite", ["tiny", "tiny-c", "pgd", "smoothness"])
def test_every_suite_asks_the_same_before_it_measures(tmp_path: Path, suite: str) -> None:
    """A dummy class in the head scored 0.00 % with exit code 0."""
    model = Model(fake_model(classes=11).net, tiny_card())
    with pytest.raises(UsageError, match="fake: returns 11 logits, 10 declared"):
        bench.run(model, suite, out=tmp_path, limit=20, quiet=True, **({"dataset": "tiny"} if suite[0] != "t" else {}))
    assert not (tmp_path / "cells").exists() or not list((tmp_path / "cells").rglob("*.parquet"))


def tiny_card() -> Any:
    from dataclasses import replace

    return replace(fake_model(classes=10).card, dataset="tiny", labels="tiny10")


def test_a_refused_model_costs_its_own_cells_alone(tmp_path: Path) -> None:
    good, bad = (Model(net, tiny_card()) for net in (fake_model(classes=10).net, BatchNormed()))
    bad.card = type(bad.card)(**{**vars(bad.card), "name": "odd"})
    with pytest.raises(IncompleteError, match=r"done and stored, not done: odd: its output for an image depends"):
        bench.run([good, bad], "tiny", out=tmp_path, limit=20, quiet=True)
    table = bench.results(tmp_path)
    assert set(table["model"]) == {"fake"}
    assert table["n"].max() == 20
    (kept,) = tmp_path.glob("runs/*/contracts.json")
    (seen,) = json.loads(kept.read_text("utf-8")).values()
    assert seen["model"] == "fake"
    assert seen["beside"] == 0
    assert seen["classes"] == 10


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_answers_of_nothing_but_zeros_are_the_same_on_a_second_look(dtype: torch.dtype) -> None:
    """In half precision 1e-12 is 0, and 0 / 0 was said to be an unlike answer."""
    assert relative_change(torch.zeros(2, 3, dtype=dtype), torch.zeros(2, 3, dtype=dtype)) == 0
    assert relative_change(torch.ones(2, 3, dtype=dtype), torch.zeros(2, 3, dtype=dtype)) == 1
    assert relative_change(torch.full((1,), float("nan"), dtype=dtype), torch.zeros(1, dtype=dtype)) == float("inf")


class FewerKernels(nn.Module):
    """Answers a batch of one 1 % larger, as kernels of half precision may."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        logits = x.flatten(1)[:, :10] * (1.01 if len(x) == 1 else 1)
        return logits.to(self.dtype)


def test_a_batch_of_one_may_round_otherwise_in_half_precision_alone() -> None:
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert 0 < check_model(FewerKernels(torch.bfloat16).eval(), images, 10).alone < 3e-2
    with pytest.raises(UsageError, match="depends on the other images of the batch"):
        check_model(FewerKernels(torch.float32).eval(), images, 10)
