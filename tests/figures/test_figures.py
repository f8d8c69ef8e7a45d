"""The papers' figures show what was measured and what was published, and nothing else."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import bench
from bench import figures
from bench.cli import build_parser, main
from bench.errors import StoreError
from bench.figures import FIGURES, heat_maps, style
from bench.figures.base import FigureSpec, NotMeasuredError
from bench.figures.measured import Numbers
from bench.figures.series import Series, bars, beside
from bench.published.papers import NOFROST, find
from bench.published.table import published_table
from bench.suites.registry import SUITES
from bench.training.recipes import RECIPES
from model_zoo.registry import cards, split_branch
from tools.figures_page import PAGE, published, with_table, written_counts

MODELS = ("tiny_at", "tiny_mix", "tiny_mbn@clean", "tiny_mbn@adv", "tiny_sat_silu", "tiny_nofrost", "tiny_std")
BY_NAME = {spec.name: spec for spec in FIGURES}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean and under PGD, ten images; and tiny_at on fewer, which is another protocol."""
    out = tmp_path_factory.mktemp("figures") / "runs"
    bench.run(list(MODELS), "tiny-pgd", limit=10, reliability=0, out=out, quiet=True)
    for steps in (1, 2):
        bench.run(
            ["tiny_at", "tiny_sat_silu"],
            "pgd",
            eps="8/255",
            step_size="1/255",
            steps=steps,
            limit=10,
            reliability=0,
            out=out,
            quiet=True,
        )
    bench.run("tiny_at", "tiny", limit=4, out=out, quiet=True)
    return out


@pytest.fixture(scope="module")
def data(runs: Path) -> Numbers:
    return Numbers(runs)


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    with style.styled():
        yield


def draw(name: str, data: Numbers) -> Figure:
    return BY_NAME[name].draw(BY_NAME[name], data)


def marks(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """x and y of every labelled line, by label."""
    handles, labels = axes.get_legend_handles_labels()
    lines = [handle[0] if isinstance(handle, tuple) else handle for handle in handles]
    return {
        label: ([float(x) for x in line.get_xdata()], [float(y) for y in line.get_ydata()])
        for label, line in zip(labels, lines, strict=True)
    }


def drawn_or_why(spec: FigureSpec, data: Numbers) -> tuple[Figure | None, str]:
    try:
        return spec.draw(spec, data), ""
    except NotMeasuredError as error:
        return None, str(error)


def value(data: Numbers, model: str, metric: str, suite: str = "tiny-pgd") -> float:
    frame = data.frame
    rows = frame[(frame["model"] == model) & (frame["suite"] == suite) & (frame["metric"] == metric)]
    return 100 * float(rows[rows["condition"] == "all"]["value"].iloc[0])


@pytest.mark.parametrize("spec", FIGURES, ids=lambda spec: spec.name)
def test_every_figure_is_drawn_or_names_the_run_that_it_needs(spec: FigureSpec, data: Numbers) -> None:
    figure, reason = drawn_or_why(spec, data)
    stands = written_counts(PAGE.read_text(encoding="utf-8"))[spec.name]
    if figure is None:
        assert reason.endswith(spec.to_measure(data.address))
        assert stands == "0"
        return
    assert stands == published(figure), "next: make docs"
    assert figure.get_figwidth() in (style.ONE_COLUMN, style.TWO_COLUMNS)
    assert figure.get_supxlabel().startswith(spec.title)
    figure.canvas.draw()
    for axes in figure.axes:
        for label, ends in ((axes.get_xlabel(), axes.get_xlim()), (axes.get_ylabel(), axes.get_ylim())):
            assert not label.endswith("accuracy (%)") or 0 <= ends[0] < ends[1] <= 100, label
    right = figure.bbox.x1
    assert all(text.get_window_extent().x1 <= right for text in figure.texts), "the caption is cut off"


def test_an_axis_of_accuracy_ends_at_100_however_high_its_bars() -> None:
    figure, (left, right) = style.panels(2)
    for axes, label in ((left, "tiny clean accuracy (%)"), (right, "mCE (%)")):
        bars(axes, ["a"], [Series("s", (), [99.0], [(95.0, 100.0)])], label, "")
        assert axes.get_ylim()[1] > 105
    style.end_at_100(figure)
    assert left.get_ylim() == (0, 100)
    assert all(line.get_clip_on() for line in left.lines), "the line at 0 would stand below an axis that begins at 80"
    assert right.get_ylim()[1] > 105  # which may lie above 100


@pytest.mark.parametrize("spec", [spec for spec in FIGURES if spec.command], ids=lambda spec: spec.name)
def test_the_runs_that_figures_ask_for_can_be_typed(spec: FigureSpec) -> None:
    """As a shell reads what a caption says, a loop over steps too."""
    shell = f"bench() {{ printf '%s\\n' \"$*\"; }}; {spec.to_measure('DIR')}"
    typed = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True).stdout.splitlines()
    assert typed == [f"run {command} --out DIR" for command in spec.commands]
    for line in typed:
        parsed = build_parser().parse_args(line.split())
        assert set(parsed.suite.split(",")) <= set(SUITES)
        made = {recipe.model_name(0) for recipe in RECIPES.values()} | set(cards())
        assert {split_branch(name).base for name in parsed.model.split(",")} <= made


