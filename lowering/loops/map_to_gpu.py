"""Maps parallel loops to GPU kernels: each outermost `scf.parallel` becomes a kernel and its launch, one iteration a thread.

In: the loops contract. Out: the same function as host code with `gpu.launch_func`, and a `gpu.module` with the kernels.
Loops without results that touch memory but are not parallel become kernels of one thread; copies become parallel
kernels. What is left on the host is control flow, extents, allocation, and single loads that control flow depends on.

    scf.parallel (%i) = (%c0) to (%n) step (%c1) { ... }   ->   gpu.launch_func @kernels::@main_0 blocks in (...) ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir.attributes import DenseArrayAttr
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions, symbol
from ...ir.dialects import arith, func, gpu, memref, scf
from ...ir.types import INDEX

KERNELS = "kernels"


@dataclass(frozen=True)
class MapToGpu:
    """`block_size`: threads of a block; a multiple of the warp's 32."""

    block_size: int = 256
    name: str = "map-to-gpu"

    def apply(self, module: Operation) -> Operation:
        hosts = [f for f in functions(module) if not func.is_declaration(f)]
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
            if op.name == "scf.parallel":
                self.outline_parallel(op)
            elif op.name == "memref.copy":
                self.outline_copy(op)
            elif op.name in ("scf.for", "scf.while", "scf.if") and not op.results and _is_sequential_work(op):
                self.outline(op, [], [], [])
            else:
                for region in op.regions:
                    for inner in region.blocks:
                        self.map_block(inner)

    def outline_copy(self, op: Operation) -> None:
        b = Builder.before(op)
        source, target = op.operands
        rank = memref.memref_type(source).rank
        zero, one = arith.constant(b, 0, INDEX), arith.constant(b, 1, INDEX)
        extents = [memref.dim(b, source, arith.constant(b, i, INDEX)) for i in range(rank)]

        def element(inner: Builder, place: Sequence[Value]) -> None:
            memref.store(inner, memref.load(inner, source, place), target, place)

        if rank == 0:
            element(b, [])
        else:
            self.outline_parallel(scf.parallel(b, [zero] * rank, extents, [one] * rank, element))
        op.erase()

    def outline_parallel(self, op: Operation) -> None:
        lowers, uppers, steps = _bounds(op)
        b = Builder.before(op)
        trips = [arith.ceildivsi(b, arith.subi(b, u, lo), s) for lo, u, s in zip(lowers, uppers, steps, strict=True)]
        zero = arith.constant(b, 0, INDEX)
        trips = [arith.maxsi(b, t, zero) for t in trips]
        self.outline(op, lowers, trips, steps)

    def outline(self, op: Operation, lowers: Sequence[Value], trips: Sequence[Value], steps: Sequence[Value]) -> None:
        """Moves `op` into a kernel: one thread per iteration of a parallel loop, else one thread in all."""
        b = Builder.before(op)
        name = f"{self.prefix}_{self.count}"
        self.count += 1
        captured = list(dict.fromkeys([*lowers, *trips, *steps, *_captures(op)]))
        constants = [v for v in captured if v.defining_op("arith.constant") is not None]
        operands = [v for v in captured if v not in constants]
        kernel = gpu.kernel(self.container, name, [v.type for v in operands], [v.name for v in operands])
        inner = Builder(kernel.body(), span=op.span)
        mapping: dict[Value, Value] = dict(zip(operands, kernel.body().args, strict=True))
        for value in constants:
            origin = value.defining_op()
            assert origin is not None
            mapping[value] = inner.insert(origin.clone()).result
        if lowers:
            self.thread_body(inner, op, mapping, lowers, trips, steps)
        else:
            inner.insert(op.clone(mapping))
        _serialise(kernel)
        gpu.return_(inner)
        self.launch(b, name, trips, operands)
        op.erase()

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


def _bounds(op: Operation) -> tuple[Sequence[Value], Sequence[Value], Sequence[Value]]:
    segments = op.attributes["operandSegmentSizes"]
    assert isinstance(segments, DenseArrayAttr)
    n = segments.values[0]
    operands = op.operands
    return operands[:n], operands[n : 2 * n], operands[2 * n : 3 * n]


def _is_sequential_work(op: Operation) -> bool:
    """Loads or stores inside, and nothing that has to be launched or allocated by the host."""
    names = {nested.name for nested in op.walk()}
    host_only = {"scf.parallel", "memref.copy", "memref.alloc", "memref.dealloc", "func.call", "cf.assert"}
    return not names & host_only and bool(names & {"memref.store", "vector.store", "vector.maskedstore"})


def _captures(op: Operation) -> list[Value]:
    """Values from outside that are used inside, in order of first use."""
    inside: set[Value] = set()
    for nested in op.walk():
        inside.update(nested.results)
        for region in nested.regions:
            for block in region.blocks:
                inside.update(block.args)
    own = [] if op.name == "scf.parallel" else list(op.operands)
    used = [v for nested in op.walk() if nested is not op for v in nested.operands if v not in inside]
    return list(dict.fromkeys([*own, *used]))


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
