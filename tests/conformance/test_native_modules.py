"""Modules of torch.nn, functions of torch.nn.functional and composite operators as machine code against PyTorch."""

import re

import numpy as np
import pytest

from torchcc.api import compile_file, prepared, spec_of
from torchcc.ir.signature import Dim, TensorSpec

torch = pytest.importorskip("torch", reason="compares with PyTorch")

VECTORS, ROWS, IMAGES, BOXES, CLIPS = (4, 6), (2, 5, 6), (2, 4, 7, 6), (1, 2, 4, 5, 4), (2, 4, 9)

MODULES = {
    VECTORS: """Linear(6, 3) | Linear(6, 3, bias=False) | Identity() | LayerNorm(6) | LayerNorm(6, elementwise_affine=False) | RMSNorm(6) | BatchNorm1d(6) | BatchNorm1d(6, affine=False) | Softmax(dim=1)
LogSoftmax(dim=0) | Softmin(1) | ReLU() | ReLU6() | ELU(0.5) | SELU() | CELU(0.7) | GELU() | GELU('tanh') | SiLU() | Mish() | Hardswish() | Hardsigmoid() | Hardtanh(-0.5, 0.5) | LeakyReLU(0.2) | PReLU() | PReLU(6) | RReLU()
Softplus() | Softplus(2, 3) | Softshrink() | Hardshrink() | Softsign() | Tanh() | Tanhshrink() | Sigmoid() | LogSigmoid() | Threshold(0.1, 5) | GLU() | Dropout(0.3) | AlphaDropout() | Flatten() | Unflatten(1, (2, 3))
Sequential(Linear(6, 8), ReLU(), Linear(8, 2), Softmax(-1)) | Sequential(Linear(6, 4), Sequential(Tanh(), BatchNorm1d(4)), Dropout()) | RNNCell(6, 3) | GRUCell(6, 3) | LSTMCell(6, 3)""",
    ROWS: """Linear(6, 3) | LayerNorm([5, 6]) | LayerNorm(6, bias=False) | RMSNorm([5, 6]) | BatchNorm1d(5) | InstanceNorm1d(5) | InstanceNorm1d(5, affine=True) | Softmax(-1) | Flatten() | Flatten(0) | Unflatten(2, (2, 3)) | GroupNorm(5, 5)
LSTM(6, 4) | LSTM(6, 4, batch_first=True) | LSTM(6, 4, 2, bidirectional=True) | LSTM(6, 4, proj_size=2) | GRU(6, 4) | GRU(6, 4, 2, bias=False, batch_first=True) | GRU(6, 4, bidirectional=True) | RNN(6, 4) | RNN(6, 4, nonlinearity='relu', num_layers=2)
Dropout1d() | GLU() | TransformerEncoderLayer(6, 2, 8) | TransformerEncoderLayer(6, 3, 8, batch_first=True, norm_first=True, activation='gelu') | TransformerEncoder(TransformerEncoderLayer(6, 2, 8, batch_first=True), 2)""",
    CLIPS: """Conv1d(4, 6, 3) | Conv1d(4, 6, 3, stride=2, padding=2) | Conv1d(4, 4, 2, groups=4, bias=False) | Conv1d(4, 8, 3, groups=2, dilation=2) | Conv1d(4, 2, 3, padding='same') | Conv1d(4, 2, 3, padding='valid') | Conv1d(4, 3, 3, padding=2, padding_mode='circular')
Conv1d(4, 3, 3, padding=1, padding_mode='reflect') | Conv1d(4, 3, 1) | ConvTranspose1d(4, 6, 3) | ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1) | ConvTranspose1d(4, 6, 3, groups=2, dilation=2) | MaxPool1d(2) | MaxPool1d(3, 2, 1, ceil_mode=True)
AvgPool1d(3) | AvgPool1d(3, 2, 1, count_include_pad=False) | AdaptiveAvgPool1d(4) | AdaptiveMaxPool1d(2) | LPPool1d(2, 3) | BatchNorm1d(4) | InstanceNorm1d(4) | GroupNorm(2, 4) | LocalResponseNorm(2) | ConstantPad1d(2, 3.5) | ReflectionPad1d(2)
ReplicationPad1d((1, 2)) | ZeroPad1d(1) | CircularPad1d(2) | Upsample(scale_factor=2) | Upsample(size=5, mode='linear') | Dropout1d(0.1)""",
    IMAGES: """Conv2d(4, 6, 3) | Conv2d(4, 6, (3, 2), stride=2, padding=1) | Conv2d(4, 4, 3, groups=4, padding=1) | Conv2d(4, 8, 3, groups=2, dilation=2, bias=False) | Conv2d(4, 8, 1) | Conv2d(4, 3, 3, padding='same', dilation=2) | Conv2d(4, 3, 3, stride=(2, 1), padding=(0, 2))
Conv2d(4, 3, 3, padding=1, padding_mode='replicate') | ConvTranspose2d(4, 3, 3) | ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2) | ConvTranspose2d(4, 3, (2, 3), stride=(1, 2), dilation=2) | BatchNorm2d(4) | BatchNorm2d(4, track_running_stats=False)
InstanceNorm2d(4, affine=True, track_running_stats=True) | GroupNorm(2, 4) | GroupNorm(4, 4, affine=False) | LayerNorm([4, 7, 6]) | LocalResponseNorm(3) | MaxPool2d(2) | MaxPool2d(3, stride=1, padding=1) | MaxPool2d((2, 3), ceil_mode=True) | MaxPool2d(2, dilation=2) | AvgPool2d(2)
AvgPool2d((3, 2), 1, padding=1) | AvgPool2d(3, 2, 1, True, False) | AvgPool2d(2, divisor_override=3) | AdaptiveAvgPool2d(1) | AdaptiveMaxPool2d((2, 3)) | LPPool2d(2, 2) | PixelShuffle(2) | PixelUnshuffle(1) | ChannelShuffle(2) | Upsample(scale_factor=2)
Upsample(scale_factor=2, mode='bilinear') | Upsample(size=(5, 9), mode='bilinear', align_corners=True) | Upsample(size=(9, 4), mode='bicubic') | UpsamplingNearest2d(2) | UpsamplingBilinear2d(3) | ZeroPad2d(1) | ZeroPad2d((1, 0, 2, 1)) | ReflectionPad2d(2) | ReplicationPad2d((1, 2, 0, 1))
ConstantPad2d(1, -1.) | CircularPad2d(1) | Unfold(2) | Unfold((3, 2), padding=1, stride=2) | Softmax2d() | Dropout2d() | Flatten() | Flatten(2) | Sequential(Conv2d(4, 5, 3), BatchNorm2d(5), ReLU(), MaxPool2d(2), Flatten(), Linear(20, 3)) | PReLU(4)""",
    BOXES: """Conv3d(2, 3, 2) | Conv3d(2, 4, 3, padding=1, groups=2, stride=2) | ConvTranspose3d(2, 3, 2, stride=2) | BatchNorm3d(2) | InstanceNorm3d(2) | MaxPool3d(2) | AvgPool3d(2, 1) | AdaptiveAvgPool3d((2, 1, 3)) | AdaptiveMaxPool3d(2) | ZeroPad3d(1) | ReplicationPad3d(1)
ReflectionPad3d(1) | ConstantPad3d(1, 2.) | Upsample(scale_factor=2) | Upsample(size=(3, 4, 6), mode='trilinear') | Dropout3d() | GroupNorm(1, 2)""",
}
CASES = [(shape, text) for shape, block in MODULES.items() for text in block.replace("\n", " | ").split(" | ")]


