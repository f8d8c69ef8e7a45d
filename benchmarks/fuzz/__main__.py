"""Fuzz every reader of files that may come from others, and count.

    python benchmarks/fuzz [--inputs N] [--seed S] [--only WORD]

Each reader runs in a process of its own, under a limit of memory and of time an input. A crash is an exception that is
none of ours (`bench.errors`, `model_zoo.errors`, `UnreadableError`), a process that died, a limit that was passed, or
code executed, a file written or a connection opened behind the reader's back (an audit hook sees them). Exit code 1 if
there was any.
"""

import argparse
import contextlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEMORY = 1 << 30
"""Bytes that one input may take beyond what the imported libraries take."""
SECONDS = 10
"""That one input may take."""

EXECUTES = (
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "pickle.find_class",
)
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.symlink", "os.link", "shutil.rmtree")


class TooLongError(BaseException):
    """An input took more than its seconds."""


class Guard:
    """Notes code executed, and files changed outside the scratch folder, while `on`."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.on, self.seen = str(scratch), False, list[str]()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in EXECUTES or (event == "exec" and not _is_library(arguments[0])):
            self.seen.append(f"{event} {str(arguments)[:200]}")
        elif event in CHANGES or (event == "open" and _writes(arguments)):
            path = arguments[0]
            if not isinstance(path, int) and not os.path.realpath(os.fsdecode(path)).startswith(
                (self.scratch, "/dev/")
            ):
                self.seen.append(f"{event} {str(arguments)[:200]}")


def _is_library(code: Any) -> bool:
    """A module that is imported late, or what `dataclass` and `namedtuple` write for themselves."""
    name = getattr(code, "co_filename", "")
    return (
        name.startswith(("<frozen", sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[2])))
        or name == "<string>"
    )


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return (isinstance(mode, str) and bool(set(mode) & set("wax+"))) or bool(
        flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    )


def child(name: str, inputs: int, seed: int, start: int, report: Path) -> None:
    """Inputs `start` to `inputs` of one reader; what happens goes to `report`, a line each."""
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-")).resolve()
    os.chdir(scratch)
    os.environ |= {"BENCH_CACHE": str(scratch / "cache"), "HOME": str(scratch), "TMPDIR": str(scratch)}
    tempfile.tempdir = str(scratch)
    import readers

    from bench.datasets.base import UnreadableError
    from bench.errors import BenchError
    from model_zoo.errors import ZooError

    readers.OURS += [BenchError, ZooError, UnreadableError]
    reader = next(r for r in readers.READERS if r.name == name)
    samples, guard = reader.samples(), Guard(scratch)
    signal.signal(signal.SIGALRM, _too_long)
    with report.open("a") as file:
        for number in (-1, *range(start, inputs)):
            rng = random.Random(f"{name} {seed} {number}")
            random.seed(number)
            content = samples[0] if number < 0 else reader.mutation(rng, samples)
            if number == 0:
                _limit_memory()
            print(json.dumps({"begins": number}), file=file, flush=True)
            place = scratch / "in"
            place.mkdir()
            outcome = _outcome(reader.read, place, content, guard, tuple(readers.OURS))
            if number < 0 and outcome:
                outcome = {"crash": f"the sound sample was not read: {outcome}"}
            print(json.dumps({"number": number, **outcome}), file=file, flush=True)
            shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(scratch, ignore_errors=True)


def _outcome(
    read: Any, place: Path, content: bytes, guard: Guard, ours: tuple[type[BaseException], ...]
) -> dict[str, str]:
    guard.seen.clear()
    guard.on = True
    signal.alarm(SECONDS)
    refused = ""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            read(place, content)
    except ours as error:
        refused = str(error)
        if _out_of_memory(error):
            return {"crash": f"more than {MEMORY >> 20} MiB asked for: {refused[:100]}"}
        str(error).encode("utf-8", "surrogatepass")
    except (Exception, TooLongError) as error:
        last = traceback.extract_tb(error.__traceback__)
        ours_last = [f for f in last if "/bench/" in f.filename or "/model_zoo/" in f.filename] or last
        where = f"{Path(ours_last[-1].filename).name}:{ours_last[-1].lineno}"
        return {
            "crash": f"{type(error).__name__} at {where}: {str(error)[:150]!r}",
            "kind": f"{type(error).__name__} {where}",
        }
    finally:
        signal.alarm(0)
        guard.on = False
    if guard.seen:
        return {"crash": f"did {guard.seen[0]}"}
    return {"refused": refused[:200]} if refused else {}


def _out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _limit_memory() -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))


def _too_long(*_: object) -> None:
    raise TooLongError(f"more than {SECONDS} s")


def fuzz(name: str, inputs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Outcomes of one reader; a process that dies is a crash of the input that it had begun."""
    with tempfile.TemporaryDirectory() as folder:
        report, start = Path(folder) / "report", 0
        while start < inputs:
            report.write_text("")
            code, said = _forked(name, inputs, seed, start, report)
            lines = [json.loads(line) for line in report.read_text().splitlines()]
            yield from (line for line in lines if "number" in line and (line["number"] >= 0 or "crash" in line))
            begun = [line["begins"] for line in lines if "begins" in line] or [None]
            ended = [line["number"] for line in lines if "number" in line] or [None]
            if begun[-1] == ended[-1] == inputs - 1:
                return
            if begun[-1] == ended[-1]:
                raise RuntimeError(f"{name} after input {ended[-1]}: {said}")
            yield {"number": begun[-1], "crash": f"the process died with {code}: {said[-200:]!r}"}
            start = begun[-1] + 1


def _forked(name: str, inputs: int, seed: int, start: int, report: Path) -> tuple[int, str]:
    """`child` in a process that has the imports already; its exit status, and the end of what it said."""
    said = report.with_name("stderr")
    if (pid := os.fork()) == 0:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        try:
            child(name, inputs, seed, start, report)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said.read_text(errors="replace")[-2000:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000, help="for each reader; slow ones take a stated part of it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="readers whose name holds this")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        from readers import READERS
    os.chdir("/")
    found, total = 0, 0
    print(f"| {'reader':<28} | inputs | refused |   read | crashes | seconds |\n|---|---:|---:|---:|---:|---:|")
    for reader in READERS:
        if options.only not in reader.name:
            continue
        began = time.monotonic()
        outcomes = list(fuzz(reader.name, max(1, round(options.inputs * reader.share)), options.seed))
        crashes = [{"kind": re.sub("'.*'|[0-9]+(?!$)", "", o["crash"]), **o} for o in outcomes if "crash" in o]
        refused = sum("refused" in o for o in outcomes)
        read = len(outcomes) - refused - len(crashes)
        counts = f"{len(outcomes):>6} | {refused:>7} | {read:>6} | {len(crashes):>7}"
        print(f"| {reader.name:<28} | {counts} | {time.monotonic() - began:>7.0f} |", flush=True)
        kinds: dict[str, list[dict[str, Any]]] = {}
        for crash in crashes:
            kinds.setdefault(crash["kind"], []).append(crash)
        for like in sorted(kinds.values(), key=len, reverse=True):
            print(
                f"  {len(like):>5} x {like[0]['crash']}  (first: input {like[0]['number']})",
                file=sys.stderr,
                flush=True,
            )
        found, total = found + len(crashes), total + len(outcomes)
    print(f"{total} inputs, {found} crashes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
