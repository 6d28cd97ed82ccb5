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

import operator
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir.core import Block, Operation, Region, Value
from ...ir.diagnostics import NotStatic
from ...ir.dialects import torch
from ...ir.script_types import BOOL, FLOAT, INT, STR, ScriptType, TensorType
from ...ir.source import Span
from . import run_time_values
from .branches import fork
from .merging import MAX_ALTERNATIVES, decided, is_inside
from .merging import leaves as leaves_of
from .run_time_types import COMPOSED, join, leads_to_itself
from .run_time_values import structure
from .values import (
    HANDLE,
    LOOP,
    TRUE,
    Abstract,
    Contents,
    Diverged,
    Frozen,
    Function,
    Heap,
    Known,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Uninitialized,
    Variant,
    VariantContents,
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

SOME: Final = 64
"""Loops of at most so many iterations are unrolled rather than that their lists become run-time lists."""

LITTLE: Final = 500
"""And if they come to at most so many nodes."""

MAX_PROMOTIONS: Final = 64
"""Attempts to write a loop with ever more lists as run-time lists."""

MANY: Final = 4096
"""No loop is unrolled further than this."""

NESTED: Final = 64
"""Nor further than this where each iteration depends on a run-time condition: they are nested."""

Body = Callable[[list[Abstract]], list[Abstract]]
"""(index, carried...) -> (condition, carried...)"""


class _Differs(NotStatic):
    """What an iteration leaves has another structure than what it found."""


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
    if way.works(lambda: _unrolled(ev, trip, condition, carried, body, SOME, LITTLE), decides=True):
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
            self.is_structural = isinstance(error, _Differs)
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
) -> list[Abstract]:
    """`limit`: at most so many iterations; `operations`: and so many nodes."""
    i = 0
    before = ev.emitted
    while not _is_over(ev, i, trip, condition):
        if i >= limit or (operations is not None and ev.emitted - before > operations):
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


# residual loops: what a carried value looks like at the start of every iteration


@dataclass(frozen=True)
class _Hole:
    """A number or tensor that the loop carries."""

    type: ScriptType


@dataclass(frozen=True, eq=False)
class _TupleOf:
    elements: tuple[_Template, ...]
    like: Tuple


@dataclass(frozen=True, eq=False)
class _RefOf:
    """A list, dict or object made anew in each iteration."""

    like: Ref
    contents: Mapping[Any, _Template]


@dataclass(frozen=True, eq=False)
class _OneOf:
    """A value of several structures: the loop carries which it is (a bool for all but the last) and all of them."""

    alternatives: tuple[_Template, ...]


_Template = Abstract | _Hole | _TupleOf | _RefOf | _OneOf
_HeapTemplate = dict[Any, Mapping[Any, _Template] | RunTimeOnly]


