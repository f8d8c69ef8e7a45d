"""A results folder on S3 (moto's server): one whole object a unit, killed and continued, read back as from a disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from bench.engine.run import carry_out, prepare
from bench.errors import IncompleteError, StoreError
from bench.folder.merge import merge
from bench.folder.tables import require_complete
from bench.folder.verify import verify
from bench.store import Store
from bench.suites import base
from bench.testing import fake_model
from tests.engine.test_run import PGD, contents, cut_short

pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto[server] is not installed")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """`s3://...`, as the usual environment variables lead there."""
    import s3fs

    monkeypatch.setattr(base, "UNIT_IMAGES", 10)
    monkeypatch.setattr(base, "ATTACK_UNIT_IMAGES", 10)
    for name, value in {
        "ENDPOINT_URL": endpoint,
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
        "DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem.clear_instance_cache()
    name = "bench-" + str(abs(hash(request.node.name)))
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}"


def test_a_run_on_s3_killed_and_continued_is_the_run_on_a_disk(
    bucket: str, imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"data": imagenet, "reliability": 0, **PGD}
    bench.run(fake_model(), "pgd", out=tmp_path / "disk", quiet=True, **options)

    first = prepare(fake_model(), "pgd", out=f"{bucket}/runs", **options)
    cut_short(first, after=3)
    rest = prepare(fake_model(), "pgd", out=f"{bucket}/runs", **options)
    assert len(rest.todo) == len(first.todo) - 3
    with pytest.raises(IncompleteError):
        require_complete(bench.results(f"{bucket}/runs").attrs["problems"], bucket)

    puts: list[str] = []
    real = rest.store.fs.pipe_file
    monkeypatch.setattr(rest.store.fs, "pipe_file", lambda path, data: puts.append(path) or real(path, data))
    carry_out(rest, quiet=True)
    assert len([path for path in puts if path.endswith(".parquet")]) == len(rest.todo)

    merge([f"{bucket}/runs"], str(tmp_path / "copied"))
    assert contents(tmp_path / "copied") == contents(tmp_path / "disk")
    assert bench.results(f"{bucket}/runs").equals(bench.results(tmp_path / "disk"))
    assert verify(f"{bucket}/runs").problems == []


def test_a_damaged_object_is_done_again_and_only_that(bucket: str, imagenet: Path) -> None:
    out = f"{bucket}/runs"
    bench.run(fake_model(), "imagenet", data=imagenet, out=out, quiet=True)
    store = Store(out)
    (cell,) = store.names("cells")
    part = next(name for name in store.names(f"cells/{cell}") if name.endswith(".parquet"))
    store.put(f"cells/{cell}/{part}", store.get(f"cells/{cell}/{part}")[:-7])
    again = prepare(fake_model(), "imagenet", data=imagenet, out=out)
    assert len(again.todo) == 1
    carry_out(again, quiet=True)
    assert verify(out).problems == []


def test_a_bucket_that_is_not_there_is_a_store_error(bucket: str, imagenet: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot write s3://bench-nowhere-at-all/x/runs/.* bucket does not exist"):
        bench.run(fake_model(), "imagenet", data=imagenet, out="s3://bench-nowhere-at-all/x", quiet=True)


def test_an_unknown_kind_of_address_says_what_to_install() -> None:
    with pytest.raises(StoreError, match=r"robust-imagenet-bench\[s3\]"):
        Store("warp://drive/results")
