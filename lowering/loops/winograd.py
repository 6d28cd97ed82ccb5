"""Convolutions of 3x3 taps by Winograd's algorithm: fewer products, more additions.

In: the `Nest` of a convolution over [n, h, w, c] with constant weights and stride 1. Out: loops over blocks of tiles, a
tile being m x m elements of the result for every channel:

    scf.parallel (%n, %block)
      V[p][tile][c] = B^T (tile of the image) B         vectors of channels
      M[p][tile][o] = V[p][tile][c] * U[p][c][o]        (m + 2)^2 matrix products, tiled like any other
      out = epilogue(A^T M A)                           in registers

U = G (weights) G^T is computed here, in double precision, and is a constant. m, and how many tiles make a block, are chosen
in `schedule_winograd.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.affine import AffineConstant, AffineDim, AffineExpr, AffineMap
from ...ir.attributes import Constant, DenseAttr, FloatAttr
from ...ir.builder import Builder
from ...ir.core import Value, lookup
from ...ir.dialects import arith, linalg, memref, scf, vector
from ...ir.dialects.tensor import Size
from ...ir.schedule import Schedule
from ...ir.target import Target
from ...ir.types import F32, MemRefType, VectorType
from .. import indexing
from ..indexing import as_value
from .background import finish, in_background
from .nest import Access, Nest, coefficients, depends_on, is_unit_along
from .pack_panels import constant_of, load_vector, module_of
from .schedule_winograd import Algorithm, Problem, check, choose, first_candidate
from .settle_schedule import Group, last_before
from .tile_contractions import tile
from .vector_body import VectorBody, has_vector_elements, is_vectorizable, product_of
from .winograd_transforms import TAPS, Transforms

_PITCH: Final = 2048
"""Rows (bytes) that are a multiple of this apart fall into few sets of the first-level cache."""


def winograd(b: Builder, nest: Nest, target: Target, group: Group) -> bool:
    """Emits the loops where the nest is such a convolution and gains by it, or `group` asks for it; False where not."""
    form = _form(nest)
    if form is None or target.lanes(F32) < 4 or not group.allows("winograd"):
        return False
    problem = form.problem(nest)
    algorithm = choose(problem, target) or (first_candidate(problem) if group.wanted == "winograd" else None)
    if algorithm is None:
        return False
    model = Schedule("winograd", outputs=algorithm.outputs, tile_rows=algorithm.tile_rows, tile_columns=algorithm.tile_columns)
    chosen = group.settle(model, lambda s: check(Algorithm(s.outputs, s.tile_rows, s.tile_columns), problem, target))
    _Emitter(nest, form, Algorithm(chosen.outputs, chosen.tile_rows, chosen.tile_columns), target, group).emit(b)
    return True


# what is looked for


@dataclass(frozen=True)
class _Form:
    image: int
    """The input that is the image; the other one is the weights."""
    height: int
    width: int
    channel: int
    given: int
    """Dimensions of the nest: rows and columns of the result, channels of the image, channels of the result."""
    taps: tuple[int, int]
    rows: tuple[int, int]
    """Dimensions of the image buffer that are its rows and columns."""

    def problem(self, nest: Nest) -> Problem:
        h, w, c, o = (cast(int, nest.extents[d]) for d in (self.height, self.width, self.channel, self.given))
        others = [d for d in nest.of_kind(linalg.PARALLEL) if d not in (self.height, self.width, self.given)]
        images = _known_product([nest.extents[d] for d in others])
        return Problem(h, w, c, o, images)


def _known_product(extents: Sequence[Size]) -> int:
    """The product of what is known of extents."""
    total = 1
    for extent in extents:
        total *= extent if isinstance(extent, int) else 1
    return total


def _form(nest: Nest) -> _Form | None:
    if len(nest.outputs) != 1 or product_of(nest) is None or len(list(nest.body.operations())) != 3:
        return None
    blocks = [nest.body] + ([nest.epilogue.body] if nest.epilogue is not None else [])
    if not all(map(is_vectorizable, blocks)) or not all(map(has_vector_elements, nest.accesses())):
        return None
    if any(a.type.element != F32 for a in (*cast("tuple[Access, Access]", nest.inputs), *nest.outputs)):
        return None
    found = next((f for i in (0, 1) if (f := _form_with(nest, i)) is not None), None)
    return found if found is not None and _stores_along(nest, found.given) else None


def _form_with(nest: Nest, image: int) -> _Form | None:
    access, weights = (cast(Access, nest.inputs[i]) for i in (image, 1 - image))
    results = access.map.results
    if constant_of(weights) is None or not weights.map.is_projected_permutation or not results:
        return None
    last = results[-1]
    reductions = nest.of_kind(linalg.REDUCTION)
    if not isinstance(last, AffineDim) or last.position not in reductions or not is_unit_along(access, last.position):
        return None
    windows = [(i, w) for i, e in enumerate(results) if (w := _window(nest, e)) is not None]
    given = [d for d in nest.of_kind(linalg.PARALLEL) if depends_on(weights, d)]
    if len(windows) != 2 or len(given) != 1 or len(reductions) != 3 or depends_on(access, given[0]):
        return None
    (first, (height, up)), (second, (width, left)) = windows
    if {up, left, last.position} != set(reductions) or not all(depends_on(weights, d) for d in (*reductions, *given)):
        return None
    others = [e for i, e in enumerate(results) if i not in (first, second, len(results) - 1)]
    if not all(isinstance(e, AffineDim | AffineConstant) for e in others):
        return None
    if not all(isinstance(nest.extents[d], int) for d in (height, width, last.position, *given)):
        return None
    if access.type.shape[first] is None or access.type.shape[second] is None:
        return None
    return _Form(image, height, width, last.position, given[0], (up, left), (first, second))


def _window(nest: Nest, expr: AffineExpr) -> tuple[int, int] | None:
    """(position, tap) of position + tap, where there are three taps."""
    factors = coefficients(expr, nest.rank)
    if factors is None or expr.evaluate([0] * nest.rank) != 0:
        return None
    used = [d for d, factor in enumerate(factors) if factor]
    if len(used) != 2 or any(factors[d] != 1 for d in used):
        return None
    position, tap = sorted(used, key=lambda d: nest.kinds[d] == linalg.REDUCTION)
    if nest.kinds[position] != linalg.PARALLEL or nest.kinds[tap] != linalg.REDUCTION or nest.extents[tap] != TAPS:
        return None
    return position, tap


def _stores_along(nest: Nest, dim: int) -> bool:
    """Whether the result lies along the lanes, and all that is read with it does, or is one element for all of them."""
    read = nest.starts()
    read += [a for a in nest.epilogue.inputs if a is not None] if nest.epilogue is not None else []
    return is_unit_along(nest.stores()[0], dim) and all(not depends_on(a, dim) or is_unit_along(a, dim) for a in read)


# code


class _Emitter:
    def __init__(self, nest: Nest, form: _Form, algorithm: Algorithm, target: Target, group: Group) -> None:
        self.nest, self.form, self.target, self.schedules = nest, form, target, group.schedules
        self.transforms = Transforms(algorithm.outputs)
        self.m, self.n = self.transforms.outputs, self.transforms.products
        self.lanes = target.lanes(F32)
        self.vector_type = VectorType((self.lanes,), F32)
        problem = form.problem(nest)
        self.height, self.width, self.channels, self.given = problem.height, problem.width, problem.channels, problem.given
        down, across = -(-self.height // self.m), -(-self.width // self.m)
        self.block = (min(algorithm.tile_rows, down), min(algorithm.tile_columns, across))
        self.blocks = (-(-down // self.block[0]), -(-across // self.block[1]))
        self.covered = tuple(count * size * self.m for count, size in zip(self.blocks, self.block, strict=True))
        self.tiles = self.block[0] * self.block[1]

    def emit(self, b: Builder) -> None:
        filters = self._filters(b)
        nest = self.nest
        inside = (self.form.height, self.form.width, self.form.given)
        others = [d for d in nest.of_kind(linalg.PARALLEL) if d not in inside]
        bounds: list[Size] = [*(nest.extents[d] for d in others), *self.blocks]
        loops = [i for i, size in enumerate(bounds) if size != 1]

        def block(ib: Builder, args: Sequence[Value]) -> None:
            values: list[Size] = [0] * len(bounds)
            for i, value in zip(loops, args, strict=True):
                values[i] = value
            positions: list[Size] = [0] * nest.rank
            for d, value in zip(others, values, strict=False):
                positions[d] = value
            row, column = (indexing.mul(ib, at, size) for at, size in zip(values[-2:], self.block, strict=True))
            self._block(ib, positions, (row, column), filters)

        if not loops:
            block(b, ())
            return
        zero, one = as_value(b, 0), as_value(b, 1)
        scf.parallel(b, [zero] * len(loops), [as_value(b, bounds[i]) for i in loops], [one] * len(loops), block)

    def _block(self, b: Builder, positions: Sequence[Size], first: tuple[Size, Size], filters: Value) -> None:
        """The tiles from row and column `first` on."""
        images = self._scratch(b, self.channels)
        products = self._scratch(b, self.given)
        self._over_tiles(b, first, self.channels, positions, lambda ib, at: self._transform_image(ib, at, images))
        self._multiply(b, images, filters, products)
        memref.dealloc(b, images)
        self._over_tiles(b, first, self.given, positions, lambda ib, at: self._transform_products(ib, at, products))
        memref.dealloc(b, products)

    def _scratch(self, b: Builder, channels: int) -> Value:
        """[product][tile][channel], with room behind rows and matrices that would share sets of the cache."""
        pitch = -(-channels // self.lanes) * self.lanes
        if pitch * 4 % _PITCH == 0:
            pitch += self.lanes
        tiles = self.tiles
        while tiles * pitch * 4 % _PITCH == 0:
            tiles += 1
        return memref.alloc(b, [self.n * self.n, tiles, pitch], F32)

    def _over_tiles(
        self, b: Builder, first: tuple[Size, Size], channels: int, positions: Sequence[Size], body: _TileBody
    ) -> None:
        def tile_at(ib: Builder, args: Sequence[Value]) -> None:
            row, column = args
            number = indexing.add(ib, indexing.mul(ib, row, self.block[1]), column)
            top = indexing.mul(ib, indexing.add(ib, first[0], row), self.m)
            left = indexing.mul(ib, indexing.add(ib, first[1], column), self.m)

            def vectors(jb: Builder, inner: Sequence[Value]) -> Sequence[Value]:
                mask = None
                if channels % self.lanes:
                    left_over = as_value(jb, indexing.sub(jb, channels, inner[0]))
                    mask = vector.create_mask(jb, left_over, self.lanes)
                body(jb, _Tile(tuple(positions), number, top, left, inner[0], mask))
                return ()

            scf.for_(ib, as_value(ib, 0), as_value(ib, channels), as_value(ib, self.lanes), (), vectors)

        zero, one = as_value(b, 0), as_value(b, 1)
        uppers = [as_value(b, size) for size in self.block]
        scf.parallel(b, [zero, zero], uppers, [one, one], tile_at)

    # the three steps

    def _transform_image(self, b: Builder, at: _Tile, images: Value) -> None:
        form, n = self.form, self.n
        access = cast(Access, self.nest.inputs[form.image])
        positions = list(at.positions)
        positions[form.channel] = at.channel
        where = [as_value(b, indexing.apply(b, e, positions)) for e in access.map.results]
        rows = [self._inside(b, access, 0, at.top, i) for i in range(n)]
        columns = [self._inside(b, access, 1, at.left, i) for i in range(n)]
        turned: list[list[Value]] = []
        for j in range(n):
            values: list[Value] = []
            for i in range(n):
                where[form.rows[0]], where[form.rows[1]] = rows[i], columns[j]
                values.append(load_vector(b, access.buffer, where, at.mask, self.vector_type))
            turned.append(self.transforms.inputs(b, values))
        for i in range(n):
            for j, value in enumerate(self.transforms.inputs(b, [turned[j][i] for j in range(n)])):
                vector.store(b, value, images, [as_value(b, i * n + j), as_value(b, at.number), at.channel])

    def _inside(self, b: Builder, access: Access, axis: int, start: Size, offset: int) -> Value:
        """A row (axis 0) or column of the image. The last tile may end outside it, and reads the last one again: what that
        gives is no part of the result."""
        extent = cast(int, access.type.shape[self.form.rows[axis]])
        position = indexing.add(b, start, offset)
        if self.covered[axis] - self.m + offset >= extent:
            position = indexing.minimum(b, position, extent - 1)
        return as_value(b, position)

    def _multiply(self, b: Builder, images: Value, filters: Value, products: Value) -> None:
        """M[p][t][o] = sum over c of V[p][t][c] U[p][c][o]."""
        left = Access.of(images, AffineMap.of(4, 0, 1, 3))
        right = Access.of(filters, AffineMap.of(4, 0, 3, 2))
        nest = Nest(
            (self.n * self.n, self.tiles, self.given, self.channels),
            (*(linalg.PARALLEL,) * 3, linalg.REDUCTION),
            (left, right) if self.form.image == 0 else (right, left),
            (Access.of(products, AffineMap.of(4, 0, 1, 2)),),
            self.nest.body,
            arith.constant(b, 0.0, F32),
            dims=tuple(AffineDim(d) for d in range(4)),
        )
        before, group = last_before(b), Group(nest, self.schedules)
        tiled = tile(b, nest, self.target, group)
        assert tiled, "a plain product of matrices"
        group.mark(b, before)

    def _transform_products(self, b: Builder, at: _Tile, products: Value) -> None:
        n, m = self.n, self.m
        turned: list[list[Value]] = []
        for j in range(n):
            column = [
                vector.load(b, products, [as_value(b, i * n + j), as_value(b, at.number), at.channel], self.vector_type)
                for i in range(n)
            ]
            turned.append(self.transforms.results(b, column))
        rows = [self.transforms.results(b, [turned[j][i] for j in range(n)]) for i in range(m)]
        for i in range(m):
            row = indexing.add(b, at.top, i)
            inside = self._guard(b, row, self.covered[0] - m + i, self.height)
            _when(b, inside, lambda ib, i=i, row=row: self._store_row(ib, at, row, rows[i]))

    def _store_row(self, b: Builder, at: _Tile, row: Size, values: Sequence[Value]) -> None:
        for j, value in enumerate(values):
            column = indexing.add(b, at.left, j)
            inside = self._guard(b, column, self.covered[1] - self.m + j, self.width)
            _when(b, inside, lambda ib, value=value, column=column: self._store(ib, at, row, column, value))

    def _guard(self, b: Builder, position: Size, last: int, extent: int) -> Value | None:
        """Whether a row or column belongs to the result; None where all do, `last` being the greatest there is."""
        return None if last < extent else arith.cmpi(b, "slt", as_value(b, position), as_value(b, extent))

    def _store(self, b: Builder, at: _Tile, row: Size, column: Size, value: Value) -> None:
        nest, form = self.nest, self.form
        positions = list(at.positions)
        positions[form.height], positions[form.width], positions[form.given] = row, column, at.channel
        finish = VectorBody(self.lanes)
        if nest.init is None:
            value = arith.addf(b, value, self._read(b, nest.start or nest.outputs[0], positions, at.mask))
        elif not _is_zero(nest.init):
            value = arith.addf(b, value, finish.broadcast(b, nest.init, {}))
        if nest.epilogue is not None:
            mapping: dict[Value, Value] = {}
            for access, argument in zip(nest.epilogue.inputs, nest.epilogue.body.args, strict=False):
                if argument.uses:
                    mapping[argument] = value if access is None else self._read(b, access, positions, at.mask)
            value = finish.emit(b, nest.epilogue.body, mapping, {})
        out = nest.stores()[0]
        where = [as_value(b, indexing.apply(b, e, positions)) for e in out.map.results]
        if at.mask is None:
            vector.store(b, value, out.buffer, where)
        else:
            vector.masked_store(b, out.buffer, where, at.mask, value)

    def _read(self, b: Builder, access: Access, positions: Sequence[Size], mask: Value | None) -> Value:
        where = [as_value(b, indexing.apply(b, e, positions)) for e in access.map.results]
        t = VectorType((self.lanes,), access.type.element)
        if not depends_on(access, self.form.given):
            return vector.broadcast(b, memref.load(b, access.buffer, where), t)
        return load_vector(b, access.buffer, where, mask, t)

    # the constant

    def _filters(self, b: Builder) -> Value:
        weights = cast(Access, self.nest.inputs[1 - self.form.image])
        constant = constant_of(weights)
        assert constant is not None
        order = [cast(AffineDim, e).position for e in weights.map.results]
        wanted = (*self.form.taps, self.form.channel, self.form.given)
        taps = constant.array.transpose([order.index(d) for d in wanted])
        array = np.empty((self.n * self.n, *taps.shape[2:]), np.float32)
        in_background(partial(self.transforms.filters_of_both, taps, array))
        of = MemRefType(tuple(array.shape), F32)
        return memref.get_global(b, _declared(b, f"{constant.name}_winograd{self.m}", array, of), of)


def _declared(b: Builder, name: str, array: npt.NDArray[Any], of: MemRefType) -> str:
    """A constant of that name, or of another where the name is taken by other numbers."""
    module = module_of(b)
    known = lookup(module, name)
    while known is not None:
        finish()
        value = known.attributes.get("initial_value")
        if isinstance(value, DenseAttr) and isinstance(value.value, Constant) and np.array_equal(value.value.array, array):
            return name
        name = f"{name}_"
        known = lookup(module, name)
    return memref.global_(module, Constant(name, array), of)


_TileBody = Callable[[Builder, "_Tile"], None]
_Code = Callable[[Builder], None]


@dataclass(frozen=True)
class _Tile:
    """A vector of channels of a tile."""

    positions: tuple[Size, ...]
    number: Size
    """Within the block."""
    top: Size
    left: Size
    channel: Value
    mask: Value | None


def _when(b: Builder, condition: Value | None, body: _Code) -> None:
    if condition is None:
        body(b)
        return

    def then(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
        body(ib)
        return ()

    scf.if_(b, condition, (), then)


def _is_zero(value: Value) -> bool:
    op = value.defining_op("arith.constant")
    attribute = None if op is None else op.attributes["value"]
    return isinstance(attribute, FloatAttr) and attribute.value == 0.0
