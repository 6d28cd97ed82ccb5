"""f16 and bf16: conversion to and from f32, on scalars and vectors; registers hold them as i16.

bf16 is rounded by integer arithmetic on every target: the native instruction of AVX-512 flushes denormals, PyTorch
does not. Values wider than f32 go through f32, as PyTorch's do.
"""

from __future__ import annotations

from ...ir.types import F16, F32, I16, I32, Type, element_type, with_shape_of
from .emitter import Emitter
from .types import register_type, splat


def to_f32(e: Emitter, value: str, t: Type) -> str:
    """`t` is the f16 or bf16 type of `value`, or a vector of it."""
    half, word, single = (register_type(with_shape_of(t, x)) for x in (I16, I32, F32))
    if element_type(t) == F16:
        if e.context.native_half:
            native = half.replace("i16", "half")
            return e.pure(single, f"fpext {native} {e.pure(native, f'bitcast {half} {value} to {native}')} to {single}")
        return _half_to_f32(e, value, t)
    wide = e.pure(word, f"zext {half} {value} to {word}")
    shifted = e.pure(word, f"shl {word} {wide}, {splat(16, with_shape_of(t, I32))}")
    return e.pure(single, f"bitcast {word} {shifted} to {single}")


def from_f32(e: Emitter, value: str, t: Type) -> str:
    """Rounds a float (or vector of them) to the f16 or bf16 type `t`, to nearest even."""
    half, word, single = (register_type(with_shape_of(t, x)) for x in (I16, I32, F32))
    if element_type(t) == F16:
        if e.context.native_half:
            native = half.replace("i16", "half")
            return e.pure(half, f"bitcast {native} {e.pure(native, f'fptrunc {single} {value} to {native}')} to {half}")
        return _f32_to_half(e, value, t)

    def number(n: int) -> str:
        return splat(n, with_shape_of(t, I32))

    flags = single.replace("float", "i1")
    bits = e.pure(word, f"bitcast {single} {value} to {word}")
    high = e.pure(word, f"lshr {word} {bits}, {number(16)}")
    odd = e.pure(word, f"and {word} {high}, {number(1)}")
    bias = e.pure(word, f"add {word} {odd}, {number(0x7FFF)}")
    rounded = e.pure(word, f"lshr {word} {e.pure(word, f'add {word} {bits}, {bias}')}, {number(16)}")
    quiet = e.pure(word, f"or {word} {high}, {number(0x40)}")
    nan = e.pure(flags, f"fcmp uno {single} {value}, {value}")
    chosen = e.pure(word, f"select {flags} {nan}, {word} {quiet}, {word} {rounded}")
    return e.pure(half, f"trunc {word} {chosen} to {half}")


def _half_to_f32(e: Emitter, value: str, t: Type) -> str:
    """By integers: shift the fields into place, rescale by 2**112 (exact, denormals too), restore inf and NaN."""
    half, word, single = (register_type(with_shape_of(t, x)) for x in (I16, I32, F32))

    def number(n: int) -> str:
        return splat(n, with_shape_of(t, I32))

    wide = e.pure(word, f"zext {half} {value} to {word}")
    magnitude = e.pure(word, f"and {word} {wide}, {number(0x7FFF)}")
    shifted = e.pure(word, f"shl {word} {magnitude}, {number(13)}")
    tiny = e.pure(single, f"bitcast {word} {shifted} to {single}")
    scaled = e.pure(single, f"fmul {single} {tiny}, {splat(2.0**112, with_shape_of(t, F32))}")
    bits = e.pure(word, f"bitcast {single} {scaled} to {word}")
    special = e.pure(word, f"or {word} {shifted}, {number(0x7F800000)}")
    flags = single.replace("float", "i1")
    is_special = e.pure(flags, f"icmp uge {word} {magnitude}, {number(0x7C00)}")
    body = e.pure(word, f"select {flags} {is_special}, {word} {special}, {word} {bits}")
    sign = e.pure(word, f"shl {word} {e.pure(word, f'and {word} {wide}, {number(0x8000)}')}, {number(16)}")
    return e.pure(single, f"bitcast {word} {e.pure(word, f'or {word} {body}, {sign}')} to {single}")


def _f32_to_half(e: Emitter, value: str, t: Type) -> str:
    """By integer arithmetic: normal numbers round by a carry into the exponent, denormals by adding 0.5 as a float."""
    half, word, single = (register_type(with_shape_of(t, x)) for x in (I16, I32, F32))

    def number(n: int) -> str:
        return splat(n, with_shape_of(t, I32))

    flags = single.replace("float", "i1")
    bits = e.pure(word, f"bitcast {single} {value} to {word}")
    sign = e.pure(word, f"and {word} {e.pure(word, f'lshr {word} {bits}, {number(16)}')}, {number(0x8000)}")
    magnitude = e.pure(word, f"and {word} {bits}, {number(0x7FFFFFFF)}")
    odd = e.pure(word, f"and {word} {e.pure(word, f'lshr {word} {magnitude}, {number(13)}')}, {number(1)}")
    rebiased = e.pure(word, f"add {word} {magnitude}, {number(0xFFF - (112 << 23))}")
    normal = e.pure(word, f"lshr {word} {e.pure(word, f'add {word} {rebiased}, {odd}')}, {number(13)}")
    absolute = e.pure(single, f"bitcast {word} {magnitude} to {single}")
    denormal_sum = e.pure(single, f"fadd {single} {absolute}, {splat(0.5, with_shape_of(t, F32))}")
    denormal = e.pure(
        word, f"sub {word} {e.pure(word, f'bitcast {single} {denormal_sum} to {word}')}, {number(0x3F000000)}"
    )
    small = e.pure(flags, f"icmp ult {word} {magnitude}, {number(113 << 23)}")
    finite = e.pure(word, f"select {flags} {small}, {word} {denormal}, {word} {normal}")
    nan = e.pure(flags, f"icmp ugt {word} {magnitude}, {number(0x7F800000)}")
    infinite = e.pure(word, f"select {flags} {nan}, {word} {number(0x7E00)}, {word} {number(0x7C00)}")
    large = e.pure(flags, f"icmp uge {word} {magnitude}, {number(143 << 23)}")
    chosen = e.pure(word, f"select {flags} {large}, {word} {infinite}, {word} {finite}")
    return e.pure(half, f"trunc {word} {e.pure(word, f'or {word} {chosen}, {sign}')} to {half}")
