"""TorchScript graph text: prints `torch.func`s as PyTorch prints its graphs; `graph_parser.py` reads it back.

    forward(%x.1 : Float(2, 3, device=cpu),
            %n : int):
      %2 : int = prim::Constant[value=1]()
      %3 : Float(2, 3, device=cpu) = aten::add(%x.1, %2, %2)
      return (%3)

PyTorch's `parse_ir` reads it too (but for class types, which it cannot). What its format has no place for stands in
comments: a symbol that is no identifier (`# symbol a.b`, before the graph), a parameter whose name is none
(`# states[0]`), the name of a tensor constant (`# constant w`), a Scalar known to be a bool (`# bool`), several
results of an operator that returns a list (`# flat`, on the unpacking node). Overloads are not printed; the types of
the operands tell them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from .attributes import Attribute, Constant
from .core import MODULE, BlockArgument, Operation, OpResult, Region, Value, functions
from .dialects import torch
from .operators import schema
from .script_types import BOOL, NUMBER, EnumMember, FutureType, ListType, TensorType
from .types import Type

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_VALUE_NAME: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\Z")


def print_module(op: Operation, marks: Mapping[Operation, str] | None = None, locations: bool = False) -> str:
    """All functions of a module (or one function), an empty line between them.

    `locations` adds source positions as comments; `marks` puts messages below operations.
    """
    found = list(functions(op)) if op.name == MODULE else [op]
    return "\n".join(GraphPrinter(marks or {}, locations).function(f) for f in found)


def for_pytorch(text: str) -> str:
    """The text as `torch._C.parse_ir` takes it: without the `=` of nodes without results, which PyTorch only prints."""
    return re.sub(r"(?m)^( +) = (?=[a-z])", r"\1", text)


class GraphPrinter:
    """The text of one function. `spell`, `attributes`, `comment` and `call` are what other spellings change."""

    def __init__(self, marks: Mapping[Operation, str], locations: bool) -> None:
        self._marks = marks
        self._locations = locations
        self._names: dict[Value, str] = {}
        self._taken: set[str] = set()
        self._count = 0
        self._suffixes: dict[str, int] = {}

    def function(self, op: Operation) -> str:
        if op.name != torch.FUNC:
            return "".join(self.lines(self.node(op, "")))
        symbol = str(op.attributes.get("sym_name"))
        word = symbol if _IDENTIFIER.match(symbol) else "graph"
        lines = [] if word == symbol else [f"# symbol {symbol}\n"]
        names = cast(tuple[str, ...], op.attributes.get("arg_names", ()))
        arguments = op.regions[0].blocks[0].args if op.regions and op.regions[0].blocks else []
        lines.append(f"{word}(")
        indent = " " * (len(word) + 1)
        for i, argument in enumerate(arguments):
            name = names[i] if i < len(names) else argument.name or ""
            printed = self._define(argument, name)
            last = i == len(arguments) - 1
            comment = "" if printed == f"%{name}" else f" # {name}"
            lines.append(
                f"{indent if i else ''}{printed} : {self.spell(argument.type)}{'' if last else ',' + comment + chr(10)}"
            )
            if last:
                lines.append(f"):{comment}\n")
        if not arguments:
            lines.append("):\n")
        if op in self._marks:
            lines.append(f"# ^^^^ {self._marks[op]}\n")
        lines += self.lines(self.nodes(op.regions[0], "  ") if op.regions else iter(()))
        return "".join(lines)

    def lines(self, start: Iterator[Any]) -> list[str]:
        """Pieces of a generator and of those that it yields; not recursive, blocks may nest deeply."""
        out: list[str] = []
        stack = [start]
        while stack:
            piece = next(stack[-1], None)
            if piece is None:
                stack.pop()
            elif isinstance(piece, str):
                out.append(piece)
            else:
                stack.append(piece)
        return out

    def nodes(self, region: Region, indent: str) -> Iterator[Any]:
        for block in region.blocks:
            for op in block.operations():
                yield self.node(op, indent)

    def node(self, op: Operation, indent: str) -> Iterator[Any]:
        if op.name == torch.RETURN:
            yield f"{indent}return ({self.values(op.operands)})\n"
        elif op.name == torch.YIELD:
            yield f"{indent}-> ({self.values(op.operands)})\n"
        elif _is_flat(op):
            yield from self._flat(op, indent)
        else:
            outs = ", ".join(f"{self.name(r)} : {self.result_type(op, r)}" for r in op.results)
            yield f"{indent}{outs} = {self.call(op)}\n"
        if op in self._marks:
            yield f"{indent}# ^^^^ {self._marks[op]}\n"
        for i, region in enumerate(self.regions(op)):
            arguments = region.blocks[0].args if region.blocks else []
            shown = ", ".join(f"{self.name(a)} : {self.spell(a.type)}" for a in arguments)
            yield f"{indent}  block{i}({shown}):\n"
            yield self.nodes(region, indent + "    ")

    def _flat(self, op: Operation, indent: str) -> Iterator[Any]:
        """An operator that returns a list, its elements being the results of the operation."""
        name = self._unique("")
        element = _returned_list(op)
        yield f"{indent}{name} : {self.spell(element)} = {self.call(op)}\n"
        outs = ", ".join(f"{self.name(r)} : {self.spell(r.type)}" for r in op.results)
        yield f"{indent}{outs} = prim::ListUnpack({name}) # flat\n"

    def call(self, op: Operation) -> str:
        return f"{_base(op.name)}{self.attributes(op)}({self.values(op.operands)}){self.comment(op)}"

    def attributes(self, op: Operation) -> str:
        return _attributes(op)

    def regions(self, op: Operation) -> Sequence[Region]:
        """What is printed below an operation."""
        return op.regions

    def spell(self, type: Type) -> str:
        return print_type(type)

    def result_type(self, op: Operation, result: OpResult) -> str:
        return _result_type(op, result)

    def comment(self, op: Operation) -> str:
        value = op.attributes.get("value")
        notes = [f"constant {value.name}"] if isinstance(value, Constant) else []
        if _is_refined_number(op):
            notes.append("bool")
        if self._locations and op.span is not None:
            notes.append(str(op.span.written))
        return f" # {' '.join(notes)}" if notes else ""

    def values(self, values: Sequence[Value]) -> str:
        return ", ".join(map(self.name, values))

    def name(self, value: Value) -> str:
        return self._names.get(value) or self._define(value, self.hint(value))

    def hint(self, value: Value) -> str:
        """The name that a value would like to have."""
        return value.name or ""

    def _define(self, value: Value, hint: str) -> str:
        self._names[value] = name = self._unique(hint if hint or not isinstance(value, BlockArgument) else "")
        return name

    def _unique(self, hint: str) -> str:
        """`%hint`, with `.1` and so on where it is taken; without a hint the number of values so far, as in PyTorch."""
        number = self._count
        self._count += 1
        name = hint if _VALUE_NAME.match(hint) else re.sub(r"[^A-Za-z0-9_]", "_", hint)
        if name[:1].isdigit():
            name = f"_{name}"
        stem = re.sub(r"\.[0-9]+\Z", "", name)
        candidate = f"%{name or number}"
        while candidate in self._taken:
            self._suffixes[stem] = self._suffixes.get(stem, 0) + 1
            candidate = f"%{stem}.{self._suffixes[stem]}"
        self._taken.add(candidate)
        return candidate


def _base(name: str) -> str:
    """The name without its overload."""
    return name.partition(".")[0] if "::" in name else name


def _is_flat(op: Operation) -> bool:
    return len(op.results) != 1 and op.name.startswith("aten::") and _returned_list(op) is not None


def _returned_list(op: Operation) -> Any:
    form = schema(op.name)
    if form is None or len(form.returns) != 1 or not isinstance(form.returns[0].type, ListType):
        return None
    return form.returns[0].type


# types


def print_type(t: Type) -> str:
    """A type as graphs spell it; dtype without a known rank is left out, as PyTorch's parser wants."""
    if isinstance(t, TensorType) and t.shape is None:
        return "Tensor"
    if isinstance(t, FutureType):
        return f"Future({print_type(t.element)})"
    return str(t)


