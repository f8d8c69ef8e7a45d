"""`bench report --serve`: what it reads of a run that goes on, and what it answers to whom."""

import functools
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import HOSTILE, write_folder

import bench
from bench.board.live.pace import KEPT, Pace
from bench.board.live.server import EVERY, LiveSite, listening
from bench.board.live.watch import Watch
from bench.board.site.build import SiteOptions
from bench.cli import main
from bench.errors import StoreError
from bench.folder.reader import ResultsFolder
from bench.manifest import RunEntry, RunManifest, RunModel, put_manifest
from bench.metrics.estimate import wilson
from bench.metrics.sequential import StopRule
from bench.metrics.told import TellRule
from bench.parts import put_cell, put_part
from bench.record import Cell, Protocol, RecordColumns, UnitKey
from bench.rounding import decimal
from bench.store import Store
from bench.testing import write_results
from bench.verdict import Verdict, put_verdict


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveSite, int]]:
    site = LiveSite(write_folder(tmp_path_factory.mktemp("results"), n=20), SiteOptions())
    site.build()
    server = listening(site, 0)
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
    assert len(site.files) == 3 + 4 + 2
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
    manifest = json.loads(manifests[0].read_text("utf-8"))
    entry = {**manifest["entries"][0], "condition": "imagenet/fog/1", "cell": "0" * 16, "images": 20}
    manifests[0].write_text(
        json.dumps(manifest | {"entries": [{**e, "images": 40} for e in manifest["entries"]] + [entry]})
    )
    found = Watch(tmp_path).look()
    assert (found["done"], found["planned"]) == (40, 80)
    by = {(n["model"], n["condition"]): n for n in found["numbers"]}
    part, other, none = (by[key] for key in sorted(by, key=lambda k: (k[1], k[0] != manifest["entries"][0]["model"])))
    share = 0.5 if part["model"] == "a" else 0.25
    assert (part["n"], part["of"], part["text"]) == ("20", "40", decimal(100 * share))
    assert [part["low"], part["high"]] == [decimal(100 * end) for end in wilson(round(20 * share), 20)]
    assert "not final" in part["note"]
    assert (none["n"], none["note"]) == ("0", "not begun")
    assert other["note"] == ""


def test_a_folder_without_results_waits_for_them_and_damage_is_told(tmp_path: Path) -> None:
    site = LiveSite(tmp_path, SiteOptions())
    site.build()
    assert json.loads(site.look())["state"] == "nothing is planned here yet"
    assert site.find("/") == site.alone["live.html"]
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    again(site)
    assert site.version == 1
    page = (site.find("/models/a.html") or b"").decode()
    assert "<h1>a</h1>" in page
    assert re.search(r'<a class="v"[^>]*>50\.0</a>\s*<span class="ci">23\.7–76\.3</span>', page)  # Wilson's, of 5 of 10
    assert json.loads(site.look())["state"] == "complete: 1 condition measured"
    write_results(tmp_path, "b", {"imagenet": {"imagenet/clean": 0.5}}, n=10, seed=3)
    newest = max(tmp_path.glob("cells/*/*.parquet"), key=lambda p: p.stat().st_mtime_ns)
    whole = newest.read_bytes()
    newest.write_bytes(b"cut off")
    again(site)
    key = newest.relative_to(tmp_path).as_posix()
    told = "its bytes do not match the checksum in its name (cut short or altered)"
    assert json.loads(site.look())["problems"] == [f"{key}: {told}"]
    newest.write_bytes(whole)
    again(site)
    found = json.loads(site.look())
    assert (found["problems"], found["state"]) == ([], "complete: 2 conditions measured")
    assert b"<h1>b</h1>" in (site.find("/models/b.html") or b"")


def again(site: LiveSite) -> None:
    """Build once more, without the rest between two looks."""
    site.looked = -10 * EVERY
    site.build()


@pytest.mark.parametrize("rule", [{"until": 20}, {"until_told": ("tiny_std", "tiny_at")}])
def test_what_stops_by_itself_counts_as_done_with_the_numbers_of_the_results(
    rule: dict[str, Any], tmp_path: Path
) -> None:
    bench.run(("tiny_std", "tiny_at"), "tiny", out=tmp_path, quiet=True, **rule)
    frame = bench.results(tmp_path)
    rows = frame[frame["condition"] == "tiny/clean"].set_index("model")
    found = Watch(tmp_path).look()
    assert found["done"] == found["planned"] == 4000
    assert len(found["numbers"]) == len(rows) == 2
    for number in found["numbers"]:
        row = rows.loc[number["model"]]
        assert number["note"] == "stopped by its rule"
        assert (number["n"], number["of"]) == (str(row["n"]), "2,000")
        assert [number[end] for end in ("text", "low", "high")] == [
            decimal(100 * row[end]) for end in ("value", "low", "high")
        ]


RULE = "until 5 points, order of seed 0: 95 % interval of the whole set valid at any time"


