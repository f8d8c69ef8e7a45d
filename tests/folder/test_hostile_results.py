"""Results folders and tables of others that were made to do harm: what `benchmarks/fuzz` found, one test each."""

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.board.leaderboard import leaderboard
from bench.cli import main
from bench.diagnostics.table import SCHEMA, merged
from bench.errors import StoreError, UsageError
from bench.folder.reader import ResultsFolder
from bench.folder.tables import results
from bench.gate.baseline import Baseline, RunSpec, baseline_name, read_baseline, write_baseline
from bench.gate.check import check
from bench.gate.judgement import Status
from bench.parts import part_names, put_part, read_part
from bench.published.outside import read_outside
from bench.record import Cell, Protocol, UnitKey, digest
from bench.store import Store
from bench.testing import write_results

PGD = "imagenet/pgd-linf-eps8_255-k10-a2_255-r1-untargeted"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_results(tmp_path, "tiny_std", {"pgd": {"imagenet/clean": 0.7, PGD: 0.3}}, n=8)
    return tmp_path


def change(path: Path, how: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text("utf-8"))
    how(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "how",
    [
        lambda m: m.update(entries={}),
        lambda m: m.update(models=[]),
        lambda m: m.update(suites={"pgd": "x"}),
        lambda m: m["models"].clear(),
        lambda m: m["entries"][0].pop("cell"),
        lambda m: m.update(given=3),
        lambda m: m["entries"][0].update(condition=["a"]),
        lambda m: m["entries"][0].update(condition="a/b/c"),
        lambda m: m["entries"][0].update(model="\ud800"),
        lambda m: m["models"]["tiny_std"].update(parameters="many"),
        lambda m: m["models"]["tiny_std"].update(input={"size": "big"}),
    ],
)
def test_a_run_json_of_other_types_is_refused_by_its_name(
    folder: Path, how: Callable[[dict[str, Any]], object]
) -> None:
    (path,) = folder.glob("runs/*/run.json")
    change(path, how)
    with pytest.raises(StoreError, match=r"run\.json: damaged"):
        results(folder)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "", "\ud800", "9" * 5000])
def test_a_run_json_that_is_none_is_refused_by_its_name(folder: Path, content: str) -> None:
    (path,) = folder.glob("runs/*/run.json")
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(StoreError, match=r"run\.json: damaged"):
        leaderboard(folder)


@pytest.mark.parametrize("lost", ["imagenet/clean", PGD])
def test_a_run_that_lost_an_entry_has_no_number_made_of_it(folder: Path, lost: str) -> None:
    (path,) = folder.glob("runs/*/run.json")
    change(path, lambda m: m.update(entries=[e for e in m["entries"] if e["condition"] != lost]))
    found = results(folder)
    measured = found[(found["condition"] == "all") & found["value"].notna()]
    assert set(measured["metric"]) == {"robust_accuracy" if lost == "imagenet/clean" else "clean_accuracy"}


@pytest.mark.parametrize(
    "how",
    [
        lambda c: c.update(seed="0"),
        lambda c: c["protocol"].update(images=-1),
        lambda c: c.update(protocol=[]),
        lambda c: c["protocol"].update(images=1.5),
        lambda c: c.update(surprise=1),
        lambda c: c.update(model=None),
    ],
)
def test_a_cell_of_other_types_is_refused_even_under_its_own_hash(
    folder: Path, how: Callable[[dict[str, Any]], object]
) -> None:
    path = sorted(folder.glob("cells/*/cell.json"))[0]
    change(path, how)
    path.parent.rename(path.parent.with_name(digest(json.loads((path).read_text("utf-8")))))
    found = results(folder)
    assert any("cell.json: damaged" in problem for problem in found.attrs["problems"])
    assert len(found) == 1, "the other cell is shown"


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", '{"level": "fine", "because": []}', '{"level": "reliable"}'])
def test_a_verdict_that_is_none_is_a_problem_of_its_cell(folder: Path, content: str) -> None:
    (sorted(folder.glob("cells/*"))[0] / "reliability.json").write_text(content)
    frame = results(folder)
    assert any("reliability.json: damaged" in problem for problem in frame.attrs["problems"])
    assert not (frame["reliability"] != "").any()


