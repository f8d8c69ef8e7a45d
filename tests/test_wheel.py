"""What is installed from the wheel is all there: no command needs the checkout that it was built from."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
SCRIPT = """
import json, sys
import bench, model_zoo
from bench.cli import main
from bench.gate.baseline import baseline_files, read_baseline
from bench.published.shipped import shipped
from bench.published.table import published_table
assert len([read_baseline(file) for file in baseline_files(shipped("baseline"))]) > 5
assert len(published_table()) > 1000
commands = ["show tiny_at", "run --model tiny_at --suite tiny --limit 4 --out runs", "report runs --out site"]
codes = {command: main(command.split()) for command in commands}
print(json.dumps([bench.__file__, model_zoo.__file__, codes]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `uv build --wheel` makes it."""
    (made,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    return Path(made)


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", "bench", "model_zoo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a checkout of git's")
    with zipfile.ZipFile(wheel) as file:
        held = set(file.namelist())
    tracked = {path for path in listed.stdout.splitlines() if (ROOT / path).exists()}
    assert any(not path.endswith(".py") for path in tracked)
    assert tracked - held == set()
    accepted = {f"bench/data/baseline/{path.name}" for path in (ROOT / "results" / "baseline").iterdir()}
    assert (accepted | {"bench/data/published.csv", "autoattack.py"}) - held == set()


def test_commands_run_from_the_wheel_in_another_folder(wheel: Path, tmp_path: Path) -> None:
    place, home = tmp_path / "installed", tmp_path / "home"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(place)
    home.mkdir()
    bare = {"PATH": os.defpath, "HOME": str(home), "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], cwd=home, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    own, zoo, codes = json.loads(done.stdout.splitlines()[-1])
    assert Path(own).is_relative_to(place)
    assert Path(zoo).is_relative_to(place)
    assert {command: code for command, code in codes.items() if code} == {}
    assert (home / "site" / "index.html").is_file()
