"""How element-by-element operators are made into records: one formula on scalars, one in numpy, one dtype rule.

The formula is written once over `Scalars`, which picks the float, signed, unsigned or bool operation; operands come in
the compute dtype (16-bit floats as float32) and the outcome is cast to the result's dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, Sample, Unknown, Unsupported
from ...script_types import BOOL, COMPLEX, FLOAT, INT, TensorType
from ...types import I1
from .. import arith, math
from .. import complex as complexes
from . import complex_functions
from .lowering import LoweringContext, Number
from .rules import (
    Array,
    Operand,
    broadcast,
    cast_array,
    floating,
    not_implemented,
    operand_of,
    opmath,
    result_type,
    shape_of,
)


class Scalars:
    """Arithmetic on scalars of one dtype, written through a builder; `stored` is what they are outside (16-bit floats)."""

    def __init__(self, b: Builder, dtype: DType, stored: DType | None = None) -> None:
        self.b = b
        self.dtype = dtype
        self.stored = stored or dtype

    @property
    def is_float(self) -> bool:
        return self.dtype.is_floating

    @property
    def is_complex(self) -> bool:
        return self.dtype.is_complex

    @property
    def is_signed(self) -> bool:
        return self.dtype.is_signed

    @property
    def lowest(self) -> float:
        """-inf, or the smallest integer."""
        self._refuse_complex("an order")
        if self.is_float:
            return -float("inf")
        return 0 if not self.is_signed else -(1 << (8 * self.dtype.itemsize - 1))

    @property
    def highest(self) -> float:
        """inf, or the largest integer."""
        self._refuse_complex("an order")
        if self.is_float:
            return float("inf")
        if self.dtype is DType.bool:
            return 1
        return (1 << (8 * self.dtype.itemsize - (1 if self.is_signed else 0))) - 1

    def _refuse_complex(self, what: str) -> None:
        if self.is_complex:
            raise Unsupported(f"complex numbers have not {what} here")

    def constant(self, value: float) -> Value:
        if self.dtype.is_integral and not self.is_signed and value > self.highest // 2:
            value -= self.highest + 1  # as the bits of a signless integer
        return arith.constant(self.b, value, self.dtype.element)

    def add(self, x: Value, y: Value) -> Value:
        if self.is_complex:
            return complexes.add(self.b, x, y)
        if self.is_float:
            return arith.addf(self.b, x, y)
        return (arith.ori if self.dtype is DType.bool else arith.addi)(self.b, x, y)

    def sub(self, x: Value, y: Value) -> Value:
        if self.is_complex:
            return complexes.sub(self.b, x, y)
        return arith.subf(self.b, x, y) if self.is_float else arith.subi(self.b, x, y)

    def mul(self, x: Value, y: Value) -> Value:
        for one, other in ((x, y), (y, x)):
            if 1 in (arith.constant_value(one), complexes.constant_value(one)) and self.dtype is not DType.bool:
                return other
        if self.is_complex:
            return complexes.mul(self.b, x, y)
        if self.is_float:
            return arith.mulf(self.b, x, y)
        return (arith.andi if self.dtype is DType.bool else arith.muli)(self.b, x, y)

    def div(self, x: Value, y: Value) -> Value:
        """True division; floats and complex numbers only."""
        if self.is_complex:
            return complex_functions.divide(self.b, x, y)
        return arith.divf(self.b, x, y)

    def neg(self, x: Value) -> Value:
        if self.is_complex:
            return complexes.neg(self.b, x)
        return arith.negf(self.b, x) if self.is_float else arith.subi(self.b, self.constant(0), x)

    def abs(self, x: Value) -> Value:
        self._refuse_complex("an absolute value of their own dtype")
        if self.is_float:
            return math.absf(self.b, x)
        return math.absi(self.b, x) if self.is_signed else x

    def maximum(self, x: Value, y: Value) -> Value:
        """NaN if either is NaN."""
        self._refuse_complex("an order")
        if self.is_float:
            return arith.maximumf(self.b, x, y)
        if self.dtype is DType.bool:
            return arith.ori(self.b, x, y)
        return (arith.maxsi if self.is_signed else arith.maxui)(self.b, x, y)

    def minimum(self, x: Value, y: Value) -> Value:
        self._refuse_complex("an order")
        if self.is_float:
            return arith.minimumf(self.b, x, y)
        if self.dtype is DType.bool:
            return arith.andi(self.b, x, y)
        return (arith.minsi if self.is_signed else arith.minui)(self.b, x, y)

    def compare(self, predicate: str, x: Value, y: Value) -> Value:
        """`predicate` one of eq, ne, lt, le, gt, ge; with a NaN only `ne` holds."""
        if self.is_complex and predicate in ("eq", "ne"):
            return (complexes.eq if predicate == "eq" else complexes.neq)(self.b, x, y)
        self._refuse_complex("an order")
        if self.is_float:
            return arith.cmpf(self.b, ("u" if predicate == "ne" else "o") + predicate, x, y)
        if predicate in ("eq", "ne"):
            return arith.cmpi(self.b, predicate, x, y)
        return arith.cmpi(self.b, ("s" if self.is_signed else "u") + predicate, x, y)

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        return arith.select(self.b, condition, x, y)

    def is_nonzero(self, x: Value) -> Value:
        return x if self.dtype is DType.bool else self.compare("ne", x, self.constant(0))

    def true(self) -> Value:
        return arith.constant(self.b, True, I1)

    def false(self) -> Value:
        return arith.constant(self.b, False, I1)


Formula1 = Callable[[Scalars, Value], Value]
Formula2 = Callable[[Scalars, Value, Value], Value]
Formula = (
    Formula1
    | Formula2
    | Callable[[Scalars, Value, Value, Value], Value]
    | Callable[[Scalars, Value, Value, Value, Value], Value]
    | Callable[[Scalars, Value, Value, Value, Value, Value], Value]
)
"""What happens to one element of each operand."""

Function1 = Callable[[Any], Any]
Function2 = Callable[[Any, Any], Any]
Function = Function1 | Function2 | Callable[[Any, Any, Any], Any] | Callable[[Any, Any, Any, Any], Any]
"""The same in numpy, on whole arrays."""

Samples = Callable[[], Iterable[Sample]]


@dataclass(frozen=True)
class Types:
    """`compute`: what operands are cast to; `result`: what comes out; `outcome`: what the formula yields."""

    compute: DType
    result: DType
    outcome: DType


def types(compute: DType, result: DType | None = None) -> Types:
    """The formula yields the dtype it computes in, unless the result is bool."""
    result = compute if result is None else result
    return Types(compute, result, DType.bool if result is DType.bool else opmath(compute))


Rule = Callable[..., Types]
"""dtypes from the operands that take part in promotion; raises OperatorError for those that PyTorch refuses."""


def promoted(*operands: Operand) -> Types:
    return types(result_type(*operands))


def to_float(*operands: Operand) -> Types:
    """Integers and bool compute in the default float."""
    return types(floating(result_type(*operands)))


def to_bool(*operands: Operand) -> Types:
    return types(result_type(*operands), DType.bool)


def refusing(rule: Rule, kernel: str, refused: Callable[[DType], bool]) -> Rule:
    """`rule`, with PyTorch's text for compute dtypes that the kernel is not there for."""

    def checked(*operands: Operand) -> Types:
        chosen = rule(*operands)
        if refused(chosen.compute):
            raise not_implemented(kernel, chosen.compute)
        return chosen

    return checked


