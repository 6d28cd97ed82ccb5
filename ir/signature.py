"""What a compiled function is specialised for, and how its results are put together again.

A function of the `torch` stage takes and returns structured values; the specialised function takes and returns a flat
list of tensors and numbers. `ArgumentSpec` says what each parameter is; `ResultTree` rebuilds the result.

State: attributes of the module that the program changes are parameters too (`StateSpec` says what they are at present),
and their new values are results (`StateResult`). Attributes stand at a path: `encoder.count`; values in them at
`cache[0]`, `table['k']`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import accumulate, islice, pairwise
from typing import Any, Final, Protocol, cast

from . import columns
from .dtypes import DType
from .objects import PLAIN_OBJECTS
from .script_types import (
    ClassType,
    EnumMember,
    EnumType,
    ScriptObject,
    ScriptType,
    TensorType,
)


@dataclass(frozen=True)
class Dim:
    """A dynamic extent. Dims of one name are equal at run time; `minimum <= extent <= maximum` is checked at each call."""

    name: str
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True)
class TensorSpec:
    """A tensor argument of this dtype; each extent fixed (int) or dynamic."""

    dtype: DType
    shape: tuple[int | Dim, ...]
    strides: tuple[int, ...] | None = None
    """In elements, of a tensor that is not row-major, where the program decides something by that."""


_MOST_GAPS: Final = 16
"""A tensor that is a smaller part of its memory than one of so many is not copied with what lies between its elements."""


def is_mirrored(spec: object) -> bool:
    """Whether a tensor that is not row-major is copied into memory in which it lies as it was given: with gaps, if it has such."""
    if not isinstance(spec, TensorSpec) or spec.strides is None:
        return False
    spans = sorted((s, cast(int, n)) for n, s in zip(spec.shape, spec.strides, strict=True) if n != 1)
    reach, count = 1, 1
    for stride, extent in spans:
        if stride < reach or not extent:
            return False
        reach += (extent - 1) * stride
        count *= extent
    return reach <= _MOST_GAPS * count


@dataclass(frozen=True)
class ScalarSpec:
    """An int, float or bool that is given at run time."""

    type: ScriptType


@dataclass(frozen=True, eq=False)
class ConstantSpec:
    """A value fixed at compile time: None, str, or a number, bool, list, tuple of them.

    Equal where the program cannot tell the values apart: 1, 1.0 and True differ, 0.0 and -0.0 too, nan equals itself.
    """

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstantSpec) and _identity(self.value) == _identity(other.value)

    def __hash__(self) -> int:
        return hash(_identity(self.value))


def _identity(value: Any) -> Any:
    match value:
        case list() | tuple():
            return isinstance(value, list), tuple(_identity(v) for v in cast("Sequence[Any]", value))
        case dict():
            return dict, tuple((_identity(k), _identity(v)) for k, v in cast("dict[Any, Any]", value).items())
        case float() | complex():
            return type(value), repr(value)
        case _:
            return cast("type[Any]", type(value)), value


@dataclass(frozen=True)
class SequenceSpec:
    """A list (`is_tuple` False) or tuple argument of fixed length; its leaves become separate flat arguments."""

    elements: tuple[ArgumentSpec, ...]
    is_tuple: bool = False
    is_complex: bool = False
    """A complex number: its two parts, as a tuple."""


@dataclass(frozen=True)
class DictSpec:
    """A dict with these keys, in this order; its leaves become separate flat arguments."""

    keys: tuple[int | float | bool | str, ...]
    values: tuple[ArgumentSpec, ...]


@dataclass(frozen=True)
class InstanceSpec:
    """An object of a script class: its attributes become separate flat arguments, in the order of the class."""

    of: ClassType
    attributes: tuple[ArgumentSpec, ...]


@dataclass(frozen=True)
class ColumnsSpec:
    """A list, dict, str or object whose length is given at run time: it comes as vectors (`columns.py`).

    `type`: what it is, with dtype and rank of all tensors in it.
    """

    type: ScriptType

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.type))

    def __hash__(self) -> int:
        return cast(int, self.__dict__["_hash"])  # each call looks it up


@dataclass(frozen=True)
class SameSpec:
    """In state: the tensor, list or dict that is number `index` of those before it, in the order they stand in.

    Among arguments: the tensor that is number `index` of those given before, the same memory in the same shape.
    """

    index: int


@dataclass(frozen=True)
class PartSpec:
    """A tensor that overlaps others among the arguments, or in the state. All lie in one piece of memory, which is the parameter.

    `whole`: which piece, in the order of their first parts; `length`: its elements, for the first part of it, else None.
    """

    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    whole: int
    length: int | None = None


@dataclass(frozen=True, eq=False)
class GivenPart:
    """For a parameter that is the memory of several arguments: one of them, and where it lies in that."""

    value: Any
    spec: PartSpec


@dataclass(frozen=True)
class ObjectSpec:
    """In state: the object that stands at this path."""

    path: str


ArgumentSpec = (
    TensorSpec | ScalarSpec | ConstantSpec | SequenceSpec | DictSpec | InstanceSpec | ColumnsSpec | SameSpec | PartSpec | ObjectSpec
)


@dataclass(frozen=True)
class StateSpec:
    """An attribute that the program changes, and what its value is before the call."""

    path: str
    spec: ArgumentSpec


@dataclass(frozen=True)
class Leaf:
    """Flat result number `index`; `type` TensorType, int, float or bool."""

    index: int
    type: ScriptType


@dataclass(frozen=True)
class ConstantResult:
    value: Any


@dataclass(frozen=True)
class SequenceResult:
    elements: tuple[ResultTree, ...]
    is_tuple: bool
    identity: str | None = None
    """In state: which list it is. A path: the one that stood there; `#n`: a new one, shared by all results of this name."""
    is_complex: bool = False
    """A complex number: its two parts."""


@dataclass(frozen=True)
class DictResult:
    keys: tuple[int | float | bool | str, ...]
    values: tuple[ResultTree, ...]
    identity: str | None = None


@dataclass(frozen=True)
class ObjectResult:
    """An object of a script class: the values of its attributes, in the order of the class; those never set are missing."""

    of: ClassType
    names: tuple[str, ...]
    values: tuple[ResultTree, ...]
    identity: str | None = None


@dataclass(frozen=True)
class EnumResult:
    """A member of an Enum known at run time, by its number."""

    of: EnumType
    number: Leaf


@dataclass(frozen=True)
class KeptResult:
    """In state: the tensor or object that stood at this path before the call."""

    path: str


@dataclass(frozen=True)
class VariantResult:
    """`then` where the flat bool result `selector` holds, else `otherwise`; leaves of the other one say nothing."""

    selector: Leaf
    then: ResultTree
    otherwise: ResultTree


@dataclass(frozen=True)
class TensorColumn:
    """Tensors one after the other: their elements in one vector, and `rank` extents of each in another."""

    elements: Leaf
    extents: Leaf
    rank: int


@dataclass(frozen=True)
class TupleColumn:
    parts: tuple[Column, ...]
    is_complex: bool = False
    """Complex numbers: their two parts."""


@dataclass(frozen=True)
class ListColumn:
    """Lists one after the other: the length of each, and the elements of all."""

    lengths: Leaf
    elements: Column


@dataclass(frozen=True)
class DictColumn:
    """Dicts one after the other: the number of entries of each, and the keys and values of all."""

    lengths: Leaf
    keys: Column
    values: Column


@dataclass(frozen=True)
class StringColumn:
    """Strings one after the other: the length of each in bytes, and the bytes of all."""

    lengths: Leaf
    bytes: Leaf


@dataclass(frozen=True)
class OptionalColumn:
    """Values that may be None: whether each is there, and those that are."""

    present: Leaf
    values: Column


@dataclass(frozen=True)
class UnionColumn:
    """Values of several types: the number of the type of each, and the values of each type (None: all are None)."""

    tags: Leaf
    members: tuple[Column | None, ...]


@dataclass(frozen=True)
class EnumColumn:
    """Members of an Enum by their numbers."""

    numbers: Leaf
    of: EnumType


@dataclass(frozen=True)
class ObjectColumn:
    """Objects by their numbers in pool `pool`."""

    numbers: Leaf
    pool: int


@dataclass(frozen=True)
class Pool:
    """Objects of one class, each once, and what their attributes hold."""

    of: ClassType
    count: Leaf
    attributes: tuple[Column, ...]


@dataclass(frozen=True)
class PoolsColumn:
    """Elements in which objects stand: all these lead to are in the pools."""

    pools: tuple[Pool, ...]
    elements: Column


Column = (
    Leaf
    | TensorColumn
    | TupleColumn
    | ListColumn
    | DictColumn
    | StringColumn
    | OptionalColumn
    | UnionColumn
    | EnumColumn
    | ObjectColumn
    | PoolsColumn
)
"""Elements of lists of run-time length, one after the other; a Leaf is a vector of numbers."""


@dataclass(frozen=True)
class ValueResult:
    """An object made at run time: the one element of a column."""

    elements: Column
    identity: str | None = None


@dataclass(frozen=True)
class StringResult:
    """A string known at run time: its bytes, UTF-8, in a vector."""

    bytes: Leaf


@dataclass(frozen=True)
class ListResult:
    """A list whose length is known at run time."""

    length: Leaf
    elements: Column
    identity: str | None = None


@dataclass(frozen=True)
class TableResult:
    """A dict whose keys are known at run time."""

    length: Leaf
    keys: Column
    values: Column
    identity: str | None = None


ResultTree = (
    Leaf
    | ConstantResult
    | SequenceResult
    | DictResult
    | ObjectResult
    | EnumResult
    | ValueResult
    | KeptResult
    | VariantResult
    | StringResult
    | ListResult
    | TableResult
)


@dataclass(frozen=True)
class StateResult:
    """The value of an attribute after the call."""

    path: str
    tree: ResultTree


@dataclass(frozen=True)
class Parameter:
    """One flat argument of a specialised function: its name in messages (`x`, `states[0]`) and its spec.

    `written`: the function writes to the caller's tensor in place; the flat result `write_back` holds its new value.
    """

    name: str
    spec: TensorSpec | ScalarSpec
    write_back: int | None = None
    path: str | None = None
    """Of state: where in the module the value stands."""
    by_layout: bool = False
    """Whether the program decides something by how the tensor lies in memory: it must lie as `spec` says."""
    looks: tuple[ViewStep, ...] = ()
    """How the caller sees the tensor after the call, if its metadata was changed in place (`unsqueeze_`)."""
    part: PartSpec | None = None
    """Of state: the tensor at `path` lies so in the memory that is given, other attributes do too."""
    stride: tuple[int, int] | None = None
    """Of a number that the call finds out itself: the stride in bytes of a tensor parameter in a dimension."""


@dataclass(frozen=True)
class GivenNumber:
    """The number that is given as flat parameter `index`."""

    index: int


@dataclass(frozen=True)
class ViewStep:
    """A view operator, which of its results, and its other arguments by name: constants, GivenNumbers, tuples of them."""

    name: str
    index: int
    arguments: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class ResultView:
    """Flat result `result` shares memory with parameter (`is_argument`) or result `base`: the view of it by these steps."""

    result: int
    base: int
    is_argument: bool
    steps: tuple[ViewStep, ...]


@dataclass(frozen=True)
class FlatNumber:
    """The number that is flat result `result`."""

    result: int


@dataclass(frozen=True)
class PlacedResult:
    """Flat result `result` is a view if `base` says so: of parameter `base` if that is not negative, of result `-2 - base`
    if it is below -1, and -1: of nothing. Where it lies in that, in bytes; `strides` None: it is all of it, as that lies."""

    result: int
    base: int | FlatNumber
    offset: int | FlatNumber = 0
    strides: tuple[int | FlatNumber, ...] | None = None


@dataclass(frozen=True)
class LaidResult:
    """Flat result `result` is given with its dimensions in this order, that in which they lie in memory: the caller sees them turned back.

    `arguments`: parameters by whose strides it was decided.
    """

    result: int
    order: tuple[int, ...]
    arguments: tuple[int, ...] = ()

    @property
    def back(self) -> tuple[int, ...]:
        return tuple(self.order.index(d) for d in range(len(self.order)))


FIRST_CELL: Final = -(1 << 40)
"""A base from here down stands for memory that the function made: results of the same base are parts of it."""


@dataclass(frozen=True)
class PlacedColumn:
    """Tensors of a `TensorColumn` that may share memory: flat results that are the vectors of their elements and extents, and of
    their cells, offsets and strides, these in elements. Cells of one number are one; `FIRST_CELL` less it is the base for other results."""

    elements: int
    extents: int
    rank: int
    cells: int
    offsets: int
    strides: int
    arguments: tuple[tuple[int, int], ...]
    """Parameters that tensors may be parts of, each with the flat result that is the cell of its row-major copy."""


@dataclass(frozen=True)
class ColumnsArgument:
    """An argument that is given as vectors: parameters from number `first` on, as `columns.vectors` lays them out."""

    name: str
    type: ScriptType
    first: int
    path: str | None = None
    """Of state: where in the module the value stands."""


@dataclass(frozen=True)
class Signature:
    """The flat calling convention of a specialised function and the structure around it."""

    name: str
    parameters: tuple[Parameter, ...]
    results: tuple[ScriptType, ...]
    """Flat result types: refined TensorType, INT, FLOAT or BOOL; those that are written back come last."""
    tree: ResultTree
    state: tuple[StateResult, ...] = ()
    """Attributes that are something else after the call; those whose tensors were only written in place are not here."""
    used: tuple[str, ...] = ()
    """Attributes given as state that the program reads or writes, by path."""
    entangled: tuple[tuple[str, str], ...] = ()
    """Pairs of attributes that share memory in PyTorch after the call, but not here: neither may be written in place.

    `=name`: the constant of that name.
    """
    columns: tuple[ColumnsArgument, ...] = ()
    views: tuple[ResultView, ...] = ()
    """Results that share memory with arguments, or with results before them."""
    placed: tuple[PlacedResult, ...] = ()
    """Results of which the run says whether they do, in further results; only for callers in this process."""
    placed_columns: tuple[PlacedColumn, ...] = ()
    """The same for tensors in lists, dicts and objects made at run time."""
    prints: bool = False
    """Whether calls may write to the standard output."""
    laid: tuple[LaidResult, ...] = ()
    """Results whose dimensions lie in memory in another order; only for callers in this process."""

    @property
    def returned(self) -> frozenset[int]:
        """Flat results that the caller gets; the other outputs are state."""
        return frozenset(leaf_numbers(self.tree))

    @property
    def returned_tensors(self) -> frozenset[int]:
        """Flat results that the caller sees as tensors, or the memory of several; others are parts of lists and strings."""
        return frozenset(_tensor_leaves(self.tree))

    @property
    def outputs(self) -> tuple[int, ...]:
        """Flat results that are returned: all but those written back into an argument."""
        back = {p.write_back for p in self.parameters}
        return tuple(i for i in range(len(self.results)) if i not in back)


def has_columns(specs: Sequence[ArgumentSpec]) -> bool:
    """Whether one of them, or of what they consist of, is a ColumnsSpec."""
    for spec in specs:
        match spec:
            case ColumnsSpec():
                return True
            case SequenceSpec(inner) if has_columns(inner):
                return True
            case DictSpec(_, inner) | InstanceSpec(_, inner) if has_columns(inner):
                return True
            case _:
                pass
    return False


def leaves(value: Any, spec: ArgumentSpec) -> list[Any]:
    """Run-time leaves of an argument, in the order of `Signature.parameters`."""
    match spec:
        case TensorSpec() | ScalarSpec():
            return [value]
        case SequenceSpec(elements):
            return [leaf for v, s in zip(value, elements, strict=True) for leaf in leaves(v, s)]
        case DictSpec(keys, values):
            return [leaf for k, s in zip(keys, values, strict=True) for leaf in leaves(value[k], s)]
        case InstanceSpec(of, inner):
            pairs = zip(of.attributes, inner, strict=True)
            return [leaf for name, s in pairs for leaf in leaves(value.attributes[name], s)]
        case ColumnsSpec(type):
            return columns.encoded(value, type)
        case PartSpec(length=length):
            return [] if length is None else [GivenPart(value, spec)]
        case ConstantSpec() | SameSpec() | ObjectSpec():
            return []


def kept_paths(tree: ResultTree) -> list[str]:
    """Where the values stood that a result keeps."""
    match tree:
        case KeptResult(path):
            return [path]
        case SequenceResult(elements):
            return [p for e in elements for p in kept_paths(e)]
        case DictResult(_, values) | ObjectResult(_, _, values):
            return [p for v in values for p in kept_paths(v)]
        case VariantResult(_, then, otherwise):
            return [*kept_paths(then), *kept_paths(otherwise)]
        case _:
            return []


class LiveState(Protocol):
    """A module's state before the call, for putting together that after it."""

    def tensor(self, index: int, array: Any) -> Any:
        """Flat result `index` as an attribute holds it; the same one for the same index."""
        ...

    def element(self, array: Any) -> Any:
        """A tensor of a list of run-time length, as an attribute holds it."""
        ...

    def kept(self, path: str) -> Any:
        """What stood at the path before the call."""
        ...

    def container(self, identity: str, value: Any) -> Any:
        """The list, dict or object `identity` with these contents; the same one for the same identity."""
        ...


