"""`Loop`: unrolled where that is cheap or needed, otherwise left as a residual loop.

What a residual loop carries is found as a fixpoint: at first everything is taken to stay what it is at entry;
whatever an iteration leaves different becomes a carried value (numbers, tensors with the extents that agree; tuples
and the contents of lists element by element), until the body leaves nothing else different.

What such a value looks like is in `carried.py`.

1. A loop that is over after a few iterations, with all its conditions known, is unrolled.
2. Otherwise a residual loop is tried.
3. Where that fails, because something has to be known at compile time (the length of a list, an index into a list of
   tensors), the loop is unrolled as far as needed, or the error stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from ...ir.core import Block, Operation, Region, Value
from ...ir.diagnostics import NotStatic
from ...ir.dialects import torch
from ...ir.script_types import BOOL, INT, ScriptType, TensorType
from . import run_time_values
from .branches import fork
from .carried import (
    Differs,
    HeapTemplate,
    Hole,
    Instance,
    Template,
    Widening,
    heap_holes,
    heap_leaves,
    holes_of,
    leaves_at,
)
from .run_time_types import COMPOSED, join
from .values import (
    TRUE,
    Abstract,
    Diverged,
    Frozen,
    Heap,
    Known,
    Ref,
    Scalar,
    Tensor,
    Uninitialized,
    known,
    zero,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

FEW: Final = 8
"""Loops of at most so many iterations are unrolled."""

SOME: Final = 64
"""Loops of at most so many iterations are unrolled rather than that their lists become run-time lists."""

LITTLE: Final = 500
"""And if they come to at most so many nodes."""

FEW_ON_OBJECTS: Final = 200
"""No loop is unrolled to more nodes than this on strings, lists, dicts and objects of run time, if it can be a loop: each is
a few calls and branches, of which nothing becomes simpler by being written more than once."""

MAX_PROMOTIONS: Final = 64
"""Attempts to write a loop with ever more lists as run-time lists."""

MAX_ROUNDS: Final = 200
"""A loop's body is evaluated at most so often until it is known what the loop carries."""

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
                return _unrolled(ev, trip, condition, carried, body, FEW, on_objects=FEW_ON_OBJECTS)
        except _CannotUnroll:
            pass
    way = _Ways(ev, trip, condition, carried, body)
    if ev.span in ev.hints and way.works_with_lists(identities=True):
        return way.results
    if way.works(lambda: _residual(ev, trip, condition, carried, body, strict=True, variants=False)):
        return way.results
    if way.is_structural:
        # what is None before the first iteration is often a tensor ever after
        if isinstance(trip, Known) and ev.condition(condition) is True:
            if way.works(lambda: _peeled(ev, trip, carried, body)):
                return way.results
        if way.works(lambda: _residual(ev, trip, condition, carried, body, strict=True)):
            return way.results
    if way.works(lambda: _unrolled(ev, trip, condition, carried, body, SOME, LITTLE, FEW_ON_OBJECTS), decides=True):
        return way.results
    if way.works_with_lists():
        return way.results
    if way.error is None and way.works(lambda: _unrolled(ev, trip, condition, carried, body, MANY), decides=True):
        return way.results
    if way.error is None and isinstance(trip, Known):
        if way.works(lambda: _nested(ev, trip, condition, carried, body, 0), decides=True):
            return way.results
    if way.error is not None:
        raise way.error
    # the error that stands is the one of a use, not that of a mere difference
    try:
        with ev.attempt():
            return _residual(ev, trip, condition, carried, body, strict=False)
    except NotStatic as error:
        raise way.lists_error or error from None


