"""Runs the `__init__` of a user's modules, and the top level of a file, over our syntax tree; Python runs nothing.

In: a parsed `SourceModule`. Out: values of `values.py`: a tree of `ModuleInstance` with its tensors, or a function.
Work is bounded (`Limits`): a hostile file ends in a CompileError, not in a hang.

    interpreter = Interpreter(seed=0)
    scope = interpreter.module_scope(parse(file))          # what the file's global names mean
    model = interpreter.evaluate_entry(scope, "Net(10)")   # ModuleInstance
    interpreter.attribute(ModuleRef("torch"), "nn", span)  # ModuleRef("torch.nn")

A type checker needs `Scope.lookup` (a global name), `Interpreter.attribute` (a name behind a dot) and the dataclasses.
The class is built in layers: `Objects` (attributes, classes, calls), `Expressions`, and the statements here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..ir.cache import file_digest
from ..ir.diagnostics import CompileError
from ..ir.generator import Generator
from ..ir.source import SourceFile, Span
from . import ast
from .expressions import Expressions
from .library import is_module, library_source, member, nn_index
from .machine import LimitError, fail
from .parser import parse
from .syntax_cache import parse_expression_cached
from .values import (
    MISSING,
    BuiltinRef,
    ClassValue,
    Frame,
    FunctionValue,
    HostTensor,
    ModuleInstance,
    ModuleRef,
    ObjectValue,
    Scope,
    Unavailable,
    Value,
)

_NN = "torch.nn"
_NN_MODULES = "torch.nn.modules."
_FUNCTIONAL = "torch.nn.functional"
_PACKED = "torch.nn.utils.rnn"
_AUTOCAST = "torch.amp.autocast_mode"

_AUTOCASTS = {
    "torch.autocast": "autocast",
    "torch.amp.autocast": "autocast",
    "torch.amp.autocast_mode.autocast": "autocast",
    "torch.cpu.amp.autocast": "cpu_autocast",
    "torch.cpu.amp.autocast_mode.autocast": "cpu_autocast",
    "torch.cuda.amp.autocast": "cuda_autocast",
    "torch.cuda.amp.autocast_mode.autocast": "cuda_autocast",
}
"""The class, and functions that make objects of it with arguments of their own."""

_BREAK, _CONTINUE = object(), object()


@dataclass(frozen=True)
class Limits:
    """Bounds of one evaluation."""

    steps: int = 5_000_000
    tensor_bytes: int = 32 << 30
    depth: int = 60
    """Of calls."""


@dataclass(frozen=True)
class _Returned:
    value: Value


class Interpreter(Expressions):
    """One evaluation: its random stream, its limits, and the meaning of every module that is loaded.

    `initialise=False` leaves random parameters zero, for modules whose weights are loaded afterwards.
    `loader` gives the source of another module of the user's by its dotted name, or None.
    """

    def __init__(
        self, *, seed: int | None = None, limits: Limits | None = None, initialise: bool = True,
        loader: Callable[[str], SourceFile | None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.generator = Generator(0 if seed is None else seed)
        self.limits = limits or Limits()
        self.initialises = initialise
        self._loader = loader
        self._scopes: dict[str, Scope | None] = {}
        self._steps = 0
        self._bytes = 0
        self._depth = 0

    # accounting

    def charge(self, steps: int, span: Span | None) -> None:
        self._steps += steps
        if self._steps > self.limits.steps:
            raise LimitError.at(
                span,
                f"building the module takes more than {self.limits.steps:,} steps",
                help="torchcc runs `__init__` by itself, with a bound; is there an endless loop?",
            )

    def reserve(self, count: int, itemsize: int) -> None:
        self._bytes += count * itemsize
        if self._bytes > self.limits.tensor_bytes:
            raise LimitError.at(
                self.current_span, f"the module's tensors take more than {self.limits.tensor_bytes >> 30} GiB"
            )

    # scopes

    def module_scope(self, module: ast.SourceModule, name: str = "") -> Scope:
        """The global names of a file. Definitions that cannot be evaluated are `Unavailable`."""
        scope = Scope(name)
        scope.names["__name__"] = name or "__torchcc__"
        if name:
            self._scopes[name] = scope
        frame = Frame(scope, scope.names)
        for statement in module.body:
            try:
                with self.recursion_guard(statement.span):
                    self.run(statement, frame)
            except LimitError:
                raise
            except CompileError as error:
                if self._is_library(name):
                    raise
                reason = error.diagnostics[0].message
                scope.names.update({n: Unavailable(n, reason, statement.span) for n in _bound_names([statement])})
        return scope

    def evaluate_entry(self, scope: Scope, text: str) -> Value:
        """What `Name`, `Name.method` or `Name(arguments)` of a command line means; a module class is instantiated."""
        node = parse_expression_cached(text, "<entry>")
        with self.recursion_guard(node.span):
            value = self.evaluate(node, Frame(scope))
            if isinstance(value, ClassValue) and value.kind == "module":
                value = self.call(value, [], {}, node.span)
        return value

    @staticmethod
    def _is_library(name: str) -> bool:
        return name.startswith(_NN) or name == _AUTOCAST

    def _library_scope(self, name: str) -> Scope | None:
        """The scope of `torch.nn.functional`, of `torch.nn.modules.X`, or of another file of the user's."""
        if name in self._scopes:
            return self._scopes[name]
        self._scopes[name] = None
        source: ast.SourceModule | None = None
        if name == _FUNCTIONAL:
            source = library_source("prelude", "functional")
        elif name == _AUTOCAST:
            source = library_source("prelude", "autocast")
        elif name == _PACKED:
            source = library_source("prelude", "packed_sequences")
        elif name.startswith(_NN_MODULES):
            source = library_source("nn", name.removeprefix(_NN_MODULES))
        elif not is_module(name) and self._loader is not None:
            file = self._loader(name)
            source = None if file is None else parse(file)
        return None if source is None else self.module_scope(source, name)

    def module_member(self, module: str, name: str) -> Value:
        """`module.name` of a Python module."""
        if module in (_NN, "torch.nn.modules") or (
            module.startswith(_NN_MODULES) and self._library_scope(module) is None
        ):
            if name == "Module":
                return self.module_class
            if name in nn_index():
                scope = self._library_scope(_NN_MODULES + nn_index()[name])
                return MISSING if scope is None else scope.names.get(name, MISSING)
        elif not is_module(module) or module in (_FUNCTIONAL, _PACKED) or module.startswith(_NN_MODULES):
            scope = self._library_scope(module)
            if scope is not None and name in scope.names:
                return scope.names[name]
            if not is_module(module):
                inner = f"{module}.{name}"
                return ModuleRef(inner) if self._library_scope(inner) is not None else MISSING
        if name == "ScriptModule" and module == "torch.jit":
            return self.module_class
        if name == "autocast" and f"{module}.autocast" in _AUTOCASTS:
            scope = self._library_scope(_AUTOCAST)
            return MISSING if scope is None else scope.names[_AUTOCASTS[f"{module}.autocast"]]
        return member(module, name)

    @property
    def module_class(self) -> ClassValue:
        return self._module_class

    @cached_property
    def _module_class(self) -> ClassValue:
        cls = ClassValue("Module", "torch.nn.modules.module.Module", "module", Scope(_NN))
        cls.mro = (cls,)
        cls.members = {name: BuiltinRef(f"torch.nn.Module.{name}") for name in self.module_methods}
        return cls

    # statements

    def run_block(self, statements: Sequence[ast.Stmt], frame: Frame) -> object | None:
        for statement in statements:
            signal = self.run(statement, frame)
            if signal is not None:
                return signal
        return None

    def run_body(self, function: ast.FunctionDef, frame: Frame) -> Value:
        signal = self.run_block(function.body, frame)
        return signal.value if isinstance(signal, _Returned) else None

    def run(self, statement: ast.Stmt, frame: Frame) -> object | None:
        """Run one statement; the result is not None if it leaves the block."""
        self.charge(1, statement.span)
        match statement:
            case ast.ExprStmt():
                if not isinstance(statement.value, ast.Literal_):
                    self.evaluate(statement.value, frame)
            case ast.Assign():
                value = self.evaluate(statement.value, frame)
                for target in statement.targets:
                    self.assign(target, value, frame)
            case ast.AnnAssign():
                self._annotated(statement, frame)
            case ast.AugAssign():
                self.augmented_assign(statement, frame)
            case ast.Return():
                return _Returned(None if statement.value is None else self.evaluate(statement.value, frame))
            case ast.If():
                return self.run_block(statement.body if self._test(statement.test, frame) else statement.orelse, frame)
            case ast.For():
                return self._for(statement, frame)
            case ast.While():
                return self._while(statement, frame)
            case ast.Break():
                return _BREAK
            case ast.Continue():
                return _CONTINUE
            case ast.Pass():
                pass
            case ast.Assert():
                self._assert(statement, frame)
            case ast.Raise():
                self._raise(statement, frame)
            case ast.Delete():
                for target in statement.targets:
                    self.delete(target, frame)
            case ast.With():
                return self._with(statement, frame)
            case ast.Import():
                self._import(statement, frame)
            case ast.FunctionDef():
                self.define_function(statement, frame)
            case ast.ClassDef():
                frame.names[statement.name] = self.define_class(statement, frame)
            case ast.UnsupportedStmt():
                fail(statement.span, f"{statement.what} are not supported", label="while a module is built")
            case _:
                fail(statement.span, "this statement is not supported")
        return None

    def _test(self, test: ast.Expr, frame: Frame) -> bool:
        return self.truth(self.evaluate(test, frame), test.span)

    def _annotated(self, statement: ast.AnnAssign, frame: Frame) -> None:
        if frame.class_annotations is not None and isinstance(statement.target, ast.Name):
            frame.class_annotations[statement.target.id] = statement.annotation
        if statement.value is not None:
            self.assign(statement.target, self.evaluate(statement.value, frame), frame)

    def _for(self, statement: ast.For, frame: Frame) -> object | None:
        for item in self.iterate(self.evaluate(statement.iterable, frame), statement.iterable.span):
            self.assign(statement.target, item, frame)
            signal = self.run_block(statement.body, frame)
            if signal is _BREAK:
                return None
            if isinstance(signal, _Returned):
                return signal
        return self.run_block(statement.orelse, frame)

    def _while(self, statement: ast.While, frame: Frame) -> object | None:
        while self._test(statement.test, frame):
            self.charge(1, statement.span)
            signal = self.run_block(statement.body, frame)
            if signal is _BREAK:
                return None
            if isinstance(signal, _Returned):
                return signal
        return self.run_block(statement.orelse, frame)

    def _assert(self, statement: ast.Assert, frame: Frame) -> None:
        if self._test(statement.test, frame):
            return
        message = "" if statement.message is None else f": {self.text(self.evaluate(statement.message, frame))}"
        fail(statement.test.span, f"assertion failed{message}", label="this is False")

    def _raise(self, statement: ast.Raise, frame: Frame) -> None:
        if statement.exception is None:
            fail(statement.span, "`raise` without an exception")
        exception = self.evaluate(statement.exception, frame)
        if isinstance(exception, ObjectValue):
            text = ", ".join(self.text(a) for a in exception.attributes.get("args", ()))
            fail(statement.span, f"{exception.cls.name}: {text}" if text else exception.cls.name, label="raised here")
        fail(statement.span, self.text(exception), label="raised here")

    def _with(self, statement: ast.With, frame: Frame) -> object | None:
        for item in statement.items:
            context = self.evaluate(item.context, frame)
            if not isinstance(context, BuiltinRef) or context.name not in _CONTEXTS:
                fail(
                    item.context.span,
                    "this context manager is not supported while a module is built",
                    help="torch.no_grad() is",
                )
        return self.run_block(statement.body, frame)

    # imports

    def _import(self, statement: ast.Import, frame: Frame) -> None:
        if statement.module is None and not statement.level:
            for alias in statement.names:
                root = alias.name if alias.asname else alias.name.partition(".")[0]
                frame.names[alias.asname or root] = self._imported_module(alias.name, root, alias.span)
            return
        module = self._absolute(statement, frame)
        for alias in statement.names:
            if alias.name == "*":
                self._import_all(module, alias.span, frame)
                continue
            frame.names[alias.asname or alias.name] = self._imported_member(module, alias)

    def _absolute(self, statement: ast.Import, frame: Frame) -> str:
        if not statement.level:
            return statement.module or ""
        package = frame.scope.name.split(".")[: -statement.level]
        return ".".join([*package, *([statement.module] if statement.module else [])])

    def _imported_module(self, name: str, root: str, span: Span) -> Value:
        if is_module(name) or self._library_scope(name) is not None or self._library_scope(root) is not None:
            return ModuleRef(root)
        return Unavailable(name, f"torchcc does not know the Python module `{name}`", span)

    def _imported_member(self, module: str, alias: ast.Alias) -> Value:
        if module and not is_module(module) and self._library_scope(module) is None:
            return Unavailable(alias.name, f"torchcc does not know the Python module `{module}`", alias.span)
        if not module:  # `from . import name`
            return self._imported_module(alias.name, alias.name, alias.span)
        value = self.module_member(module, alias.name)
        if value is MISSING:
            return Unavailable(alias.name, f"there is no `{alias.name}` in the module `{module}`", alias.span)
        return value

    def _import_all(self, module: str, span: Span, frame: Frame) -> None:
        if module == "typing":
            frame.names.update({n: BuiltinRef(f"typing.{n}") for n in _TYPING})
            return
        scope = None if is_module(module) else self._library_scope(module)
        if scope is None:
            fail(span, f"`from {module} import *` is not supported", help="import the names that you need")
        frame.names.update({n: v for n, v in scope.names.items() if not n.startswith("_")})


