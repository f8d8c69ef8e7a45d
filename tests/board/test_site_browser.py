"""The site in headless Chromium: sort, filter, open, compare, dark, narrow, by keyboard; no error, no outside request.

Runs where playwright (extra `dev`) and a Chromium of the system are present; BENCH_CHROMIUM may name it.
"""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_up import HOSTILE, write_folder

import bench
from bench.board.leaderboard import leaderboard
from bench.board.live.server import LiveSite, listening
from bench.board.site.build import SiteOptions, write_site
from bench.metrics.corruption import CORRUPTIONS, SEVERITIES
from bench.metrics.paired import compare, holm, mce_difference
from bench.rounding import decimal
from bench.testing import write_results

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MODEL = "models/sat_resnet50.html"
CHROMIUM = os.environ.get("BENCH_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("results"))
    write_results(folder, "zz_other", {"imagenet": {"imagenet/clean": 0.3}}, n=120, seed=5)
    return folder


@pytest.fixture(scope="module")
def site(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(results, tmp_path_factory.mktemp("site"), SiteOptions(figures=True))[0].parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    if CHROMIUM is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(NAMES)} and BENCH_CHROMIUM)")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def view(browser: Any, site: Path) -> Iterator[Any]:
    """Opens a page of the site; fails the test for any console message, error, dialogue or outside request."""
    troubles: list[str] = []
    contexts = []

    def show(path: str, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": options.pop("width", 1280), "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else troubles.append(r.url))
        page.goto(f"{site.as_uri()}/{path}")
        return page

    yield show
    for context in contexts:
        context.close()
    assert troubles == []


def test_a_single_file_works_alone(browser: Any, results: Path, tmp_path: Path) -> None:
    page_file = write_site(results, tmp_path / "site", SiteOptions(single_file=True))[0]
    alone = page_file.rename(tmp_path / "mailed.html")
    page = browser.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.goto(alone.as_uri())
    page.get_by_role("searchbox").fill("TINY_mbn fake")
    assert models(page) == ["tiny_mbn@adv"]
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") == "14px"
    page.close()
    assert troubles == []


def models(page: Any) -> list[str]:
    return [text.strip() for text in page.locator("#board tbody tr:visible .model a").all_inner_texts()]


def test_sorting_puts_the_best_first_then_last_and_the_unmeasured_always_last(view: Any, results: Path) -> None:
    page = view("index.html")
    board = leaderboard(results)
    pgd = page.locator("#board th", has_text="PGD")
    assert pgd.get_attribute("aria-sort") == "descending"  # what decides, before anything is clicked
    measured = board.dropna(subset=["pgd_robust_accuracy"]).sort_values("pgd_robust_accuracy")["model"].tolist()
    pgd.get_by_role("button").click()
    assert pgd.get_attribute("aria-sort") == "ascending"
    assert models(page)[:3] == measured
    pgd.get_by_role("button").click()
    assert models(page)[:3] == measured[::-1]
    mce = page.locator("#board th", has_text="mCE")
    mce.get_by_role("button").click()
    assert mce.get_attribute("aria-sort") == "ascending"  # lower is better
    by_mce = board.dropna(subset=["imagenet-c_mce"]).sort_values("imagenet-c_mce")["model"].tolist()
    assert models(page)[:3] == by_mce
    assert pgd.get_attribute("aria-sort") is None


