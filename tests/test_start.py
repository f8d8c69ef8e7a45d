"""Commands that print what is known answer at once: they never import torch, which takes seconds, nor what takes half a
second and they do not need."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.quick import lasting_imports
from bench.testing import write_pictures

COMMANDS = (
    "--help", "run --help", "list models", "list suites", "list attacks", "list datasets", "show tiny_mbn",
    "data list", "doctor PICTURES", "results DIR", "list figures", "verify DIR", "leaderboard DIR",
    "compare tiny_std tiny_at DIR",
)  # fmt: skip

WITH_FRAMES = ("list figures", "verify", "leaderboard", "compare")
"""Commands that make frames; they come last, for what is imported stays so."""

TESTING = ("leaderboard", "compare")
"""Those that test pairs of models, which needs scipy."""

SCRIPT = """
import contextlib, io, json, sys
from bench.cli import main
found = {}
for command in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main(command.split())
        except SystemExit as stop:
            code = stop.code
    names = ("torch", "torchvision", "timm", "numba", "scipy", "pandas", "fsspec", "jinja2", "matplotlib")
    heavy = [name for name in names if name in sys.modules]
    found[command] = [code, heavy, out.getvalue()[-300:]]
    for name in [m for m in sys.modules if m.partition(".")[0] in ("torch", "torchvision", "timm")]:
        del sys.modules[name]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, list[str], str]]:
    """Of each command its exit code, the heavy packages that it imported, and the end of what it printed."""
    root = tmp_path_factory.mktemp("start")
    bench.run(["tiny_std", "tiny_at"], "tiny,tiny-pgd", out=root / "runs", limit=4, reliability=0, quiet=True)
    write_pictures(root / "pictures", ["n01440764", "n01443537"])
    commands = [c.replace("DIR", str(root / "runs")).replace("PICTURES", str(root / "pictures")) for c in COMMANDS]
    path = os.pathsep.join([str(Path(bench.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(COMMANDS, json.loads(done.stdout).values(), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_does_not_wait_for_torch(seen: dict[str, tuple[int, list[str], str]], command: str) -> None:
    code, heavy, printed = seen[command]
    assert code == 0, printed
    needed = {"scipy": TESTING, "pandas": WITH_FRAMES}
    assert heavy == [name for name, commands in needed.items() if command.startswith(commands)]


def test_imports_of_a_command_are_not_searched_for_garbage() -> None:
    code = (
        "import gc, sys; from bench.cli import main; main(['run', '--model', 'tiny_std', '--suite', 'nothing']);"
        "print('torch' in sys.modules, gc.get_freeze_count() > 100_000, gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True True True"


def test_the_collector_is_paused_for_imports_alone() -> None:
    with lasting_imports():
        assert not gc.isenabled()
        with pytest.raises(RuntimeError), lasting_imports():
            raise RuntimeError
        assert not gc.isenabled()  # as it was found
    assert gc.isenabled()
    assert "torch" in sys.modules
    assert gc.get_freeze_count() == 0  # this process had begun with other things
