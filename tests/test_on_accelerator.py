"""Everything that computes runs on the pretend accelerator (`tests.pretend`), and finds what the host finds."""

import copy
import functools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import bench
from bench.attacks import autoattack
from bench.attacks.autoattack import apgd, apgd_t, ensemble, fab_t, square
from bench.attacks.base import Attack
from bench.attacks.budget import NORMS, Norm
from bench.attacks.network import Network
from bench.attacks.presets import make_pgd
from bench.attacks.transfer import transfer
from bench.corruptions import EXTRA, NAMES, SEVERITIES, Corruption, image_keys
from bench.corruptions.digital import jpeg
from bench.datasets import tiny
from bench.diagnostics.plane import loss_planes
from bench.engine.batches import to_images
from bench.suites import diagnostics
from bench.suites.registry import SUITES
from bench.testing import fake_model
from model_zoo.model import Model
from tests import pretend
from tests.pretend import DEVICE

PLACE = pretend.install()
EPS = {"linf": Fraction(1, 255), "l2": Fraction(1, 8), "l1": Fraction(2)}
"""Budgets within which some of `small_net`'s four images are broken and one stands."""

PICTURES = tiny.generate("val", 8)
IDS = [str(i) for i in range(8)]


def attacks(norm: Norm) -> Iterator[Attack]:
    eps, step = EPS[norm], EPS[norm] / 4
    yield apgd(norm, eps, steps=4)
    yield fab_t(norm, eps, 2, 2)
    yield square(norm, eps, 8)
    if norm == "l1":
        yield apgd_t(norm, eps, 1, 4)
        return
    yield make_pgd(norm, eps, 3, step)
    if norm == "l2":
        return
    yield make_pgd(norm, eps, 3, step, keep="best")
    yield make_pgd(norm, eps, 3, step, restarts=2, targeted=True)
    yield apgd(norm, eps, "dlr", steps=4)
    yield apgd_t(norm, eps, 2, 4)
    yield ensemble("all", apgd(norm, eps, steps=2), fab_t(norm, eps, 1, 2), square(norm, eps, 3), choices="parts")
    yield transfer(eps, ["tiny_std"])


ATTACKS = [attack for norm in NORMS for attack in attacks(norm)]


def images(n: int) -> tuple[Tensor, Tensor]:
    """`n` images [n, 3, 32, 32], and as labels what `small_net` says of them, but of the last."""
    pictures = torch.from_numpy(np.ascontiguousarray(PICTURES.images[:n])).permute(0, 3, 1, 2).float() / 255
    label = small_net()(pictures).argmax(1)
    label[-1] = (label[-1] + 1) % 10
    return pictures, label


@functools.cache
def small_net() -> Model:
    """A few layers: what is tested is the bench's own code, and each layer costs the pretend device milliseconds."""
    return fake_model(classes=10).eval()


@pytest.fixture(scope="module")
def here() -> Model:
    return small_net()


@pytest.fixture(scope="module")
def there(here: Model) -> nn.Module:
    return copy.deepcopy(here).to(PLACE)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.name}-{attack.norm}")
