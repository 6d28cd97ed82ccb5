"""Quantized modules by family: functions, numbers, normalisations, transposed and dynamic convolutions, cells, embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="compares with PyTorch's quantized kernels")
if "fbgemm" not in torch.backends.quantized.supported_engines:
    pytest.skip("PyTorch quantizes by other rules on this processor", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")

SOURCE = """
import torch
import torch.nn.functional as F
from torch import Tensor

def functions(x: Tensor, signed: bool):
    q = torch.quantize_per_tensor(x, 0.03, -7 if signed else 77, torch.qint8 if signed else torch.quint8)
    scores = torch.ops.quantized.softmax(q, 1, 0.004, 0), torch.ops.quantized.celu(q, 0.05, 10, 1.3)
    return (
        torch.ops.quantized.relu6(q).int_repr(), torch.clamp(q, -0.2, 0.4).int_repr(), F.hardtanh(q, -0.3, 0.6).int_repr(),
        F.hardsigmoid(q).dequantize(), F.gelu(q).int_repr(), F.threshold(q, 0.1, 0.25).int_repr(),
        torch.ops.quantized.elu(q, 0.05, 10, 1.3).int_repr(), scores[0].int_repr(), scores[1].int_repr(),
        torch.sort(q, 1)[0].int_repr(), torch.topk(q, 2)[1], torch.max(q).dequantize(), torch.max(q, 1)[0].int_repr(),
        q.chunk(2, 1)[1].int_repr(), torch.split(q, 2, 1)[0].int_repr(), torch.stack([q, q]).dequantize(),
        F.pad(q, [1, 2], "constant", 0.4).int_repr(),
    )

def numbers(x: Tensor, signed: bool):
    q = torch.quantize_per_tensor(x, 0.03, -7 if signed else 77, torch.qint8 if signed else torch.quint8)
    o = torch.ops.quantized
    return (
        o.add_scalar(q, 1.5).int_repr(), o.add_scalar(q, 3.5).dequantize(), o.add_scalar(q, -9.0).dequantize(),
        o.add_scalar_relu(q, 0.2).dequantize(), o.mul_scalar(q, 1.5).dequantize(), o.mul_scalar(q, -1.5).dequantize(),
        o.mul_scalar_relu(q, -0.5).dequantize(), o.mul_scalar(q, 0.0).dequantize(), o.mul(q, 2.0).dequantize(),
        o.add(q, torch.quantize_per_tensor(x, 0.02, 3, torch.qint8 if signed else torch.quint8), 0.05, 9).int_repr(),
    )

def norms(x: Tensor, w: Tensor, b: Tensor):
    q = torch.quantize_per_tensor(x, 0.03, 77, torch.quint8)
    y = q.unsqueeze(0).permute(0, 2, 1).contiguous()
    slopes = torch.quantize_per_tensor(w, 0.02, 100, torch.quint8)
    return (
        torch.ops.quantized.layer_norm(q, [6], w, b, 1e-5, 0.02, 100).int_repr(),
        torch.ops.quantized.layer_norm(q, [6], None, None, 0.1, 0.02, 100).int_repr(),
        torch.ops.quantized.group_norm(y, 2, w, b, 1e-5, 0.02, 100).int_repr(),
        torch.ops.quantized.instance_norm(y, w, b, 0.01, 0.02, 100).int_repr(),
        torch.ops.quantized.prelu(y, slopes, 0.02, 100).int_repr(),
        torch.ops.quantized.matmul(q, q.transpose(0, 1), 0.1, 20).int_repr(),
    )

def in_place(x: Tensor):
    q = torch.quantize_per_tensor(x, 0.03, 77, torch.quint8)
    other = q
    F.relu(q, inplace=True)
    return other.int_repr()

def bags(w: Tensor, i: Tensor, o: Tensor, p: Tensor):
    b = torch.ops.quantized.embedding_bag_byte_prepack(w)
    f = torch.ops.quantized.embedding_bag_4bit_prepack(w)
    t = torch.ops.quantized.embedding_bag_2bit_prepack(w)
    return (
        b, f, t, torch.ops.quantized.embedding_bag_byte_unpack(b), torch.ops.quantized.embedding_bag_4bit_unpack(f),
        torch.ops.quantized.embedding_bag_2bit_unpack(t),
        torch.ops.quantized.embedding_bag_byte_rowwise_offsets(b, i, o, False, 0, False, p, None, False),
        torch.ops.quantized.embedding_bag_4bit_rowwise_offsets(f, i, o, False, 0, False, None, None, False),
    )
