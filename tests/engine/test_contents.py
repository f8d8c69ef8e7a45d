"""An image is its bytes: whatever replaces them is noticed, by every reader, and said."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bench
from bench.cli import main
from bench.datasets import content
from bench.datasets.content import ChangedError, content_hash
from bench.datasets.folder import FolderDataset
from bench.engine import session as sessions
from bench.engine.lock import sole_driver
from bench.engine.manifest import run_manifest
from bench.engine.run import carry_out, prepare
from bench.errors import IncompleteError, StoreError, UsageError
from bench.folder.compare import compare_models
from bench.folder.merge import merge
from bench.folder.tables import require_complete
from bench.suites import base
from bench.testing import fake_model, write_pictures

WNIDS = ("n01440764", "n01443537", "n02123045")


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "UNIT_IMAGES", 10)
    monkeypatch.setattr(sessions, "RETRIES", (0.0, 0.0))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eighteen images, saved without compression, so that all have one size."""
    root = tmp_path / "imagenet"
    repaint(root, seed=0)
    return root


def repaint(root: Path, seed: int, keep_times: bool = False) -> None:
    rng = np.random.default_rng(seed)
    for wnid in WNIDS:
        (root / wnid).mkdir(parents=True, exist_ok=True)
        for number in range(6):
            path = root / wnid / f"{wnid}_{number}.bmp"
            times = path.stat() if keep_times else None
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
            if times:
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def run(data: Path, out: Path, name: str = "a", seed: int = 0) -> "bench.pd.DataFrame":  # type: ignore[name-defined]
    return bench.run(fake_model(name, seed=seed), "imagenet", data=data, out=out, quiet=True)


def protocol(out: Path) -> str:
    (found,) = set(bench.results(out)["protocol"])
    return str(found)


def test_each_record_has_the_hash_of_its_files_bytes(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "out")
    records = bench.records(tmp_path / "out")
    for row in records.to_dict("records"):
        file = data / row["image_id"].split("_")[0] / f"{row['image_id']}.bmp"
        assert row["content"] == content_hash(file.read_bytes())
    assert records["content"].nunique() == 18


@pytest.mark.parametrize("keep_times", [False, True])
def test_pictures_replaced_by_others_of_the_same_size_are_noticed_by_the_same_command(
    data: Path, tmp_path: Path, keep_times: bool
) -> None:
    """Case 4."""
    run(data, tmp_path / "out")
    repaint(data, seed=1, keep_times=keep_times)
    with pytest.raises(ChangedError, match=r"10 images.*not those that were measured.*n0.*_0 the first.*--out"):
        run(data, tmp_path / "out")
    run(data, tmp_path / "other")
    assert protocol(tmp_path / "out") != protocol(tmp_path / "other")


def test_the_command_says_so_with_exit_5(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "run",
        "--model",
        "tiny_std",
        "--suite",
        "folder",
        "--data",
        f"folder={tmp_path}/f",
        "--out",
        f"{tmp_path}/o",
    ]
    for number in range(10):
        for size in (0, 1):
            (tmp_path / "f" / f"c{number}").mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (number, size, 0)).save(tmp_path / "f" / f"c{number}" / f"{number}{size}.bmp")
    if main(command) != 0:
        pytest.skip(capsys.readouterr().err)
    Image.new("RGB", (32, 32), (99, 0, 0)).save(tmp_path / "f" / "c3" / "30.bmp")
    assert main(command) == 5
    assert "30" in capsys.readouterr().err


def test_one_changed_picture_is_named(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "out")
    Image.new("RGB", (40, 40)).save(data / WNIDS[1] / f"{WNIDS[1]}_3.bmp")
    with pytest.raises(ChangedError, match=f"1 images.*{WNIDS[1]}_3"):
        run(data, tmp_path / "out")


def test_a_copy_of_the_same_pictures_is_the_same_set(data: Path, tmp_path: Path) -> None:
    """Other times, other inodes: read once, and nothing is measured again."""
    run(data, tmp_path / "out")
    shutil.copytree(data, tmp_path / "copy" / "imagenet", copy_function=shutil.copyfile)
    assert prepare(fake_model("a"), "imagenet", data=tmp_path / "copy", out=tmp_path / "out").todo == []


