"""Tensors that have to be memory: those whose writes cannot be followed at compile time.

In: a specialised graph, what `aliases.py` found in it, and the storages of which it says so. Out: the same graph, in which
every tensor that may share memory with one of them is *in memory* (`TensorType.in_memory`), each an offset, extents and
strides into a cell that is read and written in program order. Where one is made, read or given to an operator that
computes stands an `aten::clone`; views, `aten::copy_`, control flow and lists take it as it is. All else stays values.

    %z : Float(3) = prim::If(%c) ...              %z : Float(3, requires_grad=0) = prim::If(%c) ...
    %s = aten::add(%z, %y)                   =>   %v : Float(3) = aten::clone(%z)
    aten::copy_(%z, %s)                           %s = aten::add(%v, %y)
                                                  aten::copy_(%z, %s)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from ...ir.builder import Builder
from ...ir.core import Block, BlockArgument, Operation, Value
from ...ir.diagnostics import CompileError
from ...ir.dialects import torch
from ...ir.operators import is_view, schema
from ...ir.script_types import (
    NONE,
    DictType,
    InstanceType,
    ListType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
)
from ...ir.signature import Signature, is_mirrored
from .aliases import JOINING, RESHAPES, WRITE, Aliases, Storage, is_tensor
from .laid_memory import Laying, all_parts, not_given, stored_so, strides_made, strides_of
from .layouts import LAYOUT, arguments_behind
from .place_rules import Arithmetic

_CONSTRUCTS: Final = ("prim::ListConstruct", "prim::TupleConstruct")
_CONTROL: Final = ("prim::If", "prim::Loop")
_PASSED_ON: Final = frozenset(
    f"prim::{name}"
    for name in (
        "ListUnpack", "TupleUnpack", "TupleIndex", "TupleSlice", "DictConstruct", "unchecked_cast", "GetAttr", "SetAttr",
        "CreateObject",
    )
)  # fmt: skip
_CONTAINERS: Final = (ListType, DictType, TupleType, OptionalType, UnionType, InstanceType)
_MAKES_MEMORY: Final = ("aten::clone", "aten::empty_strided")
_EXTENTS: Final = ("aten::size.int", "aten::size", "aten::stride.int", "aten::storage_offset", "prim::id")
"""Look at how a tensor lies only, not at its elements."""

BY_LAYOUT: Final = frozenset((*RESHAPES, "aten::contiguous", "aten::view", "aten::view_as", "aten::unflatten.int"))
"""Views that depend on strides."""


def holds_tensors(t: Any) -> bool:
    match t:
        case TensorType():
            return True
        case ListType() | OptionalType():
            return holds_tensors(t.element)
        case DictType():
            return holds_tensors(t.value)
        case TupleType():
            return any(map(holds_tensors, t.elements))
        case UnionType():
            return any(map(holds_tensors, t.members))
        case InstanceType():
            return any(holds_tensors(a) for _, attributes in t.group for a in attributes)
        case _:
            return False


def in_memory(t: ScriptType) -> ScriptType:
    """The type with all tensors in memory."""
    match t:
        case TensorType():
            return replace(t, in_memory=True)
        case ListType():
            return ListType(in_memory(t.element))
        case OptionalType():
            return OptionalType(in_memory(t.element))
        case DictType():
            return DictType(t.key, in_memory(t.value))
        case TupleType():
            return replace(t, elements=tuple(map(in_memory, t.elements)))
        case UnionType():
            return UnionType(tuple(map(in_memory, t.members)))
        case InstanceType():
            return InstanceType(t.of, tuple((c, tuple(map(in_memory, attributes))) for c, attributes in t.group))
        case _:
            return t


def is_in_memory(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.in_memory


class SharedFuture(CompileError):
    """A tensor that several may get from one future is changed in place: evaluating forks where they stand may help."""


# which tensors may share memory


@dataclass
class Classes:
    """Values that may share memory, or hold such, put together: a union-find."""

    aliases: Aliases
    parents: dict[Value, Value] = field(default_factory=dict[Value, Value])
    views: set[Operation] = field(default_factory=set[Operation])
    """Operations whose results may share memory with their first operand."""

    def of(self, value: Value) -> Value:
        at = value
        while (parent := self.parents.get(at, at)) is not at:
            at = parent
        while (parent := self.parents.get(value, value)) is not at:
            self.parents[value], value = at, parent
        return at

    def join(self, values: Iterable[Value]) -> None:
        first: Value | None = None
        for value in values:
            for part in contents(value):
                if first is None:
                    first = self.of(part)
                else:
                    self.parents[self.of(part)] = first
                    first = self.of(first)

    def visit(self, block: Block) -> None:
        for op in block.operations():
            self.operation(op)
            for region in op.regions:
                for inner in region.blocks:
                    self.visit(inner)

    def operation(self, op: Operation) -> None:
        if op.name == "prim::If":
            for k, result in enumerate(op.results):
                self.join([result, *(op.body(i).terminator.operand(k) for i in range(2))])
        elif op.name == "prim::Loop":
            body = op.body()
            for k, result in enumerate(op.results):
                self.join([result, op.operand(k + 2), body.args[k + 1], body.terminator.operand(k + 1)])
        elif op.name == WRITE:
            self.join([op.result, op.operand(0)])
        elif op.name in _CONSTRUCTS:
            pass  # together with what uses it
        elif keeps(op):
            self.join([v for v in (*op.operands, *op.results) if holds_tensors(v.type)])
        elif is_view_of_tensor(op) and all(self.may_share(op.operand(0), r) for r in op.results):
            self.views.add(op)
            self.join([op.operand(0), *op.results])

    def may_share(self, source: Value, view: Value) -> bool:
        alias = self.aliases.of[view]
        return alias.source is source or bool(alias.storage.atoms & self.aliases.of[source].storage.atoms)


def contents(value: Value) -> list[Value]:
    """What a value holds, if it is made for one use; else itself."""
    op = value.defining_op()
    if op is not None and op.name in _CONSTRUCTS:
        return [part for operand in op.operands if holds_tensors(operand.type) for part in contents(operand)]
    return [value] if holds_tensors(value.type) else []


def keeps(op: Operation) -> bool:
    """Whether the results, or what is changed, may refer to the tensors given: operators on containers."""
    if not op.name.startswith("aten::"):
        return op.name in _PASSED_ON
    if not op.operands or op.name.startswith(JOINING):
        return False
    if any(isinstance(r.type, _CONTAINERS) and holds_tensors(r.type) for r in op.results):
        return True
    first = op.operand(0)
    return isinstance(first.type, _CONTAINERS) and first.defining_op("prim::ListConstruct") is None


def is_view_of_tensor(op: Operation) -> bool:
    form = schema(op.name)
    return (
        form is not None
        and is_view(form)
        and bool(op.operands)
        and isinstance(op.operand(0).type, TensorType)
        and all(isinstance(r.type, TensorType) for r in op.results)
    )


def _makes_tensors(op: Operation) -> bool:
    """Whether the operation makes new tensors, or may: what a composite operator gives has a mark."""
    if any(name.startswith(LAYOUT) for name in op.attributes):
        return True
    return op.name.startswith("aten::") and op.name != WRITE and not keeps(op) and not is_view_of_tensor(op)


# the change


def put_in_memory(
    function: Operation,
    signature: Signature,
    aliases: Aliases,
    unclear: Mapping[Storage, CompileError],
) -> Signature:
    """Puts the storages in `unclear`, and what may share memory with them, in memory; the signature with what is
    written back. `aliases.constants` may grow: then they have to be given as state first."""
    classes = Classes(aliases)
    classes.visit(function.body())
    chosen = {classes.of(storage.root): error for storage, error in unclear.items()}
    change = _Change(classes, chosen)
    pairs = zip(function.body().args, signature.parameters, strict=True)
    change.laying.mirrored = [a for a, p in pairs if is_mirrored(p.spec)]
    change.laying.find(function, BY_LAYOUT)
    change.check(function)
    if aliases.constants:
        return signature
    return change.function(function, signature)


@dataclass
class _Change:
    classes: Classes
    chosen: dict[Value, CompileError]
    """Classes in memory, each with why."""
    written: dict[Value, Operation] = field(default_factory=dict[Value, Operation])
    """Those that are written, with a node that does it."""
    constants: dict[int, Value] = field(default_factory=dict[int, Value])
    laying: Laying = field(init=False)

    def __post_init__(self) -> None:
        self.laying = Laying(self.classes.aliases, self.classes.of, self.chosen, _makes_tensors)

    def is_chosen(self, value: Value) -> bool:
        return holds_tensors(value.type) and any(self.classes.of(v) in self.chosen for v in contents(value))

    def check(self, function: Operation) -> None:
        """What cannot be in memory; finds out what is written, constants of the module among it."""
        for op in function.walk():
            parts = op.results if op.name == "aten::wait" else op.operands if op.name == "prim::future" else ()
            if any(map(self.is_chosen, parts)):
                message = "what this future gives is changed in place, and may have other names"
                raise SharedFuture(CompileError.at(op.span, message, help="change a clone() of it").diagnostics)
            if op.name == WRITE and self.is_chosen(op.operand(0)):
                self.written.setdefault(self.classes.of(op.operand(0)), op)
        for op in function.walk():
            if op.name == "prim::Constant" and is_tensor(op.result):
                write = self.written.get(self.classes.of(op.result)) if self.is_chosen(op.result) else None
                if write is not None:
                    constant = cast(Any, op.attributes["value"])
                    self.classes.aliases.constants.setdefault(id(constant.array), (constant, write.span))

    def function(self, function: Operation, signature: Signature) -> Signature:
        body = function.body()
        self.retype(function)
        decides = [op.operand(0) for op in function.walk() if op.name in BY_LAYOUT and self.is_chosen(op.operand(0))]
        unknown = [v for v in decides if self.classes.aliases.layouts.get(v) is None]
        behind = arguments_behind(*unknown)
        by_layout = [i for i, a in enumerate(body.args) if a in behind]
        roots = [self.enter(body, argument) for argument in body.args]
        self.block(body)
        parameters, results = list(signature.parameters), list(signature.results)
        returned = list(body.terminator.operands)
        b = Builder.before(body.terminator)
        for i in by_layout:
            parameters[i] = replace(parameters[i], by_layout=True)
        for i, root in enumerate(roots):
            if root is not None and self.classes.of(body.args[i]) in self.written:
                parameters[i] = replace(parameters[i], write_back=len(results))
                results.append(cast(ScriptType, body.args[i].type))
                returned.append(_copy(b, root, in_memory=False))
        body.terminator.set_operands(returned)
        return replace(signature, parameters=tuple(parameters), results=tuple(results))

    def retype(self, function: Operation) -> None:
        entry = function.body()
        for op in function.walk():
            if op.name in _CONSTRUCTS:
                continue
            for region in op.regions:
                for block in region.blocks:
                    for argument in block.args:
                        if block is not entry and self.is_chosen(argument):
                            argument.type = in_memory(cast(ScriptType, argument.type))
            for result in op.results:
                if self.is_chosen(result) and not self.makes_values(op):
                    result.type = in_memory(cast(ScriptType, result.type))

    def makes_values(self, op: Operation) -> bool:
        """Whether the operation computes tensors, which are put in memory after that."""
        if op.name in (*_CONTROL, WRITE, "prim::Uninitialized") or keeps(op):
            return False
        return op not in self.classes.views

    def enter(self, body: Block, argument: BlockArgument) -> Value | None:
        """What an argument is in memory."""
        if not is_tensor(argument) or not self.is_chosen(argument):
            return None
        return self.stored(Builder.at_start(body), argument)

    def stored(self, b: Builder, value: Value, operands: Sequence[Value] = ()) -> Value:
        """Everybody uses the memory that the value is put into; `operands`: of what makes it."""
        users = list(value.uses)
        root = self.laid(b, value, operands)
        self.classes.parents[root] = self.classes.of(value)
        for user, index in users:
            user.set_operand(index, root)
        return root

    def laid(self, b: Builder, value: Value, operands: Sequence[Value]) -> Value:
        """In memory, as it lies in PyTorch where that matters."""
        kind, strides = self.laying.kinds.get(value), self.laying.strided.get(value)
        if kind is None and strides is None:
            return _copy(b, value, in_memory=True)
        if kind is None:
            return stored_so(b, value, strides or ())
        n = Arithmetic(b, not_given)
        tensors = [part for operand in operands for part in all_parts(operand)]
        given = [strides_of(n, part, self.classes.aliases) for part in tensors] if kind.asks else []
        return stored_so(b, value, strides_made(n, kind, n.sizes(value), given))

    def block(self, block: Block) -> None:
        for op in list(block.operations()):
            if op.name == WRITE and is_in_memory(op.operand(0)):
                self.read(op, 1)
                op.result.replace_all_uses_with(op.operand(0))
            elif op.name in _CONTROL:
                for region in op.regions:
                    for inner in region.blocks:
                        self.block(inner)
            elif op.name == torch.YIELD or (op.name in _MAKES_MEMORY and is_in_memory(op.result)):
                pass
            else:
                self.plain(op)

    def plain(self, op: Operation) -> None:
        if op.name in _CONSTRUCTS:
            if self.is_kept(op):
                op.result.type = _made_type(op)
            return
        operands = list(op.operands)
        is_memory_view = op in self.classes.views and is_in_memory(op.operand(0))
        if not keeps(op) and op.name not in _EXTENTS:
            for i in range(1 if is_memory_view else 0, len(op.operands)):
                self.read(op, i)
        if op.name in ("prim::Uninitialized",) or keeps(op) or is_memory_view:
            return
        for result in op.results:
            if is_tensor(result) and self.is_chosen(result):
                self.stored(Builder.after(op), result, operands)

    def is_kept(self, construct: Operation) -> bool:
        """Whether what is made of tensors in memory, or will hold such, holds the tensors themselves."""
        if not holds_tensors(construct.result.type):
            return False
        has_parts = bool(contents(construct.result))
        return any(
            (keeps(user) and (has_parts or any(map(self.is_chosen, (*user.operands, *user.results)))))
            or user.name == torch.YIELD
            or (user.name in _CONSTRUCTS and self.is_kept(user))
            for user in construct.result.users
        ) and (not has_parts or any(self.is_chosen(v) for v in construct.operands))

    def read(self, op: Operation, index: int) -> None:
        """Makes the operand, or what a list made for the operation holds, values as they are at this time."""
        operand = op.operand(index)
        b = Builder.before(op)
        b.span = op.span
        op.set_operand(index, self.value_of(b, operand))

    def value_of(self, b: Builder, value: Value) -> Value:
        if is_in_memory(value):
            return _copy(b, value, in_memory=False)
        made = value.defining_op()
        if made is None or made.name not in _CONSTRUCTS:
            return value
        parts = [self.value_of(b, v) for v in made.operands]
        if all(a is b_ for a, b_ in zip(parts, made.operands)):
            return value
        return b.create(made.name, parts, (cast(ScriptType, value.type),)).result


def _made_type(op: Operation) -> ScriptType:
    """The type of a construct whose parts are in memory."""
    parts = tuple(cast(ScriptType, v.type) for v in op.operands)
    t = cast(ScriptType, op.result.type)
    return replace(t, elements=parts) if isinstance(t, TupleType) else in_memory(t)


def _copy(b: Builder, value: Value, *, in_memory: bool) -> Value:
    """The elements as they are now, as a value or in memory of their own."""
    none = torch.constant(b, None, NONE)
    t = replace(cast(TensorType, value.type), in_memory=in_memory)
    return b.create("aten::clone", [value, none], (t,)).result
