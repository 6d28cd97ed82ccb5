"""Source text to a `Program`: parse, evaluate the module's `__init__`, compile the entry and everything it reaches.

    compile_file("model.py", "Net(10)")     # a module class, instantiated; its `forward` is the entry
    compile_text("def f(x): return x + 1", "<string>")

`Compilation` holds what one run shares: functions compiled so far, class types, diagnostics. All independent errors of
a run are raised together. `prelude_function` compiles a composite operator for the passes that expand it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from ..ir.attributes import Constant
from ..ir.core import Operation, lookup, new_module
from ..ir.dead_code import has_effect, remove_dead_code
from ..ir.diagnostics import CompileError, Diagnostic, Diagnostics, Note, guarded_nesting
from ..ir.program import Program
from ..ir.schema import Argument, Schema
from ..ir.script_types import POISON, ClassType, NamedTupleType, PoisonType, ScriptType
from ..ir.script_types import EnumMember as TypedMember
from ..ir.source import SourceFile, Span
from ..ir.subtyping import is_subtype
from . import ast, prelude
from .checker.annotations import Annotations
from .checker.classes import Classes
from .checker.meanings import describe_host
from .checker.script_classes import methods, sorting_function
from .checker.state import ClassInfo, CompiledFunction, short_name
from .emit import compile_function, declared_schema
from .evaluator import Interpreter, sibling_loader
from .host_tensor import HostTensor
from .parser import parse
from .syntax_cache import parse_cached
from .values import (
    MISSING,
    BoundMethod,
    ClassValue,
    EnumMember,
    Frame,
    FunctionValue,
    ModuleInstance,
    Scope,
    Unavailable,
)


@dataclass(eq=False)
class Compilation:
    """One run of the compiler's front half; a `Unit` to the functions that it compiles."""

    interpreter: Interpreter
    module: Operation = field(default_factory=new_module)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    annotations: Annotations = field(init=False)
    classes: Classes = field(init=False)
    _compiled: dict[tuple[FunctionValue | ast.FunctionDef, ClassType | None], CompiledFunction | None] = field(
        default_factory=dict[tuple[FunctionValue | ast.FunctionDef, ClassType | None], "CompiledFunction | None"]
    )
    _symbols: set[str] = field(default_factory=set[str])
    _defined: set[ClassType] = field(default_factory=set[ClassType])
    _unfinished: list[tuple[ClassType, FunctionValue]] = field(default_factory=list[tuple[ClassType, FunctionValue]])
    """Methods of script classes that are still to be compiled."""
    _sorts: dict[ClassType, FunctionValue] = field(default_factory=dict[ClassType, FunctionValue])
    _callers: dict[ClassType, FunctionValue] = field(default_factory=dict[ClassType, FunctionValue])
    _written: dict[tuple[ClassType, str], FunctionValue] = field(
        default_factory=dict[tuple[ClassType, str], FunctionValue]
    )
    """What a method is compiled from, where the class has it under another name or not at all."""
    added: dict[tuple[ClassType, str], FunctionValue] = field(default_factory=dict[tuple[ClassType, str], FunctionValue])
    """Methods that modules got after they were made."""
    _pure: dict[str, bool] = field(default_factory=dict[str, bool])
    """Whether a compiled function has no effect, by symbol."""
    _depth: int = 0
    """How many functions are being compiled, each for a call in the one before."""
    _schemas: dict[str, Schema] = field(default_factory=dict[str, Schema])
    """Of functions without an error in them, by symbol."""
    _failed: list[Diagnostic] = field(default_factory=list[Diagnostic])
    """What is wrong with methods that were asked for later."""
    with_errors: list[Operation] = field(default_factory=list[Operation])
    """Functions with errors in them, as far as they were understood: no part of the module."""

    def __post_init__(self) -> None:
        self.annotations = Annotations(self.attribute, self._class_type)
        self.classes = Classes(self.annotations)

    def _class_type(self, cls: ClassValue, span: Span) -> ScriptType:
        type_ = self.classes.of_class(cls, span)
        if isinstance(type_, ClassType) and not type_.is_module and self.defines_classes:
            self._define(type_, cls)
        return type_

    defines_classes: ClassVar[bool] = True
    """Whether the attributes of a script class follow from its `__init__`; archives declare them."""

    def _define(self, type_: ClassType, cls: ClassValue) -> None:
        """Compiles `__init__`, which gives the class its attributes; the other methods are compiled in the end."""
        if type_ in self._defined:
            return
        self._defined.add(type_)
        members = methods(cls)
        init = members.get("__init__")
        if init is not None:
            self.method(type_, init, init.definition.span)
        self._unfinished += [(type_, m) for n, m in members.items() if n != "__init__"]

    # functions

    def function(self, function: FunctionValue, span: Span) -> CompiledFunction:
        return self._compile(function, None, span)

    def method(self, owner: ClassType, function: FunctionValue, span: Span) -> CompiledFunction:
        return self._as_method(owner, function, _method_name(function), span)

    def _as_method(self, owner: ClassType, function: FunctionValue, name: str, span: Span) -> CompiledFunction:
        compiled = self._compile(function, owner, span)
        owner.methods.setdefault(name, compiled.symbol)
        self._written.setdefault((owner, name), function)
        return compiled

    def hook(self, owner: ClassType, function: FunctionValue, span: Span) -> CompiledFunction:
        return self._as_method(owner, function, self._hook_methods(owner)[function], span)

    def _hook_methods(self, owner: ClassType) -> dict[FunctionValue, str]:
        """The methods that hooks are in their module, by names that nothing else in it has."""
        info = self.class_info(owner)
        names: dict[FunctionValue, str] = {}
        for function in (*info.instance.pre_hooks, *info.instance.hooks):
            name, count = function.name, 0
            while name in names.values() or info.has(name):
                count += 1
                name = f"{function.name}_{count}"
            names.setdefault(function, name)
        return names

    def declared(self, function: FunctionValue, owner: ClassType | None, span: Span) -> Schema:
        del span
        return declared_schema(self, function, owner)

    def _compile(self, function: FunctionValue, owner: ClassType | None, span: Span) -> CompiledFunction:
        key = (function, owner)
        if key in self._compiled:
            done = self._compiled[key]
            if done is None:
                raise CompileError.at(
                    span,
                    f"function '{function.name}' is called recursively",
                    help="TorchScript has no recursion: write a loop",
                )
            if done.symbol not in self._schemas:
                self.diagnostics.items += [d for d in self._failed if d not in self.diagnostics.items]
            return done
        self._compiled[key] = None
        before = len(self.diagnostics.items)
        symbol = self._symbol(function, owner)
        self._depth += 1
        try:
            with guarded_nesting(getattr(function.definition, "name_span", function.definition.span)):
                compiled, op = compile_function(self, function, owner, symbol)
        except CompileError as error:
            self._collect(error)
            schema = Schema("", function.name, "", (), (Argument("", POISON, "Any"),), varargs=True)
            compiled = CompiledFunction(symbol, schema, POISON)
        else:
            if len(self.diagnostics.items) == before:
                with guarded_nesting(op.span):
                    remove_dead_code(op, self._is_pure)
                self.module.body().append(op)
                self._schemas[symbol] = compiled.schema
            else:
                self.with_errors.append(op)
        finally:
            self._depth -= 1
        self._compiled[key] = compiled
        if not self._depth:
            self.compile_met()
        return compiled

    def sorting(self, type_: ClassType) -> FunctionValue:
        if type_ not in self._sorts:
            self._sorts[type_] = sorting_function(self.class_info(type_).cls)
        return self._sorts[type_]

    def _is_pure(self, call: Operation) -> bool:
        """Whether a call does nothing but give its result."""
        name: object = None
        if call.name == "prim::CallFunction":
            constant = call.operand(0).defining_op("prim::Constant")
            name = None if constant is None else constant.attributes.get("name")
        elif isinstance(owner := call.operand(0).type, ClassType):
            name = owner.methods.get(str(call.attributes["name"]))
        if not isinstance(name, str):
            return False
        if name not in self._pure:
            callee = lookup(self.module, name)
            self._pure[name] = callee is not None and not any(
                has_effect(op, self._is_pure) for op in callee.body().operations() if op.name != "torch.return"
            )
        return self._pure[name]

    def compile_met(self) -> None:
        """Compiles all methods of script classes, and those of classes that stand for an interface.

        Which method is called through an interface is known to no caller.
        """
        while self._unfinished:
            owner, member = self._unfinished.pop(0)
            if "builtins.staticmethod" in member.decorators:
                self.function(member, member.definition.span)
            else:
                self.method(owner, member, member.definition.span)
        while self.classes.met:
            type_, interface = self.classes.met.pop()
            cls = self.class_info(type_).cls
            for name, wanted in interface.methods.items():
                function = cls.find(name)
                if isinstance(function, FunctionValue):
                    result = self.method(type_, function, function.definition.span).result
                    if not is_subtype(result, wanted.result):
                        message = f"the method returns {result.annotation}, the interface {wanted.result.annotation}"
                        self.diagnostics.error(function.definition.span, message)

    def _collect(self, error: CompileError) -> None:
        self.diagnostics.items += [d for d in error.diagnostics if d not in self.diagnostics.items]

    def _symbol(self, function: FunctionValue, owner: ClassType | None) -> str:
        base = f"{owner.name.removeprefix('__torch__.')}.{function.name}" if owner is not None else function.qualified
        symbol, count = base, 0
        while symbol in self._symbols:
            count += 1
            symbol = f"{base}_{count}"
        self._symbols.add(symbol)
        return symbol

    # what is asked for later (`Methods` of a program)

    def method_names(self, type: ClassType) -> list[str]:
        cls = self.class_info(type).cls
        forward = cls.find("forward") if type.is_module else None
        names = ["forward"] if isinstance(forward, FunctionValue) else []
        return list(dict.fromkeys([*names, *(name for name, _ in _exports(cls)), *type.methods]))

    def compile_method(self, type: ClassType, name: str) -> Schema:
        function = self.calling(type, name)
        if function is None:
            raise CompileError.at(None, f"the module `{short_name(type)}` has no `{name}`")
        before = len(self.diagnostics.items)
        compiled = self.method(type, function, function.definition.span)
        if len(self.diagnostics.items) > before:
            # an error in a method that is asked for later is no error of the program
            self._failed += self.diagnostics.items[before:]
            del self.diagnostics.items[before:]
        if isinstance(compiled.result, PoisonType) or compiled.symbol not in self._schemas:
            type.methods.pop(name, None)
            raise CompileError(self._failed)
        return compiled.schema

    def define(self, type: ClassType, text: str) -> list[str]:
        cls = self.class_info(type).cls
        scope = next((m.scope for m in cls.members.values() if isinstance(m, FunctionValue)), Scope(""))
        body = parse(SourceFile("<define>", text), dialect="archive" if scope.is_archive else "python").body
        for statement in body:
            if not isinstance(statement, ast.FunctionDef):
                raise CompileError.at(statement.span, "only functions can be added to a module", help="write `def name(self, ...):`")
            known = self.class_info(type).has(statement.name) or (type, statement.name) in self.added
            if known or statement.name in type.attributes:
                raise CompileError.at(statement.name_span, f"the module `{short_name(type)}` has a `{statement.name}` already")
        functions = [FunctionValue(s, scope, f"{cls.qualified}.{s.name}") for s in body if isinstance(s, ast.FunctionDef)]
        self.added.update({(type, f.name): f for f in functions})
        try:
            for function in functions:
                self.compile_method(type, function.name)
        except CompileError:
            for function in functions:
                del self.added[type, function.name]
                type.methods.pop(function.name, None)
            raise
        return [f.name for f in functions]

    def schema_of(self, symbol: str) -> Schema:
        return self._schemas[symbol]

    def hook_names(self, type: ClassType) -> tuple[Sequence[str], Sequence[str]]:
        instance = self.class_info(type).instance
        names = self._hook_methods(type)
        return [names[h] for h in instance.pre_hooks], [names[h] for h in instance.hooks]

    def calling(self, type: ClassType, name: str) -> FunctionValue | None:
        """A method by its name; `__call__` is `forward` with the hooks around it."""
        cls = self.class_info(type).cls
        if (type, name) in self.added:
            return self.added[type, name]
        if (type, name) in self._written:
            return self._written[type, name]
        for function, hook in self._hook_methods(type).items():
            if hook == name:
                return function
        function = cls.find("forward" if name == "__call__" and type.is_module else name)
        if not isinstance(function, FunctionValue) or function.name == name:
            return function if isinstance(function, FunctionValue) else None
        if type not in self._callers:
            self._callers[type] = _caller(function)
        return self._callers[type]

    # classes and host values

    def class_info(self, type_: ClassType) -> ClassInfo:
        return self.classes.info(type_)

    def named_tuple_schema(self, cls: ClassValue, type_: NamedTupleType) -> Schema:
        arguments: list[Argument] = []
        for name, element in zip(type_.fields, type_.elements, strict=True):
            default = cls.find(name)
            given = default is not MISSING
            arguments.append(Argument(name, element, str(element), default if given else None, given))
        return Schema("", cls.name, "", tuple(arguments), (Argument("", type_, cls.name),))

    def default_tensor(self, param: ast.Param, value: HostTensor, name: str) -> Constant:
        return self.classes.default_tensor(param, value, name)

    def enum_member(self, member: EnumMember) -> TypedMember:
        return self.classes.enum_member(member)

    def attribute(self, value: Any, name: str, span: Span | None) -> Any:
        return self.interpreter.attribute(value, name, span)

    def evaluate(self, node: ast.Expr, scope: Scope) -> Any:
        return self.interpreter.evaluate(node, Frame(scope))

    def upgrader(self, operator: str, scope: object) -> FunctionValue | None:
        """What an operator means in the code of `scope`, if that is not what it means today."""
        del operator, scope
        return None

    # torch.nn.functional

    def functional(self, name: str) -> FunctionValue | None:
        found = self.interpreter.module_member("torch.nn.functional", name)
        return found if isinstance(found, FunctionValue) else None

    def functional_names(self) -> Sequence[str]:
        return [n for n in prelude.functions("functional") if not n.startswith("_")]


