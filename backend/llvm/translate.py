"""A module of the `loops` stage -> the text of one LLVM module.

Every `func.func` becomes an internal function: memrefs are passed as their base pointer and the sizes, strides and
offset that the type leaves open; results come back in a structure, after a status where the function can fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy.typing as npt

from ...ir.attributes import SymbolRef
from ...ir.core import Operation, functions, symbol
from ...ir.dialects.func import function_type, is_declaration
from ...ir.types import MemRefType
from ..runtime.abi import HEAP_ALIGNMENT
from . import (
    arithmetic,
    clock,
    complexes,
    control,
    counted,
    dicts,
    forks,
    memory,
    parallel,
    random,
    records,
    strings,
    vectors,
    views,
)
from .buffers import Buffer
from .control import NOTES, result_type, return_text
from .emitter import Emit, Emitter, Failure, FunctionFacts, ModuleContext
from .linear import ZERO
from .memory import copy_buffer, declare_global, is_heap_block, is_written
from .parallel import goes_to_pool, has_scalar_loop
from .partition import Part, partition
from .sharing import shared_definitions
from .types import itemsize

TABLE: Final[Mapping[str, Emit]] = {
    **arithmetic.EMITTERS,
    **clock.EMITTERS,
    **complexes.EMITTERS,
    **memory.EMITTERS,
    **vectors.EMITTERS,
    **control.EMITTERS,
    **parallel.EMITTERS,
    **counted.EMITTERS,
    **dicts.EMITTERS,
    **forks.EMITTERS,
    **random.EMITTERS,
    **records.EMITTERS,
    **strings.EMITTERS,
    **views.EMITTERS,
}


@dataclass(frozen=True)
class Options:
    """What the text depends on beside the program."""

    prefix: str
    """Starts every symbol, e.g. the exported function's name."""
    threads: bool = True
    native_half: bool = True
    fused: bool = True
    attributes: str = "nounwind"
    """Of every function."""
    apart: bool = False
    """Whether each kernel is a part, to see what it costs."""


@dataclass(frozen=True)
class LlvmModule:
    """Definitions in LLVM text, without the run time's declarations and without an exported function."""

    text: str
    facts: Mapping[str, FunctionFacts]
    failures: tuple[Failure, ...]
    data: Mapping[str, npt.NDArray[Any]]
    """Constant buffers by external symbol (without `@`)."""
    has_threads: bool
    needs_optimizer: bool
    """Whether there are scalar loops that LLVM's mid-end should see; vector code does as well without."""
    parts: tuple[Part, ...]
    """The same definitions as several modules, the one with the functions first."""


def function_symbol(prefix: str, name: str) -> str:
    """LLVM symbol of a function of the module."""
    return f'@"{prefix}.{name}"'


def translate_module(module: Operation, options: Options) -> LlvmModule:
    context = ModuleContext(options.prefix, TABLE, threads=options.threads, native_half=options.native_half, fused=options.fused)
    defined = [op for op in functions(module) if not is_declaration(op)]
    failing = _failing(defined)
    for op in defined:
        t = function_type(op)
        name = symbol(op)
        context.facts[name] = FunctionFacts(function_symbol(options.prefix, name), t.inputs, t.results, name in failing)
    globals_emitter = Emitter(context)
    for op in module.body().operations():
        if op.name == "memref.global":
            declare_global(globals_emitter, op)
    called = _called(defined)
    for op in defined:
        context.functions.append(_function(context, op, is_entry=symbol(op) not in called))
    context.define_failures()
    sizes = {name: array.nbytes for name, array in context.data.items()}
    bodies = shared_definitions(context.bodies, sizes, context.metadata, options.prefix, HEAP_ALIGNMENT)
    attributes = f"attributes #0 = {{ {options.attributes} }}"

    def text(definitions: Sequence[str]) -> str:
        return "\n".join((*context.globals, "", *definitions, *context.functions, attributes, *context.metadata, ""))

    split = partition(bodies, context.globals, context.metadata, attributes, apart=options.apart)
    stay_scalar = any(b.is_scalar and t == b.text for b, t in zip(bodies, split.kept, strict=True))
    is_scalar = stay_scalar or any(_has_scalar_loop(op, threads=options.threads) for op in defined)
    return LlvmModule(
        text([b.text for b in bodies]),
        context.facts,
        tuple(context.failures),
        context.data,
        context.outlined > 0,
        is_scalar or any(b.is_scalar for b in bodies),
        (Part(text(split.kept), is_scalar), *split.parts),
    )


