"""Tensors made from nothing but sizes and numbers, and triangular parts."""

from __future__ import annotations

import math as python_math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, cast

import numpy as np

from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unknown, Unsupported
from ...script_types import TensorType
from ...types import F64, I64
from .. import arith, linalg, math
from .. import complex as complexes
from .. import tensor as tensor_dialect
from ..linalg import PARALLEL
from . import complex_functions
from .cast import known_dtype
from .fitting import check_fitting, require_fitting
from .lowering import Extent, LoweringContext, Number, convert_number
from .rules import (
    DEFAULT_COMPLEX,
    DEFAULT_FLOAT,
    Array,
    cast_array,
    dtype_of,
    like_self,
    operand_of,
    opmath,
    shape_of,
)
from .samples import ramp, tensor
from .shapes import known

Samples = Callable[[], Iterable[Sample]]

_OPTIONS = "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"
_LIKE_OPTIONS = f"{_OPTIONS}, MemoryFormat? memory_format=None"
_INDEX_OPTIONS = "ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None"


def _chosen(dtype: int | None, default: DType) -> DType:
    return default if dtype is None else known_dtype(dtype)


def _number_dtype(value: Any) -> DType:
    return dtype_of(value)


def check_sizes(size: Sequence[Any]) -> None:
    for extent in size:
        if isinstance(extent, int) and extent < 0:
            raise OperatorError(f"Trying to create tensor with negative dimension {extent}: {_size_text(size)}")


def _size_text(size: Sequence[Any]) -> str:
    return f"[{', '.join('?' if not isinstance(e, int) else str(e) for e in size)}]"


def sizes(cx: LoweringContext, size: Sequence[Any]) -> list[Extent]:
    """Extents from an `int[]` argument, checked not to be negative."""
    dims = [cx.extent(e) for e in size]
    for extent in dims:
        cx.check(cx.compare("ge", extent, 0), "Trying to create tensor with negative dimension {}", [extent])
    return dims


# filled with one value


_MOST_GAPS: Final = 16
"""Strides that leave more of the memory unused than this make no difference but to `stride()`."""


def _filled(
    signature: str, value: float | None, dtype_rule: Callable[[dict[str, Any]], DType], samples: Samples
) -> Operator:
    """`size` says the shape (else `self` does); `fill_value` the value where `value` is None."""

    of_doubles = signature.startswith("aten::new_full")  # filled before it is rounded to 16 bits

    def result(arguments: dict[str, Any]) -> DType:
        wanted, usual = arguments.get("dtype"), dtype_rule(arguments)
        return usual if wanted is None else known_dtype(wanted)

    def infer(**arguments: Any) -> TensorType:
        size = arguments.get("size")
        if not (of_doubles and result(arguments) in (DType.float16, DType.bfloat16)):
            require_fitting(arguments.get("fill_value"), result(arguments))
        if size is None:
            return TensorType(result(arguments), shape_of(arguments["self"]))
        check_sizes(size)
        return TensorType(result(arguments), tuple(known(e) for e in size))

    def lower(cx: LoweringContext, **arguments: Any) -> Value:
        dtype = cx.result_dtype()
        size = arguments.get("size")
        dims = cx.dims(arguments["self"]) if size is None else sizes(cx, size)
        number: Number = arguments["fill_value"] if value is None else value
        if not (of_doubles and dtype in (DType.float16, DType.bfloat16)):
            check_fitting(cx, number, dtype)
        return cx.set_dtype(cx.fill(dims, dtype.element, cx.number(number, dtype)), dtype)

    def reference(**arguments: Any) -> Array:
        typed = {n: operand_of(v) if n == "self" else v for n, v in arguments.items()}
        size = arguments.get("size")
        shape = arguments["self"].shape if size is None else tuple(size)
        check_sizes(shape)
        number = cast_array(arguments["fill_value"] if value is None else value, result(typed))
        if size is None and arguments.get("memory_format") is None:  # it lies as `self` does
            return np.full_like(arguments["self"], number, dtype=number.dtype)
        if arguments.get("stride") is not None:
            steps = tuple(s * number.itemsize for s in arguments["stride"])
            reach = 1 + sum((n - 1) * s for n, s in zip(shape, arguments["stride"], strict=True)) if 0 not in shape else 1
            if all(s >= 0 for s in steps) and reach <= _MOST_GAPS * max(1, python_math.prod(shape)):
                return np.ndarray(shape, number.dtype, np.full(reach, number), 0, steps)
        return np.full(shape, number)

    return Operator(signature, infer, lower, reference, samples)


def _default(arguments: dict[str, Any]) -> DType:
    del arguments
    return DEFAULT_FLOAT