def test_pictures_that_nobody_touched_are_not_read_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data, tmp_path / "out")
    monkeypatch.setattr(FolderDataset, "load", lambda *_: pytest.fail("read"))
    assert prepare(fake_model("a"), "imagenet", data=data, out=tmp_path / "out").todo == []


def test_a_picture_rewritten_while_the_run_works_ends_it(data: Path, tmp_path: Path) -> None:
    prepared = prepare(fake_model("a"), "imagenet", data=data, out=tmp_path / "out", batch_size=1)
    last = sorted(data.rglob("*.bmp"))[-1]

    def rewrite(_unit: object) -> None:
        Image.new("RGB", (40, 40)).save(last)

    with pytest.raises(ChangedError, match=f"{last.name} changed while it was being measured"):
        carry_out(prepared, quiet=True, on_unit=rewrite)
    assert len(bench.records(tmp_path / "out")) == 10
    again = run(data, tmp_path / "out")
    assert set(again["n"]) == {18}


def test_the_decode_cache_knows_other_pictures_of_the_same_size(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data, tmp_path / "plain-0")
    repaint(data, seed=1)
    run(data, tmp_path / "plain-1")
    monkeypatch.setenv("BENCH_DECODED", str(tmp_path / "cache"))
    for seed in (0, 1):
        repaint(data, seed=seed)
        run(data, tmp_path / f"cached-{seed}")
        cached, plain = (bench.records(tmp_path / f"{kind}-{seed}") for kind in ("cached", "plain"))
        assert cached.equals(plain)


def test_models_measured_on_unlike_pictures_are_not_compared(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "out", "a")
    repaint(data, seed=1)
    run(data, tmp_path / "out", "b", seed=1)
    assert bench.results(tmp_path / "out")["protocol"].nunique() == 2
    with pytest.raises(UsageError, match=r"cannot be compared.*content"):
        compare_models("a", "b", tmp_path / "out")


def test_folders_whose_pictures_differ_are_not_merged(data: Path, tmp_path: Path) -> None:
    bench.run(fake_model("a"), "imagenet", data=data, out=tmp_path / "1", shard="1/2", quiet=True)
    run(data, tmp_path / "same")
    repaint(data, seed=1)
    bench.run(fake_model("a"), "imagenet", data=data, out=tmp_path / "2", shard="2/2", quiet=True)
    run(data, tmp_path / "other")
    with pytest.raises(StoreError, match=r"n0.*_0 is not the same image in both"):
        merge([str(tmp_path / "same"), str(tmp_path / "other")], str(tmp_path / "all"))
    assert not (tmp_path / "all").exists()


def shards(data: Path, tmp_path: Path, change: Callable[[], object], suite: str = "imagenet") -> list[str]:
    """Two halves in folders of their own, what they are measured on changed between them."""
    for number in (1, 2):
        shard = f"{number}/2"
        bench.run(fake_model("a"), suite, data=data, out=tmp_path / shard[0], shard=shard, quiet=True)
        change()
    return [str(tmp_path / "1"), str(tmp_path / "2")]


def joined_by_hand(folders: list[str], out: Path) -> Path:
    for folder in folders:
        shutil.copytree(folder, out, dirs_exist_ok=True)
    return out


def test_shards_of_one_set_are_merged(data: Path, tmp_path: Path) -> None:
    merge(shards(data, tmp_path, lambda: None), str(tmp_path / "all"))
    assert set(bench.results(tmp_path / "all")["n"]) == {18}
    run(data, tmp_path / "whole")
    assert bench.records(tmp_path / "all").equals(bench.records(tmp_path / "whole"))


def test_shards_on_unlike_pictures_without_a_common_unit_are_neither_merged_nor_scored(
    data: Path, tmp_path: Path
) -> None:
    """The listing is the same, each byte another: one cell, of whose two parts none is of the other's set."""
    folders = shards(data, tmp_path, lambda: repaint(data, seed=1))
    with pytest.raises(StoreError, match=r"imagenet: n0\d+_\d is not the same image in both: .*unlike sets"):
        merge(folders, str(tmp_path / "all"))
    table = bench.results(joined_by_hand(folders, tmp_path / "copied"))
    assert table.empty
    assert "its parts are of unlike sets: n0" in table.attrs["problems"][0]
    assert bench.leaderboard(tmp_path / "copied")["model"].tolist() == ["a"]
    assert not [c for c in bench.leaderboard(tmp_path / "copied") if "accuracy" in c]


