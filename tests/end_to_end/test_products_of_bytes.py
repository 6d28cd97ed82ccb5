"""Quantized layers give PyTorch's integers, whichever instructions add up their products: vpdpbusd, pmaddwd, or multiplications."""

from __future__ import annotations

import numpy as np
import pytest

import torchcc
from torchcc import TensorSpec, driver
from torchcc.backend.cpu.host import host
from torchcc.backend.cpu.jit import compile_module
from torchcc.ir.core import Operation
from torchcc.ir.dialects import llvm
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="compares with PyTorch's quantized kernels")
if "fbgemm" not in torch.backends.quantized.supported_engines:
    pytest.skip("PyTorch quantizes by other rules on this processor", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")

TARGETS = ["host", "x86-64-v4", "x86-64-v3", "x86-64", "aarch64"]
"""vpdpbusd where this machine has it, pmaddwd of 512, 256 and 128 bits, and multiplications one by one. The loops made for one target run on
another that has its instructions, and those of the last on all."""


class Linears(torch.nn.Module):
    """Layers of odd sizes on the first columns of the argument."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        sizes = [(1, 5), (3, 16), (7, 33), (30, 1), (64, 48), (129, 17), (600, 20)]
        kinds = ["tensor", "channel", "points"]
        layers = []
        for i, (taken, given) in enumerate(sizes):
            weight = torch.randn(given, taken, generator=generator)
            kind = kinds[i % 3]
            if kind == "tensor":
                packed = torch.quantize_per_tensor(weight, 0.02, i - 3, torch.qint8)
            else:
                points = torch.arange(given) % 5 - 2 if kind == "points" else torch.zeros(given, dtype=torch.int64)
                packed = torch.quantize_per_channel(weight, torch.rand(given, generator=generator) * 0.03 + 0.01, points, 0, torch.qint8)
            layer = (torch.ao.nn.quantized.Linear, torch.ao.nn.intrinsic.quantized.LinearReLU)[i % 2](taken, given)
            layer.set_weight_bias(packed, torch.randn(given, generator=generator) if i != 2 else None)
            layer.scale, layer.zero_point = 0.05 * taken**0.5, (0, 60, 128)[i % 3]
            layers.append(layer)
        self.layers = torch.nn.ModuleList(layers)
        self.sizes = [taken for taken, _ in sizes]

    def forward(self, x: torch.Tensor):
        q = torch.quantize_per_tensor(x, 0.03, 111, torch.quint8)
        results = []
        for layer, size in zip(self.layers, self.sizes, strict=True):
            results.append(layer(q[:, :size]).int_repr())
        return tuple(results)


class Dynamic(torch.nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.layers = torch.nn.ModuleList()
        for i, (taken, given) in enumerate([(5, 7), (64, 30), (600, 33)]):
            layer = torch.ao.nn.quantized.dynamic.Linear(taken, given)
            weight = torch.randn(given, taken, generator=generator)
            layer.set_weight_bias(torch.quantize_per_tensor(weight, 0.03, i, torch.qint8), torch.randn(given, generator=generator))
            self.layers.append(layer)
        self.sizes = [5, 64, 600]

    def forward(self, x: torch.Tensor):
        return tuple([layer(x[:, :size]) for layer, size in zip(self.layers, self.sizes, strict=True)])


def convolution(relu, taken, given, size, *, channels=True, bias=True, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(given, taken // options.get("groups", 1), size, size, generator=generator)
    if channels:
        scales = torch.rand(given, generator=generator) * 0.02 + 0.01
        weight = torch.quantize_per_channel(weight, scales, torch.zeros(given, dtype=torch.int64), 0, torch.qint8)
    else:
        weight = torch.quantize_per_tensor(weight, 0.02, 3, torch.qint8)
    kind = torch.ao.nn.intrinsic.quantized.ConvReLU2d if relu else torch.ao.nn.quantized.Conv2d
    layer = kind(taken, given, size, **options)
    layer.set_weight_bias(weight, torch.randn(given, generator=generator) if bias else None)
    layer.scale, layer.zero_point = 0.02 * (taken * size * size) ** 0.5, 40
    return layer


class Convolutions(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            [
                convolution(True, 3, 16, 5, stride=2, padding=2),
                convolution(False, 16, 24, 1, bias=False, seed=1),
                convolution(True, 24, 24, 3, groups=24, padding=1, seed=2),
                convolution(False, 24, 20, 3, groups=2, padding=1, seed=3),
                convolution(True, 20, 18, 3, padding=2, dilation=2, channels=False, seed=4),
                convolution(False, 18, 9, 3, stride=2, seed=5),
            ]
        )

    def forward(self, x: torch.Tensor):
        q = torch.quantize_per_tensor(x, 0.03, 90, torch.quint8)
        results = []
        for layer in self.layers:
            q = layer(q)
            results.append(q.int_repr())
        return tuple(results)


def archived(module, folder, x):
    path = folder / "module.pt"
    with torch.no_grad():
        made = torch.jit.trace(module.eval(), (torch.from_numpy(x),), check_trace=False)
        made.save(str(path))
        return torchcc.load(path).forward.program, [r.numpy() for r in made(torch.from_numpy(x))]


def intrinsics(module: Operation) -> set[str]:
    return {llvm.name_of(op) for op in module.walk() if op.name == "llvm.call_intrinsic"}


def runs_here(name):
    return name in ("host", "aarch64") or (host().arch == "x86_64" and (name != "x86-64-v4" or host().facts.vector_bytes == 64))


@pytest.fixture(scope="module")
def linears(tmp_path_factory):
    x = np.random.default_rng(0).standard_normal((13, 600)).astype(np.float32)
    return (*archived(Linears(), tmp_path_factory.mktemp("linears"), x), x)


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory):
    x = np.random.default_rng(1).standard_normal((2, 3, 19, 17)).astype(np.float32)
    return (*archived(Convolutions(), tmp_path_factory.mktemp("convolutions"), x), x)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("which", ["linears", "convolutions"])
def test_integers_are_pytorchs_on_every_target(which, target, request):
    program, expected, x = request.getfixturevalue(which)
    lowered = driver.lower(program, [TensorSpec(torchcc.float32, x.shape)], target)
    used = intrinsics(lowered.modules["loops"])
    facts = host().facts
    wanted = {
        "host": {llvm.BYTE_DOTS[facts.vector_bytes // 4]} if facts.byte_dots else used,
        "x86-64-v4": {llvm.WORD_DOTS[16]},
        "x86-64-v3": {llvm.WORD_DOTS[8]},
        "x86-64": {llvm.WORD_DOTS[4]},
        "aarch64": set(),
    }
    assert used == wanted[target]
    if not runs_here(target):
        return
    for got, reference in zip(compile_module(lowered.modules["loops"], lowered.signature).call_flat([x]), expected, strict=True):
        np.testing.assert_array_equal(got, reference)


@pytest.mark.parametrize("batch", [0, 1, 64])
def test_batches(linears, batch, tmp_path):
    module, _, _ = linears
    x = np.random.default_rng(2).standard_normal((batch, 600)).astype(np.float32)
    _, expected = archived(Linears(), tmp_path, x)
    lowered = driver.lower(module, [TensorSpec(torchcc.float32, x.shape)])
    for got, reference in zip(compile_module(lowered.modules["loops"], lowered.signature).call_flat([x]), expected, strict=True):
        np.testing.assert_array_equal(got, reference)


def test_dynamic_layers(tmp_path):
    x = np.random.default_rng(3).standard_normal((9, 600)).astype(np.float32)
    program, expected = archived(Dynamic(), tmp_path, x)
    for target in ("host", "x86-64-v3"):
        lowered = driver.lower(program, [TensorSpec(torchcc.float32, x.shape)], target)
        assert intrinsics(lowered.modules["loops"])
        if runs_here(target):
            for got, reference in zip(compile_module(lowered.modules["loops"], lowered.signature).call_flat([x]), expected, strict=True):
                np.testing.assert_allclose(got, reference, rtol=1e-6, atol=1e-5)


PRODUCTS = """
import torch
from torch import Tensor

class Products(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("signed", (torch.arange(24 * 40) % 256 - 128).to(torch.int8).reshape(24, 40))
        self.register_buffer("unsigned", (torch.arange(22 * 20) % 256).to(torch.int64).reshape(22, 20))
        self.register_buffer("wide", (torch.arange(24 * 20) - 200).to(torch.int32).reshape(24, 20))

    def forward(self, x: Tensor, y: Tensor, w: Tensor):
        a, b = x.to(torch.int32), y.to(torch.int32)
        signed = self.signed.to(torch.int32)
        return (
            a @ signed, b @ signed, b[:, :22] @ self.unsigned.to(torch.int32), a @ self.wide, a @ w.to(torch.int32).t(),
            torch.addmm(torch.arange(40, dtype=torch.int32), a[:, :21], signed[:21])
        )
"""


@pytest.mark.parametrize("target", TARGETS)
def test_products_of_integers(target):
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 256, (7, 24)).astype(np.uint8), rng.integers(-128, 128, (7, 24)).astype(np.int8)
    w = rng.integers(-128, 128, (30, 24)).astype(np.int8)
    signed = (np.arange(24 * 40) % 256 - 128).reshape(24, 40)
    unsigned, wide = (np.arange(22 * 20) % 256).reshape(22, 20), (np.arange(24 * 20) - 200).reshape(24, 20)
    a, b = x.astype(np.int64), y.astype(np.int64)
    expected = [a @ signed, b @ signed, b[:, :22] @ unsigned, a @ wide, a @ w.astype(np.int64).T, np.arange(40) + a[:, :21] @ signed[:21]]
    program = torchcc.compile_source(PRODUCTS).Products().forward.program
    specs = [TensorSpec(torchcc.uint8, x.shape), TensorSpec(torchcc.int8, y.shape), TensorSpec(torchcc.int8, w.shape)]
    lowered = driver.lower(program, specs, target)
    if target == "x86-64-v3":
        assert intrinsics(lowered.modules["loops"]) == {llvm.WORD_DOTS[8]}
    if runs_here(target):
        for got, reference in zip(compile_module(lowered.modules["loops"], lowered.signature).call_flat([x, y, w]), expected, strict=True):
            np.testing.assert_array_equal(got, reference)


def test_every_stage_computes_the_same():
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 256, (3, 24)).astype(np.uint8), rng.integers(-128, 128, (3, 24)).astype(np.int8)
    program = torchcc.compile_source(PRODUCTS).Products().forward.program
    values = [x, y, rng.integers(-128, 128, (4, 24)).astype(np.int8)]
    specs = [TensorSpec(dtype, v.shape) for dtype, v in zip((torchcc.uint8, torchcc.int8, torchcc.int8), values, strict=True)]
    assert [line for line in verify_stages(program, specs, values) if not line.agrees] == []
