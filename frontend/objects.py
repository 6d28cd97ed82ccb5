"""Attributes, classes and calls of the module evaluator: Python's object model, as far as a constructor needs it."""

from __future__ import annotations

import collections.abc
import copy
import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..ir.diagnostics import CompileError, Diagnostic, Note
from ..ir.dtypes import DType
from ..ir.generator import Generator
from ..ir.source import Span
from . import ast, initialise, module_methods
from .host_tensor import HostTensor
from .library import is_module, nn_index
from .machine import LimitError, fail
from .module_methods import MODULE_METHODS
from .python_builtins import BUILTINS, LIBRARY, MATH, METHODS
from .tensor_functions import FUNCTIONS, TENSOR_METHODS
from .tensor_functions import METHODS as FUNCTIONAL_METHODS
from .values import (
    EXCEPTIONS,
    MISSING,
    BoundMethod,
    BuiltinRef,
    ClassKind,
    ClassValue,
    Device,
    EnumMember,
    Frame,
    FunctionValue,
    ModuleInstance,
    ModuleRef,
    ObjectValue,
    Partial,
    Scope,
    Super,
    TypedAttribute,
    TypeExpression,
    Unavailable,
    Value,
)

if TYPE_CHECKING:
    from .evaluator import Limits

_USER_ERRORS = (
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    OverflowError,
    ZeroDivisionError,
    AttributeError,
    MemoryError,
)
"""What a Python or numpy function raises for arguments that are the program's fault."""

_ENUMS = frozenset(("enum.Enum", "enum.IntEnum", "enum.Flag", "enum.IntFlag", "enum.StrEnum"))
_IGNORED_BASES = frozenset(("builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"))
_DATACLASS = "dataclasses.dataclass"
_DEPTH_OF_NOTES: Final = 4


