"""Verifies IR: raises InternalError where an invariant is broken, with the operations marked in the printed function.

What holds of every valid module, at every stage:

1. Links agree: an operation knows its block, a block its region, a region its operation; a result its operation and
   number; a value lists exactly the operands that use it.
2. Operations are known: of a dialect, or an `aten::` / `prim::` node of the torch stage.
3. Numbers of operands, results and regions are those of the definition (of the schema, for `aten::` nodes).
4. Every block ends with a terminator and has no other; modules have none. `scf.if` may lack its second block, a
   declaration its only one; other regions have one block each.
5. Values are defined before they are used, in the same block or in one around it; the body of a function or a
   module uses nothing from outside.
6. Operations of one type (`SAME_TYPE`) have it; `checks.py` lists what else each operation demands.
7. Symbols are unique in their module, and calls name a function of the right type.

The torch stage also: branches of `prim::If` yield, and bodies of `prim::Loop` take and yield, what the node returns
(subtypes are allowed); operands of `aten::` nodes fit the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from .attributes import DenseArrayAttr, SymbolRef
from .checks import CHECKS, REQUIRED
from .core import MODULE, Block, Operation, Region, Value
from .definition import OpDefinition, Trait, operand_groups
from .diagnostics import InternalError
from .dialects import DEFINITIONS
from .operators import schema
from .printer import print_module
from .schema import Schema
from .script_types import (
    BOOL,
    INT,
    TENSOR,
    BoolType,
    DictType,
    FloatType,
    FutureType,
    IntType,
    ListType,
    NumberType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
)
from .subtyping import bind_variables, is_subtype, substitute
from .types import FunctionType

_CONTAINERS: Final = frozenset({MODULE, "gpu.module"})
_SHOWN: Final = 8
_CONTEXT: Final = 6


def verify(module: Operation) -> None:
    """Nothing for a valid module; else InternalError."""
    faults = find_faults(module)
    if faults:
        raise InternalError(describe(faults))


def find_faults(module: Operation) -> dict[Operation, str]:
    """What is wrong, by operation; the first fault of each."""
    verifier = _Verifier()
    verifier.module(module)
    return verifier.faults


def describe(faults: dict[Operation, str]) -> str:
    """The faults in words, and each function that has some printed with marks."""
    lines = [f"invalid IR: {len(faults)} operation{'s' if len(faults) > 1 else ''}"]
    for op, message in list(faults.items())[:_SHOWN]:
        lines.append(f"  {op.name}{f' at {op.span}' if op.span else ''}: {message}")
    tops = dict.fromkeys(_top(op) for op in faults)
    for top in list(tops)[:_SHOWN]:
        marks = {op: message for op, message in faults.items() if _top(op) is top}
        lines += ["", *_around_marks(print_module(top, marks))]
    return "\n".join(lines)


def _top(op: Operation) -> Operation:
    """The function (or other operation directly in the module) that `op` is in."""
    while op.parent_op is not None and op.parent_op.parent_op is not None:
        op = op.parent_op
    return op


def _around_marks(text: str) -> list[str]:
    """The lines near marks, `...` for the others."""
    lines = text.splitlines()
    near = {0}
    for i, line in enumerate(lines):
        if line.lstrip(" #").startswith("^") and not line.lstrip().startswith("^bb"):
            near.update(range(i - _CONTEXT, i + _CONTEXT))
    shown: list[str] = []
    for i, line in enumerate(lines):
        if i in near:
            shown.append(line)
        elif shown and shown[-1] != "...":
            shown.append("...")
    return shown


@dataclass
class _Verifier:
    faults: dict[Operation, str] = field(default_factory=dict[Operation, str])
    visible: set[Value] = field(default_factory=set[Value])

    def fault(self, op: Operation, message: str) -> None:
        self.faults.setdefault(op, message)

    def module(self, module: Operation) -> None:
        """Walks the module with a stack of its own: programs may nest deeper than Python's stack."""
        self.operation(module)
        stack = [_Scope(self._enter(module), self.visible)]
        while stack:
            scope = stack[-1]
            op = next(scope.operations, None)
            if op is None:
                self.visible = scope.outside
                self.visible.difference_update(scope.added)
                stack.pop()
                continue
            self.operation(op)
            scope.added += op.results
            self.visible.update(op.results)
            if op.regions:
                stack += [self._scope(op, region) for region in reversed(op.regions)]
        for container in _containers(module):
            self.symbols(module, container)

    def _scope(self, op: Operation, region: Region) -> _Scope:
        scope = _Scope(iter(()), self.visible)
        scope.operations = self._contents(op, region, scope)
        return scope

    def _enter(self, op: Operation) -> Iterator[Operation]:
        for region in op.regions:
            scope = _Scope(iter(()), self.visible)
            yield from self._contents(op, region, scope)

    def _contents(self, op: Operation, region: Region, scope: _Scope) -> Iterator[Operation]:
        if _has(op, Trait.ISOLATED):
            self.visible = set()
        for block in region.blocks:
            scope.added += block.args
            self.visible.update(block.args)
            yield from block.operations()

    # one operation

    def operation(self, op: Operation) -> None:
        self.links(op)
        definition = DEFINITIONS.get(op.name)
        if op.name.startswith("aten::") and definition is None:
            self.node(op)
        elif definition is not None:
            self.defined(op, definition)
        elif op.name.startswith("prim::"):
            self.node(op)
        else:
            self.fault(op, "no such operation")
        self.terminators(op, definition)
        self.dominance(op)

    def links(self, op: Operation) -> None:
        for i, value in enumerate(op.operands):
            if (op, i) not in value.uses:
                self.fault(op, f"operand {i} does not know of this use")
        for i, result in enumerate(op.results):
            if result.op is not op or result.index != i:
                self.fault(op, f"result {i} belongs to another operation")
            if any(user.operand(index) is not result for user, index in result.uses):
                self.fault(op, f"result {i} lists a use that is none")
            if any(not _is_attached(user, op) for user, _ in result.uses):
                self.fault(op, f"result {i} is used by an operation that was taken out")
        for region in op.regions:
            if region.parent is not op:
                self.fault(op, "a region belongs to another operation")
            for block in region.blocks:
                if block.parent is not region or any(
                    a.block is not block or a.index != i for i, a in enumerate(block.args)
                ):
                    self.fault(op, "a block or its arguments belong elsewhere")
                if any(inner.parent is not block for inner in block.operations()):
                    self.fault(op, "an operation in its block belongs elsewhere")

    def defined(self, op: Operation, definition: OpDefinition) -> None:
        wrong = _count(op, definition)
        if wrong is None and definition.verify is not None:
            wrong = definition.verify(op)
        if wrong is None and Trait.SAME_TYPE in definition.traits:
            types = {v.type for v in (*op.operands, *op.results)}
            wrong = None if len(types) <= 1 else f"types {', '.join(sorted(map(str, types)))} are not one type"
        if wrong is None:
            wrong = _missing(op)
        if wrong is None and op.name in CHECKS and not any(inner.name not in DEFINITIONS for inner in _bodies(op)):
            wrong = CHECKS[op.name](op)
        if wrong is None and op.name in _TORCH_CHECKS:
            wrong = _TORCH_CHECKS[op.name](op)
        if wrong is not None:
            self.fault(op, wrong)

    def node(self, op: Operation) -> None:
        form = schema(op.name)
        if form is None:
            if op.name.startswith("aten::"):
                self.fault(op, "no operator of that name")
            return
        wrong = _fits_schema(op, form)
        if wrong is not None:
            self.fault(op, wrong)

    def terminators(self, op: Operation, definition: OpDefinition | None) -> None:
        if (
            definition is not None
            and Trait.TERMINATOR in definition.traits
            and op.parent is not None
            and op.next is not None
        ):
            self.fault(op, "a terminator is not at the end of its block")
        if op.name in _CONTAINERS:
            return
        for region in op.regions:
            for block in region.blocks:
                if block.last is None or not _has(block.last, Trait.TERMINATOR):
                    self.fault(op, "a block does not end with a terminator")

    def dominance(self, op: Operation) -> None:
        for i, value in enumerate(op.operands):
            if value not in self.visible:
                self.fault(op, f"operand {i} is not defined before this use")

    # symbols

    def symbols(self, module: Operation, container: Operation) -> None:
        seen: dict[Any, Operation] = {}
        for op in container.body().operations():
            name = op.attributes.get("sym_name")
            if name is not None and seen.setdefault(name, op) is not op:
                self.fault(op, f"a second @{name}")
        if container is not module:
            return
        for op in container.walk():
            if op.name == "func.call" and op not in self.faults:
                wrong = _call(op, seen)
                if wrong is not None:
                    self.fault(op, wrong)


