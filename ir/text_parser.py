"""The tools with which MLIR text is read: tokens, types, attributes, value scopes, nested regions.

In: text as `text_printer.py` writes it (and upstream MLIR for the same operations). Out: operations, each with the
span of its text. Every fault is a `CompileError` at the place. Parse functions of operations with regions are
generators: where a region stands they yield a task for it and are sent the region, so nesting costs no Python stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from .affine import AffineConstant, AffineDim, AffineExpr, AffineMap, AffineSymbol
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
    UNIT,
    Attribute,
    Constant,
    DenseArrayAttr,
    DenseAttr,
    FloatAttr,
    IntegerAttr,
    SymbolRef,
)
from .core import Block, Operation, Region, Value
from .cursor import Cursor, Task
from .definition import OpDefinition, Trait
from .dtypes import DType
from .source import SourceFile, Span
from .text_printer import SEGMENTS
from .types import (
    ANY_OBJECT,
    I32,
    INDEX,
    STRING,
    BoxType,
    ComplexType,
    Extent,
    FloatType,
    FunctionType,
    FutureType,
    IndexType,
    IntegerType,
    MemRefType,
    RankedTensorType,
    RecordType,
    RunTimeDictType,
    RunTimeListType,
    StridedLayout,
    Type,
    VectorType,
)

ParseSyntax = Callable[["Parser"], "Operation | Generator[Any, Any, Operation]"]
InferResults = Callable[[Sequence[Value]], Type]
"""The type of the only result, from the operands."""

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$.]*")
_VALUE: Final = re.compile(r"%(?:[0-9]+|[A-Za-z_$.-][A-Za-z0-9_$.-]*)(?:#[0-9]+)?")
_RESULT: Final = re.compile(r"(%(?:[0-9]+|[A-Za-z_$.-][A-Za-z0-9_$.-]*))(?:\s*:\s*([0-9]+))?")
_STRING: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_FLOAT: Final = re.compile(r"-?[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?")
_HEX: Final = re.compile(r"0x[0-9A-Fa-f]+")
_INTEGER: Final = re.compile(r"-?[0-9]+")
_EXTENT: Final = re.compile(r"([0-9]+|\?)x")
_ALIAS: Final = re.compile(r"#[A-Za-z_][A-Za-z0-9_$.-]*")
_ESCAPE: Final = re.compile(r'\\([0-9A-Fa-f]{2}|[nt"\\])')
_SCALAR: Final = re.compile(r"(?:i([0-9]+)|(index)|(f16|bf16|f32|f64))(?![A-Za-z0-9_$.])")


class Parser(Cursor):
    """Reads one text; scopes of values, attribute aliases."""

    SKIP = re.compile(r"(?:\s+|//[^\n]*)*")
    UNIT = re.compile(r"[%@#^!]?[\w$.#-]+|.", re.DOTALL)

    def __init__(
        self,
        file: SourceFile,
        definitions: Mapping[str, OpDefinition],
        syntax: Mapping[str, ParseSyntax],
        infer: Mapping[str, InferResults],
        constants: Mapping[str, Constant],
    ) -> None:
        super().__init__(file)
        self._definitions = definitions
        self._syntax = syntax
        self._infer = infer
        self._constants = constants
        self._values: dict[str, Value] = {}
        self._shadowed: list[tuple[str, Value | None]] = []
        self._aliases: dict[str, Attribute] = {}

    # tokens

    def peek(self, literal: str) -> bool:
        if not self.text.startswith(literal, self.position):
            return False
        if literal[-1].isalnum():
            following = self.text[self.position + len(literal) : self.position + len(literal) + 1]
            return not (following.isalnum() or following in ("_", "$", "."))
        return True

    def word(self) -> str:
        return self.token(_WORD, "a name")

    def string(self) -> str:
        found = self.match(_STRING)
        if found is None:
            raise self.error("expected a string")
        return _unescape(found[1])

    def symbol(self) -> str:
        """`@name`: the name."""
        self.expect("@")
        return self.string() if self.peek('"') else self.word()

    def integer(self) -> int:
        return int(self.token(_INTEGER, "an integer"))

    # values

    def value(self) -> Value:
        start = self.position
        found = self.match(_VALUE)
        if found is None:
            raise self.error("expected a value")
        value = self._values.get(found[0])
        if value is None:
            raise self.error(f"`{found[0]}` is not defined here", start, found.end())
        return value

    def values(self) -> list[Value]:
        """Zero or more values separated by commas."""
        if not self.peek("%"):
            return []
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        return values

    def typed_values(self) -> list[Value]:
        """`%x, %y : f32, i32`."""
        values = self.values()
        if values:
            self.expect(":")
            self.check_types(values)
        return values

    def check_types(self, values: Sequence[Value]) -> None:
        """Reads one type per value, separated by commas; each must be the value's."""
        for i, value in enumerate(values):
            if i:
                self.expect(",")
            start = self.position
            type = self.type()
            if type != value.type:
                raise self.error(f"the value has type {value.type}, not {type}", start, self.token_end)

    def argument(self) -> tuple[str, Type]:
        """`%x: f32`."""
        name = self.value_name()
        self.expect(":")
        return name, self.type()

    def value_name(self) -> str:
        found = self.match(_VALUE)
        if found is None:
            raise self.error("expected the name of a value")
        return found[0]

    def define(self, name: str, value: Value) -> None:
        """From here on, to the end of the region, `name` is `value`."""
        self._shadowed.append((name, self._values.get(name)))
        self._values[name] = value
        if value.name is None and not name[1:].partition("#")[0].isdigit() and "#" not in name:
            value.name = name[1:]

    # types

    def type(self) -> Type:
        scalar = self.match(_SCALAR)
        if scalar is not None:
            width, index, floating = scalar.groups()
            return IntegerType(int(width)) if width else INDEX if index else FloatType(floating)
        start = self.position
        if self.peek("("):
            return self.function_type()
        if self.accept("!rt."):
            return self._counted_type(start)
        if self.accept("complex<"):
            part = self.type()
            self.expect(">")
            if not isinstance(part, FloatType):
                raise self.error("a complex number has two floats", start, self.token_end)
            return ComplexType(part)
        head = _WORD.match(self.text, self.position)
        if head is None or head[0] not in ("tensor", "memref", "vector"):
            raise self.error("expected a type")
        self.position = head.end()
        self.expect("<")
        shape = self._shape()
        element = self.type()
        result: Type
        match head[0]:
            case "tensor":
                result = RankedTensorType(shape, element)
            case "vector":
                if any(e is None for e in shape):
                    raise self.error("a vector has static extents", start, self.token_end)
                result = VectorType(cast(tuple[int, ...], shape), element)
            case _:
                result = self._memref(shape, element)
        self.expect(">")
        return result

    def _counted_type(self, start: int) -> Type:
        """`!rt.list<i64, f64>`, `!rt.dict<i64 : f64>`, `!rt.record<i64>`, `!rt.box<tensor<?xf32>>`, `!rt.str`, `!rt.any`."""
        kind = self.word()
        if kind in ("str", "any"):
            return STRING if kind == "str" else ANY_OBJECT
        self.expect("<")
        if kind in _ROWS:
            return _ROWS[kind](tuple(self.types(">")))
        if kind == "dict":
            key = self.type()
            self.expect(":")
            return RunTimeDictType(key, tuple(self.types(">")))
        tensor = self.type()
        self.expect(">")
        if kind != "box" or not isinstance(tensor, RankedTensorType):
            raise self.error("expected a type", start, self.token_end)
        return BoxType(tensor)

    def _shape(self) -> tuple[Extent, ...]:
        shape: list[Extent] = []
        while found := _EXTENT.match(self.text, self.position):
            self.position = found.end()
            shape.append(None if found[1] == "?" else int(found[1]))
        return tuple(shape)

    def _memref(self, shape: tuple[Extent, ...], element: Type) -> MemRefType:
        layout: StridedLayout | None = None
        space: int | None = None
        while self.accept(","):
            if self.accept("strided"):
                self.expect("<")
                self.expect("[")
                strides = tuple(self.list_of(self._extent, "]"))
                offset: Extent = 0
                if self.accept(","):
                    self.expect("offset")
                    self.expect(":")
                    offset = self._extent()
                self.expect(">")
                layout = StridedLayout(strides, offset)
            else:
                space = self.integer()
        return MemRefType(shape, element, layout, space)

    def _extent(self) -> Extent:
        return None if self.accept("?") else self.integer()

    def types(self, close: str) -> list[Type]:
        return self.list_of(self.type, close)

    def arrow_types(self) -> list[Type]:
        """What stands after an arrow: one type, or a list in parentheses."""
        if self.accept("("):
            return self.types(")")
        return [self.type()]

    def function_type(self) -> FunctionType:
        self.expect("(")
        inputs = self.types(")")
        self.expect("->")
        return FunctionType(tuple(inputs), tuple(self.arrow_types()))

    # attributes

    def attribute(self) -> Attribute:
        for word, value in (("true", True), ("false", False), ("unit", UNIT)):
            if self.accept(word):
                return value
        start = self.position
        match self.text[start : start + 1]:
            case '"':
                return self.string()
            case "[":
                self.expect("[")
                return tuple(self.list_of(self.attribute, "]"))
            case "@":
                return SymbolRef(self.symbol())
            case "#":
                name = self.match(_ALIAS)
                if name is None or name[0] not in self._aliases:
                    raise self.error("unknown attribute", start, self.token_end)
                return self._aliases[name[0]]
            case _:
                pass
        for word, parse in (
            ("affine_map", self._affine_map),
            ("array", self._array),
            ("dense_resource", self._dense),
            ("dense", self._dense),
        ):
            if self.peek(word):
                return parse()
        return self._number() if self.text[start : start + 1] in "-0123456789" else self.type()

    def _number(self) -> Attribute:
        start = self.position
        found = self.match(_HEX) or self.match(_FLOAT) or self.match(_INTEGER)
        if found is None:
            raise self.error("expected an attribute")
        text = found[0]
        if not self.accept(":"):
            return int(text, 0) if text.lstrip("-").isdigit() or text.startswith("0x") else float(text)
        type = self.type()
        if isinstance(type, FloatType):
            return FloatAttr(self._float(text, type), type)
        if not isinstance(type, IntegerType | IndexType) or "." in text:
            raise self.error(f"`{text}` is not a number of type {type}", start, self.token_end)
        return IntegerAttr(int(text, 0), type)

    def _float(self, text: str, type: FloatType) -> float:
        dtype = _FLOATS[type.name].numpy
        if text.startswith("0x"):
            return float(np.array(int(text, 16), f"u{type.width // 8}").view(dtype))
        return float(np.array(float(text)).astype(dtype))

    def _array(self) -> DenseArrayAttr:
        self.expect("array")
        self.expect("<")
        element = self.type()
        if self.accept(">"):
            return DenseArrayAttr((), element)
        self.expect(":")
        return DenseArrayAttr(tuple(self.list_of(self._array_element, ">")), element)

    def _array_element(self) -> int:
        return 1 if self.accept("true") else 0 if self.accept("false") else self.integer()

    def _dense(self) -> DenseAttr:
        start = self.position
        value, is_list = self.dense_literal()
        self.expect(":")
        type = self.type()
        if not isinstance(type, RankedTensorType | VectorType | MemRefType):
            raise self.error("a dense constant has a shaped type", start, self.token_end)
        return self.dense_of(value, is_list, type, start)

    def dense_literal(self) -> tuple[Any, bool]:
        """`dense_resource<name>` or `dense<...>`: (Constant or list of literals, whether all elements are listed)."""
        if self.accept("dense_resource"):
            self.expect("<")
            start = self.position
            name = self.string() if self.peek('"') else self.word()
            if name not in self._constants:
                raise self.error(f"no data is given for the constant `{name}`", start, start + len(name))
            self.expect(">")
            return self._constants[name], True
        self.expect("dense")
        self.expect("<")
        literals: list[str] = []
        listed = self.peek("[") or self.peek(">")
        depth = 0
        while not (depth == 0 and self.peek(">")):
            if self.accept("["):
                depth += 1
            elif self.accept("]"):
                depth -= 1
            elif self.accept("("):
                literals.append(self._pair())
            elif not self.accept(","):
                found = self.match(_HEX) or self.match(_FLOAT) or self.match(_INTEGER) or self.match(_WORD)
                if found is None:
                    raise self.error("expected a number")
                literals.append(found[0])
        self.expect(">")
        return literals, listed

    def _pair(self) -> str:
        """The parts of a complex number, with a comma between."""
        parts: list[str] = []
        for end in (",", ")"):
            found = self.match(_HEX) or self.match(_FLOAT)
            if found is None:
                raise self.error("expected a float")
            parts.append(found[0])
            self.expect(end)
        return ",".join(parts)

    def dense_of(
        self, value: Any, listed: bool, type: RankedTensorType | VectorType | MemRefType, start: int
    ) -> DenseAttr:
        """The attribute of a `dense_literal` and the type that followed it."""
        target = RankedTensorType(type.shape, type.element) if isinstance(type, MemRefType) else type
        if isinstance(value, Constant):
            if value.array.shape != type.shape:
                raise self.error(
                    f"the constant `{value.name}` has shape {list(value.array.shape)}", start, self.token_end
                )
            return DenseAttr(value, target)
        elements = tuple(self._dense_element(text, type.element, start) for text in value)
        count = int(np.prod([e or 0 for e in type.shape]))
        if not listed:
            return DenseAttr(elements[0], target)
        if len(elements) != count:
            raise self.error(f"{len(elements)} elements are given for {type}", start, self.token_end)
        return DenseAttr(elements, target)

    def _dense_element(self, text: str, element: Type, start: int) -> int | float | bool | complex:
        if isinstance(element, ComplexType) and "," in text:
            return complex(*(self._float(part, element.element) for part in text.split(",")))
        if text in ("true", "false"):
            return text == "true"
        if isinstance(element, FloatType):
            return self._float(text, element)
        if "." in text:
            raise self.error(f"`{text}` is not a number of type {element}", start, self.token_end)
        return bool(int(text, 0)) if element == IntegerType(1) else int(text, 0)

    def attributes(self) -> dict[str, Attribute]:
        """`{a = 1 : i64, b}`, or nothing."""
        return dict(self.list_of(self._entry, "}")) if self.accept("{") else {}

    def _entry(self) -> tuple[str, Attribute]:
        key = self.string() if self.peek('"') else self.word()
        return key, self.attribute() if self.accept("=") else UNIT

    def alias_definition(self) -> None:
        """`#map = affine_map<...>`."""
        name = self.match(_ALIAS)
        if name is None:
            raise self.error("expected `#name = attribute`")
        self.expect("=")
        self._aliases[name[0]] = self.attribute()

    # affine maps

    def _affine_map(self) -> AffineMap:
        self.expect("affine_map")
        self.expect("<")
        names: dict[str, AffineExpr] = {}
        self.expect("(")
        dims = self.list_of(self.word, ")")
        names.update({n: AffineDim(i) for i, n in enumerate(dims)})
        symbols = self.list_of(self.word, "]") if self.accept("[") else []
        names.update({n: AffineSymbol(i) for i, n in enumerate(symbols)})
        self.expect("->")
        self.expect("(")
        results = self.list_of(lambda: self._affine_sum(names), ")")
        self.expect(">")
        return AffineMap(len(dims), tuple(results), len(symbols))

    def _affine_sum(self, names: Mapping[str, AffineExpr]) -> AffineExpr:
        left = self._affine_product(names)
        while True:
            if self.accept("+"):
                left = left + self._affine_product(names)
            elif self.peek("-") and not self.peek("->"):
                self.expect("-")
                left = left - self._affine_product(names)
            else:
                return left

    def _affine_product(self, names: Mapping[str, AffineExpr]) -> AffineExpr:
        left = self._affine_atom(names)
        while True:
            if self.accept("*"):
                left = left * self._affine_atom(names)
            elif self.accept("floordiv"):
                left = left // self._affine_atom(names)
            elif self.accept("mod"):
                left = left % self._affine_atom(names)
            else:
                return left

    def _affine_atom(self, names: Mapping[str, AffineExpr]) -> AffineExpr:
        if self.accept("("):
            inner = self._affine_sum(names)
            self.expect(")")
            return inner
        number = self.match(_INTEGER)
        if number is not None:
            return AffineConstant(int(number[0]))
        if self.accept("-"):
            return self._affine_atom(names) * -1
        name = self.word()
        if name not in names:
            raise self.error(
                f"`{name}` is not a dimension or symbol of this map", self.position - len(name), self.position
            )
        return names[name]

    # operations and regions

    def operation(self) -> Task:
        """One operation with its results named; a task."""
        start = self.position
        names: list[tuple[str, int, int | None]] = []
        if self.peek("%"):
            while True:
                at = self.position
                found = self.match(_RESULT)
                if found is None:
                    raise self.error("expected the name of a result")
                names.append((found[1], at, int(found[2]) if found[2] else None))
                if not self.accept(","):
                    break
            self.expect("=")
        operation: Operation = yield self._unnamed()
        operation.span = Span(self.file, start, self.token_end)
        self._name_results(operation, names, start)
        return operation

    def _name_results(self, op: Operation, names: Sequence[tuple[str, int, int | None]], start: int) -> None:
        named = sum(count or 1 for _, _, count in names)
        if named != len(op.results) and not (named == 0):
            raise self.error(
                f"{op.name} has {len(op.results)} results, {named} are named", start, names[0][1] + len(names[0][0])
            )
        results = iter(op.results)
        for name, _, count in names:
            if count is None:
                self.define(name, next(results))
            for i in range(count or 0):
                result = next(results)
                self.define(f"{name}#{i}", result)
                if i == 0:
                    result.name = None if name[1:].isdigit() else name[1:]
                    self.define(name, result)

    def _unnamed(self) -> Task:
        if self.peek('"'):
            return (yield self._generic())
        start = self.position
        name = self.word()
        name = _SHORT.get(name, name)
        if name in self._syntax:
            parsed = self._syntax[name](self)
            return parsed if isinstance(parsed, Operation) else (yield parsed)
        definition = self._definitions.get(name)
        if definition is None or definition.assembly is None:
            raise self.error(f"unknown operation `{name}`", start, start + len(name))
        return (yield self._regular(definition, definition.assembly))

    def region(
        self, arguments: Sequence[tuple[str, Type]] | None = None, terminator: str | None = None, isolated: bool = False
    ) -> Task:
        """A region in braces; a task that gives a Region.

        `arguments` are those of the entry block when the operation's own syntax names them; `terminator` is added when
        the block ends without one; `isolated` hides the values outside.
        """
        outer = self._values
        if isolated:
            self._values = {}
        level = len(self._shadowed)
        region = Region()
        self.expect("{")
        block = Block()
        if arguments is not None or not self.peek("^"):
            region.add_block(block)
            self._add_arguments(block, arguments or ())
        while not self.accept("}"):
            if self.peek("^"):
                block = region.add_block(Block())
                self._add_arguments(block, self._block_header())
                continue
            block.append((yield self.operation()))
        if terminator is not None and (block.last is None or not self._is_terminator(block.last)):
            block.append(Operation(terminator, span=self.span(self.position)))
        for name, old in reversed(self._shadowed[level:]):
            if old is None:
                self._values.pop(name, None)
            else:
                self._values[name] = old
        del self._shadowed[level:]
        self._values = outer
        return region

    def _is_terminator(self, op: Operation) -> bool:
        definition = self._definitions.get(op.name)
        return definition is not None and Trait.TERMINATOR in definition.traits

    def _block_header(self) -> list[tuple[str, Type]]:
        self.expect("^")
        self.word()
        arguments = self.list_of(self.argument, ")") if self.accept("(") else []
        self.expect(":")
        return arguments

    def _add_arguments(self, block: Block, arguments: Sequence[tuple[str, Type]]) -> None:
        for name, type in arguments:
            self.define(name, block.add_argument(type))

    def _generic(self) -> Task:
        name = self.string()
        self.expect("(")
        operands = self.list_of(self.value, ")")
        attributes: dict[str, Attribute] = {}
        if self.accept("<"):
            attributes.update(self.attributes())
            self.expect(">")
        regions: list[Region] = []
        if self.accept("("):
            definition = self._definitions.get(name)
            isolated = definition is not None and Trait.ISOLATED in definition.traits
            while True:
                region: Region = yield self.region(isolated=isolated)
                regions.append(
                    Region()
                    if region.blocks and region.blocks[0].first is None and not region.blocks[0].args
                    else region
                )
                if not self.accept(","):
                    break
            self.expect(")")
        attributes.update(self.attributes())
        self.expect(":")
        self.expect("(")
        if operands:
            self.check_types(operands)
        self.expect(")")
        self.expect("->")
        return Operation(name, operands, self.arrow_types(), attributes, regions)

    def _regular(self, definition: OpDefinition, assembly: str) -> Task:
        state = _Regular(definition)
        yield self._elements(parse_assembly(assembly), state)
        operands = [v for name in definition.operands for v in state.groups.get(name.rstrip("*?"), ())]
        if sum(name[-1] in "*?" for name in definition.operands) > 1:
            sizes = tuple(len(state.groups.get(name.rstrip("*?"), ())) for name in definition.operands)
            state.attributes[SEGMENTS] = DenseArrayAttr(sizes, I32)
        results = state.results
        if results is None:
            results = () if definition.results == 0 else (self._inferred(definition, operands),)
        return Operation(definition.name, operands, results, state.attributes, state.regions)

    def _inferred(self, definition: OpDefinition, operands: Sequence[Value]) -> Type:
        if definition.name in self._infer:
            return self._infer[definition.name](operands)
        assert Trait.SAME_TYPE in definition.traits, f"{definition.name}: its result type follows from nothing"
        return operands[0].type

    def _elements(self, elements: Sequence[Element], state: _Regular) -> Task:
        for element in elements:
            match element:
                case Literal(text):
                    self.expect(text)
                case OperandGroup(name):
                    state.groups[name] = self.values() if state.is_variadic(name) else [self.value()]
                case TypeOf(str(name)):
                    self.check_types(state.groups[name])
                case TypeOf():
                    state.results = self._result_types(state.definition)
                case FunctionalType():
                    self.expect("(")
                    values = [v for group in state.groups.values() for v in group]
                    self.check_types(values)
                    self.expect(")")
                    self.expect("->")
                    state.results = self.arrow_types()
                case AttrDict():
                    state.attributes.update(self.attributes())
                case AttributeOf(name):
                    self._own_syntax(name, state)
                case Optional(inner, group):
                    opening = inner[0]
                    assert isinstance(opening, Literal)
                    state.groups[group] = []
                    if self.peek(opening.text):
                        yield self._elements(inner, state)
                case _:
                    state.regions.append((yield self.region()))

    def _result_types(self, definition: OpDefinition) -> list[Type]:
        types = [self.type()]
        while definition.results != 1 and self.accept(","):
            types.append(self.type())
        return types

    def _own_syntax(self, name: str, state: _Regular) -> None:
        match name:
            case "fastmath" | "overflow":
                flags = self.flags(name)
                if flags is not None:
                    state.attributes[name] = flags
            case "predicate" | "dimension":
                state.attributes[name] = self.word()
            case "dim":
                state.attributes[name] = self.integer()
            case _:
                attribute = self.attribute()
                if name == "value" and isinstance(attribute, bool):
                    attribute = IntegerAttr(int(attribute), IntegerType(1))
                state.attributes[name] = attribute
                if isinstance(attribute, IntegerAttr | FloatAttr | DenseAttr):
                    state.results = [attribute.type]

    def flags(self, name: str) -> str | None:
        """`name<a,b>`: "a,b"."""
        if not self.accept(name):
            return None
        self.expect("<")
        return ",".join(self.list_of(self.word, ">"))


class _Regular:
    """What has been read of an operation in declarative format."""

    def __init__(self, definition: OpDefinition) -> None:
        self.definition = definition
        self.groups: dict[str, list[Value]] = {}
        self.attributes: dict[str, Attribute] = {}
        self.results: Sequence[Type] | None = None
        self.regions: list[Region] = []

    def is_variadic(self, name: str) -> bool:
        return name not in self.definition.operands


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    named = {"n": b"\n", "t": b"\t", '"': b'"', "\\": b"\\"}
    data = b""
    last = 0
    for found in _ESCAPE.finditer(text):
        data += text[last : found.start()].encode() + (named.get(found[1]) or bytes([int(found[1], 16)]))
        last = found.end()
    return (data + text[last:].encode()).decode("utf-8", "replace")


_ROWS: Final = {"list": RunTimeListType, "record": RecordType, "future": FutureType}
"""Types of objects that are told by a row of slots."""

_SHORT: Final = {"return": "func.return", "call": "func.call", "module": "builtin.module"}
_FLOATS: Final = {"f16": DType.float16, "bf16": DType.bfloat16, "f32": DType.float32, "f64": DType.float64}
