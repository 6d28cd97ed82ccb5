"""What PTX instructions compute, on numpy arrays of one element per lane."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ...ir.diagnostics import TorchccError

Array = npt.NDArray[Any]

DTYPES: dict[str, Any] = {
    "pred": np.bool_, "s8": np.int8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "u8": np.uint8, "u16": np.uint16,
    "u32": np.uint32, "u64": np.uint64, "b8": np.uint8, "b16": np.uint16, "b32": np.uint32, "b64": np.uint64,
    "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64,
}  # fmt: skip


_UNMODELLED_ROUNDINGS = frozenset({"rz", "rm", "rp"})


class PtxFault(TorchccError):
    """A kernel did what a GPU would fault on, or what this interpreter does not model; names kernel and line."""


def dtype_of(type: str) -> np.dtype[Any]:
    """What numpy has for a PTX type."""
    if type not in DTYPES:
        raise PtxFault(f"type .{type} is not modelled")
    return np.dtype(DTYPES[type])


def source_types(opcode: tuple[str, ...], count: int) -> list[str]:
    name, type = opcode[0], opcode[-1]
    match name:
        case "selp":
            return [type, type, "pred"]
        case "shl" | "shr":
            return [type, "u32"]
        case "shf":
            return ["b32", "b32", "u32"]
        case "mad" | "madc" if "wide" in opcode:
            return [type, type, f"{type[0]}{2 * int(type[1:])}"]
        case "bfe":
            return [type, "u32", "u32"]
        case "bfi":
            return [type, type, "u32", "u32"]
        case "prmt" if type != "b32":
            raise PtxFault(f"prmt mode {type} is not modelled")
        case "prmt":
            return ["b32", "b32", "b32"]
        case _:
            return [type] * count


def _wide(x: Array) -> Array:
    return x.astype(f"{x.dtype.kind}{2 * x.dtype.itemsize}") if x.dtype.itemsize < 8 else x.astype(object)


def _multiply(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu" or "lo" in opcode:
        return _rounded(opcode, x * y)
    product = _wide(x) * _wide(y)
    if "wide" in opcode:
        return product
    high = product >> (8 * x.dtype.itemsize)
    return (
        np.array([int(v) & (1 << 64) - 1 for v in high], np.uint64).view(x.dtype)
        if product.dtype == object
        else high.astype(x.dtype)
    )


def _mad(opcode: tuple[str, ...], x: Array, y: Array, z: Array) -> Array:
    return _fma(opcode, x, y, z) if x.dtype.kind not in "iu" else _multiply(opcode, x, y) + z


def _fma(opcode: tuple[str, ...], x: Array, y: Array, z: Array) -> Array:
    """Rounded once: exact through f64 for f32 and narrower; f64 by error-free products and sums."""
    if x.dtype != np.float64:
        return _rounded(opcode, (x.astype(np.float64) * y.astype(np.float64) + z.astype(np.float64)).astype(x.dtype))
    product = x * y
    xh, yh = _head(x), _head(y)
    xl, yl = x - xh, y - yh
    lost = ((xh * yh - product) + xh * yl + xl * yh) + xl * yl
    total = product + z
    back = total - product
    rest = (product - (total - back)) + (z - back)
    exact = total + (rest + lost)
    return np.where(np.isfinite(total) & np.isfinite(lost), exact, total)


def _head(x: Array) -> Array:
    scaled = x * 134217729.0
    return scaled - (scaled - x)


def flushed(opcode: tuple[str, ...], value: Array) -> Array:
    """Without subnormals where the instruction says `.ftz`."""
    if "ftz" not in opcode or value.dtype != np.float32:
        return value
    return np.where(np.abs(value) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), value), value)


def _rounded(opcode: tuple[str, ...], value: Array) -> Array:
    if value.dtype.kind not in "iub" and not _UNMODELLED_ROUNDINGS.isdisjoint(opcode):
        raise PtxFault("only rounding to nearest is modelled")
    value = flushed(opcode, value)
    return np.clip(value, 0, 1).astype(value.dtype) if "sat" in opcode and value.dtype.kind == "f" else value


def _divide(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return _rounded(opcode, x / y)
    safe = np.where(y == 0, x.dtype.type(1), y)
    quotient = x // safe
    if x.dtype.kind == "i":  # numpy rounds down, PTX towards zero
        quotient += ((x - quotient * safe) != 0) & ((x < 0) != (safe < 0))
    return np.where(y == 0, ~np.zeros_like(x), quotient)


def _rem(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
    return np.where(y == 0, x, x - _divide(opcode, x, y) * y).astype(x.dtype)


def _extreme(largest: bool) -> Callable[..., Array]:
    def compute(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
        if x.dtype.kind in "iu":
            return np.maximum(x, y) if largest else np.minimum(x, y)
        # -0 is below +0; without .NaN a number wins over NaN.
        first = (x > y) | ((x == y) & ~np.signbit(x)) if largest else (x < y) | ((x == y) & np.signbit(x))
        result = np.where(first, x, y)
        if "NaN" in opcode:
            return np.where(np.isnan(x) | np.isnan(y), x.dtype.type(np.nan), result)
        return flushed(opcode, np.where(np.isnan(y), x, np.where(np.isnan(x), y, result)))

    return compute


def _shift_left(opcode: tuple[str, ...], x: Array, by: Array) -> Array:
    width = 8 * x.dtype.itemsize
    return np.where(by >= width, 0, x << np.minimum(by, width - 1).astype(x.dtype)).astype(x.dtype)


def _shift_right(opcode: tuple[str, ...], x: Array, by: Array) -> Array:
    width = 8 * x.dtype.itemsize
    shifted = x >> np.minimum(by, width - 1).astype(x.dtype)
    return shifted if x.dtype.kind == "i" else np.where(by >= width, 0, shifted).astype(x.dtype)


def _funnel(opcode: tuple[str, ...], low: Array, high: Array, by: Array) -> Array:
    amount = (by & 31 if "wrap" in opcode else np.minimum(by, 32)).astype(np.uint64)
    whole = high.astype(np.uint64) << np.uint64(32) | low
    shifted = whole >> amount if opcode[1] == "r" else (whole << amount) >> np.uint64(32)
    return shifted.astype(np.uint32)


def _low_bits(count: Array) -> Array:
    """Masks of `count` ones."""
    ones = (np.uint64(1) << np.minimum(count, 63).astype(np.uint64)) - np.uint64(1)
    return np.where(count >= 64, ~np.uint64(0), ones)


def _bit_field(opcode: tuple[str, ...], x: Array, start: Array, length: Array) -> Array:
    width = 8 * x.dtype.itemsize
    start, length = (v.astype(np.int64) & 0xFF for v in (start, length))
    whole = x.view(f"u{x.dtype.itemsize}").astype(np.uint64)
    mask = _low_bits(length)
    field = np.where(start >= width, np.uint64(0), (whole >> np.minimum(start, width - 1).astype(np.uint64)) & mask)
    if x.dtype.kind == "i":
        last = np.minimum(start + length - 1, width - 1).clip(0).astype(np.uint64)
        sign = (length > 0) & ((whole >> last) & np.uint64(1)).astype(bool)
        kept = _low_bits(np.minimum(length, (width - start).clip(0)))
        field = np.where(sign, field | ~kept, field)
    return field.astype(f"u{x.dtype.itemsize}").view(x.dtype)


def _insert_bit_field(opcode: tuple[str, ...], x: Array, into: Array, start: Array, length: Array) -> Array:
    start, length = (v.astype(np.int64) & 0xFF for v in (start, length))
    by = np.minimum(start, 63).astype(np.uint64)
    mask = np.where(start > 63, np.uint64(0), _low_bits(length) << by)
    return ((into.astype(np.uint64) & ~mask) | ((x.astype(np.uint64) << by) & mask)).astype(x.dtype)


def _reversed_bits(opcode: tuple[str, ...], x: Array) -> Array:
    width = 8 * x.dtype.itemsize
    return np.array([int(f"{int(v):0{width}b}"[::-1], 2) for v in x], x.dtype)


def _permute(opcode: tuple[str, ...], x: Array, y: Array, selector: Array) -> Array:
    source = np.stack([(v >> np.uint32(8 * i)) & np.uint32(0xFF) for v in (x, y) for i in range(4)])
    result = np.zeros_like(x)
    lanes = np.arange(len(x))
    for i in range(4):
        nibble = (selector >> np.uint32(4 * i)) & np.uint32(0xF)
        byte = source[(nibble & 7).astype(np.int64), lanes]
        byte = np.where(nibble & 8, np.where(byte & 0x80, 0xFF, 0), byte).astype(np.uint32)
        result |= byte << np.uint32(8 * i)
    return result


def _count_leading_zeros(opcode: tuple[str, ...], x: Array) -> Array:
    width = 8 * x.dtype.itemsize
    return np.array([width - int(v).bit_length() for v in x.view(f"u{x.dtype.itemsize}")], np.uint32)


def _population(opcode: tuple[str, ...], x: Array) -> Array:
    return np.array([int(v).bit_count() for v in x.view(f"u{x.dtype.itemsize}")], np.uint32)


def _set_mask(opcode: tuple[str, ...], x: Array) -> Array:
    match opcode[1]:
        case "finite":
            return np.isfinite(x)
        case "infinite":
            return np.isinf(x)
        case "notanumber":
            return np.isnan(x)
        case kind:
            raise PtxFault(f"testp.{kind} is not modelled")


Compute = Callable[..., Array]


def _unary(compute: Callable[[Array], Array]) -> Compute:
    """An instruction of one operand whose modifiers do not matter."""

    def run(opcode: tuple[str, ...], x: Array) -> Array:
        return _rounded(opcode, compute(x).astype(x.dtype))

    return run


def _binary(compute: Callable[[Array, Array], Array]) -> Compute:
    def run(opcode: tuple[str, ...], x: Array, y: Array) -> Array:
        return _rounded(opcode, compute(x, y))

    return run


def _select(opcode: tuple[str, ...], x: Array, y: Array, predicate: Array) -> Array:
    return np.where(predicate, x, y)


def _copysign(opcode: tuple[str, ...], sign: Array, magnitude: Array) -> Array:
    return np.copysign(magnitude, sign)


COMPUTE: dict[str, Compute] = {
    "add": _binary(operator.add),
    "sub": _binary(operator.sub),
    "mul": _multiply,
    "mad": _mad,
    "fma": _fma,
    "div": _divide,
    "rem": _rem,
    "neg": _unary(operator.neg),
    "abs": _unary(np.abs),
    "min": _extreme(False),
    "max": _extreme(True),
    "and": _binary(np.bitwise_and),
    "or": _binary(np.bitwise_or),
    "xor": _binary(np.bitwise_xor),
    "not": _unary(operator.invert),
    "shl": _shift_left,
    "shr": _shift_right,
    "shf": _funnel,
    "bfe": _bit_field,
    "bfi": _insert_bit_field,
    "brev": _reversed_bits,
    "prmt": _permute,
    "clz": _count_leading_zeros,
    "popc": _population,
    "selp": _select,
    "testp": _set_mask,
    "copysign": _copysign,
    "sqrt": _unary(np.sqrt),
    "rsqrt": _unary(lambda x: 1 / np.sqrt(x)),
    "rcp": _unary(lambda x: 1 / x),
    "ex2": _unary(np.exp2),
    "lg2": _unary(np.log2),
    "sin": _unary(np.sin),
    "cos": _unary(np.cos),
    "tanh": _unary(np.tanh),
}


def _exchange(old: Any, new: Any) -> Any:
    del old
    return new


def _compare_and_swap(old: Any, expected: Any, new: Any) -> Any:
    return new if old == expected else old


ATOMICS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "min": min,
    "max": max,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "exch": _exchange,
    "cas": _compare_and_swap,
}

_COMPARISONS: dict[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal,
}  # fmt: skip


def compare(name: str, x: Array, y: Array) -> Array:
    """Float comparisons are false on NaN, those that end in `u` true."""
    if x.dtype.kind in "iub":
        return _COMPARISONS[name](x, y)
    unordered = np.isnan(x) | np.isnan(y)
    if name in ("num", "nan"):
        return unordered if name == "nan" else ~unordered
    if name.endswith("u"):
        return _COMPARISONS[name[:-1]](x, y) | unordered
    return _COMPARISONS[name](x, y) & ~unordered


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def convert(value: Array, to: str, modes: Sequence[str]) -> Array:
    dtype = np.dtype(DTYPES[to])
    from_float = value.dtype.kind not in "iub"
    to_float = to in ("f16", "bf16", "f32", "f64")
    rounding = next((_ROUNDINGS[m] for m in modes if m in _ROUNDINGS), None)
    with np.errstate(all="ignore"):
        if from_float and to_float:
            if dtype.itemsize < value.dtype.itemsize and not _UNMODELLED_ROUNDINGS.isdisjoint(modes):
                raise PtxFault("only rounding to nearest is modelled")
            if rounding is not None:
                value = rounding(value.astype(np.float64)).astype(value.dtype)
            return _rounded(("cvt", *modes), value.astype(dtype))
        if from_float:
            limits = np.iinfo(dtype)
            whole = (rounding or np.rint)(value.astype(np.float64))
            # Out of range saturates; the top of 64-bit ranges is no float, so it is compared and set apart.
            above, below = whole >= float(limits.max), whole <= float(limits.min)
            inside = np.where(np.isnan(whole) | above | below, 0, whole).astype(dtype)
            result = np.where(above, limits.max, np.where(below, limits.min, inside)).astype(dtype)
            # PTX ISA, cvt: NaN becomes 0, or the top bit alone where 64 bits come in or go out.
            wide = value.dtype == np.float64 or dtype.itemsize == 8
            nan = np.array(1 << 8 * dtype.itemsize - 1, f"u{dtype.itemsize}").view(dtype) if wide else dtype.type(0)
            return np.where(np.isnan(whole), nan, result).astype(dtype)
        if to_float:
            return value.astype(dtype)
        if "sat" in modes:
            limits = np.iinfo(dtype)
            return np.clip(value.astype(object), limits.min, limits.max).astype(dtype)
        return value.astype(dtype)
