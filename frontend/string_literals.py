"""String tokens to values: prefixes, escapes, and the pieces of f-strings.

In: the text of a STRING token. Out: its value, or literal text and replacement fields with their offsets in the token.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from ..ir.diagnostics import CompileError
from .layout import Parsing

_SIMPLE = {
    "\n": "",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_ESCAPE = re.compile(r"\\(?:[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|.)", re.DOTALL)


@dataclass(frozen=True)
class StringParts:
    """`prefix` in lower case; `body` is `token[start:start + len(body)]`."""

    prefix: str
    body: str
    start: int


@dataclass(frozen=True)
class Field:
    """`{expression!conversion:format}`; offsets are in the body of the string."""

    start: int
    end: int
    expression: tuple[int, int]
    debug: str
    """Text of `{x = }` up to and with the equal sign, or empty."""
    conversion: str
    format: tuple[int, int] | None


def split_literal(token: str) -> StringParts:
    quote = min(i for i in (token.find("'"), token.find('"')) if i >= 0)
    width = 3 if token[quote : quote + 3] in ("'''", '"""') else 1
    return StringParts(token[:quote].lower(), token[quote + width : len(token) - width], quote + width)


def decode(text: str, parsing: Parsing, offset: int) -> str:
    """`text` with its escapes resolved; `offset` is where it stands in the parsed text."""

    def replacement(match: re.Match[str]) -> str:
        escape = match.group()[1:]
        if escape in _SIMPLE:
            return _SIMPLE[escape]
        if escape[0] in "01234567":
            return chr(int(escape, 8))
        code = _code_point(escape)
        if code is None:
            if escape[0] in "xuUN":
                span = parsing.span(offset + match.start(), offset + match.end())
                raise CompileError.at(
                    span, f"invalid escape `{match.group()}` in a string", help="write `\\\\` for a backslash"
                )
            return match.group()  # an unknown escape stands for itself, as in Python
        return code

    text = text.replace("\r\n", "\n")
    return _ESCAPE.sub(replacement, text) if "\\" in text else text


def _code_point(escape: str) -> str | None:
    if escape[0] in "xuU" and len(escape) > 1:
        value = int(escape[1:], 16)
        return chr(value) if value <= 0x10FFFF else None
    if escape.startswith("N{"):
        try:
            return unicodedata.lookup(escape[2:-1])
        except KeyError:
            return None
    return None


def split_fields(body: str, parsing: Parsing, offset: int, *, raw: bool, nested: bool = False) -> Iterator[str | Field]:
    """Literal text (escapes resolved, braces joined) and fields of an f-string's body or of a format (`nested`)."""
    start = i = 0
    while i < len(body):
        c = body[i]
        if c == "\\" and not raw:
            i = body.find("}", i) + 1 if body.startswith("\\N{", i) and "}" in body[i:] else i + 2
            continue
        if c not in "{}":
            i += 1
            continue
        if not nested and body.startswith(c * 2, i):
            yield from _text(body[start : i + 1], parsing, offset + start, raw)
            i += 2
            start = i
            continue
        if c == "}":
            raise CompileError.at(
                parsing.span(offset + i, offset + i + 1), "single `}` in an f-string", help="write `}}` for a brace"
            )
        yield from _text(body[start:i], parsing, offset + start, raw)
        field = _field(body, i, parsing, offset)
        yield field
        i = start = field.end
    yield from _text(body[start:], parsing, offset + start, raw)


def _text(text: str, parsing: Parsing, offset: int, raw: bool) -> Iterator[str]:
    if text:
        yield text.replace("\r\n", "\n") if raw else decode(text, parsing, offset)


def _field(body: str, start: int, parsing: Parsing, offset: int) -> Field:
    """The replacement field whose `{` is at `start`."""
    i, end = start + 1, len(body)
    depth = 0
    while i < end:
        c = body[i]
        if c in "'\"":
            i = _skip_string(body, i)
            continue
        if c in "([{":
            depth += 1
        elif c in ")]}" and depth:
            depth -= 1
        elif depth == 0 and (c in ":}" or (c == "!" and body[i + 1 : i + 2] != "=")):
            break
        i += 1
    expression = (start + 1, i)
    debug = ""
    text = body[start + 1 : i]
    if text.rstrip().endswith("=") and not text.rstrip().endswith(("==", "!=", "<=", ">=")):
        debug = text
        expression = (start + 1, start + 1 + len(text.rstrip()) - 1)
    if not body[slice(*expression)].strip():
        raise CompileError.at(
            parsing.span(offset + start, offset + min(i + 1, end)), "an f-string has an empty expression"
        )
    conversion = ""
    if body[i : i + 1] == "!":
        conversion = body[i + 1 : i + 2]
        if conversion not in ("r", "s", "a"):
            raise CompileError.at(
                parsing.span(offset + i, offset + i + 2),
                "invalid conversion in an f-string",
                label="expected `!r`, `!s` or `!a`",
            )
        i += 2
    format_: tuple[int, int] | None = None
    if body[i : i + 1] == ":":
        begin = i + 1
        depth = 0
        i += 1
        while i < end and (body[i] != "}" or depth):
            depth += {"{": 1, "}": -1}.get(body[i], 0)
            i += 1
        format_ = (begin, i)
    if body[i : i + 1] != "}":
        raise CompileError.at(
            parsing.span(offset + start, offset + start + 1),
            "`{` in an f-string is never closed",
            help="write `{{` for a brace",
        )
    return Field(start, i + 1, expression, debug, conversion, format_)


def _skip_string(body: str, start: int) -> int:
    """Index behind the string literal that begins at `start`."""
    quote = body[start : start + 3] if body[start : start + 3] in ("'''", '"""') else body[start]
    end = body.find(quote, start + len(quote))
    return len(body) if end < 0 else end + len(quote)
