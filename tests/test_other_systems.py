"""Nothing needs a Unix module or name: without them every module imports, and a run is carried out and continued.

What Windows lacks in the standard library is also what `mypy --platform win32` knows; `make check` runs it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench import files
from bench.board.site.view import page_names
from bench.engine.keeping import KeptPictures
from bench.gate.baseline import baseline_name
from model_zoo.cache import weights_dir
from model_zoo.filenames import harmless

SCRIPT = """
import importlib, os, pkgutil, signal, sys
for name in ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "curses"):
    sys.modules[name] = None
import cv2, numba, pandas, scipy, torch, torchvision  # theirs is another matter
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "pread", "pwrite", "sched_getaffinity", "getuid",
             "geteuid", "killpg", "setsid", "uname", "sysconf", "statvfs", "chown", "mkfifo", "getloadavg", "nice"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGALRM", "alarm", "setitimer", "pthread_sigmask"):
    delattr(signal, name)
import bench, model_zoo
for package in (bench, model_zoo):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from bench.cli import main
command = ["run", "--model", "tiny_std", "--suite", "tiny,tiny-pgd", "--limit", "2", "--out", sys.argv[1]]
codes = [main(command), main(command), main(["results", sys.argv[1]]), main(["verify", sys.argv[1]])]
sys.exit(str(codes) if any(codes) else 0)
"""


def test_without_unix_modules_and_names_everything_imports_and_runs(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(bench.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path, "BENCH_DECODED": str(tmp_path / "decoded")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "tiny_std" in done.stdout


@pytest.mark.parametrize("system", ["posix", "windows"])
def test_a_file_is_read_and_written_at_a_place(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if system == "windows":
        monkeypatch.delattr(os, "pread")
        monkeypatch.delattr(os, "pwrite")
    handle = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | files.PLAIN)
    try:
        files.write_at(handle, b"b\r\n", 4)
        files.write_at(handle, b"a\n", 0)
        assert files.read_at(handle, 99, 4) == b"b\r\n"
        assert files.read_at(handle, 2, 0) == b"a\n"
    finally:
        os.close(handle)


NAMES = ["con", "NUL", "aux.v2", "com1", "LPT9.x.y", "timm:resnet50.a1_in1k", "file:/a/b.py:make?depth=2", "a.", "..",
         "C:\\x", "a*b", "nul .x", "a\nb", "x|y", '"<>', "模型"]  # fmt: skip
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]|[. ]$')
DEVICE = re.compile(r"(con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³]) *(\.|$)", re.IGNORECASE)


def check_name(name: str) -> None:
    assert name
    assert not FORBIDDEN.search(name), name
    assert not DEVICE.match(name), name


@given(st.sampled_from(NAMES) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_names_of_models_become_names_of_files_on_every_system(name: str) -> None:
    """The rules are Windows' ("Naming Files, Paths, and Namespaces"), which are stricter than the others'."""
    check_name(harmless(name))
    check_name(f"{page_names([name])[name]}.html")
    check_name(baseline_name(name))
    kept = KeptPictures(Path("pictures")).of(name, name)
    for part in kept.parts[1:]:
        check_name(part)


@pytest.mark.parametrize("name", ["con", "aux.v2", "timm:resnet50.a1_in1k", "COM7"])
def test_a_checkpoints_folder_is_one_on_every_system(name: str) -> None:
    check_name(weights_dir(name).name)


def test_two_names_that_a_folder_cannot_tell_apart_have_pages_of_their_own() -> None:
    names = page_names(["A", "a", "con", "_con", "CON"])
    assert len({name.lower() for name in names.values()}) == 5
