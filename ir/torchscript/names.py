"""Which words TorchScript text may use as names."""

from __future__ import annotations

import keyword
import re
from typing import Final

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_TEMPORARY: Final = re.compile(r"_\d*\Z")

WORDS_OF_THE_TEXT: Final = frozenset(
    """torch ops CONSTANTS annotate unchecked_cast uninitialized int float bool str range print isinstance getattr
    __torch__ inf nan infj nanj fork"""
    .split()
)  # fmt: skip
_TYPE_WORDS: Final = frozenset(
    """Tensor number Device NoneType Any Generator Stream Storage Optional List Dict Tuple Union Future RRef Await
    complex list tuple"""
    .split()
)  # fmt: skip
RESERVED: Final = (
    WORDS_OF_THE_TEXT | _TYPE_WORDS | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
    | frozenset(("_", "as", "aten", "attribute", "Ellipsis", "NoneType"))
)  # fmt: skip
"""Names that values do not get. Parameters keep theirs, if the text does not need the word."""


def is_identifier(name: str) -> bool:
    """Whether a name may stand behind a dot and in front of a colon; others need `getattr(x, "0")`."""
    return bool(_IDENTIFIER.match(name)) and name not in keyword.kwlist and name not in ("NoneType", "Ellipsis")


def is_path(text: str) -> bool:
    """A name, or names with dots between them."""
    return bool(_PATH.match(text))


def is_meaningful(name: str | None) -> bool:
    """Whether a name comes from the source; `_3` is how unnamed values are written."""
    return bool(name) and _TEMPORARY.match(name or "") is None
