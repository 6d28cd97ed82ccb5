"""What a program sees of strides: `stride()`, `is_contiguous()`, `storage_offset()`, and operators that decide by them.

In: abstract tensors of a program under evaluation. Out: numbers and truths where they are known (`layouts.py`), PyTorch's
error where a `view` is refused, and operators that say whether they share memory: a `reshape` that copies becomes a copy.
Strides that only the run time knows are a CompileError for who asks; operators are left as they are then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from ...ir.core import BlockArgument, Value
from ...ir.script_types import INT, ListType, TensorType
from . import calls
from . import strides as rules
from .aliases import RESHAPES
from .layouts import Place, gives_row_major
from .values import Abstract, Known, Ref, Tensor, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

INCOMPATIBLE: Final = (
    "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
    "contiguous subspaces). Use .reshape(...) instead."
)
_VIEWS: Final = ("aten::view", "aten::view_as", "aten::unflatten.int")


def place_of(ev: Evaluator, tensor: Tensor, *, for_sharing: bool = False) -> Place:
    """Where it lies. An argument of the program lies as it is given: by that something is decided now."""
    value = ev.current(tensor).value
    place = ev.layouts.of(value)
    if isinstance(place.root, BlockArgument):
        (ev.layouts.sharing if for_sharing else ev.layouts.asked).add(place.root)
    elif not for_sharing:
        ev.layouts.questions.append(value)
    return place


def _shape(ev: Evaluator, tensor: Tensor) -> tuple[int, ...] | None:
    shape = ev.tensor_type(tensor).shape
    return None if shape is None or None in shape else cast("tuple[int, ...]", shape)


# questions


def is_contiguous(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    memory_format = cast(int, rest[0].value) if rest and isinstance(rest[0], Known) and rest[0].value is not None else 0
    place, shape = place_of(ev, tensor), _shape(ev, tensor)
    if place.strides is not None and shape is not None:
        return known(rules.is_contiguous(shape, place.strides, memory_format))
    if place.is_contiguous and memory_format == rules.CONTIGUOUS_FORMAT:
        return known(True)
    raise ev.not_static("whether this tensor is contiguous")


def stride(ev: Evaluator, tensor: Tensor, rest: list[Abstract], dimension: int | None) -> Abstract:
    """All strides, or one."""
    place = place_of(ev, tensor)
    if place.strides is not None:
        found: list[Abstract] = [known(s) for s in place.strides]
    elif place.is_contiguous:
        found = []
        step: Abstract = known(1)
        for extent in reversed(ev.shape(tensor)):
            found.insert(0, step)
            at_least = extent if isinstance(extent, Known) else calls.single(ev, "prim::max.int", [extent, known(1)])
            step = calls.single(ev, "aten::mul.int", [step, at_least])
    else:
        raise ev.not_static("the stride of this tensor")
    return ev.new_list(found, ListType(INT)) if dimension is None else found[dimension]


def storage_offset(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    place = place_of(ev, tensor)
    if place.offset is None:
        raise ev.not_static("where this tensor begins in its storage")
    return known(place.offset)


# decisions


def contiguous(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Tensor | None:
    """What `contiguous(memory_format)` is; None where the strides do not decide it now."""
    memory_format = cast(int, rest[0].value) if rest and isinstance(rest[0], Known) else rules.CONTIGUOUS_FORMAT
    place, shape = place_of(ev, tensor, for_sharing=True), _shape(ev, tensor)
    if memory_format == rules.PRESERVE_FORMAT:
        raise ev.operator_error("preserve memory format is unsupported by the contiguous operator")
    if place.strides is None or shape is None:
        if memory_format == rules.CONTIGUOUS_FORMAT:
            return None
        return copied(ev, tensor, memory_format, place)
    if rules.formatted(shape, memory_format) is None:
        rank = 4 if memory_format == rules.CHANNELS_LAST else 5
        raise ev.operator_error(f"required rank {rank} tensor to use channels_last{'' if rank == 4 else '_3d'} format")
    if rules.is_contiguous(shape, place.strides, memory_format):
        is_plain = memory_format == rules.CONTIGUOUS_FORMAT and place.is_contiguous and not ev.layouts.is_strided
        return None if is_plain else tensor
    return copied(ev, tensor, memory_format, place)


def copied(ev: Evaluator, tensor: Tensor, memory_format: int, place: Place) -> Tensor:
    found = cast(Tensor, calls.single(ev, "aten::clone", [tensor, known(memory_format)]))
    if isinstance(place.root, BlockArgument):
        ev.layouts.copies[found.value] = place.root
    return found


def decided(ev: Evaluator, name: str, arguments: list[Abstract], result: object) -> Results | None:
    """For a `view` or `reshape` of a tensor that is not row-major: what it is. None: nothing special.

    `result`: its type.
    """
    tensor = arguments[0] if arguments else None
    if not isinstance(tensor, Tensor) or not isinstance(result, TensorType):
        return None
    if name == "aten::as_strided":
        root = place_of(ev, tensor).root
        if root is not None and not ev.layouts.of(root).is_contiguous:
            raise ev.not_static("how the storage that this looks at lies in memory", help="make it contiguous() first")
        return None
    if name not in _VIEWS and name not in RESHAPES:
        return None
    asked = len(ev.layouts.questions)
    place, shape = place_of(ev, tensor, for_sharing=name not in _VIEWS), _shape(ev, tensor)
    wanted = result.shape
    if shape is None:
        del ev.layouts.questions[asked:]  # a `view` is not checked then
    if place.strides is None or shape is None or wanted is None or None in wanted:
        return None
    if place.is_contiguous and (name in _VIEWS or not ev.layouts.is_strided):
        return None  # which the alias analysis finds out again
    if rules.viewed(shape, place.strides, cast("tuple[int, ...]", wanted)) is None:
        if name in _VIEWS:
            raise ev.operator_error(INCOMPATIBLE)
        tensor = copied(ev, tensor, rules.CONTIGUOUS_FORMAT, place)
    elif name in _VIEWS:
        return None
    sizes: Ref = ev.new_list([known(cast(int, e)) for e in wanted], ListType(INT))
    return calls.apply(ev, "aten::view", [tensor, sizes])


def noted(ev: Evaluator, name: str, arguments: Sequence[Abstract], results: Results) -> Results:
    """The results of a composite operator; notes how they lie."""
    operands: list[Value] = []
    for argument in arguments:
        if isinstance(argument, Tensor):
            operands.append(ev.current(argument).value)
        elif isinstance(argument, Ref) and argument.kind == "list" and argument in ev.plain:
            operands += [ev.current(e).value for e in ev.plain[argument].values() if isinstance(e, Tensor)]
    for result in results:
        if isinstance(result, Tensor):
            ev.layouts.note(name, operands, ev.current(result).value)
    if not gives_row_major(name):
        return results
    # a condition decides which of two new tensors it is: one that is not known to be row-major becomes one
    return [_settled(ev, r) if isinstance(r, Tensor) and ev.current(r).value.defining_op("prim::If") else r for r in results]


def _settled(ev: Evaluator, tensor: Tensor) -> Tensor:
    if ev.layouts.of(ev.current(tensor).value).is_contiguous:
        return tensor
    return cast(Tensor, calls.single(ev, "aten::clone", [tensor, known(rules.CONTIGUOUS_FORMAT)]))
