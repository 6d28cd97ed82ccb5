"""Operators on numbers (int i64, float f64, bool i1): TorchScript's own arithmetic, `math`, conversions, comparisons.

Only what may have to run: known values are folded by the `reference`, and strings, lists and dicts are compile-time
values whose builtins have no records. An overload `.int_float` is the same formula as `.float`: the signature's result
and the operands' kinds say in what it computes.
"""

from __future__ import annotations

import math as python_math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

from ...core import Value
from ...dtypes import DType
from ...interpreters import builtins
from ...operator import Operator, Sample, Unknown
from ...script_types import BOOL, FLOAT, INT, NUMBER, ScriptType
from ...types import F64
from .. import arith, math
from .division import floor_divide, remainder
from .elementwise import Formula, Formula2, Scalars, argument_names
from .lowering import LoweringContext, Number
from .samples import INF, NAN

_RESULTS: dict[str, ScriptType] = {"int": INT, "float": FLOAT, "bool": BOOL, "Scalar": NUMBER}
_DTYPES: dict[ScriptType, DType] = {INT: DType.int64, FLOAT: DType.float64, BOOL: DType.bool}
_OF_DTYPE = {dtype: kind for kind, dtype in _DTYPES.items()}


def _kind(value: Any) -> ScriptType:
    """int, float or bool, whichever the number is."""
    if isinstance(value, Unknown):
        return value.type
    return BOOL if isinstance(value, bool) else FLOAT if isinstance(value, float) else INT


def _lowered_kind(cx: LoweringContext, value: Any) -> ScriptType:
    return _OF_DTYPE[cx.dtype(value)] if isinstance(value, Value) else _kind(value)


def _arithmetic(kinds: Sequence[ScriptType]) -> DType:
    """A float where one operand is; bools count as ints."""
    return DType.float64 if FLOAT in kinds else DType.int64


def _floats(kinds: Sequence[ScriptType]) -> DType:
    del kinds
    return DType.float64


def _logic(kinds: Sequence[ScriptType]) -> DType:
    return DType.bool if all(k is BOOL for k in kinds) else DType.int64


def _integers(kinds: Sequence[ScriptType]) -> DType:
    del kinds
    return DType.int64


def _own(kinds: Sequence[ScriptType]) -> DType:
    return _DTYPES[kinds[0]]


_TRIALS: dict[str, tuple[Any, ...]] = {
    "int": (7, -7, 3, 0, 1, 2**40),
    "float": (2.5, -2.5, 0.0, 1.0, 7.25, INF, NAN),
    "bool": (True, False),
    "Scalar": (7, -2, 2.5, 1),
}


def _values(signature: str) -> Iterator[tuple[Any, ...]]:
    """Some numbers of the parameters' types, in all pairs."""
    words = [part.split()[0] for part in signature.partition("(")[2].rpartition(") ->")[0].split(", ")]
    if len(words) == 1:
        yield from ((x,) for x in _TRIALS[words[0]])
    elif len(words) == 2:
        yield from ((x, y) for x in _TRIALS[words[0]] for y in _TRIALS[words[1]])


def _samples(signature: str, refused: Callable[..., str | None]) -> Callable[[], Iterable[Sample]]:
    return lambda: [Sample(v, raises=refused(*v)) for v in _values(signature)]


def _never(*values: Any) -> None:
    del values


Guard = Callable[[LoweringContext, DType, Sequence[Number]], None]


def _number(
    signature: str,
    compute: Callable[[Sequence[ScriptType]], DType],
    formula: Formula,
    *,
    samples: Callable[[], Iterable[Sample]] | None = None,
    refused: Callable[..., str | None] = _never,
    guard: Guard | None = None,
) -> Operator:
    """One formula on numbers in the compute dtype; a `Scalar` result has the kind that it was computed in."""
    names = argument_names(signature)
    result = _RESULTS[signature.rpartition("-> ")[2]]
    builtin = builtins.find(signature.partition("(")[0], [1])
    assert builtin is not None, signature

    def infer(**arguments: Any) -> ScriptType:
        if result is not NUMBER:
            return result
        return _OF_DTYPE[compute([_kind(arguments[n]) for n in names])]

    def lower(cx: LoweringContext, **arguments: Any) -> Value:
        operands = [arguments[n] for n in names]
        dtype = compute([_lowered_kind(cx, x) for x in operands])
        if guard is not None:
            guard(cx, dtype, operands)
        value = cast(Callable[..., Value], formula)(Scalars(cx.b, dtype), *(cx.number(x, dtype) for x in operands))
        target = dtype if result is NUMBER else _DTYPES[result]
        return cx.set_dtype(cx.cast(cx.b, value, cx.dtype(value), target), target)

    def reference(**arguments: Any) -> Any:
        return builtin(*(arguments[n] for n in names))

    return Operator(signature, infer, lower, reference, samples or _samples(signature, refused))