def replaced(folder: Path, make: Callable[[pa.Table], pa.Table]) -> list[str]:
    """Problems of a cell whose part is `make` of it, under the checksum that its bytes have."""
    store = Store(folder)
    found = ResultsFolder(str(folder))
    cell = next(iter(found.cells.values()))
    ((unit, name),) = part_names(store, cell.id).items()
    part = read_part(store, cell.id, name)
    assert isinstance(part, pa.Table)
    store.remove(f"cells/{cell.id}/{name}")
    put_part(store, cell, unit, make(part))
    return list(found.load(cell.id).problems)


def invalid_text(table: pa.Table) -> pa.Table:
    offsets = np.arange(table.num_rows + 1, dtype=np.int32)
    column = pa.Array.from_buffers(
        pa.string(), table.num_rows, [None, pa.py_buffer(offsets), pa.py_buffer(b"\xff" * table.num_rows)]
    )
    return table.set_column(0, pa.field("image_id", pa.string(), nullable=False), column)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda t: t.remove_column(1), "no column label"),
        (lambda t: t.append_column("label", t.column("label")), "a column stands there twice"),
        (lambda t: t.append_column("colour", pa.array(["red"] * len(t))), "column colour is string"),
        (lambda t: t.set_column(1, "label", pa.array(["x"] * len(t))), "column label is string"),
        (lambda t: t.set_column(1, "label", pa.nulls(len(t), pa.int32())), "8 of it null"),
        (invalid_text, "UTF8"),
    ],
)
def test_records_of_other_columns_are_no_records(folder: Path, make: Callable[[pa.Table], pa.Table], says: str) -> None:
    problems = replaced(folder, make)
    assert any(says in problem for problem in problems), problems
    assert "0 of 8 images" in problems[-1]


@pytest.mark.parametrize("key", [b"pandas", b"measurement"])
@pytest.mark.parametrize("value", [b"\xff", b"[" * 9999, b'{"index_columns": ["nothing"]}', b"../../x"])
def test_metadata_of_a_part_is_not_believed(folder: Path, key: bytes, value: bytes) -> None:
    problems = replaced(folder, lambda table: table.replace_schema_metadata({key: value}))
    assert bool(problems) == (key == b"measurement")  # which is missing then


def measurement(rows: int = 2) -> pa.Table:
    columns = {f.name: pa.array((["a", "b"] if pa.types.is_string(f.type) else [1, 2])[:rows], f.type) for f in SCHEMA}
    return pa.table(columns, schema=SCHEMA)


@pytest.mark.parametrize(
    "table",
    [measurement(0), measurement().remove_column(3), measurement().set_column(5, SCHEMA[5], pa.nulls(2, pa.int64()))],
)
def test_a_measurement_without_rows_columns_or_counts_is_refused(table: pa.Table) -> None:
    with pytest.raises(StoreError, match="a measurement holds"):
        merged([table])


def test_a_measurement_of_other_columns_is_a_problem_of_its_cell(folder: Path) -> None:
    store, cell = Store(folder), next(iter(ResultsFolder(str(folder)).cells.values()))
    ((unit, name),) = part_names(store, cell.id).items()
    part = read_part(store, cell.id, name)
    store.remove(f"cells/{cell.id}/{name}")
    put_part(store, cell, unit, part, pa.table({"x": [1]}))
    problems = ResultsFolder(str(folder)).load(cell.id).problems
    assert "the measurement of" in problems[0]


@pytest.mark.parametrize("how", [lambda b: b.update(model=3), lambda b: b["cells"].append(3), lambda b: b.clear()])
def test_a_baseline_of_other_types_is_refused(tmp_path: Path, how: Callable[[dict[str, Any]], object]) -> None:
    path = write_baseline(tmp_path, Baseline("m", "f", {}, (), ()))
    change(path, how)
    with pytest.raises(StoreError, match="not a baseline"):
        read_baseline(path)


@pytest.mark.parametrize("options", [{"out": "/tmp/x"}, {"weights": "evil.pth"}, {"data": "/"}, {"limit": "x"}])
def test_a_baseline_names_no_file_and_no_folder(tmp_path: Path, options: dict[str, Any]) -> None:
    path = write_baseline(tmp_path, Baseline("m", "f", {}, (RunSpec("tiny", 1, {"limit": 9}),), ()))
    change(path, lambda b: b["measures"][0].update(options=options))
    with pytest.raises(StoreError, match="option"):
        read_baseline(path)


