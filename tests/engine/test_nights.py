"""What happens at night: two drivers, Ctrl-C, full and read-only disks, clocks that jump, disks that hang."""

import fcntl
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import bench
from bench.cli import main
from bench.datasets.folder import FolderDataset
from bench.engine import reading
from bench.engine.run import Prepared, carry_out, prepare
from bench.errors import DataError, StoreError, UsageError
from bench.store import Store
from bench.suites import base
from bench.testing import fake_model
from tests.engine.test_run import contents

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(99)
"""


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "UNIT_IMAGES", 10)


@pytest.fixture
def whole(imagenet: Path, tmp_path: Path) -> dict[str, bytes]:
    """The parts of a run that nothing disturbs."""
    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path / "whole", quiet=True)
    return contents(tmp_path / "whole")


def test_a_second_driver_of_the_same_run_is_told(imagenet: Path, tmp_path: Path) -> None:
    def options(shard: str | None = None) -> Prepared:
        return prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path, shard=shard)

    first, second, other = options("1/2"), options("1/2"), options("2/2")

    def interfere(_unit: object) -> None:
        with pytest.raises(UsageError, match=f"process {os.getpid()} on .* is running this same run; wait for it"):
            carry_out(second, quiet=True)

    carry_out(first, quiet=True, on_unit=interfere)
    carry_out(other, quiet=True, on_unit=lambda _unit: None)
    assert options().todo == []


def test_the_lock_of_a_killed_driver_is_no_hindrance(imagenet: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    prepared = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path / "out")
    (run_folder,) = (tmp_path / "whole" / "runs").iterdir()
    lock = tmp_path / "out" / "runs" / run_folder.name / ".driver"
    lock.parent.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(UsageError, match="is running this same run"):
            carry_out(prepared, quiet=True)
        holder.send_signal(signal.SIGKILL)
    carry_out(prepared, quiet=True)
    assert contents(tmp_path / "out") == whole


def test_a_file_system_without_locks_is_used_all_the_same(
    imagenet: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path / "out", quiet=True)
    assert contents(tmp_path / "out") == whole


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "stopped; finished units are stored, the same command continues"),
        (OSError(28, "No space left on device"), 5, "No space left on device; free space or choose another --out"),
        (OSError(30, "Read-only file system"), 5, "Read-only file system; free space or choose another --out"),
    ],
)
def test_stopped_at_any_write_a_run_continues_to_the_same_bytes(
    error: BaseException,
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["run", "--model", "tiny_at", "--suite", "tiny", "--limit", "40", "--out"]
    assert main([*command, str(tmp_path / "whole")]) == 0
    real, left = os.fsync, [0]

    def failing(handle: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise error
        real(handle)

    monkeypatch.setattr(os, "fsync", failing)
    for write in range(1, 5):  # of the run, its environment, the cell, a part
        left[0] = write
        assert main([*command, str(tmp_path / "cut")]) == code
        assert says in capsys.readouterr().err
        assert [p for p in (tmp_path / "cut").rglob(".*") if not p.name.startswith(".driver")] == []
    assert main([*command, str(tmp_path / "cut")]) == 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_write_that_the_kernel_cuts_short_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(StoreError, match="File too large"):
            Store(tmp_path).put("cells/x/part", bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_finished_run_writes_nothing(
    imagenet: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "put", lambda *_: pytest.fail("written to a finished run"))
    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path / "whole", quiet=True, seed=0)


def test_clocks_that_jump_change_nothing(
    imagenet: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(0)
    monkeypatch.setattr(time, "time", lambda: rng.uniform(0, 4e9))
    monkeypatch.setattr(time, "time_ns", lambda: rng.randrange(4 * 10**18))
    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path / "out")
    assert contents(tmp_path / "out") == whole


def test_a_read_that_hangs_ends_the_run_with_its_name(
    imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for_ever, real = threading.Event(), FolderDataset.load
    monkeypatch.setattr(reading, "READ_SECONDS", 0.3)
    monkeypatch.setattr(
        FolderDataset, "load", lambda self, index: for_ever.wait() if index == 17 else real(self, index)
    )
    with pytest.raises(DataError, match=r"image n.*_5 was not read within 0 s: the disk or network .* hangs"):
        bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path, quiet=True)
    monkeypatch.setattr(FolderDataset, "load", real)
    rest = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path)
    assert [unit.key.start for unit in rest.todo] == [10, 20, 30]
    for_ever.set()


def test_what_a_scheduler_sends_stops_a_run_as_ctrl_c_does(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "run", "--model", "tiny_std", "--suite", "tiny-c", "--limit", "2000"]
    run = subprocess.Popen([*command, "--out", str(tmp_path / "run")], stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.rglob("*.parquet")):
        assert run.poll() is None
        time.sleep(0.05)
    run.terminate()
    _, said = run.communicate(timeout=60)
    assert run.returncode == 143
    assert "finished units are stored, the same command continues" in said
    assert "Traceback" not in said
