"""Random programs with views, in-place writes, branches, loops and lists: every step of lowering agrees, and so does torch."""

import io
import random

import numpy as np
import pytest

from torchcc.frontend.archive import load
from torchcc.frontend.archive.writer import save
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError

DECIDED_BY_LAYOUT = ("view size is not compatible", "single memory location")
"""Errors of torch that depend on strides: compiled code has no strides and goes on."""


class Program:
    """Source of `f(x, y, n, m)`; x and y are 2x3 tensors that no statement gives another shape."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines, self.count, self.depth, self.loops = [], 0, 0, 0
        self.tensors, self.numbers, self.counters = ["x", "y"], ["n", "m"], []
        self.tensor_lists, self.number_lists = [], []
        for _ in range(self.random.randint(4, 10)):
            self.statement()
        returned = [*self.tensors, *self.tensor_lists, *self.numbers]
        if any("return" in line for line in self.lines):
            returned = ["x", "y", "n"]
        self.write(f"return ({', '.join(returned)})")
        self.source = "def f(x, y, n: int, m: int):\n" + "\n".join(self.lines) + "\n"

    def write(self, text):
        self.lines.append("    " * (self.depth + 1) + text)

    def new(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    def tensor(self):
        return self.random.choice(self.tensors)

    def number(self):
        return self.random.choice([*self.numbers, *self.counters, str(self.random.randint(-2, 4))])

    def number_expression(self):
        options = [
            f"({self.number()} + {self.number()}) % 5",
            f"({self.number()} * {self.number()}) % 7",
            f"{self.tensor()}.size({self.random.choice([0, 1])})",
            self.number(),
        ]
        if self.number_lists:
            options.append(f"{self.random.choice(self.number_lists)}[{self.random.choice([0, 1, -1])}]")
        return self.random.choice(options)

    def tensor_expression(self):
        a, b = self.tensor(), self.tensor()
        options = [
            f"{a} + {b}", f"{a} * {self.number()}", f"{a} - {b}", f"torch.relu({a})", f"{a}.t().t()",
            f"{a}.view(-1).view(2, 3)", f"{a}[0].expand(2, 3) * 1", f"{a}.clone()", f"torch.where({a} > {b}, {a}, {b})",
            f"{a}.reshape(3, 2).t()", f"{a}.contiguous()", f"{a} / 2", f"{a}[:, [0, 1, 2]]",
        ]  # fmt: skip
        if self.tensor_lists:
            options.append(f"{self.random.choice(self.tensor_lists)}[{self.random.choice([0, -1])}]")
        return self.random.choice(options)

    def condition(self):
        return self.random.choice(
            [
                f"{self.number()} > {self.number()}",
                f"bool({self.tensor()}.sum() > {self.number()})",
                f"{self.number()} % 2 == 0",
                f"{self.number()} < {self.number()} and {self.number()} != 0",
            ]
        )

    def in_place(self):
        target = self.tensor()
        self.write(
            self.random.choice(
                [
                    f"{target} += {self.random.choice([self.tensor(), self.number()])}",
                    f"{target}[{self.random.choice([0, 1, -1])}] = {self.number()}",
                    f"{target}[0] = {self.tensor()}[0]",
                    f"{target}[:, {self.random.choice([0, 1, 2])}] += {self.number()}",
                    f"{target}.view(-1)[{self.random.choice(['0', '1:4', '::2'])}].mul_({self.number()})",
                    f"{target}.t()[1].copy_({self.tensor()}[:, 0].clone())",
                    f"{target}.mul_(2)",
                ]
            )
        )

    def statement(self):
        kind = self.random.randrange(16)
        outside = self.depth == 0
        if kind < 3:
            name = self.new("t") if outside and self.random.random() < 0.5 else self.tensor()
            self.write(f"{name} = {self.tensor_expression()}")
            self.tensors = list(dict.fromkeys([*self.tensors, name]))
        elif kind < 5:
            name = self.new("i") if outside and self.random.random() < 0.5 else self.random.choice(self.numbers)
            self.write(f"{name} = {self.number_expression()}")
            self.numbers = list(dict.fromkeys([*self.numbers, name]))
        elif kind < 9:
            self.in_place()
        elif kind == 9 and outside:
            self.lists()
        elif kind == 10 and self.tensor_lists:
            self.write(
                f"{self.random.choice(self.tensor_lists)}[{self.random.choice([0, 1])}] = {self.tensor_expression()}"
            )
        elif kind == 11 and self.number_lists:
            self.write(
                f"{self.random.choice(self.number_lists)}[{self.random.choice([0, 1])}] = {self.number_expression()}"
            )
        elif kind in (12, 13) and self.depth < 3:
            self.write(f"if {self.condition()}:")
            self.block()
            if self.random.random() < 0.6:
                self.write("else:")
                self.block()
        elif kind == 14 and self.depth < 3:
            self.loop()
        elif kind == 15:
            self.jump()

    def lists(self):
        name = self.new("l")
        if self.random.random() < 0.5:
            self.write(f"{name} = [{self.tensor()}, {self.tensor()}]")
            self.tensor_lists.append(name)
        else:
            self.write(f"{name} = [{self.number()}, {self.number()}, {self.number()}]")
            self.number_lists.append(name)

    def loop(self):
        name = self.new("j")
        self.write(f"for {name} in range({self.random.choice(['3', 'n', '12', '2'])}):")
        self.counters.append(name)
        self.loops += 1
        self.block()
        self.loops -= 1
        self.counters.remove(name)

    def jump(self):
        choice = self.random.random()
        if choice < 0.3:
            self.write(f"assert {self.condition()}, 'bad'")
        elif self.loops and choice < 0.7:
            self.write(f"if {self.condition()}:")
            self.write("    " + self.random.choice(["break", "continue"]))
        elif self.depth:
            self.write(f"if {self.condition()}:")
            self.write("    return (x, y, n)")

    def block(self):
        saved = [list(v) for v in (self.tensors, self.numbers, self.tensor_lists, self.number_lists)]
        self.depth += 1
        before = len(self.lines)
        for _ in range(self.random.randint(1, 3)):
            self.statement()
        if len(self.lines) == before:
            self.write(f"{self.tensor()}.mul_(2)")
        self.depth -= 1
        self.tensors, self.numbers, self.tensor_lists, self.number_lists = saved


@pytest.mark.parametrize("start", range(0, 120, 20))
def test_random_programs(start, steps, same, in_torch):
    compiled = 0
    for seed in range(start, start + 20):
        source = Program(seed).source
        values = np.random.RandomState(seed)
        tensors = [values.randint(-3, 4, (2, 3)).astype(np.float32) for _ in range(2)]
        args = [*tensors, int(values.randint(0, 5)), int(values.randint(-2, 3))]
        expected = in_torch(source, args)
        if isinstance(expected, Exception) and any(text in str(expected) for text in DECIDED_BY_LAYOUT):
            continue
        for dynamic in (False, True):
            try:
                found = steps(source, args, dynamic=dynamic).check()
            except CompileError as error:
                assert "only known at run time" in str(error) or isinstance(expected, Exception), source
                continue
            compiled += 1
            if isinstance(expected, Exception):
                assert isinstance(found, ExecutionError), source
            else:
                same(expected, found)
    assert compiled >= 20, "most programs compile"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_random_programs_as_archives():
    """Written as an archive, PyTorch reads the same program; so do we, and write the same bytes."""
    torch = pytest.importorskip("torch", reason="PyTorch reads what is written")

    def outcome(function):
        args = [torch.arange(6.0).view(2, 3) - 2, torch.full((2, 3), 0.5), 2, 3]
        try:
            return str((function(*args), args))
        except (RuntimeError, IndexError, torch.jit.Error) as error:
            return str(error).splitlines()[-1]

    for seed in range(60):
        source = Program(seed).source
        try:
            program = compile_text(source)
        except CompileError:
            continue
        file, again = io.BytesIO(), io.BytesIO()
        save(program, file)
        data = file.getvalue()
        assert outcome(torch.jit.load(io.BytesIO(data))) == outcome(torch.jit.CompilationUnit(source).f), source
        save(load(data), again)
        assert again.getvalue() == data, source
