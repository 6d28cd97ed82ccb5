"""Deep nesting and long programs: the right result, or one clear error, in bounded time."""

import time

import pytest

from torchcc.api import compile_source
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.interpreters.torch import Interpreter

LIMIT = 30.0
"""Seconds; a run takes a few."""


def nested(count, line, inner):
    return "".join(f"{'  ' * (i + 1)}{line.format(i)}\n" for i in range(count)) + "  " * (count + 1) + inner


REFUSED = {
    "parentheses": "def f(n: int): return " + "(" * 10_000 + "n" + ")" * 10_000,
    "lists": "def f(n: int): return " + "[" * 1000 + "n" + "]" * 1000,
    "never closed": "def f(n: int): return " + "(" * 100_000,
    "ifs": "def f(n: int):\n" + nested(1000, "if n > {}:", "return 1\n") + "  return 0",
    "loops": "def f(n: int):\n  s = 0\n" + nested(300, "for i{} in range(n):", "s += 1\n") + "  return s",
    "elifs": "def f(n: int):\n  if n == 0: return 0\n" + "".join(f"  elif n == {i}: return {i}\n" for i in range(1, 1000)) + "  return -1",
    "early returns": "def f(n: int):\n" + "".join(f"  if n == {i}: return {i}\n" for i in range(1000)) + "  return -1",
    "powers": "def f(n: float): return " + " ** ".join(["n"] * 3000),
    "signs": "def f(n: int): return " + "-" * 5000 + "n",
    "calls": "def f(n: int): return " + "abs(" * 1000 + "n" + ")" * 1000,
    "method calls": "def f(x): return x" + ".relu()" * 3000,
    "functions": "".join(f"def g{i}(n: int): return {f'g{i - 1}(n) + 1' if i else 'n'}\n" for i in range(1000)) + "def f(n: int): return g999(n)",
    "annotations": "def f(n: " + "List[" * 1000 + "int" + "]" * 1000 + "): return 1",
    "lambdas": "def f(n: int): return " + "lambda: " * 1000 + "n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    start = time.monotonic()
    with pytest.raises(CompileError) as caught:
        compile_text("from typing import List\n" + REFUSED[name], "deep.py", "f")
    assert time.monotonic() - start < LIMIT
    assert len(caught.value.diagnostics) == 1
    assert "nested too deeply" in str(caught.value) or "lambdas" in str(caught.value) or "called" in str(caught.value)
    assert len(str(caught.value)) < 2500, "a long line is shown in part"


ACCEPTED = {
    "sum": ("def f(n: int): return " + " + ".join(["n"] * 3000), 2, 6000),
    "and": ("def f(n: int): return " + " and ".join(["n > 1"] * 500), 2, True),
    "comparisons": ("def f(n: int): return " + " < ".join(["n"] * 300), 2, False),
    "strings": ("def f(n: int): return " + "'a' " * 5000, 2, "a" * 5000),
    "tuple": ("def f(n: int): return (" + "n, " * 2000 + ")", 2, (2,) * 2000),
    "statements": ("def f(n: int):\n" + "".join(f"  a{i} = n + {i}\n" for i in range(3000)) + "  return a7", 2, 9),
    "ifs in a row": ("def f(n: int):\n  r = 0\n" + "".join(f"  if n > {i}: r += {i}\n" for i in range(300)) + "  return r", 5, 10),
    "early returns": ("def f(n: int):\n" + "".join(f"  if n == {i}: return {i}\n" for i in range(40)) + "  return -1", 39, 39),
    "elifs": ("def f(n: int):\n  if n == 0: return 0\n" + "".join(f"  elif n == {i}: return {i}\n" for i in range(1, 40)) + "  return -1", 17, 17),
    "nested ifs": ("def f(n: int):\n" + nested(40, "if n > {}:", "return 1\n") + "  return 0", 50, 1),
    "parentheses": ("def f(n: int): return " + "(" * 80 + "n" + ")" * 80, 2, 2),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    text, argument, expected = ACCEPTED[name]
    start = time.monotonic()
    assert Interpreter().run_program(compile_text(text, "long.py", "f"), [argument]) == expected
    assert compile_source(text).f(argument) == expected
    assert time.monotonic() - start < LIMIT


def test_every_definition_with_a_syntax_error_is_reported():
    text = "def f(x):\n    y = x +\n    return y\n\n@torch.jit.script\nclass A:\n    def g(self:\n        return 1\n\n"
    text += "def good(x: int): return x\n\ndef h(n: int):\n    if n > 1\n        return 2\n"
    with pytest.raises(CompileError) as caught:
        compile_text(text, "t.py", "good")
    lines = [d.span.file.position(d.span.start)[0] for d in caught.value.diagnostics]
    assert lines == [2, 7, 13]
