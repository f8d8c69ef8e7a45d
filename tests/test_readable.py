"""What `bench` returns shows itself: whole names, the main columns, and what it leaves out."""

import pickle
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len

import bench
from bench import layout
from bench.rounding import decimal
from bench.testing import write_results

LONG = "timm:vit_base_patch16_clip_224.laion2b_ft_in12k_in1k"
PGD = "imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate((LONG, "tiny_at")):
        suites = {"imagenet": {"imagenet/clean": 0.7}, "pgd": {"imagenet/clean": 0.7, PGD: 0.3 - number / 10}}
        write_results(tmp_path, name, suites, n=200, seed=number)
    return tmp_path


@pytest.mark.parametrize("width", [80, 120, None])
def test_a_table_has_its_names_and_numbers_at_every_width(
    folder: Path, width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.readable.terminal_width", lambda *_: width)
    monkeypatch.setattr(layout, "terminal_width", lambda *_: width)
    for shown in (bench.results(folder), bench.leaderboard(folder), bench.compare(folder), bench.records(folder)):
        text = repr(shown)
        assert width is None or max(map(cell_len, text.splitlines())) <= width
        flat = re.sub(r"\s", "", text)
        assert LONG in flat
        assert "tiny_at" in flat


def test_results_show_every_number_and_name_the_other_columns(folder: Path) -> None:
    table = bench.results(folder)
    text = repr(table)
    (line,) = [line for line in text.splitlines() if PGD in line and LONG in line and "accuracy" in line]
    row = table[(table["condition"] == PGD) & (table["model"] == LONG)].iloc[0]
    for part in ("value", "low", "high", "n"):
        assert decimal(row[part], ".4g") in line.split()
    assert "not shown: protocol, subset, because, version" in " ".join(text.split())


def test_a_table_is_pandas(folder: Path) -> None:
    table = bench.results(folder)
    assert isinstance(table, pd.DataFrame)
    plain = pd.DataFrame(table)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(table)), table)  # noqa: S301
    few = table[["model", "value"]]
    assert repr(few) == repr(plain[["model", "value"]])  # a choice of the user's is shown as pandas shows it
    by_model = table.groupby("model")["value"].mean()
    pd.testing.assert_series_equal(by_model, plain.groupby("model")["value"].mean())
    assert "gap" in repr(table.assign(gap=table["high"] - table["low"]))
    kept = table[table["model"] == "tiny_at"]
    assert LONG not in repr(kept)
    assert "not shown" in repr(kept)


def test_a_long_table_is_cut_as_pandas_cuts_it(folder: Path) -> None:
    found = bench.records(folder)
    with pd.option_context("display.max_rows", 20, "display.min_rows", 6):
        body = [
            line for line in repr(found).splitlines() if line.split()[0].isdigit() or line.lstrip().startswith("...")
        ]
    assert [line.split()[0] for line in body] == ["0", "1", "2", "...", "797", "798", "799"]
    assert repr(found.head(30)).count("imagenet/clean") == 30


def test_what_is_incomplete_is_said_below(folder: Path) -> None:
    for part in next(folder.glob("cells/*")).glob("*.parquet"):
        part.unlink()
    assert "incomplete: " in repr(bench.results(folder))
    assert "incomplete: " in str(bench.results(folder)._repr_html_())


def test_in_a_notebook(tmp_path: Path) -> None:
    write_results(tmp_path, "a<b>&\u202e", {"imagenet": {"imagenet/clean": 0.7}})
    write_results(tmp_path, "b", {"imagenet": {"imagenet/clean": 0.5}})
    shown = (bench.results(tmp_path), bench.leaderboard(tmp_path), bench.compare(tmp_path), bench.records(tmp_path))
    for table in shown:
        page = str(table._repr_html_())
        assert "a&lt;b&gt;&amp;" in page
        assert "<b>&" not in page
        assert "\u202e" not in page


def test_a_comparison_begins_with_its_summary(folder: Path) -> None:
    pairs = bench.compare(folder)
    assert repr(pairs).splitlines()[0] == pairs.summary[0]
    assert pairs.summary[0].startswith(f"{LONG} (A) against tiny_at (B): ")
