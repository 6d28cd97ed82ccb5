"""The `..._backward` operators, called as `torch.ops.aten`, compiled to native code, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchcc.api import compile_source

torch = pytest.importorskip("torch", reason="compares with PyTorch")


def _x(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape).astype(np.float32) * 2


G, X, T = _x(3, 4), _x(3, 4, seed=1), _x(3, 4, seed=2)
P = (1 / (1 + np.exp(-X))).astype(np.float32)
EDGES = np.array([-3.0, 3.0, 0.0, -0.5, 0.5, 1.0, np.inf, -np.inf, np.nan, 20.5, -20.5, 7.0], np.float32).reshape(3, 4)
ONE = np.float32(1.7).reshape(())
LABELS, IGNORED = np.array([2, 0, 3]), np.array([2, -100, 3])
PLACES = np.array([[0, 2, 2], [4, 1, 2]])
IMAGE, GRAD = _x(2, 4, 6, 7), _x(2, 6, 3, 3)
LAYER = _x(5)


def _statistics(x: Any) -> tuple[Any, Any]:
    return x.mean(-1), 1 / x.std(-1)


CALLS: dict[str, tuple[Any, ...]] = {
    "sigmoid_backward(a, b)": (G, P),
    "tanh_backward(a, b)": (G, P),
    "threshold_backward(a, b, 0.5)": (G, EDGES),
    "gelu_backward(a, b, approximate='none')": (G, X),
    "gelu_backward(a, b, approximate='tanh')": (G, X),
    "silu_backward(a, b)": (G, X),
    "mish_backward(a, b)": (G, X),
    "elu_backward(a, 1.5, 1.1, 0.9, False, b)": (G, EDGES),
    "elu_backward(a, 1.5, 1.1, 0.9, True, b)": (G, X),
    "leaky_relu_backward(a, b, 0.2, False)": (G, EDGES),
    "hardtanh_backward(a, b, -0.5, 0.5)": (G, EDGES),
    "hardsigmoid_backward(a, b)": (G, EDGES),
    "hardswish_backward(a, b)": (G, EDGES),
    "softplus_backward(a, b, 1.0, 20.0)": (G, X),
    "softshrink_backward(a, b, 0.5)": (G, EDGES),
    "hardshrink_backward(a, b, 0.5)": (G, EDGES),
    "log_sigmoid_backward(a, b, torch.exp(-torch.abs(b)))": (G, X),
    "logit_backward(a, b)": (G, np.array([0, 1, 0.5, -1], np.float32)),
    "logit_backward(a, b, 0.1)": (G, np.array([0, 1, 0.5, 0.05], np.float32)),
    "glu_backward(a[:, :2], b, 1)": (G, X),
    "mse_loss_backward(a, b, c, 0)": (G, X, T),
    "mse_loss_backward(a, b, c, 1)": (ONE, X, T),
    "smooth_l1_loss_backward(a, b, c, 1, 0.7)": (ONE, X, T),
    "huber_loss_backward(a, b, c, 2, 0.7)": (ONE, X, T),
    "soft_margin_loss_backward(a, b, c, 1)": (ONE, X, T),
    "binary_cross_entropy_backward(a, b, c)": (ONE, P, T),
    "binary_cross_entropy_backward(a, b, c, c, 0)": (G, P, T),
    "nll_loss_backward(a, b, c, None, 1, -100, d)": (ONE, X, LABELS, np.float32(3).reshape(())),
    "nll_loss_backward(a, b, c, d[:4], 1, -100, d[4])": (ONE, X, IGNORED, LAYER),
    "nll_loss_backward(a[:, 0], b, c, None, 0, -100, d)": (G, X, IGNORED, np.float32(2).reshape(())),
    "nll_loss2d_backward(a, b, c, None, 2, -100, d)": (
        ONE,
        IMAGE[:, :, :2, :3],
        np.arange(12).reshape(2, 2, 3) % 4,
        np.float32(12).reshape(()),
    ),
    "select_backward(a, [3, 5, 4], 1, 2)": (G,),
    "slice_backward(a, [3, 9], 1, 1, 9, 2)": (G,),
    "diagonal_backward(a[0], [4, 4], 0, 0, 1)": (G,),
    "diagonal_backward(a[0], [5, 4], -1, 0, 1)": (G,),
    "trace_backward(a, [3, 4])": (ONE,),
    "index_select_backward(a, [5, 4], 0, b)": (G, np.array([4, 0, 4])),
    "masked_select_backward(a, b, b > 0)": (G.reshape(-1)[: int((X > 0).sum())], X),
    "value_selecting_reduction_backward(a[0], 0, b, [3, 4], False)": (G, np.array([0, 2, 1, 1])),
    "value_selecting_reduction_backward(a, 1, b, [3, 4], True)": (G[:, :1], np.array([[0], [2], [1]])),
    "unfold_backward(a, [2, 6], 1, 3, 1)": (_x(2, 4, 3),),
    "unfold_backward(a, [7, 2], 0, 3, 2)": (_x(3, 2, 3),),
    "unfold_backward(a, [], 0, 1, 1)": (_x(1),),
    "embedding_dense_backward(a, b, 6, -1, False)": (_x(2, 3, 4), PLACES),
    "embedding_dense_backward(a, b, 6, 2, True)": (_x(2, 3, 4), PLACES),
    "embedding_backward(a, b, 6, -1, False, False)": (_x(2, 3, 4), PLACES),
    "convolution_backward(a, b, c, [6], [2, 2], [1, 0], [1, 2], False, [0, 0], 1, [True, True, True])": (
        _x(2, 6, 3, 2),
        IMAGE,
        _x(6, 4, 3, 3),
    ),
    "convolution_backward(a, b, c, [6], [2, 3], [1, 2], [1, 1], False, [0, 0], 2, [True, True, True])": (
        _x(2, 6, 3, 3),
        IMAGE,
        _x(6, 2, 3, 3),
    ),
    "convolution_backward(a, b, c, [6], [2, 2], [1, 1], [1, 1], True, [1, 1], 2, [True, True, True])": (
        _x(2, 6, 12, 14),
        IMAGE,
        _x(4, 3, 3, 3),
    ),
    "convolution_backward(a, b, c, [5], [2], [1], [1], False, [0], 1, [True, True, True])": (
        _x(2, 5, 4),
        _x(2, 3, 8),
        _x(5, 3, 3),
    ),
    "native_layer_norm_backward(a, b, [4], c, d, b[0], b[1], [True, True, True])": (G, X, _x(3, 1), _x(3, 1, seed=3)),
    # (PyTorch reads a weight with strides as if it had none)
    "native_group_norm_backward(a, b, c, d, b[0, :, 0, 0].contiguous(), 2, 4, 42, 2, [True, True, True])": (
        _x(2, 4, 6, 7, seed=5),
        IMAGE,
        *_statistics(IMAGE.reshape(2, 2, 84)),
    ),
    "native_group_norm_backward(a, b, c, d, None, 2, 4, 42, 4, [True, False, False])": (
        _x(2, 4, 6, 7, seed=5),
        IMAGE,
        *_statistics(IMAGE.reshape(2, 4, 42)),
    ),
    "avg_pool2d_backward(a, b, [3, 2], [2, 2], [1, 1], False, True, None)": (_x(2, 4, 3, 4), IMAGE),
    "avg_pool2d_backward(a, b, [3, 2], [2, 2], [1, 1], False, False, None)": (_x(2, 4, 3, 4), IMAGE),
    "avg_pool2d_backward(a, b, [4, 4], [3, 3], [0, 0], True, True, None)": (_x(2, 4, 2, 2), IMAGE),
    "avg_pool2d_backward(a, b, [3, 2], [], [0, 0], False, True, 5)": (_x(2, 4, 2, 3), IMAGE),
    "avg_pool3d_backward(a, b, [2, 3, 2], [1, 2, 2], [0, 1, 1], False, True, None)": (_x(2, 3, 3, 4), _x(2, 4, 6, 7)),
    "_adaptive_avg_pool2d_backward(a, b)": (_x(2, 4, 4, 3), IMAGE),
    "_adaptive_avg_pool2d_backward(a, b[0])": (_x(4, 9, 2), IMAGE),
    "reflection_pad1d_backward(a, b, [2, 1])": (_x(2, 7), _x(2, 4)),
    "reflection_pad2d_backward(a, b, [2, 1, 0, 3])": (_x(2, 4, 9, 10), IMAGE),
    "replication_pad1d_backward(a, b, [2, 1])": (_x(2, 7), _x(2, 4)),
    "replication_pad2d_backward(a, b, [2, 1, 0, 3])": (_x(2, 4, 9, 10), IMAGE),
    "replication_pad3d_backward(a, b, [2, 1, 0, 3, 1, 1])": (_x(4, 4, 9, 10), _x(4, 2, 6, 7)),
    "upsample_nearest1d_backward(a, [7], [2, 3, 4])": (_x(2, 3, 7),),
    "upsample_nearest2d_backward(a, [7, 5], [2, 3, 4, 8])": (_x(2, 3, 7, 5),),
    "upsample_nearest3d_backward(a, [4, 3, 5], [1, 2, 2, 3, 4])": (_x(1, 2, 4, 3, 5),),
    "upsample_linear1d_backward(a, [7], [2, 3, 4], False)": (_x(2, 3, 7),),
    "upsample_bilinear2d_backward(a, [7, 5], [2, 3, 4, 8], True)": (_x(2, 3, 7, 5),),
    "upsample_bilinear2d_backward(a, [7, 5], [2, 3, 4, 8], False)": (_x(2, 3, 7, 5),),
    "upsample_trilinear3d_backward(a, [4, 3, 5], [1, 2, 2, 3, 4], False)": (_x(1, 2, 4, 3, 5),),
}

NOT_OF_EAGER: dict[str, tuple[str, tuple[Any, ...]]] = {
    # PyTorch has no kernel of these on the CPU, or calls it only from autograd: another operator says what is right
    "gather_backward(a, b, 1, c, False)": ("torch.zeros_like(b).scatter_add(1, c, a)", (G, X, np.arange(12).reshape(3, 4) % 4)),
    "cummaxmin_backward(a, b, c, 1)": ("torch.zeros_like(b).scatter_add(1, c, a)", (G, X, np.arange(12).reshape(3, 4) % 3)),
    "affine_grid_generator_backward(a, [2, 3, 4, 5], False)": (
        "torch.autograd.functional.vjp(lambda t: torch.nn.functional.affine_grid(t, [2, 3, 4, 5], align_corners=False),"
        " torch.zeros(2, 2, 3), a)[1]",
        (_x(2, 4, 5, 2),),
    ),
    "matmul_backward(a, b, c, [True, True])": (
        "torch.autograd.functional.vjp(torch.matmul, (b, c), a)[1]",
        (_x(2, 3, 5), _x(2, 3, 4), _x(4, 5)),
    ),
    "matmul_backward(a, b, c, [True, True])  # vector": (
        "torch.autograd.functional.vjp(torch.matmul, (b, c), a)[1]",
        (_x(3), _x(3, 4), _x(4)),
    ),
}

NAMES = "abcd"
PAIRS = "Tuple[Tensor, Tensor]"
TRIPLES = "Tuple[Tensor, Tensor, Tensor]"


def _source() -> str:
    lines = ["import torch", "from torch import Tensor", "from typing import Tuple", ""]
    calls = list(CALLS.items()) + [(call, arguments) for call, (_, arguments) in NOT_OF_EAGER.items()]
    for number, (call, arguments) in enumerate(calls):
        form = "Tensor"
        if call.startswith(("convolution_", "native_")):
            form = TRIPLES
        elif call.startswith("matmul_"):
            form = PAIRS
        parameters = ", ".join(f"{name}: Tensor" for name in NAMES[: len(arguments)])
        lines += [f"def f{number}({parameters}) -> {form}:", f"    return torch.ops.aten.{call}", ""]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def program() -> Any:
    return compile_source(_source())


def _agree(found: Any, expected: Any) -> None:
    found = found if isinstance(found, tuple) else (found,)
    expected = expected if isinstance(expected, tuple) else (expected,)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        if y is None:  # not asked for: PyTorch gives none at all, which a compiled function cannot
            assert np.asarray(x).size == 0
            continue
        x, y = np.asarray(x), y.numpy()
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("call", CALLS)
def test_gradient(call: str, program: Any) -> None:
    arguments = CALLS[call]
    names = dict(zip(NAMES, map(torch.tensor, arguments), strict=False))
    expected = eval(f"torch.ops.aten.{call}", {"torch": torch, **names})
    _agree(getattr(program, f"f{list(CALLS).index(call)}")(*arguments), expected)


@pytest.mark.parametrize("call", NOT_OF_EAGER)
def test_gradient_by_another_way(call: str, program: Any) -> None:
    reference, arguments = NOT_OF_EAGER[call]
    names = dict(zip(NAMES, map(torch.tensor, arguments), strict=False))
    expected = eval(reference, {"torch": torch, **names})
    _agree(getattr(program, f"f{len(CALLS) + list(NOT_OF_EAGER).index(call)}")(*arguments), expected)
