"""Parses a file once per machine: trees are kept on disk by the content of the file and of the parser.

Reading a tree back takes a tenth of the time of parsing, and saves building the grammar's tables. The cache folder is as
trusted as the object code beside it, so trees are pickled.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import TypeVar

from ..ir import cache as disk
from ..ir.source import SourceFile
from .ast import Expr, Node, SourceModule
from .parser import parse, parse_expression

_PACKAGE = __name__.rpartition(".")[0]
_PARSER_FILES = ("torchscript.lark", "parser.py", "ast.py", "layout.py", "machine.py", "operators.py", "string_literals.py")


@cache
def _parser_version() -> str:
    """Hash of the text of everything that makes trees."""
    return disk.key(*(files(_PACKAGE).joinpath(name).read_text(encoding="utf-8") for name in _PARSER_FILES))


def parse_cached(file: SourceFile, *, dialect: str = "python") -> SourceModule:
    """The tree of a file, as `parse` gives it; every call gives a tree of its own."""
    return _cached(SourceModule, f"{dialect} module", file.name, file.text, lambda: parse(file, dialect=dialect))


def parse_expression_cached(text: str, name: str) -> Expr:
    """One expression that stands alone, as `parse_expression` gives it."""
    return _cached(Expr, "expression", name, text, lambda: parse_expression(text, name))


Tree = TypeVar("Tree", bound=Node)


def _cached(kind: type[Tree], start: str, name: str, text: str, parsed: Callable[[], Tree]) -> Tree:
    key = disk.key("syntax", _parser_version(), start, name, text)
    found = disk.load(key)
    if found is not None:
        try:
            tree = pickle.loads(found)
        except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, TypeError):
            tree = None  # written by other libraries: parsed again
        if isinstance(tree, kind):
            return tree
    tree = parsed()
    with suppress(RecursionError):  # long chains of operators: parsed every time
        disk.store(key, pickle.dumps(tree, protocol=pickle.HIGHEST_PROTOCOL))
    return tree
