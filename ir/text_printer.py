"""The tools with which operations are printed as MLIR text: value names, types, attributes, nested regions.

In: operations of the `linalg` and `loops` stages (others come out in MLIR's generic form). Out: text. What an operation
looks like stands in its definition's `assembly`, or, for irregular ones, in a function of `syntax.py`. Such a function
is a generator of pieces: strings, and a `Body` where a region stands; so nesting costs no Python stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import numpy as np

from .affine import AffineMap
from .assembly import (
    AttrDict,
    AttributeOf,
    Element,
    FunctionalType,
    Literal,
    OperandGroup,
    Optional,
    TypeOf,
    parse_assembly,
)
from .attributes import (
    Attribute,
    Constant,
    DenseArrayAttr,
    DenseAttr,
    FloatAttr,
    IntegerAttr,
    SymbolRef,
    Unit,
)
from .core import Block, BlockArgument, Operation, Region, Value
from .definition import OpDefinition, Trait, operand_groups
from .dtypes import DType
from .script_types import EnumMember
from .types import ComplexType, FloatType, IndexType, IntegerType, MemRefType, RankedTensorType, Type, VectorType


@dataclass(frozen=True)
class Body:
    """A region. `arguments`: print `^bb0(...)` of the entry block; `hidden`: a terminator omitted when empty."""

    region: Region
    arguments: bool = False
    hidden: str | None = None


Piece = str | Body
PrintSyntax = Callable[["Printer", Operation], Iterator[Piece]]

SEGMENTS: Final = "operandSegmentSizes"
_INDENT: Final = "  "


class Printer:
    """Prints operations; one instance per text. `marks` puts a caret line with a message below an operation."""

    def __init__(
        self,
        definitions: Mapping[str, OpDefinition],
        syntax: Mapping[str, PrintSyntax],
        marks: Mapping[Operation, str] | None = None,
    ) -> None:
        self._definitions = definitions
        self._syntax = syntax
        self._marks = marks or {}
        self._names: dict[Value, str] = {}
        self._taken: set[str] = set()
        self._suffixes: dict[str, int] = {}
        self._numbers = {"": 0, "arg": 0}
        self._aliases: dict[AffineMap, str] = {}
        self._depth = 0

    # whole texts

    def render(self, op: Operation) -> str:
        """Text of `op` with everything in it, and the definitions of the aliases that it uses."""
        self._collect_aliases(op)
        head = "".join(f"{name} = affine_map<{m}>\n" for m, name in self._aliases.items())
        return head + self._drive(self._operation(op))

    def _drive(self, start: Iterator[Any]) -> str:
        out: list[str] = []
        marked: list[tuple[int, str]] = []
        stack = [start]
        while stack:
            piece = next(stack[-1], None)
            match piece:
                case None:
                    stack.pop()
                case str():
                    out.append(piece)
                case Body():
                    stack.append(self._body(piece))
                case _Mark(message):
                    marked.append((len(out), message))
                case _:
                    stack.append(piece)
        for position, message in reversed(marked):
            line, newline, rest = "".join(out[position:]).partition("\n")
            lead = len(line) - len(line.lstrip(" "))
            out[position:] = [f"{line}{newline or chr(10)}{' ' * lead}{'^' * (len(line) - lead)} {message}\n{rest}"]
        return "".join(out)

    def _collect_aliases(self, op: Operation) -> None:
        for nested in op.walk():
            for attribute in nested.attributes.values():
                for item in attribute if isinstance(attribute, tuple) else (attribute,):
                    if isinstance(item, AffineMap) and item not in self._aliases:
                        count = len(self._aliases)
                        self._aliases[item] = f"#map{count or ''}"

    def _operation(self, op: Operation) -> Iterator[Any]:
        if op in self._marks:
            yield _Mark(self._marks[op])
        definition = self._definitions.get(op.name)
        if definition is not None and Trait.ISOLATED in definition.traits:
            self._taken.clear()
            self._suffixes.clear()
            self._numbers = {"": 0, "arg": 0}
        yield _INDENT * self._depth
        pieces = self._pieces(op, definition)
        if op.results:
            yield f"{self._result_list(op)} = "
        yield from pieces
        yield "\n"

    def _pieces(self, op: Operation, definition: OpDefinition | None) -> Iterator[Piece]:
        if op in self._marks:
            return self.generic(op)  # what is wrong with it may be what its own syntax needs
        if op.name in self._syntax:
            return self._syntax[op.name](self, op)
        if definition is not None and definition.assembly is not None and definition.results in (None, len(op.results)):
            groups = operand_groups(op, definition)
            if groups is not None:
                return self._regular(op, definition.assembly, groups)
        return self.generic(op)

    def _body(self, body: Body) -> Iterator[Any]:
        yield "{\n"
        self._depth += 1
        for number, block in enumerate(body.region.blocks):
            if number > 0 or (body.arguments and block.args):
                yield f"{_INDENT * (self._depth - 1)}^bb{number}{self._block_arguments(block)}:\n"
            for op in block.operations():
                if (
                    op is block.last
                    and op.name == body.hidden
                    and not op.operands
                    and not op.regions
                    and op not in self._marks
                ):
                    continue
                yield self._operation(op)
        self._depth -= 1
        yield f"{_INDENT * self._depth}}}"

    def _block_arguments(self, block: Block) -> str:
        return f"({', '.join(self.typed(a) for a in block.args)})" if block.args else ""

    # values

    def value(self, value: Value) -> str:
        """`%name` of a value; `%name#1` of a later result of an operation whose results share a name."""
        return self._names.get(value) or self._define(value)

    def values(self, values: Sequence[Value]) -> str:
        return ", ".join(map(self.value, values))

    def typed(self, value: Value) -> str:
        """`%x: f32`."""
        return f"{self.value(value)}: {value.type}"

    def types(self, values: Sequence[Value]) -> str:
        return ", ".join(str(v.type) for v in values)

    def typed_values(self, values: Sequence[Value]) -> str:
        """`%x, %y : f32, i32`."""
        return f"{self.values(values)} : {self.types(values)}"

    def _result_list(self, op: Operation) -> str:
        if len(op.results) == 1 or any(r.name for r in op.results[1:]):
            return ", ".join(map(self.value, op.results))
        name = self._unique(op.results[0].name or "")
        for i, result in enumerate(op.results):
            self._names[result] = f"{name}#{i}"
        return f"{name}:{len(op.results)}"

    def _define(self, value: Value) -> str:
        if isinstance(value, BlockArgument):
            name = self._unique(value.name or "", "arg")
        else:
            op = value.defining_op()
            name = self._unique(value.name or (_suggest(op) if op is not None else ""))
        self._names[value] = name
        return name

    def _unique(self, hint: str, numbered: str = "") -> str:
        name = _identifier(hint)
        if not name:
            while True:
                candidate = f"%{numbered}{self._numbers[numbered]}"
                self._numbers[numbered] += 1
                if candidate not in self._taken:
                    break
        else:
            candidate = f"%{name}"
            while candidate in self._taken:
                count = self._suffixes.get(name, 0)
                self._suffixes[name] = count + 1
                candidate = f"%{name}_{count}"
        self._taken.add(candidate)
        return candidate

    # attributes

    def attribute(self, a: Attribute) -> str:
        """A value as an attribute stands in text, with its type."""
        match a:
            case bool():
                return "true" if a else "false"
            case int():
                return str(a)
            case float():
                return print_float(a, FloatType("f64"))
            case str():
                return quote(a)
            case tuple():
                return f"[{', '.join(map(self.attribute, a))}]"
            case Unit():
                return "unit"
            case IntegerAttr(value, IntegerType(1)):
                return "true" if value else "false"
            case IntegerAttr(value, type):
                return f"{value} : {type}"
            case FloatAttr(value, type):
                return f"{print_float(value, type)} : {type}"
            case DenseArrayAttr(values, element):
                return f"array<{element}: {', '.join(map(str, values))}>" if values else f"array<{element}>"
            case SymbolRef(name):
                return symbol_name(name)
            case DenseAttr(value, type):
                return f"{dense(value, type)} : {type}"
            case AffineMap():
                return self._aliases.get(a) or f"affine_map<{a}>"
            case Type():
                return str(a)
            case Constant():
                return f"dense_resource<{resource_name(a.name)}>"
            case None:
                return "unit"
            case EnumMember():
                return quote(str(a))
            case complex():
                return f"[{print_float(a.real, FloatType('f64'))}, {print_float(a.imag, FloatType('f64'))}]"

    def attributes(self, op: Operation, *said: str) -> str:
        """` {a = 1 : i64, b}` of the attributes that are not `said` elsewhere, empty when there are none."""
        entries = [
            key if isinstance(a, Unit) else f"{key} = {self.attribute(a)}"
            for key, a in op.attributes.items()
            if key not in said and key != SEGMENTS and a is not None
        ]
        return f" {{{', '.join(entries)}}}" if entries else ""

    # the two ways in which most operations are printed

    def generic(self, op: Operation) -> Iterator[Piece]:
        """MLIR's generic form: `"dialect.op"(%x) ({...}) {a = 1} : (f32) -> f32`."""
        yield f"{quote(op.name)}({self.values(op.operands)})"
        for i, region in enumerate(op.regions):
            yield " (" if i == 0 else ", "
            yield Body(region, arguments=True)
        if op.regions:
            yield ")"
        entries = [
            key if isinstance(a, Unit) else f"{key} = {self.attribute(a)}"
            for key, a in op.attributes.items()
            if a is not None
        ]
        if entries:
            yield f" {{{', '.join(entries)}}}"
        yield f" : ({self.types(op.operands)}) -> {self.result_types([r.type for r in op.results])}"

    def result_types(self, types: Sequence[Type]) -> str:
        """`f32`, `(f32, i32)`, `()`: what stands after an arrow."""
        return str(types[0]) if len(types) == 1 else f"({', '.join(map(str, types))})"

    def _regular(self, op: Operation, assembly: str, groups: Mapping[str, Sequence[Value]]) -> Iterator[Piece]:
        elements = parse_assembly(assembly)
        said = [e.name for e in elements if isinstance(e, AttributeOf)]
        regions = iter(op.regions)
        tokens = self._tokens(op, elements, groups, said)
        text = [op.name]
        for token in tokens:
            if token is _REGION:
                yield "".join(text) + " "
                yield Body(next(regions))
                text = []
            elif token:
                glued = (
                    (token[0] in ",)]>(" and text[-1] != " :") or (token[0] == "[" and text != [op.name]) or (text and text[-1][-1:] in "([<")
                )
                text.append(token if glued else f" {token}")
        yield "".join(text)

    def _tokens(
        self, op: Operation, elements: Sequence[Element], groups: Mapping[str, Sequence[Value]], said: Sequence[str]
    ) -> Iterator[str]:
        for element in elements:
            match element:
                case Literal(text):
                    yield text
                case OperandGroup(name):
                    yield self.values(groups[name])
                case TypeOf(str(name)):
                    yield self.types(groups[name])
                case TypeOf():
                    yield ", ".join(str(r.type) for r in op.results)
                case FunctionalType():
                    yield f"({self.types(op.operands)}) -> {self.result_types([r.type for r in op.results])}"
                case AttrDict():
                    yield self.attributes(op, *said).strip()
                case AttributeOf(name):
                    yield self._own_syntax(name, op.attributes.get(name))
                case Optional(inner, group):
                    if groups[group]:
                        yield from self._tokens(op, inner, groups, said)
                case _:
                    yield _REGION

    def _own_syntax(self, name: str, value: Attribute) -> str:
        match name, value:
            case _, None:
                return ""
            case "fastmath" | "overflow", str():
                return f"{name}<{value}>"
            case "predicate" | "dimension", str():
                return value
            case _:
                return self.attribute(value)


