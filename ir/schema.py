"""PyTorch's operator signatures: `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`.

A small hand parser, run on first use of each signature (450 of them cost 25 ms; a generated one several times that).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from .script_types import ScriptType


@dataclass(frozen=True)
class Argument:
    """One parameter or result. `size` is N of `int[N]` (a number is repeated N times); `kind` the schema's own word."""

    name: str
    type: ScriptType
    kind: str
    """The schema's base type word: Tensor, int, Scalar, ScalarType, Device, Layout, MemoryFormat, str, ..."""
    default: Any = None
    has_default: bool = False
    keyword_only: bool = False
    size: int | None = None
    alias: str | None = None
    """Alias set as written inside the parentheses, `!` included: `a`, `a!`, `a -> *`."""

    @property
    def is_written(self) -> bool:
        return self.alias is not None and "!" in self.alias


@dataclass(frozen=True)
class Schema:
    namespace: str
    base: str
    overload: str
    arguments: tuple[Argument, ...]
    returns: tuple[Argument, ...]
    varargs: bool = False

    @property
    def name(self) -> str:
        """`aten::add.Tensor`."""
        return f"{self.namespace}::{self.base}" + (f".{self.overload}" if self.overload else "")


@cache
def parse_schema(text: str) -> Schema:
    """Schema of a signature as PyTorch prints it. ValueError for text that is none."""
    raise NotImplementedError(text)
