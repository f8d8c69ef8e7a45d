"""Mutation tests: `python -m tools.mutants metrics` plants random faults in a room and prints those that no test finds.

The room's tests are collected once, in a copy of the tree (.mutants/ROOM), the working folder. First a map of the lines
that each test runs is made (.mutants/ROOM.json, reused while the room and the test file are unchanged). A forked child
puts the fault into the loaded functions and runs the tests of its lines only, the shortest first. For a fault outside a
function or in compiled code, the child imports everything again.
"""

import argparse
import difflib
import gc
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from tools.mutate import Mutant, mutants

assert sys.platform != "win32", "mutation tests fork, which Windows cannot"

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".mutants"
QUIET = ["-q", "-s", "--assert=plain", "-p", "no:xdist", "-p", "no:cacheprovider"]
OURS = ("bench", "model_zoo", "tools", "tests", "benchmarks", "conftest")

BROKEN = 99
"""Exit code of a child that failed for another reason than its tests."""

Map = dict[str, dict[str, Any]]
"""Test -> its time in seconds, and the lines that it runs in each file of the room."""


def forked(work: Callable[[], bool], seconds: float) -> bool:
    """Return whether `work` succeeds in a child process with its own process group, within `seconds` of CPU time.

    Raises `RuntimeError` if the child fails for another reason than its tests.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
        silence = os.open("last.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        code = BROKEN
        try:
            code = int(not work())
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    until = time.monotonic() + 10 * seconds
    while time.monotonic() < until:
        if (ended := os.waitpid(child, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(ended[1])
            if code == BROKEN:
                raise RuntimeError(Path("last.txt").read_text(encoding="utf-8"))
            return code == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def passes(items: list[pytest.Item]) -> bool:
    """Run tests until one fails; returns whether all passed."""
    failed: list[str] = []
    items[0].config.pluginmanager.register(Reports(failed))
    for item, following in pairwise([*items, None]):
        assert item is not None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if failed:
            return False
    return True


class Reports:
    """Pytest plugin that records tests that do not pass."""

    def __init__(self, failed: list[str]) -> None:
        self.failed = failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.append(report.nodeid)


def traced(items: list[pytest.Item]) -> Map:
    """Return the lines of bench that each test runs, without tests that do not pass."""
    lines: defaultdict[str, set[int]] = defaultdict(set)
    found = Map()
    folder = str(Path("bench").resolve())

    def trace(frame: FrameType, *_: object) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(folder):
            return None
        lines[file.removeprefix(folder.removesuffix("bench"))].add(frame.f_lineno)
        return trace

    for item in items:
        lines.clear()
        begun = sum(os.times()[:4])
        threading.settrace(trace)
        sys.settrace(trace)
        passed = passes([item])
        sys.settrace(None)
        if passed:
            seconds = sum(os.times()[:4]) - begun
            found[item.nodeid] = {"seconds": seconds, "lines": {f: sorted(n) for f, n in lines.items()}}
    return found


def mapped(room: str, items: list[pytest.Item]) -> Map:
    """Return the map of a room's tests."""
    file, answer = KEPT / f"{room}.json", Path("traced.json").resolve()
    before = json.loads(file.read_text()) if file.exists() else {}
    base = b"".join(p.read_bytes() for p in sorted(Path("bench", room).rglob("*.py")))
    found: dict[str, Map] = {}
    for path, own in groupby(items, lambda item: item.path):
        key = f"{path.name} {hashlib.sha256(base + path.read_bytes()).hexdigest()[:16]}"
        if key not in before:
            tests = list(own)
            work = lambda tests=tests: bool(answer.write_text(json.dumps(traced(tests))))  # noqa: E731
            before[key] = json.loads(answer.read_text()) if forked(work, 1200) else {}
            seconds = sum(test["seconds"] for test in before[key].values())
            print(f"{path.name}: {len(before[key])} tests pass, {seconds:.1f} s", flush=True)
            file.write_text(json.dumps(before))
        found[key] = before[key]
    return {name: value for part in found.values() for name, value in part.items()}


def importing_lines(file: str) -> dict[str, set[int]]:
    """Return the lines of bench that import a file, by file."""
    words = f"from {file.removesuffix('.py').replace('/', '.')} import"
    found: dict[str, set[int]] = {}
    for path in Path("bench").rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if words in line:
                found.setdefault(path.as_posix(), set()).add(number)
    return found


def runs(traced_lines: Mapping[str, Sequence[int]], wanted: Mapping[str, set[int]]) -> bool:
    """Return whether any wanted line was run."""
    return any(lines & set(traced_lines.get(file, ())) for file, lines in wanted.items())


def chosen(mutant: Mutant, known: Map, seconds: float) -> list[str]:
    """Return a mutant's tests, the shortest first, within a time limit; those of its file if no test runs its lines.

    Compiled code leaves no trace: its tests are those that run a line that imports it.
    """
    lines = {mutant.file: set(range(mutant.first, mutant.last + 1))}
    if mutant.importing and "from bench.jit import" in Path(mutant.file).read_text(encoding="utf-8"):
        lines = importing_lines(mutant.file)
    running = [name for name, test in known.items() if runs(test["lines"], lines)]
    if not running or (mutant.importing and mutant.file in lines):
        running = [name for name, test in known.items() if mutant.file in test["lines"]]
    kept: list[str] = []
    spent = 0.0
    for name in sorted(running, key=lambda name: float(known[name]["seconds"])):
        spent += known[name]["seconds"]
        if spent < seconds or not kept:
            kept.append(name)
    return kept


