"""Cleans up the `linalg` stage (and the scalar code of `loops`): folds, removes, merges. Valid IR in, valid IR out.

- arithmetic on constants, index arithmetic above all; neutral elements; comparisons that are decided
- `tensor.dim` of a value whose extent is known somewhere up its chain of producers
- dynamic sizes that are constants become static; `tensor.cast` moves towards the results
- `scf.if` on a constant, `scf.for` of no or one iteration
- structured operations: duplicate and unused inputs, copies, constant bodies
- slices and reshapes that change nothing, or that follow each other
- unused operations and common subexpressions

    %c = arith.constant 4 : index                      %e = tensor.empty() : tensor<4xf32>
    %e = tensor.empty(%c) : tensor<?xf32>      =>
    %d = tensor.dim %e, %c0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from ...ir.affine import AffineDim, AffineMap
from ...ir.attributes import Constant, DenseArrayAttr, DenseAttr
from ...ir.builder import Builder
from ...ir.core import Block, BlockArgument, Operation, OpResult, Value, functions
from ...ir.dialects import arith, linalg, tensor
from ...ir.dialects.tensor import Size
from ...ir.dtypes import DType
from ...ir.types import (
    I1,
    I32,
    I64,
    INDEX,
    Extent,
    FloatType,
    IndexType,
    IntegerType,
    RankedTensorType,
    Type,
    element_type,
)
from .. import indexing
from ..cse import eliminate_common_subexpressions
from ..effects import erase_unused, is_attached, is_pure
from ..indexing import as_size, as_value, dropped_dims, mixed, slice_parameters
from . import canonicalize_complex
from .float_ranges import decided

Rule = Callable[[Operation], bool]
"""Rewrites one operation in place; True when something changed."""

_MAX_SWEEPS: Final = 20


@dataclass(frozen=True)
class Canonicalize:
    name: str = "canonicalize"

    def apply(self, module: Operation) -> Operation:
        canonicalize(module)
        return module


def canonicalize(module: Operation) -> None:
    """All rules to a fixed point, on every function of the module."""
    for function in functions(module):
        is_merged = False
        for _ in range(_MAX_SWEEPS):
            changed = _sweep(function)
            changed |= erase_unused(function)
            if not changed and is_merged:
                break
            is_merged = True  # merging leaves nothing that it could merge
            if not eliminate_common_subexpressions(function) and not changed:
                break


def _sweep(function: Operation) -> bool:
    changed = False
    for op in list(function.walk()):
        rules = RULES.get(op.name)
        if rules is None or not is_attached(op, function):
            continue
        for rule in rules:
            if rule(op):
                changed = True
                if op.parent is None:
                    break
    return changed


def _replace(op: Operation, value: Value) -> bool:
    op.replace_with([value])
    return True


def _replace_constant(op: Operation, number: float) -> bool:
    b = Builder.before(op)
    return _replace(op, arith.constant(b, number, op.result.type))


def _is_scalar(t: Type) -> bool:
    return isinstance(t, IntegerType | IndexType | FloatType)


# integer arithmetic


def _width(t: Type) -> int:
    return t.width if isinstance(t, IntegerType) else 64


def wrap(value: int, t: Type) -> int:
    """`value` as it is stored in an integer of type `t`: signed; 0 or 1 for i1."""
    width = _width(t)
    value &= (1 << width) - 1
    return value if width == 1 or value < 1 << (width - 1) else value - (1 << width)


def _signed(value: int, t: Type) -> int:
    """The signed reading: an i1 that is set is -1."""
    return -value if _width(t) == 1 else value


def _unsigned(value: int, t: Type) -> int:
    return value & ((1 << _width(t)) - 1)


def _truncated_division(x: int, y: int) -> int:
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


_SIGNED: Final[dict[str, Callable[[int, int], int | None]]] = {
    "arith.addi": lambda x, y: x + y,
    "arith.subi": lambda x, y: x - y,
    "arith.muli": lambda x, y: x * y,
    "arith.divsi": lambda x, y: _truncated_division(x, y) if y else None,
    "arith.remsi": lambda x, y: x - y * _truncated_division(x, y) if y else None,
    "arith.floordivsi": lambda x, y: x // y if y else None,
    "arith.ceildivsi": lambda x, y: -(-x // y) if y else None,
    "arith.andi": lambda x, y: x & y,
    "arith.ori": lambda x, y: x | y,
    "arith.xori": lambda x, y: x ^ y,
    "arith.maxsi": max,
    "arith.minsi": min,
    "arith.shli": lambda x, y: x << y if 0 <= y < 64 else None,
    "arith.shrsi": lambda x, y: x >> y if 0 <= y < 64 else None,
}
_UNSIGNED: Final[dict[str, Callable[[int, int], int | None]]] = {
    "arith.divui": lambda x, y: x // y if y else None,
    "arith.remui": lambda x, y: x % y if y else None,
    "arith.maxui": max,
    "arith.minui": min,
    "arith.shrui": lambda x, y: x >> y if y < 64 else None,
}
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}
_REFLEXIVE: Final = frozenset({"eq", "sle", "sge", "ule", "uge"})


def _integer(value: Value) -> int | None:
    number = arith.constant_value(value)
    return int(number) if number is not None and isinstance(value.type, IntegerType | IndexType) else None


def _fold_integers(op: Operation) -> bool:
    t = op.result.type
    x, y = map(_integer, op.operands)
    if x is None or y is None:
        return False
    if op.name in _SIGNED:
        result = _SIGNED[op.name](_signed(x, t), _signed(y, t))
    else:
        result = _UNSIGNED[op.name](_unsigned(x, t), _unsigned(y, t))
    return result is not None and _replace_constant(op, wrap(result, t))


_COMMUTATIVE: Final = frozenset(
    {
        "arith.addi",
        "arith.muli",
        "arith.andi",
        "arith.ori",
        "arith.xori",
        "arith.maxsi",
        "arith.minsi",
        "arith.addf",
        "arith.mulf",
    }
)


def _constant_to_the_right(op: Operation) -> bool:
    x, y = op.operands
    if arith.constant_value(x) is None or arith.constant_value(y) is not None:
        return False
    op.set_operands((y, x))
    return True


def _simplify_integers(op: Operation) -> bool:
    x, y = op.operands
    t = op.result.type
    if not _is_scalar(t):
        return False
    constant = _integer(y)
    ones = wrap(-1, t)
    match op.name, constant:
        case (
            "arith.addi" | "arith.subi" | "arith.ori" | "arith.xori" | "arith.shli" | "arith.shrsi" | "arith.shrui",
            0,
        ):
            return _replace(op, x)
        case ("arith.muli" | "arith.divsi" | "arith.divui" | "arith.floordivsi" | "arith.ceildivsi", 1) if (
            _width(t) > 1
        ):
            return _replace(op, x)
        case ("arith.muli" | "arith.andi", 0):
            return _replace_constant(op, 0)
        case ("arith.remsi" | "arith.remui", 1) if _width(t) > 1:
            return _replace_constant(op, 0)
        case "arith.andi", _ if constant == ones:
            return _replace(op, x)
        case "arith.ori", _ if constant == ones:
            return _replace_constant(op, ones)
        case _:
            pass
    if x is y:
        match op.name:
            case "arith.subi" | "arith.xori":
                return _replace_constant(op, 0)
            case "arith.andi" | "arith.ori" | "arith.maxsi" | "arith.minsi" | "arith.maxui" | "arith.minui":
                return _replace(op, x)
            case _:
                pass
    return _reassociate(op, x, y, constant) or _bounded(op, x, y, constant)


def _reassociate(op: Operation, x: Value, y: Value, constant: int | None) -> bool:
    """(a + c1) + c2, (a + b) - b and the like."""
    t = op.result.type
    if op.name == "arith.subi" and constant is not None and isinstance(t, IndexType):
        b = Builder.before(op)
        return _replace(op, arith.addi(b, x, arith.constant(b, -constant, t)))
    inner = x.defining_op()
    if op.name == "arith.subi" and inner is not None and inner.name == "arith.addi":
        left, right = inner.operands
        if y is right:
            return _replace(op, left)
        if y is left:
            return _replace(op, right)
    if op.name == "arith.addi" and inner is not None and inner.name == "arith.subi" and inner.operand(1) is y:
        return _replace(op, inner.operand(0))
    if constant is None or inner is None or inner.name != op.name or op.name not in ("arith.addi", "arith.muli"):
        return False
    before = _integer(inner.operand(1))
    if before is None:
        return False
    b = Builder.before(op)
    total = before + constant if op.name == "arith.addi" else before * constant
    op.set_operands((inner.operand(0), arith.constant(b, wrap(total, t), t)))
    return True


def _bounded(op: Operation, x: Value, y: Value, constant: int | None) -> bool:
    """max(extent, 0) is the extent."""
    if op.name == "arith.maxsi" and constant is not None and constant <= 0 and is_non_negative(x):
        return _replace(op, x)
    if op.name == "arith.minsi" and constant is not None and constant <= 0 and is_non_negative(x):
        return _replace(op, y)
    return False


def is_non_negative(value: Value, depth: int = 8) -> bool:
    """Whether `value` is provably >= 0: extents, and sums, products, quotients of such."""
    number = _integer(value)
    if number is not None:
        return number >= 0
    op = value.defining_op()
    if op is None:
        return _is_loop_counter_from_zero(value)
    if depth == 0:
        return False
    match op.name:
        case "tensor.dim" | "memref.dim" | "linalg.index":
            return True
        case (
            "arith.addi"
            | "arith.muli"
            | "arith.divsi"
            | "arith.floordivsi"
            | "arith.minsi"
            | "arith.divui"
            | "arith.remsi"
        ):
            return all(is_non_negative(v, depth - 1) for v in op.operands)
        case "arith.maxsi":
            return any(is_non_negative(v, depth - 1) for v in op.operands)
        case "arith.index_cast":
            return is_non_negative(op.operand(0), depth - 1)
        case "arith.select":
            return all(is_non_negative(v, depth - 1) for v in op.operands[1:])
        case _:
            return False


def _is_loop_counter_from_zero(value: Value) -> bool:
    if not isinstance(value, BlockArgument) or value.index != 0:
        return False
    loop = value.block.parent_op
    return loop is not None and loop.name == "scf.for" and is_non_negative(loop.operand(0), 1)


def _compare_integers(op: Operation) -> bool:
    x, y = op.operands
    if not isinstance(x.type, IntegerType | IndexType):
        return False
    predicate = cast(str, op.attributes["predicate"])
    if x is y:
        return _replace_constant(op, predicate in _REFLEXIVE)
    a, b = _integer(x), _integer(y)
    if a is not None and b is not None:
        read = _unsigned if predicate.startswith("u") else _signed
        kind = predicate if predicate in ("eq", "ne") else predicate[1:]
        return _replace_constant(op, _COMPARE[kind](read(a, x.type), read(b, y.type)))
    if b is not None and is_non_negative(x):
        if (predicate == "slt" and b <= 0) or (predicate in ("sle", "eq") and b < 0):
            return _replace_constant(op, False)
        if (predicate == "sge" and b <= 0) or (predicate in ("sgt", "ne") and b < 0):
            return _replace_constant(op, True)
    if a is not None and is_non_negative(y):
        if (predicate == "sgt" and a <= 0) or (predicate in ("sge", "eq") and a < 0):
            return _replace_constant(op, False)
        if (predicate == "sle" and a <= 0) or (predicate in ("slt", "ne") and a < 0):
            return _replace_constant(op, True)
    if x.type == I1 and b is not None and predicate in ("eq", "ne") and bool(b) == (predicate == "eq"):
        return _replace(op, x)
    return False


def _select(op: Operation) -> bool:
    condition, true, false = op.operands
    if true is false:
        return _replace(op, true)
    chosen = _integer(condition)
    if chosen is not None:
        return _replace(op, true if chosen else false)
    if op.result.type == I1 and condition.type == I1 and _integer(true) == 1 and _integer(false) == 0:
        return _replace(op, condition)
    return False


def _integer_cast(op: Operation) -> bool:
    source, target = op.operand(0), op.result.type
    if not _is_scalar(target):
        return False
    value = _integer(source)
    if value is not None:
        unsigned = op.name in ("arith.extui", "arith.index_castui")
        return _replace_constant(
            op, wrap(_unsigned(value, source.type) if unsigned else _signed(value, source.type), target)
        )
    inner = source.defining_op()
    if inner is None:
        return False
    wide = {INDEX, I64}
    if (
        op.name == inner.name == "arith.index_cast"
        and inner.operand(0).type == target
        and {source.type, target} <= wide
    ):
        return _replace(op, inner.operand(0))
    if op.name == "arith.trunci" and inner.name in ("arith.extsi", "arith.extui") and inner.operand(0).type == target:
        return _replace(op, inner.operand(0))
    return False


# float arithmetic

_NUMPY: Final[dict[str, Any]] = {str(d.element): d.numpy.type for d in DType if d.is_floating}
_FLOAT: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "arith.addf": lambda x, y: x + y,
    "arith.subf": lambda x, y: x - y,
    "arith.mulf": lambda x, y: x * y,
    "arith.divf": lambda x, y: x / y,
}


def _rounded_once(value: float, t: Type) -> float:
    """`value` rounded to the float type `t` as `arith.truncf` does: directly, unlike a constant of PyTorch."""
    with np.errstate(all="ignore"):
        return float(_NUMPY[cast(FloatType, t).name](value))


def _fold_floats(op: Operation) -> bool:
    t = op.result.type
    if not isinstance(t, FloatType):
        return False
    x, y = (arith.constant_value(v) for v in op.operands)
    if x is not None and y is not None:
        dtype = _NUMPY[t.name]
        with np.errstate(all="ignore"):
            return _replace_constant(op, float(_FLOAT[op.name](dtype(x), dtype(y))))
    # Exact for every x, NaN and signed zero included.
    if y == 1.0 and op.name in ("arith.mulf", "arith.divf"):
        return _replace(op, op.operand(0))
    if (
        y is not None
        and y == 0.0
        and op.name in ("arith.subf", "arith.addf")
        and (math.copysign(1.0, y) > 0) == (op.name == "arith.subf")
    ):
        return _replace(op, op.operand(0))
    return False


def _compare_floats(op: Operation) -> bool:
    x, y = (arith.constant_value(v) for v in op.operands)
    if y is not None and x is None and isinstance(op.operand(0).type, FloatType):
        known = decided(op, _COMPARE)
        return known is not None and _replace_constant(op, known)
    if x is None or y is None or not isinstance(op.operand(0).type, FloatType):
        return False
    predicate = cast(str, op.attributes["predicate"])
    unordered = math.isnan(x) or math.isnan(y)
    if predicate in ("true", "false"):
        return _replace_constant(op, predicate == "true")
    if predicate in ("ord", "uno"):
        return _replace_constant(op, unordered == (predicate == "uno"))
    if unordered:
        return _replace_constant(op, predicate.startswith("u"))
    return _replace_constant(op, _COMPARE[predicate[1:]](x, y))


def _float_cast(op: Operation) -> bool:
    value = arith.constant_value(op.operand(0))
    source, target = op.operand(0).type, op.result.type
    if value is None or not _is_scalar(target):
        return False
    match op.name:
        case "arith.extf" | "arith.truncf":
            return _replace_constant(op, _rounded_once(value, target))
        case "arith.sitofp":
            return _replace_constant(op, _rounded_once(_signed(int(value), source), target))
        case "arith.uitofp":
            return _replace_constant(op, _rounded_once(_unsigned(int(value), source), target))
        case "arith.fptosi" if math.isfinite(value) and abs(value) < 2.0 ** (_width(target) - 1):
            return _replace_constant(op, wrap(int(value), target))
        case _:
            return False


# extents


def _tensor_type(value: Value) -> RankedTensorType:
    return tensor.tensor_type(value)


def extent_origin(value: Value, position: int) -> Size | tuple[Value, int]:
    """Where an extent comes from: a number, an index value, or (value, dimension) as far up as it can be followed."""
    for _ in range(1000):
        static = _tensor_type(value).shape[position]
        if static is not None:
            return static
        step = _extent_step(value, position)
        if step is None:
            return value, position
        if not isinstance(step, tuple):
            return step
        value, position = step
    return value, position


def _extent_step(value: Value, position: int) -> Size | tuple[Value, int] | None:
    if isinstance(value, BlockArgument):
        return _loop_extent(value.block.parent_op, value.index - 1, position) if value.index > 0 else None
    op = cast(OpResult, value).op
    match op.name:
        case "tensor.empty" | "tensor.generate":
            return as_size(op.operand(_dynamic_index(op.result.type, position)))
        case "tensor.splat":
            return as_size(op.operand(1 + _dynamic_index(op.result.type, position)))
        case "tensor.cast":
            return op.operand(0), position
        case "tensor.insert_slice" | "tensor.insert":
            return op.operand(1), position
        case "tensor.extract_slice":
            _, sizes, _ = slice_parameters(op)
            dropped = dropped_dims(_tensor_type(op.result).shape, sizes)
            kept = [i for i in range(len(sizes)) if i not in dropped]
            return sizes[kept[position]]
        case "tensor.expand_shape":
            return as_size(op.operand(1 + _dynamic_index(op.result.type, position)))
        case "tensor.collapse_shape":
            group = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])[position]
            shape = _tensor_type(op.operand(0)).shape
            significant = [i for i in group if shape[i] != 1]
            return (op.operand(0), significant[0]) if len(significant) == 1 else None
        case "tensor.reshape":
            return _shape_element(op.operand(1), position)
        case "scf.for":
            return _loop_extent(op, cast(OpResult, value).index, position)
        case _ if linalg.is_structured(op):
            return linalg.outputs(op)[cast(OpResult, value).index], position
        case _:
            return None


def _dynamic_index(t: Type, position: int) -> int:
    return sum(1 for e in cast(RankedTensorType, t).shape[:position] if e is None)


def _shape_element(shape: Value, position: int) -> Size | None:
    op = shape.defining_op("tensor.from_elements")
    if op is None:
        return None
    element = op.operand(position)
    if element.type == INDEX:
        return as_size(element)
    cast_op = element.defining_op("arith.index_cast")
    number = arith.constant_value(element)
    if number is not None:
        return int(number)
    return cast_op.operand(0) if cast_op is not None and cast_op.operand(0).type == INDEX else None


def _loop_extent(loop: Operation | None, index: int, position: int) -> tuple[Value, int] | None:
    """An iteration argument keeps its extent when the value yielded for it has the argument's own extent."""
    if loop is None or loop.name != "scf.for" or index < 0:
        return None
    argument = loop.body().args[index + 1]
    value: Value = loop.body().terminator.operand(index)
    at = position
    for _ in range(1000):
        if value is argument and at == position:
            return loop.operand(3 + index), position
        if isinstance(value, BlockArgument) or _tensor_type(value).shape[at] is not None:
            return None
        step = _extent_step(value, at)
        if not isinstance(step, tuple):
            return None
        value, at = step
    return None


