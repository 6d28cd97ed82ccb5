"""The parser against Python's own: the same tree and the same spans, for everything that both understand."""

import ast as pyast
import sysconfig
from pathlib import Path

import pytest

from torchcc.frontend import ast
from torchcc.frontend.parser import MAX_DEPTH, parse, parse_expression, signature_comment
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.source import SourceFile

OPS = {
    pyast.Add: "+",
    pyast.Sub: "-",
    pyast.Mult: "*",
    pyast.Div: "/",
    pyast.FloorDiv: "//",
    pyast.Mod: "%",
    pyast.Pow: "**",
    pyast.MatMult: "@",
    pyast.BitAnd: "&",
    pyast.BitOr: "|",
    pyast.BitXor: "^",
    pyast.LShift: "<<",
    pyast.RShift: ">>",
    pyast.USub: "-",
    pyast.UAdd: "+",
    pyast.Invert: "~",
    pyast.Not: "not",
    pyast.Eq: "==",
    pyast.NotEq: "!=",
    pyast.Lt: "<",
    pyast.LtE: "<=",
    pyast.Gt: ">",
    pyast.GtE: ">=",
    pyast.In: "in",
    pyast.NotIn: "not in",
    pyast.Is: "is",
    pyast.IsNot: "is not",
    pyast.And: "and",
    pyast.Or: "or",
}


def python_tree(n):
    o = lambda x: None if x is None else python_tree(x)
    L = lambda xs: [python_tree(x) for x in xs]
    A = pyast
    match n:
        case A.Module():
            return ("mod", L(n.body))
        case A.Expr():
            return ("expr", python_tree(n.value))
        case A.Constant():
            if n.value is ...:
                return ("...",)
            if isinstance(n.value, bytes):
                return ("U",)
            return ("c", type(n.value).__name__, repr(n.value))
        case A.Name():
            return ("n", n.id)
        case A.Attribute():
            return (".", python_tree(n.value), n.attr)
        case A.Subscript():
            s = n.slice
            if isinstance(s, A.Tuple):
                return ("[]", python_tree(n.value), L(s.elts))
            return ("[]", python_tree(n.value), [python_tree(s)])
        case A.Slice():
            return (":", o(n.lower), o(n.upper), o(n.step))
        case A.Starred():
            return ("*", python_tree(n.value))
        case A.Call():
            return ("call", python_tree(n.func), L(n.args), [(k.arg, python_tree(k.value)) for k in n.keywords])
        case A.UnaryOp():
            return ("u", OPS[type(n.op)], python_tree(n.operand))
        case A.BinOp():
            return ("b", OPS[type(n.op)], python_tree(n.left), python_tree(n.right))
        case A.BoolOp():
            return ("bool", OPS[type(n.op)], L(n.values))
        case A.Compare():
            return ("cmp", [OPS[type(x)] for x in n.ops], L([n.left, *n.comparators]))
        case A.IfExp():
            return ("?", python_tree(n.test), python_tree(n.body), python_tree(n.orelse))
        case A.List():
            return ("list", L(n.elts))
        case A.Tuple():
            return ("tuple", L(n.elts))
        case A.Set():
            return ("set", L(n.elts))
        case A.Dict():
            return ("dict", [o(k) for k in n.keys], L(n.values))
        case A.ListComp():
            return ("comp", "list", python_tree(n.elt), L(n.generators))
        case A.SetComp():
            return ("comp", "set", python_tree(n.elt), L(n.generators))
        case A.GeneratorExp():
            return ("comp", "generator", python_tree(n.elt), L(n.generators))
        case A.DictComp():
            return ("dcomp", python_tree(n.key), python_tree(n.value), L(n.generators))
        case A.comprehension():
            return ("for", python_tree(n.target), python_tree(n.iter), L(n.ifs))
        case A.Lambda():
            return ("lambda", python_params(n.args), python_tree(n.body))
        case A.Yield() | A.YieldFrom() | A.Await() | A.NamedExpr():
            return ("U",)
        case A.JoinedStr():
            parts = []
            for v in n.values:
                if isinstance(v, A.Constant):
                    parts.append(v.value)
                elif v.conversion == -1 and v.format_spec is None:
                    parts.append(python_tree(v.value))
                else:
                    parts.append(
                        (
                            "fv",
                            python_tree(v.value),
                            None if v.conversion == -1 else chr(v.conversion),
                            o(v.format_spec),
                        )
                    )
            return ("f", parts)
        case A.Assign():
            return ("=", L(n.targets), python_tree(n.value))
        case A.AnnAssign():
            return (":=", python_tree(n.target), python_tree(n.annotation), o(n.value))
        case A.AugAssign():
            return ("aug", python_tree(n.target), OPS[type(n.op)], python_tree(n.value))
        case A.Return():
            return ("return", o(n.value))
        case A.If():
            return ("if", python_tree(n.test), L(n.body), L(n.orelse))
        case A.For():
            return ("for", python_tree(n.target), python_tree(n.iter), L(n.body), L(n.orelse))
        case A.While():
            return ("while", python_tree(n.test), L(n.body), L(n.orelse))
        case A.Break() | A.Continue() | A.Pass():
            return (type(n).__name__,)
        case A.Assert():
            return ("assert", python_tree(n.test), o(n.msg))
        case A.Raise():
            return ("raise", o(n.exc), o(n.cause))
        case A.Delete():
            return ("del", L(n.targets))
        case A.With():
            return ("with", [(python_tree(i.context_expr), o(i.optional_vars)) for i in n.items], L(n.body))
        case A.Import():
            return ("import", None, [(a.name, a.asname) for a in n.names], 0)
        case A.ImportFrom():
            return ("import", n.module, [(a.name, a.asname) for a in n.names], n.level)
        case A.FunctionDef():
            return ("def", n.name, python_params(n.args), o(n.returns), L(n.body), L(n.decorator_list))
        case A.ClassDef():
            return (
                "class",
                n.name,
                L(n.bases),
                [(k.arg, python_tree(k.value)) for k in n.keywords],
                L(n.body),
                L(n.decorator_list),
            )
        case _:
            return ("US",)


