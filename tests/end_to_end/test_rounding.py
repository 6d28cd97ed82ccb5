"""Long sums are as exact as PyTorch's: products of matrices and convolutions add up in parts."""

from __future__ import annotations

import numpy as np
import pytest

from torchcc import Dim, DType, TensorSpec
from torchcc.api import compile_source

SOURCE = """
import torch
from torch import Tensor
import torch.nn.functional as F

def product(x: Tensor, y: Tensor) -> Tensor:
    return x @ y

def convolution(x: Tensor, w: Tensor) -> Tensor:
    return F.conv2d(x, w)

def column_sums(x: Tensor) -> Tensor:
    return x.sum(0)
"""

EPSILON = float(np.finfo(np.float32).eps) / 2


@pytest.fixture(scope="module")
def library():
    return compile_source(SOURCE)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def error(found: np.ndarray, exact: np.ndarray, terms: int) -> float:
    """Root mean square, in units of the rounding of one number as large as the results are."""
    return float(np.sqrt(np.mean((found.astype(np.float64) - exact) ** 2))) / np.sqrt(terms) / EPSILON


@pytest.mark.parametrize("length", [3072, 4096, 1000, 4097])
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_products(library, rows, length):
    """One running sum of 4096 products is wrong by 19 units; parts of 256 by 5."""
    x, y = normal(rows, length), normal(length, 48)
    assert error(library.product(x, y), x.astype(np.float64) @ y.astype(np.float64), length) < 7.5


def test_products_of_unknown_length(library):
    k = Dim("k")
    compiled = library.product.compile(TensorSpec(DType.float32, (8, k)), TensorSpec(DType.float32, (k, 32)))
    for length in (1, 255, 256, 257, 5000):
        x, y = normal(8, length), normal(length, 32)
        assert error(compiled(x, y), x.astype(np.float64) @ y.astype(np.float64), length) < 7.5


@pytest.mark.parametrize("channels", [64, 300, 512])
def test_convolutions(library, channels):
    x, w = normal(1, channels, 6, 6), normal(16, channels, 3, 3)
    windows = np.lib.stride_tricks.sliding_window_view(x[0].astype(np.float64), (3, 3), (1, 2))
    exact = np.einsum("cijkl,ockl->oij", windows, w.astype(np.float64))[None]
    assert error(library.convolution(x, w), exact, 9 * channels) < 7.5


def test_sums_over_rows(library):
    x = normal(10000, 40)
    assert error(library.column_sums(x), x.astype(np.float64).sum(0), 10000) < 7.5