def is_bool(dtype: DType) -> bool:
    return dtype is DType.bool


def is_complex(dtype: DType) -> bool:
    return dtype.is_complex


def is_bool_or_complex(dtype: DType) -> bool:
    return dtype is DType.bool or dtype.is_complex


def is_not_floating(dtype: DType) -> bool:
    return not dtype.is_floating


def is_not_whole(dtype: DType) -> bool:
    return dtype.category > 1


def is_not_integral(dtype: DType) -> bool:
    return not dtype.is_integral


WHOLE_SECOND = frozenset({"mul", "div", "true_divide"})
"""What computes 16-bit floats with a second operand without dimensions as that is, not rounded to their dtype first: PyTorch's way."""


def argument_names(signature: str) -> tuple[str, ...]:
    """Parameter names, without parsing types (records are made at import, schemas parsed on first use)."""
    arguments = signature.partition("(")[2].rpartition(") ->")[0]
    names = [part.partition("=")[0].split()[-1] for part in arguments.split(", ") if part and part != "*"]
    return tuple(names)


def lower_elementwise(
    cx: LoweringContext, operands: Sequence[Number | complex], chosen: Types, formula: Formula, whole_second: bool = False
) -> Value:
    """`formula(Scalars, *scalars)` over broadcast operands; numbers stand for 0-dim tensors."""
    wide = opmath(chosen.compute)
    tensors = [x for x in operands if _is_tensor(x)]
    fixed = {i: cx.number(x, wide) for i, x in enumerate(operands) if isinstance(x, Value) and not _is_tensor(x)}

    def body(b: Builder, *elements: Value) -> Value:
        rest = iter(elements)
        scalars: list[Value] = []
        for i, operand in enumerate(operands):
            if isinstance(operand, Value) and i not in fixed:
                source = cx.dtype(operand)
                element = next(rest)
                if not (whole_second and i == 1 and cx.rank(operand) == 0):
                    element, source = cx.cast(b, element, source, chosen.compute), chosen.compute
                scalars.append(cx.cast(b, element, source, wide))
            else:
                scalars.append(fixed[i] if i in fixed else cx.number(operand, wide))
        outcome = cast(Callable[..., Value], formula)(Scalars(b, wide, chosen.compute), *scalars)
        return cx.cast(b, outcome, chosen.outcome, chosen.result)

    return cx.pointwise([x for x in tensors if isinstance(x, Value)], chosen.result, body)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Value) and hasattr(value.type, "shape")