class Presenting(Protocol):
    """How results show objects and members of Enums, which are those of no Python class."""

    def object(self, of: ClassType) -> Any:
        """A new one; its attributes are set then."""
        ...

    def member(self, member: EnumMember) -> Any: ...


def rebuild(
    tree: ResultTree, results: Sequence[Any], state: LiveState | None = None, presenting: Presenting = PLAIN_OBJECTS
) -> Any:
    """The structured result of flat ones; with `state`, the new value of an attribute."""
    return _Rebuilding(results, state, presenting).value(tree)


class _Rebuilding:
    def __init__(self, results: Sequence[Any], state: LiveState | None, presenting: Presenting) -> None:
        self.results = results
        self.state = state
        self.presenting = presenting
        self.pools: list[list[Any]] = []

    def shown(self, constant: Any) -> Any:
        """A constant outside of compiled code; attributes keep any bytes."""
        return _utf8(constant) if self.state is None and isinstance(constant, str) else constant

    def value(self, tree: ResultTree) -> Any:
        results, state = self.results, self.state
        match tree:
            case Leaf(index, type):
                if state is not None and isinstance(type, TensorType):
                    return state.tensor(index, results[index])
                return results[index]
            case ConstantResult(value):
                return self.member(value) if isinstance(value, EnumMember) else self.shown(value)
            case SequenceResult(elements, is_tuple, identity):
                parts = [self.value(e) for e in elements]
                if tree.is_complex:
                    return complex(*parts)
                return tuple(parts) if is_tuple else self.held(parts, identity)
            case DictResult(keys, values, identity):
                return self.held({self.shown(k): self.value(v) for k, v in zip(keys, values, strict=True)}, identity)
            case ObjectResult(of, names, values, identity):
                made = self.object(of)
                _set_attributes(made, dict(zip(names, map(self.value, values), strict=True)))
                return self.held(made, identity)
            case EnumResult(of, number):
                return self.members(of)[int(results[number.index])]
            case KeptResult(path):
                assert state is not None
                return state.kept(path)
            case VariantResult(selector, then, otherwise):
                return self.value(then if results[selector.index] else otherwise)
            case StringResult(data):
                return _strings([len(results[data.index])], results[data.index])[0]
            case ListResult(length, column, identity):
                return self.held(self.elements(column, int(results[length.index])), identity)
            case TableResult(length, keys, values, identity):
                count = int(results[length.index])
                return self.held(dict(zip(self.elements(keys, count), self.elements(values, count), strict=True)), identity)
            case ValueResult(column, identity):
                return self.held(self.elements(column, 1)[0], identity)

    def held(self, value: Any, identity: str | None) -> Any:
        """A list, dict or object; as an attribute holds it."""
        return value if self.state is None or identity is None else self.state.container(identity, value)

    def object(self, of: ClassType) -> Any:
        return self.presenting.object(of) if self.state is None else ScriptObject(of)

    def member(self, member: EnumMember) -> Any:
        return self.presenting.member(member) if self.state is None else member

    def members(self, of: EnumType) -> list[Any]:
        return [self.member(EnumMember(of, name)) for name in of.members]

    def elements(self, column: Column, count: int) -> list[Any]:
        """The first `count` elements of a column."""
        results = self.results
        match column:
            case Leaf(index, _):
                return results[index].tolist()
            case TupleColumn(parts, is_complex):
                given = zip(*(self.elements(p, count) for p in parts))
                return [complex(*v) for v in given] if is_complex else list(given)
            case ListColumn(lengths, inner):
                found: list[list[Any]] = []
                sizes = results[lengths.index].tolist()
                values = self.elements(inner, sum(sizes))
                start = 0
                for size in sizes:
                    found.append(values[start : start + size])
                    start += size
                return found
            case DictColumn(lengths, keys, inner):
                sizes = results[lengths.index].tolist()
                pairs = zip(self.elements(keys, sum(sizes)), self.elements(inner, sum(sizes)), strict=True)
                return [dict(islice(pairs, size)) for size in sizes]
            case StringColumn(lengths, data):
                return _strings(results[lengths.index].tolist(), results[data.index])
            case UnionColumn(tags, members):
                which = cast("list[int]", results[tags.index].tolist())[:count]
                given = ([] if m is None else self.elements(m, which.count(i)) for i, m in enumerate(members))
                parts = [iter(v) for v in given]
                return [next(parts[i], None) for i in which]
            case OptionalColumn(present, inner):
                there = results[present.index].tolist()
                given = iter(self.elements(inner, sum(there)))
                return [next(given) if t else None for t in there]
            case TensorColumn(elements, extents, rank):
                return self.tensors(results[elements.index], results[extents.index].tolist(), rank, count)
            case EnumColumn(numbers, of):
                members = self.members(of)
                return [members[i] for i in results[numbers.index].tolist()]
            case ObjectColumn(numbers, pool):
                return [self.pools[pool][i] for i in results[numbers.index].tolist()]
            case PoolsColumn(pools, inner):
                self.fill(pools)
                return self.elements(inner, count)

    def tensors(self, elements: Any, shapes: Sequence[int], rank: int, count: int) -> list[Any]:
        if isinstance(elements, list):  # which the call has put where they lie
            return cast("list[Any]", elements)[:count]
        found: list[Any] = []
        start = 0
        for i in range(count):
            shape = shapes[i * rank : (i + 1) * rank]
            end = start + math.prod(shape)
            tensor = elements[start:end].reshape(shape)
            found.append(tensor if self.state is None else self.state.element(tensor))
            start = end
        return found

    def fill(self, pools: Sequence[Pool]) -> None:
        """Makes all objects, then sets their attributes, which may lead to any of them."""
        counts = [int(self.results[p.count.index]) for p in pools]
        self.pools = [[self.object(p.of) for _ in range(count)] for p, count in zip(pools, counts, strict=True)]
        for pool, count, objects in zip(pools, counts, self.pools, strict=True):
            columns = [self.elements(c, count) for c in pool.attributes]
            for i, made in enumerate(objects):
                _set_attributes(made, {name: c[i] for name, c in zip(pool.of.attributes, columns, strict=True)})