_TYPING = (
    "Any",
    "Callable",
    "Dict",
    "Final",
    "List",
    "NamedTuple",
    "Optional",
    "Sequence",
    "Set",
    "Tuple",
    "Type",
    "Union",
)
_CONTEXTS = {"torch.no_grad", "torch.enable_grad", "torch.inference_mode", "torch.set_grad_enabled", "torch.device"}


def _bound_names(statements: Sequence[ast.Stmt]) -> set[str]:
    """Names that statements bind, in any branch."""
    names: set[str] = set()
    pending: list[ast.Node] = list(statements)
    while pending:
        node = pending.pop()
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Assign():
                pending += node.targets
            case ast.AnnAssign() | ast.AugAssign():
                pending.append(node.target)
            case ast.Name():
                names.add(node.id)
            case ast.TupleExpr() | ast.ListExpr():
                pending += node.elements
            case ast.Starred():
                pending.append(node.value)
            case ast.If() | ast.While():
                pending += [*node.body, *node.orelse]
            case ast.For():
                pending += [node.target, *node.body, *node.orelse]
            case ast.With() | ast.UnsupportedStmt():
                pending += node.body
            case ast.Import():
                names |= {a.asname or a.name.partition(".")[0] for a in node.names}
            case _:
                pass
    return names


def sibling_loader(
    path: str | os.PathLike[str], files: dict[str, str | None] | None = None
) -> Callable[[str], SourceFile | None]:
    """A loader of the `.py` files beside a file, for `import layers` and `from .layers import Block`.

    Notes in `files` every path that is looked for, with the hash of the file, None where there is none.
    """
    folder = os.path.dirname(os.path.abspath(path))

    def load(name: str) -> SourceFile | None:
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for candidate in (os.path.join(folder, *parts) + ".py", os.path.join(folder, *parts, "__init__.py")):
            is_there = os.path.isfile(candidate)
            if files is not None:
                files[candidate] = file_digest(candidate) if is_there else None
            if is_there:
                with open(candidate, encoding="utf-8") as file:
                    return SourceFile(candidate, file.read())
        return None

    return load


__all__ = [
    "MISSING",
    "BuiltinRef",
    "ClassValue",
    "Frame",
    "FunctionValue",
    "HostTensor",
    "Interpreter",
    "Limits",
    "ModuleInstance",
    "ModuleRef",
    "Scope",
    "Unavailable",
    "Value",
    "sibling_loader",
]
