"""The typed syntax tree as text for people: one node a line, with its type and where it begins.

    FunctionDef f                           1:5
      params
        Param x                             1:7
      body
        Return                              2:3
          BinaryOp + : Tensor               2:10
            Name x : Tensor                 2:10
            Literal_ 1 : int                2:14

Expressions of functions that were not compiled have no type.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final, cast

from . import ast

_COLUMN: Final = 48
_HIDDEN: Final = frozenset({"span", "name_span", "type", "id", "name", "op", "ops", "file"})
_UNLABELLED: Final = frozenset(
    {"value", "left", "right", "operand", "operands", "elements", "values", "func", "args", "test"}
)
"""Fields whose meaning is clear from the order of the children."""


def print_ast(node: ast.Node) -> str:
    lines: list[str] = []
    _print(node, 0, lines)
    return "\n".join(lines) + "\n"


def _print(node: ast.Node, depth: int, lines: list[str]) -> None:
    text = "  " * depth + _head(node)
    position = f"{node.span.line}:{node.span.column}"
    lines.append(f"{text:<{_COLUMN}}{position}" if len(text) < _COLUMN else f"{text} {position}")
    for field in fields(node):
        if field.name not in _HIDDEN:
            _print_field(field.name, getattr(node, field.name), depth + 1, lines)


def _head(node: ast.Node) -> str:
    parts = [type(node).__name__]
    for name in ("id", "name", "op", "module"):
        value = getattr(node, name, None)
        if isinstance(value, str):
            parts.append(value)
    if isinstance(node, ast.Compare):
        parts.append(" ".join(node.ops))
    if isinstance(node, ast.Literal_):
        parts.append(repr(node.value))
    if isinstance(node, ast.Expr) and node.type is not None:
        parts.append(f": {node.type.annotation}")
    return " ".join(parts)


def _print_field(name: str, value: Any, depth: int, lines: list[str]) -> None:
    children: list[Any] = []
    if isinstance(value, ast.Node):
        children = [value]
    elif isinstance(value, list):
        children = cast(list[Any], value)
    if not any(isinstance(c, ast.Node) for c in children):
        return
    if name not in _UNLABELLED:
        lines.append("  " * depth + name)
        depth += 1
    for child in children:
        if isinstance(child, ast.Node):
            _print(child, depth, lines)
        else:
            lines.append("  " * depth + repr(child))
