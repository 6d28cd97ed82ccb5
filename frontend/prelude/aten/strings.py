# Methods of strings as TorchScript functions, for strings that are only known at run time: data for our own parser.
#
# PyTorch's semantics to the letter: strings are bytes, letters those of ASCII; where its own loops never end, these raise.
# What they are made of: length, index, slice, `+`, comparison, `ord`, `chr`, and `find`, which in this file takes only
# positions that are in range.

import math

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_is_upper(c: int) -> bool:
    return 65 <= c and c <= 90


def _h_is_lower(c: int) -> bool:
    return 97 <= c and c <= 122


def _h_is_alpha(c: int) -> bool:
    low = c | 32
    return 97 <= low and low <= 122


def _h_is_digit(c: int) -> bool:
    return 48 <= c and c <= 57


def _h_is_space(c: int) -> bool:
    return c == 32 or (9 <= c and c <= 13)


def _h_ends_line(c: int) -> bool:
    return (
        (10 <= c and c <= 13) or (28 <= c and c <= 30) or c == 128 or c == 133 or c == 168 or c == 169 or c == 226
    )


def _h_repeated(s: str, count: int) -> str:
    out = ""
    for _ in range(count):
        out += s
    return out


# letters


def upper(self: str) -> str:
    out = ""
    for i in range(len(self)):
        c = ord(self[i])
        if _h_is_lower(c):
            c -= 32
        out += chr(c)
    return out


def lower(self: str) -> str:
    out = ""
    for i in range(len(self)):
        c = ord(self[i])
        if _h_is_upper(c):
            c += 32
        out += chr(c)
    return out


def swapcase(self: str) -> str:
    out = ""
    for i in range(len(self)):
        c = ord(self[i])
        if _h_is_alpha(c):
            c = c ^ 32
        out += chr(c)
    return out


def capitalize(self: str) -> str:
    out = ""
    for i in range(len(self)):
        c = ord(self[i])
        if _h_is_alpha(c):
            c = c & 95 if i == 0 else c | 32
        out += chr(c)
    return out


def title(self: str) -> str:
    out = ""
    behind_letter = False
    for i in range(len(self)):
        c = ord(self[i])
        is_letter = _h_is_alpha(c)
        if is_letter:
            c = c | 32 if behind_letter else c & 95
        behind_letter = is_letter
        out += chr(c)
    return out


def isdigit(self: str) -> bool:
    result = len(self) > 0
    for i in range(len(self)):
        result = result and _h_is_digit(ord(self[i]))
    return result


def isdecimal(self: str) -> bool:
    return self.isdigit()


def isnumeric(self: str) -> bool:
    return self.isdigit()


def isalpha(self: str) -> bool:
    result = len(self) > 0
    for i in range(len(self)):
        result = result and _h_is_alpha(ord(self[i]))
    return result


def isalnum(self: str) -> bool:
    result = len(self) > 0
    for i in range(len(self)):
        c = ord(self[i])
        result = result and (_h_is_alpha(c) or _h_is_digit(c))
    return result


def isspace(self: str) -> bool:
    result = len(self) > 0
    for i in range(len(self)):
        result = result and _h_is_space(ord(self[i]))
    return result


def isprintable(self: str) -> bool:
    result = True
    for i in range(len(self)):
        c = ord(self[i])
        result = result and 32 <= c and c < 127
    return result


def isidentifier(self: str) -> bool:
    result = self.isalnum()
    if result:
        result = not _h_is_digit(ord(self[0]))
    return result


def isupper(self: str) -> bool:
    found = False
    result = True
    for i in range(len(self)):
        c = ord(self[i])
        found = found or _h_is_alpha(c)
        result = result and not _h_is_lower(c)
    return found and result


def islower(self: str) -> bool:
    found = False
    result = True
    for i in range(len(self)):
        c = ord(self[i])
        found = found or _h_is_alpha(c)
        result = result and not _h_is_upper(c)
    return found and result


def istitle(self: str) -> bool:
    found = False
    result = True
    behind_letter = False
    for i in range(len(self)):
        c = ord(self[i])
        is_letter = _h_is_alpha(c)
        if is_letter:
            result = result and (_h_is_lower(c) if behind_letter else _h_is_upper(c))
        found = found or is_letter
        behind_letter = is_letter
    return found and result


# parts


