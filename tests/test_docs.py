"""Documents are generated or tested, so that they cannot rot."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from bench.cli import build_parser
from bench.options import RunOptions
from bench.options.command import typed
from bench.suites.registry import check_used, find_suite
from tools.reference import PAGE, reference

ROOT = Path(__file__).parents[1]


def test_the_page_of_commands_is_that_of_the_parser(monkeypatch) -> None:
    """Word by word from Python 3.13 on, whose argparse sets its columns otherwise."""
    monkeypatch.setenv("COLUMNS", "110")
    page, made = PAGE.read_text(encoding="utf-8"), reference()
    assert page.split() == made.split(), "run `make docs`"
    assert page == made or sys.version_info >= (3, 13), "run `make docs`"


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


def test_every_generated_page_is_written_by_make_docs() -> None:
    """A tool that has a page is run by `make docs`, and its page's own test imports it."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ndocs:")[1].split("\n\n")[0]
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    paged = [
        path.stem for path in (ROOT / "tools").glob("*.py") if re.search(r"^PAGE = ", path.read_text("utf-8"), re.M)
    ]
    assert len(paged) >= 7
    for tool in paged:
        assert f"python -m tools.{tool}\n" in f"{makefile}\n", f"tools/{tool}.py is not part of make docs"
        assert re.search(rf"from tools(\.{tool} import .*\bPAGE\b| import .*\b{tool}\b)", tests), f"no test of {tool}"


def test_every_page_with_a_generated_part_has_its_tool() -> None:
    marked = {path.name for path in (ROOT / "docs").glob("*.md") if "<!-- generated: " in path.read_text("utf-8")}
    tools = "".join(
        path.read_text("utf-8") for folder in ("tools", "benchmarks") for path in (ROOT / folder).glob("*.py")
    )
    assert marked
    for name in marked:
        assert f'"{name}"' in tools or f"docs/{name}" in tools, f"nothing writes the generated part of docs/{name}"
