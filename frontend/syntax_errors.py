"""What the parser could not read, in the words of a colleague: the smallest span, what was expected, what to do."""

from __future__ import annotations

import re

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from ..ir.diagnostics import CompileError
from ..ir.source import Span
from .layout import Parsing, unclosed
from .values import words

_BLOCK_KEYWORDS = {
    "if": "the condition",
    "elif": "the condition",
    "while": "the condition",
    "for": "what is iterated",
    "else": "`else`",
    "try": "`try`",
    "finally": "`finally`",
    "except": "the exception",
    "with": "the context",
    "def": "the parameters",
    "class": "the class name and its bases",
    "match": "the subject",
    "case": "the pattern",
}

_WORDS = {
    "_NEWLINE": "end of line",
    "_INDENT": "an indented block",
    "_DEDENT": "end of block",
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "$END": "end of file",
    "COLON": "`:`",
    "COMMA": "`,`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "EQUAL": "`=`",
    "DOT": "`.`",
    "IN": "`in`",
    "IMPORT": "`import`",
    "AS": "`as`",
    "ELSE": "`else`",
}
_EXPRESSION_START = {"NAME", "NUMBER", "STRING", "LPAR", "LSQB", "LBRACE", "MINUS"}
_QUOTES = "“”‘’„«»"  # typographic quotation marks
_SKIPPED = re.compile(r"""#[^\n]*|("{3}|'{3})(?:[^\\]|\\.)*?\1|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""", re.DOTALL)


_STATEMENTS = words(
    """assert break class continue def del elif else except finally for from global if import lambda nonlocal pass
    raise return try while with yield in is and or not as async await None True False"""
)


def explain_token(error: UnexpectedToken, text: str, parsing: Parsing) -> CompileError:
    """The error for a token that cannot stand where it stands."""
    token: Token = error.token
    accepts: set[str] = set(error.interactive_parser.accepts() if error.interactive_parser else error.expected)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    if parsing.brackets and _never_closed(text, token, parsing):
        return unclosed(parsing)
    for explain in (_layout, _assignment, _else_if, _missing_colon, _python_2, _keyword_as_name):
        found = explain(token, accepts, text, parsing)
        if found is not None:
            return found
    return _plain(token, accepts, text, parsing)


def explain_characters(error: UnexpectedCharacters, text: str, parsing: Parsing) -> CompileError:
    """The error for characters that are no token."""
    start: int = getattr(error, "pos_in_stream", None) or 0
    character = text[start]
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    quote = re.match(r"""[rRbBuUfF]{0,2}(\"{3}|'{3}|"|')""", text[start:])
    if quote is not None:
        mark = quote.group(1)
        previous = parsing.previous if parsing.current is None else parsing.current
        if previous is not None and previous.value.lstrip("rRbBuUfF") == mark * 2 and previous.end_pos == start:
            span = parsing.span(start - 2, start + 1)  # the lexer has taken `""` of `"""` for an empty string
            return CompileError.at(span, "unterminated string", label=f"`{mark * 3}` is never closed")
        span = parsing.span(start, start + quote.end() if len(mark) == 3 else line_end)
        return CompileError.at(span, "unterminated string", label=f"`{mark}` is never closed")
    span = parsing.span(start, start + 1)
    if character == "\\":
        return CompileError.at(span, "a backslash continues a line only as its last character")
    if character in _QUOTES:
        return CompileError.at(span, f"`{character}` is a typographic quotation mark", help="write `\"` or `'`")
    if character == "!":
        return CompileError.at(span, "`!` is not an operator", help="write `not`")
    if character == "$":
        return CompileError.at(span, "unexpected `$`")
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    return CompileError.at(span, f"unexpected character `{shown}`")


def _never_closed(text: str, token: Token, parsing: Parsing) -> bool:
    """Whether the innermost bracket stays open to the end of the text, and the token is on a later line."""
    start = token.start_pos or 0
    if "\n" not in text[parsing.brackets[-1].start_pos or 0 : start]:
        return False
    depth = 0
    for c in _SKIPPED.sub("", text[start:]):
        depth += (c in "([{") - (c in ")]}")
        if depth < 0:
            return False
    return True