@dataclass
class _Ways:
    """Tries one way to write a loop after the other. Lists become run-time lists only where nothing else helps."""

    ev: Evaluator
    trip: Abstract
    condition: Abstract
    carried: list[Abstract]
    body: Body
    results: list[Abstract] = field(default_factory=list[Abstract])
    error: NotStatic | None = None
    """Why unrolling failed: what the user is told."""
    is_structural: bool = False
    """Whether the last way failed because a carried value has several structures."""
    lists_error: NotStatic | None = None
    """Why run-time lists do not help, where it is not the mere length of a list."""

    def works(self, write: Callable[[], list[Abstract]], *, decides: bool = False) -> bool:
        ev = self.ev
        saved, ev.static_lists = ev.static_lists, True
        try:
            with ev.attempt():
                self.results = write()
                return True
        except _CannotUnroll:
            return False
        except NotStatic as error:
            self.is_structural = isinstance(error, Differs)
            if decides:
                self.error = error
            return False
        finally:
            ev.static_lists = saved

    def works_with_lists(self, *, identities: bool = False) -> bool:
        """With the lists, dicts and objects whose structure the loop changes made at run time, from before the loop on."""
        if self.ev.static_lists:
            return False
        return self._works_with_lists(False, identities) or self._works_with_lists(True, identities)

    def _works_with_lists(self, variants: bool, identities: bool) -> bool:
        ev = self.ev
        promoted: dict[Ref, ScriptType | None] = {}
        made_here: set[tuple[str, ScriptType]] = set()
        generous = ev.generous_lists
        ev.list_attempts += 1
        try:
            for _ in range(MAX_PROMOTIONS):
                try:
                    with ev.attempt():
                        for ref, t in promoted.items():
                            run_time_values.promote(ev, ref, t)
                        parts = self.trip, self.condition, self.carried, self.body
                        self.results = _residual(ev, *parts, strict=True, variants=variants, lists=True, made_here=made_here, identities=identities)
                        return True
                except run_time_values.NeedsRunTimeValue as need:
                    ref = next((r for r in need.refs if r in ev.heap), None)
                    kinds = {(r.kind, r.type) for r in need.refs}
                    if ref is None and not kinds <= made_here:
                        made_here |= kinds
                    elif ref is None or not _wider(promoted, ref, need.type):
                        raise
                except run_time_values.ElementMismatch:
                    if ev.generous_lists:
                        raise
                    ev.generous_lists = True
        except run_time_values.NeedsRunTimeValue:
            pass
        except NotStatic as error:
            self.lists_error = error
        finally:
            ev.generous_lists = generous
            ev.list_attempts -= 1
        return False


def _wider(promoted: dict[Ref, ScriptType | None], ref: Ref, t: ScriptType | None) -> bool:
    """Notes what has to be promoted, or with another type; whether that is news."""
    old = promoted.get(ref)
    new = t if old is None or t is None else join(old, t)
    if ref in promoted and (new is None or new == old):
        return False
    promoted[ref] = new
    return True


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
    ev: Evaluator,
    trip: Abstract,
    condition: Abstract,
    carried: list[Abstract],
    body: Body,
    limit: int,
    operations: int | None = None,
    on_objects: int | None = None,
) -> list[Abstract]:
    """`limit`: at most so many iterations; `operations`: and so many nodes; `on_objects`: of these on strings, lists, ..."""
    i = 0
    before, on_objects_before = ev.emitted, ev.on_objects
    while not _is_over(ev, i, trip, condition):
        if i >= limit or (operations is not None and ev.emitted - before > operations):
            raise _CannotUnroll
        if on_objects is not None and ev.unrolling.is_limited and ev.on_objects - on_objects_before > on_objects:
            ev.unrolling.was_cut = True
            raise _CannotUnroll
        condition, *carried = body([known(i), *carried])
        i += 1
    return carried


def _peeled(ev: Evaluator, trip: Known, carried: list[Abstract], body: Body) -> list[Abstract]:
    """The first iteration, then a residual loop of the others."""
    condition, *carried = body([known(0), *carried])
    holds = ev.condition(condition)
    if holds is False:
        return carried

    def others(arguments: list[Abstract]) -> list[Abstract]:
        index, *values = arguments
        following = Scalar(ev.emit("aten::add.int", (ev.materialise(index), ev.pool.number(1, INT)), (INT,)).result)
        return body([following, *values])

    rest = known(cast(int, trip.value) - 1)
    return _residual(ev, rest, condition, carried, others, strict=True, variants=False)


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


@dataclass
class _Iteration:
    block: Block
    condition: Abstract
    results: list[Abstract]
    heap: Heap
    diverged: bool


