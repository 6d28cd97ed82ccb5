"""Random numbers go to the elements of a tensor in the order of memory, as in PyTorch.

In: an in-place operator that draws, on a tensor that is not row-major (a transposed one). Out: the operator on the tensor with
its dimensions in the order of their strides, and its result turned back. Where strides are not known, the order is row-major.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from ...ir.script_types import INT, ListType
from . import calls, tensor_layouts
from .values import Abstract, Tensor, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

DRAWING: Final = ("aten::uniform", "aten::random", "aten::normal_functional", "aten::log_normal")
"""What draws numbers for the elements of a tensor."""


def drawn(
    ev: Evaluator, arguments: list[Abstract], draw: Callable[[list[Abstract]], Abstract]
) -> Abstract:
    """What `draw` gives for the arguments, of which the first is the tensor that is to be filled."""
    target = cast(Tensor, arguments[0])
    order = _order(ev, target)
    if order is None:
        return draw(arguments)
    back = [order.index(i) for i in range(len(order))]
    turned = draw([_permuted(ev, target, order), *arguments[1:]])
    return _permuted(ev, cast(Tensor, turned), back)


def _order(ev: Evaluator, target: Tensor) -> list[int] | None:
    """The dimensions by falling strides; None where that is their own order, or not known."""
    if ev.tensor_type(target).rank < 2:
        return None
    strides = tensor_layouts.place_of(ev, target).strides
    if strides is None:
        return None
    shape = ev.tensor_type(target).shape or ()
    wide = [i for i in range(len(strides)) if shape[i] != 1]
    ordered = sorted(wide, key=lambda i: -strides[i])
    if ordered == wide:
        return None
    rest = iter(ordered)
    return [next(rest) if i in wide else i for i in range(len(strides))]


def _permuted(ev: Evaluator, tensor: Tensor, order: Sequence[int]) -> Tensor:
    dims = ev.new_list([known(i) for i in order], ListType(INT))
    return cast(Tensor, calls.single(ev, "aten::permute", [tensor, dims]))
