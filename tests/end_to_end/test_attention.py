"""Attention in native code: the blocks of `linalg_ext.attention` against PyTorch, and what memory they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchcc.api import compile_source
from torchcc.driver import lower
from torchcc.ir.dtypes import DType
from torchcc.ir.printer import print_module
from torchcc.ir.signature import Dim, TensorSpec, rebuild
from torchcc.ir.target import AVX2, AVX512
from torchcc.lowering.loops.plan_attention import plan_attention
from torchcc.lowering.loops.plan_memory import plan_memory

torch = pytest.importorskip("torch", reason="compares with PyTorch")

HEADER = "import torch\nimport torch.nn.functional as F\n\n"

SAME_SHAPES = """
def f(q, k, v, m):
    s = q @ k.transpose(-2, -1) / 3.0
    low = float("-inf")
    return (
        F.scaled_dot_product_attention(q, k, v),
        F.scaled_dot_product_attention(q, k, v, is_causal=True),
        F.scaled_dot_product_attention(q, k, v, m > 0),
        F.scaled_dot_product_attention(q, k, v, m),
        torch.softmax((q * 0.3) @ k.mT + m, -1) @ v,
        torch.softmax((q @ k.mT).masked_fill(m[:, :, :1] > 0.5, low), -1) @ v,
        torch.softmax((q @ k.mT).masked_fill(torch.tril(torch.ones(q.size(2), k.size(2))) == 0, low), -1) @ v,
        (torch.softmax(torch.where(m.mT.mT.abs() > 0.1, q @ k.mT, low), -1) @ v).transpose(1, 2).reshape(q.size(0), q.size(2), -1),
        (v.mT @ torch.softmax(k @ q.mT, -2)),
    )
"""

OTHERS = """
def g(q, k, v, x, w):
    p = F.linear(x, w).reshape(2, 21, 3, 4, 6).permute(2, 0, 3, 1, 4)
    a = torch.softmax(p[0] @ p[1].transpose(-2, -1) * 0.4, -1) @ p[2]
    return (
        F.scaled_dot_product_attention(q, k, v, enable_gqa=True, is_causal=True),
        torch.softmax(q @ q.mT, -1) @ q,
        torch.softmax(q[0, 0] @ k[0, 0].t(), -1) @ v[0, 1],
        a.transpose(1, 2).reshape(2, 21, 24),
        torch.softmax(q.half() @ q.half().mT, -1) @ q.half(),
        F.scaled_dot_product_attention(q.bfloat16(), q.bfloat16(), q.bfloat16()),
        F.scaled_dot_product_attention(q.double(), q.double(), q.double(), is_causal=True),
    )
"""


def samples(*shapes: tuple[int, ...]) -> list[Any]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(s).astype(np.float32) for s in shapes]


def agree(found: Any, expected: Any) -> None:
    for got, wanted in zip(found, expected, strict=True):
        assert str(wanted.dtype).removeprefix("torch.") == str(np.asarray(got).dtype)
        tolerance = {torch.float16: 4e-3, torch.bfloat16: 3e-2, torch.float64: 1e-12}.get(wanted.dtype, 5e-6)
        exact = wanted.to(torch.float64).numpy()
        np.testing.assert_allclose(np.asarray(got).astype(np.float64), exact, rtol=tolerance, atol=tolerance)


def run(text: str, name: str, given: list[Any]) -> tuple[Any, Any]:
    ours = getattr(compile_source(HEADER + text), name)(*given)
    scope: dict[str, Any] = {}
    exec(HEADER + text, scope)
    return ours, scope[name](*map(torch.from_numpy, given))


@pytest.mark.parametrize("shape", [(2, 3, 20, 45, 9), (1, 2, 50, 130, 16)], ids=["short", "long rows"])
def test_masks_of_all_kinds(shape: tuple[int, ...]) -> None:
    batch, heads, queries, keys, width = shape
    given = samples((batch, heads, queries, width), (batch, heads, keys, width), (batch, heads, keys, width), (batch, 1, queries, keys))
    given[3][0, 0, 3] = -np.inf  # nothing is seen
    given[3][0, 0, 5, ::2] = -np.inf
    agree(*run(SAME_SHAPES, "f", given))


def test_heads_that_share_keys_columns_of_a_projection_and_other_floats() -> None:
    given = samples((1, 4, 37, 16), (1, 2, 37, 16), (1, 2, 37, 16), (2, 21, 24), (72, 24))
    agree(*run(OTHERS, "g", given))


def test_blocks_of_keys_carry_maxima_and_sums() -> None:
    text = """