def _residual(
    ev: Evaluator,
    trip: Abstract,
    condition: Abstract,
    carried: list[Abstract],
    body: Body,
    *,
    strict: bool,
    variants: bool = True,
    lists: bool = False,
    made_here: Set[tuple[str, ScriptType]] = frozenset(),
    identities: bool = False,
) -> list[Abstract]:
    """`lists`: lists whose length changes are run-time lists; the caller promotes those that exist already."""
    entry = dict(ev.heap)
    templates: list[Template] = list(carried)
    heap_templates: HeapTemplate = {}
    for _ in range(MAX_ROUNDS):
        iteration, given = _iterate(ev, entry, templates, heap_templates, body)
        if iteration.diverged:
            break
        widening = Widening(
            ev, entry, iteration.heap, iteration.block, strict, variants, lists, frozenset(made_here), identities
        )
        iteration.results = [widening.unified(t, r) for t, r in zip(templates, iteration.results, strict=True)]
        templates = [widening.widen(t, r) for t, r in zip(templates, iteration.results, strict=True)]
        before = dict(heap_templates)
        heap_templates = widening.heap(heap_templates, given)
        iteration.heap = widening.after
        grown = any(heap_templates[k] is not before.get(k) for k in heap_templates)
        if not widening.changed and not grown:
            break
    else:
        raise ev.not_static("what this loop hands on")
    ev.heap = dict(entry)
    if iteration.diverged:
        return _raises_at_once(ev, trip, condition, carried, iteration)
    return _write(ev, trip, condition, carried, templates, heap_templates, iteration, entry)


def _iterate(
    ev: Evaluator, entry: Heap, templates: Sequence[Template], heap_templates: HeapTemplate, body: Body
) -> tuple[_Iteration, Heap]:
    """One iteration on values as the templates say."""
    holes = [h for t in templates for h in holes_of(t)] + heap_holes(heap_templates)
    block = Block([INT, *(h.type for h in holes)])
    saved = ev.assumed, ev.computed, ev.span
    ev.heap = dict(entry)
    instance = Instance(list(block.args[1:]), ev.heap, None)
    arguments: list[Abstract] = [Scalar(block.args[0]), *(instance.of(t) for t in templates)]
    instance.contents(heap_templates)
    given = dict(ev.heap)
    outs: list[Abstract] = [TRUE]
    diverged = False
    ev.computed = ev.computed.new_child()
    ev.conditional += 1
    try:
        with ev.b.inside(block):
            outs = body(arguments)
    except Diverged:
        diverged = True
    finally:
        ev.conditional -= 1
        ev.assumed, ev.computed, ev.b.span = saved
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
    templates: list[Template],
    heap_templates: HeapTemplate,
    iteration: _Iteration,
    entry: Heap,
) -> list[Abstract]:
    holes = [h for t in templates for h in holes_of(t)] + heap_holes(heap_templates)
    starts = [x for t, v in zip(templates, carried) for x in leaves_at(ev, t, v, entry)]
    starts += heap_leaves(ev, heap_templates, entry)
    block = iteration.block
    ev.heap = dict(iteration.heap)
    with ev.b.inside(block):
        ends = [x for t, v in zip(templates, iteration.results) for x in leaves_at(ev, t, v, iteration.heap)]
        ends += heap_leaves(ev, heap_templates, iteration.heap)
    ev.heap = dict(entry)
    initial = [_initial(ev, v, h) for v, h in zip(starts, holes, strict=True)]
    yielded = [_yielded(ev, v, a) for v, a in zip(ends, block.args[1:], strict=True)]
    following = ev.materialise(iteration.condition)
    block.append(Operation(torch.YIELD, [following, *yielded], span=ev.span))
    operands = [ev.materialise(trip), ev.materialise(condition), *initial]
    op = Operation("prim::Loop", operands, [h.type for h in holes], regions=[Region([block])], span=ev.span)
    ev.b.insert(op)
    instance = Instance(list(op.results), ev.heap, op.span)
    results = [instance.of(t) for t in templates]
    instance.contents(heap_templates)
    for key in iteration.heap:
        if isinstance(key, Frozen) and key.ref in entry:
            ev.heap[key] = iteration.heap[key]
    return results


def _initial(ev: Evaluator, value: Abstract, hole: Hole) -> Value:
    if not isinstance(value, Uninitialized):
        return value.value if isinstance(value, Tensor) else ev.materialise(value)
    if isinstance(hole.type, (TensorType, *COMPOSED)):
        return ev.emit("prim::Uninitialized", (), (hole.type,)).result
    return ev.pool.number(zero(hole.type), hole.type)


def _yielded(ev: Evaluator, value: Abstract, argument: Value) -> Value:
    if isinstance(value, Uninitialized):
        return argument
    return value.value if isinstance(value, Tensor) else ev.materialise(value)
