"""What the specialiser knows about a value while it walks a program: abstract values and the heap.

A number or string known at compile time is `Known`, a number known at run time `Scalar`, a tensor `Tensor` (both hold
a value of the function under construction). Lists, dicts and objects are `Ref`s: identities whose contents stand in
the heap, a dict; contents are never changed in place, so that a copy of the heap is all it takes to undo a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from ...ir.attributes import Constant
from ...ir.core import Operation, Value
from ...ir.dtypes import DType
from ...ir.interpreters.builtins import float_bits
from ...ir.script_types import (
    ANY,
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    NONE,
    STR,
    TENSOR,
    AnyListType,
    AnyTupleType,
    AnyType,
    ClassType,
    DeviceType,
    DictType,
    EnumMember,
    InterfaceType,
    ListType,
    NumberType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
    constant_type,
)
from ...ir.source import Span

KnownValue = int | float | bool | complex | str | None


@dataclass(frozen=True, eq=False)
class Known:
    """A number, string, device or None that is fixed at compile time."""

    value: KnownValue
    type: ScriptType


@dataclass(frozen=True, eq=False)
class Scalar:
    """An int, float, bool or str known at run time."""

    value: Value


@dataclass(frozen=True, eq=False)
class Tensor:
    value: Value


@dataclass(frozen=True, eq=False)
class Tuple:
    elements: tuple[Abstract, ...]

    def of(self, elements: tuple[Abstract, ...]) -> Tuple:
        """The same kind of value with other elements."""
        return type(self)(elements)


@dataclass(frozen=True, eq=False)
class Complex(Tuple):
    """A complex number: its real and its imaginary part, two floats."""


@dataclass(frozen=True, eq=False)
class Ref:
    """A list, dict or object. Two variables hold the same Ref where they are the same object."""

    kind: Literal["list", "dict", "object"]
    type: ScriptType
    is_outer: bool = False
    """An object that outlives the call: the module itself and what hangs on it."""
    site: Span | None = None
    """Where the program makes it."""
    part_of: tuple[Ref, Callable[[ScriptType], ScriptType]] | None = None
    """What it was read from, and the type of that for the type of this."""


@dataclass(frozen=True, eq=False)
class Function:
    """A function to be called; `module` holds it."""

    symbol: str
    module: Operation


@dataclass(frozen=True, eq=False)
class Enumerator:
    """A member of an Enum class."""

    member: EnumMember
    origin: object = None
    """To PyTorch each expression that names a member gives an object of its own: what is equal for one object only.

    None where that is not known."""

    @property
    def type(self) -> ScriptType:
        return self.member.type


def named_anew(value: Abstract) -> Abstract:
    """The value; a member of an Enum as an object of its own."""
    return Enumerator(value.member, object()) if isinstance(value, Enumerator) and value.origin is None else value


@dataclass(frozen=True, eq=False)
class Text:
    """A string with the text of values in it that compiled code cannot show: good for messages only."""

    parts: tuple[str | Scalar, ...]


@dataclass(frozen=True, eq=False)
class Uninitialized:
    """A value that is never read."""

    type: ScriptType = ANY


@dataclass(frozen=True, eq=False)
class RunTimeOnly:
    """A value whose structure depends on run-time conditions; an error where it is used."""

    what: str
    span: Span | None
    loops: tuple[Span, ...] = ()
    """Loops that it would be known after, if they handed on what is made at run time."""


@dataclass(frozen=True, eq=False)
class Variant:
    """`then` if `selector` (a bool) holds at run time, else `otherwise`: values of different structure.

    Both may be used wherever the Variant may; the tensors and numbers of the one that is not selected are placeholders.
    """

    selector: Value
    then: Abstract
    otherwise: Abstract


@dataclass(frozen=True, eq=False)
class VariantContents:
    """Contents of one list, dict or object whose length, keys or attributes depend on a run-time bool."""

    selector: Value
    then: Contents | VariantContents
    otherwise: Contents | VariantContents


@dataclass(frozen=True, eq=False)
class Foreign(RunTimeOnly):
    """A tensor that no operator takes; `what` describes it."""


Abstract = Known | Scalar | Tensor | Tuple | Ref | Function | Enumerator | Text | Uninitialized | RunTimeOnly | Variant

Contents = Mapping[Any, Abstract]
"""Elements of a list by position, of a dict by key, attributes of an object by name."""

Heap = dict[Any, Contents | VariantContents | RunTimeOnly]
"""Contents of every Ref; under the Value of a tensor whose metadata was changed in place (`unsqueeze_`), {0: what it is
now}; under `Frozen(ref)`, that a list may be another one too, and must not be changed."""


@dataclass(frozen=True)
class Frozen:
    ref: Ref


class _Handle:
    """No key of a dict that a program can make."""

    def __repr__(self) -> str:
        return "HANDLE"


LOOP: Final = "loop"
"""In what stands under `Frozen(ref)`: the place of the loop that leaves it, as a constant."""

HANDLE: Final = _Handle()
"""The only key in the contents of a list whose length is known at run time only: under it stands the list's value."""


