"""`bench report --serve`: what it reads of a run that goes on, and what it answers to whom."""

import functools
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up import HOSTILE, write_folder

import bench
from bench.board.live.server import LiveSite, _listening
from bench.board.live.watch import Watch
from bench.board.site.build import SiteOptions
from bench.cli import main
from bench.metrics.estimate import wilson
from bench.testing import write_results


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveSite, int]]:
    site = LiveSite(write_folder(tmp_path_factory.mktemp("results"), n=20), SiteOptions())
    site.build()
    server = _listening(site, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield site, server.server_address[1]
    server.shutdown()
    server.server_close()


def ask(port: int, path: str, host: str = "", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def test_it_listens_to_this_machine_alone_and_answers_with_the_site(served: tuple[LiveSite, int]) -> None:
    site, port = served
    status, headers, body = ask(port, "/")
    assert status == 200
    assert body == site.files["index.html"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "access-control-allow-origin" not in headers
    assert b"<script>alert" not in b"".join(site.files.values())
    status, _, body = ask(port, "/assets/site.js?x=1", f"localhost:{port}", "HEAD")
    assert (status, body) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/assets/../index.html",
        "/models/..%2findex.html",
        "/models/",
        "/cells",
        "/runs",
        "/index.html%00",
        "http://127.0.0.1/etc/passwd",
    ],
)
def test_nothing_but_the_sites_files_can_be_had(served: tuple[LiveSite, int], path: str) -> None:
    assert ask(served[1], path)[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{port}.evil.example"]
)
def test_an_answer_needs_this_very_address(served: tuple[LiveSite, int], host: str) -> None:
    status, _, body = ask(served[1], "/", host.format(port=served[1]))
    assert status == 421
    assert b"leaderboard" not in body.lower()


def test_other_methods_are_refused(served: tuple[LiveSite, int]) -> None:
    assert {ask(served[1], "/", method=method)[0] for method in ("POST", "PUT", "DELETE", "OPTIONS")} == {501}


def test_numbers_so_far_say_how_many_pictures_they_are_of(tmp_path: Path) -> None:
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=20)
    write_results(tmp_path, HOSTILE, {"imagenet": {"imagenet/clean": 0.25}}, n=20)
    manifests = sorted(tmp_path.glob("runs/*/run.json"))
    manifest = json.loads(manifests[0].read_text())
    entry = {**manifest["entries"][0], "condition": "imagenet/fog/1", "cell": "0" * 16, "images": 20}
    manifests[0].write_text(
        json.dumps(manifest | {"entries": [{**e, "images": 40} for e in manifest["entries"]] + [entry]})
    )
    found = Watch(tmp_path).look()
    assert (found["done"], found["planned"]) == (40, 80)
    by = {(n["model"], n["condition"]): n for n in found["numbers"]}
    part, other, none = (by[key] for key in sorted(by, key=lambda k: (k[1], k[0] != manifest["entries"][0]["model"])))
    share = 0.5 if part["model"] == "a" else 0.25
    assert (part["n"], part["of"], part["text"]) == ("20", "40", f"{100 * share:.1f}")
    assert [part["low"], part["high"]] == [f"{100 * end:.1f}" for end in wilson(round(20 * share), 20)]
    assert "not final" in part["note"]
    assert (none["n"], none["note"]) == ("0", "not begun")
    assert other["note"] == ""


def test_a_folder_without_results_waits_for_them_and_damage_is_told(tmp_path: Path) -> None:
    site = LiveSite(tmp_path, SiteOptions())
    site.build()
    assert json.loads(site.look())["state"] == "nothing is planned here yet"
    assert site.find("/") == site.alone["live.html"]
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    site.looked = 0
    site.build()
    assert site.version == 1
    assert b"a" in (site.find("/models/a.html") or b"")
    assert json.loads(site.look())["state"] == "complete: 1 condition measured"
    write_results(tmp_path, "b", {"imagenet": {"imagenet/clean": 0.5}}, n=10, seed=3)
    newest = max(tmp_path.glob("cells/*/*.parquet"), key=lambda p: p.stat().st_mtime_ns)
    newest.write_bytes(b"cut off")
    site.looked = 0
    site.build()
    assert any("checksum" in problem for problem in json.loads(site.look())["problems"])


def test_cells_that_stop_by_themselves_count_as_done(tmp_path: Path) -> None:
    bench.run("tiny_at", "tiny", out=tmp_path, until=20, quiet=True)
    found = Watch(tmp_path).look()
    assert found["done"] == found["planned"] > 0
    (number,) = found["numbers"]
    assert number["note"] == "stopped by --until"
    assert int(number["n"]) < int(number["of"].replace(",", ""))


def test_faults_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none"), "--serve"]) == 5
    assert "no such folder" in capsys.readouterr().err
    for port in ("70000", "-2x", "1.5"):
        assert main(["report", str(tmp_path), f"--serve={port}"]) == 2
        assert "expected a port" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child")
def test_ctrl_c_ends_it_well(tmp_path: Path) -> None:
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    command = [sys.executable, "-m", "bench", "report", str(tmp_path), "--serve", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    # A shell that starts the tests in the background has children ignore Ctrl-C.
    heeds = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=heeds) as child:
        try:
            assert child.stdout is not None
            port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/ shows", child.stdout.readline())[0])
            assert ask(port, "/state.json")[0] == 200
            child.send_signal(signal.SIGINT)
            assert child.wait(timeout=60) == 0
        finally:
            child.kill()
    with pytest.raises(OSError, match="refused"):
        ask(port, "/")
