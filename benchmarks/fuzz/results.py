"""Fuzzed readers of results folders, accepted numbers and published numbers."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from reader import OURS, REPOSITORY, Read

from bench.board.leaderboard import leaderboard, to_latex, to_markdown
from bench.diagnostics.table import SCHEMA, merged
from bench.folder.reader import ResultsFolder
from bench.folder.records import records
from bench.folder.tables import results
from bench.folder.verify import verify
from bench.gate.baseline import read_baseline
from bench.parts import put_part
from bench.published.outside import read_outside
from bench.record import Cell, UnitKey, digest
from bench.safe_csv import to_csv
from bench.store import Store
from bench.terminal import print_results
from bench.testing import write_results

CONDITIONS = {
    "tiny": {"tiny/clean": 0.7},
    "pgd": {"imagenet/clean": 0.7, "imagenet/pgd-linf-eps8_255-k10-a2_255-r1-untargeted": 0.3},
}


def results_folder() -> dict[str, bytes]:
    """Return every object of a valid results folder, by key."""
    address = "memory://sample"
    store = Store(address)
    for seed, model in enumerate(("tiny_std", "tiny_mbn@adv")):
        write_results(address, model, CONDITIONS, n=8, seed=seed)
    keys = [
        f"{kind}/{folder}/{name}"
        for kind in ("cells", "runs")
        for folder in store.names(kind)
        for name in store.names(f"{kind}/{folder}")
    ]
    return {key: store.get(key) for key in keys}


OBJECTS = results_folder()


def of_kind(ending: str) -> Callable[[], list[bytes]]:
    return lambda: [content for key, content in OBJECTS.items() if key.endswith(ending)]


def laid_out(place: Path, replaced: dict[str, bytes]) -> str:
    for key, content in {**OBJECTS, **replaced}.items():
        (place / key).parent.mkdir(parents=True, exist_ok=True)
        (place / key).write_bytes(content)
    return str(place)


def everything(address: str) -> None:
    """Run every command on a received results folder."""
    problems = []
    for use in (results, records, verify, leaderboard):
        try:
            made = use(address)
            if use is results:
                print_results(made)
            if use is leaderboard:
                to_csv(made), to_markdown(made), to_latex(made)
        except tuple(OURS) as error:
            problems.append(error)
    if problems:
        raise problems[0]


def run_json(place: Path, content: bytes) -> None:
    (key,) = [key for key in OBJECTS if key.endswith("run.json")][:1]
    everything(laid_out(place, {key: content}))


def cell_json(place: Path, content: bytes) -> None:
    """Store the cell under its content's id, so that it is not refused for its name."""
    try:
        name = digest(json.loads(content))
    except (ValueError, RecursionError):
        name = "0" * 16
    everything(laid_out(place, {f"cells/{name}/cell.json": content}))


CELL_KEY = sorted(key for key in OBJECTS if key.endswith("cell.json"))[0].removesuffix("cell.json")


def verdict_samples() -> list[bytes]:
    return [json.dumps({"level": "reliable", "because": ["x"], "eps": "8/255", "norm": "linf", "sample": 3}).encode()]


def verdict(place: Path, content: bytes) -> None:
    everything(laid_out(place, {f"{CELL_KEY}reliability.json": content}))


def part(place: Path, content: bytes) -> None:
    """Store the part under its bytes' checksum."""
    (old,) = (key for key in OBJECTS if key.startswith(CELL_KEY) and key.endswith(".parquet"))
    address = laid_out(place, {})
    (place / old).unlink()
    (place / f"{CELL_KEY}00000000-00000008.{hashlib.sha256(content).hexdigest()[:16]}.parquet").write_bytes(content)
    everything(address)


def measurement_samples() -> list[bytes]:
    columns = {f.name: pa.array(["a", "b"] if pa.types.is_string(f.type) else [1, 2], f.type) for f in SCHEMA}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, schema=SCHEMA), buffer)
    return [buffer.getvalue()]


def measurement(place: Path, content: bytes) -> None:
    """Store the measurement under its checksum, with records that refer to it."""
    from bench.parts import _MEASUREMENT, _checksum, _measurement_key

    store, unit = Store(place), UnitKey(0, 8)
    cell = Cell.from_json(OBJECTS[f"{CELL_KEY}cell.json"].decode())
    laid_out(place, {})
    (old,) = (place / CELL_KEY).glob("*.parquet")
    table = pq.read_table(old).replace_schema_metadata({_MEASUREMENT: _checksum(content)})
    old.unlink()
    put_part(store, cell, unit, table)
    store.put(_measurement_key(cell.id, unit, _checksum(content)), content)
    loaded = ResultsFolder(str(place)).load(cell.id)
    if loaded.measurements:
        merged(loaded.measurements * 2)


def baseline_samples() -> list[bytes]:
    return [path.read_bytes() for path in sorted((REPOSITORY / "results" / "baseline").glob("tiny_std.json"))]


def baseline(place: Path, content: bytes) -> None:
    (place / "tiny_std.json").write_bytes(content)
    read_baseline(place / "tiny_std.json")


def outside_samples() -> list[bytes]:
    info = {
        "link": "https://x",
        "name": "n",
        "authors": "a",
        "eps": "4/255",
        "clean_acc": "64.02",
        "autoattack_acc": "34.96",
        "corruptions_acc": "3",
        "corruptions_mce": 70.5,
    }
    return [json.dumps(info).encode()]


def table_samples() -> list[bytes]:
    timm = "model,top1,top5,img_size,crop_pct,interpolation\neva.m30m,87.573,96.8,560,1.000,bicubic\nb,1,2,3,4,5\n"
    ours = (REPOSITORY / "results" / "published.csv").read_text(encoding="utf-8").splitlines()[:12]
    return [timm.encode(), ("\n".join(ours) + "\n").encode()]


def outside(name: str) -> Read:
    def read(place: Path, content: bytes) -> None:
        (place / name).write_bytes(content)
        numbers = read_outside(place / name)
        if any(number.value != number.value or abs(number.value) == float("inf") for number in numbers):
            raise RuntimeError("a published number that is none")

    return read
