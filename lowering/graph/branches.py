"""`If` on a condition known at run time: both branches are written, and what they leave is merged.

Merged tensors and numbers become results of the residual `prim::If`; tuples, and the contents of lists, dicts and
objects that the branches changed, are merged element by element. What cannot be merged (lists of different length,
None and a tensor) is `RunTimeOnly`: an error only where it is used. A branch that always raises contributes nothing:
the other one's code follows the `If` and is not nested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ...ir.core import Block, Operation, OpResult, Region, Value
from ...ir.dialects import torch
from ...ir.script_types import BOOL, FLOAT, INT, ScriptType, TensorType
from .values import (
    FALSE,
    TRUE,
    Abstract,
    Contents,
    Diverged,
    Frozen,
    Heap,
    Known,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Tuple,
    Uninitialized,
    describe,
    join_types,
    same,
    type_of,
    zero,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

Side = Callable[[], list[Abstract]]


@dataclass
class _Branch:
    block: Block
    results: list[Abstract]
    heap: Heap
    diverged: bool


def fork(ev: Evaluator, condition: Scalar, then: Side, otherwise: Side) -> list[Abstract]:
    """Results of `then()` if the condition holds at run time, else of `otherwise()`."""
    sides = [_evaluate(ev, condition.value, then, True), _evaluate(ev, condition.value, otherwise, False)]
    op = Operation("prim::If", (condition.value,), span=ev.span)
    if any(s.diverged for s in sides):
        return _guard(ev, op, sides)
    merge = _Merge(ev, op, sides[0], sides[1])
    results = [merge.values(a, b) for a, b in zip(sides[0].results, sides[1].results, strict=True)]
    ev.heap = merge.heaps()
    if op.results or sides[0].block.first is not None or sides[1].block.first is not None:
        for side, values in zip(sides, merge.yielded()):
            _finish(side.block, values, op)
        ev.b.insert(op)
    else:
        op.drop_operands()
    return results


def _evaluate(ev: Evaluator, condition: Value, side: Side, holds: bool) -> _Branch:
    heap, assumed, span = ev.heap, ev.assumed, ev.span
    block = Block()
    results: list[Abstract] = []
    diverged = False
    ev.heap = dict(heap)
    ev.assumed = {**assumed, **implied(condition, holds)}
    ev.conditional += 1
    try:
        with ev.b.inside(block):
            results = side()
    except Diverged:
        diverged = True
    finally:
        branch = _Branch(block, results, ev.heap, diverged)
        ev.heap, ev.assumed, ev.b.span = heap, assumed, span
        ev.conditional -= 1
    return branch


def implied(condition: Value, holds: bool) -> dict[Value, bool]:
    """What follows from a condition: itself, and what it negates."""
    facts = {condition: holds}
    negation = condition.defining_op("aten::__not__")
    if negation is not None:
        facts[negation.operand(0)] = not holds
    return facts


def _finish(block: Block, values: list[Value], op: Operation) -> None:
    block.append(Operation(torch.YIELD, values, span=op.span))
    op.add_region(Region([block]))


def _guard(ev: Evaluator, op: Operation, sides: list[_Branch]) -> list[Abstract]:
    """One branch always raises: it alone is conditional. If both do, nothing follows."""
    for side in sides:
        _finish(side.block if side.diverged else Block(), [], op)
    ev.b.insert(op)
    going_on = next((s for s in sides if not s.diverged), None)
    if going_on is None:
        raise Diverged
    ev.splice(going_on.block)
    ev.heap = going_on.heap
    ev.assumed = {**ev.assumed, **implied(op.operand(0), going_on is sides[0])}
    return going_on.results


def is_inside(value: Value, block: Block) -> bool:
    """Whether the value is defined in `block`, or in a block nested in it."""
    owner = value.owner
    at = owner.parent if isinstance(owner, Operation) else owner
    while at is not None:
        if at is block:
            return True
        parent = at.parent_op
        at = None if parent is None else parent.parent
    return False


@dataclass
class _Merge:
    ev: Evaluator
    op: Operation
    then: _Branch
    otherwise: _Branch
    _pairs: dict[tuple[Value | None, Value | None], Value] = field(default_factory=dict[Any, Value])
    _refs: dict[tuple[Ref, Ref], Ref] = field(default_factory=dict[Any, Ref])
    _new: Heap = field(default_factory=dict[Any, Any])

    def values(self, a: Abstract, b: Abstract) -> Abstract:
        if same(a, b):
            return a
        match a, b:
            case Uninitialized(), _:
                return self._beside_uninitialized(b, first=False)
            case _, Uninitialized():
                return self._beside_uninitialized(a, first=True)
            case RunTimeOnly(), _:
                return a
            case _, RunTimeOnly():
                return b
            case Tuple(), Tuple() if len(a.elements) == len(b.elements):
                return Tuple(tuple(self.values(x, y) for x, y in zip(a.elements, b.elements)))
            case Ref(), Ref() if a.kind == b.kind:
                return self._references(a, b)
            case Tensor(), Tensor():
                return self._tensors(a, b)
            case ((Known() | Scalar()), (Known() | Scalar())):
                return self._numbers(a, b)
            case _:
                kinds = sorted({describe(type_of(a)), describe(type_of(b))})
                return self._unknown(f"whether this is {' or '.join(kinds)}")

    def _unknown(self, what: str) -> RunTimeOnly:
        return RunTimeOnly(what, self.ev.span)

    def _numbers(self, a: Known | Scalar, b: Known | Scalar) -> Abstract:
        type_ = type_of(a)
        if type_of(b) != type_ or type_ not in (INT, FLOAT, BOOL):
            if type_of(b) == type_:
                return self._unknown(f"this {type_.annotation}")
            return self._unknown(f"whether this is {describe(type_)} or {describe(type_of(b))}")
        if same(a, TRUE) and same(b, FALSE):
            return Scalar(self.op.operand(0))
        if same(a, FALSE) and same(b, TRUE):
            return negate(self.ev, Scalar(self.op.operand(0)))
        return Scalar(self._result(self.ev.materialise(a), self.ev.materialise(b), type_))

    def _tensors(self, a: Tensor, b: Tensor) -> Abstract:
        """Tensors whose metadata was changed in place are merged as they are after that."""
        left, right = self._current(a, self.then.heap), self._current(b, self.otherwise.heap)
        if left is None or right is None:
            return self._unknown("the shape of this tensor")
        joined = join_types(cast(TensorType, left.type), cast(TensorType, right.type))
        if joined is None:
            return self._unknown("the dtype or number of dimensions of this tensor")
        return Tensor(self._result(left, right, joined))

    def _current(self, value: Tensor, heap: Heap) -> Value | None:
        contents = heap.get(value.value)
        if contents is None:
            return value.value
        return None if isinstance(contents, RunTimeOnly) else cast(Tensor, contents[0]).value

    def _result(self, a: Value | None, b: Value | None, type_: ScriptType) -> Value:
        if (a, b) not in self._pairs:
            result = OpResult(self.op, len(self.op.results), type_)
            self.op.results.append(result)
            self._pairs[a, b] = result
        return self._pairs[a, b]

    def _beside_uninitialized(self, value: Abstract, *, first: bool) -> Abstract:
        """What one branch leaves where the other leaves a placeholder that is never read."""
        branch = self.then if first else self.otherwise
        match value:
            case Scalar() | Tensor():
                inner = value.value if isinstance(value, Scalar) else self._current(value, branch.heap)
                if inner is None:
                    return self._unknown("the shape of this tensor")
                if not is_inside(inner, branch.block):
                    return value
                pair = (inner, None) if first else (None, inner)
                result = self._result(*pair, cast(ScriptType, inner.type))
                return Scalar(result) if isinstance(value, Scalar) else Tensor(result)
            case Tuple():
                return Tuple(tuple(self._beside_uninitialized(e, first=first) for e in value.elements))
            case Ref() if value not in self.ev.heap:
                contents = branch.heap[value]
                if isinstance(contents, RunTimeOnly):
                    return contents
                merged = Ref(value.kind, value.type)
                self._new[merged] = {k: self._beside_uninitialized(v, first=first) for k, v in contents.items()}
                return merged
            case _:
                return value

    def _references(self, a: Ref, b: Ref) -> Abstract:
        if (a, b) in self._refs:
            return self._refs[a, b]
        left, right = self.then.heap[a], self.otherwise.heap[b]
        if isinstance(left, RunTimeOnly) or isinstance(right, RunTimeOnly):
            return left if isinstance(left, RunTimeOnly) else cast(RunTimeOnly, right)
        if list(left) != list(right):
            return self._unknown(_structure(a))
        merged = Ref(a.kind, a.type)
        # a list that exists elsewhere too, or stands for several here: a change through one name could not be seen
        # through the other
        shared = [r for r in (a, b) if r in self.ev.heap or any(r in pair for pair in self._refs)]
        if shared:
            for ref in (*shared, merged):
                self._new[Frozen(ref)] = {}
        self._refs[a, b] = merged
        self._new[merged] = self._contents(left, right)
        return merged

    def _contents(self, left: Contents, right: Contents) -> Contents:
        return {k: self.values(v, right[k]) for k, v in left.items()}

    def heaps(self) -> Heap:
        """The heap after the `If`: what either branch changed is merged, what only one of them made is not kept."""
        before, left, right = self.ev.heap, self.then.heap, self.otherwise.heap
        merged: Heap = dict(before)
        for key in {**left, **right}:
            if isinstance(key, Frozen):
                merged[key] = {}
            elif key in before or (isinstance(key, Value) and not self._is_local(key)):
                a, b = _contents_of(left, key), _contents_of(right, key)
                if a is not b:
                    merged[key] = self._merge_entry(key, a, b)
        merged.update(self._new)
        return merged

    def _is_local(self, value: Value) -> bool:
        return is_inside(value, self.then.block) or is_inside(value, self.otherwise.block)

    def _merge_entry(self, key: Any, a: Contents | RunTimeOnly, b: Contents | RunTimeOnly) -> Contents | RunTimeOnly:
        if isinstance(a, RunTimeOnly) or isinstance(b, RunTimeOnly):
            return a if isinstance(a, RunTimeOnly) else b
        if list(a) != list(b):
            return self._unknown(_structure(key) if isinstance(key, Ref) else "the shape of this tensor")
        merged = self._contents(a, b)
        if isinstance(key, Value) and isinstance(merged[0], RunTimeOnly):
            return merged[0]
        return merged

    def yielded(self) -> tuple[list[Value], list[Value]]:
        """Operands of the two terminators; placeholders for values that are never read are made in the branches."""
        left: list[Value] = []
        right: list[Value] = []
        for a, b in self._pairs:
            left.append(a if a is not None else placeholder(self.ev, self.then.block, cast(Value, b)))
            right.append(b if b is not None else placeholder(self.ev, self.otherwise.block, cast(Value, a)))
        return left, right


def _contents_of(heap: Heap, key: Any) -> Contents | RunTimeOnly:
    contents = heap.get(key)
    if contents is None:
        assert isinstance(key, Value)
        return {0: Tensor(key)}
    return contents


def _structure(ref: Ref) -> str:
    return {"list": "the length of this list", "dict": "which keys this dict has"}.get(ref.kind, "what this object has")


def placeholder(ev: Evaluator, block: Block, like: Value) -> Value:
    """A value of the type of `like` at the end of `block`, never read."""
    type_ = cast(ScriptType, like.type)
    if not isinstance(type_, TensorType):
        return ev.pool.number(zero(type_), type_)
    return block.append(Operation("prim::Uninitialized", (), (type_,), span=ev.span)).result


def negate(ev: Evaluator, condition: Scalar) -> Scalar:
    inner = condition.value.defining_op("aten::__not__")
    if inner is not None:
        return Scalar(inner.operand(0))
    return Scalar(ev.emit("aten::__not__", (condition.value,), (BOOL,)).result)
