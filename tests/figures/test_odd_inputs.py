"""Folders that were not made for a figure: nothing is pooled that differs, and what is left out is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import bench
from bench.figures import FIGURES, style, write_figures
from bench.figures.base import NotMeasuredError
from bench.figures.curves import curves
from bench.figures.measured import Column, Number, Numbers
from bench.figures.nofrost.histograms import outline
from bench.metrics.sequential import StopRule
from bench.store import Store
from bench.testing import fake_model, write_pictures, write_results
from bench.verdict import Verdict, put_verdict
from model_zoo.registry import cards

BY_NAME = {spec.name: spec for spec in FIGURES}
CLEAN = "tiny/clean"


def pgd(steps: int, eps: int = 8) -> str:
    return f"tiny/pgd-linf-eps{eps}_255-k{steps}-a1_255-r1-untargeted"


def draw(name: str, data: Numbers) -> Figure:
    with style.styled():
        return BY_NAME[name].draw(BY_NAME[name], data)


def attacked(clean: float, robust: float) -> dict[str, dict[str, float]]:
    return {"tiny-pgd": {CLEAN: clean, pgd(20): robust}}


def test_models_of_unlike_protocols_do_not_meet_and_who_is_left_out_is_said(tmp_path: Path) -> None:
    for model, n in (("tiny_at", 100), ("tiny_mix", 100), ("tiny_gn", 90)):
        write_results(tmp_path / "runs", model, attacked(0.9, 0.5), n=n)
    data = Numbers(tmp_path / "runs")
    figure = draw("intriguing-normalisation", data)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["tiny_at", "tiny_mix"]
    found = write_figures(str(tmp_path / "runs"), tmp_path / "out", only=["intriguing-normalisation"])
    assert sum("tiny_gn has no tiny/clean (n 100, protocol" in line for line in found.left_out) == 1
    assert not any("tiny_at" in line.partition(" has no ")[0] for line in found.left_out)


def test_a_curve_is_of_the_same_pictures(tmp_path: Path) -> None:
    for steps, images in ((5, "one"), (20, "other"), (50, "other")):
        for model in ("tiny_at", "tiny_mix", "tiny_nofrost"):
            write_results(tmp_path, model, {"pgd": {pgd(steps): 0.5}}, images=images)
    lines = draw("nofrost-attack-iterations", Numbers(tmp_path)).axes[0].get_lines()
    curves = [list(line.get_xdata()) for line in lines if len(line.get_xdata()) > 1]
    assert curves
    assert all(curve == [20, 50] for curve in curves)


def test_a_curve_of_files_is_of_the_same_pictures(tmp_path: Path) -> None:
    """Cells of files say their content once they are read: 12 images under 5 steps and 6 of them under 20 and 50."""
    data = write_pictures(tmp_path / "data", ["n01440764", "n02123045", "n15075141"], 4)
    how = {"data": data, "out": tmp_path / "r", "eps": "4/255", "reliability": 0, "quiet": True, "dataset": "imagenet"}
    for steps, limit in ((1, None), (2, 6), (3, 6)):
        bench.run(fake_model(), "pgd", steps=steps, limit=limit, **how)
    numbers = Numbers(tmp_path / "r")
    (series,), text = curves(numbers, numbers.models)
    assert (list(series.x), "n 6" in text) == ([2, 3], True)


def test_a_plotted_curve_is_of_the_same_pictures(tmp_path: Path) -> None:
    clean, at = "imagenet/clean", "imagenet/pgd-linf-eps{}_255-k10-a1_255-r1-untargeted"
    for budgets, images, value in (((2, 8), "one", 0.25), ((4, 16), "other", 0.5)):
        conditions = {clean: 2 * value} | {at.format(eps): value for eps in budgets}
        write_results(tmp_path, "m", {"pgd": conditions}, n=20 * budgets[0], images=images, version=2)
    axes = bench.plot.curves(tmp_path)
    (line,) = [container.lines[0] for container in axes.containers]
    assert line.get_xydata().tolist() == [[0, 100], [4, 50], [16, 50]]
    assert axes.get_title() == "n 80"


def test_pictures_that_share_no_curve_are_no_curve(tmp_path: Path) -> None:
    for steps, images in ((5, "one"), (20, "other")):
        for model in ("tiny_at", "tiny_mix", "tiny_nofrost"):
            write_results(tmp_path, model, {"pgd": {pgd(steps): 0.5}}, images=images)
    with pytest.raises(NotMeasuredError, match="not measured"):
        draw("nofrost-attack-iterations", Numbers(tmp_path))


def test_of_the_seeds_that_were_measured_the_first_is_drawn(tmp_path: Path) -> None:
    for model in ("tiny_at_s1", "tiny_at_s2", "tiny_mix_s2", "tiny_mbn_s1@clean", "tiny_mbn_s1@adv", "tiny_gn"):
        write_results(tmp_path, model, attacked(0.9, 0.5))
    assert [facts.name for facts in Numbers(tmp_path).models] == [
        "tiny_at_s1",
        "tiny_gn",
        "tiny_mbn_s1@adv",
        "tiny_mbn_s1@clean",
        "tiny_mix_s2",
    ]


def test_a_number_that_cannot_be_believed_is_named_in_the_caption(tmp_path: Path) -> None:
    for model in ("tiny_at", "tiny_mix"):
        write_results(tmp_path, model, attacked(0.9, 0.5))
    data = Numbers(tmp_path)
    (cell,) = (
        cell_id
        for cell_id, cell in data.folder.cells.items()
        if cell.model == "tiny_mix" and cell.protocol.condition == pgd(20)
    )
    put_verdict(Store(tmp_path), cell, Verdict("unreliable", ("gradients are masked",)))
    caption = draw("intriguing-normalisation", Numbers(tmp_path)).get_supxlabel()
    assert "unreliable: tiny_mix)" in " ".join(caption.split())
    assert "unreliable: tiny_at" not in caption


def test_a_model_of_which_no_image_was_scored_is_no_mark(tmp_path: Path) -> None:
    for model, accuracy in (("tiny_at", 0.9), ("tiny_mix", 0.9), ("tiny_gn", float("nan"))):
        write_results(tmp_path, model, attacked(accuracy, accuracy))
    data = Numbers(tmp_path)
    assert all("tiny_gn" not in column.numbers for column in data.columns)
    figure = draw("intriguing-normalisation", data)
    assert "tiny_gn" not in [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert any(line.startswith("tiny_gn has no ") for line in data.passed_over)


def test_a_model_without_one_of_the_attacks_is_named(tmp_path: Path) -> None:
    ensemble = "tiny/autoattack-linf-eps8_255-standard"
    for model in ("tiny_at", "tiny_mix", "tiny_nofrost"):
        write_results(tmp_path, model, attacked(0.9, 0.5))
    for model in ("tiny_at", "tiny_nofrost"):
        write_results(tmp_path, model, {"autoattack": {ensemble: 0.4}})
    data = Numbers(tmp_path)
    figure = draw("nofrost-attacks", data)
    assert figure.axes[0].get_legend_handles_labels()[1] == ["tiny_at", "tiny_nofrost"]
    assert any(line.startswith(f"tiny_mix has no {ensemble}") for line in data.passed_over)


def test_a_caption_gives_the_range_of_n_and_the_rule_that_stopped_it() -> None:
    rule = str(StopRule(5))  # type: ignore[arg-type]
    numbers = {"a": Number(50, 45, 55, 120, subset=rule), "b": Number(60, 55, 65, 160, subset=rule)}
    about = Column("tiny", CLEAN, "accuracy", "p", numbers).about()
    assert "n 120 to 160" in about
    assert "until 5 points" in about
    assert "(n 160, protocol p)" in Column("tiny", CLEAN, "accuracy", "p", {"b": Number(60, 55, 65, 160)}).about()


def test_the_part_below_zero_is_compared_by_pairs_of_one_kind_of_network(tmp_path: Path) -> None:
    for model in ("tiny_at", "tiny_sat_silu", "tiny_sat_gelu", "tiny_at_deep", "lab"):
        write_results(tmp_path, model, attacked(0.9, 0.5))
    with pytest.raises(NotMeasuredError, match="tiny_sat_silu_rectified"):
        draw("sat-negative-part", Numbers(tmp_path))
    traits = {"lab": replace(cards()["tiny_sat_silu"].traits, activation="silu_rectified")}
    figure = draw("sat-negative-part", Numbers(tmp_path, traits=traits))
    shown = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert shown == ["tiny_at", "tiny_sat_silu", "lab"]


def test_many_models_leave_the_panel_its_room_and_the_legend_below_its_label(tmp_path: Path) -> None:
    names = ["tiny_nofrost", *(f"lab_{i}" for i in range(8))]
    traits = {name: cards()["tiny_mix"].traits for name in names[1:]}
    for name in names:
        for eps in (2, 8):
            write_results(tmp_path, name, {"pgd": {pgd(20, eps): 0.5}})
    data = Numbers(tmp_path, names, traits=traits)
    figure = draw("nofrost-budgets", data)
    with style.styled():
        figure.canvas.draw()
    (axes,) = figure.axes
    legend, label = axes.get_legend(), axes.xaxis.label
    assert legend is not None
    assert len(legend.get_texts()) == 9
    assert legend.get_window_extent().y1 <= label.get_window_extent().y0 + 1
    assert axes.get_window_extent().height > figure.dpi, "an inch"


def test_a_network_whose_multiply_adds_nobody_can_count_is_named(tmp_path: Path) -> None:
    for model in ("tiny_at", "tiny_at_deep", "lab"):
        write_results(tmp_path, model, attacked(0.9, 0.5))
    data = Numbers(tmp_path, traits={"lab": cards()["tiny_at"].traits})
    BY_NAME["intriguing-depth"].draw(BY_NAME["intriguing-depth"], data)
    assert "lab has no card that its multiply-adds could be counted from" in data.passed_over
    assert not any(line.startswith("tiny_at ") for line in data.passed_over)


def test_a_radar_s_names_fit_its_page(tmp_path: Path) -> None:
    names = ["tiny_nofrost", "robustbench:Salman2020Do_R50", "timm:resnet50.a1_in1k", "file:lab"]
    traits = {name: cards()["tiny_mix"].traits for name in names[1:]}
    for name in names:
        write_results(tmp_path, name, attacked(0.9, 0.5) | {"tiny-a": {"tiny-a/clean": 0.4}})
    figure = draw("nofrost-radar", Numbers(tmp_path, names, traits=traits))
    with style.styled():
        figure.canvas.draw()
    legend = figure.axes[0].get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("figure", ["sat-scaling", "sat-activation-scatter", "nofrost-clean-robust"])
def test_a_model_without_one_of_the_two_accuracies_is_named(tmp_path: Path, figure: str) -> None:
    for model in ("tiny_at", "tiny_sat_silu", "tiny_mix"):
        write_results(tmp_path, model, attacked(0.9, 0.5))
    for model in ("tiny_sat_gelu", "tiny_nofrost"):
        write_results(tmp_path, model, {"tiny-pgd": {CLEAN: 0.8}})
    data = Numbers(tmp_path)
    draw(figure, data)
    lacking = "tiny_nofrost" if figure.startswith("nofrost") else "tiny_sat_gelu"
    assert any(line.startswith(f"{lacking} has no ") and "pgd-linf" in line for line in data.passed_over)


@pytest.mark.parametrize("decades", [1, 4])
def test_images_without_a_perturbation_are_in_the_last_bin(decades: int) -> None:
    """One infinite distance made infinite edges, between which every image stood in the first bin."""
    found = np.logspace(-decades, 0, 90)
    axes = Figure().subplots()
    outline(axes, {"some": np.append(found, [np.inf] * 10), "none": np.full(5, np.inf)}, "distance")
    for patch, at_least in zip(axes.patches, (10, 100), strict=True):
        x, heights = patch.get_xy()[:, 0], patch.get_xy()[:, 1]
        assert np.isfinite(x).all()
        assert heights.max() < 100 or at_least == 100
        assert heights[(x > np.sort(np.unique(x))[-2])].max() >= at_least
    assert [float(line.get_xdata()[0]) for line in axes.lines] == [float(np.median([*found, *[np.inf] * 10]))]
    outline(Figure().subplots(), {"none": np.full(5, np.inf)}, "distance")
