"""`Loop`: unrolled where that is cheap or needed, otherwise left as a residual loop.

What a residual loop carries is found as a fixpoint: at first everything is taken to stay what it is at entry;
whatever an iteration leaves different becomes a carried value (numbers, tensors with the extents that agree; tuples
and the contents of lists element by element), until the body leaves nothing else different.

1. A loop that is over after a few iterations, with all its conditions known, is unrolled.
2. Otherwise a residual loop is tried.
3. Where that fails, because something has to be known at compile time (the length of a list, an index into a list of
   tensors), the loop is unrolled as far as needed, or the error stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir.core import Block, Operation, Region, Value
from ...ir.dialects import torch
from ...ir.script_types import BOOL, FLOAT, INT, ScriptType, TensorType
from .branches import fork, is_inside
from .values import (
    TRUE,
    Abstract,
    Diverged,
    Frozen,
    Function,
    Heap,
    Known,
    NotStatic,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Uninitialized,
    describe,
    join_types,
    known,
    same,
    type_of,
    zero,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

FEW: Final = 8
"""Loops of at most so many iterations are unrolled."""

MANY: Final = 4096
"""No loop is unrolled further than this."""

NESTED: Final = 64
"""Nor further than this where each iteration depends on a run-time condition: they are nested."""

Body = Callable[[list[Abstract]], list[Abstract]]
"""(index, carried...) -> (condition, carried...)"""


class _CannotUnroll(Exception):
    """The number of iterations is not known, or too large."""


def run(ev: Evaluator, trip: Abstract, condition: Abstract, carried: list[Abstract], body: Body) -> list[Abstract]:
    """The carried values after the loop."""
    if isinstance(trip, Known) and cast(int, trip.value) <= 0:
        return carried
    may_be_few = not isinstance(trip, Known) or cast(int, trip.value) <= FEW or cast(int, trip.value) > MANY * 1024
    if may_be_few:
        try:
            with ev.attempt():
                return _unrolled(ev, trip, condition, carried, body, FEW)
        except _CannotUnroll:
            pass
    try:
        with ev.attempt():
            return _residual(ev, trip, condition, carried, body, strict=True)
    except NotStatic:
        pass
    try:
        with ev.attempt():
            return _unrolled(ev, trip, condition, carried, body, MANY)
    except _CannotUnroll:
        pass
    if isinstance(trip, Known):
        try:
            with ev.attempt():
                return _nested(ev, trip, condition, carried, body, 0)
        except _CannotUnroll:
            pass
    # the error that stands is the one of a use, not that of a mere difference
    with ev.attempt():
        return _residual(ev, trip, condition, carried, body, strict=False)


def _is_over(ev: Evaluator, i: int, trip: Abstract, condition: Abstract) -> bool:
    """Whether the loop has ended before iteration `i`."""
    holds = ev.condition(condition)
    if isinstance(trip, Known) and i >= cast(int, trip.value):
        return True
    if isinstance(holds, Scalar):
        raise _CannotUnroll
    if not holds:
        return True
    if not isinstance(trip, Known):
        raise _CannotUnroll
    return False


def _unrolled(
    ev: Evaluator, trip: Abstract, condition: Abstract, carried: list[Abstract], body: Body, limit: int
) -> list[Abstract]:
    i = 0
    while not _is_over(ev, i, trip, condition):
        if i >= limit:
            raise _CannotUnroll
        condition, *carried = body([known(i), *carried])
        i += 1
    return carried


def _nested(
    ev: Evaluator, trip: Known, condition: Abstract, carried: list[Abstract], body: Body, i: int
) -> list[Abstract]:
    """Unrolled with a run-time condition in front of each iteration."""
    holds = ev.condition(condition)
    if i >= cast(int, trip.value) or holds is False:
        return carried
    if i >= NESTED:
        raise _CannotUnroll

    def iterate() -> list[Abstract]:
        following, *values = body([known(i), *carried])
        return _nested(ev, trip, following, values, body, i + 1)

    return iterate() if holds is True else fork(ev, holds, iterate, lambda: carried)


# residual loops: what a carried value looks like at the start of every iteration


@dataclass(frozen=True)
class _Hole:
    """A number or tensor that the loop carries."""

    type: ScriptType


@dataclass(frozen=True, eq=False)
class _TupleOf:
    elements: tuple[_Template, ...]


@dataclass(frozen=True, eq=False)
class _RefOf:
    """A list, dict or object made anew in each iteration."""

    like: Ref
    contents: Mapping[Any, _Template]


_Template = Abstract | _Hole | _TupleOf | _RefOf
_HeapTemplate = dict[Any, Mapping[Any, _Template] | RunTimeOnly]


def _leaf_type(value: Abstract) -> ScriptType | None:
    """Type of a value that can be carried as it is."""
    type_ = type_of(value)
    if isinstance(value, Tensor) or (isinstance(value, Known | Scalar) and type_ in (INT, FLOAT, BOOL)):
        return type_
    return None


@dataclass
class _Widening:
    """Compares what an iteration found with what it left."""

    ev: Evaluator
    entry: Heap
    after: Heap
    block: Block
    strict: bool
    changed: bool = False

    def fail(self, what: str) -> RunTimeOnly:
        if self.strict:
            raise self.ev.not_static(what)
        self.changed = True
        return RunTimeOnly(what, self.ev.span)

    def widen(self, template: _Template, out: Abstract) -> _Template:
        match template, out:
            case RunTimeOnly(), _:
                return template
            case _, RunTimeOnly():
                return self.fail(out.what)
            case _Hole(), Uninitialized():
                return template
            case _Hole(), _:
                return self._hole(template.type, out, template)
            case ((_TupleOf() | _RefOf()), Uninitialized()):
                return template
            case _TupleOf(), Tuple() if len(template.elements) == len(out.elements):
                return self._tuple(template, template.elements, out)
            case _RefOf(), Ref():
                return self._ref(template, template.like, template.contents, out)
            case ((_TupleOf() | _RefOf()), _):
                return self.fail("what this is")
            case _:
                return self._fixed(cast(Abstract, template), out)

    def _fixed(self, value: Abstract, out: Abstract) -> _Template:
        if same(value, out) or isinstance(out, Uninitialized):
            return value
        match value, out:
            case Uninitialized(), _:
                self.changed = True
                return self._general(out)
            case Tuple(), Tuple() if len(value.elements) == len(out.elements):
                return self._tuple(value, value.elements, out)
            case Ref(), Ref():
                contents = self.entry[value]
                if isinstance(contents, RunTimeOnly):
                    return self.fail(contents.what)
                self.changed = True
                return self._ref(None, value, contents, out)
            case _:
                type_ = _leaf_type(value)
                if type_ is None:
                    return self.fail(self._difference(value, out))
                return self._hole(
                    self._tensor_type(value, self.entry) if isinstance(value, Tensor) else type_, out, None
                )

    def _difference(self, value: Abstract, out: Abstract) -> str:
        kinds = sorted({describe(type_of(value)), describe(type_of(out))})
        if isinstance(value, Text | Function) or len(kinds) == 1:
            return f"this {type_of(value).annotation}"
        return f"whether this is {' or '.join(kinds)}"

    def _hole(self, type_: ScriptType, out: Abstract, template: _Hole | None) -> _Template:
        own = _leaf_type(out)
        if own is None:
            return self.fail("whether this has a value")
        joined: ScriptType | None = type_ if own == type_ else None
        if isinstance(type_, TensorType) and isinstance(out, Tensor):
            contents = self.after.get(out.value)
            if isinstance(contents, RunTimeOnly):
                return self.fail(contents.what)
            joined = join_types(type_, cast(TensorType, self._tensor_type(out, self.after)))
            if joined is None:
                return self.fail("the dtype or number of dimensions of this tensor")
        if joined is None:
            return self.fail(f"whether this is {describe(type_)} or {describe(own)}")
        if template is not None and joined == template.type:
            return template
        self.changed = True
        return _Hole(joined)

    def _tensor_type(self, value: Tensor, heap: Heap) -> ScriptType:
        contents = heap.get(value.value)
        at = value if contents is None or isinstance(contents, RunTimeOnly) else cast(Tensor, contents[0])
        return cast(ScriptType, at.value.type)

    def _tuple(self, template: _Template, elements: Sequence[_Template], out: Tuple) -> _Template:
        widened = tuple(self.widen(t, o) for t, o in zip(elements, out.elements))
        return template if all(a is b for a, b in zip(elements, widened)) else _TupleOf(widened)

    def _ref(self, template: _RefOf | None, like: Ref, contents: Mapping[Any, _Template], out: Ref) -> _Template:
        left = self.after[out]
        if isinstance(left, RunTimeOnly):
            return self.fail(left.what)
        if like.kind != out.kind or list(contents) != list(left):
            return self.fail(structure(like))
        widened = {k: self.widen(t, left[k]) for k, t in contents.items()}
        if template is not None and all(widened[k] is t for k, t in contents.items()):
            return template
        return _RefOf(like, widened)

    def _general(self, value: Abstract) -> _Template:
        """The shape of a value that does not exist yet at entry."""
        match value:
            case Known() | Scalar() | Tensor():
                type_ = _leaf_type(value)
                if type_ is None:
                    return value
                return _Hole(self._tensor_type(value, self.after) if isinstance(value, Tensor) else type_)
            case Tuple():
                return _TupleOf(tuple(self._general(e) for e in value.elements))
            case Ref() if value not in self.entry:
                contents = self.after[value]
                if isinstance(contents, RunTimeOnly):
                    return self.fail(contents.what)
                return _RefOf(value, {k: self._general(v) for k, v in contents.items()})
            case _:
                return value

    def heap(self, templates: _HeapTemplate, given: Heap) -> _HeapTemplate:
        """Which contents iterations change. `given` is the heap that this iteration began with."""
        widened = dict(templates)
        for key, contents in self.after.items():
            if isinstance(key, Frozen) or contents is given.get(key):
                continue
            if key not in given and not (isinstance(key, Value) and not is_inside(key, self.block)):
                continue
            before = templates.get(key)
            if before is None:
                old = given.get(key)
                before = {0: Tensor(key)} if old is None else dict(old) if isinstance(old, Mapping) else old
            widened[key] = self._entry(key, before, contents)
        return widened

    def _entry(
        self, key: Any, before: Mapping[Any, _Template] | RunTimeOnly, contents: Mapping[Any, Abstract] | RunTimeOnly
    ) -> Mapping[Any, _Template] | RunTimeOnly:
        if isinstance(before, RunTimeOnly):
            return before
        if isinstance(contents, RunTimeOnly):
            return self.fail(contents.what)
        if list(before) != list(contents):
            return self.fail(structure(key) if isinstance(key, Ref) else "the shape of this tensor")
        widened = {k: self.widen(t, contents[k]) for k, t in before.items()}
        return before if all(widened[k] is t for k, t in before.items()) else widened


def structure(ref: Ref) -> str:
    return {"list": "the length of this list", "dict": "which keys this dict has"}.get(ref.kind, "what this object has")


@dataclass
class _Instance:
    """Fills templates with values, one for each hole, in a fixed order."""

    values: list[Value]
    heap: Heap
    at: int = 0

    def of(self, template: _Template) -> Abstract:
        match template:
            case _Hole():
                value = self.values[self.at]
                self.at += 1
                return Tensor(value) if isinstance(value.type, TensorType) else Scalar(value)
            case _TupleOf():
                return Tuple(tuple(self.of(t) for t in template.elements))
            case _RefOf():
                ref = Ref(template.like.kind, template.like.type)
                self.heap[ref] = {k: self.of(t) for k, t in template.contents.items()}
                # it may be the list of before the loop or one of the body: not to be changed through this name
                self.heap[Frozen(ref)] = {}
                return ref
            case _:
                return template

    def contents(self, templates: _HeapTemplate) -> None:
        for key, contents in templates.items():
            if isinstance(contents, RunTimeOnly):
                self.heap[key] = contents
            else:
                self.heap[key] = {k: self.of(t) for k, t in contents.items()}


def _holes(template: _Template) -> list[_Hole]:
    match template:
        case _Hole():
            return [template]
        case _TupleOf():
            return [h for t in template.elements for h in _holes(t)]
        case _RefOf():
            return [h for t in template.contents.values() for h in _holes(t)]
        case _:
            return []


def _leaves(template: _Template, value: Abstract, heap: Heap) -> list[Abstract]:
    """What stands in `value` where the template has its holes."""
    match template:
        case _Hole():
            if isinstance(value, Tensor):
                contents = heap.get(value.value)
                return [value if contents is None else cast(Mapping[Any, Abstract], contents)[0]]
            return [value]
        case _TupleOf():
            elements = value.elements if isinstance(value, Tuple) else (value,) * len(template.elements)
            return [x for t, v in zip(template.elements, elements) for x in _leaves(t, v, heap)]
        case _RefOf():
            contents = heap.get(value) if isinstance(value, Ref) else None
            return [
                x
                for k, t in template.contents.items()
                for x in _leaves(t, value if contents is None else cast(Mapping[Any, Abstract], contents)[k], heap)
            ]
        case _:
            return []


def _heap_holes(templates: _HeapTemplate) -> list[_Hole]:
    return [h for c in templates.values() if isinstance(c, Mapping) for t in c.values() for h in _holes(t)]


def _heap_leaves(templates: _HeapTemplate, heap: Heap) -> list[Abstract]:
    found: list[Abstract] = []
    for key, contents in templates.items():
        if isinstance(contents, RunTimeOnly):
            continue
        values = heap.get(key)
        if values is None:
            values = {0: Tensor(key)}
        if isinstance(values, RunTimeOnly):
            continue
        for k, template in contents.items():
            value = values[k]
            # the tensor itself under its own key: not to be looked up again
            found += (
                [value] if isinstance(template, _Hole) and isinstance(key, Value) else _leaves(template, value, heap)
            )
    return found


@dataclass
class _Iteration:
    block: Block
    condition: Abstract
    results: list[Abstract]
    heap: Heap
    diverged: bool


def _residual(
    ev: Evaluator, trip: Abstract, condition: Abstract, carried: list[Abstract], body: Body, *, strict: bool
) -> list[Abstract]:
    entry = dict(ev.heap)
    templates: list[_Template] = list(carried)
    heap_templates: _HeapTemplate = {}
    while True:
        iteration, given = _iterate(ev, entry, templates, heap_templates, body)
        if iteration.diverged:
            break
        widening = _Widening(ev, entry, iteration.heap, iteration.block, strict)
        templates = [widening.widen(t, r) for t, r in zip(templates, iteration.results, strict=True)]
        before = dict(heap_templates)
        heap_templates = widening.heap(heap_templates, given)
        grown = any(heap_templates[k] is not before.get(k) for k in heap_templates)
        if not widening.changed and not grown:
            break
    ev.heap = dict(entry)
    if iteration.diverged:
        return _raises_at_once(ev, trip, condition, carried, iteration)
    return _write(ev, trip, condition, carried, templates, heap_templates, iteration, entry)


def _iterate(
    ev: Evaluator, entry: Heap, templates: Sequence[_Template], heap_templates: _HeapTemplate, body: Body
) -> tuple[_Iteration, Heap]:
    """One iteration on values as the templates say."""
    holes = [h for t in templates for h in _holes(t)] + _heap_holes(heap_templates)
    block = Block([INT, *(h.type for h in holes)])
    saved = ev.assumed, ev.span
    ev.heap = dict(entry)
    instance = _Instance(list(block.args[1:]), ev.heap)
    arguments: list[Abstract] = [Scalar(block.args[0]), *(instance.of(t) for t in templates)]
    instance.contents(heap_templates)
    given = dict(ev.heap)
    outs: list[Abstract] = [TRUE]
    diverged = False
    ev.conditional += 1
    try:
        with ev.b.inside(block):
            outs = body(arguments)
    except Diverged:
        diverged = True
    finally:
        ev.conditional -= 1
        ev.assumed, ev.b.span = saved
    return _Iteration(block, outs[0], outs[1:], ev.heap, diverged), given


def _raises_at_once(
    ev: Evaluator, trip: Abstract, condition: Abstract, carried: list[Abstract], iteration: _Iteration
) -> list[Abstract]:
    """The first iteration raises: the loop is a condition."""
    if len(iteration.block.args) > 1:
        raise ev.not_static("what this loop carries")
    first = _enters(ev, trip, condition)
    mapping: dict[Value, Value] = {iteration.block.args[0]: ev.pool.number(0, INT)}

    def raises() -> list[Abstract]:
        iteration.block.clone_into(ev.b.block, mapping)
        raise Diverged

    if first is True:
        return raises()
    return fork(ev, cast(Scalar, first), raises, lambda: carried)


def _enters(ev: Evaluator, trip: Abstract, condition: Abstract) -> bool | Scalar:
    """Whether there is a first iteration."""
    holds = ev.condition(condition)
    if isinstance(trip, Known):
        return holds
    zero = ev.pool.number(0, INT)
    some = ev.emit("aten::gt.int", (ev.materialise(trip), zero), (BOOL,)).result
    if isinstance(holds, Scalar):
        return Scalar(ev.emit("aten::__and__.bool", (some, holds.value), (BOOL,)).result)
    return Scalar(some)


def _write(
    ev: Evaluator,
    trip: Abstract,
    condition: Abstract,
    carried: list[Abstract],
    templates: list[_Template],
    heap_templates: _HeapTemplate,
    iteration: _Iteration,
    entry: Heap,
) -> list[Abstract]:
    holes = [h for t in templates for h in _holes(t)] + _heap_holes(heap_templates)
    starts = [x for t, v in zip(templates, carried) for x in _leaves(t, v, entry)] + _heap_leaves(heap_templates, entry)
    ends = [x for t, v in zip(templates, iteration.results) for x in _leaves(t, v, iteration.heap)]
    ends += _heap_leaves(heap_templates, iteration.heap)
    block = iteration.block
    initial = [_initial(ev, v, h) for v, h in zip(starts, holes, strict=True)]
    yielded = [_yielded(ev, v, a) for v, a in zip(ends, block.args[1:], strict=True)]
    following = ev.materialise(iteration.condition)
    block.append(Operation(torch.YIELD, [following, *yielded], span=ev.span))
    operands = [ev.materialise(trip), ev.materialise(condition), *initial]
    op = Operation("prim::Loop", operands, [h.type for h in holes], regions=[Region([block])], span=ev.span)
    ev.b.insert(op)
    instance = _Instance(list(op.results), ev.heap)
    results = [instance.of(t) for t in templates]
    instance.contents(heap_templates)
    for key in iteration.heap:
        if isinstance(key, Frozen) and key.ref in entry:
            ev.heap[key] = {}
    return results


def _initial(ev: Evaluator, value: Abstract, hole: _Hole) -> Value:
    if not isinstance(value, Uninitialized):
        return value.value if isinstance(value, Tensor) else ev.materialise(value)
    if isinstance(hole.type, TensorType):
        return ev.emit("prim::Uninitialized", (), (hole.type,)).result
    return ev.pool.number(zero(hole.type), hole.type)


def _yielded(ev: Evaluator, value: Abstract, argument: Value) -> Value:
    if isinstance(value, Uninitialized):
        return argument
    return value.value if isinstance(value, Tensor) else ev.materialise(value)
