"""Scans and float neighbours that need more than arithmetic on one element: logcumsumexp, nextafter.

In: nothing. Out: `OPERATORS`, records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...affine import AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, Sample
from ...script_types import TensorType
from ...types import I16, I32, I64
from .. import arith, math
from . import complex_functions
from .elementwise import Scalars, Types, binary, refusing, types
from .lowering import LoweringContext
from .pointwise import numpy_log_add_exp
from .reduction import accumulator_of, scan_iterators
from .rules import Array, Operand, cast_array, dtype_of, not_implemented, operand_of, result_type, wrap_dim
from .samples import INF, NAN, ramp, tensor

# logcumsumexp


def _log_add_exp(k: Scalars, x: Value, acc: Value) -> Value:
    """log(exp(x) + exp(acc)); equal infinities and NaN come out as they are."""
    if k.is_complex:
        return complex_functions.log_add_exp(k.b, x, acc)
    low, high = k.minimum(x, acc), k.maximum(x, acc)
    total = k.add(math.log1p(k.b, math.exp(k.b, k.sub(low, high))), high)
    return k.select(arith.andi(k.b, k.compare("eq", low, high), math.isinf(k.b, high)), high, total)


def _infer_log_scan(self: TensorType, dim: int) -> TensorType:
    wrap_dim(dim, self.rank)
    dtype = dtype_of(self)
    if dtype.category < 2:
        raise not_implemented("logcumsumexp_out_cpu", dtype)
    return TensorType(dtype, self.shape)


def _lower_log_scan(cx: LoweringContext, self: Value, dim: int) -> Value:
    dtype, rank, dims = cx.dtype(self), cx.rank(self), cx.dims(self)
    if rank == 0:
        return self
    axis = wrap_dim(dim, rank)
    wide = accumulator_of(dtype)
    kept, iterators = scan_iterators(rank, axis)
    identity = AffineMap.identity(rank)
    start = cx.fill([d for i, d in enumerate(dims) if i != axis], wide.element, -INF)

    def body(b: Builder, x: Value, acc: Value, _: Value) -> Sequence[Value]:
        total = _log_add_exp(Scalars(b, wide), cx.cast(b, x, dtype, wide), acc)
        return [total, cx.cast(b, total, wide, dtype)]

    outs = [start, cx.empty(dims, dtype.element)]
    return cx.set_dtype(cx.generic_many([self], [identity], outs, [kept, identity], iterators, body)[1], dtype)


def _reference_log_scan(self: Array, dim: int) -> Array:
    dtype = dtype_of(operand_of(self))
    if self.ndim == 0:
        return self
    wide = cast_array(self, accumulator_of(dtype))
    with np.errstate(all="ignore"):
        if not dtype.is_complex:
            return cast_array(np.asarray(np.logaddexp.accumulate(wide, axis=wrap_dim(dim, self.ndim))), dtype)
        return cast_array(np.moveaxis(_complex_log_scan(np.moveaxis(wide, dim, 0)), 0, dim), dtype)


def _complex_log_scan(array: Array) -> Array:
    rows: list[Array] = []
    total = np.full(array.shape[1:], -INF, array.dtype)
    for row in array:
        total = numpy_log_add_exp(row, total)
        rows.append(total)
    return np.stack(rows) if rows else array


def _log_scan_samples() -> Iterator[Sample]:
    for dim in (0, 1, -1):
        yield Sample((ramp(2, 3, 4), dim))
    for dtype in ("f16", "bf16", "f64"):
        yield Sample((ramp(2, 3, dtype=dtype), 1))
    yield Sample((tensor([-INF, -INF, 1.0, 300.0, -2.0, INF, 1.0]), 0))
    yield Sample((tensor([1.0, NAN, 2.0]), 0))
    yield Sample((tensor(2.5), 0))
    yield Sample((np.complex64(1 - 2j) * ramp(2, 3), 1))
    yield Sample((1j + ramp(3, 2, dtype="f64"), 0))
    yield Sample((np.array([complex(-INF, 0), 1 + 2j, 3 - 1j, complex(INF, 0), complex(NAN, 0)]), 0))
    yield Sample((ramp(2, 3, dtype="i64"), 0), raises="not implemented for 'Long'")


# nextafter: the bits of a float, read as a whole number, count the floats

_BITS = {DType.float32: I32, DType.float64: I64, DType.float16: I16, DType.bfloat16: I16}


def _next_after(k: Scalars, x: Value, y: Value) -> Value:
    b = k.b
    # floats of 16 bits come widened, and go back by rounding, which changes nothing here
    narrow, bits = k.stored.element, _BITS[k.stored]
    is_wide = k.stored is not k.dtype
    one = arith.constant(b, 1, bits)
    at = arith.bitcast(b, arith.truncf(b, x, narrow) if is_wide else x, bits)
    inwards = arith.xori(b, k.compare("lt", y, x), k.compare("lt", x, k.constant(0)))
    step = arith.select(b, inwards, arith.subi(b, at, one), arith.addi(b, at, one))
    least, other = (arith.bitcast(b, v, narrow) for v in (one, step))
    if is_wide:
        least, other = (arith.extf(b, v, k.dtype.element) for v in (least, other))
    moved = k.select(k.compare("eq", x, k.constant(0)), math.copysign(b, least, y), other)
    settled = k.select(k.compare("eq", x, y), y, moved)
    return k.select(arith.ori(b, math.isnan(b, x), math.isnan(b, y)), k.add(x, y), settled)


def _next_types(*operands: Operand) -> Types:
    return types(result_type(*operands))


def _has_no_bits(dtype: DType) -> bool:
    return dtype not in _BITS


def _reference_next(self: Array, other: Array) -> Array:
    dtype = result_type(operand_of(self), operand_of(other))
    if _has_no_bits(dtype):
        raise not_implemented("nextafter_cpu", dtype)
    with np.errstate(all="ignore"):
        return np.asarray(np.nextafter(cast_array(self, dtype), cast_array(other, dtype)))


def _next_samples() -> Iterator[Sample]:
    x = [0.0, -0.0, 1.0, -1.0, 2.0, INF, -INF, NAN, 1e-45, 3.4028235e38, -1e-45, 1.5]
    y = [1.0, -1.0, 2.0, 2.0, 1.0, 0.0, 0.0, 1.0, 0.0, INF, 0.0, NAN]
    yield Sample((tensor(x), tensor(y)))
    yield Sample((tensor(x, "f64"), tensor(y, "f64")))
    for dtype in ("f16", "bf16"):
        yield Sample((tensor(x[:8], dtype), tensor(y[:8], dtype)))
    yield Sample((ramp(2, 3), tensor(7.0)))
    yield Sample((ramp(2, 3, dtype="i64"), tensor(7, "i64")), raises="not implemented for 'Long'")


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::logcumsumexp(Tensor self, int dim) -> Tensor",
        _infer_log_scan,
        _lower_log_scan,
        _reference_log_scan,
        _log_scan_samples,
    ),
    replace(
        binary("nextafter", refusing(_next_types, "nextafter_cpu", _has_no_bits), _next_after, np.nextafter, _next_samples),
        reference=_reference_next,
    ),
)
