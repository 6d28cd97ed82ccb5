"""Quantized tensors in the interpreter of the `torch` stage: objects of integers, scale and zero point (`ir/quantized.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from ..attributes import ForeignTensor
from ..dtypes import DType, from_numpy
from ..operator import OperatorError
from ..quantized import BY_CHANNEL, BY_TENSOR, PACKED
from ..script_types import ClassType

_CLASSES: Final = (BY_TENSOR, BY_CHANNEL, *PACKED.values())


def parts(value: ForeignTensor) -> tuple[ClassType, dict[str, Any]] | None:
    """The class and the attributes of a quantized tensor of an archive; None for every other tensor without operators."""
    found = value.parts
    if value.what != "quantized" or found["int_repr"].dtype.name not in ("uint8", "int8", "int32"):
        return None
    values = np.array(found["int_repr"])
    if found["scheme"] == "per_tensor_affine":
        numbers = {"scale": float(found["scale"]), "zero_point": int(found["zero_point"])}
        return BY_TENSOR, {"values": values, **numbers}
    if found["scheme"] not in ("per_channel_affine", "per_channel_affine_float_qparams"):
        return None
    rest = {"scales": np.array(found["scale"]), "zero_points": np.array(found["zero_point"]), "axis": int(found["axis"])}
    return BY_CHANNEL, {"values": values, **rest}


@dataclass(frozen=True)
class Engine:
    """`quantized_rules.Engine` of running values; objects are what `make` gives."""

    apply: Callable[[str, list[Any]], Any]
    """The result of an operator or of a helper of the prelude."""
    make: Callable[[ClassType, dict[str, Any]], Any]

    def call(self, name: str, *arguments: Any) -> Any:
        return self.apply(name, list(arguments))

    def object(self, type: ClassType, attributes: Mapping[str, Any]) -> Any:
        return self.make(type, dict(attributes))

    def type_of(self, value: Any) -> ClassType | None:
        found = getattr(value, "type", None)
        return found if found in _CLASSES else None

    def attribute(self, value: Any, name: str) -> Any:
        return value.attributes[name]

    def dtype(self, tensor: Any) -> DType:
        found = from_numpy(cast("np.ndarray[Any, Any]", tensor).dtype) if isinstance(tensor, np.ndarray) else None
        if found is None:
            raise OperatorError("expected a tensor")
        return found

    def rank(self, tensor: Any) -> int:
        return int(tensor.ndim)

    def plain(self, value: Any) -> Any:
        return value

    def is_zero(self, value: Any) -> bool:
        return not np.any(value)

    def elements(self, value: Any) -> Sequence[Any]:
        return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()

    def list(self, values: Sequence[Any]) -> Any:
        return [*values]

    def tuple(self, values: Sequence[Any]) -> Any:
        return tuple(values)
