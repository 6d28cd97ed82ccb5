"""Structural comparison of IR: what two programs have in common when value names and source spans do not count."""

from __future__ import annotations

import math
from itertools import zip_longest

from .attributes import Attribute, DenseAttr, FloatAttr, IntegerAttr
from .core import Block, Operation, Region, Value
from .types import I1


def equal(a: Operation | Region, b: Operation | Region) -> bool:
    """Whether the two are the same program."""
    return difference(a, b) is None


def difference(a: Operation | Region, b: Operation | Region) -> str | None:
    """The first difference in words, None for equal structure. Values from outside must be the same ones."""
    mapping: dict[Value, Value] = {}
    stack: list[tuple[str, Operation | Region | None, Operation | Region | None]] = [("", a, b)]
    while stack:
        path, x, y = stack.pop()
        if isinstance(x, Region) and isinstance(y, Region):
            found, below = _regions(path, x, y, mapping)
        elif isinstance(x, Operation) and isinstance(y, Operation):
            found, below = _operations(path, x, y, mapping)
        else:
            return f"{path}: {_describe(x)} against {_describe(y)}"
        if found is not None:
            return found
        stack.extend(reversed(below))
    return None


Below = list[tuple[str, "Operation | Region | None", "Operation | Region | None"]]


def _regions(path: str, a: Region, b: Region, mapping: dict[Value, Value]) -> tuple[str | None, Below]:
    if len(a.blocks) != len(b.blocks):
        return f"{path}: {len(a.blocks)} blocks against {len(b.blocks)}", []
    below: Below = []
    for x, y in zip(a.blocks, b.blocks, strict=True):
        found = _arguments(path, x, y, mapping)
        if found is not None:
            return found, []
        below += [(path, p, q) for p, q in zip_longest(x.operations(), y.operations())]
    return None, below


def _arguments(path: str, a: Block, b: Block, mapping: dict[Value, Value]) -> str | None:
    types = [str(v.type) for v in a.args], [str(v.type) for v in b.args]
    if [v.type for v in a.args] != [v.type for v in b.args]:
        return f"{path}: block arguments ({', '.join(types[0])}) against ({', '.join(types[1])})"
    mapping.update(zip(a.args, b.args, strict=True))
    return None


def _operations(path: str, a: Operation, b: Operation, mapping: dict[Value, Value]) -> tuple[str | None, Below]:
    name = a.attributes.get("sym_name")
    path = f"{path} > {a.name}{f' @{name}' if name else ''}" if path else a.name
    if a.name != b.name:
        return f"{path}: against {b.name}", []
    if [r.type for r in a.results] != [r.type for r in b.results]:
        types = (", ".join(str(r.type) for r in op.results) for op in (a, b))
        return f"{path}: result types ({next(types)}) against ({next(types)})", []
    if len(a.operands) != len(b.operands):
        return f"{path}: {len(a.operands)} operands against {len(b.operands)}", []
    for i, (x, y) in enumerate(zip(a.operands, b.operands, strict=True)):
        if mapping.get(x, x) is not y:
            return f"{path}: operand {i} is another value", []
    for key in dict.fromkeys((*a.attributes, *b.attributes)):
        if not equal_attributes(a.attributes.get(key), b.attributes.get(key)):
            return f"{path}: attribute {key}: {a.attributes.get(key)} against {b.attributes.get(key)}", []
    if len(a.regions) != len(b.regions):
        return f"{path}: {len(a.regions)} regions against {len(b.regions)}", []
    mapping.update(zip(a.results, b.results, strict=True))
    return None, [(path, x, y) for x, y in zip(a.regions, b.regions, strict=True)]


def _describe(x: Operation | Region | None) -> str:
    return "nothing" if x is None else x.name if isinstance(x, Operation) else "a region"


def equal_attributes(a: Attribute, b: Attribute) -> bool:
    """Equality of attribute values: NaN equals NaN, 0.0 is not -0.0, a bool is an i1 integer."""
    if isinstance(a, DenseAttr) and isinstance(b, DenseAttr):
        return a.type == b.type and equal_attributes(_elements(a), _elements(b))
    if isinstance(a, FloatAttr) and isinstance(b, FloatAttr):
        return a.type == b.type and equal_attributes(a.value, b.value)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(equal_attributes(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, complex) and isinstance(b, complex):
        return equal_attributes((a.real, a.imag), (b.real, b.imag))
    return _plain(a) == _plain(b) and (type(_plain(a)) is type(_plain(b)))


def _plain(a: Attribute) -> Attribute:
    return bool(a.value) if isinstance(a, IntegerAttr) and a.type == I1 else a


def _elements(a: DenseAttr) -> Attribute:
    return a.value[0] if isinstance(a.value, tuple) and len(a.value) == 1 else a.value
