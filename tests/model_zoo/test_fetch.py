"""Fetching from a server on this machine that cuts, throttles, lies and serves web pages."""

import errno
import hashlib
import http.server
import os
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from model_zoo import cache, fetch, load, weights
from model_zoo.cache import cache_dir
from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import WeightsError
from model_zoo.fetch import Expected, direct_address, download

Send = Callable[["Handler", bytes, int], None]


@dataclass
class Server:
    """What the server sends, how, and what it was asked."""

    content: bytes
    send: Send
    url: str = ""
    etag: str = '"v1"'
    ranges: list[str | None] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """Leaves the answer's body to the test, and understands ranges as a static file server does."""

    protocol_version = "HTTP/1.1"
    state: Server

    def do_GET(self) -> None:
        if self.state.content:
            self.answer()
        else:
            self.send_error(404)

    def answer(self) -> None:
        asked = self.headers.get("Range")
        fresh = self.headers.get("If-Range") == self.state.etag
        self.state.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fresh else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", self.state.etag)
        self.close_connection = True
        self.state.send(self, self.state.content[start:], len(self.state.ranges))

    def body(self, content: bytes, length: int | None) -> None:
        """Announce `length` bytes, or none, and send `content`."""
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def serve() -> Iterator[Callable[[bytes, Send], Server]]:
    running: list[socketserver.BaseServer] = []

    def start(content: bytes, send: Send) -> Server:
        state = Server(content, send)
        handler = type("Bound", (Handler,), {"state": state})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.handle_error = lambda *_: None  # a client that hangs up is what some of these tests are about
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        state.url = f"http://127.0.0.1:{server.server_port}/weights.npz"
        return state

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.time, "sleep", lambda _seconds: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def whole(handler: Handler, rest: bytes, _attempt: int) -> None:
    handler.body(rest, len(rest))