def _leaf_type(value: Abstract) -> ScriptType | None:
    """Type of a value that can be carried as it is."""
    type_ = type_of(value)
    if isinstance(value, Tensor) or (
        isinstance(value, Known | Scalar) and (type_ in (INT, FLOAT, BOOL, STR) or isinstance(type_, COMPOSED))
    ):
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
    variants: bool = True
    """Whether a value may have several structures."""
    lists: bool = False
    """Whether lists whose length changes are to be run-time lists."""
    made_here: frozenset[tuple[str, ScriptType]] = frozenset()
    """Kinds and types of what iterations make and hand on, that has to be made at run time."""
    identities: bool = False
    """Whether it has to be known which of several lists, dicts and objects is handed on."""
    changed: bool = False

    def fail(self, what: str) -> RunTimeOnly:
        if self.strict:
            raise self.ev.error(f"{what} is only known at run time", kind=_Differs)
        self.changed = True
        return RunTimeOnly(what, self.ev.span)

    def widen(self, template: _Template, out: Abstract) -> _Template:
        match template, out:
            case RunTimeOnly(), _:
                return template
            case _, RunTimeOnly():
                return self.fail(out.what)
            case (_OneOf(), Uninitialized()) | (_Hole(), Uninitialized()):
                return template
            case _ if template is out:
                return template
            case _ if (
                self.variants
                and not self._is_at_run_time(template, out)
                and (isinstance(out, Variant) or not self._fits(template, out))
            ):
                return self._one_of(template, out)
            case (_OneOf(), _) | (_, Variant()):
                return self.fail("which structure this has")
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
                if isinstance(contents, VariantContents):
                    return self.fail(structure(value))
                self.changed = True
                return self._ref(None, value, contents, out)
            case _:
                type_ = _leaf_type(value)
                if type_ is None:
                    return self.fail(self._difference(value, out))
                return self._hole(
                    self._tensor_type(value, self.entry) if isinstance(value, Tensor) else type_, out, None
                )

    def _fits(self, template: _Template, out: Abstract) -> bool:
        return not isinstance(template, _OneOf | Variant) and _fits(template, out, self.entry, self.after)

    def _one_of(self, template: _Template, out: Abstract) -> _Template:
        """Room for one structure more, for each that `out` may have and the template has not."""
        if isinstance(template, Variant) and same(template, out):
            return template
        own = template.alternatives if isinstance(template, _OneOf) else leaves_of(template)
        alternatives: list[_Template] = [t for t in own if not isinstance(t, Uninitialized)]
        for leaf in leaves_of(out):
            for i, alternative in enumerate(alternatives):
                if self._fits(alternative, leaf):
                    alternatives[i] = self.widen(alternative, leaf)
                    break
            else:
                alternatives.append(self._general(leaf))
        if len(alternatives) > MAX_ALTERNATIVES:
            return self.fail(f"which of more than {MAX_ALTERNATIVES} structures this has")
        if isinstance(template, _OneOf) and len(own) == len(alternatives):
            if all(a is b for a, b in zip(own, alternatives)):
                return template
        self.changed = self.ev.undecided = True
        return _OneOf(tuple(alternatives)) if len(alternatives) > 1 else alternatives[0]

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
        return cast(ScriptType, _now(value, heap).value.type)

    def _tuple(self, template: _Template, elements: Sequence[_Template], out: Tuple) -> _Template:
        widened = tuple(self.widen(t, o) for t, o in zip(elements, out.elements))
        return template if all(a is b for a, b in zip(elements, widened)) else _TupleOf(widened, out)

    def _ref(self, template: _RefOf | None, like: Ref, contents: Mapping[Any, _Template], out: Ref) -> _Template:
        left = self.after[out]
        if isinstance(left, RunTimeOnly):
            return self.fail(left.what)
        chosen = like.kind == "object" and HANDLE not in contents and (self.lists or leads_to_itself(like.type))
        chosen = chosen or (self.identities and HANDLE not in contents and like is not out)
        if like.kind != out.kind or isinstance(left, VariantContents) or list(contents) != list(left) or chosen:
            promoted = self._promoted(like, contents, out)
            if promoted is None:
                return self.fail(structure(like))
            left = promoted
        widened = {k: self.widen(t, left[k]) for k, t in contents.items()}
        if template is not None and all(widened[k] is t for k, t in contents.items()):
            return template
        return _RefOf(like, widened)

    def _promoted(self, like: Ref, contents: Mapping[Any, _Template], out: Ref) -> Contents | None:
        """Contents of what an iteration leaves, made at run time like what it found."""
        if like.kind != out.kind or like.kind not in run_time_values.PROMOTED:
            return None
        if HANDLE not in contents:
            if not self.lists:
                return None
            raise self._needs(like, out, self.after[out])
        found = contents[HANDLE]
        type_ = found.type if isinstance(found, _Hole) else type_of(cast(Scalar, found))
        self.ev.heap = self.after
        with self.ev.b.inside(self.block):
            own = run_time_values.promote(self.ev, out, type_)
        self.after = self.ev.heap
        if own.type != type_ and self.lists:
            if like in self.entry:
                raise self._needs(like, out, self.after[out])
            raise run_time_values.retyped(self.ev, out, type_)
        return cast(Contents, self.after[out])

    def _needs(self, ref: Ref, out: Ref, contents: Any) -> Exception:
        self.ev.heap = self.after
        type_ = run_time_values.contents_type(self.ev, out, contents)
        return run_time_values.needs(self.ev, (ref,), f"{structure(ref)} is only known at run time", type_)

    def _is_at_run_time(self, template: _Template, out: Abstract) -> bool:
        """Whether what is carried is made at run time, or may be."""
        if not _are_of_one_kind(template, out):
            return False
        contents = template.contents if isinstance(template, _RefOf) else self.entry.get(cast(Ref, template))
        return self.lists or (isinstance(contents, Mapping) and HANDLE in contents)

    def unified(self, template: _Template, out: Abstract) -> Abstract:
        """One of several lists, dicts or objects as one made at run time; in tuples too."""
        if isinstance(template, _TupleOf | Tuple) and isinstance(out, Tuple):
            if len(template.elements) != len(out.elements):
                return out
            parts = tuple(map(self.unified, template.elements, out.elements))
            return out if all(map(operator.is_, parts, out.elements)) else out.of(parts)
        if not isinstance(out, Variant) or not self._is_at_run_time(template, out):
            return self._grouped(template, out) if self.lists else out
        self.ev.heap = self.after
        with self.ev.b.inside(self.block):
            found = run_time_values.one_of(self.ev, out)
        self.after = self.ev.heap
        return found

    def _grouped(self, template: _Template, out: Abstract) -> Abstract:
        """With alternatives that are lists, dicts or objects of one type as one alternative, made at run time."""
        own = template.alternatives if isinstance(template, _OneOf) else leaves_of(template)
        groups: dict[Any, list[Ref]] = {}
        for leaf in leaves_of(out):
            if isinstance(leaf, Ref) and run_time_values.may_be_promoted(leaf):
                groups.setdefault((leaf.kind, leaf.type), []).append(leaf)
        for (kind, type_), group in groups.items():
            like = [t for t in own if isinstance(t, Ref | _RefOf) and _like(t).kind == kind and _like(t).type == type_]
            if not self._differ(like, group):
                continue
            static = [t for t in like if isinstance(t, Ref) and HANDLE not in self._contents(t, self.entry)]
            for ref in static:
                raise self._needs(ref, group[0], self.after[group[0]])
            self.ev.heap = self.after
            with self.ev.b.inside(self.block):
                out = run_time_values.grouped(self.ev, out, group)
            self.after = self.ev.heap
        return out

    def _contents(self, template: Ref | _RefOf, heap: Heap) -> Mapping[Any, Any]:
        contents = template.contents if isinstance(template, _RefOf) else heap.get(template)
        return contents if isinstance(contents, Mapping) else {}

    def _differ(self, like: list[Ref | _RefOf], group: list[Ref]) -> bool:
        """Whether what an iteration leaves has to be made at run time, to be one with what it found."""
        if all(any(t is leaf for t in like) for leaf in group):
            return False
        if any(isinstance(self.after.get(leaf), VariantContents) for leaf in group):
            return True
        keys = [list(self._contents(leaf, self.after)) for leaf in group]
        found = [list(self._contents(t, self.entry)) for t in like]
        if len(group) == 1 and all(k == [HANDLE] for k in (*keys, *found)):
            return False
        if self.identities or (group[0].kind, group[0].type) in self.made_here:
            return True
        return group[0].kind == "object" or any(k != keys[0] for k in (*keys, *found))

    def _general(self, value: Abstract) -> _Template:
        """The shape of a value that does not exist yet at entry."""
        match value:
            case Known() | Scalar() | Tensor():
                type_ = _leaf_type(value)
                if type_ is None:
                    return value
                return _Hole(self._tensor_type(value, self.after) if isinstance(value, Tensor) else type_)
            case Tuple():
                return _TupleOf(tuple(self._general(e) for e in value.elements), value)
            case Ref() if value not in self.entry:
                contents = self.after[value]
                if isinstance(contents, RunTimeOnly):
                    return self.fail(contents.what)
                if isinstance(contents, VariantContents) or (HANDLE not in contents and leads_to_itself(value.type)):
                    return self.fail(structure(value))
                return _RefOf(value, {k: self._general(v) for k, v in contents.items()})
            case Variant() if self.variants:
                self.ev.undecided = True
                return _OneOf(tuple(self._general(leaf) for leaf in leaves_of(value)))
            case Variant():
                return self.fail("which structure this has")
            case Text():
                return self.fail("this string")
            case _:
                return value

    def heap(self, templates: _HeapTemplate, given: Heap) -> _HeapTemplate:
        """Which contents iterations change. `given` is the heap that this iteration began with."""
        if self.lists:
            self._unify_contents(templates, given)
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

    def _unify_contents(self, templates: _HeapTemplate, given: Heap) -> None:
        for key in list(self.after):
            contents = self.after[key]
            before = templates.get(key, given.get(key))
            if key in given and contents is not given[key] and isinstance(contents, Mapping) and isinstance(before, Mapping):
                made = {k: self.unified(before[k], v) if k in before else v for k, v in contents.items()}
                if any(made[k] is not v for k, v in contents.items()):
                    self.after[key] = made

    def _entry(
        self,
        key: Any,
        before: Mapping[Any, _Template] | VariantContents | RunTimeOnly,
        contents: Mapping[Any, Abstract] | VariantContents | RunTimeOnly,
    ) -> Mapping[Any, _Template] | RunTimeOnly:
        if isinstance(before, RunTimeOnly):
            return before
        if isinstance(contents, RunTimeOnly):
            return self.fail(contents.what)
        if self.lists and isinstance(key, Ref) and key.kind in run_time_values.PROMOTED:
            if not _same_keys(before, contents):
                raise self._needs(key, key, contents)
        if isinstance(before, VariantContents) or isinstance(contents, VariantContents):
            return self.fail(structure(key) if isinstance(key, Ref) else "the shape of this tensor")
        if list(before) != list(contents):
            return self.fail(structure(key) if isinstance(key, Ref) else "the shape of this tensor")
        widened = {k: self.widen(t, contents[k]) for k, t in before.items()}
        return before if all(widened[k] is t for k, t in before.items()) else widened


