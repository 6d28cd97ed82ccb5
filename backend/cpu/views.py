"""Views that a call gives out: results over the memory of arguments, and arguments whose metadata was changed in place.

In: what the caller gave (numpy arrays, torch tensors) and the steps of a `ResultView`. Out: the same memory, looked at through
the view operators. Their meaning on arrays is that of the operators' records.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np

from ...ir.signature import GivenNumber, ViewStep

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