def part(store: Store, cell: Cell, unit: UnitKey, right: list[bool], note: str = "") -> None:
    """Write a unit of made-up records; `note` makes another file of the same ones."""
    n = len(right)
    columns = RecordColumns(
        [f"image{unit.start + i}" for i in range(n)],
        [1] * n,
        [1 if yes else 2 for yes in right],
        [0.5] * n,
        [0.5] * n,
        [None] * n,
    )
    put_part(store, cell, unit, columns.table().replace_schema_metadata({"note": note}))


def planned(folder: Path, subset: str, images: int = 1000) -> tuple[Store, Cell]:
    """A run of one model and condition of which nothing is measured."""
    store = Store(folder)
    cell = Cell("a", "a", {"size": 32}, Protocol("tiny", "m", images, "tiny", "tiny/clean", "made up"), subset=subset)
    put_cell(store, cell)
    entries = (RunEntry("tiny", "a", "tiny/clean", cell.id, images),)
    put_manifest(store, RunManifest({"a": RunModel("a")}, entries, {"tiny": 1}))
    return store, cell


def test_parts_count_in_the_set_s_order_whichever_way_they_come(tmp_path: Path) -> None:
    """The last half is right, the first wrong: in the order of arrival the interval would be another one."""
    store, cell = planned(tmp_path, RULE)
    watch = Watch(tmp_path)
    part(store, cell, UnitKey(100, 200), [True] * 100)
    watch.look()
    part(store, cell, UnitKey(0, 100), [False] * 100)
    (number,) = watch.look()["numbers"]
    rule = StopRule(Fraction(5))
    ends = [rule.interval(np.repeat(order, 100), 1000) for order in ((0.0, 1.0), (1.0, 0.0))]
    assert decimal(100 * ends[0][0]) != decimal(100 * ends[1][0])
    assert [number["low"], number["high"]] == [decimal(100 * end) for end in ends[0]]


def test_two_that_are_to_be_told_apart_are_held_against_each_other_image_by_image(tmp_path: Path) -> None:
    """Each lacks a unit that the other has: side by side, the unlike images of these would tell them apart."""
    subset = str(TellRule("a and b", Fraction(1)))
    store, a = planned(tmp_path, subset)
    b = replace(a, model="b", fingerprint="b")
    put_cell(store, b)
    entries = tuple(RunEntry("tiny", cell.model, "tiny/clean", cell.id, 1000) for cell in (a, b))
    put_manifest(store, RunManifest({"a": RunModel("a"), "b": RunModel("b")}, entries, {"tiny": 1}))
    for cell, other in ((a, UnitKey(200, 300)), (b, UnitKey(100, 200))):
        part(store, cell, UnitKey(0, 100), [True] * 50 + [False] * 50)
        part(store, cell, other, [cell is a] * 100)
    watch = Watch(tmp_path)
    assert watch.look()["done"] == 400
    folder = ResultsFolder(str(tmp_path))
    assert [folder.load(cell.id).problems for cell in (a, b)] == [
        ("200 of 1000 images of tiny/clean measured",) for _ in range(2)
    ]
    part(store, b, UnitKey(200, 300), [False] * 100)
    assert watch.look()["done"] == 2000
    folder = ResultsFolder(str(tmp_path))
    assert all(folder.load(cell.id).complete for cell in (a, b))


def test_a_part_that_was_written_twice_or_replaced_counts_once(tmp_path: Path) -> None:
    store, cell = planned(tmp_path, "", images=20)
    watch = Watch(tmp_path)
    part(store, cell, UnitKey(0, 10), [True] * 10)
    assert watch.look()["done"] == 10
    before = watch.revision
    part(store, cell, UnitKey(0, 10), [True] * 4 + [False] * 6, "another driver's")
    first = min(tmp_path.glob("cells/*/0*.parquet"))
    found = watch.look()
    assert (found["done"], found["numbers"][0]["n"]) == (10, "10")
    assert found["numbers"][0]["text"] in ("100.0", "40.0")  # the first by name, as everywhere
    assert found["numbers"][0]["text"] == decimal(100 * bench_accuracy(first))
    first.unlink()
    (other,) = tmp_path.glob("cells/*/0*.parquet")
    found = watch.look()
    assert (found["done"], found["numbers"][0]["text"]) == (10, decimal(100 * bench_accuracy(other)))
    assert watch.revision > before
    part(store, cell, UnitKey(5, 20), [True] * 15)
    found = watch.look()
    assert found["done"] == 10
    assert any("overlaps the unit before it" in problem for problem in found["problems"])


def bench_accuracy(file: Path) -> float:
    frame = pd.read_parquet(file)
    return float((frame["prediction"] == frame["label"]).mean())


def test_a_new_verdict_makes_the_pages_anew_and_stands_beside_the_number(tmp_path: Path) -> None:
    store, cell = planned(tmp_path, "", images=10)
    part(store, cell, UnitKey(0, 10), [True] * 10)
    site = LiveSite(tmp_path, SiteOptions())
    site.build()
    assert site.version == 1
    again(site)
    assert site.version == 1  # nothing new
    for level, count in (("doubtful", 2), ("unreliable", 3)):
        put_verdict(store, cell.id, Verdict(level, ("a stronger attack breaks more",)))
        again(site)
        assert site.version == count
        (number,) = json.loads(site.look())["numbers"]
        assert number["note"] == f"{level}: a stronger attack breaks more"