@dataclass
class _Scope:
    """A region being walked: what is left of it, the values seen outside, and those it has added."""

    operations: Iterator[Operation]
    outside: set[Value]
    added: list[Value] = field(default_factory=list[Value])


def _has(op: Operation, trait: Trait) -> bool:
    definition = DEFINITIONS.get(op.name)
    return definition is not None and trait in definition.traits


def _is_attached(user: Operation, definer: Operation) -> bool:
    return user.parent is not None or definer.parent is None


def _bodies(op: Operation) -> Iterator[Operation]:
    """Operations directly in the regions of `op`: the terminators that checks look at."""
    for region in op.regions:
        for block in region.blocks:
            if block.last is not None:
                yield block.last


def _containers(module: Operation) -> list[Operation]:
    if module.name != MODULE:
        return []
    return [module, *(op for op in module.body().operations() if op.name == "gpu.module")]


def _count(op: Operation, definition: OpDefinition) -> str | None:
    if operand_groups(op, definition) is None:
        segments = op.attributes.get("operandSegmentSizes")
        parts = f" in groups of {list(segments.values)}" if isinstance(segments, DenseArrayAttr) else ""
        return f"{len(op.operands)} operands{parts} for ({', '.join(definition.operands)})"
    if definition.results is not None and len(op.results) != definition.results:
        return f"{len(op.results)} results instead of {definition.results}"
    if definition.regions is not None and len(op.regions) != definition.regions:
        return f"{len(op.regions)} regions instead of {definition.regions}"
    for i, region in enumerate(op.regions):
        may_be_empty = (op.name == "scf.if" and i == 1) or op.name == "func.func"
        if len(region.blocks) != 1 and not (may_be_empty and not region.blocks):
            return f"region {i} has {len(region.blocks)} blocks"
    return None


