"""Maps parallel loops to GPU kernels: each outermost `scf.parallel` becomes a kernel and its launch, one iteration a thread.

In: the loops contract. Out: the same function as host code with `gpu.launch_func`, and a `gpu.module` with the kernels.
Other work on elements (loops that are not parallel, stores) becomes kernels of one thread, neighbours together; copies
become parallel kernels. What is left on the host is control flow, extents, allocation, and single loads that these need.

    scf.parallel (%i) = (%c0) to (%n) step (%c1) { ... }   ->   gpu.launch_func @kernels::@main_0 blocks in (...) ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

from ...ir.attributes import DenseArrayAttr, SymbolRef
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions, symbol
from ...ir.definition import Trait
from ...ir.diagnostics import CompileError
from ...ir.dialects import DEFINITIONS, arith, func, gpu, memref, scf
from ...ir.dialects import complex as complexes
from ...ir.types import INDEX, ComplexType, MemRefType, VectorType

KERNELS = "kernels"

_CONTROL: Final = frozenset({"scf.for", "scf.while", "scf.if"})
_LOADS: Final = frozenset({"memref.load", "vector.load", "vector.maskedload"})
_STORES: Final = frozenset({"memref.store", "vector.store", "vector.maskedstore"})
_ENDS: Final = frozenset({"scf.yield", "scf.condition", "cf.assert", "memref.prefetch"})
"""Other operations that a loop of a kernel may contain; so may it notes of values, which an assertion reports."""

_NOTE: Final = "torchcc_note_"


@dataclass(frozen=True)
class MapToGpu:
    """`block_size`: threads of a block; a multiple of the warp's 32."""

    block_size: int = 256
    name: str = "map-to-gpu"

    def apply(self, module: Operation) -> Operation:
        hosts = [f for f in functions(module) if not func.is_declaration(f)]
        view = next((op for host in hosts for op in host.walk() if op.name.startswith("rt.view_")), None)
        if view is not None:
            raise CompileError.at(
                view.span,
                "writes in place to memory that is only known at run time are not supported on GPUs",
                help="compile for a CPU, or clone() the tensor first",
            )
        counted = next((op for host in hosts for op in host.walk() if op.name.startswith("rt.")), None)
        if counted is not None:
            raise CompileError.at(
                counted.span,
                "lists whose length is only known at run time are not supported on GPUs",
                help="compile for a CPU",
            )
        container = gpu.gpu_module(module, KERNELS)
        for host in hosts:
            _Mapper(container, symbol(host), self.block_size).map_block(host.body())
        return module


