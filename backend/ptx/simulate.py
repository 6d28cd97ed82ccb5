"""Runs a whole GPU program without a GPU: host code by the interpreter of the `loops` stage, kernels by the PTX one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import SymbolRef
from ...ir.core import Operation
from ...ir.diagnostics import ExecutionError
from ...ir.dialects.func import function_type
from ...ir.interpreters.engine import Compiler, Context, Frame, Interpreter, Step
from ...ir.interpreters.memory import MemRef
from ...ir.interpreters.run import RULES, argument_value
from ...ir.types import MemRefType
from .codegen import STATUS_WORDS, PtxModule
from .interpreter import Machine
from .parser import parse

Array = npt.NDArray[Any]


def simulate(module: Operation, ptx: PtxModule, function: str, arguments: Sequence[Any]) -> list[Any]:
    """Results of the host function of a module that `map-to-gpu` has made, its kernels run from `ptx`.

    ExecutionError where an assertion fails, on the host or in a kernel.
    """
    parsed = parse(ptx.text)

    def launch_rule(compiler: Compiler, op: Operation) -> Step:
        name = cast(tuple[SymbolRef, SymbolRef], op.attributes["kernel"])[1].name
        grid, block = compiler.slots(op.operands[:3]), compiler.slots(op.operands[3:6])
        operands = [(compiler.slot(v), v.type) for v in op.operands[6:]]

        def run(f: Frame) -> None:
            launch = _Launch(Machine(parsed), ptx)
            components = [c for slot, t in operands for c in launch.components(f[slot], t)]
            launch.run(name, [int(f[i]) for i in grid], [int(f[i]) for i in block], components)

        return run

    interpreter = Interpreter(module, {**RULES, "gpu.launch_func": launch_rule}, {})
    host = interpreter.symbol(function)
    with np.errstate(all="ignore"):
        values = [argument_value(v, t) for v, t in zip(arguments, function_type(host).inputs, strict=True)]
        results = interpreter.function(host)(Context(), values)
    return [r.array if isinstance(r, MemRef) else r for r in results]


class _Launch:
    """One launch: buffers are copied to the machine, and back when the kernel has run."""

    def __init__(self, machine: Machine, ptx: PtxModule) -> None:
        self.machine = machine
        self.ptx = ptx
        self.buffers: dict[int, tuple[Array, int]] = {}

    def address(self, buffer: Array) -> int:
        """Address of the copy of a buffer; views of one memory share it."""
        owner = buffer
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if id(owner) not in self.buffers:
            self.buffers[id(owner)] = owner, self.machine.upload(owner.reshape(-1).view(np.uint8))
        start = buffer.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        return self.buffers[id(owner)][1] + start

    def components(self, value: Any, t: Any) -> list[Any]:
        """Kernel parameters of one operand, as `Emitter.component_types` orders them."""
        if not isinstance(t, MemRefType):
            return [np.asarray(value)]
        assert isinstance(value, MemRef)
        parts: list[Any] = [self.address(value.buffer)]
        if t.offset is None:
            parts.append(np.int64(value.offset))
        parts += [np.int64(n) for n, e in zip(value.sizes, t.shape, strict=True) if e is None]
        if t.layout is not None:
            parts += [np.int64(s) for s, e in zip(value.strides, t.layout.strides, strict=True) if e is None]
        return parts

    def run(self, name: str, grid: Sequence[int], block: Sequence[int], components: Sequence[Any]) -> None:
        status = self.machine.upload(np.zeros(STATUS_WORDS, np.int64))
        self.machine.launch(name, grid, block, [status, *components])
        for owner, address in self.buffers.values():
            if owner.flags.writeable:
                owner.reshape(-1).view(np.uint8)[:] = self.machine.download(address, np.uint8, (owner.nbytes,))
        self.check(self.machine.download(status, np.int64, (STATUS_WORDS,)))

    def check(self, words: Array) -> None:
        """Raises what the first failing assertion says."""
        if words[0] == 0:
            return
        failure = self.ptx.failures[int(words[0]) - 1]
        pieces = failure.message.split("{}")
        text = pieces[0]
        for piece, word in zip(pieces[1:], words[1:], strict=False):
            text += f"{int(word)}{piece}"
        raise ExecutionError(text, failure.span)
