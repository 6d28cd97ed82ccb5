"""Writes the body of one LLVM function: names, blocks, values, index arithmetic, addresses.

What each operation becomes stands in tables of small functions `(Emitter, Operation) -> None` (`arithmetic`, `memory`,
`vectors`, `control`); `translate` adds them up. Pure instructions are written once per dominating scope, index
arithmetic is added up outermost term first, so that loop-invariant parts are whole instructions that LLVM can hoist.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ...ir.core import Block, Operation, Value
from ...ir.diagnostics import InternalError
from ...ir.source import Span
from ...ir.types import ComplexType, IndexType, MemRefType, Type
from ..runtime.abi import HEAP_ALIGNMENT
from .buffers import Buffer
from .equal_loops import EqualLoops
from .linear import Linear
from .sharing import Body
from .types import itemsize, memory_type, quoted, register_type

Emit = Callable[["Emitter", Operation], None]

MAX_UNROLLED_NEST: Final = 8
"""A loop around other loops that makes more rounds than this is not for LLVM to unroll: tiling has said what it is to
compute at once, and the code grows so large that the code generator, which is not linear, takes many seconds."""


_STAYS: Final = 'call void asm sideeffect "", ""()'
"""No code, but keeps LLVM from merging the block with others: a value that comes from hundreds of places, as what failed, or the
results of a function that failed, takes it seconds."""


@dataclass(frozen=True)
class Pair:
    """A complex number: the registers of its parts."""

    re: str
    im: str


Held = str | Linear | Buffer | Pair
"""What stands for a value: a register or constant, a sum of registers, a buffer's descriptor, two registers."""


@dataclass(frozen=True)
class Failure:
    """A run-time assertion: number `i` in a module is the `i`-th of `ModuleContext.failures`."""

    message: str
    span: Span | None


@dataclass(frozen=True)
class FunctionFacts:
    """What callers need to know of a function of the module."""

    symbol: str
    inputs: tuple[Type, ...]
    results: tuple[Type, ...]
    can_fail: bool


@dataclass
class ModuleContext:
    """What the functions of one LLVM module share."""

    prefix: str
    """Starts every symbol of the module, so that several can be linked together."""
    table: Mapping[str, Emit]
    facts: dict[str, FunctionFacts] = field(default_factory=dict[str, FunctionFacts])
    threads: bool = True
    """Whether loops marked `threads` go to the pool."""
    native_half: bool = True
    """Whether the target converts between half and float by instructions."""
    fused: bool = True
    """Whether the target has multiply-add as one instruction; else that of vectors rounds twice."""
    functions: list[str] = field(default_factory=list[str])
    bodies: list[Body] = field(default_factory=list[Body])
    """Of parallel loops that go to the pool."""
    globals: list[str] = field(default_factory=list[str])
    metadata: list[str] = field(default_factory=list[str])
    failures: list[Failure] = field(default_factory=list[Failure])
    data: dict[str, npt.NDArray[Any]] = field(default_factory=dict[str, npt.NDArray[Any]])
    """Symbols of constant buffers that stand outside of the code."""
    buffers: dict[str, str] = field(default_factory=dict[str, str])
    """Symbol of a `memref.global` -> LLVM symbol."""
    strings: dict[str, str] = field(default_factory=dict[str, str])
    outlined: int = 0
    equal_loops: EqualLoops = field(default_factory=EqualLoops)
    lookups: int = 0
    """Places where a key is looked for in a dict."""
    forks: int = 0
    _shared_metadata: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def failure_table(self) -> str:
        """Symbol of the texts and places of failures."""
        return f'@"{self.prefix}.failures"'

    def define_failures(self) -> None:
        """Defines that table."""
        if self.failures:
            texts = [(self.string(f.message), self.string(str(f.span) if f.span else "")) for f in self.failures]
            entries = ", ".join(f"{{ ptr, ptr }} {{ ptr {message}, ptr {place} }}" for message, place in texts)
            kind = f"[{len(texts)} x {{ ptr, ptr }}]"
            self.globals.append(f"{self.failure_table} = internal constant {kind} [{entries}]")

    def alias_class(self, name: str) -> str:
        """The end of a load or store of that part of run-time objects: parts of different names never share memory."""
        if "" not in self._shared_metadata:
            self._shared_metadata[""] = self.add_metadata('!{!"objects of the run time"}')
        if name not in self._shared_metadata:
            kind = self.add_metadata(f'!{{!"{name}", {self._shared_metadata[""]}, i64 0}}')
            self._shared_metadata[name] = f", !tbaa {self.add_metadata(f'!{{{kind}, {kind}, i64 0}}')}"
        return self._shared_metadata[name]

    def nontemporal(self) -> str:
        """The end of a store past the caches."""
        if "nontemporal" not in self._shared_metadata:
            self._shared_metadata["nontemporal"] = f", !nontemporal {self.add_metadata('!{i32 1}')}"
        return self._shared_metadata["nontemporal"]

    def rarely(self) -> str:
        """Weights of a branch whose first side is hardly ever taken."""
        if "rarely" not in self._shared_metadata:
            self._shared_metadata["rarely"] = self.add_metadata('!{!"branch_weights", i32 1, i32 1000}')
        return self._shared_metadata["rarely"]

    def add_metadata(self, text: str) -> str:
        """A metadata node; `{self}` in it is replaced by its own name."""
        name = f"!{len(self.metadata)}"
        self.metadata.append(f"{name} = {text.replace('{self}', name)}")
        return name

    def string(self, text: str) -> str:
        """Symbol of a zero-terminated constant string."""
        symbol = self.strings.get(text)
        if symbol is None:
            data = text.encode("utf-8", "surrogateescape") + b"\0"  # any bytes may be in a message
            symbol = self.strings[text] = f'@"{self.prefix}.text.{len(self.strings)}"'
            self.globals.append(f"{symbol} = private unnamed_addr constant [{len(data)} x i8] {quoted(data)}")
        return symbol

    def external_data(self, array: npt.NDArray[Any]) -> str:
        """Symbol of a constant array that is bound when the program is linked or loaded."""
        name = f"{self.prefix}.data.{len(self.data)}"
        self.data[name] = np.ascontiguousarray(array)
        symbol = f'@"{name}"'
        self.globals.append(f"{symbol} = external constant [{max(1, array.nbytes)} x i8], align {HEAP_ALIGNMENT}")
        return symbol


