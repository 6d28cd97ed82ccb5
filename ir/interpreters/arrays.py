"""Tensors of the reference interpreter: numpy arrays under PyTorch's rules of dtype, memory and views.

In: arrays and the results of reference implementations; out: arrays that share memory where PyTorch's tensors do,
the builtins that ask a tensor something, and `write`, by which every in-place operator writes.
"""

# The values of a running TorchScript program are untyped by nature; tables of one-line lambdas work on them.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ..diagnostics import InternalError
from ..dialects.aten.factories import nested_shape
from ..dialects.aten.rules import real_part
from ..dtypes import DType, from_numpy
from ..operator import OperatorError
from ..operators import find, split_name
from ..schema import Schema
from ..script_types import ListType, OptionalType, ScriptType, TensorType
from . import builtins

Array = npt.NDArray[Any]


def dtype_of(array: Array) -> DType:
    found = from_numpy(array.dtype)
    if found is None:
        raise InternalError(f"array of dtype {array.dtype}")
    return found


def truth(value: Any) -> bool:
    """A condition; a tensor must have one element."""
    return bool(_one_element(value)) if isinstance(value, np.ndarray) else bool(value)


def _one_element(x: Array) -> Any:
    if x.size == 0:
        raise OperatorError("Boolean value of Tensor with no values is ambiguous")
    if x.size != 1:
        raise OperatorError("Boolean value of Tensor with more than one value is ambiguous")
    return x.reshape(()).item()


def item(x: Any) -> Any:
    """A one-element tensor as the Python number of its dtype."""
    if not isinstance(x, np.ndarray):
        return x
    if x.size != 1:
        raise OperatorError(f"a Tensor with {x.size} elements cannot be converted to Scalar")
    value = x.reshape(()).item()
    return float(value) if dtype_of(x).is_floating else value


def _implicit(kind: str) -> Callable[[Any], Any]:
    def convert(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            if x.ndim:
                raise OperatorError("Cannot input a tensor of dimension other than 0 as a scalar argument")
            if kind == "int" and not (dtype_of(x).is_integral or dtype_of(x) is DType.bool):
                raise OperatorError(f"Cannot input a tensor of type {dtype_of(x).graph_name} as an integral argument")
        value = item(x)
        return value if kind == "scalar" else {"int": int, "float": float, "complex": complex}[kind](value)

    return convert


def _size(x: Array, dim: int | None = None) -> Any:
    if dim is None:
        return [int(e) for e in x.shape]
    return int(x.shape[_dimension(dim, x.ndim)])


def _dimension(dim: int, rank: int) -> int:
    span = max(rank, 1)
    if not -span <= dim < span:
        raise OperatorError(f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})")
    return dim % span


def _len(x: Array) -> int:
    if x.ndim == 0:
        raise OperatorError("len() of a 0-d tensor")
    return int(x.shape[0])


def _to_int(x: Any) -> int:
    return cast(int, builtins.NUMBERS["aten::Int"](item(x)))


def strides_of(x: Array) -> list[int]:
    return [s // x.itemsize for s in x.strides]


def _contiguous(x: Array, memory_format: int = 0) -> Array:
    return x if x.flags.c_contiguous else np.ascontiguousarray(x).reshape(x.shape)


def tensor_of(data: Any, dtype: int | None = None) -> Array:
    """`torch.tensor(data)`: dtype from the values unless given."""
    if isinstance(data, np.ndarray):
        return data.astype(DType(dtype).numpy) if dtype is not None else data.copy()
    if isinstance(data, list) and data and isinstance(data[0], np.ndarray):
        stacked = np.stack([np.asarray(v).reshape(()) for v in cast(list[Any], data)])
        return stacked.astype(DType(dtype).numpy) if dtype is not None else stacked
    kind = DType(dtype) if dtype is not None else default_dtype(data)
    nested_shape(data)
    return np.asarray(data, kind.numpy)


def default_dtype(data: Any) -> DType:
    """The dtype that PyTorch infers for (nested lists of) numbers."""
    leaf = data
    kinds: list[DType] = []
    pending = [leaf]
    while pending:
        value = pending.pop()
        if isinstance(value, list | tuple):
            pending.extend(cast(list[Any], value))
        else:
            kinds.append(
                DType.bool
                if isinstance(value, bool)
                else DType.int64
                if isinstance(value, int)
                else DType.complex64
                if isinstance(value, complex)
                else DType.float32
            )
    return max(kinds, key=lambda d: d.category) if kinds else DType.float32


def _view(x: Array, size: Any) -> Array:
    if isinstance(size, int):
        return x.view(DType(size).numpy)
    record = find("aten::view")
    shape = size if record is None else np.shape(record.reference(self=x, size=size))
    view = x.view()
    try:
        view = view.reshape(shape, copy=False)
    except ValueError:
        raise OperatorError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        ) from None
    return view


