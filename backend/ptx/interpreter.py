"""Runs PTX without a GPU, to check generated kernels: one numpy lane per thread, many blocks at once.

What it models: SIMT control flow with reconvergence, global, shared, local, constant and parameter memory with bounds and
alignment checked, barriers, races in shared memory, warp shuffles and votes, atomics. What it does not: time, occupancy,
memory ordering.

    machine = Machine(parse(ptx))
    x = machine.upload(numpy_array); y = machine.allocate(nbytes)
    machine.launch("kernel", grid=(4, 1, 1), block=(256, 1, 1), arguments=[x, y, np.int32(n)])
    result = machine.download(y, np.float32, shape)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .alu import ATOMICS, COMPUTE, DTYPES, Array, PtxFault, compare, convert, dtype_of, flushed, source_types
from .parser import Address, Immediate, Instruction, Kernel, Module, Operand, Register, Symbol, Variable, Vector
from .race import RaceCheck

LANES_AT_ONCE = 1 << 15
"""Lanes of one batch of blocks: large enough to amortise Python, small enough for the caches."""

_GUARD = 256
_GLOBAL_BASE = 1 << 20
_SHARED_WINDOW = 1 << 40
"""Generic addresses of shared memory start here."""
_LOCAL_WINDOW = 1 << 41
_WINDOWS = {"shared": _SHARED_WINDOW, "local": _LOCAL_WINDOW}

_NOT_WAITING = -1
_ALL_LANES = (1 << 32) - 1


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
        self.local_offsets, local_size = _layout([v for v in kernel.variables if v.space == "local"])
        self.sizes = {"shared": shared_size + dynamic_shared, "local": local_size}
        # Rows are padded so that atomics can view them as any type.
        self.shared = np.full((len(blocks), _padded(self.sizes["shared"])), 0xCD, np.uint8)
        self.local = np.full((self.lanes, _padded(local_size)), 0xCD, np.uint8)
        self.warp_of = self.block_of * -(-self.threads // 32) + thread // 32
        self.race = RaceCheck(self.shared.size, self.block_of, self.warp_of)
        self.at = np.zeros(self.lanes, np.int64)
        self.barrier = np.full(self.lanes, _NOT_WAITING, np.int64)
        """The barrier that each lane waits at."""
        self.expected = np.zeros(self.lanes, np.int64)
        """How many threads it waits for."""
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
            runnable = ~self.done & (self.barrier == _NOT_WAITING)
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
        waiting = np.flatnonzero(self.barrier != _NOT_WAITING)
        keys = np.stack([self.block_of[waiting], self.barrier[waiting], self.expected[waiting]])
        _, group, counts = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
        complete = waiting[counts[group.reshape(-1)] == self.expected[waiting]]
        if not len(complete):
            raise PtxFault(
                f"{self.kernel.name}: deadlock, some threads of a block wait at a barrier that others never reach"
            )
        self.barrier[complete] = _NOT_WAITING
        self.race.block_barrier(complete)

    def _wait(self, instruction: Instruction, lanes: Array) -> None:
        opcode = instruction.opcode
        if "warp" in opcode:
            self._whole_warps(instruction.operands[0], lanes)
            self.race.warp_barrier(lanes)
            return
        if "sync" not in opcode:
            raise PtxFault("this kind of barrier is not modelled")
        if opcode[0] == "bar" or "aligned" in opcode:
            self._whole_warps(Immediate(_ALL_LANES), lanes)
        number, *count = (self.read(o, "u32", lanes).astype(np.int64) for o in instruction.operands)
        self.barrier[lanes] = number
        self.expected[lanes] = count[0] if count else self.threads

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
                self._wait(instruction, lanes)
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
                compute = COMPUTE.get(name)
                if compute is None:
                    raise PtxFault("this instruction is not modelled")
                self._compute(instruction, lanes, compute)

    # operands

    def read(self, operand: Operand | None, type: str, lanes: Array) -> Array:
        """Value of an operand in these lanes, as numpy values of the PTX type."""
        dtype = dtype_of(type)
        if isinstance(operand, Register):
            stored = self.registers.get(operand.name)
            if stored is None:
                self._check_declared(operand.name)
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

    def _check_declared(self, name: str) -> None:
        registers = self.kernel.registers
        if name not in registers and name.rstrip("0123456789") not in registers:
            raise PtxFault(f"there is no register {name}")

    def _declared(self, name: str) -> np.dtype[Any] | None:
        prefix = name.rstrip("0123456789")
        type = self.kernel.registers.get(name) or self.kernel.registers.get(prefix)
        return None if type is None or type == "pred" else np.dtype(f"u{dtype_of(type).itemsize}")

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
            base = self.read(operand.base, "u64", lanes).astype(np.int64)
        elif operand.base in self.offsets:
            base = np.full(len(lanes), self.offsets[operand.base], np.int64)
        else:
            base = self._symbol(operand.base, lanes).astype(np.int64)
        return base + operand.offset

    def _located(self, space: str, addresses: Array, lanes: Array, size: int) -> tuple[Array, Array]:
        """The flat byte array and the offsets in it of these accesses."""
        if space == "generic":
            space, addresses = _resolved(addresses)
        if space in ("global", "const", "generic"):
            return self.machine.memory, self.machine.check(addresses, size)
        if space == "param":
            memory, width, row = self.parameters, len(self.parameters), 0
        elif space == "shared":
            memory, width, row = self.shared.reshape(-1), self.sizes[space], self.block_of[lanes] * self.shared.shape[1]
        else:
            memory, width, row = self.local.reshape(-1), self.sizes[space], lanes * self.local.shape[1]
        if ((addresses < 0) | (addresses + size > width)).any():
            raise PtxFault(f"access of {size} bytes to {space} memory is out of bounds")
        if (addresses % size).any():
            raise PtxFault(f"access of {size} bytes to {space} memory is not aligned")
        return memory, row + addresses

    def _is_shared(self, memory: Array) -> bool:
        return np.may_share_memory(memory, self.shared)

    def _load(self, instruction: Instruction, lanes: Array) -> None:
        space, type, count = self._access(instruction)
        size = dtype_of(type).itemsize
        target, source = instruction.operands
        memory, offsets = self._located(space, self._addresses(source, lanes), lanes, size * count)
        if self._is_shared(memory):
            self.race.read(offsets, size * count, lanes)
        raw = memory[offsets[:, None] + np.arange(size * count)].view(DTYPES[type])
        targets = target.elements if isinstance(target, Vector) else (target,)
        for i, register in enumerate(targets):
            self.write(register, np.ascontiguousarray(raw[:, i]), lanes)

    def _store(self, instruction: Instruction, lanes: Array) -> None:
        space, type, count = self._access(instruction)
        size = dtype_of(type).itemsize
        target, source = instruction.operands
        memory, offsets = self._located(space, self._addresses(target, lanes), lanes, size * count)
        sources = source.elements if isinstance(source, Vector) else (source,)
        values = np.stack([self.read(s, type, lanes) for s in sources], axis=1)
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(len(lanes), -1)
        if self._is_shared(memory):
            self.race.write(offsets, size * count, lanes, raw)
        memory[offsets[:, None] + np.arange(size * count)] = raw

    def _atomic(self, instruction: Instruction, lanes: Array) -> None:
        space, type, _ = self._access(instruction)
        operation = next((p for p in instruction.opcode if p in ATOMICS), None)
        if operation is None:
            raise PtxFault("this atomic operation is not modelled")
        operands = list(instruction.operands)
        target = operands.pop(0) if instruction.opcode[0] == "atom" else None
        size = dtype_of(type).itemsize
        memory, offsets = self._located(space, self._addresses(operands[0], lanes), lanes, size)
        if self._is_shared(memory):
            self.race.atomic(offsets, size, lanes)
        values = [self.read(o, type, lanes) for o in operands[1:]]
        view = memory[: memory.nbytes // 16 * 16].view(DTYPES[type])
        old = np.empty(len(lanes), view.dtype)
        with np.errstate(all="ignore"):
            for i, place in enumerate(offsets // size):
                old[i] = view[place]
                view[place] = ATOMICS[operation](view[place], *(v[i] for v in values))
        self.write(target, old, lanes)

    # warps

    def _whole_warps(self, mask: Operand, lanes: Array) -> None:
        """PtxFault unless exactly the lanes of the member mask are here, in each warp that is."""
        members = self.read(mask, "u32", lanes).astype(np.int64)
        here = np.zeros(int(self.warp_of[-1]) + 1, np.int64)
        np.bitwise_or.at(here, self.warp_of[lanes], 1 << self.thread[lanes] % 32)
        exist = np.minimum(self.threads - self.thread[lanes] // 32 * 32, 32)
        wanted = members & ((1 << exist) - 1)
        if (here[self.warp_of[lanes]] != wanted).any():
            raise PtxFault("a warp-wide instruction is reached by other lanes than its member mask says")

    def _shuffle(self, instruction: Instruction, lanes: Array) -> None:
        mode, type = instruction.opcode[2], instruction.opcode[-1]
        target, source, distance, clamp, members = instruction.operands
        self._whole_warps(members, lanes)
        value = self.read(source, type, lanes)
        full = np.zeros(self.lanes, value.dtype)
        full[lanes] = value
        lane = self.thread[lanes] % 32
        by = self.read(distance, "u32", lanes).astype(np.int64) & 31
        control = self.read(clamp, "u32", lanes).astype(np.int64)
        segment, bound = control >> 8 & 31, control & 31
        first, last = lane & segment, lane & segment | bound & ~segment & 31
        chosen = {"bfly": lane ^ by, "down": lane + by, "up": lane - by, "idx": first | by & ~segment & 31}[mode]
        valid = chosen >= last if mode == "up" else chosen <= last
        places = lanes - lane + np.where(valid, chosen, lane)
        present = np.zeros(self.lanes, bool)
        present[lanes] = True
        outside = places >= self.lanes
        if outside.any() or (self.warp_of[places] != self.warp_of[lanes]).any() or not present[places].all():
            raise PtxFault("a shuffle reads a lane that is not there")
        picked = full[places]
        if isinstance(target, Vector):
            self.write(target.elements[0], picked, lanes)
            self.write(target.elements[1], valid, lanes)
        else:
            self.write(target, picked, lanes)

    def _vote(self, instruction: Instruction, lanes: Array) -> None:
        mode = next((p for p in instruction.opcode if p in ("any", "all", "ballot")), None)
        if mode is None:
            raise PtxFault("this vote is not modelled")
        self._whole_warps(instruction.operands[2], lanes)
        held = self.read(instruction.operands[1], "pred", lanes)
        ballots = np.zeros((2, int(self.warp_of[-1]) + 1), np.int64)
        bits = 1 << self.thread[lanes] % 32
        np.bitwise_or.at(ballots[0], self.warp_of[lanes], np.where(held, bits, 0))
        np.bitwise_or.at(ballots[1], self.warp_of[lanes], bits)
        ballot, everyone = ballots[:, self.warp_of[lanes]]
        result = {"any": ballot != 0, "all": ballot == everyone, "ballot": ballot.astype(np.uint32)}[mode]
        self.write(instruction.operands[0], result, lanes)

    # values

    def _move(self, instruction: Instruction, lanes: Array) -> None:
        target, source = instruction.operands
        type = instruction.opcode[-1]
        size = dtype_of(type).itemsize
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
        space = next((p for p in instruction.opcode if p in _WINDOWS), None)
        if space is not None:
            window = np.array(_WINDOWS[space], value.dtype)
            value = value - window if "to" in instruction.opcode else value + window
        self.write(target, value, lanes)

    def _convert(self, instruction: Instruction, lanes: Array) -> None:
        *modes, to, source_type = instruction.opcode[1:]
        if to == "bf16x2" or to == "f16x2":
            high, low = (self.read(o, source_type, lanes) for o in instruction.operands[1:])
            narrow = DTYPES[to[:-2]]
            packed = high.astype(narrow).view(np.uint16).astype(np.uint32) << 16 | low.astype(narrow).view(np.uint16)
            self.write(instruction.operands[0], packed, lanes)
            return
        value = self.read(instruction.operands[1], source_type, lanes)
        self.write(instruction.operands[0], convert(value, to, modes), lanes)

    def _set_predicate(self, instruction: Instruction, lanes: Array) -> None:
        comparison, type = instruction.opcode[1], instruction.opcode[-1]
        target, left, right, *third = instruction.operands
        x, y = self.read(left, type, lanes), self.read(right, type, lanes)
        result = compare(comparison, x, y)
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
        types = source_types(opcode, len(sources))
        with np.errstate(all="ignore"):
            inputs = [flushed(opcode, self.read(s, t, lanes)) for s, t in zip(sources, types, strict=True)]
            value = compute(opcode, *inputs)
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


def _padded(size: int) -> int:
    return -(-size // 16) * 16


def _resolved(addresses: Array) -> tuple[str, Array]:
    """The space that generic addresses point into, and the addresses in it."""
    for space, window in (("local", _LOCAL_WINDOW), ("shared", _SHARED_WINDOW)):
        inside = addresses >= window
        if inside.all() and len(addresses):
            return space, addresses - window
        if inside.any():
            raise PtxFault("lanes use one generic access for different address spaces")
    return "global", addresses
