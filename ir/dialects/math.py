"""`math`: functions beyond arithmetic, on scalars and element by element on vectors and tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..builder import Builder
from ..core import Value
from ..definition import OpDefinition, Trait
from ..types import I1, with_shape_of

UNARY_FLOAT: Final = (
    "absf", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "cos", "cosh", "erf", "erfc", "exp", "exp2",
    "expm1", "floor", "log", "log10", "log1p", "log2", "round", "roundeven", "rsqrt", "sin", "sinh", "sqrt", "tan",
    "tanh", "trunc",
)  # fmt: skip
BINARY_FLOAT: Final = ("atan2", "copysign", "powf")
UNARY_INTEGER: Final = ("absi", "ctlz", "cttz", "ctpop")
PREDICATES: Final = ("isfinite", "isinf", "isnan", "isnormal")


def _unary(name: str) -> Callable[[Builder, Value], Value]:
    def build(b: Builder, value: Value) -> Value:
        return b.create(f"math.{name}", (value,), (value.type,)).result

    return build


def _binary(name: str) -> Callable[[Builder, Value, Value], Value]:
    def build(b: Builder, lhs: Value, rhs: Value) -> Value:
        return b.create(f"math.{name}", (lhs, rhs), (lhs.type,)).result

    return build


def _predicate(name: str) -> Callable[[Builder, Value], Value]:
    def build(b: Builder, value: Value) -> Value:
        return b.create(f"math.{name}", (value,), (with_shape_of(value.type, I1),)).result

    return build


absf = _unary("absf")
acos = _unary("acos")
acosh = _unary("acosh")
asin = _unary("asin")
asinh = _unary("asinh")
atan = _unary("atan")
atanh = _unary("atanh")
cbrt = _unary("cbrt")
ceil = _unary("ceil")
cos = _unary("cos")
cosh = _unary("cosh")
erf = _unary("erf")
erfc = _unary("erfc")
exp = _unary("exp")
exp2 = _unary("exp2")
expm1 = _unary("expm1")
floor = _unary("floor")
log = _unary("log")
log10 = _unary("log10")
log1p = _unary("log1p")
log2 = _unary("log2")
round = _unary("round")
roundeven = _unary("roundeven")
rsqrt = _unary("rsqrt")
sin = _unary("sin")
sinh = _unary("sinh")
sqrt = _unary("sqrt")
tan = _unary("tan")
tanh = _unary("tanh")
trunc = _unary("trunc")
absi = _unary("absi")
ctlz = _unary("ctlz")
cttz = _unary("cttz")
ctpop = _unary("ctpop")
atan2 = _binary("atan2")
copysign = _binary("copysign")
powf = _binary("powf")
ipowi = _binary("ipowi")
isfinite = _predicate("isfinite")
isinf = _predicate("isinf")
isnan = _predicate("isnan")
isnormal = _predicate("isnormal")


def fma(b: Builder, x: Value, y: Value, z: Value) -> Value:
    """x * y + z, rounded once."""
    return b.create("math.fma", (x, y, z), (x.type,)).result


_TRAITS: Final = frozenset({Trait.PURE, Trait.ELEMENTWISE})

OPS: tuple[OpDefinition, ...] = (
    *(OpDefinition(f"math.{n}", ("operand",), assembly="$operand #fastmath attr-dict : type(results)", traits=_TRAITS) for n in UNARY_FLOAT),
    *(OpDefinition(f"math.{n}", ("operand",), assembly="$operand attr-dict : type(results)", traits=_TRAITS) for n in UNARY_INTEGER),
    *(OpDefinition(f"math.{n}", ("lhs", "rhs"), assembly="$lhs , $rhs #fastmath attr-dict : type(results)", traits=_TRAITS) for n in BINARY_FLOAT),
    OpDefinition("math.ipowi", ("lhs", "rhs"), assembly="$lhs , $rhs attr-dict : type(results)", traits=_TRAITS),
    *(OpDefinition(f"math.{n}", ("operand",), assembly="$operand #fastmath attr-dict : type($operand)", traits=_TRAITS) for n in PREDICATES),
    OpDefinition("math.fma", ("a", "b", "c"), assembly="$a , $b , $c #fastmath attr-dict : type(results)", traits=_TRAITS),
)
