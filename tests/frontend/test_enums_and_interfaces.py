"""Enum classes, interfaces, and modules that are found by a run-time index, in source files."""

from enum import Enum

import numpy as np
import pytest

from torchcc import driver
from torchcc.api import ScriptFunction
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.interpreters.torch import Interpreter

HEAD = """
import torch
import torch.nn as nn
from enum import Enum
from typing import Dict, List, Optional
from torch import Tensor

class Color(Enum):
    RED = 1
    GREEN = 2

class Mode(Enum):
    SUM = "sum"
    MEAN = "mean"
"""

X = np.arange(3, dtype=np.float32)


def results(text, *args, entry=None):
    """By the interpreter and as native code; both are the same."""
    program = compile_text(HEAD + text, entry=entry)
    if program.receiver is not None:
        program.receiver.set_training(False)
    got = Interpreter(driver.composite).run_program(program, [a.copy() if isinstance(a, np.ndarray) else a for a in args])
    np.testing.assert_allclose(ScriptFunction(program)(*args), got, rtol=1e-6)
    return got


def test_members_and_their_values():
    text = """
def f(x):
    c = Color.GREEN
    y = x * c.value + len(c.name)
    if c == Color.GREEN and c != Color.RED:
        y = y + 100
    table: Dict[str, Mode] = {"a": Mode.MEAN}
    return y + len(table["a"].value)
"""
    np.testing.assert_array_equal(results(text, X, entry="f"), X * 2 + 5 + 100 + 4)


def test_attributes():
    text = """
class Net(nn.Module):
    def __init__(self, color):
        super().__init__()
        self.color = color
        self.colors = [Color.RED, color]
    def forward(self, x: Tensor, other: Color = Color.RED):
        if self.color == other:
            return x
        return x * self.colors[1].value
"""
    np.testing.assert_array_equal(results(text, X, entry="Net(Color.GREEN)"), X * 2)
    np.testing.assert_array_equal(results(text, X, entry="Net(Color.RED)"), X)


def test_arguments():
    class Color(Enum):
        RED = 1
        GREEN = 2

    program = compile_text(HEAD + "def f(x: Tensor, c: Color, o: Optional[Color] = None):\n    return x * c.value\n", entry="f")
    function = ScriptFunction(program)
    np.testing.assert_array_equal(function(X, Color.GREEN), X * 2)
    with pytest.raises(CompileError, match="must be a member of the enum .*Color: RED, GREEN"):
        function(X, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Bad(Enum):\n    A = 1\n    B = 'b'\ndef f(x):\n    return x * Bad.A.value\n", "must be all int"),
        ("def f(x):\n    return x * Color(1).value\n", "cannot call the enum `Color`"),
        ("def f(x):\n    return x * Color.BLUE.value\n", "has no `BLUE`"),
        ("def f(x):\n    if Color.RED < Color.GREEN:\n        return x\n    return x * 2\n", "no variant takes"),
        ("def f(x):\n    if Color.RED == Mode.SUM.value:\n        return x\n    return x * 2\n", "no variant takes"),
    ],
)
def test_what_enums_cannot_do(text, message):
    with pytest.raises(CompileError, match=message):
        compile_text(HEAD + text, entry="f")


STEPS = """
@torch.jit.interface
class Step(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass

class Plus(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1

class Times(nn.Module):
    def __init__(self, k: float):
        super().__init__()
        self.k = k
    def forward(self, x: Tensor) -> Tensor:
        return x * self.k

class Wrong(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y
"""

NET = """
class Net(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.steps = nn.ModuleList([Plus(), Times(3.0), last])
        self.named = nn.ModuleDict({"plus": Plus(), "times": Times(5.0)})
    def forward(self, x: Tensor, i: int, name: str = "plus"):
        step: Step = self.steps[i]
        other: Step = self.named[name]
        return other.forward(step.forward(x))
"""


@pytest.mark.parametrize(("i", "name"), [(0, "plus"), (1, "plus"), (2, "times")])
def test_modules_by_a_run_time_index(i, name):
    expected = [X + 1, X * 3, X * 7][i]
    expected = expected + 1 if name == "plus" else expected * 5
    np.testing.assert_allclose(results(STEPS + NET, X, i, name, entry="Net(Times(7.0))"), expected)


def test_a_module_without_the_methods():
    with pytest.raises(CompileError, match="`2` does not have all methods of the interface `Step`"):
        compile_text(HEAD + STEPS + NET, entry="Net(Wrong())")