TENSOR_BUILTINS: Final[dict[str, Callable[..., Any]]] = {
    "aten::size": _size,
    "aten::len": _len,
    "aten::dim": lambda x: x.ndim,
    "aten::numel": lambda x: int(x.size),
    "aten::item": item,
    "aten::Int": _to_int,
    "aten::Float": lambda x: float(item(x)),
    "aten::Bool": truth,
    "aten::Complex": lambda x, y=0: complex(item(x), item(y)),
    "aten::is_nonzero": truth,
    "aten::IntImplicit": _implicit("int"),
    "aten::FloatImplicit": _implicit("float"),
    "aten::ScalarImplicit": _implicit("scalar"),
    "aten::ComplexImplicit": _implicit("complex"),
    "prim::dtype": lambda x: int(dtype_of(x)),
    "prim::device": lambda x: "cpu",
    "prim::layout": lambda x: 0,
    "prim::shape": _size,
    "prim::data": lambda x: x,
    "prim::grad": lambda x: None,
    "prim::requires_grad": lambda x: False,
    "prim::is_cuda": lambda x: False,
    "prim::is_cpu": lambda x: True,
    "prim::is_sparse": lambda x: False,
    "prim::is_quantized": lambda x: False,
    "prim::is_mkldnn": lambda x: False,
    "prim::is_meta": lambda x: False,
    "prim::is_nested": lambda x: False,
    "prim::itemsize": lambda x: x.itemsize,
    "prim::nbytes": lambda x: x.nbytes,
    "aten::is_floating_point": lambda x: dtype_of(x).is_floating,
    "aten::is_complex": lambda x: dtype_of(x).is_complex,
    "aten::is_contiguous": lambda x, memory_format=0: bool(x.flags.c_contiguous),
    "aten::stride": lambda x, dim=None: strides_of(x) if dim is None else strides_of(x)[_dimension(dim, x.ndim)],
    "aten::storage_offset": lambda x: 0,
    "aten::element_size": lambda x: x.itemsize,
    "aten::contiguous": _contiguous,
    "aten::detach": lambda x: x.view(),
    "aten::alias": lambda x: x.view(),
    "aten::lift_fresh": lambda x: x,
    "aten::requires_grad_": lambda x, flag=True: x,
    "aten::detach_": lambda x: x,
    "aten::tensor": lambda data, dtype=None, device=None, requires_grad=False: tensor_of(data, dtype),
    "aten::as_tensor": lambda data, dtype=None, device=None: (
        data if isinstance(data, np.ndarray) and dtype in (None, int(dtype_of(data))) else tensor_of(data, dtype)
    ),
    "aten::scalar_tensor": lambda data, dtype=None, *rest: tensor_of(data, 6 if dtype is None else dtype),
    "prim::NumToTensor": tensor_of,
    "aten::view": _view,
    "aten::type_as": lambda x, other: x if x.dtype == other.dtype else _converted(x, other),
    "aten::real": real_part,
}


def _converted(x: Array, other: Array) -> Array:
    """The elements of one tensor in the dtype of another."""
    record = find("aten::copy")
    assert record is not None
    return np.array(record.reference(self=np.empty(x.shape, other.dtype), src=x, non_blocking=False))


def _expand(x: Array, shape: tuple[int, ...]) -> Array:
    wide = np.broadcast_to(x, shape)
    return np.lib.stride_tricks.as_strided(x, wide.shape, wide.strides)


METADATA: Final = frozenset(
    ["aten::unsqueeze_", "aten::squeeze_", "aten::transpose_", "aten::t_", "aten::swapaxes_", "aten::swapdims_", "aten::as_strided_"]
)
"""Operators that change how a tensor is looked at, not its elements."""

RESIZING: Final = frozenset(["aten::resize_", "aten::resize_as_"])

_SAME: Final = frozenset(["aten::positive", "aten::conj", "aten::resolve_conj", "aten::resolve_neg"])
"""Operators that return their input (real numbers only)."""

_MAYBE_COPIES: Final = frozenset(
    [
        "aten::reshape",
        "aten::reshape_as",
        "aten::flatten",
        "aten::to",
        "aten::type_as",
        "aten::contiguous",
        "aten::_reshape_alias",
        "aten::expand",
        "aten::ravel",
        "aten::real",
        "aten::view_as",
        "aten::_to_copy",
        "aten::float",
        "aten::unflatten",
    ]
)


def resized(x: Array, shape: Sequence[int]) -> Array:
    """`resize_`: the first elements of its memory, or more of them in memory of its own."""
    count = math.prod(shape)
    memory = _memory(x)
    offset = (_address(x) - _address(memory)) // x.itemsize
    if memory.flags.c_contiguous and memory.dtype == x.dtype and offset + count <= memory.size:
        return memory.reshape(-1)[offset : offset + count].reshape(shape)
    larger = np.zeros(count, x.dtype)
    larger[: x.size] = x.reshape(-1)[:count]
    return larger.reshape(shape)


