"""Which names a piece of syntax assigns, and whether it leaves a loop: facts needed before its code is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ast


def assigned_names(body: Sequence[ast.Stmt]) -> list[str]:
    """Names that statements set or delete, nested ones included, in order."""
    return list(dict.fromkeys(_assigned(body)))


def _assigned(body: Sequence[ast.Stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.Assign():
                for target in statement.targets:
                    yield from target_names(target)
            case ast.AnnAssign() | ast.AugAssign():
                yield from target_names(statement.target)
            case ast.If():
                yield from _assigned(statement.body)
                yield from _assigned(statement.orelse)
            case ast.For():
                yield from target_names(statement.target)
                yield from _assigned(statement.body)
            case ast.While():
                yield from _assigned(statement.body)
            case ast.With():
                for item in statement.items:
                    if item.target is not None:
                        yield from target_names(item.target)
                yield from _assigned(statement.body)
            case ast.FunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.UnsupportedStmt():
                yield from _assigned(statement.body)
            case ast.Import():
                yield from (a.asname or a.name.partition(".")[0] for a in statement.names)
            case ast.Delete():
                for target in statement.targets:
                    yield from target_names(target)
            case _:
                pass


def target_names(target: ast.Expr) -> Iterator[str]:
    match target:
        case ast.Name():
            yield target.id
        case ast.TupleExpr() | ast.ListExpr():
            for element in target.elements:
                yield from target_names(element)
        case ast.Starred():
            yield from target_names(target.value)
        case _:
            pass


def loop_exit(body: Sequence[ast.Stmt]) -> ast.Stmt | None:
    """The first `break` or `continue` that belongs to the loop with this body."""
    for statement in body:
        match statement:
            case ast.Break() | ast.Continue():
                return statement
            case ast.If():
                found = loop_exit(statement.body) or loop_exit(statement.orelse)
            case ast.With():
                found = loop_exit(statement.body)
            case _:
                found = None
        if found is not None:
            return found
    return None