def _h_lead(s: str, chars: str) -> int:
    # how many of the first bytes are among `chars`
    n = len(s)
    at = 0
    inside = n > 0
    while inside:
        inside = chars.find(s[at]) >= 0
        if inside:
            at += 1
            inside = at < n
    return at


def _h_trail(s: str, chars: str, start: int) -> int:
    # where the bytes behind `start` end that are not among `chars`
    at = len(s)
    inside = at > start
    while inside:
        inside = chars.find(s[at - 1]) >= 0
        if inside:
            at -= 1
            inside = at > start
    return at


def strip(self: str, chars: str) -> str:
    start = _h_lead(self, chars)
    return self[start : _h_trail(self, chars, start)]


def lstrip(self: str, chars: str) -> str:
    return self[_h_lead(self, chars) :]


def rstrip(self: str, chars: str) -> str:
    return self[: _h_trail(self, chars, 0)]


def _h_fill(fillchar: str):
    if len(fillchar) != 1:
        raise RuntimeError("TypeError: The fill character must be exactly one character long")


def ljust(self: str, width: int, fillchar: str) -> str:
    _h_fill(fillchar)
    return self + _h_repeated(fillchar, width - len(self))


def rjust(self: str, width: int, fillchar: str) -> str:
    _h_fill(fillchar)
    return _h_repeated(fillchar, width - len(self)) + self


def center(self: str, width: int, fillchar: str) -> str:
    _h_fill(fillchar)
    missing = max(width - len(self), 0)
    left = missing // 2
    right = (missing + 1) // 2
    if width % 2 != 0:
        left, right = right, left
    return _h_repeated(fillchar, left) + self + _h_repeated(fillchar, right)


def zfill(self: str, width: int) -> str:
    return _h_repeated("0", width - len(self)) + self


def expandtabs(self: str, tabsize: int) -> str:
    out = ""
    for i in range(len(self)):
        c = self[i]
        if c == "\t":
            if tabsize > 0:
                out += _h_repeated(" ", tabsize - len(out) % tabsize)
        else:
            out += c
    return out


# searching


def _h_first(size: int, start: int) -> int:
    return max(0, size + start) if start < 0 else start


def _h_last(size: int, end: int) -> int:
    return max(0, size + end + 1) if end < 0 else end


def _h_cut(s: str, first: int, last: int) -> str:
    if first > len(s):
        raise RuntimeError(f"basic_string::substr: __pos (which is {first}) > this->size() (which is {len(s)})")
    return s[first:last]


def _h_find(s: str, substr: str, start: int, end: int) -> int:
    size = len(s)
    first = _h_first(size, start)
    last = _h_last(size, end)
    if last <= first:
        return first if len(substr) == 0 else -1
    if first > size:
        raise RuntimeError(f"basic_string::substr: __pos (which is {first}) > this->size() (which is {size})")
    return s.find(substr, first, min(last, size))


def _h_rfind(s: str, substr: str, first: int, last: int) -> int:
    # the last place between two positions that are in range; -1 where there is none
    n = len(substr)
    at = last - n
    missing = at >= first
    while missing:
        missing = s.find(substr, at, at + n) < 0
        if missing:
            at -= 1
            missing = at >= first
    return at if at >= first else -1


def _h_rfind_from(s: str, substr: str, start: int, end: int) -> int:
    size = len(s)
    first = _h_first(size, start)
    last = _h_last(size, end)
    if last <= first:
        return first if len(substr) == 0 else -1
    if first > size:
        raise RuntimeError(f"basic_string::substr: __pos (which is {first}) > this->size() (which is {size})")
    return _h_rfind(s, substr, first, min(last, size))


def find(self: str, substr: str, start: int, end: int) -> int:
    return _h_find(self, substr, start, end)


def rfind(self: str, substr: str, start: int, end: int) -> int:
    return _h_rfind_from(self, substr, start, end)


def index__str(self: str, substr: str, start: int, end: int) -> int:
    at = _h_find(self, substr, start, end)
    if at < 0:
        raise RuntimeError("ValueError: substring not found")
    return at


def rindex(self: str, substr: str, start: int, end: int) -> int:
    at = _h_rfind_from(self, substr, start, end)
    if at < 0:
        raise RuntimeError("ValueError: substring not found")
    return at


