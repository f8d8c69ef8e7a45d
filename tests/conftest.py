"""Fixtures shared by all tests."""

from pathlib import Path

import pytest
import torch

# One thread everywhere: floats then depend on neither the machine's core count nor its load.
torch.set_num_threads(1)

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and oracles that stands beside a developer's checkout."""
    if not SHARED.is_dir():
        pytest.skip("the shared images and oracles are not beside this checkout")
    return SHARED
