"""Calls of compiled functions from Python: arrays in, arrays out, through the C calling convention, without the GIL.

Arguments are numpy arrays, torch tensors or anything else with `__dlpack__`; their memory is used in place. Results are
numpy arrays over the memory that the callee allocated (torch tensors when an argument was one), freed with them.
"""

from __future__ import annotations

import ctypes
import operator
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ...ir.columns import joined_tensors
from ...ir.diagnostics import ExecutionError, InternalError
from ...ir.dtypes import DType
from ...ir.script_types import BoolType, FloatType, IntType, ScriptType, TensorType
from ...ir.signature import (
    FIRST_CELL,
    GivenPart,
    Parameter,
    ScalarSpec,
    Signature,
    TensorSpec,
    is_mirrored,
    rebuild,
)
from ...ir.source import Span
from ..runtime.abi import CPU_DEVICE, DATA_TYPES, DL_MANAGED_TENSOR_VERSIONED, DL_TENSOR, describe, scalar_kind
from .cells import Cells, part_of_joined
from .views import NEW, flat_number, look, placed, seen_through, strides_of

_TENSOR: Final = struct.Struct("=QiiiBBHQQQ")
_TENSOR_SIZE: Final = ctypes.sizeof(DL_TENSOR.ctype)
_MANAGED_OFFSET: Final = DL_MANAGED_TENSOR_VERSIONED.ctype.dl_tensor.offset
_NUMPY_DTYPES: Final[dict[Any, DType]] = {dtype.numpy: dtype for dtype in DATA_TYPES}
_TORCH_DTYPES: Final[dict[str, DType]] = {f"torch.{d.name}": d for d in DATA_TYPES}
_BYTE: Final = np.zeros(1, np.int8)
_MAX_WORK: Final[Any] = 100_000
_INT64: Final = range(-(2**63), 2**63)


@dataclass(frozen=True)
class RuntimeFunctions:
    """The run time's functions as Python callables."""

    last_error: Callable[[], bytes]
    error_number: Callable[[], int]
    free: Callable[[int], None]
    set_num_threads: Callable[..., None]
    num_threads: Callable[[], int]
    objects_left: Callable[[], int]
    """Of lists, strings and the like, how many were not given back by calls that raised nothing: 0, or there is a bug."""

    @staticmethod
    def at(addresses: Mapping[str, int]) -> RuntimeFunctions:
        return RuntimeFunctions(
            ctypes.PYFUNCTYPE(ctypes.c_char_p)(addresses["torchcc_last_error"]),
            ctypes.PYFUNCTYPE(ctypes.c_int32)(addresses["torchcc.error_number"]),
            ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(addresses["torchcc_free"]),
            ctypes.PYFUNCTYPE(None, ctypes.c_int32)(addresses["torchcc_set_num_threads"]),
            ctypes.PYFUNCTYPE(ctypes.c_int32)(addresses["torchcc_num_threads"]),
            ctypes.PYFUNCTYPE(ctypes.c_int64)(addresses["torchcc.objects_left"]),
        )


class _Memory:
    """Owns a result: the tensor at `address`, inside `block`."""

    __slots__ = ("__array_interface__", "_address", "_block", "_free")

    def __init__(self, block: Any, address: int, free: Callable[[int], None], interface: dict[str, Any]) -> None:
        self._block = block
        self._address = address
        self._free = free
        self.__array_interface__ = interface

    def __del__(self) -> None:
        self._free(self._address)


