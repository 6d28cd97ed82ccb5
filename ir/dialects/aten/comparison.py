"""Comparisons, logic, bits, and choosing between elements: min, max, clamp, where, masked_fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from .. import arith, math
from .. import complex as complexes
from .elementwise import (
    Function1,
    Function2,
    Rule,
    Scalars,
    Types,
    elementwise,
    evaluate_elementwise,
    is_bool,
    is_complex,
    is_not_integral,
    is_not_whole,
    lower_elementwise,
    promoted,
    refusing,
    to_bool,
    type_operand,
    types,
)
from .fitting import check_fitting, require_fitting
from .lowering import LoweringContext, Number
from .rules import Array, Operand, broadcast, cast_array, dtype_of, operand_of, result_type, shape_of
from .samples import (
    binary_tensors,
    mixed_tensors,
    positive,
    ramp,
    special_pairs,
    tensor,
    unary_any,
    unary_kinds,
    with_numbers,
)

Formula2 = Callable[[Scalars, Value, Value], Value]
Samples = Callable[[], Iterable[Sample]]

# comparisons

_COMPARISONS: dict[str, Callable[..., Any]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def _tensor_samples() -> Iterator[Sample]:
    yield from binary_tensors("f32", "i64", "u8", "f64", "f16", "bf16", "i8", "b1")
    yield from mixed_tensors()
    yield special_pairs()


def _number_samples() -> Iterator[Sample]:
    yield from with_numbers(2, 1.5, 0, dtypes=("f32", "i64", "u8", "f16", "b1"))
    yield Sample((tensor(3, "i64"), 2.5))
    yield Sample((ramp(0, 2), 2.5))


def _comparison(name: str) -> tuple[Operator, ...]:
    ordered = name not in ("eq", "ne")
    rule = refusing(to_bool, f"{name}_cpu", is_complex) if ordered else to_bool

    def formula(k: Scalars, x: Value, y: Value) -> Value:
        return k.compare(name, x, y)

    function = _COMPARISONS[name]
    return (
        elementwise(
            f"aten::{name}.Tensor(Tensor self, Tensor other) -> Tensor", rule, formula, function, _tensor_samples
        ),
        elementwise(
            f"aten::{name}.Scalar(Tensor self, Scalar other) -> Tensor", rule, formula, function, _number_samples
        ),
    )


COMPARISONS: tuple[Operator, ...] = tuple(record for name in _COMPARISONS for record in _comparison(name))


# kinds of floats


def _kind(name: str, formula: Callable[[Scalars, Value], Value], function: Function1, on_integers: bool) -> Operator:
    """A predicate on floats; on integers it is the same for all. A complex number is finite if both parts are, NaN or infinite if one is."""

    def checked(k: Scalars, x: Value) -> Value:
        if k.is_float:
            return formula(k, x)
        if k.is_complex:
            parts = [formula(k, part(k.b, x)) for part in (complexes.re, complexes.im)]
            return (arith.andi if on_integers else arith.ori)(k.b, *parts)
        return k.true() if on_integers else k.false()

    return elementwise(f"aten::{name}(Tensor self) -> Tensor", to_bool, checked, function, unary_kinds)


def _signed_infinity(name: str, value: float) -> Operator:
    def formula(k: Scalars, x: Value) -> Value:
        return k.compare("eq", x, k.constant(value)) if k.is_float else k.false()

    rule = _of_reals(f"{name} does not support complex inputs.")
    return elementwise(f"aten::{name}(Tensor self) -> Tensor", rule, formula, lambda x: x == value, unary_any)


def _of_reals(text: str) -> Rule:
    def checked(*operands: Operand) -> Types:
        chosen = to_bool(*operands)
        if chosen.compute.is_complex:
            raise OperatorError(text)
        return chosen

    return checked


def _signbit(k: Scalars, x: Value) -> Value:
    if k.is_float:
        one = math.copysign(k.b, k.constant(1), x)
        return k.compare("lt", one, k.constant(0))
    return k.compare("lt", x, k.constant(0)) if k.is_signed else k.false()


KINDS: tuple[Operator, ...] = (
    _kind("isnan", lambda k, x: math.isnan(k.b, x), np.isnan, False),
    _kind("isinf", lambda k, x: math.isinf(k.b, x), np.isinf, False),
    _kind("isfinite", lambda k, x: math.isfinite(k.b, x), np.isfinite, True),
    _signed_infinity("isposinf", float("inf")),
    _signed_infinity("isneginf", -float("inf")),
    elementwise(
        "aten::signbit(Tensor self) -> Tensor",
        _of_reals("signbit is not implemented for complex tensors."),
        _signbit,
        lambda x: np.signbit(x) if x.dtype.kind == "f" else x < 0,
        unary_any,
    ),
)


# logic: each operand by its own truth


def _logical_types(*operands: Operand) -> Types:
    del operands
    return types(DType.bool)


def _logical(name: str, build: Callable[..., Value], function: Callable[..., Any]) -> Operator:
    signature = f"aten::logical_{name}(Tensor self, Tensor other) -> Tensor"
    return elementwise(signature, _logical_types, lambda k, x, y: build(k.b, x, y), function, _tensor_samples)


LOGIC: tuple[Operator, ...] = (
    _logical("and", arith.andi, np.logical_and),
    _logical("or", arith.ori, np.logical_or),
    _logical("xor", arith.xori, np.logical_xor),
    elementwise(
        "aten::logical_not(Tensor self) -> Tensor",
        _logical_types,
        lambda k, x: arith.xori(k.b, x, k.true()),
        np.logical_not,
        unary_any,
    ),
)


# bits


def _bit_samples() -> Iterator[Sample]:
    yield from binary_tensors("i64", "i32", "i16", "i8", "u8", "b1")
    yield Sample((ramp(3, dtype="b1"), ramp(3, dtype="i64")))
    yield Sample((ramp(3), ramp(3)), raises="not implemented for 'Float'")


def _bit_number_samples() -> Iterator[Sample]:
    yield from with_numbers(5, -3, dtypes=("i64", "i32", "i8"))
    yield Sample((ramp(3, dtype="u8"), 5))
    yield Sample((ramp(3, dtype="b1"), True))
    yield Sample((ramp(3, dtype="b1"), 2))


def _bit_first_samples() -> Iterator[Sample]:
    yield Sample((5, ramp(4, dtype="i64", step=3)))


def _bitwise(name: str, build: Callable[..., Value], function: Callable[..., Any]) -> tuple[Operator, ...]:
    rule = refusing(promoted, f"bitwise_{name}_cpu", is_not_whole)

    def formula(k: Scalars, x: Value, y: Value) -> Value:
        return build(k.b, x, y)

    return (
        *(
            record
            for prefix in (f"bitwise_{name}", f"__{name}__")
            for record in (
                elementwise(
                    f"aten::{prefix}.Tensor(Tensor self, Tensor other) -> Tensor", rule, formula, function, _bit_samples
                ),
                elementwise(
                    f"aten::{prefix}.Scalar(Tensor self, Scalar other) -> Tensor",
                    rule,
                    formula,
                    function,
                    _bit_number_samples,
                ),
            )
        ),
        elementwise(
            f"aten::bitwise_{name}.Scalar_Tensor(Scalar self, Tensor other) -> Tensor",
            rule,
            formula,
            function,
            _bit_first_samples,
        ),
    )


def _not(k: Scalars, x: Value) -> Value:
    return arith.xori(k.b, x, k.constant(1 if k.dtype is DType.bool else -1))


def _not_samples() -> Iterator[Sample]:
    for dtype in ("i64", "i32", "i16", "i8", "u8", "b1"):
        yield Sample((ramp(5, dtype=dtype, low=-3, step=2),))
    yield Sample((ramp(3),), raises="not implemented for 'Float'")


def _left(k: Scalars, x: Value, y: Value) -> Value:
    """Zero for a shift by the width or more (or a negative one, as C++ gives it here)."""
    fits = arith.cmpi(k.b, "ult", y, k.constant(8 * k.dtype.itemsize))
    return k.select(fits, arith.shli(k.b, x, k.select(fits, y, k.constant(0))), k.constant(0))


def _right(k: Scalars, x: Value, y: Value) -> Value:
    """Arithmetic; a shift by the width or more leaves the sign."""
    width = k.constant(8 * k.dtype.itemsize - 1)
    fits = arith.cmpi(k.b, "ult", y, width)
    if k.is_signed:
        return arith.shrsi(k.b, x, k.select(fits, y, width))
    exact = arith.cmpi(k.b, "ule", y, width)
    return k.select(exact, arith.shrui(k.b, x, k.select(exact, y, k.constant(0))), k.constant(0))


def _numpy_left(x: Array, y: Array) -> Array:
    width = 8 * x.dtype.itemsize
    fits = (y >= 0) & (y < width)
    return np.where(fits, np.left_shift(x, np.where(fits, y, 0)), 0)


def _numpy_right(x: Array, y: Array) -> Array:
    width = 8 * x.dtype.itemsize
    fits = (y >= 0) & (y < width)
    shifted = np.right_shift(x, np.where(fits, y, 0))
    return np.where(fits, shifted, np.where(x < 0, -1, 0)).astype(x.dtype)


def _shift_samples() -> Iterator[Sample]:
    for dtype in ("i64", "i32", "i16", "i8", "u8"):
        yield Sample((ramp(2, 3, dtype=dtype, low=-5, step=4), tensor([0, 1, 3], dtype)))
    yield Sample((tensor([-5, 7, 1], "i64"), tensor([63, 64, 70], "i64")))
    yield Sample((ramp(0, 3, dtype="i64"), tensor([0, 1, 3], "i64")))
    yield Sample((ramp(3), ramp(3)), raises="not implemented for 'Float'")


def _shift_number_samples() -> Iterator[Sample]:
    yield from with_numbers(1, 3, dtypes=("i64", "i32", "u8"))
    yield Sample((ramp(3, dtype="b1"), 1))


def _shift_first_samples() -> Iterator[Sample]:
    yield Sample((5, tensor([0, 1, 3], "i64")))


def _shift(names: tuple[str, str], kernel: str, formula: Formula2, function: Function2) -> tuple[Operator, ...]:
    rule = refusing(promoted, kernel, is_not_integral)
    dunder, name = names
    return (
        elementwise(
            f"aten::{dunder}.Tensor(Tensor self, Tensor other) -> Tensor", rule, formula, function, _shift_samples
        ),
        elementwise(
            f"aten::{dunder}.Scalar(Tensor self, Scalar other) -> Tensor",
            rule,
            formula,
            function,
            _shift_number_samples,
        ),
        elementwise(
            f"aten::{name}.Tensor(Tensor self, Tensor other) -> Tensor", rule, formula, function, _shift_samples
        ),
        elementwise(
            f"aten::{name}.Tensor_Scalar(Tensor self, Scalar other) -> Tensor",
            rule,
            formula,
            function,
            _shift_number_samples,
        ),
        elementwise(
            f"aten::{name}.Scalar_Tensor(Scalar self, Tensor other) -> Tensor",
            rule,
            formula,
            function,
            _shift_first_samples,
        ),
    )


BITS: tuple[Operator, ...] = (
    *_bitwise("and", arith.andi, np.bitwise_and),
    *_bitwise("or", arith.ori, np.bitwise_or),
    *_bitwise("xor", arith.xori, np.bitwise_xor),
    elementwise(
        "aten::bitwise_not(Tensor self) -> Tensor",
        refusing(promoted, "bitwise_not_cpu", is_not_whole),
        _not,
        np.invert,
        _not_samples,
    ),
    *_shift(("__lshift__", "bitwise_left_shift"), "lshift_cpu", _left, _numpy_left),
    *_shift(("__rshift__", "bitwise_right_shift"), "rshift_cpu", _right, _numpy_right),
)


# the larger and the smaller


def _refuse_complex(name: str) -> Rule:
    def rule(*operands: Operand) -> Types:
        chosen = promoted(*operands)
        if chosen.compute.is_complex:
            raise OperatorError(f"{name} not implemented for complex tensors.")
        return chosen

    return rule


def _ignoring_nan(choose: Formula2) -> Formula2:
    """The other operand where one is NaN."""

    def formula(k: Scalars, x: Value, y: Value) -> Value:
        if not k.is_float:
            return choose(k, x, y)
        chosen = choose(k, x, y)
        chosen = k.select(arith.ori(k.b, math.isnan(k.b, y), k.compare("eq", x, y)), x, chosen)  # of zeros the first
        return k.select(math.isnan(k.b, x), y, chosen)

    return formula


def _extremum(name: str, formula: Formula2, function: Function2, complex_name: str | None = None) -> Operator:
    rule = _refuse_complex(complex_name or name)
    return elementwise(f"aten::{name}(Tensor self, Tensor other) -> Tensor", rule, formula, function, _tensor_samples)


EXTREMA: tuple[Operator, ...] = (
    _extremum("maximum", Scalars.maximum, np.maximum),
    _extremum("minimum", Scalars.minimum, np.minimum),
    _extremum("max.other", Scalars.maximum, np.maximum, "maximum"),
    _extremum("min.other", Scalars.minimum, np.minimum, "minimum"),
    _extremum("fmax", _ignoring_nan(Scalars.maximum), np.fmax),
    _extremum("fmin", _ignoring_nan(Scalars.minimum), np.fmin),
)


# clamp: either bound may be missing


def _clamp_operands(self: Any, min: Any, max: Any) -> list[Any]:
    if min is None and max is None:
        raise OperatorError("torch.clamp: At least one of 'min' or 'max' must not be None")
    return [x for x in (self, min, max) if x is not None]


def _clamp_types(kernel: str, operands: list[Any]) -> Types:
    chosen = promoted(*operands)
    if chosen.compute.is_complex:
        raise OperatorError("clamp is not supported for complex types")
    for bound in operands[1:]:
        require_fitting(bound, chosen.result)
    return refusing(promoted, kernel, is_bool)(*operands)


def _clamp_formula(low: bool, high: bool) -> Callable[..., Value]:
    def formula(k: Scalars, x: Value, *bounds: Value) -> Value:
        if low:
            x = k.maximum(x, bounds[0])
        return k.minimum(x, bounds[-1]) if high else x

    return formula


def _numpy_clamp(low: bool, high: bool) -> Callable[..., Any]:
    def function(x: Array, *bounds: Array) -> Array:
        if low:
            x = np.maximum(x, bounds[0])
        return np.minimum(x, bounds[-1]) if high else x

    return function


def _clamp(signature: str, kernel: str, samples: Samples) -> Operator:
    def infer(self: TensorType, min: Any, max: Any) -> TensorType:
        operands = _clamp_operands(self, min, max)
        shapes = [shape_of(x) for x in operands if isinstance(x, TensorType)]
        return TensorType(_clamp_types(kernel, operands).result, broadcast(*shapes))

    def lower(cx: LoweringContext, self: Value, min: Any, max: Any) -> Value:
        operands = _clamp_operands(self, min, max)
        chosen = _clamp_types(kernel, [type_operand(cx, x) for x in operands])
        for bound in operands[1:]:
            check_fitting(cx, bound, chosen.result)
        return lower_elementwise(cx, operands, chosen, _clamp_formula(min is not None, max is not None))

    def reference(self: Array, min: Any, max: Any) -> Array:
        operands = _clamp_operands(self, min, max)
        chosen = _clamp_types(kernel, [operand_of(x) for x in operands])
        return evaluate_elementwise(operands, chosen, _numpy_clamp(min is not None, max is not None))

    return Operator(signature, infer, lower, reference, samples)


def _clamp_samples() -> Iterator[Sample]:
    for bounds in ((-1, 1.5), (None, 0), (0.5, None), (2, -2)):
        yield Sample((special_pairs().args[1], *bounds))
        yield Sample((ramp(2, 3), *bounds))
        yield Sample((ramp(5, dtype="i64", low=-3, step=2), *bounds))
    yield Sample((ramp(5, dtype="f16"), -1, 1))
    yield Sample((tensor(3.0), -1, 1))
    yield Sample((ramp(5, dtype="b1"), 0, 1))
    yield Sample((ramp(3, dtype="u8"), -3, 300), raises="type uint8_t without overflow")
    yield Sample((ramp(3), None, None), raises="At least one of 'min' or 'max' must not be None")


def _clamp_tensor_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3), ramp(3, low=-1.0), positive(2, 1)))
    yield Sample((ramp(2, 3), None, positive(2, 1, dtype="f64")))
    yield Sample((ramp(2, 3, dtype="i64"), tensor(0, "i64"), None))
    yield Sample((ramp(2, 3, dtype="i64"), ramp(3), None))
    yield Sample((ramp(2, 3), None, None), raises="At least one of 'min' or 'max' must not be None")


CLAMPS: tuple[Operator, ...] = (
    _clamp(
        "aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", "clamp_scalar_cpu", _clamp_samples
    ),
    _clamp(
        "aten::clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor",
        "clamp_cpu",
        _clamp_tensor_samples,
    ),
    elementwise(
        "aten::clamp_min(Tensor self, Scalar min) -> Tensor",
        refusing(promoted, "clamp_min_scalar_cpu", is_bool),
        Scalars.maximum,
        np.maximum,
        lambda: with_numbers(0, 1.5),
    ),
    elementwise(
        "aten::clamp_min.Tensor(Tensor self, Tensor min) -> Tensor",
        promoted,
        Scalars.maximum,
        np.maximum,
        lambda: binary_tensors("f32", "i64", "u8", "f16"),
    ),
    elementwise(
        "aten::clamp_max(Tensor self, Scalar max) -> Tensor",
        refusing(promoted, "clamp_max_scalar_cpu", is_bool),
        Scalars.minimum,
        np.minimum,
        lambda: with_numbers(0, 1.5),
    ),
    elementwise(
        "aten::clamp_max.Tensor(Tensor self, Tensor max) -> Tensor",
        promoted,
        Scalars.minimum,
        np.minimum,
        lambda: binary_tensors("f32", "i64", "u8", "f16"),
    ),
)


# where


def _check_condition(condition: Operand) -> None:
    if dtype_of(condition) not in (DType.bool, DType.uint8):
        raise OperatorError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{dtype_of(condition).graph_name}"
        )


def _where(signature: str, samples: Samples) -> Operator:
    def infer(condition: TensorType, self: Operand, other: Operand) -> TensorType:
        _check_condition(condition)
        shapes = [shape_of(x) for x in (condition, self, other) if isinstance(x, TensorType)]
        dtype = result_type(self, other)
        for number in (self, other):
            if len(shapes) == 2 and dtype not in (DType.float16, DType.bfloat16):
                require_fitting(number, dtype)
        return TensorType(dtype, broadcast(*shapes))

    def lower(cx: LoweringContext, condition: Value, self: Number, other: Number) -> Value:
        dtype = result_type(type_operand(cx, self), type_operand(cx, other))
        if cx.dtype(condition) is not DType.bool:
            condition = cx.cast_tensor(condition, DType.bool)
        operands = [condition, self, other]
        for number in () if dtype in (DType.float16, DType.bfloat16) else (self, other):
            check_fitting(cx, number, dtype)
        tensors = [x for x in operands if isinstance(x, Value) and hasattr(x.type, "shape")]
        fixed = {i: cx.number(x, dtype) for i, x in enumerate(operands) if isinstance(x, Value) and x not in tensors}

        def body(b: Any, *elements: Value) -> Value:
            rest = iter(elements)
            chosen = next(rest)
            branches: list[Value] = []
            for i, x in enumerate(operands[1:], 1):
                if isinstance(x, Value) and i not in fixed:
                    branches.append(cx.cast(b, next(rest), cx.dtype(x), dtype))
                else:
                    branches.append(fixed[i] if i in fixed else cx.number(x, dtype))
            return arith.select(b, chosen, *branches)

        return cx.pointwise(tensors, dtype, body)

    def reference(condition: Array, self: Any, other: Any) -> Array:
        dtype = result_type(operand_of(self), operand_of(other))
        return np.asarray(np.where(condition != 0, cast_array(self, dtype), cast_array(other, dtype)))

    return Operator(signature, infer, lower, reference, samples)


def _where_samples() -> Iterator[Sample]:
    mask = ramp(2, 3, dtype="b1")
    for dtype in ("f32", "i64", "u8", "b1", "f16", "bf16", "f64"):
        yield Sample((mask, ramp(2, 3, dtype=dtype), ramp(3, dtype=dtype)))
    yield Sample((mask, ramp(3, dtype="i64"), ramp(2, 1)))
    yield Sample((tensor(True, "b1"), ramp(2, 3), tensor(2.5, "f64")))
    yield Sample((ramp(0, 3, dtype="b1"), ramp(3), ramp(3)))
    yield Sample((ramp(3, dtype="i64"), ramp(3), ramp(3)), raises="where expected condition to be a boolean tensor")


def _where_right() -> Iterator[Sample]:
    yield Sample((ramp(2, 3, dtype="b1"), ramp(3), 2))
    yield Sample((ramp(2, 3, dtype="b1"), ramp(3, dtype="i64"), 2.5))
    yield Sample((ramp(2, 3, dtype="b1"), ramp(3, dtype="i8"), 300), raises="type int8_t without overflow")


def _where_left() -> Iterator[Sample]:
    yield Sample((ramp(2, 3, dtype="b1"), 2, ramp(3)))
    yield Sample((ramp(2, 3, dtype="b1"), 2.5, ramp(3, dtype="i64")))


def _where_numbers() -> Iterator[Sample]:
    for pair in ((1, 0), (1.5, 0), (2, 2.5), (True, False)):
        yield Sample((ramp(2, 3, dtype="b1"), *pair))


# masked_fill


def _infer_masked_fill(self: TensorType, mask: TensorType, value: Operand) -> TensorType:
    if mask.dtype is not DType.bool:
        from_name = {DType.int64: "long int", DType.uint8: "unsigned char", DType.float32: "float", DType.int32: "int"}
        name = from_name.get(dtype_of(mask), dtype_of(mask).name)
        raise OperatorError(f"masked_fill_ only supports boolean masks, but got mask with dtype {name}")
    if isinstance(value, TensorType) and value.rank:
        raise OperatorError(
            f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.rank} dimension(s)."
        )
    if isinstance(value, TensorType) and dtype_of(value).is_complex and not dtype_of(self).is_complex:
        raise OperatorError("value cannot be converted to type float without overflow")
    require_fitting(value, dtype_of(self))
    return TensorType(self.dtype, broadcast(shape_of(self), shape_of(mask)))


def _lower_masked_fill(cx: LoweringContext, self: Value, mask: Value, value: Number) -> Value:
    dtype = cx.dtype(self)
    is_tensor = isinstance(value, Value) and hasattr(value.type, "shape")
    check_fitting(cx, value, dtype)
    fixed = cx.number(value, dtype) if isinstance(value, Value) and not is_tensor else None

    def body(b: Any, x: Value, chosen: Value, *rest: Value) -> Value:
        if is_tensor and isinstance(value, Value):
            filler = cx.cast(b, rest[0], cx.dtype(value), dtype)
        else:
            filler = fixed if fixed is not None else cx.number(value, dtype)
        return arith.select(b, chosen, filler, x)

    tensors = [self, mask, value] if is_tensor and isinstance(value, Value) else [self, mask]
    return cx.pointwise(tensors, dtype, body)


def _reference_masked_fill(self: Array, mask: Array, value: Any) -> Array:
    return np.asarray(np.where(mask, cast_array(value, dtype_of(operand_of(self))), self))


def _masked_fill_samples(*values: Any) -> Samples:
    def samples() -> Iterator[Sample]:
        for value in values:
            for dtype in ("f32", "i64", "f16"):
                yield Sample((ramp(2, 3, dtype=dtype), ramp(3, dtype="b1"), value))
            yield Sample((ramp(3), ramp(2, 3, dtype="b1"), value))
            yield Sample((tensor(1.0), tensor(True, "b1"), value))
        yield Sample((ramp(3), ramp(3, dtype="i64"), values[0]), raises="masked_fill_ only supports boolean masks")

    return samples


SELECTIONS: tuple[Operator, ...] = (
    _where("aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", _where_samples),
    _where("aten::where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor", _where_left),
    _where("aten::where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor", _where_right),
    _where("aten::where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor", _where_numbers),
    Operator(
        "aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor",
        _infer_masked_fill,
        _lower_masked_fill,
        _reference_masked_fill,
        _masked_fill_samples(1.5, 2),
    ),
    Operator(
        "aten::masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor",
        _infer_masked_fill,
        _lower_masked_fill,
        _reference_masked_fill,
        _masked_fill_samples(tensor(2.5), tensor(3, "i64")),
    ),
)


OPERATORS: tuple[Operator, ...] = (*COMPARISONS, *KINDS, *LOGIC, *BITS, *EXTREMA, *CLAMPS, *SELECTIONS)
