"""`bench.plot`: every figure as a matplotlib object, with the numbers of the tables."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

import bench
from bench.errors import IncompleteError, UsageError
from bench.folder.reader import ResultsFolder
from bench.store import Store
from bench.testing import write_results
from bench.verdict import Verdict, put_verdict


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plot") / "runs"
    models = ["tiny_std", "tiny_at", "tiny_sat_silu"]
    bench.run(models, "pgd", eps="2/255,8/255", steps=2, limit=8, reliability=0, out=out, quiet=True)
    bench.run("tiny_at", "tiny-c", limit=2, out=out, quiet=True)
    return out


def test_there_is_a_function_for_every_figure() -> None:
    offered = {name.replace("_", "-") for name in dir(bench.plot)}
    assert set(bench.list_figures()) <= offered
    assert "follows" in (bench.plot.sat_activation_scatter.__doc__ or "")


def test_a_paper_s_figure(runs: Path) -> None:
    drawn = bench.plot.sat_activation_scatter(runs, models=["tiny_at", "tiny_sat_silu"])
    assert isinstance(drawn, Figure)
    assert len(drawn.axes) == 2


def test_scatter_shows_the_leaderboard_s_numbers(runs: Path) -> None:
    axes = bench.plot.scatter(runs, models=["tiny_at", "tiny_std"])
    board = bench.leaderboard(runs).set_index("model")
    marks = {c.get_label(): c.lines[0].get_xydata()[0].tolist() for c in axes.containers}
    for model in ("tiny_at", "tiny_std"):
        assert marks[model] == board.loc[model, ["pgd_clean_accuracy", "pgd_robust_accuracy"]].tolist()
    assert axes.get_title().startswith("n 8, protocol")


def test_curves_show_the_results_by_budget(runs: Path) -> None:
    axes = bench.plot.curves(runs, ["tiny_at"])
    table = bench.results(runs)
    rows = table[(table["model"] == "tiny_at") & (table["suite"] == "pgd") & (table["metric"] == "accuracy")]
    expected = sorted((100 * rows["value"]).tolist(), reverse=True)
    (line,) = [c.lines[0] for c in axes.containers]
    assert line.get_xdata().tolist() == [0, 2, 8]
    assert sorted(line.get_ydata().tolist(), reverse=True) == pytest.approx(expected)


def test_what_is_not_reliable_is_named(tmp_path: Path) -> None:
    attacks = [f"imagenet/pgd-linf-eps{eps}_255-k10-a1_255-r1-untargeted" for eps in (2, 4)]
    for model in ("a", "b"):
        write_results(tmp_path, model, {"pgd": {"imagenet/clean": 0.9} | dict.fromkeys(attacks, 0.5)}, version=2)
    cells = ResultsFolder(tmp_path).cells
    (cell,) = (key for key, c in cells.items() if (c.model, c.protocol.condition) == ("b", attacks[1]))
    put_verdict(Store(tmp_path), cell, Verdict("unreliable", ("for a test",)))
    for axes in (bench.plot.scatter(tmp_path), bench.plot.curves(tmp_path)):
        assert sorted(c.get_label() for c in axes.containers) == ["a", "b (unreliable)"]


def test_a_notebook_shows_it(runs: Path) -> None:
    for drawn in (bench.plot.scatter(runs).figure, bench.plot.heat_map(runs, "tiny_at", "tiny-c")):
        assert drawn._repr_png_().startswith(b"\x89PNG")


def test_a_heat_map(runs: Path) -> None:
    drawn = bench.plot.heat_map(runs, "tiny_at", "tiny-c")
    assert drawn.axes[0].images[0].get_array().shape == (15, 5)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda d: bench.plot.figure("sat-activation-scater", d), UsageError, "sat-activation-scatter"),
        (lambda d: bench.plot.scatter(d, x="pgd_accuracy"), UsageError, "pgd_clean_accuracy"),
        (lambda d: bench.plot.scatter(d, models=["tiny_ta"]), UsageError, "tiny_at"),
        (lambda d: bench.plot.curves(d, suite="autoattack"), IncompleteError, "bench run --suite autoattack"),
        (lambda d: bench.plot.heat_map(d, "tiny_std", "tiny-c"), IncompleteError, "no corrupted condition"),
        (lambda _d: bench.plot.sat_activation_scater, AttributeError, "sat_activation_scatter"),
    ],
)
def test_what_cannot_be_drawn_says_why(runs: Path, call: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call(runs)  # type: ignore[operator]