class Objects(ABC):
    """The lower layer of the interpreter."""

    generator: Generator
    limits: Limits
    initialises: bool
    current_span: Span | None
    _depth: int

    module_methods: Final = MODULE_METHODS

    def __init__(self) -> None:
        self.current_span = None

    # of the layers above

    @abstractmethod
    def charge(self, steps: int, span: Span | None) -> None: ...

    @abstractmethod
    def reserve(self, count: int, itemsize: int) -> None: ...

    @abstractmethod
    def evaluate(self, expression: ast.Expr, frame: Frame) -> Value: ...

    @abstractmethod
    def run_block(self, statements: Sequence[ast.Stmt], frame: Frame) -> object | None: ...

    @abstractmethod
    def run_body(self, function: ast.FunctionDef, frame: Frame) -> Value: ...

    @abstractmethod
    def iterate(self, value: Value, span: Span | None) -> Iterable[Value]: ...

    @abstractmethod
    def truth(self, value: Value, span: Span | None) -> bool: ...

    @abstractmethod
    def text(self, value: Value) -> str: ...

    @abstractmethod
    def compare(self, op: str, left: Value, right: Value, span: Span | None) -> Value: ...

    @abstractmethod
    def module_member(self, module: str, name: str) -> Value: ...

    @property
    @abstractmethod
    def module_class(self) -> ClassValue: ...

    # errors

    @contextmanager
    def recursion_guard(self, span: Span | None) -> collections.abc.Generator[None]:
        """Python's own stack is the last bound on nesting; what exceeds it is the program's fault."""
        try:
            yield
        except RecursionError:
            raise LimitError.at(span, "the program is nested too deeply to be evaluated") from None

    @contextmanager
    def errors_at(self, span: Span | None, what: str) -> collections.abc.Generator[None]:
        """Errors of Python and numpy functions that are called for the program."""
        outer = self.current_span
        self.current_span = span
        try:
            yield
        except _USER_ERRORS as error:
            text = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
            if isinstance(error, KeyError):
                text = f"there is no key {text!r}"
            raise CompileError.at(span, f"{what}: {text}" if what else str(text)) from None
        finally:
            self.current_span = outer

    # attributes

    def attribute(self, value: Value, name: str, span: Span | None) -> Value:
        """`value.name`, or MISSING. Of a ModuleRef: ModuleRef, BuiltinRef, ClassValue, FunctionValue or a constant."""
        match value:
            case ModuleRef():
                return self.module_member(value.name, name)
            case ModuleInstance():
                found, result = module_methods.find(value, name)
                return result if found else self._class_attribute(value, value.cls, name, span)
            case ObjectValue() | EnumMember():
                return self._object_attribute(value, name, span)
            case Super():
                return self._super(value, name, span)
            case ClassValue():
                return self._static_attribute(value, name)
            case HostTensor():
                return self._tensor_attribute(value, name)
            case FunctionValue():
                return value.name if name in ("__name__", "__qualname__") else MISSING
            case BuiltinRef():
                return value.name.rpartition(".")[2] if name == "__name__" else BuiltinRef(f"{value.name}.{name}")
            case Device():
                kind, _, index = value.name.partition(":")
                return {"type": kind, "index": int(index) if index.isdigit() else None}.get(name, MISSING)
            case DType():
                return {
                    "is_floating_point": value.is_floating,
                    "is_complex": value.is_complex,
                    "itemsize": value.itemsize,
                }.get(name, MISSING)
            case _:
                return self._native_attribute(value, name)

    def _object_attribute(self, value: ObjectValue | EnumMember, name: str, span: Span | None) -> Value:
        if isinstance(value, EnumMember):
            if name in ("name", "value"):
                return value.name if name == "name" else value.value
        elif name in value.attributes:
            return value.attributes[name]
        return self._class_attribute(value, value.cls, name, span)

    def _class_attribute(self, receiver: Value, cls: ClassValue, name: str, span: Span | None) -> Value:
        if name == "__class__":
            return cls
        if name == "__dict__" and isinstance(receiver, ModuleInstance):
            return {
                **receiver.attributes,
                "_parameters": receiver.parameters,
                "_buffers": receiver.buffers,
                "_modules": receiver.modules,
            }
        return self._bind(receiver, cls.find(name), name, span)

    def _super(self, value: Super, name: str, span: Span | None) -> Value:
        receiver = value.receiver
        cls = receiver if isinstance(receiver, ClassValue) else receiver.cls
        member = cls.find(name, value.after)
        if member is MISSING and name == "__init__":
            return BuiltinRef("builtins.object.__init__")
        return self._bind(receiver, member, name, span)

    def _bind(self, receiver: Value, member: Value, name: str, span: Span | None) -> Value:
        """A class member as seen through an instance."""
        if isinstance(member, FunctionValue) and member.owner is not None:
            if "builtins.staticmethod" in member.decorators:
                return member
            if "builtins.property" in member.decorators or "functools.cached_property" in member.decorators:
                return self.call_function(member, [receiver], {}, span)
            if "builtins.classmethod" in member.decorators:
                return BoundMethod(receiver.cls if hasattr(receiver, "cls") else receiver, member, name)
            return BoundMethod(receiver, member, name)
        if isinstance(member, BuiltinRef) and member.name.startswith("torch.nn.Module."):
            return BoundMethod(receiver, None, name)
        return member

    def _static_attribute(self, cls: ClassValue, name: str) -> Value:
        if name == "__name__":
            return cls.name
        if name == "__members__" and cls.kind == "enum":
            return {n: v for n, v in cls.members.items() if isinstance(v, EnumMember)}
        member = cls.find(name)
        if isinstance(member, FunctionValue) and "builtins.classmethod" in member.decorators:
            return BoundMethod(cls, member, name)
        return member

    def _tensor_attribute(self, tensor: HostTensor, name: str) -> Value:
        array = tensor.array
        match name:
            case "shape":
                return array.shape
            case "dtype":
                return tensor.dtype
            case "device":
                return Device("cpu")
            case "data":
                return HostTensor(array)
            case "T" | "mT":
                return HostTensor(array.T if name == "T" else array.swapaxes(-1, -2))
            case "ndim":
                return array.ndim
            case "requires_grad":
                return tensor.requires_grad
            case "is_cuda" | "is_sparse" | "is_quantized" | "is_meta":
                return False
            case "grad" | "grad_fn":
                return None
            case "real" | "imag":
                return HostTensor(np.real(array) if name == "real" else np.imag(array))
            case _:
                pass
        if name in TENSOR_METHODS or (name.endswith("_") and name[:-1] in FUNCTIONAL_METHODS):
            return BoundMethod(tensor, None, name)
        return MISSING

    def _native_attribute(self, value: Value, name: str) -> Value:
        kind: type = type(value)  # pyright: ignore[reportUnknownVariableType]
        if name in METHODS.get(kind, ()):
            return BoundMethod(value, None, name)
        if name == "__class__":
            return self.type_of(value)
        if kind in (int, float, complex) and name in ("real", "imag"):
            return getattr(value, name)
        if kind in (range, slice) and name in ("start", "stop", "step"):
            return getattr(value, name)
        return MISSING

    def set_attribute(self, target: Value, name: str, value: Value, span: Span | None) -> None:
        match target:
            case ModuleInstance():
                setter = target.cls.find(f"{name}.setter")
                if isinstance(value, TypedAttribute):
                    target.declared[name] = value.type
                    value = value.value
                if isinstance(setter, FunctionValue):
                    self.call_function(setter, [target, value], {}, span)
                else:
                    module_methods.assign(self, span, target, name, value)
            case ObjectValue():
                target.attributes[name] = value
            case HostTensor() if name == "data" and isinstance(value, HostTensor):
                target.array = value.array
            case HostTensor() if name == "requires_grad":
                target.requires_grad = bool(value)
            case FunctionValue():
                pass  # a tag; nothing reads it
            case HostTensor() | ClassValue():
                if isinstance(target, ClassValue):
                    target.members[name] = value  # a HostTensor keeps no other attributes; nothing reads them
            case _:
                fail(span, f"cannot set an attribute of {self.text(target)}")

    def type_of(self, value: Value) -> Value:
        if isinstance(value, ModuleInstance | ObjectValue | EnumMember):
            return value.cls
        if isinstance(value, HostTensor):
            return BuiltinRef("torch.nn.Parameter" if value.is_parameter else "torch.Tensor")
        if isinstance(value, DType):
            return BuiltinRef("torch.dtype")
        return BuiltinRef(f"builtins.{type(value).__name__}")

    # definitions

    def define_function(self, node: ast.FunctionDef, frame: Frame) -> FunctionValue:
        inside = frame.function is not None
        prefix = f"{frame.function.qualified}." if frame.function is not None else ""
        qualified = prefix + node.name if inside else frame.scope.qualify(node.name)
        decorators = tuple(self.decorator_name(d, frame) for d in node.decorators)
        function = FunctionValue(node, frame.scope, qualified, None, decorators, self._closure(frame))
        if inside:
            function.defaults = self._defaults(node.params, frame)
        name = node.name
        if any(d.endswith(".setter") for d in decorators):
            name = f"{name}.setter"
        before = frame.names.get(name)
        if isinstance(before, FunctionValue) and _is_overload(before):
            function.overloads = before.overloads
        if _is_overload(function):
            function.overloads = (*function.overloads, node)
        function = self._decorated(function, node, frame)
        frame.names[name] = function
        return function

    def _decorated(self, function: FunctionValue, node: ast.FunctionDef, frame: Frame) -> FunctionValue:
        """What the decorators of the user's own make of a function, under its name."""
        result = function
        for decorator in reversed(node.decorators):
            head = decorator.func if isinstance(decorator, ast.Call) else decorator
            try:
                applied = self.evaluate(head, frame) if isinstance(head, ast.Name) else None
            except LimitError:
                raise
            except CompileError:
                function.unknown_decorator = decorator.span
                continue
            if not isinstance(applied, FunctionValue) or applied.scope.name.startswith("torch."):
                continue
            value = self.call(self.evaluate(decorator, frame), [result], {}, decorator.span)
            if not isinstance(value, FunctionValue) or not isinstance(value.definition, ast.FunctionDef):
                function.unknown_decorator = decorator.span
            elif value is not result and "functools.wraps" not in value.decorators:
                # with `wraps`, PyTorch reads the source of the function that is wrapped
                definition = replace(value.definition, name=node.name, decorators=[])
                result = FunctionValue(
                    definition, value.scope, function.qualified, None, function.decorators, value.closure, value.defaults
                )
        result.unknown_decorator = function.unknown_decorator
        return result

    @staticmethod
    def _closure(frame: Frame) -> Frame | None:
        """The frame whose names a nested function sees: not that of a class body, none at top level."""
        outer: Frame | None = frame
        while outer is not None and outer.class_annotations is not None:
            outer = outer.parent
        return outer if outer is not None and outer.function is not None else None

    def _defaults(self, params: Sequence[ast.Param], frame: Frame) -> dict[str, Value]:
        return {p.name: self.evaluate(p.default, frame) for p in params if p.default is not None}

    def decorator_name(self, node: ast.Expr, frame: Frame) -> str:
        """The dotted name of a decorator; that of the function for `@f(...)`; its text if it means nothing known."""
        if isinstance(node, ast.Call):
            name = self.decorator_name(node.func, frame)
            dropped = any(
                k.name == "drop" and isinstance(k.value, ast.Literal_) and k.value.value is True for k in node.keywords
            )
            return "torch.jit.unused" if name == "torch.jit.ignore" and dropped else name
        if (
            isinstance(node, ast.Attribute)
            and node.name in ("setter", "deleter", "getter")
            and isinstance(node.value, ast.Name)
        ):
            return f"builtins.property.{node.name}"
        try:
            value = self.evaluate(node, frame)
        except LimitError:
            raise
        except CompileError:
            return node.span.text
        return str(getattr(value, "qualified", None) or getattr(value, "name", None) or node.span.text)

    def define_class(self, node: ast.ClassDef, frame: Frame) -> ClassValue:
        bases: list[ClassValue] = []
        kind: ClassKind = "plain"
        decorators = tuple(self.decorator_name(d, frame) for d in node.decorators)
        for base in node.bases:
            value = self.evaluate(base, frame)
            base_kind = self._base_kind(value, base)
            kind = kind if base_kind is None else base_kind
            if isinstance(value, ClassValue):
                bases.append(value)
        qualified = (
            f"{frame.function.qualified}.{node.name}" if frame.function is not None else frame.scope.qualify(node.name)
        )
        if "torch.jit.interface" in decorators:
            kind = "interface"
        cls = ClassValue(node.name, qualified, kind, frame.scope, node, tuple(bases), decorators=decorators)
        cls.mro = _linearize(cls, node.span)
        body = Frame(frame.scope, cls.members, frame, frame.function, cls.annotations)
        for statement in node.body:
            try:
                self.run_block([statement], body)
            except LimitError:
                raise
            except CompileError as error:
                self._unavailable_member(statement, cls, error)
        self._own_members(cls)
        return cls

    @staticmethod
    def _unavailable_member(statement: ast.Stmt, cls: ClassValue, error: CompileError) -> None:
        """A class-level value that cannot be evaluated is an error where it is used."""
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        names = [t.id for t in targets if isinstance(t, ast.Name)]
        if not names:
            raise error
        for name in names:
            cls.members[name] = Unavailable(name, error.diagnostics[0].message, statement.span)

    def _own_members(self, cls: ClassValue) -> None:
        for name, member in list(cls.members.items()):
            if isinstance(member, FunctionValue) and member.owner is None:
                if (
                    isinstance(member.definition, ast.FunctionDef)
                    and member.qualified.rpartition(".")[2] == member.definition.name
                ):
                    member.owner = cls
                    member.qualified = f"{cls.qualified}.{member.name}"
            elif cls.kind == "enum" and not name.startswith("_"):
                cls.members[name] = self._enum_member(cls, name, member)

    def _enum_member(self, cls: ClassValue, name: str, value: Value) -> EnumMember:
        """A member of its own; for a value that an earlier one has, that one, of which this is another name."""
        earlier = [m for m in cls.members.values() if isinstance(m, EnumMember)]
        if value == BuiltinRef("enum.auto"):
            value = next((m.value for m in reversed(earlier) if isinstance(m.value, int)), 0) + 1
        same = (m for m in earlier if type(m.value) is type(value) and m.value == value)
        return next(same, None) or EnumMember(cls, name, value)

    def _base_kind(self, value: Value, node: ast.Expr) -> ClassKind | None:
        if isinstance(value, ClassValue):
            return value.kind if value.kind != "plain" else None
        if isinstance(value, TypeExpression):
            return None
        if isinstance(value, BuiltinRef):
            name = value.name.removeprefix("builtins.")
            if name in EXCEPTIONS:
                return "exception"
            if value.name in _ENUMS:
                return "enum"
            if value.name == "typing.NamedTuple":
                return "named_tuple"
            if value.name in _IGNORED_BASES or name in ("int", "str", "float"):
                return None
        return fail(
            node.span,
            f"`{node.span.text}` cannot be a base class here",
            help="classes may derive from nn.Module, from classes of the file, Enum and NamedTuple",
        )

    # calls

    def call(self, function: Value, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None) -> Value:
        self.charge(1, span)
        match function:
            case FunctionValue():
                return self.call_function(function, args, keywords, span)
            case BoundMethod():
                if function.function is not None:
                    return self.call_function(function.function, [function.receiver, *args], keywords, span)
                return self._native_method(function, args, keywords, span)
            case ClassValue():
                return self._instantiate(function, args, keywords, span)
            case BuiltinRef():
                return self._builtin(function.name, args, keywords, span)
            case Partial():
                return self.call(function.function, [*function.args, *args], {**function.keywords, **keywords}, span)
            case ModuleInstance():
                return self.call(self._required(function, "forward", span), args, keywords, span)
            case ObjectValue():
                return self.call(self._required(function, "__call__", span), args, keywords, span)
            case _:
                return fail(span, f"{self.text(function)} cannot be called")

    def _required(self, value: Value, name: str, span: Span | None) -> Value:
        found = self.attribute(value, name, span)
        if found is MISSING:
            fail(span, f"{self.text(value)} has no `{name}`")
        return found

    def call_function(
        self, function: FunctionValue, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None
    ) -> Value:
        if self._depth >= self.limits.depth:
            raise LimitError.at(
                span,
                "calls are nested too deeply",
                label=f"more than {self.limits.depth} levels; is there an endless recursion?",
            )
        node = function.definition
        frame = Frame(function.scope, self._bound_arguments(function, args, keywords, span), function.closure, function)
        self._depth += 1
        try:
            return self.evaluate(node.body, frame) if isinstance(node, ast.Lambda) else self.run_body(node, frame)
        except LimitError:
            raise
        except CompileError as error:
            raise self._with_caller(error, function, span) from None
        finally:
            self._depth -= 1

    @staticmethod
    def _with_caller(error: CompileError, function: FunctionValue, span: Span | None) -> CompileError:
        """An error inside a call: the way to it as notes; for one inside our library the user's line comes first."""
        diagnostic = error.diagnostics[0]
        if span is None or len(diagnostic.notes) >= _DEPTH_OF_NOTES:
            return error
        in_library = is_module(function.scope.name)
        if in_library and not span.file.name.startswith("torchcc/"):
            note = Note("raised in the nn library", diagnostic.span)
            return CompileError(
                Diagnostic(
                    diagnostic.message,
                    span,
                    f"in {function.qualified.removeprefix('torch.nn.modules.')}",
                    (note,),
                    diagnostic.help,
                )
            )
        if in_library:
            return error
        note = Note(f"in the call of `{function.qualified}` here", span)
        return CompileError(
            Diagnostic(
                diagnostic.message, diagnostic.span, diagnostic.label, (*diagnostic.notes, note), diagnostic.help
            )
        )

    def _bound_arguments(
        self, function: FunctionValue, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None
    ) -> dict[str, Value]:
        """Python's rules of passing arguments."""
        params = function.definition.params
        positional = [p for p in params if p.kind in ("normal", "positional_only")]
        bound: dict[str, Value] = {p.name: a for p, a in zip(positional, args)}
        rest = dict(keywords)
        variadic = next((p for p in params if p.kind == "varargs"), None)
        if variadic is not None:
            bound[variadic.name] = tuple(args[len(positional) :])
        elif len(args) > len(positional):
            fail(span, f"`{function.name}` takes {len(positional)} positional arguments, {len(args)} are given")
        for param in params:
            if param.kind in ("varargs", "kwargs"):
                continue
            if param.name in rest and param.kind != "positional_only":
                if param.name in bound:
                    fail(span, f"`{function.name}` gets argument `{param.name}` twice")
                bound[param.name] = rest.pop(param.name)
        self._fill_defaults(function, bound, span)
        catch_all = next((p for p in params if p.kind == "kwargs"), None)
        if catch_all is not None:
            bound[catch_all.name] = rest
        elif rest:
            fail(span, f"`{function.name}` has no parameter `{next(iter(rest))}`")
        return bound

    def _fill_defaults(self, function: FunctionValue, bound: dict[str, Value], span: Span | None) -> None:
        params = [p for p in function.definition.params if p.kind not in ("varargs", "kwargs") and p.name not in bound]
        if not params:
            return
        if function.defaults is None:
            frame = Frame(function.scope, {}, function.closure)
            function.defaults = self._defaults(function.definition.params, frame)
        missing = [p.name for p in params if p.name not in function.defaults]
        if missing:
            names = ", ".join(f"`{n}`" for n in missing)
            fail(span, f"`{function.qualified}` is missing the argument{'s' if len(missing) > 1 else ''} {names}")
        bound.update({p.name: function.defaults[p.name] for p in params})

    def _instantiate(
        self, cls: ClassValue, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None
    ) -> Value:
        match cls.kind:
            case "module":
                instance: Value = ModuleInstance(cls)
                self.call(self._required(instance, "__init__", span), args, keywords, span)
                if "training" not in instance.attributes:
                    instance.attributes["training"] = True
                return instance
            case "enum":
                member = (
                    next((m for m in cls.members.values() if isinstance(m, EnumMember) and m.value == args[0]), None)
                    if args
                    else None
                )
                if member is None:
                    fail(span, f"no member of `{cls.name}` has this value")
                return member
            case "exception":
                return ObjectValue(cls, {"args": tuple(args)})
            case "named_tuple":
                return self._filled(cls, args, keywords, span)
            case _:
                pass
        if _DATACLASS in cls.decorators and cls.find("__init__") is MISSING:
            instance = self._filled(cls, args, keywords, span)
            post = self.attribute(instance, "__post_init__", span)
            if post is not MISSING:
                self.call(post, [], {}, span)
            return instance
        instance = ObjectValue(cls)
        if cls.find("__init__") is not MISSING:
            self.call(self._required(instance, "__init__", span), args, keywords, span)
        elif args or keywords:
            fail(span, f"`{cls.name}` takes no arguments")
        return instance

    def _filled(
        self, cls: ClassValue, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None
    ) -> ObjectValue:
        """An instance whose attributes are its class's annotated fields, from the arguments."""
        fields = list(cls.all_annotations)
        if len(args) > len(fields):
            fail(span, f"`{cls.name}` has {len(fields)} fields, {len(args)} values are given")
        values = {**dict(zip(fields, args)), **keywords}
        unknown = [k for k in values if k not in fields]
        if unknown:
            fail(span, f"`{cls.name}` has no field `{unknown[0]}`")
        instance = ObjectValue(cls)
        for name in fields:
            value = values[name] if name in values else cls.find(name)
            if value is MISSING:
                fail(span, f"`{cls.name}` is missing a value for `{name}`")
            if isinstance(value, Partial) and value.function == BuiltinRef("dataclasses.field"):
                value = self._field_default(value, name, cls, span)
            instance.attributes[name] = value
        return instance

    def _field_default(self, field: Partial, name: str, cls: ClassValue, span: Span | None) -> Value:
        if "default_factory" in field.keywords:
            return self.call(field.keywords["default_factory"], [], {}, span)
        if "default" in field.keywords:
            return field.keywords["default"]
        return fail(span, f"`{cls.name}` is missing a value for `{name}`")

    def _native_method(
        self, method: BoundMethod, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None
    ) -> Value:
        receiver, name = method.receiver, method.name
        if isinstance(receiver, ModuleInstance):
            with self.errors_at(span, name):
                return MODULE_METHODS[name](self, span, receiver, *args, **keywords)
        if isinstance(receiver, HostTensor):
            return self._tensor_method(receiver, name, args, keywords, span)
        with self.errors_at(span, name):
            return METHODS[type(receiver)][name](self, span, receiver, *args, **keywords)

    def _tensor_method(
        self, tensor: HostTensor, name: str, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None
    ) -> Value:
        self._charge_tensors([tensor, *args], span)
        if not self.initialises and name in ("uniform_", "normal_", "bernoulli_"):
            return tensor
        with self.errors_at(span, name):
            if name in TENSOR_METHODS:
                return TENSOR_METHODS[name](self, tensor, *args, **keywords)
            result = FUNCTIONAL_METHODS[name[:-1]](self, tensor, *args, **keywords)
            tensor.array[...] = result.array
            return tensor

    def _charge_tensors(self, args: Sequence[Value], span: Span | None) -> None:
        """Work that grows with tensors: with all of their sizes together for products."""
        sizes = [a.array.size for a in args if isinstance(a, HostTensor)]
        self.charge(sum(sizes) >> 10, span)
        if len(sizes) > 1:
            self.charge(int(math.prod(float(s) for s in sizes) ** 0.75) >> 12, span)

    def _builtin(self, name: str, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None) -> Value:
        root, _, rest = name.partition(".")
        short = name.rpartition(".")[2]
        if name.startswith("torch.nn.init."):
            return self._initialise(short, args, keywords, span)
        if name.startswith("torch.nn.Module."):
            if not args or not isinstance(args[0], ModuleInstance):
                fail(span, f"`{name}` needs a module as its first argument")
            return self._native_method(BoundMethod(args[0], None, short), args[1:], keywords, span)
        special = _SPECIALS.get(name)
        function: Callable[..., Any] | None = None
        if special is None:
            table: dict[str, Callable[..., Any]] = {"builtins": BUILTINS, "math": MATH}.get(root, LIBRARY)
            function = table.get(rest if table is not LIBRARY else name)
        with self.errors_at(span, f"`{name.removeprefix('builtins.')}`"):
            if special is not None:
                return special(self, span, *args, **keywords)
            if function is not None:
                return function(self, span, *args, **keywords)
            if root == "torch" and rest in FUNCTIONS:
                self._charge_tensors(args, span)
                return FUNCTIONS[rest](self, *args, **keywords)
            if name.startswith("torch.Tensor.") and args and isinstance(args[0], HostTensor):
                return self._tensor_method(args[0], short, args[1:], keywords, span)
            if root == "builtins" and rest in EXCEPTIONS:
                return ObjectValue(self._exception_class(rest), {"args": tuple(args)})
        return fail(
            span,
            f"`{name.removeprefix('builtins.')}` cannot be called while a module is built",
            help=_nearest(name)
            or "torchcc runs `__init__` by itself: it knows the common functions of torch, math and Python",
        )

    @staticmethod
    def _exception_class(name: str) -> ClassValue:
        cls = ClassValue(name, f"builtins.{name}", "exception", Scope("builtins"))
        cls.mro = (cls,)
        return cls

    def _initialise(self, name: str, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None) -> Value:
        """`torch.nn.init.NAME(tensor, ...)`."""
        if name == "calculate_gain":
            with self.errors_at(span, "`calculate_gain`"):
                return initialise.calculate_gain(*args, **keywords)
        rest = {k: v for k, v in keywords.items() if k not in ("tensor", "generator")}
        tensor = args[0] if args else keywords.get("tensor")
        if not isinstance(tensor, HostTensor):
            fail(span, f"`nn.init.{name}` needs a tensor", label=f"got {self.text(tensor)}")
        args = args[1:]
        with self.errors_at(span, f"`nn.init.{name}`"):
            if name == "_calculate_fan_in_and_fan_out":
                return initialise.fan_in_and_out(tensor.shape)
            if name == "_calculate_correct_fan":
                return initialise.fan_in_and_out(tensor.shape)[int(str(args[0]).lower() == "fan_out")]
            if name in ("zeros_", "ones_"):
                initialise.constant_(tensor.array, float(name == "ones_"))
            elif name in initialise.FIXED:
                initialise.FIXED[name](tensor.array, *args, **rest)
            elif name in initialise.RANDOM:
                if self.initialises:
                    initialise.RANDOM[name](tensor.array, self.generator, *args, **rest)
            else:
                fail(
                    span,
                    f"`nn.init.{name}` is not supported",
                    help=f"there are {', '.join(sorted([*initialise.RANDOM, *initialise.FIXED]))}",
                )
        return tensor


