"""`arith` and `math`: one instruction or intrinsic each, mostly by table.

`math` functions that are no instructions (exp, tanh, ...) and `arith.remf` are expanded on the `loops` stage before
(`expand_math`): LLVM would make calls of libm of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, cast

from ...ir.attributes import DenseAttr, FloatAttr, IntegerAttr
from ...ir.core import Operation, Value
from ...ir.diagnostics import InternalError
from ...ir.types import (
    F32,
    F64,
    I16,
    I32,
    I64,
    ComplexType,
    IndexType,
    IntegerType,
    MemRefType,
    Type,
    VectorType,
    element_type,
    with_shape_of,
)
from .emitter import Emit, Emitter
from .linear import Linear
from .precision import from_f32, to_f32
from .types import dense, is_low_precision, literal, register_type, splat, suffix

_INTEGER_BINARY: Final = {
    "arith.addi": "add", "arith.subi": "sub", "arith.muli": "mul", "arith.divsi": "sdiv", "arith.divui": "udiv",
    "arith.remsi": "srem", "arith.remui": "urem", "arith.andi": "and", "arith.ori": "or", "arith.xori": "xor",
    "arith.shli": "shl", "arith.shrsi": "ashr", "arith.shrui": "lshr",
}  # fmt: skip
_INTEGER_INTRINSICS: Final = {
    "arith.maxsi": "smax", "arith.minsi": "smin", "arith.maxui": "umax", "arith.minui": "umin",
}  # fmt: skip
_FLOAT_BINARY: Final = {"arith.addf": "fadd", "arith.subf": "fsub", "arith.mulf": "fmul", "arith.divf": "fdiv"}
_FLOAT_INTRINSICS: Final = {
    # `nsz`: PyTorch leaves the sign of a zero maximum open; without it x86 needs twice the instructions
    "arith.maximumf": "nsz llvm.maximum", "arith.minimumf": "nsz llvm.minimum",
    "arith.maxnumf": "nsz llvm.maxnum", "arith.minnumf": "nsz llvm.minnum",
    "math.absf": "llvm.fabs", "math.sqrt": "llvm.sqrt", "math.floor": "llvm.floor", "math.ceil": "llvm.ceil",
    "math.trunc": "llvm.trunc", "math.round": "llvm.round", "math.roundeven": "llvm.roundeven",
    "math.fma": "llvm.fma",
}  # fmt: skip
_INTEGER_CASTS: Final = {"arith.extsi": "sext", "arith.extui": "zext", "arith.trunci": "trunc"}
_COUNTS: Final = {"math.ctlz": ("ctlz", ", i1 false"), "math.cttz": ("cttz", ", i1 false"), "math.ctpop": ("ctpop", "")}

_FOLDS: Final[dict[str, Callable[[int, int], int]]] = {
    "arith.maxsi": max,
    "arith.minsi": min,
    "arith.divui": lambda a, b: a // b,
    "arith.remui": lambda a, b: a % b,
    "arith.floordivsi": lambda a, b: a // b,
    "arith.ceildivsi": lambda a, b: -(-a // b),
    "arith.divsi": lambda a, b: int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1),
}
"""Index operations on known numbers."""


def fastmath(op: Operation) -> str:
    """The operation's flags as LLVM's, each followed by a space. (`afn` is left out: it would allow library calls.)"""
    flags = op.attributes.get("fastmath", "")
    return "".join(f"{f} " for f in str(flags).split(",") if f and f not in ("none", "afn"))


def _constant(e: Emitter, op: Operation) -> None:
    attribute = op.attributes["value"]
    result = op.result
    match attribute:
        case IntegerAttr(value, _) if isinstance(result.type, IndexType):
            e.set(result, Linear.of(value))
        case IntegerAttr(value, _) | FloatAttr(value, _):
            e.set(result, literal(value, result.type))
        case DenseAttr(value, _) if isinstance(result.type, VectorType) and isinstance(value, tuple):
            e.set(result, dense(value, result.type))
        case DenseAttr(value, _) if isinstance(result.type, VectorType) and isinstance(value, int | float):
            e.set(result, splat(value, result.type))
        case _:
            raise InternalError(f"arith.constant of type {result.type} at code generation")


def _index_sum(e: Emitter, op: Operation) -> Linear | None:
    """addi, subi, muli of type index stay in linear form."""
    a, b = e.linear(op.operand(0)), e.linear(op.operand(1))
    match op.name:
        case "arith.addi":
            return a + b
        case "arith.subi":
            return a - b
        case "arith.muli" if a.is_constant or b.is_constant:
            return e.product(a, b)
        case _:
            x, y = a.known(), b.known()
            fold = _FOLDS.get(op.name)
            if (
                fold is None
                or x is None
                or y is None
                or ("div" in op.name and y == 0)
                or ("ui" in op.name and (x < 0 or y <= 0))
            ):
                return None
            return Linear.of(fold(x, y))


def _integer_binary(e: Emitter, op: Operation) -> None:
    if isinstance(op.result.type, IndexType):
        linear = _index_sum(e, op)
        if linear is not None:
            e.set(op.result, linear)
            return
    t = register_type(op.result.type)
    lhs, rhs = e.text(op.operand(0)), e.text(op.operand(1))
    if op.name in _INTEGER_BINARY:
        e.set(op.result, e.pure(t, f"{_INTEGER_BINARY[op.name]} {t} {lhs}, {rhs}"))
    else:
        name = f"@llvm.{_INTEGER_INTRINSICS[op.name]}.{suffix(op.result.type)}"
        e.set(op.result, e.pure(t, f"call {t} {name}({t} {lhs}, {t} {rhs})"))


def _rounded_division(e: Emitter, op: Operation) -> None:
    """floordivsi, ceildivsi: the truncated quotient, corrected where there is a remainder and the signs say so."""
    if isinstance(op.result.type, IndexType):
        linear = _index_sum(e, op)
        if linear is not None:
            e.set(op.result, linear)
            return
    t, flag = register_type(op.result.type), register_type(with_shape_of(op.result.type, IntegerType(1)))
    zero = splat(0, op.result.type)
    lhs, rhs = e.text(op.operand(0)), e.text(op.operand(1))
    quotient = e.pure(t, f"sdiv {t} {lhs}, {rhs}")
    remainder = e.pure(t, f"sub {t} {lhs}, {e.pure(t, f'mul {t} {quotient}, {rhs}')}")
    inexact = e.pure(flag, f"icmp ne {t} {remainder}, {zero}")
    signs = e.pure(t, f"xor {t} {lhs}, {rhs}")
    floor = op.name == "arith.floordivsi"
    wrong = e.pure(flag, f"icmp {'slt' if floor else 'sge'} {t} {signs}, {zero}")
    both = e.pure(flag, f"and {flag} {inexact}, {wrong}")
    correction = e.pure(t, f"{'sext' if floor else 'zext'} {flag} {both} to {t}")
    e.set(op.result, e.pure(t, f"add {t} {quotient}, {correction}"))


def float_operation(
    e: Emitter, t: Type, operands: tuple[Value, ...], instruction: Callable[[str, Type, list[str]], str]
) -> str:
    """An operation on floats of type `t`: f16 and bf16 are computed in f32 and rounded once."""
    texts = [e.text(v) for v in operands]
    if not is_low_precision(t):
        return e.pure(register_type(t), instruction(register_type(t), t, texts))
    wide = with_shape_of(t, F32)
    widened = [to_f32(e, text, v.type) for text, v in zip(texts, operands, strict=True)]
    return from_f32(e, e.pure(register_type(wide), instruction(register_type(wide), wide, widened)), t)


def _float_binary(e: Emitter, op: Operation) -> None:
    name = f"{_FLOAT_BINARY[op.name]} {fastmath(op)}"
    e.set(op.result, float_operation(e, op.result.type, op.operands, lambda r, _, x: f"{name}{r} {x[0]}, {x[1]}"))


def _float_intrinsic(e: Emitter, op: Operation) -> None:
    flag, _, name = _FLOAT_INTRINSICS[op.name].rpartition(" ")
    flags = fastmath(op) + (f"{flag} " if flag and flag not in fastmath(op).split() else "")

    def call(register: str, t: Type, texts: list[str]) -> str:
        return f"call {flags}{register} @{name}.{suffix(t)}({', '.join(f'{register} {x}' for x in texts)})"

    e.set(op.result, float_operation(e, op.result.type, op.operands, call))


def _copysign(e: Emitter, op: Operation) -> None:
    """By bits, as processors do it: of `llvm.copysign`, LLVM looks through conversions of the sign, and then needs one from
    f64 to f16 that is a function of libgcc."""
    element = element_type(op.result.type)
    word, width = (I64, 64) if element == F64 else (I16, 16) if is_low_precision(element) else (I32, 32)
    t = with_shape_of(op.result.type, word)
    value, bits = register_type(op.result.type), register_type(t)
    sign_bit = -1 << (width - 1)
    parts: list[str] = []
    for operand, mask in zip(op.operands, (~sign_bit, sign_bit), strict=True):
        text = e.text(operand) if value == bits else e.pure(bits, f"bitcast {value} {e.text(operand)} to {bits}")
        parts.append(e.pure(bits, f"and {bits} {text}, {splat(mask, t)}"))
    joined = e.pure(bits, f"or {bits} {parts[0]}, {parts[1]}")
    e.set(op.result, joined if value == bits else e.pure(value, f"bitcast {bits} {joined} to {value}"))


def _negf(e: Emitter, op: Operation) -> None:
    flags = fastmath(op)
    e.set(op.result, float_operation(e, op.result.type, op.operands, lambda r, _, x: f"fneg {flags}{r} {x[0]}"))


def _rsqrt(e: Emitter, op: Operation) -> None:
    def divide(register: str, t: Type, texts: list[str]) -> str:
        root = e.pure(register, f"call {register} @llvm.sqrt.{suffix(t)}({register} {texts[0]})")
        return f"fdiv {register} {splat(1.0, t)}, {root}"

    e.set(op.result, float_operation(e, op.result.type, op.operands, divide))


def _absi(e: Emitter, op: Operation) -> None:
    t = register_type(op.result.type)
    e.set(op.result, e.pure(t, f"call {t} @llvm.abs.{suffix(op.result.type)}({t} {e.text(op.operand(0))}, i1 false)"))


def _count(e: Emitter, op: Operation) -> None:
    t = register_type(op.result.type)
    name, more = _COUNTS[op.name]
    e.set(op.result, e.pure(t, f"call {t} @llvm.{name}.{suffix(op.result.type)}({t} {e.text(op.operand(0))}{more})"))


def _predicate(e: Emitter, op: Operation) -> None:
    source = op.operand(0).type
    wide = with_shape_of(source, F32) if is_low_precision(source) else source
    value = to_f32(e, e.text(op.operand(0)), source) if is_low_precision(source) else e.text(op.operand(0))
    t, flag = register_type(wide), register_type(op.result.type)
    if op.name == "math.isnan":
        e.set(op.result, e.pure(flag, f"fcmp uno {t} {value}, {value}"))
        return
    size = e.pure(t, f"call {t} @llvm.fabs.{suffix(wide)}({t} {value})")
    infinity = splat(float("inf"), wide)
    if op.name == "math.isnormal":
        least = splat(2.0**-126 if element_type(wide) == F32 else 2.0**-1022, wide)
        finite = e.pure(flag, f"fcmp one {t} {size}, {infinity}")
        e.set(op.result, e.pure(flag, f"and {flag} {finite}, {e.pure(flag, f'fcmp oge {t} {size}, {least}')}"))
        return
    e.set(op.result, e.pure(flag, f"fcmp {'oeq' if op.name == 'math.isinf' else 'one'} {t} {size}, {infinity}"))


def _compare(e: Emitter, op: Operation) -> None:
    operand = op.operand(0).type
    a, b = e.text(op.operand(0)), e.text(op.operand(1))
    predicate = cast(str, op.attributes["predicate"])
    flag = register_type(op.result.type)
    if op.name == "arith.cmpi":
        e.set(op.result, e.pure(flag, f"icmp {predicate} {register_type(operand)} {a}, {b}"))
        return
    if is_low_precision(operand):
        a, b = to_f32(e, a, operand), to_f32(e, b, operand)
        operand = with_shape_of(operand, F32)
    e.set(op.result, e.pure(flag, f"fcmp {fastmath(op)}{predicate} {register_type(operand)} {a}, {b}"))


def _select(e: Emitter, op: Operation) -> None:
    condition, true, false = op.operands
    flag = register_type(condition.type)
    chosen = e.text(condition)
    if isinstance(op.result.type, MemRefType | ComplexType):
        parts = zip(e.component_types(op.result.type), e.flatten(true), e.flatten(false), strict=True)
        e.set(
            op.result,
            e.unflatten(op.result.type, [e.pure(t, f"select {flag} {chosen}, {t} {a}, {t} {b}") for t, a, b in parts]),
        )
        return
    t = register_type(op.result.type)
    e.set(op.result, e.pure(t, f"select {flag} {chosen}, {t} {e.text(true)}, {t} {e.text(false)}"))


def _integer_cast(e: Emitter, op: Operation) -> None:
    from_type, to_type = register_type(op.operand(0).type), register_type(op.result.type)
    e.set(op.result, e.pure(to_type, f"{_INTEGER_CASTS[op.name]} {from_type} {e.text(op.operand(0))} to {to_type}"))


def _index_cast(e: Emitter, op: Operation) -> None:
    source, result = op.operand(0), op.result
    from_type, to_type = register_type(source.type), register_type(result.type)
    if from_type == to_type:
        if isinstance(source.type, IndexType) or isinstance(result.type, IndexType):
            linear = e.linear(source)
            e.values[result] = linear if isinstance(result.type, IndexType) else e.index_text(linear)
        else:
            e.set(result, e.text(source))
        return
    from_bits, to_bits = (int(re.findall(r"\d+", t)[-1]) for t in (from_type, to_type))
    extend = "zext" if op.name == "arith.index_castui" else "sext"
    e.set(
        result,
        e.pure(to_type, f"{extend if to_bits > from_bits else 'trunc'} {from_type} {e.text(source)} to {to_type}"),
    )


def _extf(e: Emitter, op: Operation) -> None:
    source, result = op.operand(0).type, op.result.type
    value, current = e.text(op.operand(0)), source
    if is_low_precision(source):
        value, current = to_f32(e, value, source), with_shape_of(source, F32)
    if element_type(current) == element_type(result):
        e.set(op.result, value)
        return
    e.set(
        op.result, e.pure(register_type(result), f"fpext {register_type(current)} {value} to {register_type(result)}")
    )


def _truncf(e: Emitter, op: Operation) -> None:
    source, result = op.operand(0).type, op.result.type
    value, current = e.text(op.operand(0)), source
    if is_low_precision(source):
        value, current = to_f32(e, value, source), with_shape_of(source, F32)
    single = with_shape_of(source, F32)
    if element_type(current) == F64:
        value = e.pure(register_type(single), f"fptrunc {register_type(current)} {value} to {register_type(single)}")
    e.set(op.result, from_f32(e, value, result) if is_low_precision(result) else value)


def _to_float(e: Emitter, op: Operation) -> None:
    instruction = "sitofp" if op.name == "arith.sitofp" else "uitofp"
    result = op.result.type
    wide = with_shape_of(result, F32) if is_low_precision(result) else result
    t = register_type(wide)
    value = e.pure(t, f"{instruction} {register_type(op.operand(0).type)} {e.text(op.operand(0))} to {t}")
    e.set(op.result, from_f32(e, value, result) if is_low_precision(result) else value)


def _to_integer(e: Emitter, op: Operation) -> None:
    instruction = "fptosi" if op.name == "arith.fptosi" else "fptoui"
    source = op.operand(0).type
    value = e.text(op.operand(0))
    if is_low_precision(source):
        value, source = to_f32(e, value, source), with_shape_of(source, F32)
    t = register_type(op.result.type)
    converted = e.pure(t, f"{instruction} {register_type(source)} {value} to {t}")
    # what does not fit is any number, as in C++, but not LLVM's poison, on which no branch may depend
    e.set(op.result, e.pure(t, f"freeze {t} {converted}"))


def _bitcast(e: Emitter, op: Operation) -> None:
    from_type, to_type = register_type(op.operand(0).type), register_type(op.result.type)
    value = e.text(op.operand(0))
    e.set(op.result, value if from_type == to_type else e.pure(to_type, f"bitcast {from_type} {value} to {to_type}"))


EMITTERS: Final[dict[str, Emit]] = {
    "arith.constant": _constant,
    **dict.fromkeys((*_INTEGER_BINARY, *_INTEGER_INTRINSICS), _integer_binary),
    "arith.floordivsi": _rounded_division,
    "arith.ceildivsi": _rounded_division,
    **dict.fromkeys(_FLOAT_BINARY, _float_binary),
    **dict.fromkeys(_FLOAT_INTRINSICS, _float_intrinsic),
    "math.copysign": _copysign,
    "arith.negf": _negf,
    "math.rsqrt": _rsqrt,
    "math.absi": _absi,
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(("math.isnan", "math.isinf", "math.isfinite", "math.isnormal"), _predicate),
    "arith.cmpi": _compare,
    "arith.cmpf": _compare,
    "arith.select": _select,
    **dict.fromkeys(_INTEGER_CASTS, _integer_cast),
    "arith.index_cast": _index_cast,
    "arith.index_castui": _index_cast,
    "arith.extf": _extf,
    "arith.truncf": _truncf,
    "arith.sitofp": _to_float,
    "arith.uitofp": _to_float,
    "arith.fptosi": _to_integer,
    "arith.fptoui": _to_integer,
    "arith.bitcast": _bitcast,
}
