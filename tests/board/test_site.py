"""The site as files: complete, self-contained, safe against names, and honest about what is missing."""

import itertools
import json
import math
import re
import shlex
import shutil
import struct
import zlib
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import HOSTILE, LONG, write_folder
from PIL import Image
from statsmodels.stats.multitest import multipletests

import bench
from bench.board.leaderboard import make_board
from bench.board.site.build import SiteOptions, render_site, write_site
from bench.board.site.charts import curves, heat_map, scatter
from bench.board.site.command import repeat
from bench.board.site.differing import differing
from bench.board.site.files import packed, webp
from bench.board.site.findings import findings
from bench.board.site.pairs import payload, shown_p
from bench.board.site.view import figure, groups, heads, page_names, parameters, rows
from bench.cli import build_parser, main
from bench.datasets.table import DataRoots
from bench.errors import StoreError, UsageError
from bench.folder.kept import KeptPictures
from bench.folder.survey import survey
from bench.metrics.estimate import wilson
from bench.metrics.paired import compare
from bench.options import RunOptions
from bench.rounding import decimal
from bench.testing import fake_model, write_pictures, write_results

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta"}


class Page(HTMLParser):
    """What a browser would make of a page: its tags, ids, links and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def site(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(results, tmp_path_factory.mktemp("site"))[0].parent


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_tag_is_closed_every_id_unique_and_every_link_leads_somewhere(site: Path) -> None:
    parsed = {path.resolve(): Page(path) for path in pages(site)}
    assert len(parsed) == 3 + 4
    for path, page in parsed.items():
        ids = page.values("id")
        assert len(ids) == len(set(ids)), path
        for link in page.values("href"):
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if ":" not in link and target.suffix == ".html" and not anchor.startswith("a="):
                assert target in parsed, (path, link)
                assert not anchor or anchor in parsed[target].values("id"), (path, link)


def loaded(page: Page) -> list[str | None]:
    """What a browser would fetch for a page; a data URI is part of it."""
    linked = [a.get("href") for tag, a in page.tags if tag == "link"]
    return [address for address in [*page.values("src"), *linked] if not (address or "").startswith("data:")]


def test_pages_load_the_style_and_script_of_their_site_and_nothing_else(site: Path) -> None:
    for path in pages(site):
        page = Page(path)
        files = [(path.parent / str(address)).resolve() for address in loaded(page)]
        assert files == [(site / "assets" / name).resolve() for name in ("site.js", "site.css")]
        assert all(file.is_file() for file in files)
        policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
        assert policy is not None
        assert policy.startswith("default-src 'none'")
        assert not re.search(r"https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline", policy)


def test_a_single_file_loads_nothing(results: Path, tmp_path: Path) -> None:
    site = write_site(results, tmp_path, SiteOptions(single_file=True))[0].parent
    assert not (site / "assets").exists()
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        assert loaded(Page(path)) == []
        policy = re.findall(r"script-src '(sha256-[^']+)'", text)
        script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        assert policy == ["sha256-" + b64encode(sha256(one.encode()).digest()).decode() for one in script]


def test_links_out_are_those_of_papers_and_code(site: Path) -> None:
    for path in pages(site):
        outside = [a for tag, a in Page(path).tags if tag == "a" and ":" in str(a.get("href")).split("#")[0]]
        assert all(str(a["href"]).startswith("https://") and a.get("rel") == "noopener noreferrer" for a in outside)


def test_a_hostile_name_is_text_and_a_harmless_file_name(site: Path) -> None:
    for path in pages(site):
        assert "<script>alert" not in path.read_text(encoding="utf-8")
    assert HOSTILE in Page(site / "index.html").text
    names = page_names([HOSTILE, LONG, "../../etc/passwd", "A", "a", "", "模型", "index", "nul\x00"])
    assert len(set(names.values())) == 9
    assert all(re.fullmatch(r"[a-z0-9_.-]{1,80}", name) and not name.startswith(".") for name in names.values())


def test_the_table_shows_value_interval_rank_and_leads_to_protocol_and_command(results: Path, site: Path) -> None:
    board = make_board(survey(results)).frame.set_index("model")
    text = " ".join(Page(site / "index.html").text.split())
    row = board.loc["sat_resnet50"]
    for name in ("imagenet_accuracy", "pgd_robust_accuracy", "imagenet-c_mce"):
        assert f"{decimal(row[name])} {decimal(row[name + '_low'])}–{decimal(row[name + '_high'])}" in text
    assert "claimed 69.7" in text
    page = Page(site / "models" / "sat_resnet50.html")
    assert {"imagenet", "pgd", "imagenet-c"} <= set(page.values("id"))
    assert row["pgd_robust_accuracy_protocol"] in page.text
    assert "bench run --model sat_resnet50 --suite pgd" in page.text


def test_reported_and_measured_stand_side_by_side(results: Path, site: Path) -> None:
    value = make_board(survey(results)).frame.set_index("model").loc["sat_resnet50", "imagenet_accuracy"]
    text = " ".join(Page(site / "models" / "sat_resnet50.html").text.split())
    difference = re.escape(decimal(value - 69.7, "+.1f"))
    assert re.search(rf"accuracy\s*69\.7 %\s*authors\s*{decimal(value)} \[[\d., ]+\], n [\d,]+\s*{difference}", text)
    assert "not measured" in text  # PGD-20 was not measured


def test_what_the_comparison_page_is_given_are_the_paired_counts(results: Path) -> None:
    board = make_board(survey(results))
    columns = heads(board)
    models = rows(board, columns)
    data = json.loads(json.dumps(payload(board.survey, columns, models, {}), allow_nan=False))
    records = bench.records(results)
    clean = records[records["condition"] == "imagenet/clean"]
    right = {m: set(f["image_id"][f["prediction"] == f["label"]]) for m, f in clean.groupby("model")}
    column = next(c for c in data["columns"] if c["name"] == "imagenet_accuracy")
    frames = dict(iter(clean.drop_duplicates(["model", "image_id"]).groupby("model")))
    pairs = list(itertools.combinations(frames, 2))
    raw = [pair.p for pair in (compare(frames[a], frames[b]) for a, b in pairs)]
    holm = dict(zip(map(frozenset, pairs), multipletests(raw, method="holm")[1], strict=True))
    for i, a in enumerate(data["models"]):
        for j, b in enumerate(data["models"]):
            x, y = column["place"][i], column["place"][j]
            if x <= y:
                continue
            at, pair = x * (x - 1) // 2 + y, compare(frames[a["name"]], frames[b["name"]])
            assert column["later"][at] == len(right[a["name"]] - right[b["name"]]) == pair.only_a
            assert column["earlier"][at] == len(right[b["name"]] - right[a["name"]]) == pair.only_b
            ends = [column[name][at] for name in ("difference", "low", "high")]
            assert ends == [round(1000 * value) for value in (pair.difference, pair.low, pair.high)]
            assert column["holm"][at] == pytest.approx(holm[frozenset((a["name"], b["name"]))], rel=1e-2)
            assert column["holm"][at] >= pair.p * (1 - 1e-9)
    mce = next(c for c in data["columns"] if c["name"] == "imagenet-c_mce")
    assert mce["place"][[m["name"] for m in data["models"]].index(LONG)] is None


def test_the_pictures_that_differ_are_those_of_the_records(results: Path) -> None:
    board = make_board(survey(results))
    columns = heads(board)
    models = rows(board, columns)
    found = differing(board.survey, columns, models, None)["imagenet_accuracy"]
    records = bench.records(results).query("condition == 'imagenet/clean'").drop_duplicates(["model", "image_id"])
    table = records.assign(right=records["prediction"] == records["label"]).pivot(
        index="image_id", columns="model", values="right"
    )
    split = table[table.nunique(axis=1) > 1]
    assert set(found["ids"]) == set(split.index)
    assert found["of"] == len(split)
    for row, bits in zip(models, found["right"], strict=True):
        right = np.unpackbits(np.frombuffer(b64decode(bits), np.uint8))[: len(split)]
        assert right.tolist() == split.loc[found["ids"], row.model].astype(int).tolist()


def test_what_is_large_is_packed() -> None:
    data = {"a": "</script>", "b": list(range(200_000))}
    text, deflated = packed(data)
    assert deflated
    assert json.loads(zlib.decompress(b64decode(text))) == data
    assert packed({"a": "</script>"}) == ('{"a": "\\u003c/script\\u003e"}', False)


def test_a_p_below_the_level_is_never_shown_at_it() -> None:
    values = (0.049999, 0.05, 0.0500001, 0.0123401, 1.0, 0.0, 3.21987e-200)
    assert tuple(map(shown_p, values)) == (0.049999, 0.05, 0.0501, 0.0124, 1.0, 0.0, 3.22e-200)
    assert shown_p(float("nan")) is None


def test_a_rank_that_is_shared_says_so(site: Path) -> None:
    titles = Page(site / "index.html").values("title")
    assert "rank 1, shared by 2 models that no paired test tells apart" in titles


@pytest.mark.parametrize("count", [1, 2])
def test_few_models(count: int, tmp_path: Path) -> None:
    for seed, name in enumerate("ab"[:count]):
        write_results(tmp_path / "r", name, {"imagenet": {"imagenet/clean": 0.5}}, n=10, seed=seed)
    site = write_site(tmp_path / "r", tmp_path / "s")[0].parent
    assert ("Only one model was measured" in Page(site / "compare.html").text) == (count == 1)
    assert f"{count} of {count} models" in Page(site / "index.html").text


def test_no_results_are_named_with_the_next_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "site")]) == 5
    assert "no results here" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_a_folder_half_written_says_what_is_missing(results: Path, tmp_path: Path) -> None:
    write_results(tmp_path / "r", "a", {"imagenet": {"imagenet/clean": 0.5}, "pgd": {"imagenet/clean": 0.5}}, n=20)
    run = next((tmp_path / "r").glob("runs/*/run.json"))
    manifest = json.loads(run.read_text("utf-8"))
    manifest["entries"].append(
        {"suite": "pgd", "model": "a", "condition": "imagenet/pgd-linf-eps4_255-k10", "cell": "0" * 16}
    )
    run.write_text(json.dumps(manifest))
    site = write_site(tmp_path / "r", tmp_path / "s")[0].parent
    assert "a, pgd: imagenet/pgd-linf-eps4_255-k10: never begun" in Page(site / "index.html").text
    assert "Incomplete: the suite's own metrics need all of its conditions." in Page(site / "models" / "a.html").text
    next((tmp_path / "r").glob("cells/*/*.parquet")).write_bytes(b"cut off")
    write_site(tmp_path / "r", tmp_path / "s")
    assert "do not match the checksum" in Page(site / "index.html").text
    next((tmp_path / "r").glob("cells/*/cell.json")).write_text('{"model": "a", "invented": 1}')
    with pytest.raises(StoreError, match="damaged or of another version"):
        write_site(tmp_path / "r", tmp_path / "s")


def test_a_number_that_is_none_is_shown_as_such(tmp_path: Path) -> None:
    write_results(tmp_path / "r", "a", {"imagenet": {"imagenet/clean": float("nan")}}, n=5)
    write_results(tmp_path / "r", "b", {"imagenet": {"imagenet/clean": 0.6}}, n=5)
    site = write_site(tmp_path / "r", tmp_path / "s")[0].parent
    page = Page(site / "index.html")
    assert "n/a" in page.text
    assert page.values("data-v") == ["60"]
    json.loads(
        re.findall(r'id="data">(.*?)</script>', (site / "compare.html").read_text("utf-8"))[0],
        parse_constant=pytest.fail,
    )


def test_pages_of_models_that_are_gone_go_and_others_files_stay(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_results(tmp_path / name, name, {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    write_site(tmp_path / "a", tmp_path / "s")
    own = tmp_path / "s" / "models" / "own.html"
    own.write_text("mine")
    write_site(tmp_path / "b", tmp_path / "s")
    assert sorted(p.name for p in (tmp_path / "s" / "models").iterdir()) == ["b.html", "own.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file; name a folder"):
        write_site(tmp_path / "b", tmp_path / "file")


OTHERS = ("assets/site.css", "assets/site.js", "index.html", "compare.html", "published.html", "models/a.html")


@pytest.mark.parametrize("path", [*OTHERS, "assets/figures/a-layers.webp"])
def test_somebody_else_s_file_is_never_written_over(path: str, tmp_path: Path) -> None:
    write_results(tmp_path / "r", "a", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    mine = tmp_path / "s" / path
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    site = render_site(tmp_path / "r", SiteOptions())
    site.picture("assets/figures/a-layers.webp", webp(Image.new("RGB", (8, 8))), page="models/a.html")
    with pytest.raises(UsageError, match=rf"{path} was not made by `bench report` and is not replaced"):
        site.save(tmp_path / "s")
    assert [p for p in (tmp_path / "s").rglob("*") if p.is_file()] == [mine]  # nothing else was written either
    assert mine.read_text("utf-8") == "mine"


def test_a_link_in_the_site_s_folder_is_not_written_through(tmp_path: Path) -> None:
    write_results(tmp_path / "r", "a", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    write_site(tmp_path / "r", tmp_path / "s")
    outside = (tmp_path / "s" / "index.html").rename(tmp_path / "outside.html")
    before = outside.read_bytes()
    (tmp_path / "s" / "index.html").symlink_to(outside)
    with pytest.raises(UsageError, match=r"index\.html was not made by"):
        write_site(tmp_path / "r", tmp_path / "s")
    assert outside.read_bytes() == before


def test_figures_that_are_gone_go_and_others_pictures_stay(tmp_path: Path) -> None:
    write_results(tmp_path / "r", "a", {"imagenet": {"imagenet/clean": 0.5}}, n=10)
    site = render_site(tmp_path / "r", SiteOptions())
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    site.picture("assets/figures/gone-layers.webp", webp(Image.fromarray(noise)), page="models/a.html")
    site.save(tmp_path / "s")
    assert (tmp_path / "s" / "assets" / "figures" / "gone-layers.webp").stat().st_size > 4000  # as a real one
    site.save(tmp_path / "s")  # its own may be replaced
    figures = tmp_path / "s" / "assets" / "figures"
    Image.new("RGB", (8, 8)).save(figures / "mine.webp")
    (tmp_path / "s" / "assets" / "site.txt").write_text("mine")
    write_site(tmp_path / "r", tmp_path / "s", SiteOptions(single_file=True))
    assert [p.name for p in figures.iterdir()] == ["mine.webp"]
    assert sorted(p.name for p in figures.parent.iterdir()) == ["figures", "site.txt"]  # style and script went


def test_thumbnails_are_the_widest_mistakes_and_none_where_the_data_are_elsewhere(tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "data", ("n01440764", "n02123045"), 4)
    bench.run(fake_model("a"), "imagenet", data=data, out=tmp_path / "r", quiet=True)
    options = SiteOptions(thumbnails=3, roots=DataRoots({}, data))
    page = Page(write_site(tmp_path / "r", tmp_path / "s", options)[-1])
    records = bench.records(tmp_path / "r")
    worst = records[records["prediction"] != records["label"]].sort_values("margin")["image_id"].head(3)
    assert page.values("alt") == list(worst)
    sources = [str(a["src"]) for tag, a in page.tags if tag == "img"]
    assert all(uri.startswith("data:image/webp;base64,") for uri in sources)
    bare = SiteOptions(thumbnails=3)
    assert "Worst images" not in Page(write_site(tmp_path / "r", tmp_path / "s", bare)[-1]).text


def test_columns_of_one_data_set_stand_together(tmp_path: Path) -> None:
    suites = {
        "imagenet": {"imagenet/clean": 0.7},
        "robustbench-5k": {"robustbench-5k/clean": 0.7, "robustbench-5k/autoattack-linf-eps4_255-standard": 0.3},
        "aa-fast": {"imagenet/clean": 0.7, "imagenet/aa-fast-linf-eps4_255-v2": 0.3},
    }
    write_results(tmp_path, "a", suites, n=20)
    found = heads(make_board(survey(tmp_path)))
    assert [head.column.suite for head in found] == ["imagenet", "aa-fast", "robustbench-5k"]
    assert [group.count for group in groups(found)] == [2, 1]
    write_results(tmp_path, "b", {"robustbench-5k": suites["robustbench-5k"]}, n=20)
    assert heads(make_board(survey(tmp_path)))[0].column.suite == "robustbench-5k"  # which both have


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder `r` whose run left its attacked images in `r/kept`."""
    folder = tmp_path_factory.mktemp("attacked")
    run = f"run --model tiny_std --suite pgd --eps 8/255 --steps 3 --limit 8 --reliability 0 --quiet --out {folder}/r"
    assert main([*run.split(), "--keep-adversarial", str(folder / "r" / "kept")]) == 0
    return folder