def _is_overload(function: FunctionValue) -> bool:
    """Whether a definition only declares types."""
    return "torch.jit._overload" in function.decorators or "torch.jit._overload_method" in function.decorators


def _nearest(name: str) -> str | None:
    """What may have been meant by a name of torch that does not exist."""
    module, _, short = name.rpartition(".")
    known = nn_index() if module == "torch.nn" else FUNCTIONS if module == "torch" else ()
    found = difflib.get_close_matches(short, [k for k in known if not k.startswith("_")], 1)
    return f"did you mean `{found[0]}`?" if found and found[0] != short else None


def _linearize(cls: ClassValue, span: Span) -> tuple[ClassValue, ...]:
    """The C3 order of a class and its bases."""
    sequences = [list(b.mro) for b in cls.bases] + [list(cls.bases)]
    order = [cls]
    while any(sequences):
        sequences = [s for s in sequences if s]
        head = next((s[0] for s in sequences if not any(s[0] in other[1:] for other in sequences)), None)
        if head is None:
            fail(span, f"the bases of `{cls.name}` cannot be brought into an order")
        order.append(head)
        sequences = [[c for c in s if c is not head] for s in sequences]
    return tuple(order)


# builtins that make or inspect objects of the evaluator


def _parameter(machine: Objects, span: Span | None, data: Value = None, requires_grad: bool = True) -> HostTensor:
    if data is None:
        data = FUNCTIONS["empty"](machine, 0)
    if not isinstance(data, HostTensor):
        fail(span, f"nn.Parameter needs a tensor, not {machine.text(data)}")
    return HostTensor(data.array, bool(requires_grad), is_parameter=True)


