"""Arithmetic on integers and indices: constants, neutral elements, what is known to be bounded, comparisons that are decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from ....ir.builder import Builder
from ....ir.core import BlockArgument, Operation, Value
from ....ir.dialects import arith
from ....ir.types import I1, I64, INDEX, IndexType, IntegerType, Type
from .rewriting import Rule, Rules, integer, is_scalar, replace, replace_constant


def bit_width(t: Type) -> int:
    return t.width if isinstance(t, IntegerType) else 64


def wrap(value: int, t: Type) -> int:
    """`value` as it is stored in an integer of type `t`: signed; 0 or 1 for i1."""
    width = bit_width(t)
    value &= (1 << width) - 1
    return value if width == 1 or value < 1 << (width - 1) else value - (1 << width)


def signed(value: int, t: Type) -> int:
    """The signed reading: an i1 that is set is -1."""
    return -value if bit_width(t) == 1 else value


def unsigned(value: int, t: Type) -> int:
    return value & ((1 << bit_width(t)) - 1)


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
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}
_REFLEXIVE: Final = frozenset({"eq", "sle", "sge", "ule", "uge"})


def _fold_integers(op: Operation) -> bool:
    t = op.result.type
    x, y = map(integer, op.operands)
    if x is None or y is None:
        return False
    if op.name in _SIGNED:
        result = _SIGNED[op.name](signed(x, t), signed(y, t))
    else:
        result = _UNSIGNED[op.name](unsigned(x, t), unsigned(y, t))
    return result is not None and replace_constant(op, wrap(result, t))


COMMUTATIVE: Final = frozenset(
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


def constant_to_the_right(op: Operation) -> bool:
    x, y = op.operands
    if arith.constant_value(x) is None or arith.constant_value(y) is not None:
        return False
    op.set_operands((y, x))
    return True


def _simplify_integers(op: Operation) -> bool:
    x, y = op.operands
    t = op.result.type
    if not is_scalar(t):
        return False
    constant = integer(y)
    ones = wrap(-1, t)
    match op.name, constant:
        case (
            "arith.addi" | "arith.subi" | "arith.ori" | "arith.xori" | "arith.shli" | "arith.shrsi" | "arith.shrui",
            0,
        ):
            return replace(op, x)
        case ("arith.muli" | "arith.divsi" | "arith.divui" | "arith.floordivsi" | "arith.ceildivsi", 1) if (
            bit_width(t) > 1
        ):
            return replace(op, x)
        case ("arith.muli" | "arith.andi", 0):
            return replace_constant(op, 0)
        case ("arith.remsi" | "arith.remui", 1) if bit_width(t) > 1:
            return replace_constant(op, 0)
        case "arith.andi", _ if constant == ones:
            return replace(op, x)
        case "arith.ori", _ if constant == ones:
            return replace_constant(op, ones)
        case _:
            pass
    if x is y:
        match op.name:
            case "arith.subi" | "arith.xori":
                return replace_constant(op, 0)
            case "arith.andi" | "arith.ori" | "arith.maxsi" | "arith.minsi" | "arith.maxui" | "arith.minui":
                return replace(op, x)
            case _:
                pass
    return _reassociate(op, x, y, constant) or _bounded(op, x, y, constant)


def _reassociate(op: Operation, x: Value, y: Value, constant: int | None) -> bool:
    """(a + c1) + c2, (a + b) - b and the like."""
    t = op.result.type
    if op.name == "arith.subi" and constant is not None and isinstance(t, IndexType):
        b = Builder.before(op)
        return replace(op, arith.addi(b, x, arith.constant(b, -constant, t)))
    inner = x.defining_op()
    if op.name == "arith.subi" and inner is not None and inner.name == "arith.addi":
        left, right = inner.operands
        if y is right:
            return replace(op, left)
        if y is left:
            return replace(op, right)
    if op.name == "arith.addi" and inner is not None and inner.name == "arith.subi" and inner.operand(1) is y:
        return replace(op, inner.operand(0))
    if constant is None or inner is None or inner.name != op.name or op.name not in ("arith.addi", "arith.muli"):
        return False
    before = integer(inner.operand(1))
    if before is None:
        return False
    b = Builder.before(op)
    total = before + constant if op.name == "arith.addi" else before * constant
    op.set_operands((inner.operand(0), arith.constant(b, wrap(total, t), t)))
    return True


def _bounded(op: Operation, x: Value, y: Value, constant: int | None) -> bool:
    """max(extent, 0) is the extent."""
    if op.name == "arith.maxsi" and constant is not None and constant <= 0 and is_non_negative(x):
        return replace(op, x)
    if op.name == "arith.minsi" and constant is not None and constant <= 0 and is_non_negative(x):
        return replace(op, y)
    return False


def is_non_negative(value: Value, depth: int = 8) -> bool:
    """Whether `value` is provably >= 0: extents, and sums, products, quotients of such."""
    number = integer(value)
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
        return replace_constant(op, predicate in _REFLEXIVE)
    a, b = integer(x), integer(y)
    if a is not None and b is not None:
        read = unsigned if predicate.startswith("u") else signed
        kind = predicate if predicate in ("eq", "ne") else predicate[1:]
        return replace_constant(op, COMPARE[kind](read(a, x.type), read(b, y.type)))
    if b is not None and is_non_negative(x):
        if (predicate == "slt" and b <= 0) or (predicate in ("sle", "eq") and b < 0):
            return replace_constant(op, False)
        if (predicate == "sge" and b <= 0) or (predicate in ("sgt", "ne") and b < 0):
            return replace_constant(op, True)
    if a is not None and is_non_negative(y):
        if (predicate == "sgt" and a <= 0) or (predicate in ("sge", "eq") and a < 0):
            return replace_constant(op, False)
        if (predicate == "sle" and a <= 0) or (predicate in ("slt", "ne") and a < 0):
            return replace_constant(op, True)
    if x.type == I1 and b is not None and predicate in ("eq", "ne") and bool(b) == (predicate == "eq"):
        return replace(op, x)
    return False


def _select(op: Operation) -> bool:
    condition, true, false = op.operands
    if true is false:
        return replace(op, true)
    chosen = integer(condition)
    if chosen is not None:
        return replace(op, true if chosen else false)
    if op.result.type == I1 and condition.type == I1 and integer(true) == 1 and integer(false) == 0:
        return replace(op, condition)
    return False


def _integer_cast(op: Operation) -> bool:
    source, target = op.operand(0), op.result.type
    if not is_scalar(target):
        return False
    value = integer(source)
    if value is not None:
        read = unsigned if op.name in ("arith.extui", "arith.index_castui") else signed
        return replace_constant(op, wrap(read(value, source.type), target))
    inner = source.defining_op()
    if inner is None:
        return False
    wide = {INDEX, I64}
    if (
        op.name == inner.name == "arith.index_cast"
        and inner.operand(0).type == target
        and {source.type, target} <= wide
    ):
        return replace(op, inner.operand(0))
    if op.name == "arith.trunci" and inner.name in ("arith.extsi", "arith.extui") and inner.operand(0).type == target:
        return replace(op, inner.operand(0))
    return False


_ARITHMETIC: Final[tuple[Rule, ...]] = (_fold_integers, _simplify_integers)
RULES: Final[Rules] = {
    **{n: (constant_to_the_right, *_ARITHMETIC) if n in COMMUTATIVE else _ARITHMETIC for n in (*_SIGNED, *_UNSIGNED)},
    "arith.cmpi": (_compare_integers,),
    "arith.select": (_select,),
    **{f"arith.{n}": (_integer_cast,) for n in ("index_cast", "index_castui", "extsi", "extui", "trunci")},
}