def kept_table(attacked: Path) -> tuple[KeptPictures, str, pd.DataFrame]:
    """What was kept, under which condition, and the table of it."""
    kept = KeptPictures(attacked / "r" / "kept")
    condition = next(c for c in bench.records(attacked / "r")["condition"].unique() if "pgd" in c)
    return kept, condition, kept.table("tiny_std", condition)


def test_attacked_pictures_stand_side_by_side_with_what_was_added(attacked: Path, tmp_path: Path) -> None:
    page = Page(write_site(attacked / "r", tmp_path / "s")[-1])
    kept, condition, table = kept_table(attacked)
    broken = table[table["broken_by"].notna() & (table["broken_by"] != "clean")]
    shown = broken["image_id"].head(6)
    assert page.values("alt")[::3] == [f"{name} before the attack" for name in shown]
    assert f"of {len(table)} kept images, {len(broken)} were correct and became misclassified" in " ".join(
        page.text.split()
    )
    sources = iter(uri for uri in page.values("src") if uri.startswith("data:"))
    for image_id in shown:
        folders = (kept.before("tiny_std", condition), kept.of("tiny_std", condition))
        before, after = (
            np.asarray(Image.open(folder / f"{image_id}.png").convert("RGB")).astype(int) for folder in folders
        )
        assert np.abs(after - before).max() == 8
        for pixels in (before, after, (128 + 16 * (after - before)).clip(0, 255)):
            encoded = BytesIO()
            Image.fromarray(pixels.astype(np.uint8)).save(encoded, "WEBP", quality=80)
            assert next(sources) == "data:image/webp;base64," + b64encode(encoded.getvalue()).decode()
    elsewhere = SiteOptions(kept=KeptPictures(tmp_path))
    assert "What the attack did" not in Page(write_site(attacked / "r", tmp_path / "s", elsewhere)[-1]).text


