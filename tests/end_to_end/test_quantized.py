"""Quantized tensors: what PyTorch's static and dynamic quantization makes of a model gives PyTorch's integers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torchcc
from torchcc import TensorSpec
from torchcc.frontend.archive.packed import packed_parts
from torchcc.frontend.archive.unpickler import Tensor
from torchcc.ir.quantized import CELL, CONV2D, LINEAR
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="compares with PyTorch's quantized kernels")
if "fbgemm" not in torch.backends.quantized.supported_engines:
    pytest.skip("PyTorch quantizes by other rules on this processor", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")

OPERATORS = """
import torch
from torch import Tensor

def to_unsigned(x: Tensor, w: Tensor, b: Tensor):
    q = torch.quantize_per_tensor(x, 0.03, 13, torch.quint8)
    return q.int_repr(), q.dequantize(), q.q_scale(), q.q_zero_point(), q.size(), q.is_quantized

def to_others(x: Tensor, w: Tensor, b: Tensor):
    signed = torch.quantize_per_tensor(x, 0.03, -3, torch.qint8)
    wide = torch.quantize_per_tensor(x, 0.0003, 7, torch.qint32)
    scales = torch.tensor([0.01, 0.02, 0.03, 0.015], dtype=torch.float64)
    rows = torch.quantize_per_channel(x, scales, torch.tensor([0, 3, -2, 1]), 1, torch.qint8)
    return (
        signed.int_repr(), wide.int_repr(), rows.int_repr(), rows.dequantize(), rows.q_per_channel_scales(),
        rows.q_per_channel_zero_points(), rows.q_per_channel_axis(),
    )

def convolutions(x: Tensor, w: Tensor, b: Tensor):
    q = torch.quantize_per_tensor(x, 0.03, 100, torch.quint8)
    scales = torch.tensor([0.01, 0.02, 0.03, 0.015, 0.012, 0.011, 0.02, 0.025], dtype=torch.float64)
    rows = torch.quantize_per_channel(w, scales, torch.zeros(8, dtype=torch.int64), 0, torch.qint8)
    packed = torch.ops.quantized.conv2d_prepack(rows, b, [1, 1], [1, 1], [1, 1], 1)
    whole = torch.quantize_per_tensor(w[:, :2], 0.02, 0, torch.qint8)
    grouped = torch.ops.quantized.conv2d_prepack(whole, None, [2, 1], [0, 1], [1, 1], 2)
    return (
        torch.ops.quantized.conv2d_relu(q, packed, 0.02, 0).int_repr(),
        torch.ops.quantized.conv2d(q, packed, 0.03, 80).int_repr(),
        torch.ops.quantized.conv2d(q, grouped, 0.0317, 81).int_repr(),
    )

def line(x: Tensor, w: Tensor, b: Tensor):
    q = torch.quantize_per_tensor(x[:, :, 0], 0.03, 100, torch.quint8)
    whole = torch.quantize_per_tensor(w[:, :, 0], 0.02, 0, torch.qint8)
    packed = torch.ops.quantized.conv1d_prepack(whole, b, [1], [1], [1], 1)
    return torch.ops.quantized.conv1d(q, packed, 0.05, 80).int_repr()

