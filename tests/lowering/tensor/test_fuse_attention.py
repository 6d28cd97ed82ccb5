"""`fuse_attention`: what is recognised however it is written, what is not, and what it means."""

import numpy as np
import pytest

from torchcc.api import compile_source
from torchcc.driver import lower
from torchcc.ir.dialects import linalg_ext
from torchcc.ir.dtypes import DType
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.signature import Dim, TensorSpec
from torchcc.lowering.loops.causal_order import causal_shift
from torchcc.lowering.pass_manager import PassManager

HEADS = (2, 3, 20, 8)
"""Batch, heads, queries, elements of a query."""
LONG = (2, 3, 24, 8)
SOFT = "torch.softmax({}, -1) @ v"

FUSED = {
    "sdpa": ("F.scaled_dot_product_attention(q, k, v)", [HEADS, LONG, LONG]),
    "causal": ("F.scaled_dot_product_attention(q, k, v, is_causal=True)", [HEADS, LONG, LONG]),
    "boolean mask": ("F.scaled_dot_product_attention(q, k, v, m > 0)", [HEADS, LONG, LONG, (2, 1, 20, 24)]),
    "scaled afterwards": (SOFT.format("q @ k.transpose(-2, -1) / 2.5"), [HEADS, LONG, LONG]),
    "scaled before": (SOFT.format("(q * 0.3) @ k.transpose(-2, -1)"), [HEADS, LONG, LONG]),
    "mask of keys": (SOFT.format("q @ k.transpose(-2, -1) * 0.5 + (1.0 - m) * -1e4"), [HEADS, LONG, LONG, (2, 1, 1, 24)]),
    "filled": (SOFT.format("(q @ k.mT).masked_fill(m > 0, float('-inf'))"), [HEADS, LONG, LONG, (20, 24)]),
    "triangle": (SOFT.format("(q @ k.mT).masked_fill(torch.tril(torch.ones(20, 24)) == 0, float('-inf'))"), [HEADS, LONG, LONG]),
    "added triangle": (SOFT.format("q @ k.mT + torch.triu(torch.full([20, 24], float('-inf')), 1)"), [HEADS, LONG, LONG]),
    "bmm": ("torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)), 2), v)", [(4, 20, 8), (4, 24, 8), (4, 24, 5)]),
    "baddbmm": ("torch.bmm(torch.softmax(torch.baddbmm(m, q, k.mT, alpha=0.5), -1), v)", [(4, 20, 8), (4, 24, 8), (4, 24, 8), (4, 20, 24)]),
    "one head": (SOFT.format("q @ k.t()"), [(20, 8), (24, 8), (24, 8)]),
    "keys stored the other way": (SOFT.format("q @ k"), [HEADS, (2, 3, 8, 24), LONG]),
    "einsum": (
        "torch.einsum('bhts,bshd->bthd', torch.softmax(torch.einsum('bthd,bshd->bhts', q, k), -1), v)",
        [(2, 20, 3, 8), (2, 24, 3, 8), (2, 24, 3, 8)],
    ),
    "shared keys": ("F.scaled_dot_product_attention(q, k, v, enable_gqa=True)", [(1, 4, 20, 8), (1, 2, 24, 8), (1, 2, 24, 8)]),
}  # fmt: skip

APART = {
    "weights are a result": ("with_weights(torch.softmax(q @ k.mT, -1), v)", [HEADS, LONG, LONG]),
    "few queries": (SOFT.format("q @ k.mT"), [(2, 3, 4, 8), LONG, LONG]),
    "scores are a result": ("with_scores(q @ k.mT, v)", [HEADS, LONG, LONG]),
    "softmax of queries": ("torch.softmax(q @ k.mT, -2) @ v", [HEADS, LONG, LONG]),
    "no softmax": ("torch.exp(q @ k.mT) @ v", [HEADS, LONG, LONG]),
}


def lowered(expression, shapes):
    """(the linalg stage, the module before the pass)."""
    names = "qkvm"[: len(shapes)]
    text = "import torch\nimport torch.nn.functional as F\n\ndef with_weights(w, v):\n    return w @ v, w\n\n"
    text += "def with_scores(s, v):\n    return torch.softmax(s, -1) @ v, s\n\n"
    program = compile_source(f"{text}def f({', '.join(names)}):\n    return {expression}\n").f.program
    seen = {}
    manager = PassManager(watch=lambda name, module: seen.setdefault(name, module.clone({})))
    result = lower(program, [TensorSpec(DType.float32, s) for s in shapes], "x86-64-v3", manager=manager)
    return result, seen["fold-moved-constants"]