def _permuted(arguments: dict[str, Any]) -> DType:
    """Checks the order of the dimensions, which is all that it says."""
    rank, order = len(arguments["size"]), arguments["physical_layout"]
    if len(order) != rank:
        raise OperatorError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {rank} is not equal to len(physical_layout) = {len(order)}"
        )
    for place, dim in enumerate(order):
        if not 0 <= dim < rank:
            raise OperatorError(
                f"Dimension out of range (expected to be between 0 and {rank - 1}, but got {dim} at index {place}).  "
                "NB: negative dims not currently supported; file an issue if you want it."
            )
    if len(set(order)) != rank:
        raise OperatorError("Duplicate dim not allowed")
    return DEFAULT_FLOAT


def _of_fill(arguments: dict[str, Any]) -> DType:
    return _number_dtype(arguments["fill_value"])


def _of_self(arguments: dict[str, Any]) -> DType:
    return dtype_of(arguments["self"])


def _size_samples(*extra: Any, refused: str | None = "negative dimension") -> Samples:
    def samples() -> Iterator[Sample]:
        for size in ([2, 3], [], [0, 3]):
            yield Sample((size, *extra))
        yield Sample(([2], *extra), {"dtype": int(DType.int64)})
        yield Sample(([2], *extra), {"dtype": int(DType.float16)})
        if refused is not None:
            yield Sample(([-1], *extra), raises=refused)

    return samples


def _full_samples() -> Iterator[Sample]:
    for value in (1.5, 2, True):
        yield from _size_samples(value)()
    for value, dtype, name in ((300, "uint8", "uint8_t"), (-1, None, ""), (-1e9, "float16", "c10::Half"), (float("nan"), "int32", "int")):
        chosen = DType.uint8 if dtype is None else DType[dtype]
        refused = f"value cannot be converted to type {name} without overflow" if name else None
        yield Sample(([2], value), {"dtype": int(chosen)}, raises=refused)


def _like_samples(*extra: Any) -> Samples:
    def samples() -> Iterator[Sample]:
        for dtype in ("f32", "i64", "b1", "f16", "u8"):
            yield Sample((ramp(2, 3, dtype=dtype), *extra))
        yield Sample((tensor(1.0), *extra))
        yield Sample((ramp(2, 3), *extra), {"dtype": int(DType.int32)})

    return samples


def _new_samples(*extra: Any) -> Samples:
    def samples() -> Iterator[Sample]:
        for dtype in ("f32", "i64"):
            yield Sample((ramp(2, 3, dtype=dtype), [4, 2], *extra))
        yield Sample((ramp(2), [], *extra), {"dtype": int(DType.bool)})

    return samples


FILLED: tuple[Operator, ...] = (
    _filled(f"aten::zeros(SymInt[] size, *, {_OPTIONS}) -> Tensor", 0, _default, _size_samples(refused=None)),
    _filled(f"aten::ones(SymInt[] size, *, {_OPTIONS}) -> Tensor", 1, _default, _size_samples()),
    _filled(f"aten::full(SymInt[] size, Scalar fill_value, *, {_OPTIONS}) -> Tensor", None, _of_fill, _full_samples),
    _filled(f"aten::zeros_like(Tensor self, *, {_LIKE_OPTIONS}) -> Tensor", 0, _of_self, _like_samples()),
    _filled(f"aten::ones_like(Tensor self, *, {_LIKE_OPTIONS}) -> Tensor", 1, _of_self, _like_samples()),
    _filled(
        f"aten::full_like(Tensor self, Scalar fill_value, *, {_LIKE_OPTIONS}) -> Tensor",
        None,
        _of_self,
        _like_samples(2.5),
    ),
    _filled(f"aten::new_zeros(Tensor self, SymInt[] size, *, {_OPTIONS}) -> Tensor", 0, _of_self, _new_samples()),
    _filled(f"aten::new_ones(Tensor self, SymInt[] size, *, {_OPTIONS}) -> Tensor", 1, _of_self, _new_samples()),
    _filled(
        f"aten::new_full(Tensor self, SymInt[] size, Scalar fill_value, *, {_OPTIONS}) -> Tensor",
        None,
        _of_self,
        _new_samples(2.5),
    ),
    # What an uninitialised tensor holds is anybody's guess: zeros are as good, and always the same.
    _filled(f"aten::empty.memory_format(SymInt[] size, *, {_LIKE_OPTIONS}) -> Tensor", 0, _default, lambda: ()),
    _filled(f"aten::empty_like(Tensor self, *, {_LIKE_OPTIONS}) -> Tensor", 0, _of_self, lambda: ()),
    _filled(f"aten::new_empty(Tensor self, SymInt[] size, *, {_OPTIONS}) -> Tensor", 0, _of_self, lambda: ()),
    _filled(f"aten::empty_strided(SymInt[] size, SymInt[] stride, *, {_OPTIONS}) -> Tensor", 0, _default, lambda: ()),
    _filled(
        f"aten::empty_permuted(SymInt[] size, int[] physical_layout, *, {_OPTIONS}) -> Tensor", 0, _permuted, lambda: ()
    ),
)


