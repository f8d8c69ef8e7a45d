"""The faults of the mutation tests: each is Python, is not what was there, and stands where something runs."""

import ast

import pytest

from tools.mutate import mutants


def written(source: str) -> set[str]:
    """The source with each of its faults, as Python's own printer has it."""
    return {ast.unparse(ast.parse(mutant.planted(source))) for mutant in mutants("x.py", source)}


@pytest.mark.parametrize(
    ("source", "faulty"),
    [
        ("a < b", {"a <= b"}),
        ("a in b", {"a not in b"}),
        ("not a", {"a"}),
        ("x = a + 1", {"x = a - 1", "x = a + 2"}),
        ("x = 0.5", {"x = 0.75"}),
        ("x = min(a)", {"x = max(a)"}),
        ("x = f(a, b=c)", {"x = f(a)"}),
        ("f(a)", {"None"}),
        ("x = zip(a, b, strict=True)", {"x = zip(a, b, strict=False)"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("x = a if b else c", {"x = a if not b else c"}),
        ("x = 'é' if a == b else c", {"x = 'é' if a != b else c"}),
        ("x = f(a,\n      b) and c", {"x = f(a, b) or c"}),
        ("def f(a: g(1)) -> g(2):\n    'Text.'\n    raise E(1)", set()),
        ("@d(1)\nclass A:\n    a: int", set()),
    ],
)
def test_faults_of_a_line(source: str, faulty: set[str]) -> None:
    assert written(source) == faulty


def test_a_fault_outside_functions_needs_a_fresh_import() -> None:
    source = "A = 1\n\n\ndef f(a=2):\n    return a + 3\n\n\n@compiled\ndef g():\n    return 4\n"
    found = {mutant.text.strip(): mutant.importing for mutant in mutants("x.py", source)}
    assert found == {
        "A = (2)": True,
        "def f(a=(3)):": True,
        "return (a - 3)": False,
        "return a + (4)": False,
        "return None": True,
        "return (5)": True,
    }
