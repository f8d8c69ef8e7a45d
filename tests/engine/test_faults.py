"""One fault takes one cell: whatever a model, a suite, a device or a file does, the others are measured."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import bench
from bench.cli import main
from bench.engine import contract
from bench.errors import IncompleteError, StoreError, UsageError
from bench.folder.merge import merge
from bench.folder.tables import require_complete
from bench.store import Store
from bench.testing import fake_model
from model_zoo.card import InputSpec, ModelCard, WeightsSpec
from model_zoo.model import Model
from tests.peak import arrow_memory

TINY = {"suites": "tiny", "limit": 20, "quiet": True}


class Good(nn.Module):
    """Right on every tenth image or so."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)).repeat(1, 4)[:, :10] * torch.arange(1, 11)


class Does(Good):
    """Does something else than to answer."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: Tensor) -> Tensor:
        match self.what:
            case "exit":
                sys.exit(0)
            case "raise":
                raise RuntimeError("no kernel")
            case "half":
                return super().forward(x).half() @ torch.ones(3, 10).half()
        return super().forward(x)


def model(net: nn.Module, name: str, classes: int = 10) -> Model:
    spec, weights = InputSpec(32, resize=32), WeightsSpec("none", "user", "-")
    return Model(
        net, ModelCard(name, "standard", "does", spec, weights, dataset="tiny", labels="tiny10", classes=classes)
    )


def measured(out: Path) -> set[str]:
    return set(bench.results(out)["model"])


@pytest.mark.parametrize("what", ["exit", "raise", "half"])
@pytest.mark.parametrize("order", ["bad first", "bad last"])
def test_a_model_that_fails_costs_its_own_cells_alone(tmp_path: Path, what: str, order: str) -> None:
    """Cases 6 and 7."""
    models = [model(Does(what), "bad"), model(Good(), "good")]
    with pytest.raises(IncompleteError, match=r"(?s)bad.*next: "):
        bench.run(models if order == "bad first" else models[::-1], out=tmp_path, **TINY)
    assert set(bench.records(tmp_path)["model"]) == {"good"}
    assert len(bench.records(tmp_path)) == 20


@pytest.mark.parametrize("what", ["exit", "raise", "half"])
def test_a_model_that_fails_later_costs_its_own_cells_alone(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the first look, in the middle of the work."""
    monkeypatch.setattr(
        contract, "check_model", lambda *_, **_given: contract.Contract(4, 10, "float32", 0, 0, 0, False, False)
    )
    with pytest.raises(IncompleteError, match=r"(?s)1 unit was given up, 1 done.*of bad after \d attempts?:"):
        bench.run([model(Does(what), "bad"), model(Good(), "good")], out=tmp_path, **TINY)
    assert set(bench.records(tmp_path)["model"]) == {"good"}


@pytest.mark.parametrize("what", ["exit", "raise"])
def test_a_model_that_fails_alone_leaves_nothing_behind(tmp_path: Path, what: str) -> None:
    with pytest.raises((IncompleteError, UsageError), match="bad"):
        bench.run(model(Does(what), "bad"), out=tmp_path, **TINY)
    with pytest.raises(StoreError, match="no results here"):
        bench.results(tmp_path)
    bench.run(model(Good(), "good"), out=tmp_path, **TINY)
    require_complete(bench.results(tmp_path).attrs["problems"], "out")


def write(path: Path, body: str) -> str:
    path.write_text(
        f"import sys\nimport torch\nfrom torch import nn\nclass N(nn.Module):\n    def forward(self, x):\n{body}\n"
        "def make(): return N()\n"
    )
    return f"file:{path}:make?size=32&mean=0:0:0&std=1:1:1&classes=10&labels=tiny10&dataset=tiny"


def test_the_command_shows_what_is_measured_then_what_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write(tmp_path / "bad.py", "        sys.exit(0)")
    good = write(tmp_path / "good.py", "        return x.mean((2, 3)).repeat(1, 4)[:, :10]")
    assert main(["run", "--model", f"{bad},{good}", "--suite", "tiny", "--limit", "20", "--out", f"{tmp_path}/o"]) == 3
    said = capsys.readouterr()
    assert "good.py" in said.out
    assert "SystemExit" in said.err
    assert main(["run", "--model", bad, "--suite", "tiny", "--limit", "20", "--out", f"{tmp_path}/p"]) != 0


TWO = """
import torch
from torch import nn
class Two(nn.Module):
    def forward(self, x):
        grey = x.mean((1, 2, 3))
        return torch.stack([0.5 - grey, grey - 0.5], 1)
def make(): return Two()
"""


