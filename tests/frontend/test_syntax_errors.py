"""Every wrong text has its own words, at the smallest place that is wrong."""

import pytest

from torchcc.frontend.parser import parse
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.source import SourceFile

CASES = [
    # text, message, what is underlined
    ("if x > 3\n  y = 1\n", "expected `:` after the condition", "\n"),
    ("while True print(1)\n", "expected `:` after the condition", " "),
    ("for i in range(3)\n  pass\n", "expected `:` after what is iterated", "\n"),
    ("def f(x)\n  return 1\n", "expected `:` after the parameters", "\n"),
    ("class A(B)\n  pass\n", "expected `:` after the class name and its bases", "\n"),
    ("if x:\n  y\nelse\n  z\n", "expected `:` after `else`", "\n"),
    ("if x = 3:\n  y = 1\n", "`=` cannot stand in an expression", "="),
    ("x = f(a.b=1)\n", "`=` cannot stand in an expression", "="),
    ("x = (1,\ny = 2\n", "`(` was never closed", "("),
    ("def f(:\n  pass\n", "unexpected `:`", ":"),
    ("x = foo(a, [b\n", "`[` was never closed", "["),
    ("x = [1, 2)\n", "`)` does not close `[`", ")"),
    ("x = 3)\n", "unmatched `)`", ")"),
    ("  x = 1\n", "unexpected indentation", "  "),
    ("x = 1\n    y = 2\n", "unexpected indentation", "    "),
    ("if x:\ny = 1\n", "expected an indented block after this `if`", "y"),
    ("def f():\n", "expected an indented block after this `def`", ":"),
    ("if a:\n    b\n  c\n", "unindent does not match any outer block", "  "),
    ("if a:\n\tb\n        c\n", "inconsistent use of tabs and spaces in indentation", "        "),
    ("x = 'abc\ny\n", "unterminated string", "'abc"),
    ("x = '''abc\ny\n", "unterminated string", "'''"),
    ('x = f"""abc\ny\n', "unterminated string", '"""'),
    ("x = 3 +\n", "expected an expression, found the end of line", "\n"),
    ("x = \n", "expected an expression, found the end of line", None),
    ("x = a.\n", "expected a name, found the end of line", "\n"),
    ("x = * / 3\n", "expected an expression, found `/`", "/"),
    ("f(a b)\n", "unexpected `b`", "b"),
    ("a b\n", "unexpected `b`", "b"),
    ("print 'x'\n", "`print` is a function", "'x'"),
    ("if a:\n  b\nelse if c:\n  d\n", "`else if` is written `elif`", "else if"),
    ("else:\n  pass\n", "`else` without an `if` before it", "else"),
    ("class = 3\n", "`class` is a keyword and cannot be a name", "class"),
    ("def for(x):\n  pass\n", "`for` is a keyword and cannot be a name", "for"),
    ("x = a && b\n", "`&&` is not an operator", "&"),
    ("x = !a\n", "`!` is not an operator", "!"),
    ("x = \u201ca\u201d\n", "`\u201c` is a typographic quotation mark", "\u201c"),
    ("x = a ? b : c\n", "unexpected character `?`", "?"),
    ("x = $a\n", "unexpected `$`", "$"),
    ("x = \\ 3\n", "a backslash continues a line only as its last character", "\\"),
    ("f(1) = 2\n", "cannot assign to a call", "f(1)"),
    ("1 = x\n", "cannot assign to a literal", "1"),
    ("a + b = c\n", "cannot assign to an expression", "a + b"),
    ("(a, b + 1) = c\n", "cannot assign to an expression", "b + 1"),
    ("for f(x) in y: pass\n", "cannot assign to a call", "f(x)"),
    ("a, b += 1\n", None, None),
    ("f(x) += 1\n", "`+=` cannot assign to a call", "f(x)"),
    ("x = a += 1\n", "`+=` is a statement of its own, not part of an expression", "+="),
    ("x = 012\n", "a decimal number cannot begin with 0", "012"),
    ("x = 0b\n", None, None),
    ("x = 1__0\n", "invalid number", "1__0"),
    ("x = 0o9\n", "invalid number", "0o9"),
    ("f(a=1, 2)\n", "positional argument after a keyword argument", "2"),
    ("f(a=1, a=2)\n", "keyword argument `a` is given twice", "a=2"),
    ("f(x for x in y, 1)\n", "a generator expression beside other arguments needs parentheses", "x for x in y"),
    ("def f(a=1, b): pass\n", "parameter `b` needs a default", "b"),
    ("def f(a, a): pass\n", "two parameters are called `a`", "a"),
    ("x = not\n", "expected an expression, found the end of line", "\n"),
    ("x == not y\n", "`not` cannot follow `==`", "not"),
    ("x = 5 if y\n", "expected `else`, found the end of line", "\n"),
    ("x = {1: 2, 3}\n", "unexpected `}`", "}"),
    ("lambda x y: 3\n", "unexpected `y`", "y"),
    ("(*a)\n", "a starred expression cannot stand alone in parentheses", "*a"),
    ("f'{a'\n", "`{` in an f-string is never closed", "{"),
    ("f'a}'\n", "single `}` in an f-string", "}"),
    ("f'{}'\n", "an f-string has an empty expression", "{}"),
    ("f'{a!x}'\n", "invalid conversion in an f-string", "!x"),
    ("f'{a +}'\n", "expected an expression, found the end of the expression", "}"),
    ("f'{(a}'\n", None, None),
    ("x = 'a\\xzz'\n", "invalid escape `\\x` in a string", "\\x"),
    ("(a, b): int = 1\n", "only a name can be annotated", "(a, b)"),
    ("import a.b as c.d\n", "unexpected `.`", "."),
    ("x = 1\x00\n", "unexpected character `U+0000`", "\x00"),
]


@pytest.mark.parametrize(("text", "message", "underlined"), CASES, ids=[c[0] for c in CASES])
def test_message_and_place(text, message, underlined):
    with pytest.raises(CompileError) as error:
        parse(SourceFile("m.py", text))
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.span is not None
    if message is not None:
        assert diagnostic.message == message
    if underlined is not None:
        assert diagnostic.span.text == underlined


def test_layout_of_the_message():
    with pytest.raises(CompileError) as error:
        parse(SourceFile("model.py", "class Net(nn.Module):\n    def forward(self, x:\n        return x\n"))
    assert str(error.value) == (
        "error: `(` was never closed\n"
        " --> model.py:2:16\n"
        "  |\n"
        "2 |     def forward(self, x:\n"
        "  |                ^ expected a `)` for it"
    )


def test_place_inside_an_fstring():
    with pytest.raises(CompileError) as error:
        parse(SourceFile("m.py", "x = 1\ny = f'{a} {b c}'\n"))
    assert (error.value.diagnostics[0].span.line, error.value.diagnostics[0].span.column) == (2, 14)