# fill: keeps shape and dtype of self


def _infer_fill(self: TensorType, value: Any) -> TensorType:
    if isinstance(value, TensorType) and value.rank:
        raise OperatorError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value.rank} dimensions."
        )
    require_fitting(value, dtype_of(self))
    return like_self(self)


def _lower_fill(cx: LoweringContext, self: Value, value: Number) -> Value:
    dtype = cx.dtype(self)
    if isinstance(value, Value) and hasattr(value.type, "shape"):
        scalar = cx.cast(cx.b, tensor_dialect.extract(cx.b, value, []), cx.dtype(value), dtype)
    else:
        check_fitting(cx, value, dtype)
        scalar = cx.number(value, dtype)
    return cx.set_dtype(cx.fill(cx.dims(self), dtype.element, scalar), dtype)


def _reference_fill(self: Array, value: Any) -> Array:
    return np.full(self.shape, cast_array(value, dtype_of(operand_of(self))))


def _fill_samples(*values: Any) -> Samples:
    wide = [v for v in values if isinstance(v, int)]
    return lambda: [
        *(Sample((ramp(2, 3, dtype=d), v)) for d in ("f32", "i64", "f16", "u8") for v in values),
        *(Sample((ramp(3, dtype="i8"), 100 * v), raises="type int8_t without overflow") for v in wide),
    ]


FILLS: tuple[Operator, ...] = (
    Operator(
        "aten::fill.Scalar(Tensor self, Scalar value) -> Tensor",
        _infer_fill,
        _lower_fill,
        _reference_fill,
        _fill_samples(2, 1.5),
    ),
    Operator(
        "aten::fill.Tensor(Tensor self, Tensor value) -> Tensor",
        _infer_fill,
        _lower_fill,
        _reference_fill,
        _fill_samples(tensor(2.5), tensor(3, "i64")),
    ),
)


# from numbers and lists of numbers


def _leaves(data: Any) -> list[Any]:
    return (
        [x for item in cast(Sequence[Any], data) for x in _leaves(item)] if isinstance(data, list | tuple) else [data]
    )


def nested_shape(data: Any, dim: int = 0) -> tuple[int, ...]:
    """Extents of a rectangular nested list; `dim`: how many lists it stands in."""
    if not isinstance(data, list | tuple):
        return ()
    items = cast(Sequence[Any], data)
    inner = [nested_shape(x, dim + 1) for x in items]
    for shape in inner:
        for k, (first, this) in enumerate(zip_longest(inner[0], shape, fillvalue=0)):
            if first != this:
                raise OperatorError(f"Expected sequence of length {first} at dim {dim + 1 + k} (got {this})")
    return (len(items), *(inner[0] if inner else ()))


def _data_dtype(data: Any, dtype: int | None, of_float: DType) -> DType:
    if dtype is not None:
        return known_dtype(dtype)
    kinds = {of_float if _number_dtype(x).is_floating else _number_dtype(x) for x in _leaves(data)}
    return max(kinds, key=lambda d: d.category) if kinds else DEFAULT_FLOAT


def _from_data(signature: str, samples: Samples, of_float: DType = DEFAULT_FLOAT) -> Operator:
    """The first argument, a number or a nested list of them, becomes a tensor."""
    name = signature.partition("(")[2].split(",")[0].split(")")[0].split()[-1]
    is_scalar = signature.startswith("aten::scalar_tensor(")

    def infer(**arguments: Any) -> TensorType:
        data = arguments[name]
        if any(isinstance(x, TensorType) for x in _leaves(data)):
            raise Unsupported("a tensor from a list of tensors is not supported: use torch.stack")
        dtype = _data_dtype(data, arguments.get("dtype"), of_float)
        if is_scalar and dtype not in (DType.float16, DType.bfloat16):
            require_fitting(data, dtype)
        return TensorType(dtype, nested_shape(data))

    def lower(cx: LoweringContext, **arguments: Any) -> Value:
        dtype = cx.result_dtype()
        data = arguments[name]
        leaves, shape = _leaves(data), nested_shape(data)
        if shape and all(not isinstance(x, Value) for x in leaves):
            values = [convert_number(x, dtype) for x in leaves]
            return cx.dense(np.array(values, dtype.numpy).reshape(shape), dtype)
        if is_scalar and dtype not in (DType.float16, DType.bfloat16):
            check_fitting(cx, data, dtype)
        elements = [cx.number(x, dtype) for x in leaves]
        return cx.set_dtype(tensor_dialect.from_elements(cx.b, elements, shape, dtype.element), dtype)

    def reference(**arguments: Any) -> Array:
        data = arguments[name]
        dtype = _data_dtype(data, arguments.get("dtype"), of_float)
        values = [cast_array(x, dtype) for x in _leaves(data)]
        return np.array(values, dtype.numpy).reshape(nested_shape(data))

    return Operator(signature, infer, lower, reference, samples)