def evaluate_elementwise(operands: Sequence[Any], chosen: Types, function: Function, whole_second: bool = False) -> Array:
    """The numpy meaning: operands in the compute dtype, 16-bit floats in float32."""
    wide = opmath(chosen.compute)

    def is_whole(i: int, x: Any) -> bool:
        return not isinstance(x, np.ndarray | np.generic) or (whole_second and i == 1 and x.ndim == 0)

    arrays = [cast_array(x if is_whole(i, x) else cast_array(x, chosen.compute), wide) for i, x in enumerate(operands)]
    with np.errstate(all="ignore"):
        return np.asarray(cast_array(np.asarray(cast(Callable[..., Any], function)(*arrays)), chosen.result))


_SCRIPT_OF = {DType.int64: INT, DType.float64: FLOAT, DType.bool: BOOL, DType.complex128: COMPLEX}


def type_operand(cx: LoweringContext, operand: Any) -> Operand:
    """The `infer` view of a lowered argument."""
    if not isinstance(operand, Value):
        return operand
    if _is_tensor(operand):
        return TensorType(cx.dtype(operand), cx.shape(operand))
    return Unknown(_SCRIPT_OF[cx.dtype(operand)])


def _of_builder(function: complex_functions.Function) -> Callable[..., Value]:
    def formula(k: Scalars, *elements: Value) -> Value:
        return function(k.b, *elements)

    return formula


def _with_real_result(rule: Rule) -> Rule:
    """The rule of a function whose value is real where the operand is complex."""

    def real(*operands: Operand) -> Types:
        chosen = rule(*operands)
        part = chosen.compute.real
        return Types(chosen.compute, part, opmath(part)) if chosen.compute.is_complex else chosen

    return real


def elementwise(
    signature: str,
    rule: Rule,
    formula: Formula,
    function: Function,
    samples: Callable[[], Iterable[Sample]],
    *,
    guard: Callable[..., None] | None = None,
) -> Operator:
    """A record whose arguments are all operands of one formula, which the rule sees too.

    `guard(cx, types, *operands)` checks at run time what the rule refuses in constants.
    """
    names = argument_names(signature)
    base = signature.partition("(")[0].removeprefix("aten::").partition(".")[0]
    rule = _with_real_result(rule) if base in complex_functions.REAL_VALUED else rule

    def infer(**arguments: Any) -> TensorType:
        operands = [arguments[n] for n in names]
        chosen = rule(*operands)
        return TensorType(chosen.result, broadcast(*(shape_of(x) for x in operands if isinstance(x, TensorType))))

    def lower(cx: LoweringContext, **arguments: Any) -> Value:
        operands = [arguments[n] for n in names]
        chosen = rule(*(type_operand(cx, x) for x in operands))
        if guard is not None:
            guard(cx, chosen, *operands)
        over_complex = complex_functions.FUNCTIONS.get(base) if chosen.compute.is_complex else None
        body = formula if over_complex is None else _of_builder(over_complex)
        return lower_elementwise(cx, operands, chosen, body, base in WHOLE_SECOND)

    def reference(**arguments: Any) -> Array:
        operands = [arguments[n] for n in names]
        return evaluate_elementwise(operands, rule(*(operand_of(x) for x in operands)), function, base in WHOLE_SECOND)

    return Operator(signature, infer, lower, reference, samples)


def unary(name: str, rule: Rule, formula: Formula1, function: Function1, samples: Samples) -> Operator:
    return elementwise(f"aten::{name}(Tensor self) -> Tensor", rule, formula, function, samples)


def binary(name: str, rule: Rule, formula: Formula2, function: Function2, samples: Samples) -> Operator:
    return elementwise(f"aten::{name}(Tensor self, Tensor other) -> Tensor", rule, formula, function, samples)


def binary_number(name: str, rule: Rule, formula: Formula2, function: Function2, samples: Samples) -> Operator:
    return elementwise(f"aten::{name}(Tensor self, Scalar other) -> Tensor", rule, formula, function, samples)


def pair(
    name: str, rule: Rule, formula: Formula2, function: Function2, tensors: Samples, numbers: Samples
) -> tuple[Operator, ...]:
    """The `.Tensor` and the `.Scalar` overload."""
    return (
        binary(f"{name}.Tensor", rule, formula, function, tensors),
        binary_number(f"{name}.Scalar", rule, formula, function, numbers),
    )