def count(self: str, substr: str, start: int, end: int) -> int:
    first = _h_first(len(self), start)
    last = _h_last(len(self), end)
    result = 0
    if first <= len(self):
        if len(substr) == 0:
            if first < last:
                raise RuntimeError("count of an empty string never ends in PyTorch")
        else:
            at = self.find(substr, first, len(self))
            while at >= 0 and at < last:
                result += 1
                at = self.find(substr, at + len(substr), len(self))
    return result


def startswith(self: str, substr: str, start: int, end: int) -> bool:
    first = _h_first(len(self), start)
    last = _h_last(len(self), end)
    window = _h_cut(self, first, last if last >= first else len(self))
    return window[: len(substr)] == substr


def endswith(self: str, substr: str, start: int, end: int) -> bool:
    first = _h_first(len(self), start)
    last = _h_last(len(self), end)
    window = _h_cut(self, first, last if last >= first else len(self))
    return len(window) >= len(substr) and window[len(window) - len(substr) :] == substr


def replace(self: str, old: str, new: str, max: int) -> str:
    if len(old) == 0:
        if max < 0:
            raise RuntimeError("replace of an empty string never ends in PyTorch")
        return _h_repeated(new, max) + self
    out = ""
    start = 0
    left = max
    at = self.find(old)
    while at >= 0 and left != 0:
        out += self[start:at] + new
        start = at + len(old)
        left -= 1
        at = self.find(old, start, len(self))
    return out + self[start:]


def partition(self: str, separator: str) -> Tuple[str, str, str]:
    at = self.find(separator)
    if at < 0:
        return self, "", ""
    return self[:at], separator, self[at + len(separator) :]


def rpartition(self: str, separator: str) -> Tuple[str, str, str]:
    at = _h_rfind(self, separator, 0, len(self))
    if at < 0:
        return "", "", self
    return self[:at], separator, self[at + len(separator) :]


# splitting


def _h_gaps_split(s: str) -> List[str]:
    parts: List[str] = []
    start = 0
    for i in range(len(s)):
        c = ord(s[i])
        if c == 32 or c == 9 or _h_ends_line(c):
            if i > start:
                parts.append(s[start:i])
            start = i + 1
    if start < len(s):
        parts.append(s[start:])
    return parts


def _h_split(s: str, separator: str, max: int) -> List[str]:
    if len(separator) == 0:
        raise RuntimeError("ValueError: empty separator")
    parts: List[str] = []
    start = 0
    left = max
    at = s.find(separator)
    while at >= 0 and left != 0:
        parts.append(s[start:at])
        start = at + len(separator)
        left -= 1
        at = s.find(separator, start, len(s))
    parts.append(s[start:])
    return parts


def split__str(self: str, separator: Optional[str], max: int) -> List[str]:
    if separator is None:
        return _h_gaps_split(self)
    return _h_split(self, separator, max)


def rsplit(self: str, separator: str, max: int) -> List[str]:
    parts: List[str] = []
    end = len(self)
    if len(separator) == 0:
        if max < 0:
            raise RuntimeError("rsplit by an empty string never ends in PyTorch")
        parts.append(self)
        for _ in range(max):
            parts.append("")
        return parts
    left = max
    at = _h_rfind(self, separator, 0, end)
    while at >= 0 and left != 0:
        parts.append(self[at + len(separator) : end])
        end = at
        left -= 1
        at = _h_rfind(self, separator, 0, end)
    parts.append(self[:end])
    parts.reverse()
    return parts


def splitlines(self: str, keepends: bool) -> List[str]:
    parts: List[str] = []
    start = 0
    for i in range(len(self)):
        if _h_ends_line(ord(self[i])):
            parts.append(self[start:i])
            if keepends:
                parts.append(self[i])
            start = i + 1
    if start < len(self):
        parts.append(self[start:])
    return parts


def _h_fill_hole(out: str, rest: str, text: str) -> Tuple[str, str]:
    # the next hole of a template filled; what has no hole is left out
    at = rest.find("{" + "}")
    if at < 0:
        return out, rest
    return out + rest[:at] + text, rest[at + 2 :]


def _h_filled(out: str, rest: str, template: str) -> str:
    if rest.find("{" + "}") >= 0:
        raise RuntimeError("Too few arguments for format string: " + template)
    return out + rest


# numbers


