"""PyTorch's operator signatures: `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`.

In: the text as PyTorch prints it, or as `native_functions.yaml` writes it; out: a `Schema`. A small hand parser, run on
first use of each signature (450 of them cost 25 ms; a generated one several times that).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

from .quantized import PACKED
from .script_types import (
    ANY,
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
    DictType,
    FutureType,
    InterfaceType,
    ListType,
    NamedTupleType,
    OpaqueType,
    OptionalType,
    ScriptType,
    TupleType,
    TypeVariable,
    UnionType,
)


@dataclass(frozen=True)
class Argument:
    """One parameter or result. `size` is N of `int[N]` (a number is repeated N times); `kind` the schema's own word."""

    name: str
    type: ScriptType
    kind: str
    """The schema's base type word: Tensor, int, Scalar, ScalarType, Device, Layout, MemoryFormat, str, ..."""
    default: Any = None
    """A list default is a tuple (of the length of `int[N]`)."""
    has_default: bool = False
    keyword_only: bool = False
    size: int | None = None
    alias: str | None = None
    """Alias set as written inside the parentheses, `!` included: `a`, `a!`, `a -> *`."""

    @property
    def is_written(self) -> bool:
        return self.alias is not None and "!" in self.alias


@dataclass(frozen=True)
class Schema:
    """`returns` is empty for `-> ()`; a function that returns one tuple has one entry, of TupleType."""

    namespace: str
    base: str
    overload: str
    arguments: tuple[Argument, ...]
    returns: tuple[Argument, ...]
    varargs: bool = False

    @property
    def name(self) -> str:
        """`aten::add.Tensor`."""
        return f"{self.namespace}::{self.base}" + (f".{self.overload}" if self.overload else "")

    def index(self, argument: str) -> int | None:
        """Position of the argument of that name."""
        return next((i for i, a in enumerate(self.arguments) if a.name == argument), None)

    def __str__(self) -> str:
        return print_schema(self)


_WORDS: Final[dict[str, ScriptType]] = {
    "Tensor": TENSOR,
    "int": INT,
    "SymInt": INT,
    "float": FLOAT,
    "bool": BOOL,
    "complex": COMPLEX,
    "str": STR,
    "Scalar": NUMBER,
    "number": NUMBER,
    "Device": DEVICE,
    "Generator": GENERATOR,
    "Any": ANY,
    "NoneType": NONE,
    # enumerations are ints in TorchScript
    "ScalarType": INT,
    "Layout": INT,
    "MemoryFormat": INT,
    "QScheme": INT,
}

_CONSTANTS: Final[dict[str, Any]] = {
    "None": None,
    "True": True,
    "False": False,
    "Mean": 1,
    "Sum": 2,
    "contiguous_format": 0,
    "preserve_format": 1,
    "long": 4,
    "strided": 0,
    "inf": float("inf"),
    "nan": float("nan"),
}

