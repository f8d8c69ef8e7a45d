"""Large blocks stay with the process: a later array of one size costs no page faults, and no number changes."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import hashlib, resource, sys
import torch
from bench.engine.session import Settings
set_ = sys.argv[1] == "run" and Settings(device="cpu").open() and True
torch.set_num_threads(1)
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 3, 1)).eval()
images = torch.rand(16, 3, 224, 224)
with torch.no_grad():
    for _ in range(4):  # where blocks come to lie differs from process to process; then they stay
        net(images)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    again = net(images)
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults * resource.getpagesize() >> 20, hashlib.sha256(again.numpy().tobytes()).hexdigest())
"""


def faults(how: str, **environment: str) -> tuple[int, str]:
    """Return the megabytes of memory that a later forward pass had mapped, and the hash of its outputs."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    megabytes, digest = done.stdout.split()
    return int(megabytes), digest


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's malloc that is set")
def test_a_later_forward_pass_maps_no_memory() -> None:
    plain, expected = faults("plain")
    kept, found = faults("run")
    assert found == expected
    assert kept < 50 < plain  # an array of the first layer has 200 MB
    chosen, _ = faults("run", MALLOC_MMAP_MAX_="65536")  # what the user has chosen stays
    assert chosen > 50
