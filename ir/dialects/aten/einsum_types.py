"""The dtype of each product that an `einsum` is made of: PyTorch sums what only one operand has first, and sums of small integers are int64.

In: the dtype of the operands, their shapes and labels, the labels of the result. Out: a dtype for each step from the left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...dtypes import DType
from ...operator import OperatorError

Shape = Sequence[int | None]
Labels = Sequence[str]


def step_dtypes(dtype: DType, shapes: Sequence[Shape], labels: Sequence[Labels], out: Labels) -> list[DType]:
    """One for a single operand too. An unknown extent is taken not to be 1, as those that are 1 are never summed over."""
    if len(labels) == 1:
        is_summed = dtype.category < 2 and any(n not in out for n in labels[0])
        return [DType.int64 if is_summed else dtype]
    if dtype.category >= 2:
        return [dtype] * (len(labels) - 1)
    sizes = [dict(zip(names, shape, strict=True)) for names, shape in zip(labels, shapes, strict=True)]
    waiting = Counter(n for size in sizes for n, extent in size.items() if extent != 1 and n not in out)
    left, kind, steps = sizes[0], dtype, list[DType]()
    for right in sizes[1:]:
        kind = _step([kind, dtype], left, right, waiting)
        left = {n: left[n] if left.get(n, 1) != 1 else right.get(n, 1) for n in {**left, **right} if waiting.get(n, 1)}
        steps.append(kind)
    return steps


def _step(
    kinds: list[DType], left: dict[str, int | None], right: dict[str, int | None], waiting: Counter[str]
) -> DType:
    """Labels that are summed in this step no longer wait."""
    contracts = False
    for name, count in list(waiting.items()):
        wide = [left.get(name, 1) != 1, right.get(name, 1) != 1]
        if all(wide):
            waiting[name] = 0 if count == 2 else count - 1
            contracts = contracts or count == 2
        elif count == 1 and any(wide):
            kinds[0 if wide[0] else 1] = DType.int64
            waiting[name] = 0
    if contracts and kinds[0] is not kinds[1]:
        raise OperatorError(f"expected scalar type {kinds[0].graph_name} but found {kinds[1].graph_name}")
    return DType.int64 if DType.int64 in kinds else kinds[0]
