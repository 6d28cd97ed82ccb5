"""Conversions: a tensor to another dtype, copies and aliases, a tensor of one element to a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unsupported
from ...script_types import BOOL, FLOAT, INT, ScriptType, TensorType
from .. import tensor as tensor_dialect
from .lowering import LoweringContext
from .rules import Array, broadcast, cast_array, dtype_of, like_self, operand_of, shape_of
from .samples import INF, NAN, ramp, tensor
from .shapes import product

Samples = Callable[[], Iterable[Sample]]


def known_dtype(dtype: int) -> DType:
    """The DType of a ScalarType number."""
    try:
        return DType(dtype)
    except ValueError:
        raise Unsupported(
            f"scalar type {dtype} is not supported: bool, integers, float16, bfloat16, float32, float64 are"
        ) from None


# to another dtype


def _all_casts(keywords: Callable[[int], dict[str, Any]]) -> Samples:
    """Every dtype to every other, floats out of range included."""

    def samples() -> Iterator[Sample]:
        targets = [d for d in DType if not d.is_complex]
        for target in targets:
            for dtype in ("f32", "f64", "f16", "bf16"):
                if target.is_wide_unsigned:  # what is below 0 is not defined
                    yield Sample((tensor([0.0, 1.5, 2.75, 100.0, 1e-8], dtype),), keywords(int(target)))
                    continue
                yield Sample((tensor([0.0, -0.0, 1.5, -1.5, 2.75, 100.0, 1e-8], dtype),), keywords(int(target)))
            for dtype in ("i64", "i32", "i16", "i8", "u8", "b1"):
                yield Sample((ramp(6, dtype=dtype, low=-3, step=2),), keywords(int(target)))
        yield Sample((tensor([300, -300, 70000, 2**40 + 5], "i64"),), keywords(int(DType.int8)))
        yield Sample((tensor([300, -300, 70000, 2**40 + 5], "i64"),), keywords(int(DType.uint8)))
        yield Sample((tensor([1e10, -1e10, 3e9, NAN, INF, -INF]),), keywords(int(DType.int32)))
        yield Sample((tensor([1e30, -1e30, NAN, INF, -INF], "f64"),), keywords(int(DType.int64)))
        yield Sample((tensor([NAN, INF, 0.0]),), keywords(int(DType.bool)))
        yield Sample((tensor([1e6, 65520.0, 1e-8, 1 + 2**-11], "f64"),), keywords(int(DType.float16)))
        yield Sample((tensor(2.5),), keywords(int(DType.int64)))
        yield Sample((ramp(0, 3),), keywords(int(DType.int64)))

    return samples


def _converting(signature: str, samples: Samples, dtype_from: str = "dtype") -> Operator:
    """`dtype_from`: the argument that says the dtype, a number (None keeps) or a tensor; others only ask for copies."""

    def target(source: DType, arguments: dict[str, Any], dtype_of_tensor: Callable[[Any], DType]) -> DType:
        wanted = arguments.get(dtype_from)
        if wanted is None:
            return source
        return known_dtype(wanted) if isinstance(wanted, int) else dtype_of_tensor(wanted)

    def infer(self: TensorType, **arguments: Any) -> TensorType:
        return TensorType(target(dtype_of(self), arguments, dtype_of), self.shape)

    def lower(cx: LoweringContext, self: Value, **arguments: Any) -> Value:
        return cx.cast_tensor(self, target(cx.dtype(self), arguments, cx.dtype))

    def reference(self: Array, **arguments: Any) -> Array:
        return cast_array(self, target(dtype_of(operand_of(self)), arguments, lambda t: dtype_of(operand_of(t))))

    return Operator(signature, infer, lower, reference, samples)


def _other_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3), tensor(1, "i64")))
    yield Sample((ramp(2, 3, dtype="i64"), ramp(0, dtype="f16")))


def _no_dtype_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3),))
    yield Sample((ramp(3, dtype="i64"),))


def _device_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3), "cpu", int(DType.float64)))
    yield Sample((ramp(2, 3), "cpu", int(DType.int64)))


def _prim_device_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3), "cpu", None))
    yield Sample((ramp(2, 3), "cpu", int(DType.int64)))


def _named_casts() -> Iterator[Operator]:
    names = {"Byte": DType.uint8, "Char": DType.int8, "Short": DType.int16, "Int": DType.int32, "Long": DType.int64}
    names |= {"Half": DType.float16, "Float": DType.float32, "Double": DType.float64}
    for name, dtype in names.items():
        yield _cast_to(f"aten::_cast_{name}(Tensor self, bool non_blocking=False) -> Tensor", dtype)


def _cast_to(signature: str, dtype: DType) -> Operator:
    def infer(self: TensorType, non_blocking: bool) -> TensorType:
        del non_blocking
        return TensorType(dtype, self.shape)

    def lower(cx: LoweringContext, self: Value, non_blocking: bool) -> Value:
        del non_blocking
        return cx.cast_tensor(self, dtype)

    def reference(self: Array, non_blocking: bool) -> Array:
        del non_blocking
        return cast_array(self, dtype)

    return Operator(signature, infer, lower, reference, _no_dtype_samples)


_TO = "bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)"

CONVERSIONS: tuple[Operator, ...] = (
    _converting(f"aten::to.dtype(Tensor(a) self, ScalarType dtype, {_TO}", _all_casts(lambda d: {"dtype": d})),
    _converting(f"aten::to.device(Tensor(a) self, Device device, ScalarType dtype, {_TO}", _device_samples),
    _converting(f"aten::to.other(Tensor(a) self, Tensor other, {_TO}", _other_samples, "other"),
    _converting(
        "aten::to.dtype_layout(Tensor(a) self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
        "bool? pin_memory=None, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) "
        "-> Tensor(a)",
        _no_dtype_samples,
    ),
    _converting(
        "aten::to.prim_Device(Tensor(a) self, Device? device, int? dtype=None, bool non_blocking=False, "
        "bool copy=False) -> Tensor(b|a)",
        _prim_device_samples,
    ),
    _converting(
        "aten::to.prim_dtype(Tensor(a) self, int? dtype=None, bool non_blocking=False, bool copy=False) -> Tensor(b|a)",
        lambda: [Sample((ramp(2, 3), int(DType.int64))), Sample((ramp(2, 3), None))],
    ),
    _converting(
        "aten::to.prim_other(Tensor(a) self, bool non_blocking=False, bool copy=False) -> Tensor(b|a)",
        _no_dtype_samples,
    ),
    _converting(
        "aten::_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
        "bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor",
        _all_casts(lambda d: {"dtype": d}),
    ),
    _converting("aten::type_as(Tensor self, Tensor other) -> Tensor", _other_samples, "other"),
    *_named_casts(),
)


# the same values: values are immutable here, so a copy is the value itself


def _same(signature: str, check: Callable[[TensorType], None] | None = None) -> Operator:
    def lower(cx: LoweringContext, self: Value, **arguments: Any) -> Value:
        del cx, arguments
        return self

    def infer(self: TensorType, **arguments: Any) -> TensorType:
        del arguments
        if check is not None:
            check(self)
        return like_self(self)

    def reference(self: Array, **arguments: Any) -> Array:
        return self.copy(order="K" if arguments.get("memory_format") is None else "C")

    return Operator(signature, infer, lower, reference, _no_dtype_samples)


def _refuse_bool(self: TensorType) -> None:
    if self.dtype is DType.bool:
        raise OperatorError("The `+` operator, on a bool tensor is not supported.")


def _infer_copy(self: TensorType, src: TensorType, non_blocking: bool) -> TensorType:
    del non_blocking
    shape = broadcast(shape_of(self), shape_of(src))
    if len(shape) != self.rank or any(a != b for a, b in zip(shape, shape_of(self), strict=True) if None not in (a, b)):
        raise OperatorError(f"output with shape {list(shape_of(self))} doesn't match the broadcast shape {list(shape)}")
    return like_self(self)


def _lower_copy(cx: LoweringContext, self: Value, src: Value, non_blocking: bool) -> Value:
    """`src` in the shape and dtype of `self`."""
    del non_blocking
    if cx.dims(src) == cx.dims(self):
        return cx.cast_tensor(src, cx.dtype(self))
    target = cx.dims(self)
    common = cx.broadcast_dims([target, cx.dims(src)])
    for axis, (extent, wanted) in enumerate(zip(common, target, strict=True)):
        text = "The expanded size of the tensor ({}) must match the existing size ({}) at non-singleton dimension"
        cx.check(cx.compare("eq", extent, wanted), f"{text} {axis}.", [wanted, extent])
    source, dtype = cx.dtype(src), cx.dtype(self)

    def body(b: Any, x: Value) -> Value:
        return cx.cast(b, x, source, dtype)

    return cx.pointwise([src], dtype, body, dims=target)


def _reference_copy(self: Array, src: Array, non_blocking: bool) -> Array:
    del non_blocking
    return np.array(np.broadcast_to(cast_array(src, dtype_of(operand_of(self))), self.shape))


def _copy_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3), ramp(2, 3, dtype="i64")))
    yield Sample((ramp(2, 3), ramp(3)))
    yield Sample((ramp(2, 3, dtype="i64"), tensor(2.5)))
    yield Sample((ramp(0, 3), ramp(1, 3)))


SAME: tuple[Operator, ...] = (
    _same("aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)"),
    _same("aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor"),
    _same("aten::detach(Tensor(a) self) -> Tensor(a)"),
    _same("aten::alias(Tensor(a) self) -> Tensor(a)"),
    _same("aten::positive(Tensor(a) self) -> Tensor(a)", _refuse_bool),
    _same("aten::lift(Tensor self) -> Tensor"),
    _same("aten::lift_fresh(Tensor(a) self) -> Tensor(a)"),
    _same("aten::lift_fresh_copy(Tensor self) -> Tensor"),
    _same("aten::data(Tensor self) -> Tensor"),
    _same("aten::resolve_conj(Tensor(a) self) -> Tensor(a)"),
    _same("aten::resolve_neg(Tensor(a) self) -> Tensor(a)"),
    Operator(
        "aten::copy(Tensor self, Tensor src, bool non_blocking=False) -> Tensor",
        _infer_copy,
        _lower_copy,
        _reference_copy,
        _copy_samples,
    ),
)


# one element as a number


def number_type(dtype: DType) -> ScriptType:
    """What `item()` of that dtype gives."""
    if dtype.is_complex:
        raise Unsupported("complex numbers are not compiled; work with real and imaginary parts")
    return FLOAT if dtype.is_floating else BOOL if dtype is DType.bool else INT


_NUMBERS: dict[ScriptType, DType] = {INT: DType.int64, FLOAT: DType.float64, BOOL: DType.bool}


def _item_text(numel: Any) -> str:
    return f"a Tensor with {numel} elements cannot be converted to Scalar"


def _bool_text(numel: Any) -> str:
    if numel == 0:
        return "Boolean value of Tensor with no values is ambiguous"
    return "Boolean value of Tensor with more than one value is ambiguous"


def _refuse_many(shape: Any, text: Callable[[Any], str]) -> None:
    numel = product(shape)
    if numel not in (None, 1):
        raise OperatorError(text(numel))


def _refuse_implicit(dtype: DType, rank: int, integral: bool) -> None:
    if rank:
        raise OperatorError("Cannot input a tensor of dimension other than 0 as a scalar argument")
    if integral and dtype.category != 1:
        raise OperatorError(f"Cannot input a tensor of type {dtype.graph_name} as an integral argument")


def _element(
    signature: str,
    wanted: ScriptType | None,
    samples: Samples,
    text: Callable[[Any], str] = _item_text,
    implicit: bool | None = None,
) -> Operator:
    """The one element as `wanted` (the tensor's own kind for None). `implicit`: 0-dim only; True wants an integer."""
    name = signature.partition("(")[2].partition(")")[0].split()[-1]

    def check(dtype: DType, shape: Any) -> ScriptType:
        if implicit is not None:
            _refuse_implicit(dtype, len(shape), implicit)
        _refuse_many(shape, text)
        return number_type(dtype) if wanted is None else wanted

    def infer(**arguments: TensorType) -> ScriptType:
        return check(dtype_of(arguments[name]), shape_of(arguments[name]))

    def lower(cx: LoweringContext, **arguments: Value) -> Value:
        value = arguments[name]
        source = cx.dtype(value)
        numel = cx.numel(value)
        if text is _bool_text:
            cx.check(cx.compare("ne", numel, 0), _bool_text(0))
            cx.check(cx.compare("le", numel, 1), _bool_text(2))
        else:
            cx.check(cx.compare("eq", numel, 1), _item_text("{}"), [numel])
        scalar = tensor_dialect.extract(cx.b, value, [cx.index(0)] * cx.rank(value))
        target = _NUMBERS[number_type(source) if wanted is None else wanted]
        return cx.set_dtype(cx.cast(cx.b, scalar, source, target), target)

    def reference(**arguments: Array) -> Any:
        array = arguments[name]
        kind = check(dtype_of(operand_of(array)), array.shape)
        return cast_array(array, _NUMBERS[kind]).reshape(()).item()

    return Operator(signature, infer, lower, reference, samples)


def _one_element(*dtypes: str, many: str | None) -> Samples:
    def samples() -> Iterator[Sample]:
        for dtype in dtypes:
            yield Sample((tensor(2.5, dtype),))
        if many is not None:
            yield Sample((tensor([[3.0]]),))
            yield Sample((ramp(2, 3),), raises=many)

    return samples


_ALL = ("f32", "f64", "f16", "bf16", "i64", "i32", "u8", "i8", "b1")
_MANY = "a Tensor with 6 elements cannot be converted to Scalar"


def _bool_samples() -> Iterator[Sample]:
    yield from _one_element(*_ALL, many="Boolean value of Tensor with more than one value is ambiguous")()
    yield Sample((tensor([0.0]),))
    yield Sample((tensor(NAN),))
    yield Sample((ramp(0, 3),), raises="Boolean value of Tensor with no values is ambiguous")


NUMBERS: tuple[Operator, ...] = (
    _element("aten::item(Tensor self) -> Scalar", None, _one_element(*_ALL, many=_MANY)),
    _element("aten::_local_scalar_dense(Tensor self) -> Scalar", None, _one_element(*_ALL, many=None)),
    _element("aten::Int.Tensor(Tensor a) -> int", INT, _one_element(*_ALL, many=_MANY)),
    _element("aten::Float.Tensor(Tensor a) -> float", FLOAT, _one_element(*_ALL, many=_MANY)),
    _element("aten::Bool.Tensor(Tensor a) -> bool", BOOL, _bool_samples, _bool_text),
    _element("aten::is_nonzero(Tensor self) -> bool", BOOL, _bool_samples, _bool_text),
    _element("aten::IntImplicit(Tensor a) -> int", INT, _one_element("i64", "u8", many=None), implicit=True),
    _element("aten::FloatImplicit(Tensor a) -> float", FLOAT, _one_element(*_ALL[:5], many=None), implicit=False),
    _element("aten::ScalarImplicit(Tensor a) -> Scalar", None, _one_element(*_ALL[:5], many=None), implicit=False),
)


OPERATORS: tuple[Operator, ...] = (*CONVERSIONS, *SAME, *NUMBERS)
