"""Tables that fit a terminal lose no name, and the same rows in other formats are those formats."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bench import layout
from bench.board.leaderboard import leaderboard, to_latex, to_markdown
from bench.board.text import for_terminal
from bench.cli import main
from bench.commands.compare import HOW
from bench.corruptions import SEVERITIES
from bench.errors import UsageError
from bench.folder.tables import results
from bench.formats import choose, render
from bench.layout import TextColumn, lay_out, paragraph, wrap
from bench.metrics.corruption import CORRUPTIONS
from bench.testing import write_results

PGD = "imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted"
NAMES = ("sat_resnet50", "file:my_net.py:make?size=224&resize=256", "a&b_%$#{}~^\\")
COLUMNS = (
    TextColumn("model", heading=True),
    TextColumn("condition"),
    TextColumn("value", right=True),
    TextColumn("protocol", spare=1),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables")
    for seed, name in enumerate(NAMES):
        write_results(path, name, {"pgd": {"imagenet/clean": 0.7, PGD: 0.3}}, n=200, seed=seed)
    return path


@given(st.text(st.characters(categories=["L", "N"]) | st.sampled_from("/@:,_-.")), st.integers(2, 40))
def test_wrapping_loses_nothing_and_keeps_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join(lines) == text
    assert all(cell_len(line) <= width for line in lines)


def test_names_break_after_their_parts() -> None:
    assert wrap("imagenet/pgd-linf-eps4_255", 14) == ["imagenet/pgd-", "linf-eps4_255"]
    assert wrap("abcdefgh", 3) == ["abc", "def", "gh"]


@pytest.mark.parametrize("width", [40, 80])
def test_sentences_fit_a_terminal_and_are_whole_in_a_pipe(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paragraph(HOW) == HOW
    monkeypatch.setattr(layout, "terminal_width", lambda *_: width)
    lines = paragraph(HOW).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert " ".join(lines) == HOW


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_name_is_there_at_every_width(width: int) -> None:
    rows = [[name, PGD, f"{number}.5 %", "c0ffee"] for number, name in enumerate(NAMES)]
    table = lay_out(COLUMNS, rows, width)
    assert max(map(cell_len, table.lines)) <= width
    text = "".join(re.sub(r"\s|-{3,}", "", line) for line in table.lines)
    for number, name in enumerate(NAMES):
        assert name in text
        assert f"{number}.5%" in text
    assert table.left_out == (() if width >= 120 else ("protocol",))


def test_the_rows_of_one_heading_come_together() -> None:
    rows = [[name, PGD, "1", "p"] for name in ("a", "b", "a", "b")]
    assert [line for line in lay_out(COLUMNS, rows, 60).lines if line in ("a", "b")] == ["a", "b"]
    assert [row[0] for row in (line.split() for line in lay_out(COLUMNS, rows).lines[2:])] == ["a", "b", "a", "b"]


def test_a_leaderboard_keeps_what_orders_it_then_what_most_models_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(tmp_path, "alone", {"imagenet": {"imagenet/clean": 0.7}}, n=50)
    for seed, name in enumerate(("a", "b", "c")):
        write_results(tmp_path, name, {"pgd": {"imagenet/clean": 0.7, PGD: 0.3}}, n=50, seed=seed)
    board = leaderboard(tmp_path)
    assert board.attrs["order"] == "pgd_robust_accuracy"
    assert board.attrs["about"]["pgd_robust_accuracy"] == "10 steps, eps 4/255"
    columns, _ = for_terminal(board)
    spare = {column.name: column.spare for column in columns}
    assert spare["pgd_robust_accuracy"] < spare["imagenet_accuracy"] < spare["method"]
    assert main(["leaderboard", str(tmp_path), "--format", "table", "--columns", "model,pgd_robust_accuracy"]) == 0
    shown = capsys.readouterr().out
    assert "pgd_robust_accuracy: 10 steps, eps 4/255, n 50" in shown
    assert "imagenet_accuracy: " not in shown
    assert "10 steps, eps 4/255" in to_latex(board)
    assert "10 steps, eps 4/255" in to_markdown(board)


def test_columns_are_left_out_before_names_are_wrapped() -> None:
    rows = [["a" * 20, "b" * 20, "1", "c" * 20]]
    assert lay_out(COLUMNS, rows, 71).left_out == ()
    table = lay_out(COLUMNS, rows, 60)
    assert table.left_out == ("protocol",)
    assert table.lines[-1].split() == ["a" * 20, "b" * 20, "1"]


def test_without_a_limit_nothing_is_broken_and_empty_columns_are_not_shown() -> None:
    rows = [["m" * 300, "c", "", "p"], ["n", "d", "", "q"]]
    table = lay_out(COLUMNS, rows)
    assert [line.split() for line in table.lines[2:]] == [["m" * 300, "c", "p"], ["n", "d", "q"]]
    assert table.lines[0].split() == ["model", "condition", "protocol"]


ROWS = [{"name": "a|b\n`c`", "n": 3, "value": 0.25}, {"name": "=1+1\t", "n": 4, "value": float("nan")}]


def test_rows_are_csv_tsv_and_json() -> None:
    for kind, separator in (("csv", ","), ("tsv", "\t")):
        found = list(csv.reader(io.StringIO(render(ROWS, kind)), delimiter=separator))
        assert found[0] == ["name", "n", "value"]
        assert found[1][1:] == ["3", "0.25"]
        assert found[2][0].startswith("'=1+1")
        assert found[2][2] == ""
    assert len(render(ROWS, "tsv").splitlines()) == 3
    assert json.loads(render(ROWS, "json")) == [ROWS[0], {**ROWS[1], "value": None}]


def test_rows_are_markdown() -> None:
    lines = render(ROWS, "markdown").splitlines()
    assert lines[0] == "| name | n | value |"
    assert lines[2] == r"| a\|b \`c\` | 3 | 0.25 |"


def test_columns_are_chosen_by_name() -> None:
    assert choose(["model", "value"], "value, model") == ["value", "model"]
    assert choose(["model", "value"], None) == ["model", "value"]
    with pytest.raises(UsageError, match=r"unknown column 'modle' \(did you mean model"):
        choose(["model", "value"], "modle")


@pytest.mark.parametrize("command", ["results {}", "leaderboard {}", "list suites", "list models"])
def test_piped_rows_are_stable_and_whole(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = command.format(folder).split()
    assert main(words) == 0
    shown = capsys.readouterr().out
    table = list(csv.reader(io.StringIO(shown), delimiter="\t"))
    assert len(table) > 2
    assert {len(row) for row in table} == {len(table[0])}
    assert main([*words, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert list(rows[0]) == table[0]
    assert len(rows) == len(table) - 1
    name = table[0][0]
    assert main([*words, "--format", "csv", "--columns", name]) == 0
    assert capsys.readouterr().out.splitlines()[0] == name


@pytest.mark.parametrize("command", ["results", "leaderboard"])
def test_a_table_for_people_has_every_model(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(folder), "--format", "table"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)
    assert "|" not in shown


@pytest.mark.parametrize("kind", ["markdown", "latex", "csv"])
def test_a_leaderboard_s_format_goes_to_a_file_or_the_output(
    kind: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(folder), f"--{kind}"]) == 0
    shown = capsys.readouterr().out
    assert main(["leaderboard", str(folder), f"--{kind}", str(tmp_path / "f")]) == 0
    assert (tmp_path / "f").read_text("utf-8") == shown
    assert capsys.readouterr().out == ""


def test_latex_is_a_table_with_its_protocols_in_the_caption(folder: Path) -> None:
    text, board = to_latex(leaderboard(folder)), leaderboard(folder)
    (protocol,) = board["pgd_robust_accuracy_protocol"].unique()
    assert f"pgd robust accuracy: 10 steps, eps 4/255, protocol {protocol}, n 200." in text
    head = text[text.index("\\toprule") : text.index("\\midrule")]
    assert protocol not in head
    assert "S[table-format=3.1]" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex with booktabs and siunitx")
def test_latex_compiles(folder: Path, tmp_path: Path) -> None:
    made = [
        to_latex(leaderboard(folder)),
        render(ROWS, "latex", "50 % & more"),
        render([{"v": 1.5}, {"v": 2}], "latex"),
    ]
    document = "\\documentclass{article}\\usepackage{booktabs,siunitx}\\begin{document}%s\\end{document}"
    (tmp_path / "t.tex").write_text(document % "\n".join(made))
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_an_error_at_a_terminal_breaks_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "40")
    screen = Terminal()
    layout.say(f"bench verify: {HOW}\n  next: repeat the command", screen)
    lines = screen.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= 40
    assert " ".join(" ".join(lines).split()) == f"bench verify: {HOW} next: repeat the command"
    pipe = io.StringIO()
    layout.say(HOW, pipe)
    assert pipe.getvalue() == f"{HOW}\n"


@pytest.mark.parametrize(("accuracy", "missing"), [(0.5, []), (math.nan, ["net, imagenet-c-live: no mean_error"])])
def test_without_mce_the_mean_error_must_be_there(tmp_path: Path, accuracy: float, missing: list[str]) -> None:
    """That mCE is not defined for other classes than ImageNet's does not hide that no image was scored."""
    names = [f"tiny/{name}/{severity}-jpeg85" for name in CORRUPTIONS for severity in SEVERITIES]
    measured = dict.fromkeys(("tiny/clean", *names), accuracy)
    write_results(tmp_path, "net", {"imagenet-c-live": measured}, n=4, labels="tiny10")
    table = results(tmp_path)
    assert [line.rpartition(":")[0] for line in table.attrs["unanswered"]] == missing
    assert any("no mce: defined for the classes of imagenet1k" in line for line in table.attrs["remarks"])
