"""Gives every tensor a buffer: `linalg` on tensors in, `linalg` on memrefs out; no tensor types are left.

- Parameters become memrefs of identity layout and are never written. Every result is a fresh `memref.alloc`.
- A structured operation writes into the buffer of its init where the init's old value is not read any more, else into a
  fresh buffer (copied first where old elements are read). Elementwise operations reuse the buffer of a dying input.
- `extract_slice`, `expand_shape`, `collapse_shape`, `reshape`, `cast` are views; `insert_slice` writes in place when
  the old value is dead, else into a copy.
- `scf.for` keeps loop-carried tensors of invariant shape in one buffer; `scf.while` and `scf.if` keep what they only write to
  (`carried.py`) where it is. Other carried tensors and results of dynamic shape are heap buffers with one owner, passed on
  from owner to owner.
- Constants become `memref.global`.
- Each buffer that does not leave its block is deallocated after its last use.

    %e = tensor.empty() : tensor<4xf32>            %a = memref.alloc() : memref<4xf32>
    %r = linalg.fill ins(%c) outs(%e)      =>      linalg.fill ins(%c) outs(%a)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, cast

import numpy as np

from ...ir.affine import AffineMap
from ...ir.attributes import Constant, DenseArrayAttr, DenseAttr
from ...ir.builder import Builder
from ...ir.core import Block, BlockArgument, Operation, OpResult, Region, Value, functions, lookup
from ...ir.diagnostics import InternalError
from ...ir.dialects import arith, func, linalg, linalg_ext, memref, rt, rt_strings, scf, tensor
from ...ir.dialects.tensor import Size
from ...ir.dtypes import DType
from ...ir.types import INDEX, BoxType, FunctionType, MemRefType, RankedTensorType, StridedLayout, Type
from .. import indexing
from ..indexing import as_size, as_value, buffer_shape, dropped_dims, mixed, slice_parameters
from .carried import carried_by_while, keeps_in_for, origin_of_branches

VIEWS: Final = frozenset(
    f"memref.{n}" for n in ("subview", "collapse_shape", "expand_shape", "reinterpret_cast", "cast", "view")
)
"""Operations whose result lies in the memory of their first operand."""

_NUMPY: Final[dict[Type, Any]] = {
    INDEX: np.dtype(np.int64),
    **{d.element: d.numpy for d in DType if d.is_signed or d is DType.bool},
}


@dataclass(eq=False)
class Root:
    """One piece of memory: the tensor values that lie in it, the block that owns it, whether it may be overwritten."""

    block: Block
    writable: bool
    values: list[Value] = field(default_factory=list[Value])
    is_owned: bool = False
    """A whole heap buffer whose owner may pass it on."""
    moved: bool = False


@dataclass(frozen=True)
class Buffer:
    memref: Value
    root: Root


@dataclass(frozen=True)
class Bufferize:
    name: str = "bufferize"

    def apply(self, module: Operation) -> Operation:
        bufferize(module)
        return module


def bufferize(module: Operation) -> None:
    """Every function of the module."""
    for function in list(functions(module)):
        if func.is_declaration(function):
            continue
        _separate_starts(function)
        _Bufferizer(module).run(function)
        insert_deallocations(function)


def _separate_starts(function: Operation) -> None:
    """Every operation that starts from a filled tensor, or from one whose elements are few, gets one of its own: cheaper than a
    copy of a shared one, and reductions then read what it is made from."""
    for start in list(function.walk()):
        if (start.name != "linalg.fill" and not _spreads(start)) or len(start.result.uses) < 2:
            continue
        for user, index in list(start.result.uses)[1:]:
            if linalg.is_structured(user) and index >= len(linalg.inputs(user)):
                copy = Builder.before(user).insert(start.clone())
                user.set_operand(index, copy.result)


def _spreads(op: Operation) -> bool:
    """Whether an operation gives every element of its input to many of its result: a bias as what sums start from."""
    if not linalg.is_moving(op) or linalg.REDUCTION in linalg.iterator_types(op):
        return False
    read = linalg.indexing_maps(op)[0]
    return len({d for e in read.results for d in e.dims_used()}) < read.num_dims


def buffer_type(t: Type) -> Type:
    """The identity-layout memref of a tensor type; other types stay."""
    return MemRefType(t.shape, t.element) if isinstance(t, RankedTensorType) else t


def is_whole(value: Value) -> bool:
    """A buffer of identity layout that covers its allocation: what may be handed to a new owner."""
    while True:
        if memref.memref_type(value).layout is not None:
            return False
        op = value.defining_op()
        if op is None or op.name not in ("memref.cast", "memref.collapse_shape", "memref.expand_shape"):
            return True
        value = op.operand(0)


class _Bufferizer:
    def __init__(self, module: Operation) -> None:
        self.module = module
        self.buffers: dict[Value, Buffer] = {}
        self.order: dict[Operation, int] = {}
        self.dead: list[Operation] = []

    # functions, blocks

    def run(self, function: Operation) -> None:
        block = function.body()
        arguments: list[BlockArgument] = []
        for old in block.args:
            if isinstance(old.type, RankedTensorType):
                new = BlockArgument(block, old.index, buffer_type(old.type), old.name)
                self._bind(old, new, Root(block, writable=False))
                arguments.append(new)
            else:
                arguments.append(old)
        block.args = arguments
        self._convert_block(block)
        old_type = func.function_type(function)
        function.attributes["function_type"] = FunctionType(
            tuple(map(buffer_type, old_type.inputs)), tuple(map(buffer_type, old_type.results))
        )
        for op in reversed(self.dead):
            op.erase()

    def _convert_block(self, block: Block) -> None:
        operations = list(block.operations())
        for number, op in enumerate(operations):
            self.order[op] = number
        for op in operations:
            self._convert(op)

    def _convert(self, op: Operation) -> None:
        b = Builder.before(op)
        match op.name:
            case "tensor.empty":
                self.dead.append(op)
            case "func.return":
                self._return(b, op)
            case "scf.if":
                self._if(b, op)
            case "scf.for":
                self._for(b, op)
            case "scf.while":
                self._while(b, op)
            case "rt.fork":
                self._fork(op)
            case "scf.yield" | "scf.condition":
                pass  # the enclosing operation converts its terminators
            case "arith.constant" if isinstance(op.result.type, RankedTensorType):
                self._constant(b, op)
                self.dead.append(op)
            case "arith.select" if isinstance(op.result.type, RankedTensorType):
                self._select(b, op)
                self.dead.append(op)
            case _ if linalg.is_structured(op):
                self._structured(b, op)
                self.dead.append(op)
            case _ if op.name in _TENSOR_RULES:
                _TENSOR_RULES[op.name](self, b, op)
                self.dead.append(op)
            case _:
                if any(isinstance(v.type, RankedTensorType) for v in (*op.operands, *op.results)):
                    raise InternalError(f"bufferize has no rule for {op.name} on tensors")

    def _fork(self, op: Operation) -> None:
        """Parameters of the function around it are given as they are: nobody writes them."""
        for i, value in enumerate(op.operands):
            if isinstance(value.type, RankedTensorType):
                op.set_operand(i, self.buffer(value).memref)

    # buffers

    def _bind(self, value: Value, buffer: Value, root: Root) -> None:
        root.values.append(value)
        self.buffers[value] = Buffer(buffer, root)
        if buffer.name is None:
            buffer.name = value.name

    def buffer(self, value: Value) -> Buffer:
        """Where the elements of `value` are."""
        known = self.buffers.get(value)
        if known is None:
            op = value.defining_op("tensor.empty")
            if op is None:
                raise InternalError(f"no buffer for a value of type {value.type}")
            b = Builder.after(op)
            self._bind(value, self._alloc_like_empty(b, op), self._fresh(b))
            known = self.buffers[value]
        return known

    def _fresh(self, b: Builder) -> Root:
        return Root(b.block, writable=True, is_owned=True)

    def _alloc_like_empty(self, b: Builder, op: Operation) -> Value:
        t = tensor.tensor_type(op.result)
        dynamic = iter(op.operands)
        return memref.alloc(b, [next(dynamic) if e is None else e for e in t.shape], t.element)

    def _alloc_like(self, b: Builder, buffer: Value) -> Value:
        return memref.alloc(b, buffer_shape(b, buffer), memref.memref_type(buffer).element)

    def _copied(self, b: Builder, buffer: Value) -> Value:
        new = self._alloc_like(b, buffer)
        memref.copy(b, buffer, new)
        return new

    def is_dead_after(self, value: Value, op: Operation, allowed: Iterable[int]) -> bool:
        """Whether `op` may overwrite the memory of `value`: nothing reads it later, nor `op` but by `allowed` operands."""
        if value.defining_op("tensor.empty") is not None and value not in self.buffers:
            return True
        root = self.buffer(value).root
        if not root.writable or root.moved or root.block is not op.parent:
            return False
        permitted = set(allowed)
        now = self.order[op]
        for alias in root.values:
            for user, index in alias.uses:
                if user is op:
                    if index not in permitted:
                        return False
                    continue
                ancestor = _ancestor(user, root.block)
                if ancestor is None or self.order.get(ancestor, now) >= now:
                    return False
        return True

    def destination(self, b: Builder, value: Value, op: Operation, index: int, reads: bool) -> Buffer:
        """A buffer that `op` may write, for its init operand `index`; with `reads` it holds the init's elements."""
        empty = value.defining_op("tensor.empty")
        if empty is not None and value not in self.buffers:
            return Buffer(self._alloc_like_empty(b, empty), self._fresh(b))
        if self.is_dead_after(value, op, (index,)):
            return self.buffer(value)
        source = self.buffer(value).memref
        return Buffer(self._copied(b, source) if reads else self._alloc_like(b, source), self._fresh(b))

    def owned(self, b: Builder, value: Value, op: Operation, to: Type, index: int) -> Value:
        """A heap buffer with the elements of `value` that `op` (a terminator or loop) may pass on."""
        empty = value.defining_op("tensor.empty")
        if empty is not None and value not in self.buffers:
            return _cast(b, self._alloc_like_empty(b, empty), to)
        buffer = self.buffer(value)
        root = buffer.root
        if root.is_owned and not root.moved and is_whole(buffer.memref) and self._is_last_use(root, op, index):
            root.moved = True
            return _cast(b, buffer.memref, to)
        return _cast(b, self._copied(b, buffer.memref), to)

    def _is_last_use(self, root: Root, op: Operation, index: int) -> bool:
        """No later operand of `op` and nothing after it looks at the memory; earlier operands have copied theirs."""
        if root.block is not op.parent:
            return False
        now = self.order[op]
        for alias in root.values:
            for user, position in alias.uses:
                if user is op:
                    if position > index:
                        return False
                    continue
                ancestor = _ancestor(user, root.block)
                if ancestor is None or self.order.get(ancestor, now) >= now:
                    return False
        return True

    # structured operations

    def _structured(self, b: Builder, op: Operation) -> None:
        ins, outs = linalg.inputs(op), linalg.outputs(op)
        elementwise = all(t == linalg.PARALLEL for t in linalg.iterator_types(op))
        taken: set[int] = set()
        targets: list[Buffer] = []
        sources = [self.buffer(v).memref if isinstance(v.type, RankedTensorType) else v for v in ins]
        for k in range(len(outs)):
            index = len(ins) + k
            reads = op.name != "linalg.fill" and bool(op.body().args[index].uses)
            target = self._reused_input(op, index, taken) if elementwise and not reads else None
            if target is None:
                target = self._init_buffer(b, op, index, reads, elementwise, taken)
            taken.add(id(target.root))
            targets.append(target)
        region = op.regions[0].clone({})
        attributes = dict(op.attributes)
        new = b.create(op.name, (*sources, *(t.memref for t in targets)), (), attributes, [region])
        self._convert_body(new)
        for result, target in zip(op.results, targets, strict=True):
            self._bind(result, target.memref, target.root)

    def attention(self, b: Builder, op: Operation) -> None:
        target = self.destination(b, linalg_ext.output(op), op, len(op.operands) - 1, reads=False)
        operands = [self.buffer(v).memref if isinstance(v.type, RankedTensorType) else v for v in op.operands[:-1]]
        b.create(op.name, (*operands, target.memref), (), dict(op.attributes), [op.regions[0].clone({})])
        self._bind(op.result, target.memref, target.root)

    def _init_buffer(
        self, b: Builder, op: Operation, index: int, reads: bool, elementwise: bool, taken: set[int]
    ) -> Buffer:
        value = op.operand(index)
        ins, maps = linalg.inputs(op), linalg.indexing_maps(op)
        allowed = {index}
        if elementwise:
            allowed |= {
                i
                for i, v in enumerate(ins)
                if v is value and maps[i] == maps[index] and maps[i].is_projected_permutation
            }
        known = self.buffers.get(value)
        shared = known is not None and id(known.root) in taken
        if not shared and known is not None and self.is_dead_after(value, op, allowed):
            return known
        empty = value.defining_op("tensor.empty")
        if empty is not None and known is None:
            return Buffer(self._alloc_like_empty(b, empty), self._fresh(b))
        source = self.buffer(value).memref
        return Buffer(self._copied(b, source) if reads else self._alloc_like(b, source), self._fresh(b))

    def _reused_input(self, op: Operation, index: int, taken: set[int]) -> Buffer | None:
        """The buffer of an input that dies here and is read exactly where the result is written."""
        out = op.operand(index)
        if out.defining_op("tensor.empty") is None or out in self.buffers:
            return None
        maps = linalg.indexing_maps(op)
        if not maps[index].is_projected_permutation or len(maps[index].results) != maps[index].num_dims:
            return None
        inputs = linalg.inputs(op)
        # The latest first: the epilogue of a contraction should overwrite the contraction's own result.
        for i in sorted(range(len(inputs)), key=lambda i: self._age(inputs[i])):
            value = inputs[i]
            if value.type != out.type or maps[i] != maps[index]:
                continue
            known = self.buffer(value)
            if not known.root.is_owned or id(known.root) in taken or not is_whole(known.memref):
                continue
            if self.is_dead_after(value, op, (i,)):
                return known
        return None

    def _age(self, value: Value) -> int:
        owner = value.owner
        return -self.order.get(owner, -1) if isinstance(owner, Operation) else 1

    def _convert_body(self, op: Operation) -> None:
        """Element accesses inside the body of a structured operation."""
        for inner in list(op.walk()):
            if inner.name == "tensor.extract":
                b = Builder.before(inner)
                inner.replace_with([memref.load(b, self.buffer(inner.operand(0)).memref, inner.operands[1:])])
            elif inner.name == "tensor.dim":
                b = Builder.before(inner)
                inner.replace_with([memref.dim(b, self.buffer(inner.operand(0)).memref, inner.operand(1))])

    # tensor operations

    def _constant(self, b: Builder, op: Operation) -> None:
        attribute = cast(DenseAttr, op.attributes["value"])
        t = tensor.tensor_type(op.result)
        if not isinstance(attribute.value, Constant | tuple):
            buffer = memref.alloc(b, cast("tuple[int, ...]", t.shape), t.element)
            linalg.fill(b, arith.constant(b, attribute.value, t.element), buffer)
            self._bind(op.result, buffer, self._fresh(b))
            return
        constant = attribute.value
        if isinstance(constant, tuple):
            # integers have no sign here: 255 and -1 are one i8
            array = np.array(constant).astype(_NUMPY[t.element]).reshape(cast("tuple[int, ...]", t.shape))
            constant = Constant(self._fresh_symbol("constant"), array)
        of = MemRefType(t.shape, t.element)
        name = memref.global_(self.module, constant, of)
        self._bind(op.result, memref.get_global(b, name, of), Root(b.block, writable=False))

    def _fresh_symbol(self, stem: str) -> str:
        number = 0
        while lookup(self.module, f"{stem}_{number}") is not None:
            number += 1
        return f"{stem}_{number}"

    def _select(self, b: Builder, op: Operation) -> None:
        condition, true, false = op.operands
        true_buffer, false_buffer = self.buffer(true).memref, self.buffer(false).memref
        buffer = self._alloc_like(b, true_buffer)

        def chosen(source: Value) -> scf.Body:
            def body(inner: Builder, _: Sequence[Value]) -> Sequence[Value]:
                memref.copy(inner, source, buffer)
                return ()

            return body

        scf.if_(b, condition, (), chosen(true_buffer), chosen(false_buffer))
        self._bind(op.result, buffer, self._fresh(b))

    def extract_slice(self, b: Builder, op: Operation) -> None:
        source = self.buffer(op.operand(0))
        offsets, sizes, strides = slice_parameters(op)
        dropped = dropped_dims(tensor.tensor_type(op.result).shape, sizes)
        self._bind(op.result, memref.subview(b, source.memref, offsets, sizes, strides, dropped), source.root)

    def insert_slice(self, b: Builder, op: Operation) -> None:
        source = self.buffer(op.operand(0)).memref
        target = self.destination(b, op.operand(1), op, 1, reads=True)
        offsets, sizes, strides = slice_parameters(op)
        dropped = dropped_dims(tensor.tensor_type(op.operand(0)).shape, sizes)
        memref.copy(b, source, memref.subview(b, target.memref, offsets, sizes, strides, dropped))
        self._bind(op.result, target.memref, target.root)

    def insert(self, b: Builder, op: Operation) -> None:
        target = self.destination(b, op.operand(1), op, 1, reads=True)
        memref.store(b, op.operand(0), target.memref, op.operands[2:])
        self._bind(op.result, target.memref, target.root)

    def extract(self, b: Builder, op: Operation) -> None:
        op.result.replace_all_uses_with(memref.load(b, self.buffer(op.operand(0)).memref, op.operands[1:]))

    def dim(self, b: Builder, op: Operation) -> None:
        position = as_size(op.operand(1))
        buffer = self.buffer(op.operand(0)).memref
        size = (
            indexing.buffer_dim(b, buffer, position) if isinstance(position, int) else memref.dim(b, buffer, position)
        )
        op.result.replace_all_uses_with(as_value(b, size))

    def cast(self, b: Builder, op: Operation) -> None:
        source = self.buffer(op.operand(0))
        of = memref.memref_type(source.memref)
        to = MemRefType(tensor.tensor_type(op.result).shape, of.element, of.layout)
        self._bind(op.result, _cast(b, source.memref, to), source.root)

    def collapse_shape(self, b: Builder, op: Operation) -> None:
        groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
        source = self.buffer(op.operand(0))
        buffer, root = source.memref, source.root
        to = collapsed_type(memref.memref_type(buffer), groups)
        if to is None:
            buffer, root = self._copied(b, buffer), self._fresh(b)
            to = collapsed_type(memref.memref_type(buffer), groups)
            assert to is not None
        self._bind(op.result, memref.collapse_shape(b, buffer, groups, to), root)

    def expand_shape(self, b: Builder, op: Operation) -> None:
        groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
        static = cast(DenseArrayAttr, op.attributes["static_output_shape"]).values
        dynamic = iter(op.operands[1:])
        sizes: list[Size] = [next(dynamic) if s == tensor.DYNAMIC_SENTINEL else s for s in static]
        source = self.buffer(op.operand(0))
        to = expanded_type(memref.memref_type(source.memref), groups, tensor.extents(sizes))
        self._bind(op.result, memref.expand_shape(b, source.memref, groups, sizes, to), source.root)

    def reshape(self, b: Builder, op: Operation) -> None:
        """Through the flat buffer: merge all dimensions, split the one into the new ones."""
        source = self.buffer(op.operand(0))
        buffer, root = source.memref, source.root
        if memref.memref_type(buffer).layout is not None:
            buffer, root = self._copied(b, buffer), self._fresh(b)
        of, to = memref.memref_type(buffer), tensor.tensor_type(op.result)
        if of.rank > 1:
            groups = (tuple(range(of.rank)),)
            merged = collapsed_type(of, groups)
            assert merged is not None
            buffer = memref.collapse_shape(b, buffer, groups, merged)
        elif of.rank == 0:
            buffer = memref.expand_shape(b, buffer, (), (1,), MemRefType((1,), of.element))
        sizes = self._shape_sizes(b, op.operand(1), to)
        total = indexing.product(b, sizes)
        flat_extent = total if isinstance(total, int) and None not in to.shape else None
        buffer = _cast(b, buffer, MemRefType((flat_extent,), of.element))
        if to.rank == 0:
            buffer = memref.collapse_shape(
                b, _cast(b, buffer, MemRefType((1,), of.element)), (), MemRefType((), of.element)
            )
        elif to.rank > 1:
            types = MemRefType(to.shape, to.element)
            buffer = memref.expand_shape(b, buffer, (tuple(range(to.rank)),), sizes, types)
        self._bind(op.result, _cast(b, buffer, MemRefType(to.shape, to.element)), root)

    def _shape_sizes(self, b: Builder, shape: Value, to: RankedTensorType) -> list[Size]:
        """Extents of the result: from its type, the elements of the shape tensor, or read from that."""
        elements = shape.defining_op("tensor.from_elements")
        sizes: list[Size] = []
        for position, extent in enumerate(to.shape):
            if extent is not None:
                sizes.append(extent)
                continue
            if elements is not None:
                element = elements.operand(position)
            else:
                element = memref.load(b, self.buffer(shape).memref, [arith.constant(b, position, INDEX)])
            sizes.append(element if element.type == INDEX else arith.index_cast(b, element, INDEX))
        return sizes

    def from_elements(self, b: Builder, op: Operation) -> None:
        t = tensor.tensor_type(op.result)
        shape = cast("tuple[int, ...]", t.shape)
        buffer = memref.alloc(b, shape, t.element)
        for position, element in zip(np.ndindex(*shape), op.operands, strict=True):
            memref.store(b, element, buffer, [arith.constant(b, i, INDEX) for i in position])
        self._bind(op.result, buffer, self._fresh(b))

    def splat(self, b: Builder, op: Operation) -> None:
        t = tensor.tensor_type(op.result)
        dynamic = iter(op.operands[1:])
        buffer = memref.alloc(b, [next(dynamic) if e is None else e for e in t.shape], t.element)
        linalg.fill(b, op.operand(0), buffer)
        self._bind(op.result, buffer, self._fresh(b))

    def generate(self, b: Builder, op: Operation) -> None:
        t = tensor.tensor_type(op.result)
        dynamic = iter(op.operands)
        buffer = memref.alloc(b, [next(dynamic) if e is None else e for e in t.shape], t.element)
        self._generate_into(b, op, buffer)
        self._bind(op.result, buffer, self._fresh(b))

    def _generate_into(self, b: Builder, op: Operation, buffer: Value) -> None:
        old = op.body()

        def body(inner: Builder, _: Sequence[Value]) -> Sequence[Value]:
            mapping: dict[Value, Value] = {a: linalg.index(inner, a.index) for a in old.args if a.uses}
            for nested in old.operations():
                if nested is not old.terminator:
                    inner.insert(nested.clone(mapping))
            value = old.terminator.operand(0)
            return [mapping.get(value, value)]

        rank = len(old.args)
        new = linalg.generic(b, (), (buffer,), (AffineMap.identity(rank),), (linalg.PARALLEL,) * rank, body)
        self._convert_body(new)

    def pad(self, b: Builder, op: Operation) -> None:
        """Everything filled with the padding, then the source copied inside."""
        source = self.buffer(op.operand(0)).memref
        low, high = mixed(op, "static_low", 1), mixed(op, "static_high", 2)
        sizes = buffer_shape(b, source)
        result_shape = tensor.tensor_type(op.result).shape
        extents: list[Size] = [
            e if e is not None else as_value(b, indexing.add(b, indexing.add(b, lo, size), hi))
            for e, lo, size, hi in zip(result_shape, low, sizes, high, strict=True)
        ]
        padded = memref.alloc(b, extents, memref.memref_type(source).element)
        block = op.body()
        if any(a.uses for a in block.args):
            self._generate_into(b, op, padded)
        else:
            mapping: dict[Value, Value] = {}
            for inner in block.operations():
                if inner is not block.terminator:
                    b.insert(inner.clone(mapping))
            value = block.terminator.operand(0)
            linalg.fill(b, mapping.get(value, value), padded)
        interior = memref.subview(b, padded, low, sizes, [1] * len(sizes))
        memref.copy(b, source, interior)
        self._bind(op.result, padded, self._fresh(b))

    # boxes

    def box(self, b: Builder, op: Operation) -> None:
        op.result.replace_all_uses_with(rt.box(b, self.buffer(op.operand(0)).memref, cast(BoxType, op.result.type)))

    def view_write(self, b: Builder, op: Operation) -> None:
        b.create(op.name, (self.buffer(op.operand(0)).memref, *op.operands[1:]))

    def random_bits(self, b: Builder, op: Operation) -> None:
        target = self.destination(b, op.operand(0), op, 0, reads=False)
        buffer, root = target.memref, target.root
        if memref.memref_type(buffer).layout is not None:
            buffer, root = self._alloc_like(b, buffer), self._fresh(b)
        b.create(op.name, (buffer,))
        self._bind(op.result, buffer, root)

    def random_exchange(self, b: Builder, op: Operation) -> None:
        target = self.destination(b, op.operand(0), op, 0, reads=True)
        buffer, root = target.memref, target.root
        if memref.memref_type(buffer).layout is not None:
            buffer, root = self._alloc_like(b, buffer), self._fresh(b)
            memref.copy(b, target.memref, buffer)
        b.create(op.name, (buffer,))
        self._bind(op.result, buffer, root)

    def unbox(self, b: Builder, op: Operation) -> None:
        """The memory of the box itself, which others may hold too: never written, never passed on."""
        buffer = rt.unbox(b, op.operand(0), buffer_type(op.result.type))
        self._bind(op.result, buffer, Root(b.block, writable=False))

    def string_of_bytes(self, b: Builder, op: Operation) -> None:
        op.result.replace_all_uses_with(rt_strings.of_bytes(b, self.buffer(op.operand(0)).memref))

    def bytes_of_string(self, b: Builder, op: Operation) -> None:
        """The memory of the string itself."""
        buffer = rt_strings.bytes_(b, op.operand(0), buffer_type(op.result.type))
        self._bind(op.result, buffer, Root(b.block, writable=False))

    # control flow

    def _return(self, b: Builder, op: Operation) -> None:
        values: list[Value] = []
        for index, value in enumerate(op.operands):
            if isinstance(value.type, RankedTensorType):
                values.append(self.owned(b, value, op, buffer_type(value.type), index))
            else:
                values.append(value)
        op.set_operands(values)

    def _if(self, b: Builder, op: Operation) -> None:
        """What either branch only writes to stays where it is. Other results of static shape go into buffers made before;
        the others are owned buffers of either branch."""
        in_place = self._written_by_branches(op)
        static: dict[int, Value] = {}
        types: list[Type] = []
        kept: list[int] = []
        for i, result in enumerate(op.results):
            t = result.type
            if i in in_place:
                continue
            if isinstance(t, RankedTensorType) and None not in t.shape:
                static[i] = memref.alloc(b, cast("tuple[int, ...]", t.shape), t.element)
            else:
                types.append(buffer_type(t))
                kept.append(i)
        regions = [Region([_moved(region.blocks[0])]) if region.blocks else Region() for region in op.regions]
        new = b.create("scf.if", op.operands, types, op.attributes, regions)
        self.order[new] = self.order[op]
        for region in new.regions:
            if not region.blocks:
                continue
            block = region.blocks[0]
            inside = [self._inside(value, block) for value in in_place.values()]
            self._convert_block(block)
            terminator = block.terminator
            inner = Builder.before(terminator)
            yielded = list(terminator.operands)
            for i, target in static.items():
                self._write_result(inner, yielded[i], target, block)
            values: list[Value] = []
            for i in kept:
                value = yielded[i]
                if isinstance(value.type, RankedTensorType):
                    value = self.owned(inner, value, terminator, buffer_type(op.results[i].type), i)
                values.append(value)
            self._write_back(inner, {i: (yielded[i], self.buffer(v).memref) for i, v in in_place.items()}, inside)
            terminator.set_operands(values)
        for i, value in in_place.items():
            known = self.buffer(value)
            known.root.values.append(op.results[i])
            self.buffers[op.results[i]] = known
        for i, buffer in static.items():
            self._bind(op.results[i], buffer, self._fresh(b))
        self._bind_results(b, [op.results[i] for i in kept], new)
        self.dead.append(op)

    def _written_by_branches(self, op: Operation) -> dict[int, Value]:
        """Results of an `scf.if` that are what one tensor has become, which nothing else looks at then: that tensor."""
        found: dict[int, Value] = {}
        taken: set[int] = set()
        for i, result in enumerate(op.results):
            if not isinstance(result.type, RankedTensorType):
                continue
            value = origin_of_branches(op, i)
            if value is None or value.type != result.type or value not in self.buffers:
                continue
            root = self.buffer(value).root
            if id(root) not in taken and self._is_only_in(value, root, op):
                taken.add(id(root))
                found[i] = value
        return found

    def _is_only_in(self, value: Value, root: Root, op: Operation) -> bool:
        """From `op` on, its memory is looked at as `value`, and inside of `op` alone."""
        if not root.writable or root.moved or root.block is not op.parent:
            return False
        now = self.order[op]
        for alias in root.values:
            for user, _ in alias.uses:
                ancestor = _ancestor(user, root.block)
                if ancestor is op and alias is value and user is not op:
                    continue
                if ancestor is None or self.order.get(ancestor, now) >= now:
                    return False
        return True

    def _inside(self, value: Value, block: Block) -> Root:
        """`value` gets another name in `block`, which may write to its memory."""
        name = BlockArgument(block, 0, value.type, value.name)
        for user, index in list(value.uses):
            if _ancestor(user, block) is not None:
                user.set_operand(index, name)
        root = Root(block, writable=True)
        self._bind(name, self.buffer(value).memref, root)
        return root

    def _write_result(self, b: Builder, value: Value, target: Value, block: Block) -> None:
        """`target` gets the elements of `value`; a buffer made in this branch just for it is replaced by it."""
        if value.defining_op("tensor.empty") is not None and value not in self.buffers:
            return
        buffer = self.buffer(value)
        alloc = buffer.memref.defining_op("memref.alloc")
        root = buffer.root
        if alloc is not None and alloc.parent is block and alloc.result.type == target.type and not root.moved:
            root.moved = True
            alloc.result.replace_all_uses_with(target)
            for other, known in list(self.buffers.items()):
                if known.memref is alloc.result:
                    self.buffers[other] = Buffer(target, known.root)
            alloc.erase()
            return
        memref.copy(b, buffer.memref, target)

    def _bind_results(self, b: Builder, results: Sequence[OpResult], new: Operation) -> None:
        for old, result in zip(results, new.results, strict=True):
            if isinstance(old.type, RankedTensorType):
                self._bind(old, result, Root(b.block, writable=True, is_owned=True))
            else:
                old.replace_all_uses_with(result)
                result.name = old.name

    def _for(self, b: Builder, op: Operation) -> None:
        inits = op.operands[3:]
        old_block = op.body()
        in_place: dict[int, Buffer] = {}
        carried: list[tuple[int, Value]] = []
        for i, init in enumerate(inits):
            if not isinstance(init.type, RankedTensorType):
                carried.append((i, init))
            elif self._keeps_shape(op, i):
                in_place[i] = self.destination(b, init, op, 3 + i, reads=True)
                in_place[i].root.values.append(op.results[i])
            else:
                carried.append((i, self.owned(b, init, op, buffer_type(init.type), 3 + i)))
        block = Block([old_block.args[0].type, *(v.type for _, v in carried)], [old_block.args[0].name])
        old_block.args[0].replace_all_uses_with(block.args[0])
        argument_roots: list[Root] = []
        for (i, _), argument in zip(carried, block.args[1:], strict=True):
            old = old_block.args[i + 1]
            if isinstance(inits[i].type, RankedTensorType):
                root = Root(block, writable=True, is_owned=True)
                self._bind(old, argument, root)
            else:
                old.replace_all_uses_with(argument)
            argument.name = old.name
        for i, buffer in in_place.items():
            root = Root(block, writable=True)
            argument_roots.append(root)
            self._bind(old_block.args[i + 1], buffer.memref, root)
        _move_operations(old_block, block)
        new = b.create(
            "scf.for",
            (*op.operands[:3], *(v for _, v in carried)),
            [v.type for _, v in carried],
            op.attributes,
            [Region([block])],
        )
        self.order[new] = self.order[op]
        self._convert_block(block)
        terminator = block.terminator
        inner = Builder.before(terminator)
        yielded = list(terminator.operands)
        values = [self._next(inner, yielded[i], terminator, init, i) for i, init in carried]
        self._write_back(inner, {i: (yielded[i], in_place[i].memref) for i in in_place}, argument_roots)
        terminator.set_operands(values)
        for i, buffer in in_place.items():
            self.buffers[op.results[i]] = buffer
        self._bind_results(b, [op.results[i] for i, _ in carried], new)
        self.dead.append(op)

    def _next(self, b: Builder, value: Value, terminator: Operation, init: Value, index: int) -> Value:
        return self.owned(b, value, terminator, init.type, index) if isinstance(value.type, RankedTensorType) else value

    def _write_back(self, b: Builder, pending: dict[int, tuple[Value, Value]], argument_roots: list[Root]) -> None:
        """The carried buffers get their next elements; those that come from carried buffers are copied first."""
        copies: list[tuple[Value, Value]] = []
        for value, target in pending.values():
            if value.defining_op("tensor.empty") is not None and value not in self.buffers:
                continue
            source = self.buffer(value)
            if source.memref is target:
                continue
            through = self._copied(b, source.memref) if source.root in argument_roots else source.memref
            copies.append((through, target))
        for source_buffer, target in copies:
            memref.copy(b, source_buffer, target)

    def _keeps_shape(self, loop: Operation, index: int) -> bool:
        """The extents of a carried tensor are the same in every iteration."""
        t = tensor.tensor_type(loop.results[index])
        if None not in t.shape:
            return True
        return keeps_in_for(loop, index)

    def _while(self, b: Builder, op: Operation) -> None:
        places: dict[int, int] = {}
        """Of what stays where it is: the operand for a result."""
        for i, result in enumerate(op.results):
            operand = carried_by_while(op, i) if isinstance(result.type, RankedTensorType) else None
            if operand is not None and operand not in places.values() and op.operand(operand).type == result.type:
                places[i] = operand
        in_place: dict[int, Buffer] = {}
        for i, operand in places.items():
            in_place[i] = self.destination(b, op.operand(operand), op, operand, reads=True)
            in_place[i].root.values.append(op.results[i])
        by_operand = {operand: in_place[i] for i, operand in places.items()}
        inits = [
            self.owned(b, v, op, buffer_type(v.type), i) if isinstance(v.type, RankedTensorType) else v
            for i, v in enumerate(op.operands)
            if i not in by_operand
        ]
        before, after = (region.blocks[0] for region in op.regions)
        results = [r for r in op.results if r.index not in in_place]
        first, _ = self._owning_block(before, by_operand)
        second, roots = self._owning_block(after, in_place)
        regions = [Region([first]), Region([second])]
        new = b.create("scf.while", inits, [buffer_type(r.type) for r in results], op.attributes, regions)
        self.order[new] = self.order[op]
        self._convert_block(first)
        self._pass_on(first, {i + 1: None for i in in_place}, [])
        self._convert_block(second)
        self._pass_on(second, {operand: buffer.memref for operand, buffer in by_operand.items()}, roots)
        for i, buffer in in_place.items():
            self.buffers[op.results[i]] = buffer
        self._bind_results(b, results, new)
        self.dead.append(op)

    def _pass_on(self, block: Block, in_place: dict[int, Value | None], roots: list[Root]) -> None:
        """What the terminator of `block` passes on as owned buffers, but for `in_place`, which is written back."""
        terminator = block.terminator
        inner = Builder.before(terminator)
        yielded = list(terminator.operands)
        values = [
            self.owned(inner, v, terminator, buffer_type(v.type), i) if isinstance(v.type, RankedTensorType) else v
            for i, v in enumerate(yielded)
            if i not in in_place
        ]
        self._write_back(inner, {i: (yielded[i], target) for i, target in in_place.items() if target is not None}, roots)
        terminator.set_operands(values)

    def _owning_block(self, old: Block, in_place: dict[int, Buffer]) -> tuple[Block, list[Root]]:
        """A block that owns its arguments, but for those that are `in_place`."""
        kept = [a for a in old.args if a.index not in in_place]
        block = Block([buffer_type(a.type) for a in kept], [a.name for a in kept])
        for argument, new in zip(kept, block.args, strict=True):
            if isinstance(argument.type, RankedTensorType):
                self._bind(argument, new, Root(block, writable=True, is_owned=True))
            else:
                argument.replace_all_uses_with(new)
        roots: list[Root] = []
        for i, buffer in in_place.items():
            roots.append(Root(block, writable=True))
            self._bind(old.args[i], buffer.memref, roots[-1])
        return _move_operations(old, block), roots


