"""What a figure says apart from its drawing: its marks with intervals, and its caption."""

import pytest

from bench.figures import style
from bench.figures.series import Series, bars, draw_series
from bench.figures.shown import FigureMark, is_measured, marks, take_caption


def test_marks_are_read_back_with_their_intervals() -> None:
    with style.styled():
        figure, axes = style.panels(3)
        one = Series(
            "both", [10.0, 20.0], [1.0, 2.0], [(0.5, 1.75), (1.0, 2.25)], x_intervals=[(9.0, 12.0), (19.0, 21)]
        )
        draw_series(axes[0], [one], "x", "y", "measured", hollow=False)
        draw_series(axes[1], [Series("costs $5", [1.0], [3.0])], "x", "y", "published", hollow=True)
        bars(axes[2], ["a", "b"], [Series("s", (), [4.0, 5.0], [(3.0, 4.5), (4.0, 7.0)])], "y", "bars")
        figure.canvas.draw()
    assert marks(figure) == [
        FigureMark("measured", "both", 10.0, 1.0, pytest.approx(0.5), pytest.approx(1.75)),
        FigureMark("measured", "both", 20.0, 2.0, pytest.approx(1.0), pytest.approx(2.25)),
        FigureMark("published", "costs $5", 1.0, 3.0),
        FigureMark("bars", "s", "a", 4.0, pytest.approx(3.0), pytest.approx(4.5)),
        FigureMark("bars", "s", "b", 5.0, pytest.approx(4.0), pytest.approx(7.0)),
    ]


def test_both_intervals_are_drawn_of_what_is_measured_on_both_axes() -> None:
    _, (axes,) = style.panels()
    draw_series(axes, [Series("m", [10.0], [1.0], [(0.5, 2.0)], x_intervals=[(9.0, 12.0)])], "x", "y", "", hollow=False)
    ends = [segment for lines in axes.containers[0].lines[2] for segment in lines.get_segments()]
    assert [sorted(map(tuple, segment)) for segment in ends] == [[(9.0, 1.0), (12.0, 1.0)], [(10.0, 0.5), (10.0, 2.0)]]


def test_the_caption_is_taken_out_of_the_picture_in_one_line() -> None:
    figure, axes = style.panels(2)
    text = "A caption that is longer than one line of the figure. " * 4
    style.caption(figure, text)
    assert take_caption(figure) == text.strip()
    assert figure.get_supxlabel() == ""
    assert is_measured(figure)
    style.note(axes[1], "not measured; bench run ...")
    assert not is_measured(figure)
