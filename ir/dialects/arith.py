"""`arith`: integer and float arithmetic on scalars, and element by element on vectors and tensors. Semantics: MLIR's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..attributes import DenseAttr, FloatAttr, IntegerAttr, round_float
from ..builder import Builder
from ..core import Value
from ..definition import OpDefinition, Trait
from ..types import I1, ComplexType, FloatType, RankedTensorType, Type, VectorType, element_type, with_shape_of
from . import complex as complexes

CMPI_PREDICATES: Final = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")
CMPF_PREDICATES: Final = (
    "false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true",
)  # fmt: skip

_BINARY_TRAITS: Final = frozenset({Trait.PURE, Trait.SAME_TYPE, Trait.ELEMENTWISE})
_COMMUTATIVE: Final = _BINARY_TRAITS | {Trait.COMMUTATIVE}
_CAST_TRAITS: Final = frozenset({Trait.PURE, Trait.ELEMENTWISE})


def _binary(name: str) -> Callable[[Builder, Value, Value], Value]:
    def build(b: Builder, lhs: Value, rhs: Value) -> Value:
        return b.create(name, (lhs, rhs), (lhs.type,)).result

    return build


def _float_binary(name: str) -> Callable[..., Value]:
    def build(b: Builder, lhs: Value, rhs: Value, fastmath: str = "") -> Value:
        """`fastmath`: comma-separated flags (`reassoc`, `contract`, `nnan` ...), none by default."""
        return b.create(name, (lhs, rhs), (lhs.type,), {"fastmath": fastmath} if fastmath else {}).result

    return build


def _cast(name: str) -> Callable[[Builder, Value, Type], Value]:
    def build(b: Builder, value: Value, to: Type) -> Value:
        """`to` is the element type; a vector or tensor keeps its shape."""
        return b.create(name, (value,), (with_shape_of(value.type, element_type(to)),)).result

    return build


addi = _binary("arith.addi")
subi = _binary("arith.subi")
muli = _binary("arith.muli")
divsi = _binary("arith.divsi")
divui = _binary("arith.divui")
ceildivsi = _binary("arith.ceildivsi")
floordivsi = _binary("arith.floordivsi")
remsi = _binary("arith.remsi")
remui = _binary("arith.remui")
andi = _binary("arith.andi")
ori = _binary("arith.ori")
xori = _binary("arith.xori")
shli = _binary("arith.shli")
shrsi = _binary("arith.shrsi")
shrui = _binary("arith.shrui")
maxsi = _binary("arith.maxsi")
minsi = _binary("arith.minsi")
maxui = _binary("arith.maxui")
minui = _binary("arith.minui")
addf = _float_binary("arith.addf")
subf = _float_binary("arith.subf")
mulf = _float_binary("arith.mulf")
divf = _float_binary("arith.divf")
remf = _float_binary("arith.remf")
maximumf = _float_binary("arith.maximumf")
minimumf = _float_binary("arith.minimumf")
maxnumf = _float_binary("arith.maxnumf")
minnumf = _float_binary("arith.minnumf")

extsi = _cast("arith.extsi")
extui = _cast("arith.extui")
trunci = _cast("arith.trunci")
extf = _cast("arith.extf")
truncf = _cast("arith.truncf")
sitofp = _cast("arith.sitofp")
uitofp = _cast("arith.uitofp")
fptosi = _cast("arith.fptosi")
fptoui = _cast("arith.fptoui")
bitcast = _cast("arith.bitcast")
index_cast = _cast("arith.index_cast")
index_castui = _cast("arith.index_castui")


def negf(b: Builder, value: Value) -> Value:
    return b.create("arith.negf", (value,), (value.type,)).result


def cmpi(b: Builder, predicate: str, lhs: Value, rhs: Value) -> Value:
    """`predicate` one of CMPI_PREDICATES."""
    assert predicate in CMPI_PREDICATES, predicate
    return b.create("arith.cmpi", (lhs, rhs), (with_shape_of(lhs.type, I1),), {"predicate": predicate}).result


def cmpf(b: Builder, predicate: str, lhs: Value, rhs: Value) -> Value:
    """`predicate` one of CMPF_PREDICATES (`o...` false, `u...` true on NaN)."""
    assert predicate in CMPF_PREDICATES, predicate
    return b.create("arith.cmpf", (lhs, rhs), (with_shape_of(lhs.type, I1),), {"predicate": predicate}).result


def select(b: Builder, condition: Value, true: Value, false: Value) -> Value:
    return b.create("arith.select", (condition, true, false), (true.type,)).result


def constant(b: Builder, value: int | float | bool | complex, type: Type) -> Value:
    """A scalar (a complex one as `complex.constant`); of a vector or tensor type, a splat of it."""
    element = element_type(type)
    if isinstance(element, ComplexType):
        if isinstance(type, VectorType | RankedTensorType):
            return dense(b, DenseAttr(complex(value), type))
        return complexes.constant(b, complex(value), element)
    assert not isinstance(value, complex)
    number = round_float(value, element) if isinstance(element, FloatType) else int(value)
    if isinstance(type, VectorType | RankedTensorType):
        return dense(b, DenseAttr(number, type))
    attribute = FloatAttr(number, type) if isinstance(element, FloatType) else IntegerAttr(int(number), type)
    return b.create("arith.constant", (), (type,), {"value": attribute}).result


def dense(b: Builder, value: DenseAttr) -> Value:
    """A tensor or vector constant."""
    return b.create("arith.constant", (), (value.type,), {"value": value}).result


def constant_value(value: Value) -> int | float | None:
    """The number, when `value` is a scalar `arith.constant`."""
    op = value.defining_op("arith.constant")
    if op is None:
        return None
    attribute = op.attributes["value"]
    return attribute.value if isinstance(attribute, IntegerAttr | FloatAttr) else None


def _definitions() -> tuple[OpDefinition, ...]:
    commutative = ("addi", "muli", "andi", "ori", "xori", "maxsi", "minsi", "maxui", "minui")
    integer = ("subi", "shli", "shrsi", "shrui")
    dividing = ("divsi", "divui", "ceildivsi", "floordivsi", "remsi", "remui")
    floating = ("subf", "divf", "remf")
    floating_commutative = ("addf", "mulf", "maximumf", "minimumf", "maxnumf", "minnumf")
    casts = ("extsi", "extui", "trunci", "extf", "truncf", "sitofp", "uitofp", "fptosi", "fptoui", "bitcast", "index_cast", "index_castui")
    pair = ("lhs", "rhs")
    return (
        *(OpDefinition(f"arith.{n}", pair, assembly="$lhs , $rhs attr-dict : type(results)", traits=_COMMUTATIVE) for n in commutative),
        # Division by zero is undefined in MLIR; it counts as pure as upstream's does for speculation only when guarded,
        # so lowerings guard it and passes may remove it when unused.
        *(OpDefinition(f"arith.{n}", pair, assembly="$lhs , $rhs attr-dict : type(results)", traits=_BINARY_TRAITS) for n in integer + dividing),
        *(OpDefinition(f"arith.{n}", pair, assembly="$lhs , $rhs #fastmath attr-dict : type(results)", traits=_BINARY_TRAITS) for n in floating),
        *(OpDefinition(f"arith.{n}", pair, assembly="$lhs , $rhs #fastmath attr-dict : type(results)", traits=_COMMUTATIVE) for n in floating_commutative),
        *(OpDefinition(f"arith.{n}", ("in",), assembly="$in attr-dict : type($in) to type(results)", traits=_CAST_TRAITS) for n in casts),
        OpDefinition("arith.negf", ("operand",), assembly="$operand #fastmath attr-dict : type(results)", traits=_BINARY_TRAITS),
        OpDefinition("arith.cmpi", pair, assembly="#predicate , $lhs , $rhs attr-dict : type($lhs)", traits=_CAST_TRAITS),
        OpDefinition("arith.cmpf", pair, assembly="#predicate , $lhs , $rhs #fastmath attr-dict : type($lhs)", traits=_CAST_TRAITS),
        OpDefinition("arith.select", ("condition", "true_value", "false_value"), assembly="$condition , $true_value , $false_value attr-dict : type(results)", traits=_CAST_TRAITS),
        OpDefinition("arith.constant", assembly="attr-dict #value", traits=_CAST_TRAITS),
    )


OPS: tuple[OpDefinition, ...] = _definitions()