@dataclass(frozen=True)
class _Mark:
    message: str


_REGION: Final = "<region>"


# names


def _identifier(hint: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.$-]", "_", hint)
    return f"_{name}" if name[:1].isdigit() or name[:1] == "-" else name


_SUGGESTED: Final = {
    "memref.alloc": "alloc",
    "memref.alloca": "alloca",
    "memref.subview": "subview",
    "memref.view": "view",
    "memref.dim": "dim",
    "tensor.dim": "dim",
    "tensor.pad": "padded",
    "tensor.extract_slice": "slice",
}


def _suggest(op: Operation) -> str:
    if op.name != "arith.constant":
        return _SUGGESTED.get(op.name, "")
    match op.attributes.get("value"):
        case IntegerAttr(value, IntegerType(1)):
            return "true" if value else "false"
        case IntegerAttr(value, IndexType()):
            return f"c{value}"
        case IntegerAttr(value, type):
            return f"c{value}_{type}"
        case DenseAttr(Constant() as constant, _):
            return constant.name
        case _:
            return "cst"


_BARE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$.]*\Z")


@cache
def symbol_name(name: str) -> str:
    """`@name`, quoted where MLIR needs it."""
    return f"@{name}" if _BARE.match(name) else f"@{quote(name)}"


def resource_name(name: str) -> str:
    return name if _BARE.match(name) else quote(name)


