"""Slices and subviews of lower rank: which dimensions of static size 1 their type leaves out (upstream's rules)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from .types import Extent


def kept_dims(
    sizes: Sequence[Extent],
    shape: Sequence[Extent],
    strides: Sequence[Extent] = (),
    type_strides: Sequence[Extent] = (),
) -> tuple[int, ...] | None:
    """Dimensions of a box of these sizes that the dimensions of the type stand for; None where the type does not fit.

    Of several choices the one that keeps the first dimensions is meant, unless strides (of the dimensions of the box,
    and those in the type) tell otherwise.
    """
    ones = [i for i, size in enumerate(sizes) if size == 1]
    choices: list[tuple[int, ...]] = []
    for dropped in combinations(reversed(ones), len(sizes) - len(shape)) if len(shape) <= len(sizes) else ():
        kept = tuple(i for i in range(len(sizes)) if i not in dropped)
        if [sizes[i] for i in kept] != list(shape):
            continue
        if all(_agree(strides[i], known) for i, known in zip(kept, type_strides, strict=False) if strides):
            return kept
        choices.append(kept)
    return choices[0] if choices else None


def _agree(stride: Extent, known: Extent) -> bool:
    return stride is None or known is None or stride == known
