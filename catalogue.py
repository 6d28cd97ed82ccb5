"""What is known of PyTorch's operators: which are implemented, and how; which a program uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from .frontend import prelude
from .frontend.compile import prelude_function
from .ir.core import Operation
from .ir.interpreters import builtins
from .ir.operators import find, functional_form, schema, split_name
from .ir.overloads import candidates, core_names, names
from .ir.program import Program
from .ir.script_types import ClassType, TensorType
from .ir.source import Span
from .lowering.graph.calls import TENSOR_BUILTINS

SUPPORTED: Final = ("primitive", "composite", "derived", "compile time")


@dataclass(frozen=True)
class KnownOperator:
    name: str
    status: str
    """primitive, composite, derived (in-place or `out=` of one of these), compile time (resolved when a program is
    specialised: sizes, lists, strings), or why not."""
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
        return f"not yet: {record.lower.__doc__}" if record.lower.__name__ == "unsupported" else "primitive"
    if prelude.is_composite(name):
        return "composite"
    form = functional_form(name)
    if form is not None and status(form[0]) in SUPPORTED:
        return "derived"
    return "compile time" if _resolved_early(name) else "not yet"


def _resolved_early(name: str) -> bool:
    """Whether the specialiser itself knows what the operator gives."""
    base, form = split_name(name)[0], schema(name)
    if name in TENSOR_BUILTINS or base in TENSOR_BUILTINS or base in ("aten::__is__", "aten::__isnot__"):
        return True
    if form is None or not form.arguments or isinstance(form.arguments[0].type, TensorType):
        return False
    return any(base in table for table in (builtins.NUMBERS, builtins.STRINGS, builtins.LISTS, builtins.DICTS))


def operators_used(program: Program) -> list[str]:
    """The `aten::` operators in all functions of a program, once per use."""
    return [op.name for op in program.module.walk() if op.name.startswith("aten::")]


@dataclass(frozen=True)
class Limit:
    """Something in a program that cannot be compiled."""

    what: str
    span: Span | None


def unsupported(program: Program) -> list[Limit]:
    """Everything that can be seen without knowing the arguments, in the order of the source lines."""
    found = [Limit(what, op.span) for op in program.module.walk() for what in _limits(op)]
    return sorted(dict.fromkeys(found), key=lambda limit: (limit.span.file.name, limit.span.start) if limit.span else ("", 0))


def _limits(op: Operation) -> list[str]:
    if op.name.startswith("aten::"):
        reason = status(op.name)
        if reason not in SUPPORTED:
            return [f"{op.name}: {reason}"]
        return [f"{op.name}: {inner}" for inner in _inner_limits(op.name)]
    owner = op.operand(0).type if op.name == "prim::SetAttr" else None
    if isinstance(owner, ClassType) and owner.is_module:
        return [f"attribute `{op.attributes['name']}` is set: state that outlives the call"]
    return [_UNSUPPORTED_NODES[op.name]] if op.name in _UNSUPPORTED_NODES else []


_UNSUPPORTED_NODES: Final = {"prim::Print": "print"}


@cache
def _inner_limits(name: str) -> tuple[str, ...]:
    """What the definition of a composite operator, or of the functional form of a derived one, needs and is not there."""
    form = functional_form(name)
    target = name if prelude.is_composite(name) else form[0] if form is not None and find(name) is None else None
    if target is None or not prelude.is_composite(target):
        return ()
    function = prelude_function(target)
    return tuple(f"inside it {what}" for op in function.module.walk() for what in _limits(op))
