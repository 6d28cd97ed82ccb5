"""Text of a source file to the syntax tree of `ast.py`, with the exact characters of every node.

The grammar is `torchscript.lark`. What is Python but not TorchScript comes out as `Unsupported`, `UnsupportedStmt`,
`Lambda` and so on, because code that is never compiled may hold it. Anything else that is wrong is a CompileError.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from ..ir.diagnostics import CompileError
from ..ir.source import SourceFile, Span
from . import ast, grammar_tables
from .layout import CURRENT, Layout, Parsing, bounds
from .machine import is_list
from .operators import build_operators
from .string_literals import Field, StringParts, decode, split_fields, split_literal
from .syntax_errors import explain_characters, explain_token

_PACKAGE = __name__.rpartition(".")[0]

_Node = TypeVar("_Node", bound=ast.Node)

MAX_DEPTH = 150
"""Levels of the syntax tree. What walks it by recursion spends a few Python frames on each."""

MAX_CHARACTERS = 16 << 20


def parse(file: SourceFile, *, dialect: str = "python") -> ast.SourceModule:
    """The syntax tree of a whole file. `dialect` "archive" reads the code of `.pt` files."""
    if len(file.text) > MAX_CHARACTERS:
        raise CompileError.at(None, f"{file.name} is too long: more than {MAX_CHARACTERS} characters")
    try:
        return _check_depth(_run("module", file.text, Parsing(file, dialect=dialect)))
    except CompileError as error:
        raise _further_errors(file, error, dialect) from None


def _further_errors(file: SourceFile, error: CompileError, dialect: str) -> CompileError:
    """The error, with the first one of every other definition of the file: those around it are read without it."""
    found = list(error.diagnostics)
    text = file.text
    while len(found) < _MAX_SYNTAX_ERRORS:
        span = found[-1].span
        if span is None or span.file is not file:
            break
        start, end = _definition_around(text, span.start)
        # places stay the same: what is taken out is replaced by blanks
        text = text[:start] + "".join(c if c == "\n" else " " for c in text[start:end]) + text[end:]
        if not text.strip() or len(text) > _MAX_RECOVERED:
            break
        try:
            _run("module", text, Parsing(file, dialect=dialect))
            break
        except CompileError as further:
            if any(d in found for d in further.diagnostics):
                break
            found += further.diagnostics
    return CompileError(sorted(found, key=lambda d: 0 if d.span is None else d.span.start))


_MAX_SYNTAX_ERRORS: Final = 10
_MAX_RECOVERED: Final = 1 << 20
_TOP_LEVEL: Final = re.compile(r"(?m)^(?=[^\s#)\]}])")


def _definition_around(text: str, at: int) -> tuple[int, int]:
    """From the line without indentation before a place to the next one, with the decorators before it."""
    starts = [m.start() for m in _TOP_LEVEL.finditer(text)]
    index = max(bisect_right(starts, at) - 1, 0)
    first = starts[index] if starts else 0
    last = starts[index + 1] if index + 1 < len(starts) else len(text)
    if index > 0 and not text[first:at].strip():
        index -= 1  # what is wrong is how the one before ends
        first = starts[index]
    while index > 0 and text.startswith("@", starts[index - 1]):
        index -= 1
        first = starts[index]
    return min(first, at), last


def parse_expression(text: str, name: str = "<expression>", *, within: Span | None = None) -> ast.Expr:
    """One expression; commas make a tuple. `within` is where the text stands, if it is part of a file."""
    file, base = (SourceFile(name, text), 0) if within is None else (within.file, within.start)
    return _check_depth(_run("lone_expression", text, Parsing(file, base, bracketed=True)))


def signature_comment(function: ast.FunctionDef) -> tuple[list[ast.Expr], ast.Expr] | None:
    """The parameter types and the return type of a `# type: (int, float) -> Tensor` comment; None without one."""
    if function.type_comment is None:
        return None
    text = function.type_comment
    params, arrow, returns = text.rpartition("->")
    params = params.strip()
    if not arrow or not params.startswith("(") or not params.endswith(")"):
        raise CompileError.at(
            function.name_span,
            f"the type comment of `{function.name}` is not a signature",
            label=f"# type: {text}",
            help="write it as `# type: (int, Tensor) -> Tensor`",
        )
    types = parse_expression(params[:-1] + ",)" if params[1:-1].strip() else "()", f"<type comment of {function.name}>")
    result = parse_expression(returns.strip(), f"<type comment of {function.name}>")
    assert isinstance(types, ast.TupleExpr)
    return types.elements, result


def _run(start: str, text: str, parsing: Parsing) -> Any:
    token = CURRENT.set(parsing)
    try:
        tree: Any = _lark().parse(text, start=start)  # pyright: ignore[reportUnknownMemberType]
    except UnexpectedToken as error:
        raise explain_token(error, text, parsing) from None
    except UnexpectedCharacters as error:
        raise explain_characters(error, text, parsing) from None
    finally:
        CURRENT.reset(token)
    return tree


@cache
def _lark() -> Lark:
    grammar = files(_PACKAGE).joinpath("torchscript.lark").read_text(encoding="utf-8")
    tables = grammar_tables.read(grammar)
    if tables is None:
        return build(grammar)
    # what lark's stand-alone parsers do
    load: Callable[..., Lark] = Lark._load_from_dict  # pyright: ignore[reportUnknownMemberType, reportPrivateUsage, reportUnknownVariableType]
    return load(**tables, postlex=Layout(), transformer=_Builder())


def build(grammar: str) -> Lark:
    """The parser, its tables computed: half a second."""
    # The basic lexer, not the contextual one: a keyword is a keyword everywhere, as a reader of errors expects.
    return Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        start=["module", "lone_expression"],
        postlex=Layout(),
        transformer=_Builder(),
    )


def _check_depth(root: _Node) -> _Node:
    pending: list[tuple[ast.Node, int]] = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise CompileError.at(
                node.span,
                "the program is nested too deeply",
                label=f"more than {MAX_DEPTH} levels",
                help="give parts of it names of their own",
            )
        for name, value in node.__dict__.items():
            if isinstance(value, ast.Node):
                # `a + b + c + ...` is walked in a loop
                is_chain = name == "left" and isinstance(value, ast.BinaryOp) and isinstance(node, ast.BinaryOp)
                pending.append((value, depth if is_chain else depth + 1))
            elif is_list(value):
                pending.extend((item, depth + 1) for item in value if isinstance(item, ast.Node))
    return root


def _span(first: Any, last: Any = None) -> Span:
    """From the start of one token, node or block to the end of another."""
    parsing = CURRENT.get()
    last = first if last is None else last
    start: int = parsing.base + bounds(first)[0] if isinstance(first, Token) else first.span.start
    end: int = parsing.base + bounds(last)[1] if isinstance(last, Token) else last.span.end
    return Span(parsing.file, start, end)


def _cover(nodes: Sequence[Any]) -> Span:
    """The span of a non-empty sequence; None entries are skipped."""
    present = [n for n in nodes if n is not None]
    return _span(present[0], present[-1])


class _Block(list[ast.Stmt]):
    """Statements of an indented block (never empty)."""

    @property
    def span(self) -> Span:
        return self[0].span.to(self[-1].span)


class _Parameters(list[ast.Param]):
    pass


class _Arguments(list[Any]):
    pass


class _Generator:
    """`element for x in y`, before the brackets around it say what it is."""

    def __init__(self, element: Any, generators: list[ast.Comprehension]) -> None:
        self.element = element
        self.generators = generators
        self.span = element.span.to(generators[-1].span)


class _ParenthesizedItems(ast.Unsupported):
    """`(a as b, c)`: right after `with` these are its items; anywhere else it stays what it is here."""

    def __init__(self, span: Span, items: list[ast.WithItem]) -> None:
        super().__init__(span, "names given by `as` inside parentheses")
        self.items = items


class _Pair:
    """`key: value` of a dict display; key None for `**value`."""

    def __init__(self, key: ast.Expr | None, value: ast.Expr, span: Span) -> None:
        self.key, self.value, self.span = key, value, span


class _Builder(Transformer[Token, Any]):
    """One method per rule of the grammar; Lark calls them bottom up while it parses."""

    # statements

    def module(self, body: list[ast.Stmt]) -> ast.SourceModule:
        file = CURRENT.get().file
        return ast.SourceModule(Span(file, 0, len(file.text)), file, body)

    def lone_expression(self, items: list[Any]) -> ast.Expr:
        return items[0]

    def block(self, statements: list[ast.Stmt]) -> _Block:
        return _Block(statements)

    def expression_statement(self, items: list[Any]) -> ast.Stmt:
        return ast.ExprStmt(items[0].span, items[0])

    def assign(self, items: list[Any]) -> ast.Stmt:
        *targets, value = items
        for target in targets:
            _check_target(target)
        return ast.Assign(_cover(items), targets, value)

    def annotated_assign(self, items: list[Any]) -> ast.Stmt:
        target, annotation, value = items
        if not isinstance(target, ast.Name | ast.Attribute | ast.Subscript):
            raise CompileError.at(target.span, "only a name can be annotated", label=f"this is {_describe(target)}")
        return ast.AnnAssign(_cover(items), target, annotation, value)

    def augmented_assign(self, items: list[Any]) -> ast.Stmt:
        target, operator, value = items
        if not isinstance(target, ast.Name | ast.Attribute | ast.Subscript):
            raise CompileError.at(target.span, f"`{operator}` cannot assign to {_describe(target)}")
        return ast.AugAssign(_cover(items), target, operator[:-1], value)

    def return_(self, items: list[Any]) -> ast.Stmt:
        return ast.Return(_cover(items), items[1] if len(items) > 1 else None)

    def raise_(self, items: list[Any]) -> ast.Stmt:
        return ast.Raise(_cover(items), items[1], items[2])

    def assert_(self, items: list[Any]) -> ast.Stmt:
        return ast.Assert(_cover(items), items[1], items[2])

    def delete(self, items: list[Any]) -> ast.Stmt:
        return ast.Delete(_cover(items), items[1:])

    def pass_(self, items: list[Token]) -> ast.Stmt:
        return ast.Pass(_span(items[0]))

    def break_(self, items: list[Token]) -> ast.Stmt:
        return ast.Break(_span(items[0]))

    def continue_(self, items: list[Token]) -> ast.Stmt:
        return ast.Continue(_span(items[0]))

    def global_(self, items: list[Token]) -> ast.Stmt:
        return ast.UnsupportedStmt(_cover(items), f"`{items[0]}` declarations")

    def import_name(self, items: list[Any]) -> ast.Stmt:
        return ast.Import(_cover(items), None, items[1:])

    def import_from(self, items: list[Any]) -> ast.Stmt:
        level = sum(len(t) for t in items if isinstance(t, Token) and t.type in ("DOT", "ELLIPSIS"))
        module = next((i.id for i in items if isinstance(i, ast.Name)), None)
        names = [i for i in items if isinstance(i, ast.Alias)]
        star = items[-1]
        if isinstance(star, Token):
            names = [ast.Alias(_span(star), "*", None)]
        return ast.Import(_cover(items), module, names, level)

    def alias(self, items: list[Any]) -> ast.Alias:
        return ast.Alias(_cover(items), items[0].id, items[1] and str(items[1]))

    def name_alias(self, items: list[Any]) -> ast.Alias:
        return ast.Alias(_cover(items), str(items[0]), items[1] and str(items[1]))

    def dotted_name(self, items: list[Token]) -> ast.Name:
        return ast.Name(_cover(items), ".".join(items))

    def if_(self, items: list[Any]) -> ast.Stmt:
        _, test, body, orelse = items
        return ast.If(_cover(items), test, body, orelse or [])

    def else_(self, items: list[Any]) -> _Block:
        return items[1]

    def elif_(self, items: list[Any]) -> _Block:
        return _Block([self.if_(items)])

    def while_(self, items: list[Any]) -> ast.Stmt:
        _, test, body, orelse = items
        return ast.While(_cover(items), test, body, orelse or [])

    def for_(self, items: list[Any]) -> ast.Stmt:
        _, target, iterable, body, orelse = items
        _check_target(target)
        return ast.For(_cover(items), target, iterable, body, orelse or [])

    def with_(self, items: list[Any]) -> ast.Stmt:
        return ast.With(_cover(items), _with_items(items[1:-1]), items[-1])

    def with_item(self, items: list[Any]) -> ast.WithItem:
        if items[1] is not None:
            _check_target(items[1])
        return ast.WithItem(_cover(items), items[0], items[1])

    def decorator(self, items: list[Any]) -> ast.Expr:
        return items[0]

    def decorated(self, items: list[Any]) -> ast.Stmt:
        *decorators, definition = items
        if isinstance(definition, ast.FunctionDef | ast.ClassDef):
            definition.decorators = decorators
        return definition

    def function(self, items: list[Any]) -> ast.Stmt:
        keyword, name, parameters, returns, body = items
        parameters = parameters or _Parameters()
        comment = _type_comment(keyword, parameters, body)
        return ast.FunctionDef(_cover(items), str(name), _span(name), list(parameters), returns, body, [], comment)

    def class_(self, items: list[Any]) -> ast.Stmt:
        _, name, arguments, body = items
        arguments = arguments or _Arguments()
        bases = [a for a in arguments if not isinstance(a, ast.Keyword)]
        keywords = [a for a in arguments if isinstance(a, ast.Keyword)]
        return ast.ClassDef(_cover(items), str(name), _span(name), bases, keywords, body, [])

    def try_(self, items: list[Any]) -> ast.Stmt:
        return _unsupported("`try` blocks", items)

    def except_(self, items: list[Any]) -> _Block:
        return items[-1]

    def match_(self, items: list[Any]) -> ast.Stmt:
        return _unsupported("`match` statements", items)

    def case_(self, items: list[Any]) -> _Block:
        return items[-1]

    def async_(self, items: list[Any]) -> ast.Stmt:
        return _unsupported("`async` statements", items)

    # parameters

    def parameters(self, items: list[Any]) -> _Parameters:
        return _ordered_parameters(items)

    lambda_parameters = parameters

    def parameter(self, items: list[Any]) -> ast.Param:
        name, annotation, default = items
        return ast.Param(_cover(items), str(name), annotation, default)

    def star_parameter(self, items: list[Any]) -> ast.Param:
        _, name, annotation = items
        return ast.Param(_cover(items), str(name or ""), annotation, None, "varargs")

    def star_star_parameter(self, items: list[Any]) -> ast.Param:
        _, name, annotation = items
        return ast.Param(_cover(items), str(name), annotation, None, "kwargs")

    def lambda_parameter(self, items: list[Any]) -> ast.Param:
        return ast.Param(_cover(items), str(items[0]), None, items[1])

    def lambda_star(self, items: list[Any]) -> ast.Param:
        return ast.Param(_cover(items), str(items[1] or ""), None, None, "varargs")

    def lambda_star_star(self, items: list[Any]) -> ast.Param:
        return ast.Param(_cover(items), str(items[1]), None, None, "kwargs")

    # expressions

    def bare_tuple(self, items: list[ast.Expr]) -> ast.Expr:
        return ast.TupleExpr(_cover(items), items)

    def starred(self, items: list[Any]) -> ast.Expr:
        return ast.Starred(_cover(items), items[1])

    def conditional(self, items: list[Any]) -> ast.Expr:
        body, _, test, _, orelse = items
        return ast.IfExp(_cover(items), test, body, orelse)

    def lambda_(self, items: list[Any]) -> ast.Expr:
        _, parameters, body = items
        return ast.Lambda(_cover(items), list(parameters or []), body)

    def walrus(self, items: list[Any]) -> ast.Expr:
        return ast.Unsupported(_cover(items), "assignment expressions (`:=`)", str(items[0]))

    def yield_(self, items: list[Any]) -> ast.Expr:
        return ast.Unsupported(_cover(items), "`yield` expressions")

    def operators(self, items: list[Any]) -> ast.Expr:
        return build_operators(items, CURRENT.get())

    def attribute(self, items: list[Any]) -> ast.Expr:
        return ast.Attribute(_cover(items), items[0], str(items[1]), _span(items[1]))

    def call(self, items: list[Any]) -> ast.Expr:
        function, arguments, _ = items
        positional: list[ast.Expr] = []
        keywords: list[ast.Keyword] = []
        for argument in arguments or ():
            if isinstance(argument, ast.Keyword):
                _check_keyword(argument, keywords)
                keywords.append(argument)
                continue
            if isinstance(argument, _Generator) and len(arguments) > 1:
                raise CompileError.at(argument.span, "a generator expression beside other arguments needs parentheses")
            if keywords and not isinstance(argument, ast.Starred):
                raise CompileError.at(
                    argument.span,
                    "positional argument after a keyword argument",
                    label="move it before the keywords, or name it",
                )
            positional.append(
                _comprehension(argument, argument.span, "generator") if isinstance(argument, _Generator) else argument
            )
        return ast.Call(_cover(items), function, positional, keywords)

    def arguments(self, items: list[Any]) -> _Arguments:
        return _Arguments(items)

    def keyword(self, items: list[Any]) -> ast.Keyword:
        return ast.Keyword(_cover(items), str(items[0]), items[1])

    def star_star(self, items: list[Any]) -> ast.Keyword:
        return ast.Keyword(_cover(items), None, items[1])

    def generator(self, items: list[Any]) -> _Generator:
        return _Generator(items[0], items[1:])

    def comprehension(self, items: list[Any]) -> ast.Comprehension:
        _, target, iterable, *conditions = items
        _check_target(target)
        return ast.Comprehension(_cover(items), target, iterable, conditions)

    def targets(self, items: list[Any]) -> ast.Expr:
        *elements, comma = items
        return elements[0] if len(elements) == 1 and comma is None else ast.TupleExpr(_cover(elements), elements)

    def subscript(self, items: list[Any]) -> ast.Expr:
        value, *indices, comma, _ = items
        return ast.Subscript(_cover(items), value, indices, len(indices) > 1 or comma is not None)

    def slice(self, items: list[Any]) -> ast.Slice:
        lower, _, upper, _, step = items
        return ast.Slice(_cover(items), lower, upper, step)

    def name(self, items: list[Token]) -> ast.Expr:
        return ast.Name(_span(items[0]), str(items[0]))

    def number(self, items: list[Token]) -> ast.Expr:
        return ast.Literal_(_span(items[0]), _number(items[0]))

    def constant(self, items: list[Token]) -> ast.Expr:
        return ast.Literal_(_span(items[0]), {"True": True, "False": False, "None": None}[items[0]])

    def ellipsis(self, items: list[Token]) -> ast.Expr:
        return ast.EllipsisLiteral(_span(items[0]))

    def string(self, items: list[Token]) -> ast.Expr:
        return _string(items)

    def empty_tuple(self, items: list[Token]) -> ast.Expr:
        return ast.TupleExpr(_cover(items), [])

    def parenthesized(self, items: list[Any]) -> ast.Expr:
        """The span grows over the parentheses, so that what is built from the expression begins with them."""
        _, *values, comma, _ = items
        span = _cover(items)
        if any(isinstance(v, ast.WithItem) for v in values):
            return _ParenthesizedItems(
                span, [v if isinstance(v, ast.WithItem) else ast.WithItem(v.span, v, None) for v in values]
            )
        if len(values) > 1 or comma is not None:
            return ast.TupleExpr(span, values)
        (value,) = values
        if isinstance(value, ast.Starred):
            raise CompileError.at(
                value.span, "a starred expression cannot stand alone in parentheses", help="add a comma to make a tuple"
            )
        value.span = span
        return value

    def bracketed(self, items: list[Any]) -> ast.Expr:
        value = items[1]
        if isinstance(value, _Generator):
            return _comprehension(value, _cover(items), "generator")
        value.span = _cover(items)
        return value

    def aliased(self, items: list[Any]) -> ast.WithItem:
        return ast.WithItem(_cover(items), items[0], items[1])

    def list_(self, items: list[Any]) -> ast.Expr:
        return ast.ListExpr(_cover(items), items[1:-1])

    def list_comprehension(self, items: list[Any]) -> ast.Expr:
        return _comprehension(items[1], _cover(items), "list")

    def set_(self, items: list[Any]) -> ast.Expr:
        return ast.SetExpr(_cover(items), items[1:-1])

    def set_comprehension(self, items: list[Any]) -> ast.Expr:
        return _comprehension(items[1], _cover(items), "set")

    def dict_(self, items: list[Any]) -> ast.Expr:
        pairs = [_Pair(None, p.value, p.span) if isinstance(p, ast.Keyword) else p for p in items[1:-1]]
        return ast.DictExpr(_cover(items), [p.key for p in pairs], [p.value for p in pairs])

    def pair(self, items: list[ast.Expr]) -> _Pair:
        return _Pair(items[0], items[1], _cover(items))

    def dict_comprehension(self, items: list[Any]) -> ast.Expr:
        _, pair, *generators, _ = items
        return ast.DictComp(_cover(items), pair.key, pair.value, generators)


def _comprehension(generator: _Generator, span: Span, kind: Any) -> ast.Expr:
    return ast.ListComp(span, generator.element, generator.generators, kind)


def _with_items(items: list[ast.WithItem]) -> list[ast.WithItem]:
    """The items of a `with`, whose parentheses may be around all of them."""
    (first, *others) = items
    if others or first.target is not None:
        return items
    if isinstance(first.context, _ParenthesizedItems):
        items = first.context.items
        for item in items:
            if item.target is not None:
                _check_target(item.target)
        return items
    if isinstance(first.context, ast.TupleExpr) and first.context.elements:
        return [ast.WithItem(e.span, e, None) for e in first.context.elements]
    return items


def _unsupported(what: str, items: list[Any]) -> ast.Stmt:
    """A statement that is kept only to be refused. Its span ends with the first line: the rest is not at fault."""
    body: list[ast.Stmt] = []
    for item in items:
        if isinstance(item, _Block):
            body += item
        elif isinstance(item, ast.Stmt):
            body.append(item)
    first = items[0]
    return ast.UnsupportedStmt(_span(first), what, body)


def _check_keyword(argument: ast.Keyword, before: list[ast.Keyword]) -> None:
    if argument.name is not None and any(k.name == argument.name for k in before):
        raise CompileError.at(argument.span, f"keyword argument `{argument.name}` is given twice")


def _check_target(target: ast.Expr) -> None:
    """Raise unless something can be assigned to the expression."""
    pending = [target]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.TupleExpr | ast.ListExpr):
            pending += node.elements
        elif isinstance(node, ast.Starred):
            pending.append(node.value)
        elif not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            comparison = isinstance(node, ast.BinaryOp | ast.BoolOp | ast.Compare | ast.Call)
            raise CompileError.at(
                node.span,
                f"cannot assign to {_describe(node)}",
                label="expected a name, an attribute or an element",
                help="`==` compares" if comparison else None,
            )


_DESCRIPTIONS: dict[type[ast.Node], str] = {
    ast.Literal_: "a literal", ast.Call: "a call", ast.BinaryOp: "an expression", ast.UnaryOp: "an expression",
    ast.Compare: "a comparison", ast.BoolOp: "an expression", ast.TupleExpr: "a tuple", ast.ListExpr: "a list",
    ast.DictExpr: "a dict", ast.SetExpr: "a set", ast.FString: "a string", ast.EllipsisLiteral: "`...`",
    ast.Lambda: "a lambda", ast.IfExp: "a conditional expression", ast.ListComp: "a comprehension",
    ast.DictComp: "a comprehension", ast.Starred: "a starred expression",
}  # fmt: skip


def _describe(node: ast.Node) -> str:
    return _DESCRIPTIONS.get(type(node), "this expression")


def _ordered_parameters(items: list[Any]) -> _Parameters:
    """Parameters with their kinds, which follow from `/` and `*`."""
    found = _Parameters()
    keyword_only = defaults = False
    names: set[str] = set()
    for item in items:
        if isinstance(item, Token):  # `/`
            for parameter in found:
                parameter.kind = "positional_only"
            continue
        if item.name in names and item.name:
            raise CompileError.at(item.span, f"two parameters are called `{item.name}`")
        names.add(item.name)
        if item.kind == "varargs":
            keyword_only = True
            if item.name:
                found.append(item)
            continue
        if item.kind == "normal" and keyword_only:
            item.kind = "keyword_only"
        elif item.kind == "normal":
            if defaults and item.default is None and CURRENT.get().dialect != "archive":  # which leaves the `*` out
                raise CompileError.at(
                    item.span, f"parameter `{item.name}` needs a default", label="the one before it has a default"
                )
            defaults = defaults or item.default is not None
        found.append(item)
    return found


def _type_comment(keyword: Token, parameters: Sequence[ast.Param], body: _Block) -> str | None:
    """The signature comment between `def` and the first statement, with comments on parameters put into it."""
    parsing = CURRENT.get()
    begin, end = keyword.start_pos or 0, body.span.start - parsing.base
    first = bisect_left(parsing.comments, begin, key=_position)
    texts: list[str] = []
    for comment in parsing.comments[first : bisect_left(parsing.comments, end, key=_position)]:
        text = comment.lstrip("# \t")
        if text.startswith("type:") and not text[5:].strip().startswith("ignore"):
            texts.append(text[5:].strip())
    signature = next((t for t in texts if "->" in t), None)
    if signature is None:
        return None
    if signature.replace(" ", "").startswith("(...)"):
        single = [t for t in texts if "->" not in t]
        return f"({', '.join(single)}) ->{signature.partition('->')[2]}"
    return signature


def _position(token: Token) -> int:
    return token.start_pos or 0


def _number(token: Token) -> int | float | complex:
    text = str(token)
    try:
        if text[-1] in "jJ":
            return complex(text)
        if text[:2].lower() in ("0x", "0o", "0b") or text.replace("_", "").isdigit():
            return int(text, 0)
        return float(text)
    except ValueError:
        pass
    span = _span(token)
    if text[0] == "0" and text.isdigit():
        raise CompileError.at(
            span,
            "a decimal number cannot begin with 0",
            help=f"write `{text.lstrip('0') or '0'}`, or `0o{text.lstrip('0')}` for an octal number",
        )
    raise CompileError.at(span, "invalid number")


def _string(tokens: list[Token]) -> ast.Expr:
    """Adjacent string tokens: a literal, or an FString if one of them is."""
    span = _cover(tokens)
    literals = [split_literal(t) for t in tokens]
    if any("b" in s.prefix for s in literals):
        return ast.Unsupported(span, "bytes literals")
    parsing = CURRENT.get()
    parts: list[str | ast.Expr] = []
    for token, literal in zip(tokens, literals):
        offset = (token.start_pos or 0) + literal.start
        if "f" in literal.prefix:
            parts += _fields(literal.body, offset, raw="r" in literal.prefix)
        else:
            parts.append(_plain(literal, offset, parsing))
    if not any("f" in s.prefix for s in literals):
        return ast.Literal_(span, "".join(p for p in parts if isinstance(p, str)))
    return ast.FString(span, _join(parts))


def _plain(literal: StringParts, offset: int, parsing: Parsing) -> str:
    return literal.body.replace("\r\n", "\n") if "r" in literal.prefix else decode(literal.body, parsing, offset)


def _fields(body: str, offset: int, *, raw: bool, nested: bool = False) -> list[str | ast.Expr]:
    parsing = CURRENT.get()
    parts: list[str | ast.Expr] = []
    for piece in split_fields(body, parsing, offset, raw=raw, nested=nested):
        if isinstance(piece, str):
            parts.append(piece)
            continue
        if piece.debug:
            parts.append(piece.debug)
        parts.append(_field_value(body, piece, offset, raw=raw, nested=nested))
    return parts


def _field_value(body: str, field: Field, offset: int, *, raw: bool, nested: bool) -> ast.Expr:
    parsing = CURRENT.get()
    begin, end = field.expression
    text = body[begin:end]
    inner = Parsing(parsing.file, parsing.base + offset + begin, bracketed=True, dialect=parsing.dialect)
    value: ast.Expr = _run("lone_expression", text, inner)
    if not field.conversion and field.format is None and not field.debug:
        return value
    span = parsing.span(offset + field.start, offset + field.end)
    conversion: Any = field.conversion or ("r" if field.debug and field.format is None else None)
    if field.format is None:
        return ast.FormattedValue(span, value, conversion, None)
    format_begin, format_end = field.format
    if nested:
        raise CompileError.at(span, "formats in an f-string are nested too deeply")
    format_span = parsing.span(offset + format_begin, offset + format_end)
    parts = _fields(body[format_begin:format_end], offset + format_begin, raw=raw, nested=True)
    return ast.FormattedValue(span, value, conversion, ast.FString(format_span, _join(parts)))


def _join(parts: list[str | ast.Expr]) -> list[str | ast.Expr]:
    """Neighbouring literal texts as one."""
    joined: list[str | ast.Expr] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return joined