"""

RANDOM = np.random.default_rng(3)
X = RANDOM.standard_normal((4, 6)).astype(np.float32)
W, B = RANDOM.standard_normal((2, 6)).astype(np.float32)
TABLE = RANDOM.standard_normal((10, 12)).astype(np.float32)
BAGS = (TABLE, np.array([1, 3, 2, 9, 0, 0, 4]), np.array([0, 3, 3, 5]), RANDOM.random(7).astype(np.float32))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("functions", (X, False)),
        ("functions", (X, True)),
        ("numbers", (X, False)),
        ("numbers", (X, True)),
        ("norms", (X, W, B)),
        ("in_place", (X,)),
        ("bags", BAGS),
    ],
    ids=["functions", "functions-signed", "numbers", "numbers-signed", "norms", "in_place", "bags"],
)
def test_operators_give_what_pytorch_gives(name: str, arguments: tuple[Any, ...]) -> None:
    scope: dict[str, Any] = {}
    exec(SOURCE, scope)
    theirs = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]
    wanted = scope[name](*theirs)
    got = getattr(torchcc.compile_source(SOURCE), name)(*arguments)
    for a, b in zip(got if isinstance(got, tuple) else [got], wanted if isinstance(wanted, tuple) else [wanted], strict=True):
        np.testing.assert_array_equal(np.asarray(a), b.numpy())


def _static(*layers: Any) -> Callable[[], Any]:
    def make() -> Any:
        ao = torch.ao.quantization
        model = torch.nn.Sequential(ao.QuantStub(), *(layer() for layer in layers), ao.DeQuantStub()).eval()
        model.qconfig = ao.QConfig(activation=ao.HistogramObserver.with_args(reduce_range=True), weight=ao.default_weight_observer)
        ao.prepare(model, inplace=True)
        model(torch.randn(2, 4, 6, 6))
        return ao.convert(model, inplace=True)

    return make


def _cells() -> Any:
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.LSTMCell(6, 5), torch.nn.GRUCell(6, 5)
            self.c = torch.nn.RNNCell(6, 5)
            self.d = torch.nn.Linear(6, 3)

        def forward(self, x):
            h, c = self.a(x)
            return torch.cat([h, c, self.b(x), self.c(x), self.d(x)], 1)

    kinds = {torch.nn.LSTMCell, torch.nn.GRUCell, torch.nn.RNNCell, torch.nn.Linear}
    return torch.ao.quantization.quantize_dynamic(Net().eval(), kinds, dtype=torch.qint8)


def _half() -> Any:
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3)).eval()
    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.float16)


def _packed() -> Any:
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.g = torch.nn.LSTM(6, 5, bidirectional=True), torch.nn.GRU(6, 5)
            self.register_buffer("lengths", torch.tensor([3, 4, 2]))

        def forward(self, x):
            y = x.reshape(4, 1, 6).expand(4, 3, 6)
            p = torch.nn.utils.rnn.pack_padded_sequence(y, self.lengths, enforce_sorted=False)
            a, _ = self.r(p)
            b, _ = self.g(p)
            pad = torch.nn.utils.rnn.pad_packed_sequence
            return torch.cat([pad(a)[0], pad(b)[0]], 2)

    return torch.ao.quantization.quantize_dynamic(Net().eval(), {torch.nn.LSTM, torch.nn.GRU}, dtype=torch.qint8)


def _dynamic_convolutions() -> Any:
    import torch.ao.nn.quantized.dynamic as layers

    model = torch.nn.Sequential(layers.Conv2d(4, 4, 3, stride=2), layers.ConvTranspose2d(4, 3, 3))
    for layer in model:
        shape = layer.weight().shape
        weight = torch.quantize_per_tensor(torch.randn(*shape) * 0.1, 0.01, 0, torch.qint8)
        layer.set_weight_bias(weight, torch.randn(layer.out_channels) * 0.1)
    return model


def _embedding() -> Any:
    model = torch.nn.Sequential(torch.nn.EmbeddingBag(10, 8, mode="sum")).eval()
    model[0].qconfig = torch.ao.quantization.float_qparams_weight_only_qconfig
    torch.ao.quantization.prepare(model, inplace=True)
    return torch.ao.quantization.convert(model)


nn = torch.nn
CASES: list[tuple[str, Callable[[], Any], tuple[int, ...], float]] = [
    ("transposed", _static(lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), lambda: nn.PixelShuffle(1)), (2, 4, 6, 6), 0),
    ("norms", _static(lambda: nn.Conv2d(4, 6, 1), lambda: nn.GroupNorm(2, 6), lambda: nn.ReLU6(), lambda: nn.ELU()), (2, 4, 6, 6), 0),
    ("padded", _static(lambda: nn.ConstantPad2d(1, 0.5), lambda: nn.Conv2d(4, 4, 3), lambda: nn.ReLU(inplace=True)), (2, 4, 6, 6), 0),
    ("cells", _cells, (4, 6), 1e-6),
    ("half", _half, (4, 6), 1e-6),
    ("packed", _packed, (4, 6), 1e-6),
    ("dynamic", _dynamic_convolutions, (2, 4, 6, 6), 0.02),  # one step, where a value lies between two
    ("embedding", _embedding, (3, 4), 0),
]


@pytest.mark.parametrize(("make", "shape", "tolerance"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_archives_of_modules(make: Callable[[], Any], shape: tuple[int, ...], tolerance: float, tmp_path: Path) -> None:
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            model = make()
            x = torch.randint(0, 10, shape) if make is _embedding else torch.randn(*shape)
            torch.jit.trace(model, x).save(str(tmp_path / "m.pt"))
            wanted = model(x).numpy()
            ours = torchcc.load(tmp_path / "m.pt")
            torchcc.save(ours, tmp_path / "n.pt")
            again = torch.jit.load(str(tmp_path / "n.pt"))(x).numpy()  # other engines compute something else
    finally:
        torch.backends.quantized.engine = engine
    np.testing.assert_allclose(ours(x.numpy()), wanted, rtol=0, atol=tolerance)
    np.testing.assert_allclose(again, wanted, rtol=0, atol=max(tolerance, 1e-6))
