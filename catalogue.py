"""What is known of PyTorch's operators: which are implemented, and how; which a program uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

from .frontend import prelude
from .frontend.compile import prelude_function
from .ir import quantized_rules
from .ir.core import Block, Operation, OpResult, Value, functions
from .ir.dialects.aten import generators
from .ir.interpreters import builtins
from .ir.operators import find, functional_form, is_view, schema, split_name, uniform_name
from .ir.overloads import candidates, core_names, names
from .ir.places import Places
from .ir.program import Program
from .ir.script_types import ClassType, ScriptObject, TensorType
from .ir.source import Span
from .lowering.graph import tensor_writes
from .lowering.graph.tensor_builtins import TENSOR_BUILTINS
from .lowering.tensor import memory

SUPPORTED: Final = ("primitive", "composite", "derived", "language")


@dataclass(frozen=True)
class KnownOperator:
    name: str
    status: str
    """primitive, composite, derived (in-place or `out=` of one of these, or another name), language (sizes, lists, dicts, strings: resolved when
    a program is specialised, or compiled with it), or why not."""
    core: bool

    @property
    def supported(self) -> bool:
        return self.status in SUPPORTED


def operators() -> list[KnownOperator]:
    """Every operator that has a schema here, with its status."""
    core = set(core_names())
    found = [schema.name for base in names() if base.startswith("aten::") for schema in candidates(base)]
    return [KnownOperator(name, status(name), name in core) for name in found]


@cache
def status(name: str) -> str:
    """How `aten::add.Tensor` is implemented."""
    record = find(name)
    if record is not None:
        refuses = record.lower.__name__ == "unsupported" and name not in memory.VIEWS
        return f"not yet: {record.lower.__doc__}" if refuses else "primitive"
    if prelude.is_composite(name):
        return "composite"
    if uniform_name(name) != name and status(uniform_name(name)) in SUPPORTED:
        return "derived"
    form = functional_form(name)
    if form is not None and (form[0] in tensor_writes.WITHOUT_RECORD or status(form[0]) in SUPPORTED):
        return "derived"
    return "language" if _resolved_early(name) else "not yet"


def _resolved_early(name: str) -> bool:
    """Whether the specialiser itself knows what the operator gives."""
    base, form = split_name(name)[0], schema(name)
    takes_tensor = form is not None and bool(form.arguments) and isinstance(form.arguments[0].type, TensorType)
    if name in generators.REFERENCES or name in quantized_rules.MAKING or (takes_tensor and base in quantized_rules.TAKING):
        return True
    if name in TENSOR_BUILTINS or base in TENSOR_BUILTINS or base in _BY_THE_EVALUATOR:
        return True
    if form is None or not form.arguments or isinstance(form.arguments[0].type, TensorType):
        return False
    return any(base in table for table in (builtins.NUMBERS, builtins.STRINGS, builtins.LISTS, builtins.DICTS))


_BY_THE_EVALUATOR: Final = frozenset({"aten::__is__", "aten::__isnot__", "aten::wait", "aten::warn"})


def operators_used(program: Program) -> list[str]:
    """The `aten::` operators in all functions of a program, once per use."""
    return [op.name for op in program.module.walk() if op.name.startswith("aten::")]


@dataclass(frozen=True)
class Limit:
    """Something in a program that cannot be compiled."""

    what: str
    span: Span | None
    conditional: bool = False
    """Met for some arguments only, as the random numbers of `dropout` are in training."""


def unsupported(program: Program) -> list[Limit]:
    """Everything that can be seen without knowing the arguments, in the order of the source lines."""
    return unsupported_in([program.module])


def unsupported_in(operations: Sequence[Operation]) -> list[Limit]:
    """The same for functions."""
    found = [
        Limit(what, op.span and op.span.written, conditional)
        for function in operations
        for op in function.walk()
        for what, conditional in _limits(op)
    ]
    return sorted(dict.fromkeys(found), key=lambda limit: (limit.span.file.name, limit.span.start) if limit.span else ("", 0))


def _limits(op: Operation) -> list[tuple[str, bool]]:
    """What of an operation cannot be compiled, and whether that depends on its arguments."""
    if op.name.startswith("aten::"):
        reason = status(op.name)
        if reason not in SUPPORTED:
            return [(f"{op.name}: {reason}", False)]
        return [(f"{op.name}: {inner}", conditional) for inner, conditional in _inner_limits(op.name)]
    return []


def changed_attributes(program: Program) -> list[str]:
    """Paths of the attributes that the program may change: its state between calls, as far as the code shows it.

    Branches on a bool attribute of the module, such as `training`, are decided by its value.
    """
    if program.receiver is None:
        return []
    places = Places(program.receiver)
    by_type: dict[ClassType, list[ScriptObject]] = {}
    for value in places.values.values():
        if isinstance(value, ScriptObject):
            by_type.setdefault(value.type, []).append(value)
    written: dict[tuple[ClassType, str], None] = {}
    for function in functions(program.module):
        _note_changes(function.body(), by_type, written)
    paths: dict[tuple[ClassType, str], list[str]] = {(o.type, name): [] for o, name in places.attributes.values()}
    for path, (owner, name) in places.attributes.items():
        paths[owner.type, name].append(path)
    return [path for key in written for path in paths.get(key, [])]


def _note_changes(
    block: Block, by_type: Mapping[ClassType, Sequence[ScriptObject]], written: dict[tuple[ClassType, str], None]
) -> None:
    for op in block.operations():
        changed = op.operand(0) if op.operands and _changes_operand(op) else None
        owner = op.operand(0).type if op.name == "prim::SetAttr" else None
        if isinstance(owner, ClassType):
            written[owner, cast(str, op.attributes["name"])] = None
        elif changed is not None:
            source = _attribute_behind(changed)
            if source is not None:
                written[cast(ClassType, source.operand(0).type), cast(str, source.attributes["name"])] = None
        blocks = [b for region in op.regions for b in region.blocks]
        if op.name == "prim::If":
            known = _known_condition(op.operand(0), by_type)
            blocks = blocks if known is None else [blocks[0 if known else 1]]
        for inner in blocks:
            _note_changes(inner, by_type, written)


_LIST_CHANGES: Final = frozenset(
    f"aten::{n}"
    for n in ("append", "extend", "insert", "pop", "clear", "remove", "reverse", "sort", "_set_item", "Delete", "update")
)


def _changes_operand(op: Operation) -> bool:
    base = split_name(op.name)[0]
    if not base.startswith("aten::"):
        return False
    return (base.endswith("_") and not base.endswith("__")) or base in _LIST_CHANGES


def _attribute_behind(value: Value) -> Operation | None:
    """The GetAttr that a value is, or is a view of."""
    for _ in range(100):
        op = value.defining_op()
        if op is None:
            return None
        if op.name == "prim::GetAttr":
            return op if isinstance(op.operand(0).type, ClassType) else None
        form = schema(op.name) if op.name.startswith("aten::") else None
        if (op.name != "prim::unchecked_cast" and (form is None or not is_view(form))) or not op.operands:
            return None
        value = op.operand(0)
    return None


def _known_condition(value: Value, by_type: Mapping[ClassType, Sequence[ScriptObject]]) -> bool | None:
    op = value.defining_op()
    if op is None:
        return None
    if op.name == "aten::__not__":
        inner = _known_condition(op.operand(0), by_type)
        return None if inner is None else not inner
    if op.name == "prim::Constant":
        value_of = op.attributes.get("value")
        return value_of if isinstance(value_of, bool) else None
    if op.name == "prim::If":
        condition, index = _known_condition(op.operand(0), by_type), op.results.index(cast(OpResult, value))
        sides = [op.body(i).terminator.operand(index) for i in range(2)]
        if condition is not None:
            return _known_condition(sides[0 if condition else 1], by_type)
        found = {_known_condition(s, by_type) for s in sides}
        return found.pop() if len(found) == 1 else None
    if op.name == "prim::GetAttr" and isinstance(op.operand(0).type, ClassType):
        name = cast(str, op.attributes["name"])
        owners = by_type.get(cast(ClassType, op.operand(0).type), ())
        values: list[Any] = [o.attributes.get(name, o.type.constants.get(name)) for o in owners]
        return values[0] if values and isinstance(values[0], bool) and all(v is values[0] for v in values) else None
    return None


@cache
def _inner_limits(name: str) -> tuple[tuple[str, bool], ...]:
    """What the definition of a composite operator, or of the functional form of a derived one, needs and is not there."""
    form = functional_form(name)
    target = name if prelude.is_composite(name) else form[0] if form is not None and find(name) is None else None
    if target is None or not prelude.is_composite(target):
        return ()
    function = prelude_function(target)
    return tuple(
        (f"inside it {what}", conditional or _is_in_branch(op))
        for op in function.module.walk()
        for what, conditional in _limits(op)
    )


def _is_in_branch(op: Operation) -> bool:
    at = op.parent_op
    while at is not None and at.name != "prim::If":
        at = at.parent_op
    return at is not None
