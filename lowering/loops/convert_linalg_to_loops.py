"""Turns structured operations on memrefs into loops; what is left is `scf`, `memref`, `vector`, `arith`, `math`.

- Contractions, and reductions along an outer dimension, become register tiles (`tile_contractions.py`).
- Everything else becomes scalar loops: parallel dimensions in one `scf.parallel`, the contiguous one innermost, which
  LLVM vectorises; reductions in `scf.for` inside.
- Reductions run in `iter_args`, not through memory. A `linalg.fill` right before a reduction is its start value.
- An elementwise operation that alone reads the result of a reduction is applied before the result is stored.
- Dimensions that are contiguous in every operand are merged first.

    linalg.generic (add) ins(%x, %y : memref<2x3xf32>...) outs(%z)
    =>  scf.parallel (%i) = (0) to (6) { load, load, addf, store }    on memref<6xf32> views
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from ...ir.affine import AffineDim, AffineExpr, AffineMap
from ...ir.attributes import SymbolRef
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import linalg, linalg_ext, memref, scf
from ...ir.dialects.tensor import Size
from ...ir.schedule import Schedule, Schedules
from ...ir.target import AVX512, Target
from ...ir.types import INDEX, MemRefType
from .. import indexing
from ..effects import erase_unused, is_pure
from ..indexing import as_value
from ..tensor.canonicalize import canonicalize
from .attention import attention_loops
from .background import background
from .bufferize import VIEWS
from .nest import Access, Epilogue, Nest, depends_on, materialize, merge_dimensions, nest_of, root, step_along
from .settle_schedule import Group, last_before
from .tile_contractions import tile
from .transpose_blocks import transpose_blocks, transposed_dimension
from .vector_body import reassociable
from .winograd import winograd

_MAX_UNROLL: Final = 16
"""A window (pooling) of up to this many elements is unrolled, so that the loop around it is the innermost one."""


_MAX_WRITTEN_OUT: Final = 128
"""What may be asked for: more would be compiled for ever."""

_FEW: Final = 4
"""Elements that a vector of neighbours is not worth: LLVM writes them in turns instead."""


@dataclass(frozen=True)
class ConvertLinalgToLoops:
    target: Target = AVX512
    schedules: Schedules = field(default_factory=Schedules)
    name: str = "convert-linalg-to-loops"

    def apply(self, module: Operation) -> Operation:
        convert_linalg_to_loops(module, self.target, self.schedules)
        return module


def convert_linalg_to_loops(module: Operation, target: Target = AVX512, schedules: Schedules | None = None) -> None:
    """Every structured operation and every strided copy of the module; `schedules` stand instead of the cost model's."""
    schedules = Schedules() if schedules is None else schedules
    with background():
        for function in functions(module):
            _convert_function(function, target, schedules)
    canonicalize(module)
    erase_unused_globals(module)


def _convert_function(function: Operation, target: Target, schedules: Schedules) -> None:
    # Fills and copies last: those that a reduction starts from are gone by then.
    operations = sorted(function.walk(), key=lambda op: op.name == "linalg.fill" or linalg.is_moving(op))
    for op in operations:
        if op.parent is None:
            continue
        if linalg.is_structured(op):
            _convert(op, target, schedules)
        elif op.name == "memref.copy" and not _is_plain_copy(op):
            _convert_copy(op, target, schedules)
        elif op.name == linalg_ext.ATTENTION:
            attention_loops(Builder.before(op), op, target)
            op.erase()
    erase_dead_buffers(function)
    erase_unused(function)


def _is_plain_copy(op: Operation) -> bool:
    """Both sides contiguous: one block of memory."""
    return all(memref.memref_type(v).layout is None for v in op.operands)


def _convert_copy(op: Operation, target: Target, schedules: Schedules) -> None:
    source, destination = op.operands
    b = Builder.before(op)
    rank = memref.memref_type(source).rank
    identity = AffineMap.identity(rank)
    new = linalg.generic(
        b, (source,), (destination,), (identity, identity), (linalg.PARALLEL,) * rank, lambda _, args: [args[0]]
    )
    op.erase()
    b = Builder.before(new)
    nest = nest_of(b, new)
    before, group = last_before(b), Group(nest, schedules)
    _emit(b, nest, target, group)
    group.mark(b, before)
    new.erase()


