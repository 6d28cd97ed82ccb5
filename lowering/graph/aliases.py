"""Which tensors of a specialised graph share memory, and whether every write can be followed: PyTorch's aliasing.

Each tensor value belongs to a `Storage` (memory that one operation, argument or constant made) and looks at it
through a chain of view operations. Where it depends on run-time conditions what a value shares memory with (results
of `If` and `Loop`, a `reshape` of unknown layout), it gets a storage of its own that remembers what it may be.
Writing to one of several storages that may be the same makes the others unreadable from there on: a read is a
CompileError, never a wrong value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.core import Block, Operation, OpResult, Value
from ...ir.diagnostics import CompileError, Note
from ...ir.dialects import torch
from ...ir.operator import OperatorError
from ...ir.operators import find, gives_contiguous, is_view, schema
from ...ir.script_types import (
    DictType,
    FutureType,
    InstanceType,
    ListType,
    OptionalType,
    TensorType,
    TupleType,
    UnionType,
)
from ...ir.source import Span
from . import strides as strides_rules
from .nodes import inferred
from .strides import CONTIGUOUS_FORMAT, Strides
from .strides import contiguous as contiguous_strides
from .strides import viewed as reshaped_strides

Layout = Strides | Literal["contiguous"] | None
"""Strides of a tensor of static shape; of others whether it is known to be contiguous."""

WRITE: Final = "aten::copy_"

SAME: Final = frozenset(
    f"aten::{name}"
    for name in ("alias", "detach", "lift_fresh", "positive", "real", "conj", "resolve_conj", "resolve_neg")
)
"""The same elements in the same shape; `real` and `conj` of a complex tensor are not."""

COMPLEX_VIEWS: Final = frozenset(f"aten::{name}" for name in ("real", "imag", "conj", "view_as_real", "view_as_complex"))
"""Views of complex tensors, and as such."""

RESHAPES: Final = frozenset(("aten::reshape", "aten::reshape_as", "aten::flatten.using_ints", "aten::ravel"))
"""Views if the layout allows, else copies."""

_EXPANDING: Final = frozenset(("aten::expand", "aten::expand_as", "aten::broadcast_to"))

MAX_ELEMENTS: Final = 1 << 16
"""Of tensors whose elements are told apart."""

_MARK: Final = "layout"
"""See `layouts.LAYOUT`."""

_NEVER_CONTIGUOUS: Final = ("aten::nonzero", "aten::einsum", "aten::linalg_", "aten::_linalg")


@dataclass(eq=False)
class Storage:
    """Memory. `atoms` are the storages that it may be, itself unless it stands for others."""

    root: Value
    kind: Literal["fresh", "argument", "state"]
    atoms: frozenset[Any] = frozenset()


@dataclass(frozen=True)
class Alias:
    """How a value looks at its storage: through `view` (result `index`) of `source`; None for the whole storage."""

    storage: Storage
    source: Value | None = None
    view: Operation | None = None
    index: int = 0


@dataclass
class Aliases:
    """The outcome: where each tensor lives, what is written, and by which control flow."""

    of: dict[Value, Alias] = field(default_factory=dict[Value, Alias])
    written: dict[Storage, None] = field(default_factory=dict[Storage, None])
    written_in: dict[Operation, dict[Storage, None]] = field(default_factory=dict[Operation, Any])
    """Storages from outside that an `If` or `Loop` writes to."""
    constants: dict[int, tuple[Constant, Span | None]] = field(default_factory=dict[int, Any])
    """Constants that are written, with the first write; by identity of the array."""
    unclear: dict[Storage, CompileError] = field(default_factory=dict[Storage, CompileError])
    """Storages of which it is not known at compile time what is in them, with the place where that matters."""
    layouts: dict[Value, Layout] = field(default_factory=dict[Value, Layout])
    in_lists: dict[Any, Operation] = field(default_factory=dict[Any, Operation])
    """Storages (as in `Storage.atoms`) that were put into lists of run-time length, or taken out of them."""

    def may_share(self, a: Value, b: Value) -> bool:
        """Whether an element of one may be an element of the other."""
        first, second = self.of[a].storage, self.of[b].storage
        if first is not second:
            return bool(first.atoms & second.atoms)
        own, other = self.elements(a), self.elements(b)
        return own is None or other is None or bool(np.isin(own, other).any())

    def elements(self, value: Value) -> Any:
        """Numbers of its elements in its storage, in its shape; None where they are not known, or too many."""
        alias = self.of[value]
        if alias.source is None:
            shape = static_shape(value.type)
            if shape is None or math.prod(shape) > MAX_ELEMENTS:
                return None
            return np.arange(math.prod(shape)).reshape(shape)
        base = self.elements(alias.source)
        return base if base is None or alias.view is None else view_of(alias.view, alias.index, base)


Made = Callable[[Operation, Value, Sequence[tuple[Value, Strides]]], Strides | None]
"""(operator, result, tensors that it is made of with their strides) -> strides of the result, where they are known."""


def analyse(function: Operation, strided: Mapping[Value, Strides] | None = None, made: Made | None = None) -> Aliases:
    """`strided`: the strides of arguments that are not row-major; `made`: of what operators make, where not all operands are."""
    analysis = _Analysis(made=made)
    analysis.found.layouts = analysis.layouts
    for argument in function.body().args:
        if is_tensor(argument):
            analysis.root(argument, "argument")
            analysis.layouts[argument] = (strided or {}).get(argument) or contiguous_layout(cast(TensorType, argument.type))
    analysis.block(function.body())
    if not analysis.found.constants:
        analysis.check_survivors(function)
    analysis.found.in_lists = analysis.in_lists
    return analysis.found


def storages(atoms: Iterable[Any]) -> set[Storage]:
    """The storages among what a tensor may be, those of earlier iterations too."""
    found: set[Storage] = set()
    for atom in atoms:
        while isinstance(atom, tuple):
            atom = cast("tuple[Any, Any]", atom)[1]
        found.add(atom)
    return found


def is_run_time_list(value: Value) -> bool:
    """Whether it is a list, dict or object made at run time, or may be one or a tensor."""
    if isinstance(value.type, DictType | InstanceType | OptionalType | UnionType | FutureType):
        return True
    return isinstance(value.type, ListType) and value.defining_op("prim::ListConstruct") is None


def waits_alone(op: Operation) -> bool:
    """Whether what is waited for here is given to nobody else: it is new."""
    if op.name == "prim::TupleUnpack":
        made = op.operand(0).defining_op("aten::wait")
        return made is not None and len(made.result.uses) == 1 and made.parent is op.parent and waits_alone(made)
    fork = op.operand(0).defining_op("prim::fork") if op.name == "aten::wait" else None
    return fork is not None and len(fork.result.uses) == 1 and fork.parent is op.parent


def parts_of(value: Value) -> list[Value]:
    """The tensors of an operand: itself, or those of a list or tuple that is made for it."""
    op = value.defining_op()
    if is_tensor(value):
        return [value]
    if op is not None and op.name in ("prim::ListConstruct", "prim::TupleConstruct"):
        return [part for operand in op.operands for part in parts_of(operand)]
    return []


JOINING: Final = ("aten::stack", "aten::cat", "aten::tensor")
"""Operators that make a new tensor of the elements of a list."""


def is_tensor(value: Value) -> bool:
    """Whether it is a tensor whose writes are followed: not one in memory."""
    return isinstance(value.type, TensorType) and not value.type.in_memory


def is_defined_in(value: Value, op: Operation) -> bool:
    """Whether the value is defined inside a region of `op`."""
    owner = value.owner
    at = owner.parent if isinstance(owner, Operation) else owner
    while at is not None:
        parent = at.parent_op
        if parent is op:
            return True
        at = None if parent is None else parent.parent
    return False


@dataclass
class _Analysis:
    found: Aliases = field(default_factory=Aliases)
    layouts: dict[Value, Layout] = field(default_factory=dict[Value, Layout])
    poisoned: dict[Storage, Operation] = field(default_factory=dict[Storage, Operation])
    """Storages that are not up to date any more, each with the write that made them so."""
    storages: dict[Value, Storage] = field(default_factory=dict[Value, Storage])
    in_lists: dict[Any, Operation] = field(default_factory=dict[Any, Operation])
    """Storages (as in `Storage.atoms`) that are elements of lists of run-time length, with a node that says so."""
    before_loop: dict[Operation, frozenset[Any]] = field(default_factory=dict[Operation, Any])
    """What `in_lists` held when an iteration of the loop began."""
    made: Made | None = None

    def root(
        self, value: Value, kind: Literal["fresh", "argument", "state"], atoms: frozenset[Any] | None = None
    ) -> Storage:
        storage = self.storages.setdefault(value, Storage(value, kind))
        storage.atoms = storage.atoms | (frozenset({storage}) if atoms is None else atoms)
        self.found.of[value] = Alias(storage)
        self.poisoned.pop(storage, None)
        return storage

    def storage(self, value: Value) -> Storage:
        return self.found.of[value].storage

    # walk

    def block(self, block: Block) -> None:
        for op in block.operations():
            self.operation(op)

    def operation(self, op: Operation) -> None:
        if op.name == WRITE and not is_tensor(op.operand(0)):
            self.read(op, op.operands)
            return
        if op.name == WRITE:
            self.read(op, op.operands[1:])
            self.write(op)
            self.found.of[op.result] = Alias(self.storage(op.operand(0)), op.operand(0))
            self.layouts[op.result] = self.layouts.get(op.operand(0))
            return
        if op.name == "prim::If":
            self.branch(op)
            return
        if op.name == "prim::Loop":
            self.read(op, op.operands)
            self.loop(op)
            return
        if self.view(op):
            return
        self.read(op, op.operands)
        self.listed(op)
        for result in op.results:
            if is_tensor(result):
                self.root(result, "state" if op.name == "prim::Constant" else "fresh")
                self.layouts[result] = self.fresh_layout(op, result)

    def read(self, op: Operation, operands: Sequence[Value]) -> None:
        for value in operands:
            if is_tensor(value):
                self.check(op, self.storage(value))

    def check(self, op: Operation, storage: Storage) -> None:
        write = self.poisoned.get(storage)
        if write is not None:
            self.not_followed(
                storage,
                op.span or write.span,
                "whether this tensor shares memory with one that was changed in place is only known at run time",
                notes=[Note("changed in place here", write.span)] if write.span is not None else (),
                help="clone() one of the two before the change",
            )

    def not_followed(
        self, storage: Storage, span: Span | None, message: str, help: str, notes: Sequence[Note] = ()
    ) -> None:
        self.found.unclear.setdefault(storage, CompileError.at(span, message, notes=notes, help=help))

    def write(self, op: Operation) -> None:
        target = op.operand(0)
        storage = self.storage(target)
        self.check(op, storage)
        self.check_unlisted(op, storage)
        self.check_inverse(op)
        for atom in storage.atoms:
            if isinstance(atom, Storage) and atom.kind == "state":
                constant = cast(Constant, cast(Operation, atom.root.defining_op()).attributes["value"])
                self.found.constants.setdefault(id(constant.array), (constant, op.span))
        self.found.written[storage] = None
        for parent in enclosing(op):
            if not is_defined_in(storage.root, parent):
                self.found.written_in.setdefault(parent, {})[storage] = None
        for other in list(self.storages.values()):
            if other is not storage and other.atoms & storage.atoms:
                self.poisoned[other] = op

    # lists of run-time length

    def listed(self, op: Operation) -> None:
        """Tensors that the node puts into a list, or may take out of one: others see a change of them."""
        if op.name == "prim::fork" or waits_alone(op):  # which takes values
            return
        if any(is_run_time_list(v) for v in (*op.operands, *op.results)):
            for value in op.operands:
                for part in parts_of(value):
                    for atom in self.storage(part).atoms:
                        self.in_lists.setdefault(atom, op)
        taken = any(is_run_time_list(v) or isinstance(v.type, TupleType) for v in op.operands)
        for result in op.results:
            if taken and is_tensor(result) and not op.name.startswith(JOINING):
                storage = self.root(result, "fresh")
                self.in_lists[storage] = op

    def check_unlisted(self, op: Operation, storage: Storage) -> None:
        holder = next((self.in_lists[a] for a in storage.atoms if a in self.in_lists), None)
        if holder is not None:
            self.not_followed(
                storage,
                op.span,
                "this tensor is an element of a list whose length is only known at run time: "
                "it cannot be changed in place",
                notes=[Note("put into or taken out of the list here", holder.span)] if holder.span is not None else (),
                help="change a clone() of it",
            )

    def check_inverse(self, op: Operation) -> None:
        """Views of which no new value of what they are made from can be computed."""
        alias = self.found.of[op.operand(0)]
        while alias.source is not None:
            if alias.view is not None and has_no_inverse(alias.view):
                message = f"what changes by writing through {alias.view.name.removeprefix('aten::')} is not known"
                self.not_followed(alias.storage, op.span, message, help="clone() the tensor first")
            alias = self.found.of[alias.source]

    # views

    def view(self, op: Operation) -> bool:
        """Views share the storage of their first operand."""
        form = schema(op.name)
        if form is None or not is_view(form) or not op.operands or not is_tensor(op.operand(0)):
            return False
        source = op.operand(0)
        if any(not is_tensor(r) for r in op.results):
            return False
        layout = self.layouts.get(source)
        self.check_view(op, layout)
        self.check_strided(op)
        shared = self.shares(op, layout)
        for index, result in enumerate(op.results):
            if shared is True:
                self.found.of[result] = Alias(self.storage(source), source, op, index)
                self.layouts[result] = view_layout(op, index, layout)
            elif shared is False:
                self.check(op, self.storage(source))
                self.root(result, "fresh")
                self.layouts[result] = contiguous_layout(cast(TensorType, result.type))
            else:
                self.check(op, self.storage(source))
                own = self.storages.setdefault(result, Storage(result, "fresh"))
                self.root(result, "fresh", self.storage(source).atoms | {own})
                self.layouts[result] = contiguous_layout(cast(TensorType, result.type))
        return True

    def check_view(self, op: Operation, layout: Layout) -> None:
        """A `view` that the layout refuses; where a condition decides whether it is reached, it is given its value."""
        if op.name != "aten::view" or layout is None or layout == "contiguous" or enclosing(op):
            return
        shape, wanted = static_shape(op.operand(0).type), static_shape(op.result.type)
        if shape is not None and wanted is not None and reshaped_strides(shape, layout, wanted) is None:
            raise CompileError.at(
                op.span,
                "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
                "two contiguous subspaces). Use .reshape(...) instead.",
            )

    def check_strided(self, op: Operation) -> None:
        """`as_strided` looks at the whole storage, wherever the tensor lies in it."""
        if op.name == "aten::as_strided":
            message = "what as_strided looks at is only known at run time"
            self.not_followed(self.storage(op.operand(0)), op.span, message, help="use view, select or slice")

    def shares(self, op: Operation, layout: Layout) -> bool | None:
        """Whether a view operator gives a view; None if that depends on a layout that is not known."""
        if op.name.startswith("aten::to."):
            return (
                False
                if cast(TensorType, op.operand(0).type).dtype is not cast(TensorType, op.result.type).dtype
                else None
            )
        if op.name == "aten::contiguous":
            type_ = cast(TensorType, op.operand(0).type)
            if layout is None:
                return None
            return layout == "contiguous" or is_contiguous(static_shape(type_), layout)
        if op.name in RESHAPES:
            if layout is None:
                return None
            if layout == "contiguous":
                return True
            shape, wanted = static_shape(op.operand(0).type), static_shape(op.result.type)
            if shape is None or wanted is None:
                return None
            return reshaped_strides(shape, layout, wanted) is not None
        return True

    def fresh_layout(self, op: Operation, result: Value) -> Layout:
        """New tensors are contiguous if their operands are."""
        mark = op.attributes.get(f"{_MARK}{cast(OpResult, result).index}")
        if mark == "row-major":
            return contiguous_layout(cast(TensorType, result.type))
        if gives_contiguous(op.name) or (op.name == "aten::clone" and inferred(op.operand(1)) == CONTIGUOUS_FORMAT):
            return contiguous_layout(cast(TensorType, result.type))
        if op.name.startswith(_NEVER_CONTIGUOUS):
            return None
        if op.name == "aten::clone" and is_tensor(op.operand(0)):
            shape, layout = static_shape(result.type), self.layouts.get(op.operand(0))
            if shape is not None and isinstance(layout, tuple):
                return strides_rules.kept(shape, layout)
        for operand in op.operands:
            if is_tensor(operand) and cast(TensorType, operand.type).shape:
                layout = self.layouts.get(operand)
                if layout is None:
                    return None
                shape = static_shape(operand.type)
                if layout != "contiguous" and not is_contiguous(shape, layout):
                    return self.strided_layout(op, result)
        return contiguous_layout(cast(TensorType, result.type))

    def strided_layout(self, op: Operation, result: Value) -> Layout:
        """Of what is made of tensors that are not all contiguous."""
        parts = [part for operand in op.operands for part in parts_of(operand)]
        known: list[tuple[Value, Strides]] = []
        for part in parts:
            shape, layout = static_shape(part.type), self.layouts.get(part)
            if shape is None or layout is None:
                return None
            known.append((part, contiguous_strides(shape) if layout == "contiguous" else layout))
        return None if self.made is None else self.made(op, result, known)

    # control flow

    def branch(self, op: Operation) -> None:
        before = dict(self.poisoned)
        after: dict[Storage, Operation] = {}
        for i in range(2):
            self.poisoned = dict(before)
            self.block(op.body(i))
            after.update(self.poisoned)
        self.poisoned = after
        for k, result in enumerate(op.results):
            if not is_tensor(result):
                continue
            yielded = [op.body(i).terminator.operand(k) for i in range(2)]
            if yielded[0] is yielded[1]:
                self.found.of[result] = Alias(self.storage(yielded[0]), yielded[0], None)
                self.layouts[result] = self.layouts.get(yielded[0])
                continue
            self.root(result, "fresh", self.storage(yielded[0]).atoms | self.storage(yielded[1]).atoms)
            self.layouts[result] = self.joined_layout(result, yielded)

    def joined_layout(self, result: Value, values: Sequence[Value]) -> Layout:
        layouts: list[Layout] = [self.layouts.get(v) for v in values]
        if all(_contiguous(v, l) for v, l in zip(values, layouts)):
            return contiguous_layout(cast(TensorType, result.type))
        return layouts[0] if all(l == layouts[0] for l in layouts) else None

    def loop(self, op: Operation) -> None:
        body = op.body()
        initial = op.operands[2:]
        atoms: list[frozenset[Any]] = [self.storage(v).atoms if is_tensor(v) else frozenset() for v in initial]
        layouts: list[Layout] = [self.layouts.get(v) for v in initial]
        while True:
            before = dict(self.poisoned)
            for argument, own, layout in zip(body.args[1:], atoms, layouts):
                if is_tensor(argument):
                    self.root(argument, "fresh", own)
                    self.layouts[argument] = layout
            self.block(body)
            yielded = body.terminator.operands[1:]
            grown = [own | self.carried(op, v) if is_tensor(v) else own for own, v in zip(atoms, yielded, strict=True)]
            met: list[Layout] = [
                layout if not is_tensor(v) or layout == self.layouts.get(v) else self.joined_layout(a, [a, v])
                for layout, v, a in zip(layouts, yielded, body.args[1:])
            ]
            in_lists = {self.of_earlier(op, a): holder for a, holder in self.in_lists.items()}
            listed_more = in_lists.keys() != self.before_loop.get(op, frozenset())
            self.before_loop[op] = frozenset(in_lists)
            self.in_lists = in_lists
            # what the body made is made anew in the next iteration; what it did to others is there when that begins
            self.poisoned = {s: w for s, w in self.poisoned.items() if not is_defined_in(s.root, op)}
            stable = grown == atoms and met == layouts and self.poisoned.keys() == before.keys() and not listed_more
            atoms, layouts = grown, met
            if stable:
                break
        for result, own, layout in zip(op.results, atoms, layouts):
            if is_tensor(result):
                self.root(result, "fresh", own)
                self.layouts[result] = layout

    def carried(self, op: Operation, value: Value) -> frozenset[Any]:
        """What a value of this iteration may be in the next: memory made in the body is then that of an earlier one."""
        arguments = {self.storages[a] for a in op.body().args if a in self.storages}
        return frozenset(self.of_earlier(op, atom) for atom in self.storage(value).atoms if atom not in arguments)

    def of_earlier(self, op: Operation, atom: Any) -> Any:
        """An atom as the next iteration of the loop sees it."""
        return ("earlier", atom) if isinstance(atom, Storage) and is_defined_in(atom.root, op) else atom

    def check_survivors(self, function: Operation) -> None:
        """Arguments and module state outlive the call: what happened to them must be known."""
        for storage, write in self.poisoned.items():
            if storage.kind != "fresh":
                what = "an argument or an attribute" if storage.kind == "argument" else "a weight or buffer of the module"
                self.not_followed(
                    storage,
                    write.span,
                    f"whether this changes {what} in place is only known at run time",
                    help="clone() it before the change",
                )
        del function


def is_same(op: Operation) -> bool:
    """Whether the result is the operand: the same elements in the same shape."""
    return op.name in SAME and not is_complex_view(op)


def is_complex_view(op: Operation) -> bool:
    """Whether the view is of a complex tensor that it takes apart, or the other way round."""
    types_ = [cast(TensorType, v.type).dtype for v in (*op.operands[:1], *op.results[:1])]
    return op.name in COMPLEX_VIEWS and any(dtype is not None and dtype.is_complex for dtype in types_)


def enclosing(op: Operation) -> list[Operation]:
    """The control flow around an operation, innermost first."""
    found: list[Operation] = []
    parent = op.parent_op
    while parent is not None and parent.name != torch.FUNC:
        found.append(parent)
        parent = parent.parent_op
    return found


def has_no_inverse(view: Operation) -> bool:
    """Whether no new value of what it is made from follows from one of the view: such are written in memory only."""
    if view.name in _EXPANDING:
        old, new = cast(TensorType, view.operand(0).type).shape, cast(TensorType, view.result.type).shape
        assert old is not None and new is not None
        padded = (*(1,) * (len(new) - len(old)), *old)
        return any(o is None or o != n for o, n in zip(padded, new, strict=True))
    return view.name in ("aten::as_strided", "aten::unfold")


# layouts


def static_shape(type_: Any) -> tuple[int, ...] | None:
    shape = cast(TensorType, type_).shape
    return None if shape is None or None in shape else cast(tuple[int, ...], shape)


def contiguous_layout(type_: TensorType) -> Layout:
    shape = static_shape(type_)
    return "contiguous" if shape is None else contiguous_strides(shape)


def is_contiguous(shape: Sequence[int] | None, strides: Strides) -> bool:
    return shape is not None and strides_rules.is_contiguous(shape, strides)


def _contiguous(value: Value, layout: Layout) -> bool:
    return layout == "contiguous" or (layout is not None and is_contiguous(static_shape(value.type), layout))


def view_layout(op: Operation, index: int, layout: Layout) -> Layout:
    """Layout of a view that shares memory."""
    result = op.results[index]
    shape = static_shape(op.operand(0).type)
    if layout == "contiguous" or shape is None or layout is None:
        if is_complex_view(op):
            return contiguous_layout(cast(TensorType, result.type)) if op.name in _WHOLE_COMPLEX_VIEWS and layout else None
        keeps = op.name in SAME or op.name in RESHAPES or op.name.startswith(("aten::view", "aten::unsqueeze"))
        return contiguous_layout(cast(TensorType, result.type)) if keeps and layout == "contiguous" else None
    wanted = static_shape(result.type)
    if wanted is None:
        return None
    if is_complex_view(op):
        return _strides_of_complex_view(op.name, layout)
    if op.name in RESHAPES or op.name.startswith(("aten::view", "aten::unflatten")):
        return reshaped_strides(shape, layout, wanted)
    return _strides_through(op, index, shape, layout)


_WHOLE_COMPLEX_VIEWS: Final = ("aten::conj", "aten::view_as_real", "aten::view_as_complex")


def _strides_of_complex_view(name: str, strides: Strides) -> Layout:
    match name:
        case "aten::conj":
            return strides
        case "aten::view_as_real":
            return (*(2 * s for s in strides), 1)
        case "aten::view_as_complex":
            return tuple(s // 2 for s in strides[:-1])
        case _:
            return tuple(2 * s for s in strides)


def _strides_through(op: Operation, index: int, shape: tuple[int, ...], strides: Strides) -> Layout:
    """Strides by running the view operator on an array of this layout; its elements are never touched."""
    array = view_of(op, index, np.lib.stride_tricks.as_strided(np.zeros(1, np.int8), shape, strides))
    return None if array is None else tuple(int(s) for s in array.strides)


def view_of(op: Operation, index: int, array: Any) -> Any:
    """Result `index` of a view operator on this array; None where it is not known."""
    record = find(op.name)
    if record is None or is_complex_view(op):
        return None
    arguments: dict[str, Any] = {"self": array}
    for formal, operand in list(zip(record.schema.arguments, op.operands))[1:]:
        value = inferred(operand)
        if is_tensor(operand):
            return None
        arguments[formal.name] = value if isinstance(value, int | None) else _placeholders(value)
    try:
        view = record.reference(**arguments)
    except OperatorError:  # of a position in what is empty: an error when the run comes to it
        return None
    return cast(Any, view)[index] if isinstance(view, list | tuple) else view


def _placeholders(value: Any) -> Any:
    """Numbers known only at run time do not matter to strides: an index."""
    if isinstance(value, list):
        return [_placeholders(v) for v in cast(list[Any], value)]
    return value if isinstance(value, int | None) else 0