def Int__str(a: str) -> int:
    at = _h_lead(a, " \t\n\v\f\r")
    negative = False
    if at < len(a):
        negative = a[at] == "-"
        if negative or a[at] == "+":
            at += 1
    start = at
    value = 0
    too_large = False
    inside = at < len(a)
    while inside:
        digit = ord(a[at]) - 48
        inside = 0 <= digit and digit <= 9
        if inside:
            # counted downwards, as there is one negative number more
            if value < -922337203685477580 or (value == -922337203685477580 and digit > 8):
                too_large = True
            value = value * 10 - digit
            at += 1
            inside = at < len(a)
    if at == start or too_large or (value == -9223372036854775807 - 1 and not negative):
        raise RuntimeError("stoll")
    if at != len(a):
        raise RuntimeError(f"invalid literal for int() with base 10: '{a}'")
    return value if negative else -value


def _h_in_base(i: int, bits: int) -> str:
    digits = ""
    left = i
    more = True
    while more:
        digit = left & ((1 << bits) - 1)
        digits = chr(digit + 48 if digit < 10 else digit + 87) + digits
        left = (left >> bits) & ((1 << (64 - bits)) - 1)
        more = left != 0
    return digits


def hex(i: int) -> str:
    return ("-0x" if i < 0 else "0x") + _h_in_base(-i if i < 0 else i, 4)


def oct(i: int) -> str:
    return ("-0o" if i < 0 else "0o") + _h_in_base(-i if i < 0 else i, 3)


def bin(i: int) -> str:
    return ("-0b" if i < 0 else "0b") + _h_in_base(-i if i < 0 else i, 1)


# Hashes, as the C++ library has them: numbers are taken modulo 2**64.


def _h_mixed(v: int) -> int:
    return v ^ ((v >> 47) & 131071)


def _h_word(s: str, start: int, count: int) -> int:
    word = 0
    for i in range(count):
        word = (word << 8) | ord(s[start + count - 1 - i])
    return word


