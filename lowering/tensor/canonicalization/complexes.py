"""Simplifications of `complex` operations, for the pass `canonicalize`.

    %z = complex.create %a, %b                %r = complex.re %z      =>      %a
"""

from __future__ import annotations

from typing import Final, cast

from ....ir.attributes import FloatAttr
from ....ir.builder import Builder
from ....ir.core import Operation
from ....ir.dialects import arith
from .rewriting import Rules


def _fold_part(op: Operation) -> bool:
    """A part of a number whose parts are known."""
    position = 0 if op.name == "complex.re" else 1
    made = op.operand(0).defining_op()
    if made is None:
        return False
    match made.name:
        case "complex.create":
            op.replace_with([made.operand(position)])
        case "complex.constant":
            part = cast(tuple[FloatAttr, FloatAttr], made.attributes["value"])[position]
            op.replace_with([arith.constant(Builder.before(op), part.value, part.type)])
        case _:
            return False
    return True


def _fold_create(op: Operation) -> bool:
    """The number that was taken apart just before."""
    re, im = (v.defining_op(f"complex.{name}") for v, name in zip(op.operands, ("re", "im"), strict=True))
    if re is None or im is None or re.operand(0) is not im.operand(0):
        return False
    op.replace_with([re.operand(0)])
    return True


RULES: Final[Rules] = {
    "complex.re": (_fold_part,),
    "complex.im": (_fold_part,),
    "complex.create": (_fold_create,),
}
