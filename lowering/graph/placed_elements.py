"""Tensors in results that are made at run time (lists, dicts, objects): which may share memory, and where they lie.

In: a specialised graph whose results leave as columns (`run_time_columns.py`), and the classes of tensors that may share memory
(`memory.py`). Out: which of these classes have to be in memory, so that each tensor knows its cell; and, for each column, three
vectors more: the cells of its tensors, by `prim::id`, their offsets and their strides (`PlacedColumn`). The call puts tensors of
one cell into one piece of memory. Lists of tensors that are surely apart cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

from ...ir.builder import Builder
from ...ir.core import Operation, Value
from ...ir.dialects import torch
from ...ir.dtypes import DType
from ...ir.script_types import BOOL, INT, NONE, ListType, TensorType
from ...ir.signature import PlacedColumn, Signature, TensorColumn, columns_of_tensors
from .aliases import Aliases, Storage, enclosing
from .memory import Classes, contents, holds_tensors, keeps

_MADE: Final = ("aten::list", "prim::DictConstruct", "prim::CreateObject")
_PUTTING: Final = (*_MADE, "aten::append", "aten::insert", "aten::_set_item", "prim::SetAttr")
_LOOKING: Final = (
    "aten::len", "aten::__getitem__", "aten::values", "aten::keys", "aten::reverse", "aten::sort", "aten::clear", "aten::pop",
    "aten::__contains__", "aten::get", "prim::TupleUnpack", "prim::TupleIndex", "prim::unchecked_cast", "prim::GetAttr", "prim::id",
    "prim::isinstance", "aten::Delete", "aten::__isnot__", "aten::__is__",
)  # fmt: skip
"""Operators on containers by which no tensor comes to stand in two places."""


@dataclass(frozen=True)
class Gathered:
    """A column of tensors of a result, and the nodes that gather it."""

    column: TensorColumn
    item: Value
    """The tensor, in the loop over the elements."""
    put: Operation
    """Puts its elements to those of the others."""
    made: Operation
    """Makes the list of these."""


def gathered_columns(function: Operation, signature: Signature) -> list[Gathered]:
    """The columns of the results that a caller gets."""
    returned = function.body().terminator.operands
    found = [_gathered(column, returned[column.elements.index]) for column in columns_of_tensors(signature.tree)]
    return [g for g in found if g is not None]


def _gathered(column: TensorColumn, vector: Value) -> Gathered | None:
    whole = vector.defining_op("aten::cat")
    made = None if whole is None else whole.operand(0).defining_op("aten::list.t")
    puts = [] if made is None else [u for u in made.result.users if u.name == "aten::append.t"]
    if made is None or len(puts) != 1:
        return None
    flat = puts[0].operand(1).defining_op("aten::reshape")
    own = None if flat is None else flat.operand(0).defining_op("aten::clone")
    return None if own is None else Gathered(column, own.operand(0), puts[0], made)


# what surely shares nothing


def are_apart(function: Operation, aliases: Aliases, classes: Classes, own: Value) -> bool:
    """Whether no two tensors in the containers of a class share memory: each is new, and put into one place.

    `own`: the value that stands for the class.
    """
    put: Counter[Storage | Value] = Counter()
    has_known_futures = any(op.name == "prim::future" for op in function.walk())
    for op in function.walk():
        for value in _put_by(op):
            parts = contents(value)
            if not any(classes.of(part) is own for part in parts):
                continue
            if op.name.startswith(_LOOKING) and not op.name.startswith("aten::get."):
                continue
            if not op.name.startswith(_PUTTING):
                return False
            for part in parts:
                root = _new(part, op, aliases)
                waited = isinstance(root, Storage) and root.root.defining_op("aten::wait") is not None
                if root is None or (waited and has_known_futures):  # which may give what they were given
                    return False
                put[root] += 1
    return all(n == 1 for n in put.values())


def _put_by(op: Operation) -> Iterator[Value]:
    """What may be put somewhere by an operator: not the container that it is put into."""
    if op.name in ("prim::If", "prim::Loop"):
        bodies = [region.blocks[0] for region in op.regions]
        yielded = [v for body in bodies for v in body.terminator.operands]
        yield from (v for v in (*yielded, *op.operands) if holds_tensors(v.type) and _is_construct(v))
    elif keeps(op):
        into = op.name.startswith(_PUTTING) and not op.name.startswith(_MADE)
        yield from (v for v in op.operands[1 if into else 0 :] if holds_tensors(v.type))


def _is_construct(value: Value) -> bool:
    op = value.defining_op()
    return op is not None and op.name in ("prim::ListConstruct", "prim::TupleConstruct")


def _new(part: Value, op: Operation, aliases: Aliases) -> Storage | Value | None:
    """The memory of a tensor, or the container, that is made where it is put, each time anew; None if it may be another one."""
    made = part.defining_op()
    alias = aliases.of.get(part)
    if alias is None:
        is_new = made is not None and made.name.startswith(_MADE) and _loops(made) == _loops(op)
        return part if is_new else None
    storage = alias.storage
    root = storage.root.defining_op()
    if root is None or storage.kind != "fresh" or storage.atoms != frozenset((storage,)) or keeps(root):
        return None  # not made here, or taken out of a container
    return storage if _loops(root) == _loops(op) else None


def _loops(op: Operation) -> list[Operation]:
    return [parent for parent in enclosing(op) if parent.name == "prim::Loop"]


# where they lie


def placed_column(gathered: Gathered, first: int, arguments: Sequence[tuple[int, int]], end: Builder) -> tuple[PlacedColumn, list[Value]]:
    """Writes the vectors; the results that they are, of which the first is number `first`.

    `arguments`: parameters that tensors may be parts of, with the results that are the numbers of their cells.
    """
    rank = cast(TensorType, gathered.item.type).rank
    start, put = Builder.before(gathered.made), Builder.after(gathered.put)

    def number(name: str, *operands: Value) -> Value:
        return put.create(name, operands, (INT,)).result

    numbers = [[number("prim::id", gathered.item)], [number("aten::storage_offset", gathered.item)]]
    numbers.append([number("aten::stride.int", gathered.item, torch.constant(put, d, INT)) for d in range(rank)])
    vectors: list[Value] = []
    for parts in numbers:
        nothing = start.create("prim::ListConstruct", (), (ListType(INT),)).result
        into = start.create("aten::list.t", (nothing,), (ListType(INT),)).result
        for part in parts:
            put.create("aten::append.t", (into, part), (ListType(INT),))
        dtype, none, grad = torch.constant(end, int(DType.int64), INT), torch.constant(end, None, NONE), torch.constant(end, False, BOOL)
        vectors.append(end.create("aten::tensor", (into, dtype, none, grad), (TensorType(DType.int64, (None,)),)).result)
    column = gathered.column
    cells, offsets, strides = range(first, first + 3)
    where = PlacedColumn(column.elements.index, column.extents.index, column.rank, cells, offsets, strides, tuple(arguments))
    return where, vectors