def _h_hash(s: str) -> int:
    multiplier = -4132994306676758123
    n = len(s)
    value = 3339675911 ^ (n * multiplier)
    for i in range(n // 8):
        word = _h_mixed(_h_word(s, i * 8, 8) * multiplier) * multiplier
        value = (value ^ word) * multiplier
    left = n % 8
    if left > 0:
        value = (value ^ _h_word(s, n - left, left)) * multiplier
    return _h_mixed(_h_mixed(value) * multiplier)


def _h_hash_float(v: float) -> int:
    # of the eight bytes of the number
    if v == 0.0:
        return 0
    bits = 9221120237041090560
    if v == v:
        mantissa, exponent = math.frexp(abs(v))
        if math.isinf(v):
            bits = 9218868437227405312
        elif exponent < -1021:
            bits = int(abs(v) * 2.0**537 * 2.0**537)
        else:
            bits = ((exponent + 1021) << 52) + int(mantissa * 9007199254740992.0)
    if math.copysign(1.0, v) < 0.0:
        bits = bits | (1 << 63)
    multiplier = -4132994306676758123
    word = _h_mixed(bits * multiplier) * multiplier
    value = ((3339675911 ^ (8 * multiplier)) ^ word) * multiplier
    return _h_mixed(_h_mixed(value) * multiplier)


# Tensors as PyTorch's C++ shows them. Templates with a zero byte are C's; no program can say them.


def _h_shortest(v: float) -> str:
    # the fewest digits that say which number this is, without an exponent from 1e-4 up to 1e16
    s = "%\0r" % v
    at = s.find("e")
    if at < 0 or "inf" in s:
        return s
    negative = s[0] == "-"
    digits = s[1 if negative else 0 : at].replace(".", "")
    power = int(s[at + 1 :])
    if power < -4 or power >= 16:
        exponent = str(abs(power))
        text = digits[:1] + ("." + digits[1:] if len(digits) > 1 else "")
        text += ("e-" if power < 0 else "e+") + ("0" + exponent if len(exponent) < 2 else exponent)
    elif power < 0:
        text = "0." + _h_repeated("0", -1 - power) + digits
    elif len(digits) <= power + 1:
        text = digits + _h_repeated("0", power + 1 - len(digits))
    else:
        text = digits[: power + 1] + "." + digits[power + 1 :]
    return "-" + text if negative else text


def _h_digits_before_point(v: float) -> float:
    # how many digits stand before the point
    return math.floor(math.log10(v)) + 1.0 if v != 0.0 else 1.0


def _h_power_of_ten(power: int) -> float:
    # exact up to 1e22, and so is what is divided by it
    result = 1.0
    for _ in range(abs(power)):
        result = result * 10.0
    return result if power >= 0 else 1.0 / result


def _h_tensor_format(flat: Tensor) -> Tuple[float, int, int]:
    # what all numbers are divided by, how wide they are, and how they are shown: 0 `%g`, 1 `%.4e`, 2 `%.4f`
    whole = True
    found = False
    low = 1.0
    high = 1.0
    for i in range(flat.size(0)):
        v = float(flat[i])
        if math.isfinite(v):
            z = math.fabs(v)
            whole = whole and math.fmod(v, 1.0) == 0.0
            if not found:
                low = z
                high = z
            if z < low:
                low = z
            if z > high:
                high = z
            found = True
    if found:
        low = _h_digits_before_point(low)
        high = _h_digits_before_point(high)
    if whole:
        return 1.0, 11 if high > 9.0 else int(high) + 1, 1 if high > 9.0 else 0
    if high - low > 4.0:
        return 1.0, 12 if math.fabs(high) > 99.0 or math.fabs(low) > 99.0 else 11, 1
    if high > 5.0 or high < 0.0:
        return _h_power_of_ten(int(high) - 1), 7, 2
    return 1.0, 7 if high == 0.0 else int(high) + 6, 2


def _h_number_text(v: float, format: Tuple[float, int, int]) -> str:
    scale, width, kind = format
    v = v / scale
    if kind == 0:
        s = "%\0.6g" % v
    elif kind == 1:
        s = "%\0.4e" % v
    else:
        s = "%\0.4f" % v
    return _h_repeated(" ", width - len(s)) + s


def _h_scale_line(format: Tuple[float, int, int]) -> str:
    return _h_shortest(format[0]) + " *\n" if format[0] != 1.0 else ""


def _h_vector_text(x: Tensor) -> str:
    format = _h_tensor_format(x)
    out = _h_scale_line(format)
    for i in range(x.size(0)):
        out += _h_number_text(float(x[i]), format) + "\n"
    return out


def _h_matrix_text(x: Tensor, indent: str) -> str:
    format = _h_tensor_format(x.reshape(-1))
    rows = x.size(0)
    columns = x.size(1)
    per_line = (80 - len(indent)) // (format[1] + 1)
    out = ""
    first = 0
    while first < columns:
        last = min(first + per_line, columns) - 1
        if per_line < columns:
            if first != 0:
                out += "\n"
            out += f"Columns {first + 1} to {last + 1}" + indent
        if format[0] != 1.0:
            out += _h_scale_line(format) + indent
        for row in range(rows):
            for column in range(first, last + 1):
                out += _h_number_text(float(x[row, column]), format) + ("\n" if column == last else " ")
            if row != rows - 1:
                out += indent + " " if format[0] != 1.0 else indent
        first = last + 1
    return out


def _h_matrices_text(x: Tensor, sizes: List[int]) -> str:
    # x [count, rows, columns]; of the other dimensions, whose sizes are given, the first one changes fastest
    out = ""
    for i in range(x.size(0)):
        out += ("\n" if i > 0 else "") + "("
        left = i
        place = 0
        step = x.size(0)
        for size in sizes:
            index = left % size
            left = left // size
            step = step // size
            place += index * step
            out += f"{index + 1},"
        out += ".,.) = \n" + _h_matrix_text(x[place], " ")
    return out


def _h_tensor_text(x: Tensor, name: str) -> str:
    values = x.to(torch.float64)
    sizes = x.size()
    out = ""
    if x.dim() == 0:
        out = _h_shortest(float(values)) + "\n"
    elif values.numel() > 0:
        if x.dim() == 1:
            out = _h_vector_text(values)
        elif x.dim() == 2:
            out = _h_matrix_text(values, "")
        else:
            out = _h_matrices_text(values.reshape([-1, sizes[-2], sizes[-1]]), sizes[:-2])
    ends = ""
    for i, size in enumerate(sizes):
        ends += ("," if i > 0 else "") + str(size)
    return out + "[ " + name + "{" + ends + "} ]"