def _convert(op: Operation, target: Target, schedules: Schedules) -> None:
    consumed = [op]
    epilogue_op = _find_epilogue(op)
    anchor = op
    if epilogue_op is not None:
        _move_deallocations(op, epilogue_op)
        consumed.append(epilogue_op)
        anchor = epilogue_op
    start = _find_start(op)
    b = Builder.before(anchor)
    nest = nest_of(b, op)
    if start is not None and start.name == "linalg.fill":
        nest = replace(nest, init=start.operand(0))
        consumed.append(start)
    elif start is not None:
        nest = replace(nest, start=_start_access(nest, start))
        consumed.append(start)
    if epilogue_op is not None:
        nest = _with_epilogue(nest, op, epilogue_op)
    before, group = last_before(b), Group(nest, schedules)
    if not winograd(b, nest, target, group) and not tile(b, nest, target, group):
        _emit(b, nest, target, group)
    group.mark(b, before)
    for old in consumed:
        old.erase()


# starts and epilogues


def _reduces(op: Operation) -> bool:
    """A reduction whose (last) output has one element for all steps."""
    kinds = linalg.iterator_types(op)
    used = {d for e in linalg.indexing_maps(op)[-1].results for d in e.dims_used()}
    return linalg.REDUCTION in kinds and all(kinds[d] == linalg.PARALLEL for d in used)


def _find_start(op: Operation) -> Operation | None:
    """What gives a reduction its start value: a fill, or elements that many results share (a bias), if that is the last
    operation before it that touches the output."""
    outputs = linalg.outputs(op)
    if len(outputs) != 1 or not _reduces(op):
        return None
    target = outputs[0]
    users = _memory_users(root(target))
    current = op.prev
    while current is not None:
        if current.name == "linalg.fill" and current.operand(1) is target:
            return current
        if _is_broadcast(current, op):
            return current
        if current in users or any(user in users for user in _nested(current)):
            return None
        current = current.prev
    return None


def _is_broadcast(start: Operation, op: Operation) -> bool:
    """Whether `start` only copies elements of a smaller buffer, which keeps them until then, to the output of `op`."""
    target = linalg.outputs(op)[0]
    if not linalg.is_moving(start) or start.operand(1) is not target:
        return False
    source = start.operand(0)
    read, written = linalg.indexing_maps(start)
    if not _is_permutation(written) or not linalg.indexing_maps(op)[-1].is_projected_permutation:
        return False
    if not isinstance(source.type, MemRefType) or len(set(read.results)) >= written.num_dims:
        return False
    across = written.results[-1]
    if across in read.results and any(e.dims_used() for e in read.results[read.results.index(across) + 1 :]):
        return False  # vectors of the result are none of the source
    kept = root(source)
    if kept is root(target) or memref.memref_type(source).element != memref.memref_type(target).element:
        return False
    users = _memory_users(kept)
    current = start.next
    while current is not None and current is not op:
        if current in users or any(u in users for u in _nested(current)):
            return False
        current = current.next
    return current is op and not any(root(v) is kept for v in linalg.outputs(op))


def _start_access(nest: Nest, start: Operation) -> Access:
    """The elements that a broadcast gives to the output, in dimensions of the nest."""
    read, written = linalg.indexing_maps(start)
    dims: list[AffineExpr] = [AffineDim(0)] * written.num_dims
    for expr, place in zip(written.results, nest.outputs[0].map.results, strict=True):
        dims[cast(AffineDim, expr).position] = place
    return _squeezed(start.operand(0), AffineMap(nest.rank, tuple(e.substitute(dims) for e in read.results)))


def _squeezed(buffer: Value, m: AffineMap) -> Access:
    """Without the dimensions of one element that a reshape put in: a vector is a vector, not [n, 1, 1]."""
    op = buffer.defining_op("memref.expand_shape")
    while op is not None:
        groups = cast("tuple[tuple[int, ...], ...]", op.attributes["reassociation"])
        shape = memref.memref_type(buffer).shape
        kept = [[i for i in group if shape[i] != 1] or [group[0]] for group in groups]
        if any(len(places) > 1 for places in kept):
            break
        m = AffineMap(m.num_dims, tuple(m.results[places[0]] for places in kept))
        buffer = op.operand(0)
        op = buffer.defining_op("memref.expand_shape")
    return Access.of(buffer, m)


