"""A structured operation on memrefs as a loop nest that schedules can work on: extents, accesses, body, epilogue.

Nothing here is IR: a `Nest` is read off a `linalg` operation (`nest_of`), its dimensions are merged where memory is
contiguous (`merge_dimensions`), and `emit.py`-like code turns it into loops.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from ...ir.affine import AffineBinary, AffineConstant, AffineDim, AffineExpr, AffineMap
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value
from ...ir.dialects import linalg, memref, scf
from ...ir.dialects.tensor import Size
from ...ir.types import MemRefType
from .. import indexing
from ..indexing import as_value
from .bufferize import VIEWS, collapsed_type


@dataclass(frozen=True)
class Access:
    """Element `map(dims)` of a buffer. `groups`: dimensions of the buffer that count as one (see `materialize`)."""

    buffer: Value
    map: AffineMap
    groups: tuple[tuple[int, ...], ...] = ()

    @staticmethod
    def of(buffer: Value, indexing_map: AffineMap) -> Access:
        return Access(buffer, indexing_map, tuple((i,) for i in range(memref.memref_type(buffer).rank)))

    @property
    def type(self) -> MemRefType:
        collapsed = collapsed_type(memref.memref_type(self.buffer), self.groups)
        assert collapsed is not None
        return collapsed

    def materialize(self, b: Builder) -> Access:
        """With the groups merged by a view."""
        if all(len(g) == 1 for g in self.groups):
            return self
        view = memref.collapse_shape(b, self.buffer, self.groups, self.type)
        return Access.of(view, self.map)


@dataclass(frozen=True)
class Epilogue:
    """An elementwise body applied to each finished element: input None. Accesses are in nest dimensions."""

    inputs: tuple[Access | None, ...]
    output: Access
    body: Block
    dims: tuple[AffineExpr, ...]
    """The iteration dimensions of the body (for `linalg.index`) in terms of the nest's."""


@dataclass(frozen=True)
class Nest:
    extents: tuple[Size, ...]
    kinds: tuple[str, ...]
    inputs: tuple[Access | Value, ...]
    """A Value is a scalar operand."""
    outputs: tuple[Access, ...]
    body: Block
    init: Value | None = None
    """A scalar the (single) reduction starts from; None: from the output's elements."""
    start: Access | None = None
    """Elements the (single) reduction starts from, where these are not the output's and there is no `init`."""
    epilogue: Epilogue | None = None
    dims: tuple[AffineExpr, ...] = field(default=())
    """The original iteration dimensions (for `linalg.index`) in terms of these."""

    @property
    def rank(self) -> int:
        return len(self.extents)

    def of_kind(self, kind: str) -> list[int]:
        return [d for d, k in enumerate(self.kinds) if k == kind]

    @property
    def reads_outputs(self) -> bool:
        return any(a.uses for a in self.body.args[len(self.inputs) :])

    def accesses(self) -> list[Access]:
        """Every access to memory."""
        found = [a for a in (*self.inputs, *self.outputs, self.start) if isinstance(a, Access)]
        if self.epilogue is not None:
            found += [a for a in (*self.epilogue.inputs, self.epilogue.output) if a is not None]
        return found

    def starts(self) -> list[Access]:
        """What reductions read before their first step."""
        if self.init is not None:
            return []
        return list(self.outputs) if self.start is None else [self.start]

    def stores(self) -> list[Access]:
        return [self.epilogue.output] if self.epilogue is not None else list(self.outputs)


def nest_of(b: Builder, op: Operation) -> Nest:
    """The nest of a structured operation on memrefs; run-time extents are read before it."""
    maps, kinds = linalg.indexing_maps(op), linalg.iterator_types(op)
    n_in = len(linalg.inputs(op))
    accesses: list[Access | Value] = [
        Access.of(v, m) if isinstance(v.type, MemRefType) else v for v, m in zip(op.operands, maps, strict=True)
    ]
    extents = [_extent(b, [a for a in accesses if isinstance(a, Access)], d) for d in range(len(kinds))]
    outputs = [a for a in accesses[n_in:] if isinstance(a, Access)]
    dims = tuple(AffineDim(d) for d in range(len(kinds)))
    return Nest(tuple(extents), kinds, tuple(accesses[:n_in]), tuple(outputs), op.body(), dims=dims)