_TENSOR_RULES: Final = {
    "tensor.extract_slice": _Bufferizer.extract_slice,
    "tensor.insert_slice": _Bufferizer.insert_slice,
    "tensor.insert": _Bufferizer.insert,
    "tensor.extract": _Bufferizer.extract,
    "tensor.dim": _Bufferizer.dim,
    "tensor.cast": _Bufferizer.cast,
    "tensor.collapse_shape": _Bufferizer.collapse_shape,
    "tensor.expand_shape": _Bufferizer.expand_shape,
    "tensor.reshape": _Bufferizer.reshape,
    "tensor.from_elements": _Bufferizer.from_elements,
    "tensor.splat": _Bufferizer.splat,
    "tensor.generate": _Bufferizer.generate,
    "tensor.pad": _Bufferizer.pad,
    linalg_ext.ATTENTION: _Bufferizer.attention,
    "rt.box": _Bufferizer.box,
    "rt.unbox": _Bufferizer.unbox,
    "rt.str_of_bytes": _Bufferizer.string_of_bytes,
    "rt.str_bytes": _Bufferizer.bytes_of_string,
    "rt.view_write": _Bufferizer.view_write,
    "rt.random_bits": _Bufferizer.random_bits,
    "rt.random_enter": _Bufferizer.random_exchange,
    "rt.random_leave": _Bufferizer.random_exchange,
}


