"""docs/diagnostics.md is made of what was measured, and that is of the checkpoints that are here."""

import re
from pathlib import Path

import pytest

from bench.diagnostics.branches import branch_differences, branch_parameters
from model_zoo.load import load_model
from model_zoo.model import fingerprint
from model_zoo.registry import find_card
from tools.diagnostics_page import PAGE, lines, measured, page


def test_the_page_is_what_was_measured() -> None:
    """Next where it fails: `make docs`."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


def test_numbers_have_four_digits_and_texts_stay() -> None:
    table = {"columns": ["layer", "shift", "n"], "rows": [["net.1", 0.0123456, 256], ["net.2", 1.0, 256]]}
    assert list(lines(["Head\n", table]))[1:] == [
        "| layer | shift | n |",
        "|---|---|---|",
        "| net.1 | 0.01235 | 256 |",
        "| net.2 | 1 | 256 |",
    ]


@pytest.mark.parametrize("name", [n for n in measured()[0] if find_card(n).weights.availability == "embedded"])
def test_it_was_measured_on_this_checkpoint(name: str) -> None:
    """Next where it fails: `python -m tools.diagnostics_measure`."""
    assert measured()[0][name] == fingerprint(load_model(name))


@pytest.mark.parametrize("name", ["tiny_mbn@clean", "tiny_advprop@clean"])
def test_the_branches_distances_are_those_of_the_checkpoint(name: str) -> None:
    blocks = measured()[1]
    table = blocks[blocks.index(f"\n### `{name}`: relative L2 distance of its branches\n") + 1]
    assert not isinstance(table, str)
    found = branch_differences(branch_parameters(load_model(name)), "clean", "adv")
    wide = found.pivot(index="layer", columns="part", values="distance")
    assert len(table["rows"]) == len(wide)
    for layer, *values in table["rows"]:
        assert values == pytest.approx(wide.loc[layer, ["mean", "sigma", "gamma", "beta"]].to_list(), rel=1e-3)


def test_every_picture_of_the_page_is_there_and_no_other() -> None:
    named = set(re.findall(r"images/(diagnostics-[^)]+)", PAGE.read_text(encoding="utf-8")))
    assert named == {path.name for path in (Path(PAGE).parent / "images").glob("diagnostics-*")}
