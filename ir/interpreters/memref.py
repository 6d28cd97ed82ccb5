"""Interpreter of `memref`. Every access is checked against the bounds; freed memory is filled with garbage."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, cast

import numpy as np

from ..attributes import DenseAttr, SymbolRef
from ..core import Operation, lookup
from ..diagnostics import InternalError
from ..dialects.tensor import DYNAMIC_SENTINEL
from ..rank_reduction import kept_dims
from ..types import MemRefType
from .engine import (
    CONTEXT,
    Compiler,
    Context,
    Frame,
    Rule,
    Step,
    attribute_value,
    dtype_of,
    extents,
    failure,
    garbage,
    mixed,
)
from .memory import MemRef, row_major
from .tensor import dim, groups_of, static

SHARED_SPACE: Final = 3


def memref_type(op: Operation) -> MemRefType:
    return cast(MemRefType, op.result.type)


def _alloc(compiler: Compiler, op: Operation) -> Step:
    out, sizes = compiler.slot(op.result), compiler.slots(op.operands)
    type, dtype = memref_type(op), dtype_of(op.result.type)

    def run(f: Frame) -> None:
        full = extents(type.shape, [f[i] for i in sizes])
        if any(n < 0 for n in full):
            raise failure(op, f"negative extent in {list(full)}")
        f[out] = MemRef.contiguous(garbage(full, dtype))

    return run


def _dealloc(compiler: Compiler, op: Operation) -> Step:
    source = compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        buffer = cast(MemRef, f[source]).buffer
        buffer[...] = garbage(buffer.shape, buffer.dtype)

    return run


def _load(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    source, *indices = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        memref: MemRef = f[source]
        f[out] = memref.array[memref.index([f[i] for i in indices])]

    return run


def _store(compiler: Compiler, op: Operation) -> Step:
    value, target, *indices = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        memref: MemRef = f[target]
        memref.array[memref.index([f[i] for i in indices])] = f[value]

    return run


def _check_type(op: Operation, memref: MemRef) -> MemRef:
    """What the result's type says statically must hold."""
    type = memref_type(op)
    for what, known, found in (
        ("extent", type.shape, memref.sizes),
        ("stride", type.strides(), memref.strides),
        ("offset", (type.offset,), (memref.offset,)),
    ):
        # A view of an argument starts where that starts: offsets of identity layouts are relative to it.
        if what == "offset" and type.layout is None:
            continue
        for k, n in zip(known, found, strict=True):
            if k is not None and k != n and not (what == "stride" and _unused(memref)):
                raise failure(op, f"{what} {n} where {type} says {k}")
    return memref


def _unused(memref: MemRef) -> bool:
    return any(n <= 1 for n in memref.sizes)