class Diverged(Exception):
    """Control flow of the specialiser: the code just written always raises; nothing follows."""


class Undecided(Exception):
    """Control flow of the specialiser: what was asked depends on this run-time bool; ask under each of its values."""

    def __init__(self, selector: Value) -> None:
        super().__init__(selector)
        self.selector = selector


NONE_VALUE: Final = Known(None, NONE)
TRUE: Final = Known(True, BOOL)
FALSE: Final = Known(False, BOOL)


def known(value: KnownValue, type_: ScriptType | None = None) -> Known:
    """A constant, with its type by Python's unless given."""
    return Known(value, type_ if type_ is not None else constant_type(value))


def zero(type_: ScriptType) -> KnownValue:
    """Something to stand where a number of this type is never read."""
    return 0.0 if type_ == FLOAT else False if type_ == BOOL else "" if type_ == STR else 0


def same_constant(a: KnownValue, b: KnownValue) -> bool:
    """Equality that keeps 1, 1.0 and True, 0.0 and -0.0 apart and takes nan as equal to itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return float_bits(a) == float_bits(cast(float, b))
    return a == b


def same(a: Abstract, b: Abstract) -> bool:
    """Whether both are the same value in the same place."""
    if a is b:
        return True
    if isinstance(a, Variant) and isinstance(b, Variant):
        return a.selector is b.selector and same(a.then, b.then) and same(a.otherwise, b.otherwise)
    match a, b:
        case Known(), Known():
            return same_constant(a.value, b.value)
        case (Scalar(), Scalar()) | (Tensor(), Tensor()):
            return a.value is b.value
        case Tuple(), Tuple():
            return a.__class__ is b.__class__ and len(a.elements) == len(b.elements) and all(map(same, a.elements, b.elements))
        case Function(), Function():
            return a.symbol == b.symbol and a.module is b.module
        case Enumerator(), Enumerator():
            return a.member == b.member and a.origin is b.origin
        case Text(), Text():
            return len(a.parts) == len(b.parts) and all(
                x == y if isinstance(x, str) or isinstance(y, str) else x.value is y.value
                for x, y in zip(a.parts, b.parts)
            )
        case Uninitialized(), Uninitialized():
            return True
        case _:
            return False


def type_of(value: Abstract) -> ScriptType:
    """The script type of an abstract value (of containers the declared one)."""
    match value:
        case Known() | Ref() | Enumerator() | Uninitialized():
            return value.type
        case Scalar() | Tensor():
            return cast(ScriptType, value.value.type)
        case Complex():
            return COMPLEX
        case Tuple():
            return TupleType(tuple(type_of(e) for e in value.elements))
        case Text():
            return STR
        case Variant():
            then, otherwise = type_of(value.then), type_of(value.otherwise)
            return then if then == otherwise else OptionalType(otherwise) if then == NONE else ANY
        case _:
            return ANY


def tensor_type(value: Tensor) -> TensorType:
    return cast(TensorType, value.value.type)


def is_static(value: Abstract, heap: Heap) -> bool:
    """Whether all of the value is known at compile time (no tensors)."""
    match value:
        case Known() | Enumerator():
            return True
        case Tuple():
            return all(is_static(e, heap) for e in value.elements)
        case Ref():
            contents = heap.get(value)
            return (
                value.kind != "object"
                and isinstance(contents, Mapping)
                and all(is_static(v, heap) for v in contents.values())
            )
        case _:
            return False


def to_python(value: Abstract, heap: Heap) -> Any:
    """A static value as Python's."""
    match value:
        case Known():
            return value.value
        case Enumerator():
            return value.member
        case Complex():
            return complex(*(to_python(e, heap) for e in value.elements))
        case Tuple():
            return tuple(to_python(e, heap) for e in value.elements)
        case Ref():
            contents = cast(Contents, heap[value])
            if value.kind == "list":
                return [to_python(v, heap) for v in contents.values()]
            return {k: to_python(v, heap) for k, v in contents.items()}
        case _:
            raise AssertionError(f"{value} is not static")