def _fold_dim(op: Operation) -> bool:
    position = _integer(op.operand(1))
    if position is None:
        return False
    origin = extent_origin(op.operand(0), position)
    b = Builder.before(op)
    if isinstance(origin, int):
        return _replace_constant(op, origin)
    if isinstance(origin, Value):
        return _replace(op, origin)
    source, dimension = origin
    size = _computed_extent(b, source, dimension)
    if size is not None:
        return _replace(op, as_value(b, size))
    if source is op.operand(0) and dimension == position:
        return False
    return _replace(op, tensor.dim(b, source, arith.constant(b, dimension, INDEX)))


def _computed_extent(b: Builder, value: Value, position: int) -> Size | None:
    """Extents that need a little arithmetic: of pads and of merged dimensions."""
    op = value.defining_op()
    if op is None:
        return None

    def extent(i: int) -> Size:
        static = _tensor_type(op.operand(0)).shape[i]
        return static if static is not None else tensor.dim(b, op.operand(0), arith.constant(b, i, INDEX))

    match op.name:
        case "tensor.pad":
            low, high = mixed(op, "static_low", 1)[position], mixed(op, "static_high", 2)[position]
            return indexing.add(b, indexing.add(b, low, extent(position)), high)
        case "tensor.collapse_shape":
            group = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])[position]
            return indexing.product(b, [extent(i) for i in group])
        case "tensor.reshape":
            element = tensor.extract(b, op.operand(1), [arith.constant(b, position, INDEX)])
            return element if element.type == INDEX else arith.index_cast(b, element, INDEX)
        case _:
            return None


