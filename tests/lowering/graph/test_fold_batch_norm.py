"""Scales and shifts of channels taken into the layer before them: which are, what becomes of them, and which are not."""

import numpy as np
import pytest

from torchcc import driver
from torchcc.api import ScriptFunction
from torchcc.api.arguments import spec_of
from torchcc.frontend.compile import compile_text
from torchcc.ir.core import functions
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.lowering.graph.eliminate_dead_code import eliminate_dead_code
from torchcc.lowering.graph.fold_batch_norm import fold_batch_norm
from torchcc.lowering.graph.fold_constants import fold_constants
from torchcc.lowering.graph.functionalize import functionalize
from torchcc.lowering.graph.specialize import specialize

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import Tensor\n"

MODULE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = {layer}
        self.norm = {norm}
        self.register_buffer("k", torch.rand({channels}))
    def forward(self, x: Tensor):
        y = self.layer(x)
        return {result}
"""


def program_of(layer, norm="nn.Identity()", result="self.norm(y)", channels=4):
    text = HEAD + MODULE.format(layer=layer, norm=norm, result=result, channels=channels)
    program = compile_text(text, entry="Net()", seed=3)
    random = np.random.default_rng(0)
    for name, tensor in program.receiver.named_tensors().items():
        if name.startswith("norm.") and tensor.array.dtype.kind == "f":
            tensor.array[...] = random.uniform(0.5, 2, tensor.array.shape)
    program.receiver.set_training(False)
    return program


def graphs(program, x):
    """The graph before and after the pass."""
    module, signature = specialize(program, (spec_of(x),), driver.composite)
    functionalize(module, signature)
    fold_constants(module)
    eliminate_dead_code(module)
    before = module.clone()
    fold_batch_norm(module)
    eliminate_dead_code(module)
    return before, module


def names(module):
    (function,) = functions(module)
    return [op.name.partition(".")[0] for op in function.body().operations() if op.name.startswith("aten::")]


def run(module, x):
    (function,) = functions(module)
    return Interpreter(driver.composite).run(function, [x.copy()])[0]


def check(program, x, expected):
    before, after = graphs(program, x)
    np.testing.assert_allclose(run(after, x), run(before, x), rtol=1e-5, atol=1e-5)
    assert names(after) == expected
    return before


def data(*shape, dtype=np.float32):
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


FOLDED = {
    "conv1d": ("nn.Conv1d(2, 4, 3)", "nn.BatchNorm1d(4)", data(2, 2, 7), "conv1d"),
    "conv2d": ("nn.Conv2d(2, 4, 3, padding=1)", "nn.BatchNorm2d(4)", data(2, 2, 5, 5), "conv2d"),
    "conv2d without bias": ("nn.Conv2d(2, 4, 3, bias=False)", "nn.BatchNorm2d(4)", data(1, 2, 5, 5), "conv2d"),
    "conv2d without affine": ("nn.Conv2d(2, 4, 1)", "nn.BatchNorm2d(4, affine=False)", data(1, 2, 3, 3), "conv2d"),
    "depthwise": ("nn.Conv2d(4, 4, 3, groups=4)", "nn.BatchNorm2d(4)", data(1, 4, 5, 5), "conv2d"),
    "groups": ("nn.Conv2d(4, 4, 3, groups=2, stride=2)", "nn.BatchNorm2d(4)", data(1, 4, 5, 5), "conv2d"),
    "padding by name": ("nn.Conv2d(2, 4, 3, padding='same')", "nn.BatchNorm2d(4)", data(1, 2, 5, 5), "conv2d"),
    "conv3d": ("nn.Conv3d(1, 4, 2)", "nn.BatchNorm3d(4)", data(1, 1, 3, 3, 3), "conv3d"),
    "transposed": ("nn.ConvTranspose2d(2, 4, 3, stride=2)", "nn.BatchNorm2d(4)", data(1, 2, 3, 3), "conv_transpose2d"),
    "transposed groups": (
        "nn.ConvTranspose2d(6, 4, 3, groups=2, bias=False)",
        "nn.BatchNorm2d(4)",
        data(1, 6, 3, 3),
        "conv_transpose2d",
    ),
    "linear": ("nn.Linear(3, 4)", "nn.BatchNorm1d(4)", data(5, 3), "linear"),
    "double": ("nn.Conv1d(2, 4, 3).double()", "nn.BatchNorm1d(4).double()", data(2, 2, 7, dtype=np.float64), "conv1d"),
}


def test_batch_norm_behind_a_traced_convolution_with_named_padding():
    layer = "torch._convolution_mode(x, self.layer.weight, None, [1, 1], 'same', [1, 1], 1)"
    program = program_of("nn.Conv2d(2, 4, 3)", "nn.BatchNorm2d(4)", result=f"self.norm({layer})")
    check(program, data(1, 2, 5, 5), ["aten::_convolution_mode"])


@pytest.mark.parametrize("name", FOLDED)
def test_batch_norm_is_folded(name):
    layer, norm, x, operator = FOLDED[name]
    program = program_of(layer, norm)
    before = check(program, x, [f"aten::{operator}"])
    assert len(names(before)) > 1


@pytest.mark.parametrize(
    "result",
    [
        "y * self.k.view(-1, 1, 1)",
        "self.k.view(-1, 1, 1) * y",
        "y * self.k.view(1, -1, 1, 1) + self.k.view(-1, 1, 1)",
        "y + self.k.view(-1, 1, 1)",
        "torch.add(y, self.k.view(-1, 1, 1), alpha=3)",
        "y - self.k.view(-1, 1, 1)",
        "y / (self.k.view(-1, 1, 1) + 1)",
        "y * 2.5",
        "y * 3",
        "y + 1",
        "y / 4.0 - 0.5",
        "F.batch_norm(y, self.k, self.k + 1, self.k, self.k, False, 0.1, 1e-5)",
    ],
)
def test_scales_and_shifts_are_folded(result):
    check(program_of("nn.Conv2d(2, 4, 3)", result=result), data(1, 2, 5, 5), ["aten::conv2d"])


def test_a_batch_of_one_that_has_no_dimension():
    program = program_of("nn.Conv2d(2, 4, 3)", result="y * self.k.view(-1, 1, 1)")
    check(program, data(2, 5, 5), ["aten::conv2d"])


KEPT = {
    "another use": ("self.norm(y) + y", "nn.BatchNorm2d(4)"),
    "columns": ("y * self.k", "nn.Identity()"),
    "rows": ("y * self.k.view(4, 1)", "nn.Identity()"),
    "batches": ("y * self.k.view(4, 1, 1, 1)", "nn.Identity()"),
    "a run-time scale": ("y * x.sum()", "nn.Identity()"),
    "division by zero": ("y / (self.k.view(-1, 1, 1) * 0)", "nn.Identity()"),
    "infinity": ("y * (self.k.view(-1, 1, 1) / 0)", "nn.Identity()"),
    "other dtype": ("y * self.k.view(-1, 1, 1).double()", "nn.Identity()"),
    "tensor minus": ("self.k.view(-1, 1, 1) - y", "nn.Identity()"),
    "floor division": ("torch.div(y, 2.0, rounding_mode='floor')", "nn.Identity()"),
    "larger": ("y * torch.ones(3, 1, 1, 1, 1)", "nn.Identity()"),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept(name):
    result, norm = KEPT[name]
    x = data(4, 2, 6, 6)
    before, after = graphs(program_of("nn.Conv2d(2, 4, 3)", norm, result), x)
    assert names(after) == names(before)
    np.testing.assert_array_equal(run(after, x), run(before, x))


def test_overflow_is_kept():
    program = program_of("nn.Conv2d(2, 4, 3)", result="y * 1e38 * 1e38")
    x = np.zeros((1, 2, 5, 5), np.float32)
    before, after = graphs(program, x)
    assert len(names(after)) == 2  # one product fits into the weights, both do not
    np.testing.assert_allclose(run(after, x), run(before, x))


def test_half_precision_is_kept():
    program = program_of("nn.Conv2d(2, 4, 3).half()", result="y * self.k.half().view(-1, 1, 1)")
    before, after = graphs(program, data(1, 2, 5, 5, dtype=np.float16))
    assert names(after) == names(before)


def test_inside_of_branches():
    program = program_of("nn.Conv2d(2, 4, 3)", result="self.norm(self.layer(x)) if x.sum() > 0 else y")
    for sign in (1, -1):
        x = np.abs(data(1, 2, 5, 5)) * np.float32(sign)
        before, after = graphs(program, x)
        np.testing.assert_allclose(run(after, x), run(before, x), rtol=1e-5, atol=1e-5)


def test_native_results():
    program = program_of("nn.Conv2d(2, 4, 3)", "nn.BatchNorm2d(4)")
    x = data(2, 2, 6, 6)
    before, _ = graphs(program, x)
    got = ScriptFunction(program)(x)
    np.testing.assert_allclose(got, run(before, x), rtol=1e-4, atol=1e-5)