def functions(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of all functions in a module's code, in order."""
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from functions(part)


def put(mutant: Mutant, source: str) -> bool:
    """Put the mutant's code into the loaded functions of its file; returns False if the functions do not match."""
    path = str(Path(mutant.file).resolve())
    old, new = (list(functions(compile(text, path, "exec"))) for text in (source, mutant.planted(source)))
    if [code.co_freevars for code in old] != [code.co_freevars for code in new]:
        return False
    changed = {(was.co_qualname, was.co_firstlineno): code for was, code in zip(old, new, strict=True)}
    for found in gc.get_objects():
        if type(found) is FunctionType and found.__code__.co_filename == path:
            code = found.__code__
            found.__code__ = changed.get((code.co_qualname, code.co_firstlineno), code)
    return True


def anew(names: Collection[str], *options: str) -> bool:
    """Run tests after importing the whole tree again; returns whether all passed."""
    tree = str(Path.cwd())
    for name in [n for n, module in sys.modules.items() if (getattr(module, "__file__", "") or "").startswith(tree)]:
        del sys.modules[name]
    return pytest.main([*names, "-x", *QUIET, *options]) == 0


class Mutation:
    """Pytest plugin that plants faults instead of running the tests."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given

    def drawn(self) -> list[Mutant]:
        only, places = self.given.only, {place.partition(":")[0] for place in self.given.only}
        files = [f for f in sorted(Path("bench", self.given.room).rglob("*.py")) if not only or f.as_posix() in places]
        every = [m for f in files for m in mutants(f.as_posix(), f.read_text(encoding="utf-8"))]
        first, parts = map(int, self.given.part.split("/"))
        some = sorted(every, key=self.chance)[: self.given.number][first - 1 :: parts]
        print(f"{len(every)} mutants", flush=True)
        return [m for m in some if not only or m.file in only or f"{m.file}:{m.first}" in only]

    def chance(self, mutant: Mutant) -> str:
        """Return the sort key that draws mutants; changes to other lines hardly affect the draw."""
        return hashlib.sha256(f"{self.given.seed} {mutant.file} {mutant.text}".encode()).hexdigest()

    def survives(self, mutant: Mutant, items: list[pytest.Item], names: list[str]) -> bool:
        file = Path(mutant.file)
        source = file.read_text(encoding="utf-8")
        named = {item.nodeid: item for item in items}
        file.write_text(mutant.planted(source), encoding="utf-8")

        def work() -> bool:
            loaded = not mutant.importing and put(mutant, source)
            return passes([named[name] for name in names]) if loaded else anew(names)

        try:
            return not names or forked(work, 60 + 3 * self.given.seconds)
        finally:
            file.write_text(source, encoding="utf-8")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        known = mapped(self.given.room, session.items)
        if not forked(lambda: anew(known, "--collect-only"), 600):
            raise RuntimeError("the tests of the map are not found again: every fault would seem to be seen")
        drawn, alive = self.drawn(), 0
        for mutant in drawn:
            names = chosen(mutant, known, self.given.seconds)
            if self.survives(mutant, session.items, names):
                alive += 1
                was = Path(mutant.file).read_text(encoding="utf-8").splitlines()[mutant.first - 1 : mutant.last]
                print(f"{mutant.file}:{mutant.first} survives {len(names)} tests")
                changes = difflib.ndiff(was, mutant.text.splitlines())
                print("\n".join(line for line in changes if line[0] in "+-"), flush=True)
        print(f"{self.given.room}: {len(drawn) - alive} of {len(drawn)} killed")
        return True


def main() -> None:
    """Copy the tree and plant faults in the copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("room", help="metrics, attacks, engine or another room with tests of its own")
    parser.add_argument("--number", type=int, default=40, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", default="1/1", help="i/n: every n-th of those drawn, from the i-th")
    parser.add_argument("--only", nargs="*", default=[], help="faults of these files, FILE or FILE:LINE")
    parser.add_argument("--tests", nargs="*", help="files and folders of tests; default tests/ROOM")
    parser.add_argument("--seconds", type=float, default=20, help="of tests that a mutant meets, at the most")
    given = parser.parse_args()
    tree = KEPT / f"{given.room}-{given.part.replace(chr(47), chr(45))}"
    shutil.rmtree(tree, ignore_errors=True)
    for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    os.chdir(tree)
    sys.path[:] = [str(tree), *(p for p in sys.path if p not in ("", str(ROOT)))]
    os.environ["PYTHONPATH"] = str(tree)
    sys.dont_write_bytecode = True
    for name in [n for n in sys.modules if n.partition(".")[0] in OURS]:
        del sys.modules[name]
    pytest.main([*(given.tests or [f"tests/{given.room}"]), *QUIET], plugins=[Mutation(given)])


if __name__ == "__main__":
    main()
