"""The `torch` stage's own operations: functions, terminators and `prim::` nodes (`aten::` nodes follow from schemas)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ..attributes import Attribute
from ..builder import Builder
from ..core import Block, Operation, Region, Value
from ..definition import OpDefinition, Trait
from ..script_types import NONE, FunctionRefType, ScriptType

FUNC: Final = "torch.func"
RETURN: Final = "torch.return"
YIELD: Final = "torch.yield"
CONTEXT: Final = "context"
"""Attribute of the `prim::CallMethod` by which a `with` calls `__enter__` or `__exit__`: on an error the latter is called too."""

HERE: Final = "here"
"""Attribute of a `prim::fork`: the call is made at once, on this thread; its error comes when it is waited for."""

KEPT: Final = "kept"
"""Attribute of a node that nothing uses any more, and whose error comes before one that is known ahead."""


def func(module: Operation, name: str, arg_names: Sequence[str], arg_types: Sequence[ScriptType]) -> Operation:
    """A new function at the end of `module`; its body ends with `torch.return`."""
    attributes = {"sym_name": name, "arg_names": tuple(arg_names)}
    op = Operation(FUNC, attributes=attributes, regions=[Region([Block(arg_types, arg_names)])])
    return module.body().append(op)


def return_(b: Builder, values: Sequence[Value]) -> Operation:
    return b.create(RETURN, values)


def yield_(b: Builder, values: Sequence[Value]) -> Operation:
    return b.create(YIELD, values)


def constant(b: Builder, value: Attribute, type: ScriptType) -> Value:
    """A Python number, bool, str or tensor Constant; None needs type NONE."""
    return b.create("prim::Constant", (), (type,), {} if value is None else {"value": value}).result


def none(b: Builder) -> Value:
    return constant(b, None, NONE)


def function_constant(b: Builder, symbol: str) -> Value:
    return b.create("prim::Constant", (), (FunctionRefType(symbol),), {"name": symbol}).result


def is_constant(value: Value) -> bool:
    return value.defining_op("prim::Constant") is not None


def constant_value(value: Value) -> Attribute:
    """Value of a `prim::Constant` result (None for None)."""
    op = value.defining_op("prim::Constant")
    assert op is not None
    return op.attributes.get("value")


def arg_names(op: Operation) -> tuple[str, ...]:
    return cast(tuple[str, ...], op.attributes["arg_names"])


_PURE: Final = frozenset({Trait.PURE})
_TERMINATOR: Final = frozenset({Trait.TERMINATOR})

OPS: tuple[OpDefinition, ...] = (
    OpDefinition(FUNC, results=0, regions=1, traits=frozenset({Trait.SYMBOL, Trait.ISOLATED})),
    OpDefinition(RETURN, ("values*",), results=0, traits=_TERMINATOR),
    OpDefinition(YIELD, ("values*",), results=0, traits=_TERMINATOR),
    OpDefinition("prim::Constant", traits=_PURE),
    OpDefinition("prim::If", ("cond",), results=None, regions=2),
    OpDefinition("prim::Loop", ("max_trip_count", "cond", "carried*"), results=None, regions=1),
    OpDefinition("prim::ListConstruct", ("elements*",)),
    OpDefinition("prim::DictConstruct", ("entries*",)),
    OpDefinition("prim::TupleConstruct", ("elements*",), traits=_PURE),
    OpDefinition("prim::TupleUnpack", ("tuple",), results=None, traits=_PURE),
    OpDefinition("prim::TupleIndex", ("tuple", "index"), traits=_PURE),
    OpDefinition("prim::TupleSlice", ("tuple",), traits=_PURE),
    OpDefinition("prim::ListUnpack", ("list",), results=None),
    OpDefinition("prim::GetAttr", ("object",)),
    OpDefinition("prim::SetAttr", ("object", "value"), results=0),
    OpDefinition("prim::ModuleContainerIndex.list", ("modules", "index")),
    OpDefinition("prim::ModuleContainerIndex.dict", ("modules", "key")),
    OpDefinition("prim::fork", ("captured*",), regions=None),
    OpDefinition("prim::future", ("value",), traits=_PURE),
    OpDefinition("prim::CallMethod", ("object", "arguments*")),
    OpDefinition("prim::CallFunction", ("function", "arguments*")),
    OpDefinition("prim::CreateObject"),
    OpDefinition("prim::Enter", ("context",)),
    OpDefinition("prim::Exit", ("context",), results=0),
    OpDefinition("prim::id", ("object",), traits=_PURE),
    OpDefinition("prim::RaiseException", ("message", "class_name", "noted*"), results=0),
    OpDefinition("prim::Print", ("values*",), results=0),
    OpDefinition("prim::unchecked_cast", ("value",), traits=_PURE),
    OpDefinition("prim::Uninitialized", traits=_PURE),
    OpDefinition("prim::isinstance", ("value",), traits=_PURE),
    OpDefinition("prim::NumToTensor", ("number",), traits=_PURE),
)
