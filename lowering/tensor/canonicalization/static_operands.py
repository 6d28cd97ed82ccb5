"""Dynamic sizes that are constants become static; `tensor.cast` moves towards the results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, cast

from ....ir.affine import AffineDim
from ....ir.attributes import DenseArrayAttr
from ....ir.builder import Builder
from ....ir.core import Operation, Value
from ....ir.dialects import linalg, tensor
from ....ir.dialects.tensor import Size, tensor_type
from ....ir.types import I32, Extent, RankedTensorType, Type
from ...indexing import as_size, dropped_dims, mixed, slice_parameters
from .extents import shape_element
from .rewriting import Rules, replace


def _same_or_cast(b: Builder, value: Value, to: Type) -> Value:
    return value if value.type == to else tensor.cast_(b, value, cast(RankedTensorType, to))


def _is_refinement(refined: RankedTensorType, of: RankedTensorType) -> bool:
    """Same type up to extents that are static in `refined` and dynamic in `of`."""
    return len(refined.shape) == len(of.shape) and all(
        y is None or x == y for x, y in zip(refined.shape, of.shape, strict=True)
    )


def _refined_source(value: Value) -> Value:
    """The source of casts that only forget static extents."""
    op = value.defining_op("tensor.cast")
    while op is not None and _is_refinement(tensor_type(op.operand(0)), tensor_type(value)):
        value = op.operand(0)
        op = value.defining_op("tensor.cast")
    return value


def _fold_cast(op: Operation) -> bool:
    source = op.operand(0)
    if source.type == op.result.type:
        return replace(op, source)
    inner = source.defining_op("tensor.cast")
    if inner is None:
        return False
    first, middle, last = (tensor_type(v).shape for v in (inner.operand(0), source, op.result))
    # Dropping the middle type must not drop a check: what it knew, the first or the last type knows as well.
    if any(m is not None and f is None and t is None for f, m, t in zip(first, middle, last, strict=True)):
        return False
    if inner.operand(0).type == op.result.type:
        return replace(op, inner.operand(0))
    op.set_operand(0, inner.operand(0))
    return True


def _read_through_cast(op: Operation) -> bool:
    """The tensor operand's more precise type is as good, when the result type does not depend on it."""
    source = _refined_source(op.operand(0))
    if source is op.operand(0):
        return False
    op.set_operand(0, source)
    return True


def _known_sizes(sizes: Sequence[Size]) -> list[Size]:
    return [as_size(s) if isinstance(s, Value) else s for s in sizes]


def _fill_type(t: Type, sizes: Sequence[Size]) -> list[Size]:
    """All extents of a type: static ones from it, the others from `sizes` in order."""
    dynamic = iter(sizes)
    return [next(dynamic) if e is None else e for e in cast(RankedTensorType, t).shape]


def _static_sizes(op: Operation) -> bool:
    """`tensor.empty`, `tensor.splat`, `tensor.generate` with constant sizes."""
    start = 1 if op.name == "tensor.splat" else 0
    dynamic = op.operands[start:]
    known = _known_sizes(dynamic)
    if not any(isinstance(k, int) for k in known):
        return False
    b = Builder.before(op)
    sizes = _fill_type(op.result.type, known)
    if any(isinstance(s, int) and s < 0 for s in sizes):
        return False
    if op.name == "tensor.empty":
        result = tensor.empty(b, sizes, tensor_type(op.result).element)
    elif op.name == "tensor.splat":
        result = tensor.splat(b, op.operand(0), sizes)
    else:
        shape = tensor.extents(sizes)
        new = b.insert(
            Operation(
                op.name,
                [s for s in sizes if isinstance(s, Value)],
                [RankedTensorType(shape, tensor_type(op.result).element)],
                span=op.span,
            )
        )
        new.add_region(op.regions[0].clone({}))
        result = new.result
    return replace(op, _same_or_cast(b, result, op.result.type))


