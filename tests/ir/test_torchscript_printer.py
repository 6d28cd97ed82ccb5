"""Functions as TorchScript text: what is said, what is left out, and what cannot be written."""

import pytest

import torchcc
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.torchscript.literals import print_float, print_number, print_string
from torchcc.ir.torchscript.printer import code_and_constants

HEAD = "import torch\nfrom torch import nn, Tensor\nfrom typing import *\nimport torch.nn.functional as F\n"


def code(text, entry=None):
    return code_and_constants(compile_text(HEAD + text, entry=entry), lambda function: None)[0]


def body(text):
    """Lines below the head of `f`."""
    return code(text).split(":\n", 1)[1].splitlines()


def test_a_value_with_a_name_has_a_line_and_others_stand_where_they_are_used():
    text = code("def f(x: Tensor, k: int = 3):\n    y = x * k + 1\n    return torch.relu(y - x), y\n")
    assert text == (
        "def f(x: Tensor,\n"
        "    k: int=3) -> Tuple[Tensor, Tensor]:\n"
        "  y = torch.add(torch.mul(x, k), 1)\n"
        "  return (torch.relu(torch.sub(y, x)), y)\n"
    )


def test_everything_is_evaluated_in_the_order_of_the_program():
    lines = body("def f(l: List[int]):\n    a = l.pop()\n    return [l.pop(), a, l.pop()]\n")
    assert lines == ["  a = torch.pop(l)", "  return [torch.pop(l), a, torch.pop(l)]"]
    lines = body("def f(l: List[int], x: Tensor):\n    a = l.pop() - x.size(l.pop())\n    return a\n")
    assert lines == ["  a = torch.sub(torch.pop(l), torch.size(x, torch.pop(l)))", "  return a"]
    lines = body("def f(l: List[int]):\n    b = l.pop() + (l.pop() if len(l) > 2 else 0)\n    return b\n")
    assert lines[0] == "  _0 = torch.pop(l)"


def test_defaults_are_left_out_and_keywords_named():
    assert body("def f(x):\n    return torch.add(x, x, alpha=2), x.sum([0]), x.sum([0], dtype=torch.float64)\n") == [
        "  return (torch.add(x, x, alpha=2), torch.sum(x, [0]), torch.sum(x, [0], dtype=7))",
    ]


def test_loops():
    assert body("def f(x, n: int):\n    for i in range(n):\n        x = x + i\n    return x\n") == [
        "  x0 = x",
        "  for i in range(n):",
        "    x0 = torch.add(x0, i)",
        "  return x0",
    ]
    assert body("def f(n: int):\n    while n > 3:\n        n = n - 1\n    return n\n") == [
        "  n0 = n",
        "  _0 = torch.gt(n, 3)",
        "  while _0:",
        "    n1 = torch.sub(n0, 1)",
        "    _0, n0 = torch.gt(n1, 3), n1",
        "  return n0",
    ]
    lines = body("def f(x, n: int):\n    for i in range(n):\n        if i == 3:\n            break\n        x = x + i\n    return x\n")
    assert "  while _0:" in lines and not any("break" in line for line in lines)


def test_branches_that_give_an_optional():
    lines = body("def f(x, k: int):\n    y: Optional[Tensor] = None\n    if k > 1:\n        y = x\n    return y\n")
    assert lines == [
        "  if torch.gt(k, 1):",
        "    y = unchecked_cast(Optional[Tensor], x)",
        "  else:",
        "    y = annotate(Optional[Tensor], None)",
        "  return y",
    ]


def test_types_of_literals():
    lines = body("def f():\n    a: List[int] = []\n    b: Dict[str, Optional[int]] = {'a': None}\n    c: List[Optional[int]] = [1, None]\n    return a, b, c\n")
    assert "  a = annotate(List[int], [])" in lines
    assert '  b = annotate(Dict[str, Optional[int]], {"a": None})' in lines
    assert "  c = annotate(List[Optional[int]], [1, None])" in lines


def test_a_module():
    text = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.body = nn.Sequential(nn.Linear(2, 2))\n"
        "    def forward(self, x):\n"
        "        return self.body(x)\n"
    )
    assert code(text) == "def forward(self,\n    x: Tensor) -> Tensor:\n  body = self.body\n  return (body).forward(x, )\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e10, "10000000000."), (1e16, "1e+16"), (0.1, "0.1"), (-0.0, "-0."), (5e-324, "5e-324"), (float("inf"), "inf"), (float("nan"), "nan")],
)
def test_floats_read_back_as_floats(value, text):
    assert print_float(value) == text


def test_complex_numbers():
    assert print_number(1 + 2j) == "1.+2.j" and print_number(2j) == "2.j"
    assert print_number(complex(float("nan"), -1)) == "torch.Complex(nan, -1.)"


def test_strings():
    assert print_string('a"b\\\n\t\r\0ü') == '"a\\"b\\\\\\n\\t\\015\\000ü"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(torch: Tensor):\n    return torch + 1\n", "a word that this function's text needs"),
        ("def f(x):\n    return x, '\\ud800'\n", "surrogates"),
    ],
)
def test_what_cannot_be_written(text, message):
    with pytest.raises(CompileError, match=message):
        code(text)


def test_the_property():
    function = torchcc.compile_source(HEAD + "def f(x, k: int = 2):\n    return x * k\n").f
    assert function.code == "def f(x: Tensor,\n    k: int=2) -> Tensor:\n  return torch.mul(x, k)\n"
