"""The parser's tables, computed ahead: `torchscript.tables` beside the grammar.

Computing them from the grammar takes half a second, which every first compilation on a machine would pay. The file says which
grammar and which lark it is of; for another one the tables are computed, so that an old file costs time and nothing else.

    pytest tests/frontend/test_grammar_tables.py --update-golden      # after a change of the grammar
"""

from __future__ import annotations

import hashlib
import pickle
import zlib
from importlib.resources import files
from typing import Any, Final

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

_PACKAGE: Final = __name__.rpartition(".")[0]

FILE: Final = "torchscript.tables"


def read(grammar: str) -> dict[str, Any] | None:
    """`data` and `memo` of the parser, as lark writes them; None where the file is of something else."""
    try:
        content = files(_PACKAGE).joinpath(FILE).read_bytes()
    except OSError:
        return None
    key = _key(grammar)
    # part of the package, like the code that would otherwise compute it: as trusted
    return pickle.loads(zlib.decompress(content[len(key) :])) if content.startswith(key) else None


def written(grammar: str, parser: Lark) -> bytes:
    """The file's content for a parser that was built from the grammar."""
    data, memo = parser.memo_serialize([TerminalDef, Rule])  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return _key(grammar) + zlib.compress(pickle.dumps({"data": data, "memo": memo}, protocol=4), 9)


def _key(grammar: str) -> bytes:
    return f"lark {lark.__version__}\n".encode() + hashlib.sha256(grammar.encode()).digest()