def h(q, k, v, m):
    s = q @ k.mT * 0.2
    return F.scaled_dot_product_attention(q, k, v), F.scaled_dot_product_attention(q, k, v, is_causal=True), torch.softmax(s + m, -1) @ v
"""
    given = samples((1, 1, 70, 64), (1, 1, 1700, 64), (1, 1, 1700, 64), (70, 1700))
    assert plan_attention(70, 1700, 64, 64, 1, 16, 4, AVX512).keys is not None
    given[3][:, :600] = -np.inf  # the first block is all hidden
    given[3][7] = -np.inf
    agree(*run(text, "h", given))


def test_what_is_not_finite_makes_its_rows_so() -> None:
    text = "def f(q, k, v):\n    return (torch.softmax(q @ k.mT, -1) @ v, F.scaled_dot_product_attention(q, k, v))\n"
    given = samples((1, 2, 40, 16), (1, 2, 45, 16), (1, 2, 45, 16))
    given[0][0, 0, 3, 2] = np.nan
    given[0][0, 0, 4, 2] = np.inf
    given[2][0, 1, 9, 1] = np.nan
    given[2][0, 1, 9, 2] = -np.inf
    agree(*run(text, "f", given))


def test_one_compilation_for_all_lengths() -> None:
    body = """
def f(q, k, v, m):
    a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return a, torch.softmax(q @ k.transpose(-2, -1) + m, -1) @ v, torch.softmax(q @ k.mT, -1) @ v
"""
    batch, t, s = Dim("b", 1, 8), Dim("t", 0, 4096), Dim("s", 0, 4096)
    function = compile_source(HEADER + body).f
    shapes = [(batch, 2, t, 8), (batch, 2, s, 8), (batch, 2, s, 8), (batch, 1, 1, s)]
    compiled, signature = function.specialise([TensorSpec(DType.float32, shape) for shape in shapes])
    scope: dict[str, Any] = {}
    exec(HEADER + body, scope)
    for sizes in ({"b": 1, "t": 1, "s": 1}, {"b": 2, "t": 5, "s": 33}, {"b": 1, "t": 70, "s": 1100}, {"b": 1, "t": 0, "s": 3}, {"b": 1, "t": 3, "s": 0}):
        given = samples(*[tuple(sizes[e.name] if isinstance(e, Dim) else e for e in shape) for shape in shapes])
        agree(rebuild(signature.tree, compiled.call_flat(given)), scope["f"](*map(torch.from_numpy, given)))


def test_memory_does_not_grow_with_the_square_of_the_length() -> None:
    program = compile_source(HEADER + "def f(q, k, v):\n    return F.scaled_dot_product_attention(q, k, v, is_causal=True)\n").f.program
    sizes: list[int] = []
    for length in (1024, 8192):
        specs = [TensorSpec(DType.float32, (1, 2, length, 64))] * 3
        module = lower(program, specs, "x86-64-v3").modules["loops"]
        allocated = [op for op in module.walk() if op.name == "memref.alloc"]
        elements = [int(np.prod([e or 1 for e in op.result.type.shape])) for op in allocated]
        layout = plan_memory(module.clone({}))
        sizes.append(sum(elements) + sum(plan.peak for plan in layout.values()))
        text = print_module(module)
        assert "attention rows=" in text  # the decision is in the dump
        assert f"{length}x{length}" not in text
    assert sizes[1] <= 8 * sizes[0]


def test_the_cost_model_keeps_blocks_in_the_cache() -> None:
    for target in (AVX2, AVX512):
        for queries, keys, depth, heads in ((128, 128, 64, 12), (4096, 4096, 64, 1), (None, None, 128, None), (50, 100_000, 256, 1)):
            plan = plan_attention(queries, keys, depth, depth, heads, target.vector_bytes // 4, 4, target)
            block = plan.keys or keys
            assert block is not None and 4 * block * 2 * depth <= target.l2_bytes and plan.chunk % plan.rows == 0
    assert plan_attention(128, 128, 64, 64, 12, 16, 4, AVX512).keys is None
