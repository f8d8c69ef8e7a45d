"""Generator of `RunOptions` as a TypedDict, the type of `bench.run`'s keywords: `python -m tools.keywords`."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

from bench.options import OPTIONS, RunOptions

PAGE = Path(__file__).parents[1] / "bench" / "options" / "run_keywords.py"

HEAD = '''"""Keywords of `bench.run`, for type checkers; `make docs` writes them from `RunOptions`."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypedDict

from bench.options.values import Shard


class RunKeywords(TypedDict, total=False):
    """The fields of `RunOptions` but `data`, each as it may be given."""

'''


def text() -> str:
    """Return the text of the module."""
    hints = get_type_hints(RunOptions)
    names = [name for name in OPTIONS if name != "data"]
    return HEAD + "".join(f"    {name}: {_spelt(get_args(hints[name])[0])}\n" for name in names)


def _spelt(kind: object) -> str:
    """Return a type as written in source."""
    shown = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    shown = re.sub(r"typing\.Optional\[(.*)\]$", r"\1 | None", shown)  # `| None` of a Literal
    plain = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", shown)
    return plain.replace("'", '"')


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