SOURCE = """import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = {}

    def forward(self, x):
        return self.m(x)
"""


@pytest.mark.parametrize("part", range(12))
def test_modules(part, tmp_path, quick):
    wrong = []
    for k, (shape, text) in enumerate(CASES[part::12]):
        torch.manual_seed(k)
        inner = eval(text, vars(torch.nn)).eval()
        with torch.no_grad():
            for tensor in inner.state_dict().values():
                if tensor.is_floating_point():
                    tensor.copy_(torch.rand_like(tensor) + 0.1)
        x = torch.randn(shape)
        with torch.no_grad():
            expected = flat(inner(x))
        qualified = re.sub(r"([A-Z]\w+)\(", r"nn.\1(", text)
        path = tmp_path / f"m{part}_{k}.py"
        path.write_text(SOURCE.format(qualified))
        weights = {f"m.{n}": t.detach().numpy() for n, t in inner.state_dict().items()}
        np.savez(tmp_path / "w.npz", **weights)
        for dynamic in (False, True) if k % 3 == 0 else (False,):
            try:
                net = compile_file(path, "Net()", weights=tmp_path / "w.npz")
                spec = spec_of(x)
                specs = [TensorSpec(spec.dtype, (Dim("n"), *spec.shape[1:])) if dynamic else spec]
                found = flat(prepared(net.forward, specs, [x])())
                assert len(found) == len(expected)
                for f, e in zip(found, expected):
                    torch.testing.assert_close(f, e, rtol=2e-4, atol=2e-5)
            except Exception as error:
                wrong.append(f"{text} on {list(shape)}{' dynamic' if dynamic else ''}: {type(error).__name__}: {str(error)[:500]}")
    assert not wrong, "\n".join([f"{len(wrong)} modules are wrong:", *wrong])