def _moved(old: Block) -> Block:
    return _move_operations(old, Block())


def _move_operations(old: Block, new: Block) -> Block:
    for op in list(old.operations()):
        new.append(op.detach())
    return new


def _ancestor(op: Operation, block: Block) -> Operation | None:
    """The operation of `block` that `op` is, or is nested in."""
    current: Operation | None = op
    while current is not None and current.parent is not block:
        current = current.parent_op
    return current


def _cast(b: Builder, buffer: Value, to: Type) -> Value:
    return buffer if buffer.type == to else memref.cast_(b, buffer, cast(MemRefType, to))


def collapsed_type(of: MemRefType, groups: Sequence[Sequence[int]]) -> MemRefType | None:
    """The type of a collapsed view, or None where its elements are not evenly spaced (as far as types tell)."""
    shape = tuple(_product(of.shape[i] for i in group) for group in groups)
    if of.layout is None:
        return MemRefType(shape, of.element, None, of.space)
    strides = of.layout.strides
    kept: list[int | None] = []
    for group in groups:
        significant = [i for i in group if of.shape[i] != 1] or [group[-1]]
        for outer, inner in pairwise(significant):
            step, extent = strides[inner], of.shape[inner]
            if step is None or extent is None or strides[outer] != step * extent:
                return None
        kept.append(strides[significant[-1]])
    return MemRefType(shape, of.element, StridedLayout(tuple(kept), of.layout.offset), of.space)


