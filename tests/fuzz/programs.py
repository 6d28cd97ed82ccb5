"""The tree of a random program: what the generator makes, the shrinker cuts, and everybody prints.

All children stand in lists, so that one cut is one slice assignment, and undoing it another. An `Expr` knows its type: it can
be replaced by an expression inside it of the same type. Texts are TorchScript, four spaces per level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Type:
    """A type of the language. `kind`: int float bool str none tensor list dict tuple optional union class record enum."""

    kind: str
    parts: tuple[Type, ...] = ()
    name: str = ""
    """Of a class, record (NamedTuple) or enum; of a tensor its dtype."""
    dims: tuple[str, ...] = ()
    """Extents of a tensor: names that are equal where extents are, numbers, and `?` for what nothing is known about."""
    exact: bool = True
    """Of a tensor: whether every order of evaluation gives the same bits. Only such values may decide anything."""

    @property
    def text(self) -> str:
        inner = ", ".join(p.text for p in self.parts)
        match self.kind:
            case "tensor":
                return "Tensor"
            case "class" | "record" | "enum":
                return self.name
            case "none":
                return "None"
            case "any":
                return "Any"
            case "int" | "float" | "bool" | "str":
                return self.kind
            case kind:
                return f"{kind.capitalize()}[{inner}]"


INT, FLOAT, BOOL, STR, NONE = (Type(k) for k in ("int", "float", "bool", "str", "none"))


def list_of(element: Type) -> Type:
    return Type("list", (element,))


def dict_of(key: Type, value: Type) -> Type:
    return Type("dict", (key, value))


def tuple_of(*elements: Type) -> Type:
    return Type("tuple", elements)


def optional_of(element: Type) -> Type:
    return Type("optional", (element,))


def union_of(*members: Type) -> Type:
    return Type("union", members)


def tensor_of(dtype: str, *dims: str, exact: bool = True) -> Type:
    return Type("tensor", name=dtype, dims=dims, exact=exact)


@dataclass(eq=False)
class Expr:
    type: Type
    parts: list[str | Expr]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def expr(type: Type, template: str, *operands: Expr | str) -> Expr:
    """`$` in the template is the next operand."""
    pieces = template.split("$")
    assert len(pieces) == len(operands) + 1, (template, operands)
    parts: list[str | Expr] = [pieces[0]]
    for operand, piece in zip(operands, pieces[1:]):
        parts += [operand, piece]
    return Expr(type, [p for p in parts if p != ""])


@dataclass(eq=False)
class Line:
    """One line; the statement `return` of the entry function is a line without parts."""

    parts: list[str | Expr]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def line(template: str, *operands: Expr | str) -> Line:
    return Line(expr(NONE, template, *operands).parts)


@dataclass(eq=False)
class Block:
    statements: list[Statement] = field(default_factory=list)


@dataclass(eq=False)
class Statement:
    """Lines and the blocks below them; all lines of one statement come and go together."""

    items: list[Line | Block]


@dataclass(eq=False)
class Function:
    name: str
    parameters: list[tuple[str, Type]]
    returns: Type | None
    """None: the entry, whose result is the program's `results`."""
    body: Block
    is_method: bool = False
    kind: str = ""
    """'property', or 'special' for a method that is not called by its name."""

    def lines(self, results: list[Expr], indent: int = 0) -> list[str]:
        written = [f"{n}: {self.annotation(t)}" for n, t in self.parameters]
        head = ", ".join(["self", *written] if self.is_method else written)
        arrow = f" -> {self.annotation(self.returns)}" if self.returns is not None else " -> None" if self.is_method else ""
        margin = "    " * indent
        decorators = [f"{margin}@property"] if self.kind == "property" else []
        return [*decorators, f"{margin}def {self.name}({head}){arrow}:", *_lines(self.body, indent + 1, results)]

    def annotation(self, type: Type) -> str:
        """Quoted where it may be the class that the method is of."""
        return repr(type.text) if type.kind == "class" and self.is_method else type.text


@dataclass(eq=False)
class ClassDefinition:
    """A script class, a NamedTuple or an Enum; the fields of an Enum are its members and their values."""

    type: Type
    fields: list[tuple[str, Any]]
    methods: list[Function] = field(default_factory=list)
    is_dataclass: bool = False
    """`__init__` and `==` are made by the decorator."""

    def lines(self) -> list[str]:
        name = self.type.name
        if self.type.kind == "enum":
            return [f"class {name}(Enum):", *(f"    {n} = {v!r}" for n, v in self.fields)]
        if self.type.kind == "record":
            return [f"class {name}(NamedTuple):", *(f"    {n}: {t.text}" for n, t in self.fields)]
        if self.is_dataclass:
            found = ["@torch.jit.script", "@dataclass", f"class {name}:", *(f"    {n}: {t.text}" for n, t in self.fields)]
            return [*found, *(text for method in self.methods for text in ("", *method.lines([], 1)))]
        head = ", ".join(["self", *(f"{n}: {t.text}" for n, t in self.fields)])
        found = [f"class {name}:", f"    def __init__({head}):"]
        found += [f"        self.{n} = {n}" for n, _ in self.fields] or ["        pass"]
        for method in self.methods:
            found += ["", *method.lines([], 1)]
        return found


HEAD = """\
import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from torch import Tensor
"""

HELPERS = {
    "to_int": """\
def to_int(x: float) -> int:
    if x > -1e6 and x < 1e6:
        return int(x)
    return 0
""",
}


@dataclass(frozen=True)
class Shared:
    """An argument that is argument `index`, or a part of it, to be resolved when the others are there: views of its memory."""

    index: int
    start: int = 0
    stop: int | None = None

    def of(self, value: Any) -> Any:
        return value if self.start == 0 and self.stop is None else value[self.start : self.stop]


def given(values: list[Any]) -> list[Any]:
    """The arguments of a call, with those that share memory made of the others."""
    return [v.of(values[v.index]) if isinstance(v, Shared) else v for v in values]


@dataclass(eq=False)
class Program:
    """The definitions, the entry function `main`, what it returns, and arguments to call it with."""

    definitions: list[ClassDefinition | Function]
    main: Function
    results: list[Expr]
    inputs: list[list[Any]]
    """Arguments of each call: Python values and numpy arrays."""
    has_open_extents: bool = True
    """Whether it is compiled for all extents, or for those of each input."""

    def text(self) -> str:
        body: list[str] = []
        for definition in [*self.definitions, self.main]:
            lines = definition.lines(self.results) if isinstance(definition, Function) else definition.lines()
            body += ["\n", "\n".join(lines), "\n"]
        text = "".join(body)
        helpers = "".join("\n\n" + h for name, h in HELPERS.items() if re.search(rf"\b{name}\(", text))
        return HEAD + helpers + "\n" + text


def _lines(block: Block, indent: int, results: list[Expr]) -> list[str]:
    found: list[str] = []
    for statement in block.statements:
        for item in statement.items:
            if isinstance(item, Block):
                found += _lines(item, indent + 1, results)
            else:
                text = str(item) if item.parts else "return " + (", ".join(map(str, results)) or "None")
                found.append("    " * indent + text)
    return found or ["    " * indent + "pass"]
