"""Which bodies can be run once for a whole box of iterations: on arrays, where a loop would run them on scalars."""

from __future__ import annotations

from typing import Final

from ..core import Block

_ELEMENTWISE: Final = ("arith.", "complex.", "math.")
_GATHERING: Final = frozenset(
    {"linalg.index", "tensor.extract", "memref.load", "tensor.dim", "memref.dim", "cf.assert"}
)


def is_vectorizable(block: Block) -> bool:
    """Every operation of the block works on arrays of scalars as well."""
    return all(
        op is block.last or (not op.regions and (op.name.startswith(_ELEMENTWISE) or op.name in _GATHERING))
        for op in block.operations()
    )