def python_params(a):
    r = []
    pos = a.posonlyargs + a.args
    d = [None] * (len(pos) - len(a.defaults)) + a.defaults
    o = lambda x: None if x is None else python_tree(x)
    for i, (x, y) in enumerate(zip(pos, d)):
        r.append((x.arg, o(x.annotation), o(y), "positional_only" if i < len(a.posonlyargs) else "normal"))
    if a.vararg:
        r.append((a.vararg.arg, o(a.vararg.annotation), None, "varargs"))
    for x, y in zip(a.kwonlyargs, a.kw_defaults):
        r.append((x.arg, o(x.annotation), o(y), "keyword_only"))
    if a.kwarg:
        r.append((a.kwarg.arg, o(a.kwarg.annotation), None, "kwargs"))
    return r


def our_tree(n):
    o = lambda x: None if x is None else our_tree(x)
    L = lambda xs: [our_tree(x) for x in xs]
    A = ast
    match n:
        case A.SourceModule():
            return ("mod", L(n.body))
        case A.ExprStmt():
            return ("expr", our_tree(n.value))
        case A.Literal_():
            return ("c", type(n.value).__name__, repr(n.value))
        case A.EllipsisLiteral():
            return ("...",)
        case A.Name():
            return ("n", n.id)
        case A.Attribute():
            return (".", our_tree(n.value), n.name)
        case A.Subscript():
            if not n.tuple and isinstance(n.indices[0], A.TupleExpr):
                return ("[]", our_tree(n.value), L(n.indices[0].elements))
            return ("[]", our_tree(n.value), L(n.indices))
        case A.Slice():
            return (":", o(n.lower), o(n.upper), o(n.step))
        case A.Starred():
            return ("*", our_tree(n.value))
        case A.Call():
            return ("call", our_tree(n.func), L(n.args), [(k.name, our_tree(k.value)) for k in n.keywords])
        case A.UnaryOp():
            return ("u", n.op, our_tree(n.operand))
        case A.BinaryOp():
            return ("b", n.op, our_tree(n.left), our_tree(n.right))
        case A.BoolOp():
            return ("bool", n.op, L(n.values))
        case A.Compare():
            return ("cmp", n.ops, L(n.operands))
        case A.IfExp():
            return ("?", our_tree(n.test), our_tree(n.body), our_tree(n.orelse))
        case A.ListExpr():
            return ("list", L(n.elements))
        case A.TupleExpr():
            return ("tuple", L(n.elements))
        case A.SetExpr():
            return ("set", L(n.elements))
        case A.DictExpr():
            return ("dict", [o(k) for k in n.keys], L(n.values))
        case A.ListComp():
            return ("comp", n.kind, our_tree(n.element), L(n.generators))
        case A.DictComp():
            return ("dcomp", our_tree(n.key), our_tree(n.value), L(n.generators))
        case A.Comprehension():
            return ("for", our_tree(n.target), our_tree(n.iterable), L(n.conditions))
        case A.Lambda():
            return ("lambda", our_params(n.params), our_tree(n.body))
        case A.Unsupported():
            return ("U",)
        case A.FString():
            return ("f", [p if isinstance(p, str) else our_tree(p) for p in n.parts])
        case A.FormattedValue():
            return ("fv", our_tree(n.value), n.conversion, o(n.format))
        case A.Assign():
            return ("=", L(n.targets), our_tree(n.value))
        case A.AnnAssign():
            return (":=", our_tree(n.target), our_tree(n.annotation), o(n.value))
        case A.AugAssign():
            return ("aug", our_tree(n.target), n.op, our_tree(n.value))
        case A.Return():
            return ("return", o(n.value))
        case A.If():
            return ("if", our_tree(n.test), L(n.body), L(n.orelse))
        case A.For():
            return ("for", our_tree(n.target), our_tree(n.iterable), L(n.body), L(n.orelse))
        case A.While():
            return ("while", our_tree(n.test), L(n.body), L(n.orelse))
        case A.Break() | A.Continue() | A.Pass():
            return (type(n).__name__,)
        case A.Assert():
            return ("assert", our_tree(n.test), o(n.message))
        case A.Raise():
            return ("raise", o(n.exception), o(n.cause))
        case A.Delete():
            return ("del", L(n.targets))
        case A.With():
            return ("with", [(our_tree(i.context), o(i.target)) for i in n.items], L(n.body))
        case A.Import():
            return ("import", n.module, [(a.name, a.asname) for a in n.names], n.level)
        case A.FunctionDef():
            return ("def", n.name, our_params(n.params), o(n.returns), L(n.body), L(n.decorators))
        case A.ClassDef():
            return (
                "class",
                n.name,
                L(n.bases),
                [(k.name, our_tree(k.value)) for k in n.keywords],
                L(n.body),
                L(n.decorators),
            )
        case A.UnsupportedStmt():
            return ("US",)
        case _:
            raise Exception(n)


