"""Strings that get one byte more in every iteration of a loop are made at once and filled.

In: counted references. Out: a loop whose number of iterations is known before it, and that starts with the empty string and
puts one byte behind it each time, makes a string of that length first; its bytes are stored one after the other, which
LLVM turns into vector code.

    %s = scf.for %i = %a to %b step %c1               %n = ... %b - %a, at least 0
        iter_args(%t = %empty) {                      %s = rt.str_new(%n) : (index) -> !rt.str
      %u = rt.str_of_byte(%x) : ...           =>      scf.for %i = %a to %b step %c1 {
      %v = rt.str_append(%t, %u) : ...                  rt.str_fill(%s, %i - %a, %x) : ...
      scf.yield %v                                    }
    }
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir.builder import Builder
from ...ir.core import Operation, Value, functions
from ...ir.dialects import arith, func, rt_strings, scf
from ...ir.types import INDEX, STRING


@dataclass(frozen=True)
class FillStrings:
    name: str = "fill-strings"

    def apply(self, module: Operation) -> Operation:
        for function in functions(module):
            if not func.is_declaration(function):
                for op in list(function.walk()):
                    if op.name == "scf.for" and any(r.type == STRING for r in op.results):
                        _fill_in(op)
        return module


def _fill_in(loop: Operation) -> None:
    filled = [i for i in range(len(loop.results)) if _appends(loop, i) is not None]
    if not filled or arith.constant_value(loop.operand(2)) != 1:
        return
    low, high, step, *starts = loop.operands
    b = Builder.before(loop)
    count = arith.maxsi(b, arith.subi(b, high, low), arith.constant(b, 0, INDEX))
    made = {i: rt_strings.new(b, count) for i in filled}
    kept = [i for i in range(len(loop.results)) if i not in made]
    old = loop.body()

    def body(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
        mapping: dict[Value, Value] = {old.args[0]: args[0]}
        mapping |= {old.args[1 + k]: v for k, v in zip(kept, args[1:], strict=True)}
        ends = {append: i for i in filled if (append := _appends(loop, i)) is not None}
        for op in old.operations():
            if op in ends:
                byte = op.operand(1).owner
                assert isinstance(byte, Operation)
                value = mapping.get(byte.operand(0), byte.operand(0))
                rt_strings.fill(inner, made[ends[op]], arith.subi(inner, args[0], low), value)
            elif op is not old.terminator:
                inner.insert(op.clone(mapping))
        return [mapping.get(v, v) for i, v in enumerate(old.terminator.operands) if i in kept]

    new = scf.for_(b, low, high, step, [starts[i] for i in kept], body)
    for k, i in enumerate(kept):
        loop.results[i].replace_all_uses_with(new.results[k])
    for i, value in made.items():
        loop.results[i].replace_all_uses_with(value)
    loop.erase()


def _appends(loop: Operation, i: int) -> Operation | None:
    """What puts a byte behind string `i` that the loop carries, where that is all that happens to it."""
    block = loop.body()
    if loop.results[i].type != STRING or rt_strings.constant_bytes(loop.operand(3 + i)) != b"":
        return None
    append = block.terminator.operand(i).defining_op("rt.str_append")
    carried = block.args[1 + i]
    if append is None or append.parent is not block or append.operand(0) is not carried:
        return None
    if append.operand(1).defining_op("rt.str_of_byte") is None or len(list(carried.uses)) > 1:
        return None
    return append if len(list(append.result.uses)) == 1 else None
