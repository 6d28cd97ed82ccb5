"""What the `lower` rules of operator records write `linalg`-stage code with.

In: a tensor is a `Value` of RankedTensorType, a number its Python value or a `Value` (int i64, float f64, bool i1).
Out: operations at the builder's point. Extents are Python ints where they are static, `index` values where not; equal
extents are the same SSA value wherever that can be traced, so that two shapes can be compared by looking at them.

One context serves one function: it remembers extents and the DTypes of values (uint8 and int8 are both `i8`, and so on).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from ...affine import AffineConstant, AffineDim, AffineExpr, AffineMap
from ...attributes import Constant, DenseArrayAttr, DenseAttr, round_float
from ...builder import Builder
from ...core import MODULE, Block, BlockArgument, Operation, OpResult, Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Unsupported
from ...script_types import ScriptType, TensorType
from ...source import Span
from ...types import (
    BF16,
    F16,
    F32,
    F64,
    I1,
    I32,
    I64,
    INDEX,
    STRING,
    ComplexType,
    FloatType,
    IndexType,
    IntegerType,
    RankedTensorType,
    Type,
)
from .. import arith, cf, func, linalg, rt_strings, scf, tensor
from .. import complex as complexes
from ..linalg import PARALLEL, REDUCTION

Extent = int | Value
"""An extent or index: a Python int where static, else a Value of type `index`."""

Number = int | float | Value
"""A number operand of a rule: its Python value (bool included), or a Value of type i64, f64 or i1."""

Condition = bool | Value
"""A condition on extents: folded to a bool where it is static."""

NOTE_I64 = "torchcc_note_i64"
NOTE_F64 = "torchcc_note_f64"

_DEFAULT_DTYPES = {str(d.element): d for d in DType if d.is_signed or d is DType.bool}
_PREDICATES = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}


def tensor_type_of(type: TensorType) -> RankedTensorType:
    """The `linalg`-stage type of a tensor of known dtype and rank."""
    assert type.dtype is not None and type.shape is not None
    return RankedTensorType(type.shape, type.dtype.element)


class LoweringContext:
    """Where code is written (`b`), the operator's inferred results (`results`), its place in the source (`span`)."""

    def __init__(self, builder: Builder) -> None:
        self.b = builder
        self.results: tuple[ScriptType, ...] = ()
        self._dtypes: dict[Value, DType] = {}
        self._dims: dict[Value, list[Extent]] = {}
        self._numbered: dict[tuple[object, ...], Value] = {}

    @property
    def span(self) -> Span | None:
        return self.b.span

    def lower(
        self, operator: Operator, arguments: Mapping[str, Any], results: tuple[ScriptType, ...], span: Span | None
    ) -> list[Any]:
        """Runs the record's rule. Tensor results come out in their inferred types; numbers as the rule left them.

        The results of lists come one by one. Unsupported where a result has no form here (a complex tensor).
        """
        self.results = results
        for type in results:
            if isinstance(type, TensorType):
                tensor_type_of(type)
        saved, self.b.span = self.b.span, span
        before = _last(self.b)
        try:
            values = _flatten(operator.lower(self, **arguments))
            if _is_complex(arguments.values(), results):
                _refuse_real_arithmetic(operator.name, self.b, before)
            return [self.coerce(v, t) if isinstance(t, TensorType) else v for v, t in zip(values, results, strict=True)]
        finally:
            self.b.span = saved

    def coerce(self, value: Value, type: TensorType) -> Value:
        """`value` in exactly this type: extents that only inference knows (or only the code) are cast."""
        to = tensor_type_of(type)
        assert type.dtype is not None
        if value.type != to:
            dims = self.dims(value)
            value = tensor.cast_(self.b, value, to)
            self._dims[value] = [d if e is None else e for d, e in zip(dims, to.shape, strict=True)]
        self._dtypes[value] = type.dtype
        return value

    # dtypes and types

    def dtype(self, value: Value) -> DType:
        """The DType of a tensor or number value; an `i8` is int8 unless it was recorded as uint8, and so on."""
        if value in self._dtypes:
            return self._dtypes[value]
        return _DEFAULT_DTYPES[str(_element(value))]

    def set_dtype(self, value: Value, dtype: DType) -> Value:
        self._dtypes[value] = dtype
        return value

    def shape(self, value: Value) -> tuple[int | None, ...]:
        return _tensor(value).shape

    def rank(self, value: Value) -> int:
        return len(_tensor(value).shape)

    def result_type(self, index: int = 0) -> TensorType:
        """The inferred type of a tensor result."""
        return cast(TensorType, self.results[index])

    def result_dtype(self, index: int = 0) -> DType:
        dtype = self.result_type(index).dtype
        assert dtype is not None
        return dtype

    # extents

    def dims(self, value: Value) -> list[Extent]:
        """Extents of a tensor, traced to their origin: equal ones are equal ints, or one Value."""
        known = self._dims.get(value)
        if known is None:
            known = self._dims[value] = self._trace(value)
        return list(known)

    def dim(self, value: Value, index: int) -> Extent:
        return self.dims(value)[index]

    def set_dims(self, value: Value, dims: Sequence[Extent]) -> Value:
        """Records extents that are known from elsewhere (dynamic dims of one name); they must dominate every use."""
        self._dims[value] = list(dims)
        return value

    def _trace(self, value: Value) -> list[Extent]:
        shape = _tensor(value).shape
        if all(e is not None for e in shape):
            return [cast(int, e) for e in shape]
        traced = self._trace_result(value) if isinstance(value, OpResult) else [None] * len(shape)
        dims: list[Extent] = []
        for i, extent in enumerate(shape):
            origin = traced[i]
            dims.append(extent if extent is not None else self._dim_op(value, i) if origin is None else origin)
        return dims

    def _trace_result(self, value: OpResult) -> Sequence[Extent | None]:
        """Extents of an operation's result by what the operation is; None where only `tensor.dim` tells."""
        op = value.op
        rank = len(_tensor(value).shape)
        if linalg.is_structured(op):
            return self.dims(linalg.outputs(op)[value.index])
        match op.name:
            case "tensor.empty" | "tensor.generate":
                return _fill_sizes(_tensor(value).shape, op.operands)
            case "tensor.splat":
                return _fill_sizes(_tensor(value).shape, op.operands[1:])
            case "tensor.cast":
                return self.dims(op.operand(0))
            case "tensor.insert" | "tensor.insert_slice":
                return self.dims(op.operand(1))
            case "tensor.extract_slice":
                segments = cast(DenseArrayAttr, op.attributes["operandSegmentSizes"]).values
                start = segments[0] + segments[1]
                static = cast(DenseArrayAttr, op.attributes["static_sizes"]).values
                sizes = _fill_sizes(
                    [None if e == tensor.DYNAMIC_SENTINEL else e for e in static],
                    op.operands[start : start + segments[2]],
                )
                return _drop_units(sizes, _tensor(value).shape)
            case "tensor.expand_shape":
                return _fill_sizes(_tensor(value).shape, op.operands[1:])
            case "tensor.collapse_shape":
                source = self.dims(op.operand(0))
                groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
                with self._at(Builder.after(op)):
                    return [self.product([source[i] for i in g]) for g in groups]
            case "tensor.pad":
                return self._trace_pad(op)
            case _:
                return [None] * rank

    def _trace_pad(self, op: Operation) -> list[Extent]:
        source = self.dims(op.operand(0))
        segments = cast(DenseArrayAttr, op.attributes["operandSegmentSizes"]).values
        edges: list[list[Extent]] = []
        start = segments[0]
        for name, count in (("static_low", segments[1]), ("static_high", segments[2])):
            static = cast(DenseArrayAttr, op.attributes[name]).values
            edges.append(
                _fill_sizes(
                    [None if e == tensor.DYNAMIC_SENTINEL else e for e in static], op.operands[start : start + count]
                )
            )
            start += count
        with self._at(Builder.after(op)):
            return [self.add(self.add(e, low), high) for e, low, high in zip(source, *edges, strict=True)]

    def _dim_op(self, value: Value, index: int) -> Value:
        """`tensor.dim` right behind the definition, so that it can be shared by every later use."""
        if isinstance(value, BlockArgument):
            at = Builder.at_start(value.block, self.span)
        else:
            op = value.defining_op()
            assert op is not None
            at = Builder.after(op)
        return tensor.dim(at, value, arith.constant(at, index, INDEX))

    @contextmanager
    def _at(self, builder: Builder) -> Generator[None]:
        """Writes elsewhere meanwhile; nothing numbered at the usual point is reused there."""
        saved = self.b, self._numbered
        self.b, self._numbered = builder, {}
        try:
            yield
        finally:
            self.b, self._numbered = saved

    # arithmetic on extents: folds constants, shares equal expressions

    def index(self, value: Extent) -> Value:
        """As a Value of type `index`; takes an int, an i64 or an index."""
        if isinstance(value, int):
            return self._shared(("index", value), lambda: arith.constant(self.b, value, INDEX))
        if isinstance(value.type, IndexType):
            return value
        origin = value.defining_op("arith.index_cast")
        if origin is not None and isinstance(origin.operand(0).type, IndexType):
            return origin.operand(0)
        return self._shared(("index_cast", value), lambda: arith.index_cast(self.b, value, INDEX))

    def i64(self, value: Extent) -> Value:
        """As a Value of type i64; takes an int, an index or an i64."""
        if isinstance(value, int):
            return self._shared(("i64", value), lambda: arith.constant(self.b, value, I64))
        if not isinstance(value.type, IndexType):
            return value
        origin = value.defining_op("arith.index_cast")
        if origin is not None:
            return origin.operand(0)
        return self._shared(("i64_cast", value), lambda: arith.index_cast(self.b, value, I64))

    def extent(self, value: Extent) -> Extent:
        """An int where it is constant, else a Value of type `index`."""
        if isinstance(value, int):
            return int(value)
        constant = arith.constant_value(value)
        return int(constant) if constant is not None else self.index(value)

    def add(self, x: Extent, y: Extent) -> Extent:
        if x == 0 or y == 0:
            return y if x == 0 else x
        return self._arithmetic(arith.addi, x, y, lambda a, c: a + c)

    def sub(self, x: Extent, y: Extent) -> Extent:
        if y == 0 or x is y:
            return 0 if x is y else x
        return self._arithmetic(arith.subi, x, y, lambda a, c: a - c)

    def mul(self, x: Extent, y: Extent) -> Extent:
        if x == 1 or y == 1:
            return y if x == 1 else x
        if x == 0 or y == 0:
            return 0
        return self._arithmetic(arith.muli, x, y, lambda a, c: a * c)

    def floordiv(self, x: Extent, y: Extent) -> Extent:
        """Rounds down; `y` must not be 0."""
        return x if y == 1 else self._arithmetic(arith.floordivsi, x, y, lambda a, c: a // c)

    def ceildiv(self, x: Extent, y: Extent) -> Extent:
        """Rounds up; `y` must not be 0."""
        return x if y == 1 else self._arithmetic(arith.ceildivsi, x, y, lambda a, c: -(-a // c))

    def mod(self, x: Extent, y: Extent) -> Extent:
        """x - floordiv(x, y) * y; never negative for a positive `y`."""
        return self.sub(x, self.mul(self.floordiv(x, y), y))

    def min(self, x: Extent, y: Extent) -> Extent:
        return x if x is y else self._arithmetic(arith.minsi, x, y, min)

    def max(self, x: Extent, y: Extent) -> Extent:
        return x if x is y else self._arithmetic(arith.maxsi, x, y, max)

    def product(self, extents: Sequence[Extent]) -> Extent:
        result: Extent = 1
        for extent in extents:
            result = self.mul(result, extent)
        return result

    def numel(self, value: Value) -> Extent:
        return self.product(self.dims(value))

    def compare(self, predicate: str, x: Extent, y: Extent) -> Condition:
        """`predicate` one of eq, ne, lt, le, gt, ge (signed)."""
        if isinstance(x, int) and isinstance(y, int):
            return {"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}[predicate]
        if x is y:
            return predicate in ("eq", "le", "ge")
        left, right = self.index(self.extent(x)), self.index(self.extent(y))
        return self._shared((predicate, left, right), lambda: arith.cmpi(self.b, _PREDICATES[predicate], left, right))

    def all_of(self, *conditions: Condition) -> Condition:
        unknown = [c for c in conditions if not isinstance(c, bool)]
        if any(c is False for c in conditions) or not unknown:
            return all(c is not False for c in conditions)
        result = unknown[0]
        for c in unknown[1:]:
            result = arith.andi(self.b, result, c)
        return result

    def any_of(self, *conditions: Condition) -> Condition:
        unknown = [c for c in conditions if not isinstance(c, bool)]
        if any(c is True for c in conditions) or not unknown:
            return any(c is True for c in conditions)
        result = unknown[0]
        for c in unknown[1:]:
            result = arith.ori(self.b, result, c)
        return result

    def select(self, condition: Condition, x: Extent, y: Extent) -> Extent:
        if isinstance(condition, bool):
            return x if condition else y
        if x is y or (isinstance(x, int) and x == y):
            return x
        left, right = self.index(self.extent(x)), self.index(self.extent(y))
        return self._shared(("select", condition, left, right), lambda: arith.select(self.b, condition, left, right))

    def wrap_index(self, index: Extent, extent: Extent) -> Extent:
        """A Python index made non-negative: `index + extent` below zero."""
        index = self.extent(index)
        if isinstance(index, int):
            return self.add(index, extent) if index < 0 else index
        return self.select(self.compare("lt", index, 0), self.add(index, extent), index)

    def _arithmetic(
        self, build: Callable[[Builder, Value, Value], Value], x: Extent, y: Extent, fold: Callable[[int, int], int]
    ) -> Extent:
        x, y = self.extent(x), self.extent(y)
        if isinstance(x, int) and isinstance(y, int):
            return fold(x, y)
        left, right = self.index(x), self.index(y)
        return self._shared((build, left, right), lambda: build(self.b, left, right))

    def _shared(self, key: tuple[object, ...], build: Callable[[], Value]) -> Value:
        """Local value numbering: an earlier equal value, where it dominates this point."""
        known = self._numbered.get(key)
        if known is None or not self._dominates(known):
            known = self._numbered[key] = build()
        return known

    def _dominates(self, value: Value) -> bool:
        """Code is written in order, so a value of an enclosing block stands before this point."""
        owner = value.owner
        home = owner.parent if isinstance(owner, Operation) else owner
        block: Block | None = self.b.block
        while block is not None and block is not home:
            above = block.parent_op
            block = above.parent if above is not None else None
        return block is not None and home is not None

    # checks

    def check(self, condition: Condition, message: str, values: Sequence[Extent] = ()) -> None:
        """Run-time error `message` unless `condition`; each `{}` in it takes a value: an extent, an i64, an f64 or a string."""
        if condition is True:
            return
        pieces = message.split("{}")
        text, noted = pieces[0], list[Value]()
        for piece, value in zip(pieces[1:], values, strict=True):
            known = value if isinstance(value, int) else arith.constant_value(value)
            text += "{}" + piece if known is None else f"{known}{piece}"
            if known is None and isinstance(value, Value):
                noted.append(value)
        holds = arith.constant(self.b, False, I1) if condition is False else condition
        if noted:
            self._note(holds, noted)
        cf.assert_(self.b, holds, text)

    def _note(self, holds: Value, values: Sequence[Value]) -> None:
        """Leaves the values of a failing check where the run time finds them."""
        for value in values:
            if value.type != STRING:
                func.declare(self._module(), *((NOTE_F64, [F64]) if value.type == F64 else (NOTE_I64, [I64])))

        def note(b: Builder, _: Sequence[Value]) -> Sequence[Value]:
            for value in values:
                if value.type == STRING:
                    rt_strings.note(b, value)
                elif value.type == F64:
                    func.call(b, NOTE_F64, [value])
                else:
                    func.call(b, NOTE_I64, [self.i64(value)])
            return ()

        fails = arith.xori(self.b, holds, arith.constant(self.b, True, I1))
        scf.if_(self.b, fails, [], note)

    def _module(self) -> Operation:
        op = self.b.block.parent_op
        while op is not None and op.name != MODULE:
            op = op.parent_op
        assert op is not None, "code is lowered outside of a module"
        return op

    # numbers

    def constant(self, value: float | complex, type: Type) -> Value:
        """A scalar constant; of a tensor type, a splat."""
        if isinstance(type, ComplexType):
            return arith.constant(self.b, complex(value), type)
        assert not isinstance(value, complex)
        if isinstance(type, IntegerType):
            value = _wrap(int(value), type.width)
        elif isinstance(type, FloatType):
            value = round_float(float(value), type)
        return arith.constant(self.b, value, type)

    def dense(self, array: np.ndarray[Any, Any], dtype: DType) -> Value:
        """A small tensor constant; a weight comes in as a `Constant` of the program instead."""
        value = arith.dense(
            self.b, DenseAttr(tuple(array.reshape(-1).tolist()), RankedTensorType(array.shape, dtype.element))
        )
        return self.set_dtype(value, dtype)

    def weight(self, constant: Constant, dtype: DType) -> Value:
        value = arith.dense(self.b, DenseAttr(constant, RankedTensorType(constant.array.shape, dtype.element)))
        return self.set_dtype(value, dtype)

    def number(self, value: Number | complex, dtype: DType) -> Value:
        """A number operand as a scalar of `dtype` (PyTorch's conversion), at the current point."""
        if isinstance(value, Value):
            return self.cast(self.b, value, self.dtype(value), dtype)
        if dtype.is_complex:
            return self.constant(complex(value), dtype.element)
        if isinstance(value, complex):
            if value.imag:
                raise OperatorError(f"value cannot be converted to type {dtype.name} without overflow")
            value = value.real
        return self.constant(convert_number(value, dtype), dtype.element)

    def cast(self, b: Builder, value: Value, source: DType, target: DType) -> Value:
        """A scalar in another dtype, as PyTorch on x86: floats truncate, out of range gives the smallest integer."""
        if source is target:
            return value
        if source.is_complex:
            return self._cast_complex(b, value, source, target)
        if target.is_complex:
            part = self.cast(b, value, source, target.real)
            return complexes.create(b, part, arith.constant(b, 0.0, part.type))
        if target is DType.bool:
            return _is_nonzero(b, value, source)
        if source.is_floating:
            wide = _widened(b, value)
            return (
                _float_to_float(b, wide, target.element)
                if target.is_floating
                else _float_to_int(b, wide, target)
            )
        if target.is_floating:
            return _int_to_float(b, value, source, target.element)
        return _int_to_int(b, value, source, target.element)

    def _cast_complex(self, b: Builder, value: Value, source: DType, target: DType) -> Value:
        """To real dtypes the real part; to bool whether either part is not 0."""
        if target is DType.bool:
            return complexes.neq(b, value, arith.constant(b, 0.0, value.type))
        re = self.cast(b, complexes.re(b, value), source.real, target.real)
        if not target.is_complex:
            return re
        return complexes.create(b, re, self.cast(b, complexes.im(b, value), source.real, target.real))

    # tensors

    def empty(self, dims: Sequence[Extent], element: Type) -> Value:
        dims = [self.extent(d) for d in dims]
        return self.set_dims(tensor.empty(self.b, dims, element), dims)

    def fill(self, dims: Sequence[Extent], element: Type, value: float | Value) -> Value:
        """A tensor of one value: a Python number, or a scalar of the element type."""
        scalar = value if isinstance(value, Value) else self.constant(value, element)
        return linalg.fill(self.b, scalar, self.empty(dims, element)).result

    def generic(
        self,
        ins: Sequence[Value],
        in_maps: Sequence[AffineMap],
        out_dims: Sequence[Extent],
        out_element: Type,
        iterator_types: Sequence[str],
        body: Callable[..., Value],
        init: Value | None = None,
        out_map: AffineMap | None = None,
    ) -> Value:
        """`linalg.generic` with one result. `body(b, *elements)` gets the accumulator last when there is an `init`.

        `out_map` is the map that selects the parallel iterators, unless given.
        """
        rank = len(iterator_types)
        if out_map is None:
            out_map = AffineMap.of(rank, *(i for i, t in enumerate(iterator_types) if t == PARALLEL))
        out = self.empty(out_dims, out_element) if init is None else init

        def run(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
            return [body(b, *(args if init is not None else args[:-1]))]

        return linalg.generic(self.b, ins, [out], [*in_maps, out_map], iterator_types, run).result

    def generic_many(
        self,
        ins: Sequence[Value],
        in_maps: Sequence[AffineMap],
        inits: Sequence[Value],
        out_maps: Sequence[AffineMap],
        iterator_types: Sequence[str],
        body: Callable[..., Sequence[Value]],
    ) -> list[Value]:
        """`linalg.generic` with several results; `body(b, *elements, *accumulators)`."""
        op = linalg.generic(
            self.b, ins, inits, [*in_maps, *out_maps], iterator_types, lambda b, args: list(body(b, *args))
        )
        return list(op.results)

    def reduce(
        self,
        value: Value,
        axes: Sequence[int],
        element: Type,
        init: float | Value,
        body: Callable[[Builder, Value, Value], Value],
    ) -> Value:
        """Folds away `axes`: `body(b, element, accumulator)` over the elements in row-major order, from `init`."""
        dims = self.dims(value)
        kept = [d for i, d in enumerate(dims) if i not in axes]
        iterators = [REDUCTION if i in axes else PARALLEL for i in range(len(dims))]
        start = self.fill(kept, element, init)
        return self.generic([value], [AffineMap.identity(len(dims))], kept, element, iterators, body, init=start)

    def with_unit_dims(self, value: Value, positions: Sequence[int]) -> Value:
        """Inserts dimensions of extent 1 that stand at these positions of the result."""
        if not positions:
            return value
        dims, rank = self.dims(value), self.rank(value) + len(positions)
        groups: list[list[int]] = []
        sizes: list[Extent] = []
        leading: list[int] = []
        rest = iter(dims)
        for i in range(rank):
            if i in positions:
                sizes.append(1)
                (groups[-1] if groups else leading).append(i)
            else:
                sizes.append(next(rest))
                groups.append([*leading, i])
                leading = []
        result = tensor.expand_shape(self.b, value, groups, sizes)
        self.set_dims(result, sizes)
        return self.set_dtype(result, self.dtype(value))

    def cast_tensor(self, value: Value, dtype: DType) -> Value:
        """Every element in another dtype; the value itself where it is that already."""
        source = self.dtype(value)
        if source is dtype:
            return value

        def body(b: Builder, x: Value) -> Value:
            return self.cast(b, x, source, dtype)

        return self.pointwise([value], dtype, body)

    # broadcasting

    def pointwise(
        self, ins: Sequence[Value], dtype: DType, body: Callable[..., Value], dims: Sequence[Extent] | None = None
    ) -> Value:
        """One element of the result from one element of each (broadcast) operand: `body(b, *elements)` gives a `dtype`.

        `dims`: the result's extents where they are not just the operands' common ones.
        """
        shapes = [self.dims(v) for v in ins]
        out = self.broadcast_dims(shapes) if dims is None else [self.extent(d) for d in dims]
        operands = [self._stretch(v, out) for v in ins]
        maps = [self._broadcast_map(v, out) for v in operands]
        result = self.generic(operands, maps, out, dtype.element, [PARALLEL] * len(out), body)
        return self.set_dtype(result, dtype)

    def broadcast_dims(self, shapes: Sequence[Sequence[Extent]]) -> list[Extent]:
        """Common extents, checked at run time where they are not provably equal."""
        rank = max((len(s) for s in shapes), default=0)
        result: list[Extent] = []
        for axis in range(rank):
            extent: Extent = 1
            for shape in shapes:
                position = axis - (rank - len(shape))
                if position >= 0:
                    extent = self._common_extent(extent, shape[position], axis)
            result.append(extent)
        return result

    def _common_extent(self, x: Extent, y: Extent, axis: int) -> Extent:
        if x is y or y in (1, x):
            return x
        if x == 1:
            return y
        message = (
            f"The size of tensor a ({{}}) must match the size of tensor b ({{}}) at non-singleton dimension {axis}"
        )
        if isinstance(x, int) and isinstance(y, int):
            raise OperatorError(message.format(x, y))
        fits = self.any_of(
            self.compare("eq", x, y), *(self.compare("eq", e, 1) for e in (x, y) if isinstance(e, Value))
        )
        self.check(fits, message, [x, y])
        if isinstance(x, int) or isinstance(y, int):
            return x if isinstance(x, int) else y
        return self.select(self.compare("eq", x, 1), y, x)

    def _broadcast_map(self, value: Value, out: Sequence[Extent]) -> AffineMap:
        dims = self.dims(value)
        lead = len(out) - len(dims)
        results: list[AffineExpr] = []
        for i, extent in enumerate(dims):
            stretched = isinstance(extent, int) and extent == 1 and out[lead + i] != 1
            results.append(AffineConstant(0) if stretched else AffineDim(lead + i))
        return AffineMap(len(out), tuple(results))

    def _stretch(self, value: Value, out: Sequence[Extent]) -> Value:
        """The operand with every extent that may be a run-time 1 brought to the common extent.

        Costs one comparison where the extents are equal after all; the copy happens only where there is a 1.
        """
        dims = self.dims(value)
        lead = len(out) - len(dims)
        target = [out[lead + i] if not isinstance(d, int) else d for i, d in enumerate(dims)]
        unsure = [i for i, (d, t) in enumerate(zip(dims, target, strict=True)) if d is not t and d != t]
        if not unsure:
            return value
        dtype = self.dtype(value)
        to = RankedTensorType(tensor.extents(target), _tensor(value).element)
        same = self.all_of(*(self.compare("eq", dims[i], target[i]) for i in unsure))
        assert not isinstance(same, bool)

        def as_is(b: Builder, _: Sequence[Value]) -> Sequence[Value]:
            return [value if value.type == to else tensor.cast_(b, value, to)]

        def copied(_: Builder, __: Sequence[Value]) -> Sequence[Value]:
            ones = {i: self.compare("eq", dims[i], 1) for i in unsure}

            def element(b: Builder) -> Value:
                places = [linalg.index(b, i) for i in range(len(dims))]
                zero = arith.constant(b, 0, INDEX)
                for i, one in ones.items():
                    assert not isinstance(one, bool)
                    places[i] = arith.select(b, one, zero, places[i])
                return tensor.extract(b, value, places)

            return [self.generic([], [], target, to.element, [PARALLEL] * len(target), element)]

        stretched = scf.if_(self.b, same, [to], as_is, copied).result
        self.set_dims(stretched, target)
        return self.set_dtype(stretched, dtype)


def _last(b: Builder) -> Operation | None:
    """The operation before the builder's point."""
    return b.block.last if b.anchor is None else b.anchor.prev


def _is_complex(arguments: Iterable[Any], results: Sequence[ScriptType]) -> bool:
    """Whether an argument or a result is a complex tensor or number."""
    if any(isinstance(t, TensorType) and t.dtype is not None and t.dtype.is_complex for t in results):
        return True
    values = [v for a in arguments for v in _flatten(a)]
    return any(isinstance(v, complex) or (isinstance(v, Value) and isinstance(_element(v), ComplexType)) for v in values)


def _refuse_real_arithmetic(name: str, b: Builder, before: Operation | None) -> None:
    """Unsupported where a rule that knows of real numbers only has computed with complex ones, since `before`."""
    op = b.block.first if before is None else before.next
    while op is not None and op is not b.anchor:
        for inner in op.walk():
            if inner.name.startswith(("arith.", "math.")) and inner.name not in ("arith.select", "arith.constant"):
                if any(isinstance(_element(v), ComplexType) for v in (*inner.operands, *inner.results)):
                    raise Unsupported(f"{name} is not supported on complex tensors")
        op = op.next


def convert_number(value: float, dtype: DType) -> int | float | bool:
    """A Python number in `dtype`: the compile-time twin of `LoweringContext.cast`."""
    if dtype is DType.bool:
        return value != 0
    if dtype.is_floating:
        return round_float(float(value), cast(FloatType, dtype.element))
    width = cast(IntegerType, dtype.element).width
    if isinstance(value, float):
        wide = 64 if dtype is DType.uint32 else max(width, 32)
        whole = int(value) if np.isfinite(value) else None
        if dtype is DType.uint64 and value >= 1 << 63:
            return whole if whole is not None and whole < 1 << 64 else 0
        if whole is None or not -(1 << (wide - 1)) <= whole < 1 << (wide - 1):
            whole = -(1 << (wide - 1))
        value = whole
    return _wrap(int(value), width, dtype.is_signed)


def _wrap(value: int, width: int, signed: bool = True) -> int:
    if width == 1:
        return value & 1
    value &= (1 << width) - 1
    return value - (1 << width) if signed and value >= 1 << (width - 1) else value


def _flatten(values: Any) -> list[Any]:
    """A rule's results, those of lists one by one."""
    if not isinstance(values, tuple | list):
        return [values]
    return [v for part in cast(Sequence[Any], values) for v in _flatten(part)]


def _tensor(value: Value) -> RankedTensorType:
    assert isinstance(value.type, RankedTensorType), f"{value.type} is no tensor"
    return value.type


def _element(value: Value) -> Type:
    return value.type.element if isinstance(value.type, RankedTensorType) else value.type


def _fill_sizes(static: Sequence[int | None], dynamic: Sequence[Value]) -> list[Extent]:
    operands = iter(dynamic)
    return [next(operands) if e is None else e for e in static]


def _drop_units(sizes: Sequence[Extent], shape: Sequence[int | None]) -> list[Extent]:
    """Sizes of a slice without the unit dimensions that its result leaves out."""
    kept: list[Extent] = []
    for size in sizes:
        expected = shape[len(kept)] if len(kept) < len(shape) else -1
        if (size if isinstance(size, int) else None) == expected:
            kept.append(size)
    return kept


def _is_nonzero(b: Builder, value: Value, source: DType) -> Value:
    if source.is_floating:
        return arith.cmpf(b, "une", value, arith.constant(b, 0.0, value.type))
    return arith.cmpi(b, "ne", value, arith.constant(b, 0, value.type))


def _widened(b: Builder, value: Value) -> Value:
    return arith.extf(b, value, F32) if value.type in (F16, BF16) else value


def _float_to_float(b: Builder, value: Value, target: Type) -> Value:
    """From f32 or f64; to 16 bits through f32, as PyTorch rounds."""
    if value.type == target:
        return value
    if target == F64:
        return arith.extf(b, value, F64)
    if value.type == F64:
        value = arith.truncf(b, value, F32)
    return value if target == F32 else arith.truncf(b, value, target)


def _float_to_int(b: Builder, value: Value, dtype: DType) -> Value:
    """As cvttsd2si does: NaN and out of range give the smallest integer; narrow targets are cut from 32 bits."""
    target = cast(IntegerType, dtype.element)
    if dtype is DType.uint64:
        half = arith.constant(b, float(1 << 63), value.type)
        is_high = arith.cmpf(b, "oge", value, half)
        low = _float_to_int(b, arith.select(b, is_high, arith.subf(b, value, half), value), DType.int64)
        return arith.select(b, is_high, arith.xori(b, low, arith.constant(b, -(1 << 63), I64)), low)
    wide = I64 if dtype in (DType.int64, DType.uint32) else I32
    limit = float(1 << (wide.width - 1))
    low = arith.cmpf(b, "oge", value, arith.constant(b, -limit, value.type))
    high = arith.cmpf(b, "olt", value, arith.constant(b, limit, value.type))
    fits = arith.andi(b, low, high)
    safe = arith.select(b, fits, value, arith.constant(b, 0.0, value.type))
    whole = arith.select(b, fits, arith.fptosi(b, safe, wide), arith.constant(b, -(1 << (wide.width - 1)), wide))
    return whole if target == wide else arith.trunci(b, whole, target)


def _int_to_float(b: Builder, value: Value, source: DType, target: Type) -> Value:
    wide = F64 if target == F64 else F32
    converted = arith.sitofp(b, value, wide) if source.is_signed else arith.uitofp(b, value, wide)
    return converted if target == wide else arith.truncf(b, converted, target)


def _int_to_int(b: Builder, value: Value, source: DType, target: Type) -> Value:
    width = cast(IntegerType, value.type).width
    wanted = cast(IntegerType, target).width
    if width == wanted:
        return value
    if width > wanted:
        return arith.trunci(b, value, target)
    return arith.extsi(b, value, target) if source.is_signed else arith.extui(b, value, target)
