"""Weights of linear layers in 16 bits: exactly where they are such numbers, rounded where that is asked for."""

from __future__ import annotations

import numpy as np
import pytest

import torchcc
from torchcc import TensorSpec, driver
from torchcc.backend.cpu.host import named_target
from torchcc.backend.cpu.jit import compile_module
from torchcc.ir.dtypes import DType
from torchcc.ir.schedule import Schedules

SOURCE = """
import torch
from torch import Tensor

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("held", (torch.arange(96 * 64) % 251).to(torch.float32).reshape(96, 64) - 100.0)
        self.plain = torch.nn.Linear(96, 80)

    def forward(self, x: Tensor):
        short = torch.nn.functional.linear(x, self.held.to(torch.bfloat16).to(torch.float32))
        half = torch.relu(torch.nn.functional.linear(x, self.held.to(torch.float16).to(torch.float32)[:90] * 1.5))
        return short, half, self.plain(short)
"""


@pytest.fixture(scope="module")
def program():
    return torchcc.compile_source(SOURCE).Net().forward.program


def lowered(program, rows):
    return driver.lower(program, [TensorSpec(torchcc.float32, (rows, 64))], schedules=Schedules())


def results(module, x):
    return compile_module(module.modules["loops"], module.signature).call_flat([x])


def types(module):
    text = driver.print_stage(module, "linalg")
    return [f"{shape}x{kind}" for shape in ("96x64", "64x96", "90x64", "64x90", "80x96", "96x80") for kind in ("f32", "f16", "bf16") if f"tensor<{shape}x{kind}>" in text]


def test_what_is_exact_is_kept_in_16_bits(program):
    x = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)
    module = lowered(program, 3)
    assert sorted(t.partition("x")[2].rpartition("x")[2] for t in types(module)) == ["bf16", "f16", "f32"]
    held = (np.arange(96 * 64) % 251).astype(np.float64).reshape(96, 64) - 100.0
    short, half, _ = results(module, x)
    np.testing.assert_allclose(short, x @ held.T, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(half, np.maximum(x @ (held[:90] * 1.5).T, 0), rtol=1e-5, atol=1e-3)


def test_many_rows_wait_for_arithmetic(program):
    assert all(t.endswith("xf32") for t in types(lowered(program, 65)))


def test_weights_are_rounded_where_that_is_asked_for(program, monkeypatch):
    x = np.random.default_rng(1).standard_normal((1, 64)).astype(np.float32)
    exact = results(lowered(program, 1), x)
    monkeypatch.setenv("TORCHCC_WEIGHTS", "bf16")
    assert named_target("x86-64-v3").facts.short_weights
    loops = driver.lower(program, [TensorSpec(torchcc.float32, (1, 64))], "x86-64-v3", schedules=Schedules())
    assert not any(t.endswith("xf32") for t in types(loops))
    rounded = results(loops, x)
    np.testing.assert_array_equal(rounded[0], exact[0])
    scale = float(np.abs(exact[2]).max())
    assert 0 < float(np.abs(rounded[2] - exact[2]).max()) < 2.0**-8 * scale * 3
    monkeypatch.setenv("TORCHCC_WEIGHTS", "tiny")
    with pytest.raises(torchcc.CompileError, match="TORCHCC_WEIGHTS is `tiny`"):
        named_target("x86-64-v3")


def test_dtypes_of_short_models():
    """A model in bf16 multiplies as it did: its operands are extended, one rounding at the end."""
    text = "import torch\nfrom torch import Tensor\ndef f(x: Tensor, w: Tensor):\n    return torch.nn.functional.linear(x, w)\n"
    program = torchcc.compile_source(text).f.program
    specs = [TensorSpec(DType.bfloat16, (1, 64)), TensorSpec(DType.bfloat16, (96, 64))]
    assert "arith.extf" in driver.print_stage(driver.lower(program, specs), "loops")
