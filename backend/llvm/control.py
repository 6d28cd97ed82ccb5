"""`scf`, `cf` and `func`: structured control flow becomes blocks and phis; failed assertions share one cold exit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ...ir.attributes import SymbolRef
from ...ir.core import Block, Operation, Value
from ...ir.diagnostics import InternalError
from ...ir.types import IndexType
from .emitter import Emit, Emitter, Failure
from .linear import Linear
from .types import register_type

_SHARING: Final = ("scf.for", "scf.while", "scf.parallel", "memref.alloc", "memref.copy", "func.", "cf.", "vector.")
"""Starts of the names of operations that keep a parallel loop from being one LLVM should vectorise unasked."""

Bounds = tuple[Sequence[Linear], Sequence[Linear], Sequence[Linear]]
"""Lower and upper bounds and steps, per dimension."""

NOTES: Final = {"torchcc_note_i64": "i64", "torchcc_note_f64": "double"}


def _flat_types(e: Emitter, values: Sequence[Value]) -> list[str]:
    return [t for v in values for t in e.component_types(v.type)]


def flat(e: Emitter, values: Sequence[Value]) -> list[str]:
    """The registers of several values."""
    return [text for v in values for text in e.flatten(v)]


def bind(e: Emitter, values: Sequence[Value], registers: Sequence[str]) -> None:
    """Gives values their registers, in order."""
    rest = list(registers)
    for value in values:
        count = len(e.component_types(value.type))
        e.set(value, e.unflatten(value.type, rest[:count]))
        rest = rest[count:]


def _for(e: Emitter, op: Operation) -> None:
    lower, upper, step, *inits = op.operands
    block = op.body()
    iv, *args = block.args

    def body(i: Linear, registers: list[str]) -> list[str]:
        if isinstance(iv.type, IndexType):
            e.values[iv] = i
        else:
            e.set(iv, e.index_text(i))
        bind(e, args, registers)
        return flat(e, e.emit_block(block).operands)

    carried = list(zip(_flat_types(e, inits), flat(e, inits), strict=True))
    results = e.loop(e.linear(lower), e.linear(upper), e.linear(step), carried, body, width=register_type(iv.type))
    bind(e, op.results, results)


def _if(e: Emitter, op: Operation) -> None:
    condition = e.text(op.operand(0))
    branches = [r.blocks[0] if r.blocks else None for r in op.regions]
    if condition in ("true", "false"):
        taken = branches[0] if condition == "true" else branches[1]
        if taken is not None:
            bind(e, op.results, flat(e, e.emit_block(taken).operands))
        return
    then, orelse, end = e.new_label("then"), e.new_label("else"), e.new_label("end")
    e.line(f"br i1 {condition}, label %{then}, label %{orelse if branches[1] is not None else end}")
    incoming: list[tuple[list[str], str]] = []
    before = e.label
    for label, block in ((then, branches[0]), (orelse, branches[1])):
        if block is None:
            incoming.append(([], before))
            continue
        e.start_block(label)
        with e.scope():
            values = flat(e, e.emit_block(block).operands)
        incoming.append((values, e.label))
        e.line(f"br label %{end}")
    e.start_block(end)
    types = _flat_types(e, op.results)
    (first, first_label), (second, second_label) = incoming
    results = [
        e.op(t, f"phi {t} [ {a}, %{first_label} ], [ {b}, %{second_label} ]")
        for t, a, b in zip(types, first, second, strict=bool(types))
    ]
    bind(e, op.results, results)


def _while(e: Emitter, op: Operation) -> None:
    before_block, after_block = op.body(0), op.body(1)
    types, initial = _flat_types(e, op.operands), flat(e, op.operands)
    header, after, end = e.new_label("while"), e.new_label("do"), e.new_label("end")
    outside = e.label
    e.line(f"br label %{header}")
    e.start_block(header)
    with e.scope():
        names = [e.define(e.fresh("c"), t) for t in types]
        phis = len(e.lines)
        e.lines += [""] * len(types)
        bind(e, before_block.args, names)
        condition = e.emit_block(before_block)
        go_on = e.text(condition.operand(0))
        forwarded = flat(e, condition.operands[1:])
        e.line(f"br i1 {go_on}, label %{after}, label %{end}")
        e.start_block(after)
        with e.scope():
            bind(e, after_block.args, forwarded)
            following = flat(e, e.emit_block(after_block).operands)
        last = e.label
        e.line(f"br label %{header}")
        for k, (t, name) in enumerate(zip(types, names, strict=True)):
            e.lines[phis + k] = f"  {name} = phi {t} [ {initial[k]}, %{outside} ], [ {following[k]}, %{last} ]"
    e.start_block(end)
    bind(e, op.results, forwarded)


def parallel_bounds(e: Emitter, op: Operation) -> tuple[list[Linear], list[Linear], list[Linear], list[Value]]:
    """Lower bounds, upper bounds, steps, initial values of an `scf.parallel`."""
    n = len(op.body().args)
    bounds = [e.linear(v) for v in op.operands[: 3 * n]]
    return bounds[:n], bounds[n : 2 * n], bounds[2 * n :], list(op.operands[3 * n :])


def innermost_group(e: Emitter, block: Block, has_results: bool) -> str | None:
    """An access group for the body of a parallel loop that LLVM may vectorise without proving independence again.

    Not where something inside is shared by the iterations after all: stack buffers, reductions; nor where an inner loop
    or a call would be the loop that LLVM looks at.
    """
    if has_results or any(inner.name.startswith(_SHARING) for op in block.operations() for inner in op.walk()):
        return None
    return e.context.add_metadata("distinct !{}")


def parallel_nest(e: Emitter, op: Operation, bounds: Bounds, carried: list[str]) -> list[str]:
    """The iterations of an `scf.parallel` one after the other; returns its reductions."""
    lowers, uppers, steps = bounds
    block = op.body()
    terminator = block.terminator
    types = _flat_types(e, op.results)
    group = innermost_group(e, block, bool(op.results))

    def nest(dimension: int, indices: list[Linear], registers: list[str]) -> list[str]:
        if dimension == len(lowers):
            for argument, index in zip(block.args, indices, strict=True):
                e.values[argument] = index
            saved, e.access_group = e.access_group, group or e.access_group
            e.emit_block(block)
            result = _reduce(e, terminator, registers)
            e.access_group = saved
            return result
        return e.loop(
            lowers[dimension],
            uppers[dimension],
            steps[dimension],
            list(zip(types, registers, strict=True)),
            lambda i, inner: nest(dimension + 1, [*indices, i], inner),
            parallel_group=group if dimension + 1 == len(lowers) else None,
        )

    return nest(0, [], carried)


def _reduce(e: Emitter, terminator: Operation, registers: list[str]) -> list[str]:
    results: list[str] = []
    rest = list(registers)
    for operand, region in zip(terminator.operands, terminator.regions, strict=True):
        block = region.blocks[0]
        count = len(e.component_types(operand.type))
        bind(e, [block.args[0]], rest[:count])
        e.values[block.args[1]] = e.values[operand]
        results += flat(e, e.emit_block(block).operands)
        rest = rest[count:]
    return results


def serial_parallel(e: Emitter, op: Operation) -> None:
    """An `scf.parallel` as plain loops."""
    lowers, uppers, steps, inits = parallel_bounds(e, op)
    bind(e, op.results, parallel_nest(e, op, (lowers, uppers, steps), flat(e, inits)))


def _assert(e: Emitter, op: Operation) -> None:
    condition = e.text(op.operand(0))
    if condition != "true":
        e.fail_unless(condition, Failure(str(op.attributes["msg"]), op.span))


def result_type(parts: Sequence[str]) -> str:
    """What a function returns: nothing, one register, or a structure of them."""
    if not parts:
        return "void"
    return parts[0] if len(parts) == 1 else f"{{ {', '.join(parts)} }}"


def return_text(e: Emitter, types: Sequence[str], values: Sequence[str]) -> None:
    """The `ret` with these registers."""
    if not types:
        e.line("ret void")
        return
    if len(types) == 1:
        e.line(f"ret {types[0]} {values[0]}")
        return
    whole = result_type(types)
    aggregate = "poison"
    for i, (t, value) in enumerate(zip(types, values, strict=True)):
        aggregate = e.op(whole, f"insertvalue {whole} {aggregate}, {t} {value}, {i}")
    e.line(f"ret {whole} {aggregate}")


def _call(e: Emitter, op: Operation) -> None:
    name = cast(SymbolRef, op.attributes["callee"]).name
    if name in NOTES:
        e.line(f"call void @{name}({NOTES[name]} {e.text(op.operand(0))})")
        return
    facts = e.context.facts.get(name)
    if facts is None:
        raise InternalError(f"call of @{name}, which has no body")
    arguments = ", ".join(f"{t} {x}" for t, x in zip(_flat_types(e, op.operands), flat(e, op.operands), strict=True))
    types = (["i32"] if facts.can_fail else []) + _flat_types(e, op.results)
    whole = result_type(types)
    if not types:
        e.line(f"call void {facts.symbol}({arguments})")
        return
    value = e.op(whole, f"call {whole} {facts.symbol}({arguments})")
    parts = [value] if len(types) == 1 else [e.op(t, f"extractvalue {whole} {value}, {i}") for i, t in enumerate(types)]
    if facts.can_fail:
        e.leave_if(e.op("i1", f"icmp ne i32 {parts[0]}, 0"))
        parts = parts[1:]
    bind(e, op.results, parts)


EMITTERS: Final[dict[str, Emit]] = {
    "scf.for": _for,
    "scf.if": _if,
    "scf.while": _while,
    "cf.assert": _assert,
    "func.call": _call,
}
