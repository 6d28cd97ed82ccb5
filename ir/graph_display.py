"""Graphs as PyTorch shows them: the text of `.graph`, which is for people and for tools that look for nodes in it.

In: a `torch.func`. Out: text. It differs from `graph_text.py`, which is read again, in how some things are spelled: what
`prim::fork` runs is a graph of its own behind the main one, tuples are constants, and types that PyTorch's own reader
does not take are written as PyTorch writes them (`Future[Tensor]`, `InterfaceType<I>`).

    %f : Future[Tensor] = prim::fork_0(%x)
    ...
    with prim::fork_0 = graph(%x : Tensor):
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from .core import Block, BlockArgument, Operation, OpResult, Region, Value
from .dialects import torch
from .graph_text import GraphPrinter, print_type, print_value
from .schema import print_float, spelled_in_schema
from .script_types import (
    DictType,
    EnumMember,
    FunctionRefType,
    FutureType,
    InterfaceType,
    ListType,
    NamedTupleType,
    OptionalType,
    TupleType,
    UnionType,
)
from .second_names import FIRST_NAMES
from .torchscript.names import is_meaningful
from .types import Type

FORK: Final = "prim::fork"


def spelled(type: Type) -> str:
    """A type as PyTorch shows it in graphs."""
    match type:
        case FutureType():
            return f"Future[{spelled(type.element)}]"
        case InterfaceType():
            return f"InterfaceType<{type.name.rpartition('.')[2]}>"
        case OptionalType():
            return f"{spelled(type.element)}?"
        case ListType():
            return f"{spelled(type.element)}[]"
        case DictType():
            return spelled_in_schema(type)
        case UnionType():
            return f"Union({', '.join(map(spelled, type.members))})"
        case NamedTupleType():
            first = len(type.fields) - len(type.defaults)
            defaults = ["" if i < first else f" = {_plain(type.defaults[i - first])}" for i in range(len(type.fields))]
            parts = zip(type.fields, type.elements, defaults, strict=True)
            return f"NamedTuple({', '.join(f'{f} : {spelled(e)}{d}' for f, e, d in parts)})"
        case TupleType():
            return f"({', '.join(map(spelled, type.elements))})"
        case _:
            return print_type(type)


def kind(op: Operation) -> str:
    """The name of a node: of an operator its first one, without the overload."""
    name = op.name.partition(".")[0] if "::" in op.name else op.name
    space, _, base = name.partition("::")
    return f"aten::{FIRST_NAMES.get(base, base)}" if space == "aten" else name


def shown_attributes(op: Operation) -> Mapping[str, Any]:
    return {k: v for k, v in op.attributes.items() if v is not None and k not in (torch.CONTEXT, torch.KEPT)}


class DisplayPrinter(GraphPrinter):
    """Prints a function and what it forks; afterwards it knows the names of all values."""

    def __init__(self, locations: bool) -> None:
        super().__init__({}, locations)
        self._locations = locations
        self._forks: list[Operation] = []
        self._subgraphs: dict[Operation, str] = {}
        self._warnings: dict[Operation, int] = {}

    def text(self, op: Operation) -> str:
        for inner in op.walk():
            if inner.name == "aten::warn":
                self._warnings[inner] = len(self._warnings)
            elif inner.name == FORK:
                self._subgraphs[inner] = f"{FORK}_{len(self._subgraphs)}"
        parts = [self.function(op)]
        for forked, name in self._subgraphs.items():
            parts.append(f"with {name} = {self._subgraph(forked)}")
        return "".join(parts)

    def _subgraph(self, op: Operation) -> str:
        arguments = ",\n      ".join(f"{self.name(v)} : {self.spell(v.type)}" for v in captured(op))
        body = "".join(self.lines(self.nodes(op.regions[0], "  ")))
        head, _, last = body.rpartition("  -> ")
        return f"graph({arguments}):\n{head}  return {last}"

    def regions(self, op: Operation) -> Sequence[Region]:
        return () if op.name == FORK else op.regions

    def call(self, op: Operation) -> str:
        if op.name == FORK:
            return f"{self._subgraphs[op]}({self.values(captured(op))}){self.comment(op)}"
        return f"{kind(op)}{self.attributes(op)}({self.values(op.operands)}){self.comment(op)}"

    def attributes(self, op: Operation) -> str:
        if op in self._warnings:
            return f"[warn_id={self._warnings[op]}]"
        entries = [f"{key}={_attribute(key, value)}" for key, value in shown_attributes(op).items()]
        return f"[{', '.join(entries)}]" if entries else ""

    def spell(self, type: Type) -> str:
        return spelled(type)

    def result_type(self, op: Operation, result: OpResult) -> str:
        plain = super().result_type(op, result)
        return spelled(result.type) if plain == print_type(result.type) else plain

    def comment(self, op: Operation) -> str:
        if not self._locations or op.span is None:
            return ""
        span = op.span.written
        return f" # {span.file.name}:{span.line}:{span.column - 1}"

    def hint(self, value: Value) -> str:
        if isinstance(value, OpResult) and value.op.name == "prim::GetAttr":
            name = cast(str, value.op.attributes["name"])
            return f"_{name}" if name[:1].isdigit() else name
        return (value.name or "") if is_meaningful(value.name) else ""


def captured(op: Operation) -> Sequence[Value]:
    """What a forked function takes from around it, in order of use; functions that it calls are its own."""
    own: set[Value] = set()
    found: dict[Value, None] = {}
    for inner in op.walk():
        if inner is op:
            continue
        own.update(inner.results)
        found.update((v, None) for v in inner.operands if v not in own and not _is_inside(v, op))
    return [v for v in found if not isinstance(v.type, FunctionRefType)]


def _is_inside(value: Value, op: Operation) -> bool:
    block: Block | None = value.block if isinstance(value, BlockArgument) else cast(OpResult, value).op.parent
    while block is not None:
        around = block.parent.parent if block.parent is not None else None
        if around is op:
            return True
        block = around.parent if around is not None else None
    return False


def _attribute(key: str, value: Any) -> str:
    if key == "types":
        # PyTorch keeps what an Optional may be apart
        types = [t for given in cast("tuple[Any, ...]", value) for t in _alternatives(given)]
        return f"[{', '.join(t if isinstance(t, str) else spelled(t) for t in types)}]"
    return _plain(value) if key == "value" and type(value) in (tuple, float) else print_value(value)


def _alternatives(type: Any) -> Sequence[Any]:
    return (type.element, "NoneType") if isinstance(type, OptionalType) else (type,)


def _plain(value: Any) -> str:
    """A constant in a tuple, or a default."""
    match value:
        case bool() | None:
            return str(value)
        case float():
            return print_float(value)
        case tuple() | list():
            items = [_plain(v) for v in cast(Sequence[Any], value)]
            if isinstance(value, list):
                return f"[{', '.join(items)}]"
            return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
        case EnumMember():
            return str(value)
        case _:
            return print_value(value)