def _extent(b: Builder, accesses: Sequence[Access], dim: int) -> Size:
    """The extent of a loop: a static one where any operand has it."""
    found: tuple[Value, int] | None = None
    for access in accesses:
        for position, expr in enumerate(access.map.results):
            if expr != AffineDim(dim):
                continue
            static = memref.memref_type(access.buffer).shape[position]
            if static is not None:
                return static
            found = found or (access.buffer, position)
    assert found is not None, "an iteration dimension that no operand shows"
    return indexing.buffer_dim(b, *found)


def root(buffer: Value) -> Value:
    """The allocation or argument that a view looks into."""
    op = buffer.defining_op()
    while op is not None and op.name in VIEWS:
        buffer = op.operand(0)
        op = buffer.defining_op()
    return buffer


# linear addresses


def coefficients(expr: AffineExpr, num_dims: int) -> list[int] | None:
    """Factors of each dimension in a linear expression (its constant is dropped); None for floordiv and mod."""
    match expr:
        case AffineDim(position):
            return [int(d == position) for d in range(num_dims)]
        case AffineConstant():
            return [0] * num_dims
        case AffineBinary("+", left, right):
            x, y = coefficients(left, num_dims), coefficients(right, num_dims)
            return None if x is None or y is None else [p + q for p, q in zip(x, y, strict=True)]
        case AffineBinary("*", left, AffineConstant(factor)):
            x = coefficients(left, num_dims)
            return None if x is None else [p * factor for p in x]
        case _:
            return None


def step_along(access: Access, dim: int) -> int | None:
    """Elements between neighbours along `dim`: 0 where it does not matter, None where unknown at compile time."""
    total = 0
    for expr, stride in zip(access.map.results, access.type.strides(), strict=True):
        if dim not in expr.dims_used():
            continue
        factors = coefficients(expr, access.map.num_dims)
        if factors is None or stride is None:
            return None
        total += factors[dim] * stride
    return total


def is_unit_along(access: Access, dim: int) -> bool:
    """Neighbours along `dim` are neighbours along the innermost dimension of the buffer (what a vector load wants)."""
    results = access.map.results
    if not results or access.type.strides()[-1] != 1:
        return False
    using = [i for i, e in enumerate(results) if dim in e.dims_used()]
    if using != [len(results) - 1]:
        return False
    factors = coefficients(results[-1], access.map.num_dims)
    return factors is not None and factors[dim] == 1


def depends_on(access: Access, dim: int) -> bool:
    return any(dim in e.dims_used() for e in access.map.results)


# merging dimensions


def merge_dimensions(b: Builder, nest: Nest, ignored: Collection[int] = ()) -> tuple[Nest, list[tuple[int, ...]]]:
    """Merges neighbouring dimensions that every access walks contiguously, and drops those of extent 1.

    Inputs listed in `ignored` are left out of the question and keep maps in the old dimensions. Also returned: for each
    new dimension the old ones it stands for, outermost first.
    """
    used_indices = _indices_used(nest)
    origin: list[tuple[int, ...]] = [(d,) for d in range(nest.rank)]
    state = nest
    changed = True
    while changed:
        changed = False
        for p in range(state.rank):
            for q in range(state.rank):
                touches = {d for g in (p, q) for d in origin[g]} & used_indices
                # Rows and batches of an ignored operand are different things, however the others lie in memory.
                if p != q and any(
                    _uses(nest.inputs[i], origin[p]) != _uses(nest.inputs[i], origin[q]) for i in ignored
                ):
                    continue
                if p != q and not touches and state.kinds[p] == state.kinds[q] and _mergeable(state, p, q, ignored):
                    state = _merge(b, state, p, q, ignored)
                    merged = origin[p] + origin[q]
                    origin = [merged if d == p else o for d, o in enumerate(origin) if d != q]
                    changed = True
                    break
            if changed:
                break
    return state, origin


def _uses(operand: Access | Value, dims: Sequence[int]) -> bool:
    return isinstance(operand, Access) and any(depends_on(operand, d) for d in dims)


def _indices_used(nest: Nest) -> set[int]:
    """Nest dimensions whose position a body asks for."""
    blocks = [(nest.body, nest.dims)] + ([(nest.epilogue.body, nest.epilogue.dims)] if nest.epilogue else [])
    return {
        d
        for block, dims in blocks
        for top in block.operations()
        for op in top.walk()
        if op.name == "linalg.index"
        for d in dims[cast(int, op.attributes["dim"])].dims_used()
    }


def _relevant(nest: Nest, ignored: Collection[int]) -> list[Access]:
    skipped = {id(nest.inputs[i]) for i in ignored}
    return [a for a in nest.accesses() if id(a) not in skipped]