# casts, static operands


def _same_or_cast(b: Builder, value: Value, to: Type) -> Value:
    return value if value.type == to else tensor.cast_(b, value, cast(RankedTensorType, to))


def _is_refinement(refined: RankedTensorType, of: RankedTensorType) -> bool:
    """Same type up to extents that are static in `refined` and dynamic in `of`."""
    return len(refined.shape) == len(of.shape) and all(
        y is None or x == y for x, y in zip(refined.shape, of.shape, strict=True)
    )


def _refined_source(value: Value) -> Value:
    """The source of casts that only forget static extents."""
    op = value.defining_op("tensor.cast")
    while op is not None and _is_refinement(_tensor_type(op.operand(0)), _tensor_type(value)):
        value = op.operand(0)
        op = value.defining_op("tensor.cast")
    return value


def _fold_cast(op: Operation) -> bool:
    source = op.operand(0)
    if source.type == op.result.type:
        return _replace(op, source)
    inner = source.defining_op("tensor.cast")
    if inner is None:
        return False
    first, middle, last = (_tensor_type(v).shape for v in (inner.operand(0), source, op.result))
    # Dropping the middle type must not drop a check: what it knew, the first or the last type knows as well.
    if any(m is not None and f is None and t is None for f, m, t in zip(first, middle, last, strict=True)):
        return False
    if inner.operand(0).type == op.result.type:
        return _replace(op, inner.operand(0))
    op.set_operand(0, inner.operand(0))
    return True


