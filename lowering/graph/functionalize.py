"""Removes in-place writes: after this pass every tensor is a value.

In: a specialised graph in which `aten::copy_` writes to tensors, through views too. Each storage that is written has
a current value; a write gives it a new one through the inverses of the views (`VIEW_WRITES`); whoever uses a view of
it afterwards looks at the current value again. `If`s and `Loop`s that write to a storage from outside give it back as
one more result. Arguments that are written to become additional results, named in the signature
(`Parameter.write_back`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ...ir.attributes import Constant
from ...ir.builder import Builder
from ...ir.core import Block, Operation, OpResult, Value, functions
from ...ir.diagnostics import CompileError
from ...ir.dialects.aten.view_writes import VIEW_WRITES
from ...ir.dtypes import DType
from ...ir.operator import Unsupported
from ...ir.program import StateNeeded
from ...ir.script_types import ScriptType, TensorType
from ...ir.signature import Signature, TensorSpec, leaf_numbers, tensor_columns
from .aliases import RESHAPES, WRITE, Aliases, Storage, analyse, is_same, is_tensor
from .laid_results import lay_results
from .layouts import LAYOUT, arguments_behind, made_layout
from .memory import Classes, is_in_memory, put_in_memory
from .nodes import NodeWriter
from .placed_results import Following, place_results
from .result_views import result_views, with_shared_copies


def functionalize(module: Operation, signature: Signature, *, places: Following | None = None) -> Signature:
    """Rewrites the entry of `module` in place; the signature with what is written back. Nothing is written in others.

    `places`: the function gives out where results lie that may be views (`placed_results.py`), for callers that make such views.
    """
    function = next(iter(functions(module)))
    strided: dict[Value, tuple[int, ...]] = {
        a: p.spec.strides
        for a, p in zip(function.body().args, signature.parameters, strict=True)
        if isinstance(p.spec, TensorSpec) and p.spec.strides is not None
    }
    aliases = analyse(function, strided, made_layout)
    signature = _by_layout(function, signature, aliases)
    signature = replace(signature, views=result_views(function, signature, aliases))
    if signature.used:
        followed = places is not None and places.through_containers
        signature = replace(signature, entangled=_entangled(function, signature, aliases, followed=followed))
    if places is not None and not aliases.constants:
        signature = place_results(function, with_shared_copies(function, signature, aliases), aliases, places)
    if aliases.unclear and not aliases.constants:
        signature = put_in_memory(function, signature, aliases, aliases.unclear)
        if not aliases.constants:
            aliases = analyse(function, strided, made_layout)
            for error in aliases.unclear.values():
                raise error
    if aliases.constants:
        raise StateNeeded((), aliases.constants)
    if aliases.written:
        signature = _Rewriter(aliases).function(function, signature)
    _drop_identities(function)
    return replace(signature, laid=()) if places is None else lay_results(function, signature)


def _by_layout(function: Operation, signature: Signature, aliases: Aliases) -> Signature:
    """The signature, in which arguments lie as it says where their strides decide what a write changes."""
    written = {atom for storage in aliases.written for atom in storage.atoms}
    found: set[Value] = set()
    for op in function.walk() if written else ():
        if (op.name in RESHAPES or op.name == "aten::contiguous") and is_tensor(op.operand(0)):
            atoms = aliases.of[op.operand(0)].storage.atoms | aliases.of[op.result].storage.atoms
            found |= set() if atoms.isdisjoint(written) else arguments_behind(op.operand(0))
    pairs = zip(function.body().args, signature.parameters, strict=True)
    return replace(signature, parameters=tuple(replace(p, by_layout=True) if a in found else p for a, p in pairs))


def _entangled(
    function: Operation, signature: Signature, aliases: Aliases, *, followed: bool
) -> tuple[tuple[str, str], ...]:
    """Attributes that are something else after the call and share memory with another one, which is not copied.

    `followed`: it is told of each tensor where it lies, unless it stands in a container made at run time.
    """
    body = function.body()
    returned = body.terminator.operands
    after: dict[Value, set[str]] = {}
    for result in signature.state:
        for i in () if followed else leaf_numbers(result.tree):
            if is_tensor(returned[i]):
                after.setdefault(returned[i], set()).add(result.path)
    before: dict[Value, str] = {}
    for argument, parameter in zip(body.args, signature.parameters, strict=True):
        if parameter.path is not None and is_tensor(argument):
            before[argument] = parameter.path
    for op in body.operations():
        constant = op.attributes.get("value") if op.name == "prim::Constant" else None
        if isinstance(constant, Constant):
            before[op.result] = f"={constant.name}"
    classes = Classes(aliases)
    if any(atom in aliases.in_lists for value in after for atom in aliases.of[value].storage.atoms):
        classes.visit(body)
    found: dict[tuple[str, str], None] = {}
    values = list(after)
    for i, value in enumerate(values):
        for other in values[i + 1 :]:
            if aliases.may_share(value, other) or classes.of(value) is classes.of(other):
                found.update(dict.fromkeys((a, b) for a in after[value] for b in after[other]))
        for other, path in before.items():
            # what an attribute held itself is gone
            pairs = [(a, _attribute(path, signature)) for a in after[value] if a != path]
            shared = aliases.may_share(value, other) or classes.of(value) is classes.of(other)
            if pairs and value is not other and shared:
                found.update(dict.fromkeys(pairs))
    for result in signature.state:  # of tensors in lists made at run time it is not known which they are
        for leaf in tensor_columns(result.tree):
            for other, path in before.items():
                own = _attribute(path, signature)
                if own != result.path and _dtype_of(other) == _dtype_of(returned[leaf.index]):
                    found[result.path, own] = None
    return tuple(found)


def _attribute(path: str, signature: Signature) -> str:
    """The attribute, among those given as state, in whose value this stands."""
    given = [u for u in signature.used if path == u or path.startswith((f"{u}[", f"{u}."))]
    return max(given, key=len) if given and not path.startswith("=") else path


def _dtype_of(value: Value) -> DType | None:
    return value.type.dtype if isinstance(value.type, TensorType) else None


def _drop_identities(function: Operation) -> None:
    """Without writes, nobody can tell an alias, a copy or a contiguous copy from the tensor itself."""
    for op in list(function.walk()):
        for mark in [name for name in op.attributes if name.startswith(LAYOUT)]:
            del op.attributes[mark]
        if any(map(is_in_memory, (*op.operands, *op.results))):
            continue
        if is_same(op) or op.name in ("aten::contiguous", "aten::clone"):
            op.result.replace_all_uses_with(op.operand(0))
            op.erase()
        elif op.name == "aten::view":
            op.name = "aten::reshape"  # values have no strides that could refuse it


@dataclass
class _Rewriter:
    aliases: Aliases
    current: dict[Storage, Value] = field(default_factory=dict[Storage, Value])
    """Contents of each storage that is written anywhere; its root until the first write."""
    version: dict[Storage, int] = field(default_factory=dict[Storage, int])
    values: dict[Value, tuple[int, Value]] = field(default_factory=dict[Value, tuple[int, Value]])
    """What a tensor of the program is now, with the version of its storage that this is right for."""
    _versions: int = 0

    def function(self, function: Operation, signature: Signature) -> Signature:
        body = function.body()
        self.enter(body.args)
        self.block(body)
        parameters = list(signature.parameters)
        results = list(signature.results)
        returned = list(body.terminator.operands)
        for i, argument in enumerate(body.args):
            storage = self.aliases.of[argument].storage if is_tensor(argument) else None
            if storage is not None and storage in self.aliases.written:
                parameters[i] = replace(parameters[i], write_back=len(results))
                results.append(cast(ScriptType, argument.type))
                returned.append(self.current[storage])
        body.terminator.set_operands(returned)
        return replace(signature, parameters=tuple(parameters), results=tuple(results))

    def enter(self, values: Sequence[Value]) -> None:
        """New values: those that are the root of a written storage are its first contents."""
        for value in values:
            alias = self.aliases.of.get(value)
            if alias is not None and alias.storage.root is value and alias.storage in self.aliases.written:
                self.current[alias.storage] = value
                self.version[alias.storage] = self.next_version()

    def next_version(self) -> int:
        self._versions += 1
        return self._versions

    # reading and writing

    def read(self, value: Value, before: Operation) -> Value:
        """The value as it is now."""
        alias = self.aliases.of.get(value)
        if alias is None or alias.storage not in self.aliases.written:
            return value
        version = self.version[alias.storage]
        known = self.values.get(value)
        if known is not None and known[0] == version:
            return known[1]
        if alias.source is None:
            now = self.current[alias.storage]
        elif alias.view is None:
            now = self.read(alias.source, before)
        else:
            now = self.derived(alias.view, alias.index, self.read(alias.source, before), before)
        self.values[value] = (version, now)
        return now

    def derived(self, view: Operation, index: int, source: Value, before: Operation) -> Value:
        if source is view.operand(0):
            return view.results[index]
        copy = view.clone({view.operand(0): source})
        assert before.parent is not None
        before.parent.insert_before(copy, before)
        return copy.results[index]

    def write(self, op: Operation) -> None:
        target, new = op.operand(0), self.read(op.operand(1), op)
        self.store(target, new, op)
        op.result.replace_all_uses_with(target)
        op.erase()

    def store(self, target: Value, new: Value, op: Operation) -> None:
        """Takes the new value of a view back to its storage, one view after the other."""
        alias = self.aliases.of[target]
        value, written = target, new
        fresh: dict[Value, Value] = {}
        writer = NodeWriter(Builder.before(op))
        while alias.source is not None:
            fresh[value] = written
            if alias.view is not None:
                written = self.written_through(alias.view, alias.index, self.read(alias.source, op), written, writer)
            value, alias = alias.source, self.aliases.of[alias.source]
        fresh[value] = written
        storage = alias.storage
        self.current[storage] = written
        version = self.version[storage] = self.next_version()
        for value, now in fresh.items():
            self.values[value] = (version, now)

    def written_through(self, view: Operation, index: int, base: Value, new: Value, writer: NodeWriter) -> Value:
        rule = VIEW_WRITES.get(view.name)
        if rule is None:
            raise CompileError.at(writer.b.span, f"writing through a view made by {view.name} is not supported")
        try:
            return rule(writer.emit, base, view.operands, new, index)
        except Unsupported as error:
            raise CompileError.at(writer.b.span, str(error)) from None

    # walk

    def block(self, block: Block) -> None:
        for op in list(block.operations()):
            match op.name:
                case _ if op.name == WRITE and not is_in_memory(op.operand(0)):
                    self.write(op)
                case "prim::If":
                    self.update(op)
                    self.branch(op)
                case "prim::Loop":
                    self.update(op)
                    self.loop(op)
                case _:
                    self.plain(op)

    def plain(self, op: Operation) -> None:
        first = op.results[0] if op.results else None
        alias = self.aliases.of.get(first) if first is not None else None
        if alias is not None and alias.view is op and alias.storage in self.aliases.written:
            # written anew where it is used, unless its source is still what it was when it stands here
            if self.read(op.operand(0), op) is op.operand(0):
                for result in op.results:
                    self.values[result] = (self.version[alias.storage], result)
            return
        self.update(op)
        self.enter(op.results)

    def update(self, op: Operation) -> None:
        for i, operand in enumerate(op.operands):
            if is_tensor(operand):
                op.set_operand(i, self.read(operand, op))

    def outside(self, op: Operation) -> list[Storage]:
        return list(self.aliases.written_in.get(op, {}))

    def branch(self, op: Operation) -> None:
        storages = self.outside(op)
        saved = dict(self.current), dict(self.version), dict(self.values)
        for i in range(2):
            self.current, self.version, self.values = (dict(d) for d in cast(Any, saved))
            body = op.body(i)
            self.block(body)
            body.terminator.set_operands([*body.terminator.operands, *(self.current[s] for s in storages)])
        self.current, self.version, self.values = (dict(d) for d in cast(Any, saved))
        self.enter(op.results)
        self.leave(op, storages)

    def leave(self, op: Operation, storages: Sequence[Storage]) -> None:
        """Contents that control flow has changed are new results of it."""
        for storage in storages:
            result = OpResult(op, len(op.results), storage.root.type)
            op.results.append(result)
            self.current[storage] = result
            self.version[storage] = self.next_version()
            self.values[storage.root] = (self.version[storage], result)

    def loop(self, op: Operation) -> None:
        storages = self.outside(op)
        op.set_operands([*op.operands, *(self.current[s] for s in storages)])
        saved = dict(self.current), dict(self.version), dict(self.values)
        body = op.body()
        for storage in storages:
            argument = body.add_argument(storage.root.type)
            self.current[storage] = argument
            self.version[storage] = self.next_version()
        self.enter(body.args)
        self.block(body)
        body.terminator.set_operands([*body.terminator.operands, *(self.current[s] for s in storages)])
        self.current, self.version, self.values = (dict(d) for d in cast(Any, saved))
        self.enter(op.results)
        self.leave(op, storages)
