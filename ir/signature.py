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
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, cast

from . import columns
from .dtypes import DType
from .script_types import BOOL, FLOAT, INT, ScriptType, TensorType


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


@dataclass(frozen=True)
class DictSpec:
    """A dict with these keys, in this order; its leaves become separate flat arguments."""

    keys: tuple[int | float | bool | str, ...]
    values: tuple[ArgumentSpec, ...]


@dataclass(frozen=True)
class ColumnsSpec:
    """A list, dict or str whose length is given at run time: it comes as vectors (`columns.py`).

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
class ObjectSpec:
    """In state: the object that stands at this path."""

    path: str


ArgumentSpec = TensorSpec | ScalarSpec | ConstantSpec | SequenceSpec | DictSpec | ColumnsSpec | SameSpec | ObjectSpec


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


Column = Leaf | TensorColumn | TupleColumn | ListColumn | DictColumn | StringColumn | OptionalColumn | UnionColumn
"""Elements of lists of run-time length, one after the other; a Leaf is a vector of numbers."""


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


@dataclass(frozen=True)
class ColumnsArgument:
    """An argument that is given as vectors: parameters from number `first` on, as `columns.vectors` lays them out."""

    name: str
    type: ScriptType
    first: int


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
    prints: bool = False
    """Whether calls may write to the standard output."""

    @property
    def returned(self) -> frozenset[int]:
        """Flat results that the caller gets; the other outputs are state."""
        return frozenset(leaf_numbers(self.tree))

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
            case DictSpec(_, inner) if has_columns(inner):
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
        case ColumnsSpec(type):
            return columns.encoded(value, type)
        case ConstantSpec() | SameSpec() | ObjectSpec():
            return []


def next_state(signature: Signature, state: Sequence[StateSpec]) -> tuple[StateSpec, ...] | None:
    """What the state that a function uses is after a call, seen from its results.

    None where only the results can say, or where a tensor comes to stand in two places and one may be written in place.
    """
    if any(p.path is not None and p.write_back is not None for p in signature.parameters) and _comes_to_share(signature):
        return None
    before = {s.path: s.spec for s in state}
    after = {r.path: r.tree for r in signature.state}
    found: list[StateSpec] = []
    for path in signature.used:
        spec = _spec_after(after[path], before) if path in after else before[path]
        if spec is None:
            return None
        found.append(StateSpec(path, spec))
    return tuple(found)


def _comes_to_share(signature: Signature) -> bool:
    leaves: list[int] = []
    for result in signature.state:
        own = [i for i in leaf_numbers(result.tree) if isinstance(signature.results[i], TensorType)]
        if any(path != result.path for path in kept_paths(result.tree)):
            return True
        leaves += own
    return len(leaves) != len(set(leaves))


def kept_paths(tree: ResultTree) -> list[str]:
    """Where the values stood that a result keeps."""
    match tree:
        case KeptResult(path):
            return [path]
        case SequenceResult(elements):
            return [p for e in elements for p in kept_paths(e)]
        case DictResult(_, values):
            return [p for v in values for p in kept_paths(v)]
        case VariantResult(_, then, otherwise):
            return [*kept_paths(then), *kept_paths(otherwise)]
        case _:
            return []


def _spec_after(tree: ResultTree, before: Mapping[str, ArgumentSpec]) -> ArgumentSpec | None:
    match tree:
        case Leaf(index, type):
            if isinstance(type, TensorType):
                dims = enumerate(type.shape or ())
                assert type.dtype is not None
                return TensorSpec(type.dtype, tuple(Dim(f"result{index}_{i}") if d is None else d for i, d in dims))
            return ScalarSpec(type)
        case ConstantResult(value):
            return _constant_after(value)
        case KeptResult(path):
            return before.get(path)
        case SequenceResult(elements, is_tuple):
            specs = [_spec_after(e, before) for e in elements]
            return None if None in specs else SequenceSpec(tuple(s for s in specs if s is not None), is_tuple)
        case DictResult(keys, values):
            specs = [_spec_after(v, before) for v in values]
            return None if None in specs else DictSpec(keys, tuple(s for s in specs if s is not None))
        case VariantResult(_, then, otherwise):
            first, second = _spec_after(then, before), _spec_after(otherwise, before)
            return first if first == second else None
        case ListResult() | TableResult() | StringResult():
            return None


def _constant_after(value: Any) -> ArgumentSpec:
    """What a call made a constant may be something else after another one: numbers are given at run time."""
    for kind, type in ((bool, BOOL), (int, INT), (float, FLOAT)):
        if isinstance(value, kind):
            return ScalarSpec(type)
    return ConstantSpec(value)


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
        """The list or dict `identity` with these contents; the same one for the same identity."""
        ...


def rebuild(tree: ResultTree, results: Sequence[Any], state: LiveState | None = None) -> Any:
    """The structured result of flat ones; with `state`, the new value of an attribute."""
    match tree:
        case Leaf(index, type):
            if state is not None and isinstance(type, TensorType):
                return state.tensor(index, results[index])
            return results[index]
        case ConstantResult(value):
            return value
        case SequenceResult(elements, is_tuple, identity):
            parts = [rebuild(e, results, state) for e in elements]
            if tree.is_complex:
                return complex(*parts)
            if state is not None and identity is not None:
                return state.container(identity, parts)
            return tuple(parts) if is_tuple else parts
        case DictResult(keys, values, identity):
            table = {k: rebuild(v, results, state) for k, v in zip(keys, values, strict=True)}
            return table if state is None or identity is None else state.container(identity, table)
        case KeptResult(path):
            assert state is not None
            return state.kept(path)
        case VariantResult(selector, then, otherwise):
            return rebuild(then if results[selector.index] else otherwise, results, state)
        case StringResult(data):
            return _strings([len(results[data.index])], results[data.index])[0]
        case ListResult(length, column, identity):
            found = _elements(column, int(results[length.index]), results)
            if state is None:
                return found
            held = _held(found, state)
            return held if identity is None else state.container(identity, held)
        case TableResult(length, keys, values, identity):
            table = _table(keys, values, int(results[length.index]), results)
            if state is None:
                return table
            held = _held(table, state)
            return held if identity is None else state.container(identity, held)


def _table(keys: Column, values: Column, count: int, results: Sequence[Any]) -> dict[Any, Any]:
    return dict(zip(_elements(keys, count, results), _elements(values, count, results), strict=True))


def _held(value: Any, state: LiveState) -> Any:
    """Elements of a list as an attribute holds them."""
    match value:
        case list():
            return [_held(v, state) for v in cast("list[Any]", value)]
        case tuple():
            return tuple(_held(v, state) for v in cast("tuple[Any, ...]", value))
        case dict():
            return {k: _held(v, state) for k, v in cast("dict[Any, Any]", value).items()}
        case bool() | int() | float() | str() | None:
            return value
        case _:
            return state.element(value)


def _elements(column: Column, count: int, results: Sequence[Any]) -> list[Any]:
    """The first `count` elements of a column."""
    match column:
        case Leaf(index, _):
            return results[index].tolist()
        case TupleColumn(parts):
            return list(zip(*(_elements(p, count, results) for p in parts)))
        case ListColumn(lengths, inner):
            found: list[list[Any]] = []
            sizes = results[lengths.index].tolist()
            values = _elements(inner, sum(sizes), results)
            start = 0
            for size in sizes:
                found.append(values[start : start + size])
                start += size
            return found
        case DictColumn(lengths, keys, inner):
            return _tables(keys, inner, results[lengths.index].tolist(), results)
        case StringColumn(lengths, data):
            return _strings(results[lengths.index].tolist(), results[data.index])
        case UnionColumn(tags, members):
            which = cast("list[int]", results[tags.index].tolist())[:count]
            values = ([] if m is None else _elements(m, which.count(i), results) for i, m in enumerate(members))
            parts = [iter(v) for v in values]
            return [next(parts[i], None) for i in which]
        case OptionalColumn(present, inner):
            there = results[present.index].tolist()
            given = iter(_elements(inner, sum(there), results))
            return [next(given) if t else None for t in there]
        case TensorColumn(elements, extents, rank):
            tensors: list[Any] = []
            shapes = results[extents.index].tolist()
            start = 0
            for i in range(count):
                shape = shapes[i * rank : (i + 1) * rank]
                end = start + math.prod(shape)
                tensors.append(results[elements.index][start:end].reshape(shape))
                start = end
            return tensors


def _strings(lengths: Sequence[int], data: Any) -> list[str]:
    """Strings of these bytes. UnicodeDecodeError, as in PyTorch, for one that is no UTF-8."""
    whole, found, start = bytes(data.tobytes()), list[str](), 0
    for length in lengths:
        found.append(whole[start : start + length].decode())
        start += length
    return found


def _tables(keys: Column, values: Column, sizes: Sequence[int], results: Sequence[Any]) -> list[Any]:
    """One dict after the other, of so many entries each."""
    pairs = zip(_elements(keys, sum(sizes), results), _elements(values, sum(sizes), results), strict=True)
    return [dict(islice(pairs, size)) for size in sizes]


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


def leaf_numbers(tree: ResultTree) -> list[int]:
    """The flat results that a result is made of."""
    match tree:
        case Leaf(index, _):
            return [index]
        case SequenceResult(elements):
            return [i for e in elements for i in leaf_numbers(e)]
        case DictResult(_, values):
            return [i for v in values for i in leaf_numbers(v)]
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
