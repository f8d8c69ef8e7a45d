"""`bench compare` on records that a run has made."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

import bench
from bench.cli import main
from bench.corruptions import EXTRA
from bench.errors import UsageError
from bench.folder.answers import AnswersReader
from bench.folder.compare import compare_models, compare_pairs
from bench.folder.reader import ResultsFolder
from bench.metrics.accuracy import accuracy, correct
from bench.metrics.base import Frames
from bench.metrics.corruption import CORRUPTIONS, SEVERITIES, mce, mce_per_image
from bench.parts import put_cell, put_part
from bench.record import Cell, Protocol, RecordColumns, UnitKey
from bench.store import Store
from bench.testing import fake_model, write_pictures

LIVE = "mCE imagenet jpeg85"
WNIDS = ("n01440764", "n02123045", "n15075141")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compare")
    data = write_pictures(root / "data", WNIDS, 4)
    bench.run([fake_model("a"), fake_model("b", seed=1)], "imagenet", data=data, out=root / "runs", quiet=True)
    bench.run(fake_model("c", seed=2), "imagenet", data=data, out=root / "runs", limit=5, quiet=True)
    return root / "runs"


def test_the_difference_is_that_of_the_accuracies(runs: Path) -> None:
    records = bench.records(runs)
    a, b = (accuracy(records[records["model"] == name]).value for name in ("a", "b"))
    row = compare_models("a", "b", runs).table.iloc[0]
    assert row["difference"] == pytest.approx(a - b)
    assert row["n"] == 12


def test_unlike_protocols_are_refused_with_the_difference(runs: Path) -> None:
    with pytest.raises(UsageError, match=r"other images: 12 \(.*\) against 5 \(.*limit 5 of 12 images"):
        compare_models("a", "c", runs)


def test_unknown_models_are_named(runs: Path) -> None:
    with pytest.raises(UsageError, match=r"no results of 'aa' here \(did you mean a\?\); the folder holds a, b, c"):
        compare_models("aa", "b", runs)


def test_the_command_prints_and_writes_the_images(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "a", "b", str(runs), "--images", str(tmp_path / "images.csv")]) == 0
    assert "imagenet/clean" in capsys.readouterr().out
    assert (tmp_path / "images.csv").read_text("utf-8").startswith("image_id,label,prediction_a,prediction_b,condition")


def test_all_pairs_are_corrected_together(runs: Path) -> None:
    found = compare_pairs(runs)
    assert set(found.refused) == {"a, c", "b, c"}
    assert "limit 5 of 12 images" in found.refused["a, c"]
    assert found.table[["a", "b"]].drop_duplicates().to_numpy().tolist() == [["a", "b"]]


def corrupted(
    directory: Path,
    model: str,
    rng: np.random.Generator,
    wrong: float,
    form: str = "imagenet/{}/{}-jpeg85",
    corruptions: Sequence[str] = CORRUPTIONS,
    labels: str = "imagenet1k",
) -> Frames:
    """All 75 conditions of 40 images, put into a results folder by hand."""
    store, frames = Store(directory), {}
    for name in corruptions:
        for severity in SEVERITIES:
            condition = form.format(name, severity)
            dataset = condition.split("/")[0]
            cell = Cell(model, model * 8, {}, Protocol(dataset, "m", 40, labels, condition, "none"))
            ids, targets = [f"i{n}" for n in range(40)], [n % 5 for n in range(40)]
            answers = [(label + int(rng.random() < wrong)) % 5 for label in targets]
            columns = RecordColumns(ids, targets, answers, [0.5] * 40, [0.1] * 40, [None] * 40)
            put_cell(store, cell)
            put_part(store, cell, UnitKey(0, 40), columns.table())
            frames[condition] = columns.table().to_pandas()
    return frames


def test_mce_of_a_pair_stands_beside_its_conditions_and_each_is_corrected_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = {name: corrupted(tmp_path, name, rng, wrong) for name, wrong in (("a", 0.5), ("b", 0.4))}
    table = compare_pairs(tmp_path).table
    assert len(table) == 75 + 1
    single, headline = table[table["condition"] != LIVE], table[table["condition"] == LIVE]
    assert single["p_holm"].tolist() == pytest.approx(multipletests(single["p"], method="holm")[1].tolist())
    assert headline["p_holm"].item() == headline["p"].item()
    assert (set(single["family"]), set(headline["family"])) == ({75}, {1})
    row = headline.iloc[0]
    assert 100 * row["difference"] == pytest.approx(mce(frames["a"]).value - mce(frames["b"]).value)
    assert row["low"] < row["difference"] < row["high"]
    share = {name: mce_per_image(frames[name]) for name in "ab"}
    assert row["p"] == pytest.approx(scipy.stats.ttest_rel(share["a"], share["b"]).pvalue)
    single = compare_models("a", "b", tmp_path)
    assert single.mce
    assert single.mce.value == pytest.approx(100 * row["difference"])
    assert LIVE not in set(single.table["condition"])


def test_each_mce_of_a_folder_is_compared_by_itself(tmp_path: Path) -> None:
    """The official files and the same corruptions computed live are two numbers; held-out corruptions, which one
    model alone was measured on, are in neither, and change no p."""
    rng = np.random.default_rng(0)
    frames = {
        (name, form): corrupted(tmp_path, name, rng, wrong, form)
        for name, wrong in (("a", 0.5), ("b", 0.4))
        for form in ("imagenet/{}/{}-jpeg85", "imagenet-c/{}/{}")
    }
    corrupted(tmp_path, "a", rng, 0.5, "imagenet-c/{}/{}", EXTRA)
    table = compare_pairs(tmp_path).table.set_index("condition")
    for name, form in (("mCE imagenet jpeg85", "imagenet/{}/{}-jpeg85"), ("mCE imagenet-c", "imagenet-c/{}/{}")):
        row = table.loc[name]
        assert 100 * row["difference"] == pytest.approx(mce(frames["a", form]).value - mce(frames["b", form]).value)
        share = [mce_per_image(frames[model, form]) for model in "ab"]
        assert row["p_holm"] == row["p"] == pytest.approx(scipy.stats.ttest_rel(*share).pvalue)
    assert len(table) == 2 * 76


def test_other_classes_than_imagenets_have_no_mce(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, wrong in (("a", 0.5), ("b", 0.4)):
        corrupted(tmp_path, name, rng, wrong, "tiny/{}/{}", labels="tiny10")
    assert len(compare_pairs(tmp_path).table) == 75


def test_of_several_protocols_the_common_one_is_compared(tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "data", WNIDS, 4)
    out = tmp_path / "runs"
    models = [fake_model("a"), fake_model("b", seed=1)]
    bench.run(models, "imagenet", data=data, out=out, limit=5, quiet=True)
    for model in models:
        bench.run(model, "imagenet", data=data, out=out, protocol="published", limit=5, quiet=True)
        bench.run(model, "imagenet", data=data, out=out, quiet=True)
        row = compare_models("a", "b", out).table.iloc[0]
        n = 5 if model is models[0] else 12
        canonical = bench.results(out).query(f"n == {n} and condition == 'all'").drop_duplicates("model")
        assert (row["n"], row["protocol"]) == (n, canonical["protocol"].iloc[-1])
        values = dict(zip(canonical["model"], canonical["value"], strict=True))
        assert row["difference"] == pytest.approx(values["a"] - values["b"])


def test_the_command_compares_all(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(runs), "--all", "--format", "table", "--csv", str(tmp_path / "pairs.csv")]) == 0
    out = capsys.readouterr().out
    assert "a (A) against b (B)" in out
    assert "not compared: a, c: under imagenet/clean they were measured on other images" in out
    assert (tmp_path / "pairs.csv").read_text("utf-8").startswith("a,b,condition,difference,low,high")
    assert main(["compare", str(runs)]) == UsageError.exit_code
    assert main(["compare", "a", "c", str(runs)]) == UsageError.exit_code


def test_the_bits_that_pairs_are_compared_by_say_what_the_records_say(tmp_path: Path) -> None:
    store, n = Store(tmp_path), 21
    for seed, model in enumerate("ab"):
        rng = np.random.default_rng(seed)
        cell = Cell(model, model * 64, {}, Protocol("imagenet", "m", n, "imagenet1k", "imagenet/clean", "canonical"))
        unread = [None if ok else "unreadable" for ok in rng.uniform(size=n) < 0.7]
        values = [None if reason else float(v) for reason, v in zip(unread, rng.uniform(size=n), strict=True)]
        predictions = [None if v is None else int(3 * v) for v in values]
        put_cell(store, cell)
        columns = RecordColumns([f"i{k}" for k in range(n)], [1] * n, predictions, values, values, unread)
        put_part(store, cell, UnitKey(0, n), columns.table())
    folder = ResultsFolder(tmp_path)
    reader = AnswersReader(folder)
    for cell_id in folder.cells:
        loaded, answers = folder.load(cell_id), reader.load(cell_id)
        assert correct(answers.records).equals(correct(loaded.records))
        assert 0 < correct(answers.records).sum() < len(correct(answers.records)) < n
        assert answers.problems == loaded.problems == ()
        assert answers.ids is reader.load(next(iter(folder.cells))).ids, "which cells of the same images share"