def _static_slice(op: Operation) -> bool:
    offsets, sizes, strides = slice_parameters(op)
    known = [_known_sizes(g) for g in (offsets, sizes, strides)]
    same = all(
        isinstance(k, int) == isinstance(old, int)
        for group, olds in zip(known, (offsets, sizes, strides), strict=True)
        for k, old in zip(group, olds, strict=True)
    )
    if (
        same
        or any(isinstance(s, int) and s < 0 for s in known[1])
        or any(isinstance(s, int) and s <= 0 for s in known[2])
    ):
        return False
    b = Builder.before(op)
    if op.name == "tensor.extract_slice":
        dropped = dropped_dims(tensor_type(op.result).shape, sizes)
        result = tensor.extract_slice(b, op.operand(0), *known, dropped=dropped)
        return replace(op, _same_or_cast(b, result, op.result.type))
    source = op.operand(0)
    dropped = dropped_dims(tensor_type(source).shape, sizes)
    expected = tuple(e for i, e in enumerate(tensor.extents(known[1])) if i not in dropped)
    source = _same_or_cast(b, source, RankedTensorType(expected, tensor_type(source).element))
    return replace(op, tensor.insert_slice(b, source, op.operand(1), *known))


def _static_pad(op: Operation) -> bool:
    low, high = mixed(op, "static_low", 1), mixed(op, "static_high", 2)
    known_low, known_high = _known_sizes(low), _known_sizes(high)
    source = _refined_source(op.operand(0))
    unchanged = [isinstance(s, int) for s in (*low, *high)] == [isinstance(s, int) for s in (*known_low, *known_high)]
    if unchanged and source is op.operand(0):
        return False
    b = Builder.before(op)
    (static_low, dynamic_low), (static_high, dynamic_high) = (
        tensor.split_sizes(known_low),
        tensor.split_sizes(known_high),
    )
    shape = tuple(
        e + lo + hi if e is not None and isinstance(lo, int) and isinstance(hi, int) else None
        for e, lo, hi in zip(tensor_type(source).shape, known_low, known_high, strict=True)
    )
    if any(e is not None and e < 0 for e in shape):
        return False
    segments = DenseArrayAttr((1, len(dynamic_low), len(dynamic_high)), I32)
    attributes = {"static_low": static_low, "static_high": static_high, "operandSegmentSizes": segments}
    t = RankedTensorType(shape, tensor_type(source).element)
    new = b.create("tensor.pad", (source, *dynamic_low, *dynamic_high), (t,), attributes, [op.regions[0].clone({})])
    return replace(op, _same_or_cast(b, new.result, op.result.type))


def _static_expand(op: Operation) -> bool:
    static = cast(DenseArrayAttr, op.attributes["static_output_shape"]).values
    dynamic = iter(op.operands[1:])
    sizes: list[Size] = [next(dynamic) if s == tensor.DYNAMIC_SENTINEL else s for s in static]
    known = _known_sizes(sizes)
    source = _refined_source(op.operand(0))
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
    for group, extent in zip(groups, tensor_type(source).shape, strict=True):
        _infer_last_unknown(known, group, extent)
    if source is op.operand(0) and all(
        isinstance(k, int) == isinstance(s, int) for k, s in zip(known, sizes, strict=True)
    ):
        return False
    # The verifier wants a source extent that is dynamic exactly where its group has a dynamic extent.
    merged = tuple(_static_product([known[i] for i in group]) for group in groups)
    b = Builder.before(op)
    source = _same_or_cast(b, source, RankedTensorType(merged, tensor_type(source).element))
    result = tensor.expand_shape(b, source, groups, known)
    return replace(op, _same_or_cast(b, result, op.result.type))


def _infer_last_unknown(sizes: list[Size], group: Sequence[int], extent: Extent) -> None:
    unknown = [i for i in group if not isinstance(sizes[i], int)]
    if extent is None or len(unknown) != 1:
        return
    known = math.prod(cast(int, sizes[i]) for i in group if i != unknown[0])
    if known > 0 and extent % known == 0:
        sizes[unknown[0]] = extent // known