def _overloads(name: str, forms: str, result: str | None) -> Iterator[str]:
    """Signatures of a binary operator for the named forms; `result` None where the operands decide it."""
    for form in forms.split():
        types = {"int": "int int", "float": "float float", "bool": "bool bool", "Scalar": "Scalar Scalar"}
        types |= {"int_float": "int float", "float_int": "float int", "Scalar_Scalar": "Scalar Scalar"}
        a, b = types[form].split()
        suffix = "" if form == "Scalar" else f".{form}"
        own = "Scalar" if a == "Scalar" else "int" if form == "int" else "float"
        yield f"{name}{suffix}({a} a, {b} b) -> {result or own}"


def _binary(
    name: str,
    forms: str,
    result: str | None,
    compute: Callable[[Sequence[ScriptType]], DType],
    formula: Formula,
    refused: Callable[..., str | None] = _never,
    guard: Guard | None = None,
) -> tuple[Operator, ...]:
    return tuple(
        _number(signature, compute, formula, refused=refused, guard=guard)
        for signature in _overloads(name, forms, result)
    )


_MIXED = "int float int_float float_int Scalar"


# arithmetic


def _no_zero(text: str) -> tuple[Callable[..., str | None], Guard]:
    """An integer divisor must not be 0."""

    def refused(a: Any, b: Any) -> str | None:
        return text if b == 0 and not isinstance(a, float) and not isinstance(b, float) else None

    def guard(cx: LoweringContext, dtype: DType, operands: Sequence[Number]) -> None:
        if dtype is DType.int64:
            divisor = cx.extent(cx.number(operands[1], DType.int64))
            cx.check(cx.compare("ne", divisor, 0), text)

    return refused, guard


def _floordiv(k: Scalars, x: Value, y: Value) -> Value:
    return math.floor(k.b, k.div(x, y)) if k.is_float else floor_divide(k, x, y)


def _remainder(k: Scalars, x: Value, y: Value) -> Value:
    """PyTorch's: it adds the divisor on the way also where the signs agree, so that 0.1 % 3.0 is rounded and x % inf nan."""
    if not k.is_float:
        return remainder(k, x, y)
    return arith.remf(k.b, k.add(y, arith.remf(k.b, x, y)), y)


def _ieee_remainder(k: Scalars, x: Value, y: Value) -> Value:
    """x minus the nearest multiple of y (ties to even), from exact remainders."""
    size = k.abs(y)
    double = k.mul(size, k.constant(2))
    rest = arith.remf(k.b, k.abs(x), double)
    half = k.mul(size, k.constant(0.5))
    once = k.select(k.compare("gt", rest, half), k.sub(rest, size), rest)
    twice = k.select(k.compare("ge", once, half), k.sub(once, size), once)
    # rest in [0, 2|y|): subtract |y| above |y|/2, again from 3|y|/2 on; exactly |y|/2 stays (even quotient 0)
    folded = k.select(k.compare("gt", rest, half), twice, rest)
    signed = k.select(k.compare("lt", x, k.constant(0)), k.neg(folded), folded)
    return k.select(k.compare("eq", size, k.constant(INF)), k.select(math.isfinite(k.b, x), x, k.constant(NAN)), signed)


def _shown(build: Formula, undefined: float = -NAN) -> Formula:
    """Where numbers have no result it is this NaN, whose sign texts show: that of C's library. So it is wherever it is computed."""

    def formula(k: Scalars, *operands: Value) -> Value:
        result = build(k, *operands)
        given = operands[0] if len(operands) == 1 else k.add(*operands)
        missing = arith.andi(k.b, math.isnan(k.b, result), k.compare("eq", given, given))
        return k.select(missing, k.constant(undefined), result)

    return formula


def _float_power(k: Scalars, x: Value, y: Value) -> Value:
    return math.powf(k.b, x, y)


_POLE = "0.0 cannot be raised to a negative power"


def _pole(a: Any, b: Any) -> str | None:
    return _POLE if a == 0 and b < 0 else None


def _check_pole(cx: LoweringContext, dtype: DType, operands: Sequence[Number]) -> None:
    base, exponent = (cx.number(x, dtype) for x in operands)
    known = [arith.constant_value(x) for x in (base, exponent)]
    if known[0] not in (0, None) or (known[1] is not None and known[1] >= 0):
        return
    zero = arith.constant(cx.b, 0.0, F64)
    nonzero = arith.cmpf(cx.b, "une", base, zero)
    cx.check(arith.ori(cx.b, nonzero, arith.cmpf(cx.b, "uge", exponent, zero)), _POLE)


