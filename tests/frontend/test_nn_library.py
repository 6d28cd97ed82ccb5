"""The nn library against PyTorch's: names, shapes, seeded values, attributes and constants of every module."""

import numpy as np
import pytest

from torchcc.frontend.evaluator import Interpreter
from torchcc.frontend.library import library_source, nn_index
from torchcc.frontend.parser import parse
from torchcc.ir.source import SourceFile

torch = pytest.importorskip("torch", reason="the modules are compared with PyTorch's")
nn = torch.nn

MODULES = [
    "nn.Linear(3, 4)",
    "nn.Linear(300, 40, bias=False)",
    "nn.Identity(3, a=2)",
    "nn.Bilinear(3, 4, 5)",
    "nn.Conv1d(4, 6, 3)",
    "nn.Conv2d(3, 8, (3, 5), stride=2, padding=1)",
    "nn.Conv2d(4, 8, 3, padding='same', padding_mode='reflect', groups=2, bias=False, dilation=2)",
    "nn.Conv3d(2, 2, 3)",
    "nn.ConvTranspose1d(4, 6, 3)",
    "nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1)",
    "nn.ConvTranspose3d(4, 6, 3)",
    "nn.BatchNorm1d(5)",
    "nn.BatchNorm2d(5, affine=False)",
    "nn.BatchNorm3d(5, track_running_stats=False, momentum=None)",
    "nn.InstanceNorm1d(4)",
    "nn.InstanceNorm2d(4, affine=True, track_running_stats=True)",
    "nn.LayerNorm(5)",
    "nn.LayerNorm([4, 5], bias=False)",
    "nn.RMSNorm(5)",
    "nn.GroupNorm(2, 4)",
    "nn.LocalResponseNorm(3)",
    "nn.Embedding(10, 6, padding_idx=-1)",
    "nn.Embedding.from_pretrained(torch.ones(3, 2))",
    "nn.EmbeddingBag(10, 3)",
    "nn.LSTM(3, 5, 2, bidirectional=True, proj_size=2)",
    "nn.LSTM(3, 5, batch_first=True, dropout=0)",
    "nn.GRU(3, 5, 2, bias=False)",
    "nn.RNN(3, 5, nonlinearity='relu')",
    "nn.LSTMCell(3, 5)",
    "nn.GRUCell(3, 5)",
    "nn.RNNCell(3, 5)",
    "nn.MultiheadAttention(8, 2)",
    "nn.MultiheadAttention(8, 2, kdim=4, vdim=6, add_bias_kv=True, bias=False)",
    "nn.TransformerEncoderLayer(8, 2, 16)",
    "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)",
    "nn.TransformerDecoderLayer(8, 2, 16, activation='gelu')",
    "nn.Transformer(8, 2, 1, 1, 16)",
    "nn.PReLU(3)",
    "nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 1)))",
    "nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])",
    "nn.ModuleDict({'a': nn.Linear(2, 2)})",
    "nn.ParameterList([nn.Parameter(torch.ones(2))])",
    "nn.CrossEntropyLoss(weight=torch.ones(3), label_smoothing=0.1)",
    "nn.BCEWithLogitsLoss(pos_weight=torch.ones(2))",
    "nn.MSELoss(size_average=False)",
    "nn.SmoothL1Loss(beta=0.5)",
    "nn.TripletMarginLoss()",
    "nn.Upsample(scale_factor=2)",
    "nn.Upsample(size=(4, 5), mode='bilinear', align_corners=True)",
    "nn.ReLU6()",
    "nn.Flatten()",
    "nn.Unflatten(1, (2, 3))",
    "nn.ZeroPad2d(1)",
    "nn.ReflectionPad2d((1, 2, 3, 4))",
    "nn.ConstantPad1d(2, 3.5)",
    "nn.MaxPool2d(2)",
    "nn.MaxPool1d(3, stride=2, ceil_mode=True)",
    "nn.AvgPool1d(2)",
    "nn.AvgPool2d((2, 3), padding=1)",
    "nn.AdaptiveAvgPool2d((1, 1))",
    "nn.AdaptiveMaxPool1d(3)",
    "nn.Dropout(0.2)",
    "nn.GELU('tanh')",
    "nn.Softmax(dim=1)",
    "nn.LogSoftmax(-1)",
    "nn.Hardtanh()",
    "nn.Threshold(0.1, 20)",
    "nn.PixelShuffle(2)",
    "nn.CosineSimilarity()",
    "nn.Unfold(3)",
]
BEHIND_PYTHON = {"process_group", "enable_nested_tensor", "use_nested_tensor", "mask_check", "activation", "name"}
"""Attributes that no compiled method reads."""


def build(text, seed=5):
    interpreter = Interpreter(seed=seed)
    scope = interpreter.module_scope(parse(SourceFile("m.py", "import torch\nimport torch.nn as nn\n")))
    return interpreter.evaluate_entry(scope, text)


@pytest.mark.parametrize("text", MODULES)
def test_module_is_pytorchs(text):
    torch.manual_seed(5)
    theirs = eval(text)
    ours = build(text)
    state = theirs.state_dict()
    tensors = {name: tensor.array for name, tensor in ours.named_tensors()}
    assert list(tensors) == list(state)
    for name, array in tensors.items():
        np.testing.assert_allclose(array, state[name].numpy(), rtol=1e-6, atol=1e-7, err_msg=name)
        assert array.dtype == state[name].numpy().dtype
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    for (_, own), (_, other) in zip(ours.named_modules(), theirs.named_modules()):
        assert own.cls.name == type(other).__name__
        public = {k: v for k, v in vars(other).items() if not k.startswith("_") and k not in BEHIND_PYTHON}
        assert {k: own.attributes.get(k, "missing") for k in public} == public
        assert set(getattr(type(other), "__constants__", ())) <= {*own.cls.constants, "norm", "name"}


def test_names_of_parameters_of_constructors():
    """Keyword arguments of PyTorch's constructors are ours, in the same order."""
    import inspect

    ignored = {"min_value", "max_value", "device", "dtype", "args", "kwargs", "self", "_weight", "_freeze", "_bias"}
    wrong = []
    for name, file in sorted(nn_index().items()):
        theirs = getattr(nn, name, None)
        if not inspect.isclass(theirs) or name in (
            "RNNBase",
            "LSTM",
            "GRU",
            "RNN",
            "Parameter",
            "Identity",
            "RNNCellBase",
        ):
            continue
        interpreter = Interpreter()
        value = interpreter.module_member("torch.nn", name)
        init = value.find("__init__")
        params = [p.name for p in init.definition.params] if hasattr(init, "definition") else []
        expected = [p for p in inspect.signature(theirs.__init__).parameters if p not in ignored]
        found = [p for p in params if p not in ignored]
        if found[: len(expected)] != expected:
            wrong.append((name, file, found, expected))
    assert not wrong


def test_the_library_is_never_imported():
    """Its sources are read as text: they need no Python module called torch."""
    tree = library_source("nn", "linear")
    assert tree is not None and library_source("nn", "linear") is tree and library_source("nn", "nothing") is None
