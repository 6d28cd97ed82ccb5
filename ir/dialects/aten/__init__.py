"""Every primitive operator's record, by full name; families add up here, nothing registers itself."""

from __future__ import annotations

from ...operator import Operator
from . import (
    activation,
    arithmetic,
    bits,
    cast,
    comparison,
    complex_parts,
    convolution,
    division,
    factories,
    generators,
    indexing,
    join,
    linear,
    permutation,
    pointwise,
    pooling,
    power,
    query,
    random,
    reduction,
    repetition,
    reshaping,
    scalar,
    scans,
    scatter,
    slicing,
    sort,
    splitting,
)

_FAMILIES: tuple[tuple[Operator, ...], ...] = (
    activation.OPERATORS,
    arithmetic.OPERATORS,
    bits.OPERATORS,
    cast.OPERATORS,
    comparison.OPERATORS,
    complex_parts.OPERATORS,
    convolution.OPERATORS,
    division.OPERATORS,
    factories.OPERATORS,
    generators.OPERATORS,
    indexing.OPERATORS,
    join.OPERATORS,
    linear.OPERATORS,
    permutation.OPERATORS,
    pointwise.OPERATORS,
    pooling.OPERATORS,
    power.OPERATORS,
    query.OPERATORS,
    random.OPERATORS,
    reduction.OPERATORS,
    repetition.OPERATORS,
    reshaping.OPERATORS,
    scalar.OPERATORS,
    scans.OPERATORS,
    scatter.OPERATORS,
    slicing.OPERATORS,
    sort.OPERATORS,
    splitting.OPERATORS,
)

OPERATORS: dict[str, Operator] = {record.name: record for family in _FAMILIES for record in family}
"""`aten::add.Tensor` -> its record. In-place and `out=` forms follow from these through their schemas."""