def _abs(k: Scalars, x: Value) -> Value:
    return k.abs(x)


def _unary_forms(name: str, forms: str, result: str | None) -> Iterator[str]:
    for form in forms.split():
        yield f"{name}.{form}({form} a) -> {result or form}"


def _unary(
    name: str, forms: str, result: str | None, compute: Callable[[Sequence[ScriptType]], DType], formula: Formula
) -> tuple[Operator, ...]:
    return tuple(_number(signature, compute, formula) for signature in _unary_forms(name, forms, result))


_FLOORDIV_REFUSED, _FLOORDIV_GUARD = _no_zero("division by 0")
_REMAINDER_REFUSED, _REMAINDER_GUARD = _no_zero("ZeroDivisionError")

ARITHMETIC: tuple[Operator, ...] = (
    *_binary("aten::add", _MIXED, None, _arithmetic, Scalars.add),
    *_binary("aten::sub", _MIXED, None, _arithmetic, Scalars.sub),
    *_binary("aten::mul", _MIXED, None, _arithmetic, Scalars.mul),
    *_binary("aten::div", "int float Scalar", "float", _floats, Scalars.div),
    *_binary("aten::floordiv", _MIXED, None, _arithmetic, _floordiv, _FLOORDIV_REFUSED, _FLOORDIV_GUARD),
    *_binary("aten::remainder", _MIXED, None, _arithmetic, _remainder, _REMAINDER_REFUSED, _REMAINDER_GUARD),
    *_binary("aten::fmod", _MIXED, "float", _floats, lambda k, x, y: arith.remf(k.b, x, y)),
    *_binary("aten::mathremainder", _MIXED, "float", _floats, _shown(_ieee_remainder)),
    *_binary(
        "aten::pow", "int float int_float float_int Scalar_Scalar", "float", _floats, _shown(_float_power), _pole, _check_pole
    ),
    *_unary("aten::neg", "int float Scalar", None, _arithmetic, Scalars.neg),
    *_unary("prim::abs", "int float Scalar", None, _arithmetic, _abs),
    *_binary("prim::max", _MIXED, None, _arithmetic, lambda k, x, y: k.select(k.compare("gt", x, y), x, y)),
    *_binary("prim::min", _MIXED, None, _arithmetic, lambda k, x, y: k.select(k.compare("lt", x, y), x, y)),
)


# comparisons and logic


def _compared(name: str) -> Formula:
    return lambda k, x, y: k.compare(name, x, y)


def _comparison(name: str) -> tuple[Operator, ...]:
    formula = _compared(name)
    bools = ("bool",) if name in ("eq", "ne") else ()
    return (
        *_binary(f"aten::{name}", _MIXED, "bool", _arithmetic, formula),
        *(r for form in bools for r in _binary(f"aten::{name}", form, "bool", _logic, formula)),
    )


def _bits(build: Callable[..., Value]) -> Formula:
    return lambda k, x, y: build(k.b, x, y)


def _bit_operator(name: str, build: Callable[..., Value]) -> tuple[Operator, ...]:
    return (
        *_binary(f"aten::__{name}__", "int", "int", _integers, _bits(build)),
        *_binary(f"aten::__{name}__", "bool", "bool", _logic, _bits(build)),
    )


def _shift(build: Callable[..., Value]) -> Formula:
    """By the lowest six bits of the count, as x86 does."""
    return lambda k, x, y: build(k.b, x, arith.andi(k.b, y, k.constant(63)))


LOGIC: tuple[Operator, ...] = (
    *(record for name in ("eq", "ne", "lt", "le", "gt", "ge") for record in _comparison(name)),
    *_bit_operator("and", arith.andi),
    *_bit_operator("or", arith.ori),
    *_bit_operator("xor", arith.xori),
    _number("aten::__lshift__.int(int a, int b) -> int", _integers, _shift(arith.shli)),
    _number("aten::__rshift__.int(int a, int b) -> int", _integers, _shift(arith.shrsi)),
    _number("aten::__not__(bool self) -> bool", _logic, lambda k, x: arith.xori(k.b, x, k.true())),
)


# functions of `math`


def _of(build: Callable[..., Value]) -> Formula:
    def formula(k: Scalars, *operands: Value) -> Value:
        return build(k.b, *operands)

    return formula


def _scaled(factor: float) -> Formula:
    return lambda k, x: k.mul(x, k.constant(factor))


