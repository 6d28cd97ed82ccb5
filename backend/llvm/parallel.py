"""`scf.parallel` marked `threads`: its body becomes a function that the thread pool runs over pieces of the iterations.

    i32 body(ptr context, i64 begin, i64 end)      ; 0, or 1 after recording an error

Iterations are numbered row-major over the whole box, so a box of 1 x 64 x 56 splits as well as one of 3584. Rows of
the innermost dimension are plain loops: one division per row, none per element. The context holds what the body uses
of the enclosing function; descriptors shrink to the few registers in them that are no constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...ir.attributes import IntegerAttr
from ...ir.core import Operation, Value
from ...ir.types import IndexType, IntegerType, element_type
from .control import innermost_group, parallel_bounds, serial_parallel
from .emitter import Emit, Emitter, Held, Pair
from .linear import ZERO, Linear
from .sharing import Body

ATTRIBUTE: Final = "threads"
"""Marks loops worth the pool (set by the pass `parallelize`); an integer value is the least iterations of a piece."""

STREAMS: Final = "streams"
"""Marks loops with stores past the caches (set by the pass `stream-results`)."""

_LOOPS: Final = ("scf.for", "scf.parallel", "scf.while")

_COUNTING: Final = (IndexType, IntegerType)


def goes_to_pool(op: Operation) -> bool:
    """Whether a loop that stands in no other such loop is run by the pool of threads, if there is one."""
    return op.name == "scf.parallel" and ATTRIBUTE in op.attributes and not op.results


def has_scalar_loop(op: Operation) -> bool:
    """Whether an innermost loop of `op`, or `op` itself if it is one, has no vector operation.

    Beside vector code, loops that compute nothing but integers are no reason: they make short tables of addresses.
    """
    return any(not is_table for is_table in _scalar_loops(op)) or (
        not any(o.name.startswith("vector.") for o in op.walk()) and any(True for _ in _scalar_loops(op))
    )


def _scalar_loops(op: Operation) -> Iterator[bool]:
    """For each innermost loop without vector operations, whether it computes integers only."""
    for loop in op.walk():
        if loop.name not in _LOOPS:
            continue
        inner = [o for o in loop.walk() if o is not loop]
        if not any(o.name in _LOOPS or o.name.startswith("vector.") for o in inner):
            yield all(isinstance(element_type(v.type), _COUNTING) for o in inner for v in (*o.operands, *o.results))


def _parallel(e: Emitter, op: Operation) -> None:
    if goes_to_pool(op) and e.context.threads and not e.outlined:
        _outline(e, op)
    else:
        serial_parallel(e, op)
    if STREAMS in op.attributes:
        e.line("fence seq_cst")  # stores past the caches are seen in any order before; workers leave with such an instruction


def _trip_count(e: Emitter, lower: Linear, upper: Linear, step: Linear) -> Linear:
    distance = upper - lower
    by = step.known()
    known = distance.known()
    if by is not None and known is not None:
        return Linear.of(max(0, -(-known // by)))
    text = e.index_text(distance)
    positive = e.pure("i64", f"call i64 @llvm.smax.i64(i64 {text}, i64 0)")
    if by == 1:
        return Linear.of(positive)
    divisor = e.index_text(step)
    up = e.pure("i64", f"add i64 {positive}, {e.index_text(step + Linear.of(-1))}")
    return Linear.of(e.pure("i64", f"udiv i64 {up}, {divisor}"))


def _captured(op: Operation, e: Emitter) -> list[Value]:
    """Values from outside that the body uses."""
    inside: set[Value] = set()
    found: dict[Value, None] = {}
    for inner in op.walk():
        inside.update(inner.results)
        for region in inner.regions:
            for block in region.blocks:
                inside.update(block.args)
    for inner in op.walk():
        for operand in inner.operands:
            if operand not in inside and operand in e.values:
                found[operand] = None
    return list(found)


def _names(value: Held) -> list[str]:
    if isinstance(value, Pair):
        return [part for part in (value.re, value.im) if part.startswith("%")]
    if isinstance(value, str):
        return [value] if value.startswith("%") else []
    if isinstance(value, Linear):
        return list(value.names())
    return [*([value.base] if value.base.startswith("%") else []), *value.names()]


def _renamed(value: Held, names: dict[str, str]) -> Held:
    if isinstance(value, Pair):
        return Pair(names.get(value.re, value.re), names.get(value.im, value.im))
    return names.get(value, value) if isinstance(value, str) else value.renamed(names)


def _outline(e: Emitter, op: Operation) -> None:
    lowers, uppers, steps, _ = parallel_bounds(e, op)
    extents = [_trip_count(e, *bounds) for bounds in zip(lowers, uppers, steps, strict=True)]
    captured = _captured(op, e)
    names: dict[str, None] = {}
    for value in [*(e.values[v] for v in captured), *lowers, *steps, *extents]:
        names.update(dict.fromkeys(_names(value)))
    fields = list(names)
    context_type = f"{{ {', '.join(e.types[n] for n in fields)} }}"

    symbol = f'@"{e.context.prefix}.parallel.{e.context.outlined}"'
    e.context.outlined += 1
    inner = Emitter(e.context, final=e.final)
    inner.outlined = True
    renamed: dict[str, str] = {}
    for i, name in enumerate(fields):
        pointer = inner.op("ptr", f"getelementptr inbounds {context_type}, ptr %context, i64 0, i32 {i}")
        renamed[name] = inner.op(e.types[name], f"load {e.types[name]}, ptr {pointer}")
    for value in captured:
        inner.values[value] = _renamed(e.values[value], renamed)
    bounds = [[x.renamed(renamed) for x in linears] for linears in (lowers, steps, extents)]
    place = "" if op.span is None else str(op.span.written)
    body, fails = e.context.equal_loops.body(
        inner, op, symbol, place, captured, (context_type, bounds), lambda: _written(inner, op, symbol, place, bounds)
    )
    e.context.bodies.append(body)

    context = e.fresh("context")
    e.entry_lines.append(f"  {context} = alloca {context_type}, align 16")
    e.types[context], e.depth[context] = "ptr", 0
    for i, name in enumerate(fields):
        pointer = e.op("ptr", f"getelementptr inbounds {context_type}, ptr {context}, i64 0, i32 {i}")
        e.line(f"store {e.types[name]} {name}, ptr {pointer}")
    total = e.index_text(e.volume(extents))
    attribute = op.attributes[ATTRIBUTE]
    grain = attribute.value if isinstance(attribute, IntegerAttr) else 1
    status = e.op("i32", f"call i32 @torchcc.parallel_for(ptr {symbol}, ptr {context}, i64 {total}, i64 {grain})")
    if fails:
        e.leave_if(e.op("i1", f"icmp ne i32 {status}, 0"))


def _written(e: Emitter, op: Operation, symbol: str, place: str, bounds: list[list[Linear]]) -> Body:
    """The body as text; the emitter has written what it takes from the context."""
    _body(e, op, *bounds)
    e.line("ret i32 0")
    if e.fails:
        e.end_failures()
        e.line("ret i32 1")
    body = "\n".join((*e.entry_lines, *e.lines))
    return Body(symbol, f"entry:\n{body}", has_scalar_loop(op), place)


def _body(e: Emitter, op: Operation, lowers: list[Linear], steps: list[Linear], extents: list[Linear]) -> None:
    """Iterations %begin to %end of the box."""
    block = op.body()
    group = innermost_group(e, block, False)
    counted = [i for i, extent in enumerate(extents) if extent.known() != 1] or [len(extents) - 1]
    sizes = [extents[i] for i in counted]
    begin, end = Linear.of(e.define("%begin", "i64")), Linear.of(e.define("%end", "i64"))

    def run(numbers: list[Linear]) -> None:
        position = dict(zip(counted, numbers, strict=True))
        for i, (argument, lower, step) in enumerate(zip(block.args, lowers, steps, strict=True)):
            e.values[argument] = lower + e.product(position.get(i, ZERO), step)
        e.access_group = group
        e.emit_block(block)
        e.access_group = None

    def innermost(outer: list[Linear], first: Linear, last: Linear) -> None:
        def each(i: Linear, registers: list[str]) -> list[str]:
            del registers
            run([*outer, i])
            return []

        e.loop(first, last, Linear.of(1), [], each, parallel_group=group)

    if len(sizes) == 1:
        innermost([], begin, end)
        return

    width = sizes[-1]
    width_text = e.index_text(width)

    def row(r: Linear, registers: list[str]) -> list[str]:
        del registers
        rest = r
        outer: list[Linear] = []
        for extent in reversed(sizes[1:-1]):
            divisor = e.index_text(extent)
            text = e.index_text(rest)
            outer.insert(0, Linear.of(e.pure("i64", f"urem i64 {text}, {divisor}")))
            rest = Linear.of(e.pure("i64", f"udiv i64 {text}, {divisor}"))
        outer.insert(0, rest)
        start = e.product(r, width)
        first = e.pure("i64", f"call i64 @llvm.smax.i64(i64 {e.index_text(begin - start)}, i64 0)")
        last = e.pure("i64", f"call i64 @llvm.smin.i64(i64 {e.index_text(end - start)}, i64 {width_text})")
        innermost(outer, Linear.of(first), Linear.of(last))
        return []

    first_row = Linear.of(e.pure("i64", f"udiv i64 %begin, {width_text}"))
    rounded = e.index_text(end + width + Linear.of(-1))
    last_row = Linear.of(e.pure("i64", f"udiv i64 {rounded}, {width_text}"))
    e.loop(first_row, last_row, Linear.of(1), [], row)


EMITTERS: Final[dict[str, Emit]] = {"scf.parallel": _parallel}