def our_params(ps):
    o = lambda x: None if x is None else our_tree(x)
    return [(p.name, o(p.annotation), o(p.default), p.kind) for p in ps]


def difference(a, b, path=""):
    """Where two trees differ first, or None."""
    if type(a) is not type(b) or not isinstance(a, tuple | list):
        return None if a == b else (path, a, b)
    if len(a) != len(b):
        return path, a, b
    return next((d for i, (x, y) in enumerate(zip(a, b)) if (d := difference(x, y, f"{path}/{i}"))), None)


def check_tree(text, name="m.py"):
    assert difference(python_tree(pyast.parse(text)), our_tree(parse(SourceFile(name, text)))) is None


SAMPLES = [
    "x = 1\n",
    "x = y = 1; z = 2;\n",
    "a, (b, *c), d[0], e.f = g\n",
    "x: int\nx: List[int] = [1]\nself.x: T = 3\n",
    "x += 1; x //= 2; x **= 3; x @= y; x >>= 1; x |= 2\n",
    "-x ** -2 + ~y * +z\n",
    "2 ** 3 ** 4\n",
    "not a == b and c or d and not e\n",
    "a < b <= c is not d not in e is f in g\n",
    "(a < b) < c\n",
    "(a and b) and c\n",
    "a if b else c if d else e\n",
    "x = (yield)\n",
    "f(*a, b, c=1, **d)\n",
    "f(x for x in y)\n",
    "f(a, *b, k=1)\n",
    "x[1], x[1:2], x[::2], x[..., None, :, 1:], x[a, ], x[:], x[(1, 2)]\n",
    "[], [1], [1, 2,], (), (1,), (1, 2), {}, {1}, {1: 2, **x, 3: 4,}, {*a, 1}\n",
    "[x for x in y if a if b for z in x]\n{x: 1 for x, y in z}\n{x for x in y}\n",
    "lambda: 0\nlambda x, *a, y=1, **k: x\nlambda x, /, y, *, z: 0\n",
    "'a' \"b\" '''c\nd''' r'\\n' u'x' '\\x41\\u0042\\N{BULLET}\\101\\q\\\n'\n",
    "b'x'\n",
    "f'a{x}b{{c}}{y!r}{z:>{w}.3f}{1 + 2}' 'd'\n",
    "f'{x=}'\n",
    "f'{a[\"k\"]}{ {1: 2}[1] }{a if b else c}{lambda_ != 1}'\n",
    "rf'\\d{x}\\n'\n",
    "1, 0x1F, 0b11, 0o17, 1_000, 1.5, .5, 1., 1e5, 1E-3, 2j, 1.5J, 00\n",
    "if a:\n  b\nelif c:\n  d\nelif e: f\nelse:\n  g\n",
    "while a:\n  break\nelse:\n  continue\n",
    "for i, (j, k) in a, b:\n  pass\nelse: pass\n",
    "with a as b, c(), d as (e, f):\n  pass\nwith (a as b, c): pass\nwith (a, b): pass\nwith (a): pass\n",
    "def f(a, b: int = 1, /, c=2, *args: int, d, e=3, **kw) -> T:\n  '''doc'''\n  return a, b\n",
    "def f(a, *, b): return\n",
    "@a.b\n@c(1)\nclass X(Y, metaclass=Z):\n  x: int = 1\n  @staticmethod\n  def f(): pass\n",
    "class X: pass\n",
    "import a, b.c as d\nfrom a.b import c, d as e\nfrom . import x\nfrom ...y import (a, b as c,)\nfrom z import *\n",
    "assert a, 'b'\nraise\nraise A\nraise A from b\ndel a, b[0], c.d\n",
    "try:\n  a\nexcept (A, B) as e:\n  b\nexcept:\n  c\nelse:\n  d\nfinally:\n  e\n",
    "def f():\n  global a, b\n  nonlocal c\n  x = yield from y\n  await z\n",
    "async def f():\n  async with a: pass\n  async for x in y: pass\n",
    "match x:\n  case 1 | 2 if y: a\n  case [a, *b]:\n    c\n  case {'k': v, **rest}: d\n  case A(x=1) as z: e\n  case _: f\n",
    "match = 1\nmatch(x)\nmatch[0] = 2\ncase.x = match\nprint(match)\n",
    "if (y := f(x)) > 1: pass\n",
    "x = (a +\n     b)  # comment\n# comment\n\n  # odd comment\ny = \\\n  1\n",
    "if a:\n\tb\n\tif c:\n\t\td\ne\n",
    "x = 1",
    "",
    "# only a comment",
    "x = '''a\n  b'''\ny = 1\n",
    "if a:\n  # comment\n  b\n # less\n  c\n",
    "x = a.b.c(d)[e].f\n",
    "é = 'ü'\nλ = é\n",
    "a = 1\r\nif a:\r\n  b = '''x\r\ny'''\r\n",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_same_tree_as_python(text):
    check_tree(text)


@pytest.mark.parametrize(
    "name", ["heapq.py", "textwrap.py", "dataclasses.py", "functools.py", "fractions.py", "ast.py", "inspect.py"]
)
def test_same_tree_as_python_for_its_library(name):
    check_tree((Path(sysconfig.get_path("stdlib")) / name).read_text(encoding="utf-8"), name)


SPANS = """x = foo.bar(a + 1, k=[1, 2])[i:j, 0] if c and not d else -e ** 2
for i, v in enumerate(xs):
    y = {"a": f(1), **z}
    t = 1 < x <= 3
"""


def test_spans_are_exact():
    """Every expression that Python has too covers the same characters."""
    tree = pyast.parse(SPANS)
    indices = {node.slice for node in pyast.walk(tree) if isinstance(node, pyast.Subscript)}
    nodes = [
        n for n in pyast.walk(tree) if isinstance(n, pyast.expr) and not isinstance(n, pyast.Slice) and n not in indices
    ]
    python = {pyast.get_source_segment(SPANS, node) for node in nodes}
    found, pending = [], [parse(SourceFile("m.py", SPANS))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Expr):
            found.append(node.span.text)
        for value in vars(node).values():
            pending += [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, ast.Node)]
    assert set(found) == python