def _unbounded(a: Any) -> str | None:
    return None if -(2.0**63) <= a < 2.0**63 else f"Cannot convert float {a:f} to integer"


def _check_bounded(cx: LoweringContext, dtype: DType, operands: Sequence[Number]) -> None:
    if dtype is DType.float64:
        value = cx.number(operands[0], dtype)
        low = arith.cmpf(cx.b, "oge", value, arith.constant(cx.b, -(2.0**63), F64))
        high = arith.cmpf(cx.b, "olt", value, arith.constant(cx.b, 2.0**63, F64))
        cx.check(arith.andi(cx.b, low, high), "Cannot convert float {} to integer", [value])


def _to_integer(build: Callable[..., Value]) -> Formula:
    return lambda k, x: build(k.b, x) if k.is_float else x


def _logarithm(k: Scalars, x: Value, base: Value) -> Value:
    return k.div(math.log(k.b, x), math.log(k.b, base))


def _powers_of_two() -> Iterator[Sample]:
    for x in (1.5, -2.0, 0.0):
        for i in (0, 3, -4):
            yield Sample((x, i))


_UNARY_MATH: dict[str, Callable[..., Value]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log10": math.log10,
    "log1p": math.log1p,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
    "erf": math.erf,
    "erfc": math.erfc,
    "fabs": math.absf,
}  # fmt: skip


def _float_samples() -> Iterator[Sample]:
    yield from (Sample((x,)) for x in _TRIALS["float"])


_NEGATIVE_NAN = ("log1p", "sin", "cos", "tan", "acosh", "atanh")
_POSITIVE_NAN = ("log", "log10", "asin", "acos")


def _shown_math(name: str, build: Callable[..., Value]) -> Formula:
    if name in _NEGATIVE_NAN:
        return _shown(_of(build))
    return _shown(_of(build), NAN) if name in _POSITIVE_NAN else _of(build)


def _float_function(name: str, formula: Formula) -> tuple[Operator, ...]:
    return (
        _number(f"aten::{name}.int(int a) -> float", _floats, formula),
        _number(f"aten::{name}.float(float a) -> float", _floats, formula),
        # PyTorch computes this overload in float32; numbers whose kind is known take `.int` or `.float`.
        _number(f"aten::{name}.Scalar(Scalar a) -> Scalar", _floats, formula, samples=_float_samples),
    )


FUNCTIONS: tuple[Operator, ...] = (
    *(record for name, build in _UNARY_MATH.items() for record in _float_function(name, _shown_math(name, build))),
    *_float_function("degrees", _scaled(180 / python_math.pi)),
    *_float_function("radians", _scaled(python_math.pi / 180)),
    *_binary("aten::atan2", "int float int_float float_int Scalar_Scalar", "float", _floats, _of(math.atan2)),
    *_binary("aten::copysign", _MIXED, "float", _floats, _of(math.copysign)),
    _number("aten::log.int_int(int a, int b) -> float", _floats, _logarithm),
    _number("aten::log.float_float(float a, float b) -> float", _floats, _logarithm),
    _number("aten::log.int_float(int a, float b) -> float", _floats, _logarithm),
    _number("aten::log.float_int(float a, int b) -> float", _floats, _logarithm),
    _number("aten::log.Scalar_Scalar(Scalar a, Scalar b) -> float", _floats, _logarithm),
    *(
        _number(
            f"aten::{name}.{form}({form} a) -> int", _own, _to_integer(build), refused=_unbounded, guard=_check_bounded
        )
        for name, build in (("ceil", math.ceil), ("floor", math.floor))
        for form in ("int", "float")
    ),
    *(_number(f"aten::round.{form}({form} a) -> float", _floats, _of(math.roundeven)) for form in ("int", "float")),
    _number("aten::isnan.float(float a) -> bool", _floats, _of(math.isnan)),
    _number("aten::isinf.float(float a) -> bool", _floats, _of(math.isinf)),
    _number("aten::isfinite.float(float a) -> bool", _floats, _of(math.isfinite)),
    _number(
        "aten::ldexp(float x, int i) -> float",
        _floats,
        lambda k, x, i: k.mul(x, math.exp2(k.b, i)),
        samples=_powers_of_two,
    ),
)


# conversions


def _identity(k: Scalars, x: Value) -> Value:
    del k
    return x


def _truth(k: Scalars, x: Value) -> Value:
    return k.is_nonzero(x)


CONVERSIONS: tuple[Operator, ...] = (
    *(_number(f"aten::Int.{form}({form} a) -> int", _own, _identity) for form in ("float", "bool", "Scalar")),
    *(_number(f"aten::Float.{form}({form} a) -> float", _own, _identity) for form in ("int", "bool", "Scalar")),
    *(_number(f"aten::Bool.{form}({form} a) -> bool", _own, _truth) for form in ("int", "float")),
)


