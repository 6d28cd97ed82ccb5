"""Eigenvalues and singular values of matrices large enough for blocks and halves, easy and hard; least squares and LDL of complex ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchcc.api import compile_source
from torchcc.ir.dtypes import DType
from torchcc.ir.signature import Dim, TensorSpec, rebuild

torch = pytest.importorskip("torch", reason="compares with PyTorch")

EPS = np.finfo(np.float64).eps


def _orthogonal(n: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(5).standard_normal((n, n)))[0]


def _beside(n: int, value: float) -> np.ndarray:
    return np.diag(np.full(n - 1, value), 1) + np.diag(np.full(n - 1, value), -1)


def _symmetric(kind: str, n: int) -> np.ndarray:
    q, x = _orthogonal(n), np.random.default_rng(3).standard_normal((n, n))
    few = x[:, : n // 3]
    graded = 10.0 ** (-20 * np.arange(n) / n)
    made = {
        "any": x,
        "rank": few @ few.T,
        "zero": np.zeros((n, n)),
        "one": np.eye(n),
        "ones": np.ones((n, n)),
        "wilkinson": np.diag(np.abs(np.arange(n) - n // 2).astype(float)) + _beside(n, 1.0),
        "laplace": np.diag(np.full(n, 2.0)) + _beside(n, -1.0),
        "graded": x * graded * graded[:, None],
        "close": (q * (1 + 1e-14 * np.arange(n))) @ q.T,
        "two": (q * np.where(np.arange(n) < n // 2, -1.0, 1.0)) @ q.T,
        "large": x * 1e200,
        "small": x * 1e-200,
    }[kind]
    return (made + made.T) / 2


KINDS = ("any", "rank", "zero", "one", "ones", "wilkinson", "laplace", "graded", "close", "two", "large", "small")
SAME_SIGNS = ("any", "one", "large", "small")
"""Eigenvalues far from each other, or none that need rotations: vectors are LAPACK's."""


@pytest.mark.parametrize("upper", [False, True])
def test_eigenvectors_of_run_time_sizes(upper: bool) -> None:
    n = Dim("n", 0, 256)
    text = f"import torch\n\ndef f(x):\n    return torch.linalg.eigh(x, '{'U' if upper else 'L'}')\n"
    compiled, signature = compile_source(text).f.specialise([TensorSpec(DType.float64, (n, n))])
    for size in (0, 1, 25, 26, 57, 101):
        for kind in KINDS if size > 1 else ():
            x = _symmetric(kind, size)
            w, v = rebuild(signature.tree, compiled.call_flat([x]))
            values, vectors = (t.numpy() for t in torch.linalg.eigh(torch.tensor(x)))
            norm = max(np.abs(values).max(), 1e-300)
            allowed = 8 * size * EPS
            assert np.abs(w - values).max() <= allowed * norm, (kind, size)
            assert np.abs((x / norm) @ v - v * (w / norm)).max() <= allowed, (kind, size)
            assert np.abs(v.T @ v - np.eye(size)).max() <= allowed, (kind, size)
            if kind in SAME_SIGNS and not upper and size != 101:
                assert ((v * vectors).sum(0) > 0).all(), (kind, size)
    assert rebuild(signature.tree, compiled.call_flat([np.zeros((0, 0))]))[1].shape == (0, 0)
    assert np.array_equal(rebuild(signature.tree, compiled.call_flat([np.full((1, 1), 3.0)]))[0], [3.0])


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_blocks_of_reflections(dtype: str) -> None:
    text = "import torch\n\ndef f(x, y):\n    return torch.linalg.eigh(y), torch.linalg.svd(x, full_matrices=False)\n"
    function = compile_source(text).f
    torch.manual_seed(0)
    x = torch.randn(2, 70, 50, dtype=getattr(torch, dtype))
    y = x @ x.mH - 10.0 * torch.eye(70, dtype=x.dtype)
    (w, v), (u, s, vh) = function(x, y)
    close: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-3} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(y @ v, v * w.unsqueeze(1), **close)
    torch.testing.assert_close(v.mH @ v, torch.eye(70, dtype=x.dtype).expand(2, 70, 70), **close)
    torch.testing.assert_close(w, torch.linalg.eigvalsh(y), **close)
    torch.testing.assert_close(u * s.unsqueeze(1) @ vh, x, **close)
    torch.testing.assert_close(u.mH @ u, torch.eye(50, dtype=x.dtype).expand(2, 50, 50), **close)
    torch.testing.assert_close(s, torch.linalg.svdvals(x), **close)


@pytest.mark.parametrize(("shape", "drivers"), [((4, 3), ("gels", "gelsd")), ((2, 3, 4), ("gels", "gelsy"))])
def test_least_squares_of_complex_matrices(shape: tuple[int, ...], drivers: tuple[str, ...]) -> None:
    calls = ", ".join(f"torch.linalg.lstsq(a, b, driver='{d}')" for d in drivers)
    function = compile_source(f"import torch\n\ndef f(a, b):\n    return {calls}\n").f
    torch.manual_seed(0)
    a, b = torch.randn(*shape, dtype=torch.complex128), torch.randn(*shape[:-1], 2, dtype=torch.complex128)
    for driver, found in zip(drivers, function(a, b), strict=True):
        for ours, theirs in zip(found, torch.linalg.lstsq(a, b, driver=driver), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("hermitian", [False, True])
def test_ldl_of_complex_matrices(hermitian: bool) -> None:
    text = (
        f"import torch\n\ndef f(a, b):\n    factors = torch.linalg.ldl_factor_ex(a, hermitian={hermitian})\n"
        f"    return factors, torch.linalg.ldl_solve(factors[0], factors[1], b, hermitian={hermitian})\n"
    )
    torch.manual_seed(0)
    a, b = torch.randn(8, 5, 5, dtype=torch.complex128), torch.randn(8, 5, 2, dtype=torch.complex128)
    a = a + (a.mH if hermitian else a.mT)
    factors, x = compile_source(text).f(a, b)
    for ours, theirs in zip(factors, torch.linalg.ldl_factor_ex(a, hermitian=hermitian), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(a @ x, b)
