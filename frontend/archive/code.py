"""The code of an archive: what a qualified name `__torch__.a.b.C` means, found in `code/**.py` when it is first used.

Files are read one by one, and of a file those definitions are parsed that are used, in the dialect of archives. Every file has the same global names: `torch` (the operators),
`ops`, `CONSTANTS`, `annotate` and so on; these are values of this file, and what is behind their dots is told by
`attribute`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, cast

from ...ir.diagnostics import CompileError
from ...ir.quantized import PACKED
from ...ir.source import SourceFile, Span
from .. import ast
from ..parser import parse
from ..syntax_cache import parse_cached
from ..values import (
    MISSING,
    PYTHON_BUILTINS,
    BuiltinRef,
    ClassKind,
    ClassValue,
    Device,
    EnumMember,
    FunctionValue,
    Scope,
    Value,
)
from .debug import DebugRanges
from .reader import ArchiveReader


@dataclass(frozen=True)
class Package:
    """`__torch__.a`: something that qualified names go through."""

    name: str


@dataclass(frozen=True)
class Operators:
    """`torch` (aten), `ops` (namespace ""), `ops.prim`. `is_current`: of today, in the code of upgraders."""

    namespace: str
    is_current: bool = False


@dataclass(frozen=True)
class Constants:
    """`CONSTANTS`."""


_BASES: Final[dict[str, ClassKind]] = {
    "Module": "module",
    "NamedTuple": "named_tuple",
    "Enum": "enum",
    "Interface": "interface",
    "ModuleInterface": "interface",
}

_GLOBALS: Final[Mapping[str, Value]] = {
    "__torch__": Package("__torch__"),
    "torch": Operators("aten"),
    "ops": Operators(""),
    "CONSTANTS": Constants(),
    "annotate": BuiltinRef("archive.annotate"),
    "unchecked_cast": BuiltinRef("archive.unchecked_cast"),
    "uninitialized": BuiltinRef("archive.uninitialized"),
    "fork": BuiltinRef("torch.jit.fork"),
    "inf": BuiltinRef("torch.inf"),
    "nan": BuiltinRef("torch.nan"),
    "infj": BuiltinRef("cmath.infj"),
    "nanj": BuiltinRef("cmath.nanj"),
}

_SPECIAL: Final[Mapping[str, BuiltinRef]] = {
    "aten::device": BuiltinRef("torch.device"),
    "aten::_unwrap_optional": BuiltinRef("torch.jit._unwrap_optional"),
    "aten::wait": BuiltinRef("torch.jit.wait"),
    "prim::RaiseException": BuiltinRef("archive.raise"),
}
"""Operators with rules of their own."""


_BOUND: Final = "__torch__.torch.classes"
"""Where classes of C++ are."""


@dataclass(eq=False)
class ArchiveScope(Scope):
    """The global names of a code file, or of the upgraders."""

    is_current: bool = False
    is_archive: ClassVar[bool] = True

    def lookup(self, name: str) -> Value:
        if name == "torch" and self.is_current:
            return Operators("aten", is_current=True)
        if name in _GLOBALS:
            return _GLOBALS[name]
        return BuiltinRef(f"builtins.{name}") if name in PYTHON_BUILTINS else MISSING


MAX_CODE: Final = 16 << 20
"""Characters of code that are parsed of one archive."""

Definition = ast.FunctionDef | ast.ClassDef

_START: Final = re.compile(r"(?m)^(?:class|def)[ \t]+([A-Za-z_][A-Za-z0-9_]*)")
_NO_DEFINITION: Final = re.compile(r"\s*(?:(?:import[^\n]*|op_version_set = \d+|#[^\n]*)\n\s*)*")
"""What may stand before the first definition of a file."""


@dataclass(eq=False)
class _File:
    """A code file: where its definitions stand, by name, and those of them that are parsed."""

    name: str
    text: str
    parts: dict[str, tuple[int, int]] | None
    """None where only the parser can tell."""
    ranges: DebugRanges | None
    definitions: dict[str, Definition] = field(default_factory=dict[str, Definition])

    def part(self, start: int, end: int) -> SourceFile:
        """An excerpt as a file of its own."""
        ranges = self.ranges

        def origin(first: int, last: int) -> Span | None:
            return None if ranges is None else ranges.find(start + first, start + last)

        line = 1 + self.text.count("\n", 0, start)
        return SourceFile(self.name, self.text[start:end], line, origin)


def _parts(text: str) -> dict[str, tuple[int, int]] | None:
    """Name and place of each definition of a file, by the lines that start one.

    None where such a line may stand for something else, or a name stands twice.
    """
    starts = list(_START.finditer(text))
    names = [m[1] for m in starts]
    if not starts or len(set(names)) != len(names) or "'''" in text or '"""' in text:
        return None
    if _NO_DEFINITION.fullmatch(text, 0, starts[0].start()) is None:
        return None
    ends = [*(m.start() for m in starts[1:]), len(text)]
    return {m[1]: (m.start(), end) for m, end in zip(starts, ends, strict=True)}


