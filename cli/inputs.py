"""`--input` and `--dim` of the command line: `x=f32[1,3,8,8]`, `x=@file.npy`, `k=3`, `xs=[f32[2],f32[3]]`.

In: the texts. Out: for each parameter an `ArgumentSpec` and, where the command runs the program, a value.
A dimension may be a name (`f32[batch,1,8,8]`: dynamic), and may carry a size to run with (`f32[batch=32,1,8,8]`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from lark import Lark, Token, Transformer, UnexpectedInput

from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.dtypes import SHORT_NAMES, DType, from_numpy
from ..ir.script_types import BOOL, FLOAT, INT
from ..ir.signature import ArgumentSpec, ConstantSpec, Dim, ScalarSpec, SequenceSpec, TensorSpec
from ..ir.source import SourceFile, Span

_GRAMMAR = r"""
start: NAME "=" value
?value: tensor | file | number | TRUE -> true | FALSE -> false | NONE -> none | STRING -> string | WORD -> word
      | "[" [value ("," value)*] "]" -> list | "(" [value ("," value)*] ")" -> tuple
tensor: DTYPE "[" [dim ("," dim)*] "]"
dim: INT -> fixed | NAME -> named | NAME "=" INT -> named
file: "@" PATH
number: SIGNED_INT -> integer | SIGNED_FLOAT -> float
TRUE: /true\b/i
FALSE: /false\b/i
NONE: /none\b/i
DTYPE.2: /(u8|i8|i16|i32|i64|f16|bf16|f32|f64|bool|c64|c128)(?=\[)/
PATH: /[^,\])]+/
STRING: /"[^"]*"|'[^']*'/
WORD: /(?!(true|false|none|inf|nan)\b)[A-Za-z_]\w*(?!\w*\[)/i
SIGNED_FLOAT.2: /[+-]?(\d+\.\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|\d+[eE][+-]?\d+|inf|nan)/
SIGNED_INT: /[+-]?\d+/
INT: /\d+/
NAME: /[A-Za-z_]\w*/
%ignore " "
"""


@dataclass(frozen=True)
class RandomTensor:
    """`f32[2,batch=3]`: seeded random values; `sizes` None where a named dimension has no size to run with."""

    dtype: DType
    dims: tuple[int | Dim, ...]
    sizes: tuple[int, ...]

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(self.dtype, self.dims)

    def value(self, generator: np.random.Generator) -> np.ndarray[Any, Any]:
        """Normal floats, integers 0 to 9, fair bools."""
        if self.dtype.is_floating or self.dtype.is_complex:
            return generator.standard_normal(self.sizes).astype(self.dtype.numpy)
        high = 2 if self.dtype is DType.bool else 10
        return generator.integers(0, high, self.sizes).astype(self.dtype.numpy)


@dataclass(frozen=True)
class Input:
    """One `--input`: the parameter's name and what stands behind `=`."""

    name: str
    content: Any

    def spec(self) -> ArgumentSpec:
        return _spec(self.content)

    def value(self, generator: np.random.Generator) -> Any:
        return _value(self.content, generator)


DEFAULT_DYNAMIC_SIZE = 4
"""Size of a named dimension that was given none, where the program is run."""


class _Build(Transformer[Token, Any]):
    def start(self, parts: list[Any]) -> Input:
        return Input(str(parts[0]), parts[1])

    def tensor(self, parts: list[Any]) -> RandomTensor:
        dims = [p for p in parts[1:] if p is not None]
        sizes = tuple(d if isinstance(d, int) else d[1] for d in dims)
        return RandomTensor(SHORT_NAMES[str(parts[0])], tuple(d if isinstance(d, int) else d[0] for d in dims), sizes)

    def fixed(self, parts: list[Token]) -> int:
        return int(parts[0])

    def named(self, parts: list[Token]) -> tuple[Dim, int]:
        return Dim(str(parts[0])), int(parts[1]) if len(parts) > 1 else DEFAULT_DYNAMIC_SIZE

    def file(self, parts: list[Token]) -> np.ndarray[Any, Any]:
        return _load(Path(str(parts[0])))

    def integer(self, parts: list[Token]) -> int:
        return int(parts[0])

    def float(self, parts: list[Token]) -> float:
        return float(parts[0])

    def true(self, parts: list[Any]) -> bool:
        return True

    def false(self, parts: list[Any]) -> bool:
        return False

    def none(self, parts: list[Any]) -> None:
        return None

    def string(self, parts: list[Token]) -> str:
        return str(parts[0])[1:-1]

    def word(self, parts: list[Token]) -> str:
        """A string without quotes: shells take them away."""
        return str(parts[0])

    def list(self, parts: list[Any]) -> list[Any]:
        return [] if parts == [None] else parts

    def tuple(self, parts: list[Any]) -> tuple[Any, ...]:
        return () if parts == [None] else tuple(parts)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="earley", maybe_placeholders=True)


def parse_input(text: str) -> Input:
    """One `--input` text; CompileError that points into it when it is none."""
    try:
        return cast(Input, _Build().transform(_parser().parse(text)))
    except UnexpectedInput as error:
        position = min(error.pos_in_stream or 0, len(text))
        file = SourceFile("--input", text)
        raise CompileError.at(
            Span(file, position, position + 1),
            "cannot read this input",
            help="write name=f32[1,3,8,8] (random), name=@file.npy, name=3, name=[f32[2],f32[3]]; a dimension may be a name",
        ) from None


def _load(path: Path) -> np.ndarray[Any, Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot read `{path}`: {error.strerror or error}")) from None
    except ValueError as error:
        raise CompileError(Diagnostic(f"`{path}` is no .npy file: {error}")) from None
    if not isinstance(array, np.ndarray) or from_numpy(cast(np.ndarray[Any, Any], array).dtype) is None:
        raise CompileError(Diagnostic(f"`{path}` holds no array of a type that tensors have"))
    return cast(np.ndarray[Any, Any], array)


def _spec(content: Any) -> ArgumentSpec:
    match content:
        case RandomTensor():
            return content.spec
        case np.ndarray():
            array = cast(np.ndarray[Any, Any], content)
            dtype = from_numpy(array.dtype)
            assert dtype is not None
            return TensorSpec(dtype, array.shape)
        case bool():
            return ScalarSpec(BOOL)
        case int():
            return ScalarSpec(INT)
        case float():
            return ScalarSpec(FLOAT)
        case list() | tuple():
            elements = cast(Sequence[Any], content)
            return SequenceSpec(tuple(map(_spec, elements)), isinstance(content, tuple))
        case _:
            return ConstantSpec(content)


def _value(content: Any, generator: np.random.Generator) -> Any:
    match content:
        case RandomTensor():
            return content.value(generator)
        case list():
            return [_value(c, generator) for c in cast(Sequence[Any], content)]
        case tuple():
            return tuple(_value(c, generator) for c in cast(Sequence[Any], content))
        case _:
            return content


def by_name(inputs: Sequence[Input]) -> Mapping[str, Input]:
    """Inputs by parameter; CompileError for a name given twice."""
    result: dict[str, Input] = {}
    for given in inputs:
        if given.name in result:
            raise CompileError(Diagnostic(f"--input {given.name} is given twice"))
        result[given.name] = given
    return result
