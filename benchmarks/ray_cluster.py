"""Ray cluster of three nodes on this machine: equality with a local run, a killed and an added node, and overhead.

    python benchmarks/ray_cluster.py [--limit 20] [--only equality|overhead]

Nodes are separate `ray start` processes on the loopback address with one CPU each. The overhead is measured on units
that sleep 1, 10 and 60 s (a `file:` model that sleeps longer for brighter images): the seconds between two stored units
minus the sleep, in one process and with one worker of the cluster, both at the same time.
"""

import argparse
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from torture import arguments, children, ended, forked, parts, warm

ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "RAY_AUTH_MODE": "disabled"}
SLEEPS = {0: (1, 12), 128: (10, 3), 255: (60, 2)}
"""Brightness of an image -> seconds of its unit, and number of such units."""

SLEEPER = """
import time, torch
from torch import nn

class Net(nn.Sequential):
    def forward(self, x):
        time.sleep(1 if x.mean() < -0.5 else 10 if x.mean() < 0.5 else 60)  # normalised to -1 .. 1
        return super().forward(x)

def make():
    torch.manual_seed(0)
    return Net(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 1000))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Nodes:
    """The `ray start --block` processes, head node first."""

    def __init__(self, folder: Path) -> None:
        self.log = (folder / "ray.log").open("wb")
        self.port = free_port()
        self.running = [self.start("--head", f"--port={self.port}", "--include-dashboard=false")]
        self.listen()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        ray = str(Path(sys.executable).with_name("ray"))
        command = [ray, "start", *options, "--num-cpus=1", "--node-ip-address=127.0.0.1", "--block"]
        return subprocess.Popen(command, stdout=self.log, stderr=self.log, start_new_session=True)

    def add(self) -> None:
        self.running.append(self.start(f"--address={self.address}"))

    def listen(self) -> None:
        """Wait until the head node answers."""
        for _ in range(240):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.5)
        raise SystemExit("the head does not start")

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """Send SIGKILL to all processes of a node."""
        for pid in [*children(node.pid), node.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.wait()
        self.running.remove(node)

    def stop(self) -> None:
        for node in self.running[::-1]:
            self.kill(node)


def follow(process: int, log: Path, started: float) -> str:
    while (code := ended(process)) is None:
        time.sleep(0.1)
    for line in log.read_text().splitlines():
        if "died" in line or "given up" in line:
            print(f"    {line[:160]}")
    return f"exit {code}, {time.monotonic() - started:.0f} s"


def equality(folder: Path, nodes: Nodes, limit: int) -> None:
    def start(name: str, *options: str) -> int:
        return forked([*arguments(limit, folder / name), *options], folder / f"{name}.log")

    nodes.add()
    nodes.add()
    started = time.monotonic()
    print(f"one process: {follow(start('local'), folder / 'local.log', started)}", flush=True)
    expected = parts(folder / "local")
    started = time.monotonic()
    said = follow(start("three", "--ray", nodes.address), folder / "three.log", started)
    print(
        f"three nodes: {said}; {len(expected)} parts, equal byte for byte: {parts(folder / 'three') == expected}",
        flush=True,
    )
    started = time.monotonic()
    process = start("killed", "--ray", nodes.address)
    while len(parts(folder / "killed")) < len(expected) // 5:
        time.sleep(0.1)
    before = len(parts(folder / "killed"))
    nodes.kill(nodes.running[-1])
    nodes.add()
    said = follow(process, folder / "killed.log", started)
    print(
        f"a node killed after {before} parts and one added: {said}; "
        f"equal byte for byte: {parts(folder / 'killed') == expected}",
        flush=True,
    )


def gaps(folder: Path, name: str, **where: object) -> dict[int, list[float]]:
    """Return the seconds between two stored units minus the sleep, by the unit's seconds."""
    from bench.engine.run import carry_out, prepare

    (folder / "sleep.py").write_text(SLEEPER)
    model = f"file:{folder}/sleep.py:make?size=32&resize=36&mean=0.5,0.5,0.5&std=0.5,0.5,0.5&classes=1000"
    prepared = prepare(model, "imagenet", data=folder / "imagenet", out=folder / name, **where)  # type: ignore[arg-type]
    stamps: list[float] = []
    carry_out(prepared, quiet=True, on_unit=lambda _unit: stamps.append(time.monotonic()))
    seconds = [seconds for seconds, count in SLEEPS.values() for _ in range(count)]
    found: dict[int, list[float]] = {}
    for slept, (before, after) in zip(seconds[1:], pairwise(stamps), strict=True):
        found.setdefault(slept, []).append(after - before - slept)
    return found


def overhead(folder: Path, nodes: Nodes) -> None:
    from PIL import Image

    from bench.suites import base

    base.UNIT_IMAGES = 1
    place = folder / "imagenet" / "n01440764"
    place.mkdir(parents=True)
    levels = [level for level, (_, count) in SLEEPS.items() for _ in range(count)]
    for number, level in enumerate(levels):
        Image.new("RGB", (48, 48), (level, level, level)).save(place / f"picture_{number:02}.JPEG")
    with ThreadPoolExecutor(1) as other:
        local = other.submit(gaps, folder, "here")
        there = gaps(folder, "there", ray=nodes.address, workers=1)
        here = local.result()
    print("seconds beyond the sleep of a unit, median and largest:")
    for seconds, times in here.items():
        rays = there[seconds]
        added = statistics.median(rays) - statistics.median(times)
        print(
            f"  units of {seconds:2} s: one process {statistics.median(times):.4f} {max(times):.4f}, "
            f"a worker on Ray {statistics.median(rays):.4f} {max(rays):.4f} (n {len(rays)}); "
            f"Ray adds {1000 * added:.1f} ms, {100 * added / seconds:.3f} % of the unit",
            flush=True,
        )


def main(limit: int, only: str | None) -> None:
    os.environ |= ENVIRONMENT
    warm(limit)
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nodes = Nodes(folder)
        try:
            if only != "overhead":
                equality(folder, nodes, limit)
            if only != "equality":
                overhead(folder, nodes)
        finally:
            nodes.stop()
    print(f"load average at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--only", choices=("equality", "overhead"))
    main(**vars(parser.parse_args()))
