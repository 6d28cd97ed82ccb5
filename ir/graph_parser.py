"""Reads TorchScript graph text: what `graph_text.py` writes comes back equal, and PyTorch's own dumps are read too.

In: one graph or several; out: a module of `torch.func`s. Overloads follow from the types of the operands. Faults are
`CompileError`s at the place. Comments carry what the format has no place for (see `graph_text.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from .attributes import Attribute, Constant
from .core import Block, Operation, Region, Value, new_module
from .cursor import Cursor, Task, drive
from .dialects import DEFINITIONS, torch
from .dtypes import DType, from_graph_name
from .overloads import candidates, resolve_operands
from .script_types import (
    ANY,
    ANY_LIST,
    ANY_TUPLE,
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    GENERATOR,
    INT,
    NONE,
    NUMBER,
    STR,
    TENSOR,
    BoolType,
    ClassType,
    ComplexType,
    DictType,
    FloatType,
    FunctionRefType,
    FutureType,
    ListType,
    NamedTupleType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
)
from .source import SourceFile, Span

_VALUE: Final = re.compile(r"%[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
_NODE: Final = re.compile(r"([A-Za-z_]\w*)::([A-Za-z_]\w*)")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_QUALIFIED: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_BLOCK: Final = re.compile(r"block[0-9]+\b")
_STRING: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_NUMBER: Final = re.compile(r"-?(?:inf\b|nan\b|[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|[0-9]+)")
_IMAGINARY: Final = re.compile(r"([-+]?)(inf|nan|[0-9.]+(?:[eE][-+]?[0-9]+)?)j")
_SYMBOL: Final = re.compile(r"# symbol ([^\n]*)\n")
_CONSTANT: Final = re.compile(r"[ \t]*# constant (\S+)")
_COMMENT: Final = re.compile(r"[ \t]*# ([^\n]*)")
_BOOL: Final = re.compile(r"[ \t]*# bool\b")
_FLAT: Final = re.compile(r"[ \t]*# flat\b")
_SCALARS: Final[dict[str, ScriptType]] = {
    "int": INT,
    "float": FLOAT,
    "bool": BOOL,
    "str": STR,
    "complex": COMPLEX,
    "Scalar": NUMBER,
    "number": NUMBER,
    "Device": DEVICE,
    "NoneType": NONE,
    "None": NONE,
    "Any": ANY,
    "list": ANY_LIST,
    "tuple": ANY_TUPLE,
    "Generator": GENERATOR,
    "Tensor": TENSOR,
    "Function": FunctionRefType(""),
}


def parse_graphs(
    text: str,
    constants: Mapping[str, Constant] | None = None,
    classes: Mapping[str, ClassType] | None = None,
    file: SourceFile | None = None,
) -> Operation:
    """The module with the functions of a text.

    `constants`: tensors by the name in `# constant name`; `classes`: class types by qualified name, new ones are made
    for names that are not among them.
    """
    source = file if file is not None and file.text == text else SourceFile(file.name if file else "<string>", text)
    parser = _Parser(source, constants or {}, dict(classes or {}))
    return drive(parser.module())


class _Parser(Cursor):
    SKIP = re.compile(r"(?:\s+|#[^\n]*)*")
    UNIT = re.compile(r"%?[\w.:]+|.", re.DOTALL)

    def __init__(self, file: SourceFile, constants: Mapping[str, Constant], classes: dict[str, ClassType]) -> None:
        super().__init__(file)
        self.constants = constants
        self.classes = classes
        self.values: dict[str, Value] = {}

    # structure

    def module(self) -> Task:
        module = new_module()
        start = 0
        while self.position < len(self.text):
            module.body().append((yield self.function(self.text[start : self.position])))
            start = self.token_end
        return module

    def function(self, comments: str) -> Task:
        start = self.position
        word = self.token(_WORD, "the name of a graph")
        symbol = _SYMBOL.search(comments)
        self.values = {}
        self.expect("(")
        names: list[str] = []
        block = Block()
        while not self.accept(")"):
            if names:
                self.comma(names)
                if self.accept(")"):
                    break
            name, type = self.typed_name(TENSOR)
            self.define(name, block.add_argument(type), name)
            names.append(name[1:])
        self.expect(":")
        self.named_in_comment(names)
        region = Region([block])
        yield self.nodes(block)
        self.expect("return")
        block.append(Operation(torch.RETURN, self.operands(), span=self.span(self.token_end)))
        attributes: dict[str, Attribute] = {"sym_name": symbol[1] if symbol else word, "arg_names": tuple(names)}
        for argument, name in zip(block.args, names, strict=True):
            argument.name = name
        return Operation(torch.FUNC, attributes=attributes, regions=[region], span=self.span(start))

    def comma(self, names: list[str]) -> None:
        self.expect(",")
        self.named_in_comment(names)

    def named_in_comment(self, names: list[str]) -> None:
        """The last parameter's real name, when a comment after the token just read gives it."""
        found = _COMMENT.match(self.text, self.token_end)
        if found is not None and names:
            names[-1] = found[1].strip()

    def nodes(self, block: Block) -> Task:
        while not (self.peek("return") or self.peek("->") or self.peek(")")):
            if self.position >= len(self.text):
                raise self.error("the graph ends without `return`")
            yield self.node(block)
        return None

    def node(self, block: Block) -> Task:
        start = self.position
        outs: list[tuple[str, ScriptType | None]] = []
        if self.peek("%"):
            outs.append(self.optional_type())
            while self.accept(","):
                outs.append(self.optional_type())
            self.expect("=")
        else:
            self.accept("=")
        at = self.position
        found = self.match(_NODE)
        if found is None:
            raise self.error("expected a node such as `aten::add(...)`")
        name = found[0]
        given = self.attributes() if self.accept("[") else {}
        operands = self.operands()
        if self.accept(", scope:"):
            self.match(re.compile(r"[^\s#]+"))
        end = self.token_end
        if name == "prim::ListUnpack" and _FLAT.match(self.text, end):
            self.flatten(block, operands, outs)
            return None
        full, results = self.resolve(name, operands, outs, at)
        if results == [NUMBER] and _BOOL.match(self.text, end):
            results = [BOOL]
        op = Operation(full, operands, results, span=Span(self.file, start, end))
        op.attributes = self.converted(name, given, results, start, end)
        if name == "prim::Constant" and "name" in op.attributes:
            op.results[0].type = FunctionRefType(str(op.attributes["name"]))
        while found := self.match(_BLOCK):
            op.add_region((yield self.block()))
        block.append(op)
        for (out, _), result in zip(outs, op.results, strict=True):
            self.define(out, result)
        return None

    def block(self) -> Task:
        block = Block()
        self.expect("(")
        for name, type in self.list_of(lambda: self.typed_name(TENSOR), ")"):
            self.define(name, block.add_argument(type))
        self.expect(":")
        yield self.nodes(block)
        self.expect("->")
        start = self.position
        block.append(Operation(torch.YIELD, self.operands(), span=self.span(start)))
        return Region([block])

    def flatten(self, block: Block, operands: Sequence[Value], outs: Sequence[tuple[str, ScriptType | None]]) -> None:
        """`%a, %b = prim::ListUnpack(%list) # flat`: the results belong to the node before."""
        listed = operands[0].defining_op()
        if listed is None or listed is not block.last:
            raise self.error("a flat list is unpacked right after the node that makes it")
        types = [t or TENSOR for _, t in outs]
        op = Operation(listed.name, listed.operands, types, listed.attributes, span=listed.span)
        listed.erase()
        block.append(op)
        for (out, _), result in zip(outs, op.results, strict=True):
            self.define(out, result)

    # values

    def operands(self) -> list[Value]:
        self.expect("(")
        return self.list_of(self.value, ")")

    def value(self) -> Value:
        start = self.position
        name = self.token(_VALUE, "a value")
        if name not in self.values:
            raise self.error(f"`{name}` is not defined here", start)
        return self.values[name]

    def define(self, name: str, value: Value, hint: str | None = None) -> None:
        self.values[name] = value
        if not name[1:].isdigit():
            value.name = (hint or name)[1:]

    def optional_type(self) -> tuple[str, ScriptType | None]:
        name = self.token(_VALUE, "a value")
        return name, self.type() if self.accept(":") else None

    def typed_name(self, default: ScriptType) -> tuple[str, ScriptType]:
        name, type = self.optional_type()
        return name, type or default

    # overloads and attributes

    def resolve(
        self, name: str, operands: Sequence[Value], outs: Sequence[tuple[str, ScriptType | None]], at: int
    ) -> tuple[str, list[ScriptType]]:
        """Name with overload, and the result types that are not written."""
        form = None
        types = [cast(ScriptType, v.type) for v in operands]
        if name not in DEFINITIONS:
            form = resolve_operands(name, types) or resolve_operands(name, [_without_shapes(t) for t in types])
            if form is None and candidates(name):
                shown = ", ".join(map(str, types))
                raise self.error(f"no overload of `{name}` takes ({shown})", at)
        returned = [r.type for r in form.returns] if form is not None else []
        results = [
            t or (returned[i] if i < len(returned) and len(returned) == len(outs) else TENSOR)
            for i, (_, t) in enumerate(outs)
        ]
        return form.name if form is not None else name, results

    def converted(
        self, name: str, given: Mapping[str, Any], results: Sequence[ScriptType], start: int, end: int
    ) -> dict[str, Attribute]:
        """Attributes in the types that the results ask for."""
        attributes: dict[str, Attribute] = {}
        for key, value in given.items():
            if key == "value" and name == "prim::Constant" and results:
                attributes[key] = self.constant(value, results[0], start, end)
            else:
                attributes[key] = value
        return attributes

    def constant(self, value: Any, type: ScriptType, start: int, end: int) -> Attribute:
        match type:
            case TensorType():
                if isinstance(value, Constant):
                    return value
                if value is not _TENSOR:
                    return self.scalar_tensor(value, type)
                found = _CONSTANT.match(self.text, end)
                if found is None or found[1] not in self.constants:
                    named = f"`{found[1]}`" if found else "without a name"
                    raise self.error(f"no data is given for the constant {named}", start)
                return self.constants[found[1]]
            case BoolType():
                return bool(value)
            case FloatType():
                return float(value)
            case ComplexType():
                return complex(value)
            case ListType(element):
                return tuple(self.constant(v, element, start, end) for v in value)
            case _:
                return value

    def scalar_tensor(self, value: Any, type: TensorType) -> Constant:
        dtype = type.dtype or DType.float32
        return Constant(f"scalar_{self.position}", np.array(value, dtype.numpy))

    def attributes(self) -> dict[str, Any]:
        return dict(self.list_of(self.entry, "]"))

    def entry(self) -> tuple[str, Any]:
        key = self.token(_WORD, "the name of an attribute")
        self.expect("=")
        return key, self.literal()

    def literal(self) -> Any:
        if self.accept("<Tensor>"):
            return _TENSOR
        if self.accept("["):
            return tuple(self.list_of(self.literal, "]"))
        if self.accept("{"):
            value = self.literal()
            self.expect("}")
            return value
        string = self.match(_STRING)
        if string is not None:
            return _unescape(string[1])
        number = _NUMBER.match(self.text, self.position)
        if number is not None:
            return self.number(number)
        imaginary = self.match(_IMAGINARY)
        if imaginary is not None:
            return complex(0.0, float(imaginary[1] + imaginary[2]))
        return self.type()

    def number(self, found: re.Match[str]) -> Any:
        rest = _IMAGINARY.match(self.text, found.end())
        if rest is not None and rest[1]:
            self.position = rest.end()
            self.skip()
            return complex(float(found[0]), float(rest[1] + rest[2]))
        if self.text.startswith("j", found.end()):
            self.position = found.end() + 1
            self.skip()
            return complex(0.0, float(found[0]))
        self.position = found.end()
        self.skip()
        return int(found[0]) if found[0].lstrip("-").isdigit() else float(found[0])

    # types

    def type(self) -> ScriptType:
        result = self.base_type()
        while True:
            if self.accept("?"):
                result = OptionalType(result)
            elif self.accept("[]"):
                result = ListType(result)
            else:
                return result

    def base_type(self) -> ScriptType:
        if self.accept("("):
            return TupleType(tuple(self.list_of(self.type, ")")))
        found = self.match(_QUALIFIED)
        if found is None:
            raise self.error("expected a type")
        word = found[0]
        dtype = from_graph_name(word)
        if dtype is not None:
            return self.tensor_type(dtype)
        if word in ("Dict", "Union", "Future", "NamedTuple") and (self.accept("(") or self.accept("[")):
            return self.constructed(word)
        if word in _SCALARS:
            return _SCALARS[word]
        if word not in self.classes:
            self.classes[word] = ClassType(word)
        return self.classes[word]

    def constructed(self, word: str) -> ScriptType:
        close = ")" if self.text[self.token_end - 1] == "(" else "]"
        if word == "NamedTuple":
            entries = self.list_of(self.field, close)
            return NamedTupleType(tuple(t for _, t in entries), "", tuple(n for n, _ in entries))
        members = self.list_of(self.type, close)
        match word:
            case "Dict":
                return DictType(members[0], members[1])
            case "Union":
                return UnionType(tuple(members))
            case _:
                return FutureType(members[0])

    def field(self) -> tuple[str, ScriptType]:
        name = self.token(_WORD, "the name of a field")
        self.expect(":")
        return name, self.type()

    def tensor_type(self, dtype: DType) -> TensorType:
        """`Float(2, *, strides=[3, 1], requires_grad=0, device=cpu)`: the extents count.

        One that says `requires_grad` and no strides is a tensor in memory.
        """
        if not self.accept("("):
            return TensorType(dtype)
        shape: list[int | None] = []
        said: set[str] = set()

        def part() -> None:
            if self.accept("*"):
                shape.append(None)
            elif (number := self.match(_NUMBER)) is not None:
                shape.append(int(number[0]))
            else:
                said.add(self.token(_WORD, "an extent"))
                self.expect("=")
                if self.accept("["):
                    self.list_of(lambda: self.token(_NUMBER, "a stride"), "]")
                else:
                    self.token(re.compile(r"[\w:]+"), "a word")

        self.list_of(part, ")")
        return TensorType(dtype, tuple(shape), "requires_grad" in said and "strides" not in said)


class _Unnamed:
    """`<Tensor>`: a tensor whose values the text does not hold."""


_TENSOR: Final = _Unnamed()
_NAMED: Final = {"n": 10, "t": 9, "r": 13, "f": 12, "b": 8, "v": 11, "a": 7, "\\": 92, '"': 34, "'": 39, "?": 63}


def _unescape(text: str) -> str:
    data = bytearray()
    last = 0
    for found in re.finditer(r"\\([0-7]{1,3}|.)", text):
        data += text[last : found.start()].encode()
        code = found[1]
        data.append(int(code, 8) & 255 if code[0].isdigit() else _NAMED.get(code, ord(code[0]) & 255))
        last = found.end()
    return (bytes(data) + text[last:].encode()).decode("utf-8", "replace")


def _without_shapes(t: ScriptType) -> ScriptType:
    """Lists of run-time length say what tensors they hold; operators take any."""
    match t:
        case TensorType():
            return TENSOR
        case ListType():
            return ListType(_without_shapes(t.element))
        case TupleType():
            return TupleType(tuple(map(_without_shapes, t.elements)))
        case _:
            return t
