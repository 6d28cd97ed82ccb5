"""Nested tensors, and functions of `torch` that PyTorch writes in Python: archives and source against PyTorch."""

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="compares with PyTorch")

ALIGNED = [[False, False, False], [False, True, True]]
GAPS = [[False, False, False], [True, False, True]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """`nn.TransformerEncoder` with everything at its default, scripted: PyTorch's and ours."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
    scripted = torch.jit.script(torch.nn.TransformerEncoder(layer, 1).eval())
    path = tmp_path_factory.mktemp("encoder") / "encoder.pt"
    scripted.save(str(path))
    return scripted, torchcc.load(path)


@pytest.mark.parametrize("padding", [ALIGNED, GAPS], ids=["left-aligned", "with-gaps"])
def test_encoder_drops_padding_only_if_it_is_left_aligned(encoder, padding):
    theirs, ours = encoder
    x, mask = torch.randn(2, 3, 8), torch.tensor(padding)
    with torch.no_grad():
        expected = theirs(x, None, mask).numpy()
    np.testing.assert_allclose(ours(x.numpy(), None, mask.numpy()), expected, rtol=1e-4, atol=1e-5)
    assert (expected[1, 2] == 0).all() == (padding is ALIGNED)


NESTED = """
import torch
from torch import Tensor

def back(x: Tensor, valid: Tensor) -> Tensor:
    nested = torch._nested_tensor_from_mask(x, valid)
    assert nested.is_nested and nested.dim() == 3
    return torch.nested_to_padded_tensor(nested, 7.0)

def used(x: Tensor, valid: Tensor) -> Tensor:
    return torch._nested_tensor_from_mask(x, valid) + 1
"""


def test_nested_tensor_and_back():
    program = torchcc.compile_source(NESTED)
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    found = program.back(x, np.array([[True, True, False], [True, False, False]]))
    expected = x[:, :2].copy()
    expected[1, 1] = 7
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(torchcc.ExecutionError, match="left-aligned"):
        program.back(x, np.array([[True, True, False], [False, False, True]]))


def test_nested_tensor_in_another_operator_is_an_error():
    program = torchcc.compile_source(NESTED)
    with pytest.raises(torchcc.CompileError, match="a nested tensor is used here"):
        program.used(np.zeros((2, 3, 2), np.float32), np.ones((2, 3), bool))


PYTHON_FUNCTIONS = [
    "torch.norm(x, dim=1)",
    "torch.norm(x, 'fro', [0, 1])",
    "torch.norm(x, p='fro', dim=0, keepdim=True)",
    "torch.norm(x, dim=1, dtype=torch.float64)",
    "torch.norm(x, 1)",
    "torch.tensordot(x, x.t(), dims=1)",
    "torch.tensordot(x, x)",
    "torch.tensordot(x, x, dims=0)",
    "torch.tensordot(x, x, dims=([1], [1]))",
]


@pytest.mark.parametrize("expression", PYTHON_FUNCTIONS)
def test_functions_that_pytorch_writes_in_python(expression):
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    found = np.asarray(torchcc.compile_source(f"import torch\n\ndef f(x):\n    return {expression}\n").f(x))
    expected = eval(expression, {"torch": torch, "x": torch.from_numpy(x)}).numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_dims_of_tensordot_have_to_be_constants():
    with pytest.raises(torchcc.CompileError, match="written out"):
        torchcc.compile_source("import torch\n\ndef f(x, n: int):\n    return torch.tensordot(x, x, dims=n)\n")


PACKED = """
import torch
from torch import Tensor

def f(x: Tensor, lengths: Tensor):
    return torch._pack_padded_sequence(x, lengths, True)
"""


def test_packing_refuses_lengths_out_of_order_and_empty_sequences():
    f = torchcc.compile_source(PACKED).f
    x = np.ones((2, 3, 1), np.float32)
    data, sizes = f(x, np.array([3, 1]))
    assert data.shape == (4, 1) and sizes.tolist() == [2, 1, 1]
    with pytest.raises(torchcc.ExecutionError, match="decreasing order"):
        f(x, np.array([1, 3]))
    with pytest.raises(torchcc.ExecutionError, match="greater than 0"):
        f(x, np.array([1, 0]))