def _like(template: Ref | _RefOf) -> Ref:
    return template if isinstance(template, Ref) else template.like


def _are_of_one_kind(template: _Template, out: Abstract) -> bool:
    like = template.like if isinstance(template, _RefOf) else template
    if not isinstance(like, Ref) or like.kind not in run_time_values.PROMOTED:
        return False
    return all(isinstance(v, Ref) and v.kind == like.kind for v in leaves_of(out))


def _handle_type(contents: Mapping[Any, Any]) -> ScriptType | None:
    found = contents.get(HANDLE)
    return None if found is None else found.type if isinstance(found, _Hole) else type_of(found)


def _same_keys(before: Any, after: Any) -> bool:
    return isinstance(before, Mapping) and isinstance(after, Mapping) and list(before) == list(after)  # pyright: ignore


def _now(value: Tensor, heap: Heap) -> Tensor:
    """The tensor with its metadata as in-place changes have left it."""
    contents = heap.get(value.value)
    now = contents[0] if isinstance(contents, Mapping) else value
    return now if isinstance(now, Tensor) else value


def _fits(template: _Template, value: Abstract, before: Heap, heap: Heap) -> bool:
    """Whether a value (in `heap`) has the structure of a template (made of values in `before`)."""
    match template, value:
        case (_, Uninitialized() | RunTimeOnly()) | (Uninitialized() | RunTimeOnly(), _):
            return True
        case (Tensor() | _Hole()), Tensor():
            type_ = template.type if isinstance(template, _Hole) else _now(template, before).value.type
            own = cast(TensorType, _now(value, heap).value.type)
            return isinstance(type_, TensorType) and join_types(type_, own) is not None
        case (Known() | Scalar() | _Hole()), (Known() | Scalar()):
            type_ = template.type if isinstance(template, _Hole) else _leaf_type(template)
            if type_ is None or isinstance(type_, TensorType):
                return isinstance(template, Known) and same(template, value)
            return type_ == _leaf_type(value)
        case (Tuple() | _TupleOf()), Tuple():
            like = template.like if isinstance(template, _TupleOf) else template
            return like.__class__ is value.__class__ and len(template.elements) == len(value.elements)
        case (Ref() | _RefOf()), Ref():
            like = template if isinstance(template, Ref) else template.like
            contents = before.get(template) if isinstance(template, Ref) else template.contents
            if like.kind != value.kind or like.is_outer or value.is_outer:
                return template is value
            left = heap.get(value)
            if isinstance(contents, Mapping) and isinstance(left, Mapping) and (HANDLE in contents or HANDLE in left):
                return _handle_type(contents) == _handle_type(left)
            if like.kind == "object":
                if isinstance(template, Ref) and value in before:
                    return template is value
                return like.type is value.type and not leads_to_itself(like.type) and _same_keys(contents, left)
            # lists of different length are no alternatives here: a loop that changes one is unrolled
            return not (isinstance(contents, Mapping) and isinstance(left, Mapping)) or len(contents) == len(left)
        case (_Hole() | _TupleOf() | _RefOf() | _OneOf()), _:
            return False
        case _:
            return same(template, value)


