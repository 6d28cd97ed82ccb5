"""One function of the syntax tree to one `torch.func`: its body is checked and written in a single walk.

In: a `FunctionValue` (a function, or a method with the type of its `self`). Out: a `CompiledFunction`, the operation in
the module of the compilation, and the types of all its expressions set in the tree. The walk itself is in `checker/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from ..ir.attributes import Attribute, Constant
from ..ir.core import Block, Operation, Region
from ..ir.diagnostics import CompileError
from ..ir.schema import Argument, Schema
from ..ir.script_types import (
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    NONE,
    TENSOR,
    ClassType,
    ListType,
    OptionalType,
    PoisonType,
    ScriptType,
    constant_type,
)
from ..ir.script_types import EnumMember as TypedMember
from ..ir.subtyping import is_subtype
from . import ast
from .checker.annotations import list_size
from .checker.frames import Flow
from .checker.names import assigned_names
from .checker.state import CompiledFunction, Unit, script_type
from .checker.statements import Statements
from .host_tensor import HostTensor
from .parser import signature_comment
from .values import Device, DType, EnumMember, FunctionValue, ObjectValue

_NOT_COMPILED = frozenset({"torch.jit.unused", "torch.jit.ignore"})

def _plain_tuples(value: Any) -> Any:
    """The value with tuples in place of NamedTuples; the parameter's type says which they are."""
    if isinstance(value, ObjectValue) and value.cls.kind == "named_tuple":
        value = tuple(value.attributes.values())
    return tuple(map(_plain_tuples, cast("tuple[Any, ...]", value))) if isinstance(value, tuple) else value


_NUMBERS: Final[dict[ScriptType, Callable[[Any], Any]]] = {BOOL: bool, INT: int, FLOAT: float, COMPLEX: complex}
"""What bools and ints become that are the defaults of numbers of another type."""


