"""`bench export`: a results folder in the forms that other places read."""

import argparse
from typing import Any

from bench.errors import IncompleteError
from bench.text import first_of


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe the command."""
    parser = subparsers.add_parser("export", help="write results as a Hugging Face model card or data set")
    add = parser.add_argument
    add("dir", metavar="DIR", help="a results folder")
    add(
        "--to",
        required=True,
        choices=("hf-model-card", "datasets"),
        help="hf-model-card: one file per model with a model-index block; datasets: a Parquet folder for load_dataset",
    )
    add("--out", required=True, metavar="DIR", help="folder to write")
    add("--models", metavar="A,B", help="export only these models")
    parser.set_defaults(func=_export)


def _export(arguments: argparse.Namespace) -> int:
    from bench.exports import export
    from bench.options.values import model_names

    models = model_names(arguments.models)
    found = export(arguments.dir, arguments.to, arguments.out, models=models)
    for path in found.files:
        print(path)
    if found.problems:
        raise IncompleteError("\n  ".join([f"{arguments.dir} is incomplete; left out:", *first_of(found.problems)]))
    return 0
