"""Type annotations to TorchScript types.

In: an annotation as an expression (or a string holding one) and the scope that gives its names a meaning. Out: a
ScriptType; `typing` names, PEP 585 (`list[int]`), PEP 604 (`int | None`) and the bare words of archives are all known.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any, Final

from ...ir.diagnostics import CompileError, Diagnostic
from ...ir.quantized import PACKED
from ...ir.script_types import (
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
    ComplexType,
    DeviceType,
    DictType,
    FloatType,
    FutureType,
    IntType,
    ListType,
    OpaqueType,
    PoisonType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
)
from ...ir.source import Span
from ...ir.subtyping import optional, union
from .. import ast
from ..parser import parse_expression
from ..values import MISSING, BuiltinRef, ClassValue, Frame, ModuleRef, Scope, TypeExpression

_NAMES: Final[dict[str, ScriptType]] = {
    "builtins.int": INT,
    "builtins.float": FLOAT,
    "builtins.bool": BOOL,
    "builtins.str": STR,
    "builtins.complex": COMPLEX,
    "torch.Tensor": TENSOR,
    "torch.FloatTensor": TENSOR,
    "torch.LongTensor": TENSOR,
    "torch.BoolTensor": TENSOR,
    "torch.nn.Parameter": TENSOR,
    "torch.nn.parameter.Parameter": TENSOR,
    "torch.device": DEVICE,
    "torch.dtype": INT,
    "torch.qscheme": INT,
    "torch.Generator": GENERATOR,
    "torch.types.Number": NUMBER,
    "typing.Any": ANY,
    "types.NoneType": NONE,
    **PACKED,
}

_WORDS: Final[dict[str, ScriptType]] = {
    "Tensor": TENSOR,
    "number": NUMBER,
    "Scalar": NUMBER,
    "Device": DEVICE,
    "Generator": GENERATOR,
    "NoneType": NONE,
    "Any": ANY,
    "Capsule": OpaqueType("Capsule"),
}
"""What these words mean where the file gives them no meaning of its own (archives import nothing)."""

_CONSTRUCTORS: Final = {
    "typing.List": "List",
    "typing.Dict": "Dict",
    "typing.OrderedDict": "Dict",
    "typing.Tuple": "Tuple",
    "typing.Optional": "Optional",
    "typing.Union": "Union",
    "builtins.list": "List",
    "builtins.dict": "Dict",
    "builtins.tuple": "Tuple",
    "collections.OrderedDict": "Dict",
    "torch.jit.Future": "Future",
    "torch.futures.Future": "Future",
    "torch._C.Future": "Future",
    "typing.Final": "Final",
    "torch.jit.Final": "Final",
    "typing.Annotated": "Annotated",
}

_ANY_OF_KIND: Final[dict[str, ScriptType]] = {"builtins.list": ANY_LIST, "builtins.tuple": ANY_TUPLE}

_BARE_CONSTRUCTORS: Final = ("List", "Dict", "Tuple", "Optional", "Union", "Future", "Final")

_BROADCASTING: Final = re.compile(r"\bBroadcastingList(\d)")

KEYS: Final = (IntType, FloatType, ComplexType, BoolType, StrType, TensorType, DeviceType, PoisonType)

_KNOWN: Final = (
    "Tensor",
    "int",
    "float",
    "bool",
    "str",
    "complex",
    "List",
    "Dict",
    "Tuple",
    "Optional",
    "Union",
    "Any",
)


def list_size(node: ast.Expr) -> int | None:
    """N of `BroadcastingListN[int]`, a list for which a single number may be given."""
    found = _BROADCASTING.search(node.span.text)
    return int(found.group(1)) if found else None


class Annotations:
    """Reads annotations. `attribute` is what a dot means to the evaluator; `class_type` makes the type of a class."""

    def __init__(
        self,
        attribute: Callable[[Any, str, Span | None], Any],
        class_type: Callable[[ClassValue, Span], ScriptType],
    ) -> None:
        self._attribute = attribute
        self.class_type = class_type

    def read(self, node: ast.Expr, scope: Scope | Frame) -> ScriptType:
        """The type that `node` names. CompileError if it names none."""
        reader = _Reader(self._attribute, self.class_type, scope)
        return reader.any_of_kind(node) or reader.type(node)

    def names_module(self, node: ast.Expr, scope: Scope | Frame) -> bool:
        """Whether a class of modules, which is no type of an attribute, or bare `list` or `tuple` stand in the annotation."""
        reader = _Reader(self._attribute, self.class_type, scope)
        if reader.any_of_kind(node) is not None:
            return True
        if isinstance(node, ast.Subscript):
            return any(isinstance(i, ast.Expr) and self.names_module(i, scope) for i in node.indices)
        value = reader.host(node)
        return isinstance(value, ClassValue) and value.kind == "module"

    def is_final(self, node: ast.Expr, scope: Scope | Frame) -> ast.Expr | None:
        """For `Final[T]`: T; for `Final`: the node itself; None for every other annotation."""
        reader = _Reader(self._attribute, self.class_type, scope)
        head = node.value if isinstance(node, ast.Subscript) else node
        if reader.constructor_of(head) != "Final":
            return None
        first = node.indices[0] if isinstance(node, ast.Subscript) else node
        return first if isinstance(first, ast.Expr) else node


def _fault(node: ast.Node, message: str, label: str = "", help: str | None = None) -> CompileError:
    return CompileError(Diagnostic(message, node.span, label, (), help))


def _parse_string(text: str, span: Span) -> ast.Expr:
    """The expression in a string annotation, with places in the file where it stands there letter by letter."""
    inner = Span(span.file, span.start + 1, span.end - 1, span.origin)
    return parse_expression(text, within=inner) if inner.text == text else parse_expression(text, "<annotation>")


class _Reader:
    def __init__(
        self,
        attribute: Callable[[Any, str, Span | None], Any],
        class_type: Callable[[ClassValue, Span], ScriptType],
        scope: Scope | Frame,
    ) -> None:
        self.attribute = attribute
        self.class_type = class_type
        self.scope = scope

    def type(self, node: ast.Expr) -> ScriptType:
        match node:
            case ast.Literal_(value=None):
                return NONE
            case ast.Literal_(value=str() as text):
                return self.type(_parse_string(text, node.span))
            case ast.Name() | ast.Attribute():
                return self.named(node)
            case ast.Subscript():
                return self.subscript(node)
            case ast.BinaryOp(op="|"):
                return union((self.type(node.left), self.type(node.right)))
            case ast.TupleExpr(elements=[]):
                return TupleType(())
            case _:
                raise _fault(node, "this is not a type", "expected a type such as `Tensor` or `List[int]`")

    def any_of_kind(self, node: ast.Expr) -> ScriptType | None:
        """The type of the bare annotations `list` and `tuple`, which stand in no other but `List[list]`."""
        if not isinstance(node, ast.Name):
            return None
        value = self.host(node)
        return _ANY_OF_KIND.get(value.name) if isinstance(value, BuiltinRef) else None

    def host(self, node: ast.Expr) -> Any:
        """What a name or a dotted name means."""
        if isinstance(node, ast.Name):
            return self.scope.lookup(node.id)
        if isinstance(node, ast.Attribute):
            base = self.host(node.value)
            return MISSING if base is MISSING else self.attribute(base, node.name, node.span)
        return MISSING

    def constructor(self, value: Any) -> str | None:
        return _CONSTRUCTORS.get(value.name) if isinstance(value, BuiltinRef) else None

    def constructor_of(self, node: ast.Expr) -> str | None:
        """`List` for `typing.List`, `list`, and for a bare `List` that the file gives no meaning."""
        value = self.host(node)
        if value is MISSING and isinstance(node, ast.Name):
            return node.id if node.id in _BARE_CONSTRUCTORS else None
        return self.constructor(value)

    def named(self, node: ast.Name | ast.Attribute) -> ScriptType:
        value = self.host(node)
        match value:
            case BuiltinRef(name=name) if name in _NAMES:
                return _NAMES[name]
            case BuiltinRef() if (constructor := self.constructor(value)) is not None:
                raise _fault(
                    node,
                    f"`{constructor}` needs the type of its contents",
                    help=f"write for example `{constructor}[int]`"
                    if constructor != "Dict"
                    else "write `Dict[str, int]`",
                )
            case ClassValue():
                return self.class_type(value, node.span)
            case TypeExpression():
                return _Reader(self.attribute, self.class_type, value.scope).type(value.expression)
            case None:
                return NONE
            case _:
                pass
        if value is MISSING and isinstance(node, ast.Name) and node.id in _WORDS:
            return _WORDS[node.id]
        if value is MISSING and isinstance(node, ast.Name) and node.id in _BARE_CONSTRUCTORS:
            raise _fault(
                node, f"`{node.id}` needs the type of its contents", help=f"write for example `{node.id}[int]`"
            )
        raise self.unknown(node, value)

    def unknown(self, node: ast.Name | ast.Attribute, value: Any) -> CompileError:
        text = node.id if isinstance(node, ast.Name) else node.name
        if isinstance(value, BuiltinRef | ModuleRef):
            return _fault(node, f"`{text}` is not a type of TorchScript")
        if value is not MISSING:
            return _fault(node, f"`{text}` is not a type")
        close = difflib.get_close_matches(text, _KNOWN, 1, 0.6)
        return _fault(node, f"unknown type name `{text}`", help=f"did you mean `{close[0]}`?" if close else None)

    def subscript(self, node: ast.Subscript) -> ScriptType:
        constructor = self.constructor_of(node.value)
        if constructor is None and _BROADCASTING.fullmatch(node.value.span.text.rpartition(".")[2]):
            constructor = "List"
        if constructor is None:
            text = node.value.span.text
            raise _fault(
                node.value,
                f"unknown type constructor `{text}`",
                help="TorchScript has List, Dict, Tuple, Optional, Union and Future",
            )
        parameters: list[ast.Expr] = []
        for index in node.indices:
            if isinstance(index, ast.Slice):
                raise _fault(index, "a slice is not a type")
            parameters.append(index)
        return self.constructed(node, constructor, parameters)

    def constructed(self, node: ast.Subscript, constructor: str, parameters: list[ast.Expr]) -> ScriptType:
        if constructor == "Tuple":
            if len(parameters) == 1 and isinstance(parameters[0], ast.TupleExpr):
                parameters = parameters[0].elements
            if any(isinstance(p, ast.EllipsisLiteral) for p in parameters):
                raise _fault(node, "tuples of any length are not supported", help="use `List[...]` instead")
            return TupleType(tuple(map(self.type, parameters)))
        if constructor == "Union":
            # PyTorch writes `list` and `tuple` as members, and reads none
            return union((self.any_of_kind(p) if self.scope.is_archive else None) or self.type(p) for p in parameters)
        expected = 2 if constructor == "Dict" else 1
        if constructor != "Annotated" and len(parameters) != expected:
            raise _fault(
                node,
                f"`{constructor}` takes {expected} type parameter{'s' if expected > 1 else ''},"
                f" found {len(parameters)}",
            )
        match constructor:
            case "List":
                return ListType(self.any_of_kind(parameters[0]) or self.type(parameters[0]))
            case "Optional":
                return optional(self.type(parameters[0]))
            case "Future":
                return FutureType(self.type(parameters[0]))
            case "Dict":
                key = self.type(parameters[0])
                if not isinstance(key, KEYS):
                    raise _fault(
                        parameters[0],
                        f"a Dict cannot have keys of type {key.annotation}",
                        help="keys are int, float, complex, bool, str, Tensor or Device",
                    )
                return DictType(key, self.type(parameters[1]))
            case "Annotated":
                return self.type(parameters[0])
            case _:
                raise _fault(node, f"`{constructor}` is only for attributes of classes")