@dataclass
class _Instance:
    """Fills templates with values, one for each hole, in a fixed order."""

    values: list[Value]
    heap: Heap
    loop: Span | None
    at: int = 0

    def of(self, template: _Template) -> Abstract:
        match template:
            case _Hole():
                value = self._next()
                return Tensor(value) if isinstance(value.type, TensorType) else Scalar(value)
            case _TupleOf():
                return template.like.of(tuple(self.of(t) for t in template.elements))
            case _RefOf():
                ref = Ref(template.like.kind, template.like.type, site=template.like.site)
                self.heap[ref] = {k: self.of(t) for k, t in template.contents.items()}
                # it may be the list of before the loop or one of the body: not to be changed through this name
                if HANDLE not in template.contents:
                    place: dict[Any, Any] = {} if self.loop is None else {LOOP: self.loop}
                    self.heap[Frozen(ref)] = {HANDLE: template.like, **place}
                return ref
            case _OneOf():
                selectors = [self._next() for _ in template.alternatives[1:]]
                *others, result = [self.of(t) for t in template.alternatives]
                for selector, value in zip(reversed(selectors), reversed(others)):
                    result = Variant(selector, value, result)
                return result
            case _:
                return template

    def _next(self) -> Value:
        self.at += 1
        return self.values[self.at - 1]

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
        case _OneOf():
            selectors = [_Hole(BOOL)] * (len(template.alternatives) - 1)
            return [*selectors, *(h for t in template.alternatives for h in _holes(t))]
        case _:
            return []


