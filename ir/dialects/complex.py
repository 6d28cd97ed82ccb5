"""`complex`: numbers of two floats. Names and semantics are MLIR's; what is not here is written over `re` and `im`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from ..attributes import FloatAttr, round_float
from ..builder import Builder
from ..core import Value
from ..definition import OpDefinition, Trait
from ..types import I1, ComplexType, FloatType, Type


def _binary(name: str) -> Callable[..., Value]:
    def build(b: Builder, lhs: Value, rhs: Value, fastmath: str = "") -> Value:
        """`fastmath`: flags of the operations on the parts (`reassoc`), none by default."""
        return b.create(name, (lhs, rhs), (lhs.type,), {"fastmath": fastmath} if fastmath else {}).result

    return build


def _unary(name: str) -> Callable[[Builder, Value], Value]:
    def build(b: Builder, value: Value) -> Value:
        return b.create(name, (value,), (value.type,)).result

    return build


def _comparison(name: str) -> Callable[[Builder, Value, Value], Value]:
    def build(b: Builder, lhs: Value, rhs: Value) -> Value:
        return b.create(name, (lhs, rhs), (I1,)).result

    return build


add = _binary("complex.add")
sub = _binary("complex.sub")
mul = _binary("complex.mul")
neg = _unary("complex.neg")
conj = _unary("complex.conj")
eq = _comparison("complex.eq")
neq = _comparison("complex.neq")


def part_type(t: Type) -> FloatType:
    """The type of the two parts of a complex type."""
    return cast(ComplexType, t).element


def create(b: Builder, re: Value, im: Value) -> Value:
    """re + im i, of two floats of one type."""
    return b.create("complex.create", (re, im), (ComplexType(cast(FloatType, re.type)),)).result


def re(b: Builder, value: Value) -> Value:
    """The real part; the very operand where `value` was just created."""
    made = value.defining_op("complex.create")
    return made.operand(0) if made else b.create("complex.re", (value,), (part_type(value.type),)).result


def im(b: Builder, value: Value) -> Value:
    """The imaginary part."""
    made = value.defining_op("complex.create")
    return made.operand(1) if made else b.create("complex.im", (value,), (part_type(value.type),)).result


def constant(b: Builder, value: complex, type: ComplexType) -> Value:
    parts = tuple(FloatAttr(round_float(part, type.element), type.element) for part in (value.real, value.imag))
    return b.create("complex.constant", (), (type,), {"value": parts}).result


def constant_value(value: Value) -> complex | None:
    """The number, when `value` is a `complex.constant`."""
    op = value.defining_op("complex.constant")
    if op is None:
        return None
    real, imaginary = cast(tuple[FloatAttr, FloatAttr], op.attributes["value"])
    return complex_of(real.value, imaginary.value)


def complex_of(real: float, imaginary: float) -> complex:
    """Python's number of two parts, the signs of zeros kept."""
    return complex(real, imaginary)


BINARY: Final = ("add", "sub", "mul")
UNARY: Final = ("neg", "conj")
COMPARISONS: Final = ("eq", "neq")

_TRAITS: Final = frozenset({Trait.PURE})
_PAIR: Final = ("lhs", "rhs")

OPS: tuple[OpDefinition, ...] = (
    *(OpDefinition(f"complex.{n}", _PAIR, assembly="$lhs , $rhs #fastmath attr-dict : type(results)", traits=_TRAITS) for n in BINARY),
    *(OpDefinition(f"complex.{n}", ("complex",), assembly="$complex attr-dict : type(results)", traits=_TRAITS) for n in UNARY),
    *(OpDefinition(f"complex.{n}", _PAIR, assembly="$lhs , $rhs attr-dict : type($lhs)", traits=_TRAITS) for n in COMPARISONS),
    *(OpDefinition(f"complex.{n}", ("complex",), assembly="$complex attr-dict : type($complex)", traits=_TRAITS) for n in ("re", "im")),
    OpDefinition("complex.create", ("real", "imaginary"), assembly="$real , $imaginary attr-dict : type(results)", traits=_TRAITS),
    OpDefinition("complex.constant", assembly="#value attr-dict : type(results)", traits=_TRAITS),
)
