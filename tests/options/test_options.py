"""One place for every option: signature, command line, file, `run.json` and the repeated command say the same."""

import argparse
import inspect
import json
import shlex
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.board.site.command import repeat
from bench.cli import build_parser, main
from bench.diagnosis.run import diagnose
from bench.engine.run import prepare
from bench.errors import UnknownOptionError, UsageError
from bench.manifest import read_config
from bench.options import RunOptions, Shard
from bench.options.command import add_arguments, typed
from bench.options.run import OPTIONS

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "protocol": st.sampled_from(["canonical", "published"]),
    "norm": st.sampled_from(["linf", "l2"]),
    "precision": st.sampled_from(["fp32", "tf32", "bf16", "fp16"]),
    "log": st.none() | st.sampled_from(["wandb", "mlflow", "tensorboard"]),
    "until_told": st.none() | st.just("a,b"),
    "gap": st.fractions(Fraction(1, 100), Fraction(50)),
    "attack_engine": st.sampled_from(["native", "reference"]),
    "eps": st.lists(st.fractions(0, Fraction(254, 255)), max_size=3),
    "step_size": st.none() | st.fractions(Fraction(1, 10**6), Fraction(254, 255)),
    "until": st.none() | st.fractions(Fraction(1, 100), Fraction(50)),
    "shard": st.none() | st.integers(1, 9).map(lambda n: f"{n}/9"),
    "targeted": st.none() | st.booleans(),
    "quiet": st.booleans(),
    "random_weights": st.booleans(),
    "seed": st.integers(0, 2**40),
    "reliability": st.integers(0, 99),
    "restarts": st.integers(1, 9),
    **dict.fromkeys(("limit", "batch_size", "threads", "workers", "steps"), st.none() | st.integers(1, 10**6)),
}
"""What each option may be; all others are text."""

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).filter(str.strip)
OPTION_SETS = st.fixed_dictionaries({}, optional={name: VALUES.get(name, TEXT) for name in OPTIONS}).map(RunOptions.of)


def parse_words(words: list[str]) -> RunOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return RunOptions.of(typed(parser.parse_args(words)))


@given(OPTION_SETS)
def test_options_come_back_from_json_and_from_a_command_line(options: RunOptions) -> None:
    assert RunOptions.of(json.loads(json.dumps(options.to_json()))) == options
    assert RunOptions.of(options.changed()) == options
    assert parse_words(options.words()) == options


@given(OPTION_SETS)
def test_a_page_repeats_what_changes_a_number_and_nothing_else(options: RunOptions) -> None:
    words = shlex.split(repeat("m", "s", options))
    assert words[:6] == ["bench", "run", "--model", "m", "--suite", "s"]
    found = parse_words([word for word in words[6:] if word not in ("--data", "$BENCH_DATA")])
    for name, option in OPTIONS.items():
        expected = option.default if option.role == "work" else getattr(options, name)
        assert getattr(found, name) == expected


@pytest.mark.parametrize("name", ["limit", "seed", "reliability", "targeted", "quiet"])
def test_zero_and_false_are_kept(name: str) -> None:
    kept = RunOptions.of({name: 0 if name in ("seed", "reliability") else False if name != "limit" else 1}).to_json()
    assert kept[name] is not None
    assert RunOptions.of({"reliability": 0}).words() == ["--reliability", "0"]
    assert RunOptions.of({"targeted": False}).words() == ["--no-targeted"]


@pytest.mark.parametrize("function", [bench.run, prepare])
def test_the_signature_shows_every_option_with_its_default(function: Any) -> None:
    shown = inspect.signature(function).parameters
    assert list(shown)[: 2 + len(OPTIONS)] == ["models", "suites", *OPTIONS]
    assert {name: shown[name].default for name in OPTIONS} == {name: o.default for name, o in OPTIONS.items()}
    assert shown["eps"].annotation != inspect.Parameter.empty
    assert all(f"    {name}: {option.help}" in function.__doc__ for name, option in OPTIONS.items())


def test_a_functions_own_argument_hides_the_option_of_that_name() -> None:
    assert list(inspect.signature(diagnose).parameters) == [
        "model",
        "out",
        *(name for name in OPTIONS if name != "out"),
    ]


def test_every_option_is_typed_and_described_in_the_help() -> None:
    subparsers = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    text = " ".join(subparsers.choices["run"].format_help().split())
    for option in OPTIONS.values():
        assert option.flag in text
        assert option.help
        assert option.role in ("number", "file", "work")


