"""The code of an archive, written: every class and function that a program needs, as files `code/__torch__/...py`.

In: the module of a program, what can compile further methods, and the objects' classes (through the `CodeUnit` that the
pickle was written with). Out: the files by name, the constants that they refer to, and the version of the format that
their operators ask for. A file starts with what was met first: classes before what they use.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from ...ir.attributes import Constant, DeviceName
from ...ir.core import BlockArgument, Operation, functions, symbol
from ...ir.diagnostics import CompileError
from ...ir.dtypes import DType
from ...ir.program import Methods
from ...ir.quantized import PACKED
from ...ir.schema import Argument, Schema
from ...ir.script_types import (
    BOOL,
    DEVICE,
    STR,
    TENSOR,
    ClassType,
    EnumType,
    InterfaceType,
    NamedTupleType,
    ScriptType,
    TupleType,
    constant_type,
)
from ...ir.torchscript.literals import print_literal
from ...ir.torchscript.names import is_identifier
from ...ir.torchscript.printer import Line, print_function
from ...ir.torchscript.unit import NO_GRAD, CodeUnit, NominalType
from ..values import Device
from .writer_debug import pickle_ranges

PLACEHOLDER: Final = ClassType("__torch__.PlaceholderModule", is_module=True, attributes={"training": BOOL})
"""What a function is saved as: a module whose `forward` it is."""

_ROOT: Final = "__torch__"
_OLDEST: Final = 3

_SINCE: Final = {
    "aten::div": 4,
    "aten::div_": 4,
    "aten::full": 5,
    "aten::linspace": 8,
    "aten::logspace": 9,
    "aten::gelu": 10,
}
"""Versions of the format in which operators got the meaning that they have today."""

_FULL_WITH_HISTORY: Final = frozenset(("aten::full", "aten::full.out", "aten::full.names"))

_NO_GRAD: Final = """class no_grad:
  prev : bool
  def __enter__(self: {0}) -> NoneType:
    self.prev = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    return None
  def __exit__(self: {0},
    exc_type: Any,
    exc_value: Any,
    traceback: Any) -> NoneType:
    prev = self.prev
    torch.set_grad_enabled(prev)
    return None
  def __init__(self: {0}) -> NoneType:
    self.prev = False
    return None
