"""Networks against the original code's logits, activations and adversarial images, with controls that must fail."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.attacks.network import Network
from bench.attacks.pgd import Pgd
from bench.attacks.queue import Queue, Trial, Workload
from bench.cli import main
from model_zoo.build import build, room_of
from model_zoo.fill import fill
from model_zoo.model import Model
from model_zoo.oracles import OracleError, images_of, oracle_card, read_oracle
from model_zoo.parity import TOLERANCE, check, load_oracle

SAT = [
    f"sat_tiny_{name}"
    for name in ("relu_224", "silu_224", "elu_224", "gelu_224", "smoothrelu_224", "silu_299", "resnext32x4d_silu_224")
]
DENOISING = ["fb_tiny_resnet_224", "fb_tiny_denoise_224", "fb_tiny_denoiseall_224"]
EFFICIENTNETS = ["sateff_tiny_224", "tfeff_tiny_eps1e-3_imagenet_224"]


@pytest.mark.parametrize("name", SAT + DENOISING + EFFICIENTNETS)
def test_logits_are_the_original_codes(shared: Path, name: str) -> None:
    report = check(shared / "oracles" / name)
    assert report.ok, report
    assert len(report.differences) == (2 if name == "sateff_tiny_224" else 1)
    assert all(0 < d.relative < TOLERANCE for d in report.differences)


def relative_error(model: Model, io: dict[str, np.ndarray], output: str = "logits") -> float:
    expected = torch.from_numpy(io[output])
    with torch.no_grad():
        return float((model(images_of(io)) - expected).abs().max() / expected.abs().max())


def rebuilt(path: Path, **changes: Any) -> Model:
    """The oracle's model with its `[build]` table changed, and the same weights."""
    oracle = read_oracle(path)
    card = oracle_card(oracle)
    card = replace(card, build={**card.build, **changes})
    net = build(card)
    fill(net, room_of(card).convert(card, oracle.weights() or {}), card.name)
    return Model(net, card)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("sat_tiny_silu_224", {"padding": "torch"}),
        ("sat_tiny_silu_224", {"padding": "same"}),
        ("sat_tiny_gelu_224", {"activation": "silu"}),
        ("fb_tiny_denoise_224", {"padding": "same_pool"}),
        ("sateff_tiny_224", {"bn_eps": 1e-3}),
        ("sateff_tiny_224", {"average": True}),
        ("tfeff_tiny_eps1e-3_imagenet_224", {"bn_eps": 1e-5}),
    ],
)
def test_a_wrong_padding_activation_or_epsilon_is_found_out(shared: Path, name: str, change: dict[str, Any]) -> None:
    path = shared / "oracles" / name
    output = "logits_raw" if "eff" in name else "logits"
    assert relative_error(rebuilt(path, **change), read_oracle(path).io(), output) > 10 * TOLERANCE


@pytest.mark.parametrize("name", ["sat_tiny_silu_224", "sateff_tiny_224"])
def test_the_wrong_order_of_colours_is_found_out(shared: Path, name: str) -> None:
    path = shared / "oracles" / name
    io = read_oracle(path).io()
    model = load_oracle(path)
    wrong: Literal["rgb", "bgr"] = "rgb" if model.card.input.channels == "bgr" else "bgr"
    model.card = replace(model.card, input=replace(model.card.input, channels=wrong))
    assert relative_error(model, io, "logits_raw" if "eff" in name else "logits") > 10 * TOLERANCE


def test_a_wrong_epsilon_may_leave_every_prediction_as_it_was(shared: Path) -> None:
    """Why logits are compared, and not classes."""
    path = shared / "oracles/sateff_tiny_224"
    io = read_oracle(path).io()
    with torch.no_grad():
        wrong = rebuilt(path, bn_eps=1e-3)(images_of(io))
    assert wrong.argmax(1).tolist() == io["logits_raw"].argmax(1).tolist()