def _caller(forward: FunctionValue) -> FunctionValue:
    """`def __call__(self, x, ...): return self(x, ...)`: in compiled code, the call of a module runs its hooks."""
    definition = forward.definition
    assert isinstance(definition, ast.FunctionDef)
    span = definition.name_span
    owner, *params = definition.params
    call = ast.Call(span, ast.Name(span, owner.name), [ast.Name(span, p.name) for p in params], [])
    written = ast.FunctionDef(
        definition.span, "__call__", span, definition.params, None, [ast.Return(span, call)], [], definition.type_comment
    )
    qualified = f"{forward.qualified.rpartition('.')[0]}.__call__"
    return FunctionValue(written, forward.scope, qualified, forward.owner, (), forward.closure)


def _method_name(function: FunctionValue) -> str:
    """The name of a method in its class: that of a property's setter is its own."""
    return f"__{function.name}_setter" if "builtins.property.setter" in function.decorators else function.name


# entries


@dataclass(frozen=True)
class Entry:
    """Something in a source file that can be compiled: a function, or a module class."""

    name: str
    kind: str
    """function or module."""
    span: Span


def entries(source: ast.SourceModule, scope: Scope) -> list[Entry]:
    """All functions and module classes that the file itself defines, in order."""
    found: list[Entry] = []
    hosts = _run_by_the_file(source)
    for statement in source.body:
        if isinstance(statement, ast.FunctionDef):
            if statement.name not in hosts:
                found.append(Entry(statement.name, "function", statement.name_span))
        elif isinstance(statement, ast.Assign) and isinstance(target := statement.targets[0], ast.Name):
            value = scope.names.get(target.id)
            if isinstance(value, FunctionValue) and value.closure is not None and isinstance(value.definition, ast.FunctionDef):
                found.append(Entry(target.id, "function", target.span))
        elif isinstance(statement, ast.ClassDef):
            value = scope.names.get(statement.name)
            if isinstance(value, ClassValue) and value.kind == "module":
                found.append(Entry(statement.name, "module", statement.name_span))
    return found


