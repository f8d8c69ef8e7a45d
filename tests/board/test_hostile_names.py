"""Names that were made to do harm, in every output: CSV, Markdown, LaTeX, the site, figures, the terminal, files."""

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from bench.board.leaderboard import leaderboard, to_latex, to_markdown
from bench.board.site.build import write_site
from bench.cli import main
from bench.figures.style import plain
from bench.folder.tables import results
from bench.folder.verify import verify
from bench.safe_csv import to_csv
from bench.terminal import print_results, rows
from bench.testing import write_results
from bench.text import escape_unprintable

NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a\u202eb\u2066",
    "x" * 200,
    "=1+1",
    "+1",
    "-1",
    "@a",
    "\t=1",
    "\r=1",
    "a;=HYPERLINK(1);",
    "a\t=1",
    "a|=1",
    "../../etc/passwd",
    "a/b\\c",
    "nul\x00x",
    "\x1b]0;owned\x07",
    "[/red]",
    "[link=file:///]x[/link]",
    "\\input{/etc/passwd}",
    "\\write18{x}",
    "$x$",
    "{{7*7}}",
    "a\nb | c",
    "`x`",
    "{% raw %}",
)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for seed, name in enumerate(NAMES):
        write_results(folder, name, {"imagenet": {"imagenet/clean": 0.5}}, n=20, seed=seed)
    return folder


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_no_cell_is_a_formula_however_a_spreadsheet_splits_the_file(folder: Path, separator: str) -> None:
    text = to_csv(leaderboard(folder)[["model", "method"]])
    assert not UNSEEN.search(text)
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row]
    assert cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_numbers_stay_numbers() -> None:
    assert to_csv(pd.DataFrame({"x": [-1.5, 2.0]})) == "x\n-1.5\n2.0\n"


def test_a_row_of_markdown_stays_one_row_without_markup(folder: Path) -> None:
    lines = to_markdown(leaderboard(folder)).splitlines()
    assert len(lines) == len(NAMES) + 2
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(columns) == 1
    assert not re.search("<[a-z/]", "".join(lines[2:]))
    assert not UNSEEN.search("".join(lines))


def test_latex_runs_no_command_of_a_name(folder: Path) -> None:
    text = to_latex(leaderboard(folder))
    assert not re.search(r"(?<!textbackslash )\\(input|write18)", text)
    assert not UNSEEN.search(text)
    assert len([line for line in text.splitlines() if line.endswith(r"\\")]) == len(NAMES) + 1


def test_the_site_shows_names_as_text_in_files_of_harmless_names(folder: Path, tmp_path: Path) -> None:
    pages = write_site(folder, tmp_path / "site")
    assert len(pages) == len(NAMES) + 3
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert not UNSEEN.search(text)
        assert re.fullmatch(r"[a-z0-9_.-]{1,80}", page.name)
        assert page.is_relative_to(tmp_path / "site")
    assert "a\\u202eb" in pages[0].read_text(encoding="utf-8")


def test_a_terminal_is_told_and_not_driven(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = results(folder)
    print_results(rows(frame), frame.remarks())
    for part in folder.glob("cells/*/*.parquet"):
        part.write_bytes(b"")
    assert main(["verify", str(folder)]) == 3
    assert main(["show", "\x1b]0;owned\x07"]) == 2
    printed = capsys.readouterr()
    assert not UNSEEN.search(printed.out.replace("\r", "") + printed.err)
    assert "[/red]" in printed.out
    assert "\\x1b]0;owned" in printed.out
    assert "\\x1b]0;owned" in printed.err


def test_a_figure_s_legend_is_one_line_of_plain_text() -> None:
    for name in NAMES:
        assert not UNSEEN.search(plain(name))
        assert "\n" not in plain(name)


def test_results_lie_under_hashes_whatever_the_names(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert re.fullmatch(r"[0-9a-f.-]+(parquet)?|cells|runs|(cell|run)\.json", path.name), path


def test_what_is_seen_stays_as_it_is() -> None:
    assert escape_unprintable("模型-é 😀 a\nb") == "模型-é 😀 a\nb"
    assert escape_unprintable("a\u202eb\x00\x1b") == "a\\u202eb\\x00\\x1b"


def test_verify_tells_records_of_another_condition_and_images_of_another_set(tmp_path: Path) -> None:
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=6)
    write_results(tmp_path, "b", {"imagenet": {"imagenet/clean": 0.5}}, n=6)
    assert verify(str(tmp_path)).problems == []
    run = next(path for path in tmp_path.glob("runs/*/run.json") if '"model": "b"' in path.read_text("utf-8"))
    run.write_text(run.read_text("utf-8").replace('"b"', '"c"'))
    (problem,) = verify(str(tmp_path)).problems
    assert problem.says == "its records are of b, imagenet/clean"


def test_verify_tells_foreign_images(tmp_path: Path) -> None:
    from bench.parts import part_names, put_part, read_cell, read_part
    from bench.record import UnitKey
    from bench.store import Store

    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=6)
    write_results(tmp_path, "b", {"imagenet": {"imagenet/clean": 0.5}}, n=6)
    store = Store(tmp_path)
    (cell_id,) = (c for c in store.names("cells") if read_cell(store, c).model == "b")
    (name,) = part_names(store, cell_id).values()
    table = read_part(store, cell_id, name)
    ids = table.column("image_id").to_pylist()
    import pyarrow as pa

    changed = table.set_column(0, table.schema.field(0), pa.array([*ids[:-1], "stranger"]))
    store.remove(f"cells/{cell_id}/{name}")
    put_part(store, read_cell(store, cell_id), UnitKey(0, 6), changed)
    (problem,) = verify(str(tmp_path)).problems
    assert "not those of the other cells of the same data set" in problem.says