def test_shards_of_which_each_has_conditions_of_its_own_are_not_merged_either(data: Path, tmp_path: Path) -> None:
    """Two conditions of one unit each: no cell in common."""
    for file in sorted(data.rglob("*.bmp"))[9:]:
        file.unlink()
    folders = shards(data, tmp_path, lambda: repaint_those(data), "imagenet,pgd")
    with pytest.raises(StoreError, match="is not the same image in both"):
        merge(folders, str(tmp_path / "all"))


def repaint_those(data: Path) -> None:
    """Every image that is there anew, none that is not."""
    rng = np.random.default_rng(1)
    for path in data.rglob("*.bmp"):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)


def test_shards_of_unlike_listings_are_not_merged(data: Path, tmp_path: Path) -> None:
    gone = sorted(data.rglob("*.bmp"))[3]
    folders = shards(data, tmp_path, lambda: gone.unlink(missing_ok=True))
    with pytest.raises(StoreError, match=r"do not belong together: imagenet has other names.*\(18 and 17 images"):
        merge(folders, str(tmp_path / "all"))
    problems = bench.results(joined_by_hand(folders, tmp_path / "copied")).attrs["problems"]
    assert len(problems) == 2, "neither is complete"


def test_shards_of_unlike_models_are_not_merged(data: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        shard = f"{seed + 1}/2"
        bench.run(fake_model("a", seed=seed), "imagenet", data=data, out=tmp_path / shard[0], shard=shard, quiet=True)
    with pytest.raises(StoreError, match="do not belong together: a has other weights or source"):
        merge([str(tmp_path / "1"), str(tmp_path / "2")], str(tmp_path / "all"))


def test_whole_runs_on_unlike_pictures_stand_side_by_side(data: Path, tmp_path: Path) -> None:
    """Nothing is wrong with these: each has its own protocol."""
    run(data, tmp_path / "a", "a")
    repaint(data, seed=1)
    run(data, tmp_path / "b", "b")
    merge([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "all"))
    assert bench.results(tmp_path / "all")["protocol"].nunique() == 2


def test_a_picture_changed_outside_of_what_is_done_leaves_that_of_one_set(data: Path, tmp_path: Path) -> None:
    bench.run(fake_model("a"), "imagenet", data=data, out=tmp_path / "out", shard="1/2", quiet=True)
    Image.new("RGB", (40, 40)).save(sorted(data.rglob("*.bmp"))[-1])
    assert set(run(data, tmp_path / "out")["n"]) == {18}
    run(data, tmp_path / "anew")
    assert protocol(tmp_path / "out") == protocol(tmp_path / "anew")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda data: data[:-9],
    "length": lambda data: data[:-8] + b"\xff\xff\xff\x7f" + data[-4:],
    "footer": lambda data: data[:-2008] + b"\xff" * 2000 + data[-8:],
    "name": lambda data: data.replace(b"image_id", b"image\xff\xfe\xfd"),
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("signed", [False, True])
def test_a_damaged_part_is_one_problem_of_a_merge_of_shards(
    data: Path, tmp_path: Path, damage: Callable[[bytes], bytes], signed: bool
) -> None:
    """`signed`: under the checksum of its bytes, so that nothing but reading it tells."""
    folders = shards(data, tmp_path, lambda: None)
    (part,) = (tmp_path / "2").rglob("*.parquet")
    broken = damage(part.read_bytes())
    assert broken != part.read_bytes()
    part.write_bytes(broken)
    if signed:
        part.rename(part.with_name(f"{part.name.split('.')[0]}.{hashlib.sha256(broken).hexdigest()[:16]}.parquet"))
    merge(folders, str(tmp_path / "all"))
    lost, *others = bench.results(tmp_path / "all").attrs["problems"]
    if signed:
        assert "not a Parquet file" in lost
        (lost,) = others
    assert "10 of 18 images of imagenet/clean measured" in lost


def test_photographs_that_are_not_all_measured_are_not_said_to_be_drawn(data: Path, tmp_path: Path) -> None:
    for number, name in ((1, "a"), (2, "b")):
        bench.run(
            fake_model(name, seed=number), "imagenet", data=data, out=tmp_path / "out", shard=f"{number}/2", quiet=True
        )
        repaint(data, seed=number)
    problems = bench.results(tmp_path / "out").attrs["problems"]
    assert sorted(problem.partition(": ")[2] for problem in problems) == [
        "10 of 18 images of imagenet/clean measured",
        "8 of 18 images of imagenet/clean measured",
    ]


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_dry_run_writes_nothing_and_what_is_mended_is_under_the_lock(data: Path, tmp_path: Path) -> None:
    """A set of which an image changed outside of what is done, and a damaged part."""
    given = {"data": data, "out": tmp_path / "out", "quiet": True}
    for name in ("a", "b"):
        bench.run(fake_model(name), "imagenet", shard="1/2", **given)
    Image.new("RGB", (40, 40)).save(sorted(data.rglob("*.bmp"))[-1])
    damaged = sorted((tmp_path / "out").rglob("*.parquet"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    before = files(tmp_path / "out")
    prepared = [prepare(fake_model(name), "imagenet", **given) for name in ("a", "b")]
    assert files(tmp_path / "out") == before
    run_id = run_manifest(prepared[0].plan, prepared[0].session).id
    with sole_driver(prepared[0].store, run_id, None), pytest.raises(UsageError, match="is running this same run"):
        carry_out(prepared[0])
    assert {k: v for k, v in files(tmp_path / "out").items() if ".driver" not in k} == {
        k: v for k, v in before.items() if ".driver" not in k
    }
    for each in prepared:
        carry_out(each)
    assert set(bench.results(tmp_path / "out")["n"]) == {18}
    assert not bench.results(tmp_path / "out").attrs["problems"]


def test_stopped_cells_tell_their_pictures(tmp_path: Path) -> None:
    """`--until`: of unlike images unlike protocols, of the same ones the same, wherever each model stopped."""
    data = write_pictures(tmp_path / "imagenet", WNIDS, 60)

    def measure(name: str, seed: int, out: str) -> Path:
        bench.run(fake_model(name, seed=seed), "imagenet", data=data, out=tmp_path / out, until=9, quiet=True)
        return tmp_path / out

    old = protocol(measure("a", 0, "x"))
    assert protocol(measure("b", 1, "x")) == old
    for path in data.rglob("*.JPEG"):
        path.write_bytes(path.read_bytes()[:-2] + b"\0\0")
    assert protocol(measure("a", 0, "y")) != old


class Failing:
    """`os.open` that fails for some files as long as `on`."""

    def __init__(self, files: set[str], number: int) -> None:
        self.files, self.number, self.on, self.calls, self.open = files, number, True, 0, os.open

    def __call__(self, path: object, flags: int, *rest: object, **named: object) -> int:
        if self.on and Path(str(path)).name in self.files:
            self.calls += 1
            raise OSError(self.number, os.strerror(self.number))
        return self.open(path, flags, *rest, **named)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_pictures_that_cannot_be_read_now_are_not_done(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Case 5: five of eighteen."""
    names = [path.name for path in sorted(data.rglob("*.bmp"))]
    failing = Failing(set(names[4:9]), number)
    monkeypatch.setattr(content.os, "open", failing)
    with pytest.raises(IncompleteError, match=r"5 images could not be read, perhaps temporarily: .*_4.bmp: "):
        run(data, tmp_path / "out")
    assert failing.calls == 19, "each was tried three times, and the four of the set's sample once for it"
    table = bench.results(tmp_path / "out")
    assert table.empty
    with pytest.raises(IncompleteError, match=r"5 of the images \[0, 10\) could not be read"):
        require_complete(table.attrs["problems"], "out")
    with pytest.raises(IncompleteError):
        run(data, tmp_path / "out")
    failing.on = False
    assert set(run(data, tmp_path / "out")["n"]) == {18}
    assert bench.results(tmp_path / "out").attrs["problems"] == []


def test_an_error_that_passes_at_once_costs_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data, tmp_path / "calm")
    load = FolderDataset.load
    failed: set[int] = set()

    def once(self: FolderDataset, index: int) -> object:
        if index not in failed:
            failed.add(index)
            raise content.PassingError("EIO")
        return load(self, index)

    monkeypatch.setattr(FolderDataset, "load", once)
    run(data, tmp_path / "moody")
    assert bench.records(tmp_path / "moody").equals(bench.records(tmp_path / "calm"))


def test_a_disk_that_fails_everything_is_not_waited_for(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(sessions, "RETRIES", (0.25, 0.5))
    monkeypatch.setattr(sessions, "sleep", waits.append)
    monkeypatch.setattr(content.os, "open", Failing({p.name for p in data.rglob("*.bmp")}, errno.EIO))
    with pytest.raises(IncompleteError, match="18 images could not be read"):
        bench.run(fake_model(), "imagenet", data=data, out=tmp_path / "out", quiet=True)
    assert len(waits) <= 2 * (sessions.PATIENCE + 16)


def test_truncated_and_foreign_files_are_unscored_for_good(data: Path, tmp_path: Path) -> None:
    files = sorted(data.rglob("*.bmp"))
    files[0].write_bytes(files[0].read_bytes()[:300])
    files[1].write_bytes(b"")
    files[2].write_bytes(b"hello")
    table = run(data, tmp_path / "out")
    assert set(table["n"]) == {15}
    assert set(table["unscored"]) == {3}
    assert prepare(fake_model("a"), "imagenet", data=data, out=tmp_path / "out").todo == []


@pytest.mark.parametrize("kind", ["dangling", "looping", "pipe", "folder"])
def test_what_is_no_file_is_one_unscored_picture_and_never_waited_for(data: Path, tmp_path: Path, kind: str) -> None:
    path = data / WNIDS[0] / f"{WNIDS[0]}_9.bmp"
    match kind:
        case "dangling":
            path.symlink_to(tmp_path / "nowhere")
        case "looping":
            path.symlink_to(path)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
    table = run(data, tmp_path / "out")
    assert set(table["n"]) == {18}
    assert set(table["unscored"]) == ({0} if kind == "folder" else {1}), "a folder is one"


def test_links_to_pictures_are_pictures(data: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked" / "imagenet"
    for path in data.rglob("*.bmp"):
        (linked / path.parent.name).mkdir(parents=True, exist_ok=True)
        (linked / path.parent.name / path.name).symlink_to(path)
    run(data, tmp_path / "a")
    run(linked, tmp_path / "b")
    assert protocol(tmp_path / "a") == protocol(tmp_path / "b")


def test_jpeg_pictures_read_through_their_bytes_are_the_same(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "imagenet", WNIDS, 1)
    from bench.datasets.folder import read_folder

    dataset = read_folder(root, "imagenet", "imagenet1k")
    for index, item in enumerate(dataset.items):
        with Image.open(item.path) as image:
            np.testing.assert_array_equal(np.asarray(dataset.read(index)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("order", ["stylized,folder", "folder,stylized"])
def test_one_folder_as_two_sets_is_prepared_as_each_says(
    tmp_path: Path, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown as stored by one set and cropped by the other: the images kept for one do not serve the other."""
    data = write_pictures(tmp_path / "data", WNIDS, 2, size=224, width=224)
    model = fake_model("a", size=64)
    monkeypatch.setenv("BENCH_DECODED", str(tmp_path / "cache"))
    where = f"stylized={data},folder={data}"
    bench.run(model, order, data=where, out=tmp_path / "both", quiet=True)
    both = bench.records(tmp_path / "both")
    monkeypatch.delenv("BENCH_DECODED")
    for name in ("stylized", "folder"):
        bench.run(model, name, data=where, out=tmp_path / name, quiet=True)
        alone = bench.records(tmp_path / name)
        found = both[both["suite"] == name].reset_index(drop=True)
        assert found["margin"].tolist() == alone["margin"].tolist()
