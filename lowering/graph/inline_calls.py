"""The graph of a program as it was written, or with its calls inlined: PyTorch's `graph` and `inlined_graph`.

In: functions of the `torch` stage as the frontend wrote them. Out: a function of its own; the program is not changed.
"""

from __future__ import annotations

from typing import Final, cast

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, lookup
from ...ir.diagnostics import CompileError, InternalError
from ...ir.program import Program
from ...ir.script_types import ClassType, FunctionRefType
from .pytorch_form import name_regions, to_pytorch_form

MAX_OPERATIONS: Final = 1_000_000


def shown_graph(program: Program, *, inlined: bool) -> Operation:
    """The entry alone, as PyTorch shows it. CompileError for a program that is too large once its calls are inlined."""
    function = lookup(program.module, program.entry)
    if function is None:
        raise InternalError(f"the program has no function {program.entry}")
    copy = function.clone({})
    copy.attributes["sym_name"] = "graph"
    if inlined:
        inline_calls(copy, program.module)
    name_regions(copy)
    to_pytorch_form(copy)
    return copy


def inline_calls(function: Operation, module: Operation) -> None:
    """Replaces calls of functions and methods of `module` by what these consist of, in place."""
    count = 0
    pending = [function.body()]
    while pending:
        block = pending.pop()
        op = block.first
        while op is not None:
            following = op.next
            callee = _callee(op, module)
            if callee is not None:
                following = _inline(op, callee)
            else:
                pending += [b for region in op.regions for b in region.blocks]
            count += 1
            if count > MAX_OPERATIONS:
                raise CompileError.at(function.span, "the program is too large once its calls are inlined")
            op = following
    for op in [o for o in function.walk() if o.name == "prim::Constant" and isinstance(o.result.type, FunctionRefType)]:
        if not op.result.uses:
            op.erase()


def _callee(op: Operation, module: Operation) -> Operation | None:
    if op.name == "prim::CallMethod":
        receiver = op.operand(0).type
        name = cast(str, op.attributes["name"])
        method = receiver.methods.get(name) if isinstance(receiver, ClassType) else None
        return None if method is None else lookup(module, method)
    if op.name == "prim::CallFunction":
        constant = op.operand(0).defining_op("prim::Constant")
        if constant is not None and isinstance(constant.result.type, FunctionRefType):
            return lookup(module, cast(str, constant.attributes.get("name", constant.result.type.name)))
    return None


def _inline(op: Operation, callee: Operation) -> Operation | None:
    """Writes the body in place of the call; the first operation of it, else what follows the call."""
    arguments = op.operands if op.name == "prim::CallMethod" else op.operands[1:]
    body = callee.body()
    mapping: dict[Value, Value] = dict(zip(body.args, arguments, strict=True))
    copied = Block()
    body.clone_into(copied, mapping)
    terminator = copied.terminator
    op.result.replace_all_uses_with(terminator.operand(0))
    terminator.erase()
    first = copied.first
    writer = Builder.before(op)
    for inner in list(copied.operations()):
        writer.insert(inner.detach())
    following = op.next
    op.erase()
    return first if first is not None else following