def test_every_attack_finds_what_it_finds_on_the_host(attack: Attack, here: Model, there: nn.Module) -> None:
    x, label = images(4)
    expected = attack.run(here, x, label, IDS[:4], batch_size=2, keep_adversarial=True)
    found = attack.run(there, x, label, IDS[:4], batch_size=2, keep_adversarial=True)
    assert torch.equal(found.prediction, expected.prediction)
    assert torch.equal(found.steps, expected.steps)
    assert found.broken_by == expected.broken_by
    torch.testing.assert_close(found.adversarial, expected.adversarial, atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_some_of_the_images_break_and_some_stand(norm: Norm, here: Model) -> None:
    broken_by = apgd(norm, EPS[norm], steps=4).run(here, *images(4), IDS[:4]).broken_by
    assert {"apgd-ce", "clean", None} == set(broken_by)


WAITS_A_PASS = {"pgd": 5, "apgd-ce": 9, "fab-t": 12, "square": 6}
"""Most synchronisations a pass of the network, with those of the images that leave."""

COUNTED = [next(a for a in ATTACKS if a.family == family) for family in WAITS_A_PASS]


@pytest.mark.parametrize("attack", COUNTED, ids=lambda attack: f"{attack.name}-{attack.norm}")
def test_waits_for_the_device_do_not_grow_with_the_batch(
    attack: Attack, there: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = 0
    for name in ("logits", "gradient"):
        own = getattr(Network, name)

        def counted(*args: object, own: object = own) -> object:
            nonlocal passes
            passes += 1
            return own(*args)  # type: ignore[operator]

        monkeypatch.setattr(Network, name, counted)
    for n in (2, 8):
        passes = 0
        with DEVICE.counted() as ledger:
            attack.run(there, *images(n), IDS[:n], batch_size=12)
        assert len(ledger.syncs) <= WAITS_A_PASS[attack.family] * passes


@pytest.mark.parametrize("name", [*NAMES, *EXTRA])
def test_every_corruption_gives_the_hosts_picture(name: str) -> None:
    pictures = np.ascontiguousarray(PICTURES.images[:2])
    for severity in SEVERITIES:
        corruption = Corruption(name, severity, jpeg_quality=None)
        keys = image_keys(0, IDS[:2], str(corruption))
        with DEVICE.counted() as ledger:
            found = corruption.on(torch.from_numpy(pictures).to(PLACE), keys).cpu().numpy()
        far = np.abs(found.astype(int) - corruption(pictures, keys))
        assert (far > 1).mean() < 0.01  # sums in another order may round a grey level to its neighbour
        assert len(ledger.syncs) <= 10


def test_jpeg_gives_the_hosts_picture() -> None:
    pictures = torch.from_numpy(np.ascontiguousarray(PICTURES.images[:2]))
    assert torch.equal(jpeg(pictures.to(PLACE), 85).cpu(), jpeg(pictures, 85))


def test_loss_planes_are_the_hosts(here: Model, there: nn.Module) -> None:
    x, label = images(2)
    of = [
        loss_planes(net, x, label, IDS[:2], reach=0.03, points=3, device=place)
        for net, place in ((here, torch.device("cpu")), (there, PLACE))
    ]
    for one, other in zip(*of, strict=True):
        np.testing.assert_allclose(one.loss, other.loss, rtol=1e-4)


def test_levels_move_as_bytes_and_become_the_hosts_numbers() -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    with DEVICE.counted() as ledger:
        moved = to_images(levels, PLACE)
    assert ledger.up == levels.nbytes
    assert ledger.syncs == []
    assert torch.equal(moved.cpu(), to_images(levels))
    assert torch.equal(to_images(levels), torch.from_numpy(levels).permute(0, 3, 1, 2) / 255)


KINDS = ("calibration", "bim", "smoothness", "margin", "tiny-cue-conflict", "union-fast", "transfer")
"""A suite of every kind; the others differ from these in data sets, corruptions and attacks, which stand above."""

BRANCHED = ("pgd-branches", "batchnorm")
"""Suites of networks with several batch norms."""


@pytest.mark.parametrize("suite", [*KINDS, *BRANCHED])
def test_a_suite_of_every_kind_runs_on_it(suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"FAST_STEPS": 2, "LED": (1, 2), "MISLED": (1, 2)}.items():
        monkeypatch.setattr(autoattack, name, few)
    monkeypatch.setattr(diagnostics, "ADAPTED", diagnostics.ADAPTED[:1])
    monkeypatch.setattr(diagnostics, "ELSEWHERE", {"tiny": ("tiny-a",)})
    checked = 2 if suite == "bim" else 0  # the checks of reliability are the same for every attack
    used = {"dataset": "tiny", "steps": 2, "reliability": checked}
    chosen = {name: value for name, value in used.items() if name in SUITES[suite].uses}
    frames = []
    for device in ("cpu", str(PLACE)):
        out = tmp_path / device.partition(":")[0]
        model = "tiny_mbn" if suite in BRANCHED else small_net()
        bench.run(model, suite, out=out, device=device, limit=2, quiet=True, **chosen)
        frames.append(bench.records(out))
    pd.testing.assert_frame_equal(*frames, rtol=1e-4, atol=1e-5)
