"""Nothing needs a Unix module: with those blocked every module imports, and a run is carried out."""

import os
import subprocess
import sys
from pathlib import Path

import bench

SCRIPT = """
import importlib, pkgutil, sys, warnings
for name in ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "curses"):
    sys.modules[name] = None
import bench, model_zoo
for package in (bench, model_zoo):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from bench.cli import main
sys.exit(main(["run", "--model", "tiny_std", "--suite", "tiny", "--limit", "2", "--out", sys.argv[1]]))
"""


def test_without_unix_modules_everything_imports_and_runs(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(bench.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "tiny_std" in done.stdout
