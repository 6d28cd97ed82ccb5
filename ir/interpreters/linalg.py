"""Interpreter of `linalg`: the body runs once per point of the reduction dimensions, on arrays over the parallel ones.

Operands are seen through strided windows of the shape of the iteration space (stride 0 broadcasts), so any indexing map
that is linear costs nothing; others gather. Bodies with control flow run point by point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final, cast

import numpy as np

from ..affine import AffineBinary, AffineConstant, AffineDim, AffineExpr, AffineMap
from ..core import Operation
from ..dialects import linalg, linalg_ext
from ..types import I1
from .domain import is_vectorizable
from .engine import Array, Code, Compiler, Frame, Rule, Step, failure
from .memory import MemRef, as_strided

_ACCUMULATE: Final[dict[str, np.ufunc]] = {
    "arith.addf": np.add,
    "arith.mulf": np.multiply,
    "arith.addi": np.add,
    "arith.muli": np.multiply,
    "arith.maxsi": np.maximum,
    "arith.minsi": np.minimum,
    "arith.maxnumf": np.fmax,
    "arith.minnumf": np.fmin,
}


def _index(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    slot = index_slot(compiler, op)

    def run(f: Frame) -> None:
        f[out] = f[slot][cast(int, op.attributes["dim"])]

    return run


def index_slot(compiler: Compiler, op: Operation) -> int:
    """Slot of the iteration indices of the structured operation around `op`."""
    parent = op.parent_op
    while parent is not None and not linalg.is_structured(parent) and parent.name != linalg_ext.ATTENTION:
        parent = parent.parent_op
    if parent is None:
        raise failure(op, "stands outside of a structured operation")
    return compiler.extra_slot(parent)


@dataclass(frozen=True)
class _Structured:
    """What is known of a structured operation before it runs."""

    op: Operation
    maps: tuple[AffineMap, ...]
    is_parallel: tuple[bool, ...]
    operands: list[int]
    inputs: int
    arguments: list[int]
    indices: int
    code: Code
    results: list[int]

    @property
    def rank(self) -> int:
        return len(self.is_parallel)


def _structured(compiler: Compiler, op: Operation) -> Step:
    maps = linalg.indexing_maps(op)
    iterators = linalg.iterator_types(op)
    indices = compiler.extra_slot(op)
    arguments, code = compiler.body(op)
    s = _Structured(
        op,
        maps,
        tuple(kind == linalg.PARALLEL for kind in iterators),
        compiler.slots(op.operands),
        len(linalg.inputs(op)),
        arguments,
        indices,
        code,
        compiler.slots(op.results),
    )
    at_once = is_vectorizable(op.body()) and all(_covers_parallel(m, s.is_parallel) for m in maps[s.inputs :])
    combination = _combination(compiler, op) if at_once else None

    def run(f: Frame) -> None:
        arrays = [_array(f[i]) for i in s.operands]
        extents = _iteration_space(s, arrays)
        outputs = [_output(f[i]) for i in s.operands[s.inputs :]]
        if combination is not None and _accumulates_well(s, extents):
            _run_accumulated(s, f, arrays, outputs, extents, combination=combination)
        elif at_once:
            _run_at_once(s, f, arrays, outputs, extents)
        else:
            _run_point_by_point(s, f, arrays, outputs, extents)
        for slot, array in zip(s.results, outputs, strict=False):
            f[slot] = array

    return run


def _array(value: Any) -> Any:
    return value.array if isinstance(value, MemRef) else value


def _output(value: Any) -> Array:
    """Where results go: the buffer itself, or a copy of the tensor."""
    return value.array if isinstance(value, MemRef) else np.array(value)


def _covers_parallel(map: AffineMap, is_parallel: Sequence[bool]) -> bool:
    """Each result of the map another parallel dimension, all of them."""
    dims = [e.position for e in map.results if isinstance(e, AffineDim)]
    return len(dims) == len(map.results) and sorted(dims) == [d for d, p in enumerate(is_parallel) if p]


def _iteration_space(s: _Structured, arrays: Sequence[Any]) -> list[int]:
    extents: list[int | None] = [None] * s.rank
    for map, array in zip(s.maps, arrays, strict=True):
        for expr, extent in zip(map.results, np.shape(array), strict=True):
            if isinstance(expr, AffineDim):
                known = extents[expr.position]
                if known is not None and known != extent:
                    raise failure(s.op, f"extents {known} and {extent} of dimension {expr.position} disagree")
                extents[expr.position] = extent
    if any(e is None for e in extents):
        raise failure(s.op, "an iteration dimension is the extent of no operand")
    return cast(list[int], extents)


def _grid(extents: Sequence[int]) -> list[Array]:
    """The indices along each dimension, in shapes that broadcast to the box."""
    return list(np.ogrid[tuple(slice(n) for n in extents)]) if extents else []


# windows


def _linear(expr: AffineExpr, rank: int) -> tuple[list[int], int] | None:
    """Coefficients of the dimensions and the constant; None where the expression is not linear."""
    match expr:
        case AffineDim(position):
            return [int(d == position) for d in range(rank)], 0
        case AffineConstant(value):
            return [0] * rank, value
        case AffineBinary("+", left, right):
            a, b = _linear(left, rank), _linear(right, rank)
            return None if a is None or b is None else ([x + y for x, y in zip(a[0], b[0], strict=True)], a[1] + b[1])
        case AffineBinary("*", left, AffineConstant(factor)):
            a = _linear(left, rank)
            return None if a is None else ([x * factor for x in a[0]], a[1] * factor)
        case _:
            return None


def _window(s: _Structured, map: AffineMap, array: Any, extents: Sequence[int]) -> Any:
    """The operand over the whole iteration space."""
    if np.ndim(array) == 0:
        return np.broadcast_to(np.asarray(array), extents)
    forms = [_linear(e, s.rank) for e in map.results]
    if any(form is None for form in forms):
        grid = _grid(extents)
        places = [np.broadcast_to(e.evaluate(grid), extents) for e in map.results]
        for place, n in zip(places, array.shape, strict=True):
            if place.size and not (place.min() >= 0 and place.max() < n):
                raise failure(s.op, f"an indexing map leaves the extent {n}")
        return array[tuple(places)]
    strides = [0] * s.rank
    starts: list[slice] = []
    for form, step, n in zip(cast(list[tuple[list[int], int]], forms), array.strides, array.shape, strict=True):
        coefficients, constant = form
        reach = [c * (e - 1) for c, e in zip(coefficients, extents, strict=True)]
        low, high = constant + sum(min(r, 0) for r in reach), constant + sum(max(r, 0) for r in reach)
        if all(extents) and not (low >= 0 and high < n):
            raise failure(s.op, f"an indexing map reaches {low} to {high} of the extent {n}")
        strides = [old + c * step for old, c in zip(strides, coefficients, strict=True)]
        starts.append(slice(constant, None))
    if not all(extents):
        return np.empty(extents, array.dtype)
    return as_strided(array[tuple(starts)], extents, strides)


# running


def _run_at_once(
    s: _Structured, f: Frame, arrays: Sequence[Any], outputs: Sequence[Array], extents: Sequence[int]
) -> None:
    windows = [_window(s, m, a, extents) for m, a in zip(s.maps[: s.inputs], arrays, strict=False)]
    order = [d for d in range(s.rank) if s.is_parallel[d]]
    shape = [extents[d] for d in order]
    targets = [_target(m, out, order) for m, out in zip(s.maps[s.inputs :], outputs, strict=True)]
    values: list[Any] = [np.array(t)[()] for t in targets]
    grid = _grid(shape)
    indices: list[Any] = [None] * s.rank
    for dim, index in zip(order, grid, strict=True):
        indices[dim] = index
    f[s.indices] = indices
    reduced = [d for d in range(s.rank) if not s.is_parallel[d]]
    for point in product(*(range(extents[d]) for d in reduced)):
        place: list[Any] = [slice(None)] * s.rank
        for dim, i in zip(reduced, point, strict=True):
            place[dim] = i
            indices[dim] = np.int64(i)
        at = tuple(place)
        for slot, window in zip(s.arguments, windows, strict=False):
            f[slot] = window[at]
        for slot, value in zip(s.arguments[s.inputs :], values, strict=True):
            f[slot] = value
        values = s.code(f)
    for target, value in zip(targets, values, strict=True):
        target[...] = value


def _target(map: AffineMap, array: Array, order: Sequence[int]) -> Array:
    """The output seen in the order of the parallel dimensions."""
    positions = [cast(AffineDim, e).position for e in map.results]
    return array.transpose([positions.index(d) for d in order])


@dataclass(frozen=True)
class _Combination:
    """A body that yields `ufunc(accumulator, term)`, the accumulator used nowhere else."""

    ufunc: np.ufunc
    term: int
    """Slot of the term."""


def _combination(compiler: Compiler, op: Operation) -> _Combination | None:
    block = op.body()
    inputs = len(linalg.inputs(op))
    if len(block.args) != inputs + 1 or block.args[inputs].type == I1:
        return None
    accumulator = block.args[inputs]
    last = block.terminator.operand(0).defining_op()
    if last is None or last.parent is not block or last.name not in _ACCUMULATE:
        return None
    if len(accumulator.uses) != 1 or accumulator.users != [last]:
        return None
    term = next(v for v in last.operands if v is not accumulator)
    return _Combination(_ACCUMULATE[last.name], compiler.slot(term))


def _accumulates_well(s: _Structured, extents: Sequence[int]) -> bool:
    """Few parallel points and many to reduce: one pass over everything is faster than a loop."""
    points = prod(e for e, p in zip(extents, s.is_parallel, strict=True) if p)
    reduced = prod(e for e, p in zip(extents, s.is_parallel, strict=True) if not p)
    return reduced > 16 and points < reduced and points * reduced < 1 << 24


def _run_accumulated(
    s: _Structured,
    f: Frame,
    arrays: Sequence[Any],
    outputs: Sequence[Array],
    extents: Sequence[int],
    *,
    combination: _Combination,
) -> None:
    """Sequential accumulation along the reduction dimensions, as the loop does it, by numpy."""
    dtype = outputs[0].dtype
    f[s.indices] = _grid(extents)
    for slot, map, array in zip(s.arguments, s.maps[: s.inputs], arrays, strict=False):
        f[slot] = _window(s, map, array, extents)
    order = [d for d in range(s.rank) if s.is_parallel[d]]
    reduced = [d for d in range(s.rank) if not s.is_parallel[d]]
    target = _target(s.maps[s.inputs], outputs[0], order)
    f[s.arguments[s.inputs]] = dtype.type(0)  # only the terms are wanted of this run
    s.code(f)
    terms = np.broadcast_to(f[combination.term], extents).transpose([*order, *reduced])
    rows = terms.reshape([*target.shape, prod(extents[d] for d in reduced)])
    chain = np.concatenate([np.array(target)[..., None], rows], axis=-1)
    target[...] = combination.ufunc.accumulate(chain, axis=-1, dtype=dtype)[..., -1]


def _run_point_by_point(
    s: _Structured, f: Frame, arrays: Sequence[Any], outputs: Sequence[Array], extents: Sequence[int]
) -> None:
    sources = [*arrays[: s.inputs], *outputs]
    for point in product(*(range(n) for n in extents)):
        places = [m.evaluate(point) for m in s.maps]
        f[s.indices] = [np.int64(i) for i in point]
        for slot, source, place in zip(s.arguments, sources, places, strict=True):
            for i, n in zip(place, np.shape(source), strict=True):
                if not 0 <= i < n:
                    raise failure(s.op, f"an indexing map reaches {i} of the extent {n}")
            f[slot] = source[place] if place else (source if np.isscalar(source) else source[()])
        for out, value, place in zip(outputs, s.code(f), places[s.inputs :], strict=True):
            out[place] = value


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("linalg.generic", "linalg.fill", *linalg.NAMED_MAPS), _structured),
    "linalg.index": _index,
}
