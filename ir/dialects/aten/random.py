"""Random tensors, the numbers that PyTorch's CPU generator gives: what each draws, and how numbers come from bits.

Other operators (`rand`, `bernoulli`, `exponential`, ...) are formulas over these, in `frontend/prelude/aten/random.py`.
`self` gives shape and dtype only. Elements are drawn in row-major order. Interpreters draw from `ir/generator.py`.
"""

from __future__ import annotations

import math as python_math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...generator import DEFAULT, fma
from ...operator import NotConstant, Operator, OperatorError
from ...script_types import TensorType
from ...types import F64, I64, INDEX
from .. import arith, linalg, rt_random, scf, tensor
from .. import math as mathd
from ..linalg import PARALLEL
from .cast import known_dtype
from .complex_parts import complex_of_pairs
from .lowering import Extent, LoweringContext, Number
from .random_bits import Array, bits, numpy_of, unit, working
from .random_normal import normal, serial
from .rules import array_type, cast_array, dtype_of, not_implemented, shape_of
from .shapes import known

_GENERATOR: Final = "Generator? generator=None"


def run_time_limits(dtype: DType) -> tuple[int, int, str]:
    """The integers that a dtype has, and its name in messages."""
    return _smallest(dtype), _largest(dtype), _C_NAMES[dtype]


def _of_floats(kernel: str, self: TensorType, *, of_complex: bool = False) -> TensorType:
    dtype = dtype_of(self)
    if not (dtype.is_floating or (of_complex and dtype.is_complex)):
        raise not_implemented(kernel, dtype)
    return TensorType(dtype, shape_of(self))


def _in_parts(cx: LoweringContext, self: Value, draw: Callable[[Sequence[Extent], DType], Value]) -> Value:
    """A complex number is drawn as two real ones."""
    dtype, dims = cx.dtype(self), cx.dims(self)
    if not dtype.is_complex:
        return draw(dims, dtype)
    return complex_of_pairs(cx, draw([*dims, 2], dtype.real), dtype)


def _reference_in_parts(self: Array, draw: Callable[[int, np.dtype[Any]], Array]) -> Array:
    dtype = dtype_of(array_type(self))
    if not dtype.is_complex:
        return draw(self.size, numpy_of(dtype)).reshape(self.shape)
    return draw(2 * self.size, numpy_of(dtype.real)).view(dtype.numpy).reshape(self.shape)


# uniform


def _infer_uniform(self: TensorType, generator: Any, **bounds: Any) -> TensorType:
    result = _of_floats("check_uniform_bounds", self, of_complex=True)
    low, high = bounds["from"], bounds["to"]
    if isinstance(low, int | float) and isinstance(high, int | float) and not low <= high:
        raise OperatorError(
            f"uniform_ expects to return a [from, to) range, but found from={_shown(low)} > to={_shown(high)}"
        )
    return result


def _shown(value: float) -> str:
    return f"{value:g}"


def _lower_uniform(cx: LoweringContext, self: Value, generator: Any, **bounds: Any) -> Value:
    low, high = cast(Number, bounds["from"]), cast(Number, bounds["to"])
    if isinstance(low, Value) or isinstance(high, Value):
        first, last = cx.number(low, DType.float64), cx.number(high, DType.float64)
        text = "uniform_ expects to return a [from, to) range, but found from={} > to={}"
        cx.check(arith.cmpf(cx.b, "ole", first, last), text, [first, last])
    return _in_parts(cx, self, lambda dims, dtype: _uniform(cx, dims, dtype, low, high))


