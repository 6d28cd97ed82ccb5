"""Interpreter of `linalg_ext`: attention with all scores at once, as its definition says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ..affine import AffineMap
from ..attributes import DenseArrayAttr
from ..core import Operation
from ..dialects import linalg_ext
from .engine import Array, Compiler, Frame, Rule, Step, dtype_of, mixed
from .memory import MemRef


def _attention(compiler: Compiler, op: Operation) -> Step:
    maps = linalg_ext.indexing_maps(op)
    count = len(linalg_ext.inputs(op))
    static = cast(DenseArrayAttr, op.attributes["static_sizes"]).values
    slots = compiler.slots(op.operands)
    indices = compiler.extra_slot(op)
    arguments, code = compiler.body(op)
    results = compiler.slots(op.results)
    dtype = dtype_of(op.body().args[0].type)
    keeps_zero = linalg_ext.empty_rows(op) == linalg_ext.ZERO

    def run(f: Frame) -> None:
        extents = mixed(static, [f[i] for i in slots[count:-1]])
        batch, (m, n, k, d) = extents[:-4], extents[-4:]
        arrays = [_array(f[i]) for i in slots[:count]]
        at = len(batch)
        queries = _part(arrays[0], maps[0], extents, (*range(at), at, at + 2)).astype(dtype)
        keys = _part(arrays[1], maps[1], extents, (*range(at), at + 1, at + 2)).astype(dtype)
        values = _part(arrays[2], maps[2], extents, (*range(at), at + 1, at + 3)).astype(dtype)
        over = (*range(at), at, at + 1)
        shape = (*batch, m, n)
        f[arguments[0]] = np.matmul(queries, np.swapaxes(keys, -1, -2)) if k else np.zeros(shape, dtype)
        for slot, array, indexing_map in zip(arguments[1:], arrays[3:], maps[3:-1], strict=True):
            f[slot] = _part(array, indexing_map, extents, over)
        f[indices] = [*np.ogrid[tuple(slice(e) for e in shape)], 0, 0]
        scores = np.broadcast_to(code(f)[0], shape)
        result = _softmax(scores, keeps_zero) @ values if n else np.zeros((*batch, m, d), dtype)
        given = f[slots[-1]]
        out = given.array if isinstance(given, MemRef) else np.array(given)
        places = _places(maps[-1], extents, (*range(at), at, at + 3))
        if result.size:
            out[tuple(places)] = result.astype(out.dtype)
        for slot in results:
            f[slot] = out

    return run


def _softmax(scores: Array, keeps_zero: bool) -> Array:
    top: Array = scores.max(-1, keepdims=True)
    empty = (top == -np.inf) & keeps_zero
    powers: Array = np.exp(scores - np.where(empty, scores.dtype.type(0), top))
    total: Array = powers.sum(-1, keepdims=True)
    total[empty] = 1
    return cast(Array, powers / total)


def _places(indexing_map: AffineMap, extents: Sequence[int], dims: Sequence[int]) -> list[Array]:
    """Where the elements of an operand are that belong to all positions in `dims`; 0 stands for the others."""
    shape = [extents[d] for d in dims]
    grid: list[Any] = [0] * len(extents)
    for dim, positions in zip(dims, np.ogrid[tuple(slice(e) for e in shape)], strict=True):
        grid[dim] = positions
    return [np.broadcast_to(e.evaluate(grid), shape) for e in indexing_map.results]


def _part(array: Any, indexing_map: AffineMap, extents: Sequence[int], dims: Sequence[int]) -> Array:
    places = _places(indexing_map, extents, dims)
    shape = [extents[d] for d in dims]
    if not all(shape):
        return np.empty(shape, array.dtype)
    return array[tuple(places)] if places else np.broadcast_to(array, shape)


def _array(value: Any) -> Any:
    return value.array if isinstance(value, MemRef) else value


RULES: dict[str, Rule] = {linalg_ext.ATTENTION: _attention}