def _missing(op: Operation) -> str | None:
    for name, kind in REQUIRED.get(op.name, {}).items():
        if not isinstance(op.attributes.get(name), kind):
            return f"the attribute {name} is {op.attributes.get(name)!r}, not a {kind.__name__}"
    return None


def _call(op: Operation, symbols: dict[Any, Operation]) -> str | None:
    name = cast(SymbolRef, op.attributes["callee"]).name
    callee = symbols.get(name)
    if callee is None or callee.name != "func.func":
        return f"no function @{name} in this module"
    type = cast(FunctionType, callee.attributes["function_type"])
    found = FunctionType(tuple(v.type for v in op.operands), tuple(r.type for r in op.results))
    return None if type == found else f"@{name} is {type}, called as {found}"


# torch stage


def _fits_schema(op: Operation, form: Schema) -> str | None:
    n = len(form.arguments)
    if len(op.operands) < n or (len(op.operands) > n and not form.varargs):
        return f"{len(op.operands)} operands for {form}"
    bindings: dict[str, ScriptType] = {}
    for argument, value in zip(form.arguments, op.operands, strict=False):
        if not isinstance(value.type, ScriptType) or not _fits(argument.type, _without_shapes(value.type), bindings):
            return f"{value.type} is given for `{argument.name}` of {form}"
    returned = [r.type for r in form.returns]
    if len(op.results) != len(returned) and not (len(returned) == 1 and isinstance(returned[0], ListType)):
        return f"{len(op.results)} results for {form}"
    return None


def _without_shapes(t: ScriptType) -> ScriptType:
    """An element of a list may be of another shape than the others."""
    match t:
        case TensorType():
            return TENSOR
        case ListType():
            return ListType(_without_shapes(t.element))
        case DictType():
            return DictType(t.key, _without_shapes(t.value))
        case TupleType():
            return TupleType(tuple(map(_without_shapes, t.elements)))
        case _:
            return t


