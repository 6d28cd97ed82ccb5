"""`memref`: loads, stores, views (which cost nothing), allocation, copies, constant buffers.

A buffer that does not leave its function is taken from the thread's arena, or from the stack where it is small and of
static size; one that is returned, yielded or passed out of its block is a heap block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Constant, DenseArrayAttr, DenseAttr, IntegerAttr, SymbolRef
from ...ir.core import Block, Operation, OpResult, Value
from ...ir.diagnostics import InternalError
from ...ir.dialects.tensor import DYNAMIC_SENTINEL
from ...ir.types import ComplexType, IntegerType, MemRefType
from ..runtime.abi import HEAP_ALIGNMENT
from .buffers import Buffer
from .emitter import Emit, Emitter, Pair
from .linear import ZERO, Linear
from .types import NUMPY, itemsize, memory_type, quoted

STACK_LIMIT: Final = 16384
"""Largest buffer on the stack, in bytes: worker threads' stacks are small on some systems."""

_INLINE_LIMIT: Final = 1024
"""Largest constant buffer that is part of the code."""

VIEWS: Final = frozenset(
    {
        "memref.cast",
        "memref.subview",
        "memref.reinterpret_cast",
        "memref.collapse_shape",
        "memref.expand_shape",
        "memref.view",
    }
)
"""Operations whose result is the memory of operand 0."""


# element accesses


def load_element(e: Emitter, buffer: Buffer, indices: Sequence[Linear]) -> str:
    pointer, alignment = e.address(buffer, indices)
    t = memory_type(buffer.element)
    value = e.op(t, f"load {t}, {e.pointer(buffer.space)} {pointer}, align {alignment}{e.access_suffix()}")
    return e.op("i1", f"icmp ne i8 {value}, 0") if buffer.element == IntegerType(1) else value


def store_element(e: Emitter, value: str, buffer: Buffer, indices: Sequence[Linear]) -> None:
    pointer, alignment = e.address(buffer, indices)
    t = memory_type(buffer.element)
    if buffer.element == IntegerType(1):
        value = e.pure("i8", f"zext i1 {value} to i8")
    e.line(f"store {t} {value}, {e.pointer(buffer.space)} {pointer}, align {alignment}{e.access_suffix()}")


def _real_parts(buffer: Buffer) -> Buffer:
    """The real parts of a buffer of complex numbers."""
    return replace(
        buffer,
        element=cast(ComplexType, buffer.element).element,
        strides=tuple(s.scaled(2) for s in buffer.strides),
        offset=buffer.offset.scaled(2),
        row_major=False,
    )


def _imaginary_parts(floats: Buffer) -> Buffer:
    """Those beside them."""
    return replace(floats, offset=floats.offset + Linear.of(1))


def load_any(e: Emitter, buffer: Buffer, indices: Sequence[Linear]) -> str | Pair:
    """An element of any type."""
    if not isinstance(buffer.element, ComplexType):
        return load_element(e, buffer, indices)
    floats = _real_parts(buffer)
    return Pair(load_element(e, floats, indices), load_element(e, _imaginary_parts(floats), indices))


def store_any(e: Emitter, value: str | Pair, buffer: Buffer, indices: Sequence[Linear]) -> None:
    if isinstance(value, str):
        store_element(e, value, buffer, indices)
        return
    floats = _real_parts(buffer)
    store_element(e, value.re, floats, indices)
    store_element(e, value.im, _imaginary_parts(floats), indices)


def _load(e: Emitter, op: Operation) -> None:
    e.set(op.result, load_any(e, e.buffer(op.operand(0)), [e.linear(i) for i in op.operands[1:]]))


def _store(e: Emitter, op: Operation) -> None:
    value = op.operand(0)
    stored = e.pair(value) if isinstance(value.type, ComplexType) else e.text(value)
    store_any(e, stored, e.buffer(op.operand(1)), [e.linear(i) for i in op.operands[2:]])