def _read_through_cast(op: Operation) -> bool:
    """The tensor operand's more precise type is as good, when the result type does not depend on it."""
    source = _refined_source(op.operand(0))
    if source is op.operand(0):
        return False
    op.set_operand(0, source)
    return True


def _known_sizes(sizes: Sequence[Size]) -> list[Size]:
    return [as_size(s) if isinstance(s, Value) else s for s in sizes]


def _fill_type(t: Type, sizes: Sequence[Size]) -> list[Size]:
    """All extents of a type: static ones from it, the others from `sizes` in order."""
    dynamic = iter(sizes)
    return [next(dynamic) if e is None else e for e in cast(RankedTensorType, t).shape]


def _static_sizes(op: Operation) -> bool:
    """`tensor.empty`, `tensor.splat`, `tensor.generate` with constant sizes."""
    start = 1 if op.name == "tensor.splat" else 0
    dynamic = op.operands[start:]
    known = _known_sizes(dynamic)
    if not any(isinstance(k, int) for k in known):
        return False
    b = Builder.before(op)
    sizes = _fill_type(op.result.type, known)
    if any(isinstance(s, int) and s < 0 for s in sizes):
        return False
    if op.name == "tensor.empty":
        result = tensor.empty(b, sizes, _tensor_type(op.result).element)
    elif op.name == "tensor.splat":
        result = tensor.splat(b, op.operand(0), sizes)
    else:
        shape = tensor.extents(sizes)
        new = b.insert(
            Operation(
                op.name,
                [s for s in sizes if isinstance(s, Value)],
                [RankedTensorType(shape, _tensor_type(op.result).element)],
                span=op.span,
            )
        )
        new.add_region(op.regions[0].clone({}))
        result = new.result
    return _replace(op, _same_or_cast(b, result, op.result.type))