def bomb() -> bytes:
    """A PNG file of some hundred bytes that says it is 60,000 pixels wide and high."""
    small = BytesIO()
    Image.new("RGB", (1, 1)).save(small, "PNG")
    data = bytearray(small.getvalue())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def large() -> bytes:
    """A PNG file that is wider than any model's input."""
    data = BytesIO()
    Image.new("RGB", (5000, 1)).save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize("content", [b"cut off", b"", bomb(), large()], ids=["cut", "empty", "bomb", "large"])
def test_a_damaged_attacked_picture_costs_the_pictures_alone(content: bytes, attacked: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(attacked / "r", tmp_path / "r")
    for picture in copy.rglob("*.png"):
        picture.write_bytes(content)
    page = Page(write_site(copy, tmp_path / "s", SiteOptions(kept=KeptPictures(copy / "kept")))[-1])
    assert "What the attack did" not in page.text
    assert "Reported against measured" in page.text


@pytest.mark.parametrize(
    "table",
    [
        "",
        "a,b\n1,2\n",
        "image_id,broken_by,label,prediction\nx,pgd,no,number\n",
        "image_id,broken_by,label,prediction\n,pgd,,\n",
    ],
)
def test_a_table_of_kept_pictures_that_is_none_costs_the_pictures_alone(
    table: str, attacked: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(attacked / "r", tmp_path / "r")
    (file,) = copy.rglob("0-8.csv")
    options = SiteOptions(kept=KeptPictures(copy / "kept"))
    assert "What the attack did" in Page(write_site(copy, tmp_path / "s", options)[-1]).text
    file.write_text(table)
    assert "What the attack did" not in Page(write_site(copy, tmp_path / "s", options)[-1]).text


def test_a_results_folder_s_run_leads_to_no_other_folder(
    attacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who made it may have named any folder of this machine, straight, by `..`, or through a link."""
    copy = shutil.copytree(attacked / "r", tmp_path / "r")
    private = (copy / "kept").rename(tmp_path / "private")
    (copy / "link").symlink_to(private)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def shows(told: str) -> bool:
        for file in copy.glob("runs/*/run.json"):
            manifest = json.loads(file.read_text("utf-8"))
            manifest["given"]["keep_adversarial"] = told
            file.write_text(json.dumps(manifest))
        return "kept images," in Page(write_site(copy, tmp_path / "s")[-1]).text

    for told in (str(private), "../private", str(copy / ".." / "private"), "link", str(copy / "link"), ".", "/"):
        assert KeptPictures.told_by_a_run(told, copy) is None
    assert not shows(str(private))
    text = " ".join(Page(tmp_path / "s" / "models" / "tiny_std.html").text.split())
    assert f"bench report r --adversarial {private}" in text  # which its reader may trust
    shutil.copytree(private, tmp_path / "here" / "kept")
    assert shows("kept")  # where the run was started
    (condition,) = (tmp_path / "here" / "kept" / "tiny_std").glob("*pgd*")
    moved = condition.rename(tmp_path / "moved")
    condition.symlink_to(moved)
    assert not shows("kept")  # a link further down
    chosen = SiteOptions(kept=KeptPictures(private))  # what the reader names is the reader's own
    assert "What the attack did" in Page(write_site(copy, tmp_path / "s", chosen)[-1]).text


def test_a_picture_that_cannot_be_read_costs_itself_alone(tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "data", ("n01440764", "n02123045"), 4)
    bench.run(fake_model("a"), "imagenet", data=data, out=tmp_path / "r", quiet=True)
    records = bench.records(tmp_path / "r")
    worst = records[records["prediction"] != records["label"]].sort_values("margin")["image_id"].head(3).tolist()
    (broken,) = data.rglob(f"{Path(worst[1]).name}*")
    size = broken.stat().st_size
    broken.write_bytes(b"\xff\xd8" + b"0" * (size - 2))
    page = Page(write_site(tmp_path / "r", tmp_path / "s", SiteOptions(thumbnails=3, roots=DataRoots({}, data)))[-1])
    assert page.values("alt") == [worst[0], worst[2]]
    assert f"cannot be read here: {worst[1]}" in page.text


def test_the_command_says_what_changes_a_number_and_is_safe_to_paste() -> None:
    given = {
        "limit": "200",
        "eps": "4/255,8/255",
        "norm": "linf",
        "protocol": "canonical",
        "data": "/home/me",
        "batch_size": "7",
        "targeted": "True",
        "restarts": "1",
        "out": "/home/me/out",
        "reliability": 0,
    }
    command = repeat("a; rm -rf ~", "pgd", RunOptions.of(given))
    assert shlex.split(command)[:6] == ["bench", "run", "--model", "a; rm -rf ~", "--suite", "pgd"]
    assert command.endswith('--limit 200 --eps 4/255,8/255 --targeted --reliability 0 --data "$BENCH_DATA"')
    parsed = build_parser().parse_args(shlex.split(command)[1:])
    assert (parsed.limit, parsed.eps, parsed.targeted) == ("200", "4/255,8/255", True)
    assert repeat("a", "pgd", None) == ""


def _conditions(values: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"condition": name, "value": v, "low": v - 0.1, "high": v + 0.1, "n": 50} for name, v in values.items()]
    )


def test_a_security_curve_begins_clean_and_runs_over_the_budgets_of_one_attack() -> None:
    name = "imagenet/pgd-linf-eps{}-k10-a1_255-r1-untargeted"
    found = _conditions(
        {name.format("8_255"): 0.2, "imagenet/clean": 0.9, name.format("4_255"): 0.5, "imagenet/aa-l2-eps3": 0.1}
    )
    (curve,) = curves(found)
    assert [(p.eps, p.value) for p in curve.points] == [(0, 90), (4, 50), (8, pytest.approx(20))]
    assert curve.attack == "pgd-linf-k10-a1_255-r1-untargeted"
    assert curve.points[1].low == pytest.approx(40)


def test_a_step_that_grows_with_the_budget_makes_one_curve_and_unlike_steps_make_none() -> None:
    grown = {f"tiny/pgd-linf-eps{e}_255-k10-a{e / 4:g}_255-r1-untargeted": 1 - e / 10 for e in (1, 2, 4, 8)}
    (curve,) = curves(_conditions(grown))
    assert curve.attack == "pgd-linf-k10-r1-untargeted, step 0.25 eps"
    assert [p.eps for p in curve.points] == [1, 2, 4, 8]
    unlike = {"tiny/pgd-linf-eps1_255-k10-a1_255-r1": 0.5, "tiny/pgd-linf-eps2_255-k10-a1.5_255-r1": 0.4}
    assert curves(_conditions(unlike)) == []


def test_a_heat_map_holds_errors_and_gaps() -> None:
    found = heat_map(
        _conditions({"imagenet/fog/1-jpeg85": 0.9, "imagenet/fog/3-jpeg85": 0.7, "imagenet/clean": 1}), "s"
    )
    assert found is not None
    ((name, errors, mean),) = found.rows
    assert name == "fog"
    assert math.isnan(mean)  # over two of five severities it would be another number
    np.testing.assert_allclose(errors, [10, np.nan, 30, np.nan, np.nan])
    assert found.ends == [[("10.0", "0.0", "20.0", 50), None, ("30.0", "20.0", "40.0", 50), None, None]]
    assert heat_map(_conditions({"imagenet/clean": 1.0}), "s") is None


def test_the_scatter_is_of_the_columns_that_most_models_share(results: Path) -> None:
    board = make_board(survey(results))
    columns = heads(board)
    found = scatter(columns, rows(board, columns))
    assert found is not None
    assert {m.row.model for m in found.marks} == {"sat_resnet50", "tiny_mbn@adv", HOSTILE}
    best, worst = (next(m for m in found.marks if m.row.model == name) for name in ("sat_resnet50", HOSTILE))
    assert best.x > worst.x
    assert best.y < worst.y  # SVG counts downwards
    assert scatter(columns, rows(board, columns)[:1]) is None


def test_diagnostics_are_told_where_there_are_any() -> None:
    columns = ["suite", "condition", "metric", "value", "low", "high", "n", "unit"]
    shift = ["batchnorm", "all", "between_domain"]
    rows = [[*shift, 0.41, 0.4, 0.42, 2000, "share"], [*shift, 0.6, 0.5, 0.7, 60, "share"]]
    other = ["imagenet", "all", "accuracy", 0.5, 0.4, 0.6, 9000, "share"]
    for table in ([*rows, other], [*rows[::-1], other]):
        (found,) = findings(pd.DataFrame(table, columns=columns))  # of two runs that of most images
        assert (found.anchor, found.text) == ("batchnorm", "41.0 [40.0, 42.0] %, n 2,000")
    assert findings(pd.DataFrame([], columns=columns)) == []


def test_figures_as_people_read_them() -> None:
    assert (figure(12.345), figure(0.01234, "nats"), figure(float("nan")), figure(None, nothing="")) == (
        "12.3",
        "0.0123",
        "n/a",
        "",
    )
    assert (parameters(25_557_032), parameters(78_042), parameters(None), parameters(7)) == ("25.6 M", "78 k", "", "7")


def test_the_command_writes_the_site(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(results), "--out", str(tmp_path), "--title", "Ours & <theirs>"]) == 0
    assert "index.html and 7 more pages" in capsys.readouterr().out
    assert "Ours & <theirs>" in Page(tmp_path / "index.html").text
    assert main(["report", str(results), "--out", str(tmp_path), "--thumbnails", "-1"]) == 2


PGD_TINY = "tiny/pgd-linf-eps8_255-k20-a1_255-r1-untargeted"


def test_the_papers_figures_stand_on_a_page_with_their_data_and_commands(tmp_path: Path) -> None:
    accuracies = {"tiny_at": (0.9, 0.4), "tiny_sat_silu": (0.92, 0.5)}
    for seed, (name, (clean, robust)) in enumerate(accuracies.items()):
        write_results(tmp_path / "r", name, {"tiny-pgd": {"tiny/clean": clean, PGD_TINY: robust}}, n=50, seed=seed)
    written = write_site(tmp_path / "r", tmp_path / "s", SiteOptions(figures=True))
    page = Page(tmp_path / "s" / "figures.html")
    assert tmp_path / "s" / "figures.html" in written
    assert "sat-activation-scatter" in page.values("id")
    text = " ".join(page.text.split())
    for label, (clean, robust) in zip(("ReLU", "SILU"), accuracies.values(), strict=True):
        low, high = (100 * end for end in wilson(round(50 * clean), 50))
        assert f"measured{label}{100 * robust:.5g}{100 * clean:.5g}{low:.4g}–{high:.4g}" in text.replace(" ", "")
    assert "bench figures r --only sat-activation-scatter --out figures" in text
    assert "bench run --model tiny_at,tiny_sat_silu,tiny_sat_gelu,tiny_sat_elu --suite tiny-pgd --out r" in text
    others = text.partition("with missing measurements")[2]
    assert "bench run --model tiny_std,tiny_at,tiny_advprop_tuned --suite tiny --out r" in others
    assert (tmp_path / "s" / "assets" / "figures" / "sat-activation-scatter.webp").is_file()
    assert ">Figures</a>" in (tmp_path / "s" / "index.html").read_text("utf-8")
    write_site(tmp_path / "r", tmp_path / "s")
    assert not (tmp_path / "s" / "figures.html").exists()
    assert not list((tmp_path / "s" / "assets" / "figures").iterdir())


def test_the_column_that_half_of_the_models_have_puts_them_in_order(tmp_path: Path) -> None:
    """One model alone was attacked by PGD; it is not the first for that."""
    for seed, (name, accuracy) in enumerate([("a", 0.3), ("b", 0.9), ("c", 0.6)]):
        suites = {"imagenet": {"imagenet/clean": accuracy}}
        if name == "a":
            suites["pgd"] = {"imagenet/clean": accuracy, PGD_TINY.replace("tiny/", "imagenet/"): 0.1}
        write_results(tmp_path, name, suites, n=50, seed=seed)
    board = make_board(survey(tmp_path)).frame
    assert list(board["model"]) == ["b", "c", "a"]


def test_a_number_of_fewer_images_than_its_column_says_so(tmp_path: Path) -> None:
    write_results(tmp_path / "r", "whole", {"imagenet": {"imagenet/clean": 0.5}}, n=100)
    write_results(tmp_path / "r", "none", {"imagenet": {"imagenet/clean": math.nan}}, n=100)
    write_site(tmp_path / "r", tmp_path / "s")
    text = (tmp_path / "s" / "index.html").read_text("utf-8")
    assert [text.count(f'class="{name}">n ') for name in ("of", "of own")] == [1, 1]
    assert '<span class="of own">n 0</span>' in text