def expanded_type(of: MemRefType, groups: Sequence[Sequence[int]], shape: Sequence[int | None]) -> MemRefType:
    """The type of an expanded view."""
    if of.layout is None:
        return MemRefType(tuple(shape), of.element, None, of.space)
    strides: list[int | None] = [1] * (0 if groups else len(shape))  # one element has no groups
    for group, stride in zip(groups, of.layout.strides, strict=True):
        inner: list[int | None] = []
        step = stride
        for i in reversed(group):
            inner.append(step)
            extent = shape[i]
            step = None if step is None or extent is None else step * extent
        strides.extend(reversed(inner))
    return MemRefType(tuple(shape), of.element, StridedLayout(tuple(strides), of.layout.offset), of.space)


def _product(extents: Iterable[int | None]) -> int | None:
    result = 1
    for e in extents:
        if e is None:
            return None
        result *= e
    return result


# deallocation

_MOVES: Final = frozenset({"func.return", "scf.yield", "scf.condition", "scf.while"})


def insert_deallocations(function: Operation) -> None:
    """`memref.dealloc` after the last use of every buffer whose owner is a block that does not pass it on."""
    for op in [function, *function.walk()]:
        if op.name not in ("func.func", "scf.if", "scf.for", "scf.while"):
            continue
        for region in op.regions:
            for block in region.blocks:
                _deallocate_in(op, block)


