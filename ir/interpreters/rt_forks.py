"""Interpreter of `rt.fork`: the function runs at once; what it gives, or its error, is kept for whoever waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ..core import Operation
from ..diagnostics import ExecutionError
from ..dialects import rt_forks
from ..dialects.rt import is_counted
from ..types import BoxType, MemRefType
from .engine import CONTEXT, Compiler, Frame, Function, Rule, Step, function_type
from .memory import MemRef
from .rt import alive, kept_results, made, retain


@dataclass(frozen=True, eq=False)
class _Failed:
    error: ExecutionError


def _fork(compiler: Compiler, op: Operation) -> Step:
    callee = compiler.interpreter.symbol(rt_forks.callee_of(op))
    types = function_type(callee).inputs
    out, slots = compiler.slot(op.result), compiler.slots(op.operands)
    found: list[Function] = []

    def given(value: Any, operand: Any, wanted: Any) -> Any:
        if not isinstance(operand.type, BoxType):
            return value
        content = alive(op, value).content
        return MemRef.contiguous(content) if isinstance(wanted, MemRefType) else content

    def run(f: Frame) -> None:
        if not found:
            found.append(compiler.interpreter.function(callee))
        values = [given(f[i], v, t) for i, v, t in zip(slots, op.operands, types, strict=True)]
        held = [f[i] for i, v in zip(slots, op.operands, strict=True) if is_counted(v.type)]
        for value in held:
            retain(value)
        try:
            content: tuple[Any, ...] = (None, *held, *found[0](f[CONTEXT], values))
        except ExecutionError as error:
            content = (_Failed(error), *held)
        f[out] = made(f, [content])

    return run


def _wait(compiler: Compiler, op: Operation) -> Step:
    future, keep = compiler.slot(op.operand(0)), kept_results(compiler, op)
    count = len(op.results)

    def run(f: Frame) -> None:
        (content,) = alive(op, f[future]).content
        if isinstance(content[0], _Failed):
            raise content[0].error
        keep(f, content[len(content) - count :])

    return run


def _ready(compiler: Compiler, op: Operation) -> Step:
    out, slots = compiler.slot(op.result), compiler.slots(op.operands)

    def run(f: Frame) -> None:
        values = tuple(f[i] for i in slots)
        for value in values:
            retain(value)
        f[out] = made(f, [(None, *values)])

    return run


RULES: Final[dict[str, Rule]] = {"rt.fork": _fork, "rt.wait": _wait, "rt.ready": _ready}
assert RULES.keys() == {definition.name for definition in rt_forks.OPS}
