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

    def add_column(self, column: PlacedColumn, arguments: Mapping[int, tuple[Any, Any]]) -> None:
        """Makes the column of flat results a list of tensors. `arguments`: by the number of the cell, and torch where results are its own."""
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
                base, torch = arguments[cell]
                tensors[i] = _part_of(base, torch, content, offset, steps)
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


def _part_of(base: Any, torch: Any, content: Any, offset: int, steps: Sequence[int]) -> Any:
    """The view of an argument whose row-major copy has this part."""
    is_array = isinstance(base, np.ndarray)
    strides: tuple[int, ...] = base.strides if is_array else tuple(s * base.element_size() for s in base.stride())
    extents: tuple[int, ...] = tuple(base.shape)

    def lying(number: int) -> int:
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


def _share(parts: Sequence[_Part]) -> None:
    """One piece of memory for all."""
    first = parts[0].content
    size = _itemsize(first)
    reach = [_end(part, size) for part in parts]
    torch: Any = None if isinstance(first, np.ndarray) else sys.modules["torch"]
    first = cast("Any", first)
    if torch is None:
        memory: Any = np.zeros(max(reach) // size, first.dtype)
        for part in parts:
            view: Any = np.ndarray(part.content.shape, memory.dtype, memory, part.offset, part.strides) if part.content.size else part.content
            view[...] = part.content
            if _repeats(part):
                view.flags.writeable = False  # as PyTorch refuses to write to such
            part.put(view)
        return
    memory = torch.zeros(max(reach) // size, dtype=first.dtype)
    for part in parts:
        at: Any = np.array(part.offset // size)
        extents: tuple[int, ...] = tuple(part.content.shape)
        for extent, stride in zip(extents, part.strides, strict=True):
            at = np.add.outer(at, range(0, extent * (stride // size), stride // size) if stride else (0,) * extent)
        memory[torch.from_numpy(at.reshape(-1).astype(np.int64))] = part.content.reshape(-1)
        part.put(memory.as_strided(tuple(part.content.shape), tuple(s // size for s in part.strides), part.offset // size))


def _end(part: _Part, size: int) -> int:
    shape = tuple(part.content.shape)
    return 0 if 0 in shape else part.offset + sum((n - 1) * s for n, s in zip(shape, part.strides, strict=True)) + size


def _repeats(part: _Part) -> bool:
    return any(n > 1 and s == 0 for n, s in zip(part.content.shape, part.strides, strict=True))