def test_by_keyboard_alone(view: Any) -> None:
    page = view("index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.wait_for_url("**#main")
    page.locator("#board th button").first.focus()
    page.keyboard.press("Enter")
    assert models(page) == sorted(models(page), key=str.lower)


def test_filters_narrow_and_are_announced(view: Any) -> None:
    page = view("index.html")
    page.get_by_role("searchbox").fill("TINY_mbn fake")
    assert models(page) == ["tiny_mbn@adv"]
    assert page.get_by_role("status").first.inner_text() == "1 of 5 models"
    page.get_by_role("searchbox").fill("")
    chip = page.get_by_role("button", name="standard", exact=True)
    chip.click()
    assert chip.get_attribute("aria-pressed") == "true"
    assert len(models(page)) == 5
    page.get_by_role("searchbox").fill("nobody")
    assert models(page) == []


def test_claims_show_on_request(view: Any) -> None:
    page = view("index.html")
    claim = page.get_by_text("claimed 69.7")
    assert not claim.is_visible()
    page.get_by_label("claimed and outside numbers").check()
    assert claim.is_visible()


def test_a_number_leads_to_its_protocol_and_command(view: Any) -> None:
    page = view("index.html")
    page.locator("tr", has=page.get_by_role("link", name="sat_resnet50")).locator("a[href$='#pgd']").click()
    assert page.url.endswith("models/sat_resnet50.html#pgd")
    section = page.locator("section#pgd")
    assert "bench run --model sat_resnet50 --suite pgd" in section.inner_text()
    section.locator("summary", has_text="Protocol").click()
    assert "manifest" in section.inner_text()


def test_two_chosen_models_are_compared_with_the_numbers_of_the_library(view: Any, results: Path) -> None:
    page = view("index.html")
    for name in ("sat_resnet50", HOSTILE):
        page.get_by_label(f"Compare {name}", exact=True).check()
    page.locator("#tray").get_by_role("link", name="Compare").click()
    page.wait_for_url("**/compare.html*")
    page.wait_for_load_state()
    assert "told apart in 3 of 3 columns" in page.get_by_role("heading", level=2).first.inner_text()
    records = bench.records(results)
    mine = {m: dict(iter(f.groupby("condition"))) for m, f in records.groupby("model")}
    a, b = mine["sat_resnet50"], mine[HOSTILE]
    conditions = {"imagenet_accuracy": "imagenet/clean", "pgd_robust_accuracy": PGD8}
    pairs = {name: compare(a[c], b[c]) for name, c in conditions.items()}
    mce = mce_difference(*({c: f for c, f in of.items() if c.startswith("imagenet-c/")} for of in (a, b)))
    rows = {
        re.split(r"[\s,]", row.locator("th small").inner_text())[0]: row
        for row in page.locator("#pairs tbody tr").all()
    }
    adjusted = holm([*(pair.p for pair in pairs.values()), 0.0])  # mCE's p is the smallest by far
    for (name, pair), p in zip(pairs.items(), adjusted, strict=False):
        text = rows[name].inner_text()
        for value in (pair.difference, pair.low, pair.high):
            assert decimal(abs(100 * value)) in text
        assert f"{pair.only_a} / {pair.only_b}" in text
        shown = float(re.search(r"([\d.e-]+)\s+A is better", text)[1])
        assert shown == pytest.approx(p, rel=0.5, abs=5e-4)
    assert f"A is {decimal(abs(mce.value))} points lower than B [" in rows["imagenet-c_mce"].inner_text()
    assert "A is better" in rows["imagenet-c_mce"].inner_text()
    assert "A is better in 3" in page.locator("#verdict").inner_text()
    assert "p < 0.05" in page.locator("#rule").inner_text()
    only = pairs["imagenet_accuracy"].only_a
    fold = page.locator("#pictures summary", has_text=f"Clean: {only} that A gets right and B does not")
    fold.click()
    assert page.locator("#pictures details[open] li").count() == min(24, only)
    assert "bench compare sat_resnet50 '<script>" in page.locator("#command").inner_text()
    page.get_by_role("button", name="Swap A and B").click()
    assert "B is better" in page.locator("#pairs").inner_text()


PGD8 = "imagenet/pgd-linf-eps8_255-k10-a1_255-r1-untargeted"


def test_every_pair_has_the_p_value_of_the_library(view: Any, results: Path) -> None:
    page = view("compare.html")
    clean = bench.records(results).query("condition == 'imagenet/clean'")
    frames = dict(iter(clean.drop_duplicates(["model", "image_id"]).groupby("model")))
    for other in ("tiny_mbn@adv", "zz_other"):
        page.select_option("#a", label="sat_resnet50")
        page.select_option("#b", label=other)
        row = page.locator("#pairs tbody tr", has_text="imagenet_accuracy")
        pair = compare(frames["sat_resnet50"], frames[other])
        assert f"{pair.only_a} / {pair.only_b}" in row.inner_text()
        assert decimal(100 * pair.low, "+.1f").replace("-", "−") in row.inner_text()
        if other == "zz_other":  # the only column both have: nothing to adjust
            shown = row.locator("[data-l='p (Holm)']").inner_text()
            assert float(shown) == pytest.approx(pair.p, rel=0.5, abs=5e-4)


def test_a_difference_that_would_read_0_says_who_is_better(browser: Any, tmp_path: Path) -> None:
    for name, accuracy in (("better", 0.5004), ("worse", 0.5)):
        write_results(tmp_path / "r", name, {"imagenet": {"imagenet/clean": accuracy}}, n=20_000, seed=1)
    write_site(tmp_path / "r", tmp_path / "s")
    page = browser.new_page()
    for a, b, way in (("better", "worse", "higher"), ("worse", "better", "lower")):
        page.goto(f"{(tmp_path / 's').as_uri()}/compare.html#a={a}&b={b}")
        page.reload()
        text = page.locator("#pairs tbody tr").inner_text()
        assert f"A is 0.04 points {way} than B [" in text
        assert f"{'A' if a == 'better' else 'B'} is better" in text
        assert "0.008" in text  # twice the half to the eighth
    page.close()


def test_dark_and_light_by_system_and_by_choice(view: Any) -> None:
    page = view("index.html", color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.get_by_role("button", name="Colours: as the system").click()
    light = page.evaluate(colour)
    assert sum(map(int, re.findall(r"\d+", dark))) < 120 < 600 < sum(map(int, re.findall(r"\d+", light)))
    page.get_by_role("button", name="Colours: light").click()
    assert page.evaluate(colour) == dark


@pytest.mark.parametrize("width", [400, 700, 1280])
@pytest.mark.parametrize("path", ["index.html", "compare.html", "published.html", MODEL, "figures.html"])
def test_a_page_scrolls_in_one_direction_only(view: Any, path: str, width: int) -> None:
    page = view(path, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_sorts_by_a_list(view: Any) -> None:
    page = view("index.html", width=400)
    best_last = models(page)
    page.locator("#sort").select_option(label="Model")
    assert models(page) == sorted(best_last, key=str.lower)


def test_names_of_controls_and_table_for_a_screen_reader(view: Any) -> None:
    page = view("index.html")
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, a')].filter((e) => !(e.getAttribute('aria-label') || "
        "e.textContent.trim() || (e.labels && e.labels.length))).map((e) => e.outerHTML)"
    )
    assert nameless == []
    assert page.locator("#board").get_by_role("columnheader").count() == 2 + 3 + 2  # two data sets above the columns
    assert page.locator("#board").get_by_role("row").count() == 2 + 5


def test_print_leaves_the_controls_out(view: Any) -> None:
    page = view("index.html", color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.get_by_role("searchbox").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_columns_stand_under_their_data_set_and_say_how_they_were_attacked(view: Any) -> None:
    page = view("index.html")
    above = page.locator("#board .groups th")
    assert above.all_inner_texts() == ["ImageNet validation set (ILSVRC 2012)", "ImageNet-C, the official JPEG files"]
    assert [above.nth(i).get_attribute("colspan") for i in (0, 1)] == ["2", "1"]
    assert "10 steps, eps 2, 4, 8/255" in page.locator("#board th", has_text="PGD").inner_text()
    assert "n 120" in page.locator("#board th", has_text="PGD").inner_text()


def test_a_column_without_a_number_in_view_folds_away(view: Any) -> None:
    page = view("index.html")
    pgd = page.locator("#board th", has_text="PGD")
    assert pgd.is_visible()
    page.get_by_role("searchbox").fill("zz_other")
    assert not pgd.is_visible()
    assert page.locator("#folded").inner_text() == "2 hidden"
    assert page.locator("#board .groups th:visible").count() == 1
    page.get_by_role("searchbox").fill("")
    assert pgd.is_visible()


def test_a_column_is_switched_off_and_the_address_keeps_the_view(view: Any, site: Path) -> None:
    page = view("index.html")
    page.locator("#columns summary").click()
    page.locator("#columns label", has_text="PGD").locator("input").uncheck()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent").startswith("Columns")
    page.get_by_role("searchbox").fill("e")
    page.locator("#board th", has_text="Clean").get_by_role("button").click()
    page.locator("#board th", has_text="Clean").get_by_role("button").click()
    before, address = models(page), page.url
    assert "hide=pgd_robust_accuracy" in address
    assert "q=e" in address
    again = view(f"index.html#{address.partition('#')[2]}")
    assert models(again) == before
    assert not again.locator("#board th", has_text="PGD").is_visible()
    assert again.locator("#board th", has_text="Clean").get_attribute("aria-sort") == "ascending"
    dark = view("index.html#theme=dark")
    assert dark.evaluate("document.documentElement.dataset.theme") == "dark"


def test_nothing_matches_and_the_way_back(view: Any) -> None:
    page = view("index.html")
    assert not page.locator("#nothing").is_visible()
    page.get_by_role("searchbox").fill("nobody")
    assert page.locator("#nothing").inner_text().startswith("No model matches this filter")
    page.locator("#nothing button").click()
    assert len(models(page)) == 5


def test_the_view_is_saved_as_it_is_seen(view: Any, results: Path, tmp_path: Path) -> None:
    page = view("index.html", accept_downloads=True)
    page.get_by_role("searchbox").fill("resnet50")
    page.get_by_text("Copy or save").click()
    with page.expect_download() as saved:
        page.get_by_text("Download CSV").click()
    saved.value.save_as(tmp_path / "table.csv")
    found = pd.read_csv(tmp_path / "table.csv")
    board = leaderboard(results).set_index("model").loc["sat_resnet50"]
    assert found["Model"].tolist() == ["sat_resnet50"]
    name = "PGD (pgd, 10 steps, eps 2, 4, 8/255)"
    values = (board["pgd_robust_accuracy"], board["pgd_robust_accuracy_low"], board["pgd_robust_accuracy_high"])
    assert found.loc[0, [name, f"{name} low", f"{name} high"]].tolist() == [pytest.approx(v, abs=0.05) for v in values]


@pytest.mark.parametrize(("kind", "begins"), [("markdown", "| Model | Method |"), ("latex", "\\begin{tabular}{llrrr}")])
def test_the_view_is_copied_for_a_paper(view: Any, kind: str, begins: str) -> None:
    page = view("index.html")
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    page.get_by_text("Copy or save").click()
    page.locator(f"[data-copy={kind}]").click()
    text = page.evaluate("window.copied")
    assert text.startswith(begins)
    assert "tiny\\_mbn@adv" in text if kind == "latex" else "tiny_mbn@adv" in text
    assert "\\toprule" in text if kind == "latex" else text.count("\n") == 2 + 5


def test_published_numbers_come_a_page_at_a_time(view: Any) -> None:
    page = view("published.html")
    listed = page.locator("#board tbody tr:visible")
    assert listed.count() == 30
    assert page.evaluate("document.documentElement.scrollHeight") < 6000
    page.locator("#more button").first.click()
    assert listed.count() == 60
    page.locator("#among").select_option(label="NoFrost (2207.01156)")
    assert 0 < listed.count() <= 30
    assert set(page.locator("#board tbody tr:visible td:nth-child(5)").all_inner_texts()) == {"NoFrost (2207.01156)"}
    page.locator("#board th", has_text="Value").get_by_role("button").click()
    shown = [float(text.split()[0]) for text in page.locator("#board tbody tr:visible td.num").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)


PAGES = ("index.html", "compare.html", "published.html", MODEL, "figures.html")

COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What depends on the theme; the rest of axe's rules, which take far longer, hold of the page."""


def serious(axe: Any, page: Any, options: dict[str, Any]) -> list[tuple[str, str]]:
    """What axe-core finds serious or critical, with the element; the page's policy forbids it to load anything."""
    found = axe.run(page, options={"preload": False, **options}).response["violations"]
    return [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]


@pytest.fixture(scope="module")
def axe() -> Any:
    module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    return module.Axe()


def check_everywhere(axe: Any, page: Any) -> None:
    """By every rule at both widths, and by those of colours in both themes, with every fold open."""
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.evaluate("document.querySelectorAll('tbody tr[hidden]').forEach((row) => row.remove())")  # like those shown
    page.evaluate("document.querySelectorAll('.paper tbody tr:nth-child(n+6)').forEach((row) => row.remove())")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme, rules in (("light", {}), ("dark", COLOURS)):
            page.emulate_media(color_scheme=scheme)
            assert serious(axe, page, rules) == [], (width, scheme)


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(view: Any, axe: Any, path: str) -> None:
    check_everywhere(axe, view(path))


def test_axe_finds_nothing_serious_while_a_run_goes_on(browser: Any, axe: Any, tmp_path: Path) -> None:
    for name in ("a", HOSTILE):
        write_results(tmp_path, name, {"pgd": {"imagenet/clean": 0.5, PGD8: 0.25}}, n=20)
    write_results(tmp_path, "z", {"imagenet": {"imagenet/clean": 0.5}}, n=20)
    (unmade,) = (p for p in tmp_path.glob("cells/*/cell.json") if '"z"' in p.read_text(encoding="utf-8"))
    shutil.rmtree(unmade.parent)
    next(tmp_path.glob("cells/*/*.parquet")).write_bytes(b"cut off")
    live = LiveSite(tmp_path, SiteOptions())
    server = listening(live, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/live.html")
        page.locator("#numbers tbody tr").first.wait_for()
        assert page.locator("#waiting").inner_text() == "2 more numbers have not begun."  # one is damaged
        assert "z" not in page.locator("#numbers tbody th").all_inner_texts()
        check_everywhere(axe, page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    finally:
        page.close()
        server.shutdown()
        server.server_close()


def test_every_shade_of_a_heat_map_can_be_read(browser: Any, axe: Any, tmp_path: Path) -> None:
    conditions = [f"imagenet/{name}/{severity}" for name in CORRUPTIONS for severity in SEVERITIES]
    for name, shift in (("a", 0), ("b", 37)):
        graded = {each: ((place + shift) % 75) / 74 for place, each in enumerate(conditions)}
        write_results(tmp_path / "r", name, {"imagenet-c-live": {"imagenet/clean": 0.5, **graded}}, n=148)
    write_site(tmp_path / "r", tmp_path / "s")
    page = browser.new_page()
    for path in ("models/a.html", "compare.html"):
        page.goto(f"{(tmp_path / 's').as_uri()}/{path}")
        assert page.locator(".heat td").count() >= 75
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert serious(axe, page, COLOURS) == [], (path, scheme)
    page.close()
