"""Random programs on lists: every stage computes what Python does, native code among them."""

import random

import numpy as np
import pytest

from torchcc import driver
from torchcc.frontend.compile import compile_text
from torchcc.ir.dtypes import DType
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.script_types import INT
from torchcc.ir.signature import Dim, ScalarSpec, TensorSpec
from torchcc.verify import structured_difference, verify_stages

SEEDS = [*range(24), 116, 119, 181, 182, 186, 225]

HEAD = """
import torch
from torch import Tensor
from typing import List, Tuple

def f(n: int, x: Tensor):
    a: List[int] = [1, 2]
    b: List[int] = []
    c: List[List[int]] = []
    t: List[Tuple[int, float]] = []
    ts: List[Tensor] = []
    s = n
"""

STATEMENTS = [
    "{l}.append({e})",
    "if len({l}) > 0: s += {l}.pop()",
    "if len({l}) > 1: {l}[1] = {e}; s += {l}[-1]",
    "{l} = {m}[:]",
    "{l} = {m}",
    "{l} = [{e}, {d}]",
    "if len({l}) < 20: {l}.extend({m})",
    "{l}.insert({e}, {d})",
    "if len(c) < 12: c.append({l})",
    "if len(c) > 0: c[-1].append({e})",
    "if len(c) > 0 and len(c[0]) > 0: s += c[0][0]",
    "{l}.reverse()",
    "{l}.sort()",
    "s = (s * 3 + {e}) % 101",
    "if {e} in {l}: s += {l}.index({e})",
    "t.append((s, s * 0.5))",
    "if len(t) > 0: s += t[-1][0]",
    "ts.append(x * s)",
    "if len(ts) > 0: x = ts[len(ts) // 2] + 1",
    "{l} = [v + 1 for v in {m}]",
    "if len({l}) > 0: del {l}[0]",
    "{l} = {m}[{slice}]",
]
EXPRESSIONS = ["s", "len(a)", "len(b)", "n", "-1", "0", "3", "sum(b)", "(s % 7)", "len(c)", "(a[0] if len(a) > 0 else 3)"]


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = []

    def program(self):
        for _ in range(self.random.randrange(4, 9)):
            self.statement(1, 0)
        return HEAD + "\n".join(self.lines) + "\n    return a, b, c, t, s, ts, x\n"

    def line(self, indent, text):
        head, colon, rest = text.partition(": ")
        if text.startswith("if ") and colon:
            self.line(indent, head + ":")
            for part in rest.split("; "):
                self.line(indent + 1, part)
        else:
            self.lines.append("    " * indent + text)

    def block(self, indent, depth):
        for _ in range(self.random.randrange(1, 4)):
            self.statement(indent, depth)

    def statement(self, indent, depth):
        choose = self.random.choice
        kind = self.random.randrange(len(STATEMENTS) + 6)
        if kind < len(STATEMENTS) or depth > 2:
            text = STATEMENTS[kind % len(STATEMENTS)]
            names = {"l": choose("ab"), "m": choose("ab"), "e": choose(EXPRESSIONS), "d": choose(EXPRESSIONS)}
            self.line(indent, text.format(**names, slice=choose(["1:", "::2", "-2:", ":2"])))
        elif kind % 2:
            self.line(indent, f"if {choose(EXPRESSIONS)} > {choose(EXPRESSIONS)}:")
            self.block(indent + 1, depth + 1)
            if self.random.random() < 0.5:
                self.line(indent, "else:")
                self.block(indent + 1, depth + 1)
        elif kind % 4 and depth < 2:
            self.line(indent, f"for i{indent} in range({choose(['n', '3', 'len(a)'])}):")
            self.block(indent + 1, depth + 1)
        else:
            self.line(indent, f"w{indent} = 0")
            self.line(indent, f"while w{indent} < {choose(['n', '4'])}:")
            self.line(indent + 1, f"w{indent} += 1")
            self.block(indent + 1, depth + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_program(seed):
    torch = pytest.importorskip("torch", reason="the expected values are those of Python and PyTorch")
    source = Writer(seed).program()
    arguments = [seed % 6, np.ones(2, np.float32)]
    names = {}
    exec(source, names)
    *numbers, tensors, x = names["f"](arguments[0], torch.ones(2))
    expected = (*numbers, [t.numpy() for t in tensors], x.numpy())
    program = compile_text(source, entry="f")
    found = Interpreter(driver.composite).run_program(program, arguments)
    assert structured_difference(expected, found) is None, source
    specs = [ScalarSpec(INT), TensorSpec(DType.float32, (Dim("k"),))]
    report = verify_stages(program, specs, arguments)
    assert all(line.agrees for line in report), (report, source)
