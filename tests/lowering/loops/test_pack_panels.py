"""Constant operands are packed at compile time, also where a dimension has more elements than NumPy's buffers hold."""

import numpy as np
import pytest

import torchcc

SOURCE = """
import torch.nn as nn
from torch import Tensor


class Dense(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class Window(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.layer = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)
"""


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    return lambda entry: torchcc.compile_file(path, entry, seed=0)


def weights(net):
    held = net.state_dict()
    return np.asarray(held["layer.weight"]), np.asarray(held["layer.bias"])


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize(("inputs", "outputs"), [(8200, 16), (24, 8300), (9001, 33)])
def test_long_dimensions_of_a_matrix(made, inputs, outputs, rows):
    net = made(f"Dense({inputs}, {outputs})")
    weight, bias = weights(net)
    x = np.random.default_rng(0).standard_normal((rows, inputs)).astype(np.float32)
    np.testing.assert_allclose(net(x), x @ weight.T + bias, rtol=1e-4, atol=2e-5)


def test_long_reduction_of_a_window(made):
    net = made("Window(920, 17)")
    weight, bias = weights(net)
    x = np.random.default_rng(1).standard_normal((1, 920, 3, 4)).astype(np.float32)
    columns = [(x[0, :, :, i : i + 3][None] * weight).sum((1, 2, 3)) + bias for i in range(2)]
    np.testing.assert_allclose(net(x)[0, :, 0].T, columns, rtol=1e-4, atol=2e-5)
