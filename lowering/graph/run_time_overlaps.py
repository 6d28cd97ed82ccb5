"""Writes in place that read what they write, at positions or extents known at run time: a test, written before the write.

In: a tensor that is written and one that the operator reads, both made from one row-major tensor by `select`, `slice` and
`narrow`. Each is a box in that. What is an error where boxes are known (`overlaps.py`) is one at run time here: boxes that share
some elements and are not the same, if both are dense, or if elements would be written before they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir.core import Value
from ...ir.dialects import torch
from ...ir.script_types import INT, TensorType
from . import calls
from .aliases import is_same
from .values import Abstract, Known, Scalar, Tensor, known, same

if TYPE_CHECKING:
    from .evaluator import Evaluator

_CUTS: Final = ("aten::select.int", "aten::slice.Tensor", "aten::narrow")


@dataclass(frozen=True)
class _Span:
    """Along one dimension of the whole tensor."""

    start: Abstract
    count: Abstract
    step: int
    extent: Abstract

    @property
    def is_one(self) -> bool:
        return same(self.count, known(1))


_Box = tuple[Value, list[_Span], list[int]]
"""The whole tensor, the part along each of its dimensions, and the dimensions that are left."""


def check(ev: Evaluator, target: Value, source: Value, message: str) -> None:
    """Writes the test, if there is anything to test."""
    written, read = _box(ev, target), _box(ev, source)
    if written is None or read is None or written[0] is not read[0] or target is source:
        return
    pairs = list(zip(written[1], read[1], strict=True))
    looks_same = written[2] == read[2]
    if any(a.step != b.step for a, b in pairs) or _never_partly(pairs, looks_same):
        return
    if not ev.layouts.of(written[0]).is_contiguous:
        return
    sums = _Sums(ev)
    partly = sums.all([_meet(sums, a, b) for a, b in pairs])
    if looks_same:  # PyTorch compares the strides, those of extents of 1 too
        partly = sums.both(partly, sums.negated(sums.all([_is_same(sums, a, b) for a, b in pairs])))
    dense = sums.both(_is_dense(sums, written[1]), _is_dense(sums, read[1]))
    behind = sums.compare("lt", _distance(sums, pairs), known(0))
    calls.require(ev, sums.negated(sums.both(partly, sums.either(dense, behind))), [message])


def _never_partly(pairs: Sequence[tuple[_Span, _Span]], looks_same: bool) -> bool:
    """Whether they are surely apart, or the same: where they differ, each is one position."""
    for a, b in pairs:
        if all(isinstance(n, Known) for n in (a.start, a.count, b.start, b.count)):
            first, second = ((cast(int, cast(Known, s.start).value), cast(int, cast(Known, s.count).value)) for s in (a, b))
            if first[0] >= second[0] + (second[1] - 1) * b.step + 1 or second[0] >= first[0] + (first[1] - 1) * a.step + 1:
                return True
    return looks_same and all((a.is_one and b.is_one) or (same(a.start, b.start) and same(a.count, b.count)) for a, b in pairs)


def _box(ev: Evaluator, value: Value) -> _Box | None:
    """The tensor that it is cut out of, and what of that; None for other views."""
    cuts: list[Value] = []
    at = value
    while (op := at.defining_op()) is not None and (op.name in _CUTS or is_same(op)):
        if op.name in _CUTS:
            cuts.append(at)
        at = op.operand(0)
    if not isinstance(at.type, TensorType) or at.type.rank == 0:
        return None
    sums = _Sums(ev)
    spans = [_Span(known(0), n, 1, n) for n in ev.shape(Tensor(at))]
    dims = list(range(len(spans)))
    for cut in reversed(cuts):
        op = cut.defining_op()
        assert op is not None
        given = [_abstract(v) for v in op.operands[1:]]
        if not isinstance(given[0], Known):
            return None
        dim = cast(int, given[0].value) % len(dims)
        span = spans[dims[dim]]
        first = sums.wrapped(given[1], span.count)
        step = 1
        if op.name == "aten::slice.Tensor":
            if not isinstance(given[3], Known):
                return None
            step = cast(int, given[3].value)
            first = sums.least(first, span.count)
        count = known(1) if op.name == "aten::select.int" else ev.size(Tensor(cut), dim)
        start = sums.add(span.start, sums.times(first, known(span.step)))
        spans[dims[dim]] = _Span(start, count, span.step * step, span.extent)
        if op.name == "aten::select.int":
            del dims[dim]
    return at, spans, dims


def _abstract(value: Value) -> Abstract:
    return Known(cast(Any, torch.constant_value(value)), INT) if torch.is_constant(value) else Scalar(value)


def _meet(sums: _Sums, a: _Span, b: _Span) -> Abstract:
    """Whether they share a position."""
    reach = [sums.add(s.start, sums.times(sums.minus(s.count, known(1)), known(s.step))) for s in (a, b)]
    found = [sums.compare("le", a.start, reach[1]), sums.compare("le", b.start, reach[0])]
    found += [sums.compare("gt", s.count, known(0)) for s in (a, b)]
    if a.step > 1:
        apart = sums.single("aten::remainder.int", sums.minus(a.start, b.start), known(a.step))
        found.append(sums.compare("eq", apart, known(0)))
    return sums.all(found)


def _is_same(sums: _Sums, a: _Span, b: _Span) -> Abstract:
    return sums.both(sums.compare("eq", a.start, b.start), sums.compare("eq", a.count, b.count))


def _is_dense(sums: _Sums, spans: Sequence[_Span]) -> Abstract:
    """One position in the dimensions before one of them, all positions in those behind it."""
    found: Abstract = known(False)
    for k, own in enumerate(spans):
        parts = [sums.compare("eq", s.count, known(1)) for s in spans[:k]]
        parts += [sums.compare("eq", s.count, s.extent) for s in spans[k + 1 :]]
        parts.append(known(True) if own.step == 1 else sums.compare("le", own.count, known(1)))
        found = sums.either(found, sums.all(parts))
    return found


def _distance(sums: _Sums, pairs: Sequence[tuple[_Span, _Span]]) -> Abstract:
    """How many elements behind the first that is written the first that is read lies."""
    total: Abstract = known(0)
    stride: Abstract = known(1)
    for a, b in reversed(pairs):
        total = sums.add(total, sums.times(sums.minus(b.start, a.start), stride))
        stride = sums.times(stride, a.extent)
    return total


@dataclass(frozen=True)
class _Sums:
    """Arithmetic on numbers that may be known."""

    ev: Evaluator

    def single(self, name: str, *operands: Abstract) -> Abstract:
        return calls.single(self.ev, name, list(operands))

    def add(self, a: Abstract, b: Abstract) -> Abstract:
        return self.single("aten::add.int", a, b)

    def minus(self, a: Abstract, b: Abstract) -> Abstract:
        return self.single("aten::sub.int", a, b)

    def times(self, a: Abstract, b: Abstract) -> Abstract:
        return self.single("aten::mul.int", a, b)

    def least(self, a: Abstract, b: Abstract) -> Abstract:
        return self.single("prim::min.int", a, b)

    def compare(self, kind: str, a: Abstract, b: Abstract) -> Abstract:
        return self.single(f"aten::{kind}.int", a, b)

    def both(self, a: Abstract, b: Abstract) -> Abstract:
        return self.single("aten::__and__.bool", a, b)

    def either(self, a: Abstract, b: Abstract) -> Abstract:
        return self.single("aten::__or__.bool", a, b)

    def negated(self, a: Abstract) -> Abstract:
        return self.single("aten::__not__", a)

    def all(self, parts: Sequence[Abstract]) -> Abstract:
        found: Abstract = known(True)
        for part in parts:
            found = self.both(found, part)
        return found

    def wrapped(self, index: Abstract, extent: Abstract) -> Abstract:
        """A position counted from the front, not below it; None: the front."""
        if isinstance(index, Known):
            if index.value is None:
                return known(0)
            if cast(int, index.value) >= 0:
                return index
            return self.single("prim::max.int", self.add(index, extent), known(0))
        is_negative = self.single("aten::Int.bool", self.compare("lt", index, known(0)))
        return self.single("prim::max.int", self.add(index, self.times(is_negative, extent)), known(0))

