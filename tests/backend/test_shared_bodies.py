"""Kernels of equal structure are one function, whatever constants they read."""

from __future__ import annotations

import re

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.backend.cpu import compile as cpu
from torchcc.backend.cpu.host import host
from torchcc.backend.llvm.sharing import Body, shared_definitions
from torchcc.ir.signature import TensorSpec

NET = """\
import torch
from torch import Tensor, nn

class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)) + x)

class Net(nn.Module):
    def __init__(self, depth: int = 4):
        super().__init__()
        self.blocks = nn.Sequential(*[Block(32) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)
"""


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_NUM_THREADS", "2")
    host.cache_clear()
    path = tmp_path / "net.py"
    path.write_text(NET)
    yield lambda depth: torchcc.compile_file(path, f"Net({depth})")
    host.cache_clear()


def text_of(net):
    program = net.forward.program
    lowered = driver.lower(program, [TensorSpec(torchcc.float32, (1, 32, 28, 28))])
    return cpu.translate(lowered.modules["loops"], lowered.signature, host()).text


def test_layers_share_their_code(net):
    texts = {depth: text_of(net(depth)) for depth in (2, 3, 8)}
    assert ".shared." in texts[8]
    # a further layer adds calls, not another kernel
    kernel = max(len(f) for f in re.findall(r"(?ms)^define.*?^}", texts[3]))
    assert len(texts[8]) - len(texts[3]) < kernel * 2


def test_each_layer_reads_its_own_weights(net):
    x = np.random.default_rng(0).standard_normal((1, 32, 28, 28), np.float32)
    together = net(3)
    weights = together.state_dict()
    expected = x
    for i in range(3):
        one = net(1)
        one.load_state_dict({f"blocks.0.{name.split('.', 2)[2]}": v for name, v in weights.items() if name.startswith(f"blocks.{i}.")})
        expected = one(expected)
    np.testing.assert_allclose(together(x), expected, rtol=1e-4, atol=1e-5)


def definitions(*texts, data=None, metadata=()):
    bodies = [Body(f'@"p.parallel.{i}"', f"entry:\n  {text}\n  ret i32 0") for i, text in enumerate(texts)]
    made = shared_definitions(bodies, data or {"p.data.1": 64, "p.data.12": 64, "p.data.3": 128}, metadata, "p", 64)
    return [d.text for d in made]


def test_only_the_constants_may_differ():
    same = definitions('use(@"p.data.1", @"p.data.12")', 'use(@"p.data.12", @"p.data.1")')
    assert len(same) == 3 and "%data0, %data1" in same[0]
    assert 'ptr @"p.data.12", ptr @"p.data.1")' in same[2]
    for other in ('use(@"p.data.1", @"p.data.1")', 'use(@"p.data.1", @"p.data.3")', 'used(@"p.data.1", @"p.data.12")', 'use(@"p.text.1", @"p.data.12")'):
        assert all("shared" not in d for d in definitions('use(@"p.data.1", @"p.data.12")', other))


def test_metadata_has_to_mean_the_same():
    nodes = ["distinct !{}", "distinct !{}", '!{!"a", !0}', '!{!"a", !1}', '!{!"b", !1}']
    assert len(definitions("load !0, !2", "load !1, !3", metadata=nodes)) == 3
    assert len(definitions("load !0, !2", "load !1, !4", metadata=nodes)) == 2
    assert len(definitions("load !0, !2", "load !1, !2", metadata=nodes)) == 2