@dataclass(slots=True)
class _TensorArgument:
    """One tensor given to a call: where its memory is, and what must live until the call is over."""

    data: int
    shape: Sequence[int]
    strides: Sequence[int] | None
    """In elements; None: contiguous."""
    keep: Any
    dtype: DType
    after: Callable[[], None] | None = None
    """Runs after a call that wrote to it."""

    def place(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Address, shape and strides in bytes."""
        strides = self.strides
        if strides is None:
            steps = [self.dtype.itemsize]
            for extent in reversed(self.shape[1:]):
                steps.insert(0, steps[0] * extent)
            return self.data, tuple(self.shape), tuple(steps[: len(self.shape)])
        return self.data, tuple(self.shape), tuple(s * self.dtype.itemsize for s in strides)

    def bounds(self) -> tuple[int, int]:
        """The first byte, and the one behind the last."""
        data, shape, strides = self.place()
        if 0 in shape:
            return data, data
        reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
        return data + sum(r for r in reach if r < 0), data + sum(r for r in reach if r > 0) + self.dtype.itemsize

    def shares_memory(self, other: _TensorArgument) -> bool:
        own, others = self.bounds(), other.bounds()
        if own[0] >= others[1] or others[0] >= own[1]:
            return False
        first = min(own[0], others[0])
        try:
            return np.shares_memory(self._shadow(first), other._shadow(first), max_work=_MAX_WORK)
        except np.exceptions.TooHardError:
            return True

    def _shadow(self, first: int) -> npt.NDArray[Any]:
        """An array that lies like this one relative to `first`, over memory that is never touched."""
        data, shape, strides = self.place()
        base = np.lib.stride_tricks.as_strided(np.broadcast_to(_BYTE, (1,)), (data - first + 1,), (1,))[data - first :]
        element = np.lib.stride_tricks.as_strided(base, (*shape, self.dtype.itemsize), (*strides, 1))
        return element


class SharedArguments(ExecutionError):
    """Two arguments share memory, and one of them is written in place; nothing was computed yet."""


class StridedArguments(ExecutionError):
    """An argument lies in memory in another way than the program was compiled for, and it decides by that."""


class CompiledFunction:
    """A function of a Signature's flat parameters. Calls may come from many threads at once."""

    def __init__(
        self,
        signature: Signature,
        address: int,
        functions: RuntimeFunctions,
        spans: Sequence[Span | None],
        keep: Any = None,
    ) -> None:
        self.signature = signature
        self.address = address
        self._functions = functions
        self._spans = tuple(spans)
        self._keep = keep
        self.is_from_cache = False
        """Whether nothing had to be compiled for it."""
        self._outputs = signature.outputs
        self._returned_tensors = signature.returned_tensors
        self._strides = [p.stride for p in signature.parameters if p.stride is not None]
        """Numbers that follow those that are given, and are found out here."""
        self._converters = [_converter(p) for p in signature.parameters if p.stride is None]
        self._looked = [i for i, p in enumerate(signature.parameters) if p.looks]
        given = [i for i, p in enumerate(signature.parameters) if isinstance(p.spec, TensorSpec)]
        if all(signature.parameters[i].path is not None for i in given):
            given = []
        self._shareable = given if len(given) > 1 and any(signature.parameters[i].write_back is not None for i in given) else []
        """Parameters whose memory must be apart, since some are written."""
        argument_types = [
            ctypes.c_void_p if isinstance(p.spec, TensorSpec) else scalar_kind(p.spec.type).ctype
            for p in signature.parameters
        ]
        output_types = [ctypes.c_void_p] * len(self._outputs)
        self._function = ctypes.CFUNCTYPE(ctypes.c_int32, *argument_types, *output_types)(address)
        self._readers: list[Callable[..., Any]] = [_reader(signature.results[i], functions.free) for i in self._outputs]
        # layout of one call: output tensors and numbers, argument tensors, then shapes and strides
        size = len(self._outputs) * _TENSOR_SIZE
        self._places: list[tuple[int, int, struct.Struct, tuple[int, int, int]]] = []
        tensors = [p for p in signature.parameters if isinstance(p.spec, TensorSpec)]
        numbers = size + len(tensors) * _TENSOR_SIZE
        for k, parameter in enumerate(tensors):
            assert isinstance(parameter.spec, TensorSpec)
            rank = len(parameter.spec.shape)
            kind = (rank, *DATA_TYPES[parameter.spec.dtype])
            self._places.append((size + k * _TENSOR_SIZE, numbers, struct.Struct(f"={rank}q"), kind))
            numbers += 16 * rank
        self._block_type: Any = ctypes.c_char * max(1, numbers)

    def __call__(self, *arguments: Any) -> Any:
        """Calls with the flat arguments; the result has the structure of `signature.tree`."""
        return rebuild(self.signature.tree, self.call_flat(arguments))

    def call_flat(self, arguments: Sequence[Any]) -> list[Any]:
        """Flat results by number; those written back into arguments are None."""
        return self.call_twofold(arguments)[0]

    def call_twofold(self, arguments: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Flat results as the caller gets them, and as a module keeps them: in memory that is not the caller's."""
        if len(arguments) != len(self._converters):
            raise TypeError(f"{self.signature.name} takes {len(self._converters)} arguments, got {len(arguments)}")
        block = self._block_type()
        base = ctypes.addressof(block)
        keep: list[Any] = []
        after: list[Callable[[], None]] = []
        values: list[Any] = []
        places = iter(self._places)
        torch = None
        tensors: dict[int, _TensorArgument] = {}
        for i, (convert, argument) in enumerate(zip(self._converters, arguments, strict=True)):
            value = convert(argument)
            if isinstance(value, _TensorArgument):
                if self._shareable or self._strides:
                    tensors[i] = value
                place, numbers, layout, (rank, code, bits) = next(places)
                strides = 0
                layout.pack_into(block, numbers, *value.shape)
                if value.strides is not None:
                    strides = base + numbers + 8 * rank
                    layout.pack_into(block, numbers + 8 * rank, *value.strides)
                _TENSOR.pack_into(
                    block, place, value.data, CPU_DEVICE, 0, rank, code, bits, 1, base + numbers, strides, 0
                )
                keep.append(value.keep)
                if value.after is not None:
                    after.append(value.after)
                if torch is None and _is_torch(argument):
                    torch = sys.modules["torch"]
                value = base + place
            values.append(value)
        for i, dimension in self._strides:
            values.append(strides_of(arguments[i], tensors[i].place()[2])[dimension])
        for k in range(len(self._outputs)):
            values.append(base + k * _TENSOR_SIZE)
        if self._shareable:
            self._check_apart(tensors)
        if self._function(*values) != 0:
            raise self.error()
        for finish in after:
            finish()
        results: list[Any] = [None] * len(self.signature.results)
        for k, (number, read) in enumerate(zip(self._outputs, self._readers, strict=True)):
            result = read(block, base, k * _TENSOR_SIZE)
            is_given_out = torch is not None and number in self._returned_tensors
            results[number] = _to_torch(torch, result) if is_given_out else result
        for laid in self.signature.laid:
            found = results[laid.result]
            results[laid.result] = found.permute(laid.back) if _is_torch(found) else found.transpose(laid.back)
        own = results
        if self.signature.placed or self.signature.views or self.signature.placed_columns:
            own = list(results)
            self._make_views(arguments, results, own, torch)
        for i in self._looked:
            parameter = self.signature.parameters[i]
            look(arguments[i], parameter.looks, arguments, parameter.name)()
        return results, own

    def _make_views(self, arguments: Sequence[Any], results: list[Any], own: list[Any], torch: Any) -> None:
        """Puts views in place of the results that share memory; in `own` of those that share it with the module or a new tensor."""

        callers: set[int] = set()

        def put(result: int, found: Any, base: int) -> None:
            """`base`: as in `PlacedResult`."""
            if found is None:
                return
            results[result] = _to_torch(torch, found) if torch is not None and not _is_torch(found) else found
            if self.signature.parameters[base].path is None if base >= 0 else -2 - base in callers:
                callers.add(result)
            else:
                own[result] = results[result]

        cells = Cells(results)
        for place in self.signature.placed:
            number = flat_number(place.base, results)
            if number <= FIRST_CELL:
                cells.add_result(number, place)
            elif number != NEW:
                base = _base(arguments[number]) if number >= 0 else results[-2 - number]
                content = results[place.result]
                is_joined = number >= 0 and joined_tensors(base) is not None
                found = part_of_joined(base, torch, content, place, results) if is_joined else placed(base, content, place, results)
                put(place.result, found, number)
        for column in self.signature.placed_columns:
            given = {
                results[cell]: (_base(arguments[i]), torch, is_mirrored(self.signature.parameters[i].spec))
                for i, cell in column.arguments
            }
            cells.add_column(column, given)
        for result, found in cells.views():
            put(result, found, -2 - result)
        for view in self.signature.views:
            base = _base(arguments[view.base]) if view.is_argument else results[view.base]
            put(view.result, seen_through(base, view.steps, arguments), view.base if view.is_argument else -2 - view.base)

    def _check_apart(self, tensors: Mapping[int, _TensorArgument]) -> None:
        """SharedArguments where a write to one argument would be a write to another one too."""
        parameters = self.signature.parameters
        for i in self._shareable:
            if parameters[i].write_back is None:
                continue
            for k in self._shareable:
                if parameters[i].path is not None and parameters[k].path is not None:
                    continue  # what a module holds has memory of its own
                if k != i and tensors[i].shares_memory(tensors[k]):
                    raise SharedArguments(
                        f"arguments `{parameters[min(i, k)].name}` and `{parameters[max(i, k)].name}` share memory, and "
                        f"`{parameters[i].name}` is written in place: give a copy of one of them"
                    )

    def error(self) -> ExecutionError:
        """Of the call that failed last in this thread."""
        message = self._functions.last_error().decode(errors="replace")
        number = self._functions.error_number()
        span = self._spans[number] if 0 <= number < len(self._spans) else None
        if number >= 0:
            message, _, location = message.rpartition("\n  --> ") if "\n  --> " in message else (message, "", "")
            return ExecutionError(message, span, location)
        return ExecutionError(message)


# arguments


_REPEATED: Final = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
    "Please clone() the tensor before performing the operation."
)


def _converter(parameter: Parameter) -> Callable[[Any], Any]:
    """Python value -> what is passed."""
    name, spec = parameter.name, parameter.spec
    if isinstance(spec, ScalarSpec):
        return _scalar_converter(name, spec.type)
    written = parameter.write_back is not None
    expected = describe(spec.dtype, spec.shape)
    rank = len(spec.shape)

    def convert(value: Any) -> _TensorArgument:
        argument = _tensor_argument(name, value, written)
        if argument.dtype is not spec.dtype or len(argument.shape) != rank:
            raise ExecutionError(
                f"argument `{name}`: expected {expected}, got {describe(argument.dtype, argument.shape)}"
            )
        if written and argument.strides is not None and any(n > 1 and not s for n, s in zip(argument.shape, argument.strides)):
            raise ExecutionError(f"argument `{name}`: {_REPEATED}")
        if parameter.by_layout and not _lies_as(argument, spec.strides):
            raise StridedArguments(
                f"argument `{name}`: the program decides something by its strides, and was compiled for others"
            )
        return argument

    return convert


def _lies_as(argument: _TensorArgument, strides: tuple[int, ...] | None) -> bool:
    if strides is not None:
        size = argument.dtype.itemsize
        return tuple(s // size for s in argument.place()[2]) == strides
    return argument.strides is None or is_row_major(argument.shape, argument.strides)


def is_row_major(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """`strides` in elements. Those of extents of 1 say nothing."""
    if 0 in shape:
        return True
    step = 1
    for extent, stride in zip(reversed(shape), reversed(strides), strict=True):
        if extent != 1 and stride != step:
            return False
        step *= extent
    return True


def _scalar_converter(name: str, t: ScriptType) -> Callable[[Any], Any]:
    def integer(value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            raise TypeError(f"argument `{name}`: expected an int, got {type(value).__name__}") from None
        if number not in _INT64:
            raise OverflowError(f"argument `{name}`: {number} does not fit 64 bits")
        return number

    def real(value: Any) -> float:
        if isinstance(value, str | bytes) or (not hasattr(value, "__float__") and not hasattr(value, "__index__")):
            raise TypeError(f"argument `{name}`: expected a float, got {type(value).__name__}")
        return float(value)

    def boolean(value: Any) -> bool:
        if isinstance(value, bool | np.bool_):
            return bool(cast("Any", value))
        raise TypeError(f"argument `{name}`: expected a bool, got {type(value).__name__}")

    match t:
        case IntType():
            return integer
        case FloatType():
            return real
        case BoolType():
            return boolean
        case _:
            raise InternalError(f"argument `{name}` of type {t}")


def _is_torch(value: Any) -> bool:
    value = value.value if isinstance(value, GivenPart) else value
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def dtype_and_shape(name: str, value: Any) -> tuple[DType, tuple[int, ...]]:
    """What a call is specialised for when it is given this array, torch tensor or DLPack object."""
    found = _tensor_argument(name, value, written=False)
    return found.dtype, tuple(found.shape)


def memory_of(value: Any) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Where the elements of an array, torch tensor or DLPack object lie: address, shape, strides in bytes."""
    return _tensor_argument("", value, written=False).place()


def _tensor_argument(name: str, value: Any, written: bool) -> _TensorArgument:
    if isinstance(value, GivenPart):
        part = _tensor_argument(name, value.value, written)
        start = part.data - value.spec.offset * part.dtype.itemsize
        assert value.spec.length is not None
        return _TensorArgument(start, (value.spec.length,), None, part.keep, part.dtype)
    if isinstance(value, np.ndarray):
        array = cast("npt.NDArray[Any]", value)
        return _numpy_argument(name, array, written)
    if _is_torch(value):
        return _torch_argument(name, value, written)
    if hasattr(value, "__dlpack__"):
        return _dlpack_argument(name, value)
    if isinstance(value, np.number | np.bool_) and not written:
        return _numpy_argument(name, np.asarray(cast("Any", value)), written)
    kind = type(cast("object", value)).__name__
    raise TypeError(f"argument `{name}`: expected an array, got {kind}")


def _numpy_argument(name: str, array: npt.NDArray[Any], written: bool) -> _TensorArgument:
    dtype = _NUMPY_DTYPES.get(array.dtype)
    if written and not array.flags.writeable:
        raise ValueError(f"argument `{name}` is written in place, but the array is read-only")
    if dtype is None:
        dtype = _NUMPY_DTYPES.get(array.dtype.newbyteorder("="))
        if dtype is None:
            raise TypeError(f"argument `{name}`: numpy dtype {array.dtype} is not supported")
        return _copied(name, array, dtype, written)
    data = array.__array_interface__["data"][0]
    if array.flags.c_contiguous:
        return _TensorArgument(data, array.shape, None, array, dtype)
    size = array.itemsize
    if any(s % size for s in array.strides):
        return _copied(name, array, dtype, written)
    return _TensorArgument(data, array.shape, [s // size for s in array.strides], array, dtype)


def _copied(name: str, array: npt.NDArray[Any], dtype: DType, written: bool) -> _TensorArgument:
    """For another byte order, or strides that are no multiples of the element: a copy, copied back where written."""
    copy = np.ascontiguousarray(array, dtype.numpy).reshape(array.shape)

    def back() -> None:
        array[...] = copy

    return _TensorArgument(copy.ctypes.data, copy.shape, None, copy, dtype, back if written else None)


def _torch_argument(name: str, given: Any, written: bool) -> _TensorArgument:
    tensor = given
    if tensor.device.type != "cpu":
        raise ExecutionError(f"argument `{name}`: expected a tensor in CPU memory, got one on {tensor.device}")
    dtype = _TORCH_DTYPES.get(str(tensor.dtype))
    if dtype is None or str(tensor.layout) != "torch.strided":
        raise TypeError(f"argument `{name}`: torch tensors of {tensor.dtype}, {tensor.layout} are not supported")
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    strides = None if tensor.is_contiguous() else tensor.stride()
    found = _TensorArgument(tensor.data_ptr(), tuple(tensor.shape), strides, tensor, dtype)
    if written and tensor is not given:
        found.after = lambda: given.copy_(tensor)
    return found


_capsule_pointer: Any = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_capsule_is: Any = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is.restype = ctypes.c_int
_capsule_is.argtypes = [ctypes.py_object, ctypes.c_char_p]


def _dlpack_argument(name: str, value: Any) -> _TensorArgument:
    """Reads the producer's DLTensor; the capsule, which owns it, lives until the call is over."""
    capsule = value.__dlpack__()
    if _capsule_is(capsule, b"dltensor_versioned"):
        address = _capsule_pointer(capsule, b"dltensor_versioned") + _MANAGED_OFFSET
    elif _capsule_is(capsule, b"dltensor"):
        address = _capsule_pointer(capsule, b"dltensor")
    else:
        raise TypeError(f"argument `{name}`: its __dlpack__ gave no tensor")
    tensor: Any = DL_TENSOR.ctype.from_address(address)
    if tensor.device.device_type != CPU_DEVICE:
        raise ExecutionError(
            f"argument `{name}`: expected a tensor in CPU memory, got DLPack device type {tensor.device.device_type}"
        )
    found = (tensor.dtype.code, tensor.dtype.bits)
    dtype = next((d for d, pair in DATA_TYPES.items() if pair == found), None)
    if dtype is None or tensor.dtype.lanes != 1:
        raise TypeError(f"argument `{name}`: DLPack type {found} is not supported")
    rank = tensor.ndim

    def numbers(pointer: int | None) -> tuple[int, ...]:
        return tuple((ctypes.c_int64 * rank).from_address(pointer)) if pointer and rank else ()

    strides = numbers(tensor.strides) if tensor.strides else None
    data = (tensor.data or 0) + tensor.byte_offset
    return _TensorArgument(data, numbers(tensor.shape), strides, capsule, dtype)


# results


def _reader(t: ScriptType, free: Callable[[int], None]) -> Callable[..., Any]:
    """Reads an output from (block, base address, offset in it)."""
    if not isinstance(t, TensorType):
        code = {"int": "=q", "float": "=d", "bool": "=?"}[str(t)]

        def read_scalar(block: Any, base: int, offset: int) -> Any:
            del base
            return struct.unpack_from(code, block, offset)[0]

        return read_scalar
    assert t.dtype is not None and t.shape is not None
    dtype, rank = t.dtype.numpy, t.rank
    static = t.shape if None not in t.shape else None
    is_foreign, kind = _kind(dtype)
    shape_type: Any = ctypes.c_int64 * rank

    def read_tensor(block: Any, base: int, offset: int) -> npt.NDArray[Any]:
        data, _, _, _, _, _, _, shape_at, _, _ = _TENSOR.unpack_from(block, offset)
        shape = static if static is not None else tuple(shape_type.from_address(shape_at))
        interface = {"data": (data, False), "shape": shape, "typestr": kind, "version": 3}
        array = np.asarray(cast("Any", _Memory(block, base + offset, free, interface)))
        return array.view(dtype) if is_foreign else array

    return read_tensor


def _kind(dtype: np.dtype[Any]) -> tuple[bool, str]:
    """numpy's word for memory of this dtype; of one that is not numpy's own, for integers of its size."""
    is_foreign = dtype.kind not in "?biufc"
    return is_foreign, f"<u{dtype.itemsize}" if is_foreign else dtype.str


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def numpy_copy(result: Any) -> npt.NDArray[Any]:
    """A result of `call_flat`, array or torch tensor, in memory of its own."""
    if isinstance(result, np.ndarray):
        return np.array(cast("npt.NDArray[Any]", result))
    return np.array(shared_array(result))


def _base(value: Any) -> Any:
    """What a result may be a view of: an argument, or the memory that it lies in."""
    return whole(value, _tensor_argument("", value, written=False)) if isinstance(value, GivenPart) else value


class _Whole:
    """Memory of several arguments, which lives as long as the one that it is seen through."""

    def __init__(self, argument: _TensorArgument) -> None:
        self._keep = argument.keep
        _, kind = _kind(argument.dtype.numpy)
        self.__array_interface__ = {"data": (argument.data, False), "shape": argument.shape, "typestr": kind, "version": 3}


def whole(part: GivenPart, argument: _TensorArgument) -> Any:
    """The memory that a part lies in, as an array or a torch tensor of one dimension."""
    array = np.asarray(cast("Any", _Whole(argument))).view(argument.dtype.numpy)
    return _to_torch(sys.modules["torch"], array) if _is_torch(part) else array


def shared_array(tensor: Any) -> npt.NDArray[Any]:
    """The memory of a torch tensor as an array; an array as it is."""
    if isinstance(tensor, np.ndarray):
        return cast("npt.NDArray[Any]", tensor)
    tensor = tensor.detach()
    foreign = _FOREIGN.get(str(tensor.dtype))
    if foreign is not None:
        dtype, integers = foreign
        return tensor.view(getattr(sys.modules["torch"], integers)).numpy().view(dtype)
    return tensor.numpy()


_FOREIGN: Final[dict[str, tuple[Any, str]]] = {
    "torch.bfloat16": (np.dtype(ml_dtypes.bfloat16), "int16"),
    "torch.complex32": (np.dtype(ml_dtypes.complex32), "int32"),
}
"""What is no dtype of numpy's own, and the integers of its size."""


def _to_torch(torch: Any, array: npt.NDArray[Any]) -> Any:
    if array.dtype.kind not in "?biufc":
        for name, (dtype, integers) in _FOREIGN.items():
            if array.dtype == dtype:
                return torch.from_numpy(array.view(integers)).view(getattr(torch, name.removeprefix("torch.")))
    return torch.from_numpy(array)
