"""Operators over a dimension of extent zero, where the formula that defines them has no value to begin with.

In: a softmax of abstract values. Out: the empty tensor that it is, if an extent is known to be zero; None if not. An extent that is
zero at run time only is an error there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ...ir.dtypes import DType
from .values import Abstract, Known, Tensor, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

_WITH_DTYPE: Final = frozenset(
    f"aten::{name}"
    for name in ("softmax.int", "log_softmax.int", "_safe_softmax", "special_softmax", "special_log_softmax")
)
_TO_FLOAT: Final = frozenset(("aten::_softmax", "aten::_log_softmax"))
"""Their last argument says whether halves become floats."""


def apply(ev: Evaluator, name: str, arguments: list[Abstract]) -> Sequence[Abstract] | None:
    if name not in _WITH_DTYPE and name not in _TO_FLOAT:
        return None
    tensor, dim, last = arguments
    if not isinstance(tensor, Tensor) or 0 not in (ev.tensor_type(tensor).shape or ()):
        return None
    if name in _TO_FLOAT:
        if not isinstance(last, Known):
            return None
        last = known(int(DType.float32) if last.value else None)
    function = ev.composite("aten::_h_empty_softmax")
    assert function is not None
    return (ev.call_composite(function, [tensor, dim, last]),)
