"""From the lexer's tokens to the parser's: indentation becomes tokens, newlines inside brackets and comments go away.

Bracket and indentation errors are found here, where the opening bracket and the enclosing blocks are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from lark import Token
from lark.lark import PostLex

from ..ir.diagnostics import CompileError, Note
from ..ir.source import SourceFile, Span

MAX_BRACKETS = 100
MAX_INDENTATION = 50

_CLOSING = {")": "(", "]": "[", "}": "{"}
_OPENING = {opening: closing for closing, opening in _CLOSING.items()}
_SOFT_KEYWORDS = {"match": "MATCH", "case": "CASE"}


@dataclass(eq=False)
class Parsing:
    """State of one run of the parser: what it reads, where in the file that stands, and how far it has come."""

    file: SourceFile
    base: int = 0
    """Offset in the file of the text that is parsed: not 0 for an expression inside an f-string."""
    bracketed: bool = False
    """Newlines mean nothing, as inside brackets."""
    dialect: str = "python"
    comments: list[Token] = field(default_factory=list[Token])
    brackets: list[Token] = field(default_factory=list[Token])
    previous: Token | None = None
    current: Token | None = None

    def span(self, start: int, end: int) -> Span:
        return Span(self.file, self.base + start, self.base + end)

    def token_span(self, token: Token) -> Span:
        return self.span(*bounds(token))


def bounds(token: Token) -> tuple[int, int]:
    """Offsets of a token in the text that is parsed."""
    return token.start_pos or 0, token.end_pos or 0


CURRENT: ContextVar[Parsing] = ContextVar("parsing")
"""The run that the grammar's actions belong to; runs nest (expressions inside f-strings)."""


class Layout(PostLex):
    """Python's rules of logical lines and indentation."""

    always_accept = ("_NEWLINE", "COMMENT")

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        parsing = CURRENT.get()
        for token in _soft_keywords(_layout(stream, parsing)):
            parsing.previous, parsing.current = parsing.current, token
            yield token


def _layout(stream: Iterator[Token], parsing: Parsing) -> Iterator[Token]:
    newline: Token | None = None  # first of the newlines since the last token
    last_newline: Token | None = None
    indents: list[str] = [""]
    token: Token | None = None
    started = False
    for token in stream:
        if token.type == "COMMENT":
            parsing.comments.append(token)
            continue
        if token.type == "_NEWLINE":
            if not parsing.brackets and not parsing.bracketed:
                newline = newline or token
                last_newline = token
            continue
        if not started:
            started = True
            newline = None
            if not parsing.bracketed:
                _check_first(token, parsing)
                last_newline = None
        if newline is not None:
            yield newline
            newline = None
        if last_newline is not None:
            yield from _indentation(token, last_newline, indents, parsing)
            last_newline = None
        _match_bracket(token, parsing)
        yield token
    if parsing.brackets:
        raise unclosed(parsing)
    if not started:
        return
    assert token is not None
    yield newline or _mark("_NEWLINE", parsing.current or token)
    for _ in indents[1:]:
        yield _mark("_DEDENT", token)


def _mark(kind: str, at: Token) -> Token:
    """A token without text, behind `at`."""
    return Token(kind, "", at.end_pos, end_pos=at.end_pos)


def _check_first(token: Token, parsing: Parsing) -> None:
    line_start = parsing.file.text.rfind("\n", 0, token.start_pos) + 1
    if line_start != token.start_pos:
        raise CompileError.at(
            parsing.span(line_start, token.start_pos or 0),
            "unexpected indentation",
            label="the first statement of a file starts in column 1",
        )


def _indentation(token: Token, newline: Token, indents: list[str], parsing: Parsing) -> Iterator[Token]:
    indent = newline.value.lstrip("\r\n").replace("\f", "")
    if indent == indents[-1]:
        return
    start = token.start_pos or 0
    if indent.startswith(indents[-1]):
        if len(indents) > MAX_INDENTATION:
            raise CompileError.at(
                parsing.token_span(token),
                "blocks are nested too deeply",
                label=f"more than {MAX_INDENTATION} levels of indentation",
            )
        indents.append(indent)
        yield Token("_INDENT", indent, start - len(indent), end_pos=start)
        return
    while len(indents) > 1 and indents[-1] != indent and indents[-1].startswith(indent):
        indents.pop()
        yield Token("_DEDENT", "", start, end_pos=start)
    if indents[-1] == indent:
        return
    span = parsing.span(start - len(indent), start)
    if " " in indent + indents[-1] and "\t" in indent + indents[-1]:
        raise CompileError.at(
            span,
            "inconsistent use of tabs and spaces in indentation",
            help="indent every line of a block with the same characters",
        )
    raise CompileError.at(
        span,
        "unindent does not match any outer block",
        label=f"{len(indent)} columns; the blocks around it have {_columns(indents)}",
    )


def _columns(indents: list[str]) -> str:
    widths = [str(len(i)) for i in indents]
    return widths[0] if len(widths) == 1 else f"{', '.join(widths[:-1])} and {widths[-1]}"


def _match_bracket(token: Token, parsing: Parsing) -> None:
    if token.value in _OPENING:
        if len(parsing.brackets) >= MAX_BRACKETS:
            raise CompileError.at(
                parsing.token_span(token),
                "brackets are nested too deeply",
                label=f"more than {MAX_BRACKETS} are open here",
            )
        parsing.brackets.append(token)
    elif token.value in _CLOSING:
        if not parsing.brackets:
            raise CompileError.at(
                parsing.token_span(token),
                f"unmatched `{token}`",
                label=f"there is no `{_CLOSING[token.value]}` before it",
            )
        opening = parsing.brackets[-1]
        if opening.value != _CLOSING[token.value]:
            raise CompileError.at(
                parsing.token_span(token),
                f"`{token}` does not close `{opening}`",
                label=f"expected `{_OPENING[opening.value]}`",
                notes=[Note(f"the `{opening}` that is open", parsing.token_span(opening))],
            )  # fmt: skip
        parsing.brackets.pop()


def unclosed(parsing: Parsing) -> CompileError:
    """The innermost bracket that is open where the text ends."""
    opening = parsing.brackets[-1]
    return CompileError.at(
        parsing.token_span(opening),
        f"`{opening}` was never closed",
        label=f"expected a `{_OPENING[opening.value]}` for it",
    )


def _soft_keywords(tokens: Iterator[Token]) -> Iterator[Token]:
    """`match` is a keyword where it begins a line that ends with a colon, `case` in the lines below one."""
    line: list[Token] | None = None
    at_start = True
    in_match = False
    for token in tokens:
        if at_start and token.type == "NAME" and (token.value == "match" or (token.value == "case" and in_match)):
            line = []
        at_start = token.type in ("_NEWLINE", "_INDENT", "_DEDENT")
        if line is None:
            yield token
            continue
        line.append(token)
        if at_start:
            if _is_soft_keyword(line):
                in_match = True
                line[0] = Token.new_borrow_pos(_SOFT_KEYWORDS[line[0].value], line[0].value, line[0])
            yield from line
            line = None
    if line is not None:
        yield from line


def _is_soft_keyword(line: list[Token]) -> bool:
    if len(line) < 4 or line[1].type in ("COLON", "DOT", "EQUAL", "COMMA"):
        return False
    return line[-2].type == "COLON" or (line[0].value == "case" and any(t.type == "COLON" for t in line))
