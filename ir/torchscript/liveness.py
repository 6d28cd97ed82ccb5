"""Which values of a function its TorchScript text needs, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..core import BlockArgument, Operation, OpResult, Value
from ..dialects import torch

PURE: Final = frozenset(
    ["prim::Constant", "prim::Uninitialized", "prim::ListConstruct", "prim::DictConstruct", "prim::TupleConstruct",
     "prim::TupleUnpack", "prim::TupleIndex", "prim::TupleSlice", "prim::unchecked_cast", "prim::isinstance", "prim::GetAttr"]
)  # fmt: skip
"""Operations that are left out where nothing uses their results."""


class Liveness:
    """Which values of a function the text needs, and where. What nothing uses is not written."""

    def __init__(self, function: Operation) -> None:
        self._live: set[Value] = set()
        self._uses: dict[Value, list[tuple[Operation, int]]] = {}
        self._find(function)
        for op in function.walk():
            for i, value in enumerate(op.operands):
                if self._counts(op, i):
                    self._uses.setdefault(value, []).append((op, i))

    def is_live(self, value: Value) -> bool:
        return value in self._live

    def is_needed(self, op: Operation) -> bool:
        """Whether an operation has an effect, or a result that is used."""
        return op.name not in PURE or any(r in self._live for r in op.results)

    def count(self, value: Value) -> int:
        return len(self._uses.get(value, ()))

    def user(self, value: Value) -> Operation:
        """The first operation that uses it."""
        return self._uses[value][0][0]

    def is_initial(self, value: Value, loop: Operation) -> bool:
        """Whether its use is the first value of a variable of the loop."""
        return any(op is loop and i >= 2 for op, i in self._uses[value])

    def _find(self, function: Operation) -> None:
        pending: list[Value] = []
        for op in function.walk():
            match op.name:
                case "prim::If":
                    pending.append(op.operand(0))
                case "prim::Loop":
                    pending += op.operands[:2]
                case torch.YIELD:
                    pending += op.operands[: 1 if _is_loop(op) or _is_forked(op) else 0]
                case name if name not in PURE:
                    pending += op.operands
                case _:
                    pass
        while pending:
            value = pending.pop()
            if value not in self._live:
                self._live.add(value)
                pending += self._sources(value)

    def _sources(self, value: Value) -> Sequence[Value]:
        """What a value is made of."""
        if isinstance(value, BlockArgument):
            loop = value.block.parent_op
            if loop is None or loop.name != "prim::Loop" or value.index == 0:
                return ()
            return self._variable(loop, value.index - 1)
        assert isinstance(value, OpResult)
        op = value.op
        if op.name == "prim::Loop":
            return self._variable(op, value.index)
        if op.name == "prim::If":
            return [op.body(i).terminator.operand(value.index) for i in (0, 1)]
        return op.operands

    def _variable(self, loop: Operation, index: int) -> Sequence[Value]:
        body = loop.body()
        return loop.results[index], body.args[index + 1], loop.operand(index + 2), body.terminator.operand(index + 1)

    def _counts(self, op: Operation, index: int) -> bool:
        if op.name == "prim::Loop" and index >= 2:
            return op.results[index - 2] in self._live
        if op.name == torch.YIELD:
            parent = op.parent_op
            assert parent is not None
            if _is_loop(op):
                return index == 0 or parent.results[index - 1] in self._live
            if _is_forked(op):
                return True
            return parent.results[index] in self._live
        return self.is_needed(op)


def _is_loop(terminator: Operation) -> bool:
    parent = terminator.parent_op
    return parent is not None and parent.name == "prim::Loop"


def _is_forked(terminator: Operation) -> bool:
    parent = terminator.parent_op
    return parent is not None and parent.name == "prim::fork"
