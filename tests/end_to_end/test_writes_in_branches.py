"""Tensors that are written under conditions and in loops stay where they are, whatever else looks at them."""

import re

import pytest

import torchcc
from torchcc import Dim, driver
from torchcc.frontend.compile import compile_text
from torchcc.ir.printer import print_module
from torchcc.ir.script_types import INT
from torchcc.ir.signature import ScalarSpec, TensorSpec

torch = pytest.importorskip("torch", reason="says what is right")

SOURCE = '''
import torch
from torch import Tensor
from typing import Tuple

def swapped(x: Tensor, y: Tensor, n: int) -> Tuple[Tensor, Tensor]:
    a = x.clone()
    b = y.clone()
    for i in range(n):
        if i % 2 == 0:
            a[i % 3] += 1.0
            a, b = b, a
        else:
            b[0] = a[1] * 2.0
    return a, b

def while_swapped(x: Tensor, y: Tensor, n: int) -> Tuple[Tensor, Tensor]:
    a = x.clone()
    b = y.clone()
    i = 0
    while i < n:
        a[i % 3] = b[1] + 1.0
        a, b = b, a
        i += 1
    return a, b

def old_and_new(x: Tensor, y: Tensor, n: int) -> Tuple[Tensor, Tensor, Tensor]:
    a = x.clone()
    old = a.clone()
    view = a[1]
    if n > 1:
        a[0] = 5.0
        a[1] += y[0]
    return old, a, view * 2.0

def previous(x: Tensor, y: Tensor, n: int) -> Tuple[Tensor, Tensor]:
    a = x.clone()
    before = y.clone()
    i = 0
    while i < n:
        before = a.clone()
        if i != 1:
            a[i % 3] = a[(i + 1) % 3] + before[0]
        i += 1
    return a, before

def both_from_one(x: Tensor, y: Tensor, n: int) -> Tuple[Tensor, Tensor]:
    a = x.clone()
    b = a
    if n > 2:
        p = a.clone()
        q = a.clone()
        p[0] = 1.0
        q[1] = 2.0
        a = p
        b = q
    return a, b

def another(x: Tensor, y: Tensor, n: int) -> Tuple[Tensor, Tensor]:
    a = x.clone()
    for i in range(n):
        if i == 1:
            a = y + a
        elif i == 3:
            a[2] = a[0]
    return a, y

def nested(x: Tensor, y: Tensor, n: int) -> Tuple[Tensor, Tensor]:
    a = x.clone()
    d = y[0].clone()
    i = 0
    going = n > 0
    while going:
        if float(d[i % 2]) > 0.0:
            j = 0
            while j < 3 and float(a[j, 0]) < 4.0:
                row = a[j] * 2.0 + a[(j + 1) % 3]
                a[(j + 1) % 3] = a[j]
                a[j] = row
                if j == 1:
                    d[0].fill_(float(d[0]) - 1.0)
                j += 1
        else:
            d[1].fill_(float(d[1]) + 1.0)
            a = a - 0.5
        i += 1
        going = i < n
    return a, d

def read_while_written(x: Tensor, y: Tensor, n: int) -> Tuple[Tensor, Tensor]:
    a = x.clone()
    total = torch.zeros_like(y)
    i = 0
    while i < n:
        shifted = torch.roll(a, [1], [0])
        if i % 2 == 0:
            a[0] = shifted[0]
            total = total + a * shifted
        else:
            total[1] = shifted[2]
        i += 1
    return total, a
'''
NAMES = tuple(re.findall(r"^def (\w+)", SOURCE, flags=re.M))


@pytest.fixture(scope="module")
def program():
    return torchcc.compile_source(SOURCE)


@pytest.fixture(scope="module")
def eager():
    space = {}
    exec(SOURCE, space)
    return space


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", NAMES)
def test_as_eager(program, eager, name, dynamic):
    function = getattr(program, name)
    if dynamic:
        extents = (Dim("m", 3, 8), Dim("k", 2, 8))
        spec = TensorSpec(torchcc.float32, extents)
        function = function.compile(x=spec, y=spec, n=ScalarSpec(INT))
    torch.manual_seed(0)
    for n in (0, 1, 2, 5):
        x, y = torch.randn(3, 4), torch.randn(3, 4)
        kept = x.clone(), y.clone()
        for ours, theirs in zip(function(x, y, n), eager[name](x, y, n), strict=True):
            torch.testing.assert_close(torch.as_tensor(ours), theirs)
        assert torch.equal(x, kept[0]) and torch.equal(y, kept[1])


@pytest.mark.parametrize("extent", [3, Dim("m", 2, 8)], ids=["static", "dynamic"])
def test_nothing_is_copied_in_the_loop(extent):
    source = """
def f(x: Tensor, y: Tensor, n: int) -> Tensor:
    a = x.clone()
    i = 0
    while i < n:
        if float(y[i]) > 0.0:
            a[i] = a[i + 1] * 2.0
        i += 1
    return a
"""
    specs = [TensorSpec(torchcc.float32, (8, extent)), TensorSpec(torchcc.float32, (8,)), ScalarSpec(INT)]
    module = driver.lower(compile_text("from torch import Tensor\n" + source, "f.py", "f"), specs).modules["loops"]
    assert len(re.findall(r"memref.copy .*to memref<8x", print_module(module))) == 1