def _static_slice(op: Operation) -> bool:
    offsets, sizes, strides = slice_parameters(op)
    known = [_known_sizes(g) for g in (offsets, sizes, strides)]
    same = all(
        isinstance(k, int) == isinstance(old, int)
        for group, olds in zip(known, (offsets, sizes, strides), strict=True)
        for k, old in zip(group, olds, strict=True)
    )
    if (
        same
        or any(isinstance(s, int) and s < 0 for s in known[1])
        or any(isinstance(s, int) and s <= 0 for s in known[2])
    ):
        return False
    b = Builder.before(op)
    if op.name == "tensor.extract_slice":
        dropped = dropped_dims(_tensor_type(op.result).shape, sizes)
        result = tensor.extract_slice(b, op.operand(0), *known, dropped=dropped)
        return _replace(op, _same_or_cast(b, result, op.result.type))
    source = op.operand(0)
    dropped = dropped_dims(_tensor_type(source).shape, sizes)
    expected = tuple(e for i, e in enumerate(tensor.extents(known[1])) if i not in dropped)
    source = _same_or_cast(b, source, RankedTensorType(expected, _tensor_type(source).element))
    return _replace(op, tensor.insert_slice(b, source, op.operand(1), *known))


def _static_pad(op: Operation) -> bool:
    low, high = mixed(op, "static_low", 1), mixed(op, "static_high", 2)
    known_low, known_high = _known_sizes(low), _known_sizes(high)
    source = _refined_source(op.operand(0))
    unchanged = [isinstance(s, int) for s in (*low, *high)] == [isinstance(s, int) for s in (*known_low, *known_high)]
    if unchanged and source is op.operand(0):
        return False
    b = Builder.before(op)
    (static_low, dynamic_low), (static_high, dynamic_high) = (
        tensor.split_sizes(known_low),
        tensor.split_sizes(known_high),
    )
    shape = tuple(
        e + lo + hi if e is not None and isinstance(lo, int) and isinstance(hi, int) else None
        for e, lo, hi in zip(_tensor_type(source).shape, known_low, known_high, strict=True)
    )
    if any(e is not None and e < 0 for e in shape):
        return False
    segments = DenseArrayAttr((1, len(dynamic_low), len(dynamic_high)), I32)
    attributes = {"static_low": static_low, "static_high": static_high, "operandSegmentSizes": segments}
    t = RankedTensorType(shape, _tensor_type(source).element)
    new = b.create("tensor.pad", (source, *dynamic_low, *dynamic_high), (t,), attributes, [op.regions[0].clone({})])
    return _replace(op, _same_or_cast(b, new.result, op.result.type))


def _static_expand(op: Operation) -> bool:
    static = cast(DenseArrayAttr, op.attributes["static_output_shape"]).values
    dynamic = iter(op.operands[1:])
    sizes: list[Size] = [next(dynamic) if s == tensor.DYNAMIC_SENTINEL else s for s in static]
    known = _known_sizes(sizes)
    source = _refined_source(op.operand(0))
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
    for group, extent in zip(groups, _tensor_type(source).shape, strict=True):
        _infer_last_unknown(known, group, extent)
    if source is op.operand(0) and all(
        isinstance(k, int) == isinstance(s, int) for k, s in zip(known, sizes, strict=True)
    ):
        return False
    # The verifier wants a source extent that is dynamic exactly where its group has a dynamic extent.
    merged = tuple(_static_product([known[i] for i in group]) for group in groups)
    b = Builder.before(op)
    source = _same_or_cast(b, source, RankedTensorType(merged, _tensor_type(source).element))
    result = tensor.expand_shape(b, source, groups, known)
    return _replace(op, _same_or_cast(b, result, op.result.type))


def _infer_last_unknown(sizes: list[Size], group: Sequence[int], extent: Extent) -> None:
    unknown = [i for i in group if not isinstance(sizes[i], int)]
    if extent is None or len(unknown) != 1:
        return
    known = math.prod(cast(int, sizes[i]) for i in group if i != unknown[0])
    if known > 0 and extent % known == 0:
        sizes[unknown[0]] = extent // known


def _static_product(sizes: Sequence[Size]) -> Extent:
    return math.prod(cast("list[int]", sizes)) if all(isinstance(s, int) for s in sizes) else None


def _refine_collapse(op: Operation) -> bool:
    source = _refined_source(op.operand(0))
    if source is op.operand(0):
        return False
    b = Builder.before(op)
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
    return _replace(op, _same_or_cast(b, tensor.collapse_shape(b, source, groups), op.result.type))


def _static_reshape(op: Operation) -> bool:
    """`tensor.reshape` to constant extents gets them in its type; one that changes nothing goes."""
    source = _refined_source(op.operand(0))
    shape = _tensor_type(op.result).shape
    known = tuple(
        e if e is not None else _static_or_none(_shape_element(op.operand(1), i)) for i, e in enumerate(shape)
    )
    if None not in known and known == _tensor_type(source).shape:
        return _replace(op, _same_or_cast(Builder.before(op), source, op.result.type))
    if source is op.operand(0) and known == shape:
        return False
    if any(e is not None and e < 0 for e in known):
        return False
    b = Builder.before(op)
    result = tensor.reshape(b, source, op.operand(1), RankedTensorType(known, _tensor_type(op.result).element))
    return _replace(op, _same_or_cast(b, result, op.result.type))


def _static_or_none(size: Size | None) -> Extent:
    return size if isinstance(size, int) else None


def _refine_structured(op: Operation) -> bool:
    """Static extents of any operand make the loop extents static, and so the types of the results."""
    if not op.results:
        return False
    maps = linalg.indexing_maps(op)
    sources = [_refined_source(v) if isinstance(v.type, RankedTensorType) else v for v in op.operands]
    extents: dict[int, int] = {}
    for value, indexing_map in zip(sources, maps, strict=True):
        if not isinstance(value.type, RankedTensorType):
            continue
        for extent, expr in zip(value.type.shape, indexing_map.results, strict=True):
            if isinstance(expr, AffineDim) and extent is not None:
                extents.setdefault(expr.position, extent)
    b = Builder.before(op)
    n_in = len(linalg.inputs(op))
    changed = False
    operands: list[Value] = []
    for i, (value, indexing_map) in enumerate(zip(sources, maps, strict=True)):
        t = value.type
        if i >= n_in:
            shape = tuple(
                extents.get(expr.position, extent) if extent is None and isinstance(expr, AffineDim) else extent
                for extent, expr in zip(cast(RankedTensorType, t).shape, indexing_map.results, strict=True)
            )
            value = _same_or_cast(b, value, RankedTensorType(shape, cast(RankedTensorType, t).element))
        changed |= value is not op.operand(i) and value.type != op.operand(i).type
        operands.append(value)
    if not changed:
        return False
    types = [v.type for v in operands[n_in:]]
    new = b.create(op.name, operands, types, op.attributes, [op.regions[0].clone({})])
    op.replace_with([_same_or_cast(b, r, old.type) for r, old in zip(new.results, op.results, strict=True)])
    return True


