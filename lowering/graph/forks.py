"""`prim::fork`: what may run beside the rest becomes a function of its own; all else is evaluated where it stands.

In: the block of a fork, as the frontend wrote it. Out: a `torch.func` without effects, whose arguments are the values
that it takes from outside, and `prim::fork[callee=...](those)`: a value of a future type. `aten::wait` gives what the
function gave, or raises its error. Where the block prints, or takes strings, lists or dicts made at run time, which are
counted, the call is made at once (`torch.HERE`), and only its error is kept. A block that changes what others see, draws
random numbers, or gives something that shares memory with what it took, is evaluated where it stands instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from ...ir.core import Block, Operation, Value, functions, new_module
from ...ir.diagnostics import CompileError
from ...ir.dialects import torch
from ...ir.operators import schema
from ...ir.program import StateNeeded
from ...ir.script_types import (
    ANY,
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    NEVER,
    NONE,
    STR,
    ClassType,
    DictType,
    FutureType,
    InstanceType,
    ListType,
    ScriptType,
    TensorType,
)
from ...ir.signature import ConstantResult, Parameter, ScalarSpec, Signature
from . import autocast, run_time_values
from .aliases import Aliases, analyse, is_tensor
from .fold_constants import RANDOM
from .functionalize import functionalize
from .run_time_types import general, parts, settled
from .values import Abstract, Diverged, Scalar, is_static, type_of

if TYPE_CHECKING:
    from .evaluator import Evaluator, Frame

NAME: Final = "__forked_function"
_PRINT: Final = "prim::Print"
_WAITED: Final = "waited for"


@dataclass
class Forks:
    """The functions that are forked. `allowed`: whether there may be any; `general`: what they give is of any extents."""

    allowed: bool = True
    general: bool = False
    made: list[Operation] = field(default_factory=list[Operation])

    def without(self) -> Forks | None:
        """What to try where futures that are one thing for the program do not have one type; None if nothing is left."""
        return None if not self.made else Forks(allowed=not self.general, general=True)


def forked_functions(entry: Operation, known: Sequence[Operation]) -> list[Operation]:
    """Those of the known ones that a function forks, and those that these do."""
    by_name = {str(f.attributes["sym_name"]): f for f in known}
    found: dict[Operation, None] = {}
    pending = [entry]
    while pending:
        for op in pending.pop().walk():
            callee = by_name[cast(str, op.attributes["callee"])] if op.name == "prim::fork" else None
            if callee is not None and callee not in found:
                found[callee] = None
                pending.append(callee)
    return list(found)


def is_future(value: Abstract) -> bool:
    return isinstance(value, Scalar) and isinstance(type_of(value), FutureType)


def fork(ev: Evaluator, frame: Frame, op: Operation) -> list[Abstract]:
    """What stands for the future: one, or what it would give."""
    with autocast.off(ev):
        found = _attempted(ev, frame, op) if ev.forks.allowed else None
        return ev.run_block(frame, op.body()) if found is None else [found]


def wait(ev: Evaluator, value: Abstract) -> Abstract:
    """What the future gives. Twice the same if it is waited for twice."""
    if not is_future(value):
        return value
    future = cast(Scalar, value).value
    t = cast(FutureType, future.type).element
    key = (_WAITED, future)
    if key not in ev.computed:
        ev.computed[key] = (ev.emit("aten::wait", (future,), (t,)).result, True)
    return run_time_values.read(ev, ev.computed[key][0], t)


def ready(ev: Evaluator, value: Value) -> Value:
    """A future that gives this."""
    return ev.emit("prim::future", (value,), (FutureType(cast(ScriptType, value.type)),)).result


# forking


def _attempted(ev: Evaluator, frame: Frame, op: Operation) -> Abstract | None:
    """The future of a block that may run beside the rest; None if it may not."""
    heap, assumed, computed, span, at = ev.heap, ev.assumed, ev.computed, ev.b.span, ev.inlined_at
    depth, made = ev.conditional, len(ev.forks.made)
    ev.heap, ev.computed, ev.conditional = dict(heap), computed.new_child(), depth + 1
    block = Block()
    result: Value | None = None
    try:
        with ev.b.inside(block):
            result = _evaluated(ev, frame, op, heap)
    except run_time_values.Retype:
        raise
    except CompileError:
        del ev.forks.made[made:]
        return None  # evaluated at once, it may do, or have the same error
    finally:
        ours = {k: v for k, v in ev.heap.items() if getattr(k, "is_outer", False) and k not in heap}
        ev.heap, ev.assumed, ev.computed, ev.b.span, ev.inlined_at = {**heap, **ours}, assumed, computed, span, at
        ev.conditional = depth
    if result is None:
        return None
    with ev.b.inside(block):
        ev.b.create(torch.RETURN, (result,))
    captured = _captured(block)
    prints = any(o.name == _PRINT or torch.KEPT in o.attributes for o in _walk(block))
    here = prints or not all(map(_may_cross, captured))
    function = _function(ev, block, captured, op)
    if function is None:
        return None
    ev.forks.made.append(function)
    t = FutureType(cast(ScriptType, result.type))
    marks = {k: True for k, holds in ((torch.HERE, here), (torch.KEPT, prints)) if holds}
    return Scalar(ev.emit("prim::fork", captured, (t,), {"callee": str(function.attributes["sym_name"]), **marks}).result)


def _evaluated(ev: Evaluator, frame: Frame, op: Operation, heap: object) -> Value | None:
    """Writes the block; its value as one made at run time. None where the block changes something outside."""
    declared = cast(FutureType, op.result.type).element
    before = dict(ev.heap)
    try:
        (value,) = ev.run_block(frame, op.body())
    except Diverged:
        value = None
    if any(ev.heap.get(key) is not contents for key, contents in before.items()):
        return None
    if value is None:
        return ev.emit("prim::Uninitialized", (), (NEVER,)).result
    if is_static(value, ev.heap) and not any(o.name == "prim::RaiseException" for o in _walk(ev.b.block)):
        return None
    t = declared if declared == NONE else run_time_values.element_type(ev, value, run_time_values.declared_type(ev, declared))
    if _has_futures(t):
        return None
    return run_time_values.element(ev, value, settled(general(t) if ev.forks.general else t))


def _has_futures(t: ScriptType) -> bool:
    return isinstance(t, FutureType) or any(map(_has_futures, parts(t)))


def _walk(block: Block) -> Iterator[Operation]:
    """Every operation of the block, and those in them."""
    for op in block.operations():
        yield from op.walk()


def _captured(block: Block) -> list[Value]:
    """Values from outside, constants aside."""
    inside: set[Value] = set()
    found: dict[Value, None] = {}
    for op in _walk(block):
        inside.update(op.results)
        for region in op.regions:
            for inner in region.blocks:
                inside.update(inner.args)
    for op in _walk(block):
        found.update((v, None) for v in op.operands if v not in inside and v.defining_op("prim::Constant") is None)
    return list(found)


def _may_be_taken(value: Value, changed: Sequence[ScriptType]) -> bool:
    """Numbers, tensors, and what holds no tensors and is of no type that the block changes anything of."""
    t = cast(ScriptType, value.type)
    if t == STR:
        return True
    if isinstance(t, ListType | DictType) and value.defining_op("prim::ListConstruct") is None:
        inside = _all_parts(t)
        return not any(isinstance(p, TensorType | FutureType | ClassType | InstanceType) or p in (ANY, COMPLEX) or p in changed for p in inside)
    return _may_cross(value)


def _all_parts(t: ScriptType) -> list[ScriptType]:
    return [t, *(inner for p in parts(t) for inner in _all_parts(p))]


def _changed(block: Block) -> list[ScriptType]:
    """Types of the lists and dicts that the block writes to."""
    found: list[ScriptType] = []
    for op in _walk(block):
        form = schema(op.name) if op.name.startswith("aten::") else None
        if form is not None and any(a.is_written for a in form.arguments):
            found += [cast(ScriptType, v.type) for v in op.operands if isinstance(v.type, ListType | DictType)]
    return found


def _may_cross(value: Value) -> bool:
    """Whether another thread may have it. Numbers and tensors: nothing that is counted, or changes."""
    t = value.type
    if isinstance(t, TensorType):
        return not t.in_memory and t.dtype is not None and not t.dtype.is_complex
    return t in (INT, FLOAT, BOOL)


def _function(ev: Evaluator, block: Block, captured: list[Value], op: Operation) -> Operation | None:
    """The block as a function of what it takes from outside, in which nothing is written; None if it may not be one."""
    changed = _changed(block)
    if not all(_may_be_taken(v, changed) for v in captured) or any(o.name.startswith(RANDOM) for o in _walk(block)):
        return None
    arguments: dict[Value, Value] = {v: block.add_argument(cast(ScriptType, v.type), v.name) for v in captured}
    for inner in list(_walk(block)):
        for i, operand in enumerate(inner.operands):
            constant = operand.defining_op("prim::Constant")
            if operand in arguments:
                inner.set_operand(i, arguments[operand])
            elif constant is not None and constant.parent is not block:
                if operand not in arguments:
                    arguments[operand] = block.insert_before(constant.clone({}), block.first).result
                inner.set_operand(i, arguments[operand])
    name = f"{NAME}_{len(ev.forks.made)}"
    module = new_module()
    function = torch.func(module, name, [a.name or f"a{i}" for i, a in enumerate(block.args)], [])
    function.span = op.span
    function.regions[0].blocks.clear()
    function.regions[0].add_block(block)
    return function.detach() if _is_pure(module, name) else None


def _is_pure(module: Operation, name: str) -> bool:
    """Removes writes to what the function has made; whether it writes to nothing else, and gives only what is new."""
    (function,) = functions(module)
    body = function.body()
    if _shares(analyse(function), body):
        return False
    parameters = tuple(Parameter(a.name or "", ScalarSpec(INT)) for a in body.args)
    returned = tuple(cast(ScriptType, v.type) for v in body.terminator.operands)
    try:
        signature = functionalize(module, Signature(name, parameters, returned, ConstantResult(None)))
    except (CompileError, StateNeeded):
        return False
    in_memory = any(isinstance(v.type, TensorType) and v.type.in_memory for v in body.terminator.operands)
    return len(signature.results) == len(returned) and not in_memory


def _shares(aliases: Aliases, body: Block) -> bool:
    """Whether a tensor that is returned, or put into a list, may share memory with another one or one from outside."""
    leaves = _tensors(body.terminator.operand(0))
    seen: set[object] = set()
    for atoms in [aliases.of[v].storage.atoms for v in leaves] + [frozenset((a,)) for a in aliases.in_lists]:
        if any(getattr(a, "kind", "fresh") != "fresh" for a in atoms) or not seen.isdisjoint(atoms):
            return True
        seen |= atoms
    return False


def _tensors(value: Value) -> list[Value]:
    """The tensors that a value is, or is put together of."""
    op = value.defining_op()
    if is_tensor(value):
        return [value]
    if op is not None and op.name in ("prim::TupleConstruct", "prim::unchecked_cast"):
        return [t for operand in op.operands for t in _tensors(operand)]
    return []
