"""The source that a Python function is compiled from: its own, that of what it uses in its file, and imports of the rest.

In: a function object. Out: the text of its file with everything else blank, so that lines stay what they are; and the files
of further modules of the user's that it takes functions from. Nothing is executed: names are looked up as Python has them.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from ..ir.source import SourceFile

_KNOWN_IMPORTS: Final = {
    "torch": "import torch",
    "math": "import math",
    "nn": "import torch.nn as nn",
    "F": "import torch.nn.functional as F",
    "Tensor": "from torch import Tensor",
    "Enum": "from enum import Enum",
    "dataclass": "from dataclasses import dataclass",
    **{t: f"from typing import {t}" for t in ("Any", "Dict", "Final", "List", "NamedTuple", "Optional", "Tuple", "Union")},
}

_NAMING: Final = (
    "torch", "torch.nn.functional", "torch.nn", "torch.nn.utils.rnn", "torch.jit", "math", "cmath", "typing", "collections", "enum",
    "dataclasses", "functools", "warnings",
)  # fmt: skip
"""Modules whose members the frontend knows by name; what they hold may say that it comes from somewhere else."""


@dataclass(frozen=True)
class Isolated:
    """The text, and whether it takes something from other files of the user's."""

    text: str
    has_neighbours: bool


def isolated(function: Callable[..., Any], lines: list[str]) -> Isolated:
    """The file with everything blank but the function and what it uses, at their own lines; imports stand in the first line.

    The line is free unless the file starts with a definition; then everything is one line further down.
    """
    kept = [""] * len(lines)
    imports: dict[str, str] = {}
    home = source_file(function)
    declarations = _overload_declarations("".join(lines))
    neighbours = False
    todo: list[Any] = [function]
    seen: set[Any] = set()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        body, first = inspect.getsourcelines(current)
        start = next((i for i, line in enumerate(body) if line.lstrip().startswith(("def ", "async def ", "class "))), 0)
        text = [*_markers(body, start), *textwrap.dedent("".join(body[start:])).splitlines()]
        kept[first - 1 : first - 1 + len(text)] = text
        for declared_from, declared_to in declarations.get(current.__name__, ()):
            if declared_from != first:
                own = textwrap.dedent("".join(lines[declared_from - 1 : declared_to])).splitlines()
                kept[declared_from - 1 : declared_to] = own
                text = [*text, *own]
                imports.setdefault("torch", _KNOWN_IMPORTS["torch"])
        scope = names_in_scope(current)
        for name in sorted(set(re.findall(r"[A-Za-z_]\w*", "\n".join(text)))):
            value = scope.get(name)
            value = inspect.unwrap(value) if callable(value) and hasattr(value, "__wrapped__") else value
            if (inspect.isfunction(value) or inspect.isclass(value)) and source_file(value) == home:
                todo.append(value)
                continue
            found = _imported(name, value)
            if found is not None:
                imports[name] = found
                neighbours = neighbours or _is_neighbour(value)
            elif name in _KNOWN_IMPORTS and value is None:
                imports.setdefault(name, _KNOWN_IMPORTS[name])
    if kept and kept[0].strip():
        kept.insert(0, "")
    return Isolated("\n".join(["; ".join(imports.values()), *kept[1:], ""]), neighbours)


def _markers(body: list[str], start: int) -> list[str]:
    """The lines in front of a definition, blank but for decorators that mean something to the compiler."""
    found = [""] * start
    if start == 0:
        return found
    node = ast.parse(textwrap.dedent("".join(body))).body[0]
    lines = textwrap.dedent("".join(body)).splitlines()
    for decorator in node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []:
        head = decorator.func if isinstance(decorator, ast.Call) else decorator
        if _last_name(head) in _MARKERS:
            first, last = decorator.lineno - 1, decorator.end_lineno or decorator.lineno
            found[first:last] = lines[first:last]
    return found


_MARKERS: Final = ("unused", "ignore", "interface", "dataclass")


def _imported(name: str, value: Any) -> str | None:
    """The import statement that makes `name` mean this value; None for what is no module, function or class."""
    if inspect.ismodule(value):
        return f"import {value.__name__} as {name}"
    if value is None or isinstance(value, bool | int | float | complex | str):
        return None
    for module in _NAMING:
        if vars(sys.modules.get(module, _NOTHING)).get(name) is value:
            return f"from {module} import {name}"
    origin, own = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if not isinstance(origin, str) or not isinstance(own, str) or not (inspect.isroutine(value) or inspect.isclass(value)):
        return _KNOWN_IMPORTS.get(name)
    if getattr(sys.modules.get(origin), own, None) is value or _is_neighbour(value):
        return f"from {origin} import {own} as {name}" if own != name else f"from {origin} import {name}"
    return None


_NOTHING: Final = ModuleType("nothing")


def _is_neighbour(value: Any) -> bool:
    """Whether it is a module of the user's, or comes from one."""
    module = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "")
    return isinstance(module, str) and _user_file(module) is not None


def _user_file(module: str) -> str | None:
    """The source file of a module that is no part of Python, of PyTorch or of this compiler."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names or root in ("torch", "numpy", __name__.partition(".")[0]):
        return None
    file = getattr(sys.modules.get(module), "__file__", None)
    return file if isinstance(file, str) and file.endswith(".py") else None


def loaded_module(name: str) -> SourceFile | None:
    """The source of a module that Python has loaded; None for one that is not the user's."""
    file = _user_file(name)
    if file is None:
        return None
    try:
        with open(file, encoding="utf-8") as stream:
            return SourceFile(file, stream.read())
    except (OSError, UnicodeDecodeError):
        return None


def _overload_declarations(text: str) -> Mapping[str, list[tuple[int, int]]]:
    """First and last line of each `@torch.jit._overload` declaration, by the function's name."""
    found: dict[str, list[tuple[int, int]]] = {}
    if "_overload" not in text:
        return found
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and any(_last_name(d) in ("_overload", "_overload_method") for d in node.decorator_list):
            found.setdefault(node.name, []).append((min(d.lineno for d in node.decorator_list), node.end_lineno or node.lineno))
    return found


def _last_name(decorator: ast.expr) -> str:
    return decorator.attr if isinstance(decorator, ast.Attribute) else decorator.id if isinstance(decorator, ast.Name) else ""


def names_in_scope(current: Any) -> Mapping[str, Any]:
    """What global names and names of enclosing functions mean to a function; to a class, those of its module."""
    if inspect.isclass(current):
        return vars(sys.modules[current.__module__])
    return {**getattr(current, "__globals__", {}), **inspect.getclosurevars(current).nonlocals}


def source_file(value: Any) -> str | None:
    try:
        return inspect.getsourcefile(value)
    except TypeError:  # a builtin
        return None
