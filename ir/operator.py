"""The operator record: everything about one primitive `aten::` operator, in one place.

Calling conventions of the rules; their parameters are named exactly as in the schema, and always all given:

`infer(**arguments) -> ScriptType | tuple[ScriptType, ...]`
    A tensor is its `TensorType` (dtype and shape known, extents int or None), a number, bool or str its Python value
    or `Unknown(type)` where it is known only at run time, a list a Python list of these, None itself. Returns the
    result type(s); for a number its script type, or its Python value where the types alone tell it (`x.dim()`, a
    static `x.size(0)`); for a list a Python list of these. Raises `OperatorError` with PyTorch's text.

`lower(cx, **arguments) -> Value | list[Value] | ...`
    Writes the `linalg`-stage code through `cx` (see `lowering.py` beside the records). A tensor is a `Value` of
    RankedTensorType, a number its Python value or a `Value` (int i64, float f64, bool i1), a list a Python list.

`reference(**arguments)`
    The meaning in numpy: tensors are arrays (never written to), numbers Python numbers. Also folds constants.

`samples() -> Iterable[Sample]`
    Inputs worth trying, edge cases first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .schema import Schema, parse_schema
from .script_types import ScriptType


@dataclass(frozen=True)
class Unknown:
    """A scalar argument whose value is known only at run time."""

    type: ScriptType


class OperatorError(Exception):
    """Arguments that the operator refuses, with PyTorch's text; callers add the source line."""


class Unsupported(Exception):
    """Arguments that PyTorch takes and this compiler does not yet; the text says what is supported near it."""


class NotConstant(Unsupported):
    """A run-time number where one is needed at compile time; `what` says which, as in "a dimension"."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} must be known at compile time")
        self.what = what


@dataclass(frozen=True)
class Sample:
    """Arguments of one trial call: positional ones and keywords; arrays, numbers, lists, strings, None."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    raises: str | None = None
    """Part of the text of the run-time or compile-time error that this call must give."""


@dataclass(frozen=True)
class Operator:
    signature: str
    infer: Callable[..., Any]
    lower: Callable[..., Any]
    reference: Callable[..., Any]
    samples: Callable[[], Iterable[Sample]]

    @property
    def schema(self) -> Schema:
        return parse_schema(self.signature)

    @property
    def name(self) -> str:
        """With overload: `aten::add.Tensor`."""
        return self.signature.partition("(")[0]


def unsupported(why: str) -> Callable[..., Any]:
    """A `lower` rule that refuses, saying why; counted by the `ops` command."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise Unsupported(why)

    refuse.__name__ = "unsupported"
    refuse.__doc__ = why
    return refuse
