"""Bodies that are not written because an equal one was: the module is the same as if they had been."""

from __future__ import annotations

import re

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.backend.cpu.host import host
from torchcc.backend.llvm.equal_loops import EqualLoops
from torchcc.backend.llvm.translate import Options, translate_module
from torchcc.ir.signature import TensorSpec

NET = """\
import torch
from torch import Tensor, nn

class Block(nn.Module):
    def __init__(self, width: int, zero: float):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.out = nn.Conv2d(width, width, 1)
        self.zero = zero

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.conv(x) + x)
        return torch.softmax(self.out(y), 1).cumsum(3) * self.zero

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(*[Block(16, z) for z in (1.5, 1.5, 2.5, 1.5)])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)
"""


@pytest.fixture
def lowered(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_NUM_THREADS", "2")
    host.cache_clear()
    path = tmp_path / "net.py"
    path.write_text(NET)
    program = torchcc.compile_file(path).forward.program
    yield driver.lower(program, [TensorSpec(torchcc.float32, (1, 16, 20, 20))]).modules["loops"]
    host.cache_clear()


def numbered(text):
    """The text with metadata numbered in the order it is met in, what is not met left out."""
    lines = text.splitlines()
    nodes = {m[1]: line for line in lines if (m := re.match(r"!(\d+) = ", line))}
    numbers = {}

    def number(match):
        return f"!{numbers.setdefault(match[1], len(numbers))}"

    found = [re.sub(r"!(\d+)\b", number, line) for line in lines if not re.match(r"!\d+ = ", line)]
    done = 0
    while done < len(numbers):
        found.append(re.sub(r"!(\d+)\b", number, nodes[list(numbers)[done]]))
        done += 1
    return found


def test_the_module_is_the_same(lowered, monkeypatch):
    options = Options("torchcc.forward", threads=True)
    written = []
    body = EqualLoops.body

    def counted(self, e, op, symbol, place, captured, bounds, write):
        return body(self, e, op, symbol, place, captured, bounds, lambda: written.append(symbol) or write())

    monkeypatch.setattr(EqualLoops, "body", counted)
    found = translate_module(lowered, options)
    few = len(written)
    monkeypatch.setattr(EqualLoops, "body", lambda self, e, op, symbol, place, captured, bounds, write: (write(), e.fails))
    expected = translate_module(lowered, options)
    assert few < len(re.findall(r"(?m)^define internal i32 .*parallel", expected.text))
    assert numbered(found.text) == numbered(expected.text)
    assert [numbered(p.text) for p in found.parts] == [numbered(p.text) for p in expected.parts]


def test_zeros_of_either_sign():
    """1 / (x * 0) is another infinity for -0: bodies that differ in the sign of a zero only."""
    source = """\
from torch import Tensor
def f(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return (1.0 / (x * 0.0)).sum(1), (1.0 / (y * -0.0)).sum(1)
"""
    x = np.ones((512, 300), np.float32)
    plus, minus = torchcc.compile_source(source).f(x, x)
    assert np.isposinf(plus).all() and np.isneginf(minus).all()