def _uniform(cx: LoweringContext, dims: Sequence[Extent], dtype: DType, low: Number, high: Number) -> Value:
    precision = working(dtype)
    drawn = bits(cx, dims, wide=precision is DType.float64)
    start, stop = cx.number(low, precision), cx.number(high, precision)
    span = arith.subf(cx.b, stop, start)
    narrow_start, narrow_stop = cx.number(low, dtype), cx.number(high, dtype)
    plain = (low, high) == (0, 1)

    def body(b: Builder, x: Value) -> Value:
        value = unit(b, x)
        if not plain:
            value = mathd.fma(b, value, span, start)
        value = cx.cast(b, value, precision, dtype)
        if plain and dtype is precision:
            return value
        return arith.select(b, arith.cmpf(b, "oeq", value, narrow_stop), narrow_start, value)

    return cx.pointwise([drawn], dtype, body, dims)


def _reference_uniform(self: Array, generator: Any, **bounds: Any) -> Array:
    return _reference_in_parts(self, lambda count, dtype: DEFAULT.uniform(count, dtype, bounds["from"], bounds["to"]))


# integers

_DIGITS: Final = {DType.float16: 11, DType.bfloat16: 8, DType.float32: 24, DType.float64: 53}
_WIDE_FROM: Final = 1 << 28
"""A range of so many integers or more takes 64 bits for each."""


@dataclass(frozen=True)
class _Range:
    """Integers from `low` on, `width` of them (0 stands for 2**64), made of 64 bits each if `wide`."""

    low: int
    width: int
    wide: bool


def _default_range(dtype: DType) -> _Range:
    if dtype is DType.bool:
        return _Range(0, 2, False)
    if dtype.is_floating:
        return _Range(0, (1 << _DIGITS[dtype]) + 1, dtype is DType.float64)
    return _Range(0, _largest(dtype) + 1, dtype is DType.int64)


def _largest(dtype: DType) -> int:
    return 1 if dtype is DType.bool else int(np.iinfo(dtype.numpy).max)


def _smallest(dtype: DType) -> int:
    return 0 if dtype is DType.bool else int(np.iinfo(dtype.numpy).min)


def _range(dtype: DType, low: int, high: int | None) -> _Range:
    """What `random_(low, high)` draws from."""
    if high is None and low == -(1 << 63):
        return _Range(0, 0, True)
    if high is None:
        top = 1 << _DIGITS[dtype] if dtype.is_floating else _largest(dtype)
        low = _next_number(dtype, low)
        _check_bounds(dtype, low, top, "to_inc")
        return _ranged(low, top - low + 1)
    if low >= high:
        raise OperatorError(EMPTY_RANGE.format(low, high))
    first, stop = _next_number(dtype, low), _last_number(dtype, high)
    if first >= stop:
        raise OperatorError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
            f"but got from={first} >= to={stop}"
        )
    _check_bounds(dtype, first, stop - 1, "to - 1")
    return _ranged(first, stop - first)


EMPTY_RANGE: Final = "random_ expects 'from' to be less than 'to', but got from={} >= to={}"


def _ranged(low: int, width: int) -> _Range:
    return _Range(low, width, width >= _WIDE_FROM)


def _check_bounds(dtype: DType, low: int, last: int, what: str) -> None:
    if dtype.is_floating:
        limit = float(np.finfo(np.float32).max) if dtype is DType.bfloat16 else float(np.finfo(dtype.numpy).max)
        smallest, largest = -limit, limit
    else:
        smallest, largest = _smallest(dtype), _largest(dtype)
    for name, value in (("from", low), (what, last)):
        if not smallest <= value <= largest:
            raise OperatorError(f"{name} is out of bounds for {_C_NAMES[dtype]}")


_C_NAMES: Final = {
    DType.bool: "bool",
    DType.uint8: "unsigned char",
    DType.int8: "signed char",
    DType.int16: "short int",
    DType.int32: "int",
    DType.int64: "long int",
    DType.float16: "c10::Half",
    DType.bfloat16: "c10::BFloat16",
    DType.float32: "float",
    DType.float64: "double",
}


def _next_number(dtype: DType, low: int) -> int:
    """The first integer from `low` on that the dtype has."""
    if not dtype.is_floating:
        return low
    rounded = int(np.float64(np.asarray(low + 1).astype(dtype.numpy)))
    if rounded >= low:
        return low
    return rounded + (1 << (abs(low + 1).bit_length() - 1 - _DIGITS[dtype] + 1))


