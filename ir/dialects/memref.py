"""`memref`: buffers, and views of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ..attributes import Constant, DenseArrayAttr, DenseAttr, IntegerAttr, SymbolRef
from ..builder import Builder
from ..core import Operation, Value, lookup
from ..definition import OpDefinition, Trait
from ..types import I32, I64, INDEX, Extent, MemRefType, RankedTensorType, StridedLayout, Type
from .tensor import Size, extents, split_sizes


def memref_type(value: Value) -> MemRefType:
    return cast(MemRefType, value.type)


def alloc(b: Builder, sizes: Sequence[Size], element: Type, alignment: int = 64) -> Value:
    """An uninitialised contiguous buffer on the heap."""
    _, dynamic = split_sizes(sizes)
    attributes = {"alignment": IntegerAttr(alignment, I64), "operandSegmentSizes": DenseArrayAttr((len(dynamic), 0), I32)}
    return b.create("memref.alloc", dynamic, (MemRefType(extents(sizes), element),), attributes).result


def alloca(b: Builder, sizes: Sequence[int], element: Type, alignment: int = 64) -> Value:
    """A small buffer of static size on the stack of the thread that runs this."""
    attributes = {"alignment": IntegerAttr(alignment, I64), "operandSegmentSizes": DenseArrayAttr((0, 0), I32)}
    return b.create("memref.alloca", (), (MemRefType(tuple(sizes), element),), attributes).result


def dealloc(b: Builder, buffer: Value) -> Operation:
    return b.create("memref.dealloc", (buffer,))


def load(b: Builder, buffer: Value, indices: Sequence[Value]) -> Value:
    return b.create("memref.load", (buffer, *indices), (memref_type(buffer).element,)).result


def store(b: Builder, value: Value, buffer: Value, indices: Sequence[Value]) -> Operation:
    return b.create("memref.store", (value, buffer, *indices))


def dim(b: Builder, buffer: Value, index: Value) -> Value:
    return b.create("memref.dim", (buffer, index), (INDEX,)).result


def cast_(b: Builder, source: Value, to: MemRefType) -> Value:
    return b.create("memref.cast", (source,), (to,)).result


def copy(b: Builder, source: Value, target: Value) -> Operation:
    return b.create("memref.copy", (source, target))


def prefetch(b: Builder, buffer: Value, indices: Sequence[Value], locality: int = 3, write: bool = False) -> Operation:
    """`locality` 3 (L1) to 0 (none); may point past the end."""
    attributes = {"isWrite": write, "localityHint": IntegerAttr(locality, I32), "isDataCache": True}
    return b.create("memref.prefetch", (buffer, *indices), (), attributes)


def _strided(offsets: Sequence[Size], sizes: Sequence[Size], strides: Sequence[Size]) -> dict[str, DenseArrayAttr]:
    names = ("static_offsets", "static_sizes", "static_strides")
    return {n: split_sizes(g)[0] for n, g in zip(names, (offsets, sizes, strides), strict=True)}


def subview(
    b: Builder, source: Value, offsets: Sequence[Size], sizes: Sequence[Size], strides: Sequence[Size], dropped: Sequence[int] = ()
) -> Value:
    """A strided box of `source` without a copy; `dropped` lists dimensions of static size 1 to leave out."""
    of = memref_type(source)
    base: Extent = of.offset
    kept_strides: list[Extent] = []
    for position, (offset, stride, old) in enumerate(zip(offsets, strides, of.strides(), strict=True)):
        step = None if base is None or not isinstance(offset, int) else 0 if offset == 0 else None if old is None else offset * old
        base = None if step is None or base is None else base + step
        if position not in dropped:
            kept_strides.append(stride * old if isinstance(stride, int) and old is not None else None)
    kept = tuple(e for i, e in enumerate(extents(sizes)) if i not in dropped)
    result = MemRefType(kept, of.element, StridedLayout(tuple(kept_strides), base), of.space)
    groups = [split_sizes(g)[1] for g in (offsets, sizes, strides)]
    segments = DenseArrayAttr((1, *map(len, groups)), I32)
    operands = [source, *(v for g in groups for v in g)]
    return b.create("memref.subview", operands, (result,), {**_strided(offsets, sizes, strides), "operandSegmentSizes": segments}).result


def reinterpret_cast(b: Builder, source: Value, offset: Size, sizes: Sequence[Size], strides: Sequence[Size]) -> Value:
    """The same memory with any shape and strides (in elements from the start of the allocation)."""
    of = memref_type(source)
    layout = StridedLayout(extents(strides), extents([offset])[0])
    result = MemRefType(extents(sizes), of.element, layout, of.space)
    if layout == StridedLayout(MemRefType(result.shape, of.element).strides(), 0) and None not in layout.strides:
        result = MemRefType(result.shape, of.element, None, of.space)
    groups = [split_sizes(g)[1] for g in ([offset], sizes, strides)]
    segments = DenseArrayAttr((1, *map(len, groups)), I32)
    operands = [source, *(v for g in groups for v in g)]
    attributes = {**_strided([offset], sizes, strides), "operandSegmentSizes": segments}
    return b.create("memref.reinterpret_cast", operands, (result,), attributes).result


Groups = Sequence[Sequence[int]]


def collapse_shape(b: Builder, source: Value, groups: Groups, to: MemRefType) -> Value:
    return b.create("memref.collapse_shape", (source,), (to,), {"reassociation": tuple(tuple(g) for g in groups)}).result


def expand_shape(b: Builder, source: Value, groups: Groups, sizes: Sequence[Size], to: MemRefType) -> Value:
    static, dynamic = split_sizes(sizes)
    attributes = {"reassociation": tuple(tuple(g) for g in groups), "static_output_shape": static}
    return b.create("memref.expand_shape", (source, *dynamic), (to,), attributes).result


def view(b: Builder, source: Value, byte_shift: Value, sizes: Sequence[Size], element: Type) -> Value:
    """A contiguous buffer inside the 1-d i8 buffer `source`, from that byte on."""
    _, dynamic = split_sizes(sizes)
    return b.create("memref.view", (source, byte_shift, *dynamic), (MemRefType(extents(sizes), element),)).result


def global_(module: Operation, constant: Constant, type: MemRefType) -> str:
    """Declares the constant buffer of a Constant once; returns its symbol."""
    if lookup(module, constant.name) is None:
        value = DenseAttr(constant, RankedTensorType(type.shape, type.element))
        attributes = {"sym_name": constant.name, "sym_visibility": "private", "type": type, "initial_value": value, "constant": True}
        module.body().insert_before(Operation("memref.global", attributes=attributes), module.body().first)
    return constant.name


def get_global(b: Builder, name: str, type: MemRefType) -> Value:
    return b.create("memref.get_global", (), (type,), {"name": SymbolRef(name)}).result


_PURE: Final = frozenset({Trait.PURE})

OPS: tuple[OpDefinition, ...] = (
    OpDefinition("memref.alloc", ("dynamicSizes*", "symbolOperands*"), assembly="( $dynamicSizes ) attr-dict : type(results)"),
    OpDefinition("memref.alloca", ("dynamicSizes*", "symbolOperands*"), assembly="( $dynamicSizes ) attr-dict : type(results)"),
    OpDefinition("memref.dealloc", ("memref",), results=0, assembly="$memref attr-dict : type($memref)"),
    OpDefinition("memref.load", ("memref", "indices*"), assembly="$memref [ $indices ] attr-dict : type($memref)"),
    OpDefinition("memref.store", ("value", "memref", "indices*"), results=0, assembly="$value , $memref [ $indices ] attr-dict : type($memref)"),
    OpDefinition("memref.dim", ("source", "index"), assembly="attr-dict $source , $index : type($source)", traits=_PURE),
    OpDefinition("memref.cast", ("source",), assembly="$source attr-dict : type($source) to type(results)", traits=_PURE),
    OpDefinition("memref.copy", ("source", "target"), results=0, assembly="$source , $target attr-dict : type($source) to type($target)"),
    OpDefinition("memref.prefetch", ("memref", "indices*"), results=0),
    OpDefinition("memref.subview", ("source", "offsets*", "sizes*", "strides*"), traits=_PURE),
    OpDefinition("memref.reinterpret_cast", ("source", "offsets*", "sizes*", "strides*"), traits=_PURE),
    OpDefinition("memref.collapse_shape", ("src",), traits=_PURE),
    OpDefinition("memref.expand_shape", ("src", "output_shape*"), traits=_PURE),
    OpDefinition("memref.view", ("source", "byte_shift", "sizes*"), assembly="$source [ $byte_shift ] [ $sizes ] attr-dict : type($source) to type(results)", traits=_PURE),
    OpDefinition("memref.global", results=0, traits=frozenset({Trait.SYMBOL})),
    OpDefinition("memref.get_global", assembly="#name attr-dict : type(results)", traits=_PURE),
)