def _called(defined: Sequence[Operation]) -> set[str]:
    return {_callee(op) for f in defined for op in f.walk() if op.name in ("func.call", "rt.fork")}


def _callee(op: Operation) -> str:
    return cast(SymbolRef, op.attributes["callee"]).name


def _failing(defined: Sequence[Operation]) -> set[str]:
    """Functions that can return an error: by an assertion, for want of memory, or by a call of such a function."""
    failing: set[str] = set()
    calls: dict[str, set[str]] = {}
    for f in defined:
        name = symbol(f)
        calls[name] = set()
        for op in f.walk():
            if op.name in ("cf.assert", "memref.alloc", "memref.alloca") or op.name.startswith("rt."):
                failing.add(name)
            elif op.name == "func.call" and _callee(op) not in NOTES:
                calls[name].add(_callee(op))
            elif op.name == "func.return" and any(isinstance(v.type, MemRefType) for v in op.operands):
                failing.add(name)
    changed = True
    while changed:
        more = {name for name, callees in calls.items() if name not in failing and callees & failing}
        failing |= more
        changed = bool(more)
    return failing


def _has_scalar_loop(op: Operation, *, threads: bool) -> bool:
    """Whether an innermost loop has no vector operation; of those that are functions of their own nothing is said."""
    if not threads:
        return has_scalar_loop(op)
    stack = [op]
    while stack:
        for inner in (o for region in stack.pop().regions for block in region.blocks for o in block.operations()):
            if goes_to_pool(inner):
                continue
            if inner.regions and not any(goes_to_pool(o) for o in inner.walk()):
                if has_scalar_loop(inner):
                    return True
            elif inner.regions:
                stack.append(inner)
    return False


def _function(context: ModuleContext, op: Operation, *, is_entry: bool) -> str:
    facts = context.facts[symbol(op)]
    e = Emitter(context, final=any(o.name.startswith("vector.") for o in op.walk()))
    block = op.body()
    parameters: list[str] = []
    for i, argument in enumerate(block.args):
        types = e.component_types(argument.type)
        names = [e.define(f"%a{i}_{k}" if k else f"%a{i}", t) for k, t in enumerate(types)]
        attributes = ""
        if isinstance(argument.type, MemRefType) and not is_written(argument):
            # Arguments of an entry may be each other's memory, but nothing that it writes is an argument's.
            attributes = " noalias readonly" if is_entry else " readonly"
        parameters.append(f"{types[0]}{attributes} {names[0]}")
        parameters += [f"{t} {n}" for t, n in zip(types[1:], names[1:], strict=True)]
        e.set(argument, e.unflatten(argument.type, names))
    terminator = e.emit_block(block)
    types = [t for v in terminator.operands for t in e.component_types(v.type)]
    values = _results(e, terminator)
    if facts.can_fail:
        types, values = ["i32", *types], ["0", *values]
    return_text(e, types, values)
    whole = result_type(types)
    if e.fails:
        e.end_failures()
        if len(types) == 1:
            e.line("ret i32 1")
        else:
            rest = ", ".join(f"{t} zeroinitializer" for t in types[1:])
            e.line(f"ret {whole} {{ i32 1, {rest} }}")
    lines = "\n".join((*e.entry_lines, *e.lines))
    return f"define internal {whole} {facts.symbol}({', '.join(parameters)}) #0 {{\nentry:\n{lines}\n}}\n"


def _results(e: Emitter, terminator: Operation) -> list[str]:
    """Registers of the results. Every returned buffer must be a heap block of its own: arguments, constants, and what
    is returned twice are copied."""
    seen: set[str] = set()
    registers: list[str] = []
    for value in terminator.operands:
        if not isinstance(value.type, MemRefType):
            registers += e.flatten(value)
            continue
        buffer = e.buffer(value)
        if not is_heap_block(value) or buffer.base in seen or buffer.offset != ZERO:
            size = e.volume(buffer.sizes).scaled(itemsize(buffer.element))
            base = e.op("ptr", f"call ptr @torchcc.alloc(i64 {e.index_text(size)})")
            e.leave_if(e.op("i1", f"icmp eq ptr {base}, null"))
            copy = Buffer(base, buffer.element, buffer.sizes, e.row_major(buffer.sizes), ZERO, 0, HEAP_ALIGNMENT, True)
            copy_buffer(e, buffer, copy)
            buffer = copy
        seen.add(buffer.base)
        registers += e.flatten_buffer(buffer, value.type)
    return registers
