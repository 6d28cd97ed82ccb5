"""TorchScript's builtins on numbers, strings, lists and dicts, in Python: what interpreters run and passes fold with.

In: the name of an operator without overload (`aten::upper`) and Python values; out: a Python value. `find` tells
whether there is such a builtin for these values (lists and dicts are changed in place where TorchScript changes
them). Strings are byte strings in TorchScript: lengths and positions count UTF-8 bytes. Failures are `OperatorError`s
with PyTorch's text.
"""

# The values of a running TorchScript program are untyped by nature; tables of one-line lambdas work on them.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import cmath
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np

from ..dtypes import DType
from ..operator import OperatorError
from ..ordering import ordered
from ..script_types import EnumMember
from . import strings
from .tensor_text import tensor_text

Builtin = Callable[..., Any]


def wrap(value: int) -> int:
    """An int as TorchScript computes it: modulo 2**64, signed."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def number(value: Any) -> Any:
    return wrap(value) if isinstance(value, int) and not isinstance(value, bool) else value


# numbers


def _truediv(a: Any, b: Any) -> Any:
    if isinstance(a, complex) or isinstance(b, complex):
        return complex(np.complex128(a) / np.complex128(b)) if b == 0 else a / b
    with np.errstate(all="ignore"):
        return float(np.float64(a) / np.float64(b))


def _floordiv(a: Any, b: Any) -> Any:
    _refuse_complex("floordiv", a, b)
    if isinstance(a, int) and isinstance(b, int):
        if b == 0:
            raise OperatorError("division by 0")
        return wrap(a // b)
    return float(math.floor(a / b)) if b != 0 and math.isfinite(a / b) else _truediv(a, b)


def _remainder(a: Any, b: Any) -> Any:
    _refuse_complex("remainder", a, b)
    if isinstance(a, int) and isinstance(b, int):
        if b == 0:
            raise OperatorError("ZeroDivisionError")
        return a % b
    with np.errstate(all="ignore"):
        # PyTorch's formula for numbers, which rounds where Python's does not
        return float(np.fmod(np.float64(b) + np.fmod(np.float64(a), np.float64(b)), np.float64(b)))


def _refuse_complex(name: str, *values: Any) -> None:
    if any(isinstance(v, complex) for v in values):
        raise OperatorError(f"{name} is not supported for complex numbers")


def _ordered(compare: Builtin) -> Builtin:
    def apply(a: Any, b: Any) -> Any:
        _refuse_complex("comparison", a, b)
        return compare(a, b)

    return apply


def _pow(a: Any, b: Any) -> Any:
    if isinstance(a, complex) or isinstance(b, complex):
        return complex(a) ** complex(b)
    if a == 0 and b < 0:
        raise OperatorError("0.0 cannot be raised to a negative power")
    with np.errstate(all="ignore"):
        return float(np.power(np.float64(a), np.float64(b)))


def _pow_int(a: int, b: int) -> int:
    return wrap(a**b) if b >= 0 else int(_pow(a, b))


def _fmod(a: Any, b: Any) -> float:
    if (b == 0 or math.isinf(a)) and not math.isnan(a) and not math.isnan(b):
        return -math.nan  # what processors make, with its sign
    with np.errstate(all="ignore"):
        return float(np.fmod(np.float64(a), np.float64(b)))


def _real(function: Callable[[float], float]) -> Builtin:
    """A function of `math`: nan and inf instead of exceptions, `cmath` for complex numbers."""
    over_complex = getattr(cmath, getattr(function, "__name__", ""), None)
    undefined = math.nan if function in (math.asin, math.acos) else -math.nan  # as C's library, whose sign texts show

    def apply(a: Any) -> Any:
        if isinstance(a, complex) and over_complex is not None:
            return over_complex(a)
        try:
            return function(float(cast(float, a)))
        except OverflowError:
            return math.inf
        except ValueError:
            return undefined

    return apply


def _sqrt(a: Any) -> Any:
    """That of a negative number is the nan that processors make, which shows a sign."""
    return -math.nan if not isinstance(a, complex) and a < 0 else _real(math.sqrt)(a)


def _log(a: Any, *base: Any) -> Any:
    def one(x: Any) -> Any:
        if isinstance(x, complex):
            return cmath.log(x)
        return -math.inf if x == 0 else math.nan if x < 0 else math.log(x)

    return one(a) if not base else _truediv(one(a), one(base[0]))


def _log_of(function: Callable[[float], float], pole: float) -> Builtin:
    def apply(a: Any) -> Any:
        if isinstance(a, complex):
            return cmath.log10(a)
        undefined = -math.nan if function is math.log1p else math.nan
        return -math.inf if a == pole else undefined if a < pole else function(a)

    return apply


def _atanh(a: Any) -> Any:
    """Infinite at its poles."""
    return a * math.inf if a in (1, -1) and not isinstance(a, complex) else _real(math.atanh)(a)


def _integral(function: Callable[[float], int]) -> Builtin:
    def apply(a: Any) -> int:
        _refuse_complex(function.__name__, a)
        if not -(2.0**63) <= a < 2.0**63:
            raise OperatorError(f"Cannot convert float {a:f} to integer")
        return function(a)

    return apply


def _shift(left: bool) -> Builtin:
    def apply(a: int, b: int) -> int:
        count = b & 63
        return wrap(a << count) if left else a >> count

    return apply


def _range_length(lo: int, hi: int, step: int) -> int:
    if step == 0:
        raise OperatorError("range() arg 3 must not be zero")
    return len(range(lo, hi, step))


def _to_int(a: Any) -> int:
    if isinstance(a, str):
        return strings.to_int(a)
    if isinstance(a, complex):
        if a.imag != 0:
            raise OperatorError("value cannot be converted to type int without overflow")
        a = a.real
    if isinstance(a, float) and not -(2.0**63) <= a < 2.0**63:
        return -(1 << 63)
    return wrap(int(a))


def _to_float(a: Any) -> float:
    if isinstance(a, complex):
        return a.real  # as in PyTorch
    return strings.to_float(a) if isinstance(a, str) else float(a)


def _divmod(a: Any, b: Any) -> tuple[Any, Any]:
    if b == 0:
        raise OperatorError("ZeroDivisionError: integer division or modulo by zero")
    return divmod(a, b)


def _both(function: Callable[[Any, Any], Any]) -> Builtin:
    """min and max: of two numbers (a float where one is), or of a list."""

    def apply(a: Any, *rest: Any) -> Any:
        if not rest:
            if isinstance(a, list):
                values = cast(list[Any], a)
                if not values:
                    raise OperatorError(f"{'min' if function(0, 1) == 0 else 'max'}() arg is an empty sequence")
                return _reduce(function, values)
            return a
        b = rest[0]
        if isinstance(a, list):
            return function(a, b)
        if isinstance(a, float) or isinstance(b, float):
            return function(float(a), float(b))
        return function(a, b)

    return apply


def _reduce(function: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


def _round(a: Any) -> float:
    return float(round(a)) if math.isfinite(a) else a


def _identity_test(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, bool | int | float | str) or isinstance(b, bool | int | float | str):
        return type(a) is type(b) and a == b
    return a is b


def _frexp(a: float) -> tuple[float, int]:
    return math.frexp(a)


def _factorial(a: int) -> int:
    if a < 0:
        raise OperatorError("factorial() not defined for negative values")
    return wrap(math.factorial(a)) if a < 66 else 0  # 2**64 divides it


def _gamma(a: Any) -> float:
    if a == 0:
        return math.copysign(math.inf, a)
    try:
        return math.gamma(a)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


def _lgamma(a: Any) -> float:
    return math.inf if a <= 0 and float(a).is_integer() else _real(math.lgamma)(a)


def _modf(a: float) -> tuple[float, float]:
    return math.modf(a)


def hash_of(a: Any) -> int:
    """An int is its own, floats and strings are hashed by their bytes, tuples by their parts."""
    match a:
        case None:
            return 0
        case float():
            return strings.hash_bytes(struct.pack("<d", a)) if a != 0.0 else 0
        case str():
            return strings.hash_bytes(strings.to_bytes(a))
        case tuple():
            seed = 0
            for element in cast(tuple[Any, ...], a):
                seed = (seed ^ (hash_of(element) + 0x9E3779B9 + (seed << 6) + (seed >> 2))) & _WORD
            return seed - (1 << 64) if seed >> 63 else seed
        case list() | dict():
            raise OperatorError(f"unhashable type: '{'List' if isinstance(a, list) else 'Dict'}'")
        case int():
            return int(a)
        case _:
            raise OperatorError("the hash of this value is not supported")


_WORD: Final = (1 << 64) - 1


def _sub(a: Any, b: Any) -> Any:
    return number(a - b)


NUMBERS: Final[dict[str, Builtin]] = {
    "aten::add": lambda a, b: number(a + b),
    "aten::sub": _sub,
    "aten::mul": lambda a, b: number(a * b),
    "aten::div": _truediv,
    "aten::floordiv": _floordiv,
    "aten::remainder": _remainder,
    "aten::fmod": _fmod,
    "aten::mathremainder": lambda a, b: math.remainder(a, b) if math.isnan(a + b) or (b != 0 and math.isfinite(a)) else -math.nan,
    "aten::pow": _pow,
    "aten::neg": lambda a: number(-a),
    "aten::eq": lambda a, b: a == b,
    "aten::ne": lambda a, b: a != b,
    "aten::lt": _ordered(lambda a, b: a < b),
    "aten::le": _ordered(lambda a, b: a <= b),
    "aten::gt": _ordered(lambda a, b: a > b),
    "aten::ge": _ordered(lambda a, b: a >= b),
    "aten::__and__": lambda a, b: a & b,
    "aten::__or__": lambda a, b: a | b,
    "aten::__xor__": lambda a, b: a ^ b,
    "aten::__lshift__": _shift(True),
    "aten::__rshift__": _shift(False),
    "aten::__not__": lambda a: not a,
    "aten::__derive_index": lambda index, start, step: wrap(start + index * step),
    "aten::__range_length": _range_length,
    "aten::Int": _to_int,
    "aten::Float": _to_float,
    "aten::Bool": bool,
    "aten::Complex": lambda a, b=0: complex(a, b) if not isinstance(a, complex) else a,
    "aten::IntImplicit": _to_int,
    "aten::FloatImplicit": _to_float,
    "aten::ScalarImplicit": lambda a: a,
    "aten::ComplexImplicit": complex,
    "aten::abs": lambda a: number(abs(a)),
    "prim::abs": lambda a: number(abs(a)),
    "prim::min": _both(lambda a, b: a if a < b else b),
    "prim::max": _both(lambda a, b: a if a > b else b),
    "aten::ceil": _integral(math.ceil),
    "aten::floor": _integral(math.floor),
    "aten::round": _round,
    "aten::divmod": _divmod,
    "aten::gcd": math.gcd,
    "aten::factorial": _factorial,
    "aten::log": _log,
    "aten::log10": _log_of(math.log10, 0.0),
    "aten::log1p": _log_of(math.log1p, -1.0),
    "aten::sqrt": _sqrt,
    "aten::exp": _real(math.exp),
    "aten::expm1": _real(math.expm1),
    "aten::sin": _real(math.sin),
    "aten::cos": _real(math.cos),
    "aten::tan": _real(math.tan),
    "aten::asin": _real(math.asin),
    "aten::acos": _real(math.acos),
    "aten::atan": _real(math.atan),
    "aten::sinh": _real(math.sinh),
    "aten::cosh": _real(math.cosh),
    "aten::tanh": _real(math.tanh),
    "aten::asinh": _real(math.asinh),
    "aten::acosh": _real(math.acosh),
    "aten::atanh": _atanh,
    "aten::erf": _real(math.erf),
    "aten::erfc": _real(math.erfc),
    "aten::gamma": _gamma,
    "aten::lgamma": _lgamma,
    "aten::fabs": _real(math.fabs),
    "aten::degrees": _real(math.degrees),
    "aten::radians": _real(math.radians),
    "aten::atan2": math.atan2,
    "aten::copysign": math.copysign,
    "aten::ldexp": math.ldexp,
    "aten::frexp": _frexp,
    "aten::modf": _modf,
    "aten::isfinite": cmath.isfinite,
    "aten::isinf": cmath.isinf,
    "aten::isnan": cmath.isnan,
    "aten::angle": lambda a: cmath.phase(a) if isinstance(a, complex) else math.atan2(0.0, math.copysign(1.0, a)),
    "aten::polar": cmath.rect,
    "aten::bin": bin,
    "aten::hex": hex,
    "aten::oct": oct,
    "aten::chr": strings.chr_,
    "prim::rangelist": lambda n: list(range(n)),
    "aten::hash": hash_of,
    "aten::unwrap_optional": lambda a: a,
    "aten::is_scripting": lambda: True,
    "aten::is_grad_enabled": lambda: False,
    "aten::_get_tracing_state": lambda: False,
    "aten::has_torch_function": lambda *a: False,
}


# formatting


def format_float(value: float) -> str:
    """A float as TorchScript prints it: `1.`, `0.10000000000000001`."""
    if math.isnan(value):
        return "-nan" if math.copysign(1.0, value) < 0 else "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == int(value) and -(2.0**63) <= value < 2.0**63:
        return f"{int(value)}."
    return f"{value:.17g}"


def to_text(value: Any) -> str:
    """One value as `str`, `print` and `format` show it."""
    match value:
        case bool() | None:
            return str(value)
        case int():
            return str(value)
        case float():
            return format_float(value)
        case complex():
            sign = "+" if value.imag >= 0 else "-"  # of a nan too
            return f"{format_float(value.real)}{sign}{format_float(abs(value.imag))}j"
        case str():
            return value
        case np.ndarray():
            return tensor_text(cast(Any, value))
        case list():
            return f"[{', '.join(map(to_text, cast(list[Any], value)))}]"
        case tuple():
            elements = cast(tuple[Any, ...], value)
            return f"({', '.join(map(to_text, elements))}{',' if len(elements) == 1 else ''})"
        case dict():
            return f"{{{', '.join(f'{to_text(k)}: {to_text(v)}' for k, v in cast(dict[Any, Any], value).items())}}}"
        case EnumMember():
            return f"Enum<{value.type.name.rpartition('.')[2]}.{value.name}>"
        case _:
            return str(value)


def format_(template: str, *values: Any) -> str:
    parts = template.split("{}")
    if len(parts) - 1 > len(values):
        raise OperatorError("Too few arguments for format string: " + template)
    shown = [to_text(v) for v in values]
    return strings.joined(*(part + (shown[i] if i < len(parts) - 1 else "") for i, part in enumerate(parts)))


OWN_FORMAT: Final = "%\0"
"""Starts templates that only the prelude has, for one float: `%\\0.4e`."""


def percent_pieces(template: str) -> list[tuple[str, str]]:
    """A `%` template as (literal text, specifier) pairs; the last specifier is empty."""
    pieces: list[tuple[str, str]] = []
    literal = ""
    at = 0
    while at < len(template):
        if template[at] != "%":
            literal += template[at]
            at += 1
            continue
        specifier = template[at + 1] if at + 1 < len(template) else ""
        at += 2
        if specifier == "%":
            literal += "%"
        elif specifier and specifier in "difFeEsc":
            pieces.append((literal, specifier))
            literal = ""
        else:
            raise OperatorError(f"The specifier %{specifier} is not supported in TorchScript format strings")
    return [*pieces, (literal, "")]


def percent_value(specifier: str, value: Any) -> str:
    """One value by one specifier: floats go through C's `int` and `float`, as in PyTorch."""
    if specifier == "s":
        return to_text(value)
    if specifier == "c":
        if isinstance(value, str) and len(strings.to_bytes(value)) == 1:
            return value
        if isinstance(value, bool) or not isinstance(value, int):
            raise OperatorError(f"%c requires an int or char for formatting, but got {_kind(value)}")
        return strings.to_string(bytes([value & 255]))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OperatorError(f"%{specifier} requires a number for formatting, but got {_kind(value)}")
    if specifier in "di":
        return str(value if isinstance(value, int) else int32(value))
    with np.errstate(over="ignore"):
        return float_text(float(np.float32(value)), specifier.replace("F", "f"))