def test_spans_inside_fstrings():
    text = "y = f'a{ foo.bar }b{n + 1:>{width}}'\n"
    (statement,) = parse(SourceFile("m.py", text)).body
    parts = statement.value.parts
    assert parts[1].span.text == "foo.bar" and parts[1].name_span.text == "bar"
    assert parts[3].value.span.text == "n + 1" and parts[3].format.parts[1].span.text == "width"


def test_positions_of_definitions():
    text = "class A(B):\n    def f(self, x: int = 1) -> int:\n        return x\n"
    (cls,) = parse(SourceFile("m.py", text)).body
    (function,) = cls.body
    assert cls.name_span.text == "A" and function.name_span.text == "f"
    assert [p.span.text for p in function.params] == ["self", "x: int = 1"]
    assert function.span.text == text[text.index("def") : -1] and function.body[0].span.line == 3


def test_parenthesised_expressions_include_their_parentheses():
    (statement,) = parse(SourceFile("m.py", "(a + b) * c\n")).body
    assert statement.value.span.text == "(a + b) * c" and statement.value.left.span.text == "(a + b)"


def test_expression_of_the_command_line():
    call = parse_expression("Net(10, hidden=[1,\n 2])")
    assert isinstance(call, ast.Call) and call.keywords[0].name == "hidden"
    with pytest.raises(CompileError, match="expected an expression"):
        parse_expression("")


