"""Lists as they are typed: one reader for names, and one for names of models."""

import pytest

from bench.cli import main
from bench.engine.run import prepare
from bench.errors import UsageError
from bench.options.values import listed, model_names


@pytest.mark.parametrize(
    ("text", "names"),
    [("a,b", ["a", "b"]), (" a , b ", ["a", "b"]), ("a,,b,", ["a", "b"]), ("", []), (None, []), (" ", [])],
)
def test_names_are_separated_by_commas(text: str | None, names: list[str]) -> None:
    assert listed(text) == names
    assert model_names(text) == names


def test_commas_before_numbers_belong_to_a_models_options() -> None:
    name = "file:nets.py:make?mean=0.5,0.5,-.5&std=0.25,0.25,0.25"
    assert model_names(f"tiny_at,{name}, tiny_std") == ["tiny_at", name, "tiny_std"]


def test_the_gate_reads_models_as_a_run_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--model", "file:missing.py:make?mean=0.5,0.5,0.5"]) != 0
    assert capsys.readouterr().out.count("file:missing.py:make?mean=0.5,0.5,0.5 ") == 1


@pytest.mark.parametrize(("models", "suites", "named"), [("", "tiny", "--model"), ("tiny_at", " , ", "--suite")])
def test_a_run_of_nothing_is_refused(models: str, suites: str, named: str) -> None:
    with pytest.raises(UsageError, match=f"{named}: no .* is named"):
        prepare(models, suites)