class _Mapper:
    def __init__(self, container: Operation, prefix: str, block_size: int) -> None:
        self.container = container
        self.prefix = prefix
        self.block_size = block_size
        self.count = 0

    def map_block(self, block: Block) -> None:
        for op in block.operations():
            if op.name == "memref.copy" and memref.memref_type(op.operand(0)).rank == 0:
                b = Builder.before(op)
                memref.store(b, memref.load(b, op.operand(0), []), op.operand(1), [])
                op.erase()
        for run in _runs(block):
            self.outline_run(run)
        for op in block.operations():
            if op.name == "scf.parallel":
                self.outline_parallel(op)
            elif op.name == "memref.copy":
                self.outline_copy(op)
            else:
                for region in op.regions:
                    for inner in region.blocks:
                        self.map_block(inner)

    def outline_run(self, run: Sequence[Operation]) -> None:
        """A kernel of one thread; scalars that the host needs afterwards come back in buffers."""
        inside = {nested for op in run for nested in op.walk()}
        wanted = [v for op in run for v in op.results if any(user not in inside for user in v.users)]
        b = Builder.after(run[-1])
        buffers = [memref.alloc(b, [], v.type) for v in wanted]
        self.outline(b, run, [], [], [], dict(zip(wanted, buffers, strict=True)))
        for value, buffer in zip(wanted, buffers, strict=True):
            value.replace_all_uses_with(memref.load(b, buffer, []))
            memref.dealloc(b, buffer)
        for op in reversed(run):
            op.erase()

    def outline_copy(self, op: Operation) -> None:
        b = Builder.before(op)
        source, target = op.operands
        rank = memref.memref_type(source).rank
        zero, one = arith.constant(b, 0, INDEX), arith.constant(b, 1, INDEX)
        extents = [memref.dim(b, source, arith.constant(b, i, INDEX)) for i in range(rank)]

        def element(inner: Builder, place: Sequence[Value]) -> None:
            memref.store(inner, memref.load(inner, source, place), target, place)

        self.outline_parallel(scf.parallel(b, [zero] * rank, extents, [one] * rank, element))
        op.erase()

    def outline_parallel(self, op: Operation) -> None:
        lowers, uppers, steps = _bounds(op)
        b = Builder.before(op)
        trips = [arith.ceildivsi(b, arith.subi(b, u, lo), s) for lo, u, s in zip(lowers, uppers, steps, strict=True)]
        zero = arith.constant(b, 0, INDEX)
        trips = [arith.maxsi(b, t, zero) for t in trips]
        self.outline(b, [op], lowers, trips, steps)
        op.erase()

    def outline(
        self,
        b: Builder,
        ops: Sequence[Operation],
        lowers: Sequence[Value],
        trips: Sequence[Value],
        steps: Sequence[Value],
        returned: Mapping[Value, Value] = MappingProxyType({}),
    ) -> None:
        """Copies `ops` into a kernel, launched at `b`: one thread per iteration of a parallel loop, else one in all.

        `returned`: results of `ops` -> buffers of one element that the kernel leaves them in.
        """
        _hoist_globals(ops)
        name = f"{self.prefix}_{self.count}"
        self.count += 1
        captured = list(dict.fromkeys([*lowers, *trips, *steps, *_captures(ops), *returned.values()]))
        constants = [v for v in captured if v.defining_op("arith.constant") or v.defining_op("complex.constant")]
        values = [v for v in captured if v not in constants]
        operands = [part for v in values for part in _parts(b, v)]
        kernel = gpu.kernel(self.container, name, [v.type for v in operands], [v.name for v in operands])
        inner = Builder(kernel.body(), span=ops[0].span)
        given: Iterator[Value] = iter(kernel.body().args)
        mapping: dict[Value, Value] = {}
        for value in values:
            is_complex = isinstance(value.type, ComplexType)
            mapping[value] = complexes.create(inner, next(given), next(given)) if is_complex else next(given)
        for value in constants:
            origin = value.defining_op()
            assert origin is not None
            mapping[value] = inner.insert(origin.clone()).result
        if lowers:
            self.thread_body(inner, ops[0], mapping, lowers, trips, steps)
        else:
            for op in ops:
                inner.insert(op.clone(mapping))
        for value, buffer in returned.items():
            memref.store(inner, mapping[value], mapping[buffer], [])
        _serialise(kernel)
        gpu.return_(inner)
        self.launch(b, name, trips, operands)

    def thread_body(
        self,
        b: Builder,
        op: Operation,
        mapping: dict[Value, Value],
        lowers: Sequence[Value],
        trips: Sequence[Value],
        steps: Sequence[Value],
    ) -> None:
        offset = arith.muli(b, gpu.block_id(b, "x"), gpu.block_dim(b, "x"))
        thread = arith.addi(b, offset, gpu.thread_id(b, "x"))
        extents = [mapping[t] for t in trips]
        total = extents[0]
        for extent in extents[1:]:
            total = arith.muli(b, total, extent)

        def run(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
            del args
            rest = thread
            for axis in reversed(range(len(extents))):
                place = rest if axis == 0 else arith.remui(inner, rest, extents[axis])
                rest = arith.divui(inner, rest, extents[axis]) if axis else rest
                scaled = arith.muli(inner, place, mapping[steps[axis]])
                mapping[op.body().args[axis]] = arith.addi(inner, mapping[lowers[axis]], scaled)
            for nested in op.body().operations():
                if nested.name != "scf.reduce":
                    inner.insert(nested.clone(mapping))
            return ()

        scf.if_(b, arith.cmpi(b, "slt", thread, total), [], run)

    def launch(self, b: Builder, name: str, trips: Sequence[Value], operands: Sequence[Value]) -> None:
        one = arith.constant(b, 1, INDEX)
        if not trips:
            gpu.launch_func(b, KERNELS, name, [one, one, one], [one, one, one], operands)
            return
        total = trips[0]
        for trip in trips[1:]:
            total = arith.muli(b, total, trip)
        size = arith.constant(b, self.block_size, INDEX)
        blocks = arith.ceildivsi(b, total, size)
        some = arith.cmpi(b, "sgt", total, arith.constant(b, 0, INDEX))

        def start(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
            del args
            gpu.launch_func(inner, KERNELS, name, [blocks, one, one], [size, one, one], operands)
            return ()

        scf.if_(b, some, [], start)


def _parts(b: Builder, value: Value) -> list[Value]:
    """The parameters of a kernel that a value takes."""
    if not isinstance(value.type, ComplexType):
        return [value]
    return [complexes.re(b, value), complexes.im(b, value)]


def _bounds(op: Operation) -> tuple[Sequence[Value], Sequence[Value], Sequence[Value]]:
    segments = op.attributes["operandSegmentSizes"]
    assert isinstance(segments, DenseArrayAttr)
    n = segments.values[0]
    operands = op.operands
    return operands[:n], operands[n : 2 * n], operands[2 * n : 3 * n]


def _runs(block: Block) -> list[list[Operation]]:
    """Work on elements that one thread of a kernel does, neighbours together; the host's work between is not part of it."""
    runs: list[list[Operation]] = []
    current: list[Operation] = []
    made: set[Value] = set()
    for op in block.operations():
        depends = any(v in made for v in op.operands) or bool(op.regions and any(v in made for v in _captures([op])))
        if _is_element_work(op) or (depends and _is_scalar(op)):
            current.append(op)
            made.update(op.results)
        elif depends or not (_is_scalar(op) or _is_view(op) or op.name == "memref.alloc"):
            runs.append(current)
            current, made = [], set()
    return [trimmed for run in [*runs, current] if (trimmed := _trimmed(run))]


def _trimmed(run: list[Operation]) -> list[Operation]:
    """Up to the last store or loop: the loads behind it are the host's."""
    last = max((i for i, op in enumerate(run) if _is_worth_a_kernel(op)), default=-1)
    return run[: last + 1]


def _is_worth_a_kernel(op: Operation) -> bool:
    names = {nested.name for nested in op.walk()}
    return bool(names & _STORES) or bool(names & _LOADS and names & {"scf.for", "scf.while"})


def _is_element_work(op: Operation) -> bool:
    """Loads or stores, also in loops, and nothing that has to be launched or allocated by the host."""
    if any(isinstance(v.type, MemRefType) for v in op.results) or (op.regions and op.name not in _CONTROL):
        return False
    nested = list(op.walk())
    return any(o.name in _LOADS | _STORES for o in nested) and all(_is_thread_work(o) for o in nested)


def _is_thread_work(op: Operation) -> bool:
    if op.name == "func.call":
        return cast(SymbolRef, op.attributes["callee"]).name.startswith(_NOTE)
    return op.name in _CONTROL | _LOADS | _STORES | _ENDS or _is_pure(op)


def _is_scalar(op: Operation) -> bool:
    """Arithmetic, also in loops: either side can do it."""
    if op.name in _CONTROL:
        return all(
            o.name in _CONTROL | {"scf.yield", "scf.condition"} or _is_scalar(o) for o in op.walk() if o is not op
        )
    return _is_pure(op) and not any(isinstance(v.type, MemRefType | VectorType) for v in op.results)


def _is_view(op: Operation) -> bool:
    return _is_pure(op) and all(isinstance(v.type, MemRefType) for v in op.results)


def _is_pure(op: Operation) -> bool:
    definition = DEFINITIONS.get(op.name)
    return definition is not None and Trait.PURE in definition.traits and not op.regions


def _captures(ops: Sequence[Operation]) -> list[Value]:
    """Values from outside that are used inside, in order of first use."""
    inside: set[Value] = set()
    used: list[Value] = []
    for op in ops:
        for nested in op.walk():
            inside.update(nested.results)
            for region in nested.regions:
                for block in region.blocks:
                    inside.update(block.args)
            if op.name != "scf.parallel" or nested is not op:
                used += nested.operands
    return [v for v in dict.fromkeys(used) if v not in inside]


def _hoist_globals(ops: Sequence[Operation]) -> None:
    """Constant buffers are found by the host and given to the kernel."""
    for op in ops:
        for nested in list(op.walk()):
            if nested is not op and nested.name == "memref.get_global":
                outside = Builder.before(ops[0]).insert(nested.clone())
                nested.replace_with(outside.results)


def _serialise(kernel: Operation) -> None:
    """Parallel loops inside a thread become plain loops, inner ones first."""
    for op in reversed(list(kernel.walk())):
        if op.name == "scf.parallel":
            _parallel_to_for(op)


def _parallel_to_for(op: Operation) -> None:
    place: list[Value] = []

    def nest(b: Builder, axis: int) -> None:
        if axis == len(op.body().args):
            mapping: dict[Value, Value] = dict(zip(op.body().args, place, strict=True))
            for nested in op.body().operations():
                if nested.name != "scf.reduce":
                    b.insert(nested.clone(mapping))
            return

        def body(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
            place.append(args[0])
            nest(inner, axis + 1)
            return ()

        lowers, uppers, steps = _bounds(op)
        scf.for_(b, lowers[axis], uppers[axis], steps[axis], [], body)

    nest(Builder.before(op), 0)
    op.erase()
