"""Images with their channels last: the same results, and convolutions whose innermost dimension is that of their result."""

from __future__ import annotations

import numpy as np
import pytest

from torchcc import driver
from torchcc.api import compile_source, prepared, spec_of
from torchcc.ir.affine import AffineDim
from torchcc.ir.core import functions
from torchcc.ir.dialects import linalg
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.signature import Dim, TensorSpec
from torchcc.ir.verifier import verify
from torchcc.lowering.tensor.move_channels_last import MoveChannelsLast, convolution
from torchcc.verify import verify_stages

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import Tensor\n"

NETS = {
    "chain": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 16, 3, stride=2)
        self.c = nn.Conv2d(16, 8, 1)
    def forward(self, x: Tensor) -> Tensor:
        return self.c(F.relu(self.b(F.relu(self.a(x)))))
""",
    "residual": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 16, 3, padding=1)
        self.b = nn.Conv2d(16, 16, 3, padding=1)
    def forward(self, x: Tensor):
        y = self.a(x)
        z = F.relu(self.b(y) + y)
        return z, y.mean([2, 3]), z.shape[1]
""",
    "depthwise": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 16, 1)
        self.b = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.n = nn.BatchNorm2d(16).eval()
        self.c = nn.Conv2d(16, 8, 1)
    def forward(self, x: Tensor) -> Tensor:
        return self.c(F.hardswish(self.b(self.a(x)) * 2))
""",
    "grouped": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 16, 3)
        self.b = nn.Conv2d(16, 16, 3, groups=2)
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.b(F.relu(self.a(x))))
""",
    "joined": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(3, 16, 3, padding=2, dilation=2)
        self.c = nn.Conv2d(24, 8, 3)
    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.a(x), self.b(x)], 1)
        u, v = y.chunk(2, 1)
        return self.c(F.max_pool2d(torch.cat([v, u], 1), 3, 2, 1)).flatten(1)
""",
    "pooled": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, 5)
    def forward(self, x: Tensor) -> Tensor:
        y = F.avg_pool2d(F.relu(self.a(x)), 2)
        return self.fc(F.adaptive_avg_pool2d(y, 1).flatten(1))
""",
    "tokens": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
    def forward(self, x: Tensor) -> Tensor:
        t = self.patches(x).flatten(2).transpose(1, 2)
        return torch.softmax(t @ t.transpose(1, 2), -1) @ t
""",
    "normed": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.n = nn.GroupNorm(2, 8)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
    def forward(self, x: Tensor) -> Tensor:
        y = F.interpolate(F.silu(self.n(self.a(x))), scale_factor=2.0, mode="nearest")
        return F.softmax(self.b(y), 1)
""",
    "branch": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.a(x))
        if x.sum() > 0:
            y = F.relu(self.b(y))
        else:
            y = y[:, :, 1:] + 1
        return y
""",
    "up": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 16, 3, padding=1)
        self.u = nn.ConvTranspose2d(16, 8, 2, stride=2)
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.u(F.relu(self.a(x))))
""",
}
SIGNALS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv1d(4, 16, 5, padding=2)
        self.b = nn.Conv1d(16, 16, 3, dilation=2)
    def forward(self, x: Tensor) -> Tensor:
        h = self.b(F.relu(self.a(x)))
        return torch.tanh(h[:, :8]) * torch.sigmoid(h[:, 8:])
"""
VOLUMES = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv3d(2, 8, 3, padding=1)
        self.b = nn.Conv3d(8, 8, 2)
    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool3d(self.b(F.relu(self.a(x))), 2)
"""
CASES = {
    **{name: (source, (2, 3, 8, 8)) for name, source in NETS.items()},
    "signals": (SIGNALS, (2, 4, 12)),
    "volumes": (VOLUMES, (1, 2, 4, 5, 6)),
}


def image(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def network(source):
    return compile_source(HEAD + source).Net().forward


@pytest.mark.parametrize("name", CASES)
def test_every_stage_agrees(name):
    source, shape = CASES[name]
    net, x = network(source), image(*shape)
    report = verify_stages(net.program, [spec_of(x)], [x])
    assert all(line.agrees for line in report), [f"{line.stage}: {line.text}" for line in report]


@pytest.mark.parametrize("name", ["chain", "residual", "joined", "pooled", "signals"])
def test_run_time_extents(name):
    source, shape = CASES[name]
    net, x = network(source), image(*shape)
    spec = TensorSpec(spec_of(x).dtype, (Dim("n"), shape[1], *(Dim(f"d{i}") for i in range(len(shape) - 2))))
    found = prepared(net, [spec], [x])()
    expected = net(x)
    found, expected = (v if isinstance(v, tuple) else (v,) for v in (found, expected))
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-4, atol=1e-5)


def contractions(module):
    return [op for f in functions(module) for op in f.walk() if op.name == "linalg.generic" and "arith.mulf" in {o.name for o in op.walk()} and linalg.REDUCTION in linalg.iterator_types(op)]


def test_channels_are_last_between_convolutions():
    source, shape = CASES["chain"]
    net = network(source)
    module = driver.lower(net.program, [spec_of(image(*shape))]).modules["linalg"]
    found = contractions(module)
    assert len(found) == 3
    for op in found:
        maps = linalg.indexing_maps(op)
        assert convolution(op) is None
        assert maps[-1].results[-1] in {e for m in maps[:-1] for e in m.results if isinstance(e, AffineDim)}
    copies = [op for f in functions(module) for op in f.walk() if op.name == "linalg.generic" and is_copy(op)]
    assert len(copies) <= 2, "dimensions are moved where the image comes in and where it goes out"


def is_copy(op):
    """Whether it only moves the dimensions of an image."""
    first = linalg.indexing_maps(op)[0]
    return len(list(op.body().operations())) == 1 and first.is_projected_permutation and len(first.results) == 4


NO_IMAGES = """
func.func @f(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>) -> tensor<4x16xf32> {
  %cst = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %z = linalg.fill ins(%cst : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x16xf32>) outs(%z : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}"""


def test_other_programs_stay():
    module = parse_module(NO_IMAGES)
    text = print_module(module)
    assert print_module(MoveChannelsLast().apply(module)) == text


def test_a_module_stays_valid_and_means_the_same():
    source, shape = CASES["joined"]
    net, x = network(source), image(*shape)
    lowered = driver.lower(net.program, [spec_of(x)])
    module = lowered.modules["linalg"]
    verify(module)
    again = MoveChannelsLast().apply(module.clone())
    verify(again)
    expected = interpret(module, lowered.signature.name, [x])[0]
    np.testing.assert_allclose(interpret(again, lowered.signature.name, [x])[0], expected, rtol=1e-5, atol=1e-6)
