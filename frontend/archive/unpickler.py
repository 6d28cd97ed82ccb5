"""The pickles of an archive: a machine that knows the operations and the globals that PyTorch writes, and runs nothing.

In: the bytes of `data.pkl` or `constants.pkl`, and where storages are found. Out: None, bool, int, float, complex, str,
list, tuple, dict, and the classes below. Containers that a pickle shares are shared in the result.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ...ir.diagnostics import CompileError
from ..machine import is_dict, is_list
from ..values import Device
from .reader import ArchiveReader

Array = npt.NDArray[Any]

MAX_MEMO: Final = 1 << 24
MAX_STACK: Final = 1 << 22
MAX_RANK: Final = 64
_MAX_EXPANSION: Final = 1 << 24
"""Elements that a tensor may have beyond its storage (by a stride of 0)."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor: a view of its storage. Equal views of one storage are the same object."""

    array: Array
    requires_grad: bool = field(default=False, kw_only=True)
    strided: Array | None = field(default=None, kw_only=True)
    """The view of the storage, where `array` had to be a copy to be contiguous."""


@dataclass(frozen=True, eq=False)
class OtherTensor(Tensor):
    """A tensor that its array alone does not tell: of quantized numbers, sparse, or of halves of complex numbers.

    `array` are its numbers as they are stored, `parts` what else there is to it.
    """

    dtype: str
    shape: tuple[int, ...]
    what: str
    parts: Mapping[str, Any]


@dataclass(eq=False)
class PickledObject:
    """An instance of `__torch__.a.C`; `state` is what it was built with, a dict of attributes for most."""

    qualified: str
    state: Any = None
    is_built: bool = False


@dataclass(frozen=True, eq=False)
class PickledEnum:
    """A member of the enum `qualified`, by its value."""

    qualified: str
    value: Any


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class _Storage:
    """The elements of a storage; `key` names its member."""

    key: str
    array: Array
    kind: str


_STORAGES: Final[dict[str, Any]] = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
    "ComplexFloatStorage": np.complex64,
    "ComplexDoubleStorage": np.complex128,
    "UInt16Storage": np.uint16,
    "UInt32Storage": np.uint32,
    "UInt64Storage": np.uint64,
    "Float8_e4m3fnStorage": ml_dtypes.float8_e4m3fn,
    "Float8_e5m2Storage": ml_dtypes.float8_e5m2,
    "Float8_e4m3fnuzStorage": ml_dtypes.float8_e4m3fnuz,
    "Float8_e5m2fnuzStorage": ml_dtypes.float8_e5m2fnuz,
    "Float8_e8m0fnuStorage": ml_dtypes.float8_e8m0fnu,
    "QInt8Storage": np.int8,
    "QUInt8Storage": np.uint8,
    "QInt32Storage": np.int32,
    "ComplexHalfStorage": ml_dtypes.complex32,
}
"""Elements as numpy has them."""

_QUANTIZED: Final = {"QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32"}

_LISTS: Final = {
    "torch.jit._pickle.build_intlist": int,
    "torch.jit._pickle.build_doublelist": float,
    "torch.jit._pickle.build_boollist": bool,
    "torch.jit._pickle.build_tensorlist": Tensor,
    "__main__.IntList": int,
}

_CALLABLE: Final = frozenset(
    (
        "torch.jit._pickle.restore_type_tag",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_qtensor",
        "torch._utils._rebuild_sparse_tensor",
        "torch._tensor._rebuild_from_type_v2",
        "torch.per_tensor_affine",
        "torch.per_channel_affine",
        "torch.per_channel_affine_float_qparams",
        "torch.Tensor",
        "torch.nn.parameter.Parameter",
        "torch.nn.parameter.Buffer",
        "collections.OrderedDict",
        "builtins.complex",
        "torch.device",
        *_LISTS,
    )
)

_REFUSED: Final = {
    "torch.jit._pickle.build_tensor_from_id": "the format from before PyTorch 1.4 is",
    "__main__.TensorID": "the format from before PyTorch 1.2 is",
    "torch._utils._rebuild_sparse_csr_tensor": "compressed sparse tensors are",
    "torch._utils._rebuild_nested_tensor": "nested tensors are",
    "torch._utils._rebuild_meta_tensor_no_storage": "tensors without data are",
    "torch._utils._rebuild_device_tensor_from_numpy": "tensors of other devices are",
}

