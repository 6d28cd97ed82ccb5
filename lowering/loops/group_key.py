"""The name of a group of operations: the same wherever its structure is, whatever its values, places and names are.

In: a `Nest`. Out: a key that starts with words (`product-1x56x56x64-by-3x3x64-f32-...`) and ends with a hash over extents,
accesses, layouts and bodies. Numbers in bodies (a scale, an epsilon) are not part of it: they do not matter to a schedule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ...ir.core import Block, Value
from ...ir.dialects import linalg, memref
from .nest import Access, Nest
from .pack_panels import constant_of
from .vector_body import product_of

_DIGITS = 8


def group_key(nest: Nest) -> str:
    """Letters, digits and `-`: a bare key of TOML."""
    digest = hashlib.blake2b("\n".join(_facts(nest)).encode(), digest_size=_DIGITS // 2).hexdigest()
    element = nest.stores()[0].type.element if nest.stores() else "none"
    shape = _extents(nest, linalg.PARALLEL) or "1"
    steps = _extents(nest, linalg.REDUCTION)
    return "-".join([_kind(nest), shape, *(["by", steps] if steps else []), str(element).replace("<", "").replace(">", ""), digest])


def about(nest: Nest) -> str:
    """The group in words: its body, and what is applied to finished elements."""
    body = [op.name.partition(".")[2] for op in nest.body.operations() if op is not nest.body.terminator]
    words = "copy" if not body else ", ".join(body[:_SHOWN]) + (", ..." if body[_SHOWN:] else "")
    if nest.epilogue is None:
        return words
    applied = [op.name.partition(".")[2] for op in nest.epilogue.body.operations() if op is not nest.epilogue.body.terminator]
    return f"{words}; in registers: {', '.join(applied[:_SHOWN]) or 'nothing'}{', ...' if applied[_SHOWN:] else ''}"


_SHOWN = 6
"""Operations that are named."""


def _kind(nest: Nest) -> str:
    if not nest.of_kind(linalg.REDUCTION):
        return "map"
    if len(nest.outputs) == 1 and product_of(nest) is not None:
        return "product"
    return "reduction"


def _extents(nest: Nest, kind: str) -> str:
    return "x".join(str(e) if isinstance(e := nest.extents[d], int) else "n" for d in nest.of_kind(kind))


def _facts(nest: Nest) -> Iterator[str]:
    yield " ".join(str(e) if isinstance(e, int) else "?" for e in nest.extents)
    yield " ".join(nest.kinds)
    for operand in nest.inputs:
        yield _access(operand) if isinstance(operand, Access) else f"scalar {operand.type}"
    for access in nest.outputs:
        yield _access(access)
    yield from _block(nest.body)
    yield "start" if nest.init is not None else "read" if nest.start is None else _access(nest.start)
    if nest.epilogue is not None:
        for access in nest.epilogue.inputs:
            yield "-" if access is None else _access(access)
        yield _access(nest.epilogue.output)
        yield from _block(nest.epilogue.body)


def _access(access: Access) -> str:
    constant = " constant" if constant_of(access) is not None else ""
    return f"{access.map} {memref.memref_type(access.buffer)}{constant}"


def _block(block: Block) -> Iterator[str]:
    numbers: dict[Value, int] = {v: i for i, v in enumerate(block.args)}
    for top in block.operations():
        for op in top.walk():
            operands = " ".join(str(numbers.get(v, "x")) for v in op.operands)
            for value in (*op.results, *(v for r in op.regions for b in r.blocks for v in b.args)):
                numbers[value] = len(numbers)
            attributes = "" if op.name == "arith.constant" else " ".join(f"{k}={op.attributes[k]!r}" for k in sorted(op.attributes))
            yield f"{op.name}({operands}) {' '.join(str(v.type) for v in op.results)} {attributes}"