def _partial(machine: Objects, span: Span | None, function: Value, *args: Value, **keywords: Value) -> Partial:
    return Partial(function, args, keywords)


def _field(machine: Objects, span: Span | None, **keywords: Value) -> Partial:
    return Partial(BuiltinRef("dataclasses.field"), (), keywords)


def _deepcopy(machine: Objects, span: Span | None, value: Value) -> Value:
    """Instances and tensors are copied, definitions are shared."""
    memo: dict[int, Any] = {}

    def duplicate(item: Any) -> Any:
        if id(item) in memo:
            return memo[id(item)]
        machine.charge(1, span)
        match item:
            case HostTensor():
                machine.reserve(item.array.size, item.array.itemsize)
                result: Any = HostTensor(item.array.copy(), item.requires_grad, item.is_parameter)
            case ModuleInstance():
                result = ModuleInstance(item.cls)
                memo[id(item)] = result
                result.non_persistent = set(item.non_persistent)
                result.declared, result.pre_hooks, result.hooks = dict(item.declared), [*item.pre_hooks], [*item.hooks]
                for table in ("parameters", "buffers", "attributes", "modules"):
                    getattr(result, table).update({k: duplicate(v) for k, v in getattr(item, table).items()})
            case ObjectValue():
                result = ObjectValue(item.cls)
                memo[id(item)] = result
                result.attributes.update({k: duplicate(v) for k, v in item.attributes.items()})
            case list():
                result = memo[id(item)] = []  # pyright: ignore[reportUnknownArgumentType]
                result.extend([duplicate(v) for v in item])  # pyright: ignore[reportUnknownVariableType]
            case dict():
                result = memo[id(item)] = {}  # pyright: ignore[reportUnknownArgumentType]
                result.update({k: duplicate(v) for k, v in item.items()})  # pyright: ignore[reportUnknownVariableType]
            case tuple():
                result = tuple(duplicate(v) for v in item)  # pyright: ignore[reportUnknownVariableType]
            case _:
                return item
        memo[id(item)] = result  # pyright: ignore[reportUnknownArgumentType]
        return result

    return duplicate(value)