def _prefetch(e: Emitter, op: Operation) -> None:
    buffer = e.buffer(op.operand(0))
    pointer, _ = e.address(buffer, [e.linear(i) for i in op.operands[1:]], inbounds=False)
    hint = op.attributes["localityHint"]
    locality = hint.value if isinstance(hint, IntegerAttr) else hint
    write, data = int(bool(op.attributes.get("isWrite"))), int(bool(op.attributes.get("isDataCache", True)))
    kind = e.pointer(buffer.space)
    e.line(f"call void @llvm.prefetch.p{buffer.space}({kind} {pointer}, i32 {write}, i32 {locality}, i32 {data})")


# views


def _mixed(e: Emitter, static: object, dynamic: Sequence[Value]) -> list[Linear]:
    """Static entries and operands of a `static_...` attribute, in order."""
    rest = iter(dynamic)
    return [
        e.linear(next(rest)) if v == DYNAMIC_SENTINEL else Linear.of(v) for v in cast(DenseArrayAttr, static).values
    ]


def _mixed_groups(e: Emitter, op: Operation) -> tuple[list[Linear], list[Linear], list[Linear]]:
    segments = cast(DenseArrayAttr, op.attributes["operandSegmentSizes"]).values
    groups: list[list[Linear]] = []
    start = segments[0]
    for name, count in zip(("static_offsets", "static_sizes", "static_strides"), segments[1:], strict=True):
        groups.append(_mixed(e, op.attributes[name], op.operands[start : start + count]))
        start += count
    return groups[0], groups[1], groups[2]


def _subview(e: Emitter, op: Operation) -> None:
    source = e.buffer(op.operand(0))
    offsets, sizes, steps = _mixed_groups(e, op)
    offset = source.offset
    for position, stride in zip(offsets, source.strides, strict=True):
        offset += e.product(position, stride)
    strides = [e.product(step, stride) for step, stride in zip(steps, source.strides, strict=True)]
    result = cast(MemRefType, op.result.type)
    kept = _kept_dimensions(sizes, result)
    e.set(
        op.result,
        Buffer(
            source.base,
            source.element,
            tuple(sizes[i] for i in kept),
            tuple(strides[i] for i in kept),
            offset,
            source.space,
            source.alignment,
        ),
    )


def _kept_dimensions(sizes: Sequence[Linear], result: MemRefType) -> list[int]:
    """Dimensions of the box that the result type has: upstream drops size-1 dimensions that the type leaves out."""
    kept: list[int] = []
    surplus = len(sizes) - result.rank
    for i, size in enumerate(sizes):
        position = len(kept)
        wanted = result.shape[position] if position < result.rank else 0
        matches = wanted is None or wanted == size.known()
        if surplus and size.known() == 1 and not (matches and _rest_fits(sizes[i + 1 :], result.shape[position + 1 :])):
            surplus -= 1
            continue
        kept.append(i)
    if len(kept) != result.rank:
        raise InternalError(f"memref.subview cannot have the type {result}")
    return kept


def _rest_fits(sizes: Sequence[Linear], shape: Sequence[int | None]) -> bool:
    """Whether the remaining sizes, with some 1s dropped, can make the remaining shape."""
    if not shape:
        return all(s.known() == 1 for s in sizes)
    if not sizes:
        return False
    first = sizes[0].known()
    if (shape[0] is None and first is None) or (first is not None and first == shape[0]):
        if _rest_fits(sizes[1:], shape[1:]):
            return True
    return first == 1 and _rest_fits(sizes[1:], shape)


def _reinterpret_cast(e: Emitter, op: Operation) -> None:
    source = e.buffer(op.operand(0))
    offsets, sizes, strides = _mixed_groups(e, op)
    e.set(
        op.result,
        Buffer(source.base, source.element, tuple(sizes), tuple(strides), offsets[0], source.space, source.alignment),
    )


def _cast(e: Emitter, op: Operation) -> None:
    source, to = e.buffer(op.operand(0)), cast(MemRefType, op.result.type)

    def refined(current: Linear, wanted: int | None) -> Linear:
        return current if wanted is None else Linear.of(wanted)

    e.set(
        op.result,
        Buffer(
            source.base,
            source.element,
            tuple(refined(s, w) for s, w in zip(source.sizes, to.shape, strict=True)),
            tuple(refined(s, w) for s, w in zip(source.strides, to.strides(), strict=True)),
            refined(source.offset, to.offset),
            source.space,
            source.alignment,
            source.row_major or to.layout is None,
        ),
    )


