"""Simplifies a graph of which shapes and dtypes are not known yet: constants, branches, short loops, dropout.

In: a `torch.func` whose calls are inlined. Out: the same function, smaller. Operators on constants are evaluated where
they are builtins on numbers, strings and lists, or have a reference for tensors; branches on constants give way to the
one that is taken, loops with a few constant rounds to their rounds. Nothing that may be written to is taken for known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Constant
from ...ir.autocast import POLICIES
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value
from ...ir.dialects import torch
from ...ir.interpreters import builtins
from ...ir.operator import OperatorError, Unsupported
from ...ir.operators import find, keywords, schema, split_name
from ...ir.script_types import (
    DEVICE,
    FLOAT,
    NONE,
    TENSOR,
    AnyType,
    EnumMember,
    OptionalType,
    TensorType,
    TypeVariable,
    UnionType,
    constant_type,
)
from ...ir.types import Type
from .fold_constants import RANDOM
from .writes import may_be_written

_MAX_ROUNDS: Final = 8
_MAX_UNROLLED: Final = 512
_MAX_ELEMENTS: Final = 1 << 22
"""Of a tensor that is computed here."""

_DROPOUT: Final = ("aten::dropout", "aten::alpha_dropout", "aten::feature_dropout", "aten::feature_alpha_dropout")


def fold_frozen(function: Operation) -> bool:
    """Whether anything changed."""
    folder = _Folder(has_regions=any(op.name == "prim::Enter" for op in function.walk()))
    folder.block(function.body())
    return folder.changed


@dataclass
class _Folder:
    known: dict[Value, Any] = field(default_factory=dict[Value, Any])
    """Numbers, strings, None, arrays, and lists of them."""
    changed: bool = False
    has_regions: bool = False
    """Whether autocast may be on somewhere, so that operators compute something else."""
    _count: int = 0

    def block(self, block: Block) -> None:
        op = block.first
        while op is not None:
            following = op.next
            before = op.prev
            if self.operation(op):
                self.changed = True
                if op.parent is None and op.name in ("prim::If", "prim::Loop"):  # what came in its place is next
                    following = block.first if before is None else before.next
            op = following

    def operation(self, op: Operation) -> bool:
        match op.name:
            case "prim::Constant":
                if op.result.type == NONE or ("value" in op.attributes and op.result.type != DEVICE):
                    value = op.attributes.get("value")
                    self.known[op.result] = value.array if isinstance(value, Constant) else value
                return False
            case "prim::ListConstruct":
                if all(v in self.known for v in op.operands) and not may_be_written(op.result):
                    self.known[op.result] = [self.known[v] for v in op.operands]
                return False
            case "prim::DictConstruct":
                if all(v in self.known for v in op.operands) and not may_be_written(op.result):
                    entries = [self.known[v] for v in op.operands]
                    if all(isinstance(k, bool | int | float | str) for k in entries[::2]):
                        self.known[op.result] = dict(zip(entries[::2], entries[1::2], strict=True))
                return False
            case "prim::If":
                return self.branch(op)
            case "prim::Loop":
                return self.loop(op)
            case "prim::unchecked_cast":
                return self.cast(op)
            case "prim::TupleUnpack" | "prim::TupleIndex" | "prim::ListUnpack":
                return self.unpack(op)
            case _:
                is_cast = self.has_regions and split_name(op.name)[0] in POLICIES
                return op.name.startswith("aten::") and not is_cast and self.operator(op)

    # structure

    def branch(self, op: Operation) -> bool:
        condition = self.known.get(op.operand(0))
        if isinstance(condition, bool):
            taken = op.body(0 if condition else 1)
            if not any(o.name == "prim::RaiseException" for o in taken.operations()):
                results = list(taken.terminator.operands)
                _move_before(taken, op)
                _replace(op, results)
                return True
        for i in (0, 1):
            self.block(op.body(i))
        return False

    def loop(self, op: Operation) -> bool:
        body, trips = op.body(), self.known.get(op.operand(0))
        always = self.known.get(op.operand(1)) is True and _is_true(body.terminator.operand(0))
        if trips == 0 or self.known.get(op.operand(1)) is False:
            _replace(op, op.operands[2:])
            return True
        size = sum(1 for _ in op.walk())
        if always and isinstance(trips, int) and 0 < trips <= _MAX_ROUNDS and trips * size <= _MAX_UNROLLED:
            self.unroll(op, trips)
            return True
        self.block(body)
        return False

    def unroll(self, op: Operation, trips: int) -> None:
        carried: list[Value] = list(op.operands[2:])
        body = op.body()
        for i in range(trips):
            index = torch.constant(Builder.before(op), i, constant_type(i))
            given = [_widened(op, v, a.type) for v, a in zip(carried, body.args[1:], strict=True)]
            mapping: dict[Value, Value] = dict(zip(body.args, (index, *given), strict=True))
            copied = Block()
            body.clone_into(copied, mapping)
            carried = list(copied.terminator.operands[1:])
            _move_before(copied, op)
        _replace(op, carried)

    def cast(self, op: Operation) -> bool:
        given = _without_casts(op.operand(0))
        if given.type != op.result.type:
            if given in self.known:
                self.known[op.result] = self.known[given]
            return False
        op.replace_with((given,))
        return True

    def unpack(self, op: Operation) -> bool:
        made = op.operand(0).defining_op()
        if made is None or made.name not in ("prim::TupleConstruct", "prim::ListConstruct"):
            return False
        if made.name == "prim::ListConstruct" and may_be_written(made.result):
            return False
        elements: Sequence[Value] = made.operands
        if op.name == "prim::TupleIndex":
            at = self.known.get(op.operand(1))
            if not isinstance(at, int) or not -len(elements) <= at < len(elements):
                return False
            elements = [elements[at]]
        if len(elements) != len(op.results) or any(e.type != r.type for e, r in zip(elements, op.results, strict=True)):
            return False
        op.replace_with(elements)
        return True

    # operators

    def operator(self, op: Operation) -> bool:
        base = op.name.partition(".")[0]
        if base in _DROPOUT and self.known.get(op.operand(2)) is False:
            op.replace_with((op.operand(0),))
            return True
        if base in ("aten::__is__", "aten::__isnot__"):
            found = self.is_none(op)
            return found is not None and self.replaced(op, found == (base == "aten::__is__"))
        if len(op.results) != 1 or not all(v in self.known for v in op.operands) or base.startswith(RANDOM):
            return False
        form = schema(op.name)
        if form is None or any(a.is_written for a in form.arguments):
            return False
        values = [self.known[v] for v in op.operands]
        if isinstance(op.result.type, TensorType):
            return self.tensor(op, values)
        builtin = None if any(_has_tensor(v) for v in values) else builtins.find(op.name, values)
        if builtin is None:
            return False
        try:
            return self.replaced(op, builtin(*values))
        except (OperatorError, Unsupported):
            return False  # it fails when it runs

    def is_none(self, op: Operation) -> bool | None:
        """Whether the two sides are both None, where types tell."""
        left, right = _without_casts(op.operand(0)), _without_casts(op.operand(1))
        for value, other in ((left, right), (right, left)):
            if other.type == NONE:
                if value.type == NONE:
                    return True
                if not isinstance(value.type, OptionalType | AnyType | UnionType | TypeVariable):
                    return False
        return None

    def tensor(self, op: Operation, values: Sequence[Any]) -> bool:
        record = find(op.name)
        arrays = [cast(npt.NDArray[Any], v) for v in values if isinstance(v, np.ndarray)]
        if record is None or not arrays or any(isinstance(v, list) and _has_tensor(v) for v in values):
            return False
        if sum(a.size for a in arrays) > _MAX_ELEMENTS or not _keeps_size(op.name) or may_be_written(op.result):
            return False
        try:
            value = record.reference(**keywords(record.schema, values))
        except (OperatorError, Unsupported):
            return False
        if not isinstance(value, np.ndarray):
            return False
        names = [v.attributes["value"] for v in (o.defining_op() for o in op.operands) if v and "value" in v.attributes]
        name = next((n.name for n in names if isinstance(n, Constant)), "constant")
        array = cast(npt.NDArray[Any], value)
        self._count += 1
        constant = Constant(f"{name}_{op.name.partition('.')[0][6:]}_{self._count}", np.array(array, order="C"))
        result = torch.constant(Builder.before(op), constant, TENSOR)
        self.known[result] = constant.array
        op.replace_with((result,))
        return True

    def replaced(self, op: Operation, value: Any) -> bool:
        """Puts a number, string or None in place of the operation."""
        if isinstance(value, np.generic):
            value = cast(Any, value).item()
        if not (value is None or isinstance(value, bool | int | float | complex | str | EnumMember)):
            return False
        if op.result.type == FLOAT and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if op.result.type != constant_type(value):
            return False
        result = torch.constant(Builder.before(op), cast(Any, value), constant_type(value))
        self.known[result] = value
        op.replace_with((result,))
        return True


_SAME_SIZE: Final = frozenset(
    f"aten::{name}"
    for name in (
        "add", "sub", "rsub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "rsqrt", "reciprocal", "pow", "square",
        "sigmoid", "tanh", "relu", "clamp", "t", "transpose", "permute", "reshape", "view", "flatten", "unsqueeze", "squeeze",
        "clone", "detach", "contiguous", "sum", "mean", "amax", "amin", "select", "slice", "softmax", "log_softmax",
    )
)  # fmt: skip


def _keeps_size(name: str) -> bool:
    return name.partition(".")[0] in _SAME_SIZE


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_tensor, cast("dict[Any, Any]", value).values()))
    if isinstance(value, list | tuple):
        return any(map(_has_tensor, cast(Sequence[Any], value)))
    return isinstance(value, np.ndarray)


def _is_true(value: Value) -> bool:
    return torch.is_constant(value) and torch.constant_value(value) is True


def _replace(op: Operation, values: Sequence[Value]) -> None:
    """Values of the types that the results had: which overload an operator has depends on them."""
    op.replace_with([_widened(op, v, r.type) for v, r in zip(values, op.results, strict=True)])


def _widened(op: Operation, value: Value, type: Type) -> Value:
    if value.type == type or not isinstance(type, OptionalType):
        return value
    return Builder.before(op).create("prim::unchecked_cast", (value,), (type,)).result


def _without_casts(value: Value) -> Value:
    """What a value is before it became one of a wider type."""
    while (cast_ := value.defining_op("prim::unchecked_cast")) is not None and isinstance(value.type, OptionalType):
        value = cast_.operand(0)
    return value


def _move_before(block: Block, op: Operation) -> None:
    """All of a block but its terminator, to where `op` stands."""
    block.terminator.erase()
    writer = Builder.before(op)
    for inner in list(block.operations()):
        writer.insert(inner.detach())