def _nested(op: Operation) -> list[Operation]:
    return list(op.walk())[1:] if op.regions else []


def _memory_users(of: Value) -> set[Operation]:
    """Operations that look into an allocation (views of it excepted)."""
    found: set[Operation] = set()
    pending = [of]
    for value in pending:
        for user in value.users:
            if user.name in VIEWS and user.operand(0) is value:
                pending.append(user.result)
            else:
                found.add(user)
    return found


def _find_epilogue(op: Operation) -> Operation | None:
    """The elementwise operation that follows a reduction and is the only reader of its result."""
    outputs = linalg.outputs(op)
    if len(outputs) != 1 or not _reduces(op):
        return None
    result = outputs[0]
    is_part = result.defining_op("memref.subview") is not None
    if result.defining_op("memref.alloc") is None and not is_part:
        return None
    reader = op.next
    while reader is not None and (reader.name in ("memref.alloc", "memref.dealloc") or is_pure(reader)):
        reader = reader.next
    if reader is None or reader.name != "linalg.generic" or len(linalg.outputs(reader)) != 1:
        return None
    if any(t != linalg.PARALLEL for t in linalg.iterator_types(reader)) or not _is_straight(reader.body()):
        return None
    inputs, maps = linalg.inputs(reader), linalg.indexing_maps(reader)
    reads = [i for i, v in enumerate(inputs) if v is result]
    if (
        len(reads) != 1
        or not _is_permutation(maps[reads[0]])
        or not _is_permutation(linalg.indexing_maps(op)[-1], partial=True)
    ):
        return None
    out = linalg.outputs(reader)[0]
    if reader.body().args[-1].uses or not _is_permutation(maps[-1]):
        return None
    if out is result:
        if maps[-1] != maps[reads[0]]:
            return None
    elif is_part or any(
        u.name not in ("linalg.fill", "memref.dealloc") and u not in (op, reader, _find_start(op)) for u in _memory_users(result)
    ) or not _users_before(result, op):
        return None
    # Elements are stored while others are still being computed: what the computation reads must not be overwritten.
    target = root(out)
    if any(isinstance(v.type, MemRefType) and root(v) is target for v in linalg.inputs(op)) or _captures(op, target):
        return None
    for i, value in enumerate(inputs):
        if isinstance(value.type, MemRefType) and root(value) is target and i not in reads and maps[i] != maps[-1]:
            return None
    return reader


def _users_before(result: Value, op: Operation) -> bool:
    """Fills of the result stand before the reduction."""
    return all(u.is_before(op) for u in _memory_users(result) if u.name == "linalg.fill" and u.parent is op.parent)


def _captures(op: Operation, target: Value) -> bool:
    """Whether the body loads from `target`."""
    return any(isinstance(v.type, MemRefType) and root(v) is target for inner in _nested(op) for v in inner.operands)


def _is_straight(block: Block) -> bool:
    return all(is_pure(op) and not op.regions for op in block.operations() if op is not block.terminator)


def _is_permutation(indexing_map: AffineMap, partial: bool = False) -> bool:
    return indexing_map.is_projected_permutation and (partial or len(indexing_map.results) == indexing_map.num_dims)


def _move_deallocations(first: Operation, last: Operation) -> None:
    """The fused loops stand at `last`: buffers that `first` reads must live until then."""
    current = first.next
    while current is not None and current is not last:
        following = current.next
        if current.name == "memref.dealloc":
            block = current.parent
            assert block is not None
            block.insert_before(current.detach(), last.next)
        current = following