@pytest.mark.parametrize("bad", [False, True])
def test_a_two_class_model_beside_others_under_two_attacks(tmp_path: Path, bad: bool) -> None:
    """Greys of at most 4/255 from the middle: all are right, and none is under an attack of 4/255."""
    for name, grey in (("dark", 125), ("dark", 126), ("light", 129), ("light", 130)):
        (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (grey,) * 3).save(tmp_path / "data" / name / f"{grey}.png")
    (tmp_path / "two.py").write_text(TWO)
    two = f"file:{tmp_path}/two.py:make?size=32&mean=0:0:0&std=1:1:1&classes=2&labels=folder2&dataset=folder"
    ten = write(tmp_path / "ten.py", "        return x.mean((2, 3)).repeat(1, 4)[:, :10]")
    names = [two, ten, *([write(tmp_path / "bad.py", "        sys.exit(0)")] if bad else [])]
    command = ["run", "--model", ",".join(names), "--suite", "autoattack,pgd", "--data", f"folder={tmp_path}/data"]
    command += ["--limit", "4", "--reliability", "0", "--quiet", "--out", f"{tmp_path}/o"]
    assert main(command) == (3 if bad else 0)
    table = bench.results(tmp_path / "o")
    assert {name.partition(":make")[0].rpartition("/")[2] for name in table["model"]} == {"two.py", "ten.py"}
    mine = table[table["model"].str.contains("two.py") & (table["condition"] == "all")]
    found = {(row["suite"], row["metric"]): (row["value"], row["n"]) for row in mine.to_dict("records")}
    assert found == {
        (suite, metric): (value, 4)
        for suite in ("autoattack", "pgd")
        for metric, value in (("robust_accuracy", 0.0), ("clean_accuracy", 1.0))
    }


def test_a_suite_without_its_data_costs_its_own_cells_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    with pytest.raises(IncompleteError, match=r"good, imagenet: not measured: imagenet: no data folder given"):
        bench.run(model(Good(), "good"), "imagenet,tiny", limit=20, out=tmp_path, quiet=True)
    assert set(bench.results(tmp_path)["suite"]) == {"tiny"}


def test_weights_that_are_missing_cost_their_own_model_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(IncompleteError, match=r"sat_resnet50: not measured: .*weights are missing"):
        bench.run(["sat_resnet50", "tiny_std"], out=tmp_path / "out", **TINY)
    assert measured(tmp_path / "out") == {"tiny_std"}


