"""A small world: six classes of ImageNet with images, and models with random weights."""

from pathlib import Path

import pytest

from bench.testing import write_pictures

WNIDS = ("n01440764", "n01443537", "n02123045", "n02129165", "n03770679", "n15075141")


@pytest.fixture(scope="session")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 images in the layout of ImageNet's validation set."""
    return write_pictures(tmp_path_factory.mktemp("data") / "imagenet", WNIDS, 6)
