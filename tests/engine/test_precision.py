"""`--precision`: part of what an attacked number is, and of no other; and where a run was is kept beside it."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

import bench
from bench.engine.run import prepare
from bench.errors import UsageError
from bench.testing import fake_model


def test_the_precision_of_a_search_is_in_its_protocol_alone(imagenet: Path, tmp_path: Path) -> None:
    found = {
        precision: {
            entry.cell.protocol.condition: (entry.setup.attack, entry.cell.protocol)
            for entry in prepare(
                fake_model(), "clean,pgd", data=imagenet, limit=4, out=tmp_path, precision=precision
            ).plan.entries
        }
        for precision in ("fp32", "bf16")
    }
    for condition, (attack, protocol) in found["bf16"].items():
        assert protocol.precision == ("attacked in bf16" if attack else "float32")
        assert (protocol == found["fp32"][condition][1]) == (attack is None)


def test_a_precision_without_an_attack_is_refused(imagenet: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of the suites has an attack"):
        prepare(fake_model(), "clean", data=imagenet, limit=4, out=tmp_path, precision="bf16")


def test_where_a_run_was_is_kept(imagenet: Path, tmp_path: Path) -> None:
    bench.run(fake_model(), "clean", data=imagenet, limit=4, out=tmp_path, quiet=True)
    (file,) = tmp_path.glob("runs/*/environment-*.json")
    assert json.loads(file.read_text("utf-8"))["packages"]["torch"] == version("torch")