def _run_by_the_file(source: ast.SourceModule) -> set[str]:
    """Functions that the file itself calls at its top level: decorators, and what makes other functions."""
    found: set[str] = set()
    for statement in source.body:
        match statement:
            case ast.FunctionDef():
                calls: list[ast.Expr] = statement.decorators
            case ast.ClassDef():
                methods_ = [s for s in statement.body if isinstance(s, ast.FunctionDef)]
                calls = [*statement.decorators, *(d for m in methods_ for d in m.decorators)]
            case ast.Assign(value=ast.Call() as value):
                calls = [value]
            case _:
                calls = []
        for call in calls:
            callee = call.func if isinstance(call, ast.Call) else call
            if isinstance(callee, ast.Name):
                found.add(callee.id)
    return found


def module_classes(file: SourceFile) -> list[str]:
    """Names of the module classes that a text defines."""
    source = parse_cached(file)
    loader = sibling_loader(file.name) if Path(file.name).is_file() else None
    return [e.name for e in entries(source, Interpreter(loader=loader).module_scope(source)) if e.kind == "module"]


def default_entry(source: ast.SourceModule, scope: Scope) -> Entry:
    """The only module of a file, or its only function; one that others are made of does not count."""
    found = entries(source, scope)
    if not found:
        refused = next((s for s in source.body if isinstance(s, ast.UnsupportedStmt)), None)
        if refused is not None:
            raise CompileError.at(refused.span, f"{refused.what} are not supported")
        raise CompileError.at(None, f"{source.file.name} has no function and no nn.Module to compile")
    kind = "module" if any(e.kind == "module" for e in found) else "function"
    candidates = _tops(source, [e for e in found if e.kind == kind])
    if len(candidates) == 1:
        return candidates[0]
    notes = [Note(f"{e.kind} `{e.name}`", e.span) for e in found[:10]]
    raise CompileError(
        Diagnostic(
            f"which one of {len(found)} entries of {source.file.name} is meant?",
            None,
            "",
            tuple(notes),
            f"name one, for example `{found[-1].name}`",
        )
    )


