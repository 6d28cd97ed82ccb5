"""Operators on tensors with run-time extents, compiled once and run on several sizes, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchcc.api import compile_source
from torchcc.ir.dtypes import DType
from torchcc.ir.signature import Dim, TensorSpec, rebuild

torch = pytest.importorskip("torch", reason="compares with PyTorch")

B, T = Dim("b", 1, 64), Dim("t", 1, 64)

CASES: dict[str, list[tuple[int | Dim, ...]]] = {
    "x.view(x.size(0), -1)": [(B, 3, 4)],
    "x.view(-1, 12) + 1": [(B, 3, 4)],
    "x.flatten(1).view(x.size(0), 2, 6).transpose(1, 2)": [(B, 3, 4)],
    "torch.softmax(x @ x.transpose(1, 2), -1) @ x": [(B, T, 4)],
    "F.layer_norm(x, [4])": [(B, T, 4)],
    "F.max_pool2d(F.relu(F.conv2d(x, y, padding=1)), 2)": [(B, 2, 6, 6), (3, 2, 3, 3)],
    "F.conv2d(x, y, padding=1, stride=2)": [(B, 2, T, T), (3, 2, 3, 3)],
    "F.adaptive_avg_pool2d(x, 3)": [(B, 2, T, T)],
    "torch.cat([x, x[:, 1:]], 1)": [(B, T)],
    "torch.stack([x, x + 1], 1)": [(B, T)],
    "x[x > 0]": [(B, T)],
    "x.sort(1)[0]": [(B, T)],
    "F.interpolate(x, scale_factor=2.0)": [(B, 2, T, T)],
    "F.linear(x, y)": [(B, T, 4), (5, 4)],
    "x.reshape(x.size(0) * x.size(1), 4).reshape(x.size(0), x.size(1), 4)": [(B, T, 4)],
    "x.expand(3, x.size(0), x.size(1))": [(B, T)],
    "F.scaled_dot_product_attention(x, x, x, is_causal=True)": [(B, 2, T, 4)],
    "F.group_norm(x, 2)": [(B, 4, T)],
    "F.cross_entropy(x, x.argmax(1))": [(B, 5)],
    "x.repeat(2, 3)": [(B, T)],
    "x.narrow(1, 0, 2) + x[:, -2:]": [(B, T)],
    "x.flip([0, 1]).roll(1, 0)": [(B, T)],
    "torch.einsum('bij,bkj->bik', [x, x])": [(B, T, 4)],
    "torch.matmul(x, y)": [(B, T, 4), (4, T)],
    "x.unflatten(0, [-1, 1]).squeeze(1)": [(B, T)],
    "x.topk(2, 1)[0]": [(B, T)],
}


@pytest.mark.parametrize("expression", list(CASES))
def test_one_compilation_serves_all_sizes(expression: str) -> None:
    shapes = CASES[expression]
    names = "xyz"[: len(shapes)]
    text = f"import torch\nimport torch.nn.functional as F\n\ndef f({', '.join(names)}):\n    return {expression}\n"
    function = compile_source(text).f
    compiled, signature = function.specialise([TensorSpec(DType.float32, s) for s in shapes])
    for sizes in ({"b": 3, "t": 5}, {"b": 1, "t": 4}):
        arguments = [_floats([sizes[d.name] if isinstance(d, Dim) else d for d in s]) for s in shapes]
        found = rebuild(signature.tree, compiled.call_flat(arguments))
        scope: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
        scope |= {n: torch.tensor(a) for n, a in zip(names, arguments, strict=True)}
        np.testing.assert_allclose(found, eval(expression, scope).numpy(), rtol=3e-5, atol=3e-6)


def _floats(shape: list[int]) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)