@pytest.mark.parametrize(
    "value",
    [8 / 255, "8/255", Fraction(8, 255), [8 / 255], np.float64(8 / 255), np.float32(8 / 255), ("8/255", 8 / 255)],
)
def test_a_budget_is_what_was_meant(value: Any) -> None:
    assert RunOptions.of({"eps": value}).eps == (Fraction(8, 255),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"eps": "-1/255"}, "--eps: expected a number of at least 0, in units of"),
        ({"eps": "4"}, "--eps: 4 is outside .* write 4/255"),
        ({"eps": ["1/255", 8]}, "--eps: 8 is outside .* write 8/255"),
        ({"eps": "4/0"}, "--eps: '4/0' is not a number"),
        ({"eps": "four"}, "--eps: 'four' is not a number"),
        ({"eps": float("nan")}, "--eps: nan is not a number"),
        ({"eps": True}, "--eps: True is not a number"),
        ({"step_size": 0}, "--step-size: expected a number above 0"),
        ({"step_size": 2}, "--step-size: 2 is outside"),
        ({"seed": -1}, "--seed: expected a whole number of at least 0, found -1"),
        ({"seed": 1.5}, "--seed: expected a whole number of at least 0, found 1.5"),
        ({"limit": 0}, "--limit: expected a whole number of at least 1, found 0"),
        ({"limit": "many"}, "--limit: expected a whole number of at least 1, found many"),
        ({"limit": True}, "--limit: expected a whole number"),
        ({"steps": 0}, "--steps: expected a whole number of at least 1"),
        ({"restarts": 0}, "--restarts: expected a whole number of at least 1"),
        ({"batch_size": 0}, "--batch-size: expected a whole number of at least 1"),
        ({"workers": 0}, "--workers: expected a whole number of at least 1"),
        ({"reliability": -1}, "--reliability: expected a whole number of at least 0"),
        ({"norm": "linff"}, "--norm: expected linf or l2 or l1, found 'linff' .did you mean linf"),
        ({"protocol": "Canonical"}, "--protocol: expected canonical or published"),
        ({"attack_engine": ""}, "--attack-engine: expected native or reference"),
        ({"shard": "4/3"}, "--shard: i must be in 1..n"),
        ({"shard": "0/3"}, "--shard: i must be in 1..n"),
        ({"shard": "x"}, "--shard: expected i/n such as 2/3"),
        ({"data": ""}, "--data: expected a name or path"),
        ({"out": 3}, "--out: expected a name or path"),
        ({"targeted": "yes"}, "--targeted: expected true or false"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_in_plain_words(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RunOptions.of(given)


@pytest.mark.parametrize("typed", ["4/255", "5/255", "1.6/255", "0.5", "3", "0", "1/7", "16/255,0.25"])
def test_a_budget_is_written_as_people_write_it(typed: str) -> None:
    assert RunOptions(eps=typed, norm="l2").to_json()["eps"] == typed


def test_large_budgets_are_meant_in_l2() -> None:
    assert RunOptions(eps=3, norm="l2").eps == (Fraction(3),)


@pytest.mark.parametrize(
    "words", ["--eps -1/255", "--eps=-1/255", "--seed -1", "--limit 0", "--norm l3", "--step-size -1/255"]
)
def test_the_command_line_refuses_before_anything_is_loaded(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--model", "no_such_model", "--suite", "no-such-suite", *words.split()]) == 2
    assert f"{words.replace('=', ' ').split()[0]}: expected" in capsys.readouterr().err


@pytest.mark.parametrize("function", [bench.run, prepare, diagnose])
def test_a_misspelt_keyword_is_suggested(function: Any) -> None:
    with pytest.raises(UnknownOptionError, match=r"unknown option 'epss' \(did you mean eps") as caught:
        function("m", "s", epss="4/255")
    assert isinstance(caught.value, TypeError)


def test_options_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        RunOptions().limit = 3  # type: ignore[misc]


def test_a_config_is_a_toml_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('model = "a,b"\nsuites = ["pgd"]\neps = ["4/255", 0.5]\nstep-size = "1/255"\nreliability = 0\n')
    found = read_config(file)
    assert (found.pop("models"), found.pop("suites")) == (["a,b"], ["pgd"])
    assert RunOptions.of(found) == RunOptions(eps=["4/255", 0.5], step_size="1/255", reliability=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", "limt = 3", "a.toml: unknown option 'limt' .did you mean limit"),
        ("a.toml", "limit = 0", "--limit: expected"),
        ("a.toml", "limit = ", "cannot be read as TOML"),
        ("a.toml", "models = 3", "models: expected a name or a list of names"),
        ("a.json", "[1]", "cannot be read"),
        ("a.json", "{}", "missing field run.models"),
        (
            "a.json",
            '{"models": {}, "entries": [], "given": {"models": ["file:evil.py:make"]}}',
            "if you trust it, name it",
        ),
    ],
)
def test_a_config_that_cannot_be_used_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=message):
        read_config(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path / "none.toml")


def test_a_run_repeats_from_its_run_json_and_typed_options_win(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = {"limit": 3, "reliability": 0, "targeted": False, "steps": 1, "eps": 2 / 255}
    bench.run("tiny_std", "pgd", out=out, quiet=True, **asked)  # type: ignore[arg-type]
    (path,) = out.glob("runs/*/run.json")
    found = read_config(path)
    assert (found.pop("models"), found.pop("suites")) == (["tiny_std"], ["pgd"])
    assert RunOptions.of(found) == RunOptions(out=out, quiet=True, **asked)  # type: ignore[arg-type]
    assert main(["run", "--config", str(path)]) == 0
    assert "0 units to do" in capsys.readouterr().out
    assert main(["run", "--config", str(path), "--limit", "2", "--dry-run"]) == 0
    assert "4 images" in capsys.readouterr().out


def test_a_run_needs_a_model_and_a_suite(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--suite", "pgd"]) == 2
    assert "--model is needed" in capsys.readouterr().err
    assert main(["run", "--model", "tiny_std"]) == 2
    assert "--suite is needed" in capsys.readouterr().err


def test_shards_are_written_as_they_are_typed() -> None:
    assert str(RunOptions(shard="2/3").shard) == "2/3"
    assert RunOptions(shard=Shard(2, 3)) == RunOptions(shard="2/3")