def test_runs_and_damage_that_are_gone_are_told_no_more(tmp_path: Path) -> None:
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    run = next(tmp_path.glob("runs/*/run.json"))
    text, watch = run.read_text("utf-8"), Watch(tmp_path)
    run.write_text("{")
    found = watch.look()
    assert len(found["problems"]) == 1
    assert "damaged" in found["problems"][0]
    run.write_text(text)
    found = watch.look()
    assert (found["problems"], found["planned"]) == ([], 10)
    shutil.rmtree(run.parent)
    assert watch.look()["planned"] == 0


def test_a_fault_is_told_on_the_page_and_building_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    site = LiveSite(tmp_path, SiteOptions())
    with monkeypatch.context() as broken:
        broken.setattr("bench.board.live.server.render_site", lambda *_: 1 / 0)
        again(site)
        told = "the pages could not be made, and are tried again: ZeroDivisionError: division by zero"
        assert json.loads(site.look())["problems"] == [told]
    with monkeypatch.context() as broken:

        def unreadable(*_: object) -> list[str]:
            raise StoreError("cannot list it")

        broken.setattr(Store, "names", unreadable)
        again(site)
        found = json.loads(site.look())
        assert found["problems"][0] == f"{tmp_path} cannot be read, and is tried again: cannot list it"
        assert found["done"] == 10  # what was seen last
    again(site)
    assert json.loads(site.look())["problems"] == []
    assert site.version == 1
    assert (site.find("/") or b"").startswith(b"<!doctype html>")


def test_looks_and_builds_at_once_do_not_meet(tmp_path: Path) -> None:
    write_results(tmp_path, "m0", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    site, failed = LiveSite(tmp_path, SiteOptions()), list[str]()
    site.watch.look()

    def ask_again() -> None:
        for _ in range(30):
            site.looked = -10 * EVERY
            failed.extend(text for text in json.loads(site.look())["problems"] if "cannot be read" in text)

    threads = [threading.Thread(target=ask_again) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 20):
        write_results(tmp_path, f"m{number}", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    for thread in threads:
        thread.join()
    assert failed == []
    again(site)
    assert json.loads(site.look())["done"] == 200


def test_throughput_and_silence_are_of_the_last_parts() -> None:
    pace = Pace()
    pace.note([(1000.0 * night + 10.0 * i, 8) for night in (0, 1, 50) for i in range(20)])
    assert pace.rate == pytest.approx(0.8)
    assert pace.quiet(50_190 + 119) == 0
    assert pace.quiet(50_190 + 4 * 810) == 0  # parts were up to 810 s apart, and once far more
    assert pace.quiet(50_190 + 4 * 810 + 1) == 4 * 810 + 1
    pace.note([(60_000.0 + i, 8) for i in range(5000)])
    assert len(pace.last) == KEPT
    assert pace.rate == pytest.approx(8)
    assert pace.quiet(65_000.0 + 119) == 0
    assert pace.quiet(65_000.0 + 121) == pytest.approx(122)
    assert Pace().rate is None


def test_outcomes_are_not_kept_of_what_no_rule_stops(tmp_path: Path) -> None:
    store, cell = planned(tmp_path, "", images=10)
    part(store, cell, UnitKey(0, 10), [True] * 7 + [False] * 3)
    watch = Watch(tmp_path)
    watch.look()
    ((name, right, scored, images, outcomes),) = watch.cells[cell.id].parts.values()
    assert (right, scored, images, outcomes) == (7, 10, 10, None)
    assert name.startswith("00000000-00000010.")


def test_faults_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none"), "--serve"]) == 5
    assert "no such folder" in capsys.readouterr().err
    for port in ("70000", "-2x", "1.5"):
        assert main(["report", str(tmp_path), f"--serve={port}"]) == 2
        assert "expected a port" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child")
def test_ctrl_c_and_sigterm_end_it_well(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "report", str(tmp_path), "--serve", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    # A shell that starts the tests in the background has children ignore Ctrl-C.
    heeds = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = subprocess.PIPE
    sent = (signal.SIGINT, signal.SIGTERM)
    children = [
        subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, preexec_fn=heeds) for _ in sent
    ]
    try:
        for child, one in zip(children, sent, strict=True):
            assert child.stdout is not None
            port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/ shows", child.stdout.readline())[0])
            assert ask(port, "/state.json")[0] == 200
            child.send_signal(one)
            assert child.communicate(timeout=60) == ("stopped; nothing was changed\n", "")
            assert child.returncode == 0
            with pytest.raises(OSError, match="refused"):
                ask(port, "/")
    finally:
        for child in children:
            child.kill()
            child.communicate()