def _numbers(*values: Any) -> Samples:
    def samples() -> Iterator[Sample]:
        for value in values:
            yield Sample((value,))
            yield Sample((value,), {"dtype": int(DType.float64)})
            yield Sample((value,), {"dtype": int(DType.int64)})

    return samples


def _same_data(data: TensorType, dtype: int | None, device: Any) -> TensorType:
    del device
    return TensorType(_chosen(dtype, dtype_of(data)), data.shape)


def _lower_same_data(cx: LoweringContext, data: Value, dtype: int | None, device: Any) -> Value:
    del device
    return cx.cast_tensor(data, _chosen(dtype, cx.dtype(data)))


def _reference_same_data(data: Array, dtype: int | None, device: Any) -> Array:
    del device
    return cast_array(data, _chosen(dtype, dtype_of(operand_of(data))))


_TENSOR = "*, ScalarType? dtype=None, Device? device=None, bool requires_grad=False) -> Tensor"
_AS_TENSOR = "*, ScalarType? dtype=None, Device? device=None) -> Tensor"

FROM_DATA: tuple[Operator, ...] = (
    _from_data(f"aten::tensor.int(int t, {_TENSOR}", _numbers(3, -1)),
    _from_data(f"aten::tensor.float(float t, {_TENSOR}", _numbers(2.5, float("inf"))),
    _from_data(f"aten::tensor.bool(bool t, {_TENSOR}", _numbers(True, False)),
    _from_data(f"aten::tensor(t[] data, {_TENSOR}", _numbers([1, 2, 3], [[1.5, 2.5]], [True, False], [[[1]], [[2]]])),
    _from_data(f"aten::as_tensor.int(int t, {_AS_TENSOR}", _numbers(3)),
    _from_data(f"aten::as_tensor.float(float t, {_AS_TENSOR}", _numbers(2.5)),
    _from_data(f"aten::as_tensor.bool(bool t, {_AS_TENSOR}", _numbers(True)),
    _from_data(f"aten::as_tensor.list(t[] data, {_AS_TENSOR}", _numbers([1, 2, 3], [[1.5, 2.5]])),
    Operator(
        "aten::as_tensor(Tensor(a) data, *, ScalarType? dtype=None, Device? device=None) -> Tensor(b|a)",
        _same_data,
        _lower_same_data,
        _reference_same_data,
        lambda: [Sample((ramp(2, 3),)), Sample((ramp(3),), {"dtype": int(DType.int64)})],
    ),
    _from_data(f"aten::scalar_tensor(Scalar s, *, {_OPTIONS}) -> Tensor", _numbers(1.5)),
    _from_data("prim::NumToTensor.Scalar(Scalar a) -> Tensor", lambda: [Sample((2,)), Sample((1.5,))], DType.float64),
    _from_data("prim::NumToTensor.bool(bool a) -> Tensor", lambda: [Sample((True,))]),
)


# ranges


def _indexed(
    cx: LoweringContext, dims: Sequence[Extent], dtype: DType, element: Callable[[Builder, list[Value]], Value]
) -> Value:
    """A tensor whose elements are computed from their indices."""

    def body(b: Builder) -> Value:
        return element(b, [linalg.index(b, i) for i in range(len(dims))])

    return cx.set_dtype(cx.generic([], [], dims, dtype.element, [PARALLEL] * len(dims), body), dtype)


def _arange_dtype(dtype: int | None, *numbers: Any) -> DType:
    if dtype is not None:
        return known_dtype(dtype)
    return DEFAULT_FLOAT if any(_number_dtype(n).is_floating for n in numbers) else DType.int64


