"""Backward kernels called by their names, and factorisations in blocks: what PyTorch gives for the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torchcc
from torchcc.frontend.compile import compile_text
from torchcc.ir.dtypes import DType
from torchcc.ir.signature import TensorSpec
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="computes the same")

SOURCE = """
import torch
from torch import Tensor
ops = torch.ops.aten

def gates(x: Tensor, g: Tensor, d: Tensor):
    back = torch.ops.aten.glu_backward(g, x, 1)
    return (
        torch.ops.aten.log_sigmoid_forward(x), torch.ops.aten.glu_jvp(torch.nn.functional.glu(x, 1), x, d, 1),
        torch.ops.aten.glu_backward_jvp(back, g, x, g * 2.0, d, 1), torch.ops.aten.cumprod_backward(d, x, 1, x.cumprod(1)),
        torch.ops.aten.masked_scatter_backward(x, x > 0.0, [2, 6]),
        torch.ops.aten.matrix_exp_backward(x[:3, :3], d[:3, :3]),
        torch.ops.aten.upsample_bicubic2d_backward(x.reshape(1, 1, 4, 4), [4, 4], [1, 1, 2, 3], False),
    )

def losses(x: Tensor, y: Tensor, w: Tensor):
    several = torch.clamp(y.unsqueeze(1) - torch.arange(4), min=-1)
    one = torch.ones([])
    marked = torch.ops.aten.multilabel_margin_loss_forward(x, several, 1)[1]
    return (
        torch.ops.aten.multi_margin_loss_backward(one, x, y, 1, 1.0, w, 1),
        torch.ops.aten.multi_margin_loss_backward(x[:, 0], x, y, 2, 0.5, None, 0),
        torch.ops.aten.multilabel_margin_loss_backward(one, x, several, 1, marked),
    )

def normal(x: Tensor, mean: Tensor, var: Tensor):
    return torch.ops.aten.batch_norm_update_stats(x, mean, var, 0.1), mean, var

def attention(q: Tensor):
    return torch.ops.aten._scaled_dot_product_attention_math(q, q * 2.0, q + 1.0, None, 0.0, True)

def bits(x: Tensor):
    return torch.ops.aten.view_copy.dtype(x, torch.uint8), torch.ops.aten.view_copy.dtype(x, torch.int64)

def linear_grid(g: Tensor, x: Tensor, grid: Tensor):
    both = [True, True]
    border = torch.ops.aten.grid_sampler_2d_backward(g, x, grid, 0, 1, True, both)
    return border, torch.ops.aten.grid_sampler_2d_backward(g, x, grid, 0, 2, False, [False, True])[1]

def cubic_grid(g: Tensor, x: Tensor, grid: Tensor):
    both = [True, True]
    nearest = torch.ops.aten.grid_sampler_2d_backward(g, x, grid, 1, 2, True, both)
    return nearest, torch.ops.aten.grid_sampler_2d_backward(g, x, grid, 2, 0, False, both)

def grid_3d(g: Tensor, x: Tensor, grid: Tensor):
    return torch.ops.aten.grid_sampler_3d_backward(g, x, grid, 0, 2, False, [True, True])

def taps(g: Tensor, x: Tensor, w: Tensor):
    return torch.ops.aten.conv_tbc_backward(g, x, w, w[0, 0], 1)

def labelled(x: Tensor, labels: Tensor, two: Tensor):
    probs = torch.log_softmax(x, 2)
    whole = torch.ops.aten._ctc_loss(probs, labels[:, :2], [4, 4], [2, 2], 0, False)
    short = torch.ops.aten._ctc_loss.Tensor(probs, labels.flatten()[:2], two * 2, two - 1, 0, False)
    return whole, short[0], short[1][0]

def written(x: Tensor, i: Tensor):
    a, b = x.clone(), x.clone()
    torch.ops.aten._index_put_impl_(a, [i], x[:2] * 2.0, True)
    other = torch.ops.aten._index_put_impl_.hacked_twin(b, [i, i], x[0, :2], False)
    filled, gone = torch.ops.aten._no_grad_fill_(x.clone(), 2.0), torch.ops.aten._no_grad_zero_(x.clone())
    return a, b, other, filled, gone, complex(x[0, 0], x[0, 1]), complex(x[0, 0], True), complex(x[0, 0], 2), complex(x[0, 0], 0.5)

def drawn(x: Tensor):
    torch.manual_seed(3)
    return torch.ops.aten._no_grad_uniform_(x.clone(), 0.5, 2.0), torch.ops.aten._no_grad_normal_(x.clone(), 1.0, 0.5)
"""

RANDOM = np.random.default_rng(5)
X, D = RANDOM.standard_normal((2, 4, 4)).astype(np.float32)
X[1, 2] = 0.0


def _flat(value: Any) -> list[np.ndarray]:
    return [a for v in value for a in _flat(v)] if isinstance(value, tuple | list) else [np.asarray(value)]


def _random(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


KERNELS: dict[str, tuple[Any, ...]] = {
    "gates": (X, D[:, :2].copy(), D),
    "losses": (X, np.array([1, 0, 3, 2]), np.abs(D[0])),
    "normal": (X, np.zeros(4, np.float32), np.ones(4, np.float32)),
    "attention": (RANDOM.standard_normal((2, 3, 4)).astype(np.float32),),
    "bits": (X,),
    "linear_grid": (_random(1, 2, 2, 3), _random(1, 2, 4, 5), _random(1, 2, 3, 2)),
    "cubic_grid": (_random(1, 2, 2, 3), _random(1, 2, 4, 5), _random(1, 2, 3, 2)),
    "grid_3d": (_random(1, 2, 1, 2, 2), _random(1, 2, 2, 4, 3), _random(1, 1, 2, 2, 3)),
    "taps": (_random(5, 2, 4), _random(5, 2, 3), _random(3, 3, 4)),
    "labelled": (_random(4, 2, 5), np.array([[1, 1, 2], [3, 4, 0]]), np.array([2, 2])),
    "written": (_random(3, 3), np.array([2, 0])),
    "drawn": (_random(3, 3),),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_by_their_names(name: str) -> None:
    arguments = KERNELS[name]
    scope: dict[str, Any] = {}
    exec(SOURCE, scope)
    wanted = _flat(scope[name](*(torch.tensor(a) for a in arguments)))
    source = SOURCE.replace("ops = torch.ops.aten\n", "")
    got = _flat(getattr(torchcc.compile_source(source), name)(*(a.copy() for a in arguments)))
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["linear_grid", "taps", "labelled"])
def test_every_stage_agrees(name: str) -> None:
    arguments = KERNELS[name]
    program = compile_text(SOURCE.replace("ops = torch.ops.aten\n", ""), "<test>", name)
    results = verify_stages(program, [TensorSpec(DType[a.dtype.name], a.shape) for a in arguments], list(arguments))
    assert all(r.agrees for r in results), results


@pytest.mark.parametrize(("expression", "shape"), [("lu_factor", (2, 100, 98)), ("qr", (2, 98, 130))])
def test_factors_in_blocks(expression: str, shape: tuple[int, ...]) -> None:
    """From 96 columns on; 98 and 100 leave some columns over."""
    x = RANDOM.standard_normal(shape)
    x[..., 3] = 0.0 if expression == "qr" else x[..., 3]
    f = torchcc.compile_source(f"import torch\ndef f(x: torch.Tensor):\n    return torch.linalg.{expression}(x)\n").f
    for a, b in zip(f(x), getattr(torch.linalg, expression)(torch.tensor(x)), strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=1e-10)