def attentions(module):
    return [op for op in module.walk() if op.name == linalg_ext.ATTENTION]


def samples(shapes, sizes=None):
    generator = np.random.default_rng(0)
    known = sizes or {}
    return [generator.standard_normal([known.get(getattr(e, "name", ""), e) for e in s]).astype(np.float32) for s in shapes]


@pytest.mark.parametrize("name", FUSED)
def test_spellings_of_attention_become_one_operation(name):
    expression, shapes = FUSED[name]
    result, before = lowered(expression, shapes)
    module = result.modules["linalg"]
    assert len(attentions(module)) == 1
    assert not [op for op in module.walk() if op.name == "math.exp" or "matmul" in op.name]
    given = samples(shapes)
    expected = interpret(before, "f", given)
    np.testing.assert_allclose(interpret(module, "f", given)[0], expected[0], rtol=1e-4, atol=1e-5)
    text = print_module(module)
    assert print_module(parse_module(text)) == text


@pytest.mark.parametrize("name", APART)
def test_what_is_wanted_otherwise_stays(name):
    expression, shapes = APART[name]
    assert not attentions(lowered(expression, shapes)[0].modules["linalg"])


def test_run_time_lengths_leave_no_branch():
    t, s = Dim("t", 0, 4096), Dim("s", 0, 4096)
    shapes = [(2, 3, t, 8), (2, 3, s, 8), (2, 3, s, 8)]
    module = lowered("F.scaled_dot_product_attention(q, k, v, is_causal=True)", shapes)[0].modules["linalg"]
    (op,) = attentions(module)
    assert causal_shift(op) == 0
    assert not [op for op in module.walk() if op.name == "linalg.batch_matmul"]
    for sizes in ({"t": 5, "s": 7}, {"t": 3, "s": 0}):
        given = samples(shapes, sizes)
        scores = given[0] @ given[1].swapaxes(-1, -2) / np.sqrt(np.float32(8))
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True, initial=-np.inf))
        expected = weights / weights.sum(-1, keepdims=True) @ given[2] if sizes["s"] else np.zeros_like(given[0])
        np.testing.assert_allclose(interpret(module, "f", given)[0], expected, rtol=1e-4, atol=1e-5)


def test_queries_keys_and_values_are_read_where_they_lie():
    text = """
import torch
import torch.nn.functional as F

def f(x, w):
    q, k, v = F.linear(x, w).split(32, 2)
    q, k, v = [t.view(2, 20, 4, 8).transpose(1, 2) for t in (q, k, v)]
    y = torch.softmax(q @ k.transpose(-2, -1) * 0.25, -1) @ v
    return y.transpose(1, 2).contiguous().view(2, 20, 32)
"""
    program = compile_source(text).f.program
    module = lower(program, [TensorSpec(DType.float32, s) for s in ((2, 20, 32), (96, 32))], "x86-64-v3").modules["linalg"]
    (op,) = attentions(module)
    assert [v.defining_op().name for v in linalg_ext.inputs(op)] == ["tensor.extract_slice"] * 3
    moves = [op for op in module.walk() if op.name == "linalg.generic" and len(list(op.body().operations())) == 1]
    assert not moves
    assert str(op.result.type) == "tensor<2x20x4x8xf32>"  # as the next reshape wants it


ORDERS = {
    "F.scaled_dot_product_attention(q, k, v, is_causal=True)": 0,
    SOFT.format("(q @ k.mT).masked_fill(torch.tril(torch.ones(20, 24), 2) == 0, float('-inf'))"): 2,
    SOFT.format("(q @ k.mT).masked_fill(torch.triu(torch.ones(20, 24), 1) != 0, float('-inf'))"): 0,
    SOFT.format("q @ k.mT + torch.triu(torch.full([20, 24], float('-inf')), 3)"): 2,
    SOFT.format("torch.where(torch.arange(24) < torch.arange(20)[:, None] + 3, q @ k.mT, float('-inf'))"): 2,
    SOFT.format("(q @ k.mT).masked_fill(torch.tril(torch.ones(20, 24)) == 0, -1e9)"): None,
    SOFT.format("(q @ k.mT).masked_fill(torch.tril(torch.ones(20, 24)) == 1, float('-inf'))"): None,
    SOFT.format("q @ k.mT"): None,
}  # fmt: skip


@pytest.mark.parametrize("number", range(len(ORDERS)))
def test_causal_orders_are_seen_through_masks(number):
    expression = list(ORDERS)[number]
    (op,) = attentions(lowered(expression, [HEADS, LONG, LONG])[0].modules["linalg"])
    assert causal_shift(op) == ORDERS[expression]