def _last_number(dtype: DType, high: int) -> int:
    if not dtype.is_floating:
        return high
    rounded = int(np.float64(np.asarray(high - 1).astype(dtype.numpy)))
    if rounded < high:
        return high
    return rounded - (1 << (abs(high - 1).bit_length() - 1 - _DIGITS[dtype] + 1))


def _given_range(self: TensorType, arguments: dict[str, Any]) -> _Range | None:
    """The range of a call; None where it is known only at run time."""
    dtype = dtype_of(self)
    if dtype.is_complex:
        raise not_implemented("random_", dtype)
    if "to" not in arguments:
        return _default_range(dtype)
    low, high = arguments.get("from", 0), arguments["to"]
    if not isinstance(low, int) or not (high is None or isinstance(high, int)):
        if dtype.is_floating:
            raise NotConstant("the range of random integers in floating point")
        return None
    return _range(dtype, low, high)


def _infer_integers(self: TensorType, generator: Any, **arguments: Any) -> TensorType:
    _given_range(self, arguments)
    return TensorType(dtype_of(self), shape_of(self))


def _lower_integers(cx: LoweringContext, self: Value, generator: Any, **arguments: Any) -> Value:
    dtype, dims = cx.dtype(self), cx.dims(self)
    given = _given_range(TensorType(dtype, cx.shape(self)), arguments)
    if given is not None:
        return _integers(cx, dims, dtype, given.low, given.width, wide=given.wide)
    low = cx.number(arguments.get("from", 0), DType.int64)
    if arguments["to"] is None:
        raise NotConstant("the start of an open range of random integers")
    high = cx.number(arguments["to"], DType.int64)
    cx.check(arith.cmpi(cx.b, "slt", low, high), EMPTY_RANGE, [low, high])
    first, last = (cx.constant(limit(dtype), I64) for limit in (_smallest, _largest))
    name = _C_NAMES[dtype]
    cx.check(arith.cmpi(cx.b, "sge", low, first), f"from is out of bounds for {name}")
    final = arith.subi(cx.b, high, cx.constant(1, I64))
    cx.check(arith.cmpi(cx.b, "sle", final, last), f"to - 1 is out of bounds for {name}")
    width = arith.subi(cx.b, high, low)
    many = arith.cmpi(cx.b, "uge", width, cx.constant(_WIDE_FROM, I64))
    to = tensor.tensor_type(cx.empty(dims, dtype.element))

    def branch(wide: bool) -> scf.Body:
        return lambda b, args: [_integers(cx, dims, dtype, low, width, wide=wide)]

    result = scf.if_(cx.b, many, [to], branch(True), branch(False)).result
    return cx.set_dtype(cx.set_dims(result, dims), dtype)


def _integers(
    cx: LoweringContext, dims: Sequence[Extent], dtype: DType, low: int | Value, width: int | Value, *, wide: bool
) -> Value:
    drawn = bits(cx, dims, wide=wide)

    def body(b: Builder, x: Value) -> Value:
        narrow = isinstance(width, int) and 0 < width < 1 << 31 and not wide
        number = x if wide or narrow else arith.extui(b, x, I64)
        if isinstance(width, Value):
            number = arith.remui(b, number, width)
        elif width:
            number = arith.remui(b, number, arith.constant(b, width - (width >> 63 << 64), number.type))
        if narrow:
            number = arith.extui(b, number, I64)
        if isinstance(low, Value) or low:
            start = low if isinstance(low, Value) else arith.constant(b, low, I64)
            number = arith.addi(b, number, start)
        return cx.cast(b, number, DType.int64, dtype)

    return cx.pointwise([drawn], dtype, body, dims)


