"""Linear algebra compiled once for run-time sizes, at every stage, and its errors, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchcc.api import compile_source
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.dtypes import DType
from torchcc.ir.signature import Dim, TensorSpec, rebuild
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="compares with PyTorch")

B, M, N = Dim("b", 0, 64), Dim("m", 0, 64), Dim("n", 0, 64)
SIZES = ({"b": 2, "m": 5, "n": 3}, {"b": 1, "m": 2, "n": 30}, {"b": 3, "m": 1, "n": 1}, {"b": 0, "m": 3, "n": 4})
EXPRESSIONS = [
    "torch.linalg.inv(s)",
    "torch.linalg.solve(s, r)",
    "(torch.linalg.det(s), torch.linalg.lu_factor(s))",
    "torch.linalg.cholesky(s @ s.mT + torch.eye(s.size(-1), dtype=s.dtype))",
    "torch.linalg.qr(r)",
    "torch.linalg.eigh(s)",
    "torch.linalg.matrix_exp(s * 0.1)",
]


def _matrices(sizes: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(7)
    b, m, n = (sizes[k] for k in "bmn")
    return generator.standard_normal((b, n, n)) + np.eye(n) * np.arange(2, n + 2), generator.standard_normal((b, n, m))


def _eager(expression: str, s: Any, r: Any) -> list[Any]:
    found = eval(expression, {"torch": torch, "s": torch.tensor(s), "r": torch.tensor(r)})
    return [t.numpy() for t in _leaves(found)]


def _leaves(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in _leaves(v)] if isinstance(value, tuple | list) else [value]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_one_compilation_serves_all_sizes(expression: str) -> None:
    function = compile_source(f"import torch\n\ndef f(s, r):\n    return {expression}\n").f
    specs = [TensorSpec(DType.float64, (B, N, N)), TensorSpec(DType.float64, (B, N, M))]
    compiled, signature = function.specialise(specs)
    for sizes in SIZES:
        s, r = _matrices(sizes)
        found = _leaves(rebuild(signature.tree, compiled.call_flat([s, r])))
        for ours, theirs in zip(found, _eager(expression, s, r), strict=True):
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_singular_values_of_run_time_sizes() -> None:
    function = compile_source("import torch\n\ndef f(r):\n    return torch.linalg.svd(r, full_matrices=False)\n").f
    compiled, signature = function.specialise([TensorSpec(DType.float64, (B, M, N))])
    for shape in ((2, 5, 3), (1, 3, 5), (1, 30, 28), (1, 28, 60), (3, 1, 1), (1, 0, 4), (0, 2, 2)):
        r = np.random.default_rng(7).standard_normal(shape)
        found = rebuild(signature.tree, compiled.call_flat([r]))
        for ours, theirs in zip(found, torch.linalg.svd(torch.tensor(r), full_matrices=False), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("expression", ["torch.linalg.inv(s)", "torch.linalg.eigh(s)[0]", "torch.linalg.svdvals(s)", "torch.linalg.eigvals(s)"])
def test_every_stage_agrees(expression: str) -> None:
    program = compile_text(f"import torch\n\ndef f(s):\n    return {expression}\n")
    s = _matrices({"b": 2, "m": 1, "n": 3})[0]
    for stage in verify_stages(program, [TensorSpec(DType.float64, (2, 3, 3))], [s]):
        assert stage.agrees, stage.text


ERRORS = {
    "torch.linalg.inv(x)": "linalg.inv: The diagonal element 2 is zero, the inversion could not be completed because the input matrix is singular.",
    "torch.linalg.inv(torch.stack([torch.eye(2), x]))": "linalg.inv: (Batch element 1): The diagonal element 2 is zero",
    "torch.linalg.solve(x, x)": "torch.linalg.solve: The solver failed because the input matrix is singular.",
    "torch.linalg.cholesky(x - 2)": "linalg.cholesky: The factorization could not be completed because the input is not positive-definite (the leading minor "
    "of order 1 is not positive-definite).",
    "torch.linalg.lu_factor(x)": "torch.linalg.lu_factor: U[2,2] is zero and using it on lu_solve would result in a division by zero.",
    "torch.linalg.svd((x - x) / 0)": "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values.",
    "torch.linalg.eigh(torch.zeros(3, 3) + (x[0, 0] - x[0, 0]) / 0)": "linalg.eigh: The algorithm failed to converge because the input matrix is ill-conditioned",
}
REFUSED = {
    "torch.linalg.inv(x[:1])": "linalg.inv: A must be batches of square matrices, but they are 1 by 2 matrices",
    "torch.linalg.det(x[0])": "linalg.det: The input tensor A must have at least 2 dimensions.",
    "torch.linalg.inv(x.long())": "linalg.inv: Expected a floating point or complex tensor as input. Got Long",
    "torch.linalg.inv(x.half())": "linalg.inv: Low precision dtypes not supported. Got Half",
    "torch.linalg.qr(x, 'whole')": "qr received unrecognized mode 'whole' but expected one of 'reduced' (default), 'r', or 'complete'",
    "torch.linalg.eigh(x, 'M')": "Expected UPLO argument to be 'L' or 'U', but got M",
    "torch.linalg.solve(x, x[:, :1].T)": "linalg.solve: Incompatible shapes of A and B for the equation AX = B (2x2 and 1x2)",
    "torch.linalg.matrix_norm(x, 3)": "linalg.matrix_norm: Order 3 not supported.",
    "torch.linalg.lu(x, pivot=False)": "LU without pivoting is not implemented on the CPU",
}


@pytest.mark.parametrize("expression", [*ERRORS, *REFUSED])
def test_errors_are_those_of_pytorch(expression: str) -> None:
    text = {**ERRORS, **REFUSED}[expression]
    x = np.array([[1.0, 2.0], [2.0, 4.0]], np.float32)
    with pytest.raises(RuntimeError) as theirs:
        eval(expression, {"torch": torch, "x": torch.tensor(x)})
    assert text in str(theirs.value)
    with pytest.raises(ExecutionError if expression in ERRORS else CompileError) as ours:
        compile_source(f"import torch\n\ndef f(x):\n    return {expression}\n").f(x)
    assert text in str(ours.value)


def test_results_have_names() -> None:
    text = (
        "import torch\n\ndef f(x):\n    r = torch.max(x, 1)\n    q = torch.linalg.qr(x)\n"
        "    return r.values, r.indices, q.R, torch.linalg.slogdet(x).logabsdet, torch.lu(x)[1], torch.norm(x, p=1, dim=None)\n"
    )
    x = np.array([[1.0, 2.0], [-3.0, 4.0]])
    scope: dict[str, Any] = {}
    exec(text, scope)
    for ours, theirs in zip(compile_source(text).f(x), scope["f"](torch.tensor(x)), strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs.numpy(), rtol=1e-12)
    with pytest.raises(CompileError, match="no attribute or method 'value'"):
        compile_source("import torch\n\ndef f(x):\n    return torch.max(x, 0).value\n").f(x)


COMPLEX = [
    ["torch.linalg.inv(c)", "torch.linalg.det(c)", "torch.linalg.slogdet(c)", "torch.logdet(c)", "torch.linalg.lu(c)"],
    ["torch.linalg.solve(c, c[0])", "torch.linalg.solve(c, c, left=False)", "torch.linalg.matrix_exp(c)"],
    [f"torch.linalg.lu_solve(*torch.linalg.lu_factor(c), c, left={left}, adjoint={adjoint})" for left in (True, False) for adjoint in (True, False)],
    ["torch.linalg.cholesky(h)", "torch.linalg.cholesky(h, upper=True)", "torch.cholesky_inverse(torch.linalg.cholesky(h))"],
    ["torch.cholesky_solve(c, torch.linalg.cholesky(h, upper=True), upper=True)", "torch.linalg.solve_triangular(c, c, upper=True)"],
    ["torch.linalg.qr(c)", "torch.linalg.qr(c[:, :2], mode='complete')", "torch.linalg.qr(c[:2])", "torch.geqrf(c)"],
    [f"torch.ormqr(*torch.geqrf(c), c, left={left}, transpose={turned})" for left in (True, False) for turned in (True, False)],
    ["torch.linalg.eigh(c)", "torch.linalg.eigh(c, UPLO='U')", "torch.linalg.eigvalsh(c)"],
    ["torch.linalg.svd(c)", "torch.linalg.svdvals(c)", "torch.linalg.pinv(c[:2])", "torch.linalg.matrix_rank(c)"],
    ["torch.linalg.eig(torch.stack([c, h, c @ c]))", "torch.linalg.eigvals(torch.triu(c))"],
]


@pytest.mark.parametrize(("number", "dtype"), [(i, "complex64" if i % 2 else "complex128") for i in range(len(COMPLEX))])
def test_complex_matrices(number: int, dtype: str) -> None:
    torch.manual_seed(0)
    c = torch.randn(4, 4, dtype=getattr(torch, dtype))
    expressions = [e.replace("torch.linalg.lu_factor(c)", "lu").replace("torch.geqrf(c), c,", "qr, c,") for e in COMPLEX[number]]
    starred = [e.replace("*lu", "lu[0], lu[1]").replace("*qr", "qr[0], qr[1]") for e in expressions]
    lines = ["h = c @ c.mH + torch.eye(4)"]
    lines += ["lu = torch.linalg.lu_factor(c)"] * any("lu[" in e for e in starred) + ["qr = torch.geqrf(c)"] * any("qr[" in e for e in starred)
    body = "\n    ".join([*lines, f"return [{', '.join(starred)}]".replace("[", "(", 1)[:-1] + ",)"])
    found = compile_source(f"import torch\n\ndef f(c):\n    {body}\n").f(c)
    names = {"torch": torch, "c": c, "h": c @ c.mH + torch.eye(4), "lu": torch.linalg.lu_factor(c), "qr": torch.geqrf(c)}
    for expression, ours in zip(starred, found, strict=True):
        for a, b in zip(_leaves(ours), _leaves(eval(expression, names)), strict=True):
            torch.testing.assert_close(a, b, rtol=2e-4 if dtype == "complex64" else 1e-9, atol=2e-5 if dtype == "complex64" else 1e-10)


def test_large_complex_matrices_are_what_their_parts_make() -> None:
    text = "import torch\n\ndef f(c):\n    w, v = torch.linalg.eigh(c)\n    u, s, h = torch.linalg.svd(c)\n    return w, v, u, s, h\n"
    torch.manual_seed(1)
    c = torch.randn(27, 27, dtype=torch.complex128)
    w, v, u, s, h = compile_source(text).f(c)
    below = torch.tril(c, -1)
    whole = below + below.mH + torch.diag(torch.diagonal(c).real.to(c.dtype))
    torch.testing.assert_close(whole @ v, v * w)
    torch.testing.assert_close(u * s @ h, c)
    torch.testing.assert_close(v.mH @ v, torch.eye(27, dtype=c.dtype))