def _with_epilogue(nest: Nest, op: Operation, reader: Operation) -> Nest:
    result = linalg.outputs(op)[0]
    maps = linalg.indexing_maps(reader)
    inputs = linalg.inputs(reader)
    position = next(i for i, v in enumerate(inputs) if v is result)
    # Reader dimension -> position in the result -> nest dimension.
    written = linalg.indexing_maps(op)[-1].results
    dims: list[AffineExpr] = [AffineDim(0)] * maps[-1].num_dims
    for place, expr in enumerate(maps[position].results):
        dims[cast(AffineDim, expr).position] = written[place]

    def access(value: Value, indexing_map: AffineMap) -> Access:
        return _squeezed(value, AffineMap(nest.rank, tuple(e.substitute(dims) for e in indexing_map.results)))

    accesses: list[Access | None] = []
    body = reader.body()
    for i, (value, m) in enumerate(zip(inputs, maps, strict=False)):
        if i == position:
            accesses.append(None)
        elif isinstance(value.type, MemRefType):
            accesses.append(access(value, m))
        else:
            body.args[i].replace_all_uses_with(value)
            accesses.append(None)
    epilogue = Epilogue(tuple(accesses), access(linalg.outputs(reader)[0], maps[-1]), body, tuple(dims))
    return replace(nest, epilogue=epilogue)


# scalar loops


def _emit(b: Builder, nest: Nest, target: Target, group: Group) -> None:
    """Scalar loops."""
    merged, _ = merge_dimensions(b, nest)
    nest = materialize(b, merged)
    parallel, reductions = nest.of_kind(linalg.PARALLEL), nest.of_kind(linalg.REDUCTION)
    window = _static_product(nest, reductions)
    model = _scalar_schedule(nest, parallel, window)
    chosen = group.settle(model, lambda s: _checked_scalar(s, model, parallel, window))
    unrolled, inner = chosen.written_out, chosen.inner
    boxed = [*(d for d in parallel if d != inner), inner] if parallel else []
    few = None if reductions or len(boxed) < 2 else _interleaved(nest, boxed)
    if few is not None:
        boxed = [*(d for d in boxed[:-1] if d != few), few]
    positions: list[Size] = [0] * nest.rank
    if not boxed:
        _element(b, nest, positions, reductions, unrolled)
        return

    def box(lowers: Sequence[Size], uppers: Sequence[Size]) -> None:
        """Part of the iteration space."""
        if any(upper == lower for lower, upper in zip(lowers, uppers, strict=True)):
            return

        def run(ib: Builder, values: Sequence[Value]) -> None:
            for d, value in zip(boxed, values, strict=True):
                positions[d] = value
            for i in range(1 if few is None else cast(int, nest.extents[inner])):
                if few is not None:
                    positions[inner] = i
                _element(ib, nest, list(positions), reductions, unrolled)

        first, last = ([as_value(b, s) for s in sizes] for sizes in (lowers, uppers))
        scf.parallel(b, first, last, [as_value(b, 1)] * len(boxed), run)

    zeros: list[Size] = [0] * len(boxed)
    extents = [nest.extents[d] for d in boxed]
    across = None if reductions or few is not None else transposed_dimension(nest, boxed[-1], target)
    if across is None:
        box(zeros, extents)
        return
    rows, columns = transpose_blocks(b, nest, across, boxed[-1], target).covered
    at = boxed.index(across)
    box([*zeros[:at], rows, *zeros[at + 1 :]], extents)
    box([*zeros[:-1], columns], [*extents[:at], rows, *extents[at + 1 :]])


def _scalar_schedule(nest: Nest, parallel: Sequence[int], window: int | None) -> Schedule:
    """The innermost loop goes along the dimension in which most accesses are contiguous; short reductions are written out in it."""
    has_steps = len(parallel) < nest.rank
    unrolled = has_steps and window is not None and window <= _MAX_UNROLL and len(parallel) > 1
    inner = parallel[-1] if parallel else 0
    if parallel and (not has_steps or unrolled):
        inner = max(parallel, key=lambda d: _contiguity(nest, d))
    return Schedule("loops", inner=inner, written_out=unrolled)


def _checked_scalar(s: Schedule, model: Schedule, parallel: Sequence[int], window: int | None) -> tuple[str, str] | None:
    if s.inner != model.inner and s.inner not in parallel:
        return "inner", f"is one of the dimensions that are no sums, {', '.join(map(str, parallel)) or 'of which there is none'}"
    if s.written_out and not model.written_out and (window is None or window > _MAX_WRITTEN_OUT):
        return "written_out", f"is for sums of up to {_MAX_WRITTEN_OUT} steps, which are known at compile time"
    return None