# structured operations


def _rebuild_generic(op: Operation, keep: Sequence[int], body: dict[int, int]) -> None:
    """Keeps the inputs `keep`; the argument of a dropped input i becomes that of input `body[i]` (or is unused)."""
    b = Builder.before(op)
    ins, outs, maps = linalg.inputs(op), linalg.outputs(op), linalg.indexing_maps(op)
    region = op.regions[0].clone({})
    block = region.blocks[0]
    for old, new in body.items():
        block.args[old].replace_all_uses_with(block.args[new])
    for i in reversed(range(len(ins))):
        if i not in keep:
            block.erase_argument(i)
    attributes = {
        **op.attributes,
        "indexing_maps": tuple(maps[i] for i in keep) + maps[len(ins) :],
        "operandSegmentSizes": DenseArrayAttr((len(keep), len(outs)), I32),
    }
    new_op = b.create(op.name, (*(ins[i] for i in keep), *outs), [r.type for r in op.results], attributes, [region])
    op.replace_with(new_op.results)


def _prune_inputs(op: Operation) -> bool:
    ins, maps, block = linalg.inputs(op), linalg.indexing_maps(op), op.body()
    seen: dict[tuple[Value, AffineMap], int] = {}
    keep: list[int] = []
    merged: dict[int, int] = {}
    for i, value in enumerate(ins):
        first = seen.setdefault((value, maps[i]), i)
        if first != i:
            merged[i] = first
        elif block.args[i].uses or not _covered(maps, i, set(keep) | set(range(i + 1, len(maps)))):
            keep.append(i)
    # An unused input that a later duplicate refers to stays.
    keep = sorted(set(keep) | set(merged.values()))
    if len(keep) == len(ins):
        return False
    _rebuild_generic(op, keep, merged)
    return True


def _covered(maps: Sequence[AffineMap], dropped: int, others: set[int]) -> bool:
    """Whether every loop extent can be read from the operands `others`."""
    dims = {e.position for i in others if i != dropped for e in maps[i].results if isinstance(e, AffineDim)}
    return dims == set(range(maps[0].num_dims))


def _is_elementwise(op: Operation) -> bool:
    return all(t == linalg.PARALLEL for t in linalg.iterator_types(op))


def _fold_copy(op: Operation) -> bool:
    """An all-parallel body that yields an input unchanged at the same position is that input."""
    if len(op.results) != 1 or not _is_elementwise(op):
        return False
    ins, maps, block = linalg.inputs(op), linalg.indexing_maps(op), op.body()
    value = block.terminator.operand(0)
    for i, source in enumerate(ins):
        if (
            value is block.args[i]
            and source.type == op.result.type
            and maps[i] == maps[-1]
            and maps[i].is_projected_permutation
        ):
            if len(maps[i].results) == maps[i].num_dims:
                return _replace(op, source)
    return False


def _constant_body(op: Operation) -> bool:
    """A body that yields one scalar from outside is a fill."""
    if len(op.results) != 1 or not _is_elementwise(op):
        return False
    block = op.body()
    value = block.terminator.operand(0)
    number = arith.constant_value(value)
    inside = isinstance(value.owner, Block) or value.owner.parent is block
    if inside and (number is None or not is_pure(op)):
        return False
    if not inside and block.first is not block.terminator and not is_pure(op):
        return False
    if not linalg.indexing_maps(op)[-1].is_projected_permutation:
        return False
    b = Builder.before(op)
    scalar = value if not inside else arith.constant(b, cast(float, number), value.type)
    return _replace(op, linalg.fill(b, scalar, linalg.outputs(op)[0]).result)


def _drop_unread_init(op: Operation) -> bool:
    """An init whose elements are never read becomes `tensor.empty`: nothing has to be computed for it."""
    if not op.results or any(t != linalg.PARALLEL for t in linalg.iterator_types(op)):
        return False
    n_in = len(linalg.inputs(op))
    changed = False
    for i, init in enumerate(linalg.outputs(op)):
        definition = init.defining_op()
        unread = op.name == "linalg.fill" or not op.body().args[n_in + i].uses
        if not unread or (definition is not None and _leads_to_empty(definition)):
            continue
        if not _writes_everywhere(linalg.indexing_maps(op)[n_in + i]):
            continue
        b = Builder.before(op)
        t = _tensor_type(init)
        sizes: list[Size] = [
            e if e is not None else tensor.dim(b, init, arith.constant(b, d, INDEX)) for d, e in enumerate(t.shape)
        ]
        op.set_operand(n_in + i, tensor.empty(b, sizes, t.element))
        changed = True
    return changed


def _leads_to_empty(op: Operation) -> bool:
    while op.name == "tensor.cast":
        inner = op.operand(0).defining_op()
        if inner is None:
            return False
        op = inner
    return op.name == "tensor.empty"


def _writes_everywhere(indexing_map: AffineMap) -> bool:
    return indexing_map.is_projected_permutation


# element access