_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "\\": "\\", '"': '"', "'": "'"}

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))
    | (?P<word>__torch__(?:\.\w+)+|[A-Za-z_]\w*)
    | (?P<mark>\.\.\.|->|::|[()\[\],=*?!|.])
    )""",
    re.VERBOSE,
)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        position = 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None:
                raise ValueError(f"bad character {stripped[position]!r} in signature: {text}")
            kind = match.lastgroup or ""
            self.tokens.append((kind, match.group(kind)))
            position = match.end()
        self.tokens.append(("end", ""))
        self.at = 0

    # tokens

    @property
    def token(self) -> str:
        kind, text = self.tokens[self.at]
        return text if kind != "string" else "string"

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    def fail(self, expected: str) -> ValueError:
        found = self.tokens[self.at][1] or "the end"
        return ValueError(f"expected {expected}, found {found} in signature: {self.text}")

    def accept(self, text: str) -> bool:
        if self.token == text and self.kind in ("mark", "word"):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.fail(f"`{text}`")

    def word(self) -> str:
        if self.kind != "word":
            raise self.fail("a name")
        text = self.tokens[self.at][1]
        self.at += 1
        return text

    # types

    def parse_type(self) -> tuple[ScriptType, str, int | None, str | None]:
        """(type, base word, list size, alias set); alias marks may follow the base type or a suffix."""
        result, kind = self.base_type()
        alias = self.alias()
        size: int | None = None
        while True:
            if self.accept("["):
                size = None
                if self.kind == "number":
                    size = int(self.tokens[self.at][1])
                    self.at += 1
                self.expect("]")
                result = ListType(result)
            elif self.accept("?"):
                result = OptionalType(result)
            else:
                break
            alias = self.alias() or alias
        return result, kind, size, alias

    def base_type(self) -> tuple[ScriptType, str]:
        if self.accept("("):
            elements: list[ScriptType] = []
            while not self.accept(")"):
                elements.append(self.parse_type()[0])
                if self.token != ")":
                    self.expect(",")
            return TupleType(tuple(elements)), "tuple"
        word = self.word()
        if word in ("Dict", "Future", "RRef", "Union") and self.accept("("):
            parameters = [self.parse_type()[0]]
            while self.accept(","):
                parameters.append(self.parse_type()[0])
            self.expect(")")
            return self.constructed(word, parameters), word
        if word in _WORDS:
            return _WORDS[word], word
        if word in PACKED:
            return PACKED[word], word
        if word[0].islower():
            return TypeVariable(word), word
        return OpaqueType(word), word

    def constructed(self, word: str, parameters: list[ScriptType]) -> ScriptType:
        match word, parameters:
            case "Dict", [key, value]:
                return DictType(key, value)
            case "Future", [element]:
                return FutureType(element)
            case "Union", _:
                return UnionType(tuple(parameters))
            case "RRef", [element]:
                return OpaqueType(f"RRef({element})")
            case _:
                raise ValueError(f"wrong number of parameters of {word} in signature: {self.text}")

    def alias(self) -> str | None:
        """`(a)`, `(a!)`, `(a -> *)`, `(a|b)`, `(*)`; a parenthesis after a type can be nothing else."""
        if not self.accept("("):
            return None
        parts: list[str] = []
        while not self.accept(")"):
            if self.kind == "end":
                raise self.fail("`)`")
            parts.append(" -> " if self.token == "->" else self.token)
            self.at += 1
        return "".join(parts)

    # arguments

    def arguments(self) -> tuple[tuple[Argument, ...], bool]:
        self.expect("(")
        found: list[Argument] = []
        keyword_only = varargs = False
        while not self.accept(")"):
            if self.accept("*"):
                keyword_only = True
            elif self.accept("..."):
                varargs = True
            else:
                found.append(self.argument(keyword_only))
            if self.token != ")":
                self.expect(",")
        return tuple(found), varargs

    def argument(self, keyword_only: bool) -> Argument:
        type_, kind, size, alias = self.parse_type()
        name = self.word()
        if not self.accept("="):
            return Argument(name, type_, kind, keyword_only=keyword_only, size=size, alias=alias)
        default = _fit(self.default(), type_, size)
        return Argument(name, type_, kind, default, True, keyword_only, size, alias)

    def default(self) -> Any:
        if self.accept("["):
            values: list[Any] = []
            while not self.accept("]"):
                values.append(self.default())
                if self.token != "]":
                    self.expect(",")
            return tuple(values)
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
        if kind == "string":
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), text[1:-1], flags=re.DOTALL)
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        self.at -= 1
        raise self.fail("a default value")

    def returns(self) -> tuple[Argument, ...]:
        if self.token == "..." and self.accept("..."):
            return (Argument("", ANY, "..."),)
        if not self.accept("("):
            return (self.returned(),)
        found: list[Argument] = []
        while not self.accept(")"):
            found.append(self.returned())
            if self.token != ")":
                self.expect(",")
        return tuple(found)

    def returned(self) -> Argument:
        type_, kind, size, alias = self.parse_type()
        return Argument(self.word() if self.kind == "word" else "", type_, kind, size=size, alias=alias)

    def schema(self) -> Schema:
        namespace = self.word()
        base, overload = namespace, ""
        if self.accept("::"):
            base = self.word()
        else:
            namespace = ""
        while self.accept("."):
            overload = f"{overload}.{self.word()}" if overload else self.word()
        arguments, varargs = self.arguments()
        self.expect("->")
        returns = self.returns()
        if self.kind != "end":
            raise self.fail("the end")
        return Schema(namespace, base, overload, arguments, returns, varargs)


def _fit(default: Any, type_: ScriptType, size: int | None) -> Any:
    """A default in the argument's own type: `int[2] stride=1` means (1, 1), `float eps=1` means 1.0."""
    if isinstance(type_, OptionalType):
        return default if default is None else _fit(default, type_.element, size)
    if isinstance(type_, ListType):
        values = cast(tuple[Any, ...], default) if isinstance(default, tuple) else (default,) * (size or 1)
        return tuple(_fit(v, type_.element, None) for v in values)
    return float(default) if type_ == FLOAT and isinstance(default, int) else default


