"""`torch.*` functions and tensor methods of the module evaluator, in numpy.

Each function takes what the user passes, by PyTorch's names; those in `METHODS` are also methods of their first
argument. In-place forms are derived (`add_`). Errors of Python and numpy (ValueError, TypeError ...) become
CompileErrors in the evaluator. `Context` gives the random stream and bounds the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np

from ..ir.dtypes import DType
from ..ir.generator import Generator
from . import initialise, signal_functions
from .host_tensor import DEFAULT_DTYPE, Array, HostTensor, Number, as_array, float_dtype, result_dtype
from .machine import is_list
from .values import Device

Scalarlike = HostTensor | Number


class Context(Protocol):
    """What tensor functions need of the evaluator."""

    generator: Generator

    def reserve(self, count: int, itemsize: int) -> None:
        """Account for a new tensor; raises if the program makes too many."""
        ...


Function = Callable[..., Any]


def _shape(sizes: Sequence[Any]) -> tuple[int, ...]:
    """`f(2, 3)`, `f((2, 3))` and `f([2, 3])`."""
    if len(sizes) == 1 and is_list(sizes[0]):
        sizes = sizes[0]
    shape = tuple(_index(s) for s in sizes)
    if any(s < 0 for s in shape):
        raise ValueError(f"a tensor cannot have the shape {list(shape)}")
    return shape


def _index(value: Any) -> int:
    if isinstance(value, HostTensor):
        return int(value.array)
    if not isinstance(value, int):
        raise TypeError(f"expected an int, got {value!r}")
    return int(value)


def _dims(sizes: Sequence[Any]) -> tuple[int, ...]:
    """Like `_shape`, negative numbers allowed."""
    if len(sizes) == 1 and is_list(sizes[0]):
        sizes = sizes[0]
    return tuple(_index(s) for s in sizes)


def _new(
    cx: Context, shape: tuple[int, ...], dtype: DType | None, fill: Any = 0, requires_grad: bool = False
) -> HostTensor:
    dtype = dtype or DEFAULT_DTYPE
    cx.reserve(math.prod(shape), dtype.itemsize)
    array = np.zeros(shape, dtype.numpy)
    if fill != 0:
        array[...] = fill
    return HostTensor(array, bool(requires_grad))


# making tensors


def zeros(cx: Context, *size: Any, dtype: DType | None = None, requires_grad: bool = False, **_: Any) -> HostTensor:
    return _new(cx, _shape(size), dtype, 0, requires_grad)


def ones(cx: Context, *size: Any, dtype: DType | None = None, requires_grad: bool = False, **_: Any) -> HostTensor:
    return _new(cx, _shape(size), dtype, 1, requires_grad)


def full(cx: Context, size: Any, fill_value: Any, dtype: DType | None = None, **_: Any) -> HostTensor:
    value = fill_value.array.item() if isinstance(fill_value, HostTensor) else fill_value
    inferred = {bool: DType.bool, int: DType.int64, float: DEFAULT_DTYPE, complex: DType.complex64}[type(value)]
    return _new(cx, _shape((size,)), dtype or inferred, value)


def eye(cx: Context, n: int, m: int | None = None, dtype: DType | None = None, **_: Any) -> HostTensor:
    tensor = _new(cx, _shape((n, n if m is None else m)), dtype)
    np.fill_diagonal(tensor.array, 1)
    return tensor


def arange(cx: Context, start: Any, end: Any = None, step: Any = 1, dtype: DType | None = None, **_: Any) -> HostTensor:
    if end is None:
        start, end = 0, start
    start, end, step = (v.array.item() if isinstance(v, HostTensor) else v for v in (start, end, step))
    if step == 0:
        raise ValueError("step must be nonzero")
    if dtype is None:
        dtype = DType.int64 if all(isinstance(v, int) for v in (start, end, step)) else DEFAULT_DTYPE
    count = max(0, math.ceil((end - start) / step))
    cx.reserve(count, 8)
    indices = np.arange(count)
    return HostTensor((start + indices * step).astype(dtype.numpy))


def linspace(cx: Context, start: Any, end: Any, steps: int, dtype: DType | None = None, **_: Any) -> HostTensor:
    """PyTorch computes from both ends, in the dtype of the result."""
    kind = (dtype or DEFAULT_DTYPE).numpy
    start, end = (v.array.item() if isinstance(v, HostTensor) else v for v in (start, end))
    cx.reserve(steps, kind.itemsize)
    if steps == 1:
        return HostTensor(np.array([start], kind))
    scalar: Any = kind.type
    step = (
        scalar((end - start) / (steps - 1)) if kind.kind in "iu" else (scalar(end) - scalar(start)) / scalar(steps - 1)
    )
    indices = np.arange(steps)
    low = scalar(start) + step * indices.astype(kind)
    high = scalar(end) - step * (steps - 1 - indices).astype(kind)
    return HostTensor(np.asarray(np.where(indices < steps // 2, low, high), kind))


def logspace(
    cx: Context, start: float, end: float, steps: int, base: float = 10.0, dtype: DType | None = None, **_: Any
) -> HostTensor:
    exponents = linspace(cx, start, end, steps, DType.float64).array
    return HostTensor(np.power(base, exponents).astype((dtype or DEFAULT_DTYPE).numpy))


def tensor(cx: Context, data: Any, dtype: DType | None = None, requires_grad: bool = False, **_: Any) -> HostTensor:
    if isinstance(data, HostTensor):
        array = np.array(data.array)
    else:
        array = np.array(_plain(data))
        if array.dtype.kind not in "biufc":
            raise ValueError("the elements of a tensor must be numbers, in lists of equal length")
        if dtype is None:
            if array.dtype.kind == "f":
                dtype = DEFAULT_DTYPE
            elif array.dtype.kind == "c":
                dtype = DType.complex64
            elif array.size == 0:
                dtype = DEFAULT_DTYPE
    cx.reserve(array.size, array.itemsize)
    return HostTensor(array if dtype is None else array.astype(dtype.numpy), bool(requires_grad))


def _plain(data: Any) -> Any:
    if isinstance(data, HostTensor):
        return data.array.tolist()
    if is_list(data):
        return [_plain(d) for d in data]
    if isinstance(data, range):
        return list(data)
    if not isinstance(data, int | float | complex):
        raise TypeError(f"a tensor cannot be made of {data!r}")
    return data


def as_tensor(cx: Context, data: Any, dtype: DType | None = None, **_: Any) -> HostTensor:
    if isinstance(data, HostTensor) and (dtype is None or dtype is data.dtype):
        return data
    return tensor(cx, data, dtype)


def like(fill: Any) -> Function:
    def make(
        cx: Context, input: HostTensor, dtype: DType | None = None, requires_grad: bool = False, **_: Any
    ) -> HostTensor:
        return _new(cx, input.shape, dtype or input.dtype, fill, requires_grad)

    return make


def full_like(cx: Context, input: HostTensor, fill_value: Any, dtype: DType | None = None, **_: Any) -> HostTensor:
    return _new(cx, input.shape, dtype or input.dtype, fill_value)


def new_full(
    cx: Context, input: HostTensor, size: Any, fill_value: Any, dtype: DType | None = None, **_: Any
) -> HostTensor:
    return _new(cx, _shape((size,)), dtype or input.dtype, fill_value)


def new(fill: Any) -> Function:
    def make(cx: Context, input: HostTensor, *size: Any, dtype: DType | None = None, **_: Any) -> HostTensor:
        return _new(cx, _shape(size), dtype or input.dtype, fill)

    return make


def new_tensor(cx: Context, input: HostTensor, data: Any, dtype: DType | None = None, **_: Any) -> HostTensor:
    return tensor(cx, data, dtype or input.dtype)


# random numbers


def rand(cx: Context, *size: Any, dtype: DType | None = None, **_: Any) -> HostTensor:
    result = _new(cx, _shape(size), dtype)
    initialise.uniform_(result.array, cx.generator)
    return result


def randn(cx: Context, *size: Any, dtype: DType | None = None, **_: Any) -> HostTensor:
    result = _new(cx, _shape(size), dtype)
    initialise.normal_(result.array, cx.generator)
    return result


def rand_like(cx: Context, input: HostTensor, dtype: DType | None = None, **_: Any) -> HostTensor:
    return rand(cx, *input.shape, dtype=dtype or input.dtype)


def randn_like(cx: Context, input: HostTensor, dtype: DType | None = None, **_: Any) -> HostTensor:
    return randn(cx, *input.shape, dtype=dtype or input.dtype)


def randint(cx: Context, low: int, high: Any, size: Any = None, dtype: DType | None = None, **_: Any) -> HostTensor:
    if size is None:
        low, high, size = 0, low, high
    result = _new(cx, _shape((size,)), dtype or DType.int64)
    result.array[...] = initialise.integers(result.array.size, low, high, cx.generator).reshape(result.shape)
    return result


def randperm(cx: Context, n: int, **_: Any) -> HostTensor:
    cx.reserve(n, 8)
    return HostTensor(initialise.permutation(n, cx.generator))


def bernoulli(cx: Context, input: HostTensor, p: float | None = None) -> HostTensor:
    chances = np.full(input.shape, p) if p is not None else input.array
    return HostTensor(initialise.bernoulli(chances, cx.generator).astype(input.array.dtype))


def normal(cx: Context, mean: Any, std: Any, size: Any = None, **_: Any) -> HostTensor:
    if size is not None:
        result = _new(cx, _shape((size,)), None)
        initialise.normal_(result.array, cx.generator, mean, std)
        return result
    model = mean if isinstance(mean, HostTensor) else std
    noise = randn_like(cx, model)
    return add(cx, mul(cx, noise, std), mean)


def manual_seed(cx: Context, seed: int) -> None:
    cx.generator.manual_seed(seed)


# arithmetic


def _binary(
    function: Callable[[Array, Array], Array], *, true_division: bool = False, compares: bool = False
) -> Function:
    def compute(cx: Context, input: Scalarlike, other: Scalarlike) -> HostTensor:
        dtype = result_dtype(input, other)
        if true_division:
            dtype = float_dtype(dtype)
        a, b = as_array(input, dtype), as_array(other, dtype)
        cx.reserve(math.prod(np.broadcast_shapes(a.shape, b.shape)), dtype.itemsize)
        with np.errstate(all="ignore"):
            result = np.asarray(function(a, b))
        return HostTensor(result if compares else result.astype(dtype.numpy, copy=False))

    return compute


mul = _binary(np.multiply)
_add = _binary(np.add)
_sub = _binary(np.subtract)


def add(cx: Context, input: Scalarlike, other: Scalarlike, *, alpha: Number = 1) -> HostTensor:
    return _add(cx, input, other if alpha == 1 else mul(cx, other, alpha))


def sub(cx: Context, input: Scalarlike, other: Scalarlike, *, alpha: Number = 1) -> HostTensor:
    return _sub(cx, input, other if alpha == 1 else mul(cx, other, alpha))


def rsub(cx: Context, input: Scalarlike, other: Scalarlike) -> HostTensor:
    return _sub(cx, other, input)


def pow_(cx: Context, input: Scalarlike, exponent: Scalarlike) -> HostTensor:
    return _binary(np.power)(cx, input, exponent)


def div(cx: Context, input: Scalarlike, other: Scalarlike, *, rounding_mode: str | None = None) -> HostTensor:
    if rounding_mode == "floor":
        return _binary(np.floor_divide)(cx, input, other)
    result = _binary(np.true_divide, true_division=True)(cx, input, other)
    if rounding_mode == "trunc":
        return HostTensor(np.trunc(result.array).astype(result_dtype(input, other).numpy))
    return result


def _unary(function: Callable[[Array], Array], *, floats: bool = True) -> Function:
    """`floats`: integers are converted to the default dtype first."""

    def compute(cx: Context, input: HostTensor) -> HostTensor:
        array = input.array
        cx.reserve(array.size, array.itemsize)
        if floats:
            array = array.astype(float_dtype(input.dtype).numpy, copy=False)
        with np.errstate(all="ignore"):
            return HostTensor(np.asarray(function(array)).astype(array.dtype, copy=False))

    return compute


def _predicate(function: Callable[[Array], Array]) -> Function:
    def compute(cx: Context, input: HostTensor) -> HostTensor:
        return HostTensor(np.asarray(function(input.array)))

    return compute


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def clamp(cx: Context, input: HostTensor, min: Any = None, max: Any = None) -> HostTensor:
    result = input
    if min is not None:
        result = _binary(np.maximum)(cx, result, min)
    if max is not None:
        result = _binary(np.minimum)(cx, result, max)
    return result


def matmul(cx: Context, input: HostTensor, other: HostTensor) -> HostTensor:
    cx.reserve(input.array.size + other.array.size, 8)
    return HostTensor(np.asarray(np.matmul(input.array, other.array)))


def outer(cx: Context, input: HostTensor, vec2: HostTensor) -> HostTensor:
    cx.reserve(input.array.size * vec2.array.size, 8)
    dtype = result_dtype(input, vec2)
    return HostTensor(np.outer(as_array(input, dtype), as_array(vec2, dtype)))


def einsum(cx: Context, equation: str, *operands: Any) -> HostTensor:
    arrays = [t.array for t in (operands[0] if is_list(operands[0]) else operands)]
    cx.reserve(sum(a.size for a in arrays), 8)
    return HostTensor(np.asarray(np.einsum(equation, *arrays)))


# reductions


def _axes(dim: Any) -> Any:
    return tuple(dim) if is_list(dim) else dim


def _reduction(function: Callable[..., Any], *, floats: bool = False) -> Function:
    def compute(
        cx: Context, input: HostTensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None
    ) -> HostTensor:
        array = input.array
        if dtype is not None:
            array = array.astype(dtype.numpy)
        elif floats:
            array = array.astype(float_dtype(input.dtype).numpy, copy=False)
        result = np.asarray(function(array, axis=_axes(dim), keepdims=keepdim))
        if array.dtype.kind in "fcV" and result.dtype != array.dtype:
            result = result.astype(array.dtype)
        return HostTensor(result)

    return compute


def _extremum(
    pick: Callable[..., Any], where: Callable[..., Any], pairwise: Callable[[Array, Array], Array]
) -> Function:
    """`max(x)`, `max(x, dim)` (values and indices) and `max(x, y)`."""

    def compute(cx: Context, input: HostTensor, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return HostTensor(np.asarray(pick(input.array)))
        if isinstance(dim, HostTensor):
            return _binary(pairwise)(cx, input, dim)
        return (
            HostTensor(np.asarray(pick(input.array, axis=dim, keepdims=keepdim))),
            HostTensor(np.asarray(where(input.array, axis=dim, keepdims=keepdim), np.int64)),
        )

    return compute


def _spread(function: Callable[..., Any]) -> Function:
    def compute(
        cx: Context,
        input: HostTensor,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: int | None = None,
    ) -> HostTensor:
        ddof = correction if correction is not None else int(unbiased)
        return HostTensor(np.asarray(function(input.array, axis=_axes(dim), ddof=ddof, keepdims=keepdim)))

    return compute


def norm(cx: Context, input: HostTensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> HostTensor:
    array = np.abs(input.array)
    axis = _axes(dim)
    if p in ("fro", 2, None):
        return HostTensor(np.asarray(np.sqrt(np.sum(array * array, axis=axis, keepdims=keepdim))))
    if p == math.inf:
        return HostTensor(np.asarray(np.max(array, axis=axis, keepdims=keepdim)))
    return HostTensor(np.asarray(np.sum(array**p, axis=axis, keepdims=keepdim) ** (1 / p)))


def cumulative(function: Callable[..., Any]) -> Function:
    def compute(cx: Context, input: HostTensor, dim: int) -> HostTensor:
        result = function(input.array, axis=dim)
        return HostTensor(result.astype(input.array.dtype, copy=False) if input.dtype.is_floating else result)

    return compute


def softmax(cx: Context, input: HostTensor, dim: int) -> HostTensor:
    shifted = np.exp(input.array - input.array.max(axis=dim, keepdims=True))
    return HostTensor(shifted / shifted.sum(axis=dim, keepdims=True))


# shape


def view(cx: Context, input: HostTensor, *shape: Any) -> HostTensor:
    if len(shape) == 1 and isinstance(shape[0], DType):
        return HostTensor(input.array.view(shape[0].numpy))
    return HostTensor(input.array.reshape(_dims(shape)))


def flatten(cx: Context, input: HostTensor, start_dim: int = 0, end_dim: int = -1) -> HostTensor:
    rank = input.array.ndim
    start, end = start_dim % max(rank, 1), end_dim % max(rank, 1)
    shape = input.shape
    return HostTensor(input.array.reshape(*shape[:start], -1, *shape[end + 1 :]))


def permute(cx: Context, input: HostTensor, *dims: Any) -> HostTensor:
    return HostTensor(np.transpose(input.array, _dims(dims)))


def transpose(cx: Context, input: HostTensor, dim0: int, dim1: int) -> HostTensor:
    return HostTensor(np.swapaxes(input.array, dim0, dim1))


def t(cx: Context, input: HostTensor) -> HostTensor:
    if input.array.ndim > 2:
        raise ValueError("t() expects a tensor with at most 2 dimensions")
    return HostTensor(input.array.T)


def unsqueeze(cx: Context, input: HostTensor, dim: int) -> HostTensor:
    return HostTensor(np.expand_dims(input.array, dim))


def squeeze(cx: Context, input: HostTensor, dim: int | None = None) -> HostTensor:
    if dim is not None and input.shape[dim] != 1:
        return HostTensor(input.array)
    return HostTensor(np.squeeze(input.array, dim))


def expand(cx: Context, input: HostTensor, *sizes: Any) -> HostTensor:
    wanted = _dims(sizes)
    padded = (1,) * (len(wanted) - input.array.ndim) + input.shape
    return HostTensor(np.broadcast_to(input.array, [p if w == -1 else w for w, p in zip(wanted, padded)]))


def expand_as(cx: Context, input: HostTensor, other: HostTensor) -> HostTensor:
    return HostTensor(np.broadcast_to(input.array, other.shape))


def repeat(cx: Context, input: HostTensor, *sizes: Any) -> HostTensor:
    counts = _shape(sizes)
    cx.reserve(math.prod(counts) * max(input.array.size, 1), input.array.itemsize)
    return HostTensor(np.tile(input.array, counts))


def repeat_interleave(cx: Context, input: HostTensor, repeats: int, dim: int | None = None) -> HostTensor:
    cx.reserve(input.array.size * repeats, input.array.itemsize)
    return HostTensor(np.repeat(input.array, repeats, axis=dim))


def cat(cx: Context, tensors: Sequence[HostTensor], dim: int = 0) -> HostTensor:
    dtype = result_dtype(*tensors)
    cx.reserve(sum(x.array.size for x in tensors), dtype.itemsize)
    return HostTensor(np.concatenate([as_array(x, dtype) for x in tensors], axis=dim))


def stack(cx: Context, tensors: Sequence[HostTensor], dim: int = 0) -> HostTensor:
    dtype = result_dtype(*tensors)
    cx.reserve(sum(x.array.size for x in tensors), dtype.itemsize)
    return HostTensor(np.stack([as_array(x, dtype) for x in tensors], axis=dim))


def chunk(cx: Context, input: HostTensor, chunks: int, dim: int = 0) -> tuple[HostTensor, ...]:
    return split(cx, input, -(-input.shape[dim] // chunks), dim)


def split(cx: Context, input: HostTensor, split_size_or_sections: Any, dim: int = 0) -> tuple[HostTensor, ...]:
    length = input.shape[dim]
    size = split_size_or_sections
    sizes = size if is_list(size) else [size] * (-(-length // size))
    bounds = np.cumsum([int(s) for s in sizes])[:-1]
    return tuple(HostTensor(part) for part in np.split(input.array, bounds, axis=dim))


def unbind(cx: Context, input: HostTensor, dim: int = 0) -> tuple[HostTensor, ...]:
    return tuple(HostTensor(part) for part in np.moveaxis(input.array, dim, 0))


def meshgrid(cx: Context, *tensors: Any, indexing: Any = "ij") -> tuple[HostTensor, ...]:
    arrays = [x.array for x in (tensors[0] if is_list(tensors[0]) else tensors)]
    cx.reserve(math.prod(a.size for a in arrays) * len(arrays), 8)
    return tuple(HostTensor(a) for a in np.meshgrid(*arrays, indexing=indexing))


def tril(cx: Context, input: HostTensor, diagonal: int = 0) -> HostTensor:
    return HostTensor(np.tril(input.array, diagonal))


def triu(cx: Context, input: HostTensor, diagonal: int = 0) -> HostTensor:
    return HostTensor(np.triu(input.array, diagonal))


def diag(cx: Context, input: HostTensor, diagonal: int = 0) -> HostTensor:
    cx.reserve(input.array.size**2 if input.array.ndim == 1 else 0, input.array.itemsize)
    return HostTensor(np.diag(input.array, diagonal))


def flip(cx: Context, input: HostTensor, *dims: Any) -> HostTensor:
    return HostTensor(np.flip(input.array, _dims(dims)))


def roll(cx: Context, input: HostTensor, shifts: Any, dims: Any = None) -> HostTensor:
    return HostTensor(np.roll(input.array, shifts, _axes(dims)))


def where(cx: Context, condition: HostTensor, input: Any = None, other: Any = None) -> Any:
    if input is None:
        return tuple(HostTensor(i) for i in np.nonzero(condition.array))
    dtype = result_dtype(input, other)
    return HostTensor(np.where(condition.array, as_array(input, dtype), as_array(other, dtype)))


def masked_fill(cx: Context, input: HostTensor, mask: HostTensor, value: Any) -> HostTensor:
    fill = value.array if isinstance(value, HostTensor) else value
    return HostTensor(np.where(mask.array, np.asarray(fill, input.array.dtype), input.array))


def index_select(cx: Context, input: HostTensor, dim: int, index: HostTensor) -> HostTensor:
    cx.reserve(input.array.size, input.array.itemsize)
    return HostTensor(np.take(input.array, index.array, axis=dim))


def gather(cx: Context, input: HostTensor, dim: int, index: HostTensor) -> HostTensor:
    return HostTensor(np.take_along_axis(input.array, index.array, axis=dim))


# methods


def size(cx: Context, input: HostTensor, dim: int | None = None) -> Any:
    return input.shape if dim is None else input.shape[dim]


def length(cx: Context, input: HostTensor) -> int:
    return len(input.array)


def numel(cx: Context, input: HostTensor) -> int:
    return input.array.size


def dim(cx: Context, input: HostTensor) -> int:
    return input.array.ndim


def item(cx: Context, input: HostTensor) -> Any:
    if input.array.size != 1:
        raise ValueError(f"a Tensor with {input.array.size} elements cannot be converted to Scalar")
    value = input.array.reshape(()).item()
    return value if isinstance(value, bool | int | complex) else float(value)


def tolist(cx: Context, input: HostTensor) -> Any:
    cx.reserve(input.array.size, 32)
    array = input.array.astype(np.float32) if input.array.dtype.kind == "V" else input.array
    return array.tolist()


def clone(cx: Context, input: HostTensor, **_: Any) -> HostTensor:
    cx.reserve(input.array.size, input.array.itemsize)
    return HostTensor(np.array(input.array), input.requires_grad)


def detach(cx: Context, input: HostTensor) -> HostTensor:
    return HostTensor(input.array)


def same(cx: Context, input: HostTensor, *_: Any, **__: Any) -> HostTensor:
    return input


def contiguous(cx: Context, input: HostTensor, **_: Any) -> HostTensor:
    return input if input.array.flags.c_contiguous else clone(cx, input)


def to(cx: Context, input: HostTensor, *args: Any, dtype: DType | None = None, **_: Any) -> HostTensor:
    for arg in args:
        if isinstance(arg, DType):
            dtype = arg
        elif isinstance(arg, HostTensor):
            dtype = arg.dtype
        elif not isinstance(arg, Device | str | bool):
            raise TypeError(f"to() cannot use {arg!r}")
    if dtype is None or dtype is input.dtype:
        return input
    cx.reserve(input.array.size, dtype.itemsize)
    return HostTensor(input.array.astype(dtype.numpy), input.requires_grad)


def _cast(dtype: DType) -> Function:
    def compute(cx: Context, input: HostTensor) -> HostTensor:
        return to(cx, input, dtype)

    return compute


def requires_grad_(cx: Context, input: HostTensor, requires_grad: bool = True) -> HostTensor:
    input.requires_grad = requires_grad
    return input


def fill_(cx: Context, input: HostTensor, value: Any) -> HostTensor:
    input.array[...] = value.array if isinstance(value, HostTensor) else value
    return input


def zero_(cx: Context, input: HostTensor) -> HostTensor:
    return fill_(cx, input, 0)


def copy_(cx: Context, input: HostTensor, src: HostTensor, non_blocking: bool = False) -> HostTensor:
    input.array[...] = src.array
    return input


def uniform_(cx: Context, input: HostTensor, from_: float = 0, to: float = 1, **_: Any) -> HostTensor:
    initialise.uniform_(input.array, cx.generator, from_, to)
    return input


def normal_(cx: Context, input: HostTensor, mean: float = 0, std: float = 1, **_: Any) -> HostTensor:
    initialise.normal_(input.array, cx.generator, mean, std)
    return input


def bernoulli_(cx: Context, input: HostTensor, p: float = 0.5, **_: Any) -> HostTensor:
    """With a number for `p`: 53 random bits for each element."""
    input.array[...] = initialise.bernoulli(np.full(input.shape, p, np.float64), cx.generator)
    return input


def fill_diagonal_(cx: Context, input: HostTensor, fill_value: Any, wrap: bool = False) -> HostTensor:
    np.fill_diagonal(input.array, fill_value, wrap)
    return input


def is_floating_point(cx: Context, input: HostTensor) -> bool:
    return input.dtype.is_floating


def logical_not(cx: Context, input: HostTensor) -> HostTensor:
    return HostTensor(np.logical_not(input.array))


_round = _unary(np.round, floats=False)

METHODS: Final[dict[str, Function]] = {
    **signal_functions.METHODS,
    "add": add,
    "sub": sub,
    "subtract": sub,
    "rsub": rsub,
    "mul": mul,
    "multiply": mul,
    "div": div,
    "divide": div,
    "true_divide": div,
    "floor_divide": _binary(np.floor_divide),
    "remainder": _binary(np.remainder),
    "fmod": _binary(np.fmod),
    "pow": pow_,
    "maximum": _binary(np.maximum),
    "minimum": _binary(np.minimum),
    "atan2": _binary(np.arctan2),
    "eq": _binary(np.equal, compares=True),
    "ne": _binary(np.not_equal, compares=True),
    "lt": _binary(np.less, compares=True),
    "le": _binary(np.less_equal, compares=True),
    "gt": _binary(np.greater, compares=True),
    "ge": _binary(np.greater_equal, compares=True),
    "bitwise_and": _binary(np.bitwise_and),
    "bitwise_or": _binary(np.bitwise_or),
    "bitwise_xor": _binary(np.bitwise_xor),
    "logical_and": _binary(np.logical_and, compares=True),
    "logical_or": _binary(np.logical_or, compares=True),
    "logical_not": logical_not,
    "bitwise_not": _unary(np.bitwise_not, floats=False),
    "exp": _unary(np.exp),
    "log": _unary(np.log),
    "log2": _unary(np.log2),
    "log10": _unary(np.log10),
    "log1p": _unary(np.log1p),
    "expm1": _unary(np.expm1),
    "sqrt": _unary(np.sqrt),
    "rsqrt": _unary(lambda x: 1 / np.sqrt(x)),
    "sin": _unary(np.sin),
    "cos": _unary(np.cos),
    "tan": _unary(np.tan),
    "asin": _unary(np.arcsin),
    "acos": _unary(np.arccos),
    "atan": _unary(np.arctan),
    "tanh": _unary(np.tanh),
    "sinh": _unary(np.sinh),
    "cosh": _unary(np.cosh),
    "sigmoid": _unary(_sigmoid),
    "reciprocal": _unary(lambda x: 1 / x),
    "abs": _unary(np.abs, floats=False),
    "neg": _unary(np.negative, floats=False),
    "square": _unary(np.square, floats=False),
    "floor": _unary(np.floor, floats=False),
    "ceil": _unary(np.ceil, floats=False),
    "round": _round,
    "trunc": _unary(np.trunc, floats=False),
    "sign": _unary(np.sign, floats=False),
    "relu": _unary(lambda x: np.maximum(x, 0), floats=False),
    "isnan": _predicate(np.isnan),
    "isinf": _predicate(np.isinf),
    "isfinite": _predicate(np.isfinite),
    "clamp": clamp,
    "clip": clamp,
    "matmul": matmul,
    "mm": matmul,
    "bmm": matmul,
    "mv": matmul,
    "dot": matmul,
    "outer": outer,
    "ger": outer,
    "sum": _reduction(np.sum),
    "mean": _reduction(np.mean, floats=True),
    "prod": _reduction(np.prod),
    "amax": _reduction(np.max),
    "amin": _reduction(np.min),
    "all": _reduction(np.all),
    "any": _reduction(np.any),
    "argmax": _reduction(np.argmax),
    "argmin": _reduction(np.argmin),
    "max": _extremum(np.max, np.argmax, np.maximum),
    "min": _extremum(np.min, np.argmin, np.minimum),
    "std": _spread(np.std),
    "var": _spread(np.var),
    "norm": norm,
    "cumsum": cumulative(np.cumsum),
    "cumprod": cumulative(np.cumprod),
    "softmax": softmax,
    "view": view,
    "reshape": view,
    "flatten": flatten,
    "permute": permute,
    "transpose": transpose,
    "t": t,
    "unsqueeze": unsqueeze,
    "squeeze": squeeze,
    "expand": expand,
    "expand_as": expand_as,
    "repeat": repeat,
    "tile": repeat,
    "repeat_interleave": repeat_interleave,
    "chunk": chunk,
    "split": split,
    "unbind": unbind,
    "tril": tril,
    "triu": triu,
    "diag": diag,
    "flip": flip,
    "roll": roll,
    "masked_fill": masked_fill,
    "index_select": index_select,
    "gather": gather,
    "numel": numel,
    "clone": clone,
    "detach": detach,
    "is_floating_point": is_floating_point,
    "bernoulli": bernoulli,
}
"""Functions `torch.f(x, ...)` that are also methods `x.f(...)`."""

FUNCTIONS: Final[dict[str, Function]] = {
    **METHODS,
    **signal_functions.FUNCTIONS,
    "zeros": zeros,
    "ones": ones,
    "empty": zeros,
    "full": full,
    "eye": eye,
    "arange": arange,
    "linspace": linspace,
    "logspace": logspace,
    "tensor": tensor,
    "as_tensor": as_tensor,
    "zeros_like": like(0),
    "ones_like": like(1),
    "empty_like": like(0),
    "full_like": full_like,
    "rand": rand,
    "randn": randn,
    "rand_like": rand_like,
    "randn_like": randn_like,
    "randint": randint,
    "randperm": randperm,
    "normal": normal,
    "manual_seed": manual_seed,
    "cat": cat,
    "concat": cat,
    "concatenate": cat,
    "stack": stack,
    "meshgrid": meshgrid,
    "where": where,
    "einsum": einsum,
}
"""`torch.f`."""

TENSOR_METHODS: Final[dict[str, Function]] = {
    **METHODS,
    "size": size,
    "dim": dim,
    "ndimension": dim,
    "nelement": numel,
    "item": item,
    "tolist": tolist,
    "contiguous": contiguous,
    "to": to,
    "type": to,
    "float": _cast(DType.float32),
    "double": _cast(DType.float64),
    "half": _cast(DType.float16),
    "bfloat16": _cast(DType.bfloat16),
    "int": _cast(DType.int32),
    "long": _cast(DType.int64),
    "short": _cast(DType.int16),
    "char": _cast(DType.int8),
    "byte": _cast(DType.uint8),
    "bool": _cast(DType.bool),
    "cpu": same,
    "cuda": same,
    "requires_grad_": requires_grad_,
    "fill_": fill_,
    "zero_": zero_,
    "copy_": copy_,
    "uniform_": uniform_,
    "normal_": normal_,
    "bernoulli_": bernoulli_,
    "fill_diagonal_": fill_diagonal_,
    "new_zeros": new(0),
    "new_ones": new(1),
    "new_empty": new(0),
    "new_full": new_full,
    "new_tensor": new_tensor,
    "__len__": length,
}
"""`x.f`; `x.f_` is `f` written back, where `f` is in METHODS."""