def _fits(formal: ScriptType, actual: ScriptType, bindings: dict[str, ScriptType]) -> bool:
    """Numbers fit where numbers are taken: what kind it is has been settled when the overload was chosen."""
    if _is_number(formal) and _is_number(actual):
        return True
    if isinstance(formal, ListType) and isinstance(actual, ListType):
        if _is_number(formal.element) and _is_number(actual.element):
            return True
        if isinstance(formal.element, TensorType) and isinstance(actual.element, TensorType):
            return True
    if bind_variables(formal, actual, bindings) is not None:
        return False
    concrete = substitute(formal, bindings)
    return concrete is None or is_subtype(actual, concrete) or _optional_fits(concrete, actual, bindings)


def _optional_fits(formal: ScriptType, actual: ScriptType, bindings: dict[str, ScriptType]) -> bool:
    return isinstance(formal, OptionalType) and _fits(formal.element, actual, bindings)


def _is_number(t: ScriptType) -> bool:
    return isinstance(t, IntType | FloatType | BoolType | NumberType)


def _subtypes(what: str, found: Sequence[Value], expected: Sequence[Value]) -> str | None:
    if len(found) != len(expected):
        return f"{what} {len(found)} values, not {len(expected)}"
    for i, (value, target) in enumerate(zip(found, expected, strict=True)):
        a, b = value.type, target.type
        if not isinstance(a, ScriptType) or not isinstance(b, ScriptType):
            return f"{what} a value of type {a}"
        if not is_subtype(a, b) and not (isinstance(a, TensorType) and isinstance(b, TensorType)):
            return f"{what} {a} for value {i}, which is {b}"
    return None


def _torch_function(op: Operation) -> str | None:
    body: Block = op.body()
    names = cast(tuple[str, ...], op.attributes.get("arg_names", ()))
    if len(names) != len(body.args):
        return f"{len(names)} names for {len(body.args)} arguments"
    if body.last is None or body.last.name != "torch.return":
        return "does not end with torch.return"
    return None


def _torch_if(op: Operation) -> str | None:
    if not isinstance(op.operand(0).type, BoolType):
        return f"a condition of type {op.operand(0).type}"
    for i in range(2):
        body = op.body(i)
        if body.args:
            return "a branch has arguments"
        if body.last is None or body.last.name != "torch.yield":
            return "a branch does not end with torch.yield"
        wrong = _subtypes(f"branch {i} yields", body.last.operands, op.results)
        if wrong:
            return wrong
    return None


def _torch_loop(op: Operation) -> str | None:
    body = op.body()
    if [op.operand(0).type, op.operand(1).type] != [INT, BOOL]:
        return f"a loop starts from {op.operand(0).type} and {op.operand(1).type}"
    if not body.args or body.args[0].type != INT:
        return "the body takes no counter"
    if body.last is None or body.last.name != "torch.yield" or not body.last.operands:
        return "the body does not end with torch.yield of a condition"
    if not isinstance(body.last.operand(0).type, BoolType):
        return f"the body yields the condition as {body.last.operand(0).type}"
    return (
        _subtypes("the loop starts with", op.operands[2:], op.results)
        or _subtypes("the body takes", body.args[1:], op.results)
        or _subtypes("the body yields", body.last.operands[1:], body.args[1:])
    )


def _torch_fork(op: Operation) -> str | None:
    result = op.result.type
    if not isinstance(result, FutureType):
        return f"a fork gives {result}"
    if not op.regions:
        return None if isinstance(op.attributes.get("callee"), str) else "neither a block nor a function is forked"
    body = op.body()
    if body.args or body.last is None or body.last.name != "torch.yield" or len(body.last.operands) != 1:
        return "what is forked takes nothing and yields one value"
    given = cast(ScriptType, body.last.operand(0).type)
    return None if is_subtype(given, result.element) else f"{given} is forked as {result}"


_TORCH_CHECKS: Final = {
    "torch.func": _torch_function,
    "prim::If": _torch_if,
    "prim::Loop": _torch_loop,
    "prim::fork": _torch_fork,
}
