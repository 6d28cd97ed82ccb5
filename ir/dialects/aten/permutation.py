"""Operators that reorder dimensions: permute, transpose, movedim and their kin.

Value semantics here; the references return numpy views, so that the interpreter of the `torch` stage keeps PyTorch's
aliasing. Writing back through a view stands in `view_writes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...core import Value
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from .layout import (
    permuted,
)
from .lowering import LoweringContext
from .reshaping import any_rank_samples
from .rules import Array, shape_of, wrap_dim, wrap_dims
from .shapes import (
    as_list,
    counting,
    size_text,
    static_ints,
    with_shape,
)


def swapped(rank: int, one: int, two: int) -> list[int]:
    """The order of dimensions after exchanging two."""
    order = list(range(rank))
    a, c = wrap_dim(one, rank), wrap_dim(two, rank)
    if rank:
        order[a], order[c] = order[c], order[a]
    return order


def moved(rank: int, source: Any, destination: Any) -> list[int]:
    """The order after moving dimensions `source` to places `destination`; the others keep theirs."""
    origins, places = (static_ints(as_list(v), "a dimension") for v in (source, destination))
    if len(origins) != len(places):
        raise OperatorError(
            f"movedim: Invalid source or destination dims: source ({size_text(origins)} dims) should contain the "
            f"same number of dims as destination ({size_text(places)} dims)"
        )
    begins, ends = wrap_dims(origins, rank), wrap_dims(places, rank)
    rest = iter(i for i in range(rank) if i not in begins)
    return [begins[ends.index(i)] if i in ends else next(rest) for i in range(rank)]


def order_permute(rank: int, dims: Sequence[int]) -> Sequence[int]:
    if len(dims) != rank:
        raise OperatorError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            "ordering of dimensions"
            f" i.e. input.dim() = {rank} is not equal to len(dims) = {len(dims)}"
        )
    order = [wrap_dim(d, rank) for d in static_ints(dims, "dims")]
    if len(set(order)) != rank:
        raise OperatorError("permute(): duplicate dims are not allowed.")
    return order


def order_t(rank: int) -> Sequence[int]:
    if rank > 2:
        raise OperatorError(f"t() expects a tensor with <= 2 dimensions, but self is {rank}D")
    return tuple(reversed(range(rank)))


def order_all_reversed(rank: int) -> Sequence[int]:
    return tuple(reversed(range(rank)))


def order_matrix_transpose(rank: int) -> Sequence[int]:
    if rank < 2:
        raise OperatorError(f"tensor.mT is only supported on matrices or batches of matrices. Got {rank}-D tensor.")
    return swapped(rank, -2, -1)


def _reordered(self: TensorType, order: Sequence[int]) -> TensorType:
    return with_shape(self, [shape_of(self)[i] for i in order])


def infer_permute(self: TensorType, dims: Sequence[int]) -> TensorType:
    return _reordered(self, order_permute(self.rank, dims))


def lower_permute(cx: LoweringContext, self: Value, dims: Sequence[int]) -> Value:
    return permuted(cx, self, order_permute(cx.rank(self), dims))


def reference_permute(self: Array, dims: Sequence[int]) -> Array:
    return self.transpose(order_permute(self.ndim, dims))


def permute_samples() -> Iterable[Sample]:
    for dims in ([0, 2, 1], [2, 0, 1], [0, 1, 2], [-1, 0, 1]):
        yield Sample((counting(2, 3, 4), dims))
    yield Sample((counting(1, 3, 1, 4), [1, 0, 3, 2]))
    yield Sample((counting(), []))
    yield Sample((counting(2, 3), [0, 0]), raises="permute(): duplicate dims are not allowed.")


def infer_transpose(self: TensorType, dim0: int, dim1: int) -> TensorType:
    return _reordered(self, swapped(self.rank, *static_ints([dim0, dim1], "a dimension")))


def lower_transpose(cx: LoweringContext, self: Value, dim0: int, dim1: int) -> Value:
    return permuted(cx, self, swapped(cx.rank(self), dim0, dim1))


def reference_transpose(self: Array, dim0: int, dim1: int) -> Array:
    return self.transpose(swapped(self.ndim, dim0, dim1))


def infer_swapaxes(self: TensorType, axis0: int, axis1: int) -> TensorType:
    return infer_transpose(self, axis0, axis1)


def lower_swapaxes(cx: LoweringContext, self: Value, axis0: int, axis1: int) -> Value:
    return lower_transpose(cx, self, axis0, axis1)


def reference_swapaxes(self: Array, axis0: int, axis1: int) -> Array:
    return reference_transpose(self, axis0, axis1)


def transpose_samples() -> Iterable[Sample]:
    for dims in ((0, 1), (-1, 0), (1, 1)):
        yield Sample((counting(2, 3, 4), *dims))
    yield Sample((counting(1, 3), 0, 1))
    yield Sample((counting(), 0, -1))
    yield Sample(
        (counting(2, 3), 0, 2), raises="Dimension out of range (expected to be in range of [-2, 1], but got 2)"
    )


def infer_movedim(self: TensorType, source: Any, destination: Any) -> TensorType:
    return _reordered(self, moved(self.rank, source, destination))


def lower_movedim(cx: LoweringContext, self: Value, source: Any, destination: Any) -> Value:
    return permuted(cx, self, moved(cx.rank(self), source, destination))


def reference_movedim(self: Array, source: Any, destination: Any) -> Array:
    return self.transpose(moved(self.ndim, source, destination))


def movedim_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3, 4, 5), 1, -1))
    yield Sample((counting(2, 3, 4, 5), 3, 0))


def movedim_list_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3, 4, 5), [0, 1], [-1, -2]))
    yield Sample((counting(2, 3, 4, 5), [3, 1], [0, 2]))


def _reordering(
    signature: str, order: Callable[[int], Sequence[int]], samples: Callable[[], Iterable[Sample]]
) -> Operator:
    """An operator whose order of dimensions follows from the rank alone."""

    def infer(self: TensorType) -> TensorType:
        return _reordered(self, order(self.rank))

    def lower(cx: LoweringContext, self: Value) -> Value:
        return permuted(cx, self, order(cx.rank(self)))

    def reference(self: Array) -> Array:
        return self.transpose(order(self.ndim))

    return Operator(signature, infer, lower, reference, samples)


def matrix_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3),))
    yield Sample((counting(0, 3),))


def batch_matrix_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3),))
    yield Sample((counting(4, 2, 3),))
    yield Sample(
        (counting(3),), raises="tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor."
    )


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)",
        infer_permute,
        lower_permute,
        reference_permute,
        permute_samples,
    ),
    Operator(
        "aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)",
        infer_transpose,
        lower_transpose,
        reference_transpose,
        transpose_samples,
    ),
    Operator(
        "aten::swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)",
        infer_transpose,
        lower_transpose,
        reference_transpose,
        transpose_samples,
    ),
    Operator(
        "aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)",
        infer_swapaxes,
        lower_swapaxes,
        reference_swapaxes,
        transpose_samples,
    ),
    Operator(
        "aten::movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)",
        infer_movedim,
        lower_movedim,
        reference_movedim,
        movedim_samples,
    ),
    Operator(
        "aten::movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)",
        infer_movedim,
        lower_movedim,
        reference_movedim,
        movedim_list_samples,
    ),
    Operator(
        "aten::moveaxis.int(Tensor(a) self, int source, int destination) -> Tensor(a)",
        infer_movedim,
        lower_movedim,
        reference_movedim,
        movedim_samples,
    ),
    Operator(
        "aten::moveaxis.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)",
        infer_movedim,
        lower_movedim,
        reference_movedim,
        movedim_list_samples,
    ),
    _reordering("aten::t(Tensor(a) self) -> Tensor(a)", order_t, matrix_samples),
    _reordering("aten::numpy_T(Tensor(a) self) -> Tensor(a)", order_all_reversed, any_rank_samples),
    _reordering("aten::numpy_T.a(Tensor(a) self) -> Tensor(a)", order_all_reversed, any_rank_samples),
    _reordering("aten::mT(Tensor(a) self) -> Tensor(a)", order_matrix_transpose, batch_matrix_samples),
    _reordering("aten::mT.a(Tensor(a) self) -> Tensor(a)", order_matrix_transpose, batch_matrix_samples),
)