def test_a_factory_that_fails_is_said(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("def make():\n    raise KeyError('depth')\n")
    from model_zoo.errors import UnknownModelError

    with pytest.raises(UnknownModelError, match=r"make\(\) failed: KeyError: 'depth'"):
        bench.run(f"file:{path}:make", out=tmp_path / "out", **TINY)


@pytest.mark.parametrize("device", ["foo", "cuda:99", "cpu:x", "meta", "xpu:3", "mps:7"])
def test_a_device_that_cannot_be_used_is_said_before_anything_else(
    tmp_path: Path, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Case 8."""
    command = ["run", "--model", "tiny_std", "--suite", "tiny", "--limit", "10", "--out", f"{tmp_path}/o"]
    assert main([*command, "--device", device]) == 2
    assert f"--device {device}: " in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    assert main(command) == 0
    assert main(["verify", f"{tmp_path}/o"]) == 0


def test_unscored_pictures_are_in_the_last_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    for number in range(10):
        (tmp_path / "f" / f"n0{number}").mkdir(parents=True)
        for which in range(2):
            Image.new("RGB", (40, 40), (20 * number, 0, which)).save(
                tmp_path / "f" / f"n0{number}" / f"{number}_{which}.png"
            )
    (tmp_path / "f" / "n03" / "3_1.png").write_bytes(b"")
    (tmp_path / "f" / "n04" / "4_1.png").write_bytes(b"hello")
    net = write(tmp_path / "net.py", "        return x.mean((2, 3)).repeat(1, 4)[:, :10]").replace(
        "labels=tiny10&dataset=tiny", "labels=folder10"
    )
    code = main(
        ["run", "--model", net, "--suite", "folder", "--data", f"folder={tmp_path}/f", "--out", f"{tmp_path}/o"]
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "not scored: 1 image of folder, in 1 cell, 3_1 the first: empty file" in said.out
    assert "not scored: 1 image of folder, in 1 cell, 4_1 the first: not an image" in said.out


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name, seed in (("a", 0), ("b", 1)):
        net = Good()
        bench.run(model(net, name), out=tmp_path / "out", seed=seed, **TINY)
    return tmp_path / "out"


def test_a_damaged_description_costs_its_own_cell_and_the_same_command_mends_it(runs: Path) -> None:
    """Case 11."""
    path = next(p for p in runs.glob("cells/*/cell.json") if json.loads(p.read_text("utf-8"))["model"] == "a")
    path.write_text("{")
    found = bench.results(runs)
    assert set(found["model"]) == {"b"}
    assert any("cell.json: damaged" in problem for problem in found.attrs["problems"])
    bench.run(model(Good(), "a"), out=runs, **TINY)
    assert measured(runs) == {"a", "b"}
    assert bench.results(runs).attrs["problems"] == []


@pytest.mark.parametrize("damaged_first", [True, False])
def test_merge_takes_the_undamaged_copy(runs: Path, tmp_path: Path, damaged_first: bool) -> None:
    import shutil

    shutil.copytree(runs, tmp_path / "cut")
    for part in (tmp_path / "cut").glob("cells/*/*.parquet"):
        part.write_bytes(part.read_bytes()[:100])
    for text in (tmp_path / "cut").glob("cells/*/cell.json"):
        text.write_text("{")
    sources = [str(tmp_path / "cut"), str(runs)]
    merge(sources if damaged_first else sources[::-1], str(tmp_path / "all"))
    require_complete(bench.results(tmp_path / "all").attrs["problems"], "all")
    assert bench.records(tmp_path / "all").equals(bench.records(runs))


def test_merging_into_a_damaged_folder_mends_it(runs: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(runs, tmp_path / "cut")
    for part in (tmp_path / "cut").glob("cells/*/*.parquet"):
        part.write_bytes(part.read_bytes()[:100])
    merge([str(runs)], str(tmp_path / "cut"))
    require_complete(bench.results(tmp_path / "cut").attrs["problems"], "cut")


@pytest.mark.parametrize("what", ["link", "device", "pipe"])
@pytest.mark.parametrize("name", ["cell.json", "run.json"])
def test_what_is_no_file_of_a_results_folder_is_neither_read_nor_copied(
    runs: Path, tmp_path: Path, what: str, name: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"password": 1}')
    path = sorted(runs.glob(f"*/*/{name}"))[0]
    path.unlink()
    match what:
        case "link":
            path.symlink_to(secret)
        case "device":
            path.symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(path)
    assert any(name in problem for problem in bench.results(runs).attrs["problems"])
    merge([str(runs)], str(tmp_path / "all"))
    copied = [p.read_bytes() for p in (tmp_path / "all").rglob("*") if p.is_file()]
    assert secret.read_bytes() not in copied
    assert not any(p.is_symlink() for p in (tmp_path / "all").rglob("*"))


def test_a_folder_of_cells_that_is_a_link_is_not_followed(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "hostile").mkdir()
    (tmp_path / "hostile" / "cells").symlink_to(runs / "cells")
    (tmp_path / "hostile" / "runs").symlink_to(runs / "runs")
    with pytest.raises(StoreError, match="no results here"):
        merge([str(tmp_path / "hostile")], str(tmp_path / "all"))


def test_a_small_part_that_says_a_long_text_many_times_takes_no_memory(tmp_path: Path) -> None:

    from bench.parts import BadPart, part_names, put_part, read_part
    from bench.record import Cell, Protocol, RecordColumns, UnitKey

    n = 20_000
    cell = Cell("m", "f", {}, Protocol("imagenet", "m", n, "l", "imagenet/clean", "none"))
    ids = [f"i{k}" for k in range(n)]
    table = RecordColumns(ids, [1] * n, [2] * n, [0.5] * n, [0.1] * n, ["x" * 100_000] * n).table()
    put_part(Store(tmp_path), cell, UnitKey(0, n), table)
    del table
    (name,) = part_names(Store(tmp_path), cell.id).values()
    with arrow_memory() as pool:
        found = read_part(Store(tmp_path), cell.id, name)
    assert isinstance(found, BadPart)
    assert "texts of more than" in found.problem
    assert 0 < pool.max_memory() < 1 << 28


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_result_files_follow_the_umask(tmp_path: Path, mask: int) -> None:
    old = os.umask(mask)
    try:
        Store(tmp_path).put("cells/x/cell.json", b"{}")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "cells/x/cell.json").stat().st_mode) == 0o666 & ~mask


def test_a_results_folder_may_have_any_name(tmp_path: Path) -> None:
    bench.run(model(Good(), "a"), out=tmp_path / "runs::1", **TINY)
    assert (tmp_path / "runs::1" / "cells").is_dir()
    assert measured(tmp_path / "runs::1") == {"a"}


def test_a_table_is_written_into_a_folder_that_is_not_there(runs: Path, tmp_path: Path) -> None:
    assert main(["results", str(runs), "--csv", f"{tmp_path}/new/er/table.csv"]) == 0
    assert (tmp_path / "new/er/table.csv").read_text("utf-8").startswith("model,suite")
    (tmp_path / "file").write_text("")
    assert main(["results", str(runs), "--csv", f"{tmp_path}/file/table.csv"]) == 2
    assert main(["leaderboard", str(runs), "--csv", f"{tmp_path}/new2/board.csv"]) == 0


def test_fakes_of_one_name_and_unlike_weights_are_not_mixed_up_in_one_call(tmp_path: Path, imagenet: Path) -> None:
    table = bench.run([fake_model("m", seed=s) for s in (0, 1)], "imagenet", data=imagenet, out=tmp_path, quiet=True)
    assert table["model"].nunique() == 2


@pytest.mark.parametrize("ignored", [False, True])
def test_a_lost_terminal_stops_a_run_unless_nohup_says_otherwise(
    runs: Path, monkeypatch: pytest.MonkeyPatch, ignored: bool
) -> None:
    import signal

    from bench.commands import results

    def hang_up(_arguments: object) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        return 0

    monkeypatch.setattr(results, "_results", hang_up)
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        assert main(["results", str(runs)]) == (0 if ignored else 129)
    finally:
        signal.signal(signal.SIGHUP, old)
