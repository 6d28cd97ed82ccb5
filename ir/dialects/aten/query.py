"""What is asked of a tensor's type: sizes, rank, dtype, device; and comparisons of whole tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unknown
from ...script_types import BOOL, INT, ScriptType, TensorType
from ...types import I1
from .. import arith, linalg, math, scf
from .. import complex as complexes
from .. import tensor as tensor_dialect
from .complex_functions import absolute as absolute_complex
from .elementwise import Scalars, lower_elementwise, type_operand, types
from .lowering import Extent, LoweringContext
from .rules import (
    Array,
    broadcast,
    cast_array,
    dtype_of,
    operand_of,
    opmath,
    promote_types,
    result_type,
    shape_of,
    wrap_dim,
)
from .samples import INF, NAN, ramp, tensor
from .shapes import product

Samples = Callable[[], Iterable[Sample]]


def _of(extent: int | None) -> int | Unknown:
    return Unknown(INT) if extent is None else extent


def _as_number(cx: LoweringContext, extent: Extent) -> int | Value:
    return extent if isinstance(extent, int) else cx.i64(extent)


def _shapes() -> Iterator[Sample]:
    yield Sample((ramp(2, 3),))
    yield Sample((tensor(2.5),))
    yield Sample((ramp(0, 3, dtype="i64"),))


def _some_dim() -> Iterator[Sample]:
    for dim in (0, 1, -1):
        yield Sample((ramp(2, 3), dim))
    yield Sample((ramp(2, 3), 2), raises="Dimension out of range (expected to be in range of [-2, 1], but got 2)")


# sizes: values where they are static


def _infer_size(self: TensorType) -> list[int | Unknown]:
    return [_of(e) for e in shape_of(self)]


def _lower_size(cx: LoweringContext, self: Value) -> list[int | Value]:
    return [_as_number(cx, e) for e in cx.dims(self)]


def _reference_size(self: Array) -> list[int]:
    return list(self.shape)


def _infer_size_int(self: TensorType, dim: int | Unknown) -> ScriptType | int:
    if isinstance(dim, Unknown):
        return INT
    extent = shape_of(self)[_dim(dim, self.rank)]
    return INT if extent is None else extent


def _dim(dim: int, rank: int) -> int:
    if rank == 0:
        raise OperatorError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, rank)


def _lower_size_int(cx: LoweringContext, self: Value, dim: Any) -> int | Value:
    rank = cx.rank(self)
    if isinstance(dim, int):
        return _as_number(cx, cx.dim(self, _dim(dim, rank)))
    text = f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {{}})"
    cx.check(cx.all_of(cx.compare("ge", dim, -rank), cx.compare("lt", dim, rank)), text, [dim])
    return cx.i64(tensor_dialect.dim(cx.b, self, cx.index(cx.wrap_index(dim, rank))))


def _reference_size_int(self: Array, dim: int) -> int:
    return self.shape[_dim(dim, self.ndim)]


def _infer_numel(self: TensorType) -> ScriptType | int:
    numel = product(shape_of(self))
    return INT if numel is None else numel


def _lower_numel(cx: LoweringContext, self: Value) -> int | Value:
    return _as_number(cx, cx.numel(self))


def _reference_numel(self: Array) -> int:
    return int(self.size)


def _lower_len(cx: LoweringContext, t: Value) -> int | Value:
    return _lower_size_int(cx, t, 0)


def _infer_len(t: TensorType) -> ScriptType | int:
    if not t.rank:
        raise OperatorError("len() of a 0-d tensor")
    return _infer_size_int(t, 0)


def _reference_len(t: Array) -> int:
    if not t.ndim:
        raise OperatorError("len() of a 0-d tensor")
    return t.shape[0]


def _len_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3),))
    yield Sample((tensor(2.5),), raises="len() of a 0-d tensor")


def _numels(name: str, result: str) -> Operator:
    return Operator(
        f"aten::{name}(Tensor self) -> {result}",
        _infer_numel,
        _lower_numel,
        _reference_numel,
        _shapes,
    )


SIZES: tuple[Operator, ...] = (
    Operator("aten::size(Tensor self) -> int[]", _infer_size, _lower_size, _reference_size, _shapes),
    Operator(
        "aten::size.int(Tensor self, int dim) -> int", _infer_size_int, _lower_size_int, _reference_size_int, _some_dim
    ),
    Operator(
        "aten::sym_size.int(Tensor self, int dim) -> SymInt",
        _infer_size_int,
        _lower_size_int,
        _reference_size_int,
        _some_dim,
    ),
    _numels("numel", "int"),
    _numels("sym_numel", "SymInt"),
    Operator(
        "aten::len.Tensor(Tensor t) -> int",
        _infer_len,
        _lower_len,
        _reference_len,
        _len_samples,
    ),
)


# facts of the type


def _fact(signature: str, fact: Callable[[TensorType], Any], samples: Samples = _shapes) -> Operator:
    """Known as soon as dtype and rank are."""
    name = signature.partition("(")[2].partition(")")[0].split(",")[0].split()[-1]

    def infer(**arguments: Any) -> Any:
        return fact(arguments[name])

    def lower(cx: LoweringContext, **arguments: Any) -> Any:
        type = type_operand(cx, arguments[name])
        assert isinstance(type, TensorType)
        return fact(type)

    def reference(**arguments: Any) -> Any:
        type = operand_of(arguments[name])
        assert isinstance(type, TensorType)
        return fact(type)

    return Operator(signature, infer, lower, reference, samples)


_ELSEWHERE = (
    "is_cuda",
    "is_xpu",
    "is_mkldnn",
    "is_mps",
    "is_mtia",
    "is_meta",
    "is_nested",
    "is_quantized",
    "is_sparse",
    "is_sparse_csr",
    "is_vulkan",
    "is_xla",
    "is_ipu",
    "is_maia",
    "requires_grad",
)

FACTS: tuple[Operator, ...] = (
    _fact("aten::dim(Tensor self) -> int", lambda t: t.rank),
    _fact("aten::is_floating_point(Tensor self) -> bool", lambda t: dtype_of(t).is_floating),
    _fact("aten::is_complex(Tensor self) -> bool", lambda t: dtype_of(t).is_complex),
    _fact("aten::is_signed(Tensor self) -> bool", lambda t: dtype_of(t).is_signed),
    _fact("aten::element_size(Tensor self) -> int", lambda t: dtype_of(t).itemsize),
    _fact("aten::is_conj(Tensor self) -> bool", lambda _: False),
    _fact("aten::is_neg(Tensor self) -> bool", lambda _: False),
    _fact("aten::is_inference(Tensor self) -> bool", lambda _: False),
    _fact("aten::is_leaf(Tensor self) -> bool", lambda _: True),
    # Values of the compiled program are always contiguous; code asks in order to make them so.
    _fact("aten::is_contiguous(Tensor self) -> bool", lambda _: True),
    _fact("prim::dtype(Tensor a) -> int", lambda t: int(dtype_of(t))),
    _fact("prim::device(Tensor a) -> Device", lambda _: "cpu"),
    _fact("prim::is_cpu(Tensor a) -> bool", lambda _: True),
    *(_fact(f"prim::{name}(Tensor a) -> bool", lambda _: False) for name in _ELSEWHERE),
)

# dtypes that would come out


def _result_type(signature: str, samples: Samples) -> Operator:
    names = [part.split()[-1] for part in signature.partition("(")[2].partition(")")[0].split(", ")]

    def infer(**arguments: Any) -> int:
        return int(result_type(*(arguments[n] for n in names)))

    def lower(cx: LoweringContext, **arguments: Any) -> int:
        return int(result_type(*(type_operand(cx, arguments[n]) for n in names)))

    def reference(**arguments: Any) -> int:
        return int(result_type(*(operand_of(arguments[n]) for n in names)))

    return Operator(signature, infer, lower, reference, samples)


def _promote(type1: int, type2: int) -> int:
    return int(promote_types(DType(type1), DType(type2)))


def _can_cast(from_: int, to: int) -> bool:
    return DType(from_).category <= DType(to).category


def _lower_promote(cx: LoweringContext, type1: int, type2: int) -> int:
    del cx
    return _promote(type1, type2)


def _lower_can_cast(cx: LoweringContext, from_: int, to: int) -> bool:
    del cx
    return _can_cast(from_, to)


def _pairs_of_dtypes() -> Iterator[Sample]:
    for x in DType:
        for y in DType:
            if not (x.is_wide_unsigned or y.is_wide_unsigned) or x is y:
                yield Sample((int(x), int(y)))


DTYPES: tuple[Operator, ...] = (
    _result_type(
        "aten::result_type.Tensor(Tensor tensor, Tensor other) -> ScalarType",
        lambda: [Sample((ramp(3, dtype="i64"), tensor(1.0, "f64")))],
    ),
    _result_type(
        "aten::result_type.Scalar(Tensor tensor, Scalar other) -> ScalarType",
        lambda: [Sample((ramp(3, dtype="i64"), 2.5))],
    ),
    _result_type(
        "aten::result_type.Scalar_Tensor(Scalar scalar, Tensor tensor) -> ScalarType",
        lambda: [Sample((2.5, ramp(3, dtype="f16")))],
    ),
    _result_type(
        "aten::result_type.Scalar_Scalar(Scalar scalar1, Scalar scalar2) -> ScalarType", lambda: [Sample((2.5, 3))]
    ),
    Operator(
        "aten::promote_types(ScalarType type1, ScalarType type2) -> ScalarType",
        _promote,
        _lower_promote,
        _promote,
        _pairs_of_dtypes,
    ),
    Operator(
        "aten::can_cast(ScalarType from_, ScalarType to) -> bool",
        _can_cast,
        _lower_can_cast,
        _can_cast,
        _pairs_of_dtypes,
    ),
)


# whole tensors compared


def _same_size(x: tuple[int | None, ...], y: tuple[int | None, ...]) -> bool | None:
    """None where only run time tells."""
    if len(x) != len(y) or any(a != b for a, b in zip(x, y, strict=True) if a is not None and b is not None):
        return False
    return None if None in (*x, *y) else True


def _infer_same_size(self: TensorType, other: TensorType) -> bool | ScriptType:
    same = _same_size(shape_of(self), shape_of(other))
    return BOOL if same is None else same


def _lower_same_size(cx: LoweringContext, self: Value, other: Value) -> bool | Value:
    if cx.rank(self) != cx.rank(other):
        return False
    return cx.all_of(*(cx.compare("eq", x, y) for x, y in zip(cx.dims(self), cx.dims(other), strict=True)))


def _reference_same_size(self: Array, other: Array) -> bool:
    return self.shape == other.shape


def _infer_bool(self: TensorType, other: TensorType) -> ScriptType:
    del self, other
    return BOOL


def _lower_equal(cx: LoweringContext, self: Value, other: Value) -> bool | Value:
    same = _lower_same_size(cx, self, other)
    if same is False:
        return False
    dtype = result_type(type_operand(cx, self), type_operand(cx, other))
    sources = cx.dtype(self), cx.dtype(other)
    wide = opmath(dtype)

    def differ(k: Scalars, x: Value, y: Value) -> Value:
        return k.compare("ne", x, y)

    if same is True:
        different = lower_elementwise(cx, [self, other], types(dtype, DType.bool), differ)
        return _none_true(cx, different)

    # Sizes are compared first: elements are looked at, one by one, only where both tensors have them.
    def compared(b: Builder, _: Any) -> list[Value]:
        def element(inner: Builder, x: Value) -> Value:
            places = [linalg.index(inner, i) for i in range(cx.rank(self))]
            y = tensor_dialect.extract(inner, other, places)
            k = Scalars(inner, wide)
            return differ(k, _wide(cx, inner, x, sources[0], dtype), _wide(cx, inner, y, sources[1], dtype))

        return [_none_true(cx, cx.pointwise([self], DType.bool, element))]

    assert isinstance(same, Value)
    return scf.if_(cx.b, same, [I1], compared, lambda b, _: [arith.constant(b, False, I1)]).result


def _wide(cx: LoweringContext, b: Builder, x: Value, source: DType, dtype: DType) -> Value:
    return cx.cast(b, cx.cast(b, x, source, dtype), dtype, opmath(dtype))


def _none_true(cx: LoweringContext, different: Value) -> Value:
    found = cx.reduce(different, range(cx.rank(different)), I1, False, lambda b, x, acc: arith.ori(b, acc, x))
    return arith.xori(cx.b, tensor_dialect.extract(cx.b, found, []), arith.constant(cx.b, True, I1))


def _reference_equal(self: Array, other: Array) -> bool:
    dtype = result_type(operand_of(self), operand_of(other))
    return self.shape == other.shape and bool(np.all(cast_array(self, dtype) == cast_array(other, dtype)))


def _equal_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3), ramp(2, 3)))
    yield Sample((ramp(2, 3), ramp(2, 3, low=1.0)))
    yield Sample((ramp(2, 3), ramp(3)))
    yield Sample((ramp(2, 3), ramp(2, 1)))
    yield Sample((ramp(0, 3), ramp(0, 3)))
    yield Sample((tensor([1.0, NAN]), tensor([1.0, NAN])))
    yield Sample((tensor(2, "i64"), tensor(2, "i64")))


def _infer_isclose(self: TensorType, other: TensorType, rtol: Any, atol: Any, equal_nan: bool) -> TensorType:
    del equal_nan
    if self.dtype is not other.dtype:
        raise OperatorError(f"{dtype_of(self).graph_name} did not match {dtype_of(other).graph_name}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if isinstance(value, int | float) and not value >= 0:
            raise OperatorError(f"{name} must be greater than or equal to zero, but got {value}")
    return TensorType(DType.bool, broadcast(shape_of(self), shape_of(other)))


def _lower_isclose(cx: LoweringContext, self: Value, other: Value, rtol: Any, atol: Any, equal_nan: bool) -> Value:
    dtype = cx.dtype(self)
    if dtype.is_complex:
        return _lower_isclose_complex(cx, self, other, rtol, atol, equal_nan)
    wide = opmath(dtype) if dtype.is_floating else DType.float64

    def formula(k: Scalars, x: Value, y: Value, relative: Value, absolute: Value) -> Value:
        allowed = k.add(absolute, k.mul(relative, k.abs(y)))
        distance = k.abs(k.sub(x, y))
        near = arith.andi(k.b, k.compare("le", distance, allowed), math.isfinite(k.b, distance))
        close = arith.ori(k.b, near, k.compare("eq", x, y))
        if equal_nan:
            close = arith.ori(k.b, close, arith.andi(k.b, math.isnan(k.b, x), math.isnan(k.b, y)))
        return close

    return lower_elementwise(cx, [self, other, rtol, atol], types(wide, DType.bool), formula)


def _lower_isclose_complex(cx: LoweringContext, self: Value, other: Value, rtol: Any, atol: Any, equal_nan: bool) -> Value:
    """By sizes of complex numbers; the tolerances are complex on the way, for they are operands as the others."""
    part = DType.float64 if cx.dtype(self) is DType.complex128 else DType.float32

    def formula(c: Scalars, x: Value, y: Value, relative: Value, absolute: Value) -> Value:
        k = Scalars(c.b, part)
        size, difference = absolute_complex(c.b, y), c.sub(x, y)
        distance = absolute_complex(c.b, difference)
        allowed = k.add(complexes.re(c.b, absolute), k.mul(complexes.re(c.b, relative), size))
        near = arith.andi(c.b, k.compare("le", distance, allowed), math.isfinite(c.b, distance))
        close = arith.ori(c.b, near, c.compare("eq", x, y))
        if equal_nan:
            nans = [arith.cmpf(c.b, "uno", complexes.re(c.b, z), complexes.im(c.b, z)) for z in (x, y)]
            close = arith.ori(c.b, close, arith.andi(c.b, *nans))
        return close

    return lower_elementwise(cx, [self, other, rtol, atol], types(opmath(cx.dtype(self)), DType.bool), formula)


def _reference_isclose(self: Array, other: Array, rtol: float, atol: float, equal_nan: bool) -> Array:
    wide = np.float64 if self.dtype.kind in "biu" else opmath(dtype_of(operand_of(self))).numpy
    with np.errstate(all="ignore"):
        return np.asarray(np.isclose(self.astype(wide), other.astype(wide), rtol, atol, equal_nan))


def _infer_allclose(self: TensorType, other: TensorType, rtol: float, atol: float, equal_nan: bool) -> ScriptType:
    _infer_isclose(self, other, rtol, atol, equal_nan)
    return BOOL


def _lower_allclose(cx: LoweringContext, self: Value, other: Value, rtol: Any, atol: Any, equal_nan: bool) -> Value:
    close = _lower_isclose(cx, self, other, rtol, atol, equal_nan)
    every = cx.reduce(close, range(cx.rank(close)), I1, True, lambda b, x, acc: arith.andi(b, acc, x))
    return tensor_dialect.extract(cx.b, every, [])


def _reference_allclose(self: Array, other: Array, rtol: float, atol: float, equal_nan: bool) -> bool:
    return bool(_reference_isclose(self, other, rtol, atol, equal_nan).all())


def _close_samples() -> Iterator[Sample]:
    values = tensor([1.0, 2.0, NAN, INF, -INF, 100.0])
    for equal_nan in (False, True):
        yield Sample((values, tensor([1.000001, 2.1, NAN, INF, INF, 100.0005]), 1e-5, 1e-8, equal_nan))
    yield Sample((ramp(2, 3), ramp(3)))
    yield Sample((ramp(3, dtype="i64"), ramp(3, dtype="i64")))
    numbers = np.asarray([1 + 2j, 1 + 2j, 1 + 2j, complex(1, INF), complex(NAN, 0), complex(INF, NAN)], np.complex64)
    yield Sample((numbers, np.asarray([1 + 2.00001j, 1 + 3j, -1 - 2j, complex(1, INF), complex(0, NAN), 1j], np.complex64), 1e-5, 1e-8, True))


_CLOSE = "Tensor self, Tensor other, float rtol=1.0000000000000001e-05, float atol=1e-08, bool equal_nan=False"

WHOLE: tuple[Operator, ...] = (
    Operator(
        "aten::is_same_size(Tensor self, Tensor other) -> bool",
        _infer_same_size,
        _lower_same_size,
        _reference_same_size,
        _equal_samples,
    ),
    Operator(
        "aten::equal(Tensor self, Tensor other) -> bool", _infer_bool, _lower_equal, _reference_equal, _equal_samples
    ),
    Operator(
        f"aten::isclose({_CLOSE}) -> Tensor",
        _infer_isclose,
        _lower_isclose,
        _reference_isclose,
        _close_samples,
    ),
    Operator(
        f"aten::allclose({_CLOSE}) -> bool",
        _infer_allclose,
        _lower_allclose,
        _reference_allclose,
        _close_samples,
    ),
)


OPERATORS: tuple[Operator, ...] = (*SIZES, *FACTS, *DTYPES, *WHOLE)
