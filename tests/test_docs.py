"""Documents are generated or tested, so that they cannot rot."""

import re
import shlex
from pathlib import Path

import pytest

from bench.cli import build_parser
from bench.options import RunOptions
from bench.options.command import typed
from bench.suites.registry import check_used, find_suite
from tools.reference import PAGE, reference

ROOT = Path(__file__).parents[1]


def test_the_page_of_commands_is_that_of_the_parser(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make docs`"


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/adding_a_method.md", "docs/attacks.md"])
def test_every_command_of_a_page_parses(page: str) -> None:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    blocks = [text for language, text in fences if not language]
    lines = [shlex.split(line.split("  #")[0]) for block in blocks for line in block.splitlines()]
    commands = [words[1:] for words in lines if words[:1] == ["bench"]]
    assert len(commands) >= 5
    for words in commands:
        arguments = build_parser().parse_args(words)
        assert arguments.command == words[0]
        if words[0] == "run":
            check_used([find_suite(name) for name in arguments.suite.split(",")], RunOptions.of(typed(arguments)))


def test_the_makefile_has_the_readmes_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_ci_runs_the_readmes_test_command() -> None:
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