def _tops(source: ast.SourceModule, candidates: list[Entry]) -> list[Entry]:
    """Those whose name nothing else in the file mentions."""
    used: set[str] = set()
    for statement in source.body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            used |= {n.id for n in _names_in(statement) if n.id != statement.name}
    return [c for c in candidates if c.name not in used]


def _names_in(node: Any) -> list[ast.Name]:
    found: list[ast.Name] = []
    pending: list[Any] = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, ast.Name):
            found.append(current)
        if isinstance(current, ast.Node):
            pending += [v for k, v in vars(current).items() if k not in ("span", "type", "name_span")]
        elif isinstance(current, list | tuple):
            pending += list(current)  # pyright: ignore[reportUnknownArgumentType]
    return found


# compiling


@dataclass(frozen=True, eq=False)
class Compiled:
    """A compiled source: the program, and its syntax tree with types."""

    program: Program
    source: ast.SourceModule
    files: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    """Files beside it that were looked for by its imports, see `sibling_loader`."""


def compile_file(
    path: str | Path,
    entry: str | None = None,
    *,
    weights: Mapping[str, npt.NDArray[Any]] | None = None,
    seed: int | None = None,
) -> Program:
    """The program of a source file. `entry` is `name`, `Class(arguments)` or `Class(arguments).method`."""
    file = read_source(path)
    return compile_source(file, entry, weights=weights, seed=seed).program