class FunctionEmitter(Statements):
    """Compiles one function."""

    def __init__(self, unit: Unit, function: FunctionValue, owner: ClassType | None, symbol: str) -> None:
        definition = function.definition
        if not isinstance(definition, ast.FunctionDef):
            raise CompileError.at(definition.span, "lambdas are not supported", help="write a `def`")
        if function.unknown_decorator is not None:
            raise CompileError.at(
                function.unknown_decorator,
                f"`{function.name}` cannot be compiled: what this decorator makes of it is not known",
                help="decorators of torch are known, and functions of the file that give a function",
            )
        if any(d.startswith("torch.amp.autocast_mode.") for d in function.decorators):
            raise CompileError.at(
                definition.name_span,
                f"`{function.name}` cannot be compiled: autocast is not supported as a decorator",
                help="write `with torch.autocast(...):` in the function",
            )
        scope: Any = function.closure or function.scope
        super().__init__(unit, scope, Block())
        self.function = function
        self.contexts = []
        self.definition = definition
        self.owner = owner
        if owner is not None and not owner.is_module and not function.scope.is_archive:
            self.own_class = owner
        if owner is not None and owner.is_module and not function.scope.is_archive:
            self.own_module = owner
        self.symbol = symbol
        self.b.span = definition.name_span

    # signature

    def signature(self) -> Schema:
        """Parameter types by annotations, a type comment, or Tensor; `self` first for a method."""
        definition = self.definition
        params = list(definition.params)
        arguments: list[Argument] = []
        if self.owner is not None:
            if not params:
                raise CompileError.at(definition.name_span, f"the method `{definition.name}` has no `self` parameter")
            arguments.append(Argument(params.pop(0).name, self.owner, "self"))
        comment = signature_comment(definition)
        commented = self._commented(comment[0], params) if comment is not None else None
        self.declared_return = self._declared_return(comment)
        for i, param in enumerate(params):
            arguments.append(self._argument(param, commented[i] if commented is not None else None))
        return Schema("", definition.name, "", tuple(arguments), ())

    def _commented(self, types: Sequence[ast.Expr], params: Sequence[ast.Param]) -> Sequence[ast.Expr]:
        if len(types) != len(params):
            raise CompileError.at(
                self.definition.name_span, f"the type comment gives {len(types)} types for {len(params)} parameters"
            )
        return types

    def _declared_return(self, comment: tuple[list[ast.Expr], ast.Expr] | None) -> ScriptType | None:
        node = comment[1] if comment is not None else self.definition.returns
        return None if node is None else self.unit.annotations.read(node, self.scope)

    def _argument(self, param: ast.Param, commented: ast.Expr | None) -> Argument:
        if param.kind in ("varargs", "kwargs"):
            star = "*" if param.kind == "varargs" else "**"
            raise CompileError.at(
                param.span,
                "compiled functions can't take a variable number of arguments",
                label=f"`{star}{param.name}`",
                help="take a list or a tuple",
            )
        annotation = commented if commented is not None else param.annotation
        type_: ScriptType = TENSOR if annotation is None else self.unit.annotations.read(annotation, self.scope)
        keyword_only = param.kind == "keyword_only"
        if param.kind == "positional_only":
            raise CompileError.at(
                param.span,
                "compiled functions can't have positional-only parameters",
                label=f"`{param.name}` stands before the `/`",
                help="leave the `/` out",
            )
        if keyword_only and param.default is not None and not self.function.scope.is_archive:
            raise CompileError.at(
                param.span,
                "compiled functions can't have keyword-only parameters with defaults",
                label=f"`{param.name}` stands behind the `*`",
                help="leave the `*` or the default out",
            )
        size = list_size(annotation) if annotation is not None else None
        if param.default is None:
            return Argument(param.name, type_, str(type_), keyword_only=keyword_only, size=size)
        default = self.unit.evaluate(param.default, self.function.scope)
        if isinstance(default, DType):
            default = int(default)
        if isinstance(default, Device):
            default = default.name
        if isinstance(default, HostTensor):
            default = self.unit.default_tensor(param, default, f"{self.function.qualified}.{param.name}")
        if isinstance(default, EnumMember):
            default = self.unit.enum_member(default)
        default = _plain_tuples(default)
        if default is None and annotation is None:
            # a tensor all the same, as in PyTorch: `is None` is never true of it, and None is given only from outside
            return Argument(param.name, TENSOR, str(TENSOR), None, True, keyword_only)
        if size is not None and isinstance(default, int | float):
            default = (default,) * size
        return Argument(param.name, type_, str(type_), self._fit(default, type_, param), True, keyword_only, size)

    def _fit(self, default: Any, type_: ScriptType, param: ast.Param) -> Any:
        """The default as a value of the parameter's type."""
        assert param.default is not None
        if isinstance(default, list | dict | set):
            raise CompileError.at(
                param.default.span,
                "mutable default parameters are not supported",
                help="make the default None, and the parameter Optional",
            )
        if isinstance(default, Constant) and is_subtype(TENSOR, type_):
            return default
        inner = type_.element if isinstance(type_, OptionalType) else type_
        if isinstance(default, bool | int) or (isinstance(default, float) and inner == COMPLEX):
            default = _NUMBERS.get(inner, lambda d: d)(default)
        if isinstance(cast(object, default), tuple):
            return default
        if default is not None and not isinstance(default, bool | int | float | complex | str | TypedMember):
            raise CompileError.at(param.default.span, f"the default of `{param.name}` is not a constant")
        found = constant_type(default)
        is_device = str(inner) == "Device" and isinstance(default, str)
        if not is_device and not isinstance(inner, ListType) and not is_subtype(found, type_):
            raise CompileError.at(
                param.default.span,
                f"expected a default value of type {type_.annotation} for `{param.name}`",
                label=f"this is {found.annotation}",
            )
        return default

    # body

    def compile(self, schema: Schema) -> tuple[CompiledFunction, Operation]:
        for argument, param in zip(schema.arguments, self.definition.params, strict=True):
            value = self.entry.add_argument(argument.type, argument.name)
            self.frame.set(param.name, value)
        is_init = self.definition.name == "__init__" and self.owner is not None and not self.owner.is_module
        self.defines = self.entry.args[0] if is_init else None
        self.local_names = {*assigned_names(self.definition.body), *(a.name for a in schema.arguments)}
        if _NOT_COMPILED & set(self.function.decorators):
            flow = self._not_compiled()
        else:
            flow = self.run([*self.definition.body, self._implicit_return])
        result = self._result_type(flow)
        if flow.dead or flow.result is None:
            value = self.one("prim::Uninitialized", (), result, span=self.definition.name_span)
        else:
            value = flow.result
        self.emit("torch.return", (value,), span=self.definition.name_span)
        attributes: dict[str, Attribute] = {
            "sym_name": self.symbol,
            "arg_names": tuple(a.name for a in schema.arguments),
        }
        if self.without_gradients:
            attributes["without_gradients"] = self.without_gradients
        op = Operation("torch.func", (), (), attributes, [Region([self.entry])], self.definition.name_span)
        returns = (Argument("", result, str(result)),)
        complete = Schema(schema.namespace, schema.base, "", schema.arguments, returns)
        return CompiledFunction(self.symbol, complete, result, self.definition.name_span), op

    def _result_type(self, flow: Flow) -> ScriptType:
        if self.declared_return is not None:
            return self.declared_return
        if flow.dead or flow.result is None:
            return self.return_type or NONE
        return self.return_type or script_type(flow.result)

    def _implicit_return(self) -> Flow:
        declared = self.declared_return
        if declared is not None and not is_subtype(NONE, declared) and not isinstance(declared, PoisonType):
            if not self.has_unknown_flow:
                self._miss_return(declared)
            return Flow(exited=True, returned=True, result=self.poison(self.definition.name_span))
        return self.returning(self.constant(None, self.definition.name_span), self.definition.name_span)

    def _miss_return(self, declared: ScriptType) -> None:
        name = self.definition.name
        self.error(
            self.definition.name_span,
            f"function '{name}' was annotated to return {declared.annotation}, but does not return along all paths",
            help="end every path with `return` or `raise`",
        )

    def _not_compiled(self) -> Flow:
        if self.declared_return is None:
            self.declared_return = TENSOR
        text = f"this Python function is annotated to be ignored and cannot be run: {self.definition.name}"
        operands = (self.constant(text), self.constant(None))
        self.emit("prim::RaiseException", operands, span=self.definition.name_span)
        return Flow(dead=True)


def declared_schema(unit: Unit, function: FunctionValue, owner: ClassType | None) -> Schema:
    """The parameters of a function, by its annotations."""
    return FunctionEmitter(unit, function, owner, "").signature()


def compile_function(
    unit: Unit, function: FunctionValue, owner: ClassType | None, symbol: str
) -> tuple[CompiledFunction, Operation]:
    emitter = FunctionEmitter(unit, function, owner, symbol)
    return emitter.compile(emitter.signature())