def _static_product(sizes: Sequence[Size]) -> Extent:
    return math.prod(cast("list[int]", sizes)) if all(isinstance(s, int) for s in sizes) else None


def _refine_collapse(op: Operation) -> bool:
    source = _refined_source(op.operand(0))
    if source is op.operand(0):
        return False
    b = Builder.before(op)
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
    return replace(op, _same_or_cast(b, tensor.collapse_shape(b, source, groups), op.result.type))


def _static_reshape(op: Operation) -> bool:
    """`tensor.reshape` to constant extents gets them in its type; one that changes nothing goes."""
    source = _refined_source(op.operand(0))
    shape = tensor_type(op.result).shape
    known = tuple(
        e if e is not None else _static_or_none(shape_element(op.operand(1), i)) for i, e in enumerate(shape)
    )
    if None not in known and known == tensor_type(source).shape:
        return replace(op, _same_or_cast(Builder.before(op), source, op.result.type))
    if source is op.operand(0) and known == shape:
        return False
    if any(e is not None and e < 0 for e in known):
        return False
    b = Builder.before(op)
    result = tensor.reshape(b, source, op.operand(1), RankedTensorType(known, tensor_type(op.result).element))
    return replace(op, _same_or_cast(b, result, op.result.type))


def _static_or_none(size: Size | None) -> Extent:
    return size if isinstance(size, int) else None


def _refine_structured(op: Operation) -> bool:
    """Static extents of any operand make the loop extents static, and so the types of the results."""
    if not op.results:
        return False
    maps = linalg.indexing_maps(op)
    sources = [_refined_source(v) if isinstance(v.type, RankedTensorType) else v for v in op.operands]
    extents: dict[int, int] = {}
    for value, indexing_map in zip(sources, maps, strict=True):
        if not isinstance(value.type, RankedTensorType):
            continue
        for extent, expr in zip(value.type.shape, indexing_map.results, strict=True):
            if isinstance(expr, AffineDim) and extent is not None:
                extents.setdefault(expr.position, extent)
    b = Builder.before(op)
    n_in = len(linalg.inputs(op))
    changed = False
    operands: list[Value] = []
    for i, (value, indexing_map) in enumerate(zip(sources, maps, strict=True)):
        t = value.type
        if i >= n_in:
            shape = tuple(
                extents.get(expr.position, extent) if extent is None and isinstance(expr, AffineDim) else extent
                for extent, expr in zip(cast(RankedTensorType, t).shape, indexing_map.results, strict=True)
            )
            value = _same_or_cast(b, value, RankedTensorType(shape, cast(RankedTensorType, t).element))
        changed |= value is not op.operand(i) and value.type != op.operand(i).type
        operands.append(value)
    if not changed:
        return False
    types = [v.type for v in operands[n_in:]]
    new = b.create(op.name, operands, types, op.attributes, [op.regions[0].clone({})])
    op.replace_with([_same_or_cast(b, r, old.type) for r, old in zip(new.results, op.results, strict=True)])
    return True


RULES: Final[Rules] = {
    "tensor.cast": (_fold_cast,),
    "tensor.extract": (_read_through_cast,),
    "tensor.empty": (_static_sizes,),
    "tensor.splat": (_static_sizes,),
    "tensor.generate": (_static_sizes,),
    "tensor.extract_slice": (_read_through_cast, _static_slice),
    "tensor.insert_slice": (_static_slice,),
    "tensor.pad": (_static_pad,),
    "tensor.expand_shape": (_static_expand,),
    "tensor.collapse_shape": (_refine_collapse,),
    "tensor.reshape": (_static_reshape,),
    "linalg.generic": (_refine_structured,),
    "linalg.fill": (_refine_structured,),
    "linalg.matmul": (_refine_structured,),
    "linalg.batch_matmul": (_refine_structured,),
}
