"""Runs PTX without a GPU, to check generated kernels: one numpy lane per thread, many blocks at once.

What it models: SIMT control flow with reconvergence, global, shared, local, constant and parameter memory with bounds and
alignment checked, barriers, warp shuffles and votes, atomics. What it does not: time, occupancy, memory ordering.

    machine = Machine(parse(ptx))
    x = machine.upload(numpy_array); y = machine.allocate(nbytes)
    machine.launch("kernel", grid=(4, 1, 1), block=(256, 1, 1), arguments=[x, y, np.int32(n)])
    result = machine.download(y, np.float32, shape)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ...ir.diagnostics import TorchccError
from .parser import Address, Immediate, Instruction, Kernel, Module, Operand, Register, Symbol, Variable, Vector

Array = npt.NDArray[Any]

LANES_AT_ONCE = 1 << 15
"""Lanes of one batch of blocks: large enough to amortise Python, small enough for the caches."""

_GUARD = 256
_GLOBAL_BASE = 1 << 20
_SHARED_WINDOW = 1 << 40
"""Generic addresses of shared memory start here."""

_DTYPES: dict[str, Any] = {
    "pred": np.bool_, "s8": np.int8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "u8": np.uint8, "u16": np.uint16,
    "u32": np.uint32, "u64": np.uint64, "b8": np.uint8, "b16": np.uint16, "b32": np.uint32, "b64": np.uint64,
    "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64,
}  # fmt: skip


class PtxFault(TorchccError):
    """A kernel did what a GPU would fault on, or what this interpreter does not model; names kernel and line."""


class Machine:
    """Global memory and the module's own variables; kernels are launched on it one after another."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.memory: Array = np.zeros(1 << 16, np.uint8)
        self.top = _GUARD
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.symbols: dict[str, int] = {}
        for variable in module.variables:
            if variable.space in ("global", "const"):
                self.symbols[variable.name] = address = self.allocate(max(variable.size, 1))
                if variable.bytes:
                    self._bytes(address, len(variable.bytes))[:] = np.frombuffer(variable.bytes, np.uint8)

    # memory

    def allocate(self, size: int) -> int:
        """Address of `size` fresh bytes, aligned to 256, guarded on both sides; contents are 0xCD."""
        start = -(-self.top // 256) * 256
        end = start + size
        self.top = end + _GUARD
        if self.top > len(self.memory):
            grown = np.zeros(max(self.top, 2 * len(self.memory)), np.uint8)
            grown[: len(self.memory)] = self.memory
            self.memory = grown
        self.memory[start:end] = 0xCD
        self.starts.append(start)
        self.ends.append(end)
        return start + _GLOBAL_BASE

    def upload(self, array: Array) -> int:
        """A copy of the array's elements, row major (bool as one byte each)."""
        data = np.ascontiguousarray(array)
        address = self.allocate(max(data.nbytes, 1))
        self._bytes(address, data.nbytes)[:] = data.reshape(-1).view(np.uint8)
        return address

    def download(self, address: int, dtype: npt.DTypeLike, shape: Sequence[int]) -> Array:
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        return self._bytes(address, size).copy().view(dtype).reshape(tuple(shape))

    def _bytes(self, address: int, size: int) -> Array:
        start = address - _GLOBAL_BASE
        return self.memory[start : start + size]

    def check(self, addresses: Array, size: int) -> Array:
        """Offsets into `memory` of accesses of `size` bytes; PtxFault for one outside of every allocation or unaligned."""
        offsets = addresses.astype(np.int64) - _GLOBAL_BASE
        starts, ends = np.array(self.starts), np.array(self.ends)
        owner = np.searchsorted(starts, offsets, side="right") - 1
        bad = (
            (owner < 0) | (offsets + size > ends[np.maximum(owner, 0)]) if len(starts) else np.ones(len(offsets), bool)
        )
        if bad.any():
            raise PtxFault(f"access of {size} bytes at {int(addresses[bad][0]):#x} is out of bounds")
        if (offsets % size).any():
            raise PtxFault(f"access of {size} bytes at {int(addresses[offsets % size != 0][0]):#x} is not aligned")
        return offsets

    # launches

    def launch(
        self, name: str, grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], dynamic_shared: int = 0
    ) -> None:
        """Runs a kernel to its end. Arguments: addresses (int) and numpy scalars, in the order of the parameters."""
        kernel = self.module.kernels.get(name)
        if kernel is None:
            raise PtxFault(f"no kernel `{name}`; there are {', '.join(self.module.kernels)}")
        if len(arguments) != len(kernel.parameters):
            raise PtxFault(f"{name}: {len(kernel.parameters)} arguments expected, {len(arguments)} given")
        threads = int(np.prod(block))
        limit = int(np.prod(kernel.max_threads)) if kernel.max_threads else 1024
        if not 1 <= threads <= limit:
            raise PtxFault(f"{name}: {threads} threads a block; 1 to {limit} are allowed")
        blocks = int(np.prod(grid))
        batch = max(1, LANES_AT_ONCE // threads)
        for first in range(0, blocks, batch):
            _Run(
                self,
                kernel,
                tuple(grid),
                tuple(block),
                range(first, min(first + batch, blocks)),
                arguments,
                dynamic_shared,
            ).run()


class _Program:
    """Basic blocks of a kernel: (first, last + 1) instruction ranges, their successors' ranks."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        count = len(kernel.instructions)
        cuts = {0, *kernel.labels.values()}
        for i, instruction in enumerate(kernel.instructions):
            if instruction.opcode[0] in ("bra", "ret", "exit", "trap", "bar", "barrier"):
                cuts.add(i + 1)
        starts = sorted(c for c in cuts if c < count)
        self.blocks = list(zip(starts, [*starts[1:], count]))
        self.block_at = {start: index for index, (start, _) in enumerate(self.blocks)}
        self.rank = self._ranks()

    def target(self, label: str) -> int:
        start = self.kernel.labels[label]
        return self.block_at.get(start, len(self.blocks))

    def successors(self, index: int) -> list[int]:
        last = self.kernel.instructions[self.blocks[index][1] - 1]
        following = [index + 1] if index + 1 < len(self.blocks) else []
        match last.opcode[0]:
            case "bra":
                label = last.operands[0]
                assert isinstance(label, Symbol)
                return [self.target(label.name), *(following if last.predicate else [])]
            case "ret" | "exit" | "trap":
                return following if last.predicate else []
            case _:
                return following

    def _ranks(self) -> list[int]:
        """Reverse post-order, the textually later successor visited first: a join comes after both its sides."""
        order: list[int] = []
        seen: set[int] = set()
        stack: list[tuple[int, list[int]]] = []

        def push(index: int) -> None:
            seen.add(index)
            stack.append((index, sorted(self.successors(index))))

        if self.blocks:
            push(0)
        while stack:
            index, rest = stack[-1]
            while rest and (rest[-1] in seen or rest[-1] >= len(self.blocks)):
                rest.pop()
            if rest:
                push(rest.pop())
            else:
                order.append(index)
                stack.pop()
        ranks = [len(self.blocks)] * (len(self.blocks) + 1)
        for position, index in enumerate(reversed(order)):
            ranks[index] = position
        return ranks


class _Run:
    """One batch of blocks of one launch: registers, shared and local memory, where each lane is."""

    def __init__(
        self, machine: Machine, kernel: Kernel, grid: tuple[int, ...], block: tuple[int, ...], blocks: range,
        arguments: Sequence[Any], dynamic_shared: int,
    ) -> None:  # fmt: skip
        self.machine = machine
        self.kernel = kernel
        self.program = _Program(kernel)
        self.threads = int(np.prod(block))
        self.lanes = self.threads * len(blocks)
        thread = np.tile(np.arange(self.threads), len(blocks))
        number = np.repeat(np.array(blocks), self.threads)
        self.block_of = np.repeat(np.arange(len(blocks)), self.threads)
        self.thread = thread
        self.special: dict[str, Array] = {
            "%tid.x": thread % block[0], "%tid.y": thread // block[0] % block[1], "%tid.z": thread // (block[0] * block[1]),
            "%ctaid.x": number % grid[0], "%ctaid.y": number // grid[0] % grid[1], "%ctaid.z": number // (grid[0] * grid[1]),
            "%laneid": thread % 32, "%warpid": thread // 32,
            **{f"%ntid.{a}": np.full(self.lanes, n) for a, n in zip("xyz", block)},
            **{f"%nctaid.{a}": np.full(self.lanes, n) for a, n in zip("xyz", grid)},
        }  # fmt: skip
        self.registers: dict[str, Array] = {}
        self.parameters, self.offsets = self._parameters(arguments)
        shared = [v for v in (*machine.module.variables, *kernel.variables) if v.space == "shared"]
        self.shared_offsets, shared_size = _layout(shared)
        self.shared = np.full((len(blocks), shared_size + dynamic_shared + 16), 0xCD, np.uint8)
        self.local_offsets, local_size = _layout([v for v in kernel.variables if v.space == "local"])
        self.local = np.full((self.lanes, local_size), 0xCD, np.uint8)
        self.at = np.zeros(self.lanes, np.int64)
        self.waiting = np.zeros(self.lanes, bool)
        self.done = np.zeros(self.lanes, bool)

    def _parameters(self, arguments: Sequence[Any]) -> tuple[Array, dict[str, int]]:
        offsets, size = _layout(self.kernel.parameters)
        memory = np.zeros(size, np.uint8)
        for variable, argument in zip(self.kernel.parameters, arguments, strict=True):
            value = np.uint64(argument) if isinstance(argument, int) else np.asarray(argument)
            raw = np.frombuffer(value.tobytes(), np.uint8)
            if len(raw) != variable.size:
                raise PtxFault(
                    f"{self.kernel.name}: argument {variable.name} has {len(raw)} bytes, {variable.size} are expected"
                )
            memory[offsets[variable.name] : offsets[variable.name] + variable.size] = raw
        return memory, offsets

    # control flow

    def run(self) -> None:
        ranks = np.array(self.program.rank)
        end = len(self.program.blocks)
        while True:
            runnable = ~self.done & ~self.waiting
            if not runnable.any():
                if self.done.all():
                    return
                self._release_barriers()
                continue
            rank = ranks[self.at[runnable]].min()
            lanes = np.flatnonzero(runnable & (ranks[self.at] == rank))
            index = int(self.at[lanes[0]])
            if index >= end:
                self.done[lanes] = True
                continue
            self._run_block(index, lanes)

    def _release_barriers(self) -> None:
        arrived = (self.waiting | self.done).reshape(-1, self.threads).all(axis=1)
        if not arrived.any():
            raise PtxFault(
                f"{self.kernel.name}: deadlock, some threads of a block wait at a barrier that others never reach"
            )
        self.waiting[arrived[self.block_of]] = False

    def _run_block(self, index: int, lanes: Array) -> None:
        first, last = self.program.blocks[index]
        self.at[lanes] = index + 1
        for instruction in self.kernel.instructions[first:last]:
            active = lanes
            if instruction.predicate is not None:
                held = self.registers.get(instruction.predicate, np.zeros(self.lanes, bool))[lanes]
                active = lanes[~held if instruction.negated else held]
                if not len(active):
                    continue
            try:
                self._execute(instruction, active)
            except PtxFault as fault:
                raise PtxFault(
                    f"{self.kernel.name}, PTX line {instruction.line} ({'.'.join(instruction.opcode)}): {fault}"
                ) from None

    def _execute(self, instruction: Instruction, lanes: Array) -> None:
        match instruction.opcode[0]:
            case "bra":
                label = instruction.operands[0]
                assert isinstance(label, Symbol)
                self.at[lanes] = self.program.target(label.name)
            case "ret" | "exit":
                self.done[lanes] = True
            case "trap":
                raise PtxFault("trap")
            case "bar" | "barrier":
                if "warp" not in instruction.opcode:
                    self.waiting[lanes] = True
            case "membar" | "fence" | "prefetch" | "prefetchu" | "discard":
                pass
            case "ld" | "ldu":
                self._load(instruction, lanes)
            case "st":
                self._store(instruction, lanes)
            case "atom" | "red":
                self._atomic(instruction, lanes)
            case "shfl":
                self._shuffle(instruction, lanes)
            case "vote":
                self._vote(instruction, lanes)
            case "mov":
                self._move(instruction, lanes)
            case "cvta":
                self._convert_address(instruction, lanes)
            case "cvt":
                self._convert(instruction, lanes)
            case "setp":
                self._set_predicate(instruction, lanes)
            case name:
                compute = _COMPUTE.get(name)
                if compute is None:
                    raise PtxFault("this instruction is not modelled")
                self._compute(instruction, lanes, compute)

    # operands

    def read(self, operand: Operand | None, type: str, lanes: Array) -> Array:
        """Value of an operand in these lanes, as numpy values of the PTX type."""
        dtype = np.dtype(_DTYPES[type])
        if isinstance(operand, Register):
            stored = self.registers.get(operand.name)
            if stored is None:
                return np.zeros(len(lanes), dtype)
            value = stored[lanes]
            if value.dtype == dtype:
                return value
            if dtype == np.bool_ or value.dtype == np.bool_:
                return value.astype(dtype)
            if value.dtype.itemsize == dtype.itemsize:
                return value.view(dtype)
            return value.astype(f"u{dtype.itemsize}").view(dtype)
        if isinstance(operand, Immediate):
            bits = operand.bits
            if operand.width is not None and dtype.kind == "f" and operand.width != 8 * dtype.itemsize:
                wide = np.array(bits, np.uint32 if operand.width == 32 else np.uint64).view(
                    np.float32 if operand.width == 32 else np.float64
                )
                return np.full(len(lanes), wide.astype(dtype))
            if dtype == np.bool_:
                return np.full(len(lanes), bool(bits))
            unsigned = np.array(bits & ((1 << 8 * dtype.itemsize) - 1), f"u{dtype.itemsize}")
            return np.full(len(lanes), unsigned.view(dtype))
        if isinstance(operand, Symbol):
            return self._symbol(operand.name, lanes).astype(f"u{dtype.itemsize}").view(dtype)
        raise PtxFault(f"operand {operand} is not a value")

    def _symbol(self, name: str, lanes: Array) -> Array:
        if name in self.special:
            return self.special[name][lanes].astype(np.uint64)
        if name in self.shared_offsets:
            return np.full(len(lanes), self.shared_offsets[name], np.uint64)
        if name in self.local_offsets:
            return np.full(len(lanes), self.local_offsets[name], np.uint64)
        if name in self.machine.symbols:
            return np.full(len(lanes), self.machine.symbols[name], np.uint64)
        if name.startswith(("%clock", "%globaltimer")):
            return np.zeros(len(lanes), np.uint64)
        raise PtxFault(f"unknown symbol {name}")

    def write(self, operand: Operand | None, value: Array, lanes: Array) -> None:
        if operand is None:
            return
        assert isinstance(operand, Register)
        unsigned = value if value.dtype == np.bool_ else np.ascontiguousarray(value).view(f"u{value.dtype.itemsize}")
        stored = self.registers.get(operand.name)
        if stored is None or stored.dtype != unsigned.dtype:
            declared = self._declared(operand.name)
            if declared is not None and unsigned.dtype.itemsize < declared.itemsize and unsigned.dtype != np.bool_:
                # A narrow value in a wider register: signed ones are extended, as loads do.
                unsigned = (value.astype(f"i{declared.itemsize}") if value.dtype.kind == "i" else unsigned).astype(
                    declared, copy=False
                )
            if stored is None or stored.dtype != unsigned.dtype:
                stored = self.registers[operand.name] = np.zeros(self.lanes, unsigned.dtype)
        stored[lanes] = unsigned

    def _declared(self, name: str) -> np.dtype[Any] | None:
        prefix = name.rstrip("0123456789")
        type = self.kernel.registers.get(name) or self.kernel.registers.get(prefix)
        return None if type is None or type == "pred" else np.dtype(f"u{np.dtype(_DTYPES[type]).itemsize}")

    # memory

    def _access(self, instruction: Instruction) -> tuple[str, str, int]:
        """Address space, element type, vector length."""
        opcode = instruction.opcode
        space = next(
            (
                p.split("::")[0]
                for p in opcode[1:]
                if p.split("::")[0] in ("global", "shared", "local", "param", "const")
            ),
            "generic",
        )
        count = next((int(p[1:]) for p in opcode if p in ("v2", "v4", "v8")), 1)
        return space, opcode[-1], count

    def _addresses(self, operand: Operand, lanes: Array) -> Array:
        assert isinstance(operand, Address)
        if operand.base is None:
            return np.full(len(lanes), operand.offset, np.int64)
        if isinstance(operand.base, Register):
            base = self.registers[operand.base.name][lanes].astype(np.int64)
        elif operand.base in self.offsets:
            base = np.full(len(lanes), self.offsets[operand.base], np.int64)
        else:
            base = self._symbol(operand.base, lanes).astype(np.int64)
        return base + operand.offset

    def _located(self, space: str, addresses: Array, lanes: Array, size: int) -> tuple[Array, Array]:
        """The flat byte array and the offsets in it of these accesses."""
        if space == "generic" and len(addresses) and int(addresses[0]) >= _SHARED_WINDOW:
            space, addresses = "shared", addresses - _SHARED_WINDOW
        if space in ("global", "const", "generic"):
            return self.machine.memory, self.machine.check(addresses, size)
        if space == "param":
            return self.parameters, addresses
        memory, row = (self.shared, self.block_of[lanes]) if space == "shared" else (self.local, lanes)
        width = memory.shape[1]
        if ((addresses < 0) | (addresses + size > width)).any():
            raise PtxFault(f"access of {size} bytes to {space} memory is out of bounds")
        if (addresses % size).any():
            raise PtxFault(f"access of {size} bytes to {space} memory is not aligned")
        return memory.reshape(-1), row * width + addresses

    def _load(self, instruction: Instruction, lanes: Array) -> None:
        space, type, count = self._access(instruction)
        size = np.dtype(_DTYPES[type]).itemsize
        target, source = instruction.operands
        memory, offsets = self._located(space, self._addresses(source, lanes), lanes, size * count)
        raw = memory[offsets[:, None] + np.arange(size * count)].view(_DTYPES[type])
        targets = target.elements if isinstance(target, Vector) else (target,)
        for i, register in enumerate(targets):
            self.write(register, np.ascontiguousarray(raw[:, i]), lanes)

    def _store(self, instruction: Instruction, lanes: Array) -> None:
        space, type, count = self._access(instruction)
        size = np.dtype(_DTYPES[type]).itemsize
        target, source = instruction.operands
        memory, offsets = self._located(space, self._addresses(target, lanes), lanes, size * count)
        sources = source.elements if isinstance(source, Vector) else (source,)
        values = np.stack([self.read(s, type, lanes) for s in sources], axis=1)
        memory[offsets[:, None] + np.arange(size * count)] = (
            np.ascontiguousarray(values).view(np.uint8).reshape(len(lanes), -1)
        )

    def _atomic(self, instruction: Instruction, lanes: Array) -> None:
        space, type, _ = self._access(instruction)
        operation = next(p for p in instruction.opcode if p in _ATOMICS)
        operands = list(instruction.operands)
        target = operands.pop(0) if instruction.opcode[0] == "atom" else None
        memory, offsets = self._located(
            space, self._addresses(operands[0], lanes), lanes, np.dtype(_DTYPES[type]).itemsize
        )
        values = [self.read(o, type, lanes) for o in operands[1:]]
        view = (
            memory.view(_DTYPES[type])
            if memory.nbytes % np.dtype(_DTYPES[type]).itemsize == 0
            else memory[: memory.nbytes // 8 * 8].view(_DTYPES[type])
        )
        places = offsets // np.dtype(_DTYPES[type]).itemsize
        old = np.empty(len(lanes), view.dtype)
        for i, place in enumerate(places):
            old[i] = view[place]
            view[place] = _ATOMICS[operation](view[place], *(v[i] for v in values))
        self.write(target, old, lanes)

    # warps

    def _warp_sources(self, lanes: Array) -> None:
        if len(lanes) % min(32, self.threads):
            raise PtxFault("a warp-wide instruction is reached by part of a warp")

    def _shuffle(self, instruction: Instruction, lanes: Array) -> None:
        self._warp_sources(lanes)
        mode, type = instruction.opcode[2], instruction.opcode[-1]
        target, source, distance, clamp, *_ = instruction.operands
        value = self.read(source, type, lanes)
        full = np.zeros(self.lanes, value.dtype)
        full[lanes] = value
        lane = self.thread[lanes] % 32
        by = self.read(distance, "u32", lanes).astype(np.int64)
        bound = self.read(clamp, "u32", lanes).astype(np.int64) & 31
        chosen = {"bfly": lane ^ by, "down": lane + by, "up": lane - by, "idx": by}[mode]
        valid = (chosen >= 0) if mode == "up" else (chosen <= bound)
        picked = full[np.where(valid, lanes - lane + chosen, lanes).clip(0, self.lanes - 1)]
        if isinstance(target, Vector):
            self.write(target.elements[0], picked, lanes)
            self.write(target.elements[1], valid, lanes)
        else:
            self.write(target, picked, lanes)

    def _vote(self, instruction: Instruction, lanes: Array) -> None:
        self._warp_sources(lanes)
        mode = next(p for p in instruction.opcode if p in ("any", "all", "ballot"))
        held = self.read(instruction.operands[1], "pred", lanes)
        warp = lanes // 32
        result = np.zeros(len(lanes), np.uint32 if mode == "ballot" else bool)
        for w in np.unique(warp):
            members = warp == w
            bits = held[members]
            result[members] = (
                int((bits.astype(np.uint64) << np.arange(len(bits), dtype=np.uint64)).sum())
                if mode == "ballot"
                else getattr(bits, mode)()
            )
        self.write(instruction.operands[0], result, lanes)

    # values

    def _move(self, instruction: Instruction, lanes: Array) -> None:
        target, source = instruction.operands
        type = instruction.opcode[-1]
        size = np.dtype(_DTYPES[type]).itemsize
        if isinstance(target, Vector):
            whole = self.read(source, f"u{8 * size}", lanes)
            part = 8 * size // len(target.elements)
            for i, element in enumerate(target.elements):
                self.write(element, (whole >> np.array(i * part, whole.dtype)).astype(f"u{part // 8}"), lanes)
        elif isinstance(source, Vector):
            part = 8 * size // len(source.elements)
            whole = np.zeros(len(lanes), f"u{size}")
            for i, element in enumerate(source.elements):
                whole |= self.read(element, f"u{part}", lanes).astype(whole.dtype) << np.array(i * part, whole.dtype)
            self.write(target, whole, lanes)
        else:
            self.write(target, self.read(source, type, lanes), lanes)

    def _convert_address(self, instruction: Instruction, lanes: Array) -> None:
        target, source = instruction.operands
        value = self.read(source, instruction.opcode[-1], lanes)
        if "shared" in instruction.opcode:
            window = np.array(_SHARED_WINDOW, value.dtype)
            value = value - window if "to" in instruction.opcode else value + window
        self.write(target, value, lanes)

    def _convert(self, instruction: Instruction, lanes: Array) -> None:
        *modes, to, source_type = instruction.opcode[1:]
        if to == "bf16x2" or to == "f16x2":
            high, low = (self.read(o, source_type, lanes) for o in instruction.operands[1:])
            narrow = _DTYPES[to[:-2]]
            packed = high.astype(narrow).view(np.uint16).astype(np.uint32) << 16 | low.astype(narrow).view(np.uint16)
            self.write(instruction.operands[0], packed, lanes)
            return
        value = self.read(instruction.operands[1], source_type, lanes)
        self.write(instruction.operands[0], _converted(value, to, modes), lanes)

    def _set_predicate(self, instruction: Instruction, lanes: Array) -> None:
        comparison, type = instruction.opcode[1], instruction.opcode[-1]
        target, left, right, *third = instruction.operands
        x, y = self.read(left, type, lanes), self.read(right, type, lanes)
        result = _compare(comparison, x, y)
        if third:
            combine = instruction.opcode[2]
            other = self.read(third[0], "pred", lanes)
            result = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}[combine](result, other)
        if isinstance(target, Vector):
            self.write(target.elements[0], result, lanes)
            self.write(target.elements[1], ~result, lanes)
        else:
            self.write(target, result, lanes)

    def _compute(self, instruction: Instruction, lanes: Array, compute: Callable[..., Array]) -> None:
        opcode = instruction.opcode
        type = opcode[-1]
        target, *sources = instruction.operands
        types = _source_types(opcode, len(sources))
        with np.errstate(all="ignore"):
            value = compute(opcode, *(self.read(s, t, lanes) for s, t in zip(sources, types, strict=True)))
        assert isinstance(value, np.ndarray), type
        self.write(target, value, lanes)


def _layout(variables: Sequence[Variable]) -> tuple[dict[str, int], int]:
    offsets: dict[str, int] = {}
    top = 0
    for variable in variables:
        top = -(-top // variable.align) * variable.align
        offsets[variable.name] = top
        top += variable.size
    return offsets, top


def _source_types(opcode: tuple[str, ...], count: int) -> list[str]:
    name, type = opcode[0], opcode[-1]
    match name:
        case "selp":
            return [type, type, "pred"]
        case "slct":
            return [opcode[-2], opcode[-2], type]
        case "shl" | "shr":
            return [type, "u32"]
        case "shf":
            return ["b32", "b32", "u32"]
        case "mad" | "madc" if "wide" in opcode:
            return [type, type, f"{type[0]}{2 * int(type[1:])}"]
        case "bfe":
            return [type, "u32", "u32"]
        case "bfi":
            return [type, type, "u32", "u32"]
        case "prmt":
            return ["b32", "b32", "b32"]
        case _:
            return [type] * count


def _wide(x: Array) -> Array:
    return x.astype(f"{x.dtype.kind}{2 * x.dtype.itemsize}") if x.dtype.itemsize < 8 else x.astype(object)


def _multiply(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu" or "lo" in opcode:
        return _rounded(opcode, x * y)
    product = _wide(x) * _wide(y)
    if "wide" in opcode:
        return product
    high = product >> (8 * x.dtype.itemsize)
    return (
        np.array([int(v) & (1 << 64) - 1 for v in high], np.uint64).view(x.dtype)
        if product.dtype == object
        else high.astype(x.dtype)
    )


def _mad(opcode: tuple[str, ...], x: Array, y: Array, z: Array) -> Array:
    return _fma(opcode, x, y, z) if x.dtype.kind not in "iu" else _multiply(opcode, x, y) + z


def _fma(opcode: tuple[str, ...], x: Array, y: Array, z: Array) -> Array:
    """Rounded once: exact through f64 for f32 and narrower; f64 by error-free products and sums."""
    if x.dtype != np.float64:
        return _rounded(opcode, (x.astype(np.float64) * y.astype(np.float64) + z.astype(np.float64)).astype(x.dtype))
    product = x * y
    xh, yh = _head(x), _head(y)
    xl, yl = x - xh, y - yh
    lost = ((xh * yh - product) + xh * yl + xl * yh) + xl * yl
    total = product + z
    back = total - product
    rest = (product - (total - back)) + (z - back)
    exact = total + (rest + lost)
    return np.where(np.isfinite(total) & np.isfinite(lost), exact, total)


def _head(x: Array) -> Array:
    scaled = x * 134217729.0
    return scaled - (scaled - x)


def _rounded(opcode: tuple[str, ...], value: Array) -> Array:
    if "ftz" in opcode and value.dtype.kind == "f":
        value = np.where(np.abs(value) < np.finfo(value.dtype).tiny, np.copysign(value.dtype.type(0), value), value)
    return np.clip(value, 0, 1).astype(value.dtype) if "sat" in opcode and value.dtype.kind == "f" else value


def _divide(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return _rounded(opcode, x / y)
    safe = np.where(y == 0, x.dtype.type(1), y)
    quotient = (
        np.where((x < 0) != (safe < 0), -(np.abs(x) // np.abs(safe)), np.abs(x) // np.abs(safe)).astype(x.dtype)
        if x.dtype.kind == "i"
        else x // safe
    )
    return np.where(y == 0, ~np.zeros_like(x), quotient)


def _rem(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
    return np.where(y == 0, x, x - _divide(opcode, x, y) * y).astype(x.dtype)


def _extreme(largest: bool) -> Callable[..., Array]:
    def compute(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
        if x.dtype.kind in "iu":
            return np.maximum(x, y) if largest else np.minimum(x, y)
        if "NaN" in opcode:
            return np.maximum(x, y) if largest else np.minimum(x, y)
        return np.fmax(x, y) if largest else np.fmin(x, y)

    return compute


def _shift_left(opcode: tuple[str, ...], x: Array, by: Array) -> Array:
    width = 8 * x.dtype.itemsize
    return np.where(by >= width, 0, x << np.minimum(by, width - 1).astype(x.dtype)).astype(x.dtype)


def _shift_right(opcode: tuple[str, ...], x: Array, by: Array) -> Array:
    width = 8 * x.dtype.itemsize
    shifted = x >> np.minimum(by, width - 1).astype(x.dtype)
    return shifted if x.dtype.kind == "i" else np.where(by >= width, 0, shifted).astype(x.dtype)


def _funnel(opcode: tuple[str, ...], low: Array, high: Array, by: Array) -> Array:
    amount = (by & 31 if "wrap" in opcode else np.minimum(by, 32)).astype(np.uint64)
    whole = high.astype(np.uint64) << np.uint64(32) | low
    shifted = whole >> amount if opcode[1] == "r" else (whole << amount) >> np.uint64(32)
    return shifted.astype(np.uint32)


def _bit_field(opcode: tuple[str, ...], x: Array, start: Array, length: Array) -> Array:
    width = 8 * x.dtype.itemsize
    start, length = (v.astype(np.int64) & 0xFF for v in (start, length))
    unsigned = x.view(f"u{x.dtype.itemsize}").astype(np.uint64) >> np.minimum(start, width - 1).astype(np.uint64)
    mask = (np.uint64(1) << np.minimum(length, 63).astype(np.uint64)) - np.uint64(1)
    field = np.where(start >= width, 0, unsigned & mask)
    if x.dtype.kind == "i":
        sign = np.where(length > 0, (field >> np.maximum(length - 1, 0).astype(np.uint64)) & np.uint64(1), 0).astype(
            bool
        )
        field = np.where(sign, field | ~mask, field)
    return field.astype(f"u{x.dtype.itemsize}").view(x.dtype)


def _permute(opcode: tuple[str, ...], x: Array, y: Array, selector: Array) -> Array:
    source = np.stack([(v >> np.uint32(8 * i)) & np.uint32(0xFF) for v in (x, y) for i in range(4)])
    result = np.zeros_like(x)
    lanes = np.arange(len(x))
    for i in range(4):
        nibble = (selector >> np.uint32(4 * i)) & np.uint32(0xF)
        byte = source[(nibble & 7).astype(np.int64), lanes]
        byte = np.where(nibble & 8, np.where(byte & 0x80, 0xFF, 0), byte).astype(np.uint32)
        result |= byte << np.uint32(8 * i)
    return result


def _count_leading_zeros(opcode: tuple[str, ...], x: Array) -> Array:
    width = 8 * x.dtype.itemsize
    return np.array([width - int(v).bit_length() for v in x.view(f"u{x.dtype.itemsize}")], np.uint32)


def _population(opcode: tuple[str, ...], x: Array) -> Array:
    return np.array([int(v).bit_count() for v in x.view(f"u{x.dtype.itemsize}")], np.uint32)


def _set_mask(opcode: tuple[str, ...], x: Array) -> Array:
    match opcode[1]:
        case "finite":
            return np.isfinite(x)
        case "infinite":
            return np.isinf(x)
        case "notanumber":
            return np.isnan(x)
        case kind:
            raise PtxFault(f"testp.{kind} is not modelled")


Compute = Callable[..., Array]


def _unary(compute: Callable[[Array], Array]) -> Compute:
    """An instruction of one operand whose modifiers do not matter."""

    def run(opcode: tuple[str, ...], x: Array) -> Array:
        return compute(x).astype(x.dtype)

    return run


def _binary(compute: Callable[[Array, Array], Array]) -> Compute:
    def run(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
        return _rounded(opcode, compute(x, y))

    return run


def _select(opcode: tuple[str, ...], x: Array, y: Array, predicate: Array) -> Array:
    return np.where(predicate, x, y)


def _copysign(opcode: tuple[str, ...], sign: Array, magnitude: Array) -> Array:
    return np.copysign(magnitude, sign)


_COMPUTE: dict[str, Compute] = {
    "add": _binary(operator.add),
    "sub": _binary(operator.sub),
    "mul": _multiply,
    "mad": _mad,
    "fma": _fma,
    "div": _divide,
    "rem": _rem,
    "neg": _unary(operator.neg),
    "abs": _unary(np.abs),
    "min": _extreme(False),
    "max": _extreme(True),
    "and": _binary(operator.and_),
    "or": _binary(operator.or_),
    "xor": _binary(operator.xor),
    "not": _unary(operator.invert),
    "shl": _shift_left,
    "shr": _shift_right,
    "shf": _funnel,
    "bfe": _bit_field,
    "prmt": _permute,
    "clz": _count_leading_zeros,
    "popc": _population,
    "selp": _select,
    "testp": _set_mask,
    "copysign": _copysign,
    "sqrt": _unary(np.sqrt),
    "rsqrt": _unary(lambda x: 1 / np.sqrt(x)),
    "rcp": _unary(lambda x: 1 / x),
    "ex2": _unary(np.exp2),
    "lg2": _unary(np.log2),
    "sin": _unary(np.sin),
    "cos": _unary(np.cos),
    "tanh": _unary(np.tanh),
}


def _exchange(old: Any, new: Any) -> Any:
    del old
    return new


def _compare_and_swap(old: Any, expected: Any, new: Any) -> Any:
    return new if old == expected else old


_ATOMICS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "min": min,
    "max": max,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "exch": _exchange,
    "cas": _compare_and_swap,
}

_COMPARISONS: dict[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal,
}  # fmt: skip


def _compare(name: str, x: Array, y: Array) -> Array:
    """Float comparisons are false on NaN, those that end in `u` true."""
    if x.dtype.kind in "iub":
        return _COMPARISONS[name](x, y)
    unordered = np.isnan(x) | np.isnan(y)
    if name in ("num", "nan"):
        return unordered if name == "nan" else ~unordered
    if name.endswith("u"):
        return _COMPARISONS[name[:-1]](x, y) | unordered
    return _COMPARISONS[name](x, y) & ~unordered


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def _converted(value: Array, to: str, modes: Sequence[str]) -> Array:
    dtype = np.dtype(_DTYPES[to])
    from_float = value.dtype.kind not in "iub"
    to_float = to in ("f16", "bf16", "f32", "f64")
    rounding = next((_ROUNDINGS[m] for m in modes if m in _ROUNDINGS), None)
    with np.errstate(all="ignore"):
        if from_float and to_float:
            if rounding is not None:
                value = rounding(value.astype(np.float64)).astype(value.dtype)
            return _rounded(("cvt", *modes), value.astype(dtype))
        if from_float:
            limits = np.iinfo(dtype)
            whole = (rounding or np.rint)(value.astype(np.float64))
            # Out of range saturates; the top of 64-bit ranges is no float, so it is compared and set apart.
            above, below = whole >= float(limits.max), whole <= float(limits.min)
            inside = np.where(np.isnan(whole) | above | below, 0, whole).astype(dtype)
            result = np.where(above, limits.max, np.where(below, limits.min, inside)).astype(dtype)
            # NaN becomes 0 (PTX ISA, cvt).
            return np.where(np.isnan(whole), 0, result).astype(dtype)
        if to_float:
            return value.astype(dtype)
        if "sat" in modes:
            limits = np.iinfo(dtype)
            return np.clip(value.astype(object), limits.min, limits.max).astype(dtype)
        return value.astype(dtype)
