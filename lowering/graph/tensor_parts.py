"""`unbind`, `split`, `chunk` and `tensor_split`: a tensor as a list of views."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from ...ir.diagnostics import NotStatic
from ...ir.script_types import INT, TENSOR, ListType
from . import calls, run_time_lists, tensor_builtins
from .values import Abstract, Known, Ref, Tensor, Tuple, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]


def unbind(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    type_ = ev.tensor_type(tensor)
    dim = tensor_builtins.dimension(ev, rest[0] if rest else known(0), type_.rank)

    def part(i: Abstract) -> Abstract:
        return calls.single(ev, "aten::select.int", [tensor, known(dim), i])

    if type_.shape and type_.shape[dim] is None and not ev.static_lists:
        return run_time_lists.generated(ev, ev.size(tensor, dim), TENSOR, part)
    count = static_extent(ev, tensor, dim, "the number of tensors that this gives")
    return ev.new_list([part(known(i)) for i in range(count)], ListType(TENSOR))


def static_extent(ev: Evaluator, tensor: Tensor, dim: int, what: str) -> int:
    """An extent that is fixed, or that a condition has compared with a constant (`assert x.size(0) == 4`)."""
    if not ev.tensor_type(tensor).rank:
        raise ev.operator_error("Dimension specified as 0 but tensor has no dimensions")
    extent = ev.settled(ev.size(tensor, dim))
    if not isinstance(extent, Known):
        raise ev.not_static(what)
    return cast(int, extent.value)


def _sliced(ev: Evaluator, tensor: Tensor, dim: int, bounds: Sequence[tuple[Abstract, Abstract]]) -> Abstract:
    parts = [calls.single(ev, "aten::slice.Tensor", [tensor, known(dim), a, b, known(1)]) for a, b in bounds]
    return ev.new_list(parts, ListType(TENSOR))


def _in_steps(extent: int, step: int) -> list[tuple[Abstract, Abstract]]:
    starts = range(0, max(extent, 1), step)
    return [(known(at), known(min(at + step, extent))) for at in starts]


def split(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    """`split` by size or sizes."""
    type_ = ev.tensor_type(tensor)
    dim = tensor_builtins.dimension(ev, rest[1] if len(rest) > 1 else known(0), type_.rank)
    if isinstance(rest[0], Ref | Tuple):
        return split_sizes(ev, tensor, rest)
    if not isinstance(rest[0], Known):
        return _split_at_run_time(ev, tensor, dim, rest[0])
    step = cast(int, rest[0].value)
    if type_.shape and type_.shape[dim] is None and step > 0 and not ev.static_lists:
        count = _ceildiv(ev, ev.size(tensor, dim), known(step))
        return _parts_at_run_time(ev, tensor, dim, known(step), calls.single(ev, "prim::max.int", [count, known(1)]))
    extent = static_extent(ev, tensor, dim, "the number of tensors that this gives")
    if step < 0:
        raise ev.operator_error(f"split expects split_size be non-negative, but got split_size={step}")
    if step == 0 and extent != 0:
        raise ev.operator_error(f"split_size can only be 0 if dimension size is 0, but got dimension size of {extent}")
    return _sliced(ev, tensor, dim, _in_steps(extent, max(step, 1)))


def _split_at_run_time(ev: Evaluator, tensor: Tensor, dim: int, size: Abstract) -> Abstract:
    """Pieces of a run-time size; one of nothing."""
    if ev.static_lists or not ev.tensor_type(tensor).rank:
        raise ev.not_static("the number of tensors that this gives")
    extent = ev.size(tensor, dim)
    non_negative = calls.single(ev, "aten::ge.int", [size, known(0)])
    calls.require(ev, non_negative, ["split expects split_size be non-negative, but got split_size=", size])
    step = calls.single(ev, "prim::max.int", [size, known(1)])
    least = calls.single(ev, "prim::max.int", [size, calls.single(ev, "aten::sub.int", [known(1), extent])])
    splits = calls.single(ev, "aten::gt.int", [least, known(0)])  # a size of 0, of an extent of 0 only
    message = ["split_size can only be 0 if dimension size is 0, but got dimension size of ", extent]
    calls.require(ev, splits, message)
    count = calls.single(ev, "prim::max.int", [_ceildiv(ev, extent, step), known(1)])
    return _parts_at_run_time(ev, tensor, dim, step, count)


def _parts_at_run_time(ev: Evaluator, tensor: Tensor, dim: int, step: Abstract, count: Abstract) -> Abstract:
    def part(i: Abstract) -> Abstract:
        start = calls.single(ev, "aten::mul.int", [i, step])
        end = calls.single(ev, "aten::add.int", [start, step])
        return calls.single(ev, "aten::slice.Tensor", [tensor, known(dim), start, end, known(1)])

    return run_time_lists.generated(ev, count, TENSOR, part)


def split_sizes(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    type_ = ev.tensor_type(tensor)
    dim = tensor_builtins.dimension(ev, rest[1] if len(rest) > 1 else known(0), type_.rank)
    sizes = ev.elements(rest[0]) if isinstance(rest[0], Ref) else list(cast(Tuple, rest[0]).elements)
    extent = ev.size(tensor, dim)
    at: Abstract = known(0)
    bounds: list[tuple[Abstract, Abstract]] = []
    given = ["but got split_sizes=", *_number_list(sizes)]
    for size in sizes:
        non_negative = calls.single(ev, "aten::ge.int", [size, known(0)])
        calls.require(ev, non_negative, ["split_with_sizes expects split_sizes have only non-negative entries, ", *given])
        following = calls.single(ev, "aten::add.int", [at, size])
        bounds.append((at, following))
        at = following
    where = f" (input tensor's size at dimension {dim}), "
    expected = ["split_with_sizes expects split_sizes to sum exactly to ", extent, where]
    calls.require(ev, calls.single(ev, "aten::eq.int", [at, extent]), [*expected, *given])
    return _sliced(ev, tensor, dim, bounds)


def _number_list(numbers: Sequence[Abstract]) -> list[str | Abstract]:
    """Parts of a message: `[2, 3]`."""
    between = [part for number in numbers for part in (", ", number)][1:]
    return ["[", *between, "]"]


def _chunk_at_run_time(ev: Evaluator, tensor: Tensor, dim: int, chunks: Abstract) -> Abstract:
    """Of nothing there are as many chunks as are asked for."""
    extent = ev.size(tensor, dim)
    positive = calls.single(ev, "aten::gt.int", [chunks, known(0)])
    calls.require(ev, positive, ["chunk expects `chunks` to be greater than 0, got: ", chunks])
    step = calls.single(ev, "prim::max.int", [_ceildiv(ev, extent, chunks), known(1)])
    empty = calls.single(ev, "aten::eq.int", [extent, known(0)])
    count = calls.single(ev, "aten::add.int", [
        _ceildiv(ev, extent, step), calls.single(ev, "aten::mul.int", [calls.single(ev, "aten::Int.bool", [empty]), chunks])
    ])  # fmt: skip
    return _parts_at_run_time(ev, tensor, dim, step, count)


def _ceildiv(ev: Evaluator, a: Abstract, b: Abstract) -> Abstract:
    rounded = calls.single(ev, "aten::sub.int", [calls.single(ev, "aten::add.int", [a, b]), known(1)])
    return calls.single(ev, "aten::floordiv.int", [rounded, b])


def chunk(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    type_ = ev.tensor_type(tensor)
    dim = tensor_builtins.dimension(ev, rest[1] if len(rest) > 1 else known(0), type_.rank)
    if not isinstance(rest[0], Known):
        if ev.static_lists or not type_.rank:
            raise ev.not_static("the number of chunks")
        return _chunk_at_run_time(ev, tensor, dim, rest[0])
    chunks = cast(int, rest[0].value)
    if chunks <= 0:
        raise ev.operator_error(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if type_.shape and type_.shape[dim] is None and not ev.static_lists:
        return _chunk_at_run_time(ev, tensor, dim, known(chunks))
    extent = static_extent(ev, tensor, dim, "the number of tensors that this gives")
    step = -(-extent // chunks)
    if step == 0:
        return _sliced(ev, tensor, dim, [(known(0), known(0))] * chunks)
    return _sliced(ev, tensor, dim, _in_steps(extent, step))


def sections(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract | None:
    """`tensor_split` into a number of sections, the first ones longer by one; None where all is known: the record's."""
    type_ = ev.tensor_type(tensor)
    if not type_.shape:
        return None
    dim = tensor_builtins.dimension(ev, rest[1] if len(rest) > 1 else known(0), type_.rank)
    count = rest[0]
    if isinstance(count, Known) and (type_.shape[dim] is not None or cast(int, count.value) <= 0):
        return None
    if not isinstance(count, Known) and ev.static_lists:
        return None
    extent = ev.size(tensor, dim)
    positive = calls.single(ev, "aten::gt.int", [count, known(0)])
    calls.require(ev, positive, ["number of sections must be larger than 0, got ", count])
    least = calls.single(ev, "aten::floordiv.int", [extent, count])
    more = calls.single(ev, "aten::remainder.int", [extent, count])

    def start(i: Abstract) -> Abstract:
        whole = calls.single(ev, "aten::mul.int", [i, least])
        return calls.single(ev, "aten::add.int", [whole, calls.single(ev, "prim::min.int", [i, more])])

    def part(i: Abstract) -> Abstract:
        end = start(calls.single(ev, "aten::add.int", [i, known(1)]))
        return calls.single(ev, "aten::slice.Tensor", [tensor, known(dim), start(i), end, known(1)])

    if isinstance(count, Known):
        return ev.new_list([part(known(i)) for i in range(cast(int, count.value))], ListType(TENSOR))
    return run_time_lists.generated(ev, count, TENSOR, part)