def test_measured_points_are_the_measured_numbers(data: Numbers) -> None:
    axes = draw("intriguing-clean-share", data).axes[0]
    (points,) = marks(axes).values()
    assert points == ([0, 100], [pytest.approx(value(data, m, "robust_accuracy")) for m in ("tiny_at", "tiny_mix")])
    scatter = marks(draw("nofrost-clean-robust", data).axes[0])
    assert scatter["tiny_nofrost"] == (
        [pytest.approx(value(data, "tiny_nofrost", "clean_accuracy"))],
        [pytest.approx(value(data, "tiny_nofrost", "robust_accuracy"))],
    )


def test_published_points_are_the_published_numbers_and_hollow(data: Numbers) -> None:
    axes = draw("nofrost-clean-robust", data).axes[1]
    assert axes.get_title() == "published"
    assert marks(axes)["adversarial training with batch norm"] == ([59.28], [13.57])
    assert marks(axes)["NoFrost"] == ([74.06, 74.06], [23.56, 22.45])
    assert {line.get_markerfacecolor() for line in axes.get_lines()} == {"white"}
    silu = marks(draw("sat-activation-scatter", data).axes[1])["SILU"]
    assert silu == ([42.3], [69.73])


def test_the_caption_names_protocol_and_sources(data: Numbers) -> None:
    text = " ".join(draw("nofrost-clean-robust", data).get_supxlabel().split())
    column = data.robust(MODELS)
    assert column
    assert column.protocol in text
    assert "(n 10," in text
    assert all(row.number.source in text for row in find(NOFROST, "robust_accuracy"))


def test_what_is_not_measured_is_not_drawn_but_its_command_is(tmp_path: Path) -> None:
    bench.run("tiny_std", "tiny", limit=4, out=tmp_path, quiet=True)
    axes = draw("sat-activation-scatter", Numbers(tmp_path)).axes
    assert not axes[0].get_lines()
    assert "bench run --model tiny_at" in " ".join(axes[0].texts[0].get_text().split())
    with pytest.raises(NotMeasuredError, match="intriguing-normalisation: not measured; next: bench run"):
        draw("intriguing-normalisation", Numbers(tmp_path))


def test_curves_over_steps_join_one_attack_that_differs_in_steps_alone(data: Numbers) -> None:
    axes = draw("sat-attack-iterations", data).axes[0]
    curves = marks(axes)
    assert set(curves) == {"ReLU", "SILU"}
    assert curves["ReLU"][0] == [1, 2, 20]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "20"]


def test_numbers_of_unlike_protocols_do_not_meet(data: Numbers) -> None:
    column = data.clean(MODELS)
    assert column
    assert column.n == 10
    assert set(column.numbers) == set(MODELS)
    small = [c for c in data.columns if c.condition == "tiny/clean" and c.n == 4]
    assert {c.protocol for c in small}.isdisjoint({column.protocol})


def test_derivatives_are_those_of_the_functions(data: Numbers) -> None:
    function, slope = (marks(axes)["SILU"] for axes in draw("sat-activation-curves", data).axes[:1] * 2)
    axes = draw("sat-activation-curves", data).axes
    lines = {line.get_label(): line for line in axes[1].get_lines()}
    x, y = function
    differences = torch.gradient(torch.tensor(y, dtype=torch.float64), spacing=(torch.tensor(x, dtype=torch.float64),))[
        0
    ]
    shown = torch.tensor([float(v) for v in lines["SILU"].get_ydata()], dtype=torch.float64)
    assert torch.allclose(shown[1:-1], differences[1:-1], atol=2e-3)
    assert slope == function


