"""Measuring leaves a network that is in training as it was."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import bench
from bench.engine.run import carry_out, prepare_run
from bench.options import RunOptions
from bench.untouched import untouched
from tests import pretend


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(4 * 36, 5))


PICTURES = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1)).mul(255).round().div(255)
LABELS = torch.tensor([0, 1, 2, 3, 4, 0])
HOW = {"size": 8, "mean": (0.5,) * 3, "std": (0.5,) * 3, "data": (PICTURES, LABELS), "quiet": True}


def steps(net: nn.Module, out: Path | None) -> Tensor:
    """Three steps of training, with a measurement before the second where `out` is given."""
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    net.train()
    net[1].eval()  # type: ignore[index]  # a batch norm that is kept frozen
    net[0].weight.requires_grad_(False)  # type: ignore[index, union-attr]
    for step in range(3):
        if step == 1 and out is not None:
            bench.run(net, ["clean", "pgd"], eps="4/255", steps=2, reliability=0, out=out, **HOW)
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(PICTURES), LABELS).backward()
        optimiser.step()
    return torch.cat([p.detach().flatten() for p in net.parameters()])


SURROUNDINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "double by default": lambda: default_dtype(torch.float64),
    "half by default": lambda: default_dtype(torch.float16),
    "deterministic": lambda: deterministic(),
}


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
        assert torch.get_default_dtype() == dtype, "as it was found"
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def plainly(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return records(network(), tmp_path_factory.mktemp("plain"))


def records(net: nn.Module, out: Path) -> pd.DataFrame:
    bench.run(net, ["clean", "pgd"], eps="4/255", steps=2, reliability=0, out=out, **HOW)
    return bench.records(out)


@pytest.mark.parametrize("around", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_what_surrounds_a_call_moves_no_number(
    tmp_path: Path, plainly: pd.DataFrame, around: Callable[[], AbstractContextManager[Any]]
) -> None:
    """Records say float32: under autocast they were bfloat16's, and inference mode ended in a traceback."""
    net = network()
    with around():
        found = records(net, tmp_path)
    pd.testing.assert_frame_equal(found, plainly, check_exact=True)


@pytest.mark.parametrize("around", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_what_surrounds_an_attack_moves_no_verdict(around: Callable[[], AbstractContextManager[Any]]) -> None:
    net = network().eval()
    plain = bench.attack(net, PICTURES, LABELS, "apgd-ce", eps="8/255", steps=5)
    with around():
        found = bench.attack(net, PICTURES.clone(), LABELS.clone(), "apgd-ce", eps="8/255", steps=5)
    assert torch.equal(found.adversarial, plain.adversarial)
    assert torch.equal(found.confidence, plain.confidence)


def test_what_surrounds_a_prepared_run_moves_no_number(tmp_path: Path) -> None:
    """The gate, the diagnosis and reproduce go this way."""
    found = []
    for around in (contextlib.nullcontext, SURROUNDINGS["autocast"], SURROUNDINGS["double by default"]):
        out = tmp_path / str(len(found))
        with around():
            carry_out(prepare_run(["tiny_at"], ["tiny"], RunOptions.of({"limit": 4, "out": out, "quiet": True})))
        found.append(bench.records(out))
    pd.testing.assert_frame_equal(found[1], found[0], check_exact=True)
    pd.testing.assert_frame_equal(found[2], found[0], check_exact=True)


def test_a_training_that_is_measured_ends_as_one_that_is_not(tmp_path: Path) -> None:
    """Dropout draws the same, the frozen stay frozen, and every weight that is trained goes on to be."""
    assert torch.equal(steps(network(), tmp_path), steps(network(), None))


def test_a_network_that_was_moved_is_back_with_the_same_tensors() -> None:
    """An optimiser holds them: others in their place would be trained by nobody."""
    device = pretend.install()
    net = network()
    net(PICTURES).sum().backward()
    tensors = [*net.parameters(), *net.buffers(), *(p.grad for p in net.parameters())]
    values = [t.detach().clone() for t in tensors if t is not None]
    with untouched([net]):
        net.to(device)
        assert {t.device.type for t in (*net.parameters(), *net.buffers())} == {pretend.NAME}
    after = [*net.parameters(), *net.buffers(), *(p.grad for p in net.parameters())]
    assert [id(t) for t in after] == [id(t) for t in tensors]
    assert all(
        t is not None and t.device.type == "cpu" and torch.equal(t, v) for t, v in zip(after, values, strict=True)
    )
    net(PICTURES).sum().backward()


def test_networks_hidden_in_closures_are_given_back_too() -> None:
    net = network().train()

    class Called(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            out: Tensor = net(images)
            return out

    with untouched([Called()]):
        net.eval().requires_grad_(False)
        torch.set_num_threads(1)
    assert net.training
    assert all(p.requires_grad for p in net.parameters())


def test_settings_of_the_process_are_given_back() -> None:
    before, tf32 = torch.get_rng_state(), torch.backends.cudnn.allow_tf32
    with untouched([]):
        torch.manual_seed(7)
        torch.backends.cudnn.allow_tf32 = not torch.backends.cudnn.allow_tf32
    assert torch.equal(before, torch.get_rng_state())
    assert torch.backends.cudnn.allow_tf32 is tf32