def _interleaved(nest: Nest, boxed: Sequence[int]) -> int | None:
    """The dimension to go along where the innermost one has only a few elements (the colours of an image), which lie together
    in the result and apart in what is read: vectors of each of them are then read, and written in turns."""
    inner, extent = boxed[-1], nest.extents[boxed[-1]]
    out = nest.outputs[0]
    if not isinstance(extent, int) or not 2 <= extent <= _FEW or len(nest.outputs) != 1 or nest.epilogue is not None:
        return None
    read = [a for a in nest.inputs if isinstance(a, Access)]
    for d in boxed[:-1]:
        apart = step_along(out, inner) == 1 and step_along(out, d) == extent
        if apart and read and all(step_along(a, d) == 1 and step_along(a, inner) != 1 for a in read):
            return d
    return None


def _static_product(nest: Nest, dims: Sequence[int]) -> int | None:
    extents = [nest.extents[d] for d in dims]
    return math.prod(cast("list[int]", extents)) if all(isinstance(e, int) for e in extents) else None


def _contiguity(nest: Nest, dim: int) -> tuple[int, int]:
    """How well `dim` serves as the innermost loop: stores count twice; ties go to the later dimension."""
    score = 0
    for access in nest.accesses():
        step = step_along(access, dim)
        weight = 2 if access in nest.stores() else 1
        score += weight * (2 if step == 1 else 1 if step == 0 else 0)
    extent = nest.extents[dim]
    if isinstance(extent, int) and extent == 1:
        score = -1
    return score, dim


def _load(b: Builder, access: Access, positions: Sequence[Size]) -> Value:
    return memref.load(b, access.buffer, indices(b, access, positions))


def indices(b: Builder, access: Access, positions: Sequence[Size]) -> list[Value]:
    return [as_value(b, indexing.apply(b, e, positions)) for e in access.map.results]


def _element(b: Builder, nest: Nest, positions: list[Size], reductions: Sequence[int], unrolled: bool) -> None:
    """All reductions for one point of the parallel box, then the store."""
    if reductions:
        carried = _carried(nest)
        starts = [nest.init if nest.init is not None else _load(b, nest.start or nest.outputs[i], positions) for i in carried]
        results = _reduce(b, nest, positions, list(reductions), starts, unrolled)
        outputs = [nest.outputs[i] for i in carried]
    else:
        reads = nest.reads_outputs
        olds = [_load(b, a, positions) if reads else None for a in nest.outputs]
        results = scalar_body(b, nest, positions, olds, reduces=False)
        outputs = list(nest.outputs)
    if nest.epilogue is not None:
        results, outputs = [_scalar_epilogue(b, nest.epilogue, positions, results[0])], [nest.epilogue.output]
    for access, value in zip(outputs, results, strict=True):
        memref.store(b, value, access.buffer, indices(b, access, positions))


def _carried(nest: Nest) -> list[int]:
    """Outputs with one element for the whole reduction; the others (of a scan) have one for each step."""
    return [i for i, a in enumerate(nest.outputs) if not any(depends_on(a, d) for d in nest.of_kind(linalg.REDUCTION))]


def _step(b: Builder, nest: Nest, positions: Sequence[Size], accs: Sequence[Value]) -> list[Value]:
    """One step of the reduction: new accumulators; elements of a scan are read and stored here."""
    carried = _carried(nest)
    block = nest.body
    current: list[Value | None] = []
    for i, access in enumerate(nest.outputs):
        if i in carried:
            current.append(accs[carried.index(i)])
        else:
            current.append(_load(b, access, positions) if block.args[len(nest.inputs) + i].uses else None)
    results = scalar_body(b, nest, positions, current, reduces=True)
    for i, (access, value) in enumerate(zip(nest.outputs, results, strict=True)):
        if i not in carried:
            memref.store(b, value, access.buffer, indices(b, access, positions))
    return [results[i] for i in carried]


