"""Every module of the nn library, built with a seed and run natively, against PyTorch's module of the same seed."""

import numpy as np
import pytest

from torchcc import api

torch = pytest.importorskip("torch", reason="the modules are compared with PyTorch's")
nn = torch.nn
r = torch.randn


def integers(high, *shape):
    return torch.randint(0, high, shape)


CASES = [
    ("nn.Linear(3, 4)", "[r(2, 3)]"),
    ("nn.Bilinear(3,4,5)", "[r(2, 3), r(2, 4)]"),
    ("nn.Conv1d(4,6,3)", "[r(2, 4, 9)]"),
    ("nn.Conv2d(3,8,(3,5),stride=2,padding=1)", "[r(2, 3, 9, 9)]"),
    ("nn.Conv2d(4,8,3,padding='same',padding_mode='reflect',groups=2,bias=False,dilation=2)", "[r(1, 4, 9, 9)]"),
    ("nn.Conv2d(4,8,3,padding='same')", "[r(1, 4, 9, 9)]"),
    ("nn.Conv3d(2,2,3)", "[r(1, 2, 5, 5, 5)]"),
    ("nn.ConvTranspose1d(4,6,3)", "[r(1, 4, 5)]"),
    ("nn.ConvTranspose2d(4,6,3,stride=2,output_padding=1)", "[r(1, 4, 5, 5)]"),
    ("nn.BatchNorm1d(5)", "[r(3, 5)]"),
    ("nn.BatchNorm2d(5,affine=False)", "[r(2, 5, 3, 3)]"),
    ("nn.BatchNorm3d(5,track_running_stats=False,momentum=None)", "[r(2, 5, 2, 2, 2)]"),
    ("nn.InstanceNorm2d(4,affine=True)", "[r(2, 4, 3, 3)]"),
    ("nn.InstanceNorm1d(4)", "[r(4, 5)]"),
    ("nn.LayerNorm([4,5])", "[r(2, 4, 5)]"),
    ("nn.RMSNorm(5)", "[r(2, 5)]"),
    ("nn.GroupNorm(2,4)", "[r(2, 4, 3)]"),
    ("nn.LocalResponseNorm(3)", "[r(2, 4, 3, 3)]"),
    ("nn.Embedding(10,6,padding_idx=-1)", "[integers(10, 2, 3)]"),
    ("nn.EmbeddingBag(10,3)", "[integers(10, 2, 4)]"),
    ("nn.EmbeddingBag(10,3,mode='max',padding_idx=1)", "[integers(3, 4, 4)]"),
    ("nn.EmbeddingBag(10,3,mode='mean',padding_idx=1)", "[integers(3, 4, 4)]"),
    ("nn.LSTM(3,5,2,bidirectional=True,proj_size=2)", "[r(4, 2, 3)]"),
    ("nn.LSTM(3,5,batch_first=True)", "[r(2, 4, 3)]"),
    ("nn.LSTM(3,5)", "[r(4, 3)]"),
    ("nn.GRU(3,5,2,bias=False)", "[r(4, 2, 3)]"),
    ("nn.RNN(3,5,nonlinearity='relu')", "[r(4, 2, 3)]"),
    ("nn.LSTMCell(3,5)", "[r(2, 3)]"),
    ("nn.GRUCell(3,5)", "[r(3)]"),
    ("nn.RNNCell(3,5)", "[r(2, 3)]"),
    ("nn.MultiheadAttention(8,2)", "[r(5, 2, 8)] * 3"),
    (
        "nn.MultiheadAttention(8,2,kdim=4,vdim=6,add_bias_kv=True,bias=False,batch_first=True)",
        "[r(2, 5, 8), r(2, 3, 4), r(2, 3, 6)]",
    ),
    ("nn.MultiheadAttention(8,2,add_zero_attn=True)", "[r(5, 8), r(3, 8), r(3, 8)]"),
    ("nn.TransformerEncoderLayer(8,2,16)", "[r(5, 2, 8)]"),
    ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8,2,16,batch_first=True),2)", "[r(2, 5, 8)]"),
    ("nn.TransformerDecoderLayer(8,2,16,activation='gelu',norm_first=True)", "[r(5, 2, 8), r(3, 2, 8)]"),
    ("nn.Transformer(8,2,1,1,16)", "[r(5, 2, 8), r(3, 2, 8)]"),
    ("nn.PReLU(3)", "[r(2, 3)]"),
    ("nn.Upsample(scale_factor=2)", "[r(1, 2, 3, 3)]"),
    ("nn.Upsample(size=(4,5),mode='bilinear',align_corners=True)", "[r(1, 2, 3, 3)]"),
    ("nn.Unflatten(1,(2,3))", "[r(2, 6)]"),
    ("nn.Flatten()", "[r(2, 3, 4)]"),
    ("nn.ZeroPad2d(1)", "[r(1, 1, 3, 3)]"),
    ("nn.ReflectionPad2d((1,2,1,2))", "[r(1, 1, 4, 4)]"),
    ("nn.CircularPad2d(1)", "[r(1, 1, 4, 4)]"),
    ("nn.ConstantPad1d(2,3)", "[r(1, 4)]"),
    ("nn.MaxPool2d(2)", "[r(1, 2, 5, 5)]"),
    ("nn.MaxPool1d(3,stride=2,ceil_mode=True)", "[r(1, 2, 6)]"),
    ("nn.AvgPool1d(2)", "[r(1, 2, 6)]"),
    ("nn.AvgPool2d((2,3),padding=1)", "[r(1, 2, 6, 6)]"),
    ("nn.AdaptiveAvgPool2d((2,3))", "[r(1, 2, 5, 5)]"),
    ("nn.AdaptiveMaxPool1d(3)", "[r(1, 2, 5)]"),
    ("nn.LPPool2d(2,2)", "[r(1, 2, 4, 4)]"),
    ("nn.PixelShuffle(2)", "[r(1, 4, 2, 2)]"),
    ("nn.PixelUnshuffle(2)", "[r(1, 1, 4, 4)]"),
    ("nn.ChannelShuffle(2)", "[r(1, 4, 2, 2)]"),
    ("nn.CosineSimilarity()", "[r(2, 3), r(2, 3)]"),
    ("nn.PairwiseDistance()", "[r(2, 3), r(2, 3)]"),
    ("nn.Unfold(3)", "[r(1, 2, 5, 5)]"),
    ("nn.Fold((4,5),2,stride=1,padding=1)", "[r(1, 8, 30)]"),
    ("nn.Fold((4,5),(2,3),dilation=(1,2))", "[r(12, 3)]"),
    ("nn.CrossEntropyLoss(label_smoothing=0.1)", "[r(4, 3), integers(3, 4)]"),
    ("nn.CrossEntropyLoss(weight=torch.ones(3)*2)", "[r(4, 3), integers(3, 4)]"),
    ("nn.NLLLoss()", "[r(4, 3), integers(3, 4)]"),
    ("nn.MSELoss(reduction='none')", "[r(2, 3), r(2, 3)]"),
    ("nn.L1Loss()", "[r(2, 3), r(2, 3)]"),
    ("nn.BCELoss()", "[r(2, 3).sigmoid(), r(2, 3).sigmoid()]"),
    ("nn.BCEWithLogitsLoss(pos_weight=torch.ones(3)*2)", "[r(2, 3), r(2, 3).sigmoid()]"),
    ("nn.KLDivLoss(reduction='batchmean')", "[r(2, 3), r(2, 3).sigmoid()]"),
    ("nn.SmoothL1Loss(beta=0.5)", "[r(2, 3), r(2, 3)]"),
    ("nn.HuberLoss()", "[r(2, 3), r(2, 3)]"),
    ("nn.TripletMarginLoss()", "[r(2, 3)] + [r(2, 3), r(2, 3)]"),
    ("nn.PoissonNLLLoss()", "[r(2, 3), r(2, 3).abs()]"),
    ("nn.GaussianNLLLoss()", "[r(2, 3), r(2, 3), r(2, 3).abs()]"),
    ("nn.MultiMarginLoss()", "[r(4, 3), integers(3, 4)]"),
    ("nn.MultiLabelSoftMarginLoss()", "[r(2, 3), r(2, 3).sigmoid()]"),
    ("nn.SoftMarginLoss()", "[r(2, 3), r(2, 3).sign()]"),
    ("nn.HingeEmbeddingLoss()", "[r(2, 3), r(2, 3).sign()]"),
    ("nn.CosineEmbeddingLoss()", "[r(2, 3), r(2, 3), torch.tensor([1, -1])]"),
    ("nn.MarginRankingLoss()", "[r(3), r(3), r(3).sign()]"),
    ("nn.ReLU()", "[r(3, 4)]"),
    ("nn.ReLU6()", "[r(3, 4)]"),
    ("nn.LeakyReLU()", "[r(3, 4)]"),
    ("nn.ELU()", "[r(3, 4)]"),
    ("nn.CELU()", "[r(3, 4)]"),
    ("nn.SELU()", "[r(3, 4)]"),
    ("nn.GELU()", "[r(3, 4)]"),
    ("nn.GELU('tanh')", "[r(3, 4)]"),
    ("nn.SiLU()", "[r(3, 4)]"),
    ("nn.Mish()", "[r(3, 4)]"),
    ("nn.Sigmoid()", "[r(3, 4)]"),
    ("nn.Tanh()", "[r(3, 4)]"),
    ("nn.Softplus()", "[r(3, 4)]"),
    ("nn.Hardtanh()", "[r(3, 4)]"),
    ("nn.Hardtanh(-1,2)", "[r(3, 4)]"),
    ("nn.Hardswish()", "[r(3, 4)]"),
    ("nn.Hardsigmoid()", "[r(3, 4)]"),
    ("nn.Softmax(1)", "[r(3, 4)]"),
    ("nn.LogSoftmax(1)", "[r(3, 4)]"),
    ("nn.Softmin(1)", "[r(3, 4)]"),
    ("nn.Threshold(0.1,20)", "[r(3, 4)]"),
    ("nn.Hardshrink()", "[r(3, 4)]"),
    ("nn.Softshrink()", "[r(3, 4)]"),
    ("nn.Softsign()", "[r(3, 4)]"),
    ("nn.Tanhshrink()", "[r(3, 4)]"),
    ("nn.LogSigmoid()", "[r(3, 4)]"),
    ("nn.RReLU()", "[r(3, 4)]"),
    ("nn.Dropout()", "[r(3, 4)]"),
    ("nn.Identity()", "[r(3, 4)]"),
    ("nn.AlphaDropout()", "[r(3, 4)]"),
    ("nn.GLU()", "[r(3, 4)]"),
    ("nn.Softmax2d()", "[r(1, 3, 2, 2)]"),
]


def leaves(value):
    if value is None:
        return []
    return [leaf for v in value for leaf in leaves(v)] if isinstance(value, tuple | list) else [value]


@pytest.mark.parametrize(("module", "inputs"), CASES, ids=[c[0] for c in CASES])
def test_module(module, inputs, tmp_path):
    torch.manual_seed(0)
    values = eval(inputs)
    torch.manual_seed(5)
    with torch.no_grad():
        expected = leaves(eval(module).eval()(*values))
    path = tmp_path / "m.py"
    path.write_text("import torch\nimport torch.nn as nn\n")
    found = leaves(api.compile_file(path, module, seed=5)(*[v.numpy() for v in values]))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(np.asarray(ours), theirs.numpy(), rtol=1e-4, atol=1e-5)
