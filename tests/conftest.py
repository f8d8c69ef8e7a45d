"""Fixtures shared by all tests."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# One thread everywhere: floats then depend on neither the machine's core count nor its load.
torch.set_num_threads(1)

# A machine that is busy with other work is no fault of a test's.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and oracles that stands beside a developer's checkout."""
    if not SHARED.is_dir():
        pytest.skip("the shared images and oracles are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for all workers of this run: a home may be read only, and is not the tests' to write to."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(shared / "bench-cache"))
        yield


ShortChecks = Callable[..., AbstractContextManager[None]]


@pytest.fixture(scope="session")
def short_checks() -> ShortChecks:
    """Masking checks of fewer steps and queries within `with short_checks(queries=100):`; enough for a small model."""
    from bench.attacks import masking, overstatement

    @contextmanager
    def shortened(short: int = 20, long: int = 40, queries: int = 400, targeted: int = 50) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(masking, "SHORT", short)
            patch.setattr(masking, "LONG", long)
            patch.setattr(masking, "QUERIES", queries)
            patch.setattr(overstatement, "TARGETED_STEPS", targeted)
            yield

    return shortened