def _groups(op: Operation) -> list[list[int]]:
    return [list(cast(tuple[int, ...], g)) for g in cast(tuple[Any, ...], op.attributes["reassociation"])]


def _collapse_shape(e: Emitter, op: Operation) -> None:
    """A group is contiguous by contract, so its innermost stride that counts is the stride of the merged dimension."""
    source = e.buffer(op.operand(0))
    sizes: list[Linear] = []
    strides: list[Linear] = []
    for group in _groups(op):
        sizes.append(e.volume(source.sizes[i] for i in group))
        counting = [i for i in group if source.sizes[i].known() != 1] or group
        strides.append(source.strides[counting[-1]])
    e.set(op.result, _reshaped(source, sizes, strides))


def _expand_shape(e: Emitter, op: Operation) -> None:
    source = e.buffer(op.operand(0))
    sizes = _mixed(e, op.attributes["static_output_shape"], op.operands[1:])
    strides = [ZERO] * len(sizes)
    for dimension, group in enumerate(_groups(op)):
        step = source.strides[dimension]
        for i in reversed(group):
            strides[i] = step
            step = e.product(step, sizes[i])
    for i in range(len(sizes)):
        if not any(i in g for g in _groups(op)):
            strides[i] = Linear.of(1)
    e.set(op.result, _reshaped(source, sizes, strides))


def _reshaped(source: Buffer, sizes: Sequence[Linear], strides: Sequence[Linear]) -> Buffer:
    return Buffer(
        source.base,
        source.element,
        tuple(sizes),
        tuple(strides),
        source.offset,
        source.space,
        source.alignment,
        source.row_major,
    )


def _view(e: Emitter, op: Operation) -> None:
    source, shift = e.buffer(op.operand(0)), e.linear(op.operand(1))
    result = cast(MemRefType, op.result.type)
    base, alignment = e.element_pointer(source, source.offset + shift)
    sizes = _sizes(e, result, op.operands[2:])
    e.set(op.result, Buffer(base, result.element, sizes, e.row_major(sizes), ZERO, source.space, alignment, True))


def _dim(e: Emitter, op: Operation) -> None:
    buffer, index = e.buffer(op.operand(0)), e.linear(op.operand(1)).known()
    if index is None:
        raise InternalError("memref.dim of a dimension that is not constant")
    e.set(op.result, buffer.sizes[index])


# allocation


def _sizes(e: Emitter, t: MemRefType, dynamic: Sequence[Value]) -> tuple[Linear, ...]:
    rest = iter(dynamic)
    return tuple(Linear.of(extent) if extent is not None else e.linear(next(rest)) for extent in t.shape)


def escapes(value: Value) -> bool:
    """Whether the buffer may outlive the block that made it: it is returned, yielded or carried by a loop."""
    for op in value.users:
        if op.name in VIEWS or op.name == "arith.select":
            if escapes(op.results[0]):
                return True
        elif op.name in ("func.return", "scf.yield", "scf.condition", "scf.for", "scf.while"):
            return True
    return False


def _alloc(e: Emitter, op: Operation) -> None:
    t = cast(MemRefType, op.result.type)
    if t.space:
        raise InternalError(f"memref.alloc in address space {t.space}")
    sizes = _sizes(e, t, op.operands)
    bytes_ = e.volume(sizes).scaled(itemsize(t.element))
    outlives = op.name == "memref.alloc" and escapes(op.result)
    known = bytes_.known()
    if not outlives and known is not None and known <= STACK_LIMIT:
        base = e.fresh("stack")
        e.entry_lines.append(f"  {base} = alloca [{max(1, known)} x i8], align {HEAP_ALIGNMENT}")
        e.types[base], e.depth[base] = "ptr", 0
    elif outlives:
        base = _reserved(e, "torchcc.alloc", bytes_)
    else:
        block = op.parent
        assert block is not None
        _mark_arena(e, block)
        base = _reserved(e, "torchcc.arena_reserve", bytes_)
    e.set(op.result, Buffer(base, t.element, sizes, e.row_major(sizes), ZERO, 0, HEAP_ALIGNMENT, True))