def int32(value: float) -> int:
    """A float as C's `int`: what does not fit is the smallest one, as on x86-64."""
    return int(value) if -(2.0**31) - 1 < value < 2.0**31 else -(1 << 31)


def float_text(value: float, kind: str) -> str:
    """What `printf` writes for `%f`, `%.4e`, ...; for `g`, what `str` shows; `r`: with the fewest digits of `%e`."""
    if kind == "g":
        return format_float(value)
    if kind == "r":
        kind = next(k for k in (f".{digits}e" for digits in range(17)) if digits_suffice(value, k))
    text = f"{value:{kind}}"
    return f"-{text}" if math.isnan(value) and math.copysign(1.0, value) < 0 else text


def digits_suffice(value: float, kind: str) -> bool:
    """Whether the text says which number it is; that of the most digits always does."""
    return kind == ".16e" or float(f"{value:{kind}}") == value


def _kind(value: Any) -> str:
    """PyTorch's name for what a value holds."""
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "Bool"), (int, "Int"), (float, "Double"), (str, "String"), (type(None), "None"), (tuple, "Tuple"),
        (list, "GenericList"), (dict, "GenericDict"), (np.ndarray, "Tensor"),
    )  # fmt: skip
    return next((name for kind, name in kinds if isinstance(value, kind)), "Object")


