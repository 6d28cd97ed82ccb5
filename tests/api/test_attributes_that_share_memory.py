"""Modules with attributes that are views of one memory: results, attributes and what shares memory are PyTorch's after each call."""

import io
from typing import List

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc.cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="runs the modules")
from torch import Tensor, nn  # noqa: E402


class Shared(nn.Module):
    """`b` is a part of `a`, and `d` all of it, transposed."""

    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.arange(6.0).view(2, 3))
        self.register_buffer("b", self.a.view(-1)[1:4])
        self.register_buffer("c", self.a)
        self.register_buffer("d", self.a.t())
        self.register_buffer("alone", torch.zeros(2))


class WritesWhole(Shared):
    def forward(self, x: Tensor):
        self.a.add_(x)
        return self.b * 1


class WritesPart(Shared):
    def forward(self, x: Tensor):
        self.b.add_(x)
        self.c[1, 1] = 7
        return self.a.sum(), self.b


class WritesTransposed(Shared):
    def forward(self, x: Tensor):
        self.d[0] += x
        return self.a + 0, self.c, self.d

    @torch.jit.export
    def other(self, x: Tensor):
        self.alone += x
        return self.alone * 1


class ReplacesOne(Shared):
    def forward(self, x: Tensor):
        self.a = x * torch.ones(2, 3)
        self.b.add_(1)
        return self.a, self.b

    @torch.jit.export
    def other(self, x: Tensor):
        self.d.mul_(2)
        return self.b


class ReturnsThem(Shared):
    def forward(self, x: Tensor):
        return self.a, self.b, self.d


class RaisesAfterAWrite(Shared):
    def forward(self, x: Tensor):
        self.b.add_(x)
        if bool(x.sum() > 1):
            raise ValueError("too large")
        return self.a * 1


class InAList(nn.Module):
    l: List[Tensor]

    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.arange(6.0))
        self.l = [self.a, self.a[2:4], torch.ones(2)]

    def forward(self, x: Tensor):
        self.l[1].add_(x)
        self.l.append(self.a[:2])
        return self.a * 1, self.l


class ComesToShare(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.arange(6.0))
        self.register_buffer("b", torch.zeros(3))

    def forward(self, x: Tensor):
        self.b = self.a[1:4]
        return self.a * 1

    @torch.jit.export
    def other(self, x: Tensor):
        self.b += x
        return self.a, self.b


class RowsInALoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("cache", torch.zeros(4, 3))
        self.register_buffer("last", torch.zeros(3))

    def forward(self, x: Tensor):
        for i in range(int(x.sum())):
            self.last = self.cache[i]
            self.last += x
        return self.cache * 1


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(2, 2, bias=False)
        self.one.weight = nn.Parameter(torch.arange(4.0).view(2, 2), requires_grad=False)
        self.two = nn.Linear(2, 2, bias=False)
        self.two.weight = self.one.weight
        self.register_buffer("row", self.one.weight[1])

    def forward(self, x: Tensor):
        self.one.weight.mul_(x)
        self.row[0] += 1
        return self.two(torch.ones(1, 2))


CASES = (
    WritesWhole, WritesPart, WritesTransposed, ReplacesOne, ReturnsThem, RaisesAfterAWrite, InAList, ComesToShare, RowsInALoop, Tied,
)  # fmt: skip


def tensors(value):
    if isinstance(value, list | tuple):
        return [t for v in value for t in tensors(v)]
    return [value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)]


def attributes(module, names):
    return [t for n in names for t in tensors(eval(f"m.{n}", {"m": module}))]


def outcome(module, call, argument):
    try:
        return tensors(getattr(module, call)(argument))
    except (torch.jit.Error, torchcc.ExecutionError):
        return []


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_attributes_that_are_views_of_one_memory(case):
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(case().eval()), file)
    file.seek(0)
    theirs, mine = torch.jit.load(file), torchcc.load(file.getvalue())
    names = [*(n for n, _ in theirs.named_buffers()), *(n for n, _ in theirs.named_parameters()), *(["l"] if hasattr(theirs, "l") else [])]
    held = [], []
    others = ["other", "forward", "other"] if hasattr(theirs, "other") else []
    for k, call in enumerate(["forward", "forward", *others]):
        given = np.array([k + 1.0], np.float32)
        for results, module, argument in zip(held, (theirs, mine), (torch.from_numpy(given.copy()), given.copy())):
            results += outcome(module, call, argument)
        expected, found = ([*results, *attributes(m, names)] for results, m in zip(held, (theirs, mine)))
        assert [v.tolist() for v in found] == [v.tolist() for v in expected], k
        sharing = ([[bool(np.shares_memory(v, w)) for w in values] for v in values] for values in (found, expected))
        assert next(sharing) == next(sharing), k


def test_attributes_of_source_that_share_memory():
    source = """
import torch
from torch import nn, Tensor
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.arange(6.0))
        self.register_buffer("b", self.a[1:4])
    def forward(self, x: Tensor):
        self.b += x
        return self.a * 1
"""
    module = torchcc.compile_source(source).M()
    for k in (1, 2):
        assert module(np.ones(1, np.float32)).tolist() == [0, 1 + k, 2 + k, 3 + k, 4, 5]


def test_libraries_keep_no_attributes_that_share_memory(tmp_path):
    torch.jit.save(torch.jit.script(WritesPart().eval()), str(tmp_path / "m.pt"))
    given = ["compile", str(tmp_path / "m.pt"), "--input", "x=f32[1]", "-o", str(tmp_path / "libm.so")]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 1 and "and others share memory" in result.output