def at_indices(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract | None:
    """`tensor_split` at positions, which are bounds of slices; None where all is known: the record's."""
    type_ = ev.tensor_type(tensor)
    if not type_.shape or not isinstance(rest[0], Ref | Tuple):
        return None
    dim = tensor_builtins.dimension(ev, rest[1] if len(rest) > 1 else known(0), type_.rank)
    try:
        places = ev.elements(rest[0]) if isinstance(rest[0], Ref) else list(rest[0].elements)
    except NotStatic:
        return None if ev.static_lists else _at_run_time_indices(ev, tensor, dim, rest[0])
    if type_.shape[dim] is not None and all(isinstance(p, Known) for p in places):
        return None
    ends = [known(0), *places, ev.size(tensor, dim)]
    return _sliced(ev, tensor, dim, list(pairwise(ends)))


def _at_run_time_indices(ev: Evaluator, tensor: Tensor, dim: int, places: Abstract) -> Abstract:
    first, last = (ev.new_list([e], ListType(INT)) for e in (known(0), ev.size(tensor, dim)))
    ends = calls.single(ev, "aten::add.t", [calls.single(ev, "aten::add.t", [first, places]), last])

    def part(i: Abstract) -> Abstract:
        after = calls.single(ev, "aten::add.int", [i, known(1)])
        bounds = [calls.single(ev, "aten::__getitem__.t", [ends, at]) for at in (i, after)]
        return calls.single(ev, "aten::slice.Tensor", [tensor, known(dim), *bounds, known(1)])

    count = calls.single(ev, "aten::sub.int", [calls.single(ev, "aten::len.t", [ends]), known(1)])
    return run_time_lists.generated(ev, count, TENSOR, part)
