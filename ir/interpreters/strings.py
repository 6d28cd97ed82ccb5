"""TorchScript's strings: the methods as PyTorch computes them, on bytes, in Python.

In and out: Python strings that stand for their UTF-8 bytes; bytes that are no UTF-8 are lone surrogates (`surrogateescape`).
Lengths and positions count bytes, letters are those of ASCII. Failures are `OperatorError`s with PyTorch's text. Where
PyTorch never returns (`replace("", x)`), this fails as well.
"""

# Tables of one-line lambdas on values of a running program, which are untyped by nature.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from ..operator import OperatorError

SPACES: Final = b" \t\n\v\f\r"
LINE_ENDS: Final = b"\n\r\v\f\x1c\x1d\x1e\x85\xe2\x80\xa8\xa9"
"""Where `splitlines` splits: PyTorch takes Unicode's line ends byte by byte."""
GAPS: Final = b" \t" + LINE_ENDS
"""Where `split()` splits."""
_SMALLEST: Final = 2.0**-1022
_INT: Final = re.compile(rb"[ \t\n\v\f\r]*[+-]?[0-9]+")
_FLOAT: Final = re.compile(
    rb"[ \t\n\v\f\r]*[+-]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?"
    rb"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
    rb"|[nN][aA][nN](?:\([0-9a-zA-Z_]*\))?)"
)

