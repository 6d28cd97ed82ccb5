"""A module with its attributes as constants of its code: PyTorch's `freeze`.

In: a program with a module as its receiver, the names of the methods that stay, and those of the attributes that stay
attributes. Out: another program. Its methods have all calls inlined and depend on nothing but the attributes that they
write, directly or in place, those that share memory with such, and those that are to stay; objects have only these.
Nothing of the given program changes, and the two share no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Constant
from ...ir.builder import Builder
from ...ir.core import Operation, Value, functions, lookup, new_module
from ...ir.dead_code import remove_dead_code
from ...ir.diagnostics import CompileError, InternalError
from ...ir.dialects import torch
from ...ir.program import Methods, Program
from ...ir.schema import Argument, Schema
from ...ir.script_types import (
    DEVICE,
    FLOAT,
    NONE,
    TENSOR,
    ClassType,
    DictType,
    EnumMember,
    ListType,
    OptionalType,
    ScriptObject,
    ScriptType,
    TupleType,
    UnionType,
    constant_type,
)
from ...ir.types import Type
from .fold_frozen import fold_frozen
from .fold_frozen_batch_norm import fold_frozen_batch_norm
from .inline_calls import inline_calls
from .writes import may_be_written, updates_statistics

_MAX_ELEMENTS: Final = 1024
"""Values in a list, tuple or dict that is written out where it is used."""

_MAX_ROUNDS: Final = 100
_WITH_HOOKS: Final = "__call__"

Slot = tuple[int, str]
Array = npt.NDArray[Any]


def freeze(program: Program, methods: Sequence[str], attributes: Iterable[str], *, optimize_numerics: bool = True) -> Program:
    """`methods` are names of methods of the receiver, `attributes` dotted paths below it.

    The first of the methods is the entry. Norms are folded with `optimize_numerics`. CompileError for a program whose calls cannot be resolved.
    """
    receiver, source = program.receiver, program.methods
    if receiver is None or source is None:
        raise InternalError("only a module can be frozen")
    freezer = _Freezer(program.module, source, receiver, optimize_numerics)
    for path in attributes:
        freezer.preserve(path)
    for name in methods:
        freezer.add(name)
    freezer.simplify()
    return freezer.finished(methods)


@dataclass
class _FrozenMethods(Methods):
    """Those of frozen classes, and those of classes that stayed as they were."""

    original: Methods
    schemas: dict[str, Schema] = field(default_factory=dict[str, Schema])
    types: set[ClassType] = field(default_factory=set[ClassType])

    def method_names(self, type: ClassType) -> Sequence[str]:
        return list(type.methods) if type in self.types else self.original.method_names(type)

    def compile_method(self, type: ClassType, name: str) -> Schema:
        if type not in self.types:
            return self.original.compile_method(type, name)
        symbol = type.methods.get(name)
        if symbol is None:
            raise CompileError.at(None, f"the frozen module has no method `{name}`")
        return self.schemas[symbol]

    def define(self, type: ClassType, text: str) -> Sequence[str]:
        del type, text
        raise CompileError.at(None, "a frozen module takes no further methods", help="define them before freezing")

    def schema_of(self, symbol: str) -> Schema:
        return self.schemas[symbol] if symbol in self.schemas else self.original.schema_of(symbol)

    def hook_names(self, type: ClassType) -> tuple[Sequence[str], Sequence[str]]:
        return ((), ()) if type in self.types else self.original.hook_names(type)


@dataclass
class _Freezer:
    source: Operation
    methods: Methods
    root: ScriptObject
    optimize_numerics: bool
    module: Operation = field(default_factory=new_module)
    functions: dict[str, tuple[Operation, Schema]] = field(default_factory=dict[str, tuple[Operation, Schema]])
    kept: dict[Slot, tuple[ScriptObject, str]] = field(default_factory=dict[Slot, tuple[ScriptObject, str]])
    """Attributes that are to stay."""
    whole: set[int] = field(default_factory=set[int])
    """Objects that stay as they are, with their classes."""
    arrays: dict[int, tuple[Any, Array]] = field(default_factory=dict[int, Any])
    types: dict[int, ClassType] = field(default_factory=dict[int, ClassType])

    def preserve(self, path: str) -> None:
        owner, *names = self.root, *path.split(".")
        for i, name in enumerate(names):
            if name not in owner.attributes:
                raise CompileError.at(None, f"Unknown name: {path}")
            self.kept[id(owner), name] = (owner, name)
            value = owner.attributes[name]
            if i + 1 < len(names):
                if not isinstance(value, ScriptObject):
                    raise CompileError.at(None, f"Unknown name: {path}")
                owner = value
            else:
                self.whole.update(id(o) for o in _objects(value))

    def add(self, name: str) -> None:
        """A method, with everything that it calls inlined."""
        hooked = name == "forward" and any(self.methods.hook_names(self.root.type))
        schema = self.methods.compile_method(self.root.type, _WITH_HOOKS if hooked else name)
        symbol = self.root.type.methods[_WITH_HOOKS if hooked else name]
        found = lookup(self.source, symbol)
        if found is None:
            raise InternalError(f"the program has no function {symbol}")
        function = found.clone()
        function.attributes.pop("without_gradients", None)
        self.module.body().append(function)
        self.functions[name] = (function, schema)
        self.inline(function)

    def inline(self, function: Operation) -> None:
        for _ in range(_MAX_ROUNDS):
            inline_calls(function, self.source)
            fold_frozen(function)
            objects = self.objects(function)
            calls = [op for op in function.walk() if op.name in ("prim::CallMethod", "prim::CallFunction")]
            resolved = [op for op in calls if op.name == "prim::CallMethod" and op.operand(0) in objects]
            for op in resolved:  # through an interface
                owner, name = objects[op.operand(0)], cast(str, op.attributes["name"])
                self.methods.compile_method(owner.type, name)
                op.operand(0).type = owner.type
            if not calls:
                return
            if not resolved:
                raise CompileError.at(calls[0].span, "this call cannot be frozen: which object it is for is known at run time only")
        raise CompileError.at(function.span, "the program is too large once its calls are inlined")

    def objects(self, function: Operation) -> dict[Value, ScriptObject]:
        """Values that are known objects of the module."""
        found: dict[Value, ScriptObject] = {function.body().args[0]: self.root}
        for op in function.walk():
            if op.name == "prim::GetAttr" and op.operand(0) in found:
                value = found[op.operand(0)].attributes.get(cast(str, op.attributes["name"]))
                if isinstance(value, ScriptObject):
                    found[op.result] = value
            elif op.name == "prim::unchecked_cast" and op.operand(0) in found:
                found[op.result] = found[op.operand(0)]
        return found

    # attributes to constants

    def simplify(self) -> None:
        for _ in range(_MAX_ROUNDS):
            written = self.written()
            changed = False
            for function, _ in self.functions.values():
                changed = self.replace(function, written) or changed
                changed = fold_frozen(function) or changed
                for op in function.walk():
                    if updates_statistics(op) and not op.result.uses:
                        raise CompileError.at(op.span, "a norm in training mode whose result nothing uses cannot be frozen")
            for function in functions(self.module):
                remove_dead_code(function)
            for function, _ in self.functions.values():
                changed = (self.optimize_numerics and fold_frozen_batch_norm(function)) or changed
            if not changed:
                return

    def written(self) -> set[Slot]:
        """Attributes that the methods change, as far as is known by now, and those that are to stay."""
        slots: dict[Slot, tuple[ScriptObject, str]] = dict(self.kept)
        everything = _objects(self.root)
        for owner in everything:
            if id(owner) in self.whole:
                slots.update(((id(owner), n), (owner, n)) for n in owner.attributes)
        for function, _ in self.functions.values():
            objects = self.objects(function)
            for op in function.walk():
                if op.name not in ("prim::SetAttr", "prim::GetAttr"):
                    continue
                name = cast(str, op.attributes["name"])
                if op.name == "prim::GetAttr" and not may_be_written(op.result):
                    continue
                owner = objects.get(op.operand(0))
                for o in [owner] if owner is not None else everything:
                    if name in o.attributes and (owner is not None or _same_class(o, op.operand(0).type)):
                        slots[id(o), name] = (o, name)
        memory = [a for o, n in slots.values() for a in _tensors(o.attributes[n])]
        containers = {id(c) for o, n in slots.values() for c in _containers(o.attributes[n])}
        for owner in everything:
            for name, value in owner.attributes.items():
                shares = any(np.may_share_memory(a, b) for a in _tensors(value) for b in memory) if memory else False
                if shares or any(id(c) in containers for c in _containers(value)):
                    slots[id(owner), name] = (owner, name)
        return set(slots)

    def replace(self, function: Operation, written: set[Slot]) -> bool:
        changed = False
        objects = self.objects(function)
        for op in list(function.walk()):
            owner = objects.get(op.operand(0)) if op.name == "prim::GetAttr" else None
            if owner is None:
                continue
            name = cast(str, op.attributes["name"])
            value = owner.attributes.get(name)
            if isinstance(value, ScriptObject) or name not in owner.attributes or (id(owner), name) in written:
                continue
            if _is_constant(value, cast(ScriptType, op.result.type)) and _size(value) <= _MAX_ELEMENTS:
                op.replace_with((self.constant(Builder.before(op), value, cast(ScriptType, op.result.type)),))
                changed = True
        return changed

    def constant(self, b: Builder, value: Any, type: ScriptType) -> Value:
        if isinstance(type, OptionalType):
            type = NONE if value is None else type.element
        match value:
            case None:
                return torch.none(b)
            case Constant():
                return torch.constant(b, self.copied(value), TENSOR)
            case list():
                assert isinstance(type, ListType)
                elements = [self.constant(b, v, type.element) for v in cast("list[Any]", value)]
                return b.create("prim::ListConstruct", elements, (type,)).result
            case tuple():
                assert isinstance(type, TupleType)
                items = [self.constant(b, v, t) for v, t in zip(cast("tuple[Any, ...]", value), type.elements, strict=True)]
                return b.create("prim::TupleConstruct", items, (type,)).result
            case dict():
                assert isinstance(type, DictType)
                table = cast("dict[Any, Any]", value)
                entries = [self.constant(b, x, t) for k, v in table.items() for x, t in ((k, type.key), (v, type.value))]
                return b.create("prim::DictConstruct", entries, (type,)).result
            case _:
                number = float(value) if type == FLOAT else value
                return torch.constant(b, number, DEVICE if type == DEVICE else constant_type(number))

    # the result

    def finished(self, methods: Sequence[str]) -> Program:
        result = _FrozenMethods(self.methods)
        slots = dict(self.kept)
        for function, _ in self.functions.values():
            objects = self.objects(function)
            for op in function.walk():
                if op.name in ("prim::GetAttr", "prim::SetAttr") and op.operand(0) in objects:
                    owner, name = objects[op.operand(0)], cast(str, op.attributes["name"])
                    slots[id(owner), name] = (owner, name)
            self.retype(function, objects)
        whole = [(o, n) for o in _objects(self.root) if id(o) in self.whole for n in o.attributes]
        self.copy_overlapping([a for o, n in (*slots.values(), *whole) for a in _tensors(o.attributes[n])])
        root = cast(ScriptObject, self.rebuilt(self.root, set(slots), {}))
        result.types.update(self.types.values())
        taken = {f.attributes["sym_name"] for f in functions(self.source)}
        for name, (function, schema) in self.functions.items():
            symbol = f"{root.type.name.removeprefix('__torch__.')}.{name}_frozen"
            while symbol in taken:
                symbol += "_"
            function.attributes["sym_name"] = symbol
            first = schema.arguments[0]
            own = (Argument(first.name, root.type, first.kind), *schema.arguments[1:])
            result.schemas[symbol] = Schema("", name, "", own, schema.returns)
            root.type.methods[name] = symbol
        self.take_along(root)
        entry = methods[0]
        own = result.schemas[root.type.methods[entry]]
        schema = Schema("", entry, "", own.arguments[1:], own.returns)
        return Program(self.module, root.type.methods[entry], schema, root, result)

    def type_of(self, value: ScriptObject) -> ClassType:
        """The class of a frozen object."""
        if id(value) in self.whole or not value.type.is_module:
            return value.type
        if id(value) not in self.types:
            self.types[id(value)] = ClassType(value.type.name, is_module=True)
        return self.types[id(value)]

    def retype(self, function: Operation, objects: dict[Value, ScriptObject]) -> None:
        for value, known in objects.items():
            for user in value.users:
                if user.name not in ("prim::GetAttr", "prim::SetAttr") and known.type.is_module:
                    raise CompileError.at(user.span, "a module that is chosen at run time cannot be frozen")
            value.type = self.type_of(known)

    def rebuilt(self, value: Any, slots: set[Slot], made: dict[int, tuple[Any, Any]]) -> Any:
        """A copy of what stays."""
        if isinstance(value, ScriptObject | list | dict) and id(cast(object, value)) in made:
            return made[id(cast(object, value))][1]
        match value:
            case ScriptObject():
                type_ = self.type_of(value)
                result = ScriptObject(type_, without_gradient=set(value.without_gradient))
                made[id(value)] = (value, result)
                for name, attribute in value.attributes.items():
                    if type_ is not value.type and (id(value), name) not in slots:
                        continue
                    result.attributes[name] = self.rebuilt(attribute, slots, made)
                    if type_ is not value.type:
                        is_object = isinstance(attribute, ScriptObject)
                        type_.attributes[name] = self.type_of(attribute) if is_object else value.type.attributes[name]
                        type_.parameters.update({name} & value.type.parameters)
                        type_.buffers.update({name} & value.type.buffers)
                return result
            case Constant():
                return self.copied(value)
            case list():
                found: list[Any] = []
                made[id(cast(object, value))] = (value, found)
                found += [self.rebuilt(v, slots, made) for v in cast("list[Any]", value)]
                return found
            case dict():
                table: dict[Any, Any] = {}
                made[id(cast(object, value))] = (value, table)
                table.update({k: self.rebuilt(v, slots, made) for k, v in cast("dict[Any, Any]", value).items()})
                return table
            case tuple():
                return tuple(self.rebuilt(v, slots, made) for v in cast("tuple[Any, ...]", value))
            case _:
                return value

    def copy_overlapping(self, arrays: Sequence[Array]) -> None:
        """Copies of tensors that are views of the same memory are that, too."""
        different = {id(a): a for a in arrays if a.size}.values()
        groups: list[tuple[int, int, list[Array]]] = []
        for array in sorted(different, key=_start):
            start, stop = _start(array), _start(array) + array.nbytes
            if groups and start < groups[-1][1]:
                groups[-1] = (groups[-1][0], max(stop, groups[-1][1]), [*groups[-1][2], array])
            else:
                groups.append((start, stop, [array]))
        for start, stop, members in groups:
            if len(members) > 1 and all(a.flags.c_contiguous for a in members):
                memory = np.zeros(stop - start, np.uint8)
                for array in members:
                    copy: Array = np.ndarray(array.shape, array.dtype, memory.data, _start(array) - start)
                    copy[...] = array
                    self.arrays[id(array)] = (array, copy)

    def copied(self, value: Constant) -> Constant:
        """A tensor in memory of its own."""
        if id(value.array) not in self.arrays:
            self.arrays[id(value.array)] = (value.array, np.array(value.array, order="C"))
        return Constant(value.name, self.arrays[id(value.array)][1])

    def take_along(self, root: ScriptObject) -> None:
        """The functions of classes that stayed as they were."""
        frozen = set(self.types.values())
        pending: list[Type] = [o.type for o in _objects(root)]
        for op in self.module.walk():
            pending += [r.type for r in op.results]
        for owner in _objects(root):
            pending += owner.type.attributes.values()
        found: set[Type] = set()
        while pending:
            type_ = pending.pop()
            if isinstance(type_, ClassType) and type_ not in frozen and type_ not in found:
                found.add(type_)
                pending += type_.attributes.values()
                for name in self.methods.method_names(type_):
                    self.methods.compile_method(type_, name)
            pending += _parts(type_)
        if found:
            for function in functions(self.source):
                self.module.body().append(function.clone())


def _start(array: Array) -> int:
    return array.ctypes.data


def _parts(type: Type) -> list[ScriptType]:
    match type:
        case OptionalType() | ListType():
            return [type.element]
        case DictType():
            return [type.key, type.value]
        case TupleType():
            return list(type.elements)
        case UnionType():
            return list(type.members)
        case _:
            return []


def _same_class(value: ScriptObject, type: Type) -> bool:
    """Whether a value of the type may be the object."""
    return not isinstance(type, ClassType) or value.type is type


def _below(value: Any, visit: Callable[[Any], bool]) -> None:
    """Visits a value and, where `visit` says so, what it holds."""
    pending, seen = [value], set[int]()
    while pending:
        current = pending.pop()
        if isinstance(current, ScriptObject | list | tuple | dict):
            if id(cast(object, current)) in seen:
                continue
            seen.add(id(cast(object, current)))
        if not visit(current):
            continue
        match current:
            case ScriptObject():
                pending += current.attributes.values()
            case list() | tuple():
                pending += cast("Sequence[Any]", current)
            case dict():
                pending += cast("dict[Any, Any]", current).values()
            case _:
                pass


def _objects(value: Any) -> list[ScriptObject]:
    found: list[ScriptObject] = []

    def visit(current: Any) -> bool:
        if isinstance(current, ScriptObject):
            found.append(current)
        return True

    _below(value, visit)
    return found


def _tensors(value: Any) -> list[Array]:
    """Of an attribute; objects below have attributes of their own."""
    found: list[Array] = []

    def visit(current: Any) -> bool:
        if isinstance(current, Constant):
            found.append(current.array)
        return not isinstance(current, ScriptObject)

    _below(value, visit)
    return found


def _containers(value: Any) -> Iterator[Any]:
    found: list[Any] = []

    def visit(current: Any) -> bool:
        if isinstance(current, list | dict):
            found.append(current)
        return not isinstance(current, ScriptObject)

    _below(value, visit)
    yield from found


def _size(value: Any) -> int:
    count = 0

    def visit(_: Any) -> bool:
        nonlocal count
        count += 1
        return count <= _MAX_ELEMENTS

    _below(value, visit)
    return count


def _is_constant(value: Any, type: ScriptType) -> bool:
    """Whether code can have the value as a constant of that type."""
    if isinstance(type, OptionalType):
        type = NONE if value is None else type.element
    match value:
        case Constant():
            return type == TENSOR
        case list():
            return isinstance(type, ListType) and all(_is_constant(v, type.element) for v in cast("list[Any]", value))
        case tuple():
            items = cast("tuple[Any, ...]", value)
            return isinstance(type, TupleType) and all(_is_constant(v, t) for v, t in zip(items, type.elements, strict=True))
        case dict():
            if not isinstance(type, DictType):
                return False
            table = cast("dict[Any, Any]", value)
            return all(_is_constant(k, type.key) and _is_constant(v, type.value) for k, v in table.items())
        case str() if type == DEVICE:
            return True
        case int() if type == FLOAT:
            return not isinstance(value, bool)
        case None | bool() | int() | float() | complex() | str() | EnumMember():
            return constant_type(value) == type
        case _:
            return False
