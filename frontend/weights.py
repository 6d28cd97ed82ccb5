"""Weight files: `.safetensors`, `.npz`, and PyTorch's state_dict files, to arrays by name, and into a module.

A weight file is untrusted: offsets and sizes are checked before they are used, and nothing in it is executed; of a
pickle only the few globals that a state_dict needs are understood, by `_Unpickler`. Every failure is a CompileError.
"""

from __future__ import annotations

import json
import math
import os
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from ..ir.diagnostics import CompileError, Diagnostics
from ..ir.dtypes import DType
from .machine import is_dict, is_list
from .values import HostTensor, ModuleInstance

Array = npt.NDArray[Any]
Weights = dict[str, Array]

MAX_BYTES: Final = 64 << 30
_MAX_HEADER = 100 << 20
_MAX_PICKLE = 100 << 20
_MAX_EXPANSION = 1 << 24
"""Elements that a tensor with stride 0 may have beyond its storage."""

_STATE_KEYS = ("state_dict", "model_state_dict", "model", "net")
_SHOWN = 10


def load_weights(path: str | os.PathLike[str]) -> Weights:
    """Every tensor of a weight file by its name; the kind of the file is seen from its first bytes."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                _refuse(name, f"is larger than {MAX_BYTES >> 30} GiB")
            data = bytearray(size)
            if file.readinto(data) != size:
                _refuse(name, "changes while it is read")
    except OSError as error:
        _refuse(name, f"cannot be read: {error.strerror}")
    start = bytes(data[:2])
    if start == b"PK":
        return _zip(name, data)
    if start == b"\x80\x02":
        _refuse(name, "is in PyTorch's format from before 1.6", "load it with PyTorch and save it again")
    return _safetensors(name, data)


def _refuse(name: str, why: str, help: str | None = None) -> NoReturn:
    raise CompileError.at(None, f"the weight file {name} {why}", help=help)


# safetensors

_SAFETENSORS: Final = {
    "BOOL": DType.bool,
    "U8": DType.uint8,
    "U16": DType.uint16,
    "U32": DType.uint32,
    "U64": DType.uint64,
    "I8": DType.int8,
    "I16": DType.int16,
    "I32": DType.int32,
    "I64": DType.int64,
    "F16": DType.float16,
    "BF16": DType.bfloat16,
    "F32": DType.float32,
    "F64": DType.float64,
    "C64": DType.complex64,
}


def _safetensors(name: str, data: bytearray) -> Weights:
    """A JSON header {name: {dtype, shape, data_offsets}} behind its u64 length, then the bytes."""
    length = int.from_bytes(data[:8], "little") if len(data) >= 8 else -1
    if not 0 < length <= min(_MAX_HEADER, len(data) - 8) or bytes(data[8:9]) != b"{":
        _refuse(name, "is no .safetensors, .npz or state_dict file")
    try:
        header: Any = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        _refuse(name, "has a damaged header")
    body = memoryview(data)[8 + length :]
    weights: Weights = {}
    for key, entry in header.items():
        if key != "__metadata__":
            weights[key] = _safetensors_entry(name, key, entry, body)
    return weights


def _safetensors_entry(name: str, key: str, entry: Any, body: memoryview) -> Array:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError):
        _refuse(name, f"has a damaged entry for `{key}`")
    if not isinstance(dtype, str) or dtype not in _SAFETENSORS:
        _refuse(name, f"stores `{key}` as {dtype}, which is not supported")
    if not is_list(shape) or not _naturals([begin, end, *shape]):
        _refuse(name, f"has a damaged entry for `{key}`")
    sizes: list[int] = list(shape)
    kind = _SAFETENSORS[dtype].numpy
    if not begin <= end <= len(body) or math.prod(sizes) * kind.itemsize != end - begin:
        _refuse(name, f"has wrong offsets for `{key}`")
    return _array(body[begin:end], kind).reshape(sizes)


def _array(data: memoryview | bytes, kind: np.dtype[Any]) -> Array:
    """The bytes as an array; copied where they are not aligned."""
    array = np.frombuffer(data, np.uint8)
    if array.ctypes.data % kind.itemsize:
        array = array.copy()
    return array.view(kind)


def _naturals(values: list[Any]) -> bool:
    return all(type(v) is int and v >= 0 for v in values)


# zip files: .npz and state_dict


_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    OverflowError,
    MemoryError,
)
"""What the zipfile module raises for files that are damaged, encrypted, or packed in a way that it does not know."""


def _zip(name: str, data: bytearray) -> Weights:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = {i.filename: i for i in archive.infolist()}
            if any(i.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for i in members.values()):
                _refuse(name, "is packed in a way that is not supported")
            if sum(i.file_size for i in members.values()) > MAX_BYTES:
                _refuse(name, f"holds more than {MAX_BYTES >> 30} GiB")
            pickles = [m for m in members if m == "data.pkl" or m.endswith("/data.pkl")]
            if not pickles:
                return _npz(name, data)
            root = pickles[0].removesuffix("data.pkl")
            if f"{root}constants.pkl" in members:
                _refuse(
                    name,
                    "is a TorchScript archive, not a state_dict",
                    "compile the archive itself: it holds its weights",
                )
            return _StateDict(name, archive, root, members).weights()
    except _ZIP_ERRORS as error:
        _refuse(name, f"is a damaged zip file: {error}")


def _npz(name: str, data: bytearray) -> Weights:
    try:
        with np.load(BytesIO(data), allow_pickle=False) as arrays:
            weights = {key: np.asarray(arrays[key]) for key in arrays.files}
    except (*_ZIP_ERRORS, KeyError, SyntaxError, TypeError) as error:
        _refuse(name, f"cannot be read as .npz: {error}")
    for key, array in weights.items():
        if array.dtype.kind not in "biufc" or (array.dtype.kind == "c" and array.dtype.itemsize > 16):
            _refuse(name, f"stores `{key}` as {array.dtype}, which is not supported")
    return weights


_STORAGES: Final = {
    "FloatStorage": DType.float32,
    "DoubleStorage": DType.float64,
    "HalfStorage": DType.float16,
    "BFloat16Storage": DType.bfloat16,
    "LongStorage": DType.int64,
    "IntStorage": DType.int32,
    "ShortStorage": DType.int16,
    "CharStorage": DType.int8,
    "ByteStorage": DType.uint8,
    "BoolStorage": DType.bool,
    "UInt16Storage": DType.uint16,
    "UInt32Storage": DType.uint32,
    "UInt64Storage": DType.uint64,
    "ComplexHalfStorage": DType.complex32,
    "ComplexFloatStorage": DType.complex64,
    "ComplexDoubleStorage": DType.complex128,
}


@dataclass(frozen=True)
class _Global:
    name: str


class _StateDict:
    """A file of `torch.save(module.state_dict(), path)`."""

    def __init__(self, name: str, archive: zipfile.ZipFile, root: str, members: Mapping[str, zipfile.ZipInfo]) -> None:
        self.name = name
        self.archive = archive
        self.root = root
        self.members = members
        self.storages: dict[str, Array] = {}

    def weights(self) -> Weights:
        order = f"{self.root}byteorder"
        if order in self.members and self.archive.read(order).strip() != b"little":
            _refuse(self.name, "is big-endian, which is not supported")
        if self.members[f"{self.root}data.pkl"].file_size > _MAX_PICKLE:
            _refuse(self.name, "has a pickle that is too large")
        top = _Unpickler(self.name, self.archive.read(f"{self.root}data.pkl"), self._rebuild, self._storage).load()
        if is_dict(top):
            state = next((inner for k in _STATE_KEYS if is_dict(inner := top.get(k))), top)
            tensors: Weights = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, np.ndarray)}
            if tensors or not state:
                return tensors
        _refuse(self.name, "holds no state_dict", "save it with torch.save(model.state_dict(), path)")

    def _storage(self, identifier: Any) -> Array:
        """The whole storage that a persistent id names: ("storage", type, key, location, numel)."""
        match identifier:
            case ("storage", _Global(name=kind), str(key), str(), int(numel)) if (
                kind.removeprefix("torch.") in _STORAGES
            ):
                dtype = _STORAGES[kind.removeprefix("torch.")].numpy
            case _:
                _refuse(self.name, "has a storage of an unknown kind")
        member = f"{self.root}data/{key}"
        if numel < 0 or (numel and member not in self.members):
            _refuse(self.name, f"lacks the data of storage {key}")
        if numel and self.members[member].file_size < numel * dtype.itemsize:
            _refuse(self.name, f"has too few bytes for storage {key}")
        if key not in self.storages:
            data = self.archive.read(member) if numel else b""
            self.storages[key] = _array(data[: numel * dtype.itemsize], dtype)
        storage = self.storages[key]
        if storage.dtype != dtype or storage.size < numel:
            _refuse(self.name, f"uses storage {key} in two ways")
        return storage

    def _rebuild(self, storage: Any, offset: Any, size: Any, stride: Any) -> Array:
        """A strided view of a storage, copied."""
        if not isinstance(storage, np.ndarray) or not is_list(size) or not is_list(stride):
            _refuse(self.name, "has a damaged tensor")
        sizes, strides = list(size), list(stride)
        flat: Array = storage  # pyright: ignore[reportUnknownVariableType]
        if len(sizes) != len(strides) or len(sizes) > 32 or not _naturals([offset, *sizes, *strides]):
            _refuse(self.name, "has a damaged tensor")
        count = math.prod(sizes)
        if count == 0:
            return np.zeros(sizes, flat.dtype)
        if offset + sum((n - 1) * s for n, s in zip(sizes, strides)) >= flat.size:
            _refuse(self.name, "has a tensor that reaches beyond its storage")
        if count > max(flat.size, _MAX_EXPANSION):
            _refuse(self.name, "has a tensor that is too large for its storage")
        view = np.lib.stride_tricks.as_strided(
            flat[offset:], sizes, [s * flat.itemsize for s in strides], writeable=False
        )
        return np.array(view)


_MARK: Final = object()


class _Unpickler:
    """The pickle machine without its power: dicts, lists, tuples, numbers, strings, tensors and nothing else."""

    def __init__(
        self,
        name: str,
        data: bytes,
        rebuild: Callable[[Any, Any, Any, Any], Array],
        storage: Callable[[Any], Array],
    ) -> None:
        self.name = name
        self.data = data
        self.rebuild = rebuild
        self.storage = storage
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        try:
            for opcode, argument in self._operations():
                if opcode == "STOP":
                    return self.stack.pop()
                self._step(opcode, argument)
        except (IndexError, ValueError, TypeError, KeyError):
            _refuse(self.name, "has a damaged pickle")
        _refuse(self.name, "has a pickle without an end")

    def _operations(self) -> Iterator[tuple[str, Any]]:
        for opcode, argument, _ in pickletools.genops(self.data):
            yield opcode.name, argument

    def _marked(self) -> list[Any]:
        """What is on the stack above the last mark."""
        index = len(self.stack) - 1
        while self.stack[index] is not _MARK:
            index -= 1
            if index < 0:
                raise IndexError
        items = self.stack[index + 1 :]
        del self.stack[index:]
        return items

    def _step(self, opcode: str, argument: Any) -> None:
        stack = self.stack
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                stack.append(_MARK)
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode == "NEWTRUE")
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(argument)
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "TUPLE":
                stack.append(tuple(self._marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode[-1])
                items = tuple(stack[-count:])
                del stack[-count:]
                stack.append(items)
            case "APPEND":
                value = stack.pop()
                self._top(list).append(value)
            case "APPENDS":
                items = self._marked()
                self._top(list).extend(items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                self._top(dict)[key] = value
            case "SETITEMS":
                items = self._marked()
                self._top(dict).update(zip(items[0::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL":
                stack.append(self._global(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(self._global(f"{module}.{attribute}"))
            case "BINPERSID":
                stack.append(self.storage(stack.pop()))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(self._call(function, arguments))
            case "BUILD":
                self._build(stack.pop())
            case _:
                _refuse(self.name, f"has the pickle operation {opcode}, which a state_dict does not need")

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise TypeError
        return self.stack[-1]

    def _global(self, name: str) -> _Global:
        known = name in _CALLABLE or (name.startswith("torch.") and name.removeprefix("torch.") in _STORAGES)
        if not known:
            _refuse(
                self.name,
                f"wants to use `{name}`; a state_dict does not",
                "save only model.state_dict(), nothing is executed here",
            )
        return _Global(name)

    def _call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise TypeError
        values: list[Any] = list(arguments)  # pyright: ignore[reportUnknownArgumentType]
        match function.name:
            case "collections.OrderedDict":
                return dict(values[0]) if values else {}
            case "torch._utils._rebuild_tensor_v2":
                return self.rebuild(*values[:4])
            case "torch._utils._rebuild_parameter":
                return values[0]
            case "torch.Size":
                return tuple(values[0])
            case _:
                raise TypeError

    def _build(self, state: Any) -> None:
        """State of a state_dict is its `_metadata`: of no use here."""
        if not isinstance(state, dict) or not isinstance(self.stack[-1], dict):
            raise TypeError


_CALLABLE: Final = frozenset(
    ("collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter", "torch.Size")
)


# into a module


def apply_weights(module: ModuleInstance, weights: Mapping[str, Array], source: str = "the weight file") -> None:
    """Write arrays into the parameters and buffers of a module; all that does not fit is reported at once."""
    diagnostics = Diagnostics()
    own: dict[str, HostTensor] = dict(module.named_tensors(non_persistent=True))
    loaded = {id(own[name]) for name in weights if name in own}
    missing = [name for name, tensor in module.named_tensors() if name not in weights and id(tensor) not in loaded]
    missing = [
        name for name in missing if not name.endswith("num_batches_tracked")
    ]  # absent from files before PyTorch 0.4.1
    unexpected = [name for name in weights if name not in own]
    if missing:
        diagnostics.error(None, f"{source} lacks {_listed(missing)}", help=_advice(missing, unexpected))
    if unexpected:
        diagnostics.error(None, f"{source} holds {_listed(unexpected)}, which the model does not have")
    for name, tensor in own.items():
        if name in weights and weights[name].shape != tensor.shape:
            expected, found = list(tensor.shape), list(weights[name].shape)
            diagnostics.error(None, f"`{name}` has the shape {found} in {source}; the model expects {expected}")
        elif name in weights and weights[name].dtype.kind == "c" and not tensor.dtype.is_complex:
            diagnostics.error(None, f"`{name}` is complex in {source}; the model expects {tensor.dtype.name}")
    diagnostics.raise_if_any()
    for name, tensor in own.items():
        if name in weights:
            tensor.array[...] = weights[name].astype(tensor.array.dtype, copy=False)


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{n}`" for n in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _advice(missing: list[str], unexpected: list[str]) -> str | None:
    """The usual reason for names that do not fit: a prefix."""
    for name in unexpected[:1]:
        match = next((m for m in missing if name.endswith(f".{m}")), None)
        if match is not None:
            return f"its names begin with `{name.removesuffix(match)}`: save the state_dict of the inner module"
        match = next((m for m in missing if m.endswith(f".{name}")), None)
        if match is not None:
            return f"the model's names begin with `{match.removesuffix(name)}`"
    return None
