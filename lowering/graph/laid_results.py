"""Results that lie in PyTorch's order: a result that is not row-major there is not row-major for the caller.

In: a specialised graph, of which `noted` says how new tensors among its results lie in PyTorch; after `functionalize`, `lay_results`.
Out: each such result is computed with its dimensions in the order in which they lie in memory, and the signature says so.
Only for callers in this process: C functions give row-major results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ...ir.builder import Builder
from ...ir.core import BlockArgument, Operation, Value
from ...ir.dialects import torch
from ...ir.script_types import INT, ListType, TensorType
from ...ir.signature import LaidResult, Signature
from .aliases import static_shape
from .layouts import Layouts
from .strides import is_dense


def noted(layouts: Layouts, results: Sequence[Value]) -> tuple[LaidResult, ...]:
    """How results lie, and by which arguments that was decided. Views of anything, and what other results are views of, are left out."""
    tensors = [(i, v) for i, v in enumerate(results) if isinstance(v.type, TensorType) and v.type.rank > 1]
    shapes = {i: static_shape(v.type) for i, v in tensors}
    known = [(i, v, layouts.of(v)) for i, v in tensors if shapes[i] is not None]
    roots = Counter(layouts.of(v).root for v in results if isinstance(v.type, TensorType))
    found: list[LaidResult] = []
    for i, value, place in known:
        shape = cast("tuple[int, ...]", shapes[i])
        if place.root is None or isinstance(place.root, BlockArgument) or roots[place.root] > 1:
            continue
        order = tuple(range(len(shape)))
        if place.strides is not None and not place.is_contiguous and is_dense(shape, place.strides) and 0 not in shape:
            strides = place.strides
            order = tuple(sorted(order, key=lambda d: (-strides[d] if shape[d] > 1 else 0, d)))
        behind = tuple(sorted(a.index for a in layouts.arguments_behind(value)))
        if behind or order != tuple(range(len(shape))):
            found.append(LaidResult(i, order, behind))
    return tuple(found)


def lay_results(function: Operation, signature: Signature) -> Signature:
    """Turns the results as they lie. Of a function without writes; results that are views, or state, stay as they are."""
    terminator = function.body().terminator
    returned = list(terminator.operands)
    kept = {v.result for v in signature.views} | {v.base for v in signature.views if not v.is_argument}
    kept |= {p.result for p in signature.placed}
    given_out = signature.returned_tensors
    laid: list[LaidResult] = []
    types, parameters = list(signature.results), list(signature.parameters)
    builder = Builder.before(terminator)
    if signature.placed_columns or signature.state:
        return replace(signature, laid=())
    for found in signature.laid:
        value = returned[found.result]
        own = value.type
        if found.result in kept or found.result not in given_out or not isinstance(own, TensorType) or own.shape is None:
            continue
        for i in found.arguments:
            parameters[i] = replace(parameters[i], by_layout=parameters[i].by_layout or parameters[i].path is None)
        if found.order == tuple(range(len(own.shape))):
            continue
        numbers = [torch.constant(builder, d, INT) for d in found.order]
        dims = builder.create("prim::ListConstruct", numbers, (ListType(INT),)).result
        turned = replace(own, shape=tuple(own.shape[d] for d in found.order))
        returned[found.result] = builder.create("aten::permute", [value, dims], (turned,)).result
        types[found.result] = turned
        laid.append(found)
    terminator.set_operands(returned)
    return replace(signature, parameters=tuple(parameters), results=tuple(types), laid=tuple(laid))