def _copy(machine: Objects, span: Span | None, value: Value) -> Value:
    return copy.copy(value) if isinstance(value, list | dict | set) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _device(machine: Objects, span: Span | None, kind: Any = "cpu", index: int | None = None) -> Device:
    name = kind.name if isinstance(kind, Device) else str(kind)
    return Device(name if index is None else f"{name}:{index}")


def _object(machine: Objects, span: Span | None) -> ObjectValue:
    cls = ClassValue("object", "builtins.object", "plain", Scope("builtins"))
    cls.mro = (cls,)
    return ObjectValue(cls)


def _typed_attribute(machine: Objects, span: Span | None, value: Value, type: Value) -> TypedAttribute:
    return TypedAttribute(value, type)


def _object_init(machine: Objects, span: Span | None, *args: Value, **keywords: Value) -> None:
    return None


def _named_tuple(machine: Objects, span: Span | None, typename: str, field_names: Any, **_: Any) -> ClassValue:
    names = field_names.replace(",", " ").split() if isinstance(field_names, str) else list(field_names)
    assert span is not None
    annotations: dict[str, ast.Expr] = {n: ast.Name(span, "Tensor") for n in names}
    cls = ClassValue(
        typename, typename, "named_tuple", Scope("", {"Tensor": BuiltinRef("torch.Tensor")}), annotations=annotations
    )
    cls.mro = (cls,)
    return cls


