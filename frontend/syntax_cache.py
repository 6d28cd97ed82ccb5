"""Parses a file once per machine: trees are kept on disk by the content of the file and of the parser.

Reading a tree back takes a tenth of the time of parsing, and saves building the grammar's tables. The cache folder is as
trusted as the object code beside it, so trees are pickled.
"""

from __future__ import annotations

import pickle
from functools import cache
from importlib.resources import files

from ..ir import cache as disk
from ..ir.source import SourceFile
from .ast import SourceModule
from .parser import parse

_PACKAGE = __name__.rpartition(".")[0]
_PARSER_FILES = ("torchscript.lark", "parser.py", "ast.py", "layout.py", "machine.py", "operators.py", "string_literals.py")


@cache
def _parser_version() -> str:
    """The text of everything that makes trees."""
    return "".join(files(_PACKAGE).joinpath(name).read_text(encoding="utf-8") for name in _PARSER_FILES)


def parse_cached(file: SourceFile, *, dialect: str = "python") -> SourceModule:
    """The tree of a file, as `parse` gives it; every call gives a tree of its own."""
    key = disk.key("syntax", _parser_version(), dialect, file.name, file.text)
    found = disk.load(key)
    if found is not None:
        try:
            return _module(pickle.loads(found))
        except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, TypeError):
            pass  # written by other libraries; parsed again
    module = parse(file, dialect=dialect)
    disk.store(key, pickle.dumps(module, protocol=pickle.HIGHEST_PROTOCOL))
    return module


def _module(tree: object) -> SourceModule:
    if not isinstance(tree, SourceModule):
        raise TypeError(f"a {type(tree).__name__} is cached where a syntax tree is expected")
    return tree