Builtin = Callable[..., Any]


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def to_string(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def joined(*parts: str) -> str:
    """The parts one behind the other: bytes of several may make one character."""
    return to_string(b"".join(map(to_bytes, parts)))


# letters


def _is_upper(c: int) -> bool:
    return 65 <= c <= 90


def _is_lower(c: int) -> bool:
    return 97 <= c <= 122


def _is_alpha(c: int) -> bool:
    return _is_upper(c) or _is_lower(c)


def _is_digit(c: int) -> bool:
    return 48 <= c <= 57


def _is_alnum(c: int) -> bool:
    return _is_alpha(c) or _is_digit(c)


def _all(test: Callable[[int], bool]) -> Builtin:
    def apply(self: str) -> bool:
        data = to_bytes(self)
        return len(data) > 0 and all(map(test, data))

    return apply


def _cased(test: Callable[[int], bool]) -> Builtin:
    def apply(self: str) -> bool:
        letters = [c for c in to_bytes(self) if _is_alpha(c)]
        return len(letters) > 0 and all(map(test, letters))

    return apply


def _is_title(self: str) -> bool:
    behind_letter, found = False, False
    for c in to_bytes(self):
        if (_is_lower if behind_letter else _is_upper)(c) != _is_alpha(c):
            return False
        behind_letter = _is_alpha(c)
        found = found or behind_letter
    return found


def _is_identifier(self: str) -> bool:
    data = to_bytes(self)
    return len(data) > 0 and not _is_digit(data[0]) and all(map(_is_alnum, data))


def _upper(c: int) -> int:
    return c - 32 if _is_lower(c) else c


def _lower(c: int) -> int:
    return c + 32 if _is_upper(c) else c


def _mapped(change: Callable[[int], int]) -> Builtin:
    def apply(self: str) -> str:
        return to_string(bytes(map(change, to_bytes(self))))

    return apply


def _capitalize(self: str) -> str:
    data = to_bytes(self)
    return to_string(bytes(_lower(c) if i else _upper(c) for i, c in enumerate(data)))


def _title(self: str) -> str:
    data = to_bytes(self)
    return to_string(bytes(_lower(c) if i and _is_alpha(data[i - 1]) else _upper(c) for i, c in enumerate(data)))


# parts


def get(self: str, index: int) -> str:
    data = to_bytes(self)
    at = index + len(data) if index < 0 else index
    if not 0 <= at < len(data):
        raise OperatorError(f"basic_string::at: __n (which is {at % (1 << 64)}) >= this->size() (which is {len(data)})")
    return to_string(data[at : at + 1])


def slice_(self: str, start: int | None = None, end: int | None = None, step: int = 1) -> str:
    if step == 0:
        raise OperatorError("slice step cannot be zero")
    return to_string(to_bytes(self)[slice_bound(start) : slice_bound(end) : step])


def slice_bound(value: int | None) -> int | None:
    """A bound of a slice of a string or list: in PyTorch the greatest int is as good as none."""
    return None if value == (1 << 63) - 1 else value


def _stripped(left: bool, right: bool) -> Builtin:
    def apply(self: str, chars: str = " \n\t\f\v") -> str:
        data, removed = to_bytes(self), to_bytes(chars)
        if not removed:
            return self
        data = data.lstrip(removed) if left else data
        return to_string(data.rstrip(removed) if right else data)

    return apply


def _padding(fill: str) -> bytes:
    data = to_bytes(fill)
    if len(data) != 1:
        raise OperatorError("TypeError: The fill character must be exactly one character long")
    return data


def _ljust(self: str, width: int, fillchar: str = " ") -> str:
    return to_string(to_bytes(self).ljust(width, _padding(fillchar)))


def _rjust(self: str, width: int, fillchar: str = " ") -> str:
    return to_string(to_bytes(self).rjust(width, _padding(fillchar)))


def _center(self: str, width: int, fillchar: str = " ") -> str:
    data, fill = to_bytes(self), _padding(fillchar)
    missing = width - len(data)
    if missing <= 0:
        return self
    left, right = missing // 2, (missing + 1) // 2
    if width % 2:
        left, right = right, left
    return to_string(fill * left + data + fill * right)


def _zfill(self: str, width: int) -> str:
    return to_string(to_bytes(self).rjust(width, b"0"))


def _expandtabs(self: str, tabsize: int = 8) -> str:
    out = bytearray()
    for c in to_bytes(self):
        if c != 9:
            out.append(c)
        elif tabsize > 0:
            out += b" " * (tabsize - len(out) % tabsize)
    return to_string(bytes(out))


# searching


def _span(size: int, start: int, end: int) -> tuple[int, int]:
    """Positions as the methods take them: an end of -1 is the end of the string."""
    start = max(0, size + start) if start < 0 else start
    return start, max(0, size + end + 1) if end < 0 else end


def _window(data: bytes, first: int, last: int) -> bytes:
    """What stands between two positions; nothing where the second is not behind the first."""
    if last <= first:
        return b""
    if first > len(data):
        raise OperatorError(f"basic_string::substr: __pos (which is {first}) > this->size() (which is {len(data)})")
    return data[first:last]


def _searched(search: Callable[[bytes, bytes], int]) -> Builtin:
    def apply(self: str, substr: str, start: int = 0, end: int = -1) -> int:
        data = to_bytes(self)
        first, last = _span(len(data), start, end)
        at = search(_window(data, first, last), to_bytes(substr))
        return at if at < 0 else first + at

    return apply


_find = _searched(bytes.find)
_rfind = _searched(bytes.rfind)


def _found(search: Builtin) -> Builtin:
    def apply(*arguments: Any) -> int:
        at = search(*arguments)
        if at < 0:
            raise OperatorError("ValueError: substring not found")
        return at

    return apply


def _count(self: str, substr: str, start: int = 0, end: int = -1) -> int:
    data, part = to_bytes(self), to_bytes(substr)
    first, last = _span(len(data), start, end)
    if not part and first <= len(data) and first < last:
        raise OperatorError("count of an empty string never ends in PyTorch")
    if not part:
        return 0
    count, at = 0, data.find(part, first)
    while 0 <= at < last:
        count += 1
        at = data.find(part, at + len(part))
    return count


def _cut(self: str, start: int, end: int) -> bytes:
    data = to_bytes(self)
    first, last = _span(len(data), start, end)
    if first > len(data):
        raise OperatorError(
            f"basic_string::substr: __pos (which is {first}) > this->size() (which is {len(data)})"
        )
    return data[first:] if last < first else data[first:last]


def _startswith(self: str, substr: str, start: int = 0, end: int = -1) -> bool:
    return _cut(self, start, end).startswith(to_bytes(substr))


def _endswith(self: str, substr: str, start: int = 0, end: int = -1) -> bool:
    return _cut(self, start, end).endswith(to_bytes(substr))


def _replace(self: str, old: str, new: str, max: int = -1) -> str:
    if not old and max < 0:
        raise OperatorError("replace of an empty string never ends in PyTorch")
    data, part, by = to_bytes(self), to_bytes(old), to_bytes(new)
    if not part:
        return to_string(by * max + data)
    return to_string(data.replace(part, by, max))


# splitting


_AS_SPACES: Final = bytes(32 if c in GAPS else c for c in range(256))


def _split(self: str, separator: str | None = None, max: int = -1) -> list[str]:
    data = to_bytes(self)
    if separator is None:
        return [to_string(p) for p in data.translate(_AS_SPACES).split(b" ") if p]
    if not separator:
        raise OperatorError("ValueError: empty separator")
    return [to_string(p) for p in data.split(to_bytes(separator), max)]


def _rsplit(self: str, separator: str = " ", max: int = -1) -> list[str]:
    if not separator and max < 0:
        raise OperatorError("rsplit by an empty string never ends in PyTorch")
    if not separator:
        return [self, *[""] * max]
    return [to_string(p) for p in to_bytes(self).rsplit(to_bytes(separator), max)]


def _splitlines(self: str, keepends: bool = False) -> list[str]:
    parts: list[str] = []
    data, start = to_bytes(self), 0
    for i, c in enumerate(data):
        if c in LINE_ENDS:
            parts.append(to_string(data[start:i]))
            if keepends:
                parts.append(to_string(data[i : i + 1]))
            start = i + 1
    return parts if start == len(data) else [*parts, to_string(data[start:])]


def _partition(self: str, separator: str) -> tuple[str, str, str]:
    data, part = to_bytes(self), to_bytes(separator)
    at = data.find(part)
    if at < 0:
        return self, "", ""
    return to_string(data[:at]), separator, to_string(data[at + len(part) :])


def _rpartition(self: str, separator: str) -> tuple[str, str, str]:
    data, part = to_bytes(self), to_bytes(separator)
    at = data.rfind(part)
    if at < 0:
        return "", "", self
    return to_string(data[:at]), separator, to_string(data[at + len(part) :])


# numbers


def to_int(self: str) -> int:
    data = to_bytes(self)
    found = _INT.match(data)
    if found is None:
        raise OperatorError("stoll")
    value = int(found[0])
    if not -(1 << 63) <= value < 1 << 63:
        raise OperatorError("stoll")
    if len(found[0]) != len(data):
        raise OperatorError(f"invalid literal for int() with base 10: '{self}'")
    return value


def leading_number(data: bytes) -> tuple[float, int]:
    """What C's `strtod` reads at the start of a string, and how many bytes that are: 0 where there is no number, -1 where
    it is too large or too small."""
    found = _FLOAT.match(data)
    if found is None:
        return 0.0, 0
    value = _float(found[0])
    digits = any(c in b"123456789" for c in found[0].lower().partition(b"e")[0])
    return value, -1 if digits and (abs(value) < _SMALLEST or math.isinf(value)) else len(found[0])


def _float(data: bytes) -> float:
    text = data.decode("ascii").strip(" \t\n\v\f\r")
    if "x" not in text.lower():
        return float(text.partition("(")[0])
    try:
        return float.fromhex(text)
    except OverflowError:
        return -math.inf if text.startswith("-") else math.inf


def to_float(self: str) -> float:
    data = to_bytes(self)
    value, used = leading_number(data)
    if used <= 0:
        raise OperatorError("stod")
    if used != len(data):
        raise OperatorError(f"could not convert string to float: '{self}'")
    return value


def _ord(self: str) -> int:
    data = to_bytes(self)
    if len(data) != 1:
        raise OperatorError(f"String for ord() must be 1 character, found {len(data)}")
    return data[0]


def chr_(number: int) -> str:
    if not 0 <= number < 0x110000:
        raise OperatorError(f"chr() arg not in range(0x110000), found {number}")
    return to_string(bytes([number & 255]))


_MULTIPLIER: Final = 0xC6A4A7935BD1E995
_WORD: Final = (1 << 64) - 1


def hash_bytes(data: bytes) -> int:
    """`std::hash` of the C++ library that PyTorch is built with, as a signed number."""

    def mixed(value: int) -> int:
        return value ^ (value >> 47)

    value = 0xC70F6907 ^ (len(data) * _MULTIPLIER & _WORD)
    whole = len(data) & ~7
    for i in range(0, whole, 8):
        word = int.from_bytes(data[i : i + 8], "little") * _MULTIPLIER & _WORD
        value = (value ^ (mixed(word) * _MULTIPLIER & _WORD)) * _MULTIPLIER & _WORD
    if whole != len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _WORD
    value = mixed(mixed(value) * _MULTIPLIER & _WORD)
    return value - (1 << 64) if value >> 63 else value


METHODS: Final[dict[str, Builtin]] = {
    "aten::add": joined,
    "aten::eq": lambda a, b: a == b,
    "aten::ne": lambda a, b: a != b,
    "aten::lt": lambda a, b: to_bytes(a) < to_bytes(b),
    "aten::le": lambda a, b: to_bytes(a) <= to_bytes(b),
    "aten::gt": lambda a, b: to_bytes(a) > to_bytes(b),
    "aten::ge": lambda a, b: to_bytes(a) >= to_bytes(b),
    "aten::len": lambda self: len(to_bytes(self)),
    "aten::__getitem__": get,
    "prim::StringIndex": get,
    "aten::slice": slice_,
    "aten::__contains__": lambda self, part: to_bytes(part) in to_bytes(self),
    "aten::Int": to_int,
    "aten::Float": to_float,
    "aten::list": lambda self: [to_string(bytes([c])) for c in to_bytes(self)],
    "aten::ord": _ord,
    "aten::hash": lambda self: hash_bytes(to_bytes(self)),
    "aten::join": lambda self, values: to_string(to_bytes(self).join(map(to_bytes, values))),
    "aten::split": _split,
    "aten::rsplit": _rsplit,
    "aten::splitlines": _splitlines,
    "aten::partition": _partition,
    "aten::rpartition": _rpartition,
    "aten::replace": _replace,
    "aten::find": _find,
    "aten::rfind": _rfind,
    "aten::index": _found(_find),
    "aten::rindex": _found(_rfind),
    "aten::count": _count,
    "aten::startswith": _startswith,
    "aten::endswith": _endswith,
    "aten::upper": _mapped(_upper),
    "aten::lower": _mapped(_lower),
    "aten::swapcase": _mapped(lambda c: _lower(c) if _is_upper(c) else _upper(c)),
    "aten::capitalize": _capitalize,
    "aten::title": _title,
    "aten::strip": _stripped(True, True),
    "aten::lstrip": _stripped(True, False),
    "aten::rstrip": _stripped(False, True),
    "aten::center": _center,
    "aten::ljust": _ljust,
    "aten::rjust": _rjust,
    "aten::zfill": _zfill,
    "aten::expandtabs": _expandtabs,
    "aten::isdigit": _all(_is_digit),
    "aten::isdecimal": _all(_is_digit),
    "aten::isnumeric": _all(_is_digit),
    "aten::isalpha": _all(_is_alpha),
    "aten::isalnum": _all(_is_alnum),
    "aten::isspace": _all(lambda c: c in SPACES),
    "aten::isupper": _cased(_is_upper),
    "aten::islower": _cased(_is_lower),
    "aten::istitle": _is_title,
    "aten::isidentifier": _is_identifier,
    "aten::isprintable": lambda self: all(32 <= c < 127 for c in to_bytes(self)),
}
