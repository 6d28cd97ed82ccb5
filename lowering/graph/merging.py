"""What the two branches of a run-time condition leave, as one value: the joins of partial evaluation.

Tensors of one dtype and rank and numbers of one type become results of the residual `prim::If`; tuples, and the
contents of lists and dicts, are merged element by element. What has no common structure (None and a tensor, lists of
different length, two objects) becomes a `Variant`: both, with the bool that selects. The tensors of a Variant are
results of the `If` too, beside a placeholder that is never read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from ...ir.core import Block, Operation, OpResult, Value
from ...ir.diagnostics import NotStatic
from ...ir.script_types import BOOL, FLOAT, INT, STR, ScriptType, TensorType
from .run_time_types import COMPOSED, join
from .values import (
    FALSE,
    HANDLE,
    LOOP,
    TRUE,
    Abstract,
    Contents,
    Enumerator,
    Frozen,
    Heap,
    Known,
    KnownValue,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Uninitialized,
    Variant,
    VariantContents,
    join_types,
    known,
    same,
    type_of,
    zero,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

MAX_ALTERNATIVES: Final = 12
"""A value has at most so many structures, one of which is selected at run time."""

MANY_STRUCTURES: Final = 8
"""A list, dict or object of more structures is rather made at run time, where that is possible."""

MAX_CHOICES: Final = 8
"""A number is known to be one of at most so many constants."""

AnyContents = Contents | VariantContents

Choice = Known | tuple[Value, "Choice", "Choice"]
"""A constant, or what it is where a run-time bool holds, and where it does not."""


def constants_in(choice: Choice) -> int:
    return 1 if isinstance(choice, Known) else constants_in(choice[1]) + constants_in(choice[2])


@dataclass
class Branch:
    """One side of a condition, as it was written."""

    block: Block
    results: list[Abstract]
    heap: Heap
    diverged: bool
    facts: Mapping[Value, KnownValue]
    """What its condition implies."""
    computed: MutableMapping[Any, tuple[Value, bool]]


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


def decided(ev: Evaluator, value: Abstract, facts: Mapping[Value, KnownValue]) -> Abstract:
    """What is left of the alternatives of a value, and of the constants of a number, under these facts."""
    match value:
        case Scalar():
            return decided_number(ev, value, facts)
        case Variant():
            holds = facts.get(value.selector)
            if holds is not None:
                return decided(ev, value.then if holds else value.otherwise, facts)
            then, otherwise = decided(ev, value.then, facts), decided(ev, value.otherwise, facts)
            if then is value.then and otherwise is value.otherwise:
                return value
            return Variant(value.selector, then, otherwise)
        case Tuple():
            elements = tuple(decided(ev, e, facts) for e in value.elements)
            return value if all(a is b for a, b in zip(elements, value.elements)) else value.of(elements)
        case _:
            return value


def decided_number(ev: Evaluator, value: Scalar, facts: Mapping[Value, KnownValue]) -> Known | Scalar:
    if value.value in facts:
        return Known(facts[value.value], type_of(value))
    choice: Choice | None = ev.choices.get(value.value)
    while isinstance(choice, tuple) and choice[0] in facts:
        choice = choice[1] if facts[choice[0]] else choice[2]
    return choice if isinstance(choice, Known) else value


def decided_contents(ev: Evaluator, contents: AnyContents, facts: Mapping[Value, KnownValue]) -> AnyContents:
    """The same for the contents of a list, dict or object, and for what is in them."""
    if isinstance(contents, VariantContents):
        holds = facts.get(contents.selector)
        if holds is not None:
            return decided_contents(ev, contents.then if holds else contents.otherwise, facts)
        then, otherwise = decided_contents(ev, contents.then, facts), decided_contents(ev, contents.otherwise, facts)
        if then is contents.then and otherwise is contents.otherwise:
            return contents
        return VariantContents(contents.selector, then, otherwise)
    left = {k: decided(ev, v, facts) for k, v in contents.items()}
    return contents if all(left[k] is v for k, v in contents.items()) else left


def leaves(tree: Any) -> list[Any]:
    """The alternatives of a Variant or VariantContents, in order; of anything else itself."""
    if isinstance(tree, Variant | VariantContents):
        return [*leaves(tree.then), *leaves(tree.otherwise)]
    return [tree]


@dataclass
class Logic:
    """Writes operations on bools at the end of a block, each once."""

    write: Callable[[str, tuple[Value, ...]], Value]
    _written: dict[tuple[str, tuple[Value, ...]], Value] = field(default_factory=dict[Any, Value])

    def op(self, name: str, *operands: Value) -> Value:
        if (name, operands) not in self._written:
            self._written[name, operands] = self.write(name, operands)
        return self._written[name, operands]

    def member(self, tree: Any, leaf: Any, earlier: tuple[Any, ...]) -> bool | Value | None:
        """Whether `leaf` is the alternative of `tree` that is selected; None (either) where it is an `earlier` one."""
        if not isinstance(tree, Variant | VariantContents):
            return True if tree is leaf else None if any(tree is e for e in earlier) else False
        then, otherwise = self.member(tree.then, leaf, earlier), self.member(tree.otherwise, leaf, earlier)
        if then is None or otherwise is None or then is otherwise:
            return otherwise if then is None else then
        selector = tree.selector
        if then is True:
            return selector if otherwise is False else self.op("aten::__or__.bool", selector, cast(Value, otherwise))
        if otherwise is False:
            return self.op("aten::__and__.bool", selector, cast(Value, then))
        negated = self.op("aten::__not__", selector)
        if otherwise is True:
            return negated if then is False else self.op("aten::__or__.bool", negated, then)
        rest = self.op("aten::__and__.bool", negated, otherwise)
        return (
            rest
            if then is False
            else self.op("aten::__or__.bool", self.op("aten::__and__.bool", selector, then), rest)
        )


_T = TypeVar("_T")


@dataclass
class _Kind(Generic[_T]):
    """How alternatives of one kind (values, contents) are merged."""

    alike: Callable[[_T, _T], bool]
    merge: Callable[[_T, _T], _T]
    promote: Callable[[_T, bool], _T]
    make: Callable[[Value, _T, _T], _T]


@dataclass
class Merge:
    """Merges what two branches leave. `op` is the `prim::If` that is being made; results are added to it."""

    ev: Evaluator
    op: Operation
    then: Branch
    otherwise: Branch
    _pairs: dict[tuple[Value | None, Value | None], Value] = field(default_factory=dict[Any, Value])
    _refs: dict[tuple[Ref, Ref], Ref] = field(default_factory=dict[Any, Ref])
    _promoted: dict[Ref, None] = field(default_factory=dict[Ref, None])
    _new: Heap = field(default_factory=dict[Any, Any])

    def __post_init__(self) -> None:
        self._logic = [self._writer(s.block) for s in (self.then, self.otherwise)]
        self._of_values: _Kind[Any] = _Kind(self._alike, self._merged, self._promote, Variant)
        self._of_contents: _Kind[Any] = _Kind(
            lambda a, b: list(a) == list(b), self._contents, self._promote_contents, VariantContents
        )

    def _writer(self, block: Block) -> Logic:
        def write(name: str, operands: tuple[Value, ...]) -> Value:
            return block.append(Operation(name, operands, (BOOL,), span=self.ev.span)).result

        return Logic(write)

    # values

    def values(self, a: Abstract, b: Abstract) -> Abstract:
        if same(a, b):
            return a
        a, b = decided(self.ev, a, self.then.facts), decided(self.ev, b, self.otherwise.facts)
        match a, b:
            case Uninitialized(), _:
                return self._promote(b, False)
            case _, Uninitialized():
                return self._promote(a, True)
            case (RunTimeOnly(), _) | (_, RunTimeOnly()):
                return a if isinstance(a, RunTimeOnly) else b
            case Ref(), Ref() if a not in self.ev.heap or b not in self.ev.heap:
                # it may have to be known which of several names mean one
                made = self._made_at_run_time(a, b) if self.op.span in self.ev.hints else None
                if made is not None:
                    a, b = made
                else:
                    self._at_run_time(a, self.then.heap.get(a), b, self.otherwise.heap.get(b))
                return self._alternatives(a, b, self._of_values)
            case _:
                return self._alternatives(a, b, self._of_values)

    def _unknown(self, what: str) -> RunTimeOnly:
        return RunTimeOnly(what, self.ev.span)

    def _alike(self, a: Abstract, b: Abstract) -> bool:
        """Whether both have one structure, so that the merged value needs no selector."""
        if same(a, b):
            return True
        match a, b:
            case Tuple(), Tuple():
                return a.__class__ is b.__class__ and len(a.elements) == len(b.elements)
            case Ref(), Ref():
                return (a, b) in self._refs or self._references_alike(a, b)
            case Tensor(), Tensor():
                left, right = self._current(a, self.then.heap), self._current(b, self.otherwise.heap)
                return (
                    left is not None
                    and right is not None
                    and join_types(cast(TensorType, left.type), cast(TensorType, right.type)) is not None
                )
            case ((Known() | Scalar()), (Known() | Scalar())):
                return type_of(a) == type_of(b) and (type_of(a) in (INT, FLOAT, BOOL, STR) or isinstance(type_of(a), COMPOSED))
            case Enumerator(), Enumerator():
                return a.member == b.member
            case _:
                return False

    def _merged(self, a: Abstract, b: Abstract) -> Abstract:
        """The merged value of two that are alike."""
        if same(a, b):
            return a
        match a, b:
            case Tuple(), Tuple():
                return a.of(tuple(self.values(x, y) for x, y in zip(a.elements, b.elements)))
            case Ref(), Ref():
                return self._references(a, b)
            case Enumerator(), Enumerator():
                return Enumerator(a.member)
            case Tensor(), Tensor():
                return self._tensors(a, b)
            case _:
                return self._numbers(cast("Known | Scalar", a), cast("Known | Scalar", b))

    def _alternatives(self, a: Any, b: Any, kind: _Kind[Any]) -> Any:
        """Two trees of alternatives as one: alternatives that are alike are one, so that there are never many."""
        classes = self._classes(a, b, kind)
        made = self._made_at_run_time(a, b) if len(classes) > MAX_ALTERNATIVES and kind is self._of_values else None
        if made is not None:
            a, b = made
            classes = self._classes(a, b, kind)
        if len(classes) > MAX_ALTERNATIVES:
            return self._unknown(f"which of more than {MAX_ALTERNATIVES} structures this has")
        if len(classes) > 1:
            self.ev.undecided = True
            if not any(x is not None and y is not None for x, y in classes):
                then, otherwise = kind.promote(a, True), kind.promote(b, False)
                return kind.make(self.op.operand(0), then, otherwise)
        return self._chain(a, b, classes, kind)

    def _classes(self, a: Any, b: Any, kind: _Kind[Any]) -> list[list[Any]]:
        """Alternatives of both, those that are alike in pairs."""
        swapped = isinstance(b, Variant | VariantContents) and not isinstance(a, Variant | VariantContents)
        classes: list[list[Any]] = [[None, x] if swapped else [x, None] for x in leaves(b if swapped else a)]
        own = 0 if swapped else 1
        for x in leaves(a if swapped else b):
            for pair in classes:
                other = pair[1 - own]
                if pair[own] is None and other is not None and kind.alike(*((x, other) if swapped else (other, x))):
                    pair[own] = x
                    break
            else:
                classes.append([x, None] if swapped else [None, x])
        return classes

    def _made_at_run_time(self, a: Abstract, b: Abstract) -> tuple[Abstract, Abstract] | None:
        """The values with lists, dicts or objects of one type among their alternatives as one, made at run time."""
        ev = self.ev
        groups: dict[Any, list[Ref]] = {}
        for leaf in (*leaves(a), *leaves(b)):
            if isinstance(leaf, Ref) and ev.may_be_promoted(leaf):
                groups.setdefault((leaf.kind, leaf.type), []).append(leaf)
        group: list[Ref] = max(groups.values(), key=len) if groups else []
        if len(group) < 2 or any(map(self._is_merged, group)):
            return None
        sides = [(self.then, a), (self.otherwise, b)]
        own = [[r for r in dict.fromkeys(leaves(v)) if r in group] for _, v in sides]

        def types() -> ScriptType:
            found = [self._inside(s, lambda rs=rs: [ev.contents_type(r) for r in rs]) for (s, _), rs in zip(sides, own)]
            return ev.joined([t for ts in found for t in ts])

        def write() -> tuple[Abstract, Abstract]:
            t = types()
            x, y = (
                self._inside(side, lambda v=v, rs=rs: ev.grouped(v, rs, t)) if rs else v
                for (side, v), rs in zip(sides, own)
            )
            return x, y

        return self._tried(write)

    def _is_merged(self, ref: Ref) -> bool:
        """Whether it stands behind the `If` already, and not as what is made at run time."""
        made = any(HANDLE in c for c in self._mappings(ref, ref))
        return not made and (ref in self._promoted or any(ref in pair for pair in self._refs))

    def _place(self) -> Contents:
        """What is noted of what may be another one: where that comes from."""
        place: dict[Any, Any] = {} if self.op.span is None else {LOOP: self.op.span}
        return place

    def _inside(self, branch: Branch, write: Callable[[], _T]) -> _T:
        """Code at the end of a branch."""
        ev = self.ev
        saved = ev.heap, ev.assumed, ev.computed
        ev.heap, ev.assumed, ev.computed = branch.heap, {**ev.assumed, **branch.facts}, ev.computed.new_child()
        try:
            with ev.b.inside(branch.block):
                return write()
        finally:
            branch.heap = ev.heap
            ev.heap, ev.assumed, ev.computed = saved

    def _tried(self, write: Callable[[], _T]) -> _T | None:
        """What `write` gives; None where something is not known that it needs, and what it has changed is as before."""
        if self.ev.static_lists:
            return None
        heaps = self.then.heap, self.otherwise.heap
        self.then.heap, self.otherwise.heap = dict(heaps[0]), dict(heaps[1])
        try:
            return write()
        except NotStatic:
            self.then.heap, self.otherwise.heap = heaps
            return None

    def _entry_at_run_time(self, ref: Ref) -> bool:
        """Makes what has many structures at run time, in both branches."""
        ev, sides = self.ev, (self.then, self.otherwise)

        def write() -> bool:
            t = ev.joined([self._inside(side, lambda: ev.contents_type(ref)) for side in sides])
            for side in sides:
                self._inside(side, lambda: ev.promote(ref, t))
            return True

        return ev.may_be_promoted(ref) and self._tried(write) is not None

    def _chain(self, a: Any, b: Any, classes: list[list[Any]], kind: _Kind[Any]) -> Any:
        selectors: list[Scalar | bool] = []
        for i, (x, y) in enumerate(classes[:-1]):
            earlier = classes[:i]
            left = self._logic[0].member(a, x, tuple(c[0] for c in earlier))
            right = self._logic[1].member(b, y, tuple(c[1] for c in earlier))
            selectors.append(self._selector(left or False, right or False))
        merged = [kind.promote(y, False) if x is None else kind.promote(x, True) if y is None else kind.merge(x, y)
                  for x, y in classes]  # fmt: skip
        result = merged[-1]
        for selector, value in zip(reversed(selectors), reversed(merged[:-1])):
            if isinstance(selector, bool):
                result = value if selector else result
            else:
                result = kind.make(selector.value, value, result)
        return result

    def _selector(self, left: bool | Value, right: bool | Value) -> Scalar | bool:
        if isinstance(left, bool) and left is right:
            return left
        sides = [known(v) if isinstance(v, bool) else Scalar(v) for v in (left, right)]
        return cast(Scalar, self._numbers(sides[0], sides[1]))

    def _numbers(self, a: Known | Scalar, b: Known | Scalar) -> Abstract:
        condition = Scalar(self.op.operand(0))
        if same(a, TRUE) and same(b, FALSE):
            return condition
        if same(a, FALSE) and same(b, TRUE):
            return negate(self.ev, condition)
        result = self._result(self.ev.materialise(a), self.ev.materialise(b), type_of(a))
        self._note_choice(result, a, b)
        return Scalar(result)

    def _note_choice(self, result: Value, a: Known | Scalar, b: Known | Scalar) -> None:
        """A number that is one of few constants: what depends on it can be computed for each of them."""
        left, right = (v if isinstance(v, Known) else self.ev.choices.get(v.value) for v in (a, b))
        if left is None or right is None or constants_in(left) + constants_in(right) > MAX_CHOICES:
            return
        then, otherwise = self._promote_choice(left, True), self._promote_choice(right, False)
        self.ev.choices[result] = (self.op.operand(0), then, otherwise)
        self.ev.undecided = True

    def _promote_choice(self, choice: Choice, first: bool) -> Choice:
        if isinstance(choice, Known):
            return choice
        selector = cast(Scalar, self._promote(Scalar(choice[0]), first)).value
        return (selector, self._promote_choice(choice[1], first), self._promote_choice(choice[2], first))

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
        now = contents[0] if isinstance(contents, Mapping) else None
        return now.value if isinstance(now, Tensor) else None

    def _result(self, a: Value | None, b: Value | None, type_: ScriptType) -> Value:
        if (a, b) not in self._pairs:
            result = OpResult(self.op, len(self.op.results), type_)
            self.op.results.append(result)
            self._pairs[a, b] = result
        return self._pairs[a, b]

    def _promote(self, value: Abstract, first: bool) -> Abstract:
        """What one branch leaves, behind the `If`: its own tensors and numbers become results beside placeholders."""
        branch = self.then if first else self.otherwise
        match value:
            case Scalar() | Tensor():
                inner = value.value if isinstance(value, Scalar) else self._current(value, branch.heap)
                if inner is None:
                    return self._unknown("the shape of this tensor")
                if not is_inside(inner, branch.block):
                    return value
                result = self._promoted_value(inner, first)
                return Scalar(result) if isinstance(value, Scalar) else Tensor(result)
            case Tuple():
                return value.of(tuple(self._promote(e, first) for e in value.elements))
            case Text():
                return Text(
                    tuple(p if isinstance(p, str) else cast(Scalar, self._promote(p, first)) for p in value.parts)
                )
            case Variant():
                selector = cast(Scalar, self._promote(Scalar(value.selector), first)).value
                return Variant(selector, self._promote(value.then, first), self._promote(value.otherwise, first))
            case Ref() if value not in self.ev.heap and value not in self._promoted:
                return self._promote_reference(value, branch, first)
            case _:
                return value

    def _promoted_value(self, inner: Value, first: bool) -> Value:
        pair = (inner, None) if first else (None, inner)
        result = self._result(*pair, cast(ScriptType, inner.type))
        choice = self.ev.choices.get(inner)
        if choice is not None and result not in self.ev.choices:
            self.ev.choices[result] = self._promote_choice(choice, first)
        return result

    def _promote_reference(self, ref: Ref, branch: Branch, first: bool) -> Abstract:
        contents = branch.heap[ref]
        if isinstance(contents, RunTimeOnly):
            return contents
        if any(ref in pair for pair in self._refs):
            # it stands for another one here too: a change through one name could not be seen through the other
            self._new[Frozen(ref)] = self._place()
            for pair, merged in self._refs.items():
                if ref in pair:
                    self._new[Frozen(merged)] = self._place()
        self._promoted[ref] = None
        self._new[ref] = {}
        self._new[ref] = self._promote_contents(contents, first)
        return ref

    def _promote_contents(self, contents: AnyContents, first: bool) -> AnyContents:
        if isinstance(contents, VariantContents):
            selector = cast(Scalar, self._promote(Scalar(contents.selector), first)).value
            then, otherwise = (self._promote_contents(c, first) for c in (contents.then, contents.otherwise))
            return VariantContents(selector, then, otherwise)
        return {k: self._promote(v, first) for k, v in contents.items()}

    # lists, dicts and objects

    def _at_run_time(self, a: Ref, left: Any, b: Ref, right: Any) -> bool:
        """Where one branch leaves a list, dict or object made at run time and the other not, makes that one as well."""
        handles = [isinstance(c, Mapping) and HANDLE in c for c in (left, right)]
        if a.kind != b.kind or handles[0] == handles[1]:
            return False
        branch, ref = (self.otherwise, b) if handles[0] else (self.then, a)
        given = cast(Contents, left if handles[0] else right)[HANDLE]
        if ref in self.ev.heap and a is not b:
            return False
        ev = self.ev
        saved = ev.heap, ev.assumed
        ev.heap, ev.assumed = branch.heap, {**ev.assumed, **branch.facts}
        try:
            with ev.b.inside(branch.block):
                ev.promote(ref, type_of(given))
        finally:
            branch.heap = ev.heap
            ev.heap, ev.assumed = saved
        return True

    def _references_alike(self, a: Ref, b: Ref) -> bool:
        """New lists and dicts with the same keys become one; what exists elsewhere too stays itself. Of run-time lists
        it is known at run time which one it is."""
        handles = [c[HANDLE] for c in self._mappings(a, b) if HANDLE in c]
        if len(handles) == 2:
            return type_of(handles[0]) == type_of(handles[1])
        if a.kind != b.kind or any(r in self.ev.heap or r in self._promoted for r in (a, b)):
            return False
        if a.kind == "object" and a.type is not b.type:
            return False
        left, right = self.then.heap[a], self.otherwise.heap[b]
        return isinstance(left, Mapping) and isinstance(right, Mapping) and list(left) == list(right)

    def _mappings(self, a: Ref, b: Ref) -> list[Contents]:
        found = (self.then.heap.get(a), self.otherwise.heap.get(b))
        return [c for c in found if isinstance(c, Mapping)]

    def _references(self, a: Ref, b: Ref) -> Abstract:
        if (a, b) in self._refs:
            return self._refs[a, b]
        handles = [c[HANDLE] for c in self._mappings(a, b) if HANDLE in c]
        if handles:
            self._refs[a, b] = merged = Ref(a.kind, a.type, site=a.site)
            self._new[merged] = {HANDLE: self.values(*handles)}
            return merged
        left, right = cast(Contents, self.then.heap[a]), cast(Contents, self.otherwise.heap[b])
        merged = Ref(a.kind, a.type, site=a.site)
        if any(r in pair for pair in self._refs for r in (a, b)):
            # one that stands for several: a change through one name could not be seen through the other
            for ref in (a, b, merged, *(m for pair, m in self._refs.items() if a in pair or b in pair)):
                self._new[Frozen(ref)] = self._place()
        self._refs[a, b] = merged
        self._new[merged] = {}
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
                merged[key] = cast(Contents, left.get(key) or right.get(key) or {})
            elif key in before or (isinstance(key, Value) and not self._is_local(key)):
                a, b = _contents_of(left, key), _contents_of(right, key)
                if a is not b:
                    merged[key] = self._merge_entry(key, a, b)
        merged.update(self._new)
        return merged

    def _is_local(self, value: Value) -> bool:
        return is_inside(value, self.then.block) or is_inside(value, self.otherwise.block)

    def _merge_entry(
        self, key: Any, a: AnyContents | RunTimeOnly, b: AnyContents | RunTimeOnly
    ) -> AnyContents | RunTimeOnly:
        if isinstance(a, RunTimeOnly) or isinstance(b, RunTimeOnly):
            return a if isinstance(a, RunTimeOnly) else b
        a, b = decided_contents(self.ev, a, self.then.facts), decided_contents(self.ev, b, self.otherwise.facts)
        if isinstance(key, Ref) and self._at_run_time(key, a, key, b):
            a, b = cast(Contents, self.then.heap[key]), cast(Contents, self.otherwise.heap[key])
        if isinstance(key, Ref) and not self._of_one_type(key, a, b):
            return self._unknown(_structure(key))
        if isinstance(key, Ref) and isinstance(a, VariantContents) | isinstance(b, VariantContents):
            many = len(self._classes(a, b, self._of_contents)) > MANY_STRUCTURES
            if many and self._entry_at_run_time(key):
                a, b = cast(Contents, self.then.heap[key]), cast(Contents, self.otherwise.heap[key])
        merged = self._alternatives(a, b, self._of_contents)
        if isinstance(merged, RunTimeOnly):
            return self._unknown(_structure(key) if isinstance(key, Ref) else "the shape of this tensor")
        if isinstance(key, Value) and isinstance(merged[0], RunTimeOnly):
            return merged[0]
        return merged

    def _of_one_type(self, ref: Ref, a: AnyContents, b: AnyContents) -> bool:
        """Whether what both branches have made at run time has one type; where it can have one, that is asked for."""
        made = [c[HANDLE] for c in (a, b) if isinstance(c, Mapping) and HANDLE in c]
        if len(made) < 2 or type_of(made[0]) == type_of(made[1]):
            return True
        wanted = join(type_of(made[0]), type_of(made[1]))
        if wanted is not None:
            raise self.ev.retyped(ref, wanted)
        return False

    def yielded(self) -> tuple[list[Value], list[Value]]:
        """Operands of the two terminators; placeholders for values that are never read are made in the branches."""
        left: list[Value] = []
        right: list[Value] = []
        for a, b in self._pairs:
            left.append(a if a is not None else placeholder(self.ev, self.then.block, cast(Value, b)))
            right.append(b if b is not None else placeholder(self.ev, self.otherwise.block, cast(Value, a)))
        return left, right


def _contents_of(heap: Heap, key: Any) -> AnyContents | RunTimeOnly:
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
    if not isinstance(type_, (TensorType, *COMPOSED)):
        return ev.pool.number(zero(type_), type_)
    return block.append(Operation("prim::Uninitialized", (), (type_,), span=ev.span)).result


def negate(ev: Evaluator, condition: Scalar) -> Scalar:
    inner = condition.value.defining_op("aten::__not__")
    if inner is not None:
        return Scalar(inner.operand(0))
    return Scalar(ev.emit("aten::__not__", (condition.value,), (BOOL,)).result)
