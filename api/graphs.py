"""`.graph` as an object: its text, and the nodes and values in it, under the names that PyTorch gives them.

In: a function of the `torch` stage in the form that PyTorch shows. Out: a string with methods; nothing can be changed.

    for node in f.graph.nodes():
        print(node.kind(), [v.debugName() for v in node.inputs()], [v.type() for v in node.outputs()])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self, cast

from ..backend.cpu.call import read_only
from ..ir.attributes import Constant
from ..ir.core import Block as IrBlock
from ..ir.core import BlockArgument, Operation, OpResult
from ..ir.core import Value as IrValue
from ..ir.diagnostics import ExecutionError
from ..ir.dialects import torch
from ..ir.graph_display import FORK, DisplayPrinter, captured, kind, shown_attributes, spelled
from ..ir.operators import schema
from ..ir.script_types import (
    AnyType,
    BoolType,
    ClassType,
    ComplexType,
    DeviceType,
    DictType,
    EnumType,
    FloatType,
    FunctionRefType,
    FutureType,
    InterfaceType,
    IntType,
    ListType,
    NoneType,
    NumberType,
    OptionalType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
)
from ..ir.subtyping import is_subtype

_KINDS: Final[dict[type[ScriptType], str]] = {
    TensorType: "TensorType",
    IntType: "IntType",
    FloatType: "FloatType",
    BoolType: "BoolType",
    ComplexType: "ComplexType",
    StrType: "StringType",
    NoneType: "NoneType",
    NumberType: "NumberType",
    DeviceType: "DeviceObjType",
    AnyType: "AnyType",
    ListType: "ListType",
    DictType: "DictType",
    OptionalType: "OptionalType",
    TupleType: "TupleType",
    UnionType: "UnionType",
    FutureType: "FutureType",
    ClassType: "ClassType",
    InterfaceType: "InterfaceType",
    EnumType: "EnumType",
    FunctionRefType: "FunctionType",
}


class Graph(str):
    """The text of a graph, with source lines as comments (`str(False)` has none), and its nodes."""

    _operation: Operation

    def __new__(cls, operation: Operation) -> Self:
        made = super().__new__(cls, DisplayPrinter(locations=True).text(operation))
        made._operation = operation
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str.__str__(self),)

    @cached_property
    def _named(self) -> _Names:
        printer = DisplayPrinter(locations=False)
        text = printer.text(self._operation)
        return _Names(printer, text)

    def str(self, print_source_ranges: bool = True) -> str:
        """The text, with or without the places in the source."""
        return self.__str__() if print_source_ranges else self._named.text

    def block(self) -> Block:
        return Block(self._operation.body(), self._named)

    def nodes(self) -> Iterator[Node]:
        """Nodes of the graph itself, in order; those in blocks are in `node.blocks()`."""
        return self.block().nodes()

    def inputs(self) -> Iterator[Value]:
        return self.block().inputs()

    def outputs(self) -> Iterator[Value]:
        return self.block().outputs()

    def return_node(self) -> Node:
        return self.block().returnNode()

    def findNode(self, kind: str, recurse: bool = True) -> Node | None:
        """The first node of a kind, such as `aten::add`; None where there is none."""
        return self.block().findNode(kind, recurse)

    def findAllNodes(self, kind: str, recurse: bool = True) -> list[Node]:
        return self.block().findAllNodes(kind, recurse)

    def copy(self) -> Graph:
        return self


@dataclass(frozen=True)
class _Names:
    """What a graph without source lines consists of."""

    printer: DisplayPrinter
    text: str


@dataclass(frozen=True)
class Block:
    """A list of nodes."""

    _block: IrBlock
    _names: _Names

    def nodes(self) -> Iterator[Node]:
        ends = (torch.RETURN, torch.YIELD)
        return (Node(op, self._names) for op in self._block.operations() if op.name not in ends)

    def inputs(self) -> Iterator[Value]:
        return (Value(a, self._names) for a in self._block.args)

    def outputs(self) -> Iterator[Value]:
        return self.returnNode().inputs()

    def returnNode(self) -> Node:
        return Node(self._block.terminator, self._names)

    def findNode(self, kind: str, recurse: bool = True) -> Node | None:
        return next(iter(self.findAllNodes(kind, recurse)), None)

    def findAllNodes(self, kind: str, recurse: bool = True) -> list[Node]:
        found: list[Node] = []
        for node in self.nodes():
            found += [node] if node.kind() == kind else []
            for inner in node.blocks() if recurse else ():
                found += inner.findAllNodes(kind)
        return found


@dataclass(frozen=True, repr=False)
class Node:
    """An operation. Two that are equal are the same one."""

    _op: Operation
    _names: _Names

    def __repr__(self) -> str:
        return self.__str__()

    def __str__(self) -> str:
        return "".join(self._names.printer.lines(self._names.printer.node(self._op, "")))

    def kind(self) -> str:
        """`aten::add`, `prim::If`."""
        return {torch.RETURN: "prim::Return", torch.YIELD: "prim::Return"}.get(self._op.name) or kind(self._op)

    def inputs(self) -> Iterator[Value]:
        values = captured(self._op) if self._op.name == FORK else self._op.operands
        return (Value(v, self._names) for v in values)

    def outputs(self) -> Iterator[Value]:
        return (Value(r, self._names) for r in self._op.results)

    def inputsAt(self, index: int) -> Value:
        return list(self.inputs())[index]

    def outputsAt(self, index: int) -> Value:
        return list(self.outputs())[index]

    def inputsSize(self) -> int:
        return len(list(self.inputs()))

    def outputsSize(self) -> int:
        return len(self._op.results)

    def input(self) -> Value:
        """The only input. ExecutionError where there is another number of them."""
        return _only(list(self.inputs()))

    def output(self) -> Value:
        return _only(list(self.outputs()))

    def namedInput(self, name: str) -> Value:
        """The input that the schema of the operator calls so. ExecutionError where there is none."""
        form = schema(self._op.name)
        for argument, value in zip(form.arguments if form is not None else (), self._op.operands, strict=False):
            if argument.name == name:
                return Value(value, self._names)
        raise ExecutionError(f"{self.kind()} has no input `{name}`")

    def hasUses(self) -> bool:
        return any(r.uses for r in self._op.results)

    def blocks(self) -> list[Block]:
        return [Block(b, self._names) for region in self._op.regions for b in region.blocks]

    def owningBlock(self) -> Block:
        assert self._op.parent is not None
        return Block(self._op.parent, self._names)

    def schema(self) -> str:
        """Of an operator, as PyTorch writes it; `(no schema)` for other nodes."""
        form = schema(self._op.name)
        return "(no schema)" if form is None else str(form)

    def sourceRange(self) -> str:
        """The line of the source, its file and number; nothing where it is not known."""
        return "" if self._op.span is None else f"{self._op.span.written}: {self._op.span.written.text}"

    def scopeName(self) -> str:
        return ""

    def attributeNames(self) -> list[str]:
        return list(shown_attributes(self._op))

    def hasAttribute(self, name: str) -> bool:
        return name in shown_attributes(self._op)

    def hasAttributes(self) -> bool:
        return bool(shown_attributes(self._op))

    def kindOf(self, name: str) -> str:
        """`i` for an int or bool, `f`, `s`, `c`, `t` for a tensor, `ival` for a tuple, `tys` for types."""
        match self[name]:
            case int():
                return "i"
            case float():
                return "f"
            case complex():
                return "c"
            case str():
                return "s"
            case tuple():
                return "tys" if name == "types" else "ival"
            case _:
                return "t"

    def __getitem__(self, name: str) -> Any:
        """An attribute: a number, string, tuple, or a tensor as an array. ExecutionError where there is none of the name."""
        value = shown_attributes(self._op).get(name)
        if value is None:
            raise ExecutionError(f"{self.kind()} has no attribute `{name}`")
        return read_only(value.array) if isinstance(value, Constant) else value

    def i(self, name: str) -> int:
        return int(self[name])

    def f(self, name: str) -> float:
        return self[name]

    def s(self, name: str) -> str:
        return self[name]

    def c(self, name: str) -> complex:
        return self[name]

    def t(self, name: str) -> Any:
        return self[name]

    def findNode(self, kind: str, recurse: bool = True) -> Node | None:
        """The first node of a kind in the blocks of this one."""
        return next(iter(self.findAllNodes(kind, recurse)), None)

    def findAllNodes(self, kind: str, recurse: bool = True) -> list[Node]:
        return [n for block in self.blocks() for n in block.findAllNodes(kind, recurse)]


def _only(values: Sequence[Value]) -> Value:
    if len(values) != 1:
        raise ExecutionError(f"the node has {len(values)} of these, not one")
    return values[0]


@dataclass(frozen=True, repr=False)
class Value:
    """What a node gives, or a parameter. Two that are equal are the same one."""

    _value: IrValue
    _names: _Names

    def __repr__(self) -> str:
        return self.__str__()

    def __str__(self) -> str:
        return f"{self.debugName()} defined in ({str(self.node()).strip()})"

    def debugName(self) -> str:
        """The name in the text, without the `%`."""
        return self._names.printer.name(self._value).removeprefix("%")

    def type(self) -> GraphType:
        return GraphType(cast(ScriptType, self._value.type))

    def node(self) -> Node:
        """The node that gives it; for a parameter of a block the one that has the block."""
        if isinstance(self._value, BlockArgument):
            around = self._value.block.parent
            assert around is not None and around.parent is not None
            return Node(around.parent, self._names)
        return Node(cast(OpResult, self._value).op, self._names)

    def offset(self) -> int:
        return self._value.index if isinstance(self._value, BlockArgument | OpResult) else 0

    def uses(self) -> list[Use]:
        return [Use(Node(op, self._names), index) for op, index in self._value.uses]

    def hasUses(self) -> bool:
        return bool(self._value.uses)

    def isCompleteTensor(self) -> bool:
        return False

    def requires_grad(self) -> bool:
        return False

    def toIValue(self) -> Any:
        """What a constant is; None for what is none."""
        op = self._value.defining_op("prim::Constant")
        if op is None or "value" not in op.attributes:
            return None
        value = op.attributes["value"]
        return read_only(value.array) if isinstance(value, Constant) else value


@dataclass(frozen=True)
class Use:
    """Where a value is used: the node, and the number of its input."""

    user: Node
    offset: int


@dataclass(frozen=True, repr=False)
class GraphType:
    """The type of a value. `str()` gives Python's spelling (`List[int]`), `repr()` that of graphs (`int[]`)."""

    _type: ScriptType

    def __str__(self) -> str:
        return self._type.annotation

    def __repr__(self) -> str:
        return spelled(self._type)

    def str(self) -> str:
        return spelled(self._type)

    @property
    def annotation_str(self) -> str:
        return self._type.annotation

    def kind(self) -> str:
        """`TensorType`, `ListType`, ..."""
        return next((k for t, k in _KINDS.items() if isinstance(self._type, t)), type(self._type).__name__)

    def isSubtypeOf(self, other: GraphType) -> bool:
        return is_subtype(self._type, other._type)

    def getElementType(self) -> GraphType:
        """Of a list, an Optional or a Future. ExecutionError for another type."""
        if not isinstance(self._type, ListType | OptionalType | FutureType):
            raise ExecutionError(f"{self.annotation_str} has no element type")
        return GraphType(self._type.element)

    def getKeyType(self) -> GraphType:
        return GraphType(self._dict.key)

    def getValueType(self) -> GraphType:
        return GraphType(self._dict.value)

    @property
    def _dict(self) -> DictType:
        if not isinstance(self._type, DictType):
            raise ExecutionError(f"{self.annotation_str} has no keys")
        return self._type

    def elements(self) -> list[GraphType]:
        """Of a tuple."""
        return [GraphType(e) for e in self._type.elements] if isinstance(self._type, TupleType) else []

    def containedTypes(self) -> list[GraphType]:
        """Types of members of a Union."""
        return [GraphType(e) for e in self._type.members] if isinstance(self._type, UnionType) else self.elements()