def site_of(name: str) -> str | None:
    """The module whose output the original code probed under `name`; None where there is none of its own."""
    group, _, block = name.removesuffix("/block_output").partition("/block")
    if name.startswith("block_"):
        return None
    return {"pool0/output": "maxpool", "stem": None}.get(name) or (
        f"layer{int(group[5:]) + 1}.{block}.act3" if name.endswith("block_output") else None
    )


@pytest.mark.parametrize("name", ["sat_tiny_silu_299", "fb_tiny_denoiseall_224"])
def test_every_block_has_the_original_codes_mean(shared: Path, name: str) -> None:
    path = shared / "oracles" / name
    io = read_oracle(path).io()
    model = load_oracle(path)
    probed = {key: site_of(key.removeprefix("probe_mean/")) for key in io if key.startswith("probe_mean/")}
    sites = {key: site for key, site in probed.items() if site}
    assert len(sites) == 6
    with recorded(model.net, list(sites.values())) as outputs, torch.no_grad():
        model(images_of(io)[:1])
    for key, site in sites.items():
        np.testing.assert_allclose(outputs[site][0].mean(dim=(1, 2)), io[key], atol=2e-5 * np.abs(io[key]).max())


@contextmanager
def recorded(net: nn.Module, sites: list[str]) -> Iterator[dict[str, Tensor]]:
    outputs: dict[str, Tensor] = {}
    hooks = [
        net.get_submodule(site).register_forward_hook(lambda _m, _i, y, site=site: outputs.__setitem__(site, y))
        for site in sites
    ]
    yield outputs
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("name", ["sat_tiny_silu_224", "sat_tiny_smoothrelu_224", "fb_tiny_denoise_224"])
def test_pgd_from_the_clean_image_is_the_original_attack(shared: Path, name: str, steps: int) -> None:
    path = shared / "oracles" / name
    io = read_oracle(path).io()
    eps, step = (float(v) / 2 for v in io[f"pgd{steps}_eps_step"])  # stored on the [-1, 1] scale
    label, target = (torch.from_numpy(io[key]).long() for key in ("pgd_label", f"pgd{steps}_target"))
    targeted = bool((label != target).any())
    # In float64: which way a gradient near zero points is decided by rounding, on some 0.2 % of pixels after 5 steps.
    model, images = load_oracle(path).double(), images_of(io)[: len(label)].double()
    search = Pgd("linf", eps, steps, step, targeted=targeted, random_start=False)
    aimed = nn.functional.one_hot(target, 1000).float()  # makes the target the likeliest wrong class
    workload = Workload(images, label, [str(i) for i in range(len(label))], aimed)
    trial = Trial(search, rank=1 if targeted else 0)
    queue = Queue(Network(model, torch.device("cpu")), [trial], workload, seed=0, batch_size=len(label))
    for index in range(len(label)):
        queue.add(index)
    queue.drain()
    found = torch.stack([queue.findings[i].image for i in range(len(label))]) * 2 - 1
    expected = torch.from_numpy(io[f"pgd{steps}_adv_nchw_bgr_minus1_1"]).flip(1)
    same = ((found - expected).abs() < 2e-6).float().mean().item()
    assert same >= 0.999, same