def _set_attributes(made: Any, values: Mapping[str, Any]) -> None:
    if isinstance(made, ScriptObject):
        made.attributes.update(values)
        return
    for name, value in values.items():
        setattr(made, name, value)


def _utf8(text: str) -> str:
    """A string known at compile time, for Python. UnicodeDecodeError where bytes of it are no UTF-8, as in `_strings`."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode()


def _strings(lengths: Sequence[int], data: Any) -> list[str]:
    """Strings of these bytes. UnicodeDecodeError, as in PyTorch, for one that is no UTF-8."""
    whole = bytes(data.tobytes())
    places = pairwise(accumulate(lengths, initial=0))
    if whole.isascii():
        text = whole.decode()
        return [text[start:stop] for start, stop in places]
    return [whole[start:stop].decode() for start, stop in places]


def _column_leaves(column: Column) -> list[int]:
    match column:
        case Leaf(index, _):
            return [index]
        case TupleColumn(parts):
            return [i for p in parts for i in _column_leaves(p)]
        case ListColumn(lengths, inner):
            return [lengths.index, *_column_leaves(inner)]
        case DictColumn(lengths, keys, values):
            return [lengths.index, *_column_leaves(keys), *_column_leaves(values)]
        case StringColumn(lengths, data):
            return [lengths.index, data.index]
        case OptionalColumn(present, values):
            return [present.index, *_column_leaves(values)]
        case UnionColumn(tags, members):
            return [tags.index, *(i for m in members if m is not None for i in _column_leaves(m))]
        case TensorColumn(elements, extents, _):
            return [elements.index, extents.index]
        case EnumColumn(numbers, _) | ObjectColumn(numbers, _):
            return [numbers.index]
        case PoolsColumn(pools, elements):
            inner = [i for p in pools for i in (p.count.index, *(i for a in p.attributes for i in _column_leaves(a)))]
            return [*inner, *_column_leaves(elements)]


def tensor_columns(tree: Any) -> list[Leaf]:
    """The vectors with the elements of tensors in what is made at run time."""
    return [column.elements for column in columns_of_tensors(tree)]


def columns_of_tensors(tree: Any) -> list[TensorColumn]:
    match tree:
        case TensorColumn():
            return [tree]
        case Leaf():
            return []
        case tuple():
            return [column for part in cast("tuple[Any, ...]", tree) for column in columns_of_tensors(part)]
        case _ if is_dataclass(tree) and not isinstance(tree, ScriptType | type):
            return [column for f in fields(tree) for column in columns_of_tensors(getattr(tree, f.name))]
        case _:
            return []


def _tensor_leaves(tree: ResultTree) -> list[int]:
    match tree:
        case Leaf(index, type):
            return [index] if isinstance(type, TensorType) else []
        case SequenceResult(elements):
            return [i for e in elements for i in _tensor_leaves(e)]
        case DictResult(_, values) | ObjectResult(_, _, values):
            return [i for v in values for i in _tensor_leaves(v)]
        case VariantResult(_, then, otherwise):
            return [*_tensor_leaves(then), *_tensor_leaves(otherwise)]
        case ValueResult() | ListResult() | TableResult():
            return [leaf.index for leaf in tensor_columns(tree)]
        case StringResult() | EnumResult() | ConstantResult() | KeptResult():
            return []


def leaf_numbers(tree: ResultTree) -> list[int]:
    """The flat results that a result is made of."""
    match tree:
        case Leaf(index, _):
            return [index]
        case SequenceResult(elements):
            return [i for e in elements for i in leaf_numbers(e)]
        case DictResult(_, values) | ObjectResult(_, _, values):
            return [i for v in values for i in leaf_numbers(v)]
        case EnumResult(_, number):
            return [number.index]
        case ValueResult(column):
            return _column_leaves(column)
        case VariantResult(selector, then, otherwise):
            return [selector.index, *leaf_numbers(then), *leaf_numbers(otherwise)]
        case StringResult(data):
            return [data.index]
        case ListResult(length, column):
            return [length.index, *_column_leaves(column)]
        case TableResult(length, keys, values):
            return [length.index, *_column_leaves(keys), *_column_leaves(values)]
        case ConstantResult() | KeptResult():
            return []
