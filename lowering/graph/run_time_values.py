"""Values whose structure is known at run time only, of every kind: how the specialiser goes over to them and back.

A list, dict or object starts as abstract values in the heap (`values.py`). Where that cannot go on it is *promoted*:
made anew at run time by nodes of its own, and its contents in the heap become `{HANDLE: Scalar(value)}`. All names go on
meaning the same one. The type of that value says what it holds (`run_time_types.py`). This is what all kinds have in
common; what is special to one is in its own file (`run_time_lists.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir.core import Value
from ...ir.diagnostics import CompileError, NotStatic
from ...ir.script_types import (
    ANY,
    BOOL,
    COMPLEX,
    FLOAT,
    NEVER,
    NONE,
    TENSOR,
    AnyType,
    ClassType,
    DictType,
    EnumMember,
    EnumType,
    FutureType,
    InstanceType,
    InterfaceType,
    ListType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
)
from ...ir.source import Span
from . import run_time_dicts, run_time_lists, run_time_objects
from .branches import fork
from .merging import decided_contents, leaves
from .run_time_types import PLAIN, REFERENCES, general, holds_tensors, is_never, join, plain, settled, union
from .values import (
    FALSE,
    HANDLE,
    LOOP,
    NONE_VALUE,
    TRUE,
    Abstract,
    Complex,
    Contents,
    Enumerator,
    Frozen,
    Function,
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
    matches,
    type_of,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

Whole = Callable[[ScriptType], ScriptType]
"""The type of what holds a value, by the type of the value."""

HELP: Final = (
    "a list whose length is only known at run time holds numbers, tensors of one dtype and number of dimensions, "
    "or lists and tuples of these"
)

FEW_MEMBERS: Final = 4
"""The member of an Enum that has at most so many is one of constants."""

PROMOTED: Final = ("list", "dict", "object")
"""Kinds of references that can be made at run time."""


class NeedsRunTimeValue(NotStatic):
    """A loop changes what one of `refs` (the first that exists before the loop) is so that it has to be made at run
    time, there, with this type."""

    refs: tuple[Ref, ...] = ()
    type: ScriptType | None = None


class ElementMismatch(NotStatic):
    """A value does not fit the type that what shall hold it was taken to have."""


class Retype(CompileError):
    """What the program makes at a place has to have another type: the specialiser is to start again, and know it."""

    key: Any = None
    type: ScriptType | None = None


def handle(ev: Evaluator, value: Abstract) -> Value | None:
    """The value of a list, dict or object made at run time; None for everything else."""
    return handle_in(ev.heap.get(value)) if isinstance(value, Ref) else None


def handle_in(contents: Any) -> Value | None:
    if isinstance(contents, Mapping) and HANDLE in contents:
        return cast(Scalar, cast("Mapping[Any, Abstract]", contents)[HANDLE]).value
    return None


def may_be_promoted(ref: Ref) -> bool:
    """Whether it can be made at run time: no module, and nothing that outlives the call."""
    is_module = isinstance(ref.type, ClassType) and ref.type.is_module
    return ref.kind in PROMOTED and not ref.is_outer and not is_module


def structure(ref: Ref) -> str:
    """What is not known about a list, dict or object whose structure changes."""
    return {"list": "the length of this list", "dict": "which keys this dict has"}.get(ref.kind, "what this object has")


def needs(ev: Evaluator, refs: Sequence[Ref], message: str, t: ScriptType | None = None, help: str | None = None) -> Exception:
    """The NeedsRunTimeValue error."""
    error = ev.error(message, help=help, kind=NeedsRunTimeValue)
    assert isinstance(error, NeedsRunTimeValue)
    error.refs, error.type = tuple(refs), t
    return error


def mismatch(ev: Evaluator, what: str, hopeless: bool) -> Exception:
    if hopeless:
        return ev.not_static("the dtype or number of dimensions of the tensors in this list", help=HELP)
    return ev.error(f"{what} is only known at run time", kind=ElementMismatch)


# several names for one


def before_change(ev: Evaluator, ref: Ref) -> None:
    """Where another name may mean this one as well, which is only known at run time, that name says nothing any more.

    Inside a loop that can be written with run-time values, that is asked for instead: then both names see the change.
    """
    frozen = [key.ref for key in ev.heap if isinstance(key, Frozen)]
    if not frozen:
        return
    is_frozen = Frozen(ref) in ev.heap
    others = [r for r in frozen if r is not ref and r.kind == ref.kind and (is_frozen or ref in _entries(ev, r))]
    others = [r for r in dict.fromkeys((*_entries(ev, ref), *others)) if isinstance(ev.heap.get(r), Mapping)]
    if not others and not is_frozen:
        return
    message = "this list or dict may be one of several, which is only known at run time: it cannot be changed here"
    entries = list(dict.fromkeys(e for r in (ref, *others) for e in _entries(ev, r)))
    if ref.kind not in PROMOTED or any(r.is_outer for r in others):
        raise ev.error(message, help="change a copy of it")
    if entries and (ev.static_lists or ev.list_attempts):
        raise needs(ev, entries, message, help="change a copy of it")
    loops = tuple(dict.fromkeys(loop for r in (ref, *others) for loop in _loops(ev, r)))
    for other in others:
        what = f"what is in this {other.kind}, which may have been changed through another name,"
        ev.heap[other] = RunTimeOnly(what, ev.span, loops)


def _loops(ev: Evaluator, ref: Ref) -> list[Span]:
    """Loops after which it is not known which one this is."""
    entries = (ev.heap.get(Frozen(r)) for r in (ref, *_entries(ev, ref)))
    return [cast(Span, e[LOOP]) for e in entries if isinstance(e, Mapping) and LOOP in e]


def loops_again(ev: Evaluator, loops: Sequence[Span]) -> CompileError | None:
    """The error that has the specialiser start again, and write these loops with values made at run time."""
    new = [loop for loop in loops if loop not in ev.hints]
    if not new:
        return None
    error = ev.error("which of several this is is only known at run time", kind=Retype)
    assert isinstance(error, Retype)
    error.key, error.type = new[0], NONE
    return error


def may_be_another(ev: Evaluator, ref: Ref) -> bool:
    """Whether it is only known at run time which list, dict or object this is."""
    return Frozen(ref) in ev.heap or handle(ev, ref) is not None


def identity(ev: Evaluator, a: Ref, b: Ref) -> Abstract | None:
    """Whether two are one; None where that is not known, or neither is made at run time."""
    first, second = handle(ev, a), handle(ev, b)
    if (first is None) != (second is None):
        # what has not been made at run time is none of what has been
        return None if Frozen(b if second is None else a) in ev.heap else FALSE
    if first is None or second is None or first.type != second.type:
        return None
    return Scalar(ev.emit("aten::__is__", (first, second), (BOOL,)).result)


def _entries(ev: Evaluator, ref: Ref) -> list[Ref]:
    """What from before loops this one, which a loop leaves, may be."""
    found: list[Ref] = []
    current: Abstract | None = ref
    while isinstance(current, Ref):
        current = cast("Mapping[Any, Abstract]", ev.heap.get(Frozen(current), {})).get(HANDLE)
        if isinstance(current, Ref):
            found.append(current)
    return found


# types


def declared_type(ev: Evaluator, t: ScriptType) -> ScriptType:
    """What a declared type says; an error where such values cannot be made at run time."""
    match t:
        case TensorType():
            return TENSOR
        case ListType():
            return ListType(declared_type(ev, t.element))
        case DictType():
            if t.key not in run_time_dicts.KEYS:
                raise ev.not_static(f"which keys a dict with keys of type {t.key.annotation} has", help=run_time_dicts.HELP)
            return DictType(t.key, declared_type(ev, t.value))
        case FutureType():
            # where nothing is forked, a future is what it gives
            return FutureType(declared_type(ev, t.element)) if ev.forks.allowed else declared_type(ev, t.element)
        case TupleType():
            return TupleType(tuple(declared_type(ev, e) for e in t.elements))
        case OptionalType():
            return OptionalType(declared_type(ev, t.element))
        case UnionType():
            return union([m if m == NONE else declared_type(ev, m) for m in t.members])
        case AnyType() | InterfaceType():
            return UnionType(())
        case ClassType():
            return run_time_objects.declared_type(ev, t)
        case EnumType():
            return t
        case _ if t in PLAIN or t == COMPLEX:
            return t
        case _:
            raise ev.not_static(f"the length of a list of elements of type {t.annotation}", help=HELP)


def element_type(ev: Evaluator, value: Abstract, declared: ScriptType) -> ScriptType:
    """The type of a value as an element. `declared` tells an int that stands for a float."""
    match value:
        case Variant():
            return joined(ev, [element_type(ev, v, declared) for v in (value.then, value.otherwise)], declared)
        case _ if isinstance(declared, OptionalType):
            is_none = isinstance(value, Known) and value.value is None
            return declared if is_none else OptionalType(element_type(ev, value, declared.element))
        case _ if isinstance(declared, UnionType):
            return UnionType((_member_type(ev, value, declared),))
        case _ if isinstance(declared, FutureType):
            own = type_of(value)
            if not ev.forks.allowed:
                return element_type(ev, value, declared.element)
            return own if isinstance(own, FutureType) else FutureType(element_type(ev, value, declared.element))
        case Tensor():
            return ev.tensor_type(value)
        case Complex() if declared == COMPLEX:
            return declared
        case Tuple() if isinstance(declared, TupleType):
            return TupleType(tuple(element_type(ev, v, d) for v, d in zip(value.elements, declared.elements)))
        case Ref() if isinstance(declared, REFERENCES):
            return contents_type(ev, value)
        case Ref() if isinstance(declared, ClassType) and value.type is declared:
            return declared
        case Known() | Scalar() if declared in PLAIN:
            return declared
        case Enumerator() | Scalar() if isinstance(declared, EnumType) and type_of(value) is declared:
            return declared
        case _:
            raise ev.not_static("what kind of element this list has", help=HELP)


def _member_type(ev: Evaluator, value: Abstract, declared: UnionType) -> ScriptType:
    """The type of a value as a member of the Union; where the Union is open, as what it is itself."""
    found = _member(ev, value, declared)
    if found is not None:
        return NONE if found == NONE else element_type(ev, value, found)
    own = type_of(value)
    if own == NONE or isinstance(value, RunTimeOnly | Uninitialized | Text | Function):
        return NONE if own == NONE else element_type(ev, value, ANY)
    return element_type(ev, value, declared_type(ev, own))


def _member(ev: Evaluator, value: Abstract, t: UnionType) -> ScriptType | None:
    """The member of the Union that the value is; of those that tell tensors by dtype and rank, the one that it fits."""
    found = [m for m in t.members if matches(value, plain(m))]
    if not any(map(holds_tensors, found)):
        return next(iter(found), None)
    return next((m for m in found if join(m, element_type(ev, value, declared_type(ev, plain(m)))) is not None), None)


def joined(ev: Evaluator, types: Sequence[ScriptType], declared: ScriptType) -> ScriptType:
    result = declared
    for t in types:
        found = join(result, t)
        if found is None:
            raise ev.not_static("the dtype or number of dimensions of the tensors in this list", help=HELP)
        result = found
    return result


def contents_type(ev: Evaluator, ref: Ref, contents: Any = None) -> ScriptType:
    """The type of a list, dict or object, as far as it is known."""
    declared = declared_type(ev, ref.type)
    if isinstance(declared, InstanceType):
        declared = joined(ev, run_time_objects.hinted(ev, declared.of), declared)
    elif (hint := ev.hints.get(_key(ref))) is not None:
        declared = joined(ev, [hint], declared)
    contents = ev.heap.get(ref) if contents is None else contents
    own = handle_in(contents)
    if own is not None:
        return cast(ScriptType, own.type)
    known_ones = [cast(Contents, c) for c in leaves(contents) if isinstance(c, Mapping)]
    return joined(ev, [_type_of_contents(ev, ref, c, declared) for c in known_ones], declared)


def _type_of_contents(ev: Evaluator, ref: Ref, contents: Contents, declared: ScriptType) -> ScriptType:
    own = handle_in(contents)
    if own is not None:
        return cast(ScriptType, own.type)
    match declared:
        case ListType():
            return run_time_lists.type_of_contents(ev, contents, declared)
        case DictType():
            return run_time_dicts.type_of_contents(ev, contents, declared)
        case InstanceType():
            return run_time_objects.type_of_contents(ev, ref, contents, declared)
        case _:
            raise ev.not_static(structure(ref))


# promotion


def promote(ev: Evaluator, ref: Ref, t: ScriptType | None = None) -> Value:
    """Makes the list, dict or object at run time, here; `t`: what else its type has to hold."""
    own = handle(ev, ref)
    if own is not None:
        return own
    if Frozen(ref) in ev.heap:  # what comes of it may be changed, without its name
        again = loops_again(ev, _loops(ev, ref))
        if again is not None:
            raise again
        before_change(ev, ref)
    found = contents_type(ev, ref)
    t = found if t is None else joined(ev, [t], found)
    if ev.generous_lists:
        t = general(t)
    value = _made(ev, ref, settled(t))
    ev.heap[ref] = {HANDLE: Scalar(value)}
    return value


def _made(ev: Evaluator, ref: Ref, t: ScriptType) -> Value:
    contents = ev.heap[ref]
    if isinstance(contents, VariantContents):
        contents = decided_contents(ev, contents, ev.assumed)
    if isinstance(contents, VariantContents):

        def side() -> list[Abstract]:
            return [Scalar(_made(ev, ref, t))]

        return cast(Scalar, fork(ev, Scalar(contents.selector), side, side)[0]).value
    if isinstance(contents, RunTimeOnly):
        raise ev.use_error(contents)
    match t:
        case ListType():
            return run_time_lists.made(ev, contents, t)
        case DictType():
            return run_time_dicts.made(ev, contents, t)
        case InstanceType():
            return run_time_objects.made(ev, ref, contents, t)
        case _:
            raise ev.not_static(structure(ref))


def one_of(ev: Evaluator, value: Variant) -> Ref:
    """What a Variant of lists, dicts or objects is, as one made at run time."""
    refs = [cast(Ref, v) for v in leaves(value)]
    t = joined(ev, [contents_type(ev, r) for r in refs], contents_type(ev, refs[0]))

    def side(of: Abstract) -> Callable[[], list[Abstract]]:
        return lambda: [pick(of)]

    def pick(of: Abstract) -> Abstract:
        if isinstance(of, Variant):
            return fork(ev, Scalar(of.selector), side(of.then), side(of.otherwise))[0]
        return Scalar(promote(ev, cast(Ref, of), t))

    return ev.new_ref(refs[0].kind, refs[0].type, {HANDLE: pick(value)})


def grouped(ev: Evaluator, value: Abstract, group: Sequence[Ref], t: ScriptType | None = None) -> Abstract:
    """The value with those of its alternatives that are in the group as one, made at run time; `t`: what it has to hold."""
    t = t or joined(ev, [contents_type(ev, r) for r in group], contents_type(ev, group[0]))
    handles = {ref: Scalar(promote(ev, ref, t)) for ref in group}

    def pick(of: Abstract) -> list[Abstract]:
        if isinstance(of, Variant):
            return fork(ev, Scalar(of.selector), lambda: pick(of.then), lambda: pick(of.otherwise))
        if isinstance(of, Ref) and of in handles:
            return [TRUE, handles[of]]
        return [FALSE, Uninitialized()]

    is_one, chosen = pick(value)
    one = ev.new_ref(group[0].kind, group[0].type, {HANDLE: chosen}) if isinstance(value, Variant) else value
    if not isinstance(is_one, Scalar):
        return one
    ev.undecided = True
    return Variant(is_one.value, one, _without(value, handles))


def _without(value: Abstract, group: Mapping[Ref, Any]) -> Abstract:
    """The other alternatives."""
    if not isinstance(value, Variant):
        return Uninitialized() if isinstance(value, Ref) and value in group else value
    then, otherwise = _without(value.then, group), _without(value.otherwise, group)
    if isinstance(then, Uninitialized) or isinstance(otherwise, Uninitialized):
        return otherwise if isinstance(then, Uninitialized) else then
    return Variant(value.selector, then, otherwise)


# in and out


def element(ev: Evaluator, value: Abstract, t: ScriptType) -> Value:
    """An abstract value as a value of that type."""
    match value:
        case Variant():

            def side(of: Abstract) -> Callable[[], list[Abstract]]:
                return lambda: [Scalar(element(ev, of, t))]

            chosen = fork(ev, Scalar(value.selector), side(value.then), side(value.otherwise))[0]
            return cast(Scalar, chosen).value
        case Known(None) if isinstance(t, OptionalType) or t == NONE:
            return ev.pool.number(None, t)
        case _ if isinstance(t, OptionalType):
            return ev.emit("prim::unchecked_cast", (element(ev, value, t.element),), (t,)).result
        case _ if isinstance(t, UnionType):
            return _as_member(ev, value, t)
        case Scalar() if isinstance(t, FutureType) and isinstance(type_of(value), FutureType):
            if type_of(value) != t:
                raise mismatch(ev, "what this future gives", True)
            return value.value
        case _ if isinstance(t, FutureType):
            return ev.emit("prim::future", (element(ev, value, t.element),), (t,)).result
        case Known(number) if t == FLOAT and isinstance(number, int):
            return ev.pool.number(float(number), FLOAT)
        case Known() | Scalar() if type_of(value) == t and t in PLAIN:
            return ev.materialise(value)
        case Scalar() if isinstance(t, EnumType) and type_of(value) is t:
            return value.value
        case Enumerator() if value.type is t:
            return ev.pool.number(value.member, t)
        case Tensor() if isinstance(t, TensorType):
            if join(t, ev.tensor_type(value)) != t:
                raise mismatch(ev, "the shape of the tensors in this list", join(t, ev.tensor_type(value)) is None)
            return ev.materialise(value)
        case Complex() if t == COMPLEX:
            parts = [element(ev, v, FLOAT) for v in value.elements]
            return ev.emit("aten::Complex.float_float", parts, (t,)).result
        case Tuple() if isinstance(t, TupleType) and len(t.elements) == len(value.elements):
            parts = [element(ev, v, e) for v, e in zip(value.elements, t.elements)]
            return ev.emit("prim::TupleConstruct", parts, (t,)).result
        case Ref() if isinstance(t, REFERENCES):
            own = promote(ev, value, t)
            if own.type != t:
                raise mismatch(ev, "the kind of the elements of this list", join(t, cast(ScriptType, own.type)) is None)
            return own
        case _ if t == NEVER:
            raise mismatch(ev, "the kind of the elements of this list", False)
        case _:
            raise ev.not_static("what kind of element this list has", help=HELP)


def _as_member(ev: Evaluator, value: Abstract, t: UnionType) -> Value:
    found = _member(ev, value, t)
    if found is None:
        raise mismatch(ev, "which of several types this has", False)
    if found == NONE:
        return ev.emit("prim::unchecked_cast", (ev.pool.number(None, NONE),), (t,)).result
    return ev.emit("prim::unchecked_cast", (element(ev, value, found),), (t,)).result


def stored(ev: Evaluator, ref: Ref, value: Abstract, t: ScriptType, whole: Whole) -> Value:
    """The value as one of type `t`, which is what `ref` shall hold. `whole`: the type of something that holds such."""
    try:
        return element(ev, value, t)
    except ElementMismatch:
        if ev.list_attempts and not ev.generous_lists:
            raise
        raise retyped(ev, ref, whole(element_type(ev, value, t))) from None


def retyped(ev: Evaluator, ref: Ref, wanted: ScriptType) -> CompileError:
    """The error that has the specialiser start again with `ref` of a type that is this one as well."""
    while ref.part_of is not None and ref.kind != "object":
        ref, whole = ref.part_of
        wanted = whole(wanted)
    key = _key(ref)
    old = ev.hints.get(key)
    t = join(declared_type(ev, ref.type) if old is None else old, wanted)
    if key is None or t is None or t == old:
        return ev.error("the kind of what this holds is only known at run time", kind=ElementMismatch)
    error = ev.error("the kind of what this holds is only known at run time", kind=Retype)
    assert isinstance(error, Retype)
    error.key, error.type = key, t
    return error


def _key(ref: Ref) -> Any:
    """What a hint about a list, dict or object is known by: where it is made; of objects, their class."""
    return ref.type if ref.kind == "object" else None if ref.site is None else (ref.site, ref.type)


def read(ev: Evaluator, value: Value, t: ScriptType, holder: Ref | None = None, whole: Whole = lambda t: t) -> Abstract:
    """A value that a node gave, as an abstract one. `holder`: where it was read, `whole`: of which type that is."""
    match t:
        case TensorType():
            return Tensor(value)
        case ListType() | DictType() | InstanceType():
            kind = "list" if isinstance(t, ListType) else "dict" if isinstance(t, DictType) else "object"
            part_of = None if holder is None else (holder, whole)
            ref = Ref(kind, plain(t), site=ev.span, part_of=part_of)
            ev.heap[ref] = {HANDLE: Scalar(value)}
            return ref
        case TupleType():
            parts = ev.emit("prim::TupleUnpack", (value,), t.elements).results
            return Tuple(tuple(read(ev, p, e, holder, _around(t, i, whole)) for i, (p, e) in enumerate(zip(parts, t.elements))))
        case _ if t == COMPLEX:
            return Complex(tuple(map(Scalar, ev.emit("prim::TupleUnpack", (value,), (FLOAT, FLOAT)).results)))
        case OptionalType():
            return _read_optional(ev, value, t, holder, whole)
        case UnionType():
            return _read_member(ev, value, t.members)
        case EnumType():
            return Scalar(value) if len(t.members) > FEW_MEMBERS else _read_enumerator(ev, value, list(t.members), t)
        case _ if t == NEVER:
            raise ev.emit_raise(["a value where there is none"])
        case _ if t == NONE:
            return NONE_VALUE
        case _:
            return Scalar(value)


def _around(t: TupleType, index: int, whole: Whole) -> Whole:
    return lambda part: whole(TupleType((*t.elements[:index], part, *t.elements[index + 1 :])))


def _read_optional(ev: Evaluator, value: Value, t: OptionalType, holder: Ref | None, whole: Whole) -> Abstract:
    """A Variant: the value where it is there, else None."""
    if is_never(t.element):
        return NONE_VALUE
    there = ev.emit("aten::__isnot__", (value, ev.pool.number(None, NONE)), (BOOL,)).result
    inner = ev.emit("prim::unchecked_cast", (value,), (t.element,)).result
    ev.undecided = True
    return Variant(there, read(ev, inner, t.element, holder, lambda part: whole(OptionalType(part))), NONE_VALUE)


def _read_member(ev: Evaluator, value: Value, members: Sequence[ScriptType]) -> Abstract:
    """A Variant of the members."""
    possible = [m for m in members if not is_never(m)]
    if not possible:
        raise ev.emit_raise(["a value where there is none"])
    first, *rest = possible
    inner = NONE_VALUE
    if first != NONE:
        inner = read(ev, ev.emit("prim::unchecked_cast", (value,), (first,)).result, first)
    if not rest:
        return inner
    ev.undecided = True
    is_first = ev.emit("prim::isinstance", (value,), (BOOL,), {"types": (first,)}).result
    return Variant(is_first, inner, _read_member(ev, value, rest))


def _read_enumerator(ev: Evaluator, value: Value, names: Sequence[str], t: EnumType) -> Abstract:
    """A Variant of the members of an Enum."""
    first, *rest = names
    member = EnumMember(t, first)
    if not rest:
        return Enumerator(member)
    ev.undecided = True
    is_first = ev.emit("aten::eq.enum", (value, ev.pool.number(member, t)), (BOOL,)).result
    return Variant(is_first, Enumerator(member), _read_enumerator(ev, value, rest, t))