def _keyword_of_line(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    match = re.match(r"\s*(?:async\s+)?(\w+)", line)
    return match.group(1) if match else ""


def _behind(token: Token | None, parsing: Parsing) -> Span:
    """The place right behind a token, one character wide."""
    end = 0 if token is None else token.end_pos or 0
    return parsing.span(end, end + 1)


def _layout(token: Token, accepts: set[str], text: str, parsing: Parsing) -> CompileError | None:
    start, end = token.start_pos or 0, token.end_pos or 0
    if token.type == "_INDENT":
        return CompileError.at(parsing.span(start, end), "unexpected indentation", label="nothing above opens a block")
    if accepts == {"_INDENT"}:
        newline = parsing.previous.start_pos or 0 if parsing.previous is not None else start
        keyword = _keyword_of_line(text, newline)
        name = f"after this `{keyword}`" if keyword in _BLOCK_KEYWORDS else "here"
        span = parsing.span(start, max(end, start + 1)) if token.value.strip() else parsing.span(newline, newline + 1)
        return CompileError.at(
            span, f"expected an indented block {name}", help="indent its statements, or write `pass`"
        )
    return None


def _assignment(token: Token, accepts: set[str], text: str, parsing: Parsing) -> CompileError | None:
    if token.type == "EQUAL" and (accepts & {"INFIX", "COLON", "COMMA", "RPAR"}):
        help_ = "write `==` to compare"
        if parsing.brackets and parsing.brackets[-1].value == "(":
            help_ = "write `==` to compare; the name of a keyword argument is a plain name"
        return CompileError.at(
            parsing.token_span(token), "`=` cannot stand in an expression", label="this assigns", help=help_
        )
    if token.type == "AUGMENTED":
        return CompileError.at(
            parsing.token_span(token), f"`{token}` is a statement of its own, not part of an expression"
        )
    return None


def _missing_colon(token: Token, accepts: set[str], text: str, parsing: Parsing) -> CompileError | None:
    if "COLON" not in accepts or parsing.brackets or parsing.previous is None:
        return None
    keyword = _keyword_of_line(text, token.start_pos or 0)
    if keyword not in _BLOCK_KEYWORDS:
        return None
    after = _BLOCK_KEYWORDS[keyword]
    return CompileError.at(_behind(parsing.previous, parsing), f"expected `:` after {after}", label="here")


def _python_2(token: Token, accepts: set[str], text: str, parsing: Parsing) -> CompileError | None:
    previous = parsing.previous
    if previous is not None and previous.value in ("print", "exec") and token.type in ("NAME", "STRING", "NUMBER"):
        return CompileError.at(
            parsing.token_span(token),
            f"`{previous}` is a function",
            help=f"put the arguments in parentheses: {previous}(...)",
        )
    return None


def _else_if(token: Token, accepts: set[str], text: str, parsing: Parsing) -> CompileError | None:
    previous = parsing.previous
    if previous is not None and previous.type == "ELSE" and token.type == "IF":
        return CompileError.at(
            Span.to(parsing.token_span(previous), parsing.token_span(token)), "`else if` is written `elif`"
        )
    if token.type in ("ELSE", "ELIF"):
        return CompileError.at(
            parsing.token_span(token), f"`{token}` without an `if` before it", label="no block here to belong to"
        )
    return None


def _keyword_as_name(token: Token, accepts: set[str], text: str, parsing: Parsing) -> CompileError | None:
    previous = parsing.previous
    if token.type == "EQUAL" and previous is not None and previous.value in _STATEMENTS and "NUMBER" not in accepts:
        return CompileError.at(parsing.token_span(previous), f"`{previous}` is a keyword and cannot be a name")
    if "NAME" in accepts and token.value in _STATEMENTS and "NUMBER" not in accepts:
        return CompileError.at(parsing.token_span(token), f"`{token}` is a keyword and cannot be a name")
    return None


def _plain(token: Token, accepts: set[str], text: str, parsing: Parsing) -> CompileError:
    expected = _expected(accepts)
    if token.type in ("_NEWLINE", "_DEDENT", "$END"):
        where = "the expression" if parsing.bracketed else "line" if token.type == "_NEWLINE" else "the file"
        previous = parsing.previous if token is parsing.current else parsing.current
        what = "an expression" if accepts >= _EXPRESSION_START else expected
        message = f"expected {what}" if what else "the statement is not complete"
        return CompileError.at(_behind(previous, parsing), f"{message}, found the end of {where}")
    if token.value in ("&", "|") and parsing.previous is not None and parsing.previous.value == token.value:
        word = "and" if token.value == "&" else "or"
        return CompileError.at(parsing.token_span(token), f"`{token * 2}` is not an operator", help=f"write `{word}`")
    if accepts >= _EXPRESSION_START:
        return CompileError.at(parsing.token_span(token), f"expected an expression, found `{token}`")
    label = f"expected {expected}" if expected else ""
    return CompileError.at(
        parsing.token_span(token), f"unexpected `{token}`", label=label, help=_help(accepts, parsing)
    )


def _help(accepts: set[str], parsing: Parsing) -> str | None:
    if parsing.brackets and "COMMA" in accepts:
        return "is a comma or an operator missing before it?"
    if "_NEWLINE" in accepts and "INFIX" in accepts:
        return "is an operator missing before it, or a line end?"
    return None


def _expected(accepts: set[str]) -> str:
    """Up to three things in words; nothing for the many tokens that may follow an expression."""
    words = sorted(_WORDS.get(a, f"`{a.lower()}`") for a in accepts)
    if not words or len(words) > 3:
        return ""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