def scalar_splat(value: Value) -> Value | DenseAttr | None:
    """The one scalar all elements of `value` have: a value, or the attribute of a splat constant."""
    op = value.defining_op()
    while op is not None and op.name in (
        "tensor.cast",
        "tensor.extract_slice",
        "tensor.collapse_shape",
        "tensor.expand_shape",
        "tensor.reshape",
    ):
        value = op.operand(0)
        op = value.defining_op()
    if op is None:
        return None
    match op.name:
        case "linalg.fill" | "tensor.splat":
            return op.operand(0)
        case "tensor.from_elements" if len(op.operands) == 1:
            return op.operand(0)
        case "arith.constant":
            attribute = op.attributes["value"]
            if not isinstance(attribute, DenseAttr):
                return None
            if isinstance(attribute.value, Constant):
                array = attribute.value.array
                if array.size != 1:
                    return None
                return DenseAttr(array.reshape(-1)[0].item(), attribute.type)
            if isinstance(attribute.value, tuple):
                return DenseAttr(attribute.value[0], attribute.type) if len(attribute.value) == 1 else None
            return attribute
        case _:
            return None


def materialize_splat(b: Builder, splat: Value | DenseAttr) -> Value:
    """The scalar found by `scalar_splat`."""
    if isinstance(splat, Value):
        return splat
    return arith.constant(b, cast(float, splat.value), element_type(splat.type))


def _fold_extract(op: Operation) -> bool:
    source = op.operand(0)
    splat = scalar_splat(source)
    b = Builder.before(op)
    if splat is not None:
        return _replace(op, materialize_splat(b, splat))
    definition = source.defining_op()
    indices = [_integer(v) for v in op.operands[1:]]
    if definition is None:
        return False
    if definition.name == "linalg.generic" and not indices and not linalg.iterator_types(definition):
        return _inline_scalar_body(op, definition)
    if None in indices:
        return False
    position = cast("list[int]", indices)
    shape = _tensor_type(source).shape
    if any(e is None or not 0 <= i < e for i, e in zip(position, shape, strict=True)):
        return False
    flat = int(np.ravel_multi_index(position, cast("tuple[int, ...]", shape))) if position else 0
    if definition.name == "tensor.from_elements":
        return _replace(op, definition.operand(flat))
    if definition.name == "arith.constant":
        return _extract_constant(op, cast(DenseAttr, definition.attributes["value"]), flat)
    return False


def _extract_constant(op: Operation, attribute: DenseAttr, flat: int) -> bool:
    if isinstance(attribute.value, Constant):
        return _replace_constant(op, attribute.value.array.reshape(-1)[flat].item())
    if isinstance(attribute.value, tuple):
        return _replace_constant(op, attribute.value[flat])
    return False


def _inline_scalar_body(op: Operation, generic: Operation) -> bool:
    """The element of a 0-d computation is computed as a scalar."""
    if len(generic.results) != 1 or not is_pure(generic):
        return False
    b = Builder.before(op)
    mapping: dict[Value, Value] = {}
    block = generic.body()
    for value, argument, indexing_map in zip(generic.operands, block.args, linalg.indexing_maps(generic), strict=True):
        if not argument.uses:
            continue
        indices = [as_value(b, indexing.apply(b, e, [])) for e in indexing_map.results]
        mapping[argument] = tensor.extract(b, value, indices)
    for inner in block.operations():
        if inner is not block.terminator:
            b.insert(inner.clone(mapping))
    result = block.terminator.operand(0)
    return _replace(op, mapping.get(result, result))


# slices, reshapes


def _fold_full_slice(op: Operation) -> bool:
    """A slice of everything."""
    source = op.operand(0)
    if op.result.type != source.type:
        return False
    offsets, sizes, strides = slice_parameters(op)
    if any(o != 0 for o in offsets) or any(s != 1 for s in strides):
        return False
    for i, size in enumerate(sizes):
        if isinstance(size, int):
            if _tensor_type(source).shape[i] != size:
                return False
        elif not _same_extent(size, extent_origin(source, i)):
            return False
    return _replace(op, source)


def _same_extent(size: Value, origin: Size | tuple[Value, int]) -> bool:
    if isinstance(origin, tuple):
        op = size.defining_op("tensor.dim")
        return op is not None and op.operand(0) is origin[0] and _integer(op.operand(1)) == origin[1]
    return size is origin


def _fold_full_insert(op: Operation) -> bool:
    """Everything is replaced."""
    source = op.operand(0)
    if source.type != op.result.type or None in _tensor_type(source).shape:
        return False
    offsets, _, strides = slice_parameters(op)
    if any(o != 0 for o in offsets) or any(s != 1 for s in strides):
        return False
    return _replace(op, source)


def _compose_slices(op: Operation) -> bool:
    """A unit-stride, rank-keeping slice of such a slice."""
    inner = op.operand(0).defining_op("tensor.extract_slice")
    if inner is None or _tensor_type(inner.result).rank != _tensor_type(inner.operand(0)).rank:
        return False
    offsets, sizes, strides = slice_parameters(op)
    inner_offsets, _, inner_strides = slice_parameters(inner)
    b = Builder.before(op)
    new_offsets = [
        indexing.add(b, i, indexing.mul(b, o, s)) for i, o, s in zip(inner_offsets, offsets, inner_strides, strict=True)
    ]
    new_strides = [indexing.mul(b, s, t) for s, t in zip(strides, inner_strides, strict=True)]
    dropped = dropped_dims(_tensor_type(op.result).shape, sizes)
    result = tensor.extract_slice(b, inner.operand(0), new_offsets, sizes, new_strides, dropped)
    return _replace(op, result)


def _fold_reshape_pair(op: Operation) -> bool:
    """expand(collapse(x)) and collapse(expand(x)) with static extents that cancel; chains of one kind."""
    inner = op.operand(0).defining_op()
    if inner is None or inner.name not in ("tensor.expand_shape", "tensor.collapse_shape"):
        return False
    source = inner.operand(0)
    if source.type == op.result.type and None not in _tensor_type(source).shape:
        return _replace(op, source)
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
    inner_groups = cast(tuple[tuple[int, ...], ...], inner.attributes["reassociation"])
    b = Builder.before(op)
    if op.name == inner.name == "tensor.collapse_shape":
        merged = [[i for d in group for i in inner_groups[d]] for group in groups]
        return _replace(op, tensor.collapse_shape(b, source, merged))
    if op.name == inner.name == "tensor.expand_shape":
        merged = [[i for d in group for i in groups[d]] for group in inner_groups]
        static = cast(DenseArrayAttr, op.attributes["static_output_shape"]).values
        dynamic = iter(op.operands[1:])
        sizes: list[Size] = [next(dynamic) if s == tensor.DYNAMIC_SENTINEL else s for s in static]
        return _replace(op, tensor.expand_shape(b, source, merged, sizes))
    return False


