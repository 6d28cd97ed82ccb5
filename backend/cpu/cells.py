"""Results that are parts of one piece of memory, as the call gives them out.

In: the flat results of a call and where they lie in the memory that the function made (`PlacedResult` with a base from `FIRST_CELL`
down, `PlacedColumn`). Out: views of new memory, one piece for all of one base, so that the caller sees a write to one through the others.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from ...ir.columns import joined_tensors
from ...ir.signature import FIRST_CELL, PlacedColumn, PlacedResult
from .views import flat_number, placed


@dataclass(frozen=True)
class _Part:
    """A tensor, and where it lies in its cell, in bytes; `put` takes the view that it becomes."""

    content: Any
    offset: int
    strides: tuple[int, ...]
    put: Callable[[Any], None]


@dataclass
class Cells:
    """Parts of memory by base."""

    results: list[Any]
    parts: dict[int, list[_Part]] = field(default_factory=dict[int, list[_Part]])
    found: dict[int, Any] = field(default_factory=dict[int, Any])

    def add_result(self, base: int, place: PlacedResult) -> None:
        strides = tuple(flat_number(s, self.results) for s in place.strides or ())
        offset = flat_number(place.offset, self.results)

        def put(view: Any) -> None:
            self.found[place.result] = view

        self.parts.setdefault(base, []).append(_Part(self.results[place.result], offset, strides, put))

    def add_column(self, column: PlacedColumn, arguments: Mapping[int, tuple[Any, Any, bool]]) -> None:
        """Makes the column of flat results a list of tensors. `arguments`: by the number of the cell, with torch where results are
        its own, and whether the cell is a copy that lies as it does (`is_mirrored`)."""
        results = self.results
        elements, rank = results[column.elements], column.rank
        extents, strides = results[column.extents].tolist(), results[column.strides].tolist()
        tensors: list[Any] = []
        start = 0
        for i, (cell, offset) in enumerate(zip(results[column.cells].tolist(), results[column.offsets].tolist(), strict=True)):
            shape = tuple(extents[i * rank : (i + 1) * rank])
            steps = tuple(strides[i * rank : (i + 1) * rank])
            end = start + math.prod(shape)
            content = elements[start:end].reshape(shape)
            start = end
            tensors.append(content)
            if cell in arguments:
                base, torch, mirrored = arguments[cell]
                tensors[i] = _part_of(base, torch, content, offset, steps, mirrored=mirrored)
            else:
                size = _itemsize(content)
                put = _setter(tensors, i)
                parts = self.parts.setdefault(FIRST_CELL - cell, [])
                parts.append(_Part(content, offset * size, tuple(s * size for s in steps), put))
        results[column.elements] = tensors

    def views(self) -> Iterator[tuple[int, Any]]:
        """Puts what shares memory into one piece; flat results with the views that they become."""
        for parts in self.parts.values():
            if len(parts) > 1:
                _share(parts)
        yield from self.found.items()


def _setter(tensors: list[Any], index: int) -> Callable[[Any], None]:
    return lambda view: tensors.__setitem__(index, view)


def _itemsize(content: Any) -> int:
    return cast("Any", content).itemsize if isinstance(content, np.ndarray) else content.element_size()


def part_of_joined(vector: Any, torch: Any, content: Any, place: PlacedResult, results: Sequence[Any]) -> Any:
    """The view of the tensor that has this part of a vector (`columns.joined_tensors`)."""
    size = _itemsize(content)
    steps = [flat_number(s, results) // size for s in place.strides or ()]
    return _part_of(vector, torch, content, flat_number(place.offset, results) // size, steps)


def _part_of(base: Any, torch: Any, content: Any, offset: int, steps: Sequence[int], *, mirrored: bool = False) -> Any:
    """The view of an argument whose copy has this part: row-major, or `mirrored`."""
    joined = joined_tensors(base)
    if joined is not None:
        if 0 in tuple(content.shape):
            return content
        tensor, start = joined.at(offset)
        is_part = _lies_so(tensor, tuple(content.shape), offset - start, steps)
        return _part_of(tensor, torch, content, offset - start, steps) if is_part else content
    is_array = isinstance(base, np.ndarray)
    strides: tuple[int, ...] = base.strides if is_array else tuple(s * base.element_size() for s in base.stride())
    extents: tuple[int, ...] = tuple(base.shape)

    def lying(number: int) -> int:
        if mirrored:
            return number * _itemsize(base)
        at = 0
        for d in reversed(range(len(strides))):
            extent = max(extents[d], 1)
            at += (number % extent if d else number) * strides[d]
            number //= extent
        return at

    first = lying(offset)
    place = PlacedResult(0, 0, first, tuple(lying(offset + s) - first for s in steps))
    is_whole = extents == tuple(content.shape) and first == 0 and place.strides == tuple(strides)
    view: Any = base if is_whole else placed(base, content, place, ())
    if view is None:
        return content
    return torch.from_numpy(view) if torch is not None and isinstance(view, np.ndarray) else view


def _lies_so(given: Any, shape: tuple[int, ...], offset: int, steps: Sequence[int]) -> bool:
    """Whether strides tell where a part of the row-major elements of a tensor lies: else PyTorch has made a copy of it."""
    is_array = isinstance(given, np.ndarray)
    if given.flags.c_contiguous if is_array else given.is_contiguous():
        return True
    strides: tuple[int, ...] = given.strides if is_array else given.stride()
    extents: tuple[int, ...] = tuple(given.shape)
    numbers: Any = np.full(shape, offset)
    for dim, step in enumerate(steps):
        numbers = numbers + (np.arange(shape[dim]) * step).reshape((-1, *(1,) * (len(shape) - dim - 1)))
    lying: Any = np.zeros(shape, np.int64)
    for extent, stride in zip(reversed(extents), reversed(strides), strict=True):
        lying = lying + numbers % extent * stride
        numbers = numbers // extent
    return all(bool((d == d.flat[0]).all()) for d in (np.diff(lying, axis=k) for k, n in enumerate(shape) if n > 1))


def _share(parts: Sequence[_Part]) -> None:
    """One piece of memory for all; bytes, as one may be the real part of another."""
    length = max(_end(part, _itemsize(part.content)) for part in parts)
    if isinstance(parts[0].content, np.ndarray):
        memory = np.zeros(length, np.uint8)
        for part in parts:
            content = part.content
            view: Any = np.ndarray(content.shape, content.dtype, memory, part.offset, part.strides) if content.size else content
            view[...] = content
            if _repeats(part):
                view.flags.writeable = False  # as PyTorch refuses to write to such
            part.put(view)
        return
    torch: Any = sys.modules["torch"]
    storage = torch.zeros(length, dtype=torch.uint8).untyped_storage()
    for part in parts:
        content, size = part.content, _itemsize(part.content)
        steps = tuple(s // size for s in part.strides)
        view = torch.empty(0, dtype=content.dtype).set_(storage, part.offset // size, tuple(content.shape), steps)
        once = tuple(slice(0, None if step else 1) for step in steps)  # PyTorch refuses to write to what repeats
        view[once].copy_(content[once])
        part.put(view)


def _end(part: _Part, size: int) -> int:
    shape = tuple(part.content.shape)
    return 0 if 0 in shape else part.offset + sum((n - 1) * s for n, s in zip(shape, part.strides, strict=True)) + size


def _repeats(part: _Part) -> bool:
    return any(n > 1 and s == 0 for n, s in zip(part.content.shape, part.strides, strict=True))