def _reference_integers(self: Array, generator: Any, **arguments: Any) -> Array:
    of = array_type(self)
    given = _given_range(of, arguments)
    assert given is not None
    drawn = DEFAULT.random64(self.size) if given.wide else DEFAULT.random32(self.size)
    numbers = drawn % np.uint64(given.width) if given.width else drawn
    numbers = (numbers + np.uint64(given.low & ((1 << 64) - 1))).astype(np.int64)
    return cast_array(numbers.reshape(self.shape), dtype_of(of))


# normal


def _infer_normal(self: TensorType, mean: Any, std: Any, generator: Any) -> TensorType:
    if isinstance(std, int | float) and not std >= 0:
        raise OperatorError(f"normal expects std >= 0.0, but found std {_shown(std)}")
    return _of_floats("normal_kernel_cpu", self, of_complex=True)


def _lower_normal(cx: LoweringContext, self: Value, mean: Number, std: Number, generator: Any) -> Value:
    if isinstance(std, Value):
        number = cx.number(std, DType.float64)
        fits = arith.cmpf(cx.b, "oge", number, cx.constant(0.0, number.type))
        cx.check(fits, "normal expects std >= 0.0, but found std {}", [number])
    if cx.dtype(self).is_complex:
        # each part has half of the variance
        half = cx.constant(python_math.sqrt(2), F64)
        std = arith.divf(cx.b, cx.number(std, DType.float64), half) if isinstance(std, Value) else std / python_math.sqrt(2)
    return _in_parts(cx, self, lambda dims, dtype: normal(cx, dims, dtype, mean, std))


def _reference_normal(self: Array, mean: float, std: float, generator: Any) -> Array:
    spread = std / python_math.sqrt(2) if self.dtype.kind == "c" else std
    return _reference_in_parts(self, lambda count, dtype: DEFAULT.normal(count, dtype, mean, spread))


def _infer_log_normal(self: TensorType, mean: Any, std: Any, generator: Any) -> TensorType:
    if isinstance(std, int | float) and not std > 0:
        raise OperatorError(f"log_normal_ expects std > 0.0, but found std={_shown(std)}")
    return _of_floats("log_normal_cpu", self)


def _lower_log_normal(cx: LoweringContext, self: Value, mean: Number, std: Number, generator: Any) -> Value:
    dtype = cx.dtype(self)
    if isinstance(std, Value):
        number = cx.number(std, DType.float64)
        fits = arith.cmpf(cx.b, "ogt", number, cx.constant(0.0, number.type))
        cx.check(fits, "log_normal_ expects std > 0.0, but found std={}", [number])

    def finish(b: Builder, value: Value) -> Value:
        return cx.cast(b, mathd.exp(b, value), DType.float64, dtype)

    return serial(cx, cx.dims(self), dtype, mean, std, finish)


def _reference_log_normal(self: Array, mean: float, std: float, generator: Any) -> Array:
    values = fma(DEFAULT.normal_pairs(self.size), np.asarray(float(std)), np.asarray(float(mean)))
    return cast_array(np.exp(values).reshape(self.shape), dtype_of(array_type(self)))


# permutations

_MANY: Final = ((1 << 32) - 1) // 20
"""A permutation of so many takes 64 bits for each choice."""


def _infer_permutation(n: Any, dtype: Any, **_: Any) -> TensorType:
    if isinstance(n, int) and n < 0:
        raise OperatorError(f"n must be non-negative, got{n}")
    return TensorType(known_dtype(dtype) if dtype is not None else DType.int64, (known(n),))


