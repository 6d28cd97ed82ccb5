"""Operators on strings that native code has itself; all others are functions over these, in the prelude.

In: the name of a node with its overload. What each means is in `interpreters/strings.py`.
"""

from __future__ import annotations

from typing import Final

OF_BYTES: Final = "prim::StringOfBytes"
"""The string whose bytes stand in a vector of dtype uint8: how strings are given to programs."""

BYTES_OF: Final = "prim::BytesOfString"
"""The bytes of a string as such a vector: how they leave programs. PyTorch has neither of the two."""

PRIMITIVES: Final = frozenset(
    {
        "aten::len.str",
        "aten::__getitem__.str",
        "prim::StringIndex",
        "aten::slice.str",
        "aten::add.str",
        "aten::eq.str",
        "aten::ne.str",
        "aten::lt.str",
        "aten::le.str",
        "aten::gt.str",
        "aten::ge.str",
        "aten::ord",
        "aten::chr",
        "aten::join",
        "aten::format",
        "aten::percentFormat",
        "aten::find",
        "aten::Float.str",
        "prim::Print",
        OF_BYTES,
        BYTES_OF,
    }
)


def is_primitive(name: str) -> bool:
    """Whether a node of a specialised graph is one of these. `aten::find` takes positions that are in range there,
    `aten::percentFormat` one float, `prim::Print` one string."""
    return name in PRIMITIVES
