"""What people import: complete, told, typed, and never hidden by a room of the same name."""

import argparse
import ast
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import bench
import model_zoo
from bench.cli import build_parser, main

PACKAGES = (bench, model_zoo)
FUNCTIONS = {
    "card": ["model_zoo.new_card", "model_zoo.use_cards"],
    "check": ["bench.check", "bench.accept"],
    "compare": ["bench.compare"],
    "completion": [],
    "data": ["bench.fetch_dataset", "bench.list_datasets"],
    "demo": ["bench.run_demo"],
    "diagnose": ["bench.diagnose"],
    "doctor": ["bench.doctor"],
    "export": ["bench.export"],
    "figures": ["bench.write_figures"],
    "leaderboard": ["bench.leaderboard"],
    "list": [
        "bench.list_attacks",
        "bench.list_datasets",
        "bench.list_figures",
        "bench.list_suites",
        "model_zoo.list_models",
    ],
    "merge": ["bench.merge"],
    "parity": ["model_zoo.check_parity"],
    "report": ["bench.report"],
    "reproduce": ["bench.reproduce_paper"],
    "results": ["bench.results", "bench.records"],
    "run": ["bench.run"],
    "show": ["model_zoo.find_card"],
    "train": ["bench.train"],
    "verify": ["bench.verify"],
    "weights": [
        "model_zoo.fetch_weights",
        "model_zoo.find_weights",
        "model_zoo.verify_weights",
        "model_zoo.convert_weights",
    ],
}
"""The functions that each command mirrors."""


def public() -> list[tuple[str, object]]:
    return [(f"{p.__name__}.{name}", getattr(p, name)) for p in PACKAGES for name in p.__all__]


def test_every_command_mirrors_public_functions() -> None:
    subparsers = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert set(FUNCTIONS) == set(subparsers.choices)
    names = {name for name, _ in public()}
    for functions in FUNCTIONS.values():
        assert set(functions) <= names


@pytest.mark.parametrize(("name", "found"), public(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_public_name_is_told_and_typed(name: str, found: object) -> None:
    assert callable(found)
    assert inspect.getdoc(found)
    if inspect.isfunction(found):
        parameters = inspect.signature(found).parameters.values()
        assert all(p.annotation is not inspect.Parameter.empty for p in parameters)
        assert all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters) or name == "bench.attack"
        assert inspect.signature(found).return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_what_there_is(package: ModuleType) -> None:
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            told |= {a.asname: node.module if a.name == a.asname else f"{node.module}:{a.name}" for a in node.names}
    rooms = dict.fromkeys(getattr(package, "_ROOMS", ()), "bench")
    assert told == package._PUBLIC | rooms
    assert package.__all__ == sorted(told.keys() - rooms.keys())


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_what_there_is(package: ModuleType) -> None:
    assert set(dir(package)) - {"__version__", *getattr(package, "_ROOMS", ())} == set(package.__all__)
    assert all(inspect.ismodule(getattr(package, name)) for name in getattr(package, "_ROOMS", ()))
    with pytest.raises(AttributeError, match=r"did you mean"):
        getattr(package, f"{package.__all__[-1]}x")


def test_no_room_hides_a_function() -> None:
    code = """
import pkgutil, importlib, types, bench, model_zoo
for package in (bench, model_zoo):
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "__main__":
            importlib.import_module(f"{package.__name__}.{module.name}")
    for name in package.__all__:
        assert name == "plot" or not isinstance(getattr(package, name), types.ModuleType), name
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.__version__ == version("robust-imagenet-bench")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"bench {bench.__version__}\n"


def test_bench_alone_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert "bench demo" in shown
    assert max(map(len, shown.splitlines())) <= 110


def test_an_option_without_a_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--versoin"])
    assert stop.value.code == 2
    assert "did you mean --version" in capsys.readouterr().err