def _fold_trivial_reshape(op: Operation) -> bool:
    """Same rank: nothing is split or merged."""
    if op.operand(0).type == op.result.type and len(_tensor_type(op.result).shape) == len(
        _tensor_type(op.operand(0)).shape
    ):
        return _replace(op, op.operand(0))
    return False


def _fold_trivial_pad(op: Operation) -> bool:
    low, high = mixed(op, "static_low", 1), mixed(op, "static_high", 2)
    if all(s == 0 for s in (*low, *high)) and op.operand(0).type == op.result.type:
        return _replace(op, op.operand(0))
    return False


# control flow


def _inline_block(op: Operation, block: Block, arguments: Sequence[Value]) -> bool:
    """Replaces `op` by the operations of one of its blocks."""
    for argument, value in zip(block.args, arguments, strict=True):
        argument.replace_all_uses_with(value)
    results = block.terminator.operands
    target = op.parent
    assert target is not None
    for inner in list(block.operations()):
        if inner is block.terminator:
            continue
        target.insert_before(inner.detach(), op)
    op.replace_with(results)
    return True


def _fold_if(op: Operation) -> bool:
    condition = _integer(op.operand(0))
    if condition is None:
        return _drop_equal_results(op)
    region = op.regions[0 if condition else 1]
    if not region.blocks:
        op.erase()
        return True
    return _inline_block(op, region.blocks[0], ())


def _drop_equal_results(op: Operation) -> bool:
    """A result that both branches take from the same outer value is that value; an empty `if` goes."""
    changed = False
    if not op.results and all(len(r.blocks[0]) == 1 for r in op.regions if r.blocks):
        op.erase()
        return True
    if len(op.regions) < 2 or not op.regions[1].blocks:
        return False
    for i, result in enumerate(op.results):
        then, orelse = op.body(0).terminator.operand(i), op.body(1).terminator.operand(i)
        if then is orelse and result.uses:
            result.replace_all_uses_with(then)
            changed = True
    if changed or all(r.uses for r in op.results):
        return changed
    used = [i for i, r in enumerate(op.results) if r.uses]
    for block in (op.body(0), op.body(1)):
        block.terminator.set_operands([block.terminator.operand(i) for i in used])
    regions = [r.clone({}) for r in op.regions]
    new = Builder.before(op).create(op.name, op.operands, [op.results[i].type for i in used], op.attributes, regions)
    for i, result in zip(used, new.results, strict=True):
        op.results[i].replace_all_uses_with(result)
    op.erase()
    return True


def _fold_for(op: Operation) -> bool:
    lower, upper, step = (_integer(v) for v in op.operands[:3])
    inits = op.operands[3:]
    if lower is not None and upper is not None:
        if upper <= lower:
            op.replace_with(inits)
            return True
        if step is not None and upper - lower <= step:
            return _inline_block(op, op.body(), (op.operand(0), *inits))
    return _drop_invariant_arguments(op)


def _drop_invariant_arguments(op: Operation) -> bool:
    """An iteration argument that is yielded unchanged is the initial value."""
    block = op.body()
    changed = False
    for i, init in enumerate(op.operands[3:]):
        argument = block.args[i + 1]
        yielded = block.terminator.operand(i)
        if (yielded is argument or yielded is init) and (
            argument.uses.keys() - {(block.terminator, i)} or op.results[i].uses
        ):
            block.terminator.set_operand(i, argument)
            op.results[i].replace_all_uses_with(init)
            for user, index in list(argument.uses):
                if user is not block.terminator or index != i:
                    user.set_operand(index, init)
            changed = True
    return changed


def _fold_assert(op: Operation) -> bool:
    if _integer(op.operand(0)) == 1:
        op.erase()
        return True
    return False


_INTEGER_RULES: Final[tuple[Rule, ...]] = (_fold_integers, _simplify_integers)
RULES: Final[dict[str, tuple[Rule, ...]]] = {
    **{
        n: (_constant_to_the_right, *_INTEGER_RULES) if n in _COMMUTATIVE else _INTEGER_RULES
        for n in (*_SIGNED, *_UNSIGNED)
    },
    **{n: (_constant_to_the_right, _fold_floats) if n in _COMMUTATIVE else (_fold_floats,) for n in _FLOAT},
    "arith.cmpi": (_compare_integers,),
    "arith.cmpf": (_compare_floats,),
    "arith.select": (_select,),
    **{f"arith.{n}": (_integer_cast,) for n in ("index_cast", "index_castui", "extsi", "extui", "trunci")},
    **{f"arith.{n}": (_float_cast,) for n in ("extf", "truncf", "sitofp", "uitofp", "fptosi")},
    "tensor.dim": (_fold_dim,),
    "tensor.cast": (_fold_cast,),
    "tensor.extract": (_read_through_cast, _fold_extract),
    "tensor.empty": (_static_sizes,),
    "tensor.splat": (_static_sizes,),
    "tensor.generate": (_static_sizes,),
    "tensor.extract_slice": (_read_through_cast, _static_slice, _fold_full_slice, _compose_slices),
    "tensor.insert_slice": (_static_slice, _fold_full_insert),
    "tensor.pad": (_static_pad, _fold_trivial_pad),
    "tensor.expand_shape": (_static_expand, _fold_trivial_reshape, _fold_reshape_pair),
    "tensor.collapse_shape": (_refine_collapse, _fold_trivial_reshape, _fold_reshape_pair),
    "tensor.reshape": (_static_reshape,),
    "linalg.generic": (_refine_structured, _prune_inputs, _drop_unread_init, _fold_copy, _constant_body),
    "linalg.fill": (_refine_structured, _drop_unread_init),
    "linalg.matmul": (_refine_structured,),
    "linalg.batch_matmul": (_refine_structured,),
    "scf.if": (_fold_if,),
    "scf.for": (_fold_for,),
    "cf.assert": (_fold_assert,),
    **canonicalize_complex.RULES,
}