def _deallocate_in(parent: Operation, block: Block) -> None:
    owned: list[Value] = [
        a for a in block.args if isinstance(a.type, MemRefType) and parent.name in ("scf.for", "scf.while")
    ]
    for op in block.operations():
        if op.name == "memref.alloc" or op.name in ("scf.if", "scf.for", "scf.while"):
            owned += [r for r in op.results if isinstance(r.type, MemRefType)]
    positions = {op: i for i, op in enumerate(block.operations())}
    for value in owned:
        _deallocate(value, block, positions)


def aliases(value: Value) -> list[Value]:
    """`value` and all views of it."""
    found = [value]
    for v in found:
        for user in v.users:
            if user.name in VIEWS and user.operand(0) is v:
                found.append(user.result)
    return found


def _deallocate(value: Value, block: Block, positions: dict[Operation, int]) -> None:
    last: Operation | None = None
    for alias in aliases(value):
        for user, index in alias.uses:
            if user.name == "memref.dealloc" or (user.name in _MOVES) or (user.name == "scf.for" and index >= 3):
                return
            ancestor = _ancestor(user, block)
            assert ancestor is not None
            if last is None or positions[ancestor] > positions[last]:
                last = ancestor
    owner = value.owner
    if last is None and isinstance(owner, Operation) and owner.name == "memref.alloc":
        owner.erase()
        return
    if last is None:
        b = Builder.at_start(block) if isinstance(owner, Block) else Builder.after(owner)
    else:
        b = Builder.after(last)
    memref.dealloc(b, value)
