"""What a residual loop carries: what each value looks like at the start of every iteration.

In: a value before the loop, and what an iteration leaves in its place. Out: a template, with a hole for each number,
tensor or value made at run time that the loop carries. `Widening` makes templates hold what iterations leave, `Instance`
fills them, `leaves_at` takes values apart. How it is used is in `loops.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ...ir.class_groups import leads_to_itself
from ...ir.core import Block, Value
from ...ir.diagnostics import NotStatic
from ...ir.script_types import BOOL, FLOAT, INT, STR, ScriptType, TensorType
from ...ir.source import Span
from . import run_time_values
from .branches import fork
from .merging import MAX_ALTERNATIVES, decided, is_inside
from .merging import leaves as leaves_of
from .run_time_types import COMPOSED, join
from .run_time_values import structure
from .values import (
    HANDLE,
    LOOP,
    Abstract,
    Contents,
    Enumerator,
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
)

if TYPE_CHECKING:
    from .evaluator import Evaluator


class Differs(NotStatic):
    """What an iteration leaves has another structure than what it found."""


@dataclass(frozen=True)
class Hole:
    """A number or tensor that the loop carries."""

    type: ScriptType


@dataclass(frozen=True, eq=False)
class TupleOf:
    elements: tuple[Template, ...]
    like: Tuple


@dataclass(frozen=True, eq=False)
class RefOf:
    """A list, dict or object made anew in each iteration."""

    like: Ref
    contents: Mapping[Any, Template]


@dataclass(frozen=True, eq=False)
class OneOf:
    """A value of several structures: the loop carries which it is (a bool for all but the last) and all of them."""

    alternatives: tuple[Template, ...]


Template = Abstract | Hole | TupleOf | RefOf | OneOf
HeapTemplate = dict[Any, Mapping[Any, Template] | RunTimeOnly]


def _leaf_type(value: Abstract) -> ScriptType | None:
    """Type of a value that can be carried as it is."""
    type_ = type_of(value)
    if isinstance(value, Tensor) or (
        isinstance(value, Known | Scalar) and (type_ in (INT, FLOAT, BOOL, STR) or isinstance(type_, COMPOSED))
    ):
        return type_
    return None


@dataclass
class Widening:
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
            raise self.ev.error(f"{what} is only known at run time", kind=Differs)
        self.changed = True
        return RunTimeOnly(what, self.ev.span)

    def widen(self, template: Template, out: Abstract) -> Template:
        match template, out:
            case RunTimeOnly(), _:
                return template
            case _, RunTimeOnly():
                return self.fail(out.what)
            case (OneOf(), Uninitialized()) | (Hole(), Uninitialized()):
                return template
            case _ if template is out:
                return template
            case _ if (
                self.variants
                and not self._is_at_run_time(template, out)
                and (isinstance(out, Variant) or not self._fits(template, out))
            ):
                return self._one_of(template, out)
            case (OneOf(), _) | (_, Variant()):
                return self.fail("which structure this has")
            case Hole(), _:
                return self._hole(template.type, out, template)
            case ((TupleOf() | RefOf()), Uninitialized()):
                return template
            case TupleOf(), Tuple() if len(template.elements) == len(out.elements):
                return self._tuple(template, template.elements, out)
            case RefOf(), Ref():
                return self._ref(template, template.like, template.contents, out)
            case ((TupleOf() | RefOf()), _):
                return self.fail("what this is")
            case _:
                return self._fixed(cast(Abstract, template), out)

    def _fixed(self, value: Abstract, out: Abstract) -> Template:
        if same(value, out) or isinstance(out, Uninitialized):
            return value
        match value, out:
            case Uninitialized(), _:
                self.changed = True
                return self._general(out)
            case Enumerator(), Enumerator() if value.member == out.member:
                if value.origin is None:
                    return value
                self.changed = True
                return Enumerator(value.member)
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

    def _fits(self, template: Template, out: Abstract) -> bool:
        return not isinstance(template, OneOf | Variant) and _fits(template, out, self.entry, self.after)

    def _one_of(self, template: Template, out: Abstract) -> Template:
        """Room for one structure more, for each that `out` may have and the template has not."""
        if isinstance(template, Variant) and same(template, out):
            return template
        own = template.alternatives if isinstance(template, OneOf) else leaves_of(template)
        alternatives: list[Template] = [t for t in own if not isinstance(t, Uninitialized)]
        for leaf in leaves_of(out):
            for i, alternative in enumerate(alternatives):
                if self._fits(alternative, leaf):
                    alternatives[i] = self.widen(alternative, leaf)
                    break
            else:
                alternatives.append(self._general(leaf))
        if len(alternatives) > MAX_ALTERNATIVES:
            return self.fail(f"which of more than {MAX_ALTERNATIVES} structures this has")
        if len(own) == len(alternatives) and (isinstance(template, OneOf) or len(own) == 1):
            if all(a is b for a, b in zip(own, alternatives)):
                return template
        self.changed = self.ev.undecided = True
        return OneOf(tuple(alternatives)) if len(alternatives) > 1 else alternatives[0]

    def _difference(self, value: Abstract, out: Abstract) -> str:
        kinds = sorted({describe(type_of(value)), describe(type_of(out))})
        if isinstance(value, Text | Function) or len(kinds) == 1:
            return f"this {type_of(value).annotation}"
        return f"whether this is {' or '.join(kinds)}"

    def _hole(self, type_: ScriptType, out: Abstract, template: Hole | None) -> Template:
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
        return Hole(joined)

    def _tensor_type(self, value: Tensor, heap: Heap) -> ScriptType:
        return cast(ScriptType, _now(value, heap).value.type)

    def _tuple(self, template: Template, elements: Sequence[Template], out: Tuple) -> Template:
        widened = tuple(self.widen(t, o) for t, o in zip(elements, out.elements))
        return template if all(a is b for a, b in zip(elements, widened)) else TupleOf(widened, out)

    def _ref(self, template: RefOf | None, like: Ref, contents: Mapping[Any, Template], out: Ref) -> Template:
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
        if not self._of_one_type(like, contents, out, left):
            return self.fail(structure(like))
        widened = {k: self.widen(t, left[k]) for k, t in contents.items()}
        if template is not None and all(widened[k] is t for k, t in contents.items()):
            return template
        return RefOf(like, widened)

    def _of_one_type(self, like: Ref, contents: Mapping[Any, Template], out: Ref, left: Contents) -> bool:
        """Whether what is made at run time keeps its type (it is never a Variant); where it can, that is asked for."""
        before, after = _handle_type(contents), _handle_type(left)
        if before is None or after is None or before == after:
            return True
        wanted = join(before, after)
        if wanted is not None and self.lists:
            raise run_time_values.retyped(self.ev, like if wanted != before else out, wanted)
        return False

    def _promoted(self, like: Ref, contents: Mapping[Any, Template], out: Ref) -> Contents | None:
        """Contents of what an iteration leaves, made at run time like what it found."""
        if like.kind != out.kind or like.kind not in run_time_values.PROMOTED:
            return None
        if HANDLE not in contents:
            if not self.lists:
                return None
            raise self._needs(like, out, self.after[out])
        found = contents[HANDLE]
        type_ = found.type if isinstance(found, Hole) else type_of(cast(Scalar, found))
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

    def _is_at_run_time(self, template: Template, out: Abstract) -> bool:
        """Whether what is carried is made at run time, or may be."""
        if not _are_of_one_kind(template, out):
            return False
        contents = template.contents if isinstance(template, RefOf) else self.entry.get(cast(Ref, template))
        return self.lists or (isinstance(contents, Mapping) and HANDLE in contents)

    def unified(self, template: Template, out: Abstract) -> Abstract:
        """One of several lists, dicts or objects as one made at run time; in tuples too."""
        if isinstance(template, TupleOf | Tuple) and isinstance(out, Tuple):
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

    def _grouped(self, template: Template, out: Abstract) -> Abstract:
        """With alternatives that are lists, dicts or objects of one type as one alternative, made at run time."""
        own = template.alternatives if isinstance(template, OneOf) else leaves_of(template)
        groups: dict[Any, list[Ref]] = {}
        for leaf in leaves_of(out):
            if isinstance(leaf, Ref) and run_time_values.may_be_promoted(leaf):
                groups.setdefault((leaf.kind, leaf.type), []).append(leaf)
        for (kind, type_), group in groups.items():
            like = [t for t in own if isinstance(t, Ref | RefOf) and _like(t).kind == kind and _like(t).type == type_]
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

    def _contents(self, template: Ref | RefOf, heap: Heap) -> Mapping[Any, Any]:
        contents = template.contents if isinstance(template, RefOf) else heap.get(template)
        return contents if isinstance(contents, Mapping) else {}

    def _differ(self, like: list[Ref | RefOf], group: list[Ref]) -> bool:
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

    def _general(self, value: Abstract) -> Template:
        """The shape of a value that does not exist yet at entry."""
        match value:
            case Known() | Scalar() | Tensor():
                type_ = _leaf_type(value)
                if type_ is None:
                    return value
                return Hole(self._tensor_type(value, self.after) if isinstance(value, Tensor) else type_)
            case Tuple():
                return TupleOf(tuple(self._general(e) for e in value.elements), value)
            case Ref() if value not in self.entry:
                contents = self.after[value]
                if isinstance(contents, RunTimeOnly):
                    return self.fail(contents.what)
                if isinstance(contents, VariantContents) or (HANDLE not in contents and leads_to_itself(value.type)):
                    return self.fail(structure(value))
                return RefOf(value, {k: self._general(v) for k, v in contents.items()})
            case Variant() if self.variants:
                self.ev.undecided = True
                return OneOf(tuple(self._general(leaf) for leaf in leaves_of(value)))
            case Variant():
                return self.fail("which structure this has")
            case Text():
                return self.fail("this string")
            case _:
                return value

    def heap(self, templates: HeapTemplate, given: Heap) -> HeapTemplate:
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

    def _unify_contents(self, templates: HeapTemplate, given: Heap) -> None:
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
        before: Mapping[Any, Template] | VariantContents | RunTimeOnly,
        contents: Mapping[Any, Abstract] | VariantContents | RunTimeOnly,
    ) -> Mapping[Any, Template] | RunTimeOnly:
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
        if isinstance(key, Ref) and not self._of_one_type(key, before, key, contents):
            return self.fail(structure(key))
        widened = {k: self.widen(t, contents[k]) for k, t in before.items()}
        return before if all(widened[k] is t for k, t in before.items()) else widened


def _like(template: Ref | RefOf) -> Ref:
    return template if isinstance(template, Ref) else template.like


def _are_of_one_kind(template: Template, out: Abstract) -> bool:
    like = template.like if isinstance(template, RefOf) else template
    if not isinstance(like, Ref) or like.kind not in run_time_values.PROMOTED:
        return False
    refs = [v for v in leaves_of(out) if isinstance(v, Ref)]
    return len(refs) == len(leaves_of(out)) and all(v.kind == like.kind and v.type == refs[0].type for v in refs)


def _handle_type(contents: Mapping[Any, Any]) -> ScriptType | None:
    found = contents.get(HANDLE)
    return None if found is None else found.type if isinstance(found, Hole) else type_of(found)


def _same_keys(before: Any, after: Any) -> bool:
    return isinstance(before, Mapping) and isinstance(after, Mapping) and list(before) == list(after)  # pyright: ignore


def _now(value: Tensor, heap: Heap) -> Tensor:
    """The tensor with its metadata as in-place changes have left it."""
    contents = heap.get(value.value)
    now = contents[0] if isinstance(contents, Mapping) else value
    return now if isinstance(now, Tensor) else value


def _fits(template: Template, value: Abstract, before: Heap, heap: Heap) -> bool:
    """Whether a value (in `heap`) has the structure of a template (made of values in `before`)."""
    match template, value:
        case (_, Uninitialized() | RunTimeOnly()) | (Uninitialized() | RunTimeOnly(), _):
            return True
        case (Tensor() | Hole()), Tensor():
            type_ = template.type if isinstance(template, Hole) else _now(template, before).value.type
            own = cast(TensorType, _now(value, heap).value.type)
            return isinstance(type_, TensorType) and join_types(type_, own) is not None
        case (Known() | Scalar() | Hole()), (Known() | Scalar()):
            type_ = template.type if isinstance(template, Hole) else _leaf_type(template)
            if type_ is None or isinstance(type_, TensorType):
                return isinstance(template, Known) and same(template, value)
            return type_ == _leaf_type(value)
        case (Tuple() | TupleOf()), Tuple():
            like = template.like if isinstance(template, TupleOf) else template
            return like.__class__ is value.__class__ and len(template.elements) == len(value.elements)
        case (Ref() | RefOf()), Ref():
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
        case (Hole() | TupleOf() | RefOf() | OneOf()), _:
            return False
        case Enumerator(), Enumerator():
            return template.member == value.member
        case _:
            return same(template, value)


@dataclass
class Instance:
    """Fills templates with values, one for each hole, in a fixed order."""

    values: list[Value]
    heap: Heap
    loop: Span | None
    at: int = 0

    def of(self, template: Template) -> Abstract:
        match template:
            case Hole():
                value = self._next()
                return Tensor(value) if isinstance(value.type, TensorType) else Scalar(value)
            case TupleOf():
                return template.like.of(tuple(self.of(t) for t in template.elements))
            case RefOf():
                ref = Ref(template.like.kind, template.like.type, site=template.like.site)
                self.heap[ref] = {k: self.of(t) for k, t in template.contents.items()}
                # it may be the list of before the loop or one of the body: not to be changed through this name
                if HANDLE not in template.contents:
                    place: dict[Any, Any] = {} if self.loop is None else {LOOP: self.loop}
                    self.heap[Frozen(ref)] = {HANDLE: template.like, **place}
                return ref
            case OneOf():
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

    def contents(self, templates: HeapTemplate) -> None:
        for key, contents in templates.items():
            if isinstance(contents, RunTimeOnly):
                self.heap[key] = contents
            else:
                self.heap[key] = {k: self.of(t) for k, t in contents.items()}


def holes_of(template: Template) -> list[Hole]:
    match template:
        case Hole():
            return [template]
        case TupleOf():
            return [h for t in template.elements for h in holes_of(t)]
        case RefOf():
            return [h for t in template.contents.values() for h in holes_of(t)]
        case OneOf():
            selectors = [Hole(BOOL)] * (len(template.alternatives) - 1)
            return [*selectors, *(h for t in template.alternatives for h in holes_of(t))]
        case _:
            return []


def leaves_at(ev: Evaluator, template: Template, value: Abstract, heap: Heap) -> list[Abstract]:
    """What stands in `value` where the template has its holes; code is written for what a run-time bool decides."""
    value = decided(ev, value, ev.assumed)
    if isinstance(value, Variant) and holes_of(template):
        then, otherwise = value.then, value.otherwise
        return fork(
            ev,
            Scalar(value.selector),
            lambda: leaves_at(ev, template, then, heap),
            lambda: leaves_at(ev, template, otherwise, heap),
        )
    match template:
        case OneOf():
            return _leaves_of_one(ev, template, value, heap)
        case Hole():
            if isinstance(value, Tensor):
                contents = heap.get(value.value)
                return [value if contents is None else cast(Mapping[Any, Abstract], contents)[0]]
            return [value]
        case TupleOf():
            elements = value.elements if isinstance(value, Tuple) else (value,) * len(template.elements)
            return [x for t, v in zip(template.elements, elements) for x in leaves_at(ev, t, v, heap)]
        case RefOf():
            contents = heap.get(value) if isinstance(value, Ref) else None
            return [
                x
                for k, t in template.contents.items()
                for x in leaves_at(ev, t, value if contents is None else cast(Mapping[Any, Abstract], contents)[k], heap)
            ]
        case _:
            return []


def _leaves_of_one(ev: Evaluator, template: OneOf, value: Abstract, heap: Heap) -> list[Abstract]:
    if isinstance(value, Uninitialized):
        return [value for _ in holes_of(template)]
    at = next(i for i, t in enumerate(template.alternatives) if _fits(t, value, heap, heap))
    found: list[Abstract] = [known(i == at) for i in range(len(template.alternatives) - 1)]
    for i, alternative in enumerate(template.alternatives):
        found += leaves_at(ev, alternative, value if i == at else Uninitialized(), heap)
    return found


def heap_holes(templates: HeapTemplate) -> list[Hole]:
    return [h for c in templates.values() if isinstance(c, Mapping) for t in c.values() for h in holes_of(t)]


def heap_leaves(ev: Evaluator, templates: HeapTemplate, heap: Heap) -> list[Abstract]:
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
                if isinstance(template, Hole) and isinstance(key, Value)
                else leaves_at(ev, template, value, heap)
            )
    return found