def test_a_file_arrives_whole_and_leaves_no_part(serve: Callable[..., Server], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    server = serve(CONTENT, whole)
    digest = download(server.url, tmp_path / "w", Expected(len(CONTENT), SHA256), lambda *at: seen.append(at))
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert digest == SHA256
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert {p.name for p in tmp_path.iterdir()} == {"w", "w.lock"}


def test_a_cut_connection_is_resumed_where_it_stopped(serve: Callable[..., Server], tmp_path: Path) -> None:
    def cut(handler: Handler, rest: bytes, attempt: int) -> None:
        handler.body(rest[:200_000] if attempt < 3 else rest, len(rest))

    server = serve(CONTENT, cut)
    assert download(server.url, tmp_path / "w", Expected(sha256=SHA256)) == SHA256
    assert server.ranges == [None, "bytes=200000-", "bytes=400000-"]


def test_a_new_version_upstream_is_not_joined_to_the_old_part(serve: Callable[..., Server], tmp_path: Path) -> None:
    newer = CONTENT[::-1]

    def replaced(handler: Handler, rest: bytes, attempt: int) -> None:
        handler.body(rest[:100_000] if attempt == 1 else rest, len(rest))
        handler.state.content, handler.state.etag = newer, '"v2"'

    server = serve(CONTENT, replaced)
    download(server.url, tmp_path / "w", Expected())
    assert (tmp_path / "w").read_bytes() == newer


def test_a_connection_that_always_breaks_keeps_its_part_and_says_so(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(
        CONTENT, lambda handler, rest, attempt: handler.body(rest[:1000] if attempt == 1 else b"", len(rest))
    )
    with pytest.raises(WeightsError, match=r"ended at byte 1000 of 512000; 1000 bytes are kept.*by hand: open http"):
        download(server.url, tmp_path / "w", Expected())
    assert (tmp_path / "w.part").stat().st_size == 1000
    server.send = whole
    download(server.url, tmp_path / "w", Expected(sha256=SHA256))
    assert server.ranges[-1] == "bytes=1000-"


def test_a_slow_server_is_waited_for(serve: Callable[..., Server], tmp_path: Path) -> None:
    def trickle(handler: Handler, rest: bytes, _attempt: int) -> None:
        handler.body(rest[:10], len(rest))
        for start in range(10, len(rest), 100_000):
            threading.Event().wait(0.02)
            handler.wfile.write(rest[start : start + 100_000])

    assert download(serve(CONTENT, trickle).url, tmp_path / "w", Expected(sha256=SHA256)) == SHA256


def test_a_silent_server_counts_as_cut(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_SILENCE", 0.1)
    monkeypatch.setattr(fetch, "_ATTEMPTS", 2)
    release = threading.Event()

    def silent(handler: Handler, rest: bytes, attempt: int) -> None:
        handler.body(rest[:10] if attempt == 1 else b"", len(rest))
        release.wait(5)

    with pytest.raises(WeightsError, match="timed out; 10 bytes are kept"):
        download(serve(CONTENT, silent).url, tmp_path / "w", Expected())
    release.set()


@pytest.mark.parametrize("announced", [len(CONTENT) // 2, None])
def test_a_server_that_lies_about_the_length_is_found_out(
    serve: Callable[..., Server], tmp_path: Path, announced: int | None
) -> None:
    """Too short a length, or none and a cut: the card's size or hash knows better."""
    server = serve(CONTENT, lambda handler, rest, _attempt: handler.body(rest[: len(CONTENT) // 2], announced))
    with pytest.raises(WeightsError, match="expected 512000 bytes, found 256000; nothing was kept"):
        download(server.url, tmp_path / "w", Expected(size=len(CONTENT)))
    with pytest.raises(WeightsError, match=f"expected SHA-256 {SHA256}, found"):
        download(server.url, tmp_path / "w", Expected(sha256=SHA256))
    assert not (tmp_path / "w").exists()
    assert not (tmp_path / "w.part").exists()


def test_a_web_page_in_place_of_weights_is_refused_at_its_first_bytes(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    page = b"<!DOCTYPE html><html>Google Drive can't scan this file for viruses." + bytes(5_000_000)
    server = serve(page, whole)
    with pytest.raises(WeightsError, match=r"expected weights, found a web page .*browser"):
        download(server.url, tmp_path / "w", Expected())
    assert not (tmp_path / "w").exists()
    assert (tmp_path / "w.part").stat().st_size == 0


def test_an_absent_file_and_an_absent_server_say_what_to_do_by_hand(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(b"", whole)
    with pytest.raises(WeightsError, match=rf"404.*put the file at {tmp_path}/w"):
        download(server.url, tmp_path / "w", Expected())
    with pytest.raises(WeightsError, match=rf"cannot be reached.*put the file at {tmp_path}/w"):
        download("http://127.0.0.1:9/weights", tmp_path / "w", Expected())


def test_a_full_disk_is_noticed_before_and_during_the_transfer(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(CONTENT, whole)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with pytest.raises(WeightsError, match=r"disk is full .512000 bytes are to come, 1000 are free.*BENCH_CACHE"):
        download(server.url, tmp_path / "w", Expected())

    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.undo()
    monkeypatch.setattr(fetch, "_copy", full)
    with pytest.raises(WeightsError, match="disk is full"):
        download(server.url, tmp_path / "w", Expected())
    assert not (tmp_path / "w").exists()


def test_two_at_once_fetch_one_file_once(serve: Callable[..., Server], tmp_path: Path) -> None:
    def slow(handler: Handler, rest: bytes, _attempt: int) -> None:
        threading.Event().wait(0.1)
        handler.body(rest, len(rest))

    server = serve(CONTENT, slow)
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(lambda _: download(server.url, tmp_path / "w", Expected()), range(4)))
    assert digests == [SHA256] * 4
    assert server.ranges == [None]


def test_a_proxy_is_used_where_the_environment_names_one(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(CONTENT, whole)
    monkeypatch.setenv("http_proxy", proxy.url.rpartition("/")[0])
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    assert download("http://weights.invalid/w", tmp_path / "w", Expected(sha256=SHA256)) == SHA256


@pytest.mark.parametrize("url", ["https://drive.google.com/uc?id=1f-_3", "https://drive.google.com/file/d/1f-_3/view"])
def test_google_drives_question_is_answered_in_the_address(url: str) -> None:
    assert direct_address(url) == "https://drive.usercontent.google.com/download?id=1f-_3&export=download&confirm=t"


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(load, "build", lambda _card: Net())
    spec = WeightsSpec("torch", "public", "MIT", (WeightFile("w.pth", "http://127.0.0.1:9/w.pth"),))
    return ModelCard("some_model", "standard", "resnet50", InputSpec(224, resize=256), spec)


class Net(torch.nn.Module):
    """One weight, `w [3]`."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(3))


def served(card: ModelCard, url: str, sha256: str = "") -> ModelCard:
    return replace(card, weights=replace(card.weights, files=(WeightFile("w.pth", url, sha256),)))


def saved(path: Path, value: float) -> bytes:
    torch.save({"w": torch.full((3,), value)}, path)
    return path.read_bytes()


def fetched(card: ModelCard) -> weights.FileStatus:
    """As `bench weights fetch` does."""
    weights.fetch(card)
    return load.confirm(card)[0]


def test_a_file_without_a_published_hash_is_recorded_at_first_use_and_held_to_afterwards(
    card: ModelCard, serve: Callable[..., Server], tmp_path: Path
) -> None:
    content = saved(tmp_path / "first", 1.0)
    server = serve(content, whole)
    card = served(card, server.url)
    status = fetched(card)
    assert status.digest == hashlib.sha256(content).hexdigest()
    assert status.verdict.startswith("recorded (no hash is published)")
    assert cache.recorded(status.path.parent) == {"w.pth": status.digest}
    assert fetched(card).verdict == "as recorded at first use (no hash is published)"
    assert len(server.ranges) == 1, "what is there is not fetched again"

    server.content = saved(tmp_path / "second", 2.0)
    status.path.unlink()
    with pytest.raises(WeightsError, match=f"expected SHA-256 {status.digest}, found .*changed at its source"):
        fetched(card)
    assert not status.path.exists()


@pytest.mark.parametrize(
    "wrong", [{"w": torch.zeros(4)}, {"v": torch.zeros(3)}, {"w": torch.zeros(3, dtype=torch.int8)}]
)
def test_a_file_that_does_not_fit_its_network_is_not_recorded(
    card: ModelCard, serve: Callable[..., Server], tmp_path: Path, wrong: dict[str, torch.Tensor]
) -> None:
    torch.save(wrong, tmp_path / "w")
    card = served(card, serve((tmp_path / "w").read_bytes(), whole).url)
    with pytest.raises(WeightsError, match="the weights do not fit some_model"):
        fetched(card)
    assert not cache.recorded(weights.where(card)[0].path.parent)


def test_the_size_on_the_card_is_held_to(card: ModelCard) -> None:
    (status,) = weights.where(card)
    status.path.parent.mkdir(parents=True)
    content = saved(status.path, 1.0)
    for size in (len(content), len(content) + 1):
        file = replace(card.weights.files[0], size=size)
        sized = replace(card, weights=replace(card.weights, files=(file,)))
        if size == len(content):
            assert load.confirm(sized)
        else:
            with pytest.raises(WeightsError, match=f"expected {size} bytes, found {len(content)}"):
                load.confirm(sized)


def test_only_a_whole_published_hash_is_called_verified(card: ModelCard) -> None:
    (status,) = weights.where(card)
    status.path.parent.mkdir(parents=True)
    digest = hashlib.sha256(saved(status.path, 1.0)).hexdigest()
    verdicts = [weights.verify(served(card, "", sha))[0].verdict for sha in (digest, digest[:8])]
    assert verdicts == ["verified", "verified by the first 8 digits, which are published"]


def test_the_first_digits_that_authors_publish_are_enough_to_refuse(
    card: ModelCard, serve: Callable[..., Server], tmp_path: Path
) -> None:
    content = saved(tmp_path / "w", 1.0)
    digest = hashlib.sha256(content).hexdigest()
    server = serve(content, whole)
    with pytest.raises(WeightsError, match="expected SHA-256 00000000, found"):
        weights.fetch(served(card, server.url, "00000000"))
    assert fetched(served(card, server.url, digest[:8])).digest == digest
    assert cache.recorded(weights.where(card)[0].path.parent) == {"w.pth": digest}


def test_a_file_cut_short_by_a_server_that_says_it_is_whole_is_not_kept(
    card: ModelCard, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(saved(tmp_path / "w", 1.0)[:700], whole)
    card = served(card, server.url)
    with pytest.raises(WeightsError, match="damaged or truncated"):
        weights.fetch(card)
    assert not weights.where(card)[0].present, "the next fetch would take it for the file"
    server.content = saved(tmp_path / "w", 1.0)
    assert weights.fetch(card)[0].present


def test_a_file_put_in_place_by_hand_is_verified_and_recorded(card: ModelCard) -> None:
    (status,) = weights.where(card)
    assert not status.present
    with pytest.raises(WeightsError, match="next: bench weights fetch some_model"):
        weights.verify(card)
    status.path.parent.mkdir(parents=True)
    content = saved(status.path, 1.0)
    assert load.confirm(card)[0].digest == hashlib.sha256(content).hexdigest()
    saved(status.path, 2.0)
    with pytest.raises(WeightsError, match=r"damaged, or changed.*remove it"):
        weights.verify(card)


def test_another_format_than_the_cards_is_refused(card: ModelCard) -> None:
    (status,) = weights.where(card)
    status.path.parent.mkdir(parents=True)
    with status.path.open("wb") as file:
        import numpy as np

        np.savez(file, w=np.ones(3))
    with pytest.raises(WeightsError, match="expected a file of format torch, found tensorpack"):
        weights.verify(card)


def test_weights_that_nobody_released_say_so(card: ModelCard) -> None:
    card = replace(card, weights=WeightsSpec("torch", "not released", "-", note="see the README"))
    for act in (weights.where, weights.fetch, weights.verify, load.confirm):
        with pytest.raises(WeightsError, match=r"no weights \(see the README\); next: .*--weights FILE"):
            act(card)


def test_a_user_without_a_home_is_told_of_bench_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run under a number that no list of users has, without HOME."""
    pwd = pytest.importorskip("pwd")

    def nobody(number: int) -> None:
        raise KeyError(number)

    for name in ("BENCH_CACHE", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(WeightsError, match="set BENCH_CACHE to a folder"):
        cache_dir()