def test_type_comments():
    text = "def f(a,  # type: int\n      b,  # type: float\n      ):\n    # type: (...) -> Tensor\n    return a  # type: ignore\n"
    (function,) = parse(SourceFile("m.py", text)).body
    assert function.type_comment == "(int, float) -> Tensor"
    types, returns = signature_comment(function)
    assert [t.id for t in types] == ["int", "float"] and returns.id == "Tensor"
    (function,) = parse(SourceFile("m.py", "def f():\n    # type: () -> Dict[str, int]\n    pass\n")).body
    assert signature_comment(function)[0] == []
    (function,) = parse(SourceFile("m.py", "def f(x):\n    y = 1  # type: int\n    return y\n")).body
    assert function.type_comment is None


def test_archive_dialect():
    """In the code of an archive `and` and `or` bind alike, comparisons do not chain and minus is part of a number."""
    (statement,) = parse(SourceFile("m.py", "a or b and 0 < c < -9223372036854775808\n"), dialect="archive").body
    top = statement.value
    assert top.op == "and" and top.values[0].op == "or"
    assert isinstance(top.values[1].operands[0], ast.Compare) and top.values[1].operands[1].value == -(2**63)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + "-" * 20_000 + "1",
        "x = " + "not " * 5000 + "1",
        "x = " + " ** ".join(["a"] * 20_000),
        "x = " + "lambda: " * 5000 + "1",
        "x = a" + ".b" * 20_000,
        "x = " + "a if b else " * 3000 + "c",
        "".join(f"{' ' * i}if a:\n" for i in range(300)) + " " * 300 + "b\n",
        "if a: pass\n" + "elif b: pass\n" * 3000,
    ],
)
def test_deep_nesting_is_an_error_with_a_place(text):
    with pytest.raises(CompileError, match="too deeply") as error:
        parse(SourceFile("m.py", text))
    assert error.value.diagnostics[0].span is not None


def test_long_but_flat_is_fine():
    parse(SourceFile("m.py", "x = [" + "a + b, " * 5000 + "]\n" + "y = 1\n" * 5000))
    parse(SourceFile("m.py", "x = " + " + ".join(["a"] * 20_000) + "\n"))
    parse(SourceFile("m.py", "x = " + " ** ".join(["a"] * (MAX_DEPTH - 10)) + "\n"))
