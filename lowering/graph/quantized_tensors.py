"""Quantized tensors in the specialiser: objects of integers, scale and zero point; operators on them by `ir/quantized_rules.py`.

In: an operator and abstract values. Out: its results, where it makes or takes quantized tensors. What the stages below see is
integer arithmetic. Weights of an archive come in as the objects they are made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir import quantized_rules
from ...ir.attributes import Constant, ForeignTensor
from ...ir.dtypes import DType
from ...ir.operator import OperatorError
from ...ir.quantized import BY_CHANNEL, BY_TENSOR, PACKED
from ...ir.script_types import INT, TENSOR, ClassType, ListType
from . import calls
from .values import Abstract, Known, Ref, Tensor, Tuple, is_static, known, to_python

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

_CLASSES: Final = (BY_TENSOR, BY_CHANNEL, *PACKED.values())
_HELPER: Final = "aten::_h_q_"


def apply(ev: Evaluator, name: str, arguments: Sequence[Abstract]) -> Results | None:
    """What the operator gives, if it makes or takes quantized tensors; None if not."""
    if not name.startswith(("aten::", "prim::", "quantized::")):
        return None
    try:
        results = quantized_rules.apply(_Engine(ev), name, arguments)
    except OperatorError as error:
        raise ev.error(str(error)) from None
    return results


def imported(ev: Evaluator, value: ForeignTensor) -> Ref | None:
    """The quantized tensor of an archive as an object; None for every other tensor that no operator takes."""
    parts = value.parts
    if value.what != "quantized" or parts["int_repr"].dtype.name not in ("uint8", "int8", "int32"):
        return None
    values = ev.import_value(Constant(value.name, parts["int_repr"]))
    if parts["scheme"] == "per_tensor_affine":
        contents = {"values": values, "scale": known(float(parts["scale"])), "zero_point": known(int(parts["zero_point"]))}
        return ev.new_ref("object", BY_TENSOR, contents)
    if parts["scheme"] not in ("per_channel_affine", "per_channel_affine_float_qparams"):
        return None
    contents = {
        "values": values,
        "scales": ev.import_value(Constant(f"{value.name}.scales", parts["scale"])),
        "zero_points": ev.import_value(Constant(f"{value.name}.zero_points", parts["zero_point"])),
        "axis": known(int(parts["axis"])),
    }
    return ev.new_ref("object", BY_CHANNEL, contents)


@dataclass(frozen=True)
class _Engine:
    ev: Evaluator

    def call(self, name: str, *arguments: Any) -> Any:
        given = [self._value(a) for a in arguments]
        if name.startswith(_HELPER):
            function = self.ev.composite(name)
            assert function is not None, name
            return self.ev.call_composite(function, given)
        return calls.single(self.ev, name, given)

    def _value(self, value: Any) -> Abstract:
        if isinstance(value, list):
            elements = [self._value(v) for v in cast(list[Any], value)]
            of_tensors = any(isinstance(v, Tensor) for v in elements)
            return self.ev.new_list(elements, ListType(TENSOR if of_tensors else INT))
        return known(value) if isinstance(value, bool | int | float | None) else cast(Abstract, value)

    def object(self, type: ClassType, attributes: Mapping[str, Any]) -> Abstract:
        return self.ev.new_ref("object", type, {n: self._value(v) for n, v in attributes.items()})

    def type_of(self, value: Any) -> ClassType | None:
        found = value.type if isinstance(value, Ref) else None
        return found if isinstance(found, ClassType) and found in _CLASSES else None

    def attribute(self, value: Any, name: str) -> Any:
        return self.ev.contents(value)[name]

    def dtype(self, tensor: Any) -> DType:
        if not isinstance(tensor, Tensor):
            raise OperatorError("expected a tensor")
        return cast(DType, self.ev.tensor_type(tensor).dtype)

    def rank(self, tensor: Any) -> int:
        return self.ev.tensor_type(tensor).rank

    def plain(self, value: Any) -> Any:
        if not isinstance(value, Known | Ref | Tuple):
            if value is None or isinstance(value, bool | int | float):
                return value
            raise OperatorError("this argument of an operator on quantized tensors is only known at run time")
        return to_python(value, self.ev.heap) if is_static(value, self.ev.heap) else None

    def is_zero(self, value: Any) -> bool:
        if isinstance(value, Tensor):
            op = self.ev.current(value).value.defining_op("prim::Constant")
            constant = None if op is None else op.attributes.get("value")
            return isinstance(constant, Constant) and not constant.array.any()
        return isinstance(value, Known) and value.value == 0

    def elements(self, value: Any) -> Sequence[Any]:
        if isinstance(value, Tuple):
            return value.elements
        if isinstance(value, Ref) and value.kind == "list":
            return self.ev.elements(value)
        return ()

    def list(self, values: Sequence[Any]) -> Abstract:
        return self.ev.new_list([self._value(v) for v in values], ListType(TENSOR))

    def tuple(self, values: Sequence[Any]) -> Abstract:
        return Tuple(tuple(self._value(v) for v in values))
