"""`torchcc compile --timings`: a table of steps, and one of kernels."""

import re

import pytest
from typer.testing import CliRunner

from torchcc.backend.cpu.host import host
from torchcc.cli.main import app

PROGRAM = """
import torch
from torch import Tensor

def f(x: Tensor, w: Tensor):
    h = torch.relu(x @ w)
    return torch.softmax(h, -1)
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_NUM_THREADS", "2")
    host.cache_clear()
    (tmp_path / "net.py").write_text(PROGRAM)
    yield tmp_path / "net.py"
    host.cache_clear()


def compiled(source, *more):
    arguments = ["compile", str(source), "-i", "x=f32[512,256]", "-i", "w=f32[256,512]", *more]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_steps_and_kernels(source, tmp_path):
    output = compiled(source, "-o", str(tmp_path / "net.o"), "--timings")
    steps, kernels = output.split("LLVM, each kernel alone:")
    rows = re.findall(r"(?m)^(\d+\.\d) +\d+\.\d % +(\w+) +(.+)$", steps)
    names = [name for _, _, name in rows]
    assert names[:3] == ["parse and check", "specialize", "functionalize"] and names[-1] == "optimize and assemble"
    assert names.index("bufferize") < names.index("fuse-loops") < names.index("parallelize")
    total = float(re.search(r"(?m)^(\d+\.\d) +all steps$", steps)[1])
    assert total == pytest.approx(sum(float(ms) for ms, _, _ in rows), abs=0.1 * len(rows))
    assert "net.py:6" in kernels and "net.py:7" in kernels and "what is no kernel" in kernels


def test_of_text(source, tmp_path):
    output = compiled(source, "-o", str(tmp_path / "net.ll"), "--timings")
    assert "print llvm" in output and "each kernel" not in output
    assert "ms " not in compiled(source, "-o", str(tmp_path / "net.ll"))