"""
"""As PyTorch writes it."""

_HIDDEN: Final = frozenset(("__getstate__", "__setstate__"))
"""Written only for classes whose objects are saved by them (`getstate.py`): they would ask for another state."""


@dataclass
class ArchiveUnit(CodeUnit):
    """Names in an archive: as they are, but different for different things, and no function stands below a class."""

    _names: dict[Any, str] = field(default_factory=dict[Any, str])
    _taken: set[str] = field(default_factory=set[str])
    _classes: set[str] = field(default_factory=set[str])
    _modules: set[str] = field(default_factory=set[str])
    """What functions stand below."""

    def type_name(self, type: NominalType) -> str:
        if isinstance(type, ClassType) and type.name in PACKED:
            return type.name  # a class of PyTorch's library
        if type not in self._names:
            atoms = [_atom(a) for a in type.name.removeprefix(f"{_ROOT}.").split(".")]
            self._names[type] = self._free(atoms, {*self._taken, *self._modules})
            self._classes.add(self._names[type])
        return self._names[type]

    def function_name(self, symbol: str) -> str:
        if symbol not in self._names:
            atoms = [_atom(a) for a in symbol.split(".")]
            if ".".join((_ROOT, *atoms[:-1])) in self._classes:  # a static method
                atoms[-2:] = [f"{atoms[-2]}_{atoms[-1]}"]
            name = self._names[symbol] = self._free(atoms, self._taken)
            self._modules.add(name.rpartition(".")[0])
        return self._names[symbol]

    def _free(self, atoms: list[str], taken: set[str]) -> str:
        name, count = ".".join((_ROOT, *atoms)), 0
        while name in taken:
            name, count = ".".join((_ROOT, *atoms[:-1], f"___torch_mangle_{count}", atoms[-1])), count + 1
        self._taken.add(name)
        return name


def _atom(text: str) -> str:
    """A part of a qualified name as an identifier: `<locals>` is none."""
    word = re.sub(r"\W", "_", text, flags=re.ASCII)
    return word if is_identifier(word) else f"_{word}"


@dataclass
class CodeWriter:
    """Writes all that `unit` mentions, and what that mentions."""

    unit: CodeUnit
    module: Operation
    methods: Methods | None
    files: dict[str, list[Line]] = field(default_factory=dict[str, list[Line]])
    with_state: Collection[ClassType] = ()
    """Classes whose objects are saved by their `__getstate__`."""
    _operations: dict[str, Operation] = field(default_factory=dict[str, Operation])

    def placeholder(self, entry: str, schema: Schema) -> None:
        """The module that a function is saved as."""
        self.unit.type(PLACEHOLDER)
        lines = ["  __parameters__ = []", "  __buffers__ = []", "  training : bool"]
        operation, schema = _with_receiver(self._operation(entry), schema)
        body = print_function(operation, schema, self.unit, name="forward", is_method=True)
        self._put(self.unit.type(PLACEHOLDER), _block("class PlaceholderModule(Module):", lines, body))

    def run(self) -> None:
        types, called = 0, 0
        while types < len(self.unit.types) or called < len(self.unit.functions):
            if types < len(self.unit.types):
                self._definition(list(self.unit.types)[types])
                types += 1
            else:
                self._function(list(self.unit.functions)[called])
                called += 1

    @property
    def version(self) -> int:
        """Of the format: the least in which all operators mean what they mean here."""
        found = [_OLDEST]
        for name in self.unit.operators:
            base = name.partition(".")[0]
            if base != "aten::full" or name in _FULL_WITH_HISTORY:
                found.append(_SINCE.get(base, _OLDEST))
        return max(found)

    def texts(self) -> Iterable[tuple[str, bytes]]:
        """(member, contents): each file of code, then where its lines come from."""
        for module, lines in self.files.items():
            member = f"code/{module.replace('.', '/')}.py"
            yield member, "".join(line.text for line in lines).encode()
            yield f"{member}.debug_pkl", pickle_ranges(lines)

    def _put(self, qualified: str, lines: Iterable[Line]) -> None:
        self.files.setdefault(qualified.rpartition(".")[0], []).extend(lines)

    # functions

    def _operation(self, name: str) -> Operation:
        if name not in self._operations:
            self._operations = {symbol(f): f for f in functions(self.module)}
        found = self._operations.get(name)
        if found is None:
            raise CompileError.at(None, f"cannot save: the function `{name}` is not compiled")
        return found

    def _schema(self, name: str) -> Schema:
        if self.methods is None:
            raise CompileError.at(None, f"cannot save: the parameters of `{name}` are not known")
        return self.methods.schema_of(name)

    def _function(self, name: str) -> None:
        qualified = self.unit.function_name(name)
        word = qualified.rpartition(".")[2]
        self._put(qualified, print_function(self._operation(name), self._schema(name), self.unit, name=word))

    # classes

    def _definition(self, type: NominalType) -> None:
        if type is PLACEHOLDER or (isinstance(type, ClassType) and type.name in PACKED):
            return
        qualified = self.unit.type_name(type)
        if type is NO_GRAD:
            self._put(qualified, [Line(_NO_GRAD.format(qualified), None)])
            return
        name = qualified.rpartition(".")[2]
        match type:
            case ClassType():
                text = self._class(type, name)
            case NamedTupleType():
                lines = [f"  {self._declared(f, t)}" for f, t in zip(type.fields, type.elements, strict=True)]
                text = _block(f"class {name}(NamedTuple):", lines)
            case EnumType():
                members = [f"  {n} = {print_literal(v, type.value, self.unit)}" for n, v in type.members.items()]
                text = _block(f"class {name}(Enum):", members)
            case InterfaceType():
                text = self._interface(type, name)
        self._put(qualified, text)

    def _declared(self, name: str, type: ScriptType) -> str:
        if is_identifier(name):
            return f"{name} : {self.unit.type(type)}"
        return f"__annotations__[{print_literal(name, STR, self.unit)}] = {self.unit.type(type)}"

    def _class(self, type: ClassType, name: str) -> list[Line]:
        if self.methods is None:
            raise CompileError.at(None, f"cannot save: the methods of `{name}` are not known")
        before, after = self.methods.hook_names(type)
        hooks = list(dict.fromkeys([*before, *after]))
        lines: list[str] = []
        if type.is_module:
            for word, names in (("__parameters__", type.parameters), ("__buffers__", type.buffers)):
                lines.append(f"  {word} = {self._names(n for n in type.attributes if n in names)}")
            for word, found in (("__forward_pre_hooks__", before), ("__forward_hooks__", after)):
                lines += [f"  {word} = {self._names(found)}"] if found else []
        attributes = [self._declared(n, t) for n, t in type.attributes.items()]
        if attributes and attributes[0].startswith("__annotations__"):
            lines.append("  __annotations__ = []")
        lines += [f"  {a}" for a in attributes]
        lines += [f"  {self._constant(n, v)}" for n, v in type.constants.items()]
        names = [*(m for m in self._method_names(type) if m not in hooks), *hooks]
        bodies = [line for m in names for line in self._method(type, m)]
        head = f"class {name}(Module):" if type.is_module else f"class {name}:"
        return _block(head, lines, bodies)

    def _names(self, names: Iterable[str]) -> str:
        return f"[{''.join(f'{print_literal(n, STR, self.unit)}, ' for n in names)}]"

    def _method_names(self, type: ClassType) -> list[str]:
        """Those that are to be saved; a `forward` that nothing calls is left out where it does not compile."""
        assert self.methods is not None
        found: list[str] = []
        pending = list(self.methods.method_names(type))
        known = set(pending)
        while pending:
            name = pending.pop(0)
            is_optional = name == "forward" and name not in type.methods
            try:
                self.methods.compile_method(type, name)
            except CompileError:
                if not is_optional:
                    raise
                continue
            called = [n for n in self.methods.method_names(type) if n not in known]  # by this one alone
            pending += called
            known.update(called)
            if name not in _HIDDEN or type in self.with_state:
                found.append(name)
        return found

    def _method(self, type: ClassType, name: str) -> list[Line]:
        assert self.methods is not None
        schema = self.methods.compile_method(type, name)
        operation = self._operation(type.methods[name])
        return print_function(operation, schema, self.unit, name=name, is_method=True)

    def _constant(self, name: str, value: Any) -> str:
        if isinstance(value, Device | DeviceName):
            place = value.name if isinstance(value, Device) else str(value)
            return f"{name} : Final[Device] = {print_literal(place, DEVICE, self.unit)}"
        value = _as_tuples(value)
        type_ = _type_of_constant(value)
        return f"{name} : Final[{self.unit.type(type_)}] = {print_literal(value, type_, self.unit)}"

    def _interface(self, type: InterfaceType, name: str) -> list[Line]:
        lines: list[str] = []
        for method, signature in type.methods.items():
            parameters = ["self", *(f"{n}: {self.unit.type(t)}" for n, t in signature.parameters)]
            lines += [f"  def {method}({', '.join(parameters)}) -> {self.unit.type(signature.result)}:", "    pass"]
        return _block(f"class {name}({'ModuleInterface' if type.is_module else 'Interface'}):", lines)


def _block(head: str, lines: Sequence[str], more: Sequence[Line] = ()) -> list[Line]:
    first = [head, *(lines if lines or more else ["  pass"])]
    return [*(Line(f"{text}\n", None) for text in first), *more]


def _as_tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_as_tuples(v) for v in cast(list[Any], value))
    return int(value) if isinstance(value, DType) else value


def _type_of_constant(value: Any) -> ScriptType:
    match value:
        case tuple():
            return TupleType(tuple(_type_of_constant(v) for v in cast(tuple[Any, ...], value)))
        case Constant():
            return TENSOR
        case _:
            return constant_type(value)


def _with_receiver(function: Operation, schema: Schema) -> tuple[Operation, Schema]:
    """A copy of a function as a method: with a first parameter that nothing uses."""
    copy = function.clone()
    block = copy.body()
    name = "self"
    while any(a.name == name for a in schema.arguments):
        name = f"_{name}"
    block.args.insert(0, BlockArgument(block, 0, PLACEHOLDER, name))
    for i, argument in enumerate(block.args):
        argument.index = i
    arguments = (Argument(name, PLACEHOLDER, "self"), *schema.arguments)
    return copy, Schema("", "forward", "", arguments, schema.returns)
