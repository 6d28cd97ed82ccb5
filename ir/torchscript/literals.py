"""Numbers, strings and constants as TorchScript literals, which a reader reads back as the same values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, cast

from ..attributes import Constant
from ..diagnostics import CompileError
from ..script_types import NONE, DeviceType, EnumMember, ListType, NamedTupleType, OptionalType, ScriptType, TupleType
from ..source import Span
from .unit import CodeUnit


def print_float(value: float) -> str:
    """The shortest text that reads back as the same float, and as a float: integral ones have a dot or an exponent."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value).removesuffix("0") if repr(value).endswith(".0") else repr(value)


_ESCAPES: Final = {"\n": "\\n", "\t": "\\t", "\f": "\\f", "\v": "\\v", "\a": "\\a", "\b": "\\b", "\\": "\\\\", '"': '\\"'}


def print_string(value: str) -> str:
    r"""A string literal. Other control characters are in octal (PyTorch does not read its own `\r`), the rest is UTF-8."""
    return '"' + "".join(_ESCAPES.get(c) or (f"\\{ord(c):03o}" if ord(c) < 32 or ord(c) == 127 else c) for c in value) + '"'


def print_number(value: bool | int | float | complex) -> str:
    match value:
        case bool() | int():
            return str(value)
        case float():
            return print_float(value)
        case complex():
            if not is_plain_part(value.real) or not is_plain_part(value.imag):
                return f"torch.Complex({print_float(value.real)}, {print_float(value.imag)})"
            return f"{print_float(value.real)}+{print_float(value.imag)}j" if value.real else f"{print_float(value.imag)}j"


def is_plain_part(value: float) -> bool:
    """Finite and not negative, zero included: a part of a complex literal."""
    return math.isfinite(value) and math.copysign(1, value) > 0


def print_literal(value: Any, type: ScriptType, unit: CodeUnit, span: Span | None = None) -> str:
    """A default of a parameter or a constant of a class, as an expression."""
    inner = type.element if isinstance(type, OptionalType) else type
    match value:
        case None:
            return "None"
        case bool() | int() | float() | complex():
            return print_number(value)
        case str() if isinstance(inner, DeviceType):
            return f"torch.device({checked_string(value, span)})"
        case str():
            return checked_string(value, span)
        case EnumMember():
            return f"{unit.type(value.type)}.{value.name}"
        case Constant():
            return unit.constant(value)
        case tuple() | list():
            items = cast(Sequence[Any], value)
            if isinstance(inner, ListType):
                return f"[{', '.join(print_literal(v, inner.element, unit, span) for v in items)}]"
            types = inner.elements if isinstance(inner, TupleType) else [NONE] * len(items)
            texts = [print_literal(v, t, unit, span) for v, t in zip(items, types, strict=True)]
            head = unit.type(inner) if isinstance(inner, NamedTupleType) else ""
            return f"{head}({texts[0]},)" if len(texts) == 1 else f"{head}({', '.join(texts)})"
        case _:
            raise CompileError.at(span, f"a constant of type {value.__class__.__name__} cannot be written as TorchScript")


def checked_string(value: str, span: Span | None) -> str:
    """A string literal, or a CompileError where the value is no Unicode text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise CompileError.at(span, "a string with surrogates cannot be written: it is no Unicode text") from None
    return print_string(value)
