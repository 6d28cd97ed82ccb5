"""Writing through a view: what the base becomes when a view of it is given a new value.

    v = base.select(0, 2); v = new      ->      base = aten::select_scatter(base, new, 0, 2)

`VIEW_WRITES[op name]` is `write_back(emit, base, operands, new, index) -> Value`: it emits `torch`-stage nodes that
give the updated base. `operands` are the operands of the view operation (`operands[0]` is the base as it was),
`index` says which element of a list of views is written (0 for a single view). `emit(name, arguments)` appends an
`aten::` node and returns its result; its arguments are values or Python constants and lists, which it makes into
nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from ...core import Value
from ...operator import Unsupported
from ...script_types import TensorType
from .rules import wrap_dim

Emit = Callable[[str, Sequence[Any]], Value]
WriteBack = Callable[[Emit, Value, Sequence[Value], Value, int], Value]


def constant(value: Value) -> Any:
    """The Python value of a constant operand, lists included."""
    op = value.defining_op()
    if op is not None and op.name == "prim::Constant":
        return op.attributes.get("value")
    if op is not None and op.name == "prim::ListConstruct":
        return [constant(v) for v in op.operands]
    raise Unsupported("writing through this view needs its dimensions to be known at compile time")


def _rank(value: Value) -> int:
    return cast(TensorType, value.type).rank


def sizes_of(emit: Emit, value: Value) -> list[Any]:
    """Extents of a tensor: ints where they are static, `aten::size.int` nodes where not."""
    shape = cast(TensorType, value.type).shape
    assert shape is not None
    return [emit("aten::size.int", [value, i]) if e is None else e for i, e in enumerate(shape)]


def write_reshaped(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    """view, reshape, flatten, squeeze, unsqueeze, ...: the same elements in the base's shape."""
    del operands, index
    return emit("aten::reshape", [new, sizes_of(emit, base)])