def _identity(machine: Objects, span: Span | None, *args: Value) -> Value:
    return args[-1] if args else None


def _constant(value: Value) -> Callable[..., Value]:
    def give(machine: Objects, span: Span | None, *args: Value, **keywords: Value) -> Value:
        return value

    return give


def _is_tensor(machine: Objects, span: Span | None, value: Value) -> bool:
    return isinstance(value, HostTensor)


def _size(machine: Objects, span: Span | None, sizes: Sequence[int] = ()) -> tuple[int, ...]:
    return tuple(sizes)


def _context(name: str) -> Callable[..., Value]:
    return _constant(BuiltinRef(name))


_SPECIALS: Final[dict[str, Callable[..., Any]]] = {
    "torch.nn.Parameter": _parameter,
    "functools.partial": _partial,
    "dataclasses.field": _field,
    "copy.deepcopy": _deepcopy,
    "copy.copy": _copy,
    "torch.device": _device,
    "builtins.object": _object,
    "torch.jit.Attribute": _typed_attribute,
    "builtins.object.__init__": _object_init,
    "collections.namedtuple": _named_tuple,
    "torch.jit.annotate": _identity,
    "typing.cast": _identity,
    "torch.jit.script": _identity,
    "torch.jit.is_scripting": _constant(False),
    "torch.jit.is_tracing": _constant(False),
    "torch.cuda.is_available": _constant(False),
    "torch.is_tensor": _is_tensor,
    "torch.get_default_dtype": _constant(DType.float32),
    "torch.Size": _size,
    "torch.is_grad_enabled": _constant(True),
    "enum.auto": _constant(BuiltinRef("enum.auto")),
    "torch.no_grad": _context("torch.no_grad"),
    "torch.enable_grad": _context("torch.enable_grad"),
    "torch.inference_mode": _context("torch.inference_mode"),
    "torch.set_grad_enabled": _context("torch.set_grad_enabled"),
    "typing.TypeVar": _context("typing.TypeVar"),
    "torch._C._log_api_usage_once": _constant(None),
}

__all__ = ["Objects"]