def test_branch_statistics_are_those_of_the_weights(data: Numbers) -> None:
    figure = draw("intriguing-branch-statistics", data)
    assert [axes.get_title() for axes in figure.axes] == ["mean", "variance", "$\\gamma$", "$\\beta$"]
    (label,) = (text for text in marks(figure.axes[0]))
    assert label.startswith("tiny_mbn, r 0.")


def test_the_same_thing_looks_the_same_in_both_panels(data: Numbers) -> None:
    left, right = draw("sat-activation-scatter", data).axes

    def colour(axes: Axes, name: str) -> tuple[float, ...]:
        handles, labels = axes.get_legend_handles_labels()
        handle = handles[labels.index(name)]
        return to_rgb((handle[0] if isinstance(handle, tuple) else handle).get_color())

    assert colour(left, "SILU") == colour(right, "SILU") != colour(left, "ReLU")


def test_files_are_png_svg_and_pdf_and_the_same_each_time(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.figures.FIGURES", (BY_NAME["nofrost-clean-robust"],))
    assert main(["figures", str(runs), "--out", str(tmp_path / "out")]) == 0
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == [f"nofrost-clean-robust.{suffix}" for suffix in ("pdf", "png", "svg")]
    for path in style.save(draw("nofrost-clean-robust", Numbers(runs)), tmp_path / "again"):
        assert path.read_bytes() == (tmp_path / "out" / f"nofrost-clean-robust{path.suffix}").read_bytes()


def test_the_command_tells_what_it_did_not_draw(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.figures.FIGURES", (BY_NAME["nofrost-margins"],))
    assert main(["figures", str(runs), "--out", str(tmp_path)]) == 0
    assert "not drawn: nofrost-margins: not measured; next: bench run --model" in capsys.readouterr().out


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results here"):
        Numbers(tmp_path)


def test_nobodys_recollection_is_published() -> None:
    assert len(published_table()) > 1000
    assert not [r for r in published_table() if re.search("recollection|derived", r.number.source, re.IGNORECASE)]


def test_the_palette_is_told_apart_without_red_or_green() -> None:
    """Machado et al. 2009, severity 1: protanopia and deuteranopia, on linear RGB."""
    machado = torch.tensor(
        [
            [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
            [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        ]
    )
    linear = torch.tensor([to_rgb(c) for c in style.OKABE_ITO]) ** 2.2
    for matrix in machado:
        seen = (linear @ matrix.T).clamp(0, 1) ** (1 / 2.2)
        assert torch.pdist(seen).min() > 0.09


def test_marks_of_many_models_differ() -> None:
    assert len({(style.colour(i), style.marker(i)) for i in range(56)}) == 56


def test_names_with_markup_are_written_as_they_are(data: Numbers, tmp_path: Path) -> None:
    name = '<script>$x$ & "quoted" 模型' + "y" * 150
    spec = FIGURES[0]
    figure = beside(spec, data, [Series(name, [1.0], [2.0], [(1.0, 3.0)])], [], "x", "y", "")
    (svg,) = [path for path in style.save(figure, tmp_path / "f") if path.suffix == ".svg"]
    assert "<script" not in svg.read_text(encoding="utf-8")
    (label,) = (text.get_text() for text in figure.axes[0].get_legend().get_texts())
    assert label.startswith("<script>\\$x\\$ &")
    assert max(map(len, label.split("\n"))) <= style.LEGEND_LINE + 2
    assert not heat_maps(data)


def test_the_page_lists_every_figure() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == with_table(text, written_counts(text)), "run `make docs`"


def test_every_figure_that_a_paper_room_declares_is_drawn() -> None:
    """A file that its room does not name would be a figure that nobody misses."""
    rooms = Path(figures.__file__).parent
    declared = re.findall(
        r'^@figure\(\s*"([a-z0-9-]+)"', "".join(p.read_text("utf-8") for p in rooms.rglob("*.py")), re.M
    )
    assert sorted(declared) == sorted(BY_NAME)
    assert len(BY_NAME) == len(FIGURES)


def test_labels_that_differ_in_their_middle_stay_unlike() -> None:
    _figure, (axes,) = style.panels()
    told = [
        f"AdvProp, PGD-1 linf eps 4/255, {middle}, 2 batch norms, 8 epochs of 8,000 images"
        for middle in ("no augmentation", "mirror")
    ]
    for index, label in enumerate(told):
        style.measured(axes, [1], [index], label=label, index=index)
    style.legend(axes)
    legend = axes.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert [text.replace("\n", " ") for text in texts] == told