def _reduce(
    b: Builder, nest: Nest, positions: list[Size], dims: list[int], accs: list[Value], unrolled: bool
) -> list[Value]:
    if not dims:
        return _step(b, nest, positions, accs)
    dim, rest = dims[0], dims[1:]
    extent = nest.extents[dim]
    if unrolled:
        for i in range(cast(int, extent)):
            positions[dim] = i
            accs = _reduce(b, nest, positions, rest, accs, unrolled)
        return accs

    def body(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
        positions[dim] = args[0]
        return _reduce(ib, nest, positions, rest, list(args[1:]), unrolled)

    return list(scf.for_(b, as_value(b, 0), as_value(b, extent), as_value(b, 1), accs, body).results)


def scalar_body(
    b: Builder, nest: Nest, positions: Sequence[Size], accs: Sequence[Value | None], reduces: bool
) -> list[Value]:
    """One element: loads, the body's operations, the yielded values."""
    block = nest.body
    mapping: dict[Value, Value] = {}
    for operand, argument in zip(nest.inputs, block.args, strict=False):
        if isinstance(operand, Access):
            if argument.uses:
                mapping[argument] = _load(b, operand, positions)
        else:
            mapping[argument] = operand
    for argument, acc in zip(block.args[len(nest.inputs) :], accs, strict=True):
        if acc is not None:
            mapping[argument] = acc
    relaxed = reassociable(block, len(nest.inputs)) if reduces else set[Operation]()
    _clone_body(b, block, mapping, nest.dims, positions, relaxed)
    return [mapping.get(v, v) for v in block.terminator.operands]


def _scalar_epilogue(b: Builder, epilogue: Epilogue, positions: Sequence[Size], value: Value) -> Value:
    mapping: dict[Value, Value] = {}
    for access, argument in zip(epilogue.inputs, epilogue.body.args, strict=False):
        if argument.uses:
            mapping[argument] = value if access is None else _load(b, access, positions)
    _clone_body(b, epilogue.body, mapping, epilogue.dims, positions, set())
    result = epilogue.body.terminator.operand(0)
    return mapping.get(result, result)


def _clone_body(
    b: Builder,
    block: Block,
    mapping: dict[Value, Value],
    dims: Sequence[AffineExpr],
    positions: Sequence[Size],
    relaxed: set[Operation],
) -> None:
    for op in block.operations():
        if op is block.terminator:
            continue
        if op.name == "linalg.index":
            mapping[op.result] = as_value(b, indexing.apply(b, dims[cast(int, op.attributes["dim"])], positions))
            continue
        if op.regions:
            _replace_nested_indices(b, op, mapping, dims, positions)
        new = b.insert(op.clone(mapping))
        if op in relaxed:
            new.attributes["fastmath"] = "reassoc"


def _replace_nested_indices(
    b: Builder, op: Operation, mapping: dict[Value, Value], dims: Sequence[AffineExpr], positions: Sequence[Size]
) -> None:
    """`linalg.index` inside nested regions: its value is the same everywhere in the body."""
    for inner in list(op.walk()):
        if inner.name == "linalg.index":
            position = as_value(b, indexing.apply(b, dims[cast(int, inner.attributes["dim"])], positions))
            stand_in = Builder.before(op).insert(Operation("arith.constant", (), (INDEX,)))
            inner.replace_with([stand_in.result])
            mapping[stand_in.result] = position


# clean-up


def erase_dead_buffers(function: Operation) -> None:
    """Buffers that nobody reads: their views, fills, copies into them and deallocations go."""
    for op in reversed(list(function.walk())):
        if op.name == "memref.alloc" and op.parent is not None:
            _erase_if_unread(op)


def erase_unused_globals(module: Operation) -> None:
    """Constants that nobody reads any more, since their packed form is read instead."""
    used = {cast(SymbolRef, op.attributes["name"]).name for op in module.walk() if op.name == "memref.get_global"}
    for op in module.body().operations():
        if op.name == "memref.global" and op.attributes["sym_name"] not in used:
            op.erase()


_WRITERS: Final = {
    "memref.dealloc": 0, "memref.copy": 1, "linalg.fill": 1, "memref.store": 1, "vector.store": 1,
    "vector.maskedstore": 0, "memref.prefetch": 0,
}  # fmt: skip
"""Operations that do not read the buffer that is their operand of this number."""


def _erase_if_unread(alloc: Operation) -> None:
    views: list[Operation] = []
    writers: list[Operation] = []
    pending: list[Value] = [alloc.result]
    for value in pending:
        for user, index in value.uses:
            if user.name in VIEWS and index == 0:
                views.append(user)
                pending.append(user.result)
            elif user.name in _WRITERS and index == _WRITERS[user.name]:
                writers.append(user)
            else:
                return
    for op in (*dict.fromkeys(writers), *reversed(views), alloc):
        op.erase()
