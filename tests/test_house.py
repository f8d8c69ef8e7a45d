"""The house's own rules that no linter knows."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


PREPOSITIONS = {"As", "At", "By", "For", "From", "In", "Of", "On", "To", "With"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Every file of the packages and the tools, parsed."""
    for package in ("bench", "model_zoo", "tools"):
        for file in sorted((ROOT / package).rglob("*.py")):
            yield str(file.relative_to(ROOT)), ast.parse(file.read_text(encoding="utf-8"))


def classes() -> dict[str, list[str]]:
    """The files that define each class of the two packages."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not file.startswith("tools"):
                found[node.name].append(file)
    return found


def test_no_two_classes_share_a_name() -> None:
    assert {name: files for name, files in classes().items() if len(files) > 1} == {}


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    begun = {
        f"{file}: {text.splitlines()[0]}"
        for file, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, documented) and (text := ast.get_docstring(node)) and text.split()[0] in PREPOSITIONS
    }
    assert begun == set()


def test_the_table_of_rooms_names_every_file_and_folder() -> None:
    table = re.findall(r"^\| (`bench/.*?) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = {word.removeprefix("bench/").rstrip("/") for cell in table for word in re.findall(r"`(.+?)`", cell)}
    there = {p.name for p in (ROOT / "bench").iterdir() if p.suffix == ".py" or (p.is_dir() and any(p.glob("*.py")))}
    assert named == there - {"__init__.py", "__main__.py"}


def test_the_extra_all_is_every_extra_but_the_maintainers() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (every,) = extras.pop("all")
    assert set(every.partition("[")[2].rstrip("]").split(",")) == set(extras) - {"dev"}


def test_files_of_tests_have_different_names() -> None:
    """pytest imports them by name; two of one name stop the whole suite, not the run of one folder."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