def _parsed(file: SourceFile) -> list[ast.Stmt]:
    """The statements of a file. The tree is kept on disk by the text alone: many archives have the same code."""
    try:
        tree = parse_cached(SourceFile("<archive>", file.text), dialect="archive")
    except CompileError:
        tree = parse(file, dialect="archive")  # again, for an error that names the file
    # The tree has a file of its own, all spans in it share it.
    for name in ("name", "first_line", "origin"):
        object.__setattr__(tree.file, name, getattr(file, name))
    return tree.body


class Code:
    """All code of one archive. `constants` are the values of `CONSTANTS.cN`; `replaced` gives old operators a function."""

    def __init__(
        self, reader: ArchiveReader, constants: tuple[Value, ...], replaced: Callable[[str], FunctionValue | None]
    ) -> None:
        self.reader = reader
        self.constants = constants
        self.replaced = replaced
        self.scope = ArchiveScope("__torch__")
        self._files: dict[str, _File | None] = {}
        self._found: dict[str, Value] = {}
        self._characters = 0
        self._folders = {
            name[:i] for name in reader.names() if name.startswith("code/") for i, c in enumerate(name) if c == "/"
        }

    # qualified names

    def find(self, qualified: str) -> Value:
        """The class or function of that name; MISSING where there is none."""
        if qualified not in self._found:
            self._found[qualified] = self._define(qualified)
        return self._found[qualified]

    def _define(self, qualified: str) -> Value:
        package, _, name = qualified.rpartition(".")
        definition = self._definition(self._file(package), name) if package else None
        if isinstance(definition, ast.FunctionDef):
            return FunctionValue(definition, self.scope, _short(qualified))
        return MISSING if definition is None else self._class(qualified, definition)

    def _file(self, package: str) -> _File | None:
        if package not in self._files:
            member = f"code/{package.replace('.', '/')}.py"
            self._files[package] = self._read(member) if member in self.reader else None
        return self._files[package]

    def _read(self, member: str) -> _File:
        text = self.reader.text(member)
        ranges = f"{member}.debug_pkl"
        debug = DebugRanges(self.reader, ranges, text) if ranges in self.reader else None
        file = _File(f"{self.reader.name}/{member}", text, _parts(text), debug)
        if file.parts is None:
            self._parse_all(file)
        return file

    def _definition(self, file: _File | None, name: str) -> Definition | None:
        """A definition of a file: only its own text is parsed."""
        if file is None:
            return None
        if name not in file.definitions and file.parts is not None and name in file.parts:
            try:
                body = self._parsed(file.part(*file.parts[name]))
            except CompileError:
                body = []
            match body:
                case [ast.FunctionDef() | ast.ClassDef() as found] if found.name == name:
                    file.definitions[name] = found
                case _:
                    self._parse_all(file)  # it is not what it looked like, or the file has an error in it
        return file.definitions.get(name)

    def _parsed(self, file: SourceFile) -> list[ast.Stmt]:
        self._characters += len(file.text)
        if self._characters > MAX_CODE:
            raise self.reader.fault(f"uses more than {MAX_CODE >> 20} MiB of code", file.name)
        return _parsed(file)

    def _parse_all(self, file: _File) -> None:
        file.parts = None
        found: dict[str, Definition] = {}
        for statement in self._parsed(file.part(0, len(file.text))):
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                if statement.name in found:
                    raise CompileError.at(statement.name_span, f"`{statement.name}` is defined twice in this file")
                found[statement.name] = statement
            elif not _is_ignored(statement):
                raise CompileError.at(statement.span, "a code file holds only classes and functions")
        # what is parsed already stays the same tree
        file.definitions = {**found, **file.definitions}

    # classes

    def _class(self, qualified: str, definition: ast.ClassDef) -> ClassValue:
        if definition.keywords or len(definition.bases) > 1:
            raise CompileError.at(definition.name_span, f"the class `{definition.name}` has bases that are not known")
        kind: ClassKind = "plain"
        if definition.bases:
            base = definition.bases[0]
            if not isinstance(base, ast.Name) or base.id not in _BASES:
                raise CompileError.at(base.span, f"the base of the class `{definition.name}` is not known")
            kind = _BASES[base.id]
        cls = ClassValue(definition.name, qualified, kind, self.scope, definition)
        cls.mro = (cls,)
        for statement in definition.body:
            self._member(cls, statement)
        if kind == "enum":
            cls.members = {n: EnumMember(cls, n, v) for n, v in cls.members.items()}
        return cls

    def _member(self, cls: ClassValue, statement: ast.Stmt) -> None:
        match statement:
            case ast.FunctionDef():
                qualified = f"{_short(cls.qualified)}.{statement.name}"
                cls.members[statement.name] = FunctionValue(statement, self.scope, qualified, cls)
            case ast.AnnAssign(target=ast.Name(id=name)):
                cls.annotations[name] = statement.annotation
                if statement.value is not None:
                    cls.members[name] = self.evaluate(statement.value)
            case ast.Assign(
                targets=[
                    ast.Subscript(value=ast.Name(id="__annotations__"), indices=[ast.Literal_(value=str() as name)])
                ]
            ):
                cls.annotations[name] = statement.value
            case ast.Assign(targets=[ast.Name(id=name)]):
                cls.members[name] = self.evaluate(statement.value)
            case ast.Pass():
                pass
            case _:
                raise CompileError.at(statement.span, "this cannot stand in the body of a class")

    # constants

    def evaluate(self, node: ast.Expr) -> Value:
        """The value of a constant expression: a default of a parameter, a constant of a class. Lists become tuples."""
        match node:
            case ast.Literal_():
                return node.value
            case ast.UnaryOp(op="-"):
                operand = self.evaluate(node.operand)
                if isinstance(operand, int | float | complex):
                    return -operand
            case ast.BinaryOp(op="+" | "-"):
                left, right = self.evaluate(node.left), self.evaluate(node.right)
                if isinstance(left, int | float | complex) and isinstance(right, int | float | complex):
                    return left + right if node.op == "+" else left - right
            case ast.ListExpr() | ast.TupleExpr():
                return tuple(self.evaluate(e) for e in node.elements)
            case ast.Name(id="inf" | "nan" | "infj" | "nanj" as name):
                return {
                    "inf": float("inf"),
                    "nan": float("nan"),
                    "infj": complex(0, float("inf")),
                    "nanj": complex(0, float("nan")),
                }[name]
            case ast.Call(func=ast.Name(id="annotate"), args=[_, value]):
                return self.evaluate(value)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="torch"), name="device"), args=[ast.Literal_(value=str() as name)]
            ):
                return Device(name)
            case ast.Call(func=ast.Attribute() as head, args=fields, keywords=[]) if head.span.text.startswith("__torch__."):
                return tuple(self.evaluate(f) for f in fields)  # a NamedTuple
            case ast.Attribute(value=ast.Name(id="CONSTANTS"), name=name):
                return self.constant(name, node.span)
            case ast.Attribute():
                found = self._member_named(node)
                if found is not None:
                    return found
            case _:
                pass
        raise CompileError.at(node.span, "this is not a constant")

    def _member_named(self, node: ast.Attribute) -> EnumMember | None:
        """`__torch__.m.Color.RED`."""
        names: list[str] = []
        inner: ast.Expr = node
        while isinstance(inner, ast.Attribute):
            names.insert(0, inner.name)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            return None
        owner = self.find(".".join([inner.id, *names[:-1]]))
        found = owner.members.get(names[-1]) if isinstance(owner, ClassValue) else None
        return found if isinstance(found, EnumMember) else None

    def constant(self, name: str, span: Span | None) -> Value:
        """`CONSTANTS.c3`."""
        digits = name.removeprefix("c")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 9 or int(digits) >= len(self.constants):
            raise CompileError.at(
                span, f"there is no constant `{name}`", label=f"`constants.pkl` has {len(self.constants)}"
            )
        return self.constants[int(digits)]

    # what is behind a dot

    def attribute(self, value: Value, name: str, span: Span | None) -> Value:
        """`value.name` for the values of this file and for classes; MISSING where there is none."""
        match value:
            case Constants():
                return self.constant(name, span)
            case Operators(namespace=""):
                return Operators(name)
            case Operators(namespace="aten") if name == "autograd":
                return Operators("autograd")
            case Operators():
                operator = f"{value.namespace}::{name}"
                replaced = None if value.is_current else self.replaced(operator)
                return replaced or _SPECIAL.get(operator) or BuiltinRef(operator)
            case Package():
                found = self._package_member(f"{value.name}.{name}")
                return self._bound_class(f"{value.name}.{name}", span) if found is MISSING else found
            case ClassValue():
                if name == "__new__":
                    return BuiltinRef("archive.new")
                found = self.find(f"{value.qualified}.{name}")
                return value.find(name) if found is MISSING else found
            case _:
                return MISSING

    def _bound_class(self, qualified: str, span: Span | None) -> Value:
        """`__torch__.torch.classes.quantized.X`, a class of C++ of which an archive holds the name only."""
        is_namespace = qualified.startswith(f"{_BOUND}.") and qualified.count(".") == _BOUND.count(".") + 1
        if is_namespace or qualified == _BOUND or _BOUND.startswith(f"{qualified}."):
            return Package(qualified)
        if not qualified.startswith(f"{_BOUND}."):
            return MISSING
        if qualified in PACKED:
            return BuiltinRef(qualified)
        what = "holds the weights of quantized layers" if ".quantized." in qualified else "is not in the archive"
        raise CompileError.at(
            span,
            f"the class `{qualified.removeprefix(f'{_BOUND}.')}` of PyTorch's C++ library is not supported",
            label=what,
            help="save the model before it is quantized" if ".quantized." in qualified else None,
        )

    def _package_member(self, qualified: str) -> Value:
        found = self.find(qualified)
        if found is not MISSING:
            return found
        path = f"code/{qualified.replace('.', '/')}"
        return Package(qualified) if path in self._folders or f"{path}.py" in self.reader else MISSING


def _short(qualified: str) -> str:
    return qualified.removeprefix("__torch__.")


def _is_ignored(statement: ast.Stmt) -> bool:
    """Imports, and `op_version_set = 1` of old files."""
    if isinstance(statement, ast.Import | ast.Pass):
        return True
    match statement:
        case ast.Assign(targets=[ast.Name(id="op_version_set")]):
            return True
        case _:
            return False


def names_of(value: Value) -> tuple[str, ...]:
    """The strings of `__parameters__` and the like."""
    items = cast(tuple[Any, ...], value) if isinstance(value, tuple) else ()
    return tuple(v for v in items if isinstance(v, str))