def _reserved(e: Emitter, function: str, size: Linear) -> str:
    base = e.op("ptr", f"call ptr @{function}(i64 {e.index_text(size)})")
    e.leave_if(e.op("i1", f"icmp eq ptr {base}, null"))
    return base


def _mark_arena(e: Emitter, block: Block) -> None:
    if block not in e.arena_marks:
        e.arena_marks[block] = e.op("ptr", "call ptr @torchcc.arena_mark()")


def is_heap_block(value: Value) -> bool:
    """Whether a value is always the start of a heap block that this function owns, whichever way control took."""
    op = value.defining_op()
    if op is None:
        # carried by a loop: as good as what enters the loop, which the loop's result is asked about
        parent = cast(Block, value.owner).parent_op
        return parent is not None and parent.name in ("scf.for", "scf.while")
    match op.name:
        case "memref.alloc" | "func.call":
            return True
        case "memref.cast" | "memref.collapse_shape" | "memref.expand_shape":
            return is_heap_block(op.operand(0))
        case "scf.if":
            index = cast(OpResult, value).index
            return all(is_heap_block(r.blocks[0].terminator.operand(index)) for r in op.regions)
        case "scf.for":
            index = cast(OpResult, value).index
            return is_heap_block(op.operand(3 + index)) and is_heap_block(op.body().terminator.operand(index))
        case "scf.while":
            index = cast(OpResult, value).index
            forwarded = op.body(0).terminator.operand(1 + index)
            return is_heap_block(forwarded) and all(
                is_heap_block(v) for v in op.operands if isinstance(v.type, MemRefType)
            )
        case _:
            return False


def _dealloc(e: Emitter, op: Operation) -> None:
    """Arena and stack memory goes with its block; only heap blocks are given back."""
    source = op.operand(0)
    root = source
    while (view := root.defining_op()) is not None and view.name in VIEWS:
        root = view.operand(0)
    if root.defining_op("memref.alloc") is None or escapes(root):
        pointer, _ = e.element_pointer(e.buffer(source), e.buffer(source).offset)
        e.line(f"call void @torchcc.dealloc(ptr {pointer})")


# copies


def copy_buffer(e: Emitter, source: Buffer, target: Buffer) -> None:
    """Element by element, the contiguous inner dimensions by memcpy."""
    size = itemsize(source.element)
    inner = source.rank
    while inner > 0 and source.is_contiguous_from(inner - 1) and target.is_contiguous_from(inner - 1):
        inner -= 1
    dense = e.volume(source.sizes[inner:])
    known = dense.known()
    if inner > 0 and known is not None and known < 16:
        inner = source.rank

    def nest(dimension: int, indices: list[Linear]) -> None:
        if dimension < inner:

            def body(i: Linear, registers: list[str]) -> list[str]:
                del registers
                nest(dimension + 1, [*indices, i])
                return []

            e.loop(ZERO, source.sizes[dimension], Linear.of(1), [], body)
            return
        if inner == source.rank and source.rank > 0:
            if isinstance(source.element, ComplexType):
                store_any(e, load_any(e, source, indices), target, indices)
                return
            kind = memory_type(source.element)
            from_pointer, alignment = e.address(source, indices)
            value = e.op(kind, f"load {kind}, {e.pointer(source.space)} {from_pointer}, align {alignment}")
            to_pointer, alignment = e.address(target, indices)
            e.line(f"store {kind} {value}, {e.pointer(target.space)} {to_pointer}, align {alignment}")
            return
        rest = [*indices, *(ZERO,) * (source.rank - inner)]
        from_pointer, _ = e.address(source, rest, inbounds=False)
        to_pointer, _ = e.address(target, rest, inbounds=False)
        count = e.index_text(dense.scaled(size))
        name = f"@llvm.memcpy.p{target.space}.p{source.space}.i64"
        e.line(
            f"call void {name}({e.pointer(target.space)} {to_pointer}, "
            f"{e.pointer(source.space)} {from_pointer}, i64 {count}, i1 false)"
        )

    nest(0, [])