def _cast(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        f[out] = _check_type(op, f[source])

    return run


def _copy(compiler: Compiler, op: Operation) -> Step:
    source, target = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        if f[source].sizes != f[target].sizes:
            raise failure(op, f"from shape {list(f[source].sizes)} to {list(f[target].sizes)}")
        f[target].array[...] = f[source].array.copy()

    return run


def _prefetch(compiler: Compiler, op: Operation) -> Step:
    del compiler, op

    def run(f: Frame) -> None:
        del f

    return run


_BOX: Final = ("static_offsets", "static_sizes", "static_strides")


def _subview(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    (source,), *dynamic = groups_of(op, compiler.slots(op.operands))
    statics = [static(op, name) for name in _BOX]
    kept = _kept_dims(op, statics[2])

    def run(f: Frame) -> None:
        of: MemRef = f[source]
        offsets, sizes, steps = (mixed(s, [f[i] for i in d]) for s, d in zip(statics, dynamic, strict=True))
        for offset, size, step, n in zip(offsets, sizes, steps, of.sizes, strict=True):
            last = offset + (size - 1) * step
            if size < 0 or (size > 0 and not (0 <= offset < n and 0 <= last < n)):
                raise failure(op, f"offset {offset}, size {size}, stride {step} leave the extent {n}")
        start = of.offset + sum(o * s for o, s in zip(offsets, of.strides, strict=True))
        strides = [a * b for a, b in zip(steps, of.strides, strict=True)]
        f[out] = MemRef(of.buffer, start, [sizes[d] for d in kept], [strides[d] for d in kept])

    return run


def _kept_dims(op: Operation, steps: tuple[int, ...]) -> tuple[int, ...]:
    """Dimensions of the box that the result keeps."""
    source, type = cast(MemRefType, op.operand(0).type), memref_type(op)
    sizes = [None if n == DYNAMIC_SENTINEL else n for n in static(op, "static_sizes")]
    strides = [None if s is None or n == DYNAMIC_SENTINEL else s * n for s, n in zip(source.strides(), steps, strict=True)]
    kept = kept_dims(sizes, type.shape, strides, type.strides())
    if kept is None:
        raise failure(op, f"the box makes no {type}")
    return kept


def _reinterpret_cast(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    (source,), *dynamic = groups_of(op, compiler.slots(op.operands))
    statics = [static(op, name) for name in _BOX]

    def run(f: Frame) -> None:
        (offset,), sizes, strides = (mixed(s, [f[i] for i in d]) for s, d in zip(statics, dynamic, strict=True))
        f[out] = MemRef(f[source].buffer, offset, sizes, strides)

    return run


def _collapse(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])

    def run(f: Frame) -> None:
        of: MemRef = f[source]
        sizes: list[int] = []
        strides: list[int] = []
        for group in groups:
            dims = [d for d in group if of.sizes[d] != 1] or list(group[-1:])
            for a, b in pairwise(dims):
                if of.strides[a] != of.strides[b] * of.sizes[b] and 0 not in of.sizes:
                    raise failure(op, f"dimensions {a} and {b} of strides {list(of.strides)} are not contiguous")
            sizes.append(int(np.prod([of.sizes[d] for d in group])))
            strides.append(of.strides[dims[-1]])
        f[out] = MemRef(of.buffer, of.offset, sizes, strides)

    return run


def _expand(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    source, *dynamic = compiler.slots(op.operands)
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
    shape = static(op, "static_output_shape")

    def run(f: Frame) -> None:
        of: MemRef = f[source]
        sizes = mixed(shape, [f[i] for i in dynamic])
        if not groups:
            f[out] = MemRef(of.buffer, of.offset, sizes, [1] * len(sizes))
            return
        strides: list[int] = []
        for d, group in enumerate(groups):
            part = [sizes[i] for i in group]
            if int(np.prod(part)) != of.sizes[d]:
                raise failure(op, f"extent {of.sizes[d]} does not expand to {part}")
            strides += [of.strides[d] * step for step in row_major(part)]
        f[out] = MemRef(of.buffer, of.offset, sizes, strides)

    return run


def _view(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    source, shift, *dynamic = compiler.slots(op.operands)
    type, dtype = memref_type(op), dtype_of(op.result.type)

    def run(f: Frame) -> None:
        of: MemRef = f[source]
        sizes = extents(type.shape, [f[i] for i in dynamic])
        count = int(np.prod(sizes))
        start = of.offset + int(f[shift])
        window = of.buffer[start : start + count * dtype.itemsize]
        if start < 0 or window.size != count * dtype.itemsize:
            raise failure(
                op, f"{count} elements of {dtype} from byte {start} leave the {of.buffer.size} bytes of the buffer"
            )
        f[out] = MemRef(window.view(dtype), 0, sizes, row_major(sizes))

    return run


def _get_global(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    name = cast(SymbolRef, op.attributes["name"]).name
    interpreter = compiler.interpreter

    def run(f: Frame) -> None:
        if memref_type(op).space == SHARED_SPACE:
            shared = cast(Context, f[CONTEXT]).shared
            if name not in shared:
                shared[name] = _global_buffer(interpreter.module, name)
            f[out] = shared[name]
            return
        if name not in interpreter.globals:
            interpreter.globals[name] = _global_buffer(interpreter.module, name)
        f[out] = interpreter.globals[name]

    return run


def _global_buffer(module: Operation, name: str) -> MemRef:
    declaration = lookup(module, name)
    if declaration is None:
        declaration = next(
            (o for o in module.walk() if o.name == "memref.global" and o.attributes["sym_name"] == name), None
        )
    if declaration is None:
        raise InternalError(f"no memref.global @{name} in this module")
    type = cast(MemRefType, declaration.attributes["type"])
    value: Any = declaration.attributes.get("initial_value")
    if not isinstance(value, DenseAttr):
        return MemRef.contiguous(garbage(cast(tuple[int, ...], type.shape), dtype_of(type)))
    array = attribute_value(value)
    if declaration.attributes.get("constant"):
        array = np.ascontiguousarray(array).view()
        array.flags.writeable = False
    else:
        array = array.copy()
    return MemRef.contiguous(array)


RULES: Final[dict[str, Rule]] = {
    "memref.alloc": _alloc,
    "memref.alloca": _alloc,
    "memref.dealloc": _dealloc,
    "memref.load": _load,
    "memref.store": _store,
    "memref.dim": dim,
    "memref.cast": _cast,
    "memref.copy": _copy,
    "memref.prefetch": _prefetch,
    "memref.subview": _subview,
    "memref.reinterpret_cast": _reinterpret_cast,
    "memref.collapse_shape": _collapse,
    "memref.expand_shape": _expand,
    "memref.view": _view,
    "memref.get_global": _get_global,
}