def linear(x: Tensor, w: Tensor, b: Tensor):
    whole = torch.quantize_per_tensor(w.reshape(8, 36)[:, :8], 0.02, 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(whole, b)
    q = torch.quantize_per_tensor(x, 0.03, 77, torch.quint8)
    return (
        torch.ops.quantized.linear(q, packed, 0.06, 70).int_repr(),
        torch.ops.quantized.linear_relu(q, packed, 0.06, 7).int_repr(),
    )

def moved(x: Tensor, w: Tensor, b: Tensor):
    q = torch.quantize_per_tensor(x, 0.03, 29, torch.quint8)
    return (
        torch.nn.functional.max_pool2d(q, 2).int_repr(),
        torch.nn.functional.adaptive_avg_pool2d(q, 1).int_repr(),
        torch.nn.functional.adaptive_avg_pool2d(q, 3).int_repr(),
        torch.nn.functional.avg_pool2d(q, 2).int_repr(),
        q.mean([2, 3]).int_repr(),
        torch.relu(q).int_repr(),
        torch.nn.functional.interpolate(q, scale_factor=2.0, mode="nearest").int_repr(),
        q.permute(0, 2, 3, 1).reshape(2, -1).int_repr(),
        q[0, 1:3].int_repr(),
        torch.cat([q, q], 1).int_repr(),
        torch.sigmoid(q).int_repr(),
        torch.tanh(q).int_repr(),
    )

def arithmetic(x: Tensor, w: Tensor, b: Tensor):
    q = torch.quantize_per_tensor(x, 0.03, 29, torch.quint8)
    r = torch.quantize_per_tensor(x * 0.7 + 0.1, 0.02, 100, torch.quint8)
    return (
        torch.ops.quantized.add(q, r, 0.05, 90).int_repr(),
        torch.ops.quantized.add_relu(q, r, 0.05, 50).int_repr(),
        torch.ops.quantized.mul(q, r, 0.1, 50).int_repr(),
        torch.ops.quantized.cat([q, r], 1, 0.05, 90).int_repr(),
        torch.ops.quantized.batch_norm2d(q, b[:4].abs(), b[4:], b[2:6], b[:4].abs() + 0.5, 1e-5, 0.05, 60).int_repr(),
    )
"""
RNG = np.random.default_rng(3)
ARGUMENTS = (
    RNG.standard_normal((2, 4, 8, 8)).astype(np.float32),
    RNG.standard_normal((8, 4, 3, 3)).astype(np.float32),
    RNG.standard_normal(8).astype(np.float32),
)


def _flat(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in _flat(v)] if isinstance(value, list | tuple) else [value]


@pytest.mark.parametrize(
    "name", ["to_unsigned", "to_others", "convolutions", "line", "linear", "moved", "arithmetic"]
)
def test_operators_give_the_integers_of_pytorch(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(OPERATORS, scope)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _flat(scope[name](*map(torch.tensor, ARGUMENTS)))
    got = _flat(getattr(torchcc.compile_source(OPERATORS), name)(*ARGUMENTS))
    assert len(got) == len(expected)
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_array_equal(a, np.asarray(b), f"result {i}")


def _quantized(model: Any, x: Any, fused: list[list[str]]) -> Any:
    ao = torch.ao.quantization
    model.eval()
    if fused:
        model = ao.fuse_modules(model, fused)
    model.qconfig = ao.get_default_qconfig("x86")
    ao.prepare(model, inplace=True)
    model(x)
    return ao.convert(model, inplace=True)


def _perceptron(x: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
            self.a, self.r, self.b = torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)

        def forward(self, x):
            return self.dequant(self.b(self.r(self.a(self.quant(x)))))

    return _quantized(Net(), x, [["a", "r"]])


def _image_net(x: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
            self.c, self.bn, self.r = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU()
            self.p, self.c2 = torch.nn.MaxPool2d(2), torch.nn.Conv2d(8, 8, 3, padding=1, groups=2)
            self.f, self.ap = torch.ao.nn.quantized.FloatFunctional(), torch.nn.AdaptiveAvgPool2d(1)
            self.l = torch.nn.Linear(8, 5)

        def forward(self, x):
            x = self.p(self.r(self.bn(self.c(self.quant(x)))))
            x = self.ap(self.f.add(x, self.c2(x)))
            return self.dequant(self.l(torch.flatten(x, 1)))

    return _quantized(Net(), x, [["c", "bn", "r"]])


def _recurrent(x: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.l, self.o = torch.nn.LSTM(8, 16, num_layers=2, bidirectional=True), torch.nn.Linear(32, 4)

        def forward(self, x):
            y, _ = self.l(x)
            return self.o(torch.relu(y))

    return torch.ao.quantization.quantize_dynamic(Net().eval(), {torch.nn.LSTM, torch.nn.Linear}, dtype=torch.qint8)


def _gated(x: Any) -> Any:
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.l = torch.nn.GRU(8, 16, num_layers=2, bidirectional=True, batch_first=True)

        def forward(self, x):
            y, h = self.l(x)
            return torch.cat([y.flatten(1), h.transpose(0, 1).flatten(1)], 1)

    return torch.ao.quantization.quantize_dynamic(Net().eval(), {torch.nn.GRU}, dtype=torch.qint8)


@pytest.mark.parametrize(
    ("make", "shape", "tolerance"),
    [(_perceptron, (5, 8), 0.0), (_image_net, (2, 3, 8, 8), 0.0), (_recurrent, (6, 2, 8), 1e-6), (_gated, (3, 5, 8), 1e-6)],
    ids=["perceptron", "image_net", "recurrent", "gated"],
)
def test_archives_of_quantized_models(
    make: Callable[[Any], Any], shape: tuple[int, ...], tolerance: float, tmp_path: Path
) -> None:
    """Scripted archives: static layers are packed by `__setstate__`, dynamic ones hold C++ objects."""
    torch.manual_seed(0)
    x = torch.randn(shape)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        model = make(x)
        expected = model(x).numpy()
        torch.jit.script(model).save(str(tmp_path / "scripted.pt"))
        torch.jit.trace(model, x).save(str(tmp_path / "traced.pt"))
    for name in ("scripted", "traced"):
        ours = torchcc.load(tmp_path / f"{name}.pt")
        np.testing.assert_allclose(ours(x.numpy()), expected, rtol=0, atol=tolerance)
    torchcc.save(ours, tmp_path / "again.pt")
    np.testing.assert_allclose(torchcc.load(tmp_path / "again.pt")(x.numpy()), expected, rtol=0, atol=tolerance)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(torch.jit.load(str(tmp_path / "again.pt"))(x).numpy(), expected)


def test_every_stage_agrees() -> None:
    f = torchcc.compile_source(OPERATORS).linear
    specs = [TensorSpec(torchcc.float32, a.shape) for a in ARGUMENTS]
    assert [line for line in verify_stages(f.program, specs, list(ARGUMENTS)) if not line.agrees] == []


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("torch.exp(q)", "aten::exp of a quantized tensor is not supported: dequantize it first"),
        ("q + x", "of a quantized tensor is not supported: dequantize it first"),
        ("torch.quantize_per_tensor(x.double(), 0.1, 0, torch.quint8)", "Quantize only works on Float Tensor, got Double"),
        ("torch.ops.quantized.embedding_bag_4bit_prepack(x, True)", "optimized_qparams is not supported"),
    ],
)
def test_what_is_refused(expression: str, text: str) -> None:
    source = f"import torch\ndef f(x: torch.Tensor):\n    q = torch.quantize_per_tensor(x, 0.1, 10, torch.quint8)\n    return {expression}\n"
    with pytest.raises(torchcc.CompileError) as error:
        torchcc.compile_source(source).f(ARGUMENTS[2])
    assert text in str(error.value)


def test_a_quantized_result_is_an_object() -> None:
    f = torchcc.compile_source(
        "import torch\ndef f(x: torch.Tensor):\n    return torch.quantize_per_tensor(x, 0.1, 10, torch.quint8)\n"
    ).f
    result = f(np.ones(3, np.float32))
    np.testing.assert_array_equal(result.values, np.full(3, 20, np.uint8))
    assert (result.scale, result.zero_point) == (0.1, 10)


def test_states_of_packed_weights() -> None:
    """They come from a file: what has another form is not taken apart."""
    numbers = Tensor(np.array([2, 1, 2, 3, 4, 5, 6, 0, 0, 7, 0], np.int16))
    parts = packed_parts(CONV2D, ("2", [numbers, "weight"], ["bias"]))
    assert parts is not None
    assert [parts[n] for n in ("stride", "padding", "dilation", "groups", "transpose", "weight", "bias")] == [
        [1, 2], [3, 4], [5, 6], 7, False, "weight", "bias",
    ]  # fmt: skip
    assert packed_parts(CONV2D, (3, [2, 1, 2, 3, 4, 5, 6, 0, 0, 7, 1], [None, "weight", None])) is not None
    short, deep = Tensor(np.array([2, 1, 2], np.int16)), Tensor(np.array([200] * 20, np.int16))
    wrong = [(), None, ("2",), ("2", [short, "w"], [None]), ("2", [deep, "w"], [None]), (3, ["1"], [None, "w", None]), ("9", [], [])]
    assert [packed_parts(CONV2D, state) for state in wrong] == [None] * len(wrong)
    assert packed_parts(LINEAR, ("w",)) is None
    assert packed_parts(CELL, ("quantized_fp16", [], [], [], [])) is None
