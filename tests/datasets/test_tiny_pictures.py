"""The generator: the same bytes everywhere, whatever the order, and splits that differ in what they say they do."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.datasets import tiny
from bench.datasets.tiny.draws import Draws, image_keys
from bench.datasets.tiny.shapes import SILHOUETTES
from bench.datasets.tiny.textures import TEXTURES, texture
from bench.errors import DataError, UsageError

DRAWN = [split for split in tiny.SPLITS if split != "a"]

BYTES = {
    "train": "10b0639a70d468fb9d1afcec8d23e85bc736d44b249875096a96eec7031e1e87",
    "val": "61ad579afaa34df9db7bf26a866b3d251436e651d75f8fd777f5f7e3cb72e68f",
    "hard": "a056045fed0c3615049db97494a97a0e564c1c50e95ffba8f100697e23e32dc1",
    "stylised": "0fc7f9211da6f9cec5d2001fd046ccbce4b89934cc93b64e276ed22c0af9a393",
    "cue-conflict": "be6aa30c290f84510dcf16b4f3ac95196fc9ffbdca0ae0a2d7c1f1656e696b05",
}
"""SHA-256 of the first 64 images of each split on its default seed: any change of them is a new VERSION."""


@pytest.mark.parametrize("split", DRAWN)
def test_bytes_are_those_of_this_version(split: str) -> None:
    images = tiny.generate(split, 64).images
    assert (images.shape, images.dtype) == ((64, 32, 32, 3), np.uint8)
    assert hashlib.sha256(images.tobytes()).hexdigest() == BYTES[split]


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(DRAWN), st.integers(0, 600), st.integers(1, 12), st.integers(0, 5))
def test_a_picture_depends_on_split_seed_and_index_alone(split: str, start: int, n: int, seed: int) -> None:
    some, one = tiny.generate(split, n, seed, start), tiny.generate(split, 1, seed, start + n - 1)
    assert np.array_equal(some.images[-1:], one.images)
    assert (some.ids[-1], some.labels[-1], some.texture_labels[-1]) == (
        one.ids[0],
        one.labels[0],
        one.texture_labels[0],
    )


def test_generating_in_pieces_crosses_the_internal_chunks() -> None:
    whole = tiny.generate("val", 260)
    assert np.array_equal(whole.images[250:], tiny.generate("val", 10, start=250).images)
    assert len(set(whole.ids)) == 260


def test_seeds_and_splits_are_different_pictures() -> None:
    pictures = [tiny.generate(split, 1, seed).images.tobytes() for split in DRAWN for seed in (0, 1, 2)]
    assert len(set(pictures)) == len(pictures)


def test_texture_tells_the_class_in_train_and_val_and_not_elsewhere() -> None:
    """93 % of images bear their class's own texture and the rest any of ten: 93.7 %; four standard errors."""

    def agreement(split: str) -> float:
        members = tiny.describe(split, 20_000)
        return float((members.labels == members.texture_labels).mean())

    assert agreement("train") == pytest.approx(0.937, abs=0.007)
    assert agreement("val") == pytest.approx(0.937, abs=0.007)
    assert agreement("stylised") == pytest.approx(0.1, abs=0.009)
    assert agreement("cue-conflict") == 0


def test_classes_are_balanced() -> None:
    counts = np.bincount(tiny.describe("train", 20_000).labels, minlength=10)
    assert (abs(counts - 2_000) < 4 * np.sqrt(2_000)).all()


def test_describe_says_what_generate_draws() -> None:
    members, batch = tiny.describe("hard", 30, 1, 7), tiny.generate("hard", 30, 1, 7)
    assert members.ids == batch.ids
    assert np.array_equal(members.labels, batch.labels)
    assert np.array_equal(members.texture_labels, batch.texture_labels)


def test_no_pictures_is_an_empty_batch() -> None:
    assert tiny.generate("val", 0).images.shape == (0, 32, 32, 3)


def test_unknown_split_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="stylised"):
        tiny.generate("stylized", 1)


def test_a_is_part_of_hard_and_ends() -> None:
    places = tiny.chosen()
    assert (np.diff(places) > 0).all()
    first = tiny.generate("a", 1)
    assert np.array_equal(first.images, tiny.generate("hard", 1, start=int(places[0])).images)
    with pytest.raises(DataError, match=f"has {len(places)} images"):
        tiny.generate("a", len(places) + 1)
    with pytest.raises(DataError, match="choose_a"):
        tiny.chosen(99)


def test_a_has_as_many_pictures_of_each_class() -> None:
    counts = np.bincount(tiny.describe("a", len(tiny.chosen())).labels)
    assert set(counts) == {len(tiny.chosen()) // 10}


def test_draws_are_uniform_independent_and_named() -> None:
    draws = Draws(image_keys("test", np.arange(50_000)))
    u, v = draws.uniform("u", 0, 1), draws.uniform("v", 0, 1)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 50_000)
    assert abs(np.corrcoef(u, v)[0, 1]) < 4 / np.sqrt(50_000)
    normal = draws.normal("n", 2.0)
    assert abs(normal.mean()) < 4 * 2 / np.sqrt(50_000)
    assert normal.std() == pytest.approx(2, rel=0.02)


def test_silhouettes_cover_neither_nothing_nor_everything_and_differ() -> None:
    axis = np.linspace(-1.2, 1.2, 49, dtype=np.float32)
    u, v = np.broadcast_to(axis, (1, 49, 49)), np.broadcast_to(axis[:, None], (1, 49, 49))
    masks = {name: (silhouette(u, v) < 0) for name, silhouette in SILHOUETTES.items()}
    assert all(0.05 < mask.mean() < 0.6 for mask in masks.values()), {n: m.mean() for n, m in masks.items()}
    assert len({mask.tobytes() for mask in masks.values()}) == len(masks)


def test_each_texture_has_its_frequency() -> None:
    """The Fourier transform, which the generator does not use, peaks where the table says."""
    labels = np.arange(len(TEXTURES))
    axis = np.arange(64, dtype=np.float32)
    x, y = np.broadcast_to(axis, (64, 64)), np.broadcast_to(axis[:, None], (64, 64))
    spectrum = abs(np.fft.fft2(texture(Draws(image_keys("t", labels)), labels, x, y)))
    for grating, power in zip(TEXTURES, spectrum, strict=True):
        if grating.check:
            continue
        fy, fx = np.unravel_index(power[:, :33].argmax(), (64, 33))
        frequency = np.hypot(fx, fy - 64 * (fy > 32)) / 64
        assert frequency == pytest.approx(1 / grating.period, abs=0.02)
