"""ImageNet-P on made-up films: frames as OpenCV gives them, and the suite."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import bench
from bench.datasets.doctor import diagnose
from bench.datasets.known.imagenet_p import PERTURBATIONS
from bench.datasets.table import open_dataset, parse_roots
from bench.metrics.films import TOP, flips, per_film
from bench.testing import fake_model

FRAMES = 5


def film(path: Path, seed: int, frames: int = FRAMES) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30, (224, 224))
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3)).astype(float)
    for _ in range(frames):
        coarse = np.clip(coarse + rng.normal(0, 25, coarse.shape), 0, 255)
        writer.write(cv2.resize(coarse.astype(np.uint8), (224, 224), interpolation=cv2.INTER_CUBIC))
    writer.release()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("films") / "ImageNet-P"
    for number, name in enumerate(PERTURBATIONS):
        for wnid in ("n01440764", "n01443537"):
            film(place / name / wnid / f"film{number:02d}{wnid[-2:]}.mp4", number * 7 + int(wnid[-1]))
    return place


def test_frames_are_opencvs_in_order(root: Path) -> None:
    dataset = open_dataset("imagenet-p", parse_roots(str(root), None), "tilt")
    assert len(dataset) == 2 * FRAMES
    assert dataset.targets == [0] * FRAMES + [1] * FRAMES or dataset.targets == [1] * FRAMES + [0] * FRAMES
    path = next(p for p in (root / "tilt").rglob("*.mp4") if p.stem == dataset.ids[3].partition("#")[0])
    capture = cv2.VideoCapture(str(path))
    frames = [capture.read()[1] for _ in range(FRAMES)]
    assert np.array_equal(np.asarray(dataset.read(3)), frames[3][..., ::-1])
    (report,) = diagnose(root)
    assert (report.name, report.images, report.problems) == ("imagenet-p", 10 * 2 * FRAMES, [])


def test_a_shorter_film_has_unreadable_frames(root: Path, tmp_path: Path) -> None:
    film(tmp_path / "tilt" / "n01440764" / "a.mp4", 1, 4)
    film(tmp_path / "tilt" / "n01440764" / "b.mp4", 2, 2)
    dataset = open_dataset("imagenet-p", parse_roots(f"imagenet-p={tmp_path}", None), "tilt")
    with pytest.raises(bench.datasets.content.UnreadableError, match="frame 2 of 2"):
        dataset.read(6)


def test_the_suite_measures_films(root: Path, tmp_path: Path) -> None:
    table = bench.run([fake_model()], "imagenet-p", data=str(root), out=str(tmp_path), quiet=True)
    found = table[table["condition"] == "all"].set_index("metric")["value"]
    each = [found[f"flip_rate_{name}"] for name in PERTURBATIONS]
    assert found["flip_rate"] == pytest.approx(np.mean(each))
    records = bench.records(tmp_path)
    assert set(TOP) <= set(records.columns)
    one = records[records["condition"] == "imagenet-p[tilt]/clean"]
    assert per_film(one, flips, noise=False).mean() == pytest.approx(found["flip_rate_tilt"])
    assert found["top5_distance"] >= found["flip_rate"]


@pytest.mark.parametrize(("limit", "frames"), [(2, FRAMES), (FRAMES + 1, FRAMES), (2 * FRAMES, 2 * FRAMES)])
def test_a_limit_takes_films_whole(root: Path, tmp_path: Path, limit: int, frames: int) -> None:
    bench.run([fake_model()], "imagenet-p", data=str(root), out=str(tmp_path), limit=limit, quiet=True)
    records = bench.records(tmp_path)
    tilt = records[records["condition"] == "imagenet-p[tilt]/clean"]
    numbers = [f"{i:03d}" for i in range(FRAMES)] * (frames // FRAMES)
    assert sorted(tilt["image_id"].str.rpartition("#")[2]) == sorted(numbers)
    table = bench.results(tmp_path)
    rate = table[table["metric"] == "flip_rate_tilt"]
    first = [frame["prediction"].to_numpy() for _, frame in tilt.groupby(tilt["image_id"].str.rpartition("#")[0])]
    assert rate["value"].item() == np.mean([np.mean(one[1:] != one[:-1]) for one in first])
    assert rate["subset"].item() == ("" if frames == 2 * FRAMES else f"limit {FRAMES} of {2 * FRAMES} images")