def _leaves(ev: Evaluator, template: _Template, value: Abstract, heap: Heap) -> list[Abstract]:
    """What stands in `value` where the template has its holes; code is written for what a run-time bool decides."""
    value = decided(ev, value, ev.assumed)
    if isinstance(value, Variant) and _holes(template):
        then, otherwise = value.then, value.otherwise
        return fork(
            ev,
            Scalar(value.selector),
            lambda: _leaves(ev, template, then, heap),
            lambda: _leaves(ev, template, otherwise, heap),
        )
    match template:
        case _OneOf():
            return _leaves_of_one(ev, template, value, heap)
        case _Hole():
            if isinstance(value, Tensor):
                contents = heap.get(value.value)
                return [value if contents is None else cast(Mapping[Any, Abstract], contents)[0]]
            return [value]
        case _TupleOf():
            elements = value.elements if isinstance(value, Tuple) else (value,) * len(template.elements)
            return [x for t, v in zip(template.elements, elements) for x in _leaves(ev, t, v, heap)]
        case _RefOf():
            contents = heap.get(value) if isinstance(value, Ref) else None
            return [
                x
                for k, t in template.contents.items()
                for x in _leaves(ev, t, value if contents is None else cast(Mapping[Any, Abstract], contents)[k], heap)
            ]
        case _:
            return []