def _lower_permutation(cx: LoweringContext, n: Extent, dtype: Any, **_: Any) -> Value:
    """Fisher and Yates: each place gets one of the rest."""
    count = cx.extent(n)
    if not isinstance(count, int):
        cx.check(cx.compare("ge", count, 0), "n must be non-negative, got{}", [count])
    choices = cx.max(cx.sub(count, 1), 0)
    wide = isinstance(count, int) and count >= _MANY
    if not isinstance(count, int):
        cx.check(cx.compare("lt", count, _MANY), "a permutation of {} elements is not supported", [count])
    drawn = bits(cx, [choices], wide=wide)
    total = cx.i64(count)

    def choice(b: Builder, x: Value) -> Value:
        rest = arith.subi(b, total, arith.index_cast(b, linalg.index(b, 0), I64))
        number = x if wide else arith.extui(b, x, I64)
        return arith.remui(b, number, rest)

    offsets = cx.pointwise([drawn], DType.int64, choice, [choices])

    def place_itself(b: Builder) -> Value:
        return arith.index_cast(b, linalg.index(b, 0), I64)

    start = cx.generic([], [], [count], I64, [PARALLEL], place_itself)

    def swap(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        place, order = args
        offset = arith.index_cast(b, tensor.extract(b, offsets, [place]), INDEX)
        other = arith.addi(b, place, offset)
        first, second = tensor.extract(b, order, [place]), tensor.extract(b, order, [other])
        order = tensor.insert(b, second, order, [place])
        return [tensor.insert(b, first, order, [other])]

    loop = scf.for_(cx.b, cx.index(0), cx.index(choices), cx.index(1), [start], swap)
    result = cx.set_dtype(cx.set_dims(loop.result, [count]), DType.int64)
    return cx.cast_tensor(result, cx.result_dtype())


def _reference_permutation(n: int, dtype: Any, **_: Any) -> Array:
    _infer_permutation(n, dtype)
    result = np.arange(n, dtype=np.int64)
    count = max(n - 1, 0)
    draws = DEFAULT.random64(count) if n >= _MANY else DEFAULT.random32(count)
    for i, draw in enumerate(draws.tolist()):
        j = i + draw % (n - i)
        result[i], result[j] = result[j], result[i]
    return cast_array(result, known_dtype(dtype) if dtype is not None else DType.int64)


# the generator


def _infer_seed(seed: Any) -> tuple[()]:
    del seed
    return ()


def _lower_seed(cx: LoweringContext, seed: Number) -> list[Value]:
    rt_random.manual_seed(cx.b, cx.number(seed, DType.int64))
    return []


def _reference_seed(seed: int) -> tuple[()]:
    DEFAULT.manual_seed(seed)
    return ()


_OPTIONS: Final = "ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None"

OPERATORS: tuple[Operator, ...] = (
    Operator(
        f"aten::uniform(Tensor self, float from=0., float to=1., *, {_GENERATOR}) -> Tensor",
        _infer_uniform,
        _lower_uniform,
        _reference_uniform,
        lambda: (),
    ),
    *(
        Operator(signature, _infer_integers, _lower_integers, _reference_integers, lambda: ())
        for signature in (
            f"aten::random(Tensor self, *, {_GENERATOR}) -> Tensor",
            f"aten::random.from(Tensor self, int from, int? to, *, {_GENERATOR}) -> Tensor",
            f"aten::random.to(Tensor self, int to, *, {_GENERATOR}) -> Tensor",
        )
    ),
    Operator(
        f"aten::normal_functional(Tensor self, float mean=0., float std=1., *, {_GENERATOR}) -> Tensor",
        _infer_normal,
        _lower_normal,
        _reference_normal,
        lambda: (),
    ),
    Operator(
        f"aten::log_normal(Tensor self, float mean=1., float std=2., *, {_GENERATOR}) -> Tensor",
        _infer_log_normal,
        _lower_log_normal,
        _reference_log_normal,
        lambda: (),
    ),
    *(
        Operator(
            f"aten::randperm{overload}(SymInt n, *, {generator}{_OPTIONS}) -> Tensor",
            _infer_permutation,
            _lower_permutation,
            _reference_permutation,
            lambda: (),
        )
        for overload, generator in (("", ""), (".generator", "Generator? generator, "))
    ),
    Operator("aten::manual_seed(int seed) -> ()", _infer_seed, _lower_seed, _reference_seed, lambda: ()),
)
