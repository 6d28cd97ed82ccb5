"""`torchcc profile`: a table of kernels and a trace."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from torchcc import api, measure
from torchcc.cli.main import app

PROGRAM = """
import torch
from torch import Tensor

def f(x: Tensor, w: Tensor):
    h = torch.relu(x @ w)
    return torch.softmax(h, -1)
"""

MODULE = """
import torch
import torch.nn as nn
from torch import Tensor

class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(8))

    def forward(self, x: Tensor):
        self.total += x.sum(0)
        return self.total * 2
"""


@pytest.fixture
def source(tmp_path):
    (tmp_path / "net.py").write_text(PROGRAM)
    return tmp_path / "net.py"


def run(*arguments):
    return CliRunner().invoke(app, ["profile", *map(str, arguments)])


def test_table_and_trace(source, tmp_path):
    trace = tmp_path / "trace.json"
    result = run(source, "--input", "x=f32[64,32]", "--input", "w=f32[32,16]", "--runs", 3, "--trace", trace)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["us", "of", "call"]
    assert any("net.py:6" in line for line in lines)
    assert any("outside of kernels" in line for line in lines)
    assert "GFLOP/s" in lines[-2]
    events = json.loads(trace.read_text())["traceEvents"]
    assert events[0]["name"] == "call"
    kernels = events[1:]
    assert kernels
    assert all(e["ph"] == "X" and e["dur"] > 0 and e["args"]["runs"] == 1 for e in kernels)
    # a matrix product has two operations for each of 64 x 16 x 32
    assert sum(e["args"]["operations"] for e in kernels) >= 2 * 64 * 16 * 32


def test_top(source):
    result = run(source, "--input", "x=f32[64,32]", "--input", "w=f32[32,16]", "--runs", 1, "--top", 1)
    assert result.exit_code == 0, result.output
    assert "smaller kernels" in result.stdout


def test_errors(source, tmp_path):
    assert run(source, "--input", "x=f32[4,3]", "--input", "w=f32[2,2]").exit_code == 1
    gone = run(source, "--input", "x=f32[4,3]", "--input", "w=f32[3,2]", "--runs", 1, "--trace", tmp_path / "no" / "t.json")
    assert gone.exit_code == 1
    assert "cannot write" in gone.stderr


def test_state_stays_as_it_is():
    module = api.compile_source(MODULE).Counter()
    x = np.ones((4, 8), np.float32)
    found = module.forward.settled(
        (api.spec_of(x),),
        [x],
        lambda specs, state: (measure.profile(module.forward.program, specs, [x], 2, state), None),
    ).result
    assert found.seconds > 0
    assert sum(k.seconds for k in found.kernels) <= found.seconds * 1.5
    np.testing.assert_array_equal(module(x), np.full(8, 8, np.float32))
