"""`torch._foreach_...`: operators on lists of tensors, in place too, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchcc.api import compile_source
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.dtypes import DType
from torchcc.ir.signature import TensorSpec
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="computes the same")

UNARY = (
    "abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round rsqrt "
    "sigmoid sign sin sinh sqrt tan tanh trunc"
).split()
OTHERS = (
    "add(xs, ys, alpha=2)|add(xs, 2)|add(xs, k)|sub(xs, ys)|sub(xs, 0.5)|mul(xs, ys)|mul(xs, k)|mul(xs, 3)|div(xs, ys)|div(xs, 4)|div(xs, k)|"
    "clamp_min(xs, 0.5)|clamp_max(xs, ys)|maximum(xs, ys)|maximum(xs, 0.25)|minimum(xs, ys)|minimum(xs, 0.5)|pow(xs, ys)|pow(xs, 2)|"
    "lerp(xs, ys, 0.25)|lerp(xs, ys, zs)|addcmul(xs, ys, zs, value=0.5)|addcdiv(xs, ys, zs)"
).split("|")
NOT_IN_PLACE = ["pow(2.0, xs)", "norm(xs, 2)", "norm(xs, 1)", "max(xs)", "mm(xs, [y, x])", "clone(xs)"]


def _program() -> str:
    calls = [f"{name}(xs)" for name in UNARY] + OTHERS
    lines = ["import torch", "from torch import Tensor", "from typing import List", "", "def new(x: Tensor, y: Tensor, k: Tensor):"]
    lists = "    ys, zs = [y, x + 1.0], [x + 2.0, y]"
    lines += ["    xs = [x, y]", lists, "    rs: List[Tensor] = []"]
    lines += [f"    rs.extend(torch._foreach_{call})" for call in calls + NOT_IN_PLACE]
    lines += ["    return rs", "", "def in_place(x: Tensor, y: Tensor, k: Tensor):", lists, "    rs: List[Tensor] = []"]
    for call in [*(c.replace("(", "_(", 1) for c in calls), "copy_(xs, ys)", "zero_(xs)"]:
        lines += ["    xs = [x.clone(), y.clone()]", f"    torch._foreach_{call}", "    rs.extend(xs)"]
    lines += ["    return rs", ""]
    return "\n".join(lines)


MORE = """
import torch
from torch import Tensor
from typing import List

def views(x: Tensor):
    rows = x.clone()
    torch._foreach_sub_([rows[0], rows[1]], 1)
    torch._foreach_zero_([rows[:, 2]])
    return rows

def argument(x: Tensor):
    torch._foreach_neg_([x])
    return x + 1.0

def many(x: Tensor, n: int):
    xs: List[Tensor] = []
    for i in range(n):
        xs.append(x + i)
    torch._foreach_mul_(xs, 2)
    return torch._foreach_div(xs, xs)[0] + xs[1]
"""
RANDOM = np.random.default_rng(3)
X, Y = (RANDOM.random((2, 3, 3)) * 0.8 + 0.1).astype(np.float32)
K = np.asarray(1.5, np.float32)


def _scope(text: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(text, scope)
    return scope


@pytest.mark.parametrize("name", ["new", "in_place"])
def test_every_operator(name: str) -> None:
    expected = _scope(_program())[name](torch.tensor(X), torch.tensor(Y), torch.tensor(K))
    found = getattr(compile_source(_program()), name)(X, Y, K)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=3e-6, atol=1e-6)


def test_every_stage_agrees() -> None:
    results = verify_stages(compile_text(MORE, "<test>", "views"), [TensorSpec(DType.float32, (3, 3))], [X])
    assert all(r.agrees for r in results), results


@pytest.mark.parametrize(("name", "more"), [("views", ()), ("argument", ()), ("many", (3,))], ids=["views", "argument", "many"])
def test_what_shares_memory(name: str, more: tuple[int, ...]) -> None:
    ours, theirs = X.copy(), torch.tensor(X)
    expected = _scope(MORE)[name](theirs, *more)
    np.testing.assert_allclose(getattr(compile_source(MORE), name)(ours, *more), expected.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [("neg([x][:0])", "at least one"), ("mul([x, x], [x])", "2 and 1"), ("add_([x.long()], 0.5)", "can't be cast"), ("nothing([x])", "_foreach")],
)
def test_refused(call: str, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        compile_source(f"import torch\ndef f(x: torch.Tensor):\n    return torch._foreach_{call}\n").f(X)
