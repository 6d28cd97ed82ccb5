"""`torch.jit._awaitable(f, x)`: a call that is made where its result is first waited for, and once.

It is known when compiling which call that is: an awaitable is a meaning of a local name, not a value, and what has been
waited for on the way to a place is its result there. Where only the run could tell, that is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...ir.core import Value
from ...ir.diagnostics import Note
from ...ir.script_types import PoisonType, ScriptType
from .. import ast
from .frames import Frame
from .meanings import Awaitable, Meaning

if TYPE_CHECKING:
    from .calls import Calls

_Builtin = Callable[["Calls", ast.Call, ScriptType | None], Meaning]


@dataclass(eq=False)
class DeferredCall(Awaitable):
    """`call` with its arguments as names of `names`; its result is the local variable `result` once it has been made."""

    callee: Meaning
    call: ast.Call
    names: Frame
    result: str
    loop_depth: int


def _deferred(calls: Calls, callee: Meaning, call: ast.Call, names: Frame) -> DeferredCall:
    calls.awaitables += 1
    return DeferredCall(callee, call, names, f"awaited.{calls.awaitables}", calls.loop_depth)


def _awaitable(calls: Calls, node: ast.Call, hint: ScriptType | None) -> Meaning:
    del hint
    if not node.args:
        raise calls.fault(node.span, "_awaitable takes a function and its arguments")
    names = Frame(None)
    callee = calls.meaning(node.args[0])
    call = ast.Call(node.span, node.args[0], node.args[1:], node.keywords)
    return _deferred(calls, callee, calls.with_named_arguments(call, names), names)


def _nowait(calls: Calls, node: ast.Call, hint: ScriptType | None) -> Meaning:
    value = calls.value(calls.one_argument(node, "_awaitable_nowait"), hint)
    found = _deferred(calls, value, node, Frame(None))
    calls.frame.set(found.result, value)
    return found


def _wait(calls: Calls, node: ast.Call, hint: ScriptType | None) -> Meaning:
    del hint
    found = calls.meaning(calls.one_argument(node, "_awaitable_wait"))
    if isinstance(found, Value) and isinstance(found.type, PoisonType):
        return found
    if not isinstance(found, DeferredCall):
        raise calls.fault(node.args[0].span, "this is no awaitable", help="torch.jit._awaitable(f, ...) makes one")
    made = calls.frame.find(found.result)
    if made is not None:
        return made
    why = calls.frame.why_missing(found.result)
    if why is not None:
        raise calls.fault(
            node.span,
            "the awaitable has been waited for on some paths to here only",
            notes=[Note("this branch or loop decides", why.span)],
            help="wait for it before",
        )
    if calls.loop_depth != found.loop_depth:
        raise calls.fault(node.span, "an awaitable from outside of a loop is first waited for inside of it")
    value = calls.called_with(found.callee, found.call, found.names)
    calls.frame.set(found.result, value)
    return value


AWAITABLE_BUILTINS: Final[dict[str, _Builtin]] = {
    "torch.jit._awaitable": _awaitable,
    "torch.jit._awaitable_nowait": _nowait,
    "torch.jit._awaitable_wait": _wait,
}