def test_a_baseline_of_a_trillion_images_takes_no_memory(tmp_path: Path) -> None:
    protocol = Protocol("d", "m", 10**12, "l", "d/clean", "none").__dict__
    path = write_baseline(tmp_path, Baseline("m", "f", {}, (), ()))
    cell = {
        "suite": "s",
        "seed": 0,
        "protocol": protocol,
        "scored": 10**12,
        "correct": 10**12,
        "right": "",
        "seen": "",
        "records": "",
    }
    change(path, lambda b: b["cells"].append(cell))
    with pytest.raises(StoreError, match="expected 1000000000000 bits"):
        read_baseline(path)


def test_a_baseline_folder_runs_nobody_s_file(tmp_path: Path) -> None:
    """`bench check --baseline DIR` loads what DIR's files are named after; a `file:` model would run."""
    source = tmp_path / "net.py"
    source.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\ndef make(): ...\n")
    (tmp_path / "accepted").mkdir()
    (tmp_path / "accepted" / baseline_name(f"file:{source}:make")).write_text("{}")
    (finding,) = check(baseline=tmp_path / "accepted").findings
    assert finding.status is Status.UNCHECKED
    assert "bench check --model file:" in finding.evidence
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("value", ["NaN", "1e999", "-Infinity", "9" * 400])
def test_a_published_number_is_a_number(tmp_path: Path, value: str) -> None:
    (tmp_path / "x.json").write_text(f'{{"eps": "4/255", "clean_acc": {value}}}')
    with pytest.raises(UsageError, match="--outside"):
        read_outside(tmp_path / "x.json")


def test_a_field_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results-imagenet.csv").write_text("model,top1\n" + "x" * 200_000 + ",1\n")
    with pytest.raises(UsageError, match="field larger than"):
        read_outside(tmp_path / "results-imagenet.csv")


def test_only_the_unit_of_a_damaged_part_is_done_again(tmp_path: Path) -> None:
    """Cut short, bit-flipped, of other columns: each costs its own unit, and the records are those of before."""
    import bench

    out = tmp_path / "out"
    bench.run("tiny_std", ["tiny", "tiny-stylized"], out=out, quiet=True)  # ten units each
    before = bench.records(out)
    parts = sorted(out.glob("cells/*/*.parquet"))
    cut, flipped, foreign = parts[0], parts[7], parts[13]
    content = {path: path.read_bytes() for path in parts}
    cut.write_bytes(content[cut][:-9])
    data = bytearray(content[flipped])
    data[len(data) // 2] ^= 4
    flipped.write_bytes(data)
    table = pq.read_table(io.BytesIO(content[foreign])).drop_columns("margin")
    foreign.unlink()
    put_part(Store(out), Cell.from_json((foreign.parent / "cell.json").read_text("utf-8")), unit_of(foreign), table)
    times = {path: path.stat().st_mtime_ns for path in parts if path not in (cut, flipped, foreign)}
    bench.run("tiny_std", ["tiny", "tiny-stylized"], out=out, quiet=True)
    assert {path: path.read_bytes() for path in sorted(out.glob("cells/*/*.parquet"))} == content
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    pd.testing.assert_frame_equal(bench.records(out), before)
    assert not math.isnan(before["margin"].sum())


def unit_of(path: Path) -> UnitKey:
    start, stop = path.name.split(".")[0].split("-")
    return UnitKey(int(start), int(stop))


def test_a_headline_that_cannot_be_computed_is_said_and_exits_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images without the validation set's names have no ReaL labels: the number stands there as missing."""
    write_results(tmp_path, "a", {"imagenet-real": {"imagenet/clean": 0.5}})
    table = results(tmp_path)
    row = table[table["metric"] == "real_accuracy"].iloc[0]
    assert math.isnan(row["value"])
    assert "original names" in row["because"]
    assert main(["results", str(tmp_path)]) == 3
    assert "a, imagenet-real: no real_accuracy: ReaL labels" in capsys.readouterr().err
