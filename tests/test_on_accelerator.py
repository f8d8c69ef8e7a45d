"""Everything that computes runs on the pretend accelerator (`tests.pretend`), and finds what the host finds."""

import copy
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import bench
from bench.attacks.autoattack import apgd, apgd_t, ensemble, fab_t, square
from bench.attacks.base import Attack
from bench.attacks.network import Network
from bench.attacks.presets import make_pgd
from bench.corruptions import EXTRA, NAMES, SEVERITIES, Corruption, image_keys
from bench.corruptions.digital import jpeg
from bench.datasets import tiny
from bench.diagnostics.plane import loss_planes
from bench.suites.registry import SUITES
from model_zoo.load import load_model
from model_zoo.model import Model
from tests import pretend
from tests.pretend import DEVICE

PLACE = pretend.install()
STEP, EPS = Fraction(2, 255), {"linf": Fraction(8, 255), "l2": Fraction(1, 2)}
PICTURES = tiny.generate("val", 12)
IDS = [str(i) for i in range(12)]


def attacks(norm: str) -> Iterator[Attack]:
    eps = EPS[norm]
    yield make_pgd(norm, eps, 5, STEP)
    yield apgd(norm, eps, steps=8)
    yield fab_t(norm, eps, 2, 5)
    yield square(norm, eps, 20)
    if norm == "l2":
        return
    yield make_pgd(norm, eps, 5, STEP, keep="best")
    yield make_pgd(norm, eps, 5, STEP, restarts=2, targeted=True)
    yield apgd(norm, eps, "dlr", steps=8)
    yield apgd_t(norm, eps, 2, 8)
    yield ensemble("all", apgd(norm, eps, steps=4), fab_t(norm, eps, 1, 4), square(norm, eps, 8), choices="parts")


ATTACKS = [attack for norm in EPS for attack in attacks(norm)]


def images(n: int) -> tuple[Tensor, Tensor]:
    pictures = torch.from_numpy(np.ascontiguousarray(PICTURES.images[:n])).permute(0, 3, 1, 2).float() / 255
    return pictures, torch.from_numpy(PICTURES.labels[:n]).long()


@pytest.fixture(scope="module")
def here() -> Model:
    return load_model("tiny_at")


@pytest.fixture(scope="module")
def there(here: Model) -> nn.Module:
    return copy.deepcopy(here).to(PLACE)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_finds_what_it_finds_on_the_host(attack: Attack, here: Model, there: nn.Module) -> None:
    x, label = images(4)
    expected = attack.run(here, x, label, IDS[:4], batch_size=3, keep_adversarial=True)
    found = attack.run(there, x, label, IDS[:4], batch_size=3, keep_adversarial=True)
    assert torch.equal(found.prediction, expected.prediction)
    assert torch.equal(found.steps, expected.steps)
    assert found.broken_by == expected.broken_by
    torch.testing.assert_close(found.adversarial, expected.adversarial, atol=1e-5, rtol=0)


WAITS_A_PASS = {"pgd": 5, "apgd-ce": 9, "fab-t": 12, "square": 6}
"""Most synchronisations a pass of the network, with those of the images that leave."""


@pytest.mark.parametrize("attack", ATTACKS[:4], ids=lambda attack: attack.name)
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


KINDS = ("calibration", "pgd-branches", "bim", "batchnorm", "smoothness", "margin", "tiny-cue-conflict")
"""A suite of every kind; the others differ from these in data sets, corruptions and attacks, which stand above."""


@pytest.mark.parametrize("suite", KINDS)
def test_a_suite_of_every_kind_runs_on_it(suite: str, tmp_path: Path) -> None:
    used = {"steps": 2, "reliability": 2 if suite == "bim" else 0}  # its checks are the same for every attack
    chosen = {name: value for name, value in used.items() if name in SUITES[suite].uses}
    frames = []
    for device in ("cpu", str(PLACE)):
        out = tmp_path / device.partition(":")[0]
        bench.run("tiny_mbn", suite, out=out, device=device, limit=2, quiet=True, **chosen)
        frames.append(bench.records(out))
    pd.testing.assert_frame_equal(*frames, rtol=1e-4, atol=1e-5)
