"""`tensor`: values with a shape; everything that moves elements without computing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from ..attributes import DenseArrayAttr
from ..builder import Builder
from ..core import Block, Operation, Region, Value
from ..definition import OpDefinition, Trait
from ..types import I32, I64, INDEX, Extent, RankedTensorType, Type

Size = int | Value
"""A static extent, offset or stride, or an index value."""

DYNAMIC_SENTINEL: Final = -(2**63)
"""Entry of a `static_...` attribute that stands for an operand (upstream's ShapedType::kDynamic)."""


def split_sizes(sizes: Sequence[Size]) -> tuple[DenseArrayAttr, list[Value]]:
    """Static entries as an attribute (operands marked by the sentinel), and the operands."""
    static = tuple(s if isinstance(s, int) else DYNAMIC_SENTINEL for s in sizes)
    return DenseArrayAttr(static, I64), [s for s in sizes if isinstance(s, Value)]


def extents(sizes: Sequence[Size]) -> tuple[Extent, ...]:
    """Sizes as they stand in a type: None for a run-time value."""
    return tuple(s if isinstance(s, int) else None for s in sizes)


def tensor_type(value: Value) -> RankedTensorType:
    return cast(RankedTensorType, value.type)


def empty(b: Builder, sizes: Sequence[Size], element: Type) -> Value:
    """An uninitialised tensor; every element must be written before it is read."""
    _, dynamic = split_sizes(sizes)
    return b.create("tensor.empty", dynamic, (RankedTensorType(extents(sizes), element),)).result


def dim(b: Builder, source: Value, index: Value) -> Value:
    return b.create("tensor.dim", (source, index), (INDEX,)).result


def extract(b: Builder, source: Value, indices: Sequence[Value]) -> Value:
    return b.create("tensor.extract", (source, *indices), (tensor_type(source).element,)).result


def insert(b: Builder, scalar: Value, dest: Value, indices: Sequence[Value]) -> Value:
    return b.create("tensor.insert", (scalar, dest, *indices), (dest.type,)).result


def from_elements(b: Builder, elements: Sequence[Value], shape: Sequence[int], element: Type) -> Value:
    """Elements in row-major order."""
    return b.create("tensor.from_elements", elements, (RankedTensorType(tuple(shape), element),)).result


def cast_(b: Builder, source: Value, to: RankedTensorType) -> Value:
    """Same elements, a type with more or less static extents."""
    return b.create("tensor.cast", (source,), (to,)).result


def _in_bounds(offsets: Sequence[Size], sizes: Sequence[Size]) -> list[Size]:
    """An empty box may start anywhere; upstream refuses one that starts at the end."""
    return [0 if isinstance(size, int) and size == 0 else offset for offset, size in zip(offsets, sizes, strict=True)]


def extract_slice(
    b: Builder, source: Value, offsets: Sequence[Size], sizes: Sequence[Size], strides: Sequence[Size],
    dropped: Sequence[int] = (),
) -> Value:  # fmt: skip
    """A strided box; `dropped` lists dimensions of static size 1 that the result leaves out."""
    names = ("static_offsets", "static_sizes", "static_strides")
    groups = [split_sizes(g) for g in (_in_bounds(offsets, sizes), sizes, strides)]
    attributes = {n: g[0] for n, g in zip(names, groups, strict=True)}
    segments = DenseArrayAttr((1, *(len(g[1]) for g in groups)), I32)
    kept = tuple(e for i, e in enumerate(extents(sizes)) if i not in dropped)
    operands = [source, *(v for g in groups for v in g[1])]
    result = RankedTensorType(kept, tensor_type(source).element)
    return b.create("tensor.extract_slice", operands, (result,), {**attributes, "operandSegmentSizes": segments}).result


def insert_slice(
    b: Builder, source: Value, dest: Value, offsets: Sequence[Size], sizes: Sequence[Size], strides: Sequence[Size],
) -> Value:  # fmt: skip
    """`dest` with a strided box replaced by `source`, whose rank may be lower by dimensions of static size 1.

    A source whose type says less (or more) about its extents than `sizes` do is cast to what they say.
    """
    own = tensor_type(source)
    if len(own.shape) == len(sizes) and own.shape != extents(sizes):
        source = cast_(b, source, RankedTensorType(extents(sizes), own.element))
    names = ("static_offsets", "static_sizes", "static_strides")
    groups = [split_sizes(g) for g in (_in_bounds(offsets, sizes), sizes, strides)]
    attributes = {n: g[0] for n, g in zip(names, groups, strict=True)}
    segments = DenseArrayAttr((1, 1, *(len(g[1]) for g in groups)), I32)
    operands = [source, dest, *(v for g in groups for v in g[1])]
    return b.create("tensor.insert_slice", operands, (dest.type,), {**attributes, "operandSegmentSizes": segments}).result


Groups = Sequence[Sequence[int]]


def collapse_shape(b: Builder, source: Value, groups: Groups) -> Value:
    """Merges each group of adjacent dimensions into one; `[]` groups of a 0-d result are given as no groups at all."""
    shape = tensor_type(source).shape
    merged = tuple(_product(tuple(shape[i] for i in group)) for group in groups)
    attributes = {"reassociation": tuple(tuple(g) for g in groups)}
    return b.create("tensor.collapse_shape", (source,), (RankedTensorType(merged, tensor_type(source).element),), attributes).result


def _product(shape: tuple[Extent, ...]) -> Extent:
    result = 1
    for e in shape:
        if e is None:
            return None
        result *= e
    return result


def expand_shape(b: Builder, source: Value, groups: Groups, sizes: Sequence[Size]) -> Value:
    """Splits each dimension of `source` into the group of result dimensions; `sizes` are all result extents."""
    static, dynamic = split_sizes(sizes)
    attributes = {"reassociation": tuple(tuple(g) for g in groups), "static_output_shape": static}
    result = RankedTensorType(extents(sizes), tensor_type(source).element)
    return b.create("tensor.expand_shape", (source, *dynamic), (result,), attributes).result


def reshape(b: Builder, source: Value, shape: Value, to: RankedTensorType) -> Value:
    """Any row-major reshape; `shape` is a 1-d tensor of index or i64 with the result's extents."""
    return b.create("tensor.reshape", (source, shape), (to,)).result


def pad(b: Builder, source: Value, low: Sequence[Size], high: Sequence[Size], value: Value) -> Value:
    """Adds `low` and `high` elements of the scalar `value` on each side."""
    (static_low, dynamic_low), (static_high, dynamic_high) = split_sizes(low), split_sizes(high)
    shape = tensor_type(source).shape
    inferred = tuple(
        e + lo + hi if e is not None and isinstance(lo, int) and isinstance(hi, int) else None
        for e, lo, hi in zip(shape, low, high, strict=True)
    )
    block = Block([INDEX] * len(shape))
    with b.inside(block):
        b.create("tensor.yield", (value,))
    attributes = {
        "static_low": static_low,
        "static_high": static_high,
        "operandSegmentSizes": DenseArrayAttr((1, len(dynamic_low), len(dynamic_high)), I32),
    }
    result = RankedTensorType(inferred, tensor_type(source).element)
    return b.create("tensor.pad", (source, *dynamic_low, *dynamic_high), (result,), attributes, [Region([block])]).result


def generate(b: Builder, sizes: Sequence[Size], element: Type, body: Callable[[Builder, Sequence[Value]], Value]) -> Value:
    """Each element computed from its indices."""
    block = Block([INDEX] * len(sizes))
    _, dynamic = split_sizes(sizes)
    op = b.create("tensor.generate", dynamic, (RankedTensorType(extents(sizes), element),), regions=[Region([block])])
    with b.inside(block):
        b.create("tensor.yield", (body(b, block.args),))
    return op.result


def splat(b: Builder, scalar: Value, sizes: Sequence[Size]) -> Value:
    _, dynamic = split_sizes(sizes)
    return b.create("tensor.splat", (scalar, *dynamic), (RankedTensorType(extents(sizes), scalar.type),)).result


def yield_(b: Builder, value: Value) -> Operation:
    return b.create("tensor.yield", (value,))


_PURE: Final = frozenset({Trait.PURE})

OPS: tuple[OpDefinition, ...] = (
    OpDefinition("tensor.empty", ("sizes*",), assembly="( $sizes ) attr-dict : type(results)", traits=_PURE),
    OpDefinition("tensor.dim", ("source", "index"), assembly="attr-dict $source , $index : type($source)", traits=_PURE),
    OpDefinition("tensor.extract", ("tensor", "indices*"), assembly="$tensor [ $indices ] attr-dict : type($tensor)", traits=_PURE),
    OpDefinition("tensor.insert", ("scalar", "dest", "indices*"), assembly="$scalar into $dest [ $indices ] attr-dict : type($dest)", traits=_PURE),
    OpDefinition("tensor.from_elements", ("elements*",), assembly="$elements attr-dict : type(results)", traits=_PURE),
    OpDefinition("tensor.cast", ("source",), assembly="$source attr-dict : type($source) to type(results)", traits=_PURE),
    OpDefinition("tensor.extract_slice", ("source", "offsets*", "sizes*", "strides*"), traits=_PURE),
    OpDefinition("tensor.insert_slice", ("source", "dest", "offsets*", "sizes*", "strides*"), traits=_PURE),
    OpDefinition("tensor.collapse_shape", ("src",), traits=_PURE),
    OpDefinition("tensor.expand_shape", ("src", "output_shape*"), traits=_PURE),
    OpDefinition("tensor.reshape", ("source", "shape"), assembly="$source ( $shape ) attr-dict : functional-type", traits=_PURE),
    OpDefinition("tensor.pad", ("source", "low*", "high*"), regions=1, traits=_PURE),
    OpDefinition("tensor.generate", ("dynamicExtents*",), regions=1, traits=_PURE),
    OpDefinition("tensor.splat", ("input", "dynamicSizes*"), assembly="$input [? $dynamicSizes ]? attr-dict : type(results)", traits=_PURE),
    OpDefinition("tensor.yield", ("value",), results=0, assembly="$value attr-dict : type($value)", traits=frozenset({Trait.TERMINATOR})),
)
