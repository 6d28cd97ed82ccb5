"""Nested tensors as `nn.TransformerEncoder` uses them in evaluation: sequences of different length without their padding.

In: the three operators of that path on abstract values. A nested tensor is an object of the specialiser's own, with the
padded tensor and the mask of what is valid; an encoder layer computes padded, under the mask, and what comes out is padded
anew, as PyTorch does. To any other operator a nested tensor is an error at its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ...ir.script_types import TENSOR, ClassType
from .values import Abstract, Known, Ref, Tensor, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

NESTED: Final = ClassType("NestedTensor", attributes={"padded": TENSOR, "valid": TENSOR})

_LAYER: Final = "aten::_transformer_encoder_layer_fwd"
_KEY_PADDING: Final = 1
"""The `mask_type` of a mask of keys."""

_FROM_MASK: Final = "aten::_nested_tensor_from_mask"
_TO_PADDED: Final = ("aten::to_padded_tensor", "aten::nested_to_padded_tensor")

Results = Sequence[Abstract]


def apply(ev: Evaluator, name: str, arguments: list[Abstract]) -> Results | None:
    """What the operator gives, if it makes a nested tensor or is given one; None if not."""
    if name == _FROM_MASK:
        return (_from_mask(ev, arguments),)
    nested = arguments[0] if arguments else None
    if not isinstance(nested, Ref) or nested.type is not NESTED:
        return None
    contents = ev.contents(nested)
    padded, valid = contents["padded"], contents["valid"]
    if name == _LAYER:
        return (_layer(ev, nested, padded, valid, arguments[1:]),)
    if name in _TO_PADDED:
        return (_composite(ev, "aten::_h_nested_to_padded", [padded, valid, *arguments[1:]]),)
    return (_query(ev, name, padded),)


def _from_mask(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    tensor, mask, check = arguments
    if not isinstance(tensor, Tensor) or not isinstance(mask, Tensor):
        raise ev.error("a nested tensor is made from a tensor and a mask")
    if ev.tensor_type(tensor).rank != 3 or ev.tensor_type(mask).rank != 2:
        raise ev.error("a nested tensor is made from a tensor of 3 dimensions and a mask of 2")
    valid = _composite(ev, "aten::_h_nested_mask", [tensor, mask, check])
    return ev.new_ref("object", NESTED, {"padded": tensor, "valid": valid})


def _layer(ev: Evaluator, nested: Ref, padded: Abstract, valid: Abstract, rest: list[Abstract]) -> Abstract:
    *weights, mask, _ = rest
    if not isinstance(mask, Known):
        raise ev.error("a nested tensor is used here with a mask, which is not supported")
    hidden = _composite(ev, "aten::_h_nested_hidden", [valid])
    new = _composite(ev, _LAYER, [padded, *weights, hidden, known(_KEY_PADDING)])
    return ev.new_ref("object", nested.type, {"padded": new, "valid": valid})


def _query(ev: Evaluator, name: str, padded: Abstract) -> Abstract:
    """What can be asked of a nested tensor."""
    assert isinstance(padded, Tensor)
    match name:
        case "prim::is_nested":
            return known(True)
        case "aten::dim":
            return known(ev.tensor_type(padded).rank)
        case "prim::device":
            return ev.device("cpu")
        case "prim::dtype":
            return ev.import_value(ev.tensor_type(padded).dtype)
        case "prim::requires_grad":
            return known(False)
        case _:
            raise ev.error("a nested tensor is used here, which is not supported")


def _composite(ev: Evaluator, name: str, arguments: list[Abstract]) -> Abstract:
    function = ev.composite(name)
    assert function is not None
    return ev.call_composite(function, arguments)