_MARK: Final = object()

_OPCODES: Final[dict[int, str]] = {
    ord("."): "STOP", ord("("): "MARK", ord("N"): "NONE", 0x88: "NEWTRUE", 0x89: "NEWFALSE", 0x80: "PROTO",
    ord("K"): "BININT1", ord("M"): "BININT2", ord("J"): "BININT", 0x8A: "LONG1", ord("G"): "BINFLOAT",
    ord("X"): "BINUNICODE", ord(")"): "EMPTY_TUPLE", ord("]"): "EMPTY_LIST", ord("}"): "EMPTY_DICT",
    ord("t"): "TUPLE", 0x85: "TUPLE1", 0x86: "TUPLE2", 0x87: "TUPLE3", ord("l"): "LIST", ord("d"): "DICT",
    ord("e"): "APPENDS", ord("a"): "APPEND", ord("s"): "SETITEM", ord("u"): "SETITEMS",
    ord("q"): "BINPUT", ord("r"): "LONG_BINPUT", ord("h"): "BINGET", ord("j"): "LONG_BINGET",
    ord("c"): "GLOBAL", 0x81: "NEWOBJ", ord("R"): "REDUCE", ord("b"): "BUILD", ord("Q"): "BINPERSID",
}  # fmt: skip


class Storages:
    """The storages below one directory of an archive (`data/`, `constants/`), each read once."""

    def __init__(self, reader: ArchiveReader, folder: str) -> None:
        self.reader = reader
        self.folder = folder
        self._found: dict[str, Array] = {}

    @cached_property
    def total(self) -> int:
        """Bytes of all storages."""
        prefix = f"{self.folder}/"
        return sum(self.reader.size(n) for n in self.reader.names() if n.startswith(prefix))

    def array(self, kind: str, key: str, count: int, pickle: str) -> Array:
        """`count` elements of the storage `key`; `pickle` is the member that asks."""
        fault = self.reader.fault
        dtype: np.dtype[Any] = np.dtype(_STORAGES[kind])
        if not 0 <= count < 1 << 48:
            raise fault(f"has a storage of {count} elements", pickle)
        if count == 0:
            return np.empty(0, dtype)
        member = f"{self.folder}/{key}"
        if member not in self.reader:
            raise fault(f"needs `{member}`, which is missing", pickle)
        if self.reader.size(member) < count * dtype.itemsize:
            raise fault(f"has {self.reader.size(member)} bytes where `{pickle}` needs {count * dtype.itemsize}", member)
        if member not in self._found:
            self._found[member] = self._aligned(member, dtype.itemsize)
        data = self._found[member]
        if data.ctypes.data % dtype.itemsize:
            raise fault("is used as two kinds of elements", member)
        data = data[: count * dtype.itemsize]
        if kind == "BoolStorage" and data.max() > 1:
            data = (data != 0).view(np.uint8)
        return data.view(dtype)

    def _aligned(self, member: str, itemsize: int) -> Array:
        data = np.frombuffer(self.reader.read(member), np.uint8)
        return data.copy() if data.ctypes.data % max(itemsize, 8) else data