def list_contents(values: Sequence[Abstract]) -> Contents:
    return dict(enumerate(values))


def describe(type_: ScriptType) -> str:
    """What a value is called in an error message."""
    match type_:
        case ListType():
            return "a list"
        case DictType():
            return "a dict"
        case TupleType():
            return "a tuple"
        case ClassType():
            return f"an object of class {type_.name}"
        case TensorType():
            return "a tensor"
        case _:
            return f"a value of type {type_.annotation}"


def matches(value: Abstract, type_: Any) -> bool | None:
    """`isinstance(value, type_)`; `list` and `tuple` stand for any of their kind. None where it is not known."""
    if isinstance(value, Variant):
        raise Undecided(value.selector)
    if isinstance(type_, str):
        kinds = {"list": ListType, "tuple": TupleType, "dict": DictType}
        return isinstance(type_of(value), kinds[type_])
    if isinstance(value, RunTimeOnly | Uninitialized):
        return None
    match type_:
        case AnyListType():
            return isinstance(type_of(value), ListType)
        case AnyTupleType():
            return isinstance(type_of(value), TupleType)
        case AnyType():
            return True
        case OptionalType():
            return matches(value, NONE) or matches(value, type_.element)
        case UnionType():
            return any(matches(value, m) for m in type_.members)
        case TensorType():
            return isinstance(value, Tensor)
        case NumberType():
            return type_of(value) in (INT, FLOAT, COMPLEX)
        case TupleType():
            return (
                isinstance(value, Tuple)
                and not isinstance(value, Complex)
                and len(value.elements) == len(type_.elements)
                and all(matches(e, t) for e, t in zip(value.elements, type_.elements))
            )
        case ListType():
            own = type_of(value)
            return isinstance(value, Ref) and isinstance(own, ListType) and _generic(own) == _generic(type_)
        case DictType():
            own = type_of(value)
            return isinstance(value, Ref) and isinstance(own, DictType) and _generic(own) == _generic(type_)
        case ClassType():
            return type_of(value) is type_
        case InterfaceType():
            own = type_of(value)
            return isinstance(own, ClassType) and type_.is_met_by(own)
        case DeviceType():
            return isinstance(type_of(value), DeviceType)
        case _:
            return type_of(value) == type_


def _generic(type_: ScriptType) -> ScriptType:
    """Without dtypes and shapes of tensors."""
    match type_:
        case TensorType():
            return TENSOR
        case ListType():
            return ListType(_generic(type_.element))
        case OptionalType():
            return OptionalType(_generic(type_.element))
        case TupleType():
            return TupleType(tuple(map(_generic, type_.elements)))
        case DictType():
            return DictType(type_.key, _generic(type_.value))
        case _:
            return type_


def join_types(a: TensorType, b: TensorType) -> TensorType | None:
    """The type of a tensor that is either: extents that differ become dynamic. None where dtype or rank differ."""
    if a.dtype is not b.dtype or a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return None
    return TensorType(a.dtype, tuple(x if x == y else None for x, y in zip(a.shape, b.shape)))


@dataclass
class ConstantPool:
    """Constants of the function under construction, one operation each; put at its start when it is finished."""

    operations: list[Operation] = field(default_factory=list[Operation])
    _numbers: dict[Any, Value] = field(default_factory=dict[Any, Value])
    _tensors: dict[int, tuple[Constant, Value]] = field(default_factory=dict[int, tuple[Constant, Value]])

    def number(self, value: KnownValue | EnumMember, type_: ScriptType) -> Value:
        key = (type(value), float_bits(value) if isinstance(value, float) else value, type_)
        if key not in self._numbers:
            self._numbers[key] = self._constant({} if value is None else {"value": value}, type_)
        return self._numbers[key]

    def tensor(self, constant: Constant, dtype: DType) -> Value:
        """A weight or buffer; always the same value for the same array."""
        known_one = self._tensors.get(id(constant.array))
        if known_one is None:
            type_ = TensorType(dtype, tuple(int(e) for e in constant.array.shape))
            known_one = self._tensors[id(constant.array)] = (constant, self._constant({"value": constant}, type_))
        return known_one[1]

    def _constant(self, attributes: dict[str, Any], type_: ScriptType) -> Value:
        op = Operation("prim::Constant", (), (type_,), attributes)
        self.operations.append(op)
        return op.result