def _arange_length(start: Any, end: Any, step: Any, inclusive: bool, dtype: DType) -> int:
    if not all(python_math.isfinite(x) for x in (start, end)):
        raise OperatorError(f"unsupported range: {start} -> {end}")
    if dtype is DType.int64 and not inclusive:
        start, end, step = int(start), int(end), int(step)  # int64 alone counts in whole numbers
    if step == 0:
        raise OperatorError("step must be nonzero")
    if (end - start) * (1 if step > 0 else -1) < 0:
        raise OperatorError("upper bound and lower bound inconsistent with step sign")
    whole = dtype.category <= 1
    if inclusive:
        return int((int(end) - int(start)) // int(step) if whole else (end - start) / step) + 1
    if whole and all(isinstance(x, int) for x in (start, end, step)):
        return -((start - end) // step)
    return python_math.ceil((end - start) / step)


def _range_elements(cx: LoweringContext, length: Extent, start: Number, step: Number, dtype: DType) -> Value:
    """start + i * step, in int64 or (16-bit floats in float32) in the dtype itself."""
    wide = DType.int64 if dtype.category <= 1 else opmath(dtype)
    first, by = cx.number(start, wide), cx.number(step, wide)

    def element(b: Builder, index: list[Value]) -> Value:
        place = arith.index_cast(b, index[0], I64)
        if wide is DType.int64:
            value = arith.addi(b, first, arith.muli(b, place, by))
        else:
            value = arith.addf(b, first, arith.mulf(b, cx.cast(b, place, DType.int64, wide), by))
        return cx.cast(b, value, wide, dtype)

    return _indexed(cx, [length], dtype, element)


def _dynamic_length(
    cx: LoweringContext, start: Number, end: Number, step: Number, inclusive: bool, dtype: DType
) -> Extent:
    """Number of elements of a range whose bounds are known only at run time."""
    whole = dtype is DType.int64 or all(_kind(cx, x) is not DType.float64 for x in (start, end, step))
    if whole and not inclusive:
        low, high, by = (cx.extent(cx.number(x, DType.int64)) for x in (start, end, step))
        cx.check(cx.compare("ne", by, 0), "step must be nonzero")
        span = cx.sub(high, low)
        ahead = cx.any_of(
            cx.all_of(cx.compare("ge", span, 0), cx.compare("gt", by, 0)),
            cx.all_of(cx.compare("le", span, 0), cx.compare("lt", by, 0)),
        )
        cx.check(ahead, "upper bound and lower bound inconsistent with step sign")
        return cx.ceildiv(span, cx.select(cx.compare("eq", by, 0), 1, by))
    b = cx.b
    low, high, by = (cx.number(x, DType.float64) for x in (start, end, step))
    zero = arith.constant(b, 0.0, F64)
    cx.check(arith.cmpf(b, "une", by, zero), "step must be nonzero")
    ratio = arith.divf(b, arith.subf(b, high, low), by)
    cx.check(arith.cmpf(b, "oge", ratio, zero), "upper bound and lower bound inconsistent with step sign")
    whole_ratio = math.floor(b, ratio) if inclusive else math.ceil(b, ratio)
    count = cx.cast(b, whole_ratio, DType.float64, DType.int64)
    return cx.add(count, 1) if inclusive else cx.extent(count)


def _kind(cx: LoweringContext, number: Number) -> DType:
    return (
        cx.dtype(number) if isinstance(number, Value) else DType.float64 if isinstance(number, float) else DType.int64
    )


def _range(signature: str, samples: Samples, inclusive: bool = False) -> Operator:
    def bounds(arguments: dict[str, Any]) -> tuple[Any, Any, Any]:
        return arguments.get("start", 0), arguments["end"], arguments.get("step", 1)

    def result(arguments: dict[str, Any], numbers: Sequence[Any]) -> DType:
        if inclusive and arguments.get("dtype") is None:
            return DEFAULT_FLOAT
        return _arange_dtype(arguments.get("dtype"), *numbers)

    def infer(**arguments: Any) -> TensorType:
        numbers = bounds(arguments)
        dtype = result(arguments, numbers)
        unknown = any(isinstance(x, Unknown) for x in numbers)
        return TensorType(dtype, (None if unknown else _arange_length(*numbers, inclusive, dtype),))

    def lower(cx: LoweringContext, **arguments: Any) -> Value:
        start, end, step = bounds(arguments)
        dtype = cx.result_dtype()
        static = not any(isinstance(x, Value) for x in (start, end, step))
        length = (
            _arange_length(start, end, step, inclusive, dtype)
            if static
            else _dynamic_length(cx, start, end, step, inclusive, dtype)
        )
        return _range_elements(cx, length, start, step, dtype)

    def reference(**arguments: Any) -> Array:
        start, end, step = bounds(arguments)
        dtype = result(arguments, (start, end, step))
        wide = DType.int64 if dtype.category <= 1 else opmath(dtype)
        places = np.arange(_arange_length(start, end, step, inclusive, dtype)).astype(wide.numpy)
        return cast_array(np.asarray(cast_array(start, wide) + places * cast_array(step, wide)), dtype)

    return Operator(signature, infer, lower, reference, samples)


def _arange_samples() -> Iterator[Sample]:
    for end in (5, 2.5, 0):
        yield Sample((end,))
    yield Sample((4,), {"dtype": int(DType.float16)})
    yield Sample((-1,), raises="upper bound and lower bound inconsistent with step sign")


def _start_samples() -> Iterator[Sample]:
    for bounds in ((1, 5), (1.5, 4), (-2, 2)):
        yield Sample(bounds)


def _step_samples() -> Iterator[Sample]:
    for bounds in ((0, 10, 3), (10, 0, -3), (0, 1, 0.25), (1.5, 3, 0.5), (5, 5, 1)):
        yield Sample(bounds)
    yield Sample((0, 10, 3), {"dtype": int(DType.float32)})
    yield Sample((0, 10, 0), raises="step must be nonzero")
    yield Sample((0.0, -8.000001, -4.0), {"dtype": int(DType.int64)})
    yield Sample((0.0, -8.000001, -4.0), {"dtype": int(DType.int32)})
    yield Sample((0.5, 7.9, 2.5), {"dtype": int(DType.int64)})
    yield Sample((0.0, 3.0, 0.5), {"dtype": int(DType.int32)})
    yield Sample((0.0, 3.0, 0.5), {"dtype": int(DType.int64)}, raises="step must be nonzero")


def _inclusive_samples() -> Iterator[Sample]:
    yield Sample((1, 4))
    yield Sample((0, 5), {"dtype": int(DType.int64)})


RANGES: tuple[Operator, ...] = (
    _range(f"aten::arange(Scalar end, *, {_OPTIONS}) -> Tensor", _arange_samples),
    _range(f"aten::arange.start(Scalar start, Scalar end, *, {_OPTIONS}) -> Tensor", _start_samples),
    _range(f"aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, {_OPTIONS}) -> Tensor", _step_samples),
    _range(f"aten::range(Scalar start, Scalar end, *, {_OPTIONS}) -> Tensor", _inclusive_samples, inclusive=True),
    _range(
        f"aten::range.step(Scalar start, Scalar end, Scalar step=1, *, {_OPTIONS}) -> Tensor",
        lambda: [Sample((1, 4, 1)), Sample((0, 2, 0.5))],
        inclusive=True,
    ),
)


# linspace, logspace


Step = Callable[[Builder, Value], Value]


@dataclass(frozen=True)
class _Line:
    """The numbers between two floats, from both ends towards the middle."""

    only: Value
    """The one number where there is no second."""
    start: Value
    end: Value
    by: Value
    count: Value
    gaps: Value
    rounded: Step
    """After each step of linspace: 16-bit floats are rounded as often as PyTorch does."""

    @staticmethod
    def of(b: Builder, only: Value, start: Value, end: Value, span: Value, count: Value, rounded: Step) -> _Line:
        one = arith.constant(b, 1.0, start.type)
        gaps = arith.subf(b, count, one)
        by = rounded(b, arith.divf(b, span, arith.select(b, arith.cmpf(b, "ogt", gaps, one), gaps, one)))
        return _Line(only, start, end, by, count, gaps, rounded)

    def at(self, b: Builder, place: Value) -> Value:
        two = arith.constant(b, 2.0, place.type)
        behind = arith.subf(b, self.gaps, place)
        front = arith.addf(b, self.start, self.rounded(b, arith.mulf(b, self.by, place)))
        back = arith.subf(b, self.end, self.rounded(b, arith.mulf(b, self.by, behind)))
        is_front = arith.cmpf(b, "olt", place, math.floor(b, arith.divf(b, self.count, two)))
        alone = arith.cmpf(b, "oeq", self.gaps, arith.constant(b, 0.0, place.type))
        return arith.select(b, alone, self.only, self.rounded(b, arith.select(b, is_front, front, back)))


def _itself(_: Builder, value: Value) -> Value:
    return value


def _spaced(signature: str, samples: Samples) -> Operator:
    """From both ends towards the middle, so that both are exact; `base` raised to it where there is one."""

    def steps_of(arguments: dict[str, Any]) -> int | None:
        steps = arguments["steps"]
        if isinstance(steps, int) and steps < 0:
            raise OperatorError("number of steps must be non-negative")
        return steps if isinstance(steps, int) else None

    def default_of(arguments: dict[str, Any]) -> DType:
        ends = [arguments[name] for name in ("start", "end")]
        return DEFAULT_COMPLEX if any(dtype_of(end).is_complex for end in ends) else DEFAULT_FLOAT

    def infer(**arguments: Any) -> TensorType:
        return TensorType(_chosen(arguments["dtype"], default_of(arguments)), (steps_of(arguments),))

    def lower(cx: LoweringContext, **arguments: Any) -> Value:
        dtype = cx.result_dtype()
        exact = dtype.is_floating or dtype.is_complex
        wide = opmath(dtype) if exact else DType.float64
        part = wide.real if wide.is_complex else wide
        length = cx.extent(arguments["steps"])
        cx.check(cx.compare("ge", length, 0), "number of steps must be non-negative")
        # the ends are numbers of the result's dtype: whole, or half floats
        start, end = (cx.cast(cx.b, cx.number(arguments[name], dtype), dtype, wide) for name in ("start", "end"))
        only = cx.number(arguments["start"], wide) if exact else start
        count = cx.number(length if isinstance(length, int) else cx.i64(length), part)
        base = cx.number(arguments["base"], wide) if "base" in arguments else None
        parts = (complexes.re, complexes.im) if wide.is_complex else (_itself,)

        def narrow(b: Builder, value: Value) -> Value:
            return cx.cast(b, cx.cast(b, value, wide, dtype), dtype, wide) if dtype.is_floating else value

        rounded = _itself if base is not None else narrow
        lines: list[_Line] = []
        for f in parts:
            first, last = f(cx.b, start), f(cx.b, end)
            span = narrow(cx.b, arith.subf(cx.b, last, first))
            lines.append(_Line.of(cx.b, f(cx.b, only), first, last, span, count, rounded))

        def element(inner: Builder, index: list[Value]) -> Value:
            place = cx.cast(inner, arith.index_cast(inner, index[0], I64), DType.int64, part)
            values = [line.at(inner, place) for line in lines]
            if len(values) == 1:
                return cx.cast(inner, math.powf(inner, base, values[0]) if base is not None else values[0], wide, dtype)
            value = complexes.create(inner, *values)
            return complex_functions.FUNCTIONS["pow"](inner, base, value) if base is not None else value

        return _indexed(cx, [length], dtype, element)

    def reference(**arguments: Any) -> Array:
        dtype = _chosen(arguments["dtype"], default_of(arguments))
        steps = steps_of(arguments)
        ends = [cast_array(arguments[name], dtype) for name in ("start", "end")]
        if "base" not in arguments:
            return cast_array(_numpy_spaced(ends[0], ends[1], steps or 0, dtype, None), dtype)
        wide = dtype if dtype.is_complex else DType.float64
        if dtype.is_floating and steps == 1:
            ends[0] = cast_array(arguments["start"], wide)
        start, end = (cast_array(end, wide) for end in ends)
        span = cast_array(cast_array(end - start, dtype), wide) if dtype.is_floating else end - start
        values = _numpy_spaced(start, end, steps or 0, wide, span)
        return cast_array(np.power(arguments["base"], values), dtype)

    return Operator(signature, infer, lower, reference, samples)


def _numpy_spaced(start: Array, end: Array, steps: int, dtype: DType, span: Array | None) -> Array:
    if dtype.is_complex or steps < 2:
        return cast(Array, np.linspace(start, end, steps))

    def rounded(x: Any) -> Array:
        return cast_array(x, dtype).astype(np.float64) if dtype.is_floating else np.asarray(x, np.float64)

    first, last = start.astype(np.float64), end.astype(np.float64)
    place = np.arange(steps)
    by = rounded((rounded(last - first) if span is None else span) / (steps - 1))
    values = np.where(place < steps // 2, first + rounded(by * place), last - rounded(by * (steps - 1 - place)))
    return rounded(values)


def _spaced_samples() -> Iterator[Sample]:
    for bounds in ((0, 1, 5), (-2.5, 3, 4), (3, -1, 2), (2, 5, 1), (0, 1, 0)):
        yield Sample(bounds)
    yield Sample((0, 1, 3), {"dtype": int(DType.float64)})
    yield Sample((4.3, -3, 50), {"dtype": int(DType.int64)})
    yield Sample((4.3, -3, 10), {"dtype": int(DType.float16)})
    yield Sample((0.1, 2, 7), {"dtype": int(DType.bfloat16)})
    yield Sample((1 + 2j, 3, 4))
    yield Sample((0, 1, -1), raises="number of steps must be non-negative")


SPACED: tuple[Operator, ...] = (
    _spaced(f"aten::linspace(Scalar start, Scalar end, int steps, *, {_OPTIONS}) -> Tensor", _spaced_samples),
    _spaced(
        f"aten::logspace(Scalar start, Scalar end, int steps, float base=10., *, {_OPTIONS}) -> Tensor",
        lambda: [
            Sample((0, 2, 3)),
            Sample((-1, 1, 5, 2.0)),
            Sample((1, 2, 1)),
            Sample((0, 1.2, 2), {"dtype": int(DType.int64)}),
            Sample((0, 4.3, 4), {"dtype": int(DType.float16)}),
            Sample((0.7, 2.6, 6), {"dtype": int(DType.float16)}),
            Sample((-0.3, 1.6, 5), {"dtype": int(DType.bfloat16)}),
            Sample((4.3, 0, 1), {"dtype": int(DType.float16)}),
            Sample((0, 1 + 1j, 4)),
        ],
    ),
)


# identity matrices and triangles


def _infer_eye(n: Any, m: Any, dtype: int | None) -> TensorType:
    for extent, name in ((n, "n"), (m, "m")):
        if isinstance(extent, int) and extent < 0:
            raise OperatorError(f"{name} must be greater or equal to 0, got {extent}")
    return TensorType(_chosen(dtype, DEFAULT_FLOAT), (known(n), known(m)))


def _lower_eye(cx: LoweringContext, n: Any, m: Any) -> Value:
    dtype = cx.result_dtype()

    def element(b: Builder, index: list[Value]) -> Value:
        return cx.cast(b, arith.cmpi(b, "eq", index[0], index[1]), DType.bool, dtype)

    return _indexed(cx, sizes(cx, [n, m]), dtype, element)


def _eye(signature: str, samples: Samples) -> Operator:
    def infer(n: Any, m: Any = None, dtype: int | None = None, **options: Any) -> TensorType:
        del options
        return _infer_eye(n, n if m is None else m, dtype)

    def lower(cx: LoweringContext, n: Any, m: Any = None, dtype: int | None = None, **options: Any) -> Value:
        del dtype, options
        return _lower_eye(cx, n, n if m is None else m)

    def reference(n: int, m: int | None = None, dtype: int | None = None, **options: Any) -> Array:
        del options
        _infer_eye(n, n if m is None else m, dtype)
        return cast_array(np.eye(n, m), _chosen(dtype, DEFAULT_FLOAT))

    return Operator(signature, infer, lower, reference, samples)


def _check_matrix(name: str, rank: int) -> None:
    if rank < 2:
        raise OperatorError(f"{name}: input tensor must have at least 2 dimensions")


def _triangle(name: str, lower_part: bool) -> Operator:
    def infer(self: TensorType, diagonal: Any) -> TensorType:
        del diagonal
        _check_matrix(name, self.rank)
        return like_self(self)

    def lower(cx: LoweringContext, self: Value, diagonal: Any) -> Value:
        rank = cx.rank(self)
        offset = cx.i64(cx.extent(diagonal))
        dtype = cx.dtype(self)

        def body(b: Builder, x: Value) -> Value:
            row = arith.index_cast(b, linalg.index(b, rank - 2), I64)
            column = arith.index_cast(b, linalg.index(b, rank - 1), I64)
            inside = arith.cmpi(b, "sle" if lower_part else "sge", arith.subi(b, column, row), offset)
            return arith.select(b, inside, x, arith.constant(b, 0, dtype.element))

        return cx.pointwise([self], dtype, body)

    def reference(self: Array, diagonal: int) -> Array:
        _check_matrix(name, self.ndim)
        rows, columns = np.indices(self.shape[-2:])
        inside = columns - rows <= diagonal if lower_part else columns - rows >= diagonal
        return np.where(inside, self, np.zeros((), self.dtype))

    def samples() -> Iterator[Sample]:
        for diagonal in (0, 1, -1, 5):
            yield Sample((ramp(3, 4), diagonal))
        for dtype in ("i64", "b1", "f16", "u8"):
            yield Sample((ramp(2, 3, 3, dtype=dtype), 0))
        yield Sample((ramp(0, 3), 0))

    return Operator(f"aten::{name}(Tensor self, SymInt diagonal=0) -> Tensor", infer, lower, reference, samples)


def _triangle_places(row: Any, col: Any, offset: Any, lower_part: bool) -> Array:
    if not all(isinstance(x, int) for x in (row, col, offset)):
        raise Unsupported("triangle indices need sizes that are known at compile time")
    found = np.tril_indices(row, offset, col) if lower_part else np.triu_indices(row, offset, col)
    return np.stack(found).astype(np.int64)


def _triangle_indices(name: str, lower_part: bool) -> Operator:
    def infer(row: Any, col: Any, offset: Any, dtype: int | None, **options: Any) -> TensorType:
        del options
        return TensorType(_chosen(dtype, DType.int64), _triangle_places(row, col, offset, lower_part).shape)

    def lower(cx: LoweringContext, row: Any, col: Any, offset: Any, **options: Any) -> Value:
        del options
        dtype = cx.result_dtype()
        return cx.dense(cast_array(_triangle_places(row, col, offset, lower_part), dtype), dtype)

    def reference(row: Any, col: Any, offset: Any, dtype: int | None, **options: Any) -> Array:
        del options
        return cast_array(_triangle_places(row, col, offset, lower_part), _chosen(dtype, DType.int64))

    return Operator(
        f"aten::{name}(int row, int col, int offset=0, *, {_INDEX_OPTIONS}) -> Tensor",
        infer,
        lower,
        reference,
        lambda: [Sample((3, 3)), Sample((2, 4, 1)), Sample((4, 2, -1))],
    )


TRIANGLES: tuple[Operator, ...] = (
    _eye(
        f"aten::eye(SymInt n, *, {_OPTIONS}) -> Tensor",
        lambda: [Sample((3,)), Sample((0,)), Sample((2,), {"dtype": int(DType.int64)})],
    ),
    _eye(
        f"aten::eye.m(SymInt n, SymInt m, *, {_OPTIONS}) -> Tensor",
        lambda: [Sample((3, 2)), Sample((2, 4), {"dtype": int(DType.bool)})],
    ),
    _triangle("tril", True),
    _triangle("triu", False),
    _triangle_indices("tril_indices", True),
    _triangle_indices("triu_indices", False),
)


OPERATORS: tuple[Operator, ...] = (*FILLED, *FILLS, *FROM_DATA, *RANGES, *SPACED, *TRIANGLES)
