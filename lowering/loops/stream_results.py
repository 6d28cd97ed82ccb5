"""Large results are written past the caches: a line that is written whole need not be read first, nor push others out.

In: fused loops. Out: where a result of the function is larger than the caches, the loop that writes it last works on vectors,
which are stored with the hint `nontemporal`; what earlier loops keep in the same row (the exponentials of a softmax) stands
in a row of its own, which stays in the first-level cache:

    scf.parallel (%i) {                                       scf.parallel (%i) {
      scf.parallel (%j) { store exp ..., %r[%i, %j] }           %row = memref.alloca() : memref<1024xf32>
      ...                                                =>     scf.parallel (%j) { store exp ..., %row[%j] }
      scf.parallel (%j) {                                       ...
        store (load %r[%i, %j]) / %s, %r[%i, %j]                scf.parallel (%v) to (64) { vector.store ..., %r[%i, %v * 16] {nontemporal = true} }
      }                                                       } {streams}
    }

Only rows that are whole numbers of cache lines: parts of lines would be written to memory one by one. `streams` asks for a
fence behind the loop, for other threads see such stores in any order without one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from ...ir.attributes import UNIT, IntegerAttr
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.definition import Trait
from ...ir.dialects import DEFINITIONS, func, memref, scf, vector
from ...ir.target import AVX512, Target, element_bytes
from ...ir.types import I1, FloatType, MemRefType, VectorType
from .. import indexing
from ..indexing import as_size, as_value
from .nest import root
from .vector_body import VectorBody

STREAMS: Final = "streams"
NONTEMPORAL: Final = "nontemporal"

_FAR: Final = 8
"""Second-level caches that a result must fill: smaller ones may still be in the last cache when they are read."""

_LINE: Final = 64


@dataclass(frozen=True)
class StreamResults:
    target: Target = AVX512
    name: str = "stream-results"

    def apply(self, module: Operation) -> Operation:
        if self.target.streams:
            for function in functions(module):
                if not func.is_declaration(function):
                    _stream(function, self.target)
        return module


def _stream(function: Operation, target: Target) -> None:
    block = function.body()
    results = [root(v) for v in block.terminator.operands if isinstance(v.type, MemRefType)]
    for buffer in dict.fromkeys(results):
        if buffer.defining_op("memref.alloc") is None or not _is_far(memref.memref_type(buffer), target):
            continue
        writers = [op for op in block.operations() if op.name == "scf.parallel" and _touches(op, buffer)]
        if len(writers) == 1 and not writers[0].results:
            _stream_loop(writers[0], buffer, target)


def _is_far(t: MemRefType, target: Target) -> bool:
    if None in t.shape or t.layout is not None or not isinstance(t.element, FloatType) or t.element.width < 32:
        return False
    return math.prod(cast("tuple[int, ...]", t.shape)) * element_bytes(t.element) >= _FAR * target.l2_bytes


def _touches(op: Operation, buffer: Value) -> bool:
    return any(isinstance(v.type, MemRefType) and root(v) is buffer for inner in op.walk() for v in inner.operands)


@dataclass(frozen=True)
class _Access:
    op: Operation
    buffer: Value
    indices: tuple[Value, ...]

    @property
    def is_store(self) -> bool:
        return self.op.name == "memref.store"


def _accesses(op: Operation, buffer: Value) -> list[_Access] | None:
    """Accesses to a buffer inside a loop; None where it is used otherwise."""
    found: list[_Access] = []
    for inner in op.walk():
        for index, operand in enumerate(inner.operands):
            if not isinstance(operand.type, MemRefType) or root(operand) is not buffer:
                continue
            if inner.name == "memref.load" and index == 0:
                found.append(_Access(inner, operand, inner.operands[1:]))
            elif inner.name == "memref.store" and index == 1:
                found.append(_Access(inner, operand, inner.operands[2:]))
            else:
                return None
    return found


def _stream_loop(outer: Operation, buffer: Value, target: Target) -> None:
    accesses = _accesses(outer, buffer)
    stores = [] if accesses is None else [a for a in accesses if a.is_store]
    if accesses is None or not stores:
        return
    last = stores[-1]
    loop = last.op.parent_op
    if loop is None or (loop is not outer and loop.parent_op is not outer) or not _is_plain(loop, last, target):
        return
    others = [a for a in accesses if a is not last]
    if others:
        if loop is outer or not _are_of_one_row(outer, loop, last, others, target):
            return
        _keep_row_apart(outer, last, others)
    new = _vectorise(loop, last, target)
    (new if loop is outer else outer).attributes[STREAMS] = UNIT


def _is_plain(loop: Operation, store: _Access, target: Target) -> bool:
    """Whether a loop only computes elements of vectors, neighbours one after the other, and stores whole lines of them."""
    if loop.name != "scf.parallel" or loop.results:
        return False
    body, count = loop.body(), len(loop.body().args)
    lower, upper, step = (as_size(loop.operand((k + 1) * count - 1)) for k in range(3))
    element = memref.memref_type(store.buffer).element
    lanes, size = target.lanes(element), element_bytes(element)
    along = body.args[-1]
    if lower != 0 or step != 1 or not isinstance(upper, int) or upper % lanes or upper * size % _LINE:
        return False
    if lanes < 2 or not _runs_along(store, along) or memref.memref_type(store.buffer).shape[-1] != upper:
        return False
    for op in body.operations():
        if op is body.terminator or op is store.op or op.name == "arith.constant":
            continue
        if op.name == "memref.load":
            of = memref.memref_type(op.operand(0))
            access = _Access(op, op.operand(0), op.operands[1:])
            if not isinstance(of.element, FloatType) or element_bytes(of.element) != size:
                return False
            if along in access.indices and not _runs_along(access, along):
                return False
            continue
        definition = DEFINITIONS.get(op.name)
        if definition is None or Trait.ELEMENTWISE not in definition.traits or op.regions or len(op.results) != 1:
            return False
        if any(v is along or isinstance(v.type, VectorType | MemRefType) for v in op.operands):
            return False
    return not any(user.name not in ("memref.load", "memref.store") for user in along.users)


def _runs_along(access: _Access, along: Value) -> bool:
    """Whether the variable is the last index, of a dimension that is contiguous, and no other."""
    t = memref.memref_type(access.buffer)
    return bool(access.indices) and access.indices[-1] is along and along not in access.indices[:-1] and t.strides()[-1] == 1


def _are_of_one_row(outer: Operation, loop: Operation, last: _Access, others: Sequence[_Access], target: Target) -> bool:
    """Whether one iteration of `outer` touches its own row only, which the loop writes whole behind everything else."""
    row, rank = outer.body().args, memref.memref_type(last.buffer).rank
    extent = memref.memref_type(last.buffer).shape[-1]
    if rank != len(row) + 1 or len(loop.body().args) != 1 or extent is None:
        return False
    if extent * element_bytes(memref.memref_type(last.buffer).element) > 2 * target.l1_bytes:
        return False
    for access in (*others, last):
        if access.buffer is not last.buffer or list(access.indices[:-1]) != list(row):
            return False
        inside = loop in _around(access.op)
        if access is not last and inside and (access.is_store or access.indices[-1] is not loop.body().args[0]):
            return False
        if not inside and not next(op for op in (access.op, *_around(access.op)) if op.parent is loop.parent).is_before(loop):
            return False
    return True


def _around(op: Operation) -> list[Operation]:
    found: list[Operation] = []
    current = op.parent_op
    while current is not None:
        found.append(current)
        current = current.parent_op
    return found


def _keep_row_apart(outer: Operation, last: _Access, others: Sequence[_Access]) -> None:
    t = memref.memref_type(last.buffer)
    row = memref.alloca(Builder.at_start(outer.body()), [cast(int, t.shape[-1])], t.element)
    for access in others:
        b = Builder.before(access.op)
        if access.is_store:
            memref.store(b, access.op.operand(0), row, [access.indices[-1]])
            access.op.erase()
        else:
            access.op.replace_with([memref.load(b, row, [access.indices[-1]])])


def _vectorise(loop: Operation, store: _Access, target: Target) -> Operation:
    element = memref.memref_type(store.buffer).element
    lanes = target.lanes(element)
    old, b = loop.body(), Builder.before(loop)
    count = len(old.args)
    bounds = [list(loop.operands[k * count : (k + 1) * count]) for k in range(3)]
    extent = cast(int, as_size(bounds[1][-1]))
    bounds[1][-1] = as_value(b, extent // lanes)

    def body(ib: Builder, args: Sequence[Value]) -> None:
        # a product, so that it is seen how stores are aligned
        first = as_value(ib, indexing.mul(ib, args[-1], lanes))
        _vectors(ib, old, store, dict(zip(old.args, (*args[:-1], first), strict=True)), lanes)

    new = scf.parallel(b, bounds[0], bounds[1], bounds[2], body)
    new.attributes.update({k: v for k, v in loop.attributes.items() if k not in new.attributes})
    loop.erase()
    return new


def _vectors(b: Builder, old: Block, store: _Access, names: dict[Value, Value], lanes: int) -> None:
    """The body on as many neighbours as a vector has lanes."""
    writer, along = VectorBody(lanes), old.args[-1]
    vectors: dict[Value, Value] = {}
    shared: dict[object, Value] = {}

    def value_of(v: Value) -> Value:
        return vectors[v] if v in vectors else writer.broadcast(b, v, shared)

    for op in old.operations():
        if op is old.terminator or op.name == "arith.constant":
            continue
        if op.name == "memref.load":
            where = [names.get(v, v) for v in op.operands[1:]]
            t = VectorType((lanes,), op.result.type)
            if along in op.operands[1:]:
                vectors[op.result] = vector.load(b, op.operand(0), where, t)
            else:
                vectors[op.result] = vector.broadcast(b, memref.load(b, op.operand(0), where), t)
        elif op is store.op:
            where = [names.get(v, v) for v in store.indices]
            vector.store(b, value_of(op.operand(0)), store.buffer, where).attributes[NONTEMPORAL] = IntegerAttr(1, I1)
        else:
            types = [VectorType((lanes,), r.type) for r in op.results]
            operands = [value_of(v) for v in op.operands]
            vectors[op.result] = b.create(op.name, operands, types, op.attributes).result