def _mergeable(nest: Nest, p: int, q: int, ignored: Collection[int]) -> bool:
    """p directly outside q, in one piece, in every access."""
    seen = False
    for access in _relevant(nest, ignored):
        results = access.map.results
        using_p = [i for i, e in enumerate(results) if p in e.dims_used()]
        using_q = [i for i, e in enumerate(results) if q in e.dims_used()]
        if not using_p and not using_q:
            continue
        if len(using_p) != 1 or len(using_q) != 1 or using_q[0] != using_p[0] + 1:
            return False
        i, j = using_p[0], using_q[0]
        if results[i] != AffineDim(p) or results[j] != AffineDim(q):
            return False
        groups = (*access.groups[:i], access.groups[i] + access.groups[j], *access.groups[j + 1 :])
        if collapsed_type(memref.memref_type(access.buffer), groups) is None:
            return False
        # The buffer must have the loop's extent, not more: a slice of a longer dimension does not merge.
        extent, shape = nest.extents[q], access.type.shape[j]
        if isinstance(extent, int) and shape is not None and shape != extent:
            return False
        seen = True
    return seen


def _merge(b: Builder, nest: Nest, p: int, q: int, ignored: Collection[int]) -> Nest:
    position = {d: d - (d > q) for d in range(nest.rank) if d != q}
    kept: list[AffineExpr] = [AffineDim(position.get(d, 0)) for d in range(nest.rank)]

    def access(a: Access) -> Access:
        using = [i for i, e in enumerate(a.map.results) if e == AffineDim(q)]
        results = [e.substitute(kept) for i, e in enumerate(a.map.results) if i not in using]
        groups = list(a.groups)
        for i in using:
            groups[i - 1 : i + 1] = [groups[i - 1] + groups[i]]
        return Access(a.buffer, AffineMap(nest.rank - 1, tuple(results)), tuple(groups))

    skipped = {id(nest.inputs[i]) for i in ignored}
    extents = list(nest.extents)
    extents[p] = indexing.mul(b, extents[p], extents[q])
    del extents[q]
    epilogue = nest.epilogue
    if epilogue is not None:
        epilogue = replace(
            epilogue,
            inputs=tuple(a if a is None else access(a) for a in epilogue.inputs),
            output=access(epilogue.output),
            dims=tuple(e.substitute(kept) for e in epilogue.dims),
        )
    return replace(
        nest,
        extents=tuple(extents),
        kinds=tuple(k for d, k in enumerate(nest.kinds) if d != q),
        inputs=tuple(a if not isinstance(a, Access) or id(a) in skipped else access(a) for a in nest.inputs),
        outputs=tuple(access(a) for a in nest.outputs),
        start=None if nest.start is None else access(nest.start),
        epilogue=epilogue,
        dims=tuple(e.substitute(kept) for e in nest.dims),
    )


def materialize(b: Builder, nest: Nest) -> Nest:
    """With every merged access turned into a view."""
    epilogue = nest.epilogue
    if epilogue is not None:
        epilogue = replace(
            epilogue,
            inputs=tuple(a if a is None else a.materialize(b) for a in epilogue.inputs),
            output=epilogue.output.materialize(b),
        )
    return replace(
        nest,
        inputs=tuple(a.materialize(b) if isinstance(a, Access) else a for a in nest.inputs),
        outputs=tuple(a.materialize(b) for a in nest.outputs),
        start=None if nest.start is None else nest.start.materialize(b),
        epilogue=epilogue,
    )


# loops


def loop_over(
    b: Builder, dims: Sequence[tuple[int, Size, Size]], positions: list[Size], body: Callable[[Builder], None]
) -> None:
    """Serial loops over dimensions (dim, lower, upper), outermost first; `positions` is kept up to date for `body`."""
    if not dims:
        body(b)
        return
    (dim, lower, upper), rest = dims[0], dims[1:]

    def inner(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
        positions[dim] = args[0]
        loop_over(ib, rest, positions, body)
        return ()

    scf.for_(b, as_value(b, lower), as_value(b, upper), as_value(b, 1), (), inner)


def contiguous_copy(b: Builder, buffer: Value) -> Value:
    """A fresh buffer of identity layout with the elements of a strided one."""
    shape = indexing.buffer_shape(b, buffer)
    copy = memref.alloc(b, shape, memref.memref_type(buffer).element)
    positions: list[Size] = [0] * len(shape)

    def element(ib: Builder) -> None:
        where = [as_value(ib, p) for p in positions]
        memref.store(ib, memref.load(ib, buffer, where), copy, where)

    loop_over(b, [(d, 0, extent) for d, extent in enumerate(shape)], positions, element)
    return copy
