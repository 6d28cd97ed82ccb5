"""torch.nn.functional as our prelude defines it, compiled to native code, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchcc.api import compile_source

torch = pytest.importorskip("torch", reason="compares with PyTorch")
F = torch.nn.functional


def _x(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape).astype(np.float32)


X, Y, IMAGE = _x(2, 3, 4), _x(2, 3, 4, seed=1), _x(1, 2, 6, 5)
LABELS = np.array([2, 0])
P, Q = 1 / (1 + np.exp(-X)), 1 / (1 + np.exp(-Y))
C, V = _x(2, 6, 5, 4), _x(6)

CALLS: dict[str, tuple[Any, ...]] = {
    "F.relu(x)": (X,),
    "F.relu(x, inplace=True)": (X,),
    "F.relu6(x * 5)": (X,),
    "F.elu(x, 0.5)": (X,),
    "F.selu(x)": (X,),
    "F.celu(x, 0.7)": (X,),
    "F.leaky_relu(x, 0.2)": (X,),
    "F.rrelu(x)": (X,),
    "F.hardtanh(x, -0.5, 0.5)": (X,),
    "F.hardsigmoid(x)": (X,),
    "F.hardswish(x)": (X,),
    "F.silu(x)": (X,),
    "F.mish(x)": (X,),
    "F.gelu(x)": (X,),
    "F.gelu(x, approximate='tanh')": (X,),
    "F.softplus(x)": (X,),
    "F.threshold(x, 0.1, 7.0)": (X,),
    "F.glu(x)": (X,),
    "F.logsigmoid(x * 40)": (X,),
    "F.softsign(x)": (X,),
    "F.tanhshrink(x)": (X,),
    "F.softmax(x, dim=1)": (X,),
    "F.softmax(x, dim=-1, dtype=torch.float64)": (X,),
    "F.softmin(x, dim=1)": (X,),
    "F.log_softmax(x, dim=2)": (X,),
    "F.dropout(x, 0.5, False)": (X,),
    "F.dropout2d(x, 0.5, training=False)": (C,),
    "F.batch_norm(x, y, y * y, y, y)": (C, V),
    "F.instance_norm(x)": (C,),
    "F.layer_norm(x, [4])": (X,),
    "F.layer_norm(x, [3, 4], y[0], y[1])": (X, Y),
    "F.rms_norm(x, [4])": (X,),
    "F.group_norm(x, 3, y, y)": (C, V),
    "F.normalize(x)": (X,),
    "F.normalize(x, 1.0, 2)": (X,),
    "F.local_response_norm(x, 3)": (C,),
    "F.local_response_norm(x, 3, alpha=2.0)": (np.arange(24).reshape(2, 4, 3),),
    "torch.stack(torch.tensor_split(x, y, 2))": (C[:, :, :4], np.array(2)),
    "F.embedding(x, y)": (LABELS, _x(3, 5)),
    "F.one_hot(x, 4)": (LABELS,),
    "F.pad(x, [1, 2])": (X,),
    "F.pad(x, (1, 2), 'reflect')": (X,),
    "F.pad(x, (1, 2, 0, 1), 'constant', 2.5)": (X,),
    "F.pad(x, (1, 1), mode='replicate')": (X,),
    "F.unfold(x, 2)": (IMAGE,),
    "F.fold(x, (4, 5), 2, padding=1)": (_x(2, 8, 30),),
    "F.fold(x, (4, 6), (2, 3), stride=(2, 3))": (_x(12, 4),),
    "torch.repeat_interleave(x, y[0], dim=0)": (X, LABELS[None]),
    "x.repeat_interleave(y, 1)": (X, np.array([1, 0, 4])),
    "torch.isin(y, 2) | torch.isin(y, torch.tensor([0, 7]))": (X, LABELS),
    "x * torch.hann_window(4, periodic=False) + torch.bartlett_window(4)": (X,),
    "F.unfold(x, (2, 3), padding=1, stride=2)": (IMAGE,),
    "F.max_pool2d(x, 2)": (IMAGE,),
    "F.max_pool2d(x, (3, 2), stride=1, padding=1)": (IMAGE,),
    "F.max_pool1d(x, 2)": (X,),
    "F.avg_pool2d(x, 2)": (IMAGE,),
    "F.adaptive_avg_pool2d(x, (1, 1))": (IMAGE,),
    "F.adaptive_avg_pool2d(x, 3)": (IMAGE,),
    "F.adaptive_max_pool2d(x, 2)": (IMAGE,),
    "F.lp_pool2d(x.abs(), 2.0, 2)": (IMAGE,),
    "F.interpolate(x, scale_factor=2.0)": (IMAGE,),
    "F.interpolate(x, size=(3, 9))": (IMAGE,),
    "F.interpolate(x, size=4, mode='bilinear')": (IMAGE,),
    "F.interpolate(x, scale_factor=1.5, mode='bilinear', align_corners=True)": (IMAGE,),
    "F.interpolate(x, scale_factor=[2.0, 1.5], mode='bicubic')": (IMAGE,),
    "F.interpolate(x, size=(2, 2), mode='area')": (IMAGE,),
    "F.interpolate(x, size=(4, 9), mode='nearest-exact')": (IMAGE,),
    "F.interpolate(x, size=(4, 3), mode='bilinear', antialias=True)": (IMAGE,),
    "F.interpolate(x / 0, scale_factor=0.5, mode='bilinear', antialias=True)": (np.array([[[[1.0, 0, 2, 3, 0, 4, 5, -1, 2, 9, 8, 7]] * 12]], np.float32),),
    "F.interpolate(x, scale_factor=0.4, mode='bicubic', antialias=True)": (IMAGE,),
    "F.interpolate(x, size=7, mode='linear')": (X,),
    "F.cross_entropy(x, y)": (_x(2, 3), LABELS),
    "F.cross_entropy(x, y, label_smoothing=0.1, reduction='sum')": (_x(2, 3), LABELS),
    "F.nll_loss(x, y, reduction='none')": (_x(2, 3), LABELS),
    "F.mse_loss(x, y)": (X, Y),
    "F.l1_loss(x, y, reduction='sum')": (X, Y),
    "F.smooth_l1_loss(x, y)": (X, Y),
    "F.huber_loss(x, y)": (X, Y),
    "F.binary_cross_entropy(x, y)": (P, Q),
    "F.binary_cross_entropy_with_logits(x, y)": (X, Q),
    "F.kl_div(x, y, reduction='batchmean')": (X, Q),
    "F.cosine_similarity(x, y)": (X, Y),
    "F.pairwise_distance(x, y)": (X[0], Y[0]),
    "F.margin_ranking_loss(x, y, x.sign())": (X, Y),
    "F.triplet_margin_loss(x, y, x + 1)": (X[0], Y[0]),
    "F.soft_margin_loss(x, y.sign())": (X, Y),
    "F.multilabel_soft_margin_loss(x, (y > 0).float())": (X[0], Y[0]),
    "F.grid_sample(x, y, align_corners=False)": (IMAGE, _x(1, 3, 4, 2)),
    "F.affine_grid(x, [2, 1, 3, 4], align_corners=False)": (_x(2, 2, 3),),
    "F.scaled_dot_product_attention(x, y, x)": (X, Y),
    "F.scaled_dot_product_attention(x, y, x, is_causal=True)": (X, Y),
    "F.linear(x, y)": (X, Y[0]),
    "F.conv2d(x, y, padding='same')": (IMAGE, _x(3, 2, 3, 3)),
    "F.conv2d(x, y, stride=2, padding=1)": (IMAGE, _x(3, 2, 3, 3)),
    "F.conv_transpose2d(x, y, stride=2)": (IMAGE, _x(2, 3, 3, 3)),
    "F.pixel_shuffle(x, 2)": (_x(1, 8, 3, 3),),
    "torch.cat([x.softmax(1), x.log_softmax(-1), F.softmin(x, 1)])": (_x(3, 0),),
    "torch.softmax(x, 0, dtype=torch.float64)": (_x(0, 3),),
    "F.channel_shuffle(x, 2)": (_x(0, 4, 2, 2),),
    "F.fold(x, (4, 4), 2)": (_x(0, 8, 9),),
    "F.grid_sample(x, y, align_corners=False)[:, 0]": (_x(0, 2, 4, 4), _x(0, 3, 3, 2)),
    "F.max_unpool2d(x, y, 2)": (_x(0, 3, 2, 2), np.zeros((0, 3, 2, 2), np.int64)),
    "F.scaled_dot_product_attention(x.half(), x.half(), x.half(), is_causal=True)": (X * 8,),
}  # fmt: skip


@pytest.mark.parametrize("expression", list(CALLS))
def test_function_agrees_with_pytorch(expression: str) -> None:
    arguments = CALLS[expression]
    parameters = ", ".join("xyz"[: len(arguments)])
    text = f"import torch\nimport torch.nn.functional as F\n\ndef f({parameters}):\n    return {expression}\n"
    ours = compile_source(text).f(*(a.copy() for a in arguments))
    scope = {"F": F, "torch": torch, **{n: torch.tensor(a) for n, a in zip("xyz", arguments, strict=False)}}
    expected = eval(expression, scope).numpy()
    assert ours.dtype == expected.dtype
    np.testing.assert_allclose(ours, expected, rtol=3e-5, atol=3e-6)