def percent_format(template: str, *values: Any) -> str:
    arguments: tuple[Any, ...] = values
    if len(values) == 1 and isinstance(values[0], tuple):
        arguments = cast(tuple[Any, ...], values[0])
    if template.startswith(OWN_FORMAT):
        return float_text(arguments[0], template.removeprefix(OWN_FORMAT))
    pieces = percent_pieces(template)
    if len(pieces) - 1 > len(arguments):
        raise OperatorError("Too few arguments for format string")
    if len(pieces) - 1 < len(arguments):
        raise OperatorError("Too many arguments for format string")
    return strings.joined(
        *(
            literal + (percent_value(specifier, arguments[i]) if specifier else "")
            for i, (literal, specifier) in enumerate(pieces)
        )
    )


# strings


def _slice(sequence: Any, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    if step == 0:
        raise OperatorError("slice step cannot be zero")
    return sequence[strings.slice_bound(start) : strings.slice_bound(end) : step]


STRINGS: Final[dict[str, Builtin]] = {
    **strings.METHODS,
    "aten::Bool": bool,
    "aten::str": to_text,
    "aten::format": format_,
    "aten::percentFormat": percent_format,
    "aten::device": lambda kind, index=None: kind if index is None else f"{kind}:{index}",
    "prim::type": lambda device: device.partition(":")[0],
    "aten::get_autocast_dtype": lambda kind: int(DType.bfloat16 if kind.startswith("cpu") else DType.float16),
    "prim::index": lambda device: int(device.partition(":")[2]) if ":" in device else None,
}


# lists


def position(values: Sequence[Any], index: int) -> int:
    """`index` as a position in the list, counted from 0."""
    if not -len(values) <= index < len(values):
        raise OperatorError("list index out of range")
    return index % len(values)


def _append(values: list[Any], element: Any) -> list[Any]:
    values.append(element)
    return values


def _set_item(values: list[Any], index: int, element: Any) -> list[Any]:
    values[position(values, index)] = element
    return values


def _delete(values: list[Any], index: int) -> None:
    del values[position(values, index)]


def _pop(values: list[Any], index: int = -1) -> Any:
    if not values:
        raise OperatorError("pop from empty list")
    return values.pop(position(values, index))


def _list_equal(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(bool(np.all(x == y)) for x, y in zip(a, b))


def _list_index(values: list[Any], element: Any) -> int:
    for i, value in enumerate(values):
        if _list_equal([value], [element]):
            return i
    raise OperatorError(f"'{to_text(element)}' is not in list")


def _remove(values: list[Any], element: Any) -> None:
    for i, value in enumerate(values):
        if _list_equal([value], [element]):
            del values[i]
            return
    raise OperatorError("list.remove(x): x not in list")


def _sort(values: list[Any], reverse: bool = False) -> None:
    values[:] = [values[i] for i in ordered(values, reverse)]


def _sorted(values: Sequence[Any]) -> list[Any]:
    return [values[i] for i in ordered(values)]


def _extend(values: list[Any], other: list[Any]) -> list[Any]:
    values.extend(list(other))
    return values


def _repeat_in_place(values: list[Any], count: int) -> list[Any]:
    values[:] = values * count
    return values


def _sum(values: list[Any]) -> Any:
    return number(sum(values))


LISTS: Final[dict[str, Builtin]] = {
    "aten::len": len,
    "aten::__getitem__": lambda values, index: values[position(values, index)],
    "aten::select": lambda values, index: values[position(values, index)],
    "aten::_set_item": _set_item,
    "aten::append": _append,
    "aten::extend": lambda values, other: (_extend(values, other), None)[1],
    "aten::insert": lambda values, index, element: values.insert(index, element),
    "aten::pop": _pop,
    "aten::Delete": _delete,
    "aten::clear": lambda values: values.clear(),
    "aten::reverse": lambda values: values.reverse(),
    "aten::copy": list,
    "aten::list": list,
    "aten::slice": _slice,
    "aten::add": lambda a, b: a + b,
    "aten::add_": _extend,
    "aten::mul": lambda values, count: values * count,
    "aten::mul_": _repeat_in_place,
    "aten::eq": _list_equal,
    "aten::ne": lambda a, b: not _list_equal(a, b),
    "aten::__contains__": lambda values, element: any(_list_equal([v], [element]) for v in values),
    "aten::index": _list_index,
    "aten::count": lambda values, element: sum(_list_equal([v], [element]) for v in values),
    "aten::remove": _remove,
    "aten::sort": _sort,
    "aten::sorted": _sorted,
    "aten::sum": _sum,
    "aten::any": any,
    "aten::all": all,
    "aten::dict": dict,
    "aten::str": to_text,
    "aten::Size": list,
    "aten::broadcast_shapes": lambda a, b: list(np.broadcast_shapes(tuple(a), tuple(b))),
    "aten::_infer_size": lambda a, b: list(np.broadcast_shapes(tuple(a), tuple(b))),
    "prim::min": NUMBERS["prim::min"],
    "prim::max": NUMBERS["prim::max"],
}


# dicts


def _key_error(key: Any) -> OperatorError:
    return OperatorError(f"KeyError: {to_text(key)}")


def dict_key(key: Any) -> Any:
    """A key as Python is to be asked for it: PyTorch finds no nan, Python would find the very same one."""
    if isinstance(key, complex):
        return complex(key.real, key.imag) if cmath.isnan(key) else key
    return float("nan") if isinstance(key, float) and math.isnan(key) else key


def _get_item(values: dict[Any, Any], key: Any) -> Any:
    key = dict_key(key)
    if key not in values:
        raise _key_error(key)
    return values[key]


def _set_key(values: dict[Any, Any], key: Any, value: Any) -> None:
    values[dict_key(key)] = value


def _delete_key(values: dict[Any, Any], key: Any) -> None:
    key = dict_key(key)
    if key not in values:
        raise _key_error(key)
    del values[key]


def _pop_key(values: dict[Any, Any], key: Any, *default: Any) -> Any:
    key = dict_key(key)
    if key not in values and not default:
        raise _key_error(key)
    return values.pop(key, *default)


def _pop_item(values: dict[Any, Any]) -> tuple[Any, Any]:
    if not values:
        raise OperatorError("popitem(): dictionary is empty")
    key = next(iter(values))
    return key, values.pop(key)


DICTS: Final[dict[str, Builtin]] = {
    "aten::len": len,
    "aten::__getitem__": _get_item,
    "aten::_set_item": _set_key,
    "aten::Delete": _delete_key,
    "aten::__contains__": lambda values, key: dict_key(key) in values,
    "aten::get": lambda values, key, default=None: values.get(dict_key(key), default),
    "aten::pop": _pop_key,
    "aten::popitem": _pop_item,
    "aten::setdefault": lambda values, key, default: values.setdefault(dict_key(key), default),
    "aten::update": lambda values, other: values.update({dict_key(k): v for k, v in other.items()}),
    "aten::clear": lambda values: values.clear(),
    "aten::copy": dict,
    "aten::dict": dict,
    "aten::keys": lambda values: list(values.keys()),
    "aten::values": lambda values: list(values.values()),
    "aten::items": lambda values: list(values.items()),
    "aten::str": to_text,
}

_TUPLES: Final[dict[str, Builtin]] = {
    "aten::len": len,
    "aten::eq": lambda a, b: a == b,
    "aten::ne": lambda a, b: a != b,
    "aten::add": lambda a, b: a + b,
    "aten::str": to_text,
}

_ANY: Final[dict[str, Builtin]] = {
    "aten::str": to_text,
    "prim::EnumName": lambda e: e.name,
    "prim::EnumValue": lambda e: e.value,
    "aten::eq": lambda a, b: a is b or (isinstance(a, EnumMember) and a == b),
    "aten::ne": lambda a, b: a is not b and not (isinstance(a, EnumMember) and a == b),
}


_IDENTITY: Final[dict[str, Builtin]] = {
    "aten::__is__": _identity_test,
    "aten::__isnot__": lambda a, b: not _identity_test(a, b),
}


def find(name: str, values: Sequence[Any]) -> Builtin | None:
    """The builtin `name` (`aten::add`, or with overload) for these arguments; None where tensors or records decide."""
    base, _, overload = name.partition(".")
    if base == "aten::pow" and overload == "int_to_int":
        return _pow_int
    if not values:
        return NUMBERS.get(base)
    first = values[0]
    if base in _IDENTITY:
        return _IDENTITY[base]
    if base == "aten::hash":
        return hash_of
    if base in ("aten::_unwrap_optional", "prim::unchecked_unwrap_optional"):
        return unwrap_optional
    if isinstance(first, list):
        return LISTS.get(base)
    if isinstance(first, dict):
        return DICTS.get(base)
    if isinstance(first, str):
        return STRINGS.get(base)
    if isinstance(first, tuple):
        return _TUPLES.get(base)
    if base == "aten::str":
        return to_text
    if base == "aten::mul" and len(values) > 1 and isinstance(values[1], list):
        return lambda count, repeated: repeated * count
    if isinstance(first, bool | int | float | complex):
        if any(isinstance(v, np.ndarray | list) for v in values):
            return None
        return NUMBERS.get(base)
    if isinstance(first, np.ndarray | np.generic) and base in ("aten::eq", "aten::ne"):
        return None
    return _ANY.get(base)


def check_tolist(dtype: DType, rank: int, depth: int, kind: int) -> None:
    """That a tensor is what the annotation of the result of `tolist` says: lists so deep, of int, float, bool or complex."""
    if rank != depth:
        raise OperatorError("Output annotation list dimension and runtime tensor dimension must match for tolist()")
    wanted = ((DType.int64,), (DType.float32, DType.float64), (DType.bool,), (DType.complex64, DType.complex128))[kind]
    if dtype not in wanted:
        raise OperatorError(
            "Output annotation element type and runtime tensor element type must match for tolist(): "
            f"{wanted[0].graph_name} vs {dtype.graph_name}"
        )


def undefined_tensor(name: str) -> str:
    """The error of an operator that is given None for a tensor."""
    return f"Expected a proper Tensor but got None (or an undefined Tensor in C++) for argument '{name}'"


def unwrap_optional(value: Any) -> Any:
    if value is None:
        raise OperatorError("Unwrapping null optional")
    return value


def float_bits(value: float) -> bytes:
    """Distinguishes -0.0 and nans where values are compared as constants."""
    return struct.pack("<d", value)