@cache
def parse_schema(text: str) -> Schema:
    """Schema of a signature as PyTorch prints it. ValueError for text that is none."""
    return _Parser(text).schema()


def print_schema(schema: Schema) -> str:
    """The signature as text again, in PyTorch's spelling (enumerations and SymInt keep their words)."""
    parts: list[str] = []
    keyword_only = False
    for argument in schema.arguments:
        if argument.keyword_only and not keyword_only:
            parts.append("*")
            keyword_only = True
        parts.append(_print_argument(argument))
    if schema.varargs:
        parts.append("...")
    returns = ", ".join(_print_typed(r) + (f" {r.name}" if r.name else "") for r in schema.returns)
    if len(schema.returns) != 1 or returns.startswith("("):
        returns = f"({returns})"
    name = schema.name if schema.namespace else schema.name[2:]
    return f"{name}({', '.join(parts)}) -> {returns}"


def _print_argument(argument: Argument) -> str:
    text = f"{_print_typed(argument)} {argument.name}"
    return f"{text}={_print_default(argument.default)}" if argument.has_default else text


def _print_typed(argument: Argument) -> str:
    if argument.kind == "...":
        return "..."
    # alias sets belong to the base type, except where it is the list itself that is written or stored
    suffix = ""
    type_: ScriptType = argument.type
    while isinstance(type_, ListType | OptionalType):
        if isinstance(type_, OptionalType):
            suffix = "?" + suffix
        else:
            suffix = f"[{argument.size or ''}]" + suffix
        type_ = type_.element
    base = argument.kind if argument.kind in _WORDS else spelled_in_schema(type_)
    alias = f"({argument.alias})" if argument.alias is not None else ""
    on_list = "[" in suffix and argument.kind != "Tensor"
    return f"{base}{suffix}{alias}" if on_list else f"{base}{alias}{suffix}"


def spelled_in_schema(type: ScriptType) -> str:
    """A type as schemas spell it: classes and named tuples by their names."""
    match type:
        case InterfaceType():
            return f"InterfaceType<{type.name.rpartition('.')[2]}>"
        case NamedTupleType() if type.name:
            return type.name
        case OptionalType():
            return f"{spelled_in_schema(type.element)}?"
        case ListType():
            return f"{spelled_in_schema(type.element)}[]"
        case DictType():
            return f"Dict({spelled_in_schema(type.key)}, {spelled_in_schema(type.value)})"
        case FutureType():
            return f"Future({spelled_in_schema(type.element)})"
        case UnionType():
            return f"Union({', '.join(map(spelled_in_schema, type.members))})"
        case TupleType():
            return f"({', '.join(map(spelled_in_schema, type.elements))})"
        case _:
            return str(type)


def _print_default(value: Any) -> str:
    match value:
        case tuple():
            items = cast(tuple[Any, ...], value)
            return f"[{', '.join(map(_print_default, items))}]"
        case str():
            names = {v: k for k, v in _ESCAPES.items() if k != "'"}
            return '"' + "".join(f"\\{names[c]}" if c in names and c != "'" else c for c in value) + '"'
        case float():
            return print_float(value)
        case complex():
            sign = "-" if math.copysign(1, value.imag) < 0 else "+"
            return f"{print_float(value.real)}{sign}{print_float(abs(value.imag))}j"
        case _:
            return str(value)


def print_float(value: float) -> str:
    """As C++ prints it: shortest of 17 digits, with a dot where the value is integral."""
    text = f"{value:.17g}"
    return f"{text}." if re.fullmatch(r"-?\d+", text) else text