def _memory(x: Array) -> Array:
    """What it is a view of, at last."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x


def strided(x: Array, size: list[int], stride: list[int], offset: int | None = None) -> Array:
    """Offsets count from the start of the memory, wherever the tensor lies in it."""
    memory = _memory(x)
    start = _address(x) - _address(memory) if offset is None else offset * x.itemsize
    if not memory.flags.c_contiguous or any(n < 0 for n in (start, *stride)):
        raise OperatorError("as_strided of this layout")
    if 0 not in size and start + (sum((n - 1) * s for n, s in zip(size, stride)) + 1) * x.itemsize > memory.nbytes:
        raise OperatorError("setStorage: sizes and strides are out of bounds for the storage")
    elements = memory.reshape(-1, copy=False)[start // x.itemsize :]
    steps = [s * x.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(elements, size, steps, writeable=x.flags.writeable)


def _address(x: Array) -> int:
    return cast(int, x.__array_interface__["data"][0])


def viewed(form: Schema, arguments: list[Any], result: Any, *, copies: bool = False) -> Any:
    """The result of a view operator as views of its input, given what its reference computed."""
    source = cast(Array, arguments[0])
    base, _ = split_name(form.name)
    if copies:
        return np.array(result)
    if base == "aten::conj" and source.dtype.kind == "c":
        value = np.array(result)
        value.flags.writeable = False  # numpy has no view that conjugates
        return value
    if base in _SAME and np.shape(result) == source.shape and np.asarray(result).dtype == source.dtype:
        return source
    if isinstance(result, list | tuple):
        parts = [np.asarray(v) for v in cast(list[Any], result)]
        if all(np.may_share_memory(p, source) or p.size == 0 for p in parts):
            return [_writable(p, source) for p in parts]
        raise InternalError(f"the reference of {form.name} gives no views")
    value = np.asarray(result)
    if base == "aten::expand":
        return _expand(source, value.shape)
    if np.may_share_memory(value, source) or value.size == 0:
        return _writable(value, source)
    if base in _MAYBE_COPIES:
        return value
    raise InternalError(f"the reference of {form.name} gives no view")


def _writable(view: Array, source: Array) -> Array:
    """numpy makes some views read-only; what is a view of writable memory can be written."""
    if source.flags.writeable and not view.flags.writeable:
        view.flags.writeable = True
    return view


def write(target: Array, value: Any) -> None:
    """`target[...] = value` under the rules of in-place operators."""
    source = np.asarray(value)
    if target.shape != source.shape:
        try:
            wide = np.broadcast_shapes(target.shape, source.shape)
        except ValueError:
            wide = source.shape
        if wide != target.shape:
            shown = list(target.shape), list(wide)
            raise OperatorError(f"output with shape {shown[0]} doesn't match the broadcast shape {shown[1]}")
    if target.size and any(s == 0 and e > 1 for s, e in zip(target.strides, target.shape)):
        raise OperatorError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    record = find("aten::copy")
    if source.dtype != target.dtype and record is not None:
        source = np.asarray(record.reference(self=target, src=source, non_blocking=False))
    with np.errstate(all="ignore"):
        target[...] = source.astype(target.dtype, copy=False)


def inferred(value: Any) -> Any:
    """A run-time value as `infer` rules take it."""
    if isinstance(value, np.ndarray):
        return TensorType(dtype_of(value), tuple(int(e) for e in value.shape))
    if isinstance(value, list | tuple):
        return [inferred(v) for v in cast(Sequence[Any], value)]
    return value


def normal(form: Schema, result: Any) -> Any:
    """numpy scalars become arrays where a tensor is meant, Python numbers otherwise."""
    if len(form.returns) == 1:
        return _normal_value(form.returns[0].type, result)
    return tuple(_normal_value(r.type, v) for r, v in zip(form.returns, cast(Sequence[Any], result)))


def _normal_value(type_: ScriptType, value: Any) -> Any:
    if isinstance(type_, OptionalType):
        return None if value is None else _normal_value(type_.element, value)
    if isinstance(type_, TensorType):
        return value if value is None else np.asarray(value)
    if isinstance(type_, ListType) and isinstance(value, list | tuple):
        return [_normal_value(type_.element, v) for v in cast(Sequence[Any], value)]
    if isinstance(value, np.ndarray | np.generic) and np.ndim(value) == 0:
        return value.item()
    return value


def fresh(array: Array, inputs: Sequence[Array], dense: bool) -> Array:
    """A result with memory of its own; from contiguous tensors PyTorch makes contiguous ones."""
    if dense and not array.flags.c_contiguous:
        return np.ascontiguousarray(array)
    return array.copy(order="K") if any(np.may_share_memory(array, i) for i in inputs) else array


def arrays_of(value: Any) -> list[Array]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, list | tuple):
        return [a for v in cast(Sequence[Any], value) for a in arrays_of(v)]
    return []


def map_arrays(value: Any, function: Callable[[Array], Array]) -> Any:
    if isinstance(value, np.ndarray):
        return function(value)
    if isinstance(value, list):
        return [map_arrays(v, function) for v in cast(list[Any], value)]
    if isinstance(value, tuple):
        return tuple(map_arrays(v, function) for v in cast(tuple[Any, ...], value))
    return value