@pytest.fixture(scope="session")
def genweights(shared: Path) -> ModuleType:
    """The oracles' own generator of weights, which these tests run knowingly; `bench parity` never does."""
    spec = importlib.util.spec_from_file_location("genweights", shared / "oracles/genweights.py")
    if spec is None or spec.loader is None:
        pytest.skip("genweights.py cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copied(source: Path, target: Path) -> Path:
    for name in ("meta.json", "io.npz"):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    return target


@pytest.mark.parametrize("suffix", ["", ":0"])
def test_nofrost_with_weights_made_beside_it(shared: Path, tmp_path: Path, genweights: ModuleType, suffix: str) -> None:
    path = copied(shared / "oracles/nofrost_nf_resnet50_full_224_noweights", tmp_path)
    variables = json.loads((path / "meta.json").read_text("utf-8"))["variables"]
    bare = {name: name.removeprefix("module.") for name in variables}
    made = {f"{name}{suffix}": genweights.value_torch(bare[name], shape) for name, shape in variables.items()}
    np.savez(path / "weights.npz", **made)
    report = check(path)
    assert report.ok, report
    assert report.parameters == 25_557_032
    assert len(report.differences) == 1


def test_a_tensorflow_checkpoint_with_decoys_gives_the_same_logits(shared: Path, tmp_path: Path) -> None:
    copied(shared / "oracles/sat_tiny_silu_224", tmp_path)
    for file in (shared / "oracles/sat_tiny_silu_224_tfckpt").iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    report = check(tmp_path)
    assert report.ok, report
    assert report.differences == replace(check(shared / "oracles/sat_tiny_silu_224"), oracle="").differences


def test_an_oracle_without_weights_or_logits_has_its_names_compared(shared: Path) -> None:
    report = check(shared / "oracles/sateff_L1_names_only")
    assert report.ok
    assert report.missing == "no weights and no logits"
    assert report.parameters == 272_630_564
    assert report.differences == ()


def test_misfitting_names_are_reported(shared: Path, tmp_path: Path) -> None:
    meta = json.loads((shared / "oracles/sat_tiny_silu_224/meta.json").read_text("utf-8"))
    del meta["variables"]["linear/b"]
    meta["variables"]["linear/W"] = [256, 10]
    meta["variables"]["group9/block0/conv1/W"] = [1, 1, 8, 8]
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    report = check(tmp_path)
    assert not report.ok
    assert {m.split(" (")[0] for m in report.misfits} == {
        "not in the file: fc.bias",
        "of another shape: fc.weight",
        "not in the network: layer10.0.conv1.weight",
    }


@pytest.mark.parametrize(
    "meta",
    [
        None,
        "[]",
        "{",
        '{"args": {}, "variables": {}}',
        '{"args": {"repo": "sat"}, "variables": {}}',
        '{"args": {"model": "efficientnet-b99", "eps": 1}, "variables": {}}',
        '{"args": 1, "variables": {"a": 3}}',
    ],
)
def test_a_folder_that_is_no_oracle_is_named(tmp_path: Path, meta: str | None) -> None:
    if meta is not None:
        (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(OracleError, match=str(tmp_path)):
        check(tmp_path)


def test_code_in_the_folder_is_never_run(shared: Path, tmp_path: Path) -> None:
    copied(shared / "oracles/sat_tiny_silu_224", tmp_path)
    trap = tmp_path / "ran"
    for name in ("genweights.py", "conftest.py", "__init__.py"):
        (tmp_path / name).write_text(f"open({str(trap)!r}, 'w')")
    check(tmp_path)
    assert not trap.exists()


def test_the_command_compares_the_others_where_a_folder_is_no_oracle(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = shared / "oracles/sat_tiny_silu_224"
    damaged = copied(good, tmp_path)
    (damaged / "weights.npz").write_bytes((good / "weights.npz").read_bytes()[:1000])
    assert main(["parity", str(shared / "oracles/README.md"), str(damaged), str(good)]) == 5
    lines = capsys.readouterr().out.splitlines()
    assert "README.md  not compared" in lines[0]
    assert "damaged or truncated" in lines[1]
    assert lines[2].startswith("sat_tiny_silu_224  logits")
    assert lines[2].endswith("ok")
    assert main(["parity", str(good)]) == 0


def test_the_command_holds_prepared_pictures_against_the_originals(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", str(shared / "oracles/preproc")]) == 0
    assert capsys.readouterr().out.count(" ok") == 2
    with np.load(shared / "oracles/preproc/preproc.npz") as stored:
        arrays = dict(stored)
    arrays["tensorpack_eval_224_bgr_uint8"] = arrays["tensorpack_eval_224_bgr_uint8"][::-1]
    np.savez(tmp_path / "preproc.npz", **arrays)
    assert main(["parity", str(tmp_path)]) == 4
    assert "DIFFERENT" in capsys.readouterr().out
    (tmp_path / "preproc.npz").write_bytes(b"PK")
    assert main(["parity", str(tmp_path)]) == 5
