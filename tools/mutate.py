"""Small faults for a source file: in a comparison, a constant, an operator, a keyword, a result."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

Expression = type[ast.AST]

OTHER: dict[Expression, Expression] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "sum": "max"}
UNTOLD = {"strict", "dtype", "help"}
"""Keywords that are not removed: a check that never fails, an explicit default, a text."""


@dataclass(frozen=True)
class Mutant:
    """A fault: lines first..last of a file are replaced by `text`.

    importing: whether the fault takes effect on import, not in a function call
    """

    file: str
    first: int
    last: int
    text: str
    importing: bool

    def planted(self, source: str) -> str:
        lines = source.splitlines(keepends=True)
        return "".join([*lines[: self.first - 1], self.text, *lines[self.last :]])


def faults(node: ast.AST) -> Iterator[ast.AST]:
    """Yield faulty replacements of a node."""
    match node:
        case ast.Compare(left, [op], right):
            yield ast.Compare(left, [cast(ast.cmpop, OTHER[type(op)]())], right)
        case ast.BinOp(left, op, value) if type(op) in OTHER:
            yield ast.BinOp(left, cast(ast.operator, OTHER[type(op)]()), value)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(cast(ast.boolop, OTHER[type(op)]()), values)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.Constant(bool(flag)):
            yield ast.Constant(not flag)
        case ast.Constant(int(number)):
            yield ast.Constant(number + 1)
        case ast.Constant(float(number)):
            yield ast.Constant(number * 1.5 or 1.0)
        case ast.Call(function, given, keywords):
            for keyword in keywords:
                if keyword.arg not in UNTOLD:
                    yield ast.Call(function, given, [k for k in keywords if k is not keyword])
        case ast.Name(name) if name in NAMES:
            yield ast.Name(NAMES[name])
        case ast.Return(value) if value is not None:
            yield ast.Return(ast.Constant(None))
        case ast.Expr(ast.Call()):
            yield ast.Expr(ast.Constant(None))
        case ast.If(test) | ast.IfExp(test) if not isinstance(test, ast.Compare | ast.BoolOp):
            yield ast.UnaryOp(ast.Not(), test)


def nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run, without annotations, decorators, raised errors and texts."""
    yield node
    for name, child in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list", "exc", "bases"):
            for part in child if isinstance(child, list) else [child]:
                if isinstance(part, ast.AST) and not isinstance(part, ast.JoinedStr | ast.AnnAssign | ast.Import):
                    yield from nodes(part)
                elif isinstance(part, ast.AnnAssign) and part.value is not None:
                    yield from nodes(part.value)


def called(tree: ast.Module) -> set[int]:
    """Return the lines of functions that Python interprets (not compiled ones)."""
    bodies = [
        node.body
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "compiled" not in "".join(map(ast.unparse, node.decorator_list))
    ]
    return {line for body in bodies for line in range(body[0].lineno, (body[-1].end_lineno or 0) + 1)}


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """Yield every fault of a file, in the order of lines."""
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    inside = called(tree)
    for node in nodes(tree):
        place = node.test if isinstance(node, ast.If | ast.IfExp) else node
        for fault in faults(node):
            assert isinstance(place, ast.expr | ast.stmt)
            assert place.end_lineno
            written = ast.unparse(ast.fix_missing_locations(fault))
            head = lines[place.lineno - 1].encode()[: place.col_offset].decode()
            tail = lines[place.end_lineno - 1].encode()[place.end_col_offset or 0 :].decode()
            whole = written if isinstance(fault, ast.stmt) else f"({written})"
            yield Mutant(file, place.lineno, place.end_lineno, head + whole + tail, place.lineno not in inside)
