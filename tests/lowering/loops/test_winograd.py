"""Winograd's convolution: what the direct one gives, for every size of tile and block; taken only where it pays."""

import dataclasses

import numpy as np
import pytest

import torchcc
from torchcc.backend.cpu.host import named_target
from torchcc.ir.attributes import Constant
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.target import AVX2, AVX512
from torchcc.lowering.loops import winograd
from torchcc.lowering.loops.bufferize import Bufferize
from torchcc.lowering.loops.convert_linalg_to_loops import ConvertLinalgToLoops
from torchcc.lowering.loops.schedule_winograd import Algorithm, Problem, choose, direct_cycles, winograd_cycles
from torchcc.lowering.tensor.canonicalize import Canonicalize

CONVOLUTION = """
#x = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 * {step} + d4 * {apart}, d2 * {step} + d5 * {apart}, d6)>
#w = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3, d6, d4, d5)>
#y = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>
#i = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#o = affine_map<(d0, d1, d2, d3) -> (d3)>
func.func @f(%x: tensor<{n}x{hp}x{wp}x{c}xf32>, %b: tensor<{o}xf32>, %r: tensor<{n}x{h}x{w}x{o}xf32>) -> tensor<{n}x{h}x{w}x{o}xf32> {{
  %k = arith.constant dense_resource<k> : tensor<{o}x{c}x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<{n}x{h}x{w}x{o}xf32>
  %s = {start}
  %y = linalg.generic {{indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}} ins(%x, %k : tensor<{n}x{hp}x{wp}x{c}xf32>, tensor<{o}x{c}x3x3xf32>) outs(%s : tensor<{n}x{h}x{w}x{o}xf32>) {{
  ^bb0(%p: f32, %q: f32, %a: f32):
    %m = arith.mulf %p, %q : f32
    %t = arith.addf %a, %m : f32
    linalg.yield %t : f32
  }} -> tensor<{n}x{h}x{w}x{o}xf32>
  %z = linalg.generic {{indexing_maps = [#i, #i, #i], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}} ins(%y, %r : tensor<{n}x{h}x{w}x{o}xf32>, tensor<{n}x{h}x{w}x{o}xf32>) outs(%e : tensor<{n}x{h}x{w}x{o}xf32>) {{
  ^bb0(%p: f32, %q: f32, %a: f32):
    %v = arith.addf %p, %q : f32
    %u = arith.maximumf %v, %zero : f32
    linalg.yield %u : f32
  }} -> tensor<{n}x{h}x{w}x{o}xf32>
  return %z : tensor<{n}x{h}x{w}x{o}xf32>
}}
"""
STARTS = {
    "zero": "linalg.fill ins(%zero : f32) outs(%e : tensor<{n}x{h}x{w}x{o}xf32>) -> tensor<{n}x{h}x{w}x{o}xf32>",
    "bias": """linalg.generic {{indexing_maps = [#o, #i], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}} ins(%b : tensor<{o}xf32>) outs(%e : tensor<{n}x{h}x{w}x{o}xf32>) {{
  ^bb0(%p: f32, %q: f32):
    linalg.yield %p : f32
  }} -> tensor<{n}x{h}x{w}x{o}xf32>""",
}


def convolution(start, n, h, w, c, o, step=1, apart=1):
    """The module, and arguments of `f`."""
    sizes = {"n": n, "h": h, "w": w, "c": c, "o": o, "hp": (h - 1) * step + 2 * apart + 1, "wp": (w - 1) * step + 2 * apart + 1}
    text = CONVOLUTION.format(start=STARTS[start].format(**sizes), step=step, apart=apart, **sizes)
    generator = np.random.default_rng(0)

    def noise(*shape):
        return generator.standard_normal(shape).astype(np.float32)

    module = parse_module(text, {"k": Constant("k", noise(o, c, 3, 3))})
    return module, [noise(n, sizes["hp"], sizes["wp"], c), noise(o), noise(n, h, w, o)]


def lowered(module, target=AVX512):
    for step in (Canonicalize(), Bufferize(), ConvertLinalgToLoops(target)):
        module = step.apply(module)
    return module


@pytest.mark.parametrize(
    ("start", "sizes", "algorithm", "target"),
    [
        ("zero", (1, 4, 4, 16, 16), Algorithm(2, 2, 2), AVX512),
        ("bias", (2, 5, 7, 5, 20), Algorithm(2, 2, 4), AVX512),
        ("bias", (1, 6, 9, 8, 8), Algorithm(4, 1, 2), AVX2),
        ("zero", (1, 9, 5, 3, 12), Algorithm(4, 2, 2), AVX2),
    ],
)
def test_gives_what_the_direct_convolution_gives(monkeypatch, start, sizes, algorithm, target):
    monkeypatch.setattr(winograd, "choose", lambda problem, target: algorithm)
    module, arguments = convolution(start, *sizes)
    (expected,) = interpret(module.clone({}), "f", arguments)
    (found,) = interpret(lowered(module, target), "f", arguments)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def taken(monkeypatch, module):
    problems = []
    monkeypatch.setattr(winograd, "choose", lambda problem, target: problems.append(problem))
    lowered(module)
    return problems


