"""Tensors that get another shape and keep their name: `resize_`, and `out=` tensors of another shape than the result.

In: an abstract tensor and the extents it is to have. Out: what it is from now on: a view of the same memory where the elements
fit into it, else memory of its own, if nobody else can see what was there before. What cannot be decided is a CompileError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir.core import BlockArgument, Value
from ...ir.operators import is_view, schema
from ...ir.script_types import INT, ListType, TensorType
from ...ir.types import Type
from . import calls, tensor_writes
from . import strides as rules
from .aliases import WRITE
from .tensor_layouts import place_of
from .values import NONE_VALUE, Abstract, Known, Tensor, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

RESIZING: Final = ("aten::resize", "aten::resize_as")


def resize(ev: Evaluator, name: str, arguments: list[Abstract]) -> Tensor:
    """`resize_(size)` and `resize_as_(template)`: the elements stay where they are in memory, new ones are anything."""
    target, wanted, memory_format = cast(Tensor, arguments[0]), arguments[1], arguments[2]
    if isinstance(memory_format, Known) and memory_format.value not in (None, rules.CONTIGUOUS_FORMAT):
        raise ev.error(f"{name.removeprefix('aten::')}_() with a memory format is not supported")
    extents = ev.shape(wanted) if isinstance(wanted, Tensor) else ev.elements(cast(Any, wanted))
    if any(isinstance(e, Known) and cast(int, e.value) < 0 for e in extents):
        shown = next(e for e in extents if isinstance(e, Known) and cast(int, e.value) < 0)
        raise ev.operator_error(f"Trying to create tensor with negative dimension {shown.value}")
    shape_to(ev, target, extents, keeps=True)
    return target


def shape_to(ev: Evaluator, target: Tensor, extents: Sequence[Abstract], *, keeps: bool) -> None:
    """From now on `target` has these extents; `keeps`: with the elements that it has."""
    shape = ev.tensor_type(target).shape
    sizes = [cast(int, e.value) if isinstance(e, Known) else None for e in extents]
    if shape is not None and None not in shape and list(shape) == sizes:
        return
    tensor_writes.check_own(ev, target)
    old = math.prod(cast("tuple[int, ...]", shape)) if shape is not None and None not in shape else None
    new = math.prod(cast("list[int]", sizes)) if None not in sizes else None
    current = ev.current(target)
    if old is None or (new is None and old != 0):
        raise ev.not_static("the shape of a tensor that is resized", help="make a new tensor of that shape")
    found = _in_place(ev, target, extents, new) if new is not None else None
    if found is None:
        _check_unseen(ev, target)
        found = _anew(ev, current, extents, keeps=keeps and old != 0)
    ev.heap[target.value] = {0: found}


def _in_place(ev: Evaluator, target: Tensor, extents: Sequence[Abstract], new: int) -> Tensor | None:
    """The first elements of its own memory; None where they are too few, or it is not known."""
    current = ev.current(target)
    old = math.prod(cast("tuple[int, ...]", ev.tensor_type(target).shape))
    place = place_of(ev, target)
    sizes = ev.new_list(list(extents), ListType(INT))
    if place.is_contiguous and new <= old:
        flat = current if ev.tensor_type(target).rank == 1 else _called(ev, "aten::view", current, ev.new_list([known(-1)], ListType(INT)))
        first = flat if new == old else _called(ev, "aten::slice.Tensor", flat, known(0), known(0), known(new), known(1))
        return _called(ev, "aten::view", first, sizes)
    capacity = _capacity(ev, place.root)
    if capacity is None or place.offset is None or place.offset + new > capacity:
        return None
    steps = ev.new_list([known(s) for s in _row_major(extents)], ListType(INT))
    return _called(ev, "aten::as_strided", current, sizes, steps, known(place.offset))


def _capacity(ev: Evaluator, root: Value | None) -> int | None:
    """How many elements its memory has."""
    shape = _tensor(root.type).shape if root is not None else None
    if root is None or shape is None or None in shape or not ev.layouts.of(root).is_contiguous:
        return None
    return math.prod(cast("tuple[int, ...]", shape))


def _row_major(extents: Sequence[Abstract]) -> list[int]:
    steps: list[int] = []
    step = 1
    for extent in reversed(extents):
        steps.insert(0, step)
        step *= max(cast(int, cast(Known, extent).value), 1)
    return steps


def _anew(ev: Evaluator, current: Tensor, extents: Sequence[Abstract], *, keeps: bool) -> Tensor:
    sizes = ev.new_list(list(extents), ListType(INT))
    if keeps:
        return _called(ev, "aten::resize", current, sizes, NONE_VALUE)
    dtype = known(int(cast(Any, ev.tensor_type(current).dtype)))
    return cast(Tensor, calls.single(ev, "aten::zeros", [sizes, dtype, NONE_VALUE, NONE_VALUE, NONE_VALUE]))


def _called(ev: Evaluator, name: str, tensor: Tensor, *rest: Abstract) -> Tensor:
    return cast(Tensor, calls.single(ev, name, [tensor, *rest]))


def _check_unseen(ev: Evaluator, target: Tensor) -> None:
    """Other views of the memory would be views of the new memory, which a value is not."""
    root = place_of(ev, target).root
    own = ev.looks.get(target.value, {target.value})
    if root is None or isinstance(root, BlockArgument) or root.defining_op("prim::Constant") is not None:
        raise ev.error(
            "a tensor that is given to the program cannot become larger than its memory", help="give back a new tensor"
        )
    if any(view not in own for view in _views(root)):
        raise ev.error(
            "a tensor that shares its memory with another one cannot become larger than that", help="make a new tensor"
        )


def _views(root: Value) -> set[Value]:
    """The tensor and all tensors that may be views of it, by the operators that there are."""
    seen, pending = {root}, [root]
    while pending:
        for user, index in pending.pop().uses:
            form = schema(user.name) if user.name.startswith("aten::") else None
            if user.name == WRITE or (form is not None and not (is_view(form) and index == 0)):
                continue
            fresh = [r for r in user.results if isinstance(r.type, TensorType) and r not in seen]
            seen.update(fresh)
            pending += fresh
    return seen


def _tensor(type_: Type) -> TensorType:
    return cast(TensorType, type_)
