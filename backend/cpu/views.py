"""Views that a call gives out: results over the memory of arguments, and arguments whose metadata was changed in place.

In: what the caller gave (numpy arrays, torch tensors), and the steps of a `ResultView` or where a `PlacedResult` lies. Out: the
same memory, looked at so. What view operators mean on arrays is what the operators' records say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np

from ...ir.signature import FlatNumber, GivenNumber, PlacedResult, ViewStep

_OF_COMPLEX: Final = frozenset(f"aten::{name}" for name in ("real", "imag", "conj", "view_as_real", "view_as_complex"))
"""Views of another dtype, which strides do not tell."""


def seen_through(value: Any, steps: Sequence[ViewStep], given: Sequence[Any]) -> Any:
    """A view of an array or torch tensor; None where it would be a copy, or the value is neither. `given`: the flat arguments."""
    if isinstance(value, np.ndarray):
        return _through(value, steps, given)
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        return None
    if not steps:
        return value
    seen = value.detach()
    for step in steps:
        if step.name in _OF_COMPLEX and (seen.is_complex() or step.name == "aten::view_as_complex"):
            seen = getattr(torch, step.name.removeprefix("aten::"))(seen)
            continue
        place = _shadow(tuple(seen.shape), tuple(seen.stride()), [step], given)
        if place is None or seen.is_conj():
            return None
        shape, strides, offset = place
        seen = seen.as_strided(shape, strides, seen.storage_offset() + offset)
    return seen


NEW: Final = -1
"""The base of a result with memory of its own."""


def flat_number(number: int | FlatNumber, results: Sequence[Any]) -> int:
    return results[number.result] if isinstance(number, FlatNumber) else number


def strides_of(value: Any, strides: Sequence[int]) -> Sequence[int]:
    """Those of an argument in bytes; `strides`: of what the call is given for it, which may be a copy."""
    return cast("Any", value).strides if isinstance(value, np.ndarray) else strides


def placed(base: Any, result: Any, place: PlacedResult, results: Sequence[Any]) -> Any:
    """The view of `base` that a result is, an array or torch tensor; None where the base is neither, or has no such view."""
    if place.strides is None:
        return _beginning(base, tuple(result.shape))
    shape: tuple[int, ...] = tuple(result.shape)
    strides = tuple(flat_number(s, results) for s in place.strides)
    offset = flat_number(place.offset, results)
    if isinstance(base, np.ndarray):
        dtype: Any = cast("Any", base).dtype
        if isinstance(result, np.ndarray):
            dtype = cast("Any", result).dtype
        elif result.element_size() != base.itemsize:
            dtype = result.numpy().dtype
        return _array_at(base, dtype, shape, strides, offset)
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(base, torch.Tensor) or base.is_conj() or base.is_neg():
        return None
    base = base.detach()
    size = result.element_size() if isinstance(result, torch.Tensor) else result.itemsize
    steps = tuple(s // size for s in strides)
    at = (base.storage_offset() * base.element_size() + offset) // size
    if base.element_size() == size:
        return base.as_strided(shape, steps, at)
    seen = torch.empty(0, dtype=_torch_dtype(torch, result))
    return seen.set_(base.untyped_storage(), at, shape, steps)


def _beginning(base: Any, shape: tuple[int, ...]) -> Any:
    """The first elements along each dimension, which may be all."""
    if isinstance(base, np.ndarray):
        array = cast("Any", base)
        return array if array.shape == shape else array[tuple(map(slice, shape))]
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(base, torch.Tensor):
        return None
    return base if base.shape == shape else base.detach()[tuple(map(slice, shape))]


def _torch_dtype(torch: Any, result: Any) -> Any:
    return result.dtype if isinstance(result, torch.Tensor) else torch.from_numpy(result[:0] if result.ndim else result).dtype


class _Seen:
    """Part of the memory of an array, which lives as long."""

    __slots__ = ("__array_interface__", "_base")

    def __init__(self, base: Any, interface: dict[str, Any]) -> None:
        self._base = base
        self.__array_interface__ = interface


def _array_at(base: Any, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
    """`dtype`: of the result, in the byte order of this machine; None: that of the base."""
    own = base.dtype
    if dtype is not None and dtype.itemsize != own.itemsize:
        own = dtype if own.isnative else dtype.newbyteorder()
    data, read_only = base.__array_interface__["data"]
    repeats = any(n > 1 and s == 0 for n, s in zip(shape, strides, strict=True))  # as PyTorch refuses to write to such
    kind = own.str if own.kind != "V" else f"V{own.itemsize}"
    interface = {"data": (data + offset, read_only or repeats), "shape": shape, "strides": strides, "typestr": kind, "version": 3}
    array: Any = np.asarray(cast("Any", _Seen(base, interface)))
    return array if array.dtype == own else array.view(own)


def look(value: Any, steps: Sequence[ViewStep], given: Sequence[Any], name: str) -> Callable[[], None]:
    """What makes the value itself look like the view, after the call. ValueError where it cannot."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        place = _shadow(tuple(value.shape), tuple(value.stride()), steps, given)
        if place is not None:
            shape, strides, offset = place
            return lambda: value.as_strided_(shape, strides, value.storage_offset() + offset)
    if isinstance(value, np.ndarray):
        array = cast(Any, value)
        view = _through(array, steps, given)
        # other strides than its own are nothing that numpy gives an array
        if view is not None and np.shares_memory(view, array) and array.flags.c_contiguous and view.flags.c_contiguous:
            return lambda: setattr(array, "shape", view.shape)
    raise ValueError(f"argument `{name}`: the program changes its shape in place, which is not possible for this array")


def _shadow(
    shape: tuple[int, ...], strides: tuple[int, ...], steps: Sequence[ViewStep], given: Sequence[Any]
) -> tuple[tuple[int, ...], tuple[int, ...], int] | None:
    """Shape, strides and offset in elements of a view: of an array of bytes that lies so and is never touched."""
    whole = np.lib.stride_tricks.as_strided(np.zeros(1, np.int8), shape, strides)
    view = _through(whole, steps, given)
    if view is None:
        return None
    offset = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return tuple(view.shape), tuple(view.strides), int(offset)


def _through(array: Any, steps: Sequence[ViewStep], given: Sequence[Any]) -> Any:
    if not steps:
        return array
    from ...ir.operators import find  # noqa: PLC0415 - all operators, which few calls need

    for step in steps:
        record = find(step.name)
        if record is None:
            return None
        if step.name == "aten::contiguous":
            if not array.flags.c_contiguous:
                return None
            continue
        arguments = {name: _number(value, given) for name, value in step.arguments}
        if step.name in _OF_COMPLEX and array.dtype == np.int8:
            return None
        view = record.reference(self=array, **arguments)
        view = cast(Any, view)[step.index] if isinstance(view, list | tuple) else view
        if view.size and not _is_within(view, array):
            return None
        array = view
    if any(n > 1 and s == 0 for n, s in zip(array.shape, array.strides, strict=True)):
        array = array.view()
        array.flags.writeable = False  # as PyTorch refuses to write to an expanded tensor
    return array


def _is_within(view: Any, array: Any) -> bool:
    """Whether the view begins in the memory of the array, as a copy does not; neither is touched."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return low <= view.__array_interface__["data"][0] < high


def _number(value: Any, given: Sequence[Any]) -> Any:
    match value:
        case GivenNumber(index):
            return given[index]
        case tuple():
            return [_number(v, given) for v in cast("tuple[Any, ...]", value)]
        case _:
            return value
