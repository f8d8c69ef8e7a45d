"""The recount: complete, missing, doubled, damaged, and what no plan knows of."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import bench
from bench.cli import main
from bench.folder.tables import results
from bench.folder.verify import verify
from bench.parts import cell_ids, part_names, put_part, read_cell, read_part
from bench.record import UnitKey
from bench.store import Store
from bench.testing import write_results


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    bench.run(["tiny_std", "tiny_at"], ["tiny", "tiny-cue-conflict"], out=out, limit=12)
    return out


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    from bench.folder.merge import merge

    merge([str(whole)], str(tmp_path))
    return tmp_path


def parts(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("cells/*/*.parquet"))


def test_a_finished_run_is_whole(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recount = verify(str(whole))
    assert (recount.planned, recount.whole, recount.records, recount.problems) == (4, 4, 48, [])
    assert main(["verify", str(whole)]) == 0
    assert "4 of 4 cells whole, 48 records" in capsys.readouterr().out


def test_what_is_missing_is_named_and_exits_with_3(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next(parts(copy)).unlink()
    assert main(["verify", str(copy)]) == 3
    printed = capsys.readouterr()
    assert "0 of 12 images" in printed.out
    assert "3 of 4 cells whole" in printed.err


def test_an_image_twice_is_found(copy: Path) -> None:
    store = Store(copy)
    cell_id = next(cell_ids(store))
    ((unit, name),) = part_names(store, cell_id).items()
    table = read_part(store, cell_id, name)
    assert isinstance(table, pa.Table)
    twice = pd.concat([table.to_pandas()[:-1], table.to_pandas()[:1]])
    store.remove(f"cells/{cell_id}/{name}")
    put_part(
        store, read_cell(store, cell_id), UnitKey(unit.start, unit.stop), pa.Table.from_pandas(twice, table.schema)
    )
    (problem,) = verify(str(copy)).problems
    assert "1 record too many of images that have one" in problem.says


def test_a_flipped_bit_is_found(copy: Path) -> None:
    path = next(parts(copy))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert any("checksum" in problem.says for problem in verify(str(copy)).problems)


def test_cells_of_no_run_and_runs_without_cells(copy: Path) -> None:
    store = Store(copy)
    lost = next(cell_ids(store))
    for path in (copy / "cells" / lost).iterdir():
        path.unlink()
    assert [problem.says for problem in verify(str(copy)).problems] == ["nothing of it is there"]
    for path in copy.glob("runs/*/run.json"):
        path.unlink()
    assert (verify(str(copy)).planned, verify(str(copy)).spare) == (0, 3)


@pytest.mark.parametrize("across", [False, True])
def test_a_plan_that_was_altered_gives_no_number(across: bool, tmp_path: Path) -> None:
    """Cells of a run.json are exchanged: of two conditions, or of one condition of two models."""
    attack = "imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted"
    for model, robust in (("a", 0.3), ("b", 0.7)):
        write_results(tmp_path, model, {"pgd": {"imagenet/clean": 0.9, attack: robust}}, version=2)
    files = sorted(tmp_path.glob("runs/*/run.json"))
    plans = [json.loads(file.read_text()) for file in files]
    one, other = (plans[0]["entries"][1], plans[1]["entries"][1]) if across else plans[0]["entries"]
    one["cell"], other["cell"] = other["cell"], one["cell"]
    for file, plan in zip(files, plans, strict=True):
        file.write_text(json.dumps(plan))
    table = results(tmp_path)
    right = {("imagenet/clean", "a"): 0.9, ("imagenet/clean", "b"): 0.9, (attack, "a"): 0.3, (attack, "b"): 0.7}
    for row in table[table["condition"] != "all"].to_dict("records"):
        assert row["value"] == right[row["condition"], row["model"]]
    assert len(table[table["metric"] == "robust_accuracy"]) == (0 if across else 1)
    assert len(table.attrs["problems"]) == 2
    records = bench.records(tmp_path)
    hits = records["prediction"] == records["label"]
    shares = hits.astype(float).groupby([records["condition"].astype(str), records["model"].astype(str)]).mean()
    assert shares.to_dict() == pytest.approx(right)