def _result_type(op: Operation, result: OpResult) -> str:
    if isinstance(op.attributes.get("value"), Constant) and isinstance(result.type, TensorType):
        return _complete_type(result.type)
    if _is_refined_number(op):
        return print_type(NUMBER)
    return print_type(result.type)


def _is_refined_number(op: Operation) -> bool:
    """Whether `op` returns a bool where its schema says Scalar: no subtype for PyTorch, so a comment says it."""
    if len(op.results) != 1 or op.results[0].type != BOOL:
        return False
    form = schema(op.name)
    return form is not None and [r.type for r in form.returns] == [NUMBER]


def _complete_type(t: TensorType) -> str:
    """With strides: PyTorch makes a tensor of a constant's type."""
    if t.shape is None or t.dtype is None or None in t.shape:
        return print_type(t)
    shape = cast(tuple[int, ...], t.shape)
    strides = [math.prod(max(1, n) for n in shape[i + 1 :]) for i in range(len(shape))]
    dims = "".join(f"{n}, " for n in shape)
    return f"{t.dtype.graph_name}({dims}strides={strides}, requires_grad=0, device=cpu)"


# attributes


def _attributes(op: Operation) -> str:
    shown = {k: v for k, v in op.attributes.items() if v is not None and k not in (torch.CONTEXT, torch.KEPT)}
    entries = [f"{key}={print_value(value)}" for key, value in shown.items()]
    return f"[{', '.join(entries)}]" if entries else ""


def print_value(value: Attribute) -> str:
    """An attribute value; numbers are exact."""
    match value:
        case bool():
            return str(int(value))
        case int():
            return str(value)
        case float():
            return print_float(value)
        case complex():
            if value.real == 0 and math.copysign(1, value.real) > 0:
                return f"{print_float(value.imag)}j"
            sign = "" if math.copysign(1, value.imag) < 0 else "+"
            return f"{print_float(value.real)}{sign}{print_float(value.imag)}j"
        case str():
            return quote(value)
        case tuple():
            return f"[{', '.join(map(print_value, value))}]"
        case Constant():
            return "<Tensor>"
        case EnumMember():
            return str(value)
        case Type():
            return print_type(value)
        case _:
            return quote(str(value))


def print_float(value: float) -> str:
    text = repr(value)
    return text.removesuffix("0") if text.endswith(".0") else text


_ESCAPES: Final = {
    0x22: '\\"',
    0x5C: "\\\\",
    0x0A: "\\n",
    0x09: "\\t",
    0x0D: "\\r",
    0x0C: "\\f",
    0x08: "\\b",
    0x0B: "\\v",
    7: "\\a",
}


def quote(text: str) -> str:
    """A string literal: bytes outside of printable ASCII in octal."""
    return '"' + "".join(_ESCAPES.get(c) or (chr(c) if 32 <= c < 127 else f"\\{c:03o}") for c in text.encode()) + '"'