def _copy(e: Emitter, op: Operation) -> None:
    copy_buffer(e, e.buffer(op.operand(0)), e.buffer(op.operand(1)))


# constant buffers


def _initial(value: object, t: MemRefType) -> npt.NDArray[Any] | None:
    """The elements of a global; None where it has none."""
    if not isinstance(value, DenseAttr):
        return None
    if isinstance(value.value, Constant):
        return value.value.array
    shape = tuple(e if e is not None else 0 for e in t.shape)
    dtype = NUMPY[str(t.element)]
    if isinstance(value.value, tuple):
        return np.asarray(value.value, dtype).reshape(shape)
    return np.full(shape, value.value, dtype)


def declare_global(e: Emitter, op: Operation) -> None:
    """A `memref.global`: weights stay outside of the code as external symbols; small tables are part of it."""
    context = e.context
    t = cast(MemRefType, op.attributes["type"])
    array = _initial(op.attributes.get("initial_value"), t)
    constant = bool(op.attributes.get("constant"))
    if array is not None and _is_external(op, array):
        symbol = context.external_data(array)
    else:
        symbol = f'@"{context.prefix}.global.{len(context.buffers)}"'
        kind = "constant" if constant else "global"
        size = max(1, array.nbytes if array is not None else math.prod(x or 0 for x in t.shape) * itemsize(t.element))
        content = quoted(array.tobytes()) if array is not None and array.nbytes else "zeroinitializer"
        context.globals.append(f"{symbol} = internal {kind} [{size} x i8] {content}, align {HEAP_ALIGNMENT}")
    context.buffers[str(op.attributes["sym_name"])] = symbol


def _is_external(op: Operation, array: npt.NDArray[Any]) -> bool:
    value = op.attributes.get("initial_value")
    is_constant = isinstance(value, DenseAttr) and isinstance(value.value, Constant)
    return bool(op.attributes.get("constant")) and (is_constant or array.nbytes > _INLINE_LIMIT)


def external_constants(module: Operation) -> list[npt.NDArray[Any]]:
    """Arrays that will stand outside of the code, in the order of their symbols."""
    found: list[npt.NDArray[Any]] = []
    for op in module.body().operations():
        if op.name == "memref.global":
            array = _initial(op.attributes.get("initial_value"), cast(MemRefType, op.attributes["type"]))
            if array is not None and _is_external(op, array):
                found.append(np.ascontiguousarray(array))
    return found


def _get_global(e: Emitter, op: Operation) -> None:
    t = cast(MemRefType, op.result.type)
    name = cast(SymbolRef, op.attributes["name"]).name
    symbol = e.context.buffers.get(name)
    if symbol is None:
        raise InternalError(f"memref.get_global of @{name}, which is not declared")
    sizes = tuple(Linear.of(x or 0) for x in t.shape)
    e.set(op.result, Buffer(symbol, t.element, sizes, e.row_major(sizes), ZERO, t.space or 0, HEAP_ALIGNMENT, True))


# who writes to an argument


def is_written(value: Value) -> bool:
    """Whether the memory of a memref may be written to through this value."""
    for op, index in value.uses:
        if op.name in VIEWS:
            if is_written(op.results[0]):
                return True
        elif op.name in (
            "memref.load",
            "vector.load",
            "vector.maskedload",
            "vector.gather",
            "memref.dim",
            "memref.prefetch",
        ):
            continue
        elif not (op.name == "memref.copy" and index == 0):
            return True
    return False


EMITTERS: Final[dict[str, Emit]] = {
    "memref.load": _load,
    "memref.store": _store,
    "memref.prefetch": _prefetch,
    "memref.subview": _subview,
    "memref.reinterpret_cast": _reinterpret_cast,
    "memref.cast": _cast,
    "memref.collapse_shape": _collapse_shape,
    "memref.expand_shape": _expand_shape,
    "memref.view": _view,
    "memref.dim": _dim,
    "memref.alloc": _alloc,
    "memref.alloca": _alloc,
    "memref.dealloc": _dealloc,
    "memref.copy": _copy,
    "memref.get_global": _get_global,
}
