"""Complex tensors and the real ones that they are made of: parts, both as views, conjugates, polar coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...affine import AffineConstant, AffineDim, AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import COMPLEX, ScriptType, TensorType
from ...types import INDEX
from .. import arith, linalg, math
from .. import complex as complexes
from .elementwise import Types, elementwise, is_bool, promoted, refusing, unary
from .lowering import LoweringContext
from .rules import (
    Array,
    Operand,
    array_type,
    dtype_of,
    imaginary_part,
    like_self,
    not_implemented,
    opmath,
    real_part,
    shape_of,
)
from .samples import NAN, SPECIAL, ramp, tensor

COMPLEX_OF = {DType.float16: DType.complex32, DType.float32: DType.complex64, DType.float64: DType.complex128}


def numbers(*shape: int, dtype: str = "c64") -> Array:
    """Complex numbers in all four quadrants, of several sizes, no two alike."""
    count = int(np.prod(shape))
    angles = np.arange(count) * 2.399963
    sizes = 0.25 + 0.5 * np.arange(count) % 3.0
    wide = sizes * np.exp(1j * angles)
    return wide.astype(np.complex64 if dtype == "c64" else np.complex128).reshape(shape)


def made(re: Any, im: Any, dtype: DType) -> Array:
    """re + im i in numpy, infinities and signs of zeros kept."""
    wide = opmath(dtype)
    result = np.empty(np.broadcast_shapes(np.shape(re), np.shape(im)), wide.numpy)
    result.real, result.imag = re, im
    return result.astype(dtype.numpy)


# parts


def _part(name: str, build: Any, function: Any) -> Operator:
    """`real` and `imag`: a view of a complex tensor; `real` of a real one is that."""

    def infer(self: TensorType) -> TensorType:
        if not dtype_of(self).is_complex:
            if name == "imag":
                raise OperatorError("imag is not implemented for tensors with non-complex dtypes.")
            return like_self(self)
        return TensorType(dtype_of(self).real, self.shape)

    def lower(cx: LoweringContext, self: Value) -> Value:
        dtype = cx.dtype(self)
        return cx.pointwise([self], dtype.real, build) if dtype.is_complex else self

    def reference(self: Array) -> Array:
        infer(array_type(self))
        return np.asarray(function(self))

    def samples() -> Iterator[Sample]:
        yield Sample((numbers(2, 3),))
        yield Sample((numbers(0, 2, dtype="c128"),))
        if name == "imag":
            yield Sample((ramp(2),), raises="imag is not implemented for tensors with non-complex dtypes.")
        else:
            yield Sample((ramp(2, 3),))

    return Operator(f"aten::{name}(Tensor(a) self) -> Tensor(a)", infer, lower, reference, samples)


def _infer_as_real(self: TensorType) -> TensorType:
    if not dtype_of(self).is_complex:
        raise OperatorError("view_as_real is only supported for complex tensors")
    return TensorType(dtype_of(self).real, (*shape_of(self), 2))


def _lower_as_real(cx: LoweringContext, self: Value) -> Value:
    rank = cx.rank(self)
    dtype = cx.dtype(self).real

    def body(b: Builder, z: Value) -> Value:
        first = arith.cmpi(b, "eq", linalg.index(b, rank), arith.constant(b, 0, INDEX))
        return arith.select(b, first, complexes.re(b, z), complexes.im(b, z))

    dims = [*cx.dims(self), 2]
    map_ = AffineMap.of(rank + 1, *range(rank))
    result = cx.generic([self], [map_], dims, dtype.element, [linalg.PARALLEL] * (rank + 1), body)
    return cx.set_dtype(result, dtype)


def _reference_as_real(self: Array) -> Array:
    _infer_as_real(array_type(self))
    parts = real_part(self)
    strides = (*parts.strides, parts.itemsize)
    return np.lib.stride_tricks.as_strided(parts, (*parts.shape, 2), strides, writeable=self.flags.writeable)


def _as_real_samples() -> Iterator[Sample]:
    yield Sample((numbers(2, 3),))
    yield Sample((numbers(dtype="c128"),))
    yield Sample((ramp(2),), raises="view_as_real is only supported for complex tensors")


def _infer_as_complex(self: TensorType) -> TensorType:
    dtype = COMPLEX_OF.get(dtype_of(self))
    if dtype is None:
        raise OperatorError(
            "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: "
            f"{dtype_of(self).graph_name}"
        )
    if self.rank == 0:
        raise OperatorError("Input tensor must have one or more dimensions")
    if shape_of(self)[-1] not in (2, None):
        raise OperatorError("Tensor must have a last dimension of size 2")
    return TensorType(dtype, shape_of(self)[:-1])


def _lower_as_complex(cx: LoweringContext, self: Value) -> Value:
    cx.check(cx.compare("eq", cx.dims(self)[-1], 2), "Tensor must have a last dimension of size 2")
    return complex_of_pairs(cx, self, cx.result_dtype())


def complex_of_pairs(cx: LoweringContext, pairs: Value, dtype: DType) -> Value:
    """The numbers whose parts stand side by side in the last dimension."""
    rank = cx.rank(pairs) - 1
    place = [AffineDim(i) for i in range(rank)]
    maps = [AffineMap(rank, (*place, AffineConstant(i))) for i in (0, 1)]
    iterators = [linalg.PARALLEL] * rank
    dims = cx.dims(pairs)[:-1]
    result = cx.generic([pairs, pairs], maps, dims, dtype.element, iterators, complexes.create)
    return cx.set_dtype(cx.set_dims(result, dims), dtype)


def _reference_as_complex(self: Array) -> Array:
    dtype = _infer_as_complex(array_type(self)).dtype
    assert dtype is not None
    if self.size and self.strides[-1] == self.itemsize:
        return self.view(dtype.numpy)[..., 0]
    return made(self[..., 0], self[..., 1], dtype)


def _as_complex_samples() -> Iterator[Sample]:
    yield Sample((ramp(3, 2),))
    yield Sample((ramp(2, dtype="f64"),))
    yield Sample((ramp(2, 3),), raises="Tensor must have a last dimension of size 2")
    yield Sample((ramp(2, dtype="i64"),), raises="view_as_complex is only supported for half, float and double")


# conjugates


def _conjugate(signature: str) -> Operator:
    def lower(cx: LoweringContext, self: Value) -> Value:
        dtype = cx.dtype(self)
        return cx.pointwise([self], dtype, complexes.conj) if dtype.is_complex else self

    def reference(self: Array) -> Array:
        return np.array(np.conjugate(self) if self.dtype.kind == "c" else self)

    def samples() -> Iterator[Sample]:
        yield Sample((numbers(2, 3),))
        yield Sample((numbers(4, dtype="c128"),))
        yield Sample((ramp(2, 3),))

    return Operator(signature, like_self, lower, reference, samples)


# from parts


def _complex_types(first: Operand, second: Operand) -> Types:
    dtype = dtype_of(first)
    if dtype is not dtype_of(second):
        raise OperatorError(
            f"Expected object of scalar type {dtype.graph_name} but got scalar type {dtype_of(second).graph_name} for "
            "second argument"
        )
    made_of = COMPLEX_OF.get(dtype)
    if made_of is None:
        found = f"{dtype.graph_name} and {dtype_of(second).graph_name}"
        raise OperatorError(f"Expected both inputs to be Half, Float or Double tensors but got {found}")
    return Types(dtype, made_of, opmath(made_of))


def _polar_types(first: Operand, second: Operand) -> Types:
    return _complex_types(first, second)


def _numpy_complex(re: Array, im: Array) -> Array:
    return made(re, im, COMPLEX_OF[dtype_of(array_type(re))])


def _numpy_polar(size: Array, angle: Array) -> Array:
    return _numpy_complex(size * np.cos(angle), size * np.sin(angle))


def _pair_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3), ramp(3)))
    yield Sample((ramp(2, 3, dtype="f64"), ramp(2, 1, dtype="f64")))
    yield Sample((ramp(3), ramp(3, dtype="f64")), raises="Expected object of scalar type Float but got scalar type Double")
    yield Sample((ramp(3, dtype="i64"), ramp(3, dtype="i64")), raises="Expected both inputs to be Half, Float or Double")


# coordinates


def _angle_types(self: Operand) -> Types:
    dtype = dtype_of(self)
    if dtype is DType.complex32:
        raise not_implemented("angle_cpu", dtype)
    if dtype.category <= 1:
        return Types(DType.float32, DType.float32, DType.float32)
    return refusing(promoted, "angle", is_bool)(self)


def _angle(k: Any, x: Value) -> Value:
    """Of a real number: 0 or pi; NaN of NaN."""
    zero, turn = k.constant(0), k.constant(float(np.pi))
    flat = k.select(k.compare("lt", x, zero), turn, zero)
    return k.select(k.compare("ne", x, x), x, flat)


def _numpy_angle(x: Array) -> Array:
    if x.dtype.kind == "c":
        return np.angle(x)
    return np.where(np.isnan(x), x, np.where(x < 0, np.float64(np.pi), 0.0)).astype(x.dtype)


def _angle_samples() -> Iterator[Sample]:
    yield Sample((numbers(2, 3),))
    yield Sample((numbers(5, dtype="c128"),))
    yield Sample((tensor(SPECIAL),))
    yield Sample((ramp(4, low=-2, dtype="i64"),))
    yield Sample((tensor([1.0, -1.0, NAN], "f64"),))


# a number


def _infer_number(x: Any, y: Any) -> ScriptType:
    del x, y
    return COMPLEX


def _lower_number(cx: LoweringContext, x: Any, y: Any) -> Value:
    parts = [cx.number(part, DType.float64) for part in (x, y)]
    return cx.set_dtype(complexes.create(cx.b, *parts), DType.complex128)


def _reference_number(x: float, y: float) -> complex:
    return complex(x, y)


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::Complex.float_float(float x, float y) -> complex",
        _infer_number,
        _lower_number,
        _reference_number,
        lambda: [Sample((1.5, -2.0))],
    ),
    _part("real", complexes.re, real_part),
    _part("imag", complexes.im, imaginary_part),
    Operator(
        "aten::view_as_real(Tensor(a) self) -> Tensor(a)",
        _infer_as_real,
        _lower_as_real,
        _reference_as_real,
        _as_real_samples,
    ),
    Operator(
        "aten::view_as_complex(Tensor(a) self) -> Tensor(a)",
        _infer_as_complex,
        _lower_as_complex,
        _reference_as_complex,
        _as_complex_samples,
    ),
    _conjugate("aten::conj(Tensor(a) self) -> Tensor(a)"),
    _conjugate("aten::conj_physical(Tensor self) -> Tensor"),
    elementwise(
        "aten::complex(Tensor real, Tensor imag) -> Tensor",
        _complex_types,
        lambda k, re, im: complexes.create(k.b, re, im),
        _numpy_complex,
        _pair_samples,
    ),
    elementwise(
        "aten::polar(Tensor abs, Tensor angle) -> Tensor",
        _polar_types,
        lambda k, size, angle: complexes.create(
            k.b, k.mul(size, math.cos(k.b, angle)), k.mul(size, math.sin(k.b, angle))
        ),
        _numpy_polar,
        _pair_samples,
    ),
    unary("angle", _angle_types, _angle, _numpy_angle, _angle_samples),
)
