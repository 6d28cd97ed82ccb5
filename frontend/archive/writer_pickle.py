"""The pickles of an archive, written: compile-time values of declared types to `data.pkl` or `constants.pkl`.

In: a ScriptObject (or a tuple of constants) and the names of its classes. Out: the bytes of the pickle, and the storages
that its tensors refer to, as views of the memory in which they are. Tensors that overlap share a storage, a tensor or a
container that stands in two places is written once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Constant, ForeignTensor
from ...ir.diagnostics import CompileError
from ...ir.quantized import PACKED
from ...ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    STR,
    AnyType,
    DeviceType,
    DictType,
    EnumMember,
    FloatType,
    ListType,
    OptionalType,
    ScriptObject,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
)
from ...ir.torchscript.unit import CodeUnit
from ..machine import is_dict, is_list
from .packed import packed_state

Array = npt.NDArray[Any]

STORAGES: Final = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
    "complex32": "ComplexHalfStorage",
    "uint16": "UInt16Storage",
    "uint32": "UInt32Storage",
    "uint64": "UInt64Storage",
    "qint8": "QInt8Storage",
    "quint8": "QUInt8Storage",
    "qint32": "QInt32Storage",
    "float8_e4m3fn": "Float8_e4m3fnStorage",
    "float8_e5m2": "Float8_e5m2Storage",
    "float8_e4m3fnuz": "Float8_e4m3fnuzStorage",
    "float8_e5m2fnuz": "Float8_e5m2fnuzStorage",
    "float8_e8m0fnu": "Float8_e8m0fnuStorage",
}
"""What PyTorch calls a storage with elements of a dtype."""

_LISTS: Final[dict[ScriptType, str]] = {INT: "build_intlist", FLOAT: "build_doublelist", BOOL: "build_boollist"}

_MAX_DEPTH: Final = 100


# storages


@dataclass(eq=False)
class _Storage:
    """Memory from `start` to `stop` (addresses) that some tensors of one dtype lie in."""

    start: int
    stop: int
    arrays: list[Array]
    key: str = ""

    def contents(self) -> memoryview:
        """Its bytes: the memory itself, if one of the tensors fills it."""
        size = self.stop - self.start
        for array in self.arrays:
            if array.flags.c_contiguous and array.nbytes == size:
                return array.reshape(-1).view(np.uint8).data
        data = np.zeros(size, np.uint8)
        for array in self.arrays:
            offset = array.ctypes.data - self.start
            target = np.ndarray(array.shape, array.dtype, data.data, offset, array.strides)
            target[...] = array
        return data.data


class _Storages:
    """The storages of all tensors of a pickle."""

    def __init__(self) -> None:
        self._arrays: dict[int, Array] = {}
        self._of: dict[int, _Storage] = {}
        self.used: list[_Storage] = []

    def add(self, array: Array) -> None:
        self._arrays[id(array)] = array

    def group(self) -> None:
        """Finds out which tensors overlap."""
        by_dtype: dict[str, list[tuple[int, int, Array]]] = {}
        for array in self._arrays.values():
            start = array.ctypes.data
            stop = start + sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)) + array.itemsize
            if array.size:
                by_dtype.setdefault(array.dtype.str + array.dtype.name, []).append((start, stop, array))
            else:
                self._of[id(array)] = _Storage(start, start, [array])
        for spans in by_dtype.values():
            last: _Storage | None = None
            for start, stop, array in sorted(spans, key=lambda s: s[:2]):
                if last is not None and start < last.stop and (start - last.start) % array.itemsize == 0:
                    last.stop = max(last.stop, stop)
                    last.arrays.append(array)
                else:
                    last = _Storage(start, stop, [array])
                self._of[id(array)] = last

    def alone(self, array: Array) -> None:
        """A tensor that was made while writing, and shares nothing."""
        start = array.ctypes.data
        self._arrays[id(array)] = array
        self._of[id(array)] = _Storage(start, start + array.nbytes, [array])

    def of(self, array: Array) -> _Storage:
        found = self._of[id(array)]
        if not found.key:
            found.key = str(len(self.used))
            self.used.append(found)
        return found


def _normal(array: Array) -> Array:
    """In the byte order of archives, with strides that PyTorch has."""
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    is_strided = all(s >= 0 and s % array.itemsize == 0 for s in array.strides)
    return array if is_strided else np.ascontiguousarray(array)


def _bits(array: Array) -> Array:
    """The elements as what compares equal with itself."""
    return array.view(f"u{array.itemsize}") if array.itemsize <= 8 else array


# values


@dataclass
class Pickle:
    data: bytes
    storages: Sequence[Callable[[], memoryview]]
    """The contents of storage n, made when they are asked for."""


def pickle_object(value: ScriptObject, unit: CodeUnit, states: Mapping[int, tuple[ScriptType, Any]] | None = None) -> Pickle:
    """`data.pkl` of a module. `states`: of objects that `__setstate__` makes again, by identity."""
    writer = _Writer(unit, states=states or {})
    return writer.run(lambda w: w.value(value, value.type, ""), [value])


def pickle_constants(values: Sequence[Constant], unit: CodeUnit) -> Pickle:
    """`constants.pkl`."""
    types = TupleType(tuple(TensorType() for _ in values))
    return _Writer(unit).run(lambda w: w.value(tuple(values), types, "CONSTANTS"), values)


@dataclass
class _Writer:
    unit: CodeUnit
    out: bytearray = field(default_factory=bytearray)
    memo: dict[Any, int] = field(default_factory=dict[Any, int])
    storages: _Storages = field(default_factory=_Storages)
    shared: set[int] = field(default_factory=set[int])
    """Identities of containers that stand in several places."""
    normal: dict[int, Array] = field(default_factory=dict[int, Array])
    made: list[Any] = field(default_factory=list[Any])
    """Containers that were made while writing: others must not get their identity."""
    depth: int = 0
    states: Mapping[int, tuple[ScriptType, Any]] = field(default_factory=dict[int, Any])

    def run(self, write: Callable[[_Writer], None], roots: Iterable[Any]) -> Pickle:
        self._survey(roots)
        self.storages.group()
        self.out += b"\x80\x02"
        write(self)
        self.out += b"."
        return Pickle(bytes(self.out), [s.contents for s in self.storages.used])

    def fault(self, path: str, why: str) -> CompileError:
        return CompileError.at(None, f"cannot save `{path.removeprefix('.') or 'the module'}`: {why}")

    def _survey(self, roots: Iterable[Any]) -> None:
        """Finds all tensors, and the containers that are shared."""
        pending, seen = list(roots), set[int]()
        while pending:
            value = pending.pop()
            match value:
                case ScriptObject() if id(value) not in seen:
                    seen.add(id(value))
                    pending += [self.states[id(value)][1]] if id(value) in self.states else value.attributes.values()
                case Constant():
                    self._add(value.array, value.strided)
                case np.ndarray():
                    self._add(cast(Array, value))
                case ForeignTensor():
                    pending += [p for p in value.parts.values() if isinstance(p, np.ndarray)]
                case list() | tuple() | dict():
                    if id(cast(object, value)) in seen:
                        self.shared.add(id(cast(object, value)))
                        continue
                    seen.add(id(cast(object, value)))
                    table = cast(dict[Any, Any], value) if isinstance(value, dict) else None
                    pending += cast(Sequence[Any], value) if table is None else [*table.keys(), *table.values()]
                case _:
                    pass

    def _add(self, array: Array, strided: Array | None = None) -> None:
        if id(array) not in self.normal:
            is_current = strided is not None and np.array_equal(_bits(strided), _bits(array))
            self.normal[id(array)] = _normal(strided if strided is not None and is_current else array)
            self.storages.add(self.normal[id(array)])

    # by type

    def value(self, value: Any, type_: ScriptType, path: str) -> None:
        if isinstance(type_, OptionalType):
            type_ = type_.element
        match value:
            case None:
                self.out += b"N"
            case ScriptObject():
                self.object(value, path)
            case Constant():
                self.tensor(value.array, path)
            case np.ndarray():
                self.tensor(cast(Array, value), path)
            case ForeignTensor():
                self.foreign(value, path)
            case EnumMember():
                self.global_name(*_split(self.unit.type(value.type)))
                self.value(value.value, value.type.value, path)
                self.out += b"R"
            case str() if isinstance(type_, DeviceType):
                self.device(value)
            case bool() | int() | float() | complex() | str():
                self.scalar(float(value) if isinstance(type_, FloatType) and isinstance(value, int) else value, path)
            case _ if isinstance(type_, UnionType | AnyType):
                self.value(value, self._member(value, type_, path), path)
            case tuple() if isinstance(type_, TupleType):
                self.tuple_(cast(tuple[Any, ...], value), type_, path)
            case list() if isinstance(type_, ListType):
                self.container(cast(list[Any], value), type_, path, self._list)
            case dict() if isinstance(type_, DictType):
                self.container(cast(dict[Any, Any], value), type_, path, self._dict)
            case _:
                raise self.fault(path, f"it holds a {type(value).__name__}, and its type is {type_.annotation}")

    def _member(self, value: Any, type_: ScriptType, path: str) -> ScriptType:
        """The member of a Union that a container is of."""
        kind = ListType if is_list(value) else DictType if is_dict(value) else TupleType
        members = type_.members if isinstance(type_, UnionType) else ()
        found = [m for m in members if isinstance(m, kind)]
        if len(found) != 1:
            raise self.fault(path, f"its type {type_.annotation} does not tell the types of its contents")
        return found[0]

    def scalar(self, value: bool | int | float | complex | str, path: str) -> None:
        match value:
            case bool():
                self.out += b"\x88" if value else b"\x89"
            case int():
                self.integer(value, path)
            case float():
                self.out += b"G" + struct.pack(">d", value)
            case complex():
                self.global_name("builtins", "complex")
                self.scalar(value.real, path)
                self.scalar(value.imag, path)
                self.out += b"\x86R"
            case str():
                self.text(value, path)

    def integer(self, value: int, path: str = "") -> None:
        if 0 <= value < 256:
            self.out += b"K" + bytes((value,))
        elif 0 <= value < 65536:
            self.out += b"M" + struct.pack("<H", value)
        elif -(1 << 31) <= value < 1 << 31:
            self.out += b"J" + struct.pack("<i", value)
        elif -(1 << 63) <= value < 1 << 63:
            self.out += b"\x8a\x08" + struct.pack("<q", value)
        else:
            raise self.fault(path, f"the int {value} does not fit 64 bits")

    def text(self, value: str, path: str = "") -> None:
        if self.recall(("text", value)):
            return
        try:
            data = value.encode()
        except UnicodeEncodeError:
            raise self.fault(path, "it holds a string with surrogates, which is no Unicode text") from None
        self.out += b"X" + struct.pack("<I", len(data)) + data
        self.memoize(("text", value))

    def tuple_(self, value: tuple[Any, ...], type_: TupleType, path: str) -> None:
        if len(value) != len(type_.elements):
            raise self.fault(path, f"a tuple of {len(value)} stands where {type_.annotation} is declared")
        key = ("container", id(value), type_)
        if self.recall(key):
            return
        if len(value) > 3:
            self.out += b"("
        for i, (item, inner) in enumerate(zip(value, type_.elements, strict=True)):
            self.deeper(item, inner, f"{path}.{i}")
        self.out += (b")", b"\x85", b"\x86", b"\x87")[len(value)] if len(value) <= 3 else b"t"
        if value and id(value) in self.shared:
            self.memoize(key)

    def container(
        self, value: Any, type_: ListType | DictType, path: str, write: Callable[[Any, Any, str], None]
    ) -> None:
        key = ("container", id(value), type_)
        if self.recall(key):
            return
        built = _LISTS.get(type_.element) if isinstance(type_, ListType) else None
        if isinstance(type_, ListType) and isinstance(type_.element, TensorType):
            built = "build_tensorlist"
        self.global_name("torch.jit._pickle", built or "restore_type_tag")
        self.out += b"(" if built else b""
        write(value, type_, path)
        if built:
            self.out += b"t"
        else:
            self.text(self.unit.type(type_))
            self.out += b"\x86"
        self.out += b"R"
        if id(value) in self.shared:
            self.memoize(key)

    def _list(self, value: list[Any], type_: ListType, path: str) -> None:
        self.out += b"]("
        for i, item in enumerate(value):
            self.deeper(item, type_.element, f"{path}.{i}")
        self.out += b"e"

    def _dict(self, value: Mapping[Any, Any], type_: DictType, path: str) -> None:
        self.out += b"}("
        for key, item in value.items():
            self.deeper(key, type_.key, f"{path} (a key)")
            self.deeper(item, type_.value, f"{path}.{key}")
        self.out += b"u"

    def deeper(self, value: Any, type_: ScriptType, path: str) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.fault(path[:60], f"values are nested deeper than {_MAX_DEPTH} levels")
        self.value(value, type_, path)
        self.depth -= 1

    # objects and tensors

    def object(self, value: ScriptObject, path: str) -> None:
        if self.recall(("object", id(value))):
            return
        if value.type.name in PACKED:
            self.packed(value, path)
            return
        self.global_name(*_split(self.unit.type(value.type)))
        if id(value) in self.states:
            type_, state = self.states[id(value)]
            self.out += b")\x81"
            self.deeper(state, type_, f"{path}.__getstate__()")
            self.out += b"b"
            self.memoize(("object", id(value)))
            return
        self.out += b")\x81}("
        for name, declared in value.type.attributes.items():
            if name not in value.attributes:
                raise self.fault(f"{path}.{name}", f"the object has no attribute `{name}`, which its class declares")
            self.text(name)
            found = value.attributes[name]
            is_parameter = name in value.type.parameters and name not in value.without_gradient
            if is_parameter and isinstance(found, Constant):
                self.tensor(found.array, path, requires_gradient=found.array.dtype.kind in "fcV")
            else:
                self.deeper(found, declared, f"{path}.{name}")
        self.out += b"ub"
        self.memoize(("object", id(value)))

    def packed(self, value: ScriptObject, path: str) -> None:
        """Weights of a quantized layer: an object of a C++ class, with the state that its `__setstate__` takes."""
        self.global_name(*_split(value.type.name))
        self.out += b")\x81"
        type_, state, numbers = packed_state(value)
        if numbers is not None:
            self.normal[id(numbers)] = numbers
            self.storages.alone(numbers)
        self.made.append(state)
        self.value(state, type_, path)
        self.out += b"b"
        self.memoize(("object", id(value)))

    def tensor(self, array: Array, path: str, *, requires_gradient: bool = False) -> None:
        if self.recall(("tensor", id(array))):
            return
        self.rebuilt("_rebuild_tensor_v2", array, array.dtype.name, path, gradient=requires_gradient)
        self.memoize(("tensor", id(array)))

    def rebuilt(
        self,
        function: str,
        array: Array,
        dtype: str,
        path: str,
        *,
        before: Callable[[], None] | None = None,
        gradient: bool = False,
        marks: Sequence[str] = (),
    ) -> None:
        """A call of one of PyTorch's functions that make tensors: storage, offset, sizes, strides, and so on."""
        normal = self.normal[id(array)]
        storage = self.storages.of(normal)
        itemsize = normal.itemsize
        shape = normal.shape
        steps = [s // itemsize for s in normal.strides]
        if not normal.size:
            steps = [int(np.prod([max(n, 1) for n in shape[i + 1 :]])) for i in range(len(shape))]
        self.global_name("torch._utils", function)
        self.out += b"("
        self.storage(storage, dtype, path, itemsize)
        self.integer((normal.ctypes.data - storage.start) // itemsize)
        self.sizes(shape)
        self.sizes(steps)
        if before is not None:
            before()
        self.out += b"\x88" if gradient else b"\x89"
        self.no_hooks()
        if marks:
            self.value(dict.fromkeys(marks, True), DictType(STR, BOOL), path)
        self.out += b"tR"

    def no_hooks(self) -> None:
        self.global_name("collections", "OrderedDict")
        self.out += b")R"

    def storage(self, storage: _Storage, dtype: str, path: str, itemsize: int) -> None:
        if dtype not in STORAGES:
            raise self.fault(path, f"PyTorch has no tensors of {dtype}")
        count = (storage.stop - storage.start) // itemsize
        key = ("storage", id(storage), dtype)
        if self.recall(key):
            return
        self.out += b"("
        self.text("storage")
        self.global_name("torch", STORAGES[dtype])
        self.text(storage.key)
        self.text("cpu")
        self.integer(count)
        self.out += b"tQ"
        self.memoize(key)

    def sizes(self, values: Sequence[int]) -> None:
        self.out += b"("
        for value in values:
            self.integer(value)
        self.out += b"t"

    def foreign(self, value: ForeignTensor, path: str) -> None:
        """Tensors that the compiler only carries along."""
        if self.recall(("tensor", id(value))):
            return
        parts = value.parts
        if value.what == "sparse":
            self.global_name("torch._utils", "_rebuild_sparse_tensor")
            self.out += b"("
            self.integer(1)
            self.sizes(value.shape)
            self.out += b"\x89"
            for part in ("indices", "values"):
                self.tensor(parts[part], path)
            self.no_hooks()
            self.out += b"tR"
        elif "int_repr" in parts:
            self.rebuilt(
                "_rebuild_qtensor", parts["int_repr"], value.dtype, path, before=lambda: self._quantizer(parts, path)
            )
        else:
            self._whole(value, path)
        self.memoize(("tensor", id(value)))

    def _whole(self, value: ForeignTensor, path: str) -> None:
        self.rebuilt("_rebuild_tensor_v2", cast(Array, value.parts["values"]), value.dtype, path)

    def _quantizer(self, parts: Mapping[str, Any], path: str) -> None:
        self.out += b"("
        self.global_name("torch", parts["scheme"])
        if "axis" in parts:
            self.tensor(parts["scale"], path)
            self.tensor(parts["zero_point"], path)
            self.integer(parts["axis"])
        else:
            self.scalar(float(parts["scale"]), path)
            self.integer(int(parts["zero_point"]))
        self.out += b"t"

    def device(self, name: str) -> None:
        if self.recall(("device", name)):
            return
        self.global_name("torch", "device")
        self.text(name)
        self.out += b"\x85R"
        self.memoize(("device", name))

    # the memo

    def global_name(self, module: str, name: str) -> None:
        if self.recall(("global", module, name)):
            return
        self.out += f"c{module}\n{name}\n".encode()
        self.memoize(("global", module, name))

    def recall(self, key: Any) -> bool:
        found = self.memo.get(key)
        if found is None:
            return False
        self.out += b"h" + bytes((found,)) if found < 256 else b"j" + struct.pack("<I", found)
        return True

    def memoize(self, key: Any) -> None:
        index = self.memo[key] = len(self.memo)
        self.out += b"q" + bytes((index,)) if index < 256 else b"r" + struct.pack("<I", index)


def _split(qualified: str) -> tuple[str, str]:
    module, _, name = qualified.rpartition(".")
    return module, name
