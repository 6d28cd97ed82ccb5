"""`is`: whether two values are one object, where PyTorch looks at objects; numbers and strings are compared.

Lists, dicts and objects are one where the evaluator holds one reference, or where the run time says so. Of tensors only the
values are known: what may hand on the very tensor that it was given leaves the answer open, which is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from ...ir.core import BlockArgument, OpResult, Value
from ...ir.operators import split_name
from ...ir.script_types import EnumType
from . import calls, run_time_values
from .values import Abstract, Enumerator, Known, Ref, Scalar, Tensor, known, same, type_of

if TYPE_CHECKING:
    from .evaluator import Evaluator


def test(ev: Evaluator, a: Abstract, b: Abstract, *, negated: bool) -> Abstract:
    """`a is b`, or `a is not b`."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Known) and one.value is None:
            return known((isinstance(other, Known) and other.value is None) != negated)
    if isinstance(a, Known) and isinstance(b, Known):
        return known((type(a.value) is type(b.value) and a.value == b.value) != negated)
    if isinstance(a, Scalar | Known) and isinstance(b, Scalar | Known) and type_of(a) == type_of(b):
        return calls.single(ev, "aten::ne" if negated else "aten::eq", [a, b])
    if isinstance(a, Enumerator) and isinstance(b, Enumerator):
        if a.origin is None or b.origin is None:
            raise ev.error("whether members of an enum are one object is not known", help="compare them with `==`")
        return known((a.origin is b.origin) != negated)
    if any(isinstance(type_of(v), EnumType) for v in (a, b)):
        raise ev.error("whether members of an enum are one object is not known", help="compare them with `==`")
    if not same(a, b) and isinstance(a, Ref) and isinstance(b, Ref) and a.kind == b.kind:
        found = run_time_values.identity(ev, a, b)
        if found is not None:
            return calls.single(ev, "aten::__not__", [found]) if negated else found
        if any(run_time_values.may_be_another(ev, r) for r in (a, b)):
            raise ev.not_static(f"whether these two are one {a.kind}")
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.value is not b.value and _may_be_one(a, b):
        raise ev.error("whether these two are one tensor is not known", help="compare what they hold with `torch.equal`")
    return known(same(a, b) != negated)


_MAYBE_ITSELF: Final = frozenset(
    """aten::contiguous aten::to aten::type_as aten::float aten::double aten::half aten::int aten::long aten::cpu aten::expand_as
    aten::requires_grad_ aten::resolve_conj aten::resolve_neg aten::conj aten::real aten::positive aten::as_tensor aten::dropout
    aten::alias aten::lift_fresh aten::flatten aten::reshape aten::expand aten::atleast_1d aten::atleast_2d aten::atleast_3d""".split()
)
"""Operators whose result may be the very tensor that they are given."""


def _may_be_one(a: Tensor, b: Tensor) -> bool:
    """Whether two values may be one tensor, which an operator without a change, a branch or a loop handed on.

    Two arguments, and two tensors of a module, count as two: of what is only read the caller does not say more.
    """
    first, second = _origins(a.value), _origins(b.value)
    return None in first or None in second or bool(first & second)


def _origins(value: Value) -> set[Value | None]:
    """The values that a tensor may be; None where that cannot be said yet, in a loop that is still being made."""
    found: set[Value | None] = set()
    pending: list[Value] = [value]
    while pending:
        current = pending.pop()
        if current in found:
            continue
        found.add(current)
        op = current.defining_op()
        if op is None:
            block = cast(BlockArgument, current)
            loop = block.owner.parent_op
            if loop is not None and loop.name == "prim::Loop":
                found.add(None)
        elif op.name in ("prim::If", "prim::Loop"):
            at = cast(OpResult, current).index + (op.name == "prim::Loop")
            pending += [region.blocks[0].terminator.operand(at) for region in op.regions]
            pending += [op.operand(at + 1)] if op.name == "prim::Loop" else []
        elif split_name(op.name)[0] in _MAYBE_ITSELF or (op.name.startswith("aten::") and split_name(op.name)[0].endswith("_")):
            pending.append(op.operand(0))
    return found