def compile_text(
    text: str,
    name: str = "<string>",
    entry: str | None = None,
    *,
    weights: Mapping[str, npt.NDArray[Any]] | None = None,
    seed: int | None = None,
) -> Program:
    return compile_source(SourceFile(name, text), entry, weights=weights, seed=seed).program


def read_source(path: str | Path) -> SourceFile:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CompileError.at(None, f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CompileError.at(None, f"cannot read {path}: it is not UTF-8 text") from error
    return SourceFile(str(path), text)


def compile_source(
    file: SourceFile,
    entry: str | None = None,
    *,
    weights: Mapping[str, npt.NDArray[Any]] | None = None,
    seed: int | None = None,
) -> Compiled:
    source = parse_cached(file)
    # A text without a file has no neighbours that it could import.
    files: dict[str, str | None] = {}
    loader = sibling_loader(file.name, files) if Path(file.name).is_file() else None
    interpreter = Interpreter(seed=seed, initialise=weights is None, loader=loader)
    scope = interpreter.module_scope(source)
    chosen = default_entry(source, scope).name if entry is None else entry
    wanted = scope.names.get(chosen.partition("(")[0].partition(".")[0])
    if isinstance(wanted, Unavailable):
        raise CompileError.at(wanted.span, f"`{wanted.name}` cannot be compiled: {wanted.reason}")
    value = interpreter.evaluate_entry(scope, chosen)
    return Compiled(compile_value(interpreter, value, chosen, weights), source, files)


def compile_functions(file: SourceFile, loader: Callable[[str], SourceFile | None] | None = None) -> dict[str, Program]:
    """Every function of a text by name, each with everything it reaches (`CompilationUnit`); one module for all.

    Next to module classes stand functions that only their `__init__`s call: one that is no TorchScript is left out there.
    `loader` gives the files of modules that the text imports.
    """
    source = parse_cached(file)
    try:
        return _compile_functions(source, loader=loader)
    except CompileError:
        if not module_classes(file):
            raise
    programs: dict[str, Program] = {}
    for name in _functions(source):
        try:
            programs |= _compile_functions(source, name, loader)
        except CompileError:
            continue  # whoever asks for it is told
    return programs


def _functions(source: ast.SourceModule) -> list[str]:
    scope = Interpreter().module_scope(source)
    return [e.name for e in entries(source, scope) if isinstance(scope.names[e.name], FunctionValue)]


def _compile_functions(
    source: ast.SourceModule, only: str | None = None, loader: Callable[[str], SourceFile | None] | None = None
) -> dict[str, Program]:
    interpreter = Interpreter(loader=loader)
    scope = interpreter.module_scope(source)
    compilation = Compilation(interpreter)
    programs: dict[str, Program] = {}
    for found in entries(source, scope):
        value = scope.names[found.name]
        if only in (None, found.name) and isinstance(value, FunctionValue) and _stands_alone(value):
            compiled = compilation.function(value, found.span)
            programs[found.name] = Program(compilation.module, compiled.symbol, compiled.schema, methods=compilation)
    compilation.diagnostics.raise_if_any()
    return programs


def _stands_alone(function: FunctionValue) -> bool:
    """Not so: a hook, whose first parameter is a module, and a function that has types in its declarations only."""
    params = function.definition.params
    return not function.overloads and not (params and params[0].name == "self" and params[0].annotation is None)


def compile_value(
    interpreter: Interpreter, value: Any, text: str, weights: Mapping[str, npt.NDArray[Any]] | None = None
) -> Program:
    """The program of a function, of a module instance (its `forward`), or of a method of one."""
    compilation = Compilation(interpreter)
    match value:
        case FunctionValue():
            compiled = compilation.function(value, value.definition.span)
            compilation.diagnostics.raise_if_any()
            return Program(compilation.module, compiled.symbol, compiled.schema, methods=compilation)
        case ModuleInstance():
            exported = [n for n, _ in _exports(value.cls)]
            is_callable = isinstance(value.cls.find("forward"), FunctionValue) or not exported
            return _compile_module(compilation, value, "forward" if is_callable else exported[0], weights)
        case BoundMethod(receiver=ModuleInstance() as instance, name=name):
            return _compile_module(compilation, instance, name, weights)
        case _:
            raise CompileError.at(
                None,
                f"`{text}` cannot be compiled: it is {describe_host(value)}",
                help="name a function, or an nn.Module with the arguments of its `__init__`",
            )


def _compile_module(
    compilation: Compilation, instance: ModuleInstance, method: str, weights: Mapping[str, npt.NDArray[Any]] | None
) -> Program:
    if weights is not None:
        load_weights(instance, weights)
    type_ = compilation.classes.of_instance(instance)
    function = instance.cls.find(method)
    if method == "forward" and (instance.pre_hooks or instance.hooks):
        function = compilation.calling(type_, "__call__")
    if not isinstance(function, FunctionValue):
        raise CompileError.at(None, f"the module `{short_name(type_)}` has no `{method}`")
    span = function.definition.span
    compiled = compilation.method(type_, function, span)
    for name, member in [*_properties(instance.cls), *_exports(instance.cls)]:
        if name != method:
            compilation.method(type_, member, span)
    compilation.diagnostics.raise_if_any()
    receiver = compilation.classes.object(instance)
    compilation.compile_met()
    schema = Schema("", method, "", compiled.schema.arguments[1:], compiled.schema.returns)
    return Program(compilation.module, compiled.symbol, schema, receiver, compilation)


def _properties(cls: ClassValue) -> list[tuple[str, FunctionValue]]:
    """The accessors of the properties that are compiled, whether something uses them or not."""
    listed: list[Any] = [cls.find("__jit_unused_properties__"), cls.find("__jit_ignored_attributes__")]
    skipped: list[Any] = [name for names in listed if isinstance(names, list | tuple) for name in cast("list[Any]", names)]
    return [
        (name, member)
        for owner in reversed(cls.mro)
        if not owner.qualified.startswith("torch.")
        for name, member in owner.members.items()
        if isinstance(member, FunctionValue)
        and any(d.startswith("builtins.property") for d in member.decorators)
        and name.partition(".")[0] not in skipped
        and not {"torch.jit.unused", "torch.jit.ignore"} & set(member.decorators)
    ]


def _exports(cls: ClassValue) -> list[tuple[str, FunctionValue]]:
    found: dict[str, FunctionValue] = {}
    for owner in reversed(cls.mro):
        for name, member in owner.members.items():
            if isinstance(member, FunctionValue) and "torch.jit.export" in member.decorators:
                found[name] = member
    return list(found.items())


def load_weights(instance: ModuleInstance, weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Copies arrays of a `state_dict` into the module. All keys must match, and the shapes too."""
    own = dict(instance.named_tensors(non_persistent=True))
    missing = [n for n, _ in instance.named_tensors() if n not in weights]
    unexpected = [n for n in weights if n not in own]
    problems = [f"missing: {', '.join(missing[:5])}"] if missing else []
    problems += [f"unexpected: {', '.join(unexpected[:5])}"] if unexpected else []
    for name, tensor in own.items():
        if name in weights and tuple(weights[name].shape) != tensor.array.shape:
            problems.append(f"{name} has shape {list(weights[name].shape)}, expected {list(tensor.array.shape)}")
    if problems:
        raise CompileError(Diagnostic("the weights do not fit the module", None, "", tuple(map(Note, problems))))
    for name, tensor in own.items():
        if name in weights:
            tensor.array[...] = np.asarray(weights[name]).astype(tensor.array.dtype, copy=False)


# composite operators


@cache
def prelude_function(operator: str) -> Program:
    """The definition of a composite operator (`aten::layer_norm`) in the prelude; KeyError if there is none."""
    name = prelude.function_name(operator)
    if not prelude.is_composite(operator):
        raise KeyError(operator)
    parts = [parse_cached(file) for file in prelude.excerpt("aten", name)]
    source = replace(parts[0], body=[statement for part in parts for statement in part.body])
    interpreter = Interpreter()
    scope = interpreter.module_scope(source, "torchcc.prelude")
    function = scope.names[name]
    assert isinstance(function, FunctionValue)
    compilation = Compilation(interpreter)
    compiled = compilation.function(function, function.definition.span)
    compilation.diagnostics.raise_if_any()
    return Program(compilation.module, compiled.symbol, compiled.schema)
