"""Every primitive operator's record, by full name; families add up here, nothing registers itself."""

from __future__ import annotations

from ...operator import Operator
from . import activation, cast, comparison, factories, pointwise, query, reduction

_FAMILIES: tuple[tuple[Operator, ...], ...] = (
    pointwise.OPERATORS,
    activation.OPERATORS,
    comparison.OPERATORS,
    reduction.OPERATORS,
    cast.OPERATORS,
    query.OPERATORS,
    factories.OPERATORS,
)

OPERATORS: dict[str, Operator] = {record.name: record for family in _FAMILIES for record in family}
"""`aten::add.Tensor` -> its record. In-place and `out=` forms follow from these through their schemas."""
