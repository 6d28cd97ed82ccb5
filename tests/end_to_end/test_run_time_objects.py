"""Objects of script classes made at run time: interfaces, what fails at run time, what is refused."""

import sys
from pathlib import Path

import pytest

from torchcc import driver
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.script_types import INT
from torchcc.ir.signature import ScalarSpec
from torchcc.verify import verify_stages

sys.path.insert(0, str(Path(__file__).parent))
from run_time_programs import NODE, POINT, PRELUDE, native, program_of

SHAPES = """
@torch.jit.interface
class Shape:
    def area(self) -> float:
        pass
class Square:
    def __init__(self, side: float):
        self.side = side
    def area(self) -> float:
        return self.side * self.side
class Circle:
    def __init__(self, r: float):
        self.r = r
    def area(self) -> float:
        return 3.0 * self.r * self.r
def f(n: int):
    l: List[Shape] = []
    for i in range(n):
        l.append(Square(float(i)))
    for i in range(n):
        l.append(Circle(float(i)))
    best: Shape = l[0]
    s = 0.0
    for k in l:
        s += k.area()
        if k.area() > best.area():
            best = k
    return best.area(), s
"""


def test_an_interface_whose_class_is_known_at_run_time():
    """The second class is met when the list is made already: the specialiser starts again."""
    program = program_of(SHAPES)
    assert all(line.agrees for line in verify_stages(program, [ScalarSpec(INT)], [4]))
    assert native(SHAPES, [4])(4) == (27.0, 56.0)


FAILING = {
    "index": POINT + "def f(n: int):\n  l: List[Point] = []\n  for i in range(n):\n    l.append(Point(i, 1.0))\n  return l[n].x\n",
    "none": NODE + "def f(n: int):\n  a = Node(0)\n  for i in range(n):\n    b = Node(i)\n    b.next = a\n    a = b\n  for i in range(n + 2):\n    c = a.next\n    assert c is not None, 'the end'\n    a = c\n  return a.value\n",
}


@pytest.mark.parametrize("name", FAILING)
def test_failures(name):
    program = program_of(FAILING[name])
    with pytest.raises(ExecutionError) as expected:
        Interpreter(driver.composite).run_program(program, [4])
    call = native(FAILING[name], [4])
    for _ in range(2):  # the second time it finds no traces of the first
        with pytest.raises(ExecutionError) as found:
            call(4)
        assert found.value.message == expected.value.message


REFUSED = {
    "a module chosen at run time": (
        "class M(torch.nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.a = torch.nn.Linear(2, 2)\n"
        "  def forward(self, n: int):\n    l = [self.a]\n    for i in range(n):\n      l.append(self.a)\n    return len(l)\n",
        "M",
        "",
    ),
    "an attribute of two dtypes": (
        "class A:\n  def __init__(self, x: Tensor):\n    self.x = x\n"
        "def f(n: int):\n  l: List[A] = []\n  for i in range(n):\n    l.append(A(torch.zeros(2)))\n    l.append(A(torch.zeros(2) > 0))\n"
        "  return len(l)\n",
        "f",
        "the dtype or number of dimensions of the tensors",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    source, entry, message = REFUSED[name]
    with pytest.raises(CompileError, match=message) as found:
        driver.lower(compile_text(PRELUDE + source, entry=entry), [ScalarSpec(INT)])
    assert found.value.diagnostics[0].span is not None