def test_asks_about_plain_convolutions_only(monkeypatch):
    module, _ = convolution("bias", 2, 8, 6, 16, 32)
    assert taken(monkeypatch, module) == [Problem(8, 6, 16, 32, 2)]
    for changed in ({"step": 2}, {"apart": 2}):
        module, _ = convolution("bias", 2, 8, 6, 16, 32, **changed)
        assert not taken(monkeypatch, module)


def test_the_epilogue_is_applied_in_registers(monkeypatch):
    monkeypatch.setattr(winograd, "choose", lambda problem, target: Algorithm(4, 2, 2))
    module, _ = convolution("zero", 1, 16, 16, 16, 16)
    buffers = [op.result.type.shape for op in lowered(module).walk() if op.name == "memref.alloc"]
    assert [len(shape) for shape in buffers] == [4, 3, 3], "the result, and what a block needs: tiles and products"


def test_the_choice():
    fast = dataclasses.replace(AVX512, fast=True)
    assert choose(Problem(56, 56, 64, 64), AVX512).outputs == 2, "rounding"
    assert choose(Problem(56, 56, 64, 64), fast).outputs == 4
    assert choose(Problem(28, 28, 128, 128), fast).outputs == 4
    assert choose(Problem(32, 32, 1024, 512), fast).outputs == 2, "too much rounding"
    assert choose(Problem(1, 1, 512, 512), AVX512) is None, "three quarters of the tile are outside"
    assert choose(Problem(56, 56, 3, 8), AVX512) is None, "transforms for eight channels only"


def test_blocks_of_large_images_stay_in_the_cache():
    problem = Problem(256, 256, 64, 64)
    algorithm = choose(problem, dataclasses.replace(AVX512, fast=True))
    tiles = algorithm.tile_rows * algorithm.tile_columns
    assert 36 * tiles * 128 * 4 <= AVX512.l2_bytes
    assert winograd_cycles(problem, algorithm, AVX512) < 0.5 * direct_cycles(problem, AVX512)


def test_weights_that_come_from_memory_are_read_once():
    algorithm = choose(Problem(16, 16, 1024, 1024), dataclasses.replace(AVX512, fma_per_cycle=1, cores=2))
    assert (algorithm.tile_rows, algorithm.tile_columns) == (8, 8), "67 MB of them"


SOURCE = """
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class Net(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.a = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.b = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.c = nn.Conv2d(outputs, 8, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.a(x))
        return self.c(F.relu(self.b(y) + y))
"""


@pytest.mark.parametrize(
    ("shape", "outputs", "algorithm"),
    [((2, 24, 17, 19), 40, Algorithm(4, 2, 5)), ((1, 16, 6, 30), 16, Algorithm(4, 1, 3)), ((1, 33, 9, 9), 17, Algorithm(2, 2, 3))],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_native(monkeypatch, tmp_path, shape, outputs, algorithm, threads):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    chosen = []
    monkeypatch.setattr(winograd, "choose", lambda problem, target: chosen.append(problem) or algorithm)
    path = tmp_path / "net.py"
    path.write_text(f"{SOURCE}\n# {algorithm}, {threads} threads\n")
    net = torchcc.compile_file(path, f"Net({shape[1]}, {outputs})", seed=0)
    state = {k: torch.from_numpy(np.array(v)) for k, v in net.state_dict().items()}
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    torchcc.set_num_threads(threads)
    found = net(x)
    y = torch.relu(torch.conv2d(torch.from_numpy(x), state["a.weight"], state["a.bias"], padding=1))
    z = torch.relu(torch.conv2d(y, state["b.weight"], None, padding=1) + y)
    expected = torch.conv2d(z, state["c.weight"])
    assert len(chosen) == 2
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_precision_is_a_setting(monkeypatch):
    for text, fast in (("exact", False), ("fast", True)):
        monkeypatch.setenv("TORCHCC_PRECISION", text)
        assert named_target("x86-64-v4").facts.fast is fast
    monkeypatch.setenv("TORCHCC_PRECISION", "loose")
    with pytest.raises(torchcc.CompileError, match="TORCHCC_PRECISION is `loose`"):
        named_target("x86-64-v4")