class Unpickler:
    """Runs one pickle."""

    def __init__(self, reader: ArchiveReader, member: str, storages: Storages) -> None:
        self.reader = reader
        self.member = member
        self.storages = storages
        self.data = reader.pickle(member)
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.tensors: dict[tuple[Any, ...], Tensor] = {}
        self.expanded = 0

    def fault(self, why: str, help: str | None = None) -> CompileError:
        return self.reader.fault(why, self.member, help)

    def damage(self, why: str) -> CompileError:
        return self.fault(f"is damaged: {why} (byte {self.at})")

    def load(self) -> Any:
        """The one value of the pickle."""
        steps = _STEPS
        while True:
            code = self.bytes(1)[0]
            name = _OPCODES.get(code)
            if name is None:
                raise self.fault(
                    f"has the pickle operation {code:#04x} at byte {self.at - 1}, which archives do not use"
                )
            if name == "STOP":
                if len(self.stack) != 1 or self.stack[0] is _MARK:
                    raise self.damage("it does not end with one value")
                return self.stack[0]
            steps[name](self)
            if len(self.stack) > MAX_STACK or len(self.memo) > MAX_MEMO:
                raise self.fault("is too large")

    # reading

    def bytes(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise self.damage("it ends early")
        found = self.data[self.at : self.at + count]
        self.at += count
        return found

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.bytes(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 4096)
        if end < 0:
            raise self.damage("the name of a global has no end")
        raw = self.bytes(end - self.at)
        self.at += 1
        return self.text(raw)

    def text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.damage("a string is not UTF-8") from None

    # the stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise self.damage("a value is missing")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise self.damage("a value is missing")
        return self.stack[-1]

    def marked(self) -> list[Any]:
        """What stands above the last mark, which goes too."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise self.damage("a mark is missing")

    # operations

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def put(self, index: int) -> None:
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise self.damage(f"memo {index} is empty")
        self.push(self.memo[index])

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if type(target) is not list:
            raise self.damage("a list is missing")
        cast(list[Any], target).extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if type(target) is not dict or len(items) % 2:
            raise self.damage("a dict is missing")
        table = cast(dict[Any, Any], target)
        for key, value in zip(items[0::2], items[1::2], strict=True):
            if not isinstance(key, bool | int | float | complex | str | Device | Tensor):
                raise self.damage("a dict has a key that cannot be one")
            table[key] = value

    def find_global(self) -> None:
        module, name = self.line(), self.line()
        full = f"{module}.{name}"
        is_storage = module == "torch" and name in _STORAGES
        is_class = module == "__torch__" or module.startswith("__torch__.")
        if full in _REFUSED:
            raise self.fault(f"uses `{full}`: {_REFUSED[full]} not supported")
        if not is_storage and not is_class and full not in _CALLABLE:
            shown = "".join(c if c.isprintable() else "?" for c in full)[:100]
            raise self.fault(f"wants to use `{shown}`, which archives do not need", "nothing in an archive is executed")
        self.push(_Global(full))

    def new_object(self) -> None:
        arguments, cls = self.pop(), self.pop()
        if not isinstance(cls, _Global) or not cls.name.startswith("__torch__.") or arguments != ():
            raise self.damage("an object of no class is made")
        self.push(PickledObject(cls.name))

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if not isinstance(target, PickledObject) or target.is_built:
            raise self.damage("a state has no object")
        target.state, target.is_built = state, True

    def storage(self) -> None:
        match self.pop():
            case ("storage", _Global(name=name), str(key), str(), int(count)) if name.removeprefix("torch.") in _STORAGES:
                kind = name.removeprefix("torch.")
                self.push(_Storage(key, self.storages.array(kind, key, count, self.member), kind))
            case _:
                raise self.damage("the name of a storage has another form")

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if isinstance(function, _Global) and function.name.startswith("__torch__."):
            if type(arguments) not in (int, float, str):
                raise self.damage("a member of an enum has no proper value")
            self.push(PickledEnum(function.name, arguments))
            return
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise self.damage("something that is no function is called")
        values: list[Any] = list(cast(tuple[Any, ...], arguments))
        name = function.name
        match name, values:
            case "torch.jit._pickle.restore_type_tag", [container, str()]:
                self.push(container)
            case "torch._utils._rebuild_tensor_v2", [_Storage() as storage, offset, size, stride, gradient, _, *rest]:
                self.push(self.tensor(storage, offset, size, stride, rest, gradient is True))
            case "torch._utils._rebuild_qtensor", [_Storage() as storage, offset, size, stride, quantizer, *_]:
                self.push(self.quantized(self.tensor(storage, offset, size, stride, []), storage.kind, quantizer))
            case "torch._utils._rebuild_sparse_tensor", [int(layout), *rest]:
                self.push(self.sparse(layout, rest))
            case "torch._utils._rebuild_parameter", [Tensor() as tensor, *_]:
                self.push(tensor)
            case "torch._tensor._rebuild_from_type_v2", [_Global() as made_by, _Global(), tuple(), _]:
                # the class and the Python attributes of the tensor are no part of TorchScript
                if made_by.name == name or not made_by.name.startswith("torch._utils."):
                    raise self.damage(f"`{name}` is called in a way that is not known")
                self.push(made_by)
                self.push(values[2])
                self.reduce()
            case "collections.OrderedDict", []:
                self.push({})
            case "builtins.complex", [float(real), float(imaginary)]:
                self.push(complex(real, imaginary))
            case "torch.device", [str(device)]:
                self.push(Device(device))
            case _, [list()] if name in _LISTS:
                elements = cast(list[Any], values[0])
                kind = _LISTS[name]
                if any(not isinstance(v, Tensor) if kind is Tensor else type(v) is not kind for v in elements):
                    raise self.damage(f"a list made by `{name.rpartition('.')[2]}` has an element of another type")
                self.push(elements)
            case _:
                raise self.damage(f"`{name}` is called in a way that is not known")

    # tensors

    def tensor(
        self, storage: _Storage, offset: Any, size: Any, stride: Any, rest: list[Any], requires_grad: bool = False
    ) -> Tensor:
        """A strided view of a storage; conjugation and negation, which are marks on the tensor, are carried out."""
        if not is_list(size) or not is_list(stride) or len(size) != len(stride) or len(size) > MAX_RANK:
            raise self.damage("a tensor has no proper sizes")
        numbers: list[Any] = [offset, *size, *stride]
        if any(type(v) is not int or not 0 <= v < 1 << 62 for v in numbers):
            raise self.damage("a tensor has no proper sizes")
        sizes, strides = tuple(cast(tuple[int, ...], size)), tuple(cast(tuple[int, ...], stride))
        metadata: dict[Any, Any] = rest[0] if len(rest) == 1 and is_dict(rest[0]) else {}
        marks = tuple(m for m in ("conj", "neg") if metadata.get(m) is True)
        flat = storage.array
        key = (storage.key, storage.kind, flat.size, offset, sizes, strides, marks)
        if key not in self.tensors:
            array = self._view(flat, offset, sizes, strides, marks)
            found = Tensor(array, requires_grad=requires_grad, strided=self._strided(array, flat, offset, strides, marks))
            if storage.kind in _QUANTIZED:
                found = OtherTensor(array, _QUANTIZED[storage.kind], sizes, "quantized", {})
            self.tensors[key] = found
        return self.tensors[key]

    def quantized(self, numbers: Tensor, kind: str, quantizer: Any) -> OtherTensor:
        """Integers with what they stand for: `(number - zero_point) * scale`, for all alike or by an axis."""
        if kind not in _QUANTIZED:
            raise self.damage(f"a quantized tensor is made of a {kind}")
        match quantizer:
            case (_Global(name="torch.per_tensor_affine" as scheme), float(), int()):
                parts: dict[str, Any] = {"scale": quantizer[1], "zero_point": quantizer[2]}
            case (
                _Global(name="torch.per_channel_affine" | "torch.per_channel_affine_float_qparams" as scheme),
                Tensor(array=scales),
                Tensor(array=points),
                int(axis),
            ):
                shape = numbers.array.shape
                if not 0 <= axis < len(shape) or scales.shape != (shape[axis],) or points.shape != (shape[axis],):
                    raise self.damage("a quantized tensor has scales that do not fit")
                parts = {"scale": scales, "zero_point": points, "axis": axis}
            case _:
                raise self.damage("a quantized tensor does not say how")
        parts["scheme"] = scheme.removeprefix("torch.")
        return OtherTensor(numbers.array, _QUANTIZED[kind], numbers.array.shape, "quantized", parts)

    def sparse(self, layout: int, parts: list[Any]) -> OtherTensor:
        """A sparse tensor by its coordinates: `values[i]` stands at `indices[:, i]`, all else is 0."""
        tensors = [p for p in parts if isinstance(p, Tensor)]
        sizes = [tuple(cast(tuple[Any, ...], p)) for p in parts if is_list(p)]
        if layout != 1 or len(tensors) != 2 or not sizes or any(type(n) is not int or n < 0 for n in sizes[0]):
            raise self.fault("has a sparse tensor of a layout that is not supported", "only COO is read")
        indices, values = tensors[0].array, tensors[1].array
        shape = cast(tuple[int, ...], sizes[0])
        rank = indices.shape[0] if indices.ndim == 2 else -1
        if indices.dtype != np.int64 or values.ndim < 1 or indices.shape[1:] != values.shape[:1]:
            raise self.damage("a sparse tensor has indices and values that do not fit")
        if rank > len(shape) or values.shape[1:] != shape[rank:]:
            raise self.damage("a sparse tensor has another shape than its parts")
        limits = np.array(shape[:rank], np.int64).reshape(-1, 1)
        if indices.size and ((indices < 0) | (indices >= limits)).any():
            raise self.damage("a sparse tensor has an index that is out of range")
        found = {"indices": indices, "values": values}
        return OtherTensor(values, values.dtype.name, shape, "sparse", found)

    def _strided(
        self, array: Array, flat: Array, offset: int, strides: tuple[int, ...], marks: tuple[str, ...]
    ) -> Array | None:
        steps = tuple(s * flat.itemsize for s in strides)
        if marks or not array.size or array.strides == steps:
            return None
        return np.ndarray(array.shape, flat.dtype, flat.view(np.uint8).data, offset * flat.itemsize, steps)

    def _view(
        self, flat: Array, offset: int, sizes: tuple[int, ...], strides: tuple[int, ...], marks: tuple[str, ...]
    ) -> Array:
        count = math.prod(sizes)
        if count == 0:
            if math.prod(s for s in sizes if s) > 1 << 40:
                raise self.damage("a tensor has no proper sizes")
            return np.zeros(sizes, flat.dtype)
        if offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True)) >= flat.size:
            raise self.fault("has a tensor that reaches beyond its storage")
        itemsize = flat.itemsize
        steps = [s * itemsize for s in strides]
        view: Array = np.ndarray(sizes, flat.dtype, flat.view(np.uint8).data, offset * itemsize, steps)
        if not view.flags.c_contiguous or marks:
            self.expanded += count
            if self.expanded > 2 * self.storages.total + _MAX_EXPANSION:
                raise self.fault("has tensors that are too large for their storages")
            view = np.array(view, order="C")
        if "conj" in marks:
            view = np.conj(view)
        return -view if "neg" in marks else view


def _long(machine: Unpickler) -> None:
    if machine.bytes(1)[0] != 8:
        raise machine.fault("has an integer of another size than 8 bytes")
    machine.push(machine.number("<q"))


def _unicode(machine: Unpickler) -> None:
    machine.push(machine.text(machine.bytes(machine.number("<I"))))


def _dict(machine: Unpickler) -> None:
    items = machine.marked()
    machine.push({})
    machine.set_items(items)


def _set_item(machine: Unpickler) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _protocol(machine: Unpickler) -> None:
    if machine.bytes(1)[0] != 2:
        raise machine.fault("is not a pickle of protocol 2")


_STEPS: Final[dict[str, Callable[[Unpickler], None]]] = {
    "PROTO": _protocol,
    "MARK": lambda m: m.push(_MARK),
    "NONE": lambda m: m.push(None),
    "NEWTRUE": lambda m: m.push(True),
    "NEWFALSE": lambda m: m.push(False),
    "BININT1": lambda m: m.push(m.number("<B")),
    "BININT2": lambda m: m.push(m.number("<H")),
    "BININT": lambda m: m.push(m.number("<i")),
    "LONG1": _long,
    "BINFLOAT": lambda m: m.push(m.number(">d")),
    "BINUNICODE": _unicode,
    "EMPTY_TUPLE": lambda m: m.push(()),
    "EMPTY_LIST": lambda m: m.push([]),
    "EMPTY_DICT": lambda m: m.push({}),
    "TUPLE": lambda m: m.push(tuple(m.marked())),
    "TUPLE1": lambda m: m.tuple_of(1),
    "TUPLE2": lambda m: m.tuple_of(2),
    "TUPLE3": lambda m: m.tuple_of(3),
    "LIST": lambda m: m.push(m.marked()),
    "DICT": _dict,
    "APPENDS": lambda m: m.append(m.marked()),
    "APPEND": lambda m: m.append([m.pop()]),
    "SETITEM": _set_item,
    "SETITEMS": lambda m: m.set_items(m.marked()),
    "BINPUT": lambda m: m.put(m.number("<B")),
    "LONG_BINPUT": lambda m: m.put(m.number("<I")),
    "BINGET": lambda m: m.get(m.number("<B")),
    "LONG_BINGET": lambda m: m.get(m.number("<I")),
    "GLOBAL": Unpickler.find_global,
    "NEWOBJ": Unpickler.new_object,
    "REDUCE": Unpickler.reduce,
    "BUILD": Unpickler.build,
    "BINPERSID": Unpickler.storage,
}