_ESCAPES: Final = {ord('"'): '\\"', ord("\\"): "\\\\"}


def quote(text: str) -> str:
    """A string literal of MLIR: bytes outside printable ASCII as two hexadecimal digits."""
    return '"' + "".join(_ESCAPES.get(c) or (chr(c) if 32 <= c < 127 else f"\\{c:02X}") for c in text.encode()) + '"'


# numbers

_FLOATS: Final = {"f16": DType.float16, "bf16": DType.bfloat16, "f32": DType.float32, "f64": DType.float64}


def print_float(value: float, type: Type) -> str:
    """Exact: the shortest decimal that reads back as the same number, the bits in hexadecimal for inf and NaN."""
    value = float(value)
    if math.isfinite(value):
        text = repr(value)
        mantissa, e, exponent = text.partition("e")
        return text if "." in mantissa else f"{mantissa}.0{e}{exponent}"
    assert isinstance(type, FloatType)
    bits = np.array(value, _FLOATS[type.name].numpy).view(f"u{type.width // 8}")
    return f"0x{int(bits):0{type.width // 4}X}"


def dense(value: Any, type: Type) -> str:
    """`dense<...>` of a splat or of all elements, or `dense_resource<name>`."""
    assert isinstance(type, RankedTensorType | VectorType | MemRefType)
    if isinstance(value, Constant):
        return f"dense_resource<{resource_name(value.name)}>"
    if not isinstance(value, tuple):
        return f"dense<{_element(value, type.element)}>"
    elements = cast(tuple[Any, ...], value)
    if not elements:
        return "dense<>"
    rows = [_element(e, type.element) for e in elements]
    for extent in reversed(type.shape):
        assert extent is not None
        rows = [f"[{', '.join(rows[i : i + extent])}]" for i in range(0, len(rows), extent)]
    return f"dense<{rows[0]}>"


def _element(value: Any, element: Type) -> str:
    if isinstance(element, ComplexType):
        return f"({print_float(value.real, element.element)}, {print_float(value.imag, element.element)})"
    if isinstance(element, FloatType):
        return print_float(value, element)
    if element == IntegerType(1):
        return "true" if value else "false"
    return str(int(value))