def flat(value):
    return [x for v in value for x in flat(v)] if isinstance(value, list | tuple) else [value]


def inputs(dtype="float32"):
    torch.manual_seed(1)
    kind = getattr(torch, dtype)
    return {
        "x": torch.randn(2, 3, 4).permute(0, 2, 1).to(kind), "y": torch.randn(2, 4, 3).to(kind), "p": torch.rand(2, 4, 3).to(kind), "c": torch.randn(1, 4, 6, 6).to(kind),
        "w": torch.randn(2, 4, 3, 3).to(kind), "v": torch.rand(4).to(kind), "l": torch.tensor([1, 0, 2, 1]), "k": torch.tensor([[1, 3, 0], [2, 2, 1]]), "s": torch.randn(4, 3).to(kind),
    }


FUNCTIONAL = """F.softmax(x, 1) | F.log_softmax(x, -1) | F.softmin(x, 0) | F.glu(y.mT) | F.layer_norm(x, [3]) | F.layer_norm(x, [4, 3]) | F.rms_norm(x, [3]) | F.group_norm(x, 2) | F.group_norm(c, 2, v, v) | F.instance_norm(c) | F.batch_norm(c, v, v) | F.batch_norm(c, v, v, v, v, False, 0.1, 0.01)
F.normalize(x) | F.normalize(x, 1.0, 0) | F.linear(x, y[0]) | F.linear(x, y[0], v) | F.bilinear(s, s, torch.ones_like(c[0, :2, :3, :3]).contiguous()) | F.embedding(l, s) | F.one_hot(l) | F.one_hot(l, 5) | F.pad(x, (1, 2)) | F.pad(x, (1, 0, 2, 1), value=2.) | F.pad(c, (1, 2, 0, 1), 'reflect')
F.pad(c, (1, 1, 1, 1), 'replicate') | F.pad(c, (1, 1, 1, 1), 'circular') | F.pad(x, (-1, 0)) | F.conv2d(c, w) | F.conv2d(c, w, v[:2], 2, 1) | F.max_pool2d(c, 2) | F.avg_pool2d(c, 3) | F.adaptive_avg_pool2d(c, 2)
F.adaptive_max_pool2d(c, 3) | F.max_pool1d(x, 2) | F.unfold(c, 2) | F.interpolate(c, scale_factor=2.0) | F.interpolate(c, size=[3, 8], mode='bilinear') | F.pixel_shuffle(c, 2) | F.pixel_unshuffle(c, 3) | F.dropout(x, 0.5, False) | F.prelu(x, v) | F.rrelu(x) | F.threshold(x, 0., 1.)
F.mse_loss(x, y) | F.mse_loss(x, y, reduction='sum') | F.l1_loss(x, y, reduction='none') | F.smooth_l1_loss(x, y, beta=0.3) | F.huber_loss(x, y, delta=0.4) | F.cross_entropy(s, l) | F.cross_entropy(s, l, torch.ones_like(s[0]) * 2) | F.cross_entropy(s, l, ignore_index=1) | F.cross_entropy(s, l, reduction='none')
F.cross_entropy(x, k) | F.cross_entropy(x, x.softmax(1)) | F.cross_entropy(s, l, label_smoothing=0.2) | F.nll_loss(s, l) | F.nll_loss(s, l, reduction='sum') | F.binary_cross_entropy(p, p) | F.binary_cross_entropy_with_logits(x, p)
F.kl_div(x, p) | F.kl_div(x, y, reduction='batchmean', log_target=True) | F.poisson_nll_loss(x, p) | F.gaussian_nll_loss(x, y, p + 1) | F.hinge_embedding_loss(x, y.sign()) | F.soft_margin_loss(x, y.sign()) | F.cosine_embedding_loss(s, s + 1, l.sign() * 2 - 1) | F.margin_ranking_loss(x, y, x.sign()) | F.triplet_margin_loss(s, s + 1, s * 2)
F.multi_margin_loss(s, l) | F.multilabel_soft_margin_loss(s, (s > 0).float()) | F.cosine_similarity(x, y) | F.pairwise_distance(s, s + 1) | F.scaled_dot_product_attention(x, y, x) | F.scaled_dot_product_attention(x, y, y, is_causal=True) | F.scaled_dot_product_attention(x, y, y, x @ y.mT > 0) | F.local_response_norm(c, 2)
F.lp_pool2d(c.abs(), 2., 2) | F.logsigmoid(x * 30) | F.softplus(x * 30) | F.elu(x, 0.3) | F.celu(x) | F.hardtanh(x) | F.grid_sample(c, c[:, :2, :3].permute(0, 2, 3, 1), align_corners=False) | F.affine_grid(p[:1, :2], [1, 1, 2, 2], align_corners=True)
F.relu(x.clone(), True) + x | F.leaky_relu(x) | F.gelu(x, approximate='tanh') | torch.var_mean(x, 1) | torch.std_mean(x) | torch.logsumexp(x, 1) | torch.logsumexp(x, [0, 2]) | torch.cdist(s, s) | torch.lerp(x, y, 0.3) | torch.lerp(x, y, p) | torch.addcmul(x, y, p, value=2) | torch.addcdiv(x, y, p + 1)
torch.cumsum(x, 1) | torch.dist(x, y) | torch.linalg.norm(x) | torch.linalg.vector_norm(x, 1, 2) | torch.native_layer_norm(x, [3], None, None, 1e-5) | torch.clip(x, 0, 1) | torch.subtract(x, y) | torch.multiply(x, 2) | torch.divide(x, p + 1) | torch.greater(x, y) | torch.less_equal(x, 0) | torch.absolute(x) | torch.arcsin(p) | torch.fix(x)
torch.negative(x) | torch.concat([x, y]) | torch.special.expit(x) | torch.special.log1p(p) | torch.logit(p) | torch.std(x, 1, unbiased=True, keepdim=True) | torch.nanmean(x) | torch.isclose(x, y) | torch.allclose(x, x) | torch.equal(x, y)""".replace("\n", " | ").split(" | ")


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_functional(check, dtype, long):
    allowed = ("local_response_norm", "multi_margin_loss", "cdist")  # PyTorch has no bfloat16 kernels
    check(inputs(dtype), FUNCTIONAL if long or dtype == "float32" else FUNCTIONAL[dtype == "bfloat16" :: 2], allow_more=allowed)


def test_functional_at_run_time(check):
    check(inputs(), FUNCTIONAL, (2, 3, 4, 6))
