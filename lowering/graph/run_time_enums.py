"""Members of Enums that are known at run time: compared, and their names and values.

Of an Enum of few members one that is read is a `Variant` of them (`run_time_values.py`); of one of many it is a `Scalar`,
and this is what can be done with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...ir.operators import split_name
from ...ir.script_types import BOOL, EnumMember, EnumType
from . import run_time_values
from .branches import fork
from .merging import negate
from .values import Abstract, Enumerator, Scalar, known, type_of

if TYPE_CHECKING:
    from .evaluator import Evaluator


def apply(ev: Evaluator, name: str, arguments: Sequence[Abstract]) -> Sequence[Abstract] | None:
    """Results of a builtin that takes such a member; None where none is given."""
    types = [t for a in arguments if isinstance(a, Scalar) and isinstance(t := type_of(a), EnumType)]
    if not types:
        return None
    match split_name(name)[0]:
        case "aten::eq" if len(arguments) == 2:
            return (_equal(ev, arguments[0], arguments[1], types[0]),)
        case "aten::ne" if len(arguments) == 2:
            return (negate(ev, _equal(ev, arguments[0], arguments[1], types[0])),)
        case "prim::EnumName":
            return (_chosen(ev, arguments[0], types[0], {name: name for name in types[0].members}),)
        case "prim::EnumValue":
            return (_chosen(ev, arguments[0], types[0], types[0].members),)
        case _:
            return None


def _equal(ev: Evaluator, a: Abstract, b: Abstract, t: EnumType) -> Scalar:
    operands = [run_time_values.element(ev, v, t) for v in (a, b)]
    return Scalar(ev.emit("aten::eq.enum", operands, (BOOL,)).result)


def _chosen(ev: Evaluator, value: Abstract, t: EnumType, table: Mapping[str, int | float | str]) -> Abstract:
    """What belongs to the member: conditions one after the other."""

    def pick(names: list[str]) -> Abstract:
        first, *rest = names
        if not rest:
            return known(table[first])
        here = _equal(ev, value, Enumerator(EnumMember(t, first)), t)
        return fork(ev, here, lambda: [known(table[first])], lambda: [pick(rest)])[0]

    return pick(list(table))