class Emitter:
    def __init__(self, context: ModuleContext, *, final: bool = False) -> None:
        self.context = context
        self.final = final
        """The code is vectors already: constant displacements are kept apart for addressing modes."""
        self.lines: list[str] = []
        self.entry_lines: list[str] = []
        self.label = "entry"
        self.values: dict[Value, Held] = {}
        self.types: dict[str, str] = {}
        """LLVM type of every SSA name."""
        self.counter = 0
        self.depth: dict[str, int] = {}
        self.known: dict[str, str] = {}
        self.scopes: list[list[str]] = [[]]
        self.access_group: str | None = None
        self.fails = False
        self._asserts = False
        self.loop_count = 0
        self.outlined = False
        """The function is the body of a parallel region."""
        self.arena_marks: dict[Block, str] = {}
        """Top of the arena before the first reservation of a block."""

    # text

    def fresh(self, hint: str = "v") -> str:
        self.counter += 1
        return f"%{hint}{self.counter}"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def op(self, type: str, text: str) -> str:
        """An instruction with a result of that LLVM type."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        self.types[name] = type
        self.depth[name] = len(self.scopes)
        return name

    def pure(self, type: str, text: str) -> str:
        """An instruction that depends on nothing but its operands: written once where it dominates."""
        name = self.known.get(text)
        if name is None:
            name = self.known[text] = self.op(type, text)
            self.scopes[-1].append(text)
        return name

    def define(self, name: str, type: str) -> str:
        """Makes an argument or phi known."""
        self.types[name] = type
        self.depth[name] = len(self.scopes)
        return name

    def start_block(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    def new_label(self, hint: str) -> str:
        self.counter += 1
        return f"{hint}{self.counter}"

    @contextmanager
    def scope(self) -> Generator[None]:
        """Instructions written inside dominate nothing outside."""
        self.scopes.append([])
        try:
            yield
        finally:
            for text in self.scopes.pop():
                del self.known[text]

    # values

    def text(self, value: Value) -> str:
        """Operand text of a scalar or vector."""
        known = self.values[value]
        if isinstance(known, Linear):
            return self.index_text(known)
        if isinstance(known, Buffer):
            raise InternalError(f"a memref is used as a scalar (type {value.type})")
        if isinstance(known, Pair):
            raise InternalError(f"a complex number is used as one register (type {value.type})")
        return known

    def pair(self, value: Value) -> Pair:
        """The parts of a complex number."""
        known = self.values[value]
        if not isinstance(known, Pair):
            raise InternalError(f"a value of type {value.type} is used as a complex number")
        return known

    def linear(self, value: Value) -> Linear:
        """An index operand in linear form."""
        known = self.values[value]
        if isinstance(known, Linear):
            return known
        if isinstance(known, str):
            return Linear.of(int(known)) if known.lstrip("-").isdigit() else Linear.of(known)
        raise InternalError("a memref is used as an index")

    def buffer(self, value: Value) -> Buffer:
        known = self.values[value]
        if not isinstance(known, Buffer):
            raise InternalError(f"a value of type {value.type} is used as a memref")
        return known

    def set(self, value: Value, result: Held) -> None:
        if isinstance(result, str) and isinstance(value.type, IndexType):
            result = Linear.of(int(result)) if result.lstrip("-").isdigit() else Linear.of(result)
        self.values[value] = result

    # index arithmetic

    def index_text(self, linear: Linear) -> str:
        """An i64 operand with the value of a sum; outer terms are added first."""
        if not linear.terms:
            return str(linear.constant)
        total = ""
        for name, coefficient in sorted(linear.terms, key=lambda term: self.depth.get(term[0], 0)):
            term = name
            if coefficient != 1:
                term = self.pure("i64", f"mul i64 {name}, {coefficient}")
            total = term if not total else self.pure("i64", f"add i64 {total}, {term}")
        if linear.constant:
            total = self.pure("i64", f"add i64 {total}, {linear.constant}")
        return total

    def product(self, a: Linear, b: Linear) -> Linear:
        """a * b: linear where one of them is a number, else distributed over the terms of `a`."""
        if b.is_constant:
            return a.scaled(b.constant)
        if a.is_constant:
            return b.scaled(a.constant)
        factor = self.index_text(b)
        result = b.scaled(a.constant)
        for name, coefficient in a.terms:
            result += Linear.of(self.pure("i64", f"mul i64 {name}, {factor}")).scaled(coefficient)
        return result

    def row_major(self, sizes: Sequence[Linear]) -> tuple[Linear, ...]:
        strides: list[Linear] = []
        step = Linear.of(1)
        for i, size in enumerate(reversed(sizes)):
            strides.append(step)
            if i + 1 < len(sizes):
                step = self.product(step, size)
        return tuple(reversed(strides))

    def volume(self, sizes: Iterable[Linear]) -> Linear:
        total = Linear.of(1)
        for size in sizes:
            total = self.product(total, size)
        return total

    # pointers

    def pointer(self, space: int) -> str:
        return f"ptr addrspace({space})" if space else "ptr"

    def address(self, buffer: Buffer, indices: Sequence[Linear], *, inbounds: bool = True) -> tuple[str, int]:
        """Pointer to an element, and its known alignment in bytes."""
        position = buffer.offset
        for index, stride in zip(indices, buffer.strides, strict=True):
            position += self.product(index, stride)
        return self.element_pointer(buffer, position, inbounds=inbounds)

    def element_pointer(self, buffer: Buffer, position: Linear, *, inbounds: bool = True) -> tuple[str, int]:
        element = memory_type(buffer.element)
        size = itemsize(buffer.element)
        pointer = self.pointer(buffer.space)
        flags = "inbounds " if inbounds else ""
        alignment = size
        if buffer.alignment > size:
            alignment = max(
                size, math.gcd(buffer.alignment, *(c * size for _, c in position.terms), position.constant * size)
            )
        if not position.terms:
            if position.constant == 0:
                return buffer.base, alignment
            return self.pure(
                pointer, f"getelementptr {flags}{element}, {pointer} {buffer.base}, i64 {position.constant}"
            ), alignment
        if self.final and position.constant:
            # Two steps: the first is shared by the unrolled accesses, the second becomes a displacement. Neither is
            # `inbounds`: the point between them may lie outside.
            variable = self.index_text(Linear(position.terms))
            base = self.pure(pointer, f"getelementptr {element}, {pointer} {buffer.base}, i64 {variable}")
            return self.pure(pointer, f"getelementptr i8, {pointer} {base}, i64 {position.constant * size}"), alignment
        text = self.index_text(position)
        return self.pure(pointer, f"getelementptr {flags}{element}, {pointer} {buffer.base}, i64 {text}"), alignment

    def access_suffix(self) -> str:
        """Metadata of a load or store."""
        return f", !llvm.access.group {self.access_group}" if self.access_group else ""

    # descriptors across function and region boundaries: a flat list of registers

    def component_types(self, t: Type) -> list[str]:
        """LLVM types of the registers that a value of this type takes."""
        if isinstance(t, ComplexType):
            return [register_type(t.element)] * 2
        if not isinstance(t, MemRefType):
            return [register_type(t)]
        types = [self.pointer(t.space or 0)]
        if t.offset is None:
            types.append("i64")
        types += ["i64" for e in t.shape if e is None]
        if t.layout is not None:
            types += ["i64" for s in t.layout.strides if s is None]
        return types

    def flatten(self, value: Value) -> list[str]:
        """The registers of a value, as its type says."""
        t = value.type
        if isinstance(t, ComplexType):
            pair = self.pair(value)
            return [pair.re, pair.im]
        if not isinstance(t, MemRefType):
            return [self.text(value)]
        return self.flatten_buffer(self.buffer(value), t)

    def flatten_buffer(self, buffer: Buffer, t: MemRefType) -> list[str]:
        base = buffer.base
        if t.offset is not None and buffer.offset != Linear.of(t.offset):
            base, _ = self.element_pointer(buffer, buffer.offset - Linear.of(t.offset), inbounds=False)
        parts = [base]
        if t.offset is None:
            parts.append(self.index_text(buffer.offset))
        parts += [self.index_text(s) for s, e in zip(buffer.sizes, t.shape, strict=True) if e is None]
        if t.layout is not None:
            parts += [self.index_text(s) for s, e in zip(buffer.strides, t.layout.strides, strict=True) if e is None]
        return parts

    def unflatten(self, t: Type, parts: Sequence[str], alignment: int = 0) -> Held:
        """The value that these registers make."""
        if isinstance(t, ComplexType):
            return Pair(parts[0], parts[1])
        if not isinstance(t, MemRefType):
            return Linear.of(parts[0]) if isinstance(t, IndexType) else parts[0]
        rest = iter(parts)
        base = next(rest)
        offset = Linear.of(t.offset if t.offset is not None else next(rest))
        sizes = tuple(Linear.of(e if e is not None else next(rest)) for e in t.shape)
        if t.layout is None:
            strides = self.row_major(sizes)
        else:
            strides = tuple(Linear.of(s if s is not None else next(rest)) for s in t.layout.strides)
        return Buffer(base, t.element, sizes, strides, offset, t.space or 0, alignment, t.layout is None)

    # blocks

    def emit_block(self, block: Block) -> Operation:
        """All operations of a block but its terminator, which is returned for the owner to emit."""
        terminator = block.terminator
        op = block.first
        while op is not None and op is not terminator:
            self.emit(op)
            op = op.next
        self.end_block(block)
        return terminator

    def emit(self, op: Operation) -> None:
        emit = self.context.table.get(op.name)
        if emit is None:
            raise InternalError(f"{op.name} cannot be translated to LLVM IR (at {op.span})")
        emit(self, op)

    def end_block(self, block: Block) -> None:
        """Releases what the block reserved in the arena."""
        mark = self.arena_marks.pop(block, None)
        if mark is not None:
            self.line(f"call void @torchcc.arena_release(ptr {mark})")

    # failure

    def fail_unless(self, condition: str, failure: Failure) -> None:
        """Leaves the function with an error unless the i1 holds."""
        number = len(self.context.failures)
        self.context.failures.append(failure)
        bad, good = self.new_label("bad"), self.new_label("good")
        if not self._asserts:
            self.entry_lines.append("  %failure = alloca i32, align 4")
        self.line(f"br i1 {condition}, label %{good}, label %{bad}, !prof {self.likely()}")
        self.start_block(bad)
        self.line(f"store volatile i32 {number}, ptr %failure, align 4")
        self.line(_STAYS)
        self.line("br label %failed")
        self.start_block(good)
        self._asserts = self.fails = True

    def end_failures(self) -> None:
        """Writes what happens where an assertion fails, and begins the block `fail`, which leaves the function."""
        if self._asserts:
            # For hundreds of calls, or values of one phi, LLVM takes seconds: it looks at each pair of them.
            self.start_block("failed")
            number = self.op("i32", "load volatile i32, ptr %failure, align 4")
            self.line(f"call void @torchcc.fail_at(i32 {number}, ptr {self.context.failure_table})")
            self.line("br label %fail")
        self.start_block("fail")
        self.line(_STAYS)

    def leave_if(self, condition: str) -> None:
        """Leaves the function with the error that is already recorded if the i1 holds."""
        good = self.new_label("good")
        self.line(f"br i1 {condition}, label %fail, label %{good}, !prof {self.likely(False)}")
        self.start_block(good)
        self.fails = True

    def likely(self, first: bool = True) -> str:
        weights = "i32 1000000, i32 1" if first else "i32 1, i32 1000000"
        text = f'!{{!"branch_weights", {weights}}}'
        for i, line in enumerate(self.context.metadata):
            if line.endswith(text):
                return f"!{i}"
        return self.context.add_metadata(text)

    # loops

    def loop(
        self,
        lower: Linear,
        upper: Linear,
        step: Linear,
        carried: Sequence[tuple[str, str]],
        body: Callable[[Linear, list[str]], list[str]],
        *,
        parallel_group: str | None = None,
        width: str = "i64",
    ) -> list[str]:
        """A loop tested at its end. `carried`: (type, initial) registers; `body(i, registers)` gives the next ones."""
        low, high, by = lower.known(), upper.known(), step.known()
        trips = None if low is None or high is None or by is None else max(0, -(-(high - low) // by))
        if trips == 0:
            return [initial for _, initial in carried]
        if trips == 1:
            return body(lower, [initial for _, initial in carried])
        lower_text, upper_text, step_text = self.index_text(lower), self.index_text(upper), self.index_text(step)
        header, latch_exit = self.new_label("loop"), self.new_label("end")
        before = self.label
        if trips is None:
            guard = self.op("i1", f"icmp slt {width} {lower_text}, {upper_text}")
            self.line(f"br i1 {guard}, label %{header}, label %{latch_exit}")
        else:
            self.line(f"br label %{header}")
        self.start_block(header)
        with self.scope():
            iv = self.define(self.fresh("i"), width)
            names = [self.define(self.fresh("c"), t) for t, _ in carried]
            phis = len(self.lines)
            self.lines += [""] * (1 + len(carried))
            self.loop_count += 1
            before_body = self.loop_count
            following = body(Linear.of(iv), names)
            stays = self.loop_count != before_body and (trips is None or trips > MAX_UNROLLED_NEST)
            flags = "nuw nsw" if low is not None and low >= 0 else "nsw"
            advanced = self.op(width, f"add {flags} {width} {iv}, {step_text}")
            more = self.op("i1", f"icmp slt {width} {advanced}, {upper_text}")
            after = self.label
            self.line(f"br i1 {more}, label %{header}, label %{latch_exit}{self._loop_metadata(parallel_group, stays)}")
            self.lines[phis] = f"  {iv} = phi {width} [ {lower_text}, %{before} ], [ {advanced}, %{after} ]"
            for k, ((t, initial), name, value) in enumerate(zip(carried, names, following, strict=True)):
                self.lines[phis + 1 + k] = f"  {name} = phi {t} [ {initial}, %{before} ], [ {value}, %{after} ]"
        self.start_block(latch_exit)
        if trips is not None:
            return following
        return [
            self.op(t, f"phi {t} [ {initial}, %{before} ], [ {value}, %{after} ]")
            for (t, initial), value in zip(carried, following, strict=True)
        ]

    def _loop_metadata(self, parallel_group: str | None, stays: bool) -> str:
        """`stays`: LLVM must not unroll it."""
        facts: list[str] = []
        if parallel_group is not None:
            facts.append(self.context.add_metadata(f'!{{!"llvm.loop.parallel_accesses", {parallel_group}}}'))
        if stays:
            facts.append('!{!"llvm.loop.unroll.disable"}')
        if not facts:
            return ""
        listed = ", ".join(["{self}", *facts])
        return f", !llvm.loop {self.context.add_metadata(f'distinct !{{{listed}}}')}"