# loops over ranges


def _derive_index(k: Scalars, index: Value, start: Value, step: Value) -> Value:
    return k.add(start, k.mul(index, step))


def _range_length(k: Scalars, lo: Value, hi: Value, step: Value) -> Value:
    """Number of steps from `lo` to before `hi`; none where they go the wrong way."""
    zero = k.constant(0)
    ahead = k.compare("gt", step, zero)
    safe = k.select(k.compare("eq", step, zero), k.constant(1), step)
    count = arith.ceildivsi(k.b, k.sub(hi, lo), safe)
    empty = k.select(ahead, k.compare("ge", lo, hi), k.compare("le", lo, hi))
    return k.select(empty, zero, count)


def _check_step(cx: LoweringContext, dtype: DType, operands: Sequence[Number]) -> None:
    del dtype
    cx.check(cx.compare("ne", cx.extent(cx.number(operands[2], DType.int64)), 0), "range() arg 3 must not be zero")


def _range_samples() -> Iterator[Sample]:
    for bounds in ((0, 5, 1), (5, 0, -2), (0, 5, 2), (3, 3, 1), (5, 0, 1), (0, 5, -1)):
        yield Sample(bounds)


def _zero_step_samples() -> Iterator[Sample]:
    yield from _range_samples()
    yield Sample((0, 5, 0), raises="range() arg 3 must not be zero")


RANGES: tuple[Operator, ...] = (
    _number(
        "aten::__range_length(int lo, int hi, int step) -> int",
        _integers,
        _range_length,
        samples=_zero_step_samples,
        guard=_check_step,
    ),
    _number(
        "aten::__derive_index(int index, int start, int step) -> int", _integers, _derive_index, samples=_range_samples
    ),
)


# sums and extremes of lists of numbers


def _list_record(
    signature: str, dtype: DType, formula: Formula2, start: float | None, samples: Sequence[Any]
) -> Operator:
    """Folds a list whose elements may be run-time numbers; `start` None: the list must not be empty."""
    name = argument_names(signature)[0]
    result = _RESULTS[signature.rpartition("-> ")[2]]
    builtin = builtins.find(signature.partition("(")[0], [[1]])
    assert builtin is not None

    def infer(**arguments: Any) -> ScriptType:
        del arguments
        return result

    def lower(cx: LoweringContext, **arguments: Any) -> Value:
        k = Scalars(cx.b, dtype)
        values: list[Value] = [cx.number(x, dtype) for x in arguments[name]]
        total = k.constant(start) if start is not None else values.pop(0)
        for value in values:
            total = formula(k, total, value)
        target = _DTYPES[result]
        return cx.set_dtype(cx.cast(cx.b, total, dtype, target), target)

    def reference(**arguments: Any) -> Any:
        return builtin(arguments[name])

    return Operator(signature, infer, lower, reference, lambda: [Sample((values,)) for values in samples])


def _larger(k: Scalars, x: Value, y: Value) -> Value:
    return k.select(k.compare("gt", y, x), y, x)


def _smaller(k: Scalars, x: Value, y: Value) -> Value:
    return k.select(k.compare("lt", y, x), y, x)


_INTS, _FLOATS, _BOOLS = ([3, 1, 2], [5]), ([2.5, -1.0], [0.5]), ([True, False], [True])

LISTS: tuple[Operator, ...] = (
    _list_record("aten::sum.int(int[] self) -> int", DType.int64, Scalars.add, 0, (*_INTS, [])),
    _list_record("aten::sum.float(float[] self) -> float", DType.float64, Scalars.add, 0, _FLOATS),
    _list_record("aten::any.bool(bool[] self) -> bool", DType.bool, Scalars.add, False, (*_BOOLS, [])),
    _list_record("aten::all.bool(bool[] self) -> bool", DType.bool, Scalars.mul, True, (*_BOOLS, [])),
    _list_record("prim::max.self_int(int[] self) -> int", DType.int64, _larger, None, _INTS),
    _list_record("prim::max.self_float(float[] self) -> float", DType.float64, _larger, None, _FLOATS),
    _list_record("prim::min.self_int(int[] self) -> int", DType.int64, _smaller, None, _INTS),
    _list_record("prim::min.self_float(float[] self) -> float", DType.float64, _smaller, None, _FLOATS),
)


OPERATORS: tuple[Operator, ...] = (*ARITHMETIC, *LOGIC, *FUNCTIONS, *CONVERSIONS, *RANGES, *LISTS)
