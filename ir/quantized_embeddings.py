"""Embeddings with rows of 8 or 4 bits: packed objects, and rows of bytes that end with their scale and bias.

A row of bytes stands for `byte * scale + bias`; the scale and the bias are float32 of the last 8 bytes, or float16 of the last 4
where there are two numbers in a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .operator import OperatorError
from .quantized import BY_CHANNEL, EMBEDDING
from .quantized_parts import Engine, Results, Rule


def _prepack(e: Engine, arguments: Sequence[Any]) -> Results:
    return (e.object(EMBEDDING, {"weight": arguments[0]}),)


def _unpack(e: Engine, arguments: Sequence[Any]) -> Results:
    return (e.attribute(arguments[0], "weight"),)


def _rows(e: Engine, packed: Any) -> tuple[Any, Any, Any]:
    """The bytes, and the scale and bias of each row."""
    weight = e.attribute(packed, "weight")
    if e.type_of(weight) is not BY_CHANNEL:
        raise OperatorError("expected an embedding with a scale for each row")
    scales, points = e.attribute(weight, "scales"), e.attribute(weight, "zero_points")
    return e.attribute(weight, "values"), *e.elements(e.call("aten::_h_q_row_parameters", scales, points))


def _embedding(e: Engine, arguments: Sequence[Any]) -> Results:
    packed, indices, *_ = arguments
    return (e.call("aten::_h_q_embedding", *_rows(e, packed), indices),)


def _bag(e: Engine, parts: Sequence[Any], arguments: Sequence[Any]) -> Results:
    """`mode` is ignored: PyTorch's kernels add up."""
    indices, offsets, _, _, pruned, weights, mapping, last, *_ = [*arguments, None, False, 0, False, None, None, False][:8]
    if e.plain(pruned):
        raise OperatorError("pruned embeddings are not supported")
    del mapping
    return (e.call("aten::_h_q_embedding_bag", *parts, indices, offsets, weights, last),)


def _bag_of_packed(e: Engine, arguments: Sequence[Any]) -> Results:
    packed, *rest = arguments
    return _bag(e, _rows(e, packed), rest)


def _bag_of_rows(bits: int) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        rows, *rest = arguments
        return _bag(e, e.elements(e.call("aten::_h_q_rows", rows, bits)), rest)

    return rule


def _prepack_rows(bits: int) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        if bits < 8 and len(arguments) > 1 and e.plain(arguments[1]):
            raise OperatorError("optimized_qparams is not supported")
        return (e.call("aten::_h_q_pack_rows", arguments[0], bits),)

    return rule


def _unpack_rows(bits: int) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        return (e.call("aten::_h_q_unpack_rows", arguments[0], bits),)

    return rule


_BITS: Final = {"byte": 8, "4bit": 4, "2bit": 2}

MAKING: Final[dict[str, Rule]] = {
    "quantized::embedding_bag_prepack": _prepack,
    "quantized::embedding_bag_unpack": _unpack,
    "quantized::embedding_byte": _embedding,
    "quantized::embedding_bag_byte": _bag_of_packed,
    **{f"quantized::embedding_bag_{name}_rowwise_offsets": _bag_of_rows(bits) for name, bits in _BITS.items()},
    **{f"quantized::embedding_bag_{name}_prepack": _prepack_rows(bits) for name, bits in _BITS.items()},
    **{f"quantized::embedding_bag_{name}_unpack": _unpack_rows(bits) for name, bits in _BITS.items()},
}