def write_itself(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del emit, base, operands, index
    return new


def write_permuted(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del index
    rank = _rank(base)
    order = [wrap_dim(d, rank) for d in constant(operands[1])]
    return emit("aten::permute", [new, [order.index(i) for i in range(rank)]])


def write_swapped(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    """An exchange of two dimensions is its own inverse."""
    del base, index
    return emit("aten::transpose.int", [new, operands[1], operands[2]])


def write_reversed(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del operands, index
    return emit("aten::permute", [new, list(reversed(range(_rank(base))))])


def write_matrix_transposed(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del base, operands, index
    return emit("aten::transpose.int", [new, -2, -1])


def write_moved(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    """Source and destination change places."""
    del base, index
    source, destination = constant(operands[1]), constant(operands[2])
    back = [[v] if isinstance(v, int) else v for v in (destination, source)]
    return emit("aten::movedim.intlist", [new, *back])


def write_selected(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del index
    return emit("aten::select_scatter", [base, new, operands[1], operands[2]])


def write_sliced(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del index
    return emit("aten::slice_scatter", [base, new, *operands[1:5]])


def write_narrowed(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del index
    start, length = operands[2], cast(TensorType, new.type).shape
    assert length is not None
    axis = wrap_dim(constant(operands[1]), _rank(base))
    first = start
    if start.defining_op("prim::Constant") is not None and (at := constant(start)) < 0:
        extent = cast(TensorType, base.type).shape
        assert extent is not None
        if extent[axis] is None:
            raise Unsupported("writing through narrow with a negative start needs an extent known at compile time")
        first = at + cast(int, extent[axis])
    end = emit("aten::add.int", [first, operands[3]])
    return emit("aten::slice_scatter", [base, new, axis, first, end, 1])


def write_diagonal(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del index
    return emit("aten::diagonal_scatter", [base, new, *operands[1:4]])


def write_expanded(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    """Only where no element was repeated."""
    del operands, index
    old, wide = cast(TensorType, base.type).shape, cast(TensorType, new.type).shape
    assert old is not None and wide is not None
    full = (*([1] * (len(wide) - len(old))), *old)
    if 0 not in wide and any(o is None or o != w for o, w in zip(full, wide, strict=True)):
        raise Unsupported(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    return emit("aten::reshape", [new, sizes_of(emit, base)])


def write_unbound(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    return emit("aten::select_scatter", [base, new, operands[1], index])


def _write_piece(lengths: Callable[[int, Any], Sequence[int]]) -> WriteBack:
    """A piece of a list of slices: `lengths(extent, argument)` says how long each is."""

    def write(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
        shape = cast(TensorType, base.type).shape
        assert shape is not None
        axis = wrap_dim(constant(operands[2]), len(shape))
        pieces = lengths(shape[axis] or 0, constant(operands[1]))
        start = sum(pieces[:index])
        return emit("aten::slice_scatter", [base, new, axis, start, start + pieces[index], 1])

    return write


def _of_size(extent: int, size: int) -> Sequence[int]:
    return [min(size, extent - i) for i in range(0, extent, size)] if size else [extent]


def _as_chunks(extent: int, chunks: int) -> Sequence[int]:
    return _of_size(extent, -(-extent // chunks)) if extent else [0] * chunks


def _as_given(extent: int, sizes: Sequence[int]) -> Sequence[int]:
    del extent
    return sizes


def _as_sections(extent: int, sections: int) -> Sequence[int]:
    least, more = divmod(extent, sections)
    return [least + 1 if i < more else least for i in range(sections)]


def write_real_part(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del operands, index
    if not _is_complex(base):
        return new
    return emit("aten::complex", [new, emit("aten::imag", [base])])


def write_imaginary_part(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del operands, index
    return emit("aten::complex", [emit("aten::real", [base]), new])


def write_as_real(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del base, operands, index
    return emit("aten::view_as_complex", [new])


def write_as_complex(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del base, operands, index
    return emit("aten::view_as_real", [new])


def write_conjugate(emit: Emit, base: Value, operands: Sequence[Value], new: Value, index: int) -> Value:
    del operands, index
    return emit("aten::conj_physical", [new]) if _is_complex(base) else new


def _is_complex(value: Value) -> bool:
    dtype = cast(TensorType, value.type).dtype
    return dtype is not None and dtype.is_complex


_SAME = ("alias", "detach", "lift_fresh", "contiguous", "positive", "resolve_conj", "resolve_neg")
"""Views of all elements as they are."""

VIEW_WRITES: dict[str, WriteBack] = {
    **{
        f"aten::{name}": write_reshaped
        for name in (
            "view",
            "reshape",
            "view_as",
            "reshape_as",
            "flatten.using_ints",
            "unflatten.int",
            "ravel",
            "squeeze",
            "squeeze.dim",
            "squeeze.dims",
            "unsqueeze",
        )
    },
    **dict.fromkeys((f"aten::{name}" for name in _SAME), write_itself),
    "aten::real": write_real_part,
    "aten::imag": write_imaginary_part,
    "aten::view_as_real": write_as_real,
    "aten::view_as_complex": write_as_complex,
    "aten::conj": write_conjugate,
    "aten::permute": write_permuted,
    "aten::transpose.int": write_swapped,
    "aten::swapdims": write_swapped,
    "aten::swapaxes": write_swapped,
    "aten::t": write_reversed,
    "aten::numpy_T": write_reversed,
    "aten::numpy_T.a": write_reversed,
    "aten::mT": write_matrix_transposed,
    "aten::mT.a": write_matrix_transposed,
    **{f"aten::{name}": write_moved for name in ("movedim.int", "movedim.intlist", "moveaxis.int", "moveaxis.intlist")},
    "aten::select.int": write_selected,
    "aten::slice.Tensor": write_sliced,
    "aten::narrow": write_narrowed,
    "aten::diagonal": write_diagonal,
    "aten::expand": write_expanded,
    "aten::expand_as": write_expanded,
    "aten::broadcast_to": write_expanded,
    "aten::unbind.int": write_unbound,
    "aten::split.Tensor": _write_piece(_of_size),
    "aten::split.sizes": _write_piece(_as_given),
    "aten::split": _write_piece(_as_given),
    "aten::split_with_sizes": _write_piece(_as_given),
    "aten::chunk": _write_piece(_as_chunks),
    "aten::tensor_split.sections": _write_piece(_as_sections),
}