def _leaves_of_one(ev: Evaluator, template: _OneOf, value: Abstract, heap: Heap) -> list[Abstract]:
    if isinstance(value, Uninitialized):
        return [value for _ in _holes(template)]
    at = next(i for i, t in enumerate(template.alternatives) if _fits(t, value, heap, heap))
    found: list[Abstract] = [known(i == at) for i in range(len(template.alternatives) - 1)]
    for i, alternative in enumerate(template.alternatives):
        found += _leaves(ev, alternative, value if i == at else Uninitialized(), heap)
    return found


def _heap_holes(templates: _HeapTemplate) -> list[_Hole]:
    return [h for c in templates.values() if isinstance(c, Mapping) for t in c.values() for h in _holes(t)]


def _heap_leaves(ev: Evaluator, templates: _HeapTemplate, heap: Heap) -> list[Abstract]:
    found: list[Abstract] = []
    for key, contents in templates.items():
        if isinstance(contents, RunTimeOnly):
            continue
        values = heap.get(key)
        if values is None:
            values = {0: Tensor(key)}
        if not isinstance(values, Mapping):
            continue
        for k, template in contents.items():
            value = values[k]
            # the tensor itself under its own key: not to be looked up again
            found += (
                [value]
                if isinstance(template, _Hole) and isinstance(key, Value)
                else _leaves(ev, template, value, heap)
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
    templates: list[_Template] = list(carried)
    heap_templates: _HeapTemplate = {}
    while True:
        iteration, given = _iterate(ev, entry, templates, heap_templates, body)
        if iteration.diverged:
            break
        widening = _Widening(
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
    saved = ev.assumed, ev.computed, ev.span
    ev.heap = dict(entry)
    instance = _Instance(list(block.args[1:]), ev.heap, None)
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
    templates: list[_Template],
    heap_templates: _HeapTemplate,
    iteration: _Iteration,
    entry: Heap,
) -> list[Abstract]:
    holes = [h for t in templates for h in _holes(t)] + _heap_holes(heap_templates)
    starts = [x for t, v in zip(templates, carried) for x in _leaves(ev, t, v, entry)]
    starts += _heap_leaves(ev, heap_templates, entry)
    block = iteration.block
    ev.heap = dict(iteration.heap)
    with ev.b.inside(block):
        ends = [x for t, v in zip(templates, iteration.results) for x in _leaves(ev, t, v, iteration.heap)]
        ends += _heap_leaves(ev, heap_templates, iteration.heap)
    ev.heap = dict(entry)
    initial = [_initial(ev, v, h) for v, h in zip(starts, holes, strict=True)]
    yielded = [_yielded(ev, v, a) for v, a in zip(ends, block.args[1:], strict=True)]
    following = ev.materialise(iteration.condition)
    block.append(Operation(torch.YIELD, [following, *yielded], span=ev.span))
    operands = [ev.materialise(trip), ev.materialise(condition), *initial]
    op = Operation("prim::Loop", operands, [h.type for h in holes], regions=[Region([block])], span=ev.span)
    ev.b.insert(op)
    instance = _Instance(list(op.results), ev.heap, op.span)
    results = [instance.of(t) for t in templates]
    instance.contents(heap_templates)
    for key in iteration.heap:
        if isinstance(key, Frozen) and key.ref in entry:
            ev.heap[key] = iteration.heap[key]
    return results


def _initial(ev: Evaluator, value: Abstract, hole: _Hole) -> Value:
    if not isinstance(value, Uninitialized):
        return value.value if isinstance(value, Tensor) else ev.materialise(value)
    if isinstance(hole.type, (TensorType, *COMPOSED)):
        return ev.emit("prim::Uninitialized", (), (hole.type,)).result
    return ev.pool.number(zero(hole.type), hole.type)


def _yielded(ev: Evaluator, value: Abstract, argument: Value) -> Value:
    if isinstance(value, Uninitialized):
        return argument
    return value.value if isinstance(value, Tensor) else ev.materialise(value)
